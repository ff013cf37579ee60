//! Where a sync begins: on a branch with a commit, with nothing begun and nothing in conflict.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use super::Error;
use crate::git::{ChangeKind, Operation, Repository, Status, Untracked};
use crate::terms::CommitId;

/// A place from which one may go on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stand {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Its tip.
    pub head: CommitId,
    /// What differs, file by file.
    pub status: Status,
    /// The user's index as it was before that look.
    pub index: Option<Stamp>,
}

/// What tells one state of a file that is always replaced as a whole from the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    inode: u64,
    size: u64,
    seconds: i64,
    nanoseconds: i64,
}

impl Stamp {
    /// The index of this worktree, if there is one.
    pub fn of_index(repository: &Repository) -> Option<Stamp> {
        let metadata = repository.git_dir().join("index").symlink_metadata().ok()?;
        Some(Stamp {
            inode: metadata.ino(),
            size: metadata.size(),
            seconds: metadata.mtime(),
            nanoseconds: metadata.mtime_nsec(),
        })
    }
}

impl Stand {
    /// The full name of the branch.
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }
}

/// Looks; changes nothing.
///
/// # Errors
/// A state in which a commit or a move would do harm.
pub fn look(repository: &Repository) -> Result<Stand, Error> {
    if let Some(operation) = Operation::in_progress(repository.git_dir()) {
        return Err(Error::InProgress { operation });
    }
    let index = Stamp::of_index(repository);
    let status = Status::of(repository.git(), Untracked::Files)?;
    let unmerged: Vec<PathBuf> = status
        .changes
        .iter()
        .filter(|change| change.kind == ChangeKind::Unmerged)
        .map(|change| change.path.clone())
        .collect();
    if !unmerged.is_empty() {
        return Err(Error::Unmerged { files: unmerged });
    }
    let branch = status.branch.clone().ok_or(Error::Detached)?;
    let head = status.head.clone().ok_or_else(|| Error::Unborn { branch: branch.clone() })?;
    Ok(Stand { branch, head, status, index })
}
