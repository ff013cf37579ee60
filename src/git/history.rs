use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::{Git, GitError};
use crate::terms::{CommitId, Time};

/// So many of the newest entries of a reflog are read.
const MOST_OF_REFLOG: &str = "--max-count=10000";

/// Answers questions about history: libgit2 where it can open the repository,
/// the git program where it cannot (reftable, SHA-256, newer extensions).
pub struct History<'w> {
    git: Git<'w>,
    library: Option<git2::Repository>,
}

/// How two commits stand to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// Commits that only the first one has.
    pub ahead: usize,
    /// Commits that only the second one has.
    pub behind: usize,
}

/// A commit as it is shown in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The commit.
    pub id: CommitId,
    /// First line of its message, as written by whoever wrote it.
    pub subject: String,
    /// Its author's name.
    pub author: String,
}

impl<'w> History<'w> {
    /// Opens the repository whose shared git directory is `common_dir`.
    pub fn open(git: &Git<'w>, common_dir: &Path) -> History<'w> {
        // The library knows neither safe.directory exceptions nor the newer
        // formats; whatever it cannot open, the program answers.
        let library = git2::Repository::open_ext(
            common_dir,
            git2::RepositoryOpenFlags::NO_SEARCH | git2::RepositoryOpenFlags::NO_DOTGIT,
            std::iter::empty::<&Path>(),
        )
        .ok();
        History { git: git.clone(), library }
    }

    /// True if the library answers.
    pub fn has_library(&self) -> bool {
        self.library.is_some()
    }

    /// True if the commit is in the object store.
    pub fn has_commit(&self, id: &CommitId) -> Result<bool, GitError> {
        if let Some(library) = &self.library {
            return Ok(oid(id).is_some_and(|oid| library.find_commit(oid).is_ok()));
        }
        Ok(self.git.try_run(&["cat-file", "-e", &format!("{id}^{{commit}}")])?.success())
    }

    /// The commit that a ref or any other revision names; `None` if none does.
    pub fn resolve(&self, revision: &str) -> Result<Option<CommitId>, GitError> {
        if revision.starts_with('-') {
            return Ok(None);
        }
        if let Some(library) = self.library.as_ref().filter(|_| revision.starts_with("refs/")) {
            let found = library.find_reference(revision).and_then(|reference| reference.peel_to_commit());
            return Ok(found.ok().and_then(|commit| commit.id().to_string().parse().ok()));
        }
        let spec = format!("{revision}^{{commit}}");
        let finished = self.git.try_run(&["rev-parse", "--verify", "--quiet", "--end-of-options", &spec])?;
        Ok(finished.success().then(|| finished.text().trim().parse().ok()).flatten())
    }

    /// The branch of `origin` that a clone checks out, as far as it is known here.
    pub fn origin_head(&self) -> Result<Option<String>, GitError> {
        let prefix = "refs/remotes/origin/";
        let target = if let Some(library) = &self.library {
            let reference = library.find_reference("refs/remotes/origin/HEAD").ok();
            reference.and_then(|reference| Some(reference.symbolic_target().ok()??.to_owned()))
        } else {
            let remote = self.git.try_run(&["symbolic-ref", "--quiet", "refs/remotes/origin/HEAD"])?;
            remote.success().then(|| remote.text().trim().to_owned())
        };
        Ok(target.and_then(|target| Some(target.strip_prefix(prefix)?.to_owned())))
    }

    /// True if a ref of this full name exists.
    pub fn has_ref(&self, name: &str) -> Result<bool, GitError> {
        match &self.library {
            Some(library) => Ok(library.find_reference(name).is_ok()),
            None => self.git.yes(&["show-ref", "--verify", "--quiet", name]),
        }
    }

    /// The full name of the ref that a local branch follows, there or not.
    pub fn upstream(&self, branch: &str) -> Result<Option<String>, GitError> {
        let full = format!("refs/heads/{branch}");
        if let Some(library) = &self.library {
            match library.branch_upstream_name(&full) {
                Ok(name) => return Ok(std::str::from_utf8(&name).ok().map(str::to_owned)),
                Err(e) if e.code() == git2::ErrorCode::NotFound => return Ok(None),
                // A setting that only the program understands.
                Err(_) => {}
            }
        }
        let name = self.git.line(&["for-each-ref", "--format=%(upstream)", &full])?;
        Ok((!name.is_empty()).then_some(name))
    }

    /// The best common ancestor; `None` if the histories are unrelated.
    pub fn merge_base(&self, one: &CommitId, two: &CommitId) -> Result<Option<CommitId>, GitError> {
        if let Some((library, one, two)) = self.both(one, two) {
            return Ok(library.merge_base(one, two).ok().and_then(|oid| oid.to_string().parse().ok()));
        }
        let finished = self.git.try_run(&["merge-base", one.as_str(), two.as_str()])?;
        Ok(finished.success().then(|| finished.text().trim().parse().ok()).flatten())
    }

    /// True if `old` can be reached from `new`; a commit is its own ancestor.
    pub fn is_ancestor(&self, old: &CommitId, new: &CommitId) -> Result<bool, GitError> {
        if old == new {
            return Ok(true);
        }
        if let Some((library, old, new)) = self.both(old, new) {
            return Ok(library.graph_descendant_of(new, old).unwrap_or(false));
        }
        self.git.yes(&["merge-base", "--is-ancestor", old.as_str(), new.as_str()])
    }

    /// How many commits each of two has that the other lacks.
    pub fn divergence(&self, one: &CommitId, two: &CommitId) -> Result<Divergence, GitError> {
        if one == two {
            return Ok(Divergence { ahead: 0, behind: 0 });
        }
        if let Some((library, one, two)) = self.both(one, two)
            && let Ok((ahead, behind)) = library.graph_ahead_behind(one, two)
        {
            return Ok(Divergence { ahead, behind });
        }
        let text = self.git.line(&["rev-list", "--left-right", "--count", &format!("{one}...{two}")])?;
        let unreadable = || GitError::Unreadable { command: "rev-list", text: text.clone() };
        let (ahead, behind) = text.split_once('\t').ok_or_else(unreadable)?;
        Ok(Divergence {
            ahead: ahead.parse().map_err(|_| unreadable())?,
            behind: behind.parse().map_err(|_| unreadable())?,
        })
    }

    /// True if every path that changed between `fork` and `tip` has at `goal`
    /// the content that it has at `tip`: merging would bring nothing new.
    pub fn has_contents(&self, fork: &CommitId, tip: &CommitId, goal: &CommitId) -> Result<bool, GitError> {
        if let Some(library) = &self.library
            && let Some(answer) = has_contents(library, fork, tip, goal)
        {
            return Ok(answer);
        }
        let args = ["diff-tree", "-r", "--name-only", "--no-renames", "-z", fork.as_str(), tip.as_str()];
        let names = self.git.run(&args)?;
        let between = ["diff-tree", "-r", "--name-only", "--no-renames", "-z", tip.as_str(), goal.as_str()];
        let differ = self.git.run(&between)?;
        let differ: std::collections::HashSet<&[u8]> = differ.split(|b| *b == 0).collect();
        Ok(!names.split(|b| *b == 0).any(|name| !name.is_empty() && differ.contains(name)))
    }

    /// What was checked out at that moment in the worktree in which git is asked, as
    /// its reflog remembers; `None` if that does not reach so far back.
    pub fn checked_out(&self, then: Time) -> Result<Option<CommitId>, GitError> {
        let args = ["log", "-g", "--date=unix", "--format=%H %gd", MOST_OF_REFLOG, "HEAD", "--"];
        let finished = self.git.try_run(&args)?;
        if !finished.success() {
            return Ok(None);
        }
        let entry = |line: &str| {
            let (id, moment) = line.split_once(' ')?;
            let moment: i64 = moment.strip_prefix("HEAD@{")?.strip_suffix('}')?.parse().ok()?;
            Some((id.parse().ok()?, moment))
        };
        let text = finished.text();
        let mut entries = text.lines().filter_map(entry);
        Ok(entries.find(|(_, moment)| *moment <= then.unix()).map(|(id, _)| id))
    }

    /// The paths at which two commits differ.
    pub fn differing(&self, one: &CommitId, other: &CommitId) -> Result<Vec<PathBuf>, GitError> {
        let args = ["diff-tree", "-r", "--name-only", "--no-renames", "-z", one.as_str(), other.as_str()];
        let names = self.git.run(&args)?;
        let names = names.split(|b| *b == 0).filter(|name| !name.is_empty());
        Ok(names.map(|name| PathBuf::from(OsStr::from_bytes(name))).collect())
    }

    /// The newest `most` commits that `new` has and `old` lacks, newest first.
    ///
    /// Messages are as their authors wrote them: escape before showing.
    pub fn subjects(
        &self,
        old: Option<&CommitId>,
        new: &CommitId,
        most: usize,
    ) -> Result<Vec<Subject>, GitError> {
        let mut args = vec![
            "log".to_owned(),
            "-z".to_owned(),
            "--format=%H%x1f%an%x1f%s".to_owned(),
            format!("--max-count={most}"),
            new.to_string(),
        ];
        args.extend(old.map(|old| format!("^{old}")));
        args.push("--".to_owned());
        let bytes = self.git.run(&args)?;
        let text = String::from_utf8_lossy(&bytes);
        text.split('\0')
            .filter(|record| !record.is_empty())
            .map(|record| {
                let mut fields = record.splitn(3, '\x1f');
                let id = fields.next().and_then(|id| id.trim().parse().ok());
                match (id, fields.next(), fields.next()) {
                    (Some(id), Some(author), Some(subject)) => {
                        Ok(Subject { id, author: author.to_owned(), subject: subject.to_owned() })
                    }
                    _ => Err(GitError::Unreadable { command: "log", text: record.to_owned() }),
                }
            })
            .collect()
    }

    /// The library with two commits that it knows, if it can answer for them.
    fn both(&self, one: &CommitId, two: &CommitId) -> Option<(&git2::Repository, git2::Oid, git2::Oid)> {
        Some((self.library.as_ref()?, oid(one)?, oid(two)?))
    }
}

/// True if git allows a branch of this name.
pub fn is_branch_name(name: &str) -> bool {
    git2::Reference::is_valid_name(&format!("refs/heads/{name}"))
}

fn has_contents(
    library: &git2::Repository,
    fork: &CommitId,
    tip: &CommitId,
    goal: &CommitId,
) -> Option<bool> {
    let tree = |id: &CommitId| library.find_commit(oid(id)?).ok()?.tree().ok();
    let (fork, tip, goal) = (tree(fork)?, tree(tip)?, tree(goal)?);
    let diff = library.diff_tree_to_tree(Some(&fork), Some(&tip), None).ok()?;
    let entry =
        |tree: &git2::Tree, path: &Path| tree.get_path(path).ok().map(|entry| (entry.id(), entry.filemode()));
    for delta in diff.deltas() {
        for path in [delta.old_file().path(), delta.new_file().path()].into_iter().flatten() {
            if entry(&tip, path) != entry(&goal, path) {
                return Some(false);
            }
        }
    }
    Some(true)
}

fn oid(id: &CommitId) -> Option<git2::Oid> {
    (id.as_str().len() == 40).then(|| git2::Oid::from_str(id.as_str()).ok()).flatten()
}
