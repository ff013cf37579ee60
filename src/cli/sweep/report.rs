use std::path::PathBuf;

use clap::Args;

use crate::cli::cluster_source::ClusterArgs;
use crate::cli::{Exit, Failure, Session};
use crate::report::{sweep_page, sweep_report};
use crate::verbs::Context;
use crate::verbs::sweep::page;
use crate::verbs::sweep::report::{self, Edits, Options};

/// Report on one sweep as Markdown, or keep the page of all live ones
///
/// Eight parts: scope and ids; timeline; failures and thresholds; decision and rationale; intervention;
/// completion and artefact integrity; learnings and anomalies; every command and file looked at.
/// If nothing that matters changed since the last report, only that is said, and a file is left
/// as it is.
///
/// What goes into a file stands between two marker lines, and nothing outside of them is touched.
#[derive(Debug, Args)]
#[command(override_usage = "handover sweep report [OPTIONS] <NAME|JOBID>\n       \
    handover sweep report [OPTIONS] --page")]
#[command(after_help = "Examples:\n  \
    handover sweep report 48251\n  \
    handover sweep report train_lr --output reports/train_lr.md\n  \
    handover sweep report --page\n\n\
    The exit code is 1 if somebody must intervene and nobody settled the sweep, 5 if a file is not ours to write: a link, text \
    of others without a marked place, or a part of ours that somebody has changed. With --page it \
    is 0 once the page is kept, whatever it says of its sweeps.")]
pub struct ReportArgs {
    /// An array's id, the id of a task or job, a name, or the start of one
    #[arg(value_name = "NAME|JOBID", required_unless_present = "page")]
    wanted: Option<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// All eight parts, even if nothing changed since the last report
    #[arg(long)]
    whole: bool,
    /// Put the report into this file
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Keep the page of all sweeps that run or wait: `page` below `sweeps`, ACTIVE_SWEEPS.md
    #[arg(long, conflicts_with_all = ["wanted", "whole", "output"])]
    page: bool,
    /// If somebody has changed our part of the file, keep a copy of theirs and write ours anew
    #[arg(long)]
    replace_edits: bool,
    /// Write nothing; print what a file would hold
    #[arg(long)]
    dry_run: bool,
}

impl ReportArgs {
    fn edits(&self) -> Edits {
        if self.replace_edits { Edits::Replace } else { Edits::Refuse }
    }
}

pub fn run(session: &Session, args: &ReportArgs) -> Result<Exit, Failure> {
    let context = session.context()?;
    if args.page {
        return keep_page(session, &context, args);
    }
    let wanted = args.wanted.clone().unwrap_or_default();
    let words = args.cluster.again(session);
    let options = Options { wanted, cluster: args.cluster.source(session), words };
    let mut report = {
        let _working = session.working("reading logs and checkpoints");
        report::make(&context, &options)?
    };
    if let Some(file) = &args.output {
        let path = session.dir().join(file);
        let body = sweep_report::whole(&report);
        report.file = Some(report::keep(&context, &report, &body, &path, args.edits(), args.dry_run)?);
    }
    let text = match (&report.file, args.whole) {
        (Some(_), _) => sweep_report::kept,
        (None, true) => sweep_report::whole_text,
        (None, false) => sweep_report::text,
    };
    session.output.answer("sweep-report", &report, text)?;
    if !args.dry_run
        && let Some(why) = report::remember(&context, &report)
    {
        session.output.note(&crate::safety::escape(&why));
    }
    Ok(if report.says_intervene() { Exit::No } else { Exit::Done })
}

fn keep_page(session: &Session, context: &Context, args: &ReportArgs) -> Result<Exit, Failure> {
    let mut page = {
        let _working = session.working("reading logs and run folders");
        page::make(context, args.cluster.source(session).as_ref())?
    };
    let body = sweep_page::text(&page, context.repository.worktree());
    page.file = Some(page::keep(context, &page, &body, args.edits(), args.dry_run)?);
    session.output.answer("sweep-page", &page, |view, page| {
        let shown = if args.dry_run { body.clone() } else { String::new() };
        format!("{shown}{}", sweep_page::outcome(view, page))
    })?;
    Ok(Exit::Done)
}
