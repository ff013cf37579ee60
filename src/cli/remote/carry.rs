use std::path::PathBuf;

use clap::Args;

use super::super::{Exit, Failure, Session};
use crate::report::remote::carry as text;
use crate::verbs::remote::Way;
use crate::verbs::remote::carry::{self, End, Options, Outcome, Plan};

/// Send files of the project to a machine, with rsync
///
/// What would travel is listed first; it goes after a yes at the terminal, or with --yes. A file that is
/// newer there stays as it is; what is overwritten or deleted is kept there below .handover-kept. Git
/// directories, agents' scratch, and files that hold what looks like a secret do not travel.
///
/// Exit code 0: all of it is there. 3: it is, and files were kept back. 5: no yes was given. 6: some did
/// not arrive. 75: the connection was lost, or there is none; the next run goes on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote push gpu --dry-run
  handover remote push gpu configs --yes
  handover remote push gpu data --exclude='*.tmp' --delete")]
pub struct PushArgs {
    #[command(flatten)]
    carry: CarryArgs,
    /// Let these files travel although they hold what looks like a secret
    #[arg(long, value_name = "FILE")]
    allow_secret: Vec<PathBuf>,
}

/// Fetch files of the project from a machine, with rsync
///
/// What would travel is listed first; it comes after a yes at the terminal, or with --yes. A file that
/// is newer here, or has changes that are in no commit, stays as it is; what is overwritten or deleted
/// is kept in the git directory, and its place is said.
///
/// Exit code 0: all of it is here. 3: it is, and files were kept back. 5: no yes was given. 6: some did
/// not arrive. 75: the connection was lost, or there is none; the next run goes on.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote pull gpu results --dry-run
  handover remote pull gpu results --yes")]
pub struct PullArgs {
    #[command(flatten)]
    carry: CarryArgs,
}

/// What both have.
#[derive(Debug, Args)]
struct CarryArgs {
    /// The machine, by its name in the settings
    #[arg(value_name = "NAME")]
    machine: String,
    /// A folder of the project, from its top; all of it by default
    #[arg(value_name = "FOLDER")]
    below: Option<PathBuf>,
    /// Leave this out, as rsync's patterns go
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// Delete on the side that receives what is not on the other
    #[arg(long)]
    delete: bool,
    /// Overwrite files that are newer on the side that receives, too
    #[arg(long)]
    overwrite: bool,
    /// List what would travel, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `remote push`.
pub fn push(session: &Session, args: PushArgs) -> Result<Exit, Failure> {
    run(session, args.carry, Way::Push, args.allow_secret)
}

/// Runs `remote pull`.
pub fn pull(session: &Session, args: PullArgs) -> Result<Exit, Failure> {
    run(session, args.carry, Way::Pull, Vec::new())
}

fn run(session: &Session, args: CarryArgs, way: Way, allow_secrets: Vec<PathBuf>) -> Result<Exit, Failure> {
    let context = session.context()?;
    let options = Options {
        machine: args.machine,
        way,
        below: args.below,
        without: args.exclude,
        delete: args.delete,
        overwrite: args.overwrite,
        allow_secrets,
    };
    let working = session.working("looking at both sides");
    let plan = carry::plan(&context, &options)?;
    drop(working);
    if args.dry_run {
        match way {
            Way::Push => session.output.answer("remote-push-plan", &plan, text::plan)?,
            Way::Pull => session.output.answer("remote-pull-plan", &plan, text::plan)?,
        }
        return Ok(kept_back(&plan));
    }
    if !plan.is_empty() {
        // Seen before it is done, whoever says yes.
        session.output.remarks(&text::plan(session.output.view(), &plan));
        session.confirm(&text::about(&plan), "Go on?")?;
    }
    let working = session.working("copying");
    let outcome = carry::execute(&context, &options, plan)?;
    drop(working);
    match way {
        Way::Push => session.output.answer("remote-push", &outcome, text::outcome)?,
        Way::Pull => session.output.answer("remote-pull", &outcome, text::outcome)?,
    }
    Ok(exit(&outcome))
}

fn exit(outcome: &Outcome) -> Exit {
    match outcome.end {
        End::Done | End::Nothing => kept_back(&outcome.plan),
        End::Partly | End::NoRoom => Exit::Partial,
        End::Cut | End::Killed => Exit::Deferred,
    }
}

fn kept_back(plan: &Plan) -> Exit {
    if plan.held.is_empty() && plan.refused.is_empty() { Exit::Done } else { Exit::Look }
}
