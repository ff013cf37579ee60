//! Which tracker runs belong to which task.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::gather::{Gathered, Ground};
use crate::joblog::{Identity, Mention};
use crate::safety;
use crate::sweep::Evidence;
use crate::terms::Known;
use crate::tracker::{self, Limits, Run};

/// So many runs below one folder are read.
const MOST_RUNS: usize = 4_000;

/// Finds the runs below the tasks' folders and beside the worktrees, and gives
/// each to the task whose ids it carries, whose log names it, or in whose
/// folder it lies. Parameters that no file told are taken from them.
pub fn add(ground: &Ground, gathered: &mut Gathered, tasks: &BTreeMap<usize, &Identity>) {
    let limits = Limits { results: MOST_RUNS, ..Limits::default() };
    let mut dirs: BTreeSet<PathBuf> = ground.roots.iter().map(|root| root.join("wandb")).collect();
    for (at, who) in tasks {
        dirs.extend(who.work_dir.iter().map(|dir| dir.join("wandb")));
        dirs.extend(gathered.evidence[*at].run_dir().cloned());
    }
    let mut runs: BTreeMap<PathBuf, Run> = BTreeMap::new();
    for dir in dirs.iter().filter(|dir| dir.is_dir()) {
        // A folder inside another one was read with it.
        if dir.parent().is_some_and(|parent| parent.ancestors().any(|above| dirs.contains(above))) {
            continue;
        }
        let found = tracker::runs(dir, &limits);
        if !found.runs.is_empty() {
            gathered.sources.push(format!("{} W&B runs in {}", found.runs.len(), safety::escape_path(dir)));
        }
        let unread = found.unread.iter().take(3);
        gathered
            .not_read
            .extend(unread.map(|unread| format!("{}: {}", safety::escape_path(&unread.path), unread.why)));
        runs.extend(found.runs.into_iter().map(|run| (run.dir.clone(), run)));
    }
    let runs: Vec<Run> = runs.into_values().collect();
    let index = Index::of(&runs);
    let learnt = gathered.parameters.is_empty();
    for (at, who) in tasks {
        let task = &gathered.evidence[*at];
        let own: Vec<Run> = index.of_task(task, who).into_iter().map(|at| runs[at].clone()).collect();
        if learnt {
            for run in own.iter().rev() {
                for (name, value) in run.parameters.iter().filter(|(name, _)| is_swept(run, name)) {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    gathered.parameters.set(task.member, name, &text);
                }
            }
        }
        gathered.evidence[*at].looked_mut().runs = match own.is_empty() && runs.is_empty() {
            true => Known::NotApplicable("no run of W&B was found".to_owned()),
            false => Known::Known(own),
        };
    }
}

/// Where a sweep agent chose parameters, only those tell tasks apart.
fn is_swept(run: &Run, name: &str) -> bool {
    run.swept.is_empty() || run.swept.iter().any(|swept| swept == name)
}

/// Runs by what they have in common with tasks, as places in a list.
#[derive(Default)]
struct Index<'r> {
    arrays: BTreeMap<(u32, u32), Vec<usize>>,
    jobs: BTreeMap<u32, Vec<usize>>,
    ids: BTreeMap<&'r str, Vec<usize>>,
    dirs: BTreeMap<&'r std::path::Path, Vec<usize>>,
}

impl<'r> Index<'r> {
    fn of(runs: &'r [Run]) -> Index<'r> {
        let mut index = Index::default();
        for (at, run) in runs.iter().enumerate() {
            if let Some(slurm) = &run.slurm {
                if let (Some(array), Some(task)) = (slurm.array_job, slurm.array_task) {
                    index.arrays.entry((array, task)).or_default().push(at);
                }
                if let Some(job) = slurm.job {
                    index.jobs.entry(job).or_default().push(at);
                }
            }
            index.ids.entry(&run.id).or_default().push(at);
            for above in run.dir.ancestors().skip(1).take(3) {
                index.dirs.entry(above).or_default().push(at);
            }
        }
        index
    }

    /// The runs of a task, oldest first.
    fn of_task(&self, task: &Evidence, who: &Identity) -> Vec<usize> {
        let mut own: BTreeSet<usize> = BTreeSet::new();
        let mut add = |found: Option<&Vec<usize>>| own.extend(found.into_iter().flatten());
        add(who.task.and_then(|index| self.arrays.get(&(who.base, index))));
        add(who.raw_id().and_then(|raw| self.jobs.get(&raw)));
        add(task.run_dir().and_then(|dir| self.dirs.get(dir.as_path())));
        for mention in task.log().iter().flat_map(|log| &log.reading.mentions) {
            if let Mention::WandbRun { id } = mention {
                add(self.ids.get(id.as_str()));
            }
        }
        // Folders of W&B begin with their time.
        own.into_iter().collect()
    }
}
