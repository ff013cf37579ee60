//! Slurm as this program knows it: jobs, nodes, accounting, and where the
//! answers come from.
//!
//! Readers go by the shape of the text, not by Slurm's version. What was not
//! read, was cut, or came too late is said as such, never taken for zero.

mod accounting;
mod exit_code;
mod far;
mod gres;
mod job;
mod local;
mod look;
mod node;
mod nodes;
mod partition;
mod patterns;
mod problems;
pub mod readers;
mod reason;
mod remembered;
mod request;
pub mod sacct;
mod scope;
mod snapshot;
mod squeue;
mod state;
mod state_file;
mod submission;

pub use accounting::{Accounting, Attempt, FailedStep, Stamp, Steps, Text, WaitingTasks};
pub use exit_code::{Printed, Signal, Status};
pub use job::{ExitCode, Job};
pub use local::Queue;
pub use look::{
    Look, MOST_IDS, Source, accounting_of, files_of, history, jobs_under, look, queue, request_of,
    time_limits, try_out,
};
pub use node::{Gpus, Node, Supply, gpus_by_partition, gpus_by_type};
pub use partition::TimeLimits;
pub use patterns::filled;
pub use reason::{Outlook, Reason};
pub use remembered::{Files, Remembered, files_in};
pub use request::{Request, RequestedMemory, Trial, WORDS_UNTOLD};
pub use scope::Scope;
pub use snapshot::{Load, Nothing, Origin, Problem, Snapshot, Whose};
pub use state::State;
pub use state_file::StateFile;
pub use submission::{ArrayLimits, Submission, value_of_option};
