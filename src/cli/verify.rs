//! Options of `verify`, `show` and `list`.

use clap::Args;

use super::{Exit, Failure, Session, create};
use crate::report;
use crate::terms::KeyPrefix;
use crate::verbs::lookup::Shelf;
use crate::verbs::verify::{Answer, Outcome};
use crate::verbs::{list, show, verify};

/// Is it this document, in this place, and what moved since
///
/// Exit code 0: intact and nothing moved. 1: edited, or another place. 3: intact,
/// and something moved. 4: no such handover. It changes nothing.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover verify
  handover verify 7f3a9c2e
  handover verify HO-20261121-0341-7f3a9c2e --strict --json")]
pub struct VerifyArgs {
    /// The key, its start, or the start of its hash; by default the newest of this worktree
    key: Option<KeyPrefix>,
    /// What could not be checked counts as drift
    #[arg(long)]
    strict: bool,
    /// Where to look for the cluster: auto, local, none, or a state file
    #[arg(long, value_name = "SOURCE")]
    cluster: Option<String>,
}

/// Print a handover, and put its copy back into CLAUDE/
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover show
  handover show 7f3a9c2e | less
  handover show 7f3a9c2e --restore

A copy that was edited stays as it is: `handover create --amend KEY` seals it as a new document,
--restore puts the sealed text in its place and keeps the edited one in CLAUDE/archive/.")]
pub struct ShowArgs {
    /// The key, its start, or the start of its hash; by default the newest of this worktree
    key: Option<KeyPrefix>,
    /// Put the sealed text in the place of an edited copy, which is kept beside it
    #[arg(long)]
    restore: bool,
}

/// List the handovers of this worktree, newest last
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover list
  handover list --all --json")]
pub struct ListArgs {
    /// Those of other worktrees and archived ones too
    #[arg(long)]
    all: bool,
}

/// Runs `verify`.
pub fn run(session: &Session, args: VerifyArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let key = Shelf::open(&context)?.find(args.key.as_ref())?;
    let cluster = args.cluster.map(|text| create::source(session, &text));
    let working = session.working("looking at git and the cluster");
    let found = verify::verify(&context, &key, cluster.as_ref(), false)?;
    drop(working);
    session.output.answer("verify", &found.outcome, report::verify::verified)?;
    Ok(exit(&found.outcome, args.strict))
}

/// The exit code of a verification.
pub fn exit(outcome: &Outcome, strict: bool) -> Exit {
    match outcome.answer(strict) {
        Answer::Yes => Exit::Done,
        Answer::Look => Exit::Look,
        Answer::No => Exit::No,
    }
}

/// Runs `show`.
pub fn run_show(session: &Session, args: ShowArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let outcome = show::show(&context, args.key.as_ref(), args.restore)?;
    if outcome.copy_edited {
        let key = &outcome.key;
        session.output.note(&format!(
            "the copy in this worktree was edited; this is the sealed document\n\
             hint: see the difference: handover verify {key}\n\
             hint: seal the edited one as a new document: handover create --amend {key}\n\
             hint: put the sealed text back, the edited one is kept: handover show {key} --restore"
        ));
    }
    if let Some(damaged) = &outcome.damaged {
        session.output.note(damaged);
        session.output.note(&match outcome.copy_sound {
            true => format!(
                "what is shown is the copy\n\
                 hint: put it back into the store: handover show {} --restore",
                outcome.key
            ),
            false => "what is shown is what there is of it: trust nothing in it".to_owned(),
        });
    }
    if let Some(replaced) = &outcome.replaced {
        session.output.note(&format!("put back into the store; the damaged document is kept: {replaced}"));
    }
    if let Some(edits) = &outcome.edits {
        session.output.note(&format!("the edited copy is kept: {edits}"));
    }
    if outcome.restored {
        session.output.note(&format!("put back: {}", outcome.path.as_deref().unwrap_or_default()));
    }
    outcome.notes.iter().for_each(|note| session.output.note(&crate::safety::escape(note)));
    session.output.answer("show", &outcome, report::handover::shown)?;
    Ok(match outcome.key.proving() {
        _ if outcome.damaged.is_some() => Exit::Damaged,
        Some(_) => Exit::Done,
        None => Exit::Look,
    })
}

/// Runs `list`.
pub fn run_list(session: &Session, args: ListArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let outcome = list::list(&context, args.all)?;
    session.output.answer("list", &outcome, report::handover::listed)?;
    Ok(Exit::Done)
}
