//! What failed, and what was learnt from it.

use std::fmt::Write;

use super::words::confidence;
use super::{cell, counted, evidence, list, name, words};
use crate::sweep::{CauseGroup, Condition, Members, NodeCount, Spread};
use crate::verbs::sweep::report::{Finding, Report};

/// So many causes are shown; JSON has them all.
const MOST: usize = 20;

pub fn part(out: &mut String, report: &Report) {
    let failures = &report.failures;
    super::part(out, 3, "Failures and thresholds");
    let bands = &failures.thresholds;
    let _ = writeln!(
        out,
        "{} of {} that count failed ({} over in all). Some failures are expected: over {} % similar ones of at \
         least {} finished the sweep is watched, from {} % on somebody must intervene, and so when {} % of \
         the space gives no result.",
        failures.failed,
        counted(failures.counted, "task"),
        failures.finished,
        bands.watch_percent,
        bands.least_finished,
        bands.intervene_percent,
        bands.collapse_percent
    );
    if failures.groups.is_empty() && failures.aside.is_empty() {
        out.push_str("\nNo task failed.\n");
        return;
    }
    out.push_str("\n| cause | tasks | share | where | which |\n|---|---:|---:|---|---|\n");
    for group in failures.groups.iter().take(MOST) {
        row(out, group, &format!("{} %", group.percent));
    }
    for group in failures.aside.iter().take(MOST) {
        row(out, group, "aside");
    }
    let more = failures.groups.len().saturating_sub(MOST) + failures.aside.len().saturating_sub(MOST);
    if more > 0 {
        let _ = writeln!(out, "| {more} more; --json has all | | | | |");
    }
    out.push('\n');
    for group in failures.groups.iter().take(MOST) {
        let _ =
            writeln!(out, "- **{}**: {}", words(&group.cause.class, 40), words(&group.cause.sentence, 400));
        for line in group.cause.evidence.iter().take(1) {
            let _ = writeln!(out, "  - {}", evidence(&report.directory, line));
        }
    }
    for stop in &failures.hard_stops {
        let _ = writeln!(out, "- **hard stop**: {} ({})", words(&stop.text, 400), list(&stop.tasks));
    }
    for node in &failures.nodes {
        let _ = writeln!(out, "- **node** {}: more failed there than chance explains", count(node));
    }
}

fn row(out: &mut String, group: &CauseGroup, share: &str) {
    let _ = writeln!(
        out,
        "| {} | {} | {share} | {} | {} |",
        cell(&words(&group.cause.class, 40)),
        group.count,
        cell(&spread(&group.spread)),
        cell(&list(&group.tasks))
    );
}

fn spread(spread: &Spread) -> String {
    match spread {
        Spread::All => "every task".to_owned(),
        Spread::Nodes { nodes } => {
            let shown: Vec<String> = nodes.iter().take(6).map(count).collect();
            let more = nodes.len().saturating_sub(shown.len());
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            format!("on {}{more}", shown.join(", "))
        }
        Spread::Corner { conditions, failed, finished } => {
            let conditions: Vec<String> = conditions.iter().map(condition).collect();
            format!("where {} ({failed} of {finished} there)", conditions.join(" and "))
        }
        Spread::Scattered => "scattered".to_owned(),
        Spread::Single => "one task".to_owned(),
    }
}

fn count(node: &NodeCount) -> String {
    format!("{} ({} of {})", name(&node.node), node.failed, node.finished)
}

fn condition(condition: &Condition) -> String {
    let values: Vec<String> = condition.values.iter().take(8).map(|value| name(value)).collect();
    let more = if condition.values.len() > 8 { ", …" } else { "" };
    format!("{} = {}{more}", name(&condition.parameter), values.join(", "))
}

/// What the sweep taught, by how far it can be relied on.
pub fn learned(out: &mut String, report: &Report) {
    let (learned, root) = (&report.learned, &report.directory);
    super::part(out, 7, "Learnings and anomalies");
    if learned.is_empty() {
        out.push_str("None yet.\n");
        return;
    }
    out.push_str("| confidence | about | what | tasks |\n|---|---|---|---|\n");
    for one in learned {
        let about = match one.about {
            Finding::Learning => "what it teaches",
            Finding::Lost => "lost values",
            Finding::Cause => "cause",
            Finding::Node => "node",
            Finding::Anomaly => "anomaly",
            Finding::Numbers => "numbers",
        };
        let _ = writeln!(
            out,
            "| {} | {about} | {} | {} |",
            confidence(one.confidence),
            cell(&words(&one.sentence, 400)),
            cell(&of(&one.tasks))
        );
    }
    let anomalies = learned.iter().filter(|one| one.about == Finding::Anomaly);
    let lines: Vec<String> =
        anomalies.flat_map(|one| one.evidence.iter().take(1)).map(|line| evidence(root, line)).collect();
    if !lines.is_empty() {
        out.push_str("\nEvidence of the anomalies, one line each:\n\n");
        lines.iter().for_each(|line| out.push_str(&format!("- {line}\n")));
    }
}

fn of(tasks: &Members) -> String {
    if tasks.is_empty() { String::new() } else { list(tasks) }
}
