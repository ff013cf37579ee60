//! Git, asked two ways: the `git` program for status and every change,
//! libgit2 for questions about history.
//!
//! Whatever decides about a user's work goes through the program, because
//! libgit2 calls clean sparse and filtered trees dirty, skips hooks, and knows
//! nothing of newer repository formats. A child process costs a millisecond.

mod history;
mod operation;
mod program;
mod repository;
mod status;
mod worktrees;

pub use history::{Divergence, History, Subject, is_branch_name};
pub use operation::{Operation, rebased_branch};
pub use program::{Git, GitError, GitVersion};
pub use repository::Repository;
pub use status::{Change, ChangeKind, Status, Untracked};
pub use worktrees::{Listed, list, parse as parse_worktrees};
