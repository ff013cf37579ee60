#![expect(clippy::disallowed_methods, reason = "the one place that writes or deletes files")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::{mounts_below, nonce, tree};
use crate::terms::Digest;

/// How the names of files that we have not finished begin.
pub const TEMPORARY_PREFIX: &str = ".handover-tmp.";

/// Writes and deletes files; nothing else in the program may.
///
/// What it says is done survives a crash: bytes are synced before they get
/// their name, and the directory after.
#[derive(Debug, Clone, Default)]
pub struct Files {}

/// A file operation that did not happen.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} {}", crate::safety::escape_path(path))]
pub struct FileError {
    /// What was attempted, as a verb.
    pub action: &'static str,
    /// The file or directory.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

/// What [`Files::sync_dir`] attempts.
const SYNC: &str = "sync directory";

impl FileError {
    /// Wraps the system's answer.
    pub fn new(action: &'static str, path: &Path, source: io::Error) -> FileError {
        FileError { action, path: path.to_owned(), source }
    }

    /// True if something is already there.
    pub fn already_exists(&self) -> bool {
        self.source.kind() == io::ErrorKind::AlreadyExists
    }

    /// True if writing is forbidden here: a sandbox, a read-only file system,
    /// another user's directory. What was written and could not be synced was not forbidden.
    pub fn is_forbidden(&self) -> bool {
        self.action != SYNC
            && matches!(
                self.source.kind(),
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
            )
    }
}

impl Files {
    pub(super) fn new() -> Files {
        Files {}
    }

    /// Makes a directory and its parents, readable as the umask allows.
    pub fn ensure_dir(&self, path: &Path) -> Result<(), FileError> {
        let new = path.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.is_dir()).count();
        if new == 0 {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .create(path)
            .map_err(|e| FileError::new("create directory", path, e))?;
        // Each new name stands in its parent.
        path.ancestors().skip(1).take(new).try_for_each(|parent| self.sync_dir(parent))
    }

    /// Makes one directory that means nothing after a power loss, such as a lock's: without a sync.
    pub fn ensure_passing_dir(&self, path: &Path) -> Result<(), FileError> {
        match DirBuilder::new().create(path) {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => {
                Err(FileError::new("create directory", path, e))
            }
            _ => Ok(()),
        }
    }

    /// Makes one directory that must not exist yet, for the owner alone.
    pub fn create_private_dir(&self, path: &Path) -> Result<(), FileError> {
        DirBuilder::new().mode(0o700).create(path).map_err(|e| FileError::new("create directory", path, e))
    }

    /// Publishes a new file whole, or not at all; never over an existing one.
    ///
    /// The directory is synced too, unless the caller does so after several
    /// files ([`Files::sync_dir`]).
    pub fn create_new(&self, path: &Path, bytes: &[u8], mode: u32, sync_dir: bool) -> Result<(), FileError> {
        let failed = |e| FileError::new("write", path, e);
        let temporary = self.temporary_beside(path, bytes, mode)?;
        let linked = fs::hard_link(&temporary, path);
        let linked = match linked {
            // A file system without links; the rename must not replace anything either.
            Err(e) if has_no_links(&e) => rename_noreplace(&temporary, path),
            done => done,
        };
        let removed = match fs::remove_file(&temporary) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done,
        };
        linked.map_err(failed)?;
        removed.map_err(failed)?;
        if sync_dir { self.sync_parent(path) } else { Ok(()) }
    }

