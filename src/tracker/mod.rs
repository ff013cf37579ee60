//! What experiment trackers left on disk, read without a network and without
//! their software.
//!
//! Weights & Biases run folders ([`runs`]), TensorBoard event files ([`events`]), MLflow's file store
//! ([`others`]); what a run saved of itself ([`configurations`], [`reproducibility()`]) and whether it is still
//! what is intended ([`compare()`], [`identity()`]); and whose job a run is ([`Jobs`]). What Slurm and the
//! trackers say against each other is the business of `sweep`. Keys and netrc files are never opened.
//! All text in the results is data from outside, raw and clipped, to be escaped where it is shown.
//!
//! W&B's format is that of `wandb/proto/wandb_internal.proto` and of the record log in
//! `core/internal/transactionlog` (wandb/wandb), checked against recordings of the
//! releases 0.16.6 and 0.31.0 in `tests/fixtures/wandb`.

mod belongs;
mod compare;
mod crc32c;
mod disk;
mod events;
mod identity;
mod mlflow;
pub mod readers;
mod reproducibility;
mod run;
mod saved;
mod wandb;
mod wire;
mod yaml;

pub use belongs::{JobSeen, Jobs, Link, has_ids, short};
pub use compare::{Comparison, Difference, SET_ASIDE, compare};
pub use disk::Limits;
pub use events::{EventFiles, Events, events};
pub use identity::{IdSeen, RunIdentity, identity};
pub use mlflow::{Others, others};
pub use reproducibility::{Recorded, Reproducibility, reproducibility};
pub use run::{Run, RunExit, Runs, Sign, SlurmIds, Tracker};
pub use saved::{Configurations, Saved, SavedKind, configuration, configurations};
pub use wandb::runs;

/// Writers of run folders, shared with the tests of the program.
#[cfg(test)]
#[path = "../../tests/it/support/wandb.rs"]
mod writer;
