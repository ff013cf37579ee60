//! What is known of each task of a sweep: accounting and queue, and what was
//! read beside them.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::checkpoint::Survey;
use crate::cluster::{ExitCode, Printed, State, Steps};

use crate::joblog::Reading;
use crate::terms::{Bytes, JobId, Known, Time};
use crate::tracker::{Events, Reproducibility, Run};

/// Everything known of one task, read together.
///
/// Made for a hundred thousand of them: what accounting says is flat, texts
/// that repeat are shared, and a task of which nothing else was read carries
/// one empty pointer for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Evidence {
    /// The array index, or the job id where the sweep is jobs that share a name.
    pub member: u32,
    /// The id that people use.
    pub id: JobId,
    /// The id that logs and trackers use; `None` if no source says it.
    pub raw_id: Option<u32>,
    /// What the queue says it does, else how its newest attempt ended.
    pub state: State,
    /// The exit code of the newest attempt, if that is over.
    pub exit: Option<ExitCode>,
    /// The highest exit code of its steps.
    pub derived: Option<ExitCode>,
    /// How the release that printed these codes writes 128 and more.
    pub printed: Printed,
    /// Who cancelled it, as a uid on the cluster.
    pub cancelled_by: Option<u32>,
    /// The plan that cancelled it, if its record says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled_by_plan: Option<Box<ByPlan>>,
    /// The steps of the newest attempt.
    pub steps: Steps,
    /// The memory that it asked for, on each node or for each CPU; `None` unless
    /// it had to be asked for, because a kill may or may not have been for memory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_memory: Option<Bytes>,
    /// How long the newest attempt ran, in seconds.
    pub elapsed: Option<u32>,
    /// Its time limit in seconds; `None` if unlimited or unknown.
    pub limit: Option<u32>,
    /// When the newest attempt started.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// The nodes of the newest attempt, in Slurm's compressed form.
    pub node_list: Shared,
    /// The attempts before the newest one, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<AttemptSeen>,
    /// True if the queue has it.
    pub in_queue: bool,
    /// Slurm's reason for waiting; empty if it does not wait or gave none.
    #[serde(default, skip_serializing_if = "Shared::is_empty")]
    pub reason: Shared,
    /// What was read beside accounting; `None` if nothing was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub looked: Option<Box<Looked>>,
}

/// A plan of this repository that did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ByPlan {
    /// The plan's hash.
    pub hash: String,
    /// When it was submitted.
    pub at: Time,
    /// By whom: user and host.
    pub by: String,
}

/// An attempt that a later one followed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttemptSeen {
    /// How it ended.
    pub state: State,
    /// Its exit code.
    pub exit: Option<ExitCode>,
    /// How long it ran, in seconds.
    pub elapsed: Option<u32>,
    /// When it started.
    pub started: Option<Time>,
    /// When it ended.
    pub ended: Option<Time>,
    /// Its nodes, in Slurm's compressed form.
    pub node_list: Shared,
}

/// What was read of a task beside accounting and queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Looked {
    /// Its log.
    pub log: Known<LogSeen>,
    /// The trackers' runs of this task, oldest first.
    pub runs: Known<Vec<Run>>,
    /// Runs that lie in its folder and in another task's under one id. Those of
    /// them that do not name its own job are not among `runs`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub twice: Vec<RunTwice>,
    /// The newest of its TensorBoard event files, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<Events>,
    /// The checkpoints of its run.
    pub checkpoints: Known<Survey>,
    /// The folder of its run.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Known<PathBuf>"))]
    pub run_dir: Known<PathBuf>,
    /// Results that it should have made and that are not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub missing: Vec<PathBuf>,
    /// What of its run is recorded that another one like it would need; `None`
    /// if that was not looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<Box<Reproducibility>>,
}

/// A run of the tracker that lies in the folders of several tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunTwice {
    /// Its id.
    pub id: String,
    /// True if by its own records it is this task's.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_own: bool,
    /// Where it lies: a few of the folders.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub dirs: Vec<PathBuf>,
}

/// The log of a task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct LogSeen {
    /// Its files, newest first: output and errors, or those of several attempts.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub files: Vec<PathBuf>,
    /// What the one says that tells most of the newest attempt.
    pub reading: Reading,
}

