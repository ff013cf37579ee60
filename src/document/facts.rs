//! The stored form of what the program established. These structs are a file
//! format: no other room's types are in them, so that no change elsewhere can
//! change what a stored document means. A name may be added at any time, with
//! `#[serde(default)]`; a changed meaning needs a new schema.

use serde::{Deserialize, Serialize};

use super::SweepsFact;
use crate::safety::{Redactions, code_span};
use crate::terms::{AnyKey, CommitId, Digest, JobId, Key, Seconds, TaskIds, Time};

/// The schema of the documents that this program writes.
pub const SCHEMA: &str = "handover/1";

/// Everything in the front matter. Texts in it are escaped: they can be shown
/// as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Facts {
    /// Which form the rest follows.
    pub schema: String,
    /// The document's own key.
    pub key: Key,
    /// The document that this one continues or amends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<Parent>,
    /// Other documents of the worktree that this one continues too: side
    /// handovers, and those that were made side by side.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<AnyKey>,
    /// When it was made.
    pub created: Time,
    /// The machine on which it was made.
    pub host: String,
    /// The user who made it.
    pub user: String,
    /// The agent's name, if it could be known.
    pub agent: Option<String>,
    /// The agent's session, if it could be known.
    pub session: Option<String>,
    /// Which worktree it speaks of.
    pub worktree: WorktreeFact,
    /// The branch checked out; `None` if HEAD is detached.
    pub branch: Option<String>,
    /// Which repository it speaks of.
    pub repository: RepositoryFact,
    /// The branch's upstream, if it has one.
    pub upstream: Option<String>,
    /// Commits ahead of and behind the upstream.
    pub upstream_ahead_behind: Option<(u32, u32)>,
    /// The commit checked out; `None` before the first one.
    pub head: Option<CommitId>,
    /// Where the branch left the branch that it is to return to.
    pub base: Option<Base>,
    /// A merge, rebase or the like that was in progress.
    pub operation: Option<String>,
    /// The branch that this moves when it ends, while HEAD is detached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_branch: Option<String>,
    /// One digest over HEAD, status, and the changed files.
    pub state_id: Digest,
    /// The files that differ from HEAD.
    pub files: FilesFact,
    /// How many stashes the repository has; all worktrees share them.
    pub stashes: u32,
    /// What was seen of the cluster.
    pub cluster: ClusterFacts,
    /// The live jobs within the scope; `null` if they could not be seen.
    pub jobs: Option<JobsFact>,
    /// The sweeps within the scope; `null` if they could not be seen.
    #[serde(default)]
    pub sweeps: Option<SweepsFact>,
    /// How many secrets each rule took out.
    #[serde(default)]
    pub redactions: Redactions,
    /// How much there is.
    pub sizes: Sizes,
}

/// The document before this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Parent {
    /// Its key.
    pub key: AnyKey,
    /// What this document is to it.
    pub relation: Relation,
}

/// What a document is to its parent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Relation {
    /// It carries the work on.
    #[default]
    Continues,
    /// It says the same again, corrected.
    Amends,
    /// It stands beside it, and takes nothing from it: its maker did not hold the baton.
    Beside,
}

/// The worktree that a document speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WorktreeFact {
    /// Its path on the host that made the document.
    pub path: String,
    /// Its random id, if it has one; it survives a move.
    pub id: Option<String>,
    /// True for the main worktree.
    pub is_main: bool,
}

/// The repository that a document speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepositoryFact {
    /// Its name, for people.
    pub name: String,
    /// The shared git directory on the host that made the document.
    pub common_dir: String,
    /// The URL of `origin`, without credentials.
    pub remote: Option<String>,
    /// True if old history is missing.
    pub is_shallow: bool,
}

/// Where a branch left another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Base {
    /// The branch that it left.
    pub branch: String,
    /// The best common commit.
    pub merge_base: Option<CommitId>,
    /// Commits that the work has and the base lacks.
    pub ahead: u32,
    /// Commits that the base has and the work lacks.
    pub behind: u32,
    /// The newest of the commits that the work has and the base lacks, newest
    /// first: short id and subject, escaped.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
}

/// The files that differ from HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FilesFact {
    /// Paths whose index differs from HEAD.
    pub staged: u32,
    /// Paths whose file differs from the index.
    pub unstaged: u32,
    /// Paths in conflict.
    pub conflicts: u32,
    /// Paths that are not tracked.
    pub untracked: u32,
    /// The first of them in git's order.
    pub listed: Vec<FileFact>,
    /// How many more there are.
    pub omitted: u32,
}

impl FilesFact {
    /// True if nothing differs.
    pub fn is_clean(&self) -> bool {
        self.listed.is_empty() && self.omitted == 0
    }
}

