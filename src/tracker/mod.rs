//! What experiment trackers left on disk, read without a network and without
//! their software.
//!
//! Weights & Biases run folders: [`runs`]. Keys and netrc files are never opened. All text in
//! the results is data from outside, raw and clipped, to be escaped where it is shown.
//!
//! W&B's format is that of `wandb/proto/wandb_internal.proto` and of the record log in
//! `core/internal/transactionlog` (wandb/wandb), checked against recordings of the
//! releases 0.16.6 and 0.31.0 in `tests/fixtures/wandb`.

mod crc;
mod disk;
mod run;
mod wandb;
mod wire;
mod yaml;

/// Writers of run folders, shared with the tests of the program.
#[cfg(test)]
#[path = "../../tests/it/support/wandb.rs"]
mod writer;

pub use disk::{Limits, Unread};
pub use run::{Run, RunExit, Runs, Sign, SlurmIds};
pub use wandb::runs;
