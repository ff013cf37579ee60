//! What a sync had begun when it was killed.
//!
//! One small file per worktree, written before anything is touched and removed at the end; the
//! lock is held in between, so whoever finds one holds the proof that its writer is dead.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::branch::Move;
use super::objects::PREFIX;
use super::{Error, advance, record};
use crate::git::Repository;
use crate::sys::{FileError, World, read_regular};
use crate::terms::{Digest, Time};

/// The largest journal that is read, in bytes.
const MOST: usize = 64 * 1024;

/// What was begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// When.
    pub at: Time,
    /// How far it came.
    pub step: Step,
    /// When the file was written last, by the file system's own clock.
    #[serde(skip)]
    pub written: Option<SystemTime>,
}

/// A step that takes more than one write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Nothing that a next one would have to end.
    Begun,
    /// The user's index, then the branch.
    Commit(Move),
    /// Files, index and branch.
    Move(Move),
}

/// The journal of one worktree, opened; [`Journal::close`] ends it.
pub struct Journal<'w> {
    world: &'w World,
    path: PathBuf,
    begun: Begun,
}

/// Where the journal of this worktree is.
fn path(home: &Path, repository: &Repository) -> PathBuf {
    let name = Digest::of(repository.git_dir().as_os_str().as_encoded_bytes()).to_string();
    home.join("sync").join(format!("{}.json", &name[..16]))
}

/// What an earlier sync of this worktree had begun; the lock is held.
///
/// # Errors
/// The file cannot be read. One that makes no sense is taken for [`Step::Begun`]
/// by nobody: it is an error too.
pub fn left_behind(home: &Path, repository: &Repository) -> Result<Option<Begun>, Error> {
    let path = path(home, repository);
    let failed = |e| Error::File(FileError::new("read", &path, e));
    let bytes = match read_regular(&path, MOST) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(failed(std::io::Error::other("it is no regular file of a sensible size"))),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed(e)),
    };
    let mut begun: Begun = serde_json::from_slice(&bytes).map_err(|e| failed(std::io::Error::other(e)))?;
    begun.written = path.symlink_metadata().and_then(|metadata| metadata.modified()).ok();
    Ok(Some(begun))
}

impl<'w> Journal<'w> {
    /// Begins a sync.
    pub fn open(world: &'w World, home: &Path, repository: &Repository) -> Result<Journal<'w>, Error> {
        let path = path(home, repository);
        if let Some(dir) = path.parent() {
            world.files.ensure_dir(dir)?;
        }
        let begun = Begun { at: world.clock.now(), step: Step::Begun, written: None };
        let journal = Journal { world, path, begun };
        journal.write()?;
        Ok(journal)
    }

    /// Says what comes next, before it does.
    pub fn step(&mut self, step: Step) -> Result<(), Error> {
        self.begun.step = step;
        self.write()
    }

    /// Everything that was begun has ended.
    pub fn close(self) -> Result<(), Error> {
        self.world.files.remove_file(&self.path)?;
        Ok(())
    }

    fn write(&self) -> Result<(), Error> {
        let text = serde_json::to_vec(&self.begun)
            .map_err(|e| FileError::new("write", &self.path, std::io::Error::other(e)))?;
        self.world.files.replace(&self.path, &text, 0o600, None)?;
        Ok(())
    }
}

/// Ends what an earlier sync had begun; true if there was something to end.
///
/// # Errors
/// [`Error::InTheWay`]: files that somebody changed since stand in the way.
pub fn recover(world: &World, home: &Path, repository: &Repository, begun: &Begun) -> Result<bool, Error> {
    sweep(world, repository)?;
    let ended = match &begun.step {
        Step::Commit(step) if waits(repository, step)? => {
            record::land(world, repository, step, None)?;
            true
        }
        Step::Move(step) if waits(repository, step)? => {
            advance::finish(world, repository, step)?;
            true
        }
        Step::Begun | Step::Commit(_) | Step::Move(_) => false,
    };
    world.files.remove_file(&path(home, repository))?;
    Ok(ended)
}

/// True if the branch is checked out here and has not gone yet; else it has arrived, or somebody has
/// taken it elsewhere since.
fn waits(repository: &Repository, step: &Move) -> Result<bool, Error> {
    let tip = repository.history().resolve(&step.reference())?;
    let here = repository.git().try_run(&["symbolic-ref", "--quiet", "HEAD"])?;
    Ok(here.text().trim() == step.reference() && tip.as_ref() == Some(&step.old))
}

/// Removes indexes of our own that the dead have left.
fn sweep(world: &World, repository: &Repository) -> Result<(), Error> {
    let Ok(listing) = std::fs::read_dir(repository.git_dir()) else { return Ok(()) };
    for entry in listing.filter_map(Result::ok) {
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(PREFIX)) {
            world.files.remove_file(&entry.path())?;
        }
    }
    Ok(())
}
