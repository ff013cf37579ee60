//! A commit of chosen files through an index of our own.
//!
//! The user's index is touched once, and only for the paths that were committed, so whatever the
//! user has staged stays staged. The order is: objects, then the entries in the user's index, then
//! the branch. A sync that is killed in between leaves its files staged at worst, and the journal
//! says so to the next one.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Error;
use super::branch::Move;
use super::choose::{Candidate, Kind};
use super::guard::{self, Limits, Refusal, Refused};
use super::objects::{Blob, Difference, Store, between, differences, each_blob, names};
use crate::git::{Git, GitError, Repository};
use crate::sys::World;
use crate::terms::CommitId;

/// One path of a commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// Relative to the top of the worktree.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// What became of it.
    pub kind: Kind,
}

/// What is ready to be committed, and what was kept back.
pub struct Recorded {
    /// The new commit, if anything is left to commit; no name points to it yet.
    pub commit: Option<CommitId>,
    /// Its paths.
    pub entries: Vec<Entry>,
    /// What the guard kept back.
    pub refused: Vec<Refused>,
}

/// Makes a commit of the candidates on top of `head`; moves nothing.
///
/// `message` hears what is in it.
///
/// # Errors
/// Git says no; then nothing has changed but its store of objects.
pub fn record(
    world: &World,
    repository: &Repository,
    head: &CommitId,
    candidates: Vec<Candidate>,
    limits: &Limits,
    message: impl FnOnce(&[Entry]) -> String,
) -> Result<Recorded, Error> {
    let candidates = let_through_lfs(repository.git(), candidates)?;
    let (candidates, mut refused) = judge(repository.worktree(), candidates, limits);
    if candidates.is_empty() {
        return Ok(Recorded { commit: None, entries: Vec::new(), refused });
    }
    let store = Store::with_own_index(world, repository.git(), repository.git_dir())?;
    store.run(&["read-tree", head.as_str()], None)?;
    let (gone, there): (Vec<&Candidate>, Vec<&Candidate>) =
        candidates.iter().partition(|candidate| candidate.kind == Kind::Deleted);
    // By name alone: a folder above them may be a link now, beyond which git does not look.
    let nothing = Blob::nothing(head.as_str().len());
    store.set_entries(gone.iter().map(|candidate| (candidate.path.as_path(), &nothing)))?;
    let there = names(there.iter().map(|candidate| candidate.path.as_path()));
    store.run(&["update-index", "-z", "--add", "--remove", "--replace", "--stdin"], Some(there))?;
    let kinds: BTreeMap<&Path, Kind> = candidates.iter().map(|c| (c.path.as_path(), c.kind)).collect();
    let staged = staged(&store, head)?;
    let (kept, back) = look_into(&store, repository.worktree(), staged, &kinds, limits, &mut refused)?;
    store.set_entries(back.iter().map(|entry| (entry.path.as_path(), &entry.old)))?;
    let entries: Vec<Entry> = kept.iter().map(Entry::of).collect();
    if entries.is_empty() {
        return Ok(Recorded { commit: None, entries, refused });
    }
    let tree = store.line(&["write-tree"], None)?;
    let text = message(&entries).into_bytes();
    let id = store.line(&["commit-tree", "-p", head.as_str(), "-F", "-", &tree], Some(text))?;
    let commit = id.parse().map_err(|_| GitError::Unreadable { command: "commit-tree", text: id })?;
    Ok(Recorded { commit: Some(commit), entries, refused })
}

/// Moves the branch to a commit that [`record`] made: first the user's index, then the branch.
///
/// It can be called again after it was cut short.
///
/// # Errors
/// [`Error::Moved`] if the branch is not where it was any more; the index is as before then.
pub fn land(world: &World, repository: &Repository, step: &Move) -> Result<(), Error> {
    let store = Store::new(world, repository.git());
    let differences = between(&store, step.old.as_str(), step.new.as_str())?;
    // A path that somebody has staged since we looked is theirs.
    let ours: Vec<&Difference> = {
        let now = entries_of(&store, &differences)?;
        differences.iter().filter(|entry| is_ours(now.get(&entry.path), entry)).collect()
    };
    store.set_entries(ours.iter().map(|entry| (entry.path.as_path(), &entry.new)))?;
    if let Err(error) = step.take(&store, repository, "handover sync: commit", false) {
        store.set_entries(ours.iter().map(|entry| (entry.path.as_path(), &entry.old)))?;
        return Err(error);
    }
    // Git compares these files with the index again; what differs is then a change since.
    let _ = repository.git().try_run(&["update-index", "-q", "--refresh"])?;
    Ok(())
}

impl Entry {
    fn of(difference: &Difference) -> Entry {
        let kind = match (&difference.old, &difference.new) {
            (old, _) if old.is_absent() => Kind::New,
            (_, new) if new.is_absent() => Kind::Deleted,
            _ => Kind::Changed,
        };
        Entry { path: difference.path.clone(), kind }
    }

    #[cfg(test)]
    pub(super) fn named(path: &str) -> Entry {
        Entry { path: PathBuf::from(path), kind: Kind::New }
    }
}

/// What name, kind and size say; the candidates that git stores by pointer, as
/// Git LFS does, are of any kind and size.
fn judge(
    worktree: &Path,
    candidates: Vec<(Candidate, bool)>,
    limits: &Limits,
) -> (Vec<Candidate>, Vec<Refused>) {
    let (by_pointer, plain): (Vec<_>, Vec<_>) = candidates.into_iter().partition(|(_, pointer)| *pointer);
    let (mut kept, refused) =
        guard::judge(worktree, plain.into_iter().map(|(candidate, _)| candidate).collect(), limits);
    kept.extend(by_pointer.into_iter().map(|(candidate, _)| candidate));
    (kept, refused)
}

