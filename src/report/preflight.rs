//! What a preflight found.

use super::lines::wrapped;
use super::{Style, View, paint};
use crate::safety::escape;
use crate::verbs::sweep::preflight::{Outcome, Verdict};

/// As wide as a verdict and the gap behind it.
const BESIDE: &str = "             ";

/// One paragraph for each check.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let mut out = String::new();
    // What goes on stands below where it began.
    let room = view.width.saturating_sub(BESIDE.len()).max(20);
    let paragraph = |text: &str| {
        let lines = wrapped(text, room);
        lines.iter().map(|line| line.trim_end()).collect::<Vec<_>>().join(&format!("\n{BESIDE}"))
    };
    for check in &outcome.checks {
        let (style, word) = match check.verdict {
            Verdict::Well => (Style::Good, "well       "),
            Verdict::NotChecked => (Style::Faint, "not checked"),
            Verdict::Finding => (Style::Watch, "look       "),
            Verdict::WouldFail => (Style::Bad, "would fail "),
        };
        let said = paragraph(&format!("{}: {}", escape(&check.about), escape(&check.text)));
        out.push_str(&format!("{}  {said}\n", paint(style, word)));
        for detail in &check.details {
            out.push_str(&format!("{BESIDE}{}\n", paragraph(&escape(detail))));
        }
        if let Some(hint) = &check.hint {
            out.push_str(&format!("{BESIDE}{}\n", paragraph(&format!("hint: {}", escape(hint)))));
        }
        // A command stays in one line, to be copied.
        if let Some(command) = &check.command {
            out.push_str(&format!("{BESIDE}run: {}\n", escape(command)));
        }
    }
    let but = if outcome.is_committed() { "" } else { ", which does not hold all of it" };
    let recorded = if outcome.recorded.is_some() { "recorded" } else { "not recorded" };
    match &outcome.commit {
        Some(commit) => out.push_str(&format!("commit {commit}{but}; {recorded} with these answers\n")),
        None => out.push_str("no commit yet\n"),
    }
    out
}
