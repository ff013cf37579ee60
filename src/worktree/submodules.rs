//! Submodules that are checked out in a worktree; their repositories live in
//! its private git directory and go with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::Error;
use crate::git::Repository;
use crate::safety::escape_path;

/// The submodules that have commits on no remote, or stashes.
pub fn unpushed(tree: &Repository) -> Result<Vec<String>, Error> {
    if !tree.git_dir().join("modules").is_dir() {
        return Ok(Vec::new());
    }
    let listed = tree.git().run(&["ls-files", "--stage", "-z"])?;
    let mut found = Vec::new();
    for path in listed.split(|b| *b == 0).filter_map(submodule) {
        let dir = tree.worktree().join(&path);
        if !dir.join(".git").exists() {
            continue;
        }
        let git = tree.git().at(&dir);
        let own = git.line(&[
            "rev-list",
            "--count",
            "HEAD",
            "--branches",
            "--tags",
            "--glob=refs/stash",
            "--not",
            "--remotes",
        ])?;
        if own != "0" {
            found.push(format!("{}: {own}", escape_path(&path)));
        }
    }
    Ok(found)
}

/// The path of a record `160000 <id> 0\tpath`.
fn submodule(record: &[u8]) -> Option<PathBuf> {
    let rest = record.strip_prefix(b"160000 ")?;
    let tab = rest.iter().position(|b| *b == b'\t')?;
    Some(PathBuf::from(OsStr::from_bytes(&rest[tab + 1..])))
}
