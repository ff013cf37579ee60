//! Whether the work of a branch has arrived where it was to go.

use std::collections::HashSet;

use serde::Serialize;

use super::Error;
use super::base::{self, Base};
use crate::git::{GitError, History, Repository};
use crate::sys::World;
use crate::terms::{CommitId, Digest};

/// More commits than this on either side are not compared one by one.
const MOST: usize = 500;

/// How a commit stands to the branch that it was to reach.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Landing {
    /// It has no commit of its own.
    Fresh,
    /// All its commits are on that branch.
    Merged {
        /// The branch.
        on: String,
    },
    /// Its commits are there under other ids, one by one or as one.
    Picked {
        /// The branch.
        on: String,
    },
    /// Some are not.
    Not {
        /// The branch.
        on: String,
        /// How many commits it has that the branch has not.
        ahead: usize,
    },
    /// There is no branch to compare with.
    Unknown,
}

impl Landing {
    /// True if nothing of it is missing on the branch.
    pub fn is_complete(&self) -> bool {
        matches!(self, Landing::Fresh | Landing::Merged { .. } | Landing::Picked { .. })
    }
}

/// The branches that work returns to: the default one, and its upstream.
pub fn goals(repository: &Repository) -> Result<Vec<Base>, Error> {
    let Some(default) = base::default(repository)? else { return Ok(Vec::new()) };
    let upstream = base::upstream(repository, &default.name)?;
    Ok(std::iter::once(default).chain(upstream).collect())
}

/// Asks from cheap to dear, and of no more than 500 commits.
pub fn of(
    world: &World,
    repository: &Repository,
    tip: &CommitId,
    start: Option<&CommitId>,
    goals: &[Base],
) -> Result<Landing, Error> {
    let landing = quick(&repository.history(), tip, start, goals)?;
    if let Landing::Not { .. } = landing {
        for goal in goals {
            if is_picked(world, repository, tip, goal)? {
                return Ok(Landing::Picked { on: goal.name.clone() });
            }
        }
    }
    Ok(landing)
}

/// The same without comparing patches, for a look at many branches: work that
/// landed as one commit, and was changed again there, counts as not landed.
pub fn quick(
    history: &History,
    tip: &CommitId,
    start: Option<&CommitId>,
    goals: &[Base],
) -> Result<Landing, Error> {
    let Some(first) = goals.first() else { return Ok(Landing::Unknown) };
    for goal in goals {
        if history.is_ancestor(tip, &goal.commit)? {
            if start == Some(tip) || goal.commit == *tip {
                return Ok(Landing::Fresh);
            }
            return Ok(Landing::Merged { on: goal.name.clone() });
        }
    }
    for goal in goals {
        let Some(fork) = history.merge_base(tip, &goal.commit)? else { continue };
        // Where nothing happened since the fork, nothing can have arrived.
        if fork != goal.commit && history.has_contents(&fork, tip, &goal.commit)? {
            return Ok(Landing::Picked { on: goal.name.clone() });
        }
    }
    let ahead = history.divergence(tip, &first.commit)?.ahead;
    Ok(Landing::Not { on: first.name.clone(), ahead })
}

fn is_picked(world: &World, repository: &Repository, tip: &CommitId, goal: &Base) -> Result<bool, Error> {
    let history = repository.history();
    let git = repository.git();
    let both = history.divergence(tip, &goal.commit)?;
    let Some(fork) = history.merge_base(tip, &goal.commit)? else { return Ok(false) };
    if both.ahead > MOST || both.behind > MOST || both.behind == 0 {
        return Ok(false);
    }
    let shape: &[&str] = &["-p", "--no-ext-diff", "--no-textconv", "--no-renames", "--full-index"];
    let log = |range: String| -> Result<Option<HashSet<String>>, Error> {
        let spawn = git.spawn(&[&["log", "--no-merges"], shape, &[&range]].concat()).cap(64 << 20);
        let patches = world.processes.run(&spawn).map_err(GitError::from)?;
        // What was cut proves nothing.
        if !patches.success() || patches.cut {
            return Ok(None);
        }
        patch_ids(world, repository, patches.stdout).map(Some)
    };
    let Some(there) = log(format!("{tip}..{}", goal.commit))? else { return Ok(false) };
    // One by one: git itself marks what is there already with a minus, but
    // thinks nothing of blanks, which in some languages are the program.
    let cherry = git.line(&["cherry", goal.commit.as_str(), tip.as_str()])?;
    let has_merges = git.line(&["rev-list", "--count", "--merges", &format!("{fork}..{tip}")])? != "0";
    if !has_merges
        && !cherry.is_empty()
        && cherry.lines().all(|line| line.starts_with('-'))
        && log(format!("{}..{tip}", goal.commit))?
            .is_some_and(|ours| !ours.is_empty() && ours.is_subset(&there))
    {
        return Ok(true);
    }
    // As one: the whole change has the same shape as one commit there.
    let whole = git.run(&[&["diff-tree"], shape, &[fork.as_str(), tip.as_str()]].concat())?;
    let whole = patch_ids(world, repository, whole)?;
    Ok(!whole.is_empty() && whole.is_subset(&there))
}

/// The ids of patches, which do not change with lines that move, but with
/// every blank; none for an empty patch.
///
/// A git that knows no such ids (before 2.39) leaves the bytes of the patches,
/// with the ids of the files before and after.
fn patch_ids(world: &World, repository: &Repository, patches: Vec<u8>) -> Result<HashSet<String>, Error> {
    let spawn = repository.git().spawn(&["patch-id", "--verbatim"]).input(patches.clone());
    let done = world.processes.run(&spawn).map_err(GitError::from)?;
    if !done.success() {
        return Ok(bytes_of_patches(&patches));
    }
    Ok(done.text().lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect())
}

/// The digest of each patch's bytes, without the words before it. A line of a
/// message is indented, and one of a patch begins with its sign.
fn bytes_of_patches(patches: &[u8]) -> HashSet<String> {
    let mut all = HashSet::new();
    let mut patch: Vec<u8> = Vec::new();
    for line in patches.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b"commit ") {
            // An empty line stands between a patch and the next commit.
            if let Some(whole) = patch.strip_suffix(b"\n") {
                all.insert(Digest::of(whole).to_string());
            }
            patch.clear();
        } else if !patch.is_empty() || line.starts_with(b"diff ") {
            patch.extend_from_slice(line);
        }
    }
    if !patch.is_empty() {
        all.insert(Digest::of(&patch).to_string());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_ids_only_equal_bytes_are_the_same_patch() {
        let patch = "diff --git a/x b/x\nindex 1..2\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+ b\n";
        let log = format!("commit 0123\nAuthor: Ann\n\n    words\n\n{patch}\ncommit 4567\n\n    none\n");
        assert_eq!(bytes_of_patches(log.as_bytes()), bytes_of_patches(patch.as_bytes()));
        assert_eq!(bytes_of_patches(log.as_bytes()).len(), 1);
        let other = patch.replace("+ b", "+  b");
        assert!(bytes_of_patches(other.as_bytes()).is_disjoint(&bytes_of_patches(patch.as_bytes())));
        assert!(bytes_of_patches(b"").is_empty());
    }
}
