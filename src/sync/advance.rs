//! The branch and its files move together to a commit that the object store holds.
//!
//! Git's two-way merge of trees moves index and files and refuses, before anything is touched,
//! where a file has changes of somebody else (git-read-tree(1), "Two Tree Merge"). The branch
//! follows. A sync that is killed in between leaves files of the new commit under the old branch;
//! the journal says so, and [`finish`] ends the move.

use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::path::{Path, PathBuf};

use super::Error;
use super::in_place;
use super::objects::{Difference, Store, between, names};
use crate::git::{GitError, Repository};
use crate::sys::{World, open_regular};
use crate::terms::CommitId;

/// What came of a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// Branch, index and files are at the new commit.
    Done,
    /// Nothing has moved: these files have changes that the move would overwrite.
    InTheWay(Vec<PathBuf>),
}

/// Moves the branch that is checked out here, and its files, from `old` to `new`.
///
/// `replaces` is the name under which the old tip is kept if `new` does not
/// descend from it.
///
/// # Errors
/// [`Error::Moved`] if somebody moved the branch meanwhile.
pub fn advance(
    world: &World,
    repository: &Repository,
    branch: &str,
    old: &CommitId,
    new: &CommitId,
    replaces: Option<&str>,
) -> Result<Moved, Error> {
    let store = Store::new(world, repository.git());
    let differences = between(&store, old.as_str(), new.as_str())?;
    let standing = in_place::look(repository, &differences)?;
    if !standing.others.is_empty() {
        return Ok(Moved::InTheWay(standing.others));
    }
    let same = standing.same;
    store.set_entries(same.iter().map(|entry| (entry.path.as_path(), &entry.new)))?;
    let done = repository.git().try_run(&["read-tree", "-m", "-u", old.as_str(), new.as_str()])?;
    if !done.success() {
        store.set_entries(same.iter().map(|entry| (entry.path.as_path(), &entry.old)))?;
        let files = in_the_way(&String::from_utf8_lossy(&done.stderr));
        if files.is_empty() {
            let (code, complaint) = (done.code, done.complaint());
            return Err(GitError::Failed { command: "read-tree".to_owned(), code, complaint }.into());
        }
        return Ok(Moved::InTheWay(files));
    }
    move_branch(world, repository, branch, old, new, replaces)?;
    Ok(Moved::Done)
}

/// The name under which the tip before the last move is kept, with a log of all
/// earlier ones.
pub fn backup_name(branch: &str) -> String {
    format!("refs/handover/backup/{branch}")
}

/// Moves the branch alone, and keeps where it was.
fn move_branch(
    world: &World,
    repository: &Repository,
    branch: &str,
    old: &CommitId,
    new: &CommitId,
    replaces: Option<&str>,
) -> Result<(), Error> {
    let reference = format!("refs/heads/{branch}");
    let mut input = format!("start\nupdate {reference} {new} {old}\nupdate {} {old}\n", backup_name(branch));
    if let Some(stamp) = replaces {
        // A branch that another one is replaced by keeps its commits reachable.
        input.push_str(&format!("update refs/handover/replaced/{branch}/{stamp} {old}\n"));
    }
    input.push_str("prepare\ncommit\n");
    let store = Store::new(world, repository.git());
    let args = ["update-ref", "--create-reflog", "-m", "handover sync", "--stdin"];
    if let Err(error) = store.run(&args, Some(input.into_bytes())) {
        let now = repository.history().resolve(&reference)?;
        return Err(if now.as_ref() == Some(old) {
            error.into()
        } else {
            Error::Moved { branch: branch.to_owned() }
        });
    }
    Ok(())
}

/// Ends a move that was cut short; the branch is still at `old`.
///
/// Files that are the new ones already, or the beginning of them, are the work
/// of the one who was killed: before it began, none of them had a change.
///
/// # Errors
/// [`Error::InTheWay`] if a file is neither: somebody has worked on it since.
pub fn finish(
    world: &World,
    repository: &Repository,
    branch: &str,
    old: &CommitId,
    new: &CommitId,
    replaces: Option<&str>,
) -> Result<(), Error> {
    let store = Store::new(world, repository.git());
    let mut theirs = Vec::new();
    let mut arrived = Vec::new();
    for entry in between(&store, old.as_str(), new.as_str())? {
        match state(repository, &entry)? {
            State::Old => {}
            State::New => arrived.push(entry),
            State::Half => {
                arrived.push(entry.clone());
                theirs.push((entry.path.clone(), true));
            }
            State::Other => theirs.push((entry.path.clone(), false)),
        }
    }
    let others: Vec<PathBuf> =
        theirs.iter().filter(|(_, ours)| !ours).map(|(path, _)| path.clone()).collect();
    if !others.is_empty() {
        return Err(Error::InTheWay { files: others });
    }
    store.set_entries(arrived.iter().map(|entry| (entry.path.as_path(), &entry.new)))?;
    let half = names(theirs.iter().map(|(path, _)| path.as_path()));
    if !half.is_empty() {
        store.run(&["checkout-index", "--force", "-z", "--stdin"], Some(half))?;
    }
    repository.git().try_run(&["update-index", "-q", "--refresh"])?;
    match advance(world, repository, branch, old, new, replaces)? {
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

fn state(repository: &Repository, entry: &Difference) -> Result<State, Error> {
    let path = repository.worktree().join(&entry.path);
    let exists = path.symlink_metadata().is_ok();
    if !exists {
        return Ok(match (entry.new.is_absent(), entry.old.is_absent()) {
            (true, _) => State::New,
            (_, true) => State::Old,
            // Git deletes before it writes.
            _ => State::Half,
        });
    }
    let id = in_place::id_of(repository, &entry.path)?;
    if id == entry.old.id {
        return Ok(State::Old);
    }
    if id == entry.new.id {
        return Ok(State::New);
    }
    if entry.new.is_file() && is_beginning(repository, &path, entry)? {
        return Ok(State::Half);
    }
    Ok(State::Other)
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
