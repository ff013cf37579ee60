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
use super::in_place;
use super::objects::{Blob, Difference, Store, between, each_blob, names, sizes};
use super::stand::Stand;
use crate::git::{GitError, Repository};
use crate::sys::{World, open_regular};
use crate::terms::{Bytes, CommitId};

/// Files of more bytes are not read at once.
const HUGE: u64 = 64 << 20;

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
    /// What the commit changes, path by path.
    pub changes: Vec<Difference>,
}

/// Makes a commit of the candidates on top of the commit on which we stand; moves nothing.
///
/// `message` hears what is in it.
///
/// # Errors
/// Git says no; then nothing has changed but its store of objects.
pub fn record(
    world: &World,
    repository: &Repository,
    stand: &Stand,
    candidates: Vec<Candidate>,
    limits: &Limits,
    message: impl FnOnce(&[Entry]) -> String,
) -> Result<Recorded, Error> {
    let (candidates, mut refused) = guard::judge(repository, candidates, limits)?;
    if candidates.is_empty() {
        return Ok(Recorded { commit: None, entries: Vec::new(), refused, changes: Vec::new() });
    }
    let store = Store::with_own_index(world, repository.git(), repository.git_dir())?;
    store.begin(repository, stand)?;
    let head = &stand.head;
    let (gone, there): (Vec<&Candidate>, Vec<&Candidate>) =
        candidates.iter().partition(|candidate| candidate.kind == Kind::Deleted);
    // By name alone: a folder above them may be a link now, beyond which git does not look.
    let nothing = Blob::nothing(head.as_str().len());
    store.set_entries(gone.iter().map(|candidate| (candidate.path.as_path(), &nothing)))?;
    let there = names(there.iter().map(|candidate| candidate.path.as_path()));
    store.run(&["update-index", "-z", "--add", "--remove", "--replace", "--stdin"], Some(there))?;
    let kinds: BTreeMap<&Path, Kind> = candidates.iter().map(|c| (c.path.as_path(), c.kind)).collect();
    let tree = store.line(&["write-tree"], None)?;
    let staged = between(&store, head.as_str(), &tree)?;
    let (kept, back) = look_into(&store, repository, staged, &kinds, limits, &mut refused)?;
    let entries: Vec<Entry> = kept.iter().map(Entry::of).collect();
    if entries.is_empty() {
        return Ok(Recorded { commit: None, entries, refused, changes: Vec::new() });
    }
    let tree = if back.is_empty() {
        tree
    } else {
        store.set_entries(back.iter().map(|entry| (entry.path.as_path(), &entry.old)))?;
        store.line(&["write-tree"], None)?
    };
    let text = message(&entries).into_bytes();
    let id = store.line(&["commit-tree", "-p", head.as_str(), "-F", "-", &tree], Some(text))?;
    let commit = id.parse().map_err(|_| GitError::Unreadable { command: "commit-tree", text: id })?;
    Ok(Recorded { commit: Some(commit), entries, refused, changes: kept })
}

/// Moves the branch to a commit that [`record`] made: first the user's index, then the branch.
///
/// It can be called again after it was cut short. `untouched` has the changes of the commit if the
/// user's index is known to be as it was when they were chosen; else both are looked up.
///
/// # Errors
/// [`Error::Moved`] if the branch is not where it was any more; the index is as before then.
pub fn land(
    world: &World,
    repository: &Repository,
    step: &Move,
    untouched: Option<Vec<Difference>>,
) -> Result<(), Error> {
    let store = Store::new(world, repository.git());
    let ours: Vec<Difference> = match untouched {
        Some(changes) => changes,
        None => {
            let mut changes = between(&store, step.old.as_str(), step.new.as_str())?;
            // A path that somebody has staged since we looked is theirs.
            let now = entries_of(&store, &changes)?;
            changes.retain(|entry| is_ours(now.get(&entry.path), entry));
            changes
        }
    };
    store.set_entries(ours.iter().map(|entry| (entry.path.as_path(), &entry.new)))?;
    if let Err(error) = step.take(&store, repository, "handover sync: commit", false) {
        store.set_entries(ours.iter().map(|entry| (entry.path.as_path(), &entry.old)))?;
        return Err(error);
    }
    // Git compares these files with the index again; what differs is then a change since.
    refresh(world, repository, &ours)?;
    Ok(())
}

