//! What a watch reads of tasks beside queue and accounting, and keeps from
//! look to look: a log is read when its task ends, and its end again while the
//! task runs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::slim;
use crate::cluster::{ExitCode, Job, Snapshot, State};
use crate::joblog::{Extent, Identity, Progress};
use crate::sweep::{self, Evidence, Looked, Parameters, Sweep};
use crate::sys::{FileError, World, read_regular};
use crate::terms::{JobId, Known, Seconds, TaskIds, Time};
use crate::verbs::evidence::{self, Again, Asked, Ground, Places};

/// So many tasks that are over are read at one look; the others at the next.
const MOST_ENDED: usize = 5_000;
/// So many running tasks are read at one look, those not read for longest first.
const MOST_RUNNING: usize = 200;
/// So many completed tasks are read as a sample of all.
const SAMPLE: usize = 24;
/// So many completed tasks are looked at for their results at one look.
const MOST_RESULTS: usize = 2_000;
/// File servers show late what was written elsewhere: after so long a log says
/// what it will ever say, and a result is there or not.
const LATE: Seconds = Seconds(120);
/// A running task without a log is looked for again after this long.
const NO_LOG: Seconds = Seconds(600);
/// Folders of runs, and the tracker's runs in them, are listed again after
/// this long; running logs are then read with their middle.
const THOROUGH: Seconds = Seconds(900);
/// So much is kept of what was read, in tasks and in bytes.
const MOST_KEPT: usize = 5_000;
const MOST: usize = 64 << 20;
/// So many work directories tell where a sweep works.
const FEW_DIRS: usize = 4;
const SCHEMA: &str = "handover/watch-readings/1";

/// What was read so far of one sweep.
#[derive(Default)]
pub(super) struct Study {
    tasks: BTreeMap<u32, Read>,
    /// Jobs as the queue had them while they ran.
    jobs: HashMap<JobId, Job>,
    places: Option<(Time, Places)>,
    tracked: Option<Time>,
    /// What the tracker says of the tasks' parameters, if no file does.
    parameters: Parameters,
    /// Completed tasks whose results are there.
    whole: TaskIds,
    /// Completed tasks whose results are not there.
    missing: BTreeMap<u32, Vec<PathBuf>>,
    /// Tasks of which more may come to light in a moment.
    open: TaskIds,
    /// True if results of the whole sweep may.
    waits: bool,
    /// The ids under which tasks go on, of which the readings are.
    followed: BTreeMap<u32, JobId>,
    /// Work directories of jobs that were seen in the queue: a few of them.
    work_dirs: BTreeSet<PathBuf>,
    /// What jobs of which tasks were killed had asked for.
    asked: Asked,
    changed: bool,
}

/// What was read of one task, and when.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Read {
    of: Stamp,
    at: Time,
    looked: Looked,
}

/// By what an attempt of a task is told from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    state: State,
    exit: Option<ExitCode>,
    attempts: usize,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    schema: String,
    key: String,
    tasks: BTreeMap<u32, Read>,
    /// Where the files of running tasks lie.
    #[serde(default)]
    jobs: Vec<Job>,
    /// The ids under which tasks go on.
    #[serde(default)]
    followed: BTreeMap<u32, JobId>,
    /// What jobs of which tasks were killed had asked for, where Slurm knew it.
    #[serde(default)]
    asked: Asked,
}

/// What a look found.
pub(super) struct Studied {
    /// Every task, with what is known of it.
    pub evidence: Vec<Evidence>,
    /// The tasks' parameters.
    pub parameters: Parameters,
    /// True if a task was read that is over.
    pub is_new: bool,
    /// What could not be read, in words.
    pub problems: Vec<String>,
    /// Questions to Slurm about files.
    pub calls: u32,
}

impl Stamp {
    fn of(task: &Evidence) -> Stamp {
        // However it runs, it is one attempt.
        let state = if task.state.is_running() { State::Running } else { task.state };
        Stamp { state, exit: task.exit, attempts: task.earlier.len() }
    }
}

