//! The report of one sweep, as markdown in eight parts.
//!
//! Times are in UTC and nothing is coloured: the same text goes to the terminal
//! and into a file.

mod decided;
mod done;
mod failed;
mod looked;
pub(super) mod words;

use std::fmt::Write;

use anstream::adapter::strip_str;

use super::View;
use super::preflight::seen_in_words;
use super::watch::in_words;
use crate::cluster::Origin;
use crate::safety::code_span;
use crate::sweep::Kind;
use crate::verbs::sweep::report::{Entry, Moment, Report, Scope, Timeline};
use words::{cell, counted, evidence, link, list, name, path, utc, words};

/// So many moments of the timeline are shown: the first ones and the last.
const MOST_MOMENTS: usize = 40;

/// The report; if nothing changed since an earlier one, only that.
pub fn text(_view: &View, report: &Report) -> String {
    match report.unchanged {
        Some(_) => short(report),
        None => whole(report),
    }
}

/// The report, whatever was reported before.
pub fn whole_text(_view: &View, report: &Report) -> String {
    whole(report)
}

/// What became of the file; what it would hold if nothing was to be written.
pub fn kept(view: &View, report: &Report) -> String {
    let Some(kept) = &report.file else { return whole(report) };
    let body = if kept.dry_run { whole(report) } else { String::new() };
    format!("{body}{}", super::sweep_page::kept_in_words(view, kept))
}

/// What a file is to hold: all eight parts.
pub fn whole(report: &Report) -> String {
    let mut out = head(report);
    scope(&mut out, &report.scope);
    if let Some(seen) = &report.preflight {
        item(&mut out, "preflight", &words(&seen_in_words(seen, &utc(seen.at)), 400));
    }
    timeline(&mut out, &report.timeline);
    failed::part(&mut out, report);
    decided::part(&mut out, report);
    done::intervention(&mut out, &report.intervention);
    done::completion(&mut out, report);
    failed::learned(&mut out, report);
    looked::part(&mut out, report);
    out
}

fn short(report: &Report) -> String {
    let mut out = head(report);
    let again = report.runbook.again.iter().find_map(|line| line.strip_prefix("handover sweep report "));
    if let Some(again) = again {
        let again = code_span(&format!("handover sweep report --whole {again}"));
        let _ = writeln!(out, "\nThe eight parts again: {again}");
    }
    out
}

fn head(report: &Report) -> String {
    let mut out = format!("# Sweep report: {}\n\n", title(&report.scope));
    let _ = writeln!(
        out,
        "{}: health **{}**, decision **{}**",
        utc(report.at),
        report.rationale.health,
        report.rationale.decision
    );
    if let Some(said) = &report.settled {
        let _ =
            writeln!(out, "\nSettled {} by {}: {}", utc(said.at), name(&said.by), words(said.reason(), 500));
    }
    if let Some(unchanged) = &report.unchanged {
        let _ = writeln!(out, "\n*no material change since {}*", utc(unchanged.since));
    }
    out
}

fn title(scope: &Scope) -> String {
    match scope.kind {
        Kind::Array => format!("{}, array {}", name(&scope.name), words(&scope.key, 40)),
        Kind::SharedName => format!("{}, jobs of one name", name(&scope.name)),
    }
}

/// Begins a part.
fn part(out: &mut String, number: u8, heading: &str) {
    let _ = write!(out, "\n## {number}. {heading}\n\n");
}

fn item(out: &mut String, label: &str, text: &str) {
    let _ = writeln!(out, "- {label}: {text}");
}

