use clap::{Args, ValueEnum};

use super::cluster_source::ClusterArgs;
use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::remove::{self, Intent, Options};

/// Remove a worktree without integrating it, unless something would be lost
///
/// It refuses while jobs, processes or another's baton need the worktree, and while it holds
/// changes, commits or data that exist nowhere else. What is removed goes to a trash.
#[derive(Debug, Args)]
#[command(override_usage = "handover remove [OPTIONS] <FEATURE>\n       \
    handover remove --undo <ID>\n       handover remove --list-trash")]
#[command(after_help = "Examples:\n  handover remove lr-schedule --dry-run\n  \
    handover remove lr-schedule --waive ignored --yes\n  handover remove --undo 1fa0d1c0")]
pub struct RemoveArgs {
    /// The feature, its branch, or the path of its worktree
    #[arg(value_name = "FEATURE", required_unless_present_any = ["undo", "list_trash"])]
    feature: Option<String>,
    /// What may be given up, by name; separated by commas
    #[arg(long, value_name = "RISK", value_delimiter = ',')]
    waive: Vec<Waiver>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Say what would be done and what is in the way, and do nothing
    #[arg(long)]
    dry_run: bool,
    /// Put a removed worktree back, by its id in the trash
    #[arg(long, value_name = "ID", conflicts_with_all = ["feature", "waive", "list_trash"])]
    undo: Option<String>,
    /// List what was removed and can be put back
    #[arg(long, conflicts_with_all = ["feature", "waive"])]
    list_trash: bool,
}

/// A risk that may be taken.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Waiver {
    /// Changed and new files
    Dirty,
    /// Ignored files that are no cache, and notes
    Ignored,
    /// Commits that are on no other branch
    Unlanded,
    /// Processes that work inside
    Process,
    /// What could not be found out
    Unknown,
}

impl Waiver {
    /// The same, as the verb knows it.
    pub fn plain(self) -> remove::Waiver {
        match self {
            Waiver::Dirty => remove::Waiver::Dirty,
            Waiver::Ignored => remove::Waiver::Ignored,
            Waiver::Unlanded => remove::Waiver::Unlanded,
            Waiver::Process => remove::Waiver::Process,
            Waiver::Unknown => remove::Waiver::Unknown,
        }
    }
}

pub fn run(session: &Session, args: RemoveArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    if args.list_trash {
        session.output.answer("trash", &remove::list_trash(&context)?, report::remove::trash)?;
        return Ok(Exit::Done);
    }
    if let Some(id) = &args.undo {
        if args.dry_run {
            let row = remove::plan_undo(&context, id)?;
            session.output.answer("restore-plan", &row, report::remove::restore_plan)?;
            return Ok(if row.obstacle.is_some() { Exit::Refused } else { Exit::Done });
        }
        let (entry, stays) = remove::undo(&context, id)?;
        session.output.answer("restored", &entry, report::remove::restored)?;
        if let Some(stays) = stays {
            session.output.note(&stays);
        }
        return Ok(Exit::Done);
    }
    let options = Options {
        feature: args.feature.unwrap_or_default(),
        waive: args.waive.into_iter().map(Waiver::plain).collect(),
        cluster: args.cluster.source(session),
    };
    let working = session.working("looking at what would be lost");
    let intent = remove::plan(&context, &session.dir(), &options)?;
    drop(working);
    if args.dry_run {
        for entry in remove::would_sweep(&context)? {
            session.output.note(&format!("would go out of the trash for good, as it is old: {entry}"));
        }
    }
    if let Intent::Remove(plan) = &intent {
        if args.dry_run {
            session.output.answer("remove-plan", plan.as_ref(), report::remove::plan)?;
            return Ok(if plan.blocking().next().is_some() { Exit::Refused } else { Exit::Done });
        }
        plan.expect_free().map_err(crate::verbs::Error::from)?;
        if plan.gives_up() {
            session.confirm(&report::remove::warning(plan), "Remove it?")?;
        }
    }
    if let Intent::GoOn(rest) = &intent
        && args.dry_run
    {
        session.output.answer("remove-rest", rest.as_ref(), report::remove::rest)?;
        return Ok(Exit::Done);
    }
    let receipt = remove::execute(&context, &intent)?;
    session.output.answer("remove", &receipt, report::remove::text)?;
    Ok(Exit::Done)
}
