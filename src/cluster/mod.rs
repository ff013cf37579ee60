//! Slurm as this program knows it: jobs, nodes, accounting, and where the
//! answers come from.
//!
//! Readers go by the shape of the text, not by Slurm's version. What was not
//! read, was cut, or came too late is said as such, never taken for zero.

mod accounting;
mod job;
mod node;
pub mod sacct;
mod snapshot;
mod state;

pub use accounting::{Accounting, Attempt, FailedStep, Stamp, Steps, Text, WaitingTasks};
pub use job::{ExitCode, Job};
pub use node::{Gpus, Node};
pub use snapshot::{Origin, Problem, Scope, Snapshot};
pub use state::State;
