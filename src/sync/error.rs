use std::path::PathBuf;

use crate::git::{GitError, Operation};
use crate::safety::{escape_path, one_line};
use crate::sys::FileError;
use crate::sys::lock::LockError;

/// A sync that did not happen, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Git did not answer, or said no.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file of our own was not written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The lock is held, or was lost.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// Something that git has begun here has to be ended first.
    #[error("will not sync in the middle of a {operation}")]
    InProgress {
        /// What was begun.
        operation: Operation,
    },
    /// Some files are in conflict.
    #[error("will not sync while files are in conflict: {}", paths(files))]
    Unmerged {
        /// The files.
        files: Vec<PathBuf>,
    },
    /// HEAD is on no branch.
    #[error("will not sync a detached HEAD: there is no branch to carry")]
    Detached,
    /// There is no commit yet.
    #[error("will not sync {}: it has no commit yet", one_line(branch, 80))]
    Unborn {
        /// The branch.
        branch: String,
    },
    /// There is no remote, or several and none was chosen.
    #[error("cannot tell which remote to sync with: {}", why)]
    NoRemote {
        /// What was found.
        why: String,
    },
    /// The branch moved while we worked on it.
    #[error("{} was moved by somebody else meanwhile", one_line(branch, 80))]
    Moved {
        /// The branch.
        branch: String,
    },
    /// A lock of git itself is in the way, and nothing proves that its owner is dead.
    #[error("git is busy here: {} is there", escape_path(path))]
    GitBusy {
        /// The lock.
        path: PathBuf,
    },
    /// A sync that was killed cannot be ended: a file is in the way.
    #[error("an earlier sync was cut short, and cannot be ended: {}", paths(files))]
    InTheWay {
        /// The files, each with changes of somebody else.
        files: Vec<PathBuf>,
    },
}

/// So many files are named in an error.
const NAMED: usize = 5;

pub(super) fn paths(files: &[PathBuf]) -> String {
    let shown: Vec<String> = files.iter().take(NAMED).map(escape_path).collect();
    match files.len().saturating_sub(NAMED) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
