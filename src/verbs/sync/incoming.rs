//! What others brought.

use std::collections::BTreeSet;

use serde::Serialize;

use super::super::{Context, Error};
use crate::sync::notes::{self, Note};
use crate::terms::CommitId;

/// So many commits are told by their subjects.
const SHOWN: usize = 20;

/// Commits of others that are in our branch now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Pulled {
    /// How many.
    pub count: usize,
    /// The authors of those that are told, sorted.
    pub authors: Vec<String>,
    /// The newest of them, newest first.
    pub commits: Vec<Incoming>,
    /// Notes for people that came with them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Incoming {
    /// Its id.
    pub id: CommitId,
    /// Its author, as written.
    pub author: String,
    /// The first line of its message, as written.
    pub subject: String,
}

/// What `theirs` has that `before` had not.
pub fn pulled(context: &Context, before: &CommitId, theirs: &CommitId) -> Result<Pulled, Error> {
    let history = context.repository.history();
    let count = history.divergence(before, theirs)?.behind;
    let commits: Vec<Incoming> = history
        .subjects(Some(before), theirs, SHOWN)?
        .into_iter()
        .map(|one| Incoming { id: one.id, author: one.author, subject: one.subject })
        .collect();
    let authors: BTreeSet<String> = commits.iter().map(|one| one.author.clone()).collect();
    // What stands in a file of our own since then is no news.
    let base = history.merge_base(before, theirs)?.unwrap_or_else(|| before.clone());
    let notes = notes::incoming(context.world, &context.repository, &base, theirs)?;
    Ok(Pulled { count, authors: authors.into_iter().collect(), commits, notes })
}
