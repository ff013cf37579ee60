use clap::Args;

use super::cluster_source::ClusterArgs;
use super::remove::Waiver;
use super::{Exit, Failure, Session};
use crate::report;
use crate::verbs::finish::{self, Options, Wish};

/// Bring a feature home: integrate its commits, then remove its worktree
///
/// Commits are cherry-picked, or merged with --merge; never squashed, since trackers have logged
/// them. A conflict leaves git's own state, to go on or back as always.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  handover finish lr-schedule\n  \
    handover finish lr-schedule --merge\n  handover finish fix/loader --paths src/loader --into release")]
pub struct FinishArgs {
    /// The feature, its branch, or the path of its worktree
    #[arg(value_name = "FEATURE")]
    feature: String,
    /// Make a merge commit instead of one new commit for each
    #[arg(long, conflicts_with_all = ["pick", "paths"])]
    merge: bool,
    /// Bring these commits alone, in this order
    #[arg(long, value_name = "COMMIT", num_args = 1..)]
    pick: Vec<String>,
    /// Bring of each commit only what is below these paths
    #[arg(long, value_name = "PATH", num_args = 1..)]
    paths: Vec<String>,
    /// The branch to bring them to, instead of the default one
    #[arg(long, value_name = "BRANCH")]
    into: Option<String>,
    /// What may be given up when the worktree goes, by name; separated by commas
    #[arg(long, value_name = "RISK", value_delimiter = ',')]
    waive: Vec<Waiver>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Say what would be done, and do nothing
    #[arg(long)]
    dry_run: bool,
}

pub fn run(session: &Session, args: FinishArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let cluster = args.cluster.source(session);
    let wish = Wish { merge: args.merge, pick: args.pick, paths: args.paths, into: args.into };
    let waive: Vec<_> = args.waive.into_iter().map(Waiver::plain).collect();
    let gives_up = !waive.is_empty();
    let options = Options { feature: args.feature, wish, waive, cluster };
    let working = session.working("looking at what would be integrated");
    let intent = finish::plan(&context, &session.dir(), &options)?;
    drop(working);
    if args.dry_run {
        session.output.answer("finish-plan", &intent, report::finish::plan)?;
        return Ok(Exit::Done);
    }
    if gives_up {
        session.confirm("finishing may give up what was waived", "Go on?")?;
    }
    let outcome = finish::execute(&context, &options, &intent)?;
    session.output.answer("finish", &outcome, report::finish::text)?;
    Ok(if outcome.removal.is_some() { Exit::Done } else { Exit::Partial })
}
