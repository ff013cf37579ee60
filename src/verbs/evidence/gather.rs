//! Reads, per task, the log, the run's folder, its checkpoints and its tracker.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::threads::THREADS;
use super::{
    Again, Asked, Belonging, Places, Results, add_asked_memory, identities, parameters, recorded, results,
    tracked, whereabouts, work_dirs,
};
use crate::checkpoint;
use crate::cluster::{self, Look, Snapshot, State};
use crate::config::{Logs, Sweeps};
use crate::joblog::{self, Extent, Identity, Reading, Table, Worker};
use crate::safety;
use crate::sweep::{self, Evidence, LogSeen, Parameters, Sweep};
use crate::sys::{Deadline, World};
use crate::terms::{JobId, Known, TaskIds, Time, counted};
use crate::verbs::job_paths::without_links;

/// What is needed to look around.
pub struct Ground<'g> {
    /// Everything with effects.
    pub world: &'g World,
    /// How sweeps are judged, and where their runs are.
    pub sweeps: &'g Sweeps,
    /// Where logs are.
    pub logs: &'g Logs,
    /// The patterns of causes.
    pub table: &'g Table,
    /// Where relative paths begin: this worktree, then the main one.
    pub roots: Vec<PathBuf>,
    /// How to ask Slurm where files are; `None` if it is not to be asked.
    pub look: Option<Look>,
    /// How far checkpoints are checked.
    pub depth: checkpoint::Depth,
    /// The moment of the look.
    pub now: Time,
    /// When to begin with no further file; `None` reads to the end.
    pub until: Option<Deadline>,
    /// Only what works below one of these is read; empty: wherever it works.
    pub within: Vec<PathBuf>,
}

impl Ground<'_> {
    /// True if the time for reading is over.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(Deadline::is_over)
    }

    /// The same, where relative paths begin in the directories of the jobs
    /// first: what lies there is what they see.
    pub(super) fn with(&self, work_dirs: &[(PathBuf, TaskIds)]) -> Ground<'_> {
        let here = work_dirs.iter().map(|(dir, _)| dir).filter(|dir| dir.is_dir()).take(MOST_WORK_DIRS);
        let mut roots: Vec<PathBuf> = Vec::new();
        for root in here.chain(&self.roots) {
            let is_known = |known: &PathBuf| without_links(known) == without_links(root);
            if !roots.iter().any(is_known) {
                roots.push(root.clone());
            }
        }
        Ground { roots, look: self.look.clone(), within: self.within.clone(), ..*self }
    }

    /// The folder in which these tasks work, if it is here and none of those
    /// that are to be read.
    fn elsewhere<'w>(&self, who: &'w [Identity]) -> Option<&'w Path> {
        if self.within.is_empty() {
            return None;
        }
        let dirs: BTreeSet<&Path> = who.iter().filter_map(|who| who.work_dir.as_deref()).collect();
        let within: Vec<PathBuf> = self.within.iter().map(|dir| without_links(dir)).collect();
        let is_within = |dir: &&Path| {
            let dir = without_links(dir);
            within.iter().any(|top| dir.starts_with(top))
        };
        // A folder that is not on this machine may be ours on another one.
        if dirs.iter().any(is_within) { None } else { dirs.into_iter().find(|dir| dir.is_dir()) }
    }
}

/// A sweep, and which of its tasks were submitted again.
pub struct Wanted<'w> {
    /// The sweep; its counts are those of the newest jobs afterwards.
    pub sweep: &'w mut Sweep,
    /// The tasks that go on under other ids.
    pub again: &'w BTreeMap<u32, sweep::plan::Again>,
    /// Those that a plan has cancelled and that Slurm does not know any more.
    pub cancelled: &'w TaskIds,
}

/// Everything that was read of a sweep.
pub struct Gathered {
    /// Every task that was seen one by one, in rising order.
    pub evidence: Vec<Evidence>,
    /// What is known of the tasks' parameters.
    pub parameters: Parameters,
    /// The results of the whole sweep, if it is known how many there should be.
    pub results: Option<Results>,
    /// What was not read, or not understood, in words.
    pub not_read: Vec<String>,
    /// What was looked at: commands and files, in words, each once.
    pub sources: Vec<String>,
    /// How many questions Slurm was asked about the tasks' files.
    pub calls: u32,
    /// How many tasks were to be looked at and were not, because time was up.
    pub cut_short: usize,
    /// True if it works on this machine, and below nothing that was to be read.
    pub is_foreign: bool,
    /// Where its jobs work, as far as that is known: the directory of most tasks first.
    pub work_dirs: Vec<(PathBuf, TaskIds)>,
    /// Which jobs of its name belong to it.
    pub belonging: Belonging,
}