/// One file that differs from HEAD.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FileFact {
    /// Its path in the worktree, escaped.
    pub path: String,
    /// Git's two letters: index, worktree.
    pub letters: String,
    /// The digest of its bytes; `None` if it is gone, no regular file, or large.
    pub digest: Option<Digest>,
    /// For a file over 32 MiB, which is not digested: its size in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// For a file over 32 MiB: when it was written last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Time>,
}

/// What was seen of the cluster, and how well.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ClusterFacts {
    /// `local`, `file`, or `none`.
    pub source: String,
    /// Which file it was, or why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The cluster's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// When the answers were taken, by the source's own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Time>,
    /// How old they were when this document was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<Seconds>,
    /// The cluster user whose jobs are told; `None` for all users.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The names and ids that the jobs were restricted to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scope: Vec<String>,
    /// How many jobs and tasks are in each state; `null` if they could not be seen.
    pub by_state: Option<std::collections::BTreeMap<String, u64>>,
    /// GPUs by type; `null` if they could not be seen.
    pub gpus: Option<Vec<GpuFact>>,
    /// Everything that was cut, missing, or not understood.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// The GPUs of one type on all nodes together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct GpuFact {
    /// Slurm's name of the type; empty where the site names none.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many there are.
    pub total: u32,
    /// How many are free on nodes that take work; `null` where nobody says.
    pub free: Option<u32>,
}

/// Live jobs: running, pending, or held.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobsFact {
    /// The first of them, running ones before pending ones.
    pub listed: Vec<JobFact>,
    /// How many more there are.
    pub omitted: u32,
}

/// One live job, or the pending rest of an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobFact {
    /// The id that people use.
    pub id: JobId,
    /// The id that logs use, where it differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_id: Option<u32>,
    /// The pending tasks, if this is the rest of an array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<TaskIds>,
    /// True if Slurm cut the list of tasks.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tasks_cut: bool,
    /// Its name, escaped and cut at 120 characters.
    pub name: String,
    /// Its state, in Slurm's words.
    pub state: String,
    /// Slurm's reason, if it waits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// True if it will never start by itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub never_starts: bool,
    /// Its partition.
    pub partition: String,
    /// When it was submitted or requeued.
    pub submitted: Option<Time>,
    /// How long it had run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed: Option<Seconds>,
    /// Its time limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Seconds>,
    /// Its nodes.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub nodes: String,
    /// How often it had been requeued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<u32>,
    /// The directory in which it works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub work_dir: Option<String>,
    /// Its standard output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdout: Option<String>,
}

impl JobFact {
    /// The jobs and tasks that this entry stands for. A list that Slurm cut
    /// stands for the array as a whole.
    pub fn units(&self) -> Vec<JobId> {
        match &self.tasks {
            Some(tasks) => tasks.iter().map(|index| JobId::task(self.id.base, index)).collect(),
            None => vec![self.id],
        }
    }
}

/// How much there is in a document.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sizes {
    /// Bytes of the body, the front matter aside.
    pub body: u64,
    /// How many of the body's sections have text.
    pub sections: u32,
}

impl Facts {
    /// The branch in words: its name in a code span, or why there is none.
    pub fn branch_in_words(&self) -> String {
        match (&self.branch, &self.operation, &self.operation_branch) {
            (Some(branch), ..) => code_span(branch),
            (None, Some(operation), Some(branch)) => {
                format!("a detached HEAD, in a {operation} of {}", code_span(branch))
            }
            _ => "a detached HEAD".to_owned(),
        }
    }

    /// Takes the longest lists shorter until the front matter fits; what is
    /// left out is counted in the list's `omitted`.
    pub fn shorten(&mut self) {
        fn weight<T: Serialize>(listed: &[T]) -> usize {
            serde_json::to_string(listed).map_or(0, |text| if listed.is_empty() { 0 } else { text.len() })
        }
        fn halve<T>(listed: &mut Vec<T>, omitted: &mut u32) {
            let keep = listed.len() / 2;
            *omitted += u32::try_from(listed.len() - keep).unwrap_or(u32::MAX);
            listed.truncate(keep);
        }
        while super::front::write(self) == Err(super::FrontError::TooLarge) {
            let files = weight(&self.files.listed);
            let jobs = self.jobs.as_ref().map_or(0, |jobs| weight(&jobs.listed));
            let sweeps = self.sweeps.as_ref().map_or(0, |sweeps| weight(&sweeps.listed));
            match files.max(jobs).max(sweeps) {
                0 => return,
                most if most == files => halve(&mut self.files.listed, &mut self.files.omitted),
                most if most == jobs => {
                    self.jobs.iter_mut().for_each(|jobs| halve(&mut jobs.listed, &mut jobs.omitted))
                }
                _ => self.sweeps.iter_mut().for_each(|sweeps| halve(&mut sweeps.listed, &mut sweeps.omitted)),
            }
        }
    }
}
