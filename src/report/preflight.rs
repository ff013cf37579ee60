//! What a preflight found.

use super::lines::{Lines, wrapped};
use super::{Style, View, paint};
use crate::safety::{clip, escape, one_line};
use crate::verbs::sweep::preflight::{Outcome, Preflighted, Verdict};

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

/// What is known of a sweep's preflight later: one line, and one more for each
/// commit that it did not see.
pub fn preflighted(lines: &mut Lines, view: &View, seen: &Preflighted) {
    let ago = match seen.at > view.now {
        true => view.time(seen.at),
        false => format!("{} ago", seen.at.age(view.now)),
    };
    lines.add("preflight", &seen_in_words(seen, &ago));
    for departure in &seen.departures {
        lines.add_painted("look at", Style::Watch, &escape(&clip(&departure.in_words(), 300)));
    }
}

/// The one line, with its age or time in words.
pub fn seen_in_words(seen: &Preflighted, when: &str) -> String {
    let commit = match &seen.commit {
        None => format!("before the first commit, {when}"),
        Some(commit) => {
            let since = match seen.commits_since {
                Some(0) => "no commit since".to_owned(),
                Some(1) => "1 commit since".to_owned(),
                Some(count) => format!("{count} commits since"),
                None => "HEAD is not on top of it".to_owned(),
            };
            let but = if seen.is_committed { "" } else { " and what was not committed" };
            format!("at {}{but}, {when}, {since}", commit.short())
        }
    };
    let script = match seen.script_changed {
        Some(true) => format!("; {} changed since", one_line(&seen.script, 60)),
        Some(false) | None => String::new(),
    };
    let late = if seen.is_late { "; after it was submitted" } else { "" };
    let failed = match seen.worst {
        Verdict::WouldFail => "; it said that the jobs would fail",
        Verdict::Well | Verdict::NotChecked | Verdict::Finding => "",
    };
    format!("{commit}{script}{late}{failed}")
}
