//! The block in a worktree's context file: which handover is the newest there.

use std::path::{Path, PathBuf};

use super::batons::Batons;
use super::carried::AtRemote;
use super::lookup::Shelf;
use super::{Context, Error, Identity};
use crate::document::{self, Body, Lineage};
use crate::terms::{AnyKey, Key};
use crate::worktree::context::{self as file, Place, Written};
use crate::worktree::{Block, markers, registry};

/// How many earlier keys are named.
const RECENT: usize = 5;

/// Lets the context block point to the newest document of this worktree; `None`
/// if there is not exactly one.
pub fn refresh(context: &Context, shelf: &Shelf) -> Result<Option<Written>, Error> {
    let lineage = shelf.look()?;
    let Ok(leaf) = lineage.leaf(&shelf.here()) else { return Ok(None) };
    let Some(key) = leaf.key.proving() else { return Ok(None) };
    let repository = &context.repository;
    let bytes = shelf.bytes(&leaf.key)?;
    let path = shelf.copy.path(&leaf.key);
    let block = Block {
        key: Some(key),
        document: path.strip_prefix(repository.worktree()).map(PathBuf::from).ok(),
        digest: Some(document::digest(key, &bytes)),
        branch: leaf.branch.clone(),
        focus: focus(context, &bytes, shelf.store.path(&leaf.key).exists())?,
        recent: recent(&lineage, leaf.parent.as_ref()),
        baton: doubt(context, &lineage, shelf),
        worktree: repository.worktree().to_owned(),
    };
    Ok(Some(file::update(context.world, repository, None, &block)?))
}

/// What is open about a baton of this worktree at the remote.
fn doubt(context: &Context, lineage: &Lineage, shelf: &Shelf) -> Option<&'static str> {
    let found = Batons::look(context).ok()?.into_those_of(lineage, &shelf.here());
    let claims = found.into_iter().filter_map(|(_, claim)| claim.ok());
    let at: Vec<AtRemote> = claims.filter_map(|claim| AtRemote::of_claim(context, &claim)).collect();
    let is_lost = at.iter().any(|at| matches!(at, AtRemote::Lost { .. }));
    let is_open = at.iter().any(|at| matches!(at, AtRemote::Unconfirmed { .. }));
    if is_lost {
        return Some("another machine holds it by now: stop, and run `handover status`");
    }
    is_open.then_some("held here alone, not confirmed by the remote: run `handover sync` before you go on")
}

/// The keys before a document, newest first, by parent links; archived ones are left out.
pub fn recent(lineage: &Lineage, parent: Option<&AnyKey>) -> Vec<Key> {
    let mut keys = Vec::new();
    let mut next = parent;
    // A crafted circle of parents must end as well.
    for _ in 0..lineage.entries().count() {
        let Some(entry) = next.and_then(|key| lineage.get(key)).filter(|_| keys.len() < RECENT) else {
            break;
        };
        if !entry.is_archived {
            keys.extend(entry.key.proving());
        }
        next = entry.parent.as_ref();
    }
    keys
}

/// The text of our block in the worktree at `top`, wherever it stands; empty if there is none.
pub fn text_of(top: &Path) -> String {
    let mut all = String::new();
    for place in [Place::Shared, Place::Local, Place::Folder] {
        if let Ok(Some(text)) = document::read_file(&top.join(place.file()))
            && let Ok(Some(range)) = markers::find(&text)
        {
            all.push_str(&String::from_utf8_lossy(&text[range]));
        }
    }
    all
}

/// What the local user said the work is about. A document that was made
/// elsewhere, or that is not sealed here, says nothing in a file that agents take
/// for instructions.
fn focus(context: &Context, bytes: &[u8], is_sealed: bool) -> Result<Option<String>, Error> {
    let text = String::from_utf8_lossy(bytes);
    let me = Identity::of(&context.world.environment);
    if is_sealed
        && let Ok((facts, body)) = document::read(&text)
        && (&facts.host, &facts.user) == (&me.host, &me.user)
    {
        let said = Body::read(body.as_bytes()).ok().and_then(|body| body.focus);
        return Ok(said.filter(|focus| facts.branch.as_ref() != Some(focus)));
    }
    Ok(registry::entry_here(&context.repository)?.and_then(|entry| entry.focus))
}
