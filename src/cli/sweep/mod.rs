mod checkpoints;
mod clean;
mod plan;
mod preflight;
mod report;
mod settle;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::cluster_source::ClusterArgs;
use super::{Exit, Failure, Session};
use crate::config::Config;
use crate::report as text;
use crate::verbs::sweep::{self, examine::Place};

/// Show sweeps: array jobs, and jobs that share a name
///
/// Without a name all sweeps in a table, with what queue and accounting alone make of their health.
/// With one its health, what is to be decided, and why: the causes of its failures with file and
/// line, what contradicts each other, what goes on. Queue, accounting, logs, run folders and
/// trackers are read together; what was not read is said.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    handover sweep\n  \
    handover sweep train_lr\n  \
    handover sweep 48251 --json\n  \
    sacct -P -D -S now-7days --format=ALL | handover sweep --accounting -\n\n\
    At least 3 jobs that are no array must share a name to be a sweep. The exit code is 1 if \
    somebody must intervene in the sweep that was asked for, 7 if neither the queue nor accounting gave an answer.")]
pub struct SweepArgs {
    #[command(subcommand)]
    about: Option<About>,
    /// An array's id, the id of a task or job, a name, or the start of one
    #[arg(value_name = "NAME|JOBID")]
    wanted: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Read this saved output of sacct instead of asking the cluster; `-` is standard input
    ///
    /// Takes what `sacct -P` prints, with a header in any order of fields, and fixed-width
    /// columns. What waits in the queue is not in it, so totals are unknown.
    #[arg(long, value_name = "FILE", conflicts_with = "source")]
    accounting: Option<PathBuf>,
    /// Only count: read no log and no run folder
    #[arg(long)]
    quick: bool,
}

/// What else there is to say about sweeps.
#[derive(Debug, Subcommand)]
enum About {
    Checkpoints(checkpoints::CheckpointsArgs),
    Clean(clean::CleanArgs),
    Plan(plan::PlanArgs),
    Preflight(preflight::PreflightArgs),
    Report(report::ReportArgs),
    Settle(settle::SettleArgs),
}

pub fn run(session: &Session, args: &SweepArgs) -> Result<Exit, Failure> {
    match &args.about {
        None => board(session, args),
        Some(About::Checkpoints(args)) => checkpoints::run(session, args),
        Some(About::Clean(args)) => clean::run(session, args),
        Some(About::Plan(args)) => plan::run(session, args),
        Some(About::Preflight(args)) => preflight::run(session, args),
        Some(About::Report(args)) => report::run(session, args),
        Some(About::Settle(args)) => settle::run(session, args),
    }
}

fn board(session: &Session, args: &SweepArgs) -> Result<Exit, Failure> {
    let again = args.cluster.again(session) + &session.again("--accounting", args.accounting.as_deref());
    look(session, args, &again).map_err(|failure| failure.keeping(&again))
}

fn look(session: &Session, args: &SweepArgs, again: &str) -> Result<Exit, Failure> {
    let wanted = args.wanted.as_deref();
    // A saved text can be read outside of any repository, too.
    let context = match &args.accounting {
        Some(_) => session.context().ok(),
        None => Some(session.context()?),
    };
    let config = Config::default();
    let place = match &context {
        Some(context) => Place::of(context),
        None => Place::bare(session.world, &config, session.dir()),
    };
    let snapshot = match (&args.accounting, &context) {
        (Some(path), _) if path == Path::new("-") => sweep::look_at_saved(path)?,
        (Some(path), _) => sweep::look_at_saved(&session.dir().join(path))?,
        (None, Some(context)) => sweep::look(context, args.cluster.source(session).as_ref(), wanted)?,
        (None, None) => {
            return Err(Failure::new(Exit::NotFound, "there is no repository here".to_owned())
                .hint("change into a git repository, or name one with -C DIR"));
        }
    };
    let outcome = match wanted.filter(|_| !args.quick) {
        Some(wanted) => {
            let _working = session.working("reading logs and run folders");
            sweep::board(&place, snapshot, wanted)?
        }
        None if wanted.is_none() && !args.quick => sweep::table(&place, &snapshot)?,
        None => sweep::counted(&place, &snapshot, wanted)?,
    };
    session.output.answer("sweep", &outcome, |view, outcome| text::sweep::text(view, outcome, again))?;
    Ok(match outcome.says_intervene() {
        _ if outcome.blind => Exit::Outside,
        true => Exit::No,
        false => Exit::Done,
    })
}
