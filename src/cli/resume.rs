//! Options of `resume` and `release`.

use clap::Args;

use super::{Exit, Failure, Session, create, verify};
use crate::report;
use crate::terms::KeyPrefix;
use crate::verbs::resume::{Held, Intent, Options, Outcome, Preview};
use crate::verbs::{release, resume};

/// Verify a handover, take its baton, and print the briefing
///
/// Exit code 0: the baton is yours; what moved stands in the text. 1: the document or the
/// place is not the right one, and no baton was taken. 3: nothing proves the document. 5: another
/// session holds it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover resume
  handover resume --dry-run
  handover resume 7f3a9c2e --json
  handover resume HO-20261121-0341-7f3a9c2e --take-over")]
pub struct ResumeArgs {
    /// The key, its start, or the start of its hash; by default the newest of this worktree
    key: Option<KeyPrefix>,
    /// Take the baton from whoever holds it; a person decides that
    #[arg(long)]
    take_over: bool,
    /// Where to look for the cluster: auto, local, none, or a state file
    #[arg(long, value_name = "SOURCE")]
    cluster: Option<String>,
    /// Show what would become of the baton, and take nothing
    #[arg(long)]
    dry_run: bool,
}

/// Let the baton of a handover go
///
/// Only the session that holds it may, or whoever names the claim. Without a key it lets go
/// whatever this session holds in this worktree, and nothing else.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover release
  handover release 7f3a9c2e")]
pub struct ReleaseArgs {
    /// The key, its start, or the start of its hash; by default whatever you hold in this worktree
    key: Option<KeyPrefix>,
    /// The nonce of another session's claim, as `status --json` prints it
    #[arg(long, value_name = "NONCE")]
    nonce: Option<String>,
    /// Show what would be let go, and let nothing go
    #[arg(long)]
    dry_run: bool,
}

/// Runs `resume`.
pub fn run(session: &Session, args: ResumeArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let cluster = args.cluster.map(|text| create::source(session, &text));
    let options = Options { key: args.key, take_over: args.take_over, cluster };
    if !args.dry_run {
        let working = session.working("looking for the handover");
        let brought = resume::bring(&context, &options)?;
        drop(working);
        if let Some(brought) = brought {
            session.output.note(&report::fetch::noted(&brought));
        }
    }
    let plan = resume::plan(&context, &options)?;
    if args.dry_run {
        let preview = resume::preview(&context, &plan)?;
        session.output.answer("resume-plan", &preview, report::resume::previewed)?;
        hints(session, &preview.verified);
        return Ok(exit_of_preview(&preview));
    }
    let outcome = resume::execute(&context, plan)?;
    for doubt in report::resume::doubts(&outcome) {
        session.output.note(&doubt);
    }
    for failure in &outcome.not_written {
        session.output.note(&format!("not written: {}", crate::safety::escape(failure)));
    }
    session.output.answer("resume", &outcome, report::resume::resumed)?;
    hints(session, &outcome.verified);
    Ok(exit(&outcome))
}

fn hints(session: &Session, verified: &crate::verbs::verify::Outcome) {
    for hint in report::resume::hints(verified) {
        session.output.note(&format!("hint: {hint}"));
    }
}

/// As [`exit`] says it of what was done.
fn exit_of_preview(preview: &Preview) -> Exit {
    match &preview.baton {
        Intent::NotTaken => verify::exit(&preview.verified, false),
        _ if !preview.verified.is_proved() => Exit::Look,
        Intent::Take | Intent::Keep { .. } | Intent::TakeOver { .. } => Exit::Done,
    }
}

fn exit(outcome: &Outcome) -> Exit {
    match &outcome.baton {
        Held::NotTaken => verify::exit(&outcome.verified, false),
        Held::NotWritten { .. } => Exit::Partial,
        _ if !outcome.not_written.is_empty() => Exit::Partial,
        // The baton is ours, and nobody here can prove the document.
        _ if !outcome.verified.is_proved() => Exit::Look,
        Held::Taken { .. } | Held::Kept { .. } | Held::TakenOver { .. } => Exit::Done,
    }
}

/// Runs `release`.
pub fn run_release(session: &Session, args: ReleaseArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let plan = release::plan(&context, &release::Options { key: args.key, nonce: args.nonce })?;
    if args.dry_run {
        session.output.answer("release-plan", &plan, report::resume::to_release)?;
        return Ok(Exit::Done);
    }
    let outcome = release::execute(&context, plan)?;
    session.output.answer("release", &outcome, report::resume::released)?;
    Ok(Exit::Done)
}
