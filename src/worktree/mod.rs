//! Worktrees: one per feature, with its own branch, context file and links.
//!
//! A managed worktree has a random id in its private git directory, so that a
//! move or a reused name fools nobody, and an entry under that id in
//! `<git common dir>/handover/worktrees/`.

pub mod base;
pub mod block;
pub mod board;
pub mod context;
pub mod create;
mod error;
mod exclude;
pub mod fenced;
mod hidden;
mod ignored;
mod inside;
pub mod integrate;
mod keepers;
pub mod landing;
pub mod markers;
mod naming;
mod notes;
pub mod occupants;
pub mod put_aside;
pub mod registry;
pub mod removal;
pub mod share;
mod submodules;
pub mod target;
pub mod trash;

pub use block::Block;
pub use error::Error;
pub use occupants::inside as processes_inside;
pub use registry::{Entry, WorktreeId};
pub use target::{Target, private_dir};
