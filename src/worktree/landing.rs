//! Whether the work of a branch has arrived where it was to go.

use serde::Serialize;

use super::Error;
use super::base::{self, Base};
use crate::git::{GitError, History, Repository};
use crate::sys::World;
use crate::terms::CommitId;

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
    // One by one: git itself marks what is there already with a minus.
    let cherry = git.line(&["cherry", goal.commit.as_str(), tip.as_str()])?;
    let has_merges = git.line(&["rev-list", "--count", "--merges", &format!("{fork}..{tip}")])? != "0";
    if !has_merges && !cherry.is_empty() && cherry.lines().all(|line| line.starts_with('-')) {
        return Ok(true);
    }
    // As one: the whole change has the same shape as one commit there.
    let diff: &[&str] =
        &["diff-tree", "-p", "--no-ext-diff", "--no-textconv", "--no-renames", "--full-index"];
    let whole = git.run(&[diff, &[fork.as_str(), tip.as_str()]].concat())?;
    let Some(whole) = patch_ids(world, repository, whole)?.pop() else { return Ok(false) };
    let log: &[&str] =
        &["log", "-p", "--no-ext-diff", "--no-textconv", "--no-renames", "--full-index", "--no-merges"];
    let range = format!("{fork}..{}", goal.commit);
    let spawn = git.spawn(&[log, &[&range]].concat()).cap(64 << 20);
    let patches = world.processes.run(&spawn).map_err(GitError::from)?;
    // What was cut proves nothing.
    if !patches.success() || patches.cut {
        return Ok(false);
    }
    Ok(patch_ids(world, repository, patches.stdout)?.contains(&whole))
}

/// The ids of patches, which do not change with lines that move; none for an
/// empty patch.
fn patch_ids(world: &World, repository: &Repository, patches: Vec<u8>) -> Result<Vec<String>, Error> {
    let spawn = repository.git().spawn(&["patch-id", "--stable"]).input(patches);
    let done = world.processes.run(&spawn).map_err(GitError::from)?;
    Ok(done.text().lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect())
}
