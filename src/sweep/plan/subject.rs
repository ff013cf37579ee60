//! What a plan is made from, as plain values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::memory::Asked;
use super::remedy::SavedSettings;
use super::template::Template;
use crate::cluster::{ArrayLimits, Node, State, Submission, TimeLimits};
use crate::joblog::Retry;
use crate::sweep::Kind;
use crate::terms::{Bytes, Digest, JobId, Known, Seconds, TaskIds, Time};

/// One task as a plan sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The array index, or the job id where the sweep is jobs that share a name.
    pub member: u32,
    /// The id that people use.
    pub id: JobId,
    /// The id that logs and trackers use.
    pub raw_id: Option<u32>,
    /// What it does, or how its newest attempt ended.
    pub state: State,
    /// Slurm's reason for waiting.
    pub reason: String,
    /// How long the newest attempt ran, in seconds.
    pub elapsed: Option<u32>,
    /// True if Slurm started no step of it, so that there is nothing to go on from.
    pub never_ran: bool,
    /// True if an earlier attempt failed too.
    pub failed_before: bool,
    /// The nodes of the newest attempt, in Slurm's form.
    pub nodes: String,
    /// The most memory that a step was seen to use.
    pub memory: Option<Bytes>,
    /// Why it failed; the number of a cause of [`Setup::causes`].
    pub cause: Option<usize>,
    /// The newest checkpoint that passed its check; `None` inside is that there is none.
    pub checkpoint: Known<Option<Best>>,
    /// What speaks against going on from it although it is whole, in words: it
    /// may be of another run, or at the end already.
    pub doubts: Vec<String>,
    /// Newer checkpoints that did not pass, in words.
    pub refused: Vec<String>,
    /// The last step that its log or a newer checkpoint speaks of.
    pub last_step: Option<u64>,
    /// The time that its remaining steps take, if it goes on from its checkpoint
    /// as fast as it was.
    pub left: Known<TimeLeft>,
    /// The time limit that it had.
    pub limit: Option<Seconds>,
    /// Its run folder.
    pub run_dir: Option<PathBuf>,
    /// The id of its W&B run.
    pub wandb: Option<String>,
    /// The directory in which it works, where that is another one than that of
    /// most tasks.
    pub works_in: Option<PathBuf>,
    /// Its parameters.
    pub parameters: BTreeMap<String, String>,
    /// What its run saved of its configuration, the most trustworthy file first.
    pub saved: Vec<SavedSettings>,
    /// What differs between its run and what is intended, in words.
    pub differences: Vec<String>,
    /// Why its result cannot be relied on although it completed, in words.
    pub suspect: Option<String>,
}

/// How long a task that ended at its time limit would still run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeLeft {
    /// The steps that it still has to make.
    pub steps: u64,
    /// How many it made in a second.
    pub rate: f64,
}

/// A checkpoint from which a run can go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Best {
    /// Where it is.
    pub path: PathBuf,
    /// Its step, if it is known.
    pub step: Option<u64>,
    /// True if it is known to hold the weights alone, without the optimizer's state.
    pub weights_only: bool,
}

/// Why a group of tasks failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The class of the cause.
    pub class: String,
    /// Whether to try again, as the table of causes has it.
    pub retry: Retry,
    /// What happened, in words.
    pub sentence: String,
    /// What to do, in words.
    pub action: String,
    /// The node that is to blame, if one is.
    pub node: Option<String>,
    /// Where it struck.
    pub spread: Where,
    /// True if the cause is a guess.
    pub open: bool,
}

/// Where a cause struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// All or nearly all tasks.
    Everywhere,
    /// One node.
    OneNode,
    /// A corner of the parameter space.
    OneCorner,
    /// Here and there.
    Scattered,
}

/// A task that was submitted again under a new id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Again {
    /// The new id; `None` if the line did not say it.
    pub id: Option<JobId>,
    /// What it does now, if that is known.
    pub state: Option<State>,
    /// True if the line that did it said that all went well.
    pub sure: bool,
    /// The hash of the plan that did it.
    pub hash: String,
    /// The sentence on its cause that stood in that plan; empty if none did.
    pub why: String,
}

/// Tasks that will fail as others did, if they are let run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Doomed {
    /// The cause that awaits them; the number of one of [`Setup::causes`].
    pub cause: Option<usize>,
    /// Which tasks: alive or not.
    pub tasks: TaskIds,
    /// Why that is known, in words.
    pub why: String,
    /// True if it is the nodes on which they run.
    pub on_nodes: bool,
}

/// A task that a plan has cancelled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    /// The plan's hash.
    pub hash: String,
    /// When.
    pub at: Time,
}

/// Live jobs of other arrays that somebody gave the same name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Elsewhere {
    /// The jobs that have the index of a task.
    pub tasks: BTreeMap<u32, JobId>,
    /// An array that may have the index of any task.
    pub any: Option<JobId>,
    /// A job that is no array, so that nobody knows whose work it does.
    pub single: Option<JobId>,
}

