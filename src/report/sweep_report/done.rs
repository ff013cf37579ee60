//! What was done about a sweep, and what it made.

use std::fmt::Write;
use std::path::Path;

use super::{counted, item, list, name, path, utc, words};
use crate::safety::{clip, code_span};
use crate::terms::{Known, Seconds, by_number};
use crate::verbs::sweep::records::Progress;
use crate::verbs::sweep::report::{Checkpoints, Completion, Intervention, Report};
use crate::verbs::watch::NextKind;

/// So many lines of one kind are shown.
const MOST: usize = 20;

/// Fixes, clean-up, new ids.
pub fn intervention(out: &mut String, done: &Intervention) {
    super::part(out, 5, "Intervention");
    if done.happened() {
        for record in &done.plans {
            let _ = writeln!(
                out,
                "Plan `{}` was submitted {} by {}:\n",
                words(&record.hash, 20),
                utc(record.at),
                name(&record.by)
            );
            for line in record.lines.iter().take(MOST) {
                let word = match line.state {
                    Progress::Done => "done",
                    Progress::Failed => "failed",
                    Progress::Began => "began, and its end is unknown",
                    Progress::Planned => "not run",
                };
                let ids: Vec<String> = line.ids.iter().map(u32::to_string).collect();
                let ids = if ids.is_empty() { String::new() } else { format!(" → job {}", ids.join(", ")) };
                let _ = writeln!(
                    out,
                    "- {word}: {} (tasks {}{ids})",
                    code_span(&clip(&line.text, 300)),
                    list(&line.tasks)
                );
            }
            more(out, record.lines.len());
            out.push('\n');
        }
        for one in &done.successors {
            let job = one.job.map_or_else(|| "an unknown job".to_owned(), |job| format!("job {job}"));
            let states: Vec<String> =
                one.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
            let states = if states.is_empty() { "not seen yet".to_owned() } else { states.join(", ") };
            let _ = writeln!(out, "- tasks {} go on as {job}: {}", list(&one.tasks), words(&states, 200));
        }
        for clean in &done.clean_ups {
            let _ = writeln!(
                out,
                "- {} {} put into the trash, {} still there: `handover sweep clean --undo {}`",
                counted(clean.files, "file or folder"),
                utc(clean.at),
                clean.bytes,
                words(&clean.id, 20)
            );
        }
    } else {
        out.push_str(
            "Nobody has intervened from this repository: no plan was submitted, nothing was cleaned up.\n",
        );
    }
    fixes(out, done);
    changes(out, done);
}

fn fixes(out: &mut String, done: &Intervention) {
    if done.fixes.is_empty() {
        return;
    }
    out.push_str("\nTo be mended before these run again:\n\n");
    for fix in done.fixes.iter().take(MOST) {
        let class = fix.class.as_deref().map_or_else(|| "unknown".to_owned(), |class| words(class, 40));
        let first = fix.first.map(|first| format!("; try task {first} first")).unwrap_or_default();
        let action =
            if fix.action.is_empty() { String::new() } else { format!(" {}", words(&fix.action, 300)) };
        let _ = writeln!(out, "- **{class}** (tasks {}{first}):{action}", list(&fix.tasks));
        for remedy in fix.remedies.iter().take(3) {
            let _ = writeln!(out, "  1. {} ({})", words(&remedy.what, 300), words(&remedy.cost, 200));
        }
    }
    more(out, done.fixes.len());
}

fn changes(out: &mut String, done: &Intervention) {
    match &done.changes {
        Known::Known(changes) if changes.is_empty() => {
            out.push_str("\nNo commit on this branch since it was submitted.\n");
        }
        Known::Known(changes) => {
            out.push_str("\nCommits on this branch since it was submitted:\n\n");
            for change in changes {
                let at = change.at.map(|at| format!(", {}", utc(at))).unwrap_or_default();
                let _ = writeln!(out, "- {}{at}: {}", name(&change.id), words(&change.subject, 120));
            }
        }
        Known::Unknown(why) | Known::NotApplicable(why) => {
            let _ = writeln!(out, "\nCommits since it was submitted: not known, {}.", words(why, 200));
        }
    }
}

