//! Why a task failed: one cause from accounting and log together.
//!
//! The earliest root of the newest attempt in the log leads; accounting
//! confirms it, contradicts it, or says what no log can: that the node was lost
//! or the time limit was reached. A line in Slurm's words that accounting denies
//! leads nowhere: programs print such lines, too. Exit codes alone prove little.

mod account;
mod denied;
mod why;
mod words;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Evidence;
use crate::joblog::{Fingerprint, Retry, Table};

pub(super) use account::told;
pub(super) use denied::{is_denied, is_of_earlier};
pub(super) use why::{Key, Why, leading, newest, of_finding, readable, why};

/// Why a task failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cause {
    /// The class: `cuda-oom`, `time-limit`, ...; `unknown` if nothing says why.
    pub class: String,
    /// What makes failures similar, where a log says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// How far that can be relied on.
    pub confidence: Confidence,
    /// What it allows for the task itself.
    pub retry: Retry,
    /// What happened, in one sentence.
    pub sentence: String,
    /// What the class means.
    pub meaning: String,
    /// What to do about it.
    pub action: String,
    /// What led there, the most telling first.
    pub evidence: Vec<Line>,
    /// The nodes on which it happened, in Slurm's compressed form; empty if unknown.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub node_list: String,
}

/// How far a cause can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The sources that can know it say so.
    Sure,
    /// One source says so, and what could confirm it was silent or not read.
    Likely,
    /// A guess, or no more than how it ended.
    Open,
}

/// A line of evidence: what a source says, in its own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Line {
    /// Who says it.
    pub source: Source,
    /// What it says: text from outside.
    pub text: String,
    /// The file, if it stands in one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub file: Option<PathBuf>,
    /// The line, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Where in the file, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub offset: Option<u64>,
}

/// Who says something about a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The job's own log.
    Log,
    /// Slurm's accounting.
    Sacct,
    /// Slurm's queue.
    Squeue,
    /// The experiment tracker's files.
    Tracker,
    /// The checkpoints of the run.
    Checkpoint,
    /// Other files of the run.
    Files,
}

impl Source {
    /// The source's name.
    pub fn name(self) -> &'static str {
        match self {
            Source::Log => "log",
            Source::Sacct => "sacct",
            Source::Squeue => "squeue",
            Source::Tracker => "tracker",
            Source::Checkpoint => "checkpoint",
            Source::Files => "files",
        }
    }
}

impl Line {
    /// A line that stands in no file.
    pub fn said(source: Source, text: impl Into<String>) -> Line {
        Line { source, text: text.into(), file: None, line: None, offset: None }
    }
}

/// Why one task failed, in short: its group says the rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskCause {
    /// The task.
    pub task: u32,
    /// The class of the cause.
    pub class: String,
    /// How far it can be relied on.
    pub confidence: Confidence,
    /// Whether to try again.
    pub retry: Retry,
    /// The line that says most of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<Line>,
}

/// True if what the task asked for would tell whether it was killed for memory.
pub fn may_be_memory(evidence: &Evidence) -> bool {
    why::may_be_memory(evidence)
}

/// The cause of a task that failed, was cancelled or preempted; `None` for one
/// that did not, or that still lives under its id.
pub fn cause(evidence: &Evidence, table: &Table) -> Option<Cause> {
    why(evidence).map(|why| why.explain(table))
}