impl Default for Looked {
    /// Nothing was read.
    fn default() -> Looked {
        let not_read = || "not read".to_owned();
        Looked {
            log: Known::Unknown(not_read()),
            runs: Known::Unknown(not_read()),
            twice: Vec::new(),
            events: Vec::new(),
            checkpoints: Known::Unknown(not_read()),
            run_dir: Known::Unknown("not looked for".to_owned()),
            missing: Vec::new(),
            recorded: None,
        }
    }
}

impl Evidence {
    /// The attempts of which this one is the last, for what follows it.
    pub(super) fn into_earlier(self) -> Vec<AttemptSeen> {
        let mut earlier = self.earlier;
        earlier.push(AttemptSeen {
            state: self.state,
            exit: self.exit,
            elapsed: self.elapsed,
            started: self.started,
            ended: self.ended,
            node_list: self.node_list,
        });
        earlier
    }

    /// A task of which nothing but its id is known.
    pub fn of(member: u32, id: JobId) -> Evidence {
        Evidence {
            member,
            id,
            raw_id: None,
            state: State::Unknown,
            exit: None,
            derived: None,
            printed: Printed::Unknown,
            cancelled_by: None,
            cancelled_by_plan: None,
            steps: Steps::default(),
            asked_memory: None,
            elapsed: None,
            limit: None,
            started: None,
            ended: None,
            node_list: Shared::default(),
            earlier: Vec::new(),
            in_queue: false,
            reason: Shared::default(),
            looked: None,
        }
    }

    /// What was read beside accounting, to be filled in.
    pub fn looked_mut(&mut self) -> &mut Looked {
        self.looked.get_or_insert_default()
    }

    /// Its log, if it was read.
    pub fn log(&self) -> Option<&LogSeen> {
        self.looked.as_deref().and_then(|looked| looked.log.known())
    }

    /// The tracker's runs, oldest first; none if they were not read.
    pub fn runs(&self) -> &[Run] {
        self.looked.as_deref().and_then(|looked| looked.runs.known()).map_or(&[], Vec::as_slice)
    }

    /// The tracker's newest run.
    pub fn newest_run(&self) -> Option<&Run> {
        self.runs().iter().max_by_key(|run| run.started)
    }

    /// The number of the attempt that a run is of, the oldest being 0: a requeued
    /// job makes a run for each, which are no two runs of one task.
    pub fn attempt_of(&self, run: &Run) -> usize {
        let counted = run.slurm.as_ref().and_then(|ids| ids.restarts);
        let by_time = || {
            let before =
                |ended: Option<Time>| ended.zip(run.started).is_some_and(|(end, start)| end <= start);
            self.earlier.iter().filter(|attempt| before(attempt.ended)).count()
        };
        counted.map_or_else(by_time, |restarts| restarts as usize)
    }

    /// The newest TensorBoard event files, newest first; none if they were not read.
    pub fn events(&self) -> &[Events] {
        self.looked.as_deref().map_or(&[], |looked| looked.events.as_slice())
    }

    /// Its checkpoints, if they were looked at.
    pub fn checkpoints(&self) -> Option<&Survey> {
        self.looked.as_deref().and_then(|looked| looked.checkpoints.known())
    }

    /// The folder of its run, if it is known.
    pub fn run_dir(&self) -> Option<&PathBuf> {
        self.looked.as_deref().and_then(|looked| looked.run_dir.known())
    }

    /// True if the task may still do something under its id.
    pub fn is_live(&self) -> bool {
        self.state.is_live()
    }
}

/// A text from outside that many tasks have in common, kept once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Shared(Option<Arc<str>>);

impl Shared {
    /// The empty text.
    pub const fn empty() -> Shared {
        Shared(None)
    }

    /// True if it is empty.
    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }
}

impl Default for Shared {
    fn default() -> Shared {
        Shared::empty()
    }
}

impl From<&str> for Shared {
    fn from(text: &str) -> Shared {
        Shared((!text.is_empty()).then(|| text.into()))
    }
}

impl Deref for Shared {
    type Target = str;

    fn deref(&self) -> &str {
        self.0.as_deref().unwrap_or("")
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self)
    }
}

impl Serialize for Shared {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Shared {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Shared, D::Error> {
        Ok(Shared::from(&*std::borrow::Cow::<'de, str>::deserialize(from)?))
    }
}
