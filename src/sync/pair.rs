//! Two branches that carry each other's work: one that people work on, and one of a machine.

use std::path::PathBuf;

use super::Error;
use super::objects::Store;
use super::replay::{MERGES, Merged, merged};
use crate::git::{GitError, Repository};
use crate::sys::World;
use crate::terms::CommitId;

/// What both branches can go to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Joined {
    /// One of them has all of the other's commits already, or they are the same: this is the later one.
    Fits(CommitId),
    /// Both have commits of their own: this is a merge commit over both.
    Merged(CommitId),
    /// Both changed the same lines of these files.
    Conflict(Vec<PathBuf>),
    /// It cannot be tried here, and why.
    Impossible(String),
}

/// Joins two tips in the store of objects: no file, no index and no branch is touched.
///
/// # Errors
/// Git failed; nothing has changed but its store of objects.
pub fn join(
    world: &World,
    repository: &Repository,
    work: (&str, &CommitId),
    machine: (&str, &CommitId),
) -> Result<Joined, Error> {
    let history = repository.history();
    let ((work_name, work), (machine_name, machine)) = (work, machine);
    if history.is_ancestor(machine, work)? {
        return Ok(Joined::Fits(work.clone()));
    }
    if history.is_ancestor(work, machine)? {
        return Ok(Joined::Fits(machine.clone()));
    }
    let git = repository.git();
    let version = git.version()?;
    if version < MERGES {
        return Ok(Joined::Impossible(format!(
            "git {version} cannot merge without touching files; {MERGES} can"
        )));
    }
    if history.merge_base(work, machine)?.is_none() {
        return Ok(Joined::Impossible("the two have no commit in common".to_owned()));
    }
    let tree = match merged(git, work.as_str(), machine.as_str())? {
        Merged::Clean(tree) => tree,
        Merged::Conflict(files) => return Ok(Joined::Conflict(files)),
    };
    let store = Store::new(world, git);
    let text = format!("sync: merge {machine_name} into {work_name}\n");
    let args = ["commit-tree", "-p", work.as_str(), "-p", machine.as_str(), "-F", "-", &tree];
    let id = store.line(&args, Some(text.into_bytes()))?;
    let tip = id.parse().map_err(|_| GitError::Unreadable { command: "commit-tree", text: id })?;
    Ok(Joined::Merged(tip))
}
