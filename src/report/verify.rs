//! What `verify` says.

use super::{Style, View, paint};
use crate::document::drift::Class;
use crate::document::{Edited, Verdict};
use crate::safety::one_line;
use crate::verbs::verify::Outcome;

/// The verdict first, then what the document is, what moved, what was not seen.
pub fn verified(view: &View, outcome: &Outcome) -> String {
    let mut out = format!("{}  {}\n", paint(Style::Strong, &outcome.key.to_string()), word(&outcome.verdict));
    if let Some(about) = &outcome.about {
        let focus = one_line(about.focus.as_deref().unwrap_or("no focus"), view.width.saturating_sub(2));
        out.push_str(&format!("  {focus}\n"));
        let by = about.agent.as_ref().map_or(String::new(), |agent| format!(" with {agent}"));
        let made = format!("  made {} by {} on {}{by}", view.time(about.created), about.user, about.host);
        out.push_str(&format!("{made}\n"));
    }
    out.push_str(&explanation(&outcome.verdict));
    for key in &outcome.superseded_by {
        out.push_str(&format!("{}: {key} follows this one\n", paint(Style::Watch, "superseded")));
    }
    let (drift, output): (Vec<_>, Vec<_>) = outcome.moved.iter().partition(|moved| moved.class.is_drift());
    if !drift.is_empty() {
        out.push_str(&format!("{}\n", paint(Style::Watch, "moved since:")));
        for moved in drift {
            out.push_str(&format!("  {:<8}  {}\n", class(moved.class), moved.what));
        }
    } else if outcome.verdict.is_yes() {
        out.push_str("nothing that was looked at has moved\n");
    }
    for moved in output {
        out.push_str(&format!("written by jobs, no drift: {}\n", moved.what));
    }
    for what in &outcome.unchecked {
        out.push_str(&format!("{}: {}\n", paint(Style::Watch, "not checked"), one_line(what, 400)));
    }
    for note in &outcome.notes {
        out.push_str(&format!("note: {}\n", one_line(note, 400)));
    }
    out
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Place => "place",
        Class::Commits => "commits",
        Class::Files => "files",
        Class::JobOutput => "output",
        Class::Jobs => "jobs",
        Class::Sweeps => "sweeps",
    }
}

fn word(verdict: &Verdict) -> String {
    let (style, word) = match verdict {
        Verdict::Intact => (Style::Good, "intact"),
        Verdict::MatchesKeyOnly => (Style::Watch, "matches its key only"),
        Verdict::Edited { .. } => (Style::Bad, "edited"),
        Verdict::AnotherRepository => (Style::Bad, "of another repository"),
        Verdict::AnotherWorktree { .. } => (Style::Bad, "of another worktree"),
        Verdict::PlaceUnknown { .. } => (Style::Watch, "place unknown"),
        Verdict::CannotBeProved => (Style::Watch, "cannot be proved"),
    };
    paint(style, word)
}

fn explanation(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Intact => String::new(),
        Verdict::MatchesKeyOnly => "  nobody here kept its full digest; 32 bits can be forged\n".to_owned(),
        Verdict::Edited { which: Edited::Document, .. } => {
            "  its bytes are not those that were sealed; trust nothing in it\n".to_owned()
        }
        Verdict::Edited { which: Edited::Copy, diff } => {
            let mut out = "  the copy in this worktree was edited; the sealed document is safe\n".to_owned();
            for line in diff {
                out.push_str(&format!("  | {line}\n"));
            }
            out
        }
        Verdict::AnotherRepository => "  none of its commits is in this repository\n".to_owned(),
        Verdict::AnotherWorktree { path, cd } => match cd {
            Some(cd) => format!("  go there with: {cd}\n"),
            None => format!("  it is in {path}\n"),
        },
        Verdict::PlaceUnknown { why } => format!("  {why}\n"),
        Verdict::CannotBeProved => {
            "  a key of this form says nothing about the document's bytes\n".to_owned()
        }
    }
}
