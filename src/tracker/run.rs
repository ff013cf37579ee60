use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::terms::{Bytes, Seconds, Time, Unread};

/// Whose run it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Tracker {
    /// Weights & Biases.
    #[default]
    Wandb,
    /// MLflow's file store. It has no exit codes: 1 stands for failed and killed.
    Mlflow,
}

/// One run of a tracker, as its folder tells it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Run {
    /// Whose run it is.
    pub tracker: Tracker,
    /// The run's folder, `.../wandb/run-20261121_120134-k3v9q1ab`.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub dir: PathBuf,
    /// The run's id, from the folder's name.
    pub id: String,
    /// True if the run was not sent to a server as it went.
    pub offline: bool,
    /// Whose project it is in; `None` where the run left it to the account's default.
    pub entity: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The name that people gave it.
    pub name: Option<String>,
    /// Its group.
    pub group: Option<String>,
    /// The id of the tracker's sweep that started it.
    pub sweep: Option<String>,
    /// The host that it ran on, as the host calls itself.
    pub host: Option<String>,
    /// When it started.
    pub started: Option<Time>,
    /// Its page; only where entity and project are known.
    pub url: Option<String>,
    /// The exit record; `None` means that it runs, or that it was killed.
    pub exit: Option<RunExit>,
    /// The ids that Slurm gave it, where the tracker wrote them down.
    pub slurm: Option<SlurmIds>,
    /// The newest time of its files. Never a time that is stored in them: W&B
    /// writes `heartbeatAt` once, at the start.
    pub last_sign: Option<Sign>,
    /// The highest step that it logged.
    pub last_step: Option<u64>,
    /// Its configuration and the sweep's parameters, under dotted names.
    pub parameters: BTreeMap<String, Value>,
    /// The names among them that the tracker's sweep set.
    pub swept: Vec<String>,
    /// The commit that the tracker recorded.
    pub commit: Option<String>,
    /// True if the end of its file is missing: it was killed, or is being written.
    pub torn: bool,
    /// Bytes in the middle of a large file of records that were not read: settings that were changed in the
    /// middle of the run stand there.
    pub unread: Bytes,
    /// What was odd in its files, in words.
    pub problems: Vec<String>,
}

/// How a run ended, by its own word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunExit {
    /// The exit code of the script; 0 for a run that was finished in order.
    pub code: i32,
    /// How long it ran, where the tracker says so.
    pub runtime: Option<Seconds>,
}

/// What the tracker read from `SLURM_*` when the run started.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SlurmIds {
    /// The raw job id, which differs from the id that people use for array tasks.
    pub job: Option<u32>,
    /// The id of the array.
    pub array_job: Option<u32>,
    /// The task of the array.
    pub array_task: Option<u32>,
    /// How often the job had been requeued.
    pub restarts: Option<u32>,
    /// The nodes, in Slurm's compressed form.
    pub nodes: Option<String>,
}

/// A sign of life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sign {
    /// When the file was last written.
    pub time: Time,
    /// The file, relative to the run's folder.
    pub of: String,
}

/// The runs below a folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Runs {
    /// The runs, by the path of their folders.
    pub runs: Vec<Run>,
    /// What was not read, and why. Runs may be missing where this is not empty.
    pub unread: Vec<Unread>,
}
