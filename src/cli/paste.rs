//! Options of `paste`.

use clap::{Args, Subcommand};

use super::cluster_source::ClusterArgs;
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
  handover paste snapshot --commit && handover sync
  handover paste resubmit lr_sweep --qr
  handover paste page > page.html
  handover paste check 'sbatch train.sh'

Steps:
  pull            bring the commits, never merging, and the environment up to date
  environment     the environment alone: what uv.lock and the like ask for
  submit:SCRIPT   sbatch SCRIPT
  snapshot        alone: the cluster's state and the logs, through a guard, pushed

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
    #[command(flatten)]
    form: Form,
}

/// In which form lines are given.
#[derive(Debug, Args)]
struct Form {
    /// Write the script that a line runs, and commit that file alone
    #[arg(long)]
    commit: bool,
    /// Draw each line as a QR code for the camera of the phone
    #[arg(long)]
    qr: bool,
    /// Draw it for dark letters on a light ground, where there are no colours
    #[arg(long, requires = "qr")]
    inverted: bool,
}

/// What else there is about lines.
#[derive(Debug, Subcommand)]
enum About {
    Check(CheckArgs),
    Resubmit(ResubmitArgs),
    Page(PageArgs),
}

/// Print what the plan of a sweep submits, as lines for a phone
///
/// The lines are those that `sweep plan` would run now; what waits for somebody is not among them.
/// Exit code 1: the plan has no line to run now.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover paste resubmit lr_sweep
  handover paste resubmit 48251 --cluster cluster_state.txt --qr")]
struct ResubmitArgs {
    /// An array's id, or a name; the only sweep with failed tasks if it is left out
    #[arg(value_name = "NAME|JOBID")]
    name: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    form: Form,
}

/// Print a page for a phone: how the sweeps do, and the lines to paste
///
/// One HTML file that loads nothing from elsewhere. It says how old its state is whenever it is
/// looked at, and copies a line at a tap.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover paste page > page.html
  handover paste page --cluster cluster_state.txt > page.html")]
struct PageArgs {
    #[command(flatten)]
    cluster: ClusterArgs,
}

/// Say what is wrong with a line that somebody wrote
///
/// Exit code 0: it can be pasted as it is. 3: it was put right, and is printed. 1: it does not fit, and why.
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
        Some(About::Resubmit(args)) => resubmit(session, args),
        Some(About::Page(args)) => page(session, args),
        None => lines(session, args),
    }
}

fn lines(session: &Session, args: &PasteArgs) -> Result<Exit, Failure> {
    let wanted = match args.command.is_empty() {
        true if args.steps == ["snapshot"] => Wanted::Snapshot,
        true => Wanted::Steps(args.steps.iter().map(|step| read(step)).collect::<Result<_, _>>()?),
        false => Wanted::Command(args.command.clone()),
    };
    if matches!(&wanted, Wanted::Steps(steps) if steps.is_empty()) {
        return Err(Failure::new(Exit::Usage, "what is to be done there is not said")
            .hint("name steps: handover paste pull submit:train.sh")
            .hint("or a command: handover paste -- squeue"));
    }
    give(session, &wanted, &args.form)
}

/// Makes the lines, and gives them in the form that is asked for.
fn give(session: &Session, wanted: &Wanted, form: &Form) -> Result<Exit, Failure> {
    let context = session.context()?;
    let mut outcome = paste::run(&context, wanted)?;
    if form.commit {
        outcome = paste::commit(&context, outcome)?;
    }
    session.output.answer("paste", &outcome, |view, outcome| match form.qr {
        true => report::paste::codes(view, outcome, form.inverted),
        false => report::paste::text(view, outcome),
    })?;
    for remark in report::paste::remarks(&outcome) {
        session.output.note(&format!("note: {remark}"));
    }
    let is_there = outcome.script.as_ref().is_none_or(|placed| placed.is_committed);
    Ok(match is_there {
        _ if outcome.lines.is_empty() => Exit::No,
        true => Exit::Done,
        false => Exit::Look,
    })
}

fn resubmit(session: &Session, args: &ResubmitArgs) -> Result<Exit, Failure> {
    let wanted = Wanted::Resubmit { name: args.name.clone(), cluster: args.cluster.source(session) };
    give(session, &wanted, &args.form)
}

fn page(session: &Session, args: &PageArgs) -> Result<Exit, Failure> {
    let _working = session.working("reading logs and run folders");
    let page = paste::page::page(&session.context()?, args.cluster.source(session).as_ref())?;
    let text = report::Text { text: report::paste::page::html(session.output.view(), &page) };
    session.output.answer("paste-page", &text, report::Text::plain).map(|()| Exit::Done)
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
    Ok(match checked.repaired {
        _ if checked.fits => Exit::Done,
        Some(_) => Exit::Look,
        None => Exit::No,
    })
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
