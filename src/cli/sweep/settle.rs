use clap::Args;

use crate::cli::cluster_source::ClusterArgs;
use crate::cli::{Exit, Failure, Session};
use crate::report;
use crate::verbs::sweep::settle;

/// Say that a sweep that is over is dealt with, and why
///
/// It then asks for no decision in snapshots, handovers and briefings, and the board says who
/// settled it. What had failed may stay as it is; a new failure or a new job of it brings it back.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover sweep settle 48251 --because \"the large batches are out of the study\"\n  \
    handover sweep settle 48251 --undo")]
pub struct SettleArgs {
    /// An array's id, the id of a task or job, a name, or the start of one
    #[arg(value_name = "NAME|JOBID")]
    wanted: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Why nothing is to be done about it any more
    #[arg(long, value_name = "TEXT", required_unless_present = "undo")]
    because: Option<String>,
    /// Take back what was said
    #[arg(long, conflicts_with = "because")]
    undo: bool,
}

pub fn run(session: &Session, args: &SettleArgs) -> Result<Exit, Failure> {
    let again = args.cluster.again(session);
    let context = session.context()?;
    let source = args.cluster.source(session);
    let said = settle::run(&context, source.as_ref(), &args.wanted, args.because.as_deref())
        .map_err(|error| Failure::from(error).keeping(&again))?;
    session.output.answer("sweep-settle", &said, report::sweep_settle::text)?;
    Ok(Exit::Done)
}
