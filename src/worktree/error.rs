use std::io;
use std::path::{Path, PathBuf};

use super::markers::MarkerError;
use crate::git::GitError;
use crate::safety::escape_path;
use crate::sys::FileError;

/// Why something about a worktree was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Git did not answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file could not be read.
    #[error("cannot read {}", escape_path(path))]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The markers of our block are not one pair.
    #[error("cannot find our block in {}", escape_path(path))]
    Markers {
        /// The context file.
        path: PathBuf,
        /// What is wrong with them.
        source: MarkerError,
    },
    /// The context file is something that we do not write through.
    #[error("will not write {}: {why}", escape_path(path))]
    NotAFile {
        /// The context file.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// The project's own rules would let our file be committed.
    #[error(
        "will not write {}: the project's ignore rules take it in, so it could be committed",
        escape_path(path)
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else kept changing the file while we tried to write it.
    #[error("{} changed each time we were about to write it", escape_path(path))]
    Contended {
        /// The file.
        path: PathBuf,
    },
    /// Our own entry of a worktree cannot be read.
    #[error("our entry of a worktree is damaged: {}: {why}", escape_path(path))]
    Damaged {
        /// The entry.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

impl Error {
    pub(super) fn read(path: &Path, source: io::Error) -> Error {
        Error::Read { path: path.to_owned(), source }
    }
}
