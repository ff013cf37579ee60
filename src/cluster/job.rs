use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::State;
use crate::terms::{Bytes, JobId, NotA, Part, Seconds, TaskIds, Time};

/// A job, or one task of an array, as the queue shows it.
///
/// The pending rest of an array is one `Job` with `pending_tasks`. Text fields
/// are as Slurm printed them: data from outside, to be escaped where shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Job {
    /// The id that people use.
    pub id: JobId,
    /// The id that logs and trackers use; differs from `id` for array tasks.
    pub raw_id: Option<u32>,
    /// The tasks that are still pending together, if this is the rest of an array.
    pub pending_tasks: Option<TaskIds>,
    /// True if Slurm cut the list of pending tasks, so that their count is unknown.
    pub tasks_cut: bool,
    /// How many tasks of the array may run at once.
    pub throttle: Option<u32>,
    /// The job's name; cut where the source cuts it.
    pub name: String,
    /// True if the source may have cut the name.
    pub name_cut: bool,
    /// The user that it belongs to; empty if the source does not say.
    pub user: String,
    /// True if the source may have cut the user's name.
    pub user_cut: bool,
    /// The partition, or several with commas while pending.
    pub partition: String,
    /// Its state.
    pub state: State,
    /// Slurm's reason for waiting, or for the state; empty if it gave none.
    pub reason: String,
    /// When it was submitted; for a requeued job, when it was requeued.
    pub submitted: Option<Time>,
    /// When it started, or is expected to.
    pub started: Option<Time>,
    /// How long this attempt has run.
    pub elapsed: Option<Seconds>,
    /// Its time limit; `None` if unlimited or unknown.
    pub limit: Option<Seconds>,
    /// How many nodes it has or wants.
    pub nodes: Option<u32>,
    /// The nodes it has, in Slurm's compressed form.
    pub node_list: String,
    /// GPUs that it has or wants on all its nodes together.
    pub gpus: Option<u32>,
    /// The memory that it has on each node, if the source says it. Not part of
    /// the JSON form.
    #[serde(skip)]
    pub memory: Option<Bytes>,
    /// The directory in which it works.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub work_dir: Option<PathBuf>,
    /// Its standard output. Patterns may be left in it (see [`super::filled`]);
    /// `%a` is, for the pending rest of an array.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub stdout: Option<PathBuf>,
    /// Its standard error, if the source says it; the same file as `stdout` by
    /// default. Not part of the JSON form.
    #[serde(skip)]
    pub stderr: Option<PathBuf>,
    /// Its standard input, if the source says it and it is a file. Not
    /// part of the JSON form.
    #[serde(skip)]
    pub stdin: Option<PathBuf>,
    /// What it waits for, in Slurm's form.
    pub dependency: String,
    /// How often it was requeued.
    pub restarts: Option<u32>,
}

impl Job {
    /// A job of which nothing but the id is known.
    pub fn new(id: JobId) -> Job {
        Job {
            id,
            raw_id: None,
            pending_tasks: None,
            tasks_cut: false,
            throttle: None,
            name: String::new(),
            name_cut: false,
            user: String::new(),
            user_cut: false,
            partition: String::new(),
            state: State::Unknown,
            reason: String::new(),
            submitted: None,
            started: None,
            elapsed: None,
            limit: None,
            nodes: None,
            node_list: String::new(),
            gpus: None,
            memory: None,
            work_dir: None,
            stdout: None,
            stderr: None,
            stdin: None,
            dependency: String::new(),
            restarts: None,
        }
    }

    /// The id as Slurm's queue writes it: `7_[4-9,12%3]` for the rest of an array.
    pub fn label(&self) -> String {
        let throttle = self.throttle.map(|most| format!("%{most}")).unwrap_or_default();
        match &self.pending_tasks {
            _ if self.tasks_cut => format!("{}_[...]", self.id),
            Some(tasks) => format!("{}_[{tasks}{throttle}]", self.id),
            None => self.id.to_string(),
        }
    }

    /// True if the job can be told to belong to an array.
    pub fn is_of_array(&self) -> bool {
        self.tasks_cut || self.pending_tasks.is_some() || matches!(self.id.part, Part::Task(_))
    }

    /// How many tasks this entry stands for; `None` if Slurm cut the list.
    pub fn count(&self) -> Option<usize> {
        match &self.pending_tasks {
            _ if self.tasks_cut => None,
            Some(tasks) => Some(tasks.len()),
            None => Some(1),
        }
    }
}

/// An exit code in Slurm's form, `status:signal`.
///
/// In accounting text up to 25.05 a status of 128 or more is printed with 128
/// taken off, so `9:0` may be a signal that a shell reported as 137.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExitCode {
    /// Exit status of the process.
    pub status: u8,
    /// Signal that ended it, or zero.
    pub signal: u8,
}

impl fmt::Display for ExitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.status, self.signal)
    }
}

impl FromStr for ExitCode {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        text.split_once(':')
            .and_then(|(status, signal)| {
                Some(ExitCode { status: status.parse().ok()?, signal: signal.parse().ok()? })
            })
            .ok_or_else(|| NotA::new("Slurm exit code", text))
    }
}
