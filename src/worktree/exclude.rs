//! Entries in the common `info/exclude`; git reads no other exclude file of a
//! linked worktree.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::Error;
use super::context::{Bytes, TRIES, bytes_of};
use crate::git::Repository;
use crate::sys::World;

const COMMENT: &[u8] = b"# added by handover";

/// The entry that hides exactly this path at the top of every worktree, as a
/// file, directory or link; `None` if no entry can say it.
pub fn entry_for(path: &Path) -> Option<Vec<u8>> {
    let bytes = path.as_os_str().as_bytes();
    if bytes.is_empty() || bytes.iter().any(|b| matches!(b, b'\n' | b'\r' | 0)) {
        return None;
    }
    let mut entry = vec![b'/'];
    for byte in bytes {
        if b"*?[]\\ ".contains(byte) {
            entry.push(b'\\');
        }
        entry.push(*byte);
    }
    Some(entry)
}

/// Adds the entries that are not there yet; true if any was added.
///
/// All other bytes of the file stay as they are.
pub fn ensure(world: &World, repository: &Repository, entries: &[Vec<u8>]) -> Result<bool, Error> {
    change(world, repository, |text| {
        let missing: Vec<&Vec<u8>> = entries.iter().filter(|entry| !has_line(text, entry)).collect();
        if missing.is_empty() {
            return None;
        }
        let mut new = text.to_vec();
        if !new.is_empty() && !new.ends_with(b"\n") {
            new.push(b'\n');
        }
        if !has_line(text, COMMENT) {
            new.extend_from_slice(COMMENT);
            new.push(b'\n');
        }
        for entry in missing {
            new.extend_from_slice(entry);
            new.push(b'\n');
        }
        Some(new)
    })
}

/// Takes an entry away; true if it was there.
pub fn drop(world: &World, repository: &Repository, entry: &[u8]) -> Result<bool, Error> {
    change(world, repository, |text| {
        has_line(text, entry).then(|| {
            text.split_inclusive(|b| *b == b'\n')
                .filter(|line| content(line) != entry)
                .collect::<Vec<_>>()
                .concat()
        })
    })
}

/// True if the entry is there.
pub fn has(repository: &Repository, entry: &[u8]) -> Result<bool, Error> {
    Ok(has_line(&bytes_of(&file(repository))?.text, entry))
}

/// Rewrites the file by compare and swap, as long as `rewrite` wants to.
fn change(
    world: &World,
    repository: &Repository,
    rewrite: impl Fn(&[u8]) -> Option<Vec<u8>>,
) -> Result<bool, Error> {
    let path = file(repository);
    for _ in 0..TRIES {
        let Bytes { text, digest, mode } = bytes_of(&path)?;
        let Some(new) = rewrite(&text) else { return Ok(false) };
        if let Some(dir) = path.parent() {
            world.files.ensure_dir(dir)?;
        }
        if world.files.replace(&path, &new, mode, Some(digest))? {
            return Ok(true);
        }
    }
    Err(Error::Contended { path })
}

/// The file itself where somebody made it a link.
fn file(repository: &Repository) -> PathBuf {
    let path = repository.common_dir().join("info/exclude");
    path.canonicalize().unwrap_or(path)
}

fn has_line(text: &[u8], line: &[u8]) -> bool {
    text.split(|b| *b == b'\n').any(|here| content(here) == line)
}

fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_say_exactly_their_path() {
        assert_eq!(entry_for(Path::new("venv")).unwrap(), b"/venv");
        assert_eq!(entry_for(Path::new("a b/c*[x]?\\")).unwrap(), b"/a\\ b/c\\*\\[x\\]\\?\\\\");
        assert_eq!(entry_for(Path::new("a\nb")), None);
    }
}
