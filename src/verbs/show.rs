//! `show`: prints a document, and puts its copy back where agents look for it.

use serde::Serialize;

use super::lookup::Shelf;
use super::{Context, Error};
use crate::document::{self, Facts, StoreError};
use crate::safety::escape_path;
use crate::terms::{AnyKey, KeyPrefix};

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

/// Finds the document; restores its copy unless there is one, edited or not.
pub fn show(context: &Context, prefix: Option<&KeyPrefix>) -> Result<Outcome, Error> {
    let shelf = Shelf::open(context)?;
    let key = shelf.find(prefix)?;
    let stored = shelf.store.load(&key)?;
    let copy = shelf.copy.load(&key)?;
    let is_archived = stored.as_ref().is_some_and(|stored| stored.is_archived);
    let mut outcome = Outcome {
        key: key.clone(),
        path: copy.is_some().then(|| escape_path(shelf.copy.path(&key))),
        restored: false,
        archived: is_archived,
        copy_edited: matches!((&stored, &copy), (Some(stored), Some(copy)) if stored.bytes != *copy),
        facts: None,
        text: String::new(),
        notes: Vec::new(),
    };
    if let (Some(stored), None, false) = (&stored, &copy, is_archived) {
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
    outcome.facts = document::read(&outcome.text).ok().map(|(facts, _)| facts);
    Ok(outcome)
}