fn more(out: &mut String, count: usize) {
    if count > MOST {
        let _ = writeln!(out, "- and {} more; --json has all", count - MOST);
    }
}

/// How far it is, and whether what it made is whole.
pub fn completion(out: &mut String, report: &Report) {
    let done = &report.completion;
    super::part(out, 6, "Completion and artefact integrity");
    let total = done.total.map_or_else(|| "an unknown number".to_owned(), |total| total.to_string());
    let over = if done.is_over { "it is over" } else { "it goes on" };
    item(out, "tasks", &format!("{} of {total} over, {} COMPLETED; {over}", done.finished, done.completed));
    if let Some(elapsed) = &done.elapsed {
        let span = |seconds: u32| Seconds(seconds.into()).to_string();
        let text = format!(
            "{} in the median, {} to {}, of {} that completed",
            span(elapsed.median),
            span(elapsed.min),
            span(elapsed.max),
            elapsed.count
        );
        item(out, "run times", &text);
    }
    if let Some(ended) = done.ended.filter(|_| done.is_over) {
        item(out, "ended", &utc(ended));
    }
    checkpoints(out, &done.checkpoints, &report.directory);
    results(out, done, &report.directory);
    if !done.suspects.is_empty() {
        let text = format!(
            "{} whose result needs a look: {}",
            counted(done.suspects.len(), "task"),
            list(&done.suspects)
        );
        item(out, "suspicious", &text);
    }
    for next in &done.next {
        let label = match next.kind {
            NextKind::Sync => "to sync",
            NextKind::Analyse => "to analyse",
        };
        let command =
            next.command.as_deref().map(|line| format!(": {}", code_span(line))).unwrap_or_default();
        item(out, label, &format!("{}{command}", words(&next.what, 300)));
    }
}

fn checkpoints(out: &mut String, found: &Checkpoints, root: &Path) {
    if found.runs == 0 {
        item(out, "checkpoints", "of no run were any looked at");
    } else {
        let text =
            format!("{} of {} looked at can be resumed from", found.resumable, counted(found.runs, "run"));
        item(out, "checkpoints", &text);
    }
    let lists = [
        ("ended early and can go on", &found.ended_with),
        ("ended early and cannot", &found.ended_without),
        ("completed and have none that is whole", &found.completed_without),
    ];
    for (what, tasks) in lists.into_iter().filter(|(_, tasks)| !tasks.is_empty()) {
        let _ = writeln!(out, "  - {} {what}: {}", counted(tasks.len(), "task"), list(tasks));
    }
    for refused in &found.refused {
        let _ = writeln!(
            out,
            "  - {} {}, so not resumed from ({} {}): {}, {}",
            refused.count,
            words(&refused.verdict, 20),
            by_number(refused.tasks.len(), "task", "tasks"),
            list(&refused.tasks),
            words(&refused.why, 160),
            path(root, &refused.example)
        );
    }
    for not_looked in &found.not_looked {
        let _ = writeln!(
            out,
            "  - {} not looked at ({}): {}",
            counted(not_looked.tasks.len(), "task"),
            words(&not_looked.why, 160),
            list(&not_looked.tasks)
        );
    }
}

fn results(out: &mut String, done: &Completion, root: &Path) {
    if let Some(results) = &done.results {
        let text = format!("{} of {} expected ones are there", results.present, results.expected);
        item(out, "results", &text);
        for missing in results.missing.iter().take(5) {
            let _ = writeln!(out, "  - not there: {}", path(root, missing));
        }
    }
    if done.missing.count > 0 {
        let text = format!(
            "{} of completed tasks are not there (tasks {})",
            counted(done.missing.count, "file"),
            list(&done.missing.tasks)
        );
        item(out, "missing", &text);
        for missing in done.missing.files.iter().take(5) {
            let _ = writeln!(out, "  - {}", path(root, missing));
        }
    }
    if done.results.is_none() && done.missing.count == 0 {
        let text = match done.names_results {
            true => "none is missing of those completed tasks that were looked at",
            false => "the settings name none that a task must leave",
        };
        item(out, "results", text);
    }
}
