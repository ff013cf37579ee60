//! The page about all sweeps that are live, as markdown.

use std::fmt::Write;

use super::View;
use super::sweep_report::words::{cell, counted, link, list, name, path, utc, words};
use crate::cluster::Origin;
use crate::safety::{code_span, escape_path};
use crate::sweep::Kind;
use crate::verbs::sweep::page::{Job, Page, Preemption, Running};
use crate::verbs::sweep::report::{Kept, Tracked};
use crate::worktree::fenced::Written;

/// What became of the file, for the one who called.
pub fn outcome(view: &View, page: &Page) -> String {
    let sweeps = counted(page.facts.sweeps.len(), "live sweep");
    match &page.file {
        Some(kept) => format!("{sweeps}: {}", kept_in_words(view, kept)),
        None => text(page, &view.dir),
    }
}

/// What became of a file that holds something of ours.
pub fn kept_in_words(view: &View, kept: &Kept) -> String {
    let path = view.path(&kept.path);
    let would = if kept.dry_run { "would be " } else { "" };
    match &kept.written {
        Written::New => format!("{path} {would}written\n"),
        Written::Rewritten { edits: None } => format!("{path} {would}rewritten\n"),
        Written::Rewritten { edits: Some(edits) } => {
            format!("{path} {would}rewritten; what somebody wrote into it is in {}\n", escape_path(edits))
        }
        Written::Unchanged { since } => {
            format!("no material change since {}; {path} is left as it is\n", utc(*since))
        }
    }
}

/// The page, with paths from `root`.
pub fn text(page: &Page, root: &std::path::Path) -> String {
    let facts = &page.facts;
    let source = match &page.origin {
        Origin::Nothing => "nothing was asked".to_owned(),
        Origin::Local => "Slurm's commands".to_owned(),
        Origin::Ssh { machine, .. } => format!("Slurm's commands on {}", code_span(machine)),
        Origin::File { name } => format!("the state file {}", code_span(name)),
    };
    let taken = page.taken_at.map_or_else(|| "at an unknown time".to_owned(), utc);
    let mut out = format!(
        "# Active sweeps\n\nAs of {}; rewritten when something that matters changes. Source: {source}, {taken}.\n",
        utc(page.at)
    );
    sweeps(&mut out, page);
    heading(&mut out, "Jobs");
    if facts.jobs.is_empty() {
        out.push_str("No task runs.\n");
    } else {
        out.push_str("| job | sweep | run | epoch | step | since | on |\n|---|---|---|---:|---:|---|---|\n");
        facts.jobs.iter().for_each(|one| job(&mut out, one));
        if facts.jobs_left_out > 0 {
            let _ = writeln!(out, "\nand {} more that run", counted(facts.jobs_left_out, "task"));
        }
    }
    heading(&mut out, "Sources");
    for one in &facts.sources {
        let log = one.log.as_ref().map_or_else(|| "none found".to_owned(), |log| path(root, log));
        let dir =
            one.run_dir.as_ref().map(|dir| format!(", runs as in {}", path(root, dir))).unwrap_or_default();
        let _ = writeln!(out, "- {}: {} read, as {log}{dir}", name(&one.sweep), counted(one.logs, "log"));
    }
    if facts.sources.is_empty() {
        out.push_str("None.\n");
    }
    heading(&mut out, "Discrepancies");
    for one in &facts.discrepancies {
        let _ = writeln!(
            out,
            "- {}, tasks {}: {}",
            name(&one.sweep),
            list(&one.tasks),
            words(&one.sentence, 300)
        );
    }
    if facts.discrepancies.is_empty() {
        out.push_str("None seen.\n");
    }
    heading(&mut out, "Preemptions");
    if facts.preemptions.is_empty() {
        out.push_str("None seen.\n");
    } else {
        out.push_str(
            "| job | sweep | ended as | when | on | checkpoint | now |\n|---|---|---|---|---|---|---|\n",
        );
        facts.preemptions.iter().for_each(|one| preemption(&mut out, one, root));
    }
    let problems = facts.problems.iter().map(|problem| format!("{}: {}", problem.about, problem.what));
    let not_read: Vec<String> = facts.not_read.iter().cloned().chain(problems).collect();
    if !not_read.is_empty() {
        heading(&mut out, "Not read, or not understood");
        not_read.iter().take(20).for_each(|what| {
            let _ = writeln!(out, "- {}", words(what, 300));
        });
    }
    out
}

