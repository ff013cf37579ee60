//! Options of `sync`.

use clap::Args;

use super::{Exit, Failure, Session};
use crate::report;
use crate::sys::lock::Holder;
use crate::verbs::sync::{self, Fit, Options, Outcome, Sent};

/// Commit what travels, fetch, fit together, push: one safe cycle
///
/// What you have staged stays staged and is not committed. Each file passes a guard (size, kind,
/// secrets, too many at once); what it keeps back is named, with the option that lets it through.
/// Commits that do not fit are parked on a branch of their own at the remote. Nothing is stashed,
/// forced, or left half rebased.
///
/// Exit code 0: both sides are the same. 3: they are, and files were kept back. 5: this state or
/// these session logs come first. 6: commits were parked, or a file is in the way. 75: the lock is
/// held, or the remote cannot be reached; what was committed waits for the next sync.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover sync
  handover sync --dry-run
  handover sync --profile cluster --quiet
  handover sync --message 'loader: read shards in order'
  handover sync --allow=tests/data/small.npz
  handover sync --many=results")]
pub struct SyncArgs {
    /// Which files travel: local, cluster, or one of the settings; by default cluster where sbatch
    /// is, but local in a worktree that `start` made
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// The remote, instead of the branch's own
    #[arg(long, value_name = "NAME")]
    remote: Option<String>,
    /// The commit's message, instead of one made of the paths
    #[arg(long, short, value_name = "TEXT")]
    message: Option<String>,
    /// Let these files through whatever their kind and size
    #[arg(long, value_name = "GLOB")]
    allow: Vec<String>,
    /// Let these files through although they hold what looks like a secret
    #[arg(long, value_name = "GLOB")]
    allow_secret: Vec<String>,
    /// Let any number of new files below this folder through; `.` stands for the top alone
    #[arg(long, value_name = "FOLDER")]
    many: Vec<String>,
    /// Let any number of deletions through
    #[arg(long)]
    deletions: bool,
    /// Take changes of tracked files along, wherever they are
    #[arg(long)]
    tracked: bool,
    /// Go on although session logs or notes are not committed
    #[arg(long)]
    anyway: bool,
    /// Find out anew what the remote has of handovers, and whether it takes them
    #[arg(long)]
    ask_again: bool,
    /// Say what would be committed, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `sync`.
pub fn run(session: &Session, args: SyncArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let options = Options {
        profile: args.profile,
        remote: args.remote,
        message: args.message,
        allow: args.allow,
        allow_secrets: args.allow_secret,
        many: args.many,
        deletions: args.deletions,
        tracked: args.tracked,
        anyway: args.anyway,
        ask_again: args.ask_again,
    };
    if args.dry_run {
        let plan = sync::plan(&context, &options)?;
        session.output.answer("sync-plan", &plan, report::sync::plan)?;
        return Ok(if plan.session_logs.is_empty() { Exit::Done } else { Exit::Refused });
    }
    let working = session.working("syncing");
    let mut waiting = |holder: &Holder| {
        session.output.note(&format!("waiting for another sync: {holder}"));
    };
    let outcome = sync::execute(&context, &options, &mut waiting)?;
    drop(working);
    session.output.answer("sync", &outcome, report::sync::text)?;
    for hint in report::sync::hints(&outcome) {
        session.output.note(&format!("hint: {hint}"));
    }
    Ok(exit(&outcome))
}

fn exit(outcome: &Outcome) -> Exit {
    match (&outcome.sent, &outcome.fit) {
        (Sent::Offline { .. }, _) => Exit::Deferred,
        (Sent::Refused { .. }, _) => Exit::Outside,
        (Sent::Parked { .. } | Sent::Kept { .. } | Sent::Superseded { .. }, _)
        | (_, Fit::InTheWay { .. }) => Exit::Partial,
        _ if outcome.has_lost() => Exit::Partial,
        _ if !outcome.refused.is_empty() || outcome.keeps_handovers() => Exit::Look,
        _ => Exit::Done,
    }
}