    /// Replaces a file whole, or not at all.
    ///
    /// With `expected`, the digest of the bytes that the caller saw, a file
    /// that changed since is left alone and `Ok(false)` comes back; an absent
    /// file is expected as `None`.
    pub fn replace(
        &self,
        path: &Path,
        bytes: &[u8],
        mode: u32,
        expected: Option<Option<Digest>>,
    ) -> Result<bool, FileError> {
        let failed = |e| FileError::new("write", path, e);
        let temporary = self.temporary_beside(path, bytes, mode)?;
        if let Some(expected) = expected {
            let seen = match fs::read(path) {
                Ok(now) => Some(Digest::of(&now)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => None,
                Err(e) => {
                    let _ = fs::remove_file(&temporary);
                    return Err(failed(e));
                }
            };
            if seen != expected {
                fs::remove_file(&temporary).map_err(failed)?;
                return Ok(false);
            }
        }
        if let Err(e) = fs::rename(&temporary, path) {
            let _ = fs::remove_file(&temporary);
            return Err(failed(e));
        }
        self.sync_parent(path)?;
        Ok(true)
    }

    /// Writes a file that can be made again from others: whole or not at all,
    /// but without waiting for the directory to reach the disk.
    pub fn write_copy(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<(), FileError> {
        let temporary = self.temporary_beside(path, bytes, mode)?;
        fs::rename(&temporary, path).map_err(|e| {
            let _ = fs::remove_file(&temporary);
            FileError::new("write", path, e)
        })
    }

    /// Writes a cache entry: whole or not at all, and never synced, because
    /// losing it loses nothing. What it holds is the true text, so that it
    /// can be compared: nobody but the user reads it (0600), and it never travels.
    pub fn write_cache(&self, path: &Path, bytes: &[u8]) -> Result<(), FileError> {
        let failed = |e| FileError::new("write", path, e);
        let temporary = temporary_name(path).map_err(failed)?;
        let write = || -> io::Result<()> {
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(bytes)?;
            drop(file);
            fs::rename(&temporary, path)
        };
        write().map_err(|e| {
            let _ = fs::remove_file(&temporary);
            failed(e)
        })
    }

    /// Copies a file that may be lost, with the time of its last change; not synced.
    pub fn copy_with_time(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        let copy = || -> io::Result<()> {
            let changed = fs::metadata(from)?.modified()?;
            fs::copy(from, to)?;
            OpenOptions::new().write(true).open(to)?.set_modified(changed)
        };
        copy().map_err(|e| FileError::new("copy to", to, e))
    }

    /// Makes a symbolic link; never over anything.
    pub fn symlink(&self, target: &Path, link: &Path) -> Result<(), FileError> {
        std::os::unix::fs::symlink(target, link).map_err(|e| FileError::new("link", link, e))
    }

    /// Renames without ever replacing what is there.
    pub fn rename_new(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        rename_noreplace(from, to).map_err(|e| FileError::new("rename to", to, e))
    }

    /// Renames a prepared directory onto a path, which succeeds only if nothing
    /// or an empty directory is there: the step that takes a lock.
    pub fn rename_dir(&self, from: &Path, to: &Path) -> Result<(), FileError> {
        fs::rename(from, to).map_err(|e| FileError::new("rename to", to, e))
    }

    /// Deletes one file or link; true if it was there.
    pub fn remove_file(&self, path: &Path) -> Result<bool, FileError> {
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(e) => Err(FileError::new("delete", path, e)),
        }
    }

    /// Deletes an empty directory; true if it was there and empty.
    pub fn remove_empty_dir(&self, path: &Path) -> Result<bool, FileError> {
        match fs::remove_dir(path) {
            Ok(()) => Ok(true),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::DirectoryNotEmpty) => {
                Ok(false)
            }
            Err(e) => Err(FileError::new("delete", path, e)),
        }
    }

    /// Deletes a directory with all that is in it, following no links and
    /// entering nothing that is mounted in it, be it of the same device.
    ///
    /// Only for places that are ours altogether (a trash entry, a temporary
    /// directory): the caller has proved that.
    ///
    /// # Errors
    /// Something is mounted in it: then nothing was deleted, unless it was
    /// mounted in the meantime.
    pub fn remove_tree(&self, path: &Path) -> Result<(), FileError> {
        if let Some(mount) = mounts_below(path).unwrap_or_default().first() {
            return Err(FileError::new("delete", mount, tree::is_mounted()));
        }
        match tree::remove(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
            done => done.map_err(|e| FileError::new("delete", path, e)),
        }
    }

