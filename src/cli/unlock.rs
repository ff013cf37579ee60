use clap::Args;

use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::unlock;

/// Take the lock away from a holder that will not give it back
///
/// Dead holders on this machine are cleared away by themselves; this is for one on another
/// machine that died, or for one that hangs. It says whose lock it would break and asks.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  handover unlock 0f3a91c2d4e5b678 --dry-run\n  \
    handover unlock 0f3a91c2d4e5b678\n\n\
    The id stands in the message that said the lock is held.")]
pub struct UnlockArgs {
    /// The id of the holder, whole
    #[arg(value_name = "ID")]
    id: String,
    /// Show whose lock would be broken, and break nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(session: &Session, args: &UnlockArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let plan = unlock::plan(&context, &args.id)?;
    if args.dry_run {
        session.output.answer("unlock-plan", &plan, report::unlock::planned)?;
        return Ok(Exit::Done);
    }
    session.confirm(&report::unlock::warning(&plan), "Break this lock?")?;
    let outcome = unlock::execute(&context, &plan)?;
    session.output.answer("unlock", &outcome, report::unlock::text)?;
    for hint in outcome.in_the_way.first().into_iter().flat_map(|path| report::unlock::about_strange(path)) {
        session.output.note(&format!("hint: {hint}"));
    }
    Ok(Exit::Done)
}
