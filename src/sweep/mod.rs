//! Sweeps: array jobs, and jobs that share a name, counted from the queue and
//! from accounting together.
//!
//! Pure: data in, data out. [`sweeps`] finds them and counts; a [`Look`] is the
//! compact form that a document can store, and [`Delta::between`] says what
//! changed from one look to the next.
//!
//! What a document should store of a [`Sweep`] is its `look`: JSON objects of
//! strings (`{"COMPLETED 0:0": "0-2,4-6"}`), whose size follows the number of
//! runs of equal outcomes, not the number of tasks. To say what moved since,
//! read it back, find the sweep of the same `key` today, and ask `Delta::between`.

pub mod cadence;
mod cause;
mod contradiction;
mod delta;
mod evidence;
mod group;
mod judge;
mod learning;
mod look;
mod measure;
pub mod memory;
mod outage;
mod parameter_file;
mod parameters;
pub mod plan;
mod progress;
mod records;
mod resubmitted;
mod tasks;
pub mod vital;

pub use cause::{Cause, Confidence, Line, Source, TaskCause, cause, may_be_memory};
pub use contradiction::{Contradiction, ContradictionKind};
pub use delta::{Change, Delta};
pub use evidence::{AttemptSeen, ByPlan, Evidence, LogSeen, Looked, RunTwice, Shared};
pub use group::{Found, SHARED_NAME_AT_LEAST, sweeps, sweeps_of};
pub use judge::{
    CauseGroup, Condition, Decision, HardStop, Health, Judgement, NodeCount, Reason, Rules, Spread, StopRule,
    corner, expand_nodes, judge,
};
pub use learning::{Learning, Lost};
pub use look::{Look, Members, Outcome};
pub use measure::{Elapsed, Failures, Fast, Kind, PerTask, Sweep, Waiting};
pub use outage::{Outage, outages};
pub use parameter_file::ParameterFile;
pub use parameters::Parameters;
pub use progress::{TaskProgress, progress};
pub use records::{Gap, Record, RecordGap};
pub use resubmitted::{SKEW, add_cancelled, name_who_cancelled, take_over};
pub use tasks::tasks;

#[cfg(test)]
mod tests;
