//! Edits that git was told not to see: `skip-worktree`, `assume-unchanged`.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::Error;
use crate::git::{GitError, Repository};
use crate::sys::World;

/// The files with such a mark that are there and differ from the index.
pub fn changes(world: &World, tree: &Repository) -> Result<Vec<PathBuf>, Error> {
    let git = tree.git();
    let listed = git.run(&["ls-files", "-v", "--stage", "-z"])?;
    let marked: Vec<(String, PathBuf)> = listed.split(|b| *b == 0).filter_map(marked).collect();
    // A sparse checkout marks every file that is not there.
    let there: Vec<(String, PathBuf)> = marked
        .into_iter()
        .filter(|(_, path)| tree.worktree().join(path).symlink_metadata().is_ok())
        .collect();
    let mut found = Vec::new();
    for (id, path) in there {
        let full = tree.worktree().join(&path);
        let args = if full.is_symlink() || !full.is_file() {
            // What a link says cannot be hashed by name; it counts as changed.
            None
        } else {
            Some([OsStr::new("hash-object"), OsStr::new("--"), path.as_os_str()])
        };
        let now = match args {
            Some(args) => {
                let done = world.processes.run(&git.spawn(&args)).map_err(GitError::from)?;
                done.text().trim().to_owned()
            }
            None => String::new(),
        };
        if now != id {
            found.push(path);
        }
    }
    Ok(found)
}

/// `S 100644 <id> 0\tpath`; a small letter is `assume-unchanged`, an S `skip-worktree`.
fn marked(record: &[u8]) -> Option<(String, PathBuf)> {
    let tag = *record.first()?;
    if !(tag == b'S' || tag.is_ascii_lowercase()) {
        return None;
    }
    let tab = record.iter().position(|b| *b == b'\t')?;
    let head = std::str::from_utf8(&record[..tab]).ok()?;
    let id = head.split(' ').nth(2)?;
    Some((id.to_owned(), PathBuf::from(OsStr::from_bytes(&record[tab + 1..]))))
}
