//! `show`: prints a document, and puts its copy back where agents look for it.

use std::path::PathBuf;

use serde::Serialize;

use super::lookup::Shelf;
use super::{Context, Error, carried};
use crate::document::{self, Facts, Proof, StoreError};
use crate::safety::escape_path;
use crate::terms::{AnyKey, Digest, KeyPrefix};

/// A document to read.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Its key.
    pub key: AnyKey,
    /// Where its copy is, if there is one.
    pub path: Option<String>,
    /// True if the copy was put back just now.
    pub restored: bool,
    /// Why what is stored is not what is shown, if it is damaged: the text is that
    /// of the copy if that one is sound, else what there is of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<String>,
    /// True if the copy proves the key and what is stored does not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub copy_sound: bool,
    /// Where the damaged document went, if a sound copy took its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced: Option<String>,
    /// Where the edited copy went, if it made way for the sealed document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edits: Option<String>,
    /// True if it is archived.
    pub archived: bool,
    /// True if the copy was edited; what is shown is the sealed document.
    pub copy_edited: bool,
    /// Its facts; `null` for a legacy document.
    pub facts: Option<Facts>,
    /// Its text.
    pub text: String,
    /// Remarks.
    pub notes: Vec<String>,
}

/// Finds the document; puts its copy back if there is none and the document is
/// of this worktree, or `restore` says so. An edited one makes way only if
/// `restore` says so, and is kept. A damaged document makes way for a copy that
/// proves the key, again only if `restore` says so, and is kept.
pub fn show(context: &Context, prefix: Option<&KeyPrefix>, restore: bool) -> Result<Outcome, Error> {
    let shelf = Shelf::open(context)?;
    let key = shelf.find(prefix)?;
    let mut stored = shelf.store.load(&key)?;
    let copy = shelf.copy.load(&key)?;
    let is_damaged = stored.as_ref().is_some_and(|stored| stored.proof() == Some(Proof::No));
    let sound = stored.as_ref().map(|stored| shelf.sound_copy(stored)).transpose()?.flatten();
    let mut replaced = None;
    match (&mut stored, &sound, restore) {
        (Some(stored), Some(sound), true) => {
            replaced = Some(escape_path(shelf.store.replace(context.world, &key, sound)?));
            stored.bytes.clone_from(sound);
        }
        // Nothing that does not prove the key takes a copy's place.
        (_, None, true) if is_damaged => return Err(shelf.damaged(&key, false).into()),
        _ => {}
    }
    let is_damaged = is_damaged && replaced.is_none();
    let damaged = is_damaged.then(|| shelf.damaged(&key, sound.is_some()).to_string());
    if let (Some(stored), Some(sound)) = (&mut stored, &sound) {
        stored.bytes.clone_from(sound);
    }
    let is_archived = stored.as_ref().is_some_and(|stored| stored.is_archived);
    let mut outcome = Outcome {
        key: key.clone(),
        path: copy.is_some().then(|| escape_path(shelf.copy.path(&key))),
        restored: false,
        edits: None,
        copy_sound: is_damaged && sound.is_some(),
        damaged,
        replaced,
        archived: is_archived,
        copy_edited: !is_damaged
            && matches!((&stored, &copy), (Some(stored), Some(copy)) if stored.bytes != *copy),
        facts: None,
        text: String::new(),
        notes: Vec::new(),
    };
    if let (true, true, Some(edited)) = (restore && !is_archived, outcome.copy_edited, &copy) {
        outcome.edits = Some(escape_path(put_aside(context, &shelf, &key, edited)?));
        outcome.copy_edited = false;
    }
    let is_gone = !is_damaged && (copy.is_none() || outcome.edits.is_some());
    // The copy of a document of another worktree belongs there.
    let is_here = restore || shelf.is_here(&key)?;
    if let (Some(stored), true, false) = (&stored, is_gone && is_here, is_archived) {
        match shelf.copy.write(context.world, &key, &stored.bytes) {
            Ok(()) => {
                outcome.restored = true;
                outcome.path = Some(escape_path(shelf.copy.path(&key)));
            }
            Err(e) => outcome.notes.push(format!("the copy could not be put back: {e}: {}", e.source)),
        }
    }
    let bytes =
        stored.map(|stored| stored.bytes).or(copy).ok_or_else(|| StoreError::NotFound(key.to_string()))?;
    outcome.text = String::from_utf8_lossy(&bytes).into_owned();
    outcome.notes.extend(carried::doubt(context, &key));
    outcome.facts = document::read(&outcome.text).ok().map(|(facts, _)| facts);
    Ok(outcome)
}

/// Moves an edited copy to the archive of copies, under its own digest; where it is then.
fn put_aside(context: &Context, shelf: &Shelf, key: &AnyKey, edited: &[u8]) -> Result<PathBuf, Error> {
    let files = &context.world.files;
    let copy = [shelf.copy.path(key), shelf.copy.archived_path(key)].into_iter().find(|path| path.exists());
    let copy = copy.ok_or_else(|| StoreError::NotFound(key.to_string()))?;
    shelf.copy.prepare_archive(context.world)?;
    let digest = Digest::of(edited).to_string();
    let kept = shelf.copy.edited_path(key, &digest[..8]);
    match files.rename_new(&copy, &kept) {
        // The same bytes were put aside before; their name is their digest.
        Err(e) if e.already_exists() && document::read_file(&kept)?.as_deref() == Some(edited) => {
            files.remove_file(&copy)?;
        }
        moved => moved?,
    }
    Ok(kept)
}