    /// Touches a file's modification time: the heartbeat of a lock.
    pub fn touch(&self, path: &Path) -> Result<(), FileError> {
        use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, UTIME_NOW, utimensat};
        let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
        utimensat(
            CWD,
            path,
            &Timestamps { last_access: now, last_modification: now },
            AtFlags::SYMLINK_NOFOLLOW,
        )
        .map_err(|e| FileError::new("touch", path, e.into()))
    }

    /// Makes the names in a directory survive a crash.
    pub fn sync_dir(&self, path: &Path) -> Result<(), FileError> {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match File::open(path).and_then(|dir| dir.sync_all()) {
            // Some file systems know no sync of directories.
            Err(e) if e.kind() == io::ErrorKind::InvalidInput => Ok(()),
            done => done.map_err(|e| FileError::new(SYNC, path, e)),
        }
    }

    fn sync_parent(&self, path: &Path) -> Result<(), FileError> {
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }

    /// Writes and syncs a temporary file in the directory of `path`.
    fn temporary_beside(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<PathBuf, FileError> {
        let failed = |e| FileError::new("write", path, e);
        let temporary = temporary_name(path).map_err(failed)?;
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
            .open(&temporary)
            .map_err(failed)?;
        let written = file
            .write_all(bytes)
            .and_then(|()| file.set_permissions(fs::Permissions::from_mode(mode)))
            // A full disk or quota may show only here.
            .and_then(|()| file.sync_all());
        if let Err(e) = written {
            let _ = fs::remove_file(&temporary);
            return Err(failed(e));
        }
        Ok(temporary)
    }
}

/// The bytes of a regular file that is no larger than `most`; `None` for
/// anything else. A fifo or a device is not waited for.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn read_regular(path: &Path, most: usize) -> io::Result<Option<Vec<u8>>> {
    let Some(file) = open_regular(path)? else { return Ok(None) };
    let mut bytes = Vec::new();
    file.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() <= most).then_some(bytes))
}

/// Opens a regular file for reading; `None` for anything else. A fifo or a device
/// is not waited for.
///
/// # Errors
/// It is not there, or may not be read.
pub fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path)?;
    Ok(file.metadata()?.is_file().then_some(file))
}

/// What a path led to at once.
pub enum Target {
    /// The file, with what is known of it; `None` if it is no regular one.
    Opened(Option<(File, fs::Metadata)>),
    /// It is a link to this path, and nothing was opened.
    Elsewhere(PathBuf),
}

/// Opens a regular file for reading as [`open_regular`] does, but follows no
/// link: the caller decides by where it leads.
///
/// # Errors
/// As of [`open_regular`].
pub fn open_regular_or_target(path: &Path) -> io::Result<Target> {
    use rustix::fs::OFlags;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    match OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path) {
        Err(e) if rustix::io::Errno::from_io_error(&e) == Some(rustix::io::Errno::LOOP) => {
            Ok(Target::Elsewhere(path.canonicalize()?))
        }
        opened => {
            let file = opened?;
            let metadata = file.metadata()?;
            Ok(Target::Opened(metadata.is_file().then_some((file, metadata))))
        }
    }
}

fn temporary_name(path: &Path) -> io::Result<PathBuf> {
    let name = format!("{TEMPORARY_PREFIX}{}", nonce::<8>()?);
    Ok(path.parent().unwrap_or(Path::new(".")).join(name))
}

/// True if the file system knows no hard links (FUSE, SMB).
fn has_no_links(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS))
}

fn rename_noreplace(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // NFS and others know no such flag: look first, which leaves a race of
        // microseconds that only another tool could lose, since we hold a lock
        // or a random name wherever this matters.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS | rustix::io::Errno::OPNOTSUPP) => {
            match fs::symlink_metadata(to) {
                Ok(_) => Err(io::ErrorKind::AlreadyExists.into()),
                Err(e) if e.kind() == io::ErrorKind::NotFound => fs::rename(from, to),
                Err(e) => Err(e),
            }
        }
        done => Ok(done?),
    }
}
