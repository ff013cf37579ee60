use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::start::{self, Wish};

/// Make a worktree for a feature: branch, context file, shared files
///
/// It starts from the local default branch, or from its upstream where that is ahead; nothing is
/// fetched, and uncommitted files stay where they are. A branch or worktree of that name is taken
/// as it is. The last line on standard output is the worktree's path.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  cd \"$(handover start lr-schedule | tail -n 1)\"\n  \
    handover start fix/loader --base v1.2 --focus 'the loader drops the last batch'")]
pub struct StartArgs {
    /// The feature; its branch gets the same name
    #[arg(value_name = "FEATURE")]
    feature: String,
    /// Start from this branch, tag or commit
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Put the worktree here
    #[arg(long, value_name = "PATH")]
    path: Option<PathBuf>,
    /// What this worktree is for, in a line for the next agent
    #[arg(long, value_name = "TEXT")]
    focus: Option<String>,
    /// Say what would be made, and make nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(session: &Session, args: StartArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let path = args.path.map(|path| session.dir().join(path));
    let wish = Wish { feature: args.feature, base: args.base, path, focus: args.focus };
    if args.dry_run {
        let plan = start::plan(&context, &wish)?;
        session.output.answer("start-plan", &plan, report::start::plan)?;
        return Ok(Exit::Done);
    }
    let outcome = start::execute(&context, &wish, &mut |holder| {
        session.output.note(&format!("waiting: {holder}"));
    })?;
    session.output.answer("start", &outcome, report::start::text)?;
    Ok(if outcome.failed.is_empty() { Exit::Done } else { Exit::Partial })
}
