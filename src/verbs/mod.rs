//! One file per verb: options -> plan -> execute -> outcome.
//!
//! A verb is the only place where rooms meet. It takes plain options, returns
//! plain data, prints nothing, and knows nothing of the command line.

mod context;
mod error;
mod identity;
pub mod snapshot;
pub mod unlock;

pub use context::Context;
pub use error::Error;
pub use identity::Identity;