/// In so many directories of a sweep's jobs is looked.
const MOST_WORK_DIRS: usize = 4;
/// So many tasks are looked at; failed ones come first.
const MOST_TASKS: usize = 20_000;
/// So many of the completed ones are looked at as a sample.
const SAMPLE: usize = 256;

/// Reads what is to be read of one sweep.
///
/// Failed, cancelled, suspicious and running tasks are looked at, and a sample
/// of the completed ones; what was left out is said.
pub fn gather(ground: &Ground, snapshot: &Snapshot, wanted: Wanted<'_>) -> Gathered {
    let mut evidence = sweep::tasks(snapshot, wanted.sweep);
    sweep::add_cancelled(&mut evidence, wanted.sweep, wanted.cancelled);
    sweep::take_over(&mut evidence, wanted.sweep, snapshot, wanted.again);
    let mut gathered = Gathered::of(evidence);
    let mut chosen = gathered.choose(wanted.sweep);
    let mut who = gathered.identify(ground, snapshot, wanted.sweep, &chosen, &HashMap::new());
    gathered.work_dirs = work_dirs::of(snapshot, wanted.sweep, &who);
    gathered.belonging = Belonging::of(wanted.sweep, &gathered.work_dirs, &ground.roots);
    let apart = gathered.belonging.apart();
    if !apart.is_empty() {
        wanted.sweep.leave_out(&apart);
        (chosen, who) = gathered.leave_out(&apart, &chosen, who);
    }
    let sweep = &*wanted.sweep;
    if let Some(dir) = ground.elsewhere(&who) {
        let dir = safety::escape_path(dir);
        gathered.is_foreign = true;
        gathered.not_read = vec![format!(
            "logs and run folders: it works in {dir}, which is in no worktree of this repository"
        )];
        return gathered;
    }
    let ground = &ground.with(&gathered.work_dirs);
    let file = parameters::read(ground.sweeps, &ground.roots);
    let file = if sweep.array().is_some() { file.fitted(&sweep.look.all()) } else { file };
    gathered.parameters = file.parameters;
    gathered.not_read.extend(file.problems.iter().take(5).cloned());
    let places = Places::look(&ground.roots, &ground.sweeps.runs);
    gathered.not_read.extend(places.problems.iter().cloned());
    let is_here = gathered.read(&Source { ground, snapshot, places: &places }, &chosen, &who, None);
    match results::of_sweep(ground.sweeps, &ground.roots, sweep.array()).filter(|_| is_here) {
        Some(Ok(found)) => gathered.results = Some(found),
        Some(Err(why)) => gathered.not_read.push(why),
        None => {}
    }
    let known = chosen.iter().copied().zip(&who).collect::<BTreeMap<_, _>>();
    gathered.calls += add_asked_memory(ground, sweep, &mut gathered.evidence, &mut Asked::new());
    tracked::add(ground, snapshot, &mut gathered, &known);
    recorded::add(ground, &mut gathered, &known);
    gathered
}

/// Reads of a sweep of which most was read before what is wanted now; the
/// tracker is asked by [`track`], the sweep's results by nobody.
pub fn gather_again(
    ground: &Ground,
    snapshot: &Snapshot,
    sweep: &Sweep,
    evidence: Vec<Evidence>,
    again: &Again,
) -> Gathered {
    let mut gathered = Gathered::of(evidence);
    let is_wanted = |task: &Evidence| again.tasks.contains(task.member);
    let chosen: Vec<usize> =
        (0..gathered.evidence.len()).filter(|at| is_wanted(&gathered.evidence[*at])).collect();
    if chosen.is_empty() {
        return gathered;
    }
    let mut who = gathered.identify(ground, snapshot, sweep, &chosen, again.jobs);
    for (at, who) in chosen.iter().zip(&mut who) {
        if let Some(log) = again.logs.get(&gathered.evidence[*at].member) {
            who.stdout = Some(log.clone());
        }
    }
    let source = Source { ground, snapshot, places: again.places };
    gathered.read(&source, &chosen, &who, Some(again.running));
    gathered
}

