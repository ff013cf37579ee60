//! Checkpoints on disk: which of them are whole, and from which to resume.
//!
//! One reader per format. The usual check reads headers, directories and tails,
//! and takes milliseconds whatever the size; the full one reads every byte. A
//! pickle is never run, only walked (`pickle`). What is resumed from is said
//! in `layout`: the highest step that is sound, not the newest file.

mod accelerate;
mod check;
mod crc;
mod dcp;
mod deepspeed;
mod facts;
mod hf_trainer;
mod layout;
mod legacy;
mod lightning;
mod look;
mod megatron;
mod names;
mod orbax;
mod pickle;
pub mod readers;
mod safetensors;
mod sharded;
mod source;
mod survey;
mod tar;
mod torch_zip;
mod types;
mod usable;
mod walk;
mod weights;
mod zip;

#[cfg(test)]
mod tests;

pub use check::{check, check_bytes};
pub use survey::{runs, survey};
pub use types::{Checkpoint, Depth, Format, Limits, Survey, Verdict};
pub use usable::holds_weights;
