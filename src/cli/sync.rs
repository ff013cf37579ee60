//! Options of `sync`.

use clap::Args;

use super::create::source;
use super::{Exit, Failure, Session, sync_pair};
use crate::report;
use crate::sys::lock::Holder;
use crate::verbs::compose::Wish;
use crate::verbs::sync::{self, Fit, Options, Outcome, Plan, Problem, Second, Sent};
use crate::verbs::{Error, create};

/// Commit what travels, fetch, fit together, push: one safe cycle
///
/// What you have staged stays staged and is not committed. Each file passes a guard (size, kind,
/// secrets, too many at once); what it keeps back is named, with the option that lets it through.
/// Commits that do not fit are parked on a branch of their own at the remote. Nothing is stashed,
/// forced, or left half rebased.
///
/// Its commits are made without hooks and without a signature: a hook would work on your own index
/// and files, and nobody may be there to type a passphrase. With --quiet nothing is said of a sync
/// that went well, and all of another on standard error, as a timer wants it.
///
/// Exit code 0: both sides are the same. 3: they are, and files were kept back. 5: this state or
/// these session logs come first. 6: commits were parked, or a file is in the way. 75: the lock is
/// held, or the remote cannot be reached; what was committed waits for the next sync.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover sync
  handover sync --dry-run
  handover sync --save
  handover sync --profile cluster --quiet
  handover sync --pair
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
    /// Seal a handover first, of the draft if there is one, so that it travels too
    #[arg(long)]
    save: bool,
    /// For --save: where to look for the cluster (auto, local, none, or a state file)
    #[arg(long, value_name = "SOURCE", requires = "save")]
    cluster: Option<String>,
    /// For --save: read no logs, run folders or checkpoints of sweeps
    #[arg(long, requires = "save")]
    quick: bool,
    /// Join the two branches of a pair (`pairs` below `sync`) by a merge commit, at the remote and here
    ///
    /// Nothing is committed first. Where both changed the same lines nothing changes anywhere, and the
    /// files are named.
    #[arg(long, conflicts_with_all = ["profile", "message", "allow", "allow_secret", "tracked", "save", "dry_run"])]
    pair: bool,
    /// Say what would be committed, and do nothing
    #[arg(long)]
    dry_run: bool,
}

/// Runs `sync`.
pub fn run(session: &Session, args: SyncArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    if args.pair {
        return sync_pair::run(session, &context, args.remote.as_deref());
    }
    let save = create::Options {
        wish: Wish {
            cluster: args.cluster.map(|text| source(session, &text)),
            quick: args.quick,
            ..Wish::default()
        },
        ..create::Options::default()
    };
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
        save: args.save.then_some(save),
        unattended: is_unattended(session) && !args.dry_run,
        other: None,
    };
    if args.dry_run {
        let plan = sync::plan(&context, &options, &problem)?;
        session.output.answer("sync-plan", &plan, report::sync::plan)?;
        return Ok(planned(&plan));
    }
    let working = session.working("syncing");
    let mut waiting = |holder: &Holder| {
        session.output.note(&format!("waiting for another sync: {holder}"));
    };
    let done = sync::execute(&context, &options, &mut waiting, &problem);
    drop(working);
    let outcome = match done {
        Err(Error::FirstOfTwo { source, second }) => return Err(first_failed(session, *source, &second)?),
        done => done?,
    };
    let exit = exit(&outcome);
    let hints: String = report::sync::hints(&outcome).iter().map(|hint| format!("hint: {hint}\n")).collect();
    if is_unattended(session) {
        if exit != Exit::Done {
            session.output.alarm(&report::sync::text(session.output.view(), &outcome));
            session.output.alarm(&hints);
        }
        return Ok(exit);
    }
    session.output.answer("sync", &outcome, report::sync::text)?;
    for hint in hints.lines() {
        session.output.note(hint);
    }
    Ok(exit)
}

/// True if only problems are to be heard of, as from a timer.
fn is_unattended(session: &Session) -> bool {
    session.output.is_quiet() && !session.output.is_json()
}

/// The failure of the first repository, after the second one had its say.
fn first_failed(session: &Session, error: Error, second: &Second) -> Result<Failure, Failure> {
    let mut failure = Failure::from(error);
    if is_unattended(session) {
        if exit_of_second(second) != Exit::Done {
            session.output.alarm(&report::sync::second(session.output.view(), second));
        }
    } else {
        session.output.answer("sync-second", second, report::sync::second)?;
    }
    failure.exit = worse(failure.exit, exit_of_second(second));
    Ok(failure)
}

fn problem(error: Error) -> Problem {
    let Failure { exit, messages, hints } = Failure::from(error);
    Problem { exit_code: exit.number(), messages, hints }
}

fn planned(plan: &Plan) -> Exit {
    let exit = if plan.session_logs.is_empty() { Exit::Done } else { Exit::Refused };
    plan.second.as_ref().map_or(exit, |second| worse(exit, exit_of_second(second)))
}

fn exit(outcome: &Outcome) -> Exit {
    let not_written = outcome.handover.as_ref().is_some_and(|handover| !handover.not_written.is_empty());
    let exit = match (&outcome.sent, &outcome.fit) {
        (Sent::Offline { .. }, _) => Exit::Deferred,
        (Sent::Refused { .. }, _) => Exit::Outside,
        (Sent::Parked { .. } | Sent::Kept { .. } | Sent::Superseded { .. }, _)
        | (_, Fit::InTheWay { .. }) => Exit::Partial,
        _ if not_written || outcome.has_lost() => Exit::Partial,
        _ if !outcome.refused.is_empty() || outcome.keeps_handovers() => Exit::Look,
        _ => Exit::Done,
    };
    outcome.second.as_ref().map_or(exit, |second| worse(exit, exit_of_second(second)))
}

fn exit_of_second(second: &Second) -> Exit {
    let known = |code: u8| Exit::ALL.iter().map(|(exit, _)| *exit).find(|exit| exit.number() == code);
    let failed = second.problem.as_ref().map(|problem| known(problem.exit_code).unwrap_or(Exit::Bug));
    failed
        .or_else(|| second.outcome.as_ref().map(|outcome| exit(outcome)))
        .or_else(|| second.plan.as_ref().map(|plan| planned(plan)))
        .unwrap_or(Exit::Done)
}

/// The one of two that needs somebody more: what passes by itself comes before what does not.
fn worse(one: Exit, other: Exit) -> Exit {
    let rank = |exit: Exit| match exit {
        Exit::Done => 0,
        Exit::Look => 1,
        Exit::Deferred => 2,
        Exit::Partial => 3,
        Exit::Refused => 4,
        Exit::Bug => 6,
        _ => 5,
    };
    if rank(other) > rank(one) { other } else { one }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_two_exit_codes_the_one_that_needs_somebody_wins() {
        assert_eq!(worse(Exit::Done, Exit::Look), Exit::Look);
        assert_eq!(worse(Exit::Deferred, Exit::Look), Exit::Deferred);
        assert_eq!(worse(Exit::Deferred, Exit::Partial), Exit::Partial);
        assert_eq!(worse(Exit::Outside, Exit::Partial), Exit::Outside);
    }
}
