//! Plumbing: git with an index of our own, and blobs read in batches.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Error;
use super::stand::{Stamp, Stand};
use crate::git::{Change, Git, GitError, Repository};
use crate::sys::{Spawn, World, nonce};

/// How our indexes are called, in the worktree's git directory.
pub(super) const PREFIX: &str = "handover-sync-index.";
/// So many bytes of blobs are read by one question.
const BATCH: u64 = 16 << 20;
/// How long git may take, for a file of many GB has to go through a filter.
const LIMIT: Duration = Duration::from_secs(900);
/// What we store is on the disk before a name points to it; one wait for many
/// files. Releases before 2.36 pass over both settings.
const DURABLE: [&str; 4] = ["-c", "core.fsync=all", "-c", "core.fsyncMethod=batch"];

/// One blob of a tree or an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// Git's mode in octal digits; `000000` where there is none.
    pub mode: String,
    /// Its id; zeros where there is none.
    pub id: String,
}

impl Blob {
    /// What stands for a path that is not there; ids have so many digits.
    pub fn nothing(digits: usize) -> Blob {
        Blob { mode: "000000".to_owned(), id: "0".repeat(digits) }
    }

    /// What git stores in no way: a pipe, a folder.
    pub fn strange() -> Blob {
        Blob { mode: String::new(), id: String::new() }
    }

    /// True if nothing is there.
    pub fn is_absent(&self) -> bool {
        self.mode == "000000"
    }

    /// True if it is the commit of a submodule.
    pub fn is_commit(&self) -> bool {
        self.mode == "160000"
    }

    /// True if it is a file with content, and no link and no commit of a submodule.
    pub fn is_file(&self) -> bool {
        self.mode.starts_with("100")
    }
}

/// One path that differs between two trees, or a tree and an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Relative to the top.
    pub path: PathBuf,
    /// Before.
    pub old: Blob,
    /// After.
    pub new: Blob,
}

/// Git, with what it stores brought to the disk, and perhaps an index of our own.
pub(super) struct Store<'w> {
    world: &'w World,
    git: Git<'w>,
    index: Option<PathBuf>,
}

impl<'w> Store<'w> {
    /// Git with the index of the worktree.
    pub fn new(world: &'w World, git: &Git<'w>) -> Store<'w> {
        Store { world, git: git.clone(), index: None }
    }

    /// Git with a new, empty index of our own, which goes when this goes.
    pub fn with_own_index(world: &'w World, git: &Git<'w>, git_dir: &Path) -> Result<Store<'w>, Error> {
        let name = nonce::<8>().map_err(|e| crate::sys::FileError::new("name", git_dir, e))?;
        Ok(Store { world, git: git.clone(), index: Some(git_dir.join(format!("{PREFIX}{name}"))) })
    }

    /// Lets our own index begin as what `stand` was seen on.
    ///
    /// A copy of the user's index, which has the times of all files already, if nothing is staged there;
    /// else what the trees of HEAD hold.
    pub fn begin(&self, repository: &Repository, stand: &Stand) -> Result<(), Error> {
        let Some(own) = &self.index else { return Ok(()) };
        let is_split =
            |entry: std::fs::DirEntry| entry.file_name().to_string_lossy().starts_with("sharedindex.");
        let has_split = std::fs::read_dir(repository.git_dir())
            .is_ok_and(|mut listing| listing.any(|entry| entry.is_ok_and(is_split)));
        let is_head = stand.index.is_some() && !stand.status.changes.iter().any(Change::is_staged);
        if is_head && !has_split {
            // Git tells by the time of the index which files it has to look into.
            self.world.files.copy_with_time(&repository.git_dir().join("index"), own)?;
            if stand.index == Stamp::of_index(repository) {
                return Ok(());
            }
        }
        Ok(self.run(&["read-tree", stand.head.as_str()], None).map(|_| ())?)
    }

    fn spawn(&self, args: &[&str]) -> Spawn {
        let words: Vec<&str> = DURABLE.iter().chain(args).copied().collect();
        let spawn = self.git.spawn(&words).cap(256 << 20).limit(LIMIT);
        match &self.index {
            Some(index) => spawn.set("GIT_INDEX_FILE", index.as_os_str()),
            None => spawn,
        }
    }

    /// Runs git and expects success.
    pub fn run(&self, args: &[&str], input: Option<Vec<u8>>) -> Result<Vec<u8>, GitError> {
        let spawn = self.spawn(args);
        let spawn = match input {
            Some(input) => spawn.input(input),
            None => spawn,
        };
        let done = self.world.processes.run(&spawn)?;
        if done.success() && !done.cut {
            return Ok(done.stdout);
        }
        let complaint = if done.cut { "its answer is too long".to_owned() } else { done.complaint() };
        let command = args.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        Err(GitError::Failed { command, code: done.code, complaint })
    }

    /// As [`Store::run`], for an answer of one line.
    pub fn line(&self, args: &[&str], input: Option<Vec<u8>>) -> Result<String, GitError> {
        let answer = self.run(args, input)?;
        Ok(String::from_utf8_lossy(&answer).trim_end_matches('\n').to_owned())
    }

    /// Sets entries of the index: each path to a blob, or to nothing.
    pub fn set_entries<'e>(
        &self,
        entries: impl IntoIterator<Item = (&'e Path, &'e Blob)>,
    ) -> Result<(), GitError> {
        let mut input = Vec::new();
        for (path, blob) in entries {
            input
                .extend(format!("{} {}\t", if blob.is_absent() { "0" } else { &blob.mode }, blob.id).bytes());
            input.extend(path.as_os_str().as_bytes());
            input.push(0);
        }
        if input.is_empty() {
            return Ok(());
        }
        self.run(&["update-index", "-z", "--index-info"], Some(input)).map(|_| ())
    }
}

