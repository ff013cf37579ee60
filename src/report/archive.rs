//! What `archive` says.

use super::{Style, View, paint};
use crate::safety::one_line;
use crate::verbs::archive::Outcome;

/// What was archived, what was kept and why, and how many were not asked about.
pub fn archived(_: &View, outcome: &Outcome) -> String {
    let mut out = String::new();
    let done = if outcome.dry_run { "would archive" } else { "archived" };
    for key in &outcome.archived {
        out.push_str(&format!("{done} {key}\n"));
    }
    for key in &outcome.finished {
        let done = if outcome.dry_run { "would put away" } else { "put away" };
        out.push_str(&format!("{done} {key}, archived before\n"));
    }
    for kept in &outcome.kept {
        let reasons: Vec<String> =
            kept.reasons.iter().map(|reason| one_line(&reason.to_string(), 200)).collect();
        out.push_str(&format!("{} {}: {}\n", paint(Style::Faint, "kept"), kept.key, reasons.join("; ")));
    }
    for failure in &outcome.not_done {
        out.push_str(&format!("{}: {}\n", paint(Style::Bad, "not done"), one_line(failure, 400)));
    }
    if out.is_empty() {
        out.push_str("nothing to archive\n");
    }
    out.push_str(&format!("{} too young, {} archived before\n", outcome.young, outcome.archived_before));
    out
}
