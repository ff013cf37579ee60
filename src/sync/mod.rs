//! Carries the work of a worktree to the remote and back, and loses nothing on the way.
//!
//! - [`stand`]: where we are, and whether that is a place from which one may go on.
//! - [`choose`]: which changes travel from this machine, and which stay.
//! - [`guard`]: what no repository should hold, file by file.
//! - [`record`]: a commit through an index of our own, so that what the user staged stays staged.
//! - [`remote`]: fetching, and pushing with the value that was seen.
//! - [`replay`]: our own unpublished commits on top of others', in the object store.
//! - [`advance`]: the branch and its files move together; [`branch`]: the branch alone.
//! - [`notes`]: what people leave for each other.
//! - [`carry`]: documents and batons as refs of the remote.
//! - [`journal`]: what a sync that was killed had begun; [`leftover`]: the locks of git that it left.
//! - [`last`]: what a sync that ended left for somebody to see.
//!
//! Nothing is ever stashed, no shared branch is forced, and no rebase is left in progress.

pub mod advance;
pub mod branch;
pub mod carry;
pub mod choose;
mod error;
pub mod guard;
mod in_place;
pub mod journal;
pub mod last;
pub mod leftover;
mod message;
pub mod notes;
mod objects;
pub mod pair;
pub mod record;
pub mod remote;
pub mod replay;
pub mod stand;

pub use error::Error;
pub use message::message;
