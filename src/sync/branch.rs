//! The branch itself: it goes from where it was seen, and from nowhere else.

use serde::{Deserialize, Serialize};

use super::Error;
use super::objects::Store;
use crate::git::Repository;
use crate::terms::CommitId;

/// A branch that goes from one commit to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Move {
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// Where it was.
    pub old: CommitId,
    /// Where it goes.
    pub new: CommitId,
    /// The name under which the old tip is kept, if the new one does not descend from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<String>,
}

/// The name under which the tip before the last move is kept, with a log of all
/// earlier ones.
pub fn backup_name(branch: &str) -> String {
    format!("refs/handover/backup/{branch}")
}

/// The name under which a tip is kept that another one was put in the place of.
pub fn replaced_name(branch: &str, stamp: &str) -> String {
    format!("refs/handover/replaced/{branch}/{stamp}")
}

impl Move {
    /// The full name of the branch.
    pub fn reference(&self) -> String {
        format!("refs/heads/{}", self.branch)
    }

    /// Moves the branch alone; `backs_up` keeps where it was under [`backup_name`].
    ///
    /// # Errors
    /// [`Error::Moved`] if it is not at `old` any more.
    pub(super) fn take(
        &self,
        store: &Store,
        repository: &Repository,
        log: &str,
        backs_up: bool,
    ) -> Result<(), Error> {
        let Move { branch, old, new, replaces } = self;
        let reference = self.reference();
        // First what keeps the old tip: git writes them in this order, and can be killed in between.
        let mut input = String::from("start\n");
        if backs_up {
            input.push_str(&format!("update {} {old}\n", backup_name(branch)));
        }
        if let Some(stamp) = replaces {
            input.push_str(&format!("update {} {old}\n", replaced_name(branch, stamp)));
        }
        input.push_str(&format!("update {reference} {new} {old}\nprepare\ncommit\n"));
        let args = ["update-ref", "--create-reflog", "-m", log, "--stdin"];
        let Err(error) = store.run(&args, Some(input.into_bytes())) else { return Ok(()) };
        match repository.history().resolve(&reference)? {
            // Git was killed after that, while it took its locks away.
            Some(now) if now == *new => Ok(()),
            Some(now) if now == *old => Err(error.into()),
            _ => Err(Error::Moved { branch: branch.clone() }),
        }
    }
}
