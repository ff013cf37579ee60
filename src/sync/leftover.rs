//! Locks of git itself that a sync which was killed has left.
//!
//! Git removes its locks when it ends and not when it is killed. One of them is put aside only if
//! all of this holds: an earlier sync of this worktree was cut short (its journal is there, and we
//! hold the lock that it held), the lock file is not older than that sync, and no git process works
//! here. It is renamed, never deleted.

use std::path::{Path, PathBuf};
use std::time::Duration;

use walkdir::WalkDir;

use super::Error;
use super::journal::Begun;
use crate::git::Repository;
use crate::sys::{World, nonce};

/// How long we wait for a lock of git that nobody's death explains.
pub const PATIENCE: Duration = Duration::from_secs(10);
/// Clocks of file systems tick in whole seconds at worst.
const SLACK: Duration = Duration::from_secs(2);

/// Puts aside what a dead sync has left; the paths of it.
///
/// # Errors
/// A file that cannot be renamed.
pub fn put_aside(
    world: &World,
    home: &Path,
    repository: &Repository,
    begun: &Begun,
) -> Result<Vec<PathBuf>, Error> {
    let mut moved = Vec::new();
    let Some(since) = begun.written else { return Ok(moved) };
    let since = since.checked_sub(SLACK).unwrap_or(since);
    for lock in locks(repository) {
        let Ok(metadata) = lock.symlink_metadata() else { continue };
        // Both times are the file system's own, whatever clock this machine has.
        if metadata.modified().map_or(true, |made| made < since) {
            continue;
        }
        let dir = home.join("sync").join("locks-put-aside");
        world.files.ensure_dir(&dir)?;
        let name = lock.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let name = format!("{name}.{}", nonce::<4>().unwrap_or_default());
        world.files.rename_new(&lock, &dir.join(name))?;
        moved.push(lock);
    }
    Ok(moved)
}

/// A lock of git that stands in the way of a commit or a move, if there is one.
pub fn in_the_way(repository: &Repository) -> Option<PathBuf> {
    ["index.lock", "HEAD.lock"].iter().map(|name| repository.git_dir().join(name)).find(|path| path.exists())
}

/// Every lock that git can have left in the places that a sync writes to.
fn locks(repository: &Repository) -> Vec<PathBuf> {
    let (own, common) = (repository.git_dir(), repository.common_dir());
    let mut found: Vec<PathBuf> = ["index.lock", "HEAD.lock"].iter().map(|name| own.join(name)).collect();
    found.extend(["packed-refs.lock", "config.lock", "shallow.lock"].iter().map(|name| common.join(name)));
    found.retain(|path| path.exists());
    let walk = WalkDir::new(common.join("refs")).into_iter().filter_map(Result::ok);
    found.extend(
        walk.filter(|entry| entry.file_type().is_file())
            .map(walkdir::DirEntry::into_path)
            .filter(|path| path.extension().is_some_and(|end| end == "lock")),
    );
    found
}
