//! One linked worktree, known by more than its path.
//!
//! The main worktree can never be one of these, so that nothing that removes a
//! [`Target`] can remove the repository itself.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::registry::{self, Entry};
use super::{Error, WorktreeId};
use crate::git::{Listed, Repository, list};
use crate::safety::escape_path;
use crate::terms::CommitId;

/// A linked worktree whose directory and registration name each other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its top, through no link.
    pub path: PathBuf,
    /// Its private git directory.
    pub git_dir: PathBuf,
    /// The branch; `None` if HEAD is detached.
    pub branch: Option<String>,
    /// The commit checked out.
    pub head: Option<CommitId>,
    /// The reason of its lock.
    pub locked: Option<String>,
    /// Its id, if we made it.
    pub id: Option<WorktreeId>,
    /// What we wrote down about it.
    pub entry: Option<Entry>,
    /// Device and inode of its top.
    inode: (u64, u64),
}

impl Target {
    /// Finds the worktree of a feature: by its branch, by the name that it was
    /// started under, by its path below `here`, or by the name of its directory.
    ///
    /// # Errors
    /// None or several fit, it is the main one, its directory cannot be seen,
    /// or directory and registration do not name each other.
    pub fn find(repository: &Repository, name: &str, here: &Path) -> Result<Target, Error> {
        let listed = list(repository.git())?;
        let (main, linked) =
            listed.split_first().ok_or_else(|| Error::NoSuchWorktree { name: name.to_owned() })?;
        let wanted = here.join(name);
        let wanted = wanted.canonicalize().unwrap_or(wanted);
        if main.branch.as_deref() == Some(name) || main.path == wanted {
            return Err(Error::Main { path: main.path.clone() });
        }
        let by_branch = |entry: &&Listed| entry.branch.as_deref() == Some(name);
        let by_path = |entry: &&Listed| entry.path == wanted;
        let by_name = |entry: &&Listed| entry.path.file_name() == Some(OsStr::new(name));
        let by_feature = |entry: &&Listed| {
            let id = private_dir(&entry.path).and_then(|dir| registry::id_of(&dir).ok().flatten());
            let ours = id.and_then(|id| registry::entry(repository.common_dir(), &id).ok().flatten());
            ours.is_some_and(|ours| ours.feature == name)
        };
        let tests: [&dyn Fn(&&Listed) -> bool; 4] = [&by_branch, &by_feature, &by_path, &by_name];
        for test in tests {
            let fit: Vec<&Listed> = linked.iter().filter(test).collect();
            match fit.as_slice() {
                [] => {}
                [one] => return Target::of(repository, one),
                several => {
                    let paths = several.iter().map(|entry| escape_path(&entry.path)).collect();
                    return Err(Error::SeveralWorktrees { name: name.to_owned(), paths });
                }
            }
        }
        Err(Error::NoSuchWorktree { name: name.to_owned() })
    }

    /// A listed worktree, after a look at who names whom.
    pub fn of(repository: &Repository, listed: &Listed) -> Result<Target, Error> {
        let path = listed.path.clone();
        let refused = |why: &'static str| Error::NotItself { path: path.clone(), why };
        let metadata = match path.symlink_metadata() {
            Ok(metadata) => metadata,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let branch = listed.branch.clone().unwrap_or_default();
                return Err(Error::NotVisible { branch, path });
            }
            Err(e) => return Err(Error::read(&path, e)),
        };
        if !metadata.is_dir() {
            return Err(refused("it is no directory"));
        }
        let git_dir =
            private_dir(&path).ok_or_else(|| refused("it has no file `.git` that names a git directory"))?;
        if git_dir.parent() != Some(&repository.common_dir().join("worktrees")) {
            return Err(refused("it belongs to another repository"));
        }
        let back = std::fs::read(git_dir.join("gitdir")).map_err(|e| Error::read(&git_dir, e))?;
        let back = PathBuf::from(OsStr::from_bytes(back.strip_suffix(b"\n").unwrap_or(&back)));
        let back = git_dir.join(back);
        if back.canonicalize().ok() != path.join(".git").canonicalize().ok() {
            return Err(refused("its registration names another directory"));
        }
        let id = registry::id_of(&git_dir)?;
        let entry = id.as_ref().map(|id| registry::entry(repository.common_dir(), id)).transpose()?.flatten();
        Ok(Target {
            path,
            git_dir,
            branch: listed.branch.clone(),
            head: listed.head.clone(),
            locked: listed.locked.clone(),
            id,
            entry,
            inode: (metadata.dev(), metadata.ino()),
        })
    }

    /// Makes sure that it is still the same: directory, registration, HEAD, lock.
    pub fn confirm(&self, repository: &Repository) -> Result<(), Error> {
        let listed = list(repository.git())?;
        let now = listed.iter().skip(1).find(|entry| entry.path == self.path);
        let now = now.map(|entry| Target::of(repository, entry)).transpose()?;
        if now.as_ref() == Some(self) {
            return Ok(());
        }
        Err(Error::Moved { path: self.path.clone() })
    }

    /// The device of its file system.
    pub fn device(&self) -> u64 {
        self.inode.0
    }

    /// What people call it.
    pub fn name(&self) -> String {
        let feature = self.entry.as_ref().map(|entry| entry.feature.clone());
        feature.or_else(|| self.branch.clone()).unwrap_or_else(|| escape_path(&self.path))
    }
}

/// The private git directory that the file `.git` in a worktree names.
pub fn private_dir(worktree: &Path) -> Option<PathBuf> {
    let dot_git = worktree.join(".git");
    if !dot_git.symlink_metadata().ok()?.is_file() {
        return None;
    }
    let bytes = std::fs::read(&dot_git).ok()?;
    let named = bytes.strip_prefix(b"gitdir: ")?;
    let named = named.strip_suffix(b"\n").unwrap_or(named);
    worktree.join(OsStr::from_bytes(named)).canonicalize().ok()
}
