//! Worktrees: one per feature, with its own branch, context file and links.
//!
//! A managed worktree has a random id in its private git directory, so that a
//! move or a reused name fools nobody, and an entry under that id in
//! `<git common dir>/handover/worktrees/`.

pub mod block;
pub mod context;
mod error;
mod exclude;
pub mod markers;
pub mod registry;

pub use block::Block;
pub use error::Error;
pub use registry::{Entry, WorktreeId};
