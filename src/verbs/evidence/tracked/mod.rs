//! What experiment trackers know of the tasks: runs, and other signs of life.

mod copies;
mod folders;
mod owners;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::gather::{Gathered, Ground};
use super::threads::side_by_side;
use crate::cluster::{Snapshot, State};
use crate::joblog::Identity;
use crate::safety;
use crate::sweep::Evidence;
use crate::terms::{Known, Unread};
use crate::tracker::{self, Events, Limits, Run};
use owners::Owners;

/// So many runs below one folder are read.
const MOST_RUNS: usize = 20_000;
/// So many event files of one task are kept.
const MOST_EVENTS: usize = 3;
/// So many things that were not read are told of each folder.
const TOLD: usize = 3;

/// Finds the runs below the tasks' folders and in the folders that many share,
/// and gives each to the task that it is of; then the TensorBoard files.
/// Parameters that no file told are taken from the runs.
pub fn add(
    ground: &Ground,
    snapshot: &Snapshot,
    gathered: &mut Gathered,
    tasks: &BTreeMap<usize, &Identity>,
) {
    if ground.is_over() {
        return gathered.not_read.push("runs of trackers: time was up".to_owned());
    }
    let runs = runs(ground, gathered, tasks);
    let events = events(ground, gathered, tasks);
    let mut owners = Owners::of(snapshot, gathered, tasks, &runs, &events, ground.now);
    let mut twice = copies::part(&runs, &mut owners);
    give_parameters(gathered, &runs, &owners);
    let mut by_task: Vec<Vec<Run>> = vec![Vec::new(); gathered.evidence.len()];
    let mut homeless: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for (run, own) in runs.iter().zip(&owners.runs) {
        own.iter().for_each(|at| by_task[*at].push(run.clone()));
        // Runs of W&B say whose they are: of others nothing but their folder may tell it.
        if own.is_empty() && run.tracker == tracker::Tracker::Mlflow {
            let store = run.dir.ancestors().nth(2).unwrap_or(&run.dir);
            *homeless.entry(store.to_owned()).or_default() += 1;
        }
    }
    for (store, count) in homeless {
        let store = safety::escape_path(&store);
        gathered.not_read.push(format!("{count} MLflow runs in {store} do not say whose jobs they are"));
    }
    for (at, own) in by_task.into_iter().enumerate() {
        let is_asked = tasks.contains_key(&at);
        let twice = twice.remove(&at).unwrap_or_default();
        if is_asked || !twice.is_empty() || tells(&gathered.evidence[at], &own) {
            gathered.evidence[at].looked_mut().runs = match own.is_empty() && runs.is_empty() {
                true => Known::NotApplicable("no run of a tracker was found".to_owned()),
                false => Known::Known(own),
            };
            gathered.evidence[at].looked_mut().twice = twice;
        }
    }
    // A further look begins anew.
    tasks.keys().for_each(|at| gathered.evidence[*at].looked_mut().events.clear());
    for (file, at) in events.into_iter().zip(owners.events) {
        if let Some(at) = at.filter(|at| tasks.contains_key(at)) {
            gathered.evidence[at].looked_mut().events.push(file);
        }
    }
    for at in tasks.keys() {
        let events = &mut gathered.evidence[*at].looked_mut().events;
        events.sort_by_key(|events| std::cmp::Reverse(events.modified));
        events.truncate(MOST_EVENTS);
    }
}

/// True if the runs of a completed task that is in no sample say something
/// about it: it is then looked at all the same.
fn tells(task: &Evidence, own: &[Run]) -> bool {
    let ids: BTreeSet<&str> = own.iter().map(|run| run.id.as_str()).collect();
    let ended_well = |run: &Run| run.exit.is_some_and(|exit| exit.code == 0);
    task.state == State::Completed && (ids.len() > 1 || !own.iter().all(ended_well))
}

