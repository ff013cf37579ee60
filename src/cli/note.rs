//! Options of `note`.

use clap::Args;

use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::note::{self, Options};

/// Leave a note for somebody; the next sync carries it, and theirs shows it first
///
/// It becomes a file of its own below notes/. A section `## Note for NAME` in any Markdown file
/// that is committed does the same.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover note ann 'task 3 needs the new loader before it goes on'
  handover note 'Bob Example' 'the quota of scratch is nearly used up' --dry-run")]
pub struct NoteArgs {
    /// For whom
    #[arg(value_name = "NAME")]
    to: String,
    /// What it says
    #[arg(value_name = "TEXT")]
    text: String,
    /// Show the file, and write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `note`.
pub fn run(session: &Session, args: NoteArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let plan = note::plan(&context, &Options { to: args.to, text: args.text })?;
    let outcome = if args.dry_run { plan } else { note::execute(&context, plan)? };
    session.output.answer("note", &outcome, report::sync::note)?;
    Ok(Exit::Done)
}
