use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// Something that git has begun in a worktree and not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// A merge with conflicts.
    Merge,
    /// A rebase of any kind.
    Rebase,
    /// A cherry-pick with conflicts, or a series of them.
    CherryPick,
    /// A revert with conflicts.
    Revert,
    /// A bisection.
    Bisect,
    /// Patches applied from mails.
    ApplyMailbox,
}

impl Operation {
    /// Looks for the files by which git itself remembers what is in progress.
    pub fn in_progress(git_dir: &Path) -> Option<Operation> {
        let has = |name: &str| git_dir.join(name).exists();
        if has("rebase-merge") || (has("rebase-apply") && !has("rebase-apply/applying")) {
            Some(Operation::Rebase)
        } else if has("rebase-apply") {
            Some(Operation::ApplyMailbox)
        } else if has("MERGE_HEAD") {
            Some(Operation::Merge)
        } else if has("CHERRY_PICK_HEAD") {
            Some(Operation::CherryPick)
        } else if has("REVERT_HEAD") {
            Some(Operation::Revert)
        } else if has("sequencer") {
            Some(Operation::CherryPick)
        } else if has("BISECT_LOG") {
            Some(Operation::Bisect)
        } else {
            None
        }
    }
}

/// The branch that a rebase in progress will move when it ends; HEAD is
/// detached meanwhile.
pub fn rebased_branch(git_dir: &Path) -> Option<String> {
    ["rebase-merge/head-name", "rebase-apply/head-name"].into_iter().find_map(|name| {
        let text = std::fs::read_to_string(git_dir.join(name)).ok()?;
        text.trim_end().strip_prefix("refs/heads/").map(str::to_owned)
    })
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Operation::Merge => "merge",
            Operation::Rebase => "rebase",
            Operation::CherryPick => "cherry-pick",
            Operation::Revert => "revert",
            Operation::Bisect => "bisect",
            Operation::ApplyMailbox => "am",
        })
    }
}
