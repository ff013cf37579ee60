mod checkpoints;
mod preflight;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::cluster_source::ClusterArgs;
use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::sweep;

/// Show sweeps: array jobs, and jobs that share a name
///
/// Without a name all sweeps in a table; with one its failures by state and exit code, run
/// times, and tasks to look at. Queue and accounting are read together; each task is what the
/// queue says it is, else what its newest attempt says.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:\n  \
    handover sweep\n  \
    handover sweep train_lr\n  \
    handover sweep 48251 --json\n  \
    sacct -P -D -S now-7days --format=ALL | handover sweep --accounting -\n\n\
    At least 3 jobs that are no array must share a name to be a sweep. The exit code is 7 if\n\
    neither the queue nor accounting gave an answer.")]
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
}

/// What else there is to say about sweeps.
#[derive(Debug, Subcommand)]
enum About {
    Checkpoints(checkpoints::CheckpointsArgs),
    Preflight(preflight::PreflightArgs),
}

pub fn run(session: &Session, args: &SweepArgs) -> Result<Exit, Failure> {
    match &args.about {
        None => board(session, args),
        Some(About::Checkpoints(args)) => checkpoints::run(session, args),
        Some(About::Preflight(args)) => preflight::run(session, args),
    }
}

fn board(session: &Session, args: &SweepArgs) -> Result<Exit, Failure> {
    let snapshot = match &args.accounting {
        Some(path) if path == Path::new("-") => sweep::look_at_saved(path)?,
        Some(path) => sweep::look_at_saved(&session.dir().join(path))?,
        None => {
            sweep::look(&session.context()?, args.cluster.source(session).as_ref(), args.wanted.as_deref())?
        }
    };
    let outcome = sweep::find(snapshot, args.wanted.as_deref())?;
    session.output.answer("sweep", &outcome, report::sweep::text)?;
    Ok(if outcome.blind { Exit::Outside } else { Exit::Done })
}