/// Says of each candidate whether an attribute gives it to Git LFS.
fn let_through_lfs(git: &Git, candidates: Vec<Candidate>) -> Result<Vec<(Candidate, bool)>, GitError> {
    let input = names(candidates.iter().map(|candidate| candidate.path.as_path()));
    if input.is_empty() {
        return Ok(Vec::new());
    }
    // Answers in threes: path, attribute, value.
    let answer = git.run_with_input(&["check-attr", "-z", "--stdin", "filter"], input)?;
    let fields: Vec<&[u8]> = answer.split(|b| *b == 0).collect();
    let lfs: std::collections::BTreeSet<&OsStr> = fields
        .chunks_exact(3)
        .filter(|triple| triple[2] == b"lfs")
        .map(|triple| OsStr::from_bytes(triple[0]))
        .collect();
    let is_lfs = |candidate: &Candidate| lfs.contains(candidate.path.as_os_str());
    Ok(candidates.into_iter().map(|candidate| (is_lfs(&candidate), candidate)).map(|(l, c)| (c, l)).collect())
}

/// What our own index holds that `head` does not.
fn staged(store: &Store, head: &CommitId) -> Result<Vec<Difference>, GitError> {
    let args = ["diff-index", "--cached", "-z", "--raw", "--no-abbrev", "--no-renames", head.as_str(), "--"];
    differences(&store.run(&args, None)?)
}

/// Divides what was stored into what stays in and what comes out again.
fn look_into(
    store: &Store,
    worktree: &Path,
    staged: Vec<Difference>,
    kinds: &BTreeMap<&Path, Kind>,
    limits: &Limits,
    refused: &mut Vec<Refused>,
) -> Result<(Vec<Difference>, Vec<Difference>), Error> {
    let size = |path: &Path| worktree.join(path).symlink_metadata().map_or(0, |metadata| metadata.len());
    let mut verdicts: Vec<Option<Refusal>> = Vec::with_capacity(staged.len());
    for entry in &staged {
        let expected = kinds.get(entry.path.as_path());
        let vanished = entry.new.is_absent() && expected != Some(&Kind::Deleted);
        verdicts.push(if vanished {
            Some(Refusal::Unreadable { why: "it was gone when it was to be stored".to_owned() })
        } else if entry.new.mode == "160000" {
            Some(Refusal::EmbeddedRepository)
        } else {
            None
        });
    }
    let files: Vec<usize> =
        (0..staged.len()).filter(|n| verdicts[*n].is_none() && staged[*n].new.is_file()).collect();
    let blobs: Vec<(&str, u64)> =
        files.iter().map(|n| (staged[*n].new.id.as_str(), size(&staged[*n].path))).collect();
    each_blob(store, &blobs, |number, bytes| {
        let index = files[number];
        let size = crate::terms::Bytes(bytes.len() as u64);
        let large = (size > limits.largest).then_some(Refusal::Large { size, most: limits.largest });
        // One that was let through for its size is still looked into.
        let large = large.and_then(|why| guard::refusal(&staged[index].path, why, limits));
        verdicts[index] = large.map(|refused| refused.why).or_else(|| guard::judge_content(bytes));
    })?;
    let (mut kept, mut back) = (Vec::new(), Vec::new());
    for (entry, verdict) in staged.into_iter().zip(verdicts) {
        match verdict.and_then(|why| guard::refusal(&entry.path, why, limits)) {
            Some(why) => {
                refused.push(why);
                back.push(entry);
            }
            None => kept.push(entry),
        }
    }
    Ok((kept, back))
}

/// What the user's index holds at these paths.
fn entries_of(store: &Store, paths: &[Difference]) -> Result<BTreeMap<PathBuf, Blob>, GitError> {
    let wanted: std::collections::BTreeSet<&Path> = paths.iter().map(|entry| entry.path.as_path()).collect();
    let mut found = BTreeMap::new();
    // `<mode> <id> <stage>\t<path>` (git-ls-files(1)); the whole index, for the
    // paths may be more than a command line takes.
    for record in store.run(&["ls-files", "-s", "-z"], None)?.split(|b| *b == 0) {
        let Some(tab) = record.iter().position(|b| *b == b'\t') else { continue };
        let path = Path::new(OsStr::from_bytes(&record[tab + 1..]));
        if !wanted.contains(path) {
            continue;
        }
        let head = String::from_utf8_lossy(&record[..tab]);
        let mut words = head.split(' ');
        if let (Some(mode), Some(id)) = (words.next(), words.next()) {
            found.insert(path.to_owned(), Blob { mode: mode.to_owned(), id: id.to_owned() });
        }
    }
    Ok(found)
}

/// True if the user's index holds at this path what was there before, or what
/// an earlier try has set; not if somebody has staged something else.
fn is_ours(now: Option<&Blob>, entry: &Difference) -> bool {
    match now {
        None => entry.old.is_absent() || entry.new.is_absent(),
        // `git add --intent-to-add` leaves an empty file where nothing was.
        Some(now) => *now == entry.old || *now == entry.new || (entry.old.is_absent() && is_empty(now)),
    }
}

/// True for the blob of no bytes, in both of git's hashes.
fn is_empty(blob: &Blob) -> bool {
    [
        "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        "473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    ]
    .contains(&blob.id.as_str())
}
