//! What job logs say: of one its cause, of many the causes that they share.

mod files;
mod groups;
mod patterns;
mod reading;

use std::path::PathBuf;
use std::thread::ScopedJoinHandle;

use serde::{Deserialize, Serialize};

use crate::cluster::{Look, Snapshot};
use crate::config::Logs;
use crate::joblog::{AttemptSpan, Finding, Mention, Progress, Reader, Retry, Table, Unread};
use crate::sys::World;
use crate::terms::{Bytes, JobId, Part, Time};
use crate::verbs::shards::{self, Shard};
use crate::verbs::{Context, Error, snapshot};

pub use groups::Group;
pub use patterns::{Origin, Patterns, Row, patterns};

/// What to read, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Options {
    /// Absolute paths of files, folders and globs; with none the settings say
    /// where logs are.
    pub paths: Vec<PathBuf>,
    /// The job, array or task whose logs are wanted.
    pub job: Option<JobId>,
    /// True to read everything.
    pub full: bool,
    /// The most threads.
    pub threads: usize,
    /// The part of the logs to read; all if there is none.
    pub shard: Option<Shard>,
}

/// What is needed to find logs and to understand them.
pub struct Place<'p> {
    /// Everything with effects.
    pub world: &'p World,
    /// Where logs are, and patterns of the project.
    pub settings: &'p Logs,
    /// Where relative globs begin.
    pub roots: Vec<PathBuf>,
    /// How to ask Slurm for the files of jobs; `None` if it is not to be asked.
    pub look: Option<Look>,
    /// What is known of jobs from elsewhere, where Slurm is not to be asked or is
    /// not here: a state file. Read only if a job is wanted.
    pub saved: Option<&'p Saved<'p>>,
}

/// Reads what a state file knows; `None` if there is none.
pub type Saved<'s> = dyn Fn() -> Option<Snapshot> + 's;

impl<'p> Place<'p> {
    /// A repository with its worktrees and its cluster, or else one folder.
    pub fn of(world: &'p World, settings: &'p Logs, context: Option<&Context>, dir: PathBuf) -> Place<'p> {
        Place {
            world,
            settings,
            roots: context.map_or_else(|| vec![dir], Context::roots),
            look: context.map(snapshot::here),
            saved: None,
        }
    }
}

/// What one log says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Log {
    /// The earliest cause of the newest attempt; `None` if there is none.
    pub root: Option<Box<Root>>,
    /// A cause in another part of the file, if the newest attempt of the job that
    /// was asked for has none, and nothing says whose that part is. It is among
    /// `others`, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Box<Root>>,
    /// Everything else that was found, in the order of the file: what followed
    /// from the cause, warnings, causes of earlier attempts.
    pub others: Vec<Finding>,
    /// The file.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub file: PathBuf,
    /// The job or task whose log it is, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<JobId>,
    /// Its size in bytes.
    pub size: u64,
    /// When it was last written to.
    pub modified: Option<Time>,
    /// How many more findings there were than `others` holds.
    pub left_out: u64,
    /// The attempts in the file, oldest first.
    pub attempts: Vec<AttemptSpan>,
    /// What of it was not read, in bytes.
    pub unread: Vec<Unread>,
    /// How far the newest attempt came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Box<Progress>>,
    /// Runs and checkpoints that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
}

/// The cause, and what it means.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Root {
    /// The file in which it stands.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub file: PathBuf,
    /// What stands there.
    #[serde(flatten)]
    pub finding: Finding,
    /// What it means, in words.
    pub meaning: String,
    /// What to do about it, in words.
    pub action: String,
    /// Whether to try again; `None` if the pattern is not known any more.
    pub retry: Option<Retry>,
}