impl Study {
    /// What an earlier watch read, if it can be read back.
    pub fn read(path: &Path, key: &str) -> Study {
        let stored = read_regular(path, MOST).ok().flatten().and_then(|bytes| read_bytes(&bytes));
        let stored = stored.filter(|stored| stored.key == key);
        let Some(Stored { tasks, jobs, followed, asked, .. }) = stored else { return Study::default() };
        let jobs = jobs.into_iter().map(|job| (job.id, job)).collect();
        Study { tasks, jobs, followed, asked, ..Study::default() }
    }

    /// Writes what was read of tasks that are over, if anything is new.
    pub fn write(&mut self, world: &World, path: &Path, key: &str) -> Result<(), FileError> {
        if !std::mem::take(&mut self.changed) {
            return Ok(());
        }
        let over = self.tasks.iter().filter(|(_, read)| read.of.state.is_finished());
        let stored = Stored {
            schema: SCHEMA.to_owned(),
            key: key.to_owned(),
            tasks: over.take(MOST_KEPT).map(|(member, read)| (*member, read.clone())).collect(),
            jobs: self.jobs.values().take(MOST_KEPT).cloned().collect(),
            followed: self.followed.clone(),
            // Where nobody knew it, the next watch may have more luck.
            asked: self
                .asked
                .iter()
                .filter(|(_, memory)| memory.is_some())
                .map(|(id, memory)| (*id, *memory))
                .collect(),
        };
        if let Some(folder) = path.parent() {
            world.files.ensure_dir(folder)?;
        }
        let bytes = serde_json::to_vec(&stored).map_err(|e| FileError::new("write", path, e.into()))?;
        world.files.write_cache(path, &bytes)
    }

    /// True if more may come to light in a moment: a log that has not arrived.
    pub fn is_open(&self) -> bool {
        self.waits || !self.open.is_empty()
    }

    /// Notes that results of the whole sweep may still be on their way.
    pub fn wait(&mut self) {
        self.waits = true;
    }

    /// The directories of its jobs that are below one of these. `None` if none is:
    /// then it is another project's, or on another machine. Where nobody says it,
    /// it is here if Slurm of this machine was asked (`is_local`), or one of its
    /// logs is here.
    pub fn works_in(&self, roots: &[PathBuf], is_local: bool) -> Option<Vec<PathBuf>> {
        if self.work_dirs.is_empty() {
            return (is_local || self.has_logs()).then(Vec::new);
        }
        let real = |path: &PathBuf| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
        let roots: Vec<PathBuf> = roots.iter().map(real).collect();
        let is_within = |dir: &&PathBuf| dir.is_dir() && roots.iter().any(|root| real(dir).starts_with(root));
        let own: Vec<PathBuf> = self.work_dirs.iter().filter(is_within).cloned().collect();
        (!own.is_empty()).then_some(own)
    }

    /// True if a log of it is on this machine.
    fn has_logs(&self) -> bool {
        self.tasks.values().any(|read| read.looked.log.known().is_some())
    }

    /// The tasks of which more may come to light in a moment.
    pub fn open(&self) -> &TaskIds {
        &self.open
    }

    /// Takes note of the ids under which tasks go on: what was read of a task
    /// under another one is of an earlier attempt.
    pub fn follow(&mut self, ids: BTreeMap<u32, JobId>) {
        let is_new = |member: &u32| ids.get(member) != self.followed.get(member);
        let new: TaskIds = ids.keys().copied().filter(is_new).collect();
        self.tasks.retain(|member, _| !new.contains(*member));
        self.missing.retain(|member, _| !new.contains(*member));
        self.whole = self.whole.difference(&new);
        self.changed |= !new.is_empty();
        self.followed = ids;
    }

