//! The branch and its files move together to a commit that the object store holds.
//!
//! Git's two-way merge of trees moves index and files and refuses, before anything is touched,
//! where a file has changes of somebody else (git-read-tree(1), "Two Tree Merge"). The branch
//! follows. A sync that is killed in between leaves files of the new commit under the old branch;
//! the journal says so, and [`finish`] ends the move.

use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Error;
use super::branch::Move;
use super::in_place;
use super::objects::{Blob, Difference, Store, between, names};
use crate::git::{GitError, Repository};
use crate::sys::{World, open_regular};

/// What came of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// Branch, index and files are at the new commit.
    Done,
    /// Nothing has moved: these files have changes that the move would overwrite.
    InTheWay(Vec<PathBuf>),
}

/// Moves the branch that is checked out here, with its files.
///
/// # Errors
/// [`Error::Moved`] if somebody moved the branch meanwhile.
pub fn advance(world: &World, repository: &Repository, step: &Move) -> Result<Moved, Error> {
    let (old, new) = (step.old.as_str(), step.new.as_str());
    let store = Store::new(world, repository.git());
    let differences = between(&store, old, new)?;
    let standing = in_place::look(repository, &differences)?;
    if !standing.others.is_empty() {
        return Ok(Moved::InTheWay(standing.others));
    }
    let same = standing.same;
    if !same.is_empty() {
        store.set_entries(same.iter().map(|entry| (entry.path.as_path(), &entry.new)))?;
        // Git looks at the times of files where a folder comes in a file's place.
        repository.git().try_run(&["update-index", "-q", "--refresh"])?;
    }
    let done = repository.git().try_run(&["read-tree", "--no-recurse-submodules", "-m", "-u", old, new])?;
    if !done.success() {
        store.set_entries(same.iter().map(|entry| (entry.path.as_path(), &entry.old)))?;
        let files = in_the_way(&String::from_utf8_lossy(&done.stderr));
        if files.is_empty() {
            let (code, complaint) = (done.code, done.complaint());
            return Err(GitError::Failed { command: "read-tree".to_owned(), code, complaint }.into());
        }
        return Ok(Moved::InTheWay(files));
    }
    step.take(&store, repository, "handover sync", true)?;
    Ok(Moved::Done)
}

/// Ends a move that was cut short; the branch is still where it was.
///
/// Files that are the new ones already, or the beginning of them, are the work
/// of the one who was killed: before it began, none of them had a change.
///
/// # Errors
/// [`Error::InTheWay`] if a file is neither: somebody has worked on it since.
pub fn finish(world: &World, repository: &Repository, step: &Move) -> Result<(), Error> {
    let store = Store::new(world, repository.git());
    let minds_modes = repository.git().config("core.fileMode")?.as_deref() != Some("false");
    let (mut half, mut others, mut arrived) = (Vec::new(), Vec::new(), Vec::new());
    for entry in between(&store, step.old.as_str(), step.new.as_str())? {
        match state(repository, &entry, minds_modes)? {
            State::Old => {}
            State::New => arrived.push(entry),
            State::Half => {
                half.push(entry.path.clone());
                arrived.push(entry);
            }
            State::Other => others.push(entry.path),
        }
    }
    if !others.is_empty() {
        return Err(Error::InTheWay { files: others });
    }
    store.set_entries(arrived.iter().map(|entry| (entry.path.as_path(), &entry.new)))?;
    let half = names(half.iter().map(PathBuf::as_path));
    if !half.is_empty() {
        store.run(&["checkout-index", "--force", "-z", "--stdin"], Some(half))?;
    }
    repository.git().try_run(&["update-index", "-q", "--refresh"])?;
    match advance(world, repository, step)? {
        Moved::Done => Ok(()),
        Moved::InTheWay(files) => Err(Error::InTheWay { files }),
    }
}

/// Which side of a move a file is on.
enum State {
    Old,
    New,
    /// The beginning of the new content: somebody was killed while writing it.
    Half,
    Other,
}

fn state(repository: &Repository, entry: &Difference, minds_modes: bool) -> Result<State, Error> {
    // The commit of a submodule is a line of the index; git leaves its files alone.
    if entry.old.is_commit() || entry.new.is_commit() {
        return Ok(State::Old);
    }
    let Some(metadata) = standing(repository.worktree(), &entry.path) else {
        return Ok(match (entry.new.is_absent(), entry.old.is_absent()) {
            (true, _) => State::New,
            (_, true) => State::Old,
            // Git deletes before it writes.
            _ => State::Half,
        });
    };
    let here = in_place::blob_of(repository, &entry.path, &metadata)?;
    let is = |there: &Blob| {
        let mode = here.mode == there.mode || (!minds_modes && here.is_file() && there.is_file());
        mode && here.id == there.id
    };
    if is(&entry.old) {
        return Ok(State::Old);
    }
    if is(&entry.new) {
        return Ok(State::New);
    }
    let path = repository.worktree().join(&entry.path);
    if entry.new.is_file() && is_beginning(repository, &path, entry)? {
        return Ok(State::Half);
    }
    Ok(State::Other)
}

/// What lies at a path of a tree: nothing, if that is a folder or lies beyond a link, for git tracks
/// no folders and looks beyond no links.
fn standing(worktree: &Path, path: &Path) -> Option<Metadata> {
    let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
    let is_link = |above: &Path| worktree.join(above).symlink_metadata().is_ok_and(|m| m.is_symlink());
    if above.into_iter().any(is_link) {
        return None;
    }
    worktree.join(path).symlink_metadata().ok().filter(|metadata| !metadata.is_dir())
}

/// True if the file holds a beginning of what git would write there.
fn is_beginning(repository: &Repository, path: &Path, entry: &Difference) -> Result<bool, Error> {
    let mut name = OsString::from("--path=");
    name.push(&entry.path);
    let args: [&OsStr; 4] = ["cat-file".as_ref(), "--filters".as_ref(), &name, entry.new.id.as_ref()];
    let Ok(whole) = repository.git().run(&args) else { return Ok(false) };
    let mut here = Vec::new();
    let Ok(Some(file)) = open_regular(path) else { return Ok(false) };
    let read = file.take(whole.len() as u64 + 1).read_to_end(&mut here);
    Ok(read.is_ok() && here.len() < whole.len() && whole.starts_with(&here))
}

/// The files that git names as standing in the way of a move.
fn in_the_way(errors: &str) -> Vec<PathBuf> {
    errors
        .lines()
        .filter_map(|line| {
            let line = line.strip_prefix("error: ").or_else(|| line.strip_prefix("fatal: ")).unwrap_or(line);
            let entry = line
                .strip_prefix("Entry '")
                .or_else(|| line.strip_prefix("Untracked working tree file '"))?;
            let end = entry.rfind('\'')?;
            Some(PathBuf::from(&entry[..end]))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_in_the_way_are_those_that_git_names() {
        let errors = "error: Entry 'a b' not uptodate. Cannot merge.\n\
            error: Untracked working tree file 'it's' would be overwritten by merge.\nfatal: no\n";
        assert_eq!(in_the_way(errors), ["a b", "it's"].map(PathBuf::from));
        assert!(in_the_way("fatal: unable to write new index file").is_empty());
    }
}
