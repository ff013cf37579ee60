//! Options of `archive`.

use clap::Args;

use super::{Exit, Failure, Session, create};
use crate::report;
use crate::terms::Seconds;
use crate::verbs::archive::{self, Options};

/// Put old handovers away; they still answer to their keys
///
/// Kept in any case: the newest of a worktree and its parent, one whose baton is held, and one
/// that names live jobs, or jobs of which nobody knows.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover archive --dry-run
  handover archive --older-than 14d")]
pub struct ArchiveArgs {
    /// How old a handover must be, by the date in its key; by default what the settings say, 7d
    #[arg(long, value_name = "SPAN", value_parser = Seconds::from_person)]
    older_than: Option<Seconds>,
    /// Say what would be done, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Where to look for the cluster: auto, local, none, or a state file
    #[arg(long, value_name = "SOURCE")]
    cluster: Option<String>,
}

/// Runs `archive`.
pub fn run(session: &Session, args: ArchiveArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let cluster = args.cluster.map(|text| create::source(session, &text));
    let older_than = args.older_than.unwrap_or(context.config.retention.archive_after);
    let options = Options { older_than, cluster };
    let outcome = if args.dry_run {
        archive::dry_run(&archive::plan(&context, &options)?)
    } else {
        archive::execute(&context, &options, &mut |holder| {
            session.output.note(&format!("waiting: {holder}"))
        })?
    };
    session.output.answer("archive", &outcome, report::archive::archived)?;
    Ok(if outcome.not_done.is_empty() { Exit::Done } else { Exit::Partial })
}