fn scope(out: &mut String, scope: &Scope) {
    part(out, 1, "Scope and ids");
    let user = scope.user.as_deref().map(|user| format!(" of {}", name(user))).unwrap_or_default();
    let what = match scope.kind {
        Kind::Array => format!("array job {}{user}", name(&scope.key)),
        Kind::SharedName => format!("jobs that share the name {}{user}", name(&scope.name)),
    };
    item(out, "sweep", &what);
    let total = scope.total.map_or_else(|| "an unknown number".to_owned(), |total| total.to_string());
    item(out, "tasks", &format!("{} seen of {total}: {}", scope.tasks.len(), list(&scope.tasks)));
    let states: Vec<String> = scope.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    item(out, "states", &words(&states.join(", "), 400));
    if let Some(throttle) = scope.throttle {
        item(out, "limit", &format!("{} at once", counted(throttle, "task")));
    }
    let origin = match &scope.origin {
        Origin::Nothing => "nothing was asked".to_owned(),
        Origin::Local => "Slurm's commands here".to_owned(),
        Origin::Ssh { machine, .. } => format!("Slurm's commands on {}", code_span(machine)),
        Origin::File { name } => format!("the state file {}", code_span(name)),
    };
    let taken = scope.taken_at.map_or_else(|| "at an unknown time".to_owned(), utc);
    item(out, "source", &format!("{origin}, {taken}"));
    if !scope.asked.is_everything() {
        let mut asked: Vec<String> =
            scope.asked.user.iter().map(|user| format!("user {}", name(user))).collect();
        asked.extend(scope.asked.names.iter().map(|pattern| format!("name {}", name(pattern))));
        asked.extend(scope.asked.ids.iter().map(|id| format!("job {id}")));
        item(out, "asked for", &asked.join(", "));
    }
    for tracked in &scope.tracked {
        let project = [&tracked.entity, &tracked.project].into_iter().flatten();
        let project: Vec<String> = project.map(|part| words(part, 60)).collect();
        let whose = if project.is_empty() { "an unnamed project".to_owned() } else { project.join("/") };
        let (what, id) = match &tracked.sweep {
            Some(sweep) => ("sweep ", sweep),
            None => ("run ", &tracked.example),
        };
        let id = tracked.url.as_ref().map_or_else(|| name(id), |url| link(id, url));
        item(out, "tracker", &format!("{} of {whose}, {what}{id}", counted(tracked.runs, "run")));
    }
    if !scope.others.is_empty() {
        let others: Vec<String> = scope.others.iter().take(8).map(|other| name(&other.key)).collect();
        item(out, "older sweeps of this name", &others.join(", "));
    }
}

fn timeline(out: &mut String, timeline: &Timeline) {
    part(out, 2, "Timeline");
    let _ = match &timeline.watched {
        Some(watched) => writeln!(
            out,
            "{} of `handover watch` from {} to {}.",
            counted(watched.polls.try_into().unwrap_or(usize::MAX), "poll"),
            utc(watched.first),
            utc(watched.last)
        ),
        None => writeln!(out, "No poll is on record: nobody has watched it from this repository."),
    };
    polls(out, timeline);
    if timeline.entries.is_empty() {
        return;
    }
    out.push_str("\n| when | what |\n|---|---|\n");
    let (count, half) = (timeline.entries.len(), MOST_MOMENTS / 2);
    for (number, entry) in timeline.entries.iter().enumerate() {
        if count > MOST_MOMENTS && number == half {
            let _ = writeln!(out, "| … | {} more; --json has all |", count - MOST_MOMENTS);
        }
        if count <= MOST_MOMENTS || number < half || number >= count - half {
            let _ = writeln!(out, "| {} | {} |", utc(entry.at), cell(&moment(entry)));
        }
    }
}

/// The polls as a table, those that saw the same in one row.
fn polls(out: &mut String, timeline: &Timeline) {
    let periods = timeline.watched.as_ref().map_or(&[][..], |watched| &watched.periods);
    if periods.is_empty() {
        return;
    }
    out.push_str("\n| polls | from | to | seen | health | decision |\n|---:|---|---|---|---|---|\n");
    let left_out = periods.len().saturating_sub(MOST_MOMENTS);
    if left_out > 0 {
        let _ = writeln!(out, "| … | {left_out} earlier rows; --json has all | | | | |");
    }
    for period in periods.iter().skip(left_out) {
        let states: Vec<String> =
            period.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
        let seen = if period.unanswered { "no answer".to_owned() } else { words(&states.join(", "), 300) };
        let health = period.health.map(|health| health.to_string()).unwrap_or_default();
        let decision = period.decision.map(|decision| decision.to_string()).unwrap_or_default();
        let (from, to) = (utc(period.from), utc(period.to));
        let _ =
            writeln!(out, "| {} | {from} | {to} | {} | {health} | {decision} |", period.looks, cell(&seen));
    }
}

fn moment(entry: &Entry) -> String {
    match &entry.moment {
        Moment::Submitted => "the first task was submitted".to_owned(),
        Moment::LastEnd => "a task ended last".to_owned(),
        Moment::Seen { change } => words(&strip_str(&in_words(change)).to_string(), 400),
        Moment::Plan { hash, done, lines, jobs } => {
            let jobs: Vec<String> = jobs.iter().map(u32::to_string).collect();
            let jobs =
                if jobs.is_empty() { String::new() } else { format!(", new jobs {}", jobs.join(", ")) };
            format!("plan {} was submitted: {done} of {} ran{jobs}", name(hash), counted(*lines, "line"))
        }
        Moment::CleanUp { id, files } => {
            format!("{} went to the trash, {}", counted(*files, "file or folder"), name(id))
        }
    }
}