/// Lets git look at these files again: one by one, as long as to find them in the index costs less than
/// to look at all.
fn refresh(world: &World, repository: &Repository, changed: &[Difference]) -> Result<(), GitError> {
    const FEW: usize = 200;
    let git = repository.git();
    if changed.len() > FEW {
        git.try_run(&["update-index", "-q", "--refresh"])?;
        return Ok(());
    }
    // A path that is gone from the index would be an error here.
    let there = changed.iter().filter(|entry| !entry.new.is_absent()).map(|entry| entry.path.as_path());
    let there = names(there);
    if !there.is_empty() {
        let args = ["add", "--refresh", "--pathspec-from-file=-", "--pathspec-file-nul"];
        world.processes.run(&git.spawn(&args).input(there))?;
    }
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

/// Divides what was stored into what stays in and what comes out again.
fn look_into(
    store: &Store,
    repository: &Repository,
    staged: Vec<Difference>,
    kinds: &BTreeMap<&Path, Kind>,
    limits: &Limits,
    refused: &mut Vec<Refused>,
) -> Result<(Vec<Difference>, Vec<Difference>), Error> {
    let mut verdicts: Vec<Option<Refusal>> = Vec::with_capacity(staged.len());
    for entry in &staged {
        let expected = kinds.get(entry.path.as_path());
        let vanished = entry.new.is_absent() && expected != Some(&Kind::Deleted);
        verdicts.push(if vanished {
            Some(Refusal::Unreadable { why: "it was gone when it was to be stored".to_owned() })
        } else if entry.new.is_commit() {
            Some(Refusal::EmbeddedRepository)
        } else {
            None
        });
    }
    let files: Vec<usize> =
        (0..staged.len()).filter(|n| verdicts[*n].is_none() && staged[*n].new.is_file()).collect();
    let Divided { small, huge } = by_size(store, repository.worktree(), &staged, files)?;
    for index in huge {
        verdicts[index] = judge_huge(repository, &staged[index], limits)?;
    }
    let blobs: Vec<(&str, u64)> = small.iter().map(|(n, size)| (staged[*n].new.id.as_str(), *size)).collect();
    each_blob(store, &blobs, |number, bytes| {
        let index = small[number].0;
        verdicts[index] = judge_blob(repository, &staged[index].path, bytes, limits);
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

/// What speaks against one stored file.
fn judge_blob(repository: &Repository, path: &Path, bytes: &[u8], limits: &Limits) -> Option<Refusal> {
    let passes = |why: &Refusal| guard::is_let_through(path, why, limits);
    if guard::is_pointer(bytes) {
        let passes = |why: &Refusal| why.is_spared_by_pointer() || passes(why);
        // Where Git LFS keeps it is what it will send; the file itself where that is configured away.
        let kept = guard::behind(bytes, repository.common_dir()).and_then(|kept| open_regular(&kept).ok()?);
        let file = match kept {
            Some(file) => Ok(Some(file)),
            None => open_regular(&repository.worktree().join(path)),
        };
        return match file {
            Ok(Some(file)) => guard::judge_file(file, passes),
            Ok(None) => Some(Refusal::NotRegular),
            Err(e) => Some(Refusal::Unreadable { why: e.to_string() }),
        };
    }
    let size = Bytes(bytes.len() as u64);
    // One that was let through for its size is still looked into.
    let large = (size > limits.largest).then_some(Refusal::Large { size, most: limits.largest });
    large.filter(|why| !passes(why)).or_else(|| guard::judge_content(bytes, passes))
}

/// What speaks against a file that does not fit into memory: the file itself is read, and has to be
/// what was stored before and after.
fn judge_huge(
    repository: &Repository,
    entry: &Difference,
    limits: &Limits,
) -> Result<Option<Refusal>, Error> {
    let passes = |why: &Refusal| guard::is_let_through(&entry.path, why, limits);
    let path = repository.worktree().join(&entry.path);
    let size = Bytes(path.symlink_metadata().map_or(0, |metadata| metadata.len()));
    let large = Refusal::Large { size, most: limits.largest };
    if !passes(&large) {
        return Ok(Some(large));
    }
    let found = match open_regular(&path) {
        Ok(Some(file)) => guard::judge_file(file, passes),
        Ok(None) => Some(Refusal::NotRegular),
        Err(e) => Some(Refusal::Unreadable { why: e.to_string() }),
    };
    if found.is_none() && in_place::id_of(repository, &entry.path)? != entry.new.id {
        return Ok(Some(Refusal::Unreadable { why: "it changed while it was looked at".to_owned() }));
    }
    Ok(found)
}

/// Stored files by their place in the list: those that are read at once, with about their sizes, and
/// those that do not fit into memory.
struct Divided {
    small: Vec<(usize, u64)>,
    huge: Vec<usize>,
}

fn by_size(
    store: &Store,
    worktree: &Path,
    staged: &[Difference],
    files: Vec<usize>,
) -> Result<Divided, GitError> {
    let size =
        |n: usize| worktree.join(&staged[n].path).symlink_metadata().map_or(0, |metadata| metadata.len());
    let sized = files.into_iter().map(|n| (n, size(n)));
    let (mut small, large): (Vec<_>, Vec<_>) = sized.partition(|(_, size)| *size <= HUGE);
    // What is large here may be stored as little: a pointer.
    let ids: Vec<&str> = large.iter().map(|(n, _)| staged[*n].new.id.as_str()).collect();
    let mut huge = Vec::new();
    for ((n, _), size) in large.iter().zip(sizes(store, &ids)?) {
        if size <= HUGE { small.push((*n, size)) } else { huge.push(*n) }
    }
    Ok(Divided { small, huge })
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
