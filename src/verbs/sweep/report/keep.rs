//! Puts a report into a file, in the place that is marked as ours.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::Report;
use crate::safety::{Redactions, redact};
use crate::sys::lock::{self, Lock, LockError};
use crate::terms::{Digest, Seconds};
use crate::verbs::{Context, Error};
use crate::worktree::fenced::{self, Manners, Part, Place, Written};

/// A file that holds a report or a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// The file.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// True if nothing was written, whatever became of it otherwise.
    pub dry_run: bool,
    /// What became of our part of it.
    #[serde(flatten)]
    pub written: Written,
}

/// What is done if somebody has changed our part of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edits {
    /// It is refused.
    Refuse,
    /// Theirs is kept in the state directory, and ours written anew.
    Replace,
}

/// How long another writer is waited for.
const PATIENCE: Seconds = Seconds(20);

/// Puts a report into a file; several reports in one file have a place each.
///
/// # Errors
/// The file is a link or no regular file; it holds text of others and no place
/// that is marked as ours; somebody has changed our part.
pub fn keep(
    context: &Context,
    report: &Report,
    text: &str,
    path: &Path,
    edits: Edits,
    dry_run: bool,
) -> Result<Kept, Error> {
    let tag = tag(&report.scope.key);
    let place = Place { path, tag: &tag };
    let part = Part { facts: &report.facts, at: report.at, body: text };
    put(context, place, part, false, edits, dry_run)
}

/// Writes a part of a file, one writer of this repository at a time.
pub(in crate::verbs::sweep) fn put(
    context: &Context,
    place: Place<'_>,
    part: Part<'_>,
    above_others: bool,
    edits: Edits,
    dry_run: bool,
) -> Result<Kept, Error> {
    let folder = context.home().join("sweeps/edits");
    // A page is made to be committed and read by others.
    let body = redact(part.body, &mut Redactions::new());
    let part = Part { body: &body, ..part };
    let manners = Manners { above_others, keep_edits: (edits == Edits::Replace).then_some(&*folder) };
    let written = if dry_run {
        fenced::look(place, part, manners)?
    } else {
        let lock = lock(context)?;
        let written = fenced::write(context.world, place, part, manners);
        lock.map(Lock::release).transpose()?;
        written?
    };
    Ok(Kept { path: place.path.to_owned(), dry_run, written })
}

/// The short exclusion; none where the git directory cannot be written, since
/// the file is compared before it is replaced in any case.
fn lock(context: &Context) -> Result<Option<Lock>, Error> {
    match lock::acquire(context.world, &context.home(), "write about sweeps", PATIENCE, &mut |_| {}) {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::File(error)) if error.is_forbidden() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// What tells a sweep's part from those of others, whatever its name holds.
fn tag(key: &str) -> String {
    if !key.is_empty() && key.len() < 20 && key.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("report-{key}");
    }
    format!("report-{}", &Digest::of(key.as_bytes()).to_string()[..12])
}
