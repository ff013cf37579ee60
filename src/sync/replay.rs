//! Our own unpublished commits on top of others', made in the store of objects: no file and no
//! index is touched, so nothing is ever left half rebased.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::Error;
use super::objects::Store;
use crate::git::{Git, GitError, GitVersion, Repository};
use crate::sys::World;
use crate::terms::CommitId;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replayed {
    /// Everything fits; this is the new tip, and so many commits were rewritten.
    Onto {
        /// The new tip.
        tip: CommitId,
        /// Commits made anew.
        rewritten: usize,
        /// Commits whose changes were there already.
        dropped: usize,
    },
    /// Both were kept as they are, under one merge commit: some of our commits
    /// are merges, or are published elsewhere, and are not rewritten.
    Merged {
        /// The new tip.
        tip: CommitId,
    },
    /// Both sides changed the same lines.
    Conflict {
        /// Our commit that does not fit.
        commit: CommitId,
        /// The files in conflict.
        files: Vec<PathBuf>,
    },
    /// It cannot be tried here.
    Impossible {
        /// Why.
        why: String,
    },
}

/// The first release whose `merge-tree` merges in the store of objects.
pub(super) const MERGES: GitVersion = GitVersion { major: 2, minor: 38 };

/// Puts what `ours` has beyond `theirs` on top of `theirs`.
///
/// # Errors
/// Git failed; nothing has changed but its store of objects.
pub fn replay(
    world: &World,
    repository: &Repository,
    ours: &CommitId,
    theirs: &CommitId,
) -> Result<Replayed, Error> {
    let git = repository.git();
    let version = git.version()?;
    if version < MERGES {
        let why = format!("git {version} cannot merge without touching files; {MERGES} can");
        return Ok(Replayed::Impossible { why });
    }
    if repository.history().merge_base(ours, theirs)?.is_none() {
        return Ok(Replayed::Impossible { why: "the two have no commit in common".to_owned() });
    }
    let store = Store::new(world, git);
    let own = own_commits(git, ours, theirs)?;
    if own.iter().any(|commit| commit.keep) {
        return merge(&store, git, ours, theirs);
    }
    let (mut tip, mut rewritten, mut dropped) = (theirs.clone(), 0, 0);
    let committer = git.line(&["var", "GIT_COMMITTER_IDENT"])?;
    for Own { id, parent, .. } in own {
        let Some(parent) = parent else {
            return Ok(Replayed::Impossible { why: format!("{} has no parent", id.short()) });
        };
        let was_empty = tree_of(git, parent.as_str())? == tree_of(git, id.as_str())?;
        match merge_trees(&store, git, &parent, &tip, &id)? {
            Merged::Clean(tree) if tree == tree_of(git, tip.as_str())? && !was_empty => dropped += 1,
            Merged::Clean(tree) => {
                tip = again(&store, git, &id, &tree, &tip, &committer)?;
                rewritten += 1;
            }
            Merged::Conflict(files) => return Ok(Replayed::Conflict { commit: id, files }),
        }
    }
    Ok(Replayed::Onto { tip, rewritten, dropped })
}

/// One of our commits that the other side does not have.
struct Own {
    id: CommitId,
    parent: Option<CommitId>,
    /// It is not to be rewritten.
    keep: bool,
}

/// What `ours` has beyond `theirs`, oldest first.
fn own_commits(git: &Git, ours: &CommitId, theirs: &CommitId) -> Result<Vec<Own>, GitError> {
    let list = |args: &[&str]| -> Result<Vec<(CommitId, Vec<CommitId>)>, GitError> {
        let text = git.line(args)?;
        let read = |line: &str| {
            let mut ids = line.split(' ').filter_map(|id| id.parse().ok());
            Some((ids.next()?, ids.collect()))
        };
        Ok(text.lines().filter_map(read).collect())
    };
    let not = format!("^{theirs}");
    let all = list(&["rev-list", "--reverse", "--topo-order", "--parents", ours.as_str(), &not])?;
    // Beyond what any remote had at the last look.
    let unpublished = list(&["rev-list", "--parents", ours.as_str(), &not, "--not", "--remotes"])?;
    let is_unpublished = |id: &CommitId| unpublished.iter().any(|(other, _)| other == id);
    Ok(all
        .into_iter()
        .map(|(id, parents)| Own {
            keep: parents.len() > 1 || !is_unpublished(&id),
            parent: parents.into_iter().next(),
            id,
        })
        .collect())
}

pub(super) enum Merged {
    Clean(String),
    Conflict(Vec<PathBuf>),
}

/// The tree in which what `id` does to `base` is done to `onto`.
fn merge_trees(
    store: &Store,
    git: &Git,
    base: &CommitId,
    onto: &CommitId,
    id: &CommitId,
) -> Result<Merged, GitError> {
    // Git works out the base by itself (only 2.40 can be told): a commit with the
    // content of `onto`, whose parent is that base, leaves it no choice.
    let stand_in = store.line(
        &["commit-tree", "-p", base.as_str(), "-F", "-", &tree_of(git, onto.as_str())?],
        Some(b"a stand-in\n".to_vec()),
    )?;
    merged(git, &stand_in, id.as_str())
}

