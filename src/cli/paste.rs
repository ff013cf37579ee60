//! Options of `paste`.

use clap::{Args, Subcommand};

use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::paste::{self, Step, Wanted};

/// Print lines that somebody can paste on the cluster, from a phone
///
/// One line, or numbered ones, that begin with `cd` into the project, have no character that a
/// phone rewrites (quotes, two dashes, three dots), and wait for nobody. What does not fit becomes
/// a script under a name with its own hash, to be committed; it checks itself before it runs.
/// Refused: control characters, secrets, removing trees outside of the project, cancelling jobs by
/// their user.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "Examples:
  handover paste pull submit:train.sh
  handover paste -- sbatch --array=3,7 train.sh
  handover paste -- 'tail -n 5 logs/*.out | head -n 40'
  handover paste check 'sbatch train.sh'

Steps:
  pull            bring the commits, never merging, and the environment up to date
  environment     the environment alone: what uv.lock and the like ask for
  submit:SCRIPT   sbatch SCRIPT

Behind `--` stands a command in words, or one word that is a line of shell. The exit code is 3 if a script has to be
committed first, 5 if nothing can carry it or it must not be carried.")]
pub struct PasteArgs {
    #[command(subcommand)]
    about: Option<About>,
    /// What to do there, step by step
    #[arg(value_name = "STEP")]
    steps: Vec<String>,
    /// Or a command to run there
    #[arg(last = true, value_name = "CMD", conflicts_with = "steps")]
    command: Vec<String>,
}

/// What else there is about lines.
#[derive(Debug, Subcommand)]
enum About {
    Check(CheckArgs),
}

/// Say what is wrong with a line that somebody wrote
///
/// Exit code 0: it can be pasted as it is. 1: it does not fit, and why.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover paste check 'cd ~/project && sbatch train.sh'
  pbpaste | handover paste check -")]
struct CheckArgs {
    /// The line; `-` is standard input
    #[arg(value_name = "LINE", allow_hyphen_values = true)]
    line: String,
}

/// Runs `paste`.
pub fn run(session: &Session, args: &PasteArgs) -> Result<Exit, Failure> {
    match &args.about {
        Some(About::Check(args)) => check(session, args),
        None => lines(session, args),
    }
}

fn lines(session: &Session, args: &PasteArgs) -> Result<Exit, Failure> {
    let wanted = match args.command.is_empty() {
        true => Wanted::Steps(args.steps.iter().map(|step| read(step)).collect::<Result<_, _>>()?),
        false => Wanted::Command(args.command.clone()),
    };
    if matches!(&wanted, Wanted::Steps(steps) if steps.is_empty()) {
        return Err(Failure::new(Exit::Usage, "what is to be done there is not said")
            .hint("name steps: handover paste pull submit:train.sh")
            .hint("or a command: handover paste -- squeue"));
    }
    let outcome = paste::run(&session.context()?, &wanted)?;
    session.output.answer("paste", &outcome, report::paste::text)?;
    for remark in report::paste::remarks(&outcome) {
        session.output.note(&format!("note: {remark}"));
    }
    let is_there = outcome.script.as_ref().is_none_or(|placed| placed.is_committed);
    Ok(if is_there { Exit::Done } else { Exit::Look })
}

fn read(step: &str) -> Result<Step, Failure> {
    match step.split_once(':') {
        None if step == "pull" => Ok(Step::Pull),
        None if step == "environment" => Ok(Step::Environment),
        Some(("submit", script)) => Ok(Step::Submit(script.to_owned())),
        _ => Err(Failure::new(Exit::Usage, format!("{} is no step", crate::safety::one_line(step, 60)))
            .hint("the steps: handover paste --help")
            .hint("a command stands behind two dashes: handover paste -- CMD...")),
    }
}

fn check(session: &Session, args: &CheckArgs) -> Result<Exit, Failure> {
    let line = match args.line.as_str() {
        "-" => from_input()?,
        line => line.to_owned(),
    };
    let checked = paste::check(&session.context()?, &line)?;
    session.output.answer("paste-check", &checked, report::paste::checked)?;
    Ok(if checked.fits { Exit::Done } else { Exit::No })
}

fn from_input() -> Result<String, Failure> {
    use std::io::Read;
    const MOST: u64 = 64 * 1024;
    let mut bytes = Vec::new();
    let read = std::io::stdin().lock().take(MOST).read_to_end(&mut bytes);
    read.map_err(|e| Failure::new(Exit::Outside, format!("cannot read standard input: {e}")))?;
    // What a shell leaves at the end of a file is no part of the line.
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Ok(text.strip_suffix('\n').unwrap_or(&text).to_owned())
}