    /// Looks at a sweep, of which `evidence` are the tasks: reads what is new of it.
    pub fn look(
        &mut self,
        ground: &Ground,
        snapshot: &Snapshot,
        sweep: &Sweep,
        evidence: Vec<Evidence>,
        is_last: bool,
    ) -> Studied {
        let now = ground.now;
        self.remember_jobs(snapshot, sweep);
        let thorough = self.tracked.is_none_or(|at| at.age(now) >= THOROUGH);
        if thorough || self.places.is_none() {
            self.places = Some((now, Places::look(&ground.roots, &ground.sweeps.runs)));
        }
        let mut tasks = self.ended(&evidence, sweep, now);
        tasks = tasks.union(&self.running(&evidence, now));
        let logs = self.logs();
        let nowhere = Places::default();
        let places = self.places.as_ref().map_or(&nowhere, |(_, places)| places);
        let running = if thorough { Extent::Triage } else { Extent::Glance };
        let again = Again { tasks: &tasks, jobs: &self.jobs, logs: &logs, places, running };
        let mut gathered = evidence::gather_again(ground, snapshot, sweep, evidence, &again);
        let is_new = gathered.evidence.iter().any(|task| task.looked.is_some() && task.state.is_finished());
        self.take_in(&mut gathered.evidence, &tasks, now);
        self.results(ground, snapshot, sweep, &gathered.evidence, is_last);
        self.forget_jobs(&gathered.evidence);
        self.give_out(&mut gathered.evidence);
        let known = self.asked.len();
        gathered.calls += evidence::add_asked_memory(ground, sweep, &mut gathered.evidence, &mut self.asked);
        self.changed |= self.asked.len() > known;
        let file = evidence::parameters(ground.sweeps, &ground.roots);
        let file = if sweep.array().is_some() { file.fitted(&sweep.look.all()) } else { file };
        gathered.not_read.extend(file.problems);
        let has_file = !file.parameters.is_empty();
        if thorough {
            gathered.parameters = file.parameters.clone();
            let looked = gathered.evidence.iter_mut().filter_map(|task| task.looked.as_deref_mut());
            looked.for_each(|looked| looked.events = Vec::new());
            evidence::track(ground, snapshot, sweep, &mut gathered, &self.jobs);
            self.tracked = Some(now);
            self.parameters = std::mem::take(&mut gathered.parameters);
            self.keep_runs(&gathered.evidence);
        }
        Studied {
            parameters: if has_file { file.parameters } else { self.parameters.clone() },
            evidence: gathered.evidence,
            is_new,
            problems: gathered.not_read,
            calls: gathered.calls,
        }
    }

    /// Where the files of jobs lie is known while they are in the queue.
    fn remember_jobs(&mut self, snapshot: &Snapshot, sweep: &Sweep) {
        let again: BTreeSet<JobId> = self.followed.values().copied().collect();
        let own = |job: &&Job| match sweep.kind {
            _ if again.contains(&job.id) => true,
            sweep::Kind::Array => sweep.key.parse() == Ok(job.id.base),
            sweep::Kind::SharedName => sweep.look.all().contains(job.id.base),
        };
        let jobs = snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
        let running = jobs.iter().filter(|job| job.state.is_running() && job.pending_tasks.is_none());
        for job in running.filter(own) {
            if self.work_dirs.len() < FEW_DIRS {
                self.work_dirs.extend(job.work_dir.clone());
            }
            self.changed |= self.jobs.insert(job.id, job.clone()).is_none();
        }
    }

    /// Of tasks that are over and whose files were all found nothing is needed any more.
    fn forget_jobs(&mut self, evidence: &[Evidence]) {
        for task in evidence.iter().filter(|task| task.state.is_finished()) {
            let waits = self.open.contains(task.member) || self.missing.contains_key(&task.member);
            if !waits {
                self.jobs.remove(&task.id);
            }
        }
    }