pub(super) fn merged(git: &Git, one: &str, two: &str) -> Result<Merged, GitError> {
    let args = ["merge-tree", "--write-tree", "-z", "--name-only", "--no-messages", one, two];
    let done = git.try_run(&args)?;
    let unreadable = || GitError::Unreadable { command: "merge-tree", text: done.text() };
    let mut fields = done.stdout.split(|b| *b == 0 || *b == b'\n').filter(|field| !field.is_empty());
    match done.code {
        0 => {
            let tree = fields.next().ok_or_else(unreadable)?;
            Ok(Merged::Clean(String::from_utf8_lossy(tree).into_owned()))
        }
        1 => {
            let names = done.stdout.split(|b| *b == 0).skip(1).filter(|name| !name.is_empty());
            Ok(Merged::Conflict(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect()))
        }
        code => Err(GitError::Failed { command: "merge-tree".to_owned(), code, complaint: done.complaint() }),
    }
}

/// One merge commit over both sides.
fn merge(store: &Store, git: &Git, ours: &CommitId, theirs: &CommitId) -> Result<Replayed, Error> {
    match merged(git, ours.as_str(), theirs.as_str())? {
        Merged::Conflict(files) => Ok(Replayed::Conflict { commit: ours.clone(), files }),
        Merged::Clean(tree) => {
            let args = ["commit-tree", "-p", ours.as_str(), "-p", theirs.as_str(), "-F", "-", &tree];
            let text = format!("sync: merge {}\n", theirs.short());
            let id = store.line(&args, Some(text.into_bytes()))?;
            let tip = id.parse().map_err(|_| GitError::Unreadable { command: "commit-tree", text: id })?;
            Ok(Replayed::Merged { tip })
        }
    }
}

fn tree_of(git: &Git, commit: &str) -> Result<String, GitError> {
    git.line(&["rev-parse", "--verify", &format!("{commit}^{{tree}}")])
}

/// The commit once more with another tree and parent: author, date, encoding and
/// every byte of the message stay; a signature does not, for it would be wrong.
fn again(
    store: &Store,
    git: &Git,
    id: &CommitId,
    tree: &str,
    parent: &CommitId,
    committer: &str,
) -> Result<CommitId, GitError> {
    let raw = git.run(&["cat-file", "commit", id.as_str()])?;
    let object = rewritten(&raw, tree, parent.as_str(), committer)
        .ok_or_else(|| GitError::Unreadable { command: "cat-file", text: id.to_string() })?;
    let new = store.line(&["hash-object", "-t", "commit", "-w", "--stdin"], Some(object))?;
    new.parse().map_err(|_| GitError::Unreadable { command: "hash-object", text: new })
}

/// A commit object with other tree, parent and committer (git's `commit.c`: headers, an empty line,
/// the message; a header goes on in lines that begin with a blank).
fn rewritten(raw: &[u8], tree: &str, parent: &str, committer: &str) -> Option<Vec<u8>> {
    let end = raw.windows(2).position(|two| two == b"\n\n")?;
    let (head, message) = (&raw[..=end], &raw[end + 1..]);
    let mut out = format!("tree {tree}\nparent {parent}\n").into_bytes();
    let mut keeps = false;
    for line in head.split_inclusive(|b| *b == b'\n') {
        let is_more = line.starts_with(b" ");
        if line.starts_with(b"author ") {
            out.extend(line);
            out.extend(format!("committer {committer}\n").bytes());
            keeps = false;
        } else if !is_more {
            keeps = line.starts_with(b"encoding ");
            if keeps {
                out.extend(line);
            }
        } else if keeps {
            out.extend(line);
        }
    }
    out.extend(message);
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_made_again_keeps_author_encoding_and_message_and_no_signature() {
        let raw = b"tree 1\nparent 2\nauthor A\xe9 <a@x> 1 +0100\ncommitter B <b@x> 2 +0000\nencoding latin-1\n\
            gpgsig -----BEGIN PGP SIGNATURE-----\n \n abc\n -----END PGP SIGNATURE-----\n\nsubject\n\nbody \xe9\n";
        let new = rewritten(raw, "9", "8", "C <c@x> 3 +0000").unwrap();
        let wanted =
            b"tree 9\nparent 8\nauthor A\xe9 <a@x> 1 +0100\ncommitter C <c@x> 3 +0000\nencoding latin-1\n\
            \nsubject\n\nbody \xe9\n";
        assert_eq!(String::from_utf8_lossy(&new), String::from_utf8_lossy(wanted));
        assert_eq!(rewritten(b"no commit", "9", "8", "C"), None);
    }
}