/// Gives the tracker's runs to all tasks of which anything was read.
pub fn track(
    ground: &Ground,
    snapshot: &Snapshot,
    sweep: &Sweep,
    gathered: &mut Gathered,
    jobs: &HashMap<JobId, cluster::Job>,
) {
    let known: Vec<(usize, Identity)> = gathered
        .evidence
        .iter()
        .enumerate()
        .filter(|(_, task)| task.looked.is_some())
        .map(|(at, task)| (at, identities::known(task, sweep, jobs.get(&task.id))))
        .collect();
    tracked::add(
        ground,
        snapshot,
        gathered,
        &known.iter().map(|(at, who)| (*at, who)).collect::<BTreeMap<_, _>>(),
    );
}

impl Gathered {
    fn of(evidence: Vec<Evidence>) -> Gathered {
        Gathered {
            evidence,
            parameters: Parameters::default(),
            results: None,
            not_read: Vec::new(),
            sources: Vec::new(),
            calls: 0,
            cut_short: 0,
            is_foreign: false,
            work_dirs: Vec::new(),
            belonging: Belonging::default(),
        }
    }

    /// Takes tasks out that are none of the sweep, and says so; which of the
    /// chosen are left, and who they are.
    fn leave_out(
        &mut self,
        apart: &TaskIds,
        chosen: &[usize],
        who: Vec<Identity>,
    ) -> (Vec<usize>, Vec<Identity>) {
        let members: Vec<u32> = chosen.iter().map(|at| self.evidence[*at].member).collect();
        self.evidence.retain(|task| !apart.contains(task.member));
        self.work_dirs.retain(|(dir, _)| !self.belonging.strangers.iter().any(|(other, _)| other == dir));
        self.not_read.extend(self.belonging.strangers.iter().map(|(dir, tasks)| {
            let dir = safety::escape_path(dir);
            format!(
                "jobs {tasks}: they have the same name and work in {dir}, so they are counted nowhere here"
            )
        }));
        let place = |member: u32| self.evidence.binary_search_by_key(&member, |task| task.member).ok();
        let left = members.into_iter().zip(who).filter_map(|(member, who)| Some((place(member)?, who)));
        left.unzip()
    }

    fn identify(
        &mut self,
        ground: &Ground,
        snapshot: &Snapshot,
        sweep: &Sweep,
        chosen: &[usize],
        known: &HashMap<JobId, cluster::Job>,
    ) -> Vec<Identity> {
        let found = identities::of(ground, snapshot, sweep, &self.evidence, chosen, known);
        self.not_read.extend(found.problems);
        self.sources.extend(found.sources);
        self.calls += found.calls;
        found.list
    }

    /// Reads logs and folders of the chosen tasks; `running` is how much of the
    /// logs of those that run, if not as much as of the others. False if the
    /// files of none of them can be on this machine.
    fn read(
        &mut self,
        source: &Source<'_, '_>,
        chosen: &[usize],
        who: &[Identity],
        running: Option<Extent>,
    ) -> bool {
        let ground = source.ground;
        let located = joblog::find(who, &ground.logs.globs, &ground.roots);
        self.not_read.extend(located.problems);
        let usual = Extent::for_files(located.files.iter().map(Vec::len).sum());
        let reader = Reader { source, log: joblog::Reader::new(ground.table) };
        let jobs: Vec<Job> = chosen
            .iter()
            .zip(who.iter().zip(&located.files))
            .map(|(at, (who, files))| {
                let kind = Kind::of(&self.evidence[*at]);
                let extent = running.filter(|_| kind == Kind::Running).unwrap_or(usual);
                Job { at: *at, who, files, kind, extent }
            })
            .collect();
        let read = reader.all(&jobs);
        let left = jobs.len().saturating_sub(read.len());
        if left > 0 {
            self.cut_short += left;
            self.not_read.push(format!(
                "logs and run folders of {left} of {}: time was up",
                counted(jobs.len(), "task")
            ));
        }
        let (mut logs, mut here) = (0, read.is_empty());
        let mut absent: BTreeMap<String, TaskIds> = BTreeMap::new();
        for (at, found) in read {
            logs += usize::from(found.log.known().is_some());
            here |= found.absent.is_none();
            if let Some(why) = found.absent {
                absent.entry(why).or_default().push(self.evidence[at].member);
            }
            let looked = self.evidence[at].looked_mut();
            looked.log = found.log;
            looked.run_dir = found.run_dir;
            looked.checkpoints = found.checkpoints;
            looked.missing = found.missing;
        }
        if logs > 0 {
            self.sources.push(format!("{} ({})", counted(logs, "log"), ground.logs.globs.join(", ")));
        }
        self.not_read.extend(whereabouts::in_words(&absent));
        here
    }