/// The circumstances of a plan.
#[derive(Debug, Clone)]
pub struct Setup {
    /// By what the sweep is found: the array's id, or the name.
    pub key: String,
    /// The jobs' name.
    pub name: String,
    /// What holds it together.
    pub kind: Kind,
    /// How many tasks may run at once.
    pub throttle: Option<u32>,
    /// The memory that its jobs asked for, if any source says it.
    pub memory: Option<Asked>,
    /// The tasks that are alive under their ids now, the waiting rest included.
    pub alive: Known<TaskIds>,
    /// The causes of its failures.
    pub causes: Vec<Seen>,
    /// Why somebody must intervene; `None` if nobody must.
    pub intervene: Option<String>,
    /// True if what runs is to go on although somebody must intervene.
    pub keep_running: bool,
    /// The classes of causes that somebody says are mended, of those that are
    /// fixed before anything runs again.
    pub mended: BTreeSet<String>,
    /// What bounds an array.
    pub limits: ArrayLimits,
    /// The longest line, in bytes.
    pub longest_line: usize,
    /// The project's resume command.
    pub template: Option<Template>,
    /// The batch script, as a line names it.
    pub script: Option<String>,
    /// The digest of the batch script's bytes, where they could be read: the same
    /// line over another script does another thing.
    pub script_bytes: Option<Digest>,
    /// How the sweep was submitted, if that could be read and its script is there.
    pub submission: Option<Submission>,
    /// Why the words of its call are not sure to be those that they were, in words.
    pub call_doubt: Option<String>,
    /// The nodes that the script's own `#SBATCH` lines exclude, which an option of
    /// a line would replace.
    pub script_excludes: Option<String>,
    /// The directory below which paths are told from there on.
    pub root: PathBuf,
    /// The directory in which the lines are to run: most often the same.
    pub directory: PathBuf,
    /// What to know before any line is run.
    pub warnings: Vec<String>,
    /// Why no line that starts anything can be given.
    pub held: Option<String>,
    /// What will fail if it is let run.
    pub doomed: Vec<Doomed>,
    /// Tasks that earlier plans have cancelled.
    pub cancelled: BTreeMap<u32, Cancelled>,
    /// Tasks that are alive under other ids.
    pub elsewhere: Elsewhere,
    /// Tasks that were submitted again before.
    pub again: BTreeMap<u32, Again>,
    /// The causes of which one task was submitted again and completed; `None`
    /// stands for tasks without a known cause.
    pub tried: Vec<Option<usize>>,
    /// The nodes of the cluster.
    pub nodes: Known<Vec<Node>>,
    /// The partitions that the sweep's jobs ask for; empty if unknown.
    pub partitions: Vec<String>,
    /// How long a job may run in which partition.
    pub time_limits: Known<TimeLimits>,
    /// GPUs of one task; `None` if unknown.
    pub gpus: Option<u32>,
}

impl Setup {
    /// A sweep of which nothing but its key is known.
    pub fn of(key: &str, kind: Kind) -> Setup {
        let unknown = || "not asked".to_owned();
        Setup {
            key: key.to_owned(),
            name: String::new(),
            kind,
            throttle: None,
            memory: None,
            alive: Known::Unknown(unknown()),
            causes: Vec::new(),
            intervene: None,
            keep_running: false,
            mended: BTreeSet::new(),
            limits: ArrayLimits::default(),
            longest_line: super::LONGEST_LINE,
            template: None,
            script: None,
            script_bytes: None,
            submission: None,
            call_doubt: None,
            script_excludes: None,
            root: PathBuf::new(),
            directory: PathBuf::new(),
            warnings: Vec::new(),
            held: None,
            doomed: Vec::new(),
            cancelled: BTreeMap::new(),
            elsewhere: Elsewhere::default(),
            again: BTreeMap::new(),
            tried: Vec::new(),
            nodes: Known::Unknown(unknown()),
            partitions: Vec::new(),
            time_limits: Known::Unknown(unknown()),
            gpus: None,
        }
    }

    /// What awaits a task, if that is known.
    pub(super) fn doom_of(&self, member: u32) -> Option<&Doomed> {
        self.doomed.iter().find(|doomed| doomed.tasks.contains(member))
    }

    /// What awaits a task that is alive, if somebody is to intervene for it.
    pub(super) fn to_cancel(&self, member: u32) -> Option<&Doomed> {
        let asked = self.intervene.is_some() && !self.keep_running;
        let is_alive = || self.alive.known().is_some_and(|alive| alive.contains(member));
        self.doom_of(member).filter(|_| asked && is_alive())
    }

    /// A path as a line that runs in the root names it.
    pub(super) fn near<'p>(&self, path: &'p Path) -> &'p Path {
        match path.strip_prefix(&self.root) {
            // A dash at the start would be an option.
            Ok(near) if !near.as_os_str().is_empty() && !near.to_string_lossy().starts_with('-') => near,
            _ => path,
        }
    }
}

impl Subject {
    /// A task of which nothing but its id is known.
    pub fn of(member: u32, id: JobId) -> Subject {
        Subject {
            member,
            id,
            raw_id: None,
            state: State::Unknown,
            reason: String::new(),
            elapsed: None,
            never_ran: false,
            failed_before: false,
            nodes: String::new(),
            memory: None,
            cause: None,
            checkpoint: Known::Unknown("not looked for".to_owned()),
            doubts: Vec::new(),
            refused: Vec::new(),
            last_step: None,
            left: Known::NotApplicable("it did not end at its time limit".to_owned()),
            limit: None,
            run_dir: None,
            wandb: None,
            works_in: None,
            parameters: BTreeMap::new(),
            saved: Vec::new(),
            differences: Vec::new(),
            suspect: None,
        }
    }

    /// The checkpoint from which it can go on, if there is one.
    pub fn best(&self) -> Option<&Best> {
        self.checkpoint.known().and_then(Option::as_ref)
    }

    /// How many steps are lost if it goes on from its checkpoint.
    pub fn lost_steps(&self) -> Option<u64> {
        self.last_step?.checked_sub(self.best()?.step?)
    }
}
