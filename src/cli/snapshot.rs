use clap::Args;

use super::cluster_source::ClusterArgs;
use super::{Exit, Failure, Session};
use crate::report::{self, Text};
use crate::terms::Known;
use crate::verbs::snapshot;

/// Show the cluster's state: jobs, arrays, free GPUs, recent history
///
/// Asks Slurm's commands on this machine, or reads the newest state file that
/// the repository knows, and says how old the answer is and what it could not see.
///
/// Sweeps are told as a handover carries them: one row for each cause, however many
/// tasks it took. For that their logs and run folders are read, for 5 s at most (`budget` below
/// `sweeps` in the settings); what was not read is listed.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover snapshot\n  \
    handover snapshot --cluster cluster_state.txt --json\n  \
    handover snapshot --script > cluster_snapshot.sh    for the cluster side: bash cluster_snapshot.sh\n\n\
    The exit code is 7 if the jobs are unknown, because Slurm or the state file gave no answer, 75 \
    if the machine that ssh goes to cannot be reached for now. It is \
    0 where there is neither, and no cluster in the settings: then there is nothing to be known. From a phone \
    the line of `handover paste snapshot` does the same, with the logs.")]
pub struct SnapshotArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Read no logs, run folders or checkpoints of sweeps: queue and accounting alone
    #[arg(long)]
    quick: bool,
    /// Print the script that writes a state file on the cluster (bash and Slurm alone)
    #[arg(long, conflicts_with_all = ["source", "quick"])]
    script: bool,
}

pub fn run(session: &Session, args: &SnapshotArgs) -> Result<Exit, Failure> {
    if args.script {
        let script = Text { text: snapshot::SCRIPT.to_owned() };
        return session.output.answer("snapshot-script", &script, Text::plain).map(|()| Exit::Done);
    }
    let outcome = snapshot::run(&session.context()?, args.cluster.source(session).as_ref(), args.quick)?;
    session.output.answer("snapshot", &outcome, report::snapshot::text)?;
    Ok(match outcome.snapshot.jobs {
        Known::Unknown(_) if outcome.is_offline() => Exit::Deferred,
        Known::Unknown(_) => Exit::Outside,
        Known::Known(_) | Known::NotApplicable(_) => Exit::Done,
    })
}