    /// Which tasks are looked at, as places in `evidence`.
    fn choose(&mut self, sweep: &Sweep) -> Vec<usize> {
        let fast = sweep.fast.as_ref().map(|fast| &fast.tasks.0);
        let odd = |task: &Evidence| {
            fast.is_some_and(|fast| fast.contains(task.member))
                || sweep.completed_over_failed_steps.0.contains(task.member)
                || sweep.not_in_queue.0.contains(task.member)
                || !task.earlier.is_empty()
        };
        let (mut first, mut then, mut sample) = (Vec::new(), Vec::new(), Vec::new());
        for (at, task) in self.evidence.iter().enumerate() {
            match Kind::of(task) {
                Kind::Ended => first.push(at),
                _ if odd(task) => first.push(at),
                Kind::Running => then.push(at),
                Kind::Completed => sample.push(at),
                Kind::Waiting | Kind::Folder => {}
            }
        }
        // Of each way to end some come first: if time is up, every cause has been seen.
        let mut ways: HashMap<_, usize> = HashMap::new();
        let mut turn = |at: &usize| {
            let task = &self.evidence[*at];
            let turn = ways.entry((task.state, task.exit)).or_default();
            *turn += 1;
            *turn
        };
        let mut first: Vec<(usize, usize)> = first.iter().map(|at| (turn(at), *at)).collect();
        first.sort_unstable();
        let first = first.into_iter().map(|(_, at)| at);
        let completed = sample.len();
        let every = completed.div_ceil(SAMPLE).max(1);
        let sample: Vec<usize> = sample.into_iter().step_by(every).collect();
        if completed > sample.len() {
            self.not_read
                .push(format!("logs of completed tasks: {} of {completed} read as a sample", sample.len()));
        }
        let mut chosen: Vec<usize> = first.chain(then).chain(sample).collect();
        if chosen.len() > MOST_TASKS {
            self.not_read.push(format!("{} tasks beyond the first {MOST_TASKS}", chosen.len() - MOST_TASKS));
            chosen.truncate(MOST_TASKS);
        }
        chosen
    }
}

/// What a task calls for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Ended otherwise than well, and not coming back.
    Ended,
    Running,
    Completed,
    Waiting,
    /// Nothing but where its run is.
    Folder,
}

impl Kind {
    fn of(task: &Evidence) -> Kind {
        match task.state {
            State::Completed => Kind::Completed,
            state if state.is_running() => Kind::Running,
            state if state.is_waiting() => Kind::Waiting,
            _ => Kind::Ended,
        }
    }
}

/// The run folders that the logs of these tasks name, by their places in `who`,
/// and what could not be listed.
pub(super) fn folders_by_log(
    ground: &Ground,
    snapshot: &Snapshot,
    places: &Places,
    who: &[Identity],
) -> (BTreeMap<usize, PathBuf>, Vec<String>) {
    let located = joblog::find(who, &ground.logs.globs, &ground.roots);
    let extent = Extent::for_files(located.files.iter().map(Vec::len).sum());
    let source = Source { ground, snapshot, places };
    let reader = Reader { source: &source, log: joblog::Reader::new(ground.table) };
    let job = |(at, (who, files))| Job { at, who, files, kind: Kind::Folder, extent };
    let jobs: Vec<Job> = who
        .iter()
        .zip(&located.files)
        .enumerate()
        .map(|(at, (who, files))| job((at, (who, files.as_slice()))))
        .collect();
    let found = reader.all(&jobs).into_iter();
    (found.filter_map(|(at, found)| Some((at, found.run_dir.known()?.clone()))).collect(), located.problems)
}