    /// The tasks that are over and are to be read now.
    fn ended(&mut self, evidence: &[Evidence], sweep: &Sweep, now: Time) -> TaskIds {
        let fast = sweep.fast.as_ref().map(|fast| &fast.tasks.0);
        let odd = |member: u32| {
            fast.is_some_and(|fast| fast.contains(member))
                || sweep.completed_over_failed_steps.0.contains(member)
        };
        let mut wanted: Vec<u32> = Vec::new();
        let mut rest: Vec<u32> = Vec::new();
        let mut sampled = 0;
        for task in evidence.iter().filter(|task| task.state.is_finished()) {
            let read = self.tasks.get(&task.member).filter(|read| read.of == Stamp::of(task));
            let is_due = match read {
                Some(read) => is_open(task, read) && read.at < now,
                None => true,
            };
            match task.state {
                State::Completed if read.is_some() => sampled += 1,
                State::Completed if odd(task.member) => wanted.push(task.member),
                State::Completed => rest.push(task.member),
                _ if is_due => wanted.push(task.member),
                _ => {}
            }
        }
        let room = SAMPLE.saturating_sub(sampled);
        let every = rest.len().div_ceil(room.max(1)).max(1);
        wanted.extend(rest.into_iter().step_by(every).take(room));
        wanted.sort_unstable();
        wanted.truncate(MOST_ENDED);
        wanted.into_iter().collect()
    }

    /// The running tasks that are to be read now: those whose log has moved.
    fn running(&self, evidence: &[Evidence], now: Time) -> TaskIds {
        let mut due: Vec<(Option<Time>, u32)> = Vec::new();
        for task in evidence.iter().filter(|task| task.state.is_running()) {
            match self.tasks.get(&task.member).filter(|read| read.of == Stamp::of(task)) {
                None => due.push((None, task.member)),
                Some(read) if read.looked.log.known().is_some() => due.push((Some(read.at), task.member)),
                Some(read) if read.at.age(now) >= NO_LOG => due.push((Some(read.at), task.member)),
                Some(_) => {}
            }
        }
        due.sort_unstable();
        let has_moved = |member: &u32| {
            let log = self.tasks.get(member).and_then(|read| read.looked.log.known());
            log.is_none_or(|log| {
                let reading = &log.reading;
                let now = std::fs::metadata(&reading.path).ok();
                now.is_none_or(|now| now.len() != reading.size)
            })
        };
        let mut wanted: Vec<u32> =
            due.into_iter().map(|(_, member)| member).filter(has_moved).take(MOST_RUNNING).collect();
        wanted.sort_unstable();
        wanted.into_iter().collect()
    }

    fn logs(&self) -> BTreeMap<u32, PathBuf> {
        let path = |read: &Read| Some(read.looked.log.known()?.reading.path.clone());
        self.tasks.iter().filter_map(|(member, read)| Some((*member, path(read)?))).collect()
    }

    /// Keeps what was read of these tasks.
    fn take_in(&mut self, evidence: &mut [Evidence], tasks: &TaskIds, now: Time) {
        for task in evidence.iter_mut().filter(|task| tasks.contains(task.member)) {
            let Some(mut looked) = task.looked.take() else { continue };
            let of = Stamp::of(task);
            self.changed |= task.state.is_finished();
            let before = self.tasks.remove(&task.member).filter(|read| read.of == of);
            if let Some(before) = before {
                go_on(&mut looked, before.looked);
            }
            slim::looked(&mut looked);
            self.tasks.insert(task.member, Read { of, at: now, looked: *looked });
        }
        self.open = TaskIds::default();
        for task in evidence.iter().filter(|task| task.state.is_finished()) {
            let read = self.tasks.get(&task.member).filter(|read| read.of == Stamp::of(task));
            if read.is_some_and(|read| is_open(task, read)) {
                self.open.push(task.member);
            }
        }
    }

