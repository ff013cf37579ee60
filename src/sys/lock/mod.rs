//! The short exclusion while we write: a directory that only its owner empties.
//!
//! A directory with one file inside, whose name says who owns it, is prepared
//! aside and renamed into place; that succeeds only while nothing, or an empty
//! directory, is there. So the lock and its owner appear in one step, and who
//! breaks a dead lock can only remove that owner's own name, never a
//! successor. Kernel locks are not used: on a cluster's file systems they may
//! hang, or exclude nobody.
//!
//! The lock needs no sync: a power loss restarts the machine, and the boot id in the
//! name then proves the owner dead.

mod holder;
mod owner;

pub use holder::Holder;
pub use owner::Owner;

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use rustix::io::Errno;

use self::holder::Note;
use self::owner::{Here, Life};
use super::{Clock, FileError, Files, Stopwatch, World, jittered};
use crate::terms::{Seconds, Time};

/// The name of the lock in our own folder.
const LOCK: &str = "lock";
/// How the names of locks that were never taken begin.
const PREPARED: &str = "lock.tmp.";
/// How often a holder shows that it lives.
const HEARTBEAT: Duration = Duration::from_secs(30);
/// An owner that cannot be looked at loses the lock after this long without a
/// heartbeat, by the clock of the file system.
const LEASE: Duration = Duration::from_secs(600);
/// ... and only after one contender has watched it for this long.
const WATCH: Duration = Duration::from_secs(60);
/// A holder that did not get a heartbeat through for this long gives up.
const OVERDUE: Seconds = Seconds(480);
/// Prepared locks of owners that cannot be looked at are kept this long.
const LITTER: Duration = Duration::from_secs(86_400);

/// A lock that was not taken, or is lost.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Somebody else holds it.
    #[error("cannot {purpose} now: {holder}")]
    Busy {
        /// What the lock was wanted for.
        purpose: String,
        /// Who holds it.
        holder: Box<Holder>,
    },
    /// It was taken away: a person broke it, or this process was stopped for
    /// longer than the lease.
    #[error("the lock was taken away while it was held")]
    Lost,
    /// Nobody holds a lock of that id.
    #[error("nobody holds a lock with the id {}", crate::safety::one_line(id, 40))]
    NoSuch {
        /// The id that was asked for.
        id: String,
    },
    /// What stands in the way was not put there by this program.
    #[error("cannot break the lock: {}", strange(path))]
    Strange {
        /// Where it is.
        path: PathBuf,
    },
    /// The directory of the lock cannot be used.
    #[error(transparent)]
    File(#[from] FileError),
}

/// The lock, held; dropping it gives it back.
#[derive(Debug)]
pub struct Lock {
    files: Files,
    clock: Clock,
    dir: PathBuf,
    name: String,
    last_beat: Arc<AtomicI64>,
    heart: Option<(Sender<()>, JoinHandle<()>)>,
}

