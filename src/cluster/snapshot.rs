use serde::{Deserialize, Serialize};

use super::{Accounting, Job, Node, Scope};
use crate::remote::Trouble;
use crate::terms::{Known, Time};

/// The cluster at one moment, as far as it could be seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Snapshot {
    /// Where the answers came from.
    pub origin: Origin,
    /// When they were taken; `None` if the source does not say.
    pub taken_at: Option<Time>,
    /// Whose clock said when; `None` with `taken_at`.
    pub clock: Option<Whose>,
    /// The cluster's name, if the source says it.
    pub cluster: Option<String>,
    /// Slurm's version, if the source says it.
    pub slurm: Option<String>,
    /// Which jobs were asked for and kept.
    pub scope: Scope,
    /// The jobs in the queue, within the scope.
    pub jobs: Known<Vec<Job>>,
    /// True if jobs may be missing from `jobs` although the question was
    /// answered: then absence proves nothing.
    pub jobs_partial: bool,
    /// The nodes, each once.
    pub nodes: Known<Vec<Node>>,
    /// What accounting knows of jobs in the scope, finished ones included;
    /// unknown where a site has none.
    pub accounting: Known<Accounting>,
    /// What everybody runs, by partition, where the source says it.
    pub load: Vec<Load>,
    /// Everything that was cut, missing, or not understood, in words.
    pub problems: Vec<Problem>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Nothing {
    /// It was asked for and could not be had.
    Unknown(String),
    /// There is nothing to ask.
    NotApplicable(String),
}

impl Nothing {
    /// The same as a value of any type.
    pub fn known<T>(self) -> Known<T> {
        match self {
            Nothing::Unknown(why) => Known::Unknown(why),
            Nothing::NotApplicable(why) => Known::NotApplicable(why),
        }
    }
}

impl Snapshot {
    /// A snapshot that holds no answer at all, and why.
    pub fn without(origin: Origin, scope: Scope, why: Nothing) -> Snapshot {
        Snapshot {
            origin,
            taken_at: None,
            clock: None,
            cluster: None,
            slurm: None,
            scope,
            jobs: why.clone().known(),
            jobs_partial: false,
            nodes: why.clone().known(),
            accounting: why.known(),
            load: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// The same where a cluster is configured: what does not apply is unknown then.
    pub fn or_unknown(mut self) -> Snapshot {
        fn unknown<T>(value: &mut Known<T>) {
            if let Known::NotApplicable(why) = value {
                *value = Known::Unknown(std::mem::take(why));
            }
        }
        unknown(&mut self.jobs);
        unknown(&mut self.nodes);
        unknown(&mut self.accounting);
        self
    }
}

/// What all users together run in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Load {
    /// The partition, as the source names it.
    pub partition: String,
    /// Its running jobs.
    pub running: usize,
    /// How many users they belong to.
    pub users: usize,
}

/// Whose clock a time comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// This machine's.
    Ours,
    /// That of the machine that wrote the state file, as written in it.
    Writer,
    /// That of the machine that committed the state file.
    Committer,
}

/// Where a snapshot came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Origin {
    /// Nowhere: nothing was asked.
    Nothing,
    /// Slurm's commands on this machine.
    Local,
    /// Slurm's commands on another machine, over ssh.
    Ssh {
        /// The machine's name in the settings, or the host.
        machine: String,
        /// Why it gave no answer, if it gave none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        trouble: Option<Trouble>,
    },
    /// A state file, named as a person finds it.
    File {
        /// Its path, or `branch:path` for one that was read from git.
        name: String,
    },
}

/// Something that could not be seen, or not be trusted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// The question or the part of the file: `squeue`, `MY JOBS`.
    pub about: String,
    /// What is the matter, in words.
    pub what: String,
}
