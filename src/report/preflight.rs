//! What a preflight found.

use super::{Style, View, paint};
use crate::safety::escape;
use crate::verbs::sweep::preflight::{Outcome, Verdict};

/// One paragraph for each check.
pub fn text(_view: &View, outcome: &Outcome) -> String {
    let mut out = String::new();
    for check in &outcome.checks {
        let (style, word) = match check.verdict {
            Verdict::Well => (Style::Good, "well       "),
            Verdict::NotChecked => (Style::Faint, "not checked"),
            Verdict::Finding => (Style::Watch, "look       "),
            Verdict::WouldFail => (Style::Bad, "would fail "),
        };
        out.push_str(&format!("{}  {}: {}\n", paint(style, word), escape(&check.about), escape(&check.text)));
        for detail in &check.details {
            out.push_str(&format!("             {}\n", escape(detail)));
        }
        if let Some(hint) = &check.hint {
            out.push_str(&format!("             hint: {}\n", escape(hint)));
        }
    }
    match &outcome.commit {
        Some(commit) if outcome.recorded.is_some() => out.push_str(&format!("commit {commit}, recorded\n")),
        Some(commit) => out.push_str(&format!("commit {commit}, not recorded\n")),
        None => out.push_str("no commit yet\n"),
    }
    out
}
