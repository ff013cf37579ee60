use crate::terms::{Time, Unread};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What a checkpoint is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// `torch.save` since 1.6: a zip archive with `data.pkl` and one member per storage.
    TorchZip,
    /// `torch.save` before 1.6: pickles, then the storages.
    TorchLegacy,
    /// `torch.save` before 0.1.10: a tar archive.
    TorchTar,
    /// A JSON header, then the tensors.
    Safetensors,
    /// `*.index.json` and the shards that it names.
    ShardedHf,
    /// A `checkpoint-N` of the Hugging Face Trainer.
    HfTrainer,
    /// What Hugging Face Accelerate's `save_state` writes.
    Accelerate,
    /// A `.ckpt` of Lightning, file or folder.
    Lightning,
    /// A tag folder of DeepSpeed: model states and ZeRO ranks.
    DeepSpeed,
    /// `torch.distributed.checkpoint`: `.metadata` and `.distcp` files.
    Dcp,
    /// An `iter_N` folder of Megatron.
    Megatron,
    /// A step folder of Orbax.
    Orbax,
    /// A folder that is named after a step and holds files of the formats above.
    Folder,
    /// One pickle and nothing else.
    Pickle,
    /// None of these.
    Unknown,
}

impl Format {
    /// The format's name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Format::TorchZip => "torch",
            Format::TorchLegacy => "torch (legacy)",
            Format::TorchTar => "torch (tar)",
            Format::Safetensors => "safetensors",
            Format::ShardedHf => "sharded HF",
            Format::HfTrainer => "HF Trainer",
            Format::Accelerate => "Accelerate",
            Format::Lightning => "Lightning",
            Format::DeepSpeed => "DeepSpeed",
            Format::Dcp => "DCP",
            Format::Megatron => "Megatron",
            Format::Orbax => "Orbax",
            Format::Folder => "folder",
            Format::Pickle => "pickle",
            Format::Unknown => "unknown",
        }
    }
}

/// How much of a checkpoint is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Headers, directories and tails: milliseconds, whatever the size.
    Structure,
    /// Every byte, and the checksums where the format has some.
    Full,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Verdict {
    /// Whole, as far as this depth can tell.
    Sound {
        /// What was read of it.
        depth: Depth,
    },
    /// It cannot be loaded as it was meant.
    Damaged {
        /// What is wrong, in words.
        why: String,
    },
    /// Something that is written last is not there.
    Unfinished {
        /// What is missing, in words.
        why: String,
    },
    /// It has a name under which programs write before they rename.
    Temporary,
    /// It could not be read, or holds what this program does not know.
    Unreadable {
        /// What stood in the way, in words.
        why: String,
    },
    /// It is in none of the formats.
    Unrecognised,
    /// Whole, but its name can stand in no command: it holds control characters,
    /// characters that cannot be seen, or bytes that are no UTF-8. Another one that is
    /// sound is taken instead.
    Unnameable,
}

impl Verdict {
    /// True if it is whole, as far as was looked.
    pub fn is_sound(&self) -> bool {
        matches!(self, Verdict::Sound { .. })
    }
}

/// One checkpoint: a file, or a folder that is loaded as one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checkpoint {
    /// The file or folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// What it is written in.
    pub format: Format,
    /// The optimizer step, from its own data, else from its name.
    pub step: Option<u64>,
    /// The epoch, from its own data, else from its name.
    pub epoch: Option<f64>,
    /// True if it holds the optimizer's state, false if it does not; `None` if
    /// that cannot be told.
    pub optimizer: Option<bool>,
    /// Its size in bytes, of a folder the sum of the files that were seen.
    pub bytes: u64,
    /// When it, or the newest file in it, was last written.
    pub modified: Option<Time>,
    /// True if that was within the last minute: somebody may be writing it.
    pub being_written: bool,
    /// What the check found.
    pub verdict: Verdict,
}

/// The checkpoints of one run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Survey {
    /// The run's folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub dir: PathBuf,
    /// What to resume from: the highest step that is sound, not the newest file.
    pub best: Option<Checkpoint>,
    /// What is of a higher step than that, or of an unknown one and newer, and
    /// is not resumed from, highest step first; the verdict is the reason.
    pub refused: Vec<Checkpoint>,
    /// Everything that was seen, by path.
    pub all: Vec<Checkpoint>,
    /// A sound checkpoint of a lower step that was written after `best`: the run
    /// may have been started again from the beginning.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub newer_but_lower: Option<PathBuf>,
    /// What was not read.
    pub unread: Vec<Unread>,
}

/// How far a survey goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The most files and folders that are looked at below one folder.
    pub entries: usize,
    /// The most folders below one another.
    pub depth: usize,
    /// The most threads that read.
    pub threads: usize,
    /// The moment from which ages are counted; without one nothing is said to
    /// be written just now.
    pub now: Option<Time>,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits { entries: 200_000, depth: 12, threads: 2, now: None }
    }
}