impl Drop for Store<'_> {
    fn drop(&mut self) {
        if let Some(index) = &self.index {
            // What stays behind is swept by the next sync.
            let _ = self.world.files.remove_file(index);
        }
    }
}

/// Paths as git reads them with `-z`.
pub(super) fn names<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Vec<u8> {
    let mut names = Vec::new();
    for path in paths {
        names.extend(path.as_os_str().as_bytes());
        names.push(0);
    }
    names
}

/// Reads what `diff-tree` and `diff-index` write with `--raw -z --no-abbrev --no-renames`:
/// `:100644 100644 <old> <new> M`, then the path (git-diff-index(1), "Raw output format").
pub(super) fn differences(bytes: &[u8]) -> Result<Vec<Difference>, GitError> {
    let mut fields = bytes.split(|b| *b == 0).filter(|field| !field.is_empty());
    let mut found = Vec::new();
    while let Some(head) = fields.next() {
        let text = String::from_utf8_lossy(head);
        let read = || {
            let mut words = text.strip_prefix(':')?.split(' ');
            let (old_mode, new_mode) = (words.next()?, words.next()?);
            let (old, new) = (words.next()?, words.next()?);
            words.next()?;
            let blob = |mode: &str, id: &str| Blob { mode: mode.to_owned(), id: id.to_owned() };
            Some((blob(old_mode, old), blob(new_mode, new)))
        };
        let path = fields.next();
        let (Some((old, new)), Some(path)) = (read(), path) else {
            return Err(GitError::Unreadable { command: "diff", text: text.into_owned() });
        };
        found.push(Difference { path: PathBuf::from(OsStr::from_bytes(path)), old, new });
    }
    Ok(found)
}

/// What differs between two trees or commits.
pub(super) fn between(store: &Store, old: &str, new: &str) -> Result<Vec<Difference>, GitError> {
    let form = ["diff-tree", "-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--no-commit-id"];
    let args = [&form[..], &["--ignore-submodules=none", old, new]].concat();
    differences(&store.run(&args, None)?)
}

/// How large objects are, in bytes; of one that is not there, as large as can be.
pub(super) fn sizes(store: &Store, ids: &[&str]) -> Result<Vec<u64>, GitError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let input = ids.iter().map(|id| format!("{id}\n")).collect::<String>().into_bytes();
    let sizes = store.run(&["cat-file", "--batch-check=%(objectsize)"], Some(input))?;
    Ok(String::from_utf8_lossy(&sizes).lines().map(|size| size.parse().unwrap_or(u64::MAX)).collect())
}

/// Reads blobs in turn, at most so much at once as fits into memory; `sizes` are
/// about what each one takes.
pub(super) fn each_blob(
    store: &Store,
    blobs: &[(&str, u64)],
    mut seen: impl FnMut(usize, &[u8]),
) -> Result<(), GitError> {
    let mut from = 0;
    while from < blobs.len() {
        let mut sum = 0;
        let count = blobs[from..]
            .iter()
            .take_while(|(_, size)| {
                let fits = sum == 0 || sum + size <= BATCH;
                sum += size;
                fits
            })
            .count();
        let to = from + count.max(1);
        let input: String = blobs[from..to].iter().map(|(id, _)| format!("{id}\n")).collect();
        let answer = store.run(&["cat-file", "--batch"], Some(input.into_bytes()))?;
        let mut rest = answer.as_slice();
        for number in from..to {
            let unreadable = || GitError::Unreadable {
                command: "cat-file",
                text: String::from_utf8_lossy(&rest[..rest.len().min(80)]).into_owned(),
            };
            let end = rest.iter().position(|b| *b == b'\n').ok_or_else(unreadable)?;
            let head = String::from_utf8_lossy(&rest[..end]).into_owned();
            let size: usize =
                head.rsplit(' ').next().and_then(|size| size.parse().ok()).ok_or_else(unreadable)?;
            let content = rest.get(end + 1..end + 1 + size).ok_or_else(unreadable)?;
            seen(number, content);
            rest = rest.get(end + 2 + size..).unwrap_or_default();
        }
        from = to;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_differences_are_read_and_what_is_cut_is_refused() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(":100644 100755 {a} {b} M\0with\nline\0:000000 120000 {a} {b} A\0l\0");
        let found = differences(text.as_bytes()).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].new.mode.as_str(), found[0].path.to_str()), ("100755", Some("with\nline")));
        assert!(found[1].old.is_absent() && !found[1].new.is_file());
        assert!(differences(format!(":100644 100755 {a} {b} M\0").as_bytes()).is_err());
        assert!(differences(b"x\0y\0").is_err());
    }
}
