use serde::{Deserialize, Serialize};

use super::{Accounting, Job, Node};
use crate::terms::{Known, Time};

/// The cluster at one moment, as far as it could be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Where the answers came from.
    pub origin: Origin,
    /// When they were taken, by the clock of whoever took them; `None` if the
    /// source does not say.
    pub taken_at: Option<Time>,
    /// The cluster's name, if the source says it.
    pub cluster: Option<String>,
    /// Slurm's version, if the source says it.
    pub slurm: Option<String>,
    /// Which jobs were asked for and kept.
    pub scope: Scope,
    /// The jobs in the queue, within the scope.
    pub jobs: Known<Vec<Job>>,
    /// The nodes.
    pub nodes: Known<Vec<Node>>,
    /// What accounting knows of jobs in the scope, finished ones included;
    /// unknown where a site has none.
    pub accounting: Known<Accounting>,
    /// Everything that was cut, missing, or not understood, in words.
    pub problems: Vec<Problem>,
}

/// Where a snapshot came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// Slurm's commands on this machine.
    Local,
    /// A state file, named as a person finds it.
    File {
        /// Its path, or `branch:path` for one that was read from git.
        name: String,
    },
}

/// Which jobs a question was about.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// The cluster user; `None` asks for nobody's in particular.
    pub user: Option<String>,
    /// Job names, or starts of names that end in `*`; empty takes every name.
    pub names: Vec<String>,
    /// Job ids; an array's id takes all its tasks; empty takes every id.
    pub ids: Vec<u32>,
}

/// Something that could not be seen, or not be trusted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Problem {
    /// The question or the part of the file: `squeue`, `MY JOBS`.
    pub about: String,
    /// What is the matter, in words.
    pub what: String,
}
