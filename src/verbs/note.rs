//! Leave a note for somebody, which the next `sync` carries and shows.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Error};
use crate::safety::{Redactions, redact};
use crate::sync::notes;
use crate::sys::{FileError, nonce};

/// Where notes are, relative to the worktree.
const FOLDER: &str = "notes";
/// The longest note, in bytes.
const LONGEST: usize = 16 * 1024;

/// What is wanted.
#[derive(Debug, Clone)]
pub struct Options {
    /// For whom.
    pub to: String,
    /// What it says.
    pub text: String,
}

/// A note that was written, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// For whom.
    pub to: String,
    /// The file, relative to the top of the worktree.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// What is in it.
    pub text: String,
}

/// Makes the note; writes nothing.
///
/// # Errors
/// A name or a text that no note can have.
pub fn plan(context: &Context, options: &Options) -> Result<Outcome, Error> {
    let to = options.to.trim();
    let wrong = |what: &str, hint: &str| Error::Usage { what: what.to_owned(), hint: hint.to_owned() };
    if to.is_empty() || to.chars().count() > 60 || to.chars().any(char::is_control) {
        return Err(wrong("a note needs a name of one line", "handover note ann 'look at task 3'"));
    }
    if options.text.trim().is_empty() || options.text.len() > LONGEST {
        return Err(wrong(
            "a note needs a text of at most 16 KiB",
            "what is longer goes into a file of its own, and its name into the note",
        ));
    }
    let git = context.repository.git();
    let from = git.config("user.name")?.unwrap_or_else(|| context.world.environment.user());
    let at = context.now.utc();
    // It is made to travel.
    let text = redact(&options.text, &mut Redactions::new()).into_owned();
    let text = notes::written(to, &text, &from, &at.format("%Y-%m-%d %H:%M UTC").to_string());
    // Time, host and chance: whoever else writes one, anywhere, writes another file.
    let chance = nonce::<4>().map_err(|e| FileError::new("name a note in", FOLDER.as_ref(), e))?;
    let host = context.world.environment.host_in_names();
    let path = PathBuf::from(FOLDER).join(format!("{}-{host}-{chance}.md", at.format("%Y%m%dT%H%M%SZ")));
    Ok(Outcome { to: to.to_owned(), path, text })
}

/// Writes exactly that note.
///
/// # Errors
/// The file cannot be written.
pub fn execute(context: &Context, plan: Outcome) -> Result<Outcome, Error> {
    let path = context.repository.worktree().join(&plan.path);
    let files = &context.world.files;
    files.ensure_dir(&context.repository.worktree().join(FOLDER))?;
    files.create_new(&path, plan.text.as_bytes(), 0o644, true)?;
    Ok(plan)
}
