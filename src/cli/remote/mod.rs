//! Options of `remote`.

mod carry;
mod run;

use clap::{Args, Subcommand};

use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::remote::worktree::Standing;
use crate::verbs::remote::{Answer, Machine, check, reconcile, status, worktree};

/// Go to the other machines of the settings over ssh: the login node, the workstation
///
/// Keys, jump hosts and whom to trust are ssh's own business, in ~/.ssh/config. Nobody is ever asked
/// for a password, and nothing is forwarded.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote check
  handover remote check gpu
  handover remote pull gpu results
  handover remote run gpu -- nvidia-smi")]
pub struct RemoteArgs {
    #[command(subcommand)]
    about: About,
}

/// What to do there.
#[derive(Debug, Subcommand)]
enum About {
    Check(CheckArgs),
    Status(StatusArgs),
    Push(carry::PushArgs),
    Pull(carry::PullArgs),
    Run(run::RunArgs),
    Worktree(WorktreeArgs),
    Reconcile(ReconcileArgs),
    Shell(run::ShellArgs),
}

/// Ask whether a machine is there, and has what the work needs
///
/// Git, the project, Slurm or GPUs, rsync, the clock, disk and quota, and the probes that the
/// settings name; all over one connection. Exit code 0: it is there, with all of it. 3: something
/// is missing. 7: ssh is not let in. 75: it cannot be reached for now; when it last answered is said.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote check
  handover remote check gpu --json")]
struct CheckArgs {
    /// The machine, by its name in the settings; all of them by default
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Show what a machine is doing: GPUs, memory, your processes and jobs
///
/// Exit code 7: ssh is not let in. 75: it cannot be reached for now; when it last answered is said.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote status
  handover remote status gpu --json")]
struct StatusArgs {
    /// The machine, by its name in the settings; all of them by default
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Make the worktree of a branch on a machine too, from the same commit
///
/// The commit goes there by itself. The worktree stands beside the project there, and is locked, with a
/// reason, so that nobody prunes it. One that is there already is left as it is; if it is at another
/// commit, exit code 3 says so.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote worktree gpu lr-schedule
  handover remote worktree gpu lr-schedule --json")]
struct WorktreeArgs {
    /// The machine, by its name in the settings
    #[arg(value_name = "NAME")]
    machine: String,
    /// The branch, which `start` made here
    #[arg(value_name = "FEATURE")]
    branch: String,
}

/// List what `sweep clean` put aside here, and is still on a machine
///
/// Nothing is removed anywhere. Exit code 3: there is some of it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover remote reconcile gpu
  handover remote reconcile gpu --json")]
struct ReconcileArgs {
    /// The machine, by its name in the settings
    #[arg(value_name = "NAME")]
    machine: String,
}

/// Runs `remote`.
pub fn run(session: &Session, args: RemoteArgs) -> Result<Exit, Failure> {
    match args.about {
        About::Check(args) => run_check(session, &args),
        About::Status(args) => run_status(session, &args),
        About::Push(args) => carry::push(session, args),
        About::Pull(args) => carry::pull(session, args),
        About::Run(args) => run::run(session, args),
        About::Worktree(args) => run_worktree(session, &args),
        About::Reconcile(args) => run_reconcile(session, &args),
        About::Shell(args) => run::shell(session, &args),
    }
}

fn run_check(session: &Session, args: &CheckArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let working = session.working("asking");
    let outcome = check::run(&context, args.name.as_deref())?;
    drop(working);
    session.output.answer("remote-check", &outcome, report::remote::check)?;
    let missing = outcome.machines.iter().any(|machine| !machine.missing().is_empty());
    Ok(worst(&outcome.machines).unwrap_or(if missing { Exit::Look } else { Exit::Done }))
}

fn run_status(session: &Session, args: &StatusArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let working = session.working("asking");
    let outcome = status::run(&context, args.name.as_deref())?;
    drop(working);
    session.output.answer("remote-status", &outcome, report::remote::status)?;
    Ok(worst(&outcome.machines).unwrap_or(Exit::Done))
}

fn run_worktree(session: &Session, args: &WorktreeArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let working = session.working("asking");
    let outcome = worktree::run(&context, &args.machine, &args.branch)?;
    drop(working);
    session.output.answer("remote-worktree", &outcome, report::remote::worktree)?;
    Ok(if matches!(outcome.standing, Standing::Drifted { .. }) { Exit::Look } else { Exit::Done })
}

fn run_reconcile(session: &Session, args: &ReconcileArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let working = session.working("asking");
    let outcome = reconcile::run(&context, &args.machine)?;
    drop(working);
    session.output.answer("remote-reconcile", &outcome, report::remote::reconcile)?;
    let is_left = matches!(&outcome.machine.answer, Answer::Reachable { said } if !said.is_empty());
    let machines = std::slice::from_ref(&outcome.machine);
    Ok(worst(machines).unwrap_or(if is_left { Exit::Look } else { Exit::Done }))
}

/// The exit code of the machines that did not answer; one that bars us weighs more.
fn worst<T>(machines: &[Machine<T>]) -> Option<Exit> {
    let troubles = || machines.iter().filter_map(Machine::trouble);
    let exit = if troubles().any(|why| !why.is_offline()) { Exit::Outside } else { Exit::Deferred };
    troubles().next().map(|_| exit)
}