    /// Looks for the results of completed tasks; `is_last` if there will be no
    /// further look for a while.
    fn results(
        &mut self,
        ground: &Ground,
        snapshot: &Snapshot,
        sweep: &Sweep,
        evidence: &[Evidence],
        is_last: bool,
    ) {
        if ground.sweeps.results.is_empty() {
            return;
        }
        let completed = evidence.iter().filter(|task| task.state == State::Completed);
        let has_logs = self.has_logs();
        let mut whole = Vec::new();
        for task in completed.filter(|task| !self.whole.contains(task.member)).take(MOST_RESULTS) {
            let who = evidence::identity(task, sweep, self.jobs.get(&task.id));
            let work_dir = who.work_dir.clone().or_else(|| self.work_dirs.first().cloned());
            let who = Identity { work_dir, ..who };
            // Of completed tasks only a sample of the logs is read.
            if evidence::absent(&who, snapshot, has_logs).is_some() {
                self.missing.remove(&task.member);
                continue;
            }
            let Ok(results) = evidence::results_of(ground.sweeps, &ground.roots, &who) else { continue };
            let is_late = task.ended.is_none_or(|ended| ended.age(ground.now) > LATE);
            if results.missing.is_empty() {
                self.missing.remove(&task.member);
                whole.push(task.member);
            } else if is_late || is_last {
                self.missing.insert(task.member, results.missing);
            } else {
                self.open.push(task.member);
            }
        }
        self.whole = self.whole.union(&whole.into_iter().collect());
    }

    /// Puts what is known beside what accounting says.
    fn give_out(&self, evidence: &mut [Evidence]) {
        for task in evidence {
            task.looked = None;
            if let Some(read) = self.tasks.get(&task.member).filter(|read| read.of == Stamp::of(task)) {
                *task.looked_mut() = read.looked.clone();
                task.looked_mut().missing = Vec::new();
            }
            if let Some(missing) = self.missing.get(&task.member).filter(|_| task.state == State::Completed) {
                task.looked_mut().missing = missing.clone();
            }
        }
    }

    fn keep_runs(&mut self, evidence: &[Evidence]) {
        for task in evidence {
            let Some(read) = self.tasks.get_mut(&task.member) else { continue };
            if let Some(looked) = task.looked.as_deref() {
                read.looked.runs = looked.runs.clone();
                slim::runs(&mut read.looked.runs);
                read.looked.twice = looked.twice.clone();
                read.looked.events = looked.events.clone();
                self.changed |= task.state.is_finished();
            }
        }
    }
}

fn read_bytes(bytes: &[u8]) -> Option<Stored> {
    let stored: Stored = serde_json::from_slice(bytes).ok()?;
    (stored.schema == SCHEMA).then_some(stored)
}

/// Of how many tasks there are readings in such a file; for whoever wants to
/// try the reader on any bytes at all.
pub fn readings_in(bytes: &[u8]) -> Option<usize> {
    let stored = read_bytes(bytes)?;
    Some(stored.tasks.len())
}

/// True if the task failed a moment ago and its log does not say why yet.
fn is_open(task: &Evidence, read: &Read) -> bool {
    let says_why = match &read.looked.log {
        Known::Known(log) => log.reading.root.is_some(),
        Known::Unknown(_) | Known::NotApplicable(_) => false,
    };
    let is_fresh = task.ended.is_some_and(|ended| ended.age(read.at) <= LATE);
    task.state == State::Failed && !says_why && is_fresh
}

/// What the end of a log does not repeat is taken over from what was read of
/// it before.
fn go_on(looked: &mut Looked, before: Looked) {
    if !matches!(looked.runs, Known::Known(_)) {
        looked.runs = before.runs;
        looked.twice = before.twice;
        looked.events = before.events;
    }
    let (Known::Known(now), Known::Known(before)) = (&mut looked.log, before.log) else { return };
    if let (Some(now), Some(before)) = (&mut now.reading.progress, before.reading.progress) {
        aim(now, &before);
    }
}

fn aim(now: &mut Progress, before: &Progress) {
    if now.percent.is_some() {
        return;
    }
    match (before.epochs, before.steps) {
        (Some(epochs), _) if epochs >= 1.0 => now.aim(None, Some(epochs as u64)),
        (None, Some(steps)) => now.aim(Some(steps), None),
        _ => {}
    }
}
