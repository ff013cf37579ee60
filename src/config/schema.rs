use std::path::PathBuf;

use serde::Deserialize;

use super::baton::{Baton, BatonFile};
use super::paste::{Paste, PasteFile};
use super::remote::{Remote, RemoteFile};
use super::sweeps::{Logs, LogsFile, Sweeps, SweepsFile};
use super::sync::{Sync, SyncFile};
use crate::terms::Seconds;

/// All settings, with every default filled in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// Where the cluster is and which jobs are ours.
    pub cluster: Cluster,
    /// How worktrees are made.
    pub worktrees: Worktrees,
    /// How lines that somebody pastes on another machine are made.
    pub paste: Paste,
    /// How long documents and trash are kept.
    pub retention: Retention,
    /// Where job logs are and what they may say.
    pub logs: Logs,
    /// How sweeps are judged, and how their tasks are resumed.
    pub sweeps: Sweeps,
    /// What travels between machines through git.
    pub sync: Sync,
    /// Where batons are taken.
    pub baton: Baton,
    /// The machines that work is done on over ssh.
    pub remote: Remote,
    /// The files that were read, in the order of reading.
    pub read_from: Vec<PathBuf>,
}

/// Where the answers about the cluster come from.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Source {
    /// Slurm's commands here, else the newest state file that git knows.
    #[default]
    Auto,
    /// Slurm's commands here, or nothing.
    Local,
    /// Slurm's commands on another machine: a name of `remote`, or a host.
    Ssh(String),
    /// A state file.
    File(PathBuf),
    /// No cluster at all.
    Off,
}

/// Settings about the cluster.
#[derive(Debug, Clone, PartialEq)]
pub struct Cluster {
    /// `auto`, `local`, `none`, `ssh:HOST`, or the path of a state file.
    pub source: Source,
    /// True if a configuration file names a source: then a cluster that cannot
    /// be reached is *unknown*, not *not applicable*.
    pub is_configured: bool,
    /// The user on the cluster; by default the local one.
    pub user: Option<String>,
    /// Names of this project's jobs; `*` at the end takes every ending.
    pub names: Vec<String>,
    /// Ids of this project's jobs.
    pub ids: Vec<u32>,
    /// The state file that the cluster side commits.
    pub state_file: PathBuf,
    /// How long one question to Slurm may take.
    pub limit: Seconds,
    /// How far back accounting is read.
    pub history: Seconds,
}

/// Settings about worktrees.
#[derive(Debug, Clone, PartialEq)]
pub struct Worktrees {
    /// Where `start` puts a worktree, relative to the main one; `{repo}` and
    /// `{feature}` are filled in, slashes in features become dashes.
    pub path: String,
    /// Paths that a new worktree links to those of the main one.
    pub share: Vec<String>,
    /// Paths that are never shared, whatever `share` says.
    pub private: Vec<String>,
    /// True if `share` may name a virtual environment.
    pub link_environments: bool,
}

/// Settings about what is kept for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    /// Handovers older than this are archived by `archive`.
    pub archive_after: Seconds,
    /// Trash older than this is deleted for good; a `.handover.yaml` in the
    /// tree, which others may commit, can set no less than a day.
    pub trash_after: Seconds,
}

impl Default for Cluster {
    fn default() -> Cluster {
        Cluster {
            source: Source::Auto,
            is_configured: false,
            user: None,
            names: Vec::new(),
            ids: Vec::new(),
            state_file: PathBuf::from("cluster_state.txt"),
            limit: Seconds(10),
            history: Seconds(7 * 86_400),
        }
    }
}

impl Default for Worktrees {
    fn default() -> Worktrees {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Worktrees {
            path: "../{repo}.{feature}".to_owned(),
            share: list(&[".env", ".envrc", ".python-version", ".cache", "data", "datasets"]),
            private: list(&[
                "outputs",
                "checkpoints",
                "wandb",
                "logs",
                "results",
                "runs",
                "venv",
                ".venv",
                "env",
            ]),
            link_environments: false,
        }
    }
}

impl Default for Retention {
    fn default() -> Retention {
        Retention { archive_after: Seconds(7 * 86_400), trash_after: Seconds(30 * 86_400) }
    }
}

/// One configuration file, as written: every name may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default)]
    pub cluster: ClusterFile,
    #[serde(default)]
    pub worktrees: WorktreesFile,
    #[serde(default)]
    pub paste: PasteFile,
    #[serde(default)]
    pub retention: RetentionFile,
    #[serde(default)]
    pub logs: LogsFile,
    #[serde(default)]
    pub sweeps: SweepsFile,
    #[serde(default)]
    pub sync: SyncFile,
    #[serde(default)]
    pub baton: BatonFile,
    #[serde(default)]
    pub remote: RemoteFile,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClusterFile {
    pub source: Option<String>,
    pub user: Option<String>,
    pub names: Option<Vec<String>>,
    pub ids: Option<Vec<u32>>,
    pub state_file: Option<PathBuf>,
    pub limit: Option<String>,
    pub history: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct WorktreesFile {
    pub path: Option<String>,
    pub share: Option<Vec<String>>,
    pub private: Option<Vec<String>>,
    pub link_environments: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RetentionFile {
    pub archive_after: Option<String>,
    pub trash_after: Option<String>,
}
