use clap::Args;

use crate::cli::cluster_source::ClusterArgs;
use crate::cli::{Exit, Failure, Session};
use crate::report::sweep_report;
use crate::verbs::sweep::report::{self, Options};

/// Report on one sweep in eight parts, as Markdown
///
/// Scope and ids; timeline; failures and thresholds; decision and rationale; intervention;
/// completion and artefact integrity; learnings and anomalies; every command and file looked at.
/// If nothing that matters changed since the last report, only that is said.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover sweep report 48251\n  \
    handover sweep report train_lr --json\n\n\
    The exit code is 1 if somebody must intervene.")]
pub struct ReportArgs {
    /// An array's id, the id of a task or job, a name, or the start of one
    #[arg(value_name = "NAME|JOBID")]
    wanted: String,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// All eight parts, even if nothing changed since the last report
    #[arg(long)]
    whole: bool,
}

pub fn run(session: &Session, args: &ReportArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    let options = Options { wanted: args.wanted.clone(), cluster: args.cluster.source(session) };
    let report = {
        let _working = session.working("reading logs and checkpoints");
        report::make(&context, &options)?
    };
    let text = if args.whole { sweep_report::whole_text } else { sweep_report::text };
    session.output.answer("sweep-report", &report, text)?;
    if let Some(why) = report::remember(&context, &report) {
        session.output.note(&crate::safety::escape(&why));
    }
    Ok(if report.says_intervene() { Exit::No } else { Exit::Done })
}
