//! Deletes a directory with all that is in it, and nothing else: no link is
//! followed, no mount point is crossed.

use std::ffi::{CStr, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, open, openat, statat, unlinkat};
use rustix::io::Errno;

/// Why a mount point is left alone.
pub fn is_mounted() -> io::Error {
    io::Error::new(io::ErrorKind::CrossesDevices, "something is mounted there; umount it first")
}

const HOW: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Deletes the directory at `path`; every directory is opened through its
/// parent and must lie on the device of the first.
pub fn remove(path: &Path) -> io::Result<()> {
    let top = open(path, HOW, Mode::empty())?;
    let first = fstat(&top)?;
    empty(&top, &first)?;
    rustix::fs::rmdir(path)?;
    Ok(())
}

fn empty(dir: &OwnedFd, first: &Stat) -> io::Result<()> {
    let mut names = Vec::new();
    for entry in Dir::read_from(dir)? {
        let entry = entry?;
        let name = entry.file_name().to_owned();
        if ![&b"."[..], b".."].contains(&name.to_bytes()) {
            names.push((name, entry.file_type()));
        }
    }
    for (name, kind) in names {
        let is_dir = match kind {
            FileType::Unknown => {
                let stat = statat(dir, &name, AtFlags::SYMLINK_NOFOLLOW)?;
                FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            }
            kind => kind == FileType::Directory,
        };
        if is_dir {
            let inner = open_inside(dir.as_fd(), &name)?;
            if fstat(&inner)?.st_dev != first.st_dev {
                return Err(is_mounted());
            }
            empty(&inner, first).map_err(|e| named(e, &name))?;
        }
        let flags = if is_dir { AtFlags::REMOVEDIR } else { AtFlags::empty() };
        match unlinkat(dir, &name, flags) {
            // A file that is a mount point.
            Err(Errno::BUSY) => return Err(is_mounted()),
            Err(Errno::NOENT) | Ok(()) => {}
            Err(e) => return Err(named(e.into(), &name)),
        }
    }
    Ok(())
}

/// Names the innermost file of an error once.
fn named(error: io::Error, name: &CStr) -> io::Error {
    if error.raw_os_error().is_none() {
        return error;
    }
    let name = crate::safety::escape_path(Path::new(OsStr::from_bytes(name.to_bytes())));
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

#[cfg(target_os = "linux")]
fn open_inside(dir: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
    use rustix::fs::{ResolveFlags, openat2};
    // The kernel itself refuses to cross a mount point, where it can (5.6).
    match openat2(dir, name, HOW, Mode::empty(), ResolveFlags::NO_XDEV) {
        Err(Errno::XDEV) => Err(is_mounted()),
        Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => Ok(openat(dir, name, HOW, Mode::empty())?),
        done => done.map_err(|e| named(e.into(), name)),
    }
}

#[cfg(not(target_os = "linux"))]
fn open_inside(dir: BorrowedFd, name: &CStr) -> io::Result<OwnedFd> {
    openat(dir, name, HOW, Mode::empty()).map_err(|e| named(e.into(), name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_goes_and_what_its_links_lead_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
        std::fs::create_dir_all(tree.join("a/b")).unwrap();
        std::fs::create_dir_all(&outside).unwrap();
        std::fs::write(tree.join("a/b/file"), "x").unwrap();
        std::fs::write(outside.join("file"), "x").unwrap();
        std::os::unix::fs::symlink(&outside, tree.join("a/link")).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists() && outside.join("file").exists());
        assert_eq!(remove(&tree).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
