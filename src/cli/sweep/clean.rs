use clap::Args;

use crate::cli::cluster_source::ClusterArgs;
use crate::cli::{Exit, Failure, Session};
use crate::report::{self, View};
use crate::verbs::sweep::clean;

/// Say what failed and cancelled tasks left that is good for nothing
///
/// Damaged, unfinished and temporary checkpoints, and what `partial` below `sweeps` names. Nothing
/// goes without --remove, and then into a trash from which it can be called back. What can be
/// resumed from always stays, as do the last whole weights of a run, everything of a task that is
/// alive or into whose folder another live job may write, what was written in the last 15 minutes,
/// and what lies outside of the project, also where a link leads there. Nothing is removed on the
/// word of a state file that is older than 15 minutes, nor what changed since it was shown.
#[derive(Debug, Args)]
#[command(override_usage = "handover sweep clean [OPTIONS] <NAME|JOBID>\n       \
    handover sweep clean --undo <ID>\n       handover sweep clean --list-trash\n       handover sweep clean --purge")]
#[command(after_help = "Examples:\n  \
    handover sweep clean 48251 --dry-run\n  \
    handover sweep clean 48251 --remove --yes\n  \
    handover sweep clean --undo 3f9a0c1d\n  \
    handover sweep clean --purge --yes")]
pub struct CleanArgs {
    /// An array's id, the id of a task or job, a name, or the start of one
    #[arg(value_name = "NAME|JOBID", required_unless_present_any = ["undo", "list_trash", "purge"])]
    wanted: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Say what could go, and do nothing: what happens without --remove
    #[arg(long)]
    dry_run: bool,
    /// Put it into the trash
    #[arg(long, conflicts_with = "dry_run")]
    remove: bool,
    /// Put back what went, by its id in the trash
    #[arg(long, value_name = "ID", conflicts_with_all = ["wanted", "remove", "list_trash", "purge"])]
    undo: Option<String>,
    /// List what is in the trash
    #[arg(long, conflicts_with_all = ["wanted", "remove", "purge"])]
    list_trash: bool,
    /// Delete for good what is in the trash longer than the settings keep it
    #[arg(long, conflicts_with_all = ["wanted", "remove"])]
    purge: bool,
}

pub fn run(session: &Session, args: &CleanArgs) -> Result<Exit, Failure> {
    let again = args.cluster.again(session);
    clean(session, args, &again).map_err(|failure| failure.keeping(&again))
}

fn clean(session: &Session, args: &CleanArgs, again: &str) -> Result<Exit, Failure> {
    let context = session.context()?;
    if args.list_trash {
        session.output.answer("sweep-trash", &clean::trash(&context)?, report::sweep_clean::trash)?;
        return Ok(Exit::Done);
    }
    if let Some(id) = &args.undo {
        let settled = clean::undo(&context, id)?;
        session.output.answer("sweep-clean-undo", &settled, report::sweep_clean::undone)?;
        return Ok(if settled.stays.is_empty() { Exit::Done } else { Exit::Partial });
    }
    if args.purge {
        return purge(session, &context, args.dry_run);
    }
    let wanted = args.wanted.as_deref().unwrap_or_default();
    let source = args.cluster.source(session);
    let plan = {
        let _working = session.working("looking at what tasks left");
        clean::plan(&context, source.as_ref(), wanted)?
    };
    if !args.remove || plan.items.is_empty() {
        let text = |view: &View, plan: &clean::Plan| report::sweep_clean::plan(view, plan, again);
        session.output.answer("sweep-clean-plan", &plan, text)?;
        return Ok(Exit::Done);
    }
    // What is not asked is told once, by what went.
    if !session.globals.yes && plan.refused.is_none() {
        let warning = report::sweep_clean::warning(session.output.view(), &plan);
        session.confirm(&warning, "Put it into the trash?")?;
    }
    let receipt = clean::execute(&context, source.as_ref(), &plan)?;
    session.output.answer("sweep-clean", &receipt, report::sweep_clean::text)?;
    Ok(Exit::Done)
}

fn purge(session: &Session, context: &crate::verbs::Context, dry_run: bool) -> Result<Exit, Failure> {
    let trash = clean::trash(context)?;
    if dry_run || trash.due.is_empty() {
        session.output.answer("sweep-trash", &trash, report::sweep_clean::trash)?;
        return Ok(Exit::Done);
    }
    let what = format!("these go for good: {}", trash.due.join(", "));
    session.confirm(&what, "Delete them?")?;
    let settled = clean::purge(context, &trash)?;
    session.output.answer("sweep-clean-purge", &settled, report::sweep_clean::purged)?;
    Ok(if settled.stays.is_empty() { Exit::Done } else { Exit::Partial })
}