/// What many logs say.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The causes, the most common first.
    pub groups: Vec<Group>,
    /// How many logs show no cause, and nothing that points to one.
    pub without_cause: u64,
    /// Every log that was read, by path.
    pub logs: Vec<Log>,
    /// Their size together.
    pub bytes: Bytes,
    /// How much of that was read.
    pub read: Bytes,
    /// What could not be read, or not be listed.
    pub unread: Vec<NotRead>,
    /// How many files of the folders hold no text, and were left out.
    pub no_text: u64,
    /// What Slurm was asked, and other remarks, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Parts of the work of which there is no answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_shards: Vec<u32>,
}

impl Outcome {
    /// True if everything that was asked for could be read.
    pub fn is_whole(&self) -> bool {
        self.unread.is_empty() && self.missing_shards.is_empty()
    }

    /// True if nothing was found that could be read.
    pub fn is_empty(&self) -> bool {
        self.logs.is_empty() && self.missing_shards.is_empty()
    }
}

/// Something that was not read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotRead {
    /// The file or folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Why not, in words.
    pub why: String,
}

/// The word under which parts of this work know each other.
const OF: &str = "logs";

/// Finds the logs, reads them, and groups what they say.
///
/// # Errors
/// A pattern of the settings cannot be used; the array has no such task.
pub fn run(place: &Place, options: &Options) -> Result<Outcome, Error> {
    place.world.processes.give_way();
    let table = Table::with(&place.settings.patterns)?;
    let (found, reader) = std::thread::scope(|scope| {
        // The search is made ready while the folders are listed: each takes about as long as the other.
        let ready = (options.threads > 1).then(|| scope.spawn(|| Reader::new(&table)));
        let found = files::find(place, options);
        let reader = match ready.map(ScopedJoinHandle::join) {
            Some(Ok(reader)) => reader,
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            None => Reader::new(&table),
        };
        (found, reader)
    });
    if let Some((job, Part::Task(index))) = options.job.map(|job| (job, job.part))
        && let Some(tasks) = found.lacks(index)
    {
        return Err(Error::NoTask { array: job.base, task: index, tasks: Box::new(tasks.clone()) });
    }
    let mut outcome = reading::all(&reader, found, options);
    outcome.groups(&table);
    Ok(outcome)
}

/// The answer of one part, as JSON lines.
///
/// # Errors
/// It cannot be written as JSON, which is a bug.
pub fn lines(shard: Shard, mut outcome: Outcome) -> Result<String, serde_json::Error> {
    let logs = std::mem::take(&mut outcome.logs);
    // They are made anew of all parts together.
    outcome.groups.clear();
    shards::lines(OF, shard, &outcome, &logs)
}

/// Puts the answers of parts together.
///
/// # Errors
/// A file cannot be read, or is no part of the same work; a pattern of the
/// settings cannot be used.
pub fn merge(settings: &Logs, files: &[PathBuf]) -> Result<Outcome, Error> {
    let table = Table::with(&settings.patterns)?;
    let merged: shards::Merged<Outcome, Log> = shards::merge(OF, files)?;
    let mut outcome = Outcome { logs: merged.items, missing_shards: merged.missing, ..Outcome::default() };
    for head in merged.heads {
        outcome.bytes.0 = outcome.bytes.0.saturating_add(head.bytes.0);
        outcome.read.0 = outcome.read.0.saturating_add(head.read.0);
        outcome.no_text = outcome.no_text.saturating_add(head.no_text);
        outcome.unread.extend(head.unread);
        outcome.notes.extend(head.notes);
    }
    // Each part lists the folders, and says so if it cannot.
    outcome.unread.sort_by(|one, other| (&one.path, &one.why).cmp(&(&other.path, &other.why)));
    outcome.unread.dedup();
    outcome.notes.sort();
    outcome.notes.dedup();
    for path in merged.torn {
        outcome.unread.push(NotRead { path, why: "it ends before its last line".to_owned() });
    }
    outcome.logs.sort_by(|one, other| one.file.cmp(&other.file));
    outcome.groups(&table);
    Ok(outcome)
}
