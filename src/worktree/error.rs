use std::io;
use std::path::{Path, PathBuf};

use super::markers::MarkerError;
use crate::git::GitError;
use crate::safety::{escape_path, one_line};
use crate::sys::FileError;
use crate::sys::lock::LockError;

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
    /// The file is somebody's, and no place in it is marked as ours.
    #[error(
        "will not write {}: it holds text that is not ours, and no marked place for us",
        escape_path(path)
    )]
    Foreign {
        /// The file.
        path: PathBuf,
        /// The two lines that would mark a place for us.
        markers: [String; 2],
    },
    /// The folder of a file that was to be written is not there.
    #[error("cannot write {}: its folder is not there", escape_path(path))]
    NoFolder {
        /// The file.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// Somebody changed what stands between our markers.
    #[error("will not rewrite our part of {}: somebody has changed it", escape_path(path))]
    Edited {
        /// The file.
        path: PathBuf,
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
    /// A feature's name that cannot be a branch.
    #[error("cannot use {} as the name of a feature: {why}", one_line(feature, 80))]
    BadName {
        /// The name.
        feature: String,
        /// What is wrong with it.
        why: String,
    },
    /// There is no commit to start from.
    #[error("cannot start a worktree: the repository has no commit yet")]
    Unborn,
    /// The base names no commit.
    #[error("cannot start from {}: it names no commit here", one_line(base, 80))]
    NoSuchBase {
        /// The base, as it was named.
        base: String,
    },
    /// The branch is checked out in the main worktree.
    #[error("{} is checked out in the main worktree, {}", one_line(branch, 80), escape_path(path))]
    InMain {
        /// The branch.
        branch: String,
        /// The main worktree.
        path: PathBuf,
    },
    /// Something is where the worktree would go.
    #[error("cannot make a worktree at {}: {why}", escape_path(path))]
    Taken {
        /// The place.
        path: PathBuf,
        /// What is there.
        why: &'static str,
    },
    /// Git knows a worktree whose directory cannot be seen from here.
    #[error(
        "the worktree of {} is registered at {}, which cannot be seen from here",
        one_line(branch, 80),
        escape_path(path)
    )]
    NotVisible {
        /// The branch.
        branch: String,
        /// Where it is, or was.
        path: PathBuf,
    },
    /// Files could not be checked out; what this call made is gone again.
    #[error("cannot check out the files of {}: {}", escape_path(path), one_line(complaint, 300))]
    Checkout {
        /// The worktree.
        path: PathBuf,
        /// What git said.
        complaint: String,
    },
    /// Git is still at work in a worktree whose `start` has ended.
    #[error("git is still checking out the files of {}", escape_path(path))]
    StillStarting {
        /// The worktree.
        path: PathBuf,
    },
    /// No linked worktree fits the name.
    #[error("there is no worktree of {}", one_line(name, 80))]
    NoSuchWorktree {
        /// The name.
        name: String,
    },
    /// Several worktrees fit the name.
    #[error("{} may mean several worktrees: {}", one_line(name, 80), paths.join(", "))]
    SeveralWorktrees {
        /// The name.
        name: String,
        /// Their paths, escaped.
        paths: Vec<String>,
    },
    /// The main worktree is never removed.
    #[error("{} is the main worktree, which is never removed", escape_path(path))]
    Main {
        /// Its path.
        path: PathBuf,
    },
    /// Directory and registration do not name each other.
    #[error("{} is not the worktree that git has registered there: {why}", escape_path(path))]
    NotItself {
        /// The directory.
        path: PathBuf,
        /// What does not fit.
        why: &'static str,
    },
    /// It changed between the look and the act.
    #[error("{} changed while it was being looked at; nothing was done", escape_path(path))]
    Moved {
        /// The worktree.
        path: PathBuf,
    },
    /// Something would be lost.
    #[error("will not remove {}: {}", one_line(name, 80), reasons.join("; "))]
    WouldLose {
        /// The worktree.
        name: String,
        /// What would be lost, one reason for each check.
        reasons: Vec<String>,
        /// The names to waive it by, as far as it can be waived.
        waivable: Vec<&'static str>,
        /// What to do instead, for what cannot be waived.
        hints: Vec<String>,
    },
    /// The commits were not brought over; nothing was changed.
    #[error("will not integrate {}: {why}", one_line(name, 80))]
    NotIntegrated {
        /// The feature.
        name: String,
        /// Why not.
        why: String,
        /// What to do about it, with a command.
        hint: String,
    },
    /// Git stopped in the middle, and left its own state.
    #[error(
        "git stopped while it integrated {} in {}: {}",
        one_line(name, 80),
        escape_path(checkout),
        one_line(complaint, 200)
    )]
    Stopped {
        /// The feature.
        name: String,
        /// Where.
        checkout: PathBuf,
        /// What is in progress there, as git's subcommand.
        operation: Option<String>,
        /// What git said.
        complaint: String,
    },
    /// The trash holds no such entry.
    #[error("there is nothing in the trash with the id {id}")]
    NotInTrash {
        /// The id, escaped.
        id: String,
    },
    /// Files that were put aside cannot go back: their places are taken.
    #[error("nothing was put back, since something is there now: {}", shown(places))]
    Occupied {
        /// Which places.
        places: Vec<PathBuf>,
    },
    /// What was put aside cannot be seen, or is another repository's: nothing was done.
    #[error("nothing was done with {id} of the trash: {}", why_not_seen(why))]
    NotSeen {
        /// The entry.
        id: String,
        /// What is not seen and why, in words.
        why: Vec<String>,
    },
    /// It cannot be put back as things are.
    #[error("cannot put {} back: {why}", one_line(name, 80))]
    NotRestored {
        /// The worktree.
        name: String,
        /// What is in the way.
        why: String,
    },
    /// The short exclusion was not to be had.
    #[error(transparent)]
    Lock(#[from] LockError),
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

fn shown(places: &[PathBuf]) -> String {
    some(places.iter().map(escape_path), ", ")
}

fn why_not_seen(why: &[String]) -> String {
    some(why.iter().cloned(), "; ")
}

fn some(all: impl ExactSizeIterator<Item = String>, between: &str) -> String {
    const MOST: usize = 5;
    let more = all.len().saturating_sub(MOST);
    let shown: Vec<String> = all.take(MOST).collect();
    match more {
        0 => shown.join(between),
        more => format!("{} and {more} more", shown.join(between)),
    }
}