/// Runs of all trackers, oldest first among those of one folder.
fn runs(ground: &Ground, gathered: &mut Gathered, tasks: &BTreeMap<usize, &Identity>) -> Vec<Run> {
    let limits = Limits { results: MOST_RUNS, entries: 10 * MOST_RUNS, ..Limits::default() };
    let mut all: BTreeMap<PathBuf, Run> = BTreeMap::new();
    let dirs = folders::of_wandb(ground, gathered, tasks);
    for (dir, found) in side_by_side(&dirs, |dir| tracker::runs(dir, &limits)) {
        gathered.note("W&B runs", found.runs.len(), dir, &found.unread);
        all.extend(found.runs.into_iter().map(|run| (run.dir.clone(), run)));
    }
    let dirs = folders::of_others(ground, gathered, tasks);
    for (dir, found) in side_by_side(&dirs, |dir| tracker::others(dir, &limits)) {
        gathered.note("MLflow runs", found.runs.len(), dir, &found.unread);
        let unread = found.trackio.iter().map(safety::escape_path);
        gathered.not_read.extend(
            unread.take(TOLD).map(|path| format!("{path}: a database of Trackio, which may be in use")),
        );
        all.extend(found.runs.into_iter().map(|run| (run.dir.clone(), run)));
    }
    let mut all: Vec<Run> = all.into_values().collect();
    all.sort_by_key(|run| run.started);
    all
}

/// TensorBoard event files: of each run's folder, and for running tasks that
/// have none there, of the folders that many share.
fn events(ground: &Ground, gathered: &mut Gathered, tasks: &BTreeMap<usize, &Identity>) -> Vec<Events> {
    // The end of a file tells all that is asked.
    let limits = Limits { results: 50, entries: 5_000, whole: 64 << 10, edge: 32 << 10, ..Limits::default() };
    let dirs = folders::distinct(tasks.keys().filter_map(|at| gathered.evidence[*at].run_dir().cloned()));
    let mut all: BTreeMap<PathBuf, Events> = BTreeMap::new();
    let mut count = 0;
    for (_, found) in side_by_side(&dirs, |dir| tracker::events(dir, &limits)) {
        count += found.files.len();
        gathered.note_unread(&found.unread);
        all.extend(found.files.into_iter().map(|file| (file.path.clone(), file)));
    }
    let has_own = |at: &usize| {
        let dir = gathered.evidence[*at].run_dir();
        dir.is_some_and(|dir| all.range(dir.clone()..).next().is_some_and(|(path, _)| path.starts_with(dir)))
    };
    let lacking = |at: &&usize| gathered.evidence[**at].state == State::Running && !has_own(at);
    if tasks.keys().any(|at| lacking(&at)) {
        let limits = Limits { results: 5_000, entries: 100_000, ..limits };
        for dir in folders::of_events(ground, tasks) {
            let found = tracker::events(&dir, &limits);
            count += found.files.len();
            gathered.note_unread(&found.unread);
            all.extend(found.files.into_iter().map(|file| (file.path.clone(), file)));
        }
    }
    if count > 0 {
        gathered.sources.push(format!("{count} TensorBoard event files"));
    }
    all.into_values().collect()
}

/// Where a sweep agent chose parameters, only those tell tasks apart.
fn is_swept(run: &Run, name: &str) -> bool {
    run.swept.is_empty() || run.swept.iter().any(|swept| swept == name)
}

/// The first run of a task says what it was begun with.
fn give_parameters(gathered: &mut Gathered, runs: &[Run], owners: &Owners) {
    if !gathered.parameters.is_empty() {
        return;
    }
    for (run, own) in runs.iter().zip(&owners.runs).rev() {
        for member in own.iter().map(|at| gathered.evidence[*at].member) {
            for (name, value) in run.parameters.iter().filter(|(name, _)| is_swept(run, name)) {
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                gathered.parameters.set(member, name, &text);
            }
        }
    }
}

impl Gathered {
    fn note(&mut self, what: &str, count: usize, dir: &Path, unread: &[Unread]) {
        if count > 0 {
            self.sources.push(format!("{count} {what} in {}", safety::escape_path(dir)));
        }
        self.note_unread(unread);
    }

    fn note_unread(&mut self, unread: &[Unread]) {
        let told = unread.iter().take(TOLD);
        self.not_read
            .extend(told.map(|unread| format!("{}: {}", safety::escape_path(&unread.path), unread.why)));
        if unread.len() > TOLD {
            self.not_read.push(format!("and {} more files of trackers there", unread.len() - TOLD));
        }
    }
}
