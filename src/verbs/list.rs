//! `list`: the handovers of this worktree, or of all.

use std::path::Path;

use serde::Serialize;

use super::batons::Batons;
use super::carried::AtRemote;
use super::lookup::Shelf;
use super::{Context, Error};
use crate::baton::{Baton, Claim};
use crate::document::{Entry, Lineage};
use crate::terms::{AnyKey, Time};

/// The handovers, newest last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// One row for each.
    pub handovers: Vec<Row>,
    /// How many archived ones are left out.
    pub archived_left_out: usize,
    /// How many of other worktrees are left out.
    pub elsewhere_left_out: usize,
}

/// One handover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    /// Its key.
    pub key: AnyKey,
    /// When it was made.
    pub created: Option<Time>,
    /// The document before it.
    pub parent: Option<AnyKey>,
    /// What it is now.
    pub state: RowState,
    /// The branch.
    pub branch: Option<String>,
    /// The last part of the worktree's path.
    pub worktree: Option<String>,
    /// True if it is of this worktree.
    pub is_here: bool,
    /// What the work is about.
    pub focus: Option<String>,
    /// Who has its baton.
    pub baton: RowBaton,
    /// Why it could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// What a document is now; nothing of this is stored in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RowState {
    /// Nothing follows it in its worktree.
    Current,
    /// Another document continues, amends or joins it.
    Superseded,
    /// It stands beside another, and is never the newest.
    Side,
    /// It was archived.
    Archived,
    /// It has a key that proves nothing, or cannot be read.
    Unproved,
}

/// Who has a baton.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "word")]
pub enum RowBaton {
    /// Nobody.
    Free,
    /// A session.
    Held {
        /// Its claim.
        claim: Box<Claim>,
        /// How it stands at the remote; left out where no remote was asked.
        #[serde(skip_serializing_if = "Option::is_none")]
        remote: Option<AtRemote>,
    },
    /// It cannot be told.
    Unknown {
        /// Why not.
        why: String,
    },
}

/// Lists the handovers of this worktree, or with `all` those of every worktree
/// and the archived ones.
pub fn list(context: &Context, all: bool) -> Result<Outcome, Error> {
    let shelf = Shelf::open(context)?;
    let lineage = shelf.lineage()?;
    let here = shelf.here();
    let mut outcome = Outcome { handovers: Vec::new(), archived_left_out: 0, elsewhere_left_out: 0 };
    let batons = Batons::look(context)?;
    let held_here: Vec<&AnyKey> = batons.of(lineage, &here).map(|(key, _)| key).collect();
    for entry in lineage.entries() {
        // One that was resumed here, or of which a copy alone is here, is of interest here,
        // wherever it was made.
        let is_here = held_here.contains(&&entry.key)
            || !shelf.store.path(&entry.key).exists()
            || entry.worktree.as_ref().is_none_or(|worktree| here.is_of(worktree, entry.host.as_deref()));
        if !all && !is_here {
            outcome.elsewhere_left_out += 1;
        } else if !all && entry.is_archived && !held_here.contains(&&entry.key) {
            outcome.archived_left_out += 1;
        } else {
            outcome.handovers.push(row(context, lineage, entry, is_here));
        }
    }
    // Documents of an older custom lie in the worktree alone.
    for key in shelf.copy.keys()? {
        if lineage.get(&key).is_none() {
            let entry = Entry::of(&key, &shelf.copy.load(&key)?.unwrap_or_default(), false);
            outcome.handovers.push(row(context, lineage, &entry, true));
        }
    }
    outcome.handovers.sort_by(|a, b| (a.created, &a.key).cmp(&(b.created, &b.key)));
    Ok(outcome)
}

fn row(context: &Context, lineage: &Lineage, entry: &Entry, is_here: bool) -> Row {
    let state = if entry.is_archived {
        RowState::Archived
    } else if entry.problem.is_some() || entry.key.proving().is_none() {
        RowState::Unproved
    } else if lineage.is_superseded(&entry.key) {
        RowState::Superseded
    } else if lineage.is_side(&entry.key) {
        RowState::Side
    } else {
        RowState::Current
    };
    let name = |path: &str| Path::new(path).file_name().map(|name| name.to_string_lossy().into_owned());
    Row {
        key: entry.key.clone(),
        created: entry.created,
        parent: entry.parent.clone(),
        state,
        branch: entry.branch.clone(),
        worktree: entry.worktree.as_ref().and_then(|worktree| name(&worktree.path)),
        is_here,
        focus: entry.focus.clone(),
        baton: baton(context, &entry.key),
        problem: entry.problem.clone(),
    }
}

fn baton(context: &Context, key: &AnyKey) -> RowBaton {
    match Baton::of(context.world, &context.home(), key).holder() {
        Ok(None) => RowBaton::Free,
        Ok(Some(claim)) => {
            RowBaton::Held { remote: AtRemote::of_claim(context, &claim), claim: Box::new(claim) }
        }
        Err(e) => RowBaton::Unknown { why: e.to_string() },
    }
}
