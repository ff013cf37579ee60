use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Git, GitError, History};
use crate::sys::World;

/// A repository, seen from one of its worktrees.
#[derive(Clone)]
pub struct Repository<'w> {
    git: Git<'w>,
    worktree: PathBuf,
    git_dir: PathBuf,
    common_dir: PathBuf,
    is_shallow: bool,
}

impl<'w> Repository<'w> {
    /// Finds the repository and the worktree that `dir` is in.
    ///
    /// # Errors
    /// [`GitError::NotARepository`], or [`GitError::Bare`] outside a worktree.
    pub fn discover(world: &'w World, dir: &Path) -> Result<Repository<'w>, GitError> {
        let git = Git::new(world, dir);
        let finished = git.try_run(&[
            "rev-parse",
            "--is-shallow-repository",
            "--absolute-git-dir",
            "--git-common-dir",
            "--is-inside-work-tree",
            "--show-toplevel",
        ])?;
        // Paths may hold newlines; then the count of lines is off, and we stop
        // rather than take a wrong path.
        let lines: Vec<&[u8]> =
            finished.stdout.strip_suffix(b"\n").unwrap_or(&finished.stdout).split(|b| *b == b'\n').collect();
        match lines.as_slice() {
            [shallow, git_dir, common_dir, b"true", worktree] if finished.success() => {
                let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
                let common_dir = dir.join(path(common_dir));
                let common_dir = common_dir.canonicalize().unwrap_or(common_dir);
                let worktree = path(worktree);
                Ok(Repository {
                    git: git.at(&worktree),
                    worktree,
                    git_dir: path(git_dir),
                    common_dir,
                    is_shallow: *shallow == b"true",
                })
            }
            [_, _, _, b"false", ..] => Err(GitError::Bare { dir: dir.to_owned() }),
            _ if finished.success() => {
                Err(GitError::Unreadable { command: "rev-parse", text: finished.text() })
            }
            // Git also fails for a repository of another owner; its words are the better ones.
            _ if finished.complaint().contains("dubious ownership")
                || String::from_utf8_lossy(&finished.stderr).contains("safe.directory") =>
            {
                Err(GitError::Failed {
                    command: "rev-parse".into(),
                    code: finished.code,
                    complaint: String::from_utf8_lossy(&finished.stderr)
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned(),
                })
            }
            _ => Err(GitError::NotARepository { dir: dir.to_owned() }),
        }
    }

    /// The same repository, seen from a worktree that git has just made at `path`.
    ///
    /// # Errors
    /// As [`Repository::discover`], which answers where git's link is of an unknown form.
    pub fn at_new(&self, world: &'w World, path: &Path) -> Result<Repository<'w>, GitError> {
        let link = std::fs::read(path.join(".git")).ok();
        let git_dir = link.as_deref().and_then(|link| link.strip_prefix(b"gitdir: "));
        let git_dir = git_dir.map(|dir| PathBuf::from(OsStr::from_bytes(dir.trim_ascii_end())));
        // Relative, where the user wants links that survive a move.
        match git_dir
            .filter(|dir| dir.is_absolute() && dir.parent() == Some(&self.common_dir.join("worktrees")))
        {
            Some(git_dir) => Ok(Repository {
                git: self.git.at(path),
                worktree: path.to_owned(),
                git_dir,
                common_dir: self.common_dir.clone(),
                is_shallow: self.is_shallow,
            }),
            None => Repository::discover(world, path),
        }
    }

    /// The git program in this worktree.
    pub fn git(&self) -> &Git<'w> {
        &self.git
    }

    /// The top of the worktree.
    pub fn worktree(&self) -> &Path {
        &self.worktree
    }

    /// The worktree's own git directory.
    pub fn git_dir(&self) -> &Path {
        &self.git_dir
    }

    /// The git directory that all worktrees share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// True if this is the main worktree, the one that can never be removed.
    pub fn is_main_worktree(&self) -> bool {
        self.git_dir.canonicalize().unwrap_or_else(|_| self.git_dir.clone()) == self.common_dir
    }

    /// True if old history is missing, so that absence of a commit proves nothing.
    pub fn is_shallow(&self) -> bool {
        self.is_shallow
    }

    /// The repository's name: that of the directory that holds the main worktree,
    /// or of a bare repository without `.git`.
    pub fn name(&self) -> String {
        let dir = match self.common_dir.file_name() {
            Some(name) if name == ".git" || name == ".bare" => {
                self.common_dir.parent().unwrap_or(&self.common_dir)
            }
            _ => &self.common_dir,
        };
        let name = dir.file_name().unwrap_or(OsStr::new("repository")).to_string_lossy().into_owned();
        name.strip_suffix(".git").unwrap_or(&name).to_owned()
    }

    /// Answers questions about history.
    pub fn history(&self) -> History<'w> {
        History::open(&self.git, &self.common_dir)
    }

    /// The branch that features start from and return to: what the remote
    /// `origin` calls its head, else `init.defaultBranch`, `main` or `master`,
    /// whichever exists.
    pub fn default_branch(&self) -> Result<Option<String>, GitError> {
        let history = self.history();
        let exists = |name: &str| history.has_ref(&format!("refs/heads/{name}"));
        if let Some(name) = history.origin_head()?
            && exists(&name)?
        {
            return Ok(Some(name));
        }
        let configured = self.git.config("init.defaultBranch")?;
        for name in configured.into_iter().chain(["main".to_owned(), "master".to_owned()]) {
            if exists(&name)? {
                return Ok(Some(name));
            }
        }
        Ok(None)
    }
}