/// Takes the lock of the folder `home` (`<git common dir>/handover`), which is
/// made if it is missing.
///
/// `purpose` says for others what it is for, as a verb: `start a worktree`.
/// For `patience` it waits for a holder that may be alive; after a second
/// `on_wait` hears whom it waits for, once for each holder. Dead holders are cleared away.
///
/// # Errors
/// [`LockError::Busy`] once patience has run out; [`LockError::File`].
pub fn acquire(
    world: &World,
    home: &Path,
    purpose: &str,
    patience: Seconds,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<Lock, LockError> {
    world.files.ensure_dir(home)?;
    let mut contender = Contender::prepare(world, home, purpose)?;
    let taken = contender.contend(Duration::from_secs(patience.0), on_wait);
    if taken.is_err() {
        // Whatever is left is swept by the next one.
        let _ = world.files.remove_tree(&contender.prepared);
    }
    taken?;
    contender.sweep();
    Ok(Lock::held(world, contender.dir, contender.name))
}

/// Who holds the lock of `home` now; nobody, as a rule.
pub fn holders(world: &World, home: &Path) -> Result<Vec<Holder>, LockError> {
    let dir = home.join(LOCK);
    let here = Here::look(world);
    Ok(entries(&dir)?.iter().map(|name| Holder::read(&here, &dir, name, world.clock.now())).collect())
}

/// What a file is that lies in a lock and has no name of an owner.
fn strange(path: &Path) -> String {
    format!("{} is in the way, and is no file of this program", crate::safety::escape_path(path))
}

/// Takes the lock away from the holder with this id, dead or alive.
///
/// This is a person's decision; it needs no lock. What is not ours is never removed.
///
/// # Errors
/// [`LockError::NoSuch`] if that holder has gone, [`LockError::Strange`] if it is none;
/// [`LockError::File`].
pub fn break_lock(world: &World, home: &Path, id: &str) -> Result<Holder, LockError> {
    let dir = home.join(LOCK);
    let here = Here::look(world);
    for name in entries(&dir)? {
        let holder = Holder::read(&here, &dir, &name, world.clock.now());
        if holder.id != id {
            continue;
        }
        if let Some(path) = holder.strange {
            return Err(LockError::Strange { path });
        }
        if world.files.remove_file(&dir.join(&name))? {
            let _ = world.files.remove_empty_dir(&dir);
            return Ok(holder);
        }
    }
    Err(LockError::NoSuch { id: id.to_owned() })
}

impl Lock {
    fn held(world: &World, dir: PathBuf, name: String) -> Lock {
        let clock = world.clock;
        let last_beat = Arc::new(AtomicI64::new(clock.now().unix()));
        let (stop, stopped) = channel::<()>();
        let (entry, beat) = (dir.join(&name), Arc::clone(&last_beat));
        // Without a thread there are no heartbeats, and `confirm` says so in time.
        let heart = std::thread::Builder::new().spawn(move || {
            let files = Files::new();
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(HEARTBEAT) {
                if files.touch(&entry).is_ok() {
                    beat.store(clock.now().unix(), Ordering::Relaxed);
                }
            }
        });
        let heart = heart.ok().map(|thread| (stop, thread));
        Lock { files: Files::new(), clock, dir, name, last_beat, heart }
    }

    /// Makes sure that the lock is still ours; to be called before each step
    /// that cannot be taken back.
    ///
    /// # Errors
    /// [`LockError::Lost`]: stop, and change nothing more.
    pub fn confirm(&self) -> Result<(), LockError> {
        let last = Time::from_unix(self.last_beat.load(Ordering::Relaxed));
        let overdue = last.is_none_or(|last| last.age(self.clock.now()) > OVERDUE);
        if overdue || self.files.touch(&self.dir.join(&self.name)).is_err() {
            return Err(LockError::Lost);
        }
        self.last_beat.store(self.clock.now().unix(), Ordering::Relaxed);
        Ok(())
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// [`LockError::Lost`] if it was not ours any more; [`LockError::File`].
    pub fn release(mut self) -> Result<(), LockError> {
        if self.give_back()? { Ok(()) } else { Err(LockError::Lost) }
    }

    fn give_back(&mut self) -> Result<bool, FileError> {
        if let Some((stop, thread)) = self.heart.take() {
            drop(stop);
            let _ = thread.join();
        }
        if self.name.is_empty() {
            return Ok(true);
        }
        let removed = self.files.remove_file(&self.dir.join(std::mem::take(&mut self.name)))?;
        // Somebody may have it already, or may be about to; both are fine.
        let _ = self.files.remove_empty_dir(&self.dir);
        Ok(removed)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // What stays behind is a dead owner's name, which the next one clears away.
        let _ = self.give_back();
    }
}

/// One try to take the lock.
struct Contender<'w> {
    world: &'w World,
    here: Here,
    purpose: String,
    dir: PathBuf,
    prepared: PathBuf,
    name: String,
    watched: Option<Watched>,
}

/// An owner that cannot be looked at, and since when it has not moved.
struct Watched {
    name: OsString,
    beat: SystemTime,
    since: Stopwatch,
}

impl<'w> Contender<'w> {
    fn prepare(world: &'w World, home: &Path, purpose: &str) -> Result<Contender<'w>, FileError> {
        let here = Here::look(world);
        let owner = here.owner(world).map_err(|e| FileError::new("prepare a lock in", home, e))?;
        let name = owner.to_string();
        let contender = Contender {
            world,
            here,
            purpose: purpose.to_owned(),
            dir: home.join(LOCK),
            prepared: home.join(format!("{PREPARED}{name}")),
            name,
            watched: None,
        };
        contender.put_down()?;
        Ok(contender)
    }

    fn put_down(&self) -> Result<(), FileError> {
        self.world.files.create_private_dir(&self.prepared)?;
        let note = Note::of(self.world, &self.purpose);
        self.world.files.write_cache(&self.prepared.join(&self.name), note.line().as_bytes())
    }

    fn contend(&mut self, patience: Duration, on_wait: &mut dyn FnMut(&Holder)) -> Result<(), LockError> {
        let watch = self.world.clock.stopwatch();
        let mut pause = Duration::from_millis(10);
        let mut told = String::new();
        let mut seen_free = 0;
        loop {
            if self.try_once()? {
                return Ok(());
            }
            let Some(holder) = self.clear_the_dead()? else {
                // Free, and not to be had: only a strange file system does that for ever.
                seen_free += 1;
                if seen_free > 1000 {
                    return Err(FileError::new("take the lock", &self.dir, Errno::BUSY.into()).into());
                }
                continue;
            };
            seen_free = 0;
            let waited = watch.elapsed();
            if waited >= Duration::from_secs(1) && told != holder.id {
                on_wait(&holder);
                told.clone_from(&holder.id);
            }
            if waited >= patience {
                return Err(LockError::Busy { purpose: self.purpose.clone(), holder: Box::new(holder) });
            }
            self.world.clock.pause(jittered(pause, 25).min(patience - waited));
            pause = (pause * 2).min(Duration::from_secs(1));
        }
    }

    /// Renames the prepared directory into place; true if the lock is ours.
    fn try_once(&self) -> Result<bool, LockError> {
        let renamed = self.world.files.rename_dir(&self.prepared, &self.dir);
        let Err(error) = renamed else { return Ok(true) };
        // On a network file system an error does not prove that it did not happen.
        if entries(&self.dir)?.iter().any(|name| *name == *self.name) {
            return Ok(true);
        }
        match Errno::from_io_error(&error.source) {
            Some(Errno::NOTEMPTY | Errno::EXIST) => Ok(false),
            Some(Errno::NOENT | Errno::STALE) if !self.prepared.exists() => {
                // Somebody swept it, or cleared the whole folder.
                self.world.files.ensure_dir(self.dir.parent().unwrap_or(&self.dir))?;
                self.put_down()?;
                Ok(false)
            }
            Some(Errno::STALE) => Ok(false),
            _ => Err(error.into()),
        }
    }

    /// Removes the names of dead owners; the holder that may be alive, if one is left.
    fn clear_the_dead(&mut self) -> Result<Option<Holder>, LockError> {
        let mut left: Option<Holder> = None;
        for name in entries(&self.dir)? {
            let owner = Owner::of_file(&name);
            let is_over = match &owner {
                Some(owner) => match self.here.judge(owner) {
                    Life::Dead => true,
                    Life::Alive => false,
                    Life::Unproved => owner.slurm_job.is_none() && self.lease_is_over(&name),
                },
                None => false,
            };
            // A name that we may not remove belongs to somebody else, who counts as alive.
            if is_over && self.world.files.remove_file(&self.dir.join(&name)).is_ok() {
                continue;
            }
            let holder = Holder::read(&self.here, &self.dir, &name, self.world.clock.now());
            // A holder is told rather than what merely lies there.
            if left.is_none() || holder.strange.is_none() {
                left = Some(holder);
            }
        }
        if left.is_none() {
            // Some file systems do not rename over a directory, even an empty one.
            let _ = self.world.files.remove_empty_dir(&self.dir);
        }
        Ok(left)
    }

    /// True if this owner gave no heartbeat for the whole lease, by the clock of
    /// the file system, and did not move while we watched.
    fn lease_is_over(&mut self, name: &OsStr) -> bool {
        let beat_of = |path: &Path| fs::symlink_metadata(path).and_then(|m| m.modified()).ok();
        let Some(beat) = beat_of(&self.dir.join(name)) else { return false };
        let moved = self.watched.as_ref().is_none_or(|seen| seen.name != name || seen.beat != beat);
        if moved {
            self.watched = Some(Watched { name: name.to_owned(), beat, since: self.world.clock.stopwatch() });
        }
        let watched = self.watched.as_ref().map_or(Duration::ZERO, |seen| seen.since.elapsed());
        let own = self.prepared.join(&self.name);
        // The clock of the file system, as the time that it gives to a file of ours.
        let now = self.world.files.touch(&own).ok().and_then(|()| beat_of(&own));
        let silent = now.and_then(|now| now.duration_since(beat).ok()).unwrap_or_default();
        is_forfeited(silent, watched)
    }

    /// Removes prepared locks whose owners died before they could take or remove them.
    fn sweep(&self) {
        let Some(home) = self.dir.parent() else { return };
        let age = |path: &Path| {
            let beat = |path: &Path| fs::symlink_metadata(path).and_then(|m| m.modified()).ok();
            beat(&self.dir)?.duration_since(beat(path)?).ok()
        };
        for name in entries(home).unwrap_or_default() {
            let owner = name.to_str().and_then(|name| name.strip_prefix(PREPARED)?.parse().ok());
            let Some(owner) = owner else {
                continue;
            };
            let path = home.join(&name);
            let is_litter = match self.here.judge(&owner) {
                Life::Dead => true,
                Life::Alive => false,
                Life::Unproved => age(&path).is_some_and(|age| age > LITTER),
            };
            if is_litter {
                let _ = self.world.files.remove_tree(&path);
            }
        }
    }
}

/// True if an owner that cannot be looked at has lost the lock: it gave no
/// heartbeat for the whole lease, and one contender has seen it silent for a while.
fn is_forfeited(silent: Duration, watched: Duration) -> bool {
    silent > LEASE && watched >= WATCH
}

/// The names in a directory; none if it is not there.
fn entries(dir: &Path) -> Result<Vec<OsString>, FileError> {
    let failed = |e| FileError::new("read", dir, e);
    let gone =
        |e: &io::Error| e.kind() == io::ErrorKind::NotFound || Errno::from_io_error(e) == Some(Errno::STALE);
    let listing = match fs::read_dir(dir) {
        Err(e) if gone(&e) => return Ok(Vec::new()),
        listing => listing.map_err(failed)?,
    };
    let mut names = Vec::new();
    for entry in listing {
        match entry {
            Ok(entry) => names.push(entry.file_name()),
            Err(e) if gone(&e) => {}
            Err(e) => return Err(failed(e)),
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_is_forfeited_by_long_silence_that_was_watched_and_by_nothing_less() {
        let minutes = |n: u64| Duration::from_secs(60 * n);
        assert!(is_forfeited(minutes(11), minutes(1)));
        assert!(!is_forfeited(minutes(10), minutes(5)), "a heartbeat within the lease");
        assert!(!is_forfeited(minutes(1_000_000), minutes(0)), "an old file alone proves nothing");
        // A holder notices that it is overdue before anybody may take its lock.
        assert!(Duration::from_secs(OVERDUE.0) + 2 * HEARTBEAT < LEASE);
    }
}
