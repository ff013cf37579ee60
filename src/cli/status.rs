use clap::Args;

use super::cluster_source::ClusterArgs;
use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::status;

/// The board: every worktree with its branch, files, handover and jobs
///
/// It changes nothing, and waits two seconds for the cluster at most, unless --cluster names one.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  handover status\n  handover status --cluster none --json")]
pub struct StatusArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
}

pub fn run(session: &Session, args: &StatusArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let working = session.working("looking at git and the cluster");
    let board = status::look(&context, args.cluster.source(session).as_ref())?;
    drop(working);
    session.output.answer("status", &board, report::status::text)?;
    Ok(Exit::Done)
}