struct Job<'j> {
    at: usize,
    who: &'j Identity,
    files: &'j [PathBuf],
    kind: Kind,
    extent: Extent,
}

struct Found {
    log: Known<LogSeen>,
    run_dir: Known<PathBuf>,
    checkpoints: Known<checkpoint::Survey>,
    missing: Vec<PathBuf>,
    /// Why its files cannot be on this machine.
    absent: Option<String>,
}

/// From where it is read.
struct Source<'r, 'g> {
    ground: &'r Ground<'g>,
    snapshot: &'r Snapshot,
    places: &'r Places,
}

struct Reader<'r, 'g> {
    source: &'r Source<'r, 'g>,
    log: joblog::Reader<'r>,
}

impl Reader<'_, '_> {
    /// Reads one after the other, and stops when time is up.
    fn all(&self, jobs: &[Job]) -> Vec<(usize, Found)> {
        let next = AtomicUsize::new(0);
        let part = || {
            let mut worker = self.log.worker();
            let mut read = Vec::new();
            while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                if self.source.ground.is_over() {
                    break;
                }
                read.push((job.at, self.one(job, &mut worker)));
            }
            read
        };
        std::thread::scope(|threads| {
            let parts: Vec<_> = (0..THREADS).map(|_| threads.spawn(part)).collect();
            // A thread that died read nothing: its tasks stay "not read".
            parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
        })
    }

    fn one(&self, job: &Job, worker: &mut Worker<'_>) -> Found {
        let Source { ground, snapshot, places } = self.source;
        let log = log(job, worker);
        let absent = whereabouts::absent(job.who, snapshot, log.known().is_some());
        let run_dir = places.run_dir(job.who, log.known().map(|log| &log.reading));
        let checkpoints = match (&run_dir, job.kind) {
            (_, Kind::Waiting) => Known::NotApplicable("the task waits".to_owned()),
            (_, Kind::Folder) => Known::NotApplicable("not asked for".to_owned()),
            (Known::Known(dir), _) => {
                let limits =
                    checkpoint::Limits { now: Some(ground.now), threads: 1, ..checkpoint::Limits::default() };
                Known::Known(checkpoint::survey(dir, ground.depth, &limits))
            }
            (Known::Unknown(why) | Known::NotApplicable(why), _) => Known::Unknown(why.clone()),
        };
        let Some(why) = absent else {
            let missing = match job.kind {
                Kind::Completed => results::of_task(ground.sweeps, &ground.roots, job.who)
                    .map(|results| results.missing)
                    .unwrap_or_default(),
                _ => Vec::new(),
            };
            return Found { log, run_dir, checkpoints, missing, absent };
        };
        // What is here of it may be a copy, and counts; what is not says nothing.
        Found {
            log: match log {
                Known::Unknown(_) => Known::NotApplicable(why.clone()),
                log => log,
            },
            checkpoints: match checkpoints {
                Known::Known(survey) if survey.best.is_some() => Known::Known(survey),
                Known::NotApplicable(why) => Known::NotApplicable(why),
                Known::Known(_) | Known::Unknown(_) => Known::Unknown(why.clone()),
            },
            run_dir,
            missing: Vec::new(),
            absent: Some(why),
        }
    }
}

/// The task's log; of several files the one that names a cause, else the one
/// written last.
fn log(job: &Job, worker: &mut Worker<'_>) -> Known<LogSeen> {
    let mut why = None;
    let mut readings: Vec<Reading> = Vec::new();
    for path in job.files {
        match worker.read(path, job.extent, Some(job.who)) {
            Ok(reading) => readings.push(reading),
            Err(error) => why = Some(format!("{} cannot be read: {error}", safety::escape_path(path))),
        }
    }
    readings.sort_by_key(|reading| std::cmp::Reverse((reading.root.is_some(), reading.modified)));
    match readings.into_iter().next() {
        Some(reading) => Known::Known(LogSeen { files: job.files.to_vec(), reading }),
        None => Known::Unknown(why.unwrap_or_else(|| "no log was found".to_owned())),
    }
}
