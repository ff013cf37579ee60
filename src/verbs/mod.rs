//! One file per verb: options -> plan -> execute -> outcome.
//!
//! A verb is the only place where rooms meet. It takes plain options, returns
//! plain data, prints nothing, and knows nothing of the command line.

pub mod archive;
mod batons;
mod capture;
pub mod carried;
mod cluster_facts;
pub mod compose;
mod context;
pub mod create;
pub mod draft;
mod error;
pub mod evidence;
pub mod fetch;
pub mod finish;
mod hindrances;
mod identity;
mod job_paths;
pub mod list;
pub mod logs;
pub mod lookup;
mod moved;
pub mod note;
pub mod paste;
mod pointer;
pub mod readers;
pub mod release;
pub mod remote;
pub mod remove;
pub mod resume;
pub mod shards;
pub mod show;
pub mod snapshot;
pub mod start;
pub mod status;
pub mod sweep;
mod sweep_facts;
pub mod sync;
pub mod unlock;
pub mod verify;
pub mod watch;
mod whole;

pub use context::Context;
pub use error::{Error, Wanted};
pub use identity::Identity;
