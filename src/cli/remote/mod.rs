//! Options of `remote`.

mod carry;
mod run;

use clap::{Args, Subcommand};

use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::remote::{Machine, check, status};

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

/// Runs `remote`.
pub fn run(session: &Session, args: RemoteArgs) -> Result<Exit, Failure> {
    match args.about {
        About::Check(args) => run_check(session, &args),
        About::Status(args) => run_status(session, &args),
        About::Push(args) => carry::push(session, args),
        About::Pull(args) => carry::pull(session, args),
        About::Run(args) => run::run(session, args),
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

/// The exit code of the machines that did not answer; one that bars us weighs more.
fn worst<T>(machines: &[Machine<T>]) -> Option<Exit> {
    let troubles = || machines.iter().filter_map(Machine::trouble);
    let exit = if troubles().any(|why| !why.is_offline()) { Exit::Outside } else { Exit::Deferred };
    troubles().next().map(|_| exit)
}
