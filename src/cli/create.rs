//! Options of `create` and `draft`.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, Failure, Session, questions};
use crate::config::Source;
use crate::report;
use crate::terms::KeyPrefix;
use crate::verbs::compose::{Said, Wish};
use crate::verbs::{create, draft};

/// The largest body that is read, in bytes; one more shows that there is more.
const MOST: u64 = (1 << 20) + 1;

/// Seal a handover: what changed, what the cluster does, what to do next
///
/// With no options at all it still makes a useful document. What the agent says
/// comes from options, from --body, or from the draft that `handover draft` wrote.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover create
  handover create --focus 'warm-up schedule' --status 'watch: two tasks are slow' \\
      --next 'Run `pytest tests/test_schedule.py`; 12 pass' \\
      --dead-end 'cosine: diverges at 2k steps'
  handover create --body notes.md
  handover create --cluster cluster_state.txt --json

Where another session holds the baton of this worktree it refuses (exit code 5) and changes \
nothing: only the holder makes the next handover. What you have to say goes beside it:
  handover create --side --focus 'a leak in the loader' --hazard 'workers grow by 1 GB per hour'

The last two lines of the answer are the document's path and its key.")]
pub struct CreateArgs {
    #[command(flatten)]
    words: Words,
    /// Take the body from a file (markdown with our headings, or JSON), `-` for standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// Seal the edited copy of a handover anew, with new facts
    #[arg(long, value_name = "KEY", conflicts_with_all = ["body", "parent"])]
    amend: Option<KeyPrefix>,
    /// Ask for whatever is not said, one question per section
    #[arg(short = 'i', long = "interactive")]
    ask: bool,
    /// Stand beside the newest handover: listed, joined by the next one, never current
    #[arg(long, conflicts_with_all = ["amend", "take_over"])]
    side: bool,
    /// Make the next handover although another session holds the baton; a person decides that
    #[arg(long)]
    take_over: bool,
    #[command(flatten)]
    context: Around,
    /// Publish it at the remote at once, for other machines; `sync` does so later
    #[arg(long)]
    push: bool,
    /// Print the document, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// Write a body to fill in, with the facts and the gaps
///
/// The draft is CLAUDE/DRAFT.md. Run it again to refresh the facts; what you
/// wrote stays. `handover create` seals it.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  handover draft
  handover draft --focus 'warm-up schedule' --dry-run")]
pub struct DraftArgs {
    #[command(flatten)]
    words: Words,
    #[command(flatten)]
    context: Around,
    /// Print the draft, write nothing
    #[arg(long)]
    dry_run: bool,
}

/// What surrounds the document.
#[derive(Debug, Args)]
struct Around {
    /// The handover that this one continues; by default the newest of this worktree
    #[arg(long, value_name = "KEY")]
    parent: Option<KeyPrefix>,
    /// Where to look for the cluster: auto, local, none, or a state file
    #[arg(long, value_name = "SOURCE")]
    cluster: Option<String>,
    /// Read no logs, run folders or checkpoints of sweeps: queue and accounting alone
    #[arg(long)]
    quick: bool,
}

/// What the agent says, section by section.
#[derive(Debug, Args)]
struct Words {
    /// What the work is about, in one line
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    focus: Option<String>,
    /// stable, watch, broken or blocked, then a sentence
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    status: Option<String>,
    /// What the user wants, and how one knows that it is done
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    goal: Option<String>,
    /// Exactly one thing to do, with the command and what to expect
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    next: Option<String>,
    /// Something that was done, and why; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    done: Vec<String>,
    /// Something that is still to be done; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pending: Vec<String>,
    /// What was run and what came out, or what was not verified; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    evidence: Vec<String>,
    /// What a job or sweep is for; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    job: Vec<String>,
    /// If this happens, then do that; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    if_then: Vec<String>,
    /// A decision, its reason, what was rejected; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    decision: Vec<String>,
    /// Something that was tried and does not work; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    dead_end: Vec<String>,
    /// An assumption or an open question; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    assumption: Vec<String>,
    /// Something that can hurt; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    hazard: Vec<String>,
    /// A file or document that must be read; may be given again
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pointer: Vec<String>,
}

impl Words {
    fn said(self) -> Said {
        Said {
            focus: self.focus,
            status: self.status,
            goal: self.goal,
            next: self.next,
            done: self.done,
            pending: self.pending,
            evidence: self.evidence,
            jobs: self.job,
            if_then: self.if_then,
            decisions: self.decision,
            dead_ends: self.dead_end,
            assumptions: self.assumption,
            hazards: self.hazard,
            pointers: self.pointer,
        }
    }
}

impl Around {
    fn wish(self, session: &Session, said: Said) -> Wish {
        Wish {
            body: said.body(),
            parent: self.parent,
            cluster: self.cluster.map(|text| source(session, &text)),
            quick: self.quick,
            ..Wish::default()
        }
    }
}

/// A source as typed: a path counts from where the user stands.
pub fn source(session: &Session, text: &str) -> Source {
    match Source::read(text) {
        Source::File(path) => Source::File(session.dir().join(path)),
        other => other,
    }
}

/// Runs `create`.
pub fn run(session: &Session, args: CreateArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let manner = match (args.side, args.take_over) {
        (true, _) => create::Manner::Side,
        (false, true) => create::Manner::TakeOver,
        (false, false) => create::Manner::Next,
    };
    if args.ask || args.body.as_deref().is_some_and(|path| path.as_os_str() == "-") {
        create::admit(&context, args.amend.as_ref(), manner)?;
    }
    let file = args.body.as_deref().map(|path| read_body(&session.dir(), path)).transpose()?;
    let said = args.words.said();
    let said = if args.ask { questions::ask(said)? } else { said };
    let wish = args.context.wish(session, said);
    let options = create::Options { wish, amend: args.amend, file, manner, push: args.push };
    let working = session.working("looking at git and the cluster");
    let plan = create::plan(&context, &options)?;
    drop(working);
    if args.dry_run {
        let preview = plan.preview();
        session.output.remarks(&report::handover::gaps(&preview.lint));
        session.output.answer("create-plan", &preview, |_, preview| preview.text.clone())?;
        return Ok(Exit::Done);
    }
    let outcome = create::execute(&context, &plan)?;
    session.output.remarks(&report::handover::created_notes(&outcome));
    session.output.answer("create", &outcome, report::handover::created)?;
    Ok(if outcome.not_written.is_empty() { Exit::Done } else { Exit::Partial })
}

/// Runs `draft`.
pub fn run_draft(session: &Session, args: DraftArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let wish = args.context.wish(session, args.words.said());
    let plan = draft::plan(&context, &wish)?;
    if args.dry_run {
        session.output.answer("draft-plan", &plan.preview(), |_, preview| preview.text.clone())?;
        return Ok(Exit::Done);
    }
    let outcome = draft::execute(&context, plan)?;
    session.output.remarks(&report::handover::gaps(&outcome.lint));
    session.output.answer("draft", &outcome, report::handover::drafted)?;
    Ok(Exit::Done)
}

fn read_body(dir: &Path, path: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(MOST).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(dir.join(path)).and_then(|file| file.take(MOST).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok(bytes),
        Err(e) => {
            let path = crate::safety::escape_path(path);
            Err(Failure::new(Exit::NotFound, format!("cannot read the body {path}: {e}"))
                .hint("name a file, `-` for standard input, or leave --body out"))
        }
    }
}