fn heading(out: &mut String, text: &str) {
    let _ = write!(out, "\n## {text}\n\n");
}

fn sweeps(out: &mut String, page: &Page) {
    heading(out, "Running sweeps");
    if page.facts.sweeps.is_empty() {
        out.push_str("No sweep runs or waits.\n");
        return;
    }
    out.push_str("| sweep | name | over | failed | run | wait | health | decision | tracker |\n");
    out.push_str("|---|---|---:|---:|---:|---:|---|---|---|\n");
    for sweep in &page.facts.sweeps {
        let key = match sweep.kind {
            Kind::Array => name(&sweep.key),
            Kind::SharedName => "jobs".to_owned(),
        };
        let total = sweep.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
        let tracked: Vec<String> = sweep.tracked.iter().take(3).map(tracker).collect();
        let cells = [
            key,
            name(&sweep.name),
            format!("{}/{total}", sweep.finished),
            sweep.failed.to_string(),
            sweep.running.to_string(),
            sweep.waiting.to_string(),
            sweep.health.to_string(),
            format!("**{}**", sweep.decision),
            tracked.join(", "),
        ];
        row(out, &cells);
    }
    if page.facts.left_out > 0 {
        let _ = writeln!(out, "\nand {} more that run or wait", page.facts.left_out);
    }
    out.push('\n');
    page.facts.sweeps.iter().for_each(|sweep| why(out, sweep));
}

fn why(out: &mut String, sweep: &Running) {
    if let Some(reason) = &sweep.reason {
        let _ = writeln!(out, "- {}: {}", name(&sweep.key), words(reason, 300));
    }
}

fn tracker(tracked: &Tracked) -> String {
    let id = tracked.sweep.as_ref().unwrap_or(&tracked.example);
    tracked.url.as_ref().map_or_else(|| name(id), |url| link(id, url))
}

fn job(out: &mut String, job: &Job) {
    let run = match (&job.run, &job.url) {
        (Some(run), Some(url)) => link(run, url),
        (Some(run), None) => name(run),
        (None, _) => String::new(),
    };
    let step = match (job.step, job.steps) {
        (Some(step), Some(steps)) => format!("{step}/{steps}"),
        (Some(step), None) => step.to_string(),
        (None, _) => "?".to_owned(),
    };
    let again = if job.earlier > 0 { format!(" (attempt {})", job.earlier + 1) } else { String::new() };
    let cells = [
        format!("{}{again}", job.id),
        name(&job.sweep),
        run,
        job.epoch.map_or_else(|| "?".to_owned(), |epoch| format!("{epoch:.1}")),
        step,
        job.started.map_or_else(|| "?".to_owned(), utc),
        name(&job.nodes),
    ];
    row(out, &cells);
}

fn preemption(out: &mut String, one: &Preemption, root: &std::path::Path) {
    let checkpoint = match (&one.checkpoint, one.step) {
        (Some(file), Some(step)) => format!("step {step}, {}", path(root, file)),
        (Some(file), None) => path(root, file),
        (None, _) => "none known".to_owned(),
    };
    let cells = [
        one.id.to_string(),
        name(&one.sweep),
        one.ended_as.to_string(),
        one.at.map_or_else(|| "?".to_owned(), utc),
        name(&one.nodes),
        checkpoint,
        one.now.to_string(),
    ];
    row(out, &cells);
}

fn row(out: &mut String, cells: &[String]) {
    let cells: Vec<String> = cells.iter().map(|text| cell(text)).collect();
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}
