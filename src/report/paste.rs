//! Lines to paste, and what is wrong with those that somebody wrote.

pub mod page;

use super::View;
use crate::safety::escape;
use crate::verbs::paste::{Checked, Outcome};

pub use crate::paste::Fault;

/// The lines: each alone on its line, so that a tap takes it whole.
pub fn text(_view: &View, outcome: &Outcome) -> String {
    let count = outcome.lines.len();
    let numbered = |(at, line): (usize, &crate::verbs::paste::Line)| match count {
        1 => format!("{}\n", line.text),
        _ => format!("# {} of {count}\n{}\n", at + 1, line.text),
    };
    outcome.lines.iter().enumerate().map(numbered).collect()
}

/// What to know about them: for people beside the lines.
pub fn remarks(outcome: &Outcome) -> Vec<String> {
    let mut remarks: Vec<String> = outcome.notes.iter().map(|note| escape(note)).collect();
    if outcome.lines.len() > 1 {
        remarks.push("paste them one by one, each only if the one before ended well".to_owned());
    }
    if let Some(placed) = outcome.script.as_ref().filter(|placed| !placed.is_committed) {
        remarks.push(format!(
            "the line runs {}, which is not committed yet: the same call with --commit does it, then handover sync",
            placed.script.path
        ));
    }
    remarks
}

/// The lines as codes for the camera of a phone, each with the line below it.
pub fn codes(view: &View, outcome: &Outcome, inverted: bool) -> String {
    let mut out = String::new();
    for line in &outcome.lines {
        match crate::verbs::paste::code(line, inverted) {
            Some(code) if view.cuts && code.columns > view.width => out.push_str(&format!(
                "the code of this line is {} columns wide, and the terminal {}: make it wider, or its letters smaller\n",
                code.columns, view.width
            )),
            Some(code) => {
                for row in &code.rows {
                    // Light blocks on a dark ground whatever the terminal's own colours are.
                    let (front, ground) = if inverted { ("30", "107") } else { ("97", "40") };
                    out.push_str(&format!("\x1b[{front};{ground}m{row}\x1b[0m\n"));
                }
            }
            None => out.push_str("this line is too long for a code\n"),
        }
        out.push_str(&format!("{}\n", line.text));
    }
    out
}

/// What to say beside lines for the cluster that are not fit for a phone: the command that makes those that are.
/// Every command that is printed for the cluster goes through this.
pub fn for_phone<'l>(mut lines: impl Iterator<Item = &'l str>, form: &str) -> Option<String> {
    let is_unfit = |line: &str| !crate::paste::faults(line, "~/project", crate::paste::LONGEST).is_empty();
    lines.any(is_unfit).then(|| format!("these are no lines for a phone; those are made by: {form}"))
}

/// What is wrong with a line.
pub fn checked(_view: &View, checked: &Checked) -> String {
    if checked.fits {
        return "it can be pasted as it is\n".to_owned();
    }
    let mut out: String =
        checked.faults.iter().map(|fault| format!("{}\n", escape(&fault.to_string()))).collect();
    if let Some(line) = &checked.repaired {
        let changes: Vec<String> = checked.changes.iter().map(|change| escape(change)).collect();
        out.push_str(&format!("put right ({}):\n{line}\n", changes.join("; ")));
    }
    out
}

/// What to do about a fault.
pub fn hint(fault: &Fault) -> String {
    let text = match fault {
        Fault::Empty => "name what is to be done: handover paste pull submit:train.sh",
        Fault::Control { .. } | Fault::Lines { .. } => {
            "put it into a script of the project, and run that: handover paste pull -- sh FILE"
        }
        Fault::Open { .. } => "end it, and look again: handover paste check LINE",
        Fault::Beyond { .. } | Fault::Unclear { .. } => {
            "put it into a script of the project, where it is read before it runs: handover paste -- sh FILE"
        }
        Fault::Interactive { .. } => {
            "take the form that asks nothing; handover paste check LINE says whether it fits"
        }
        Fault::Dangerous { .. } => "name exactly what is meant, by ids or by paths below the project",
        Fault::Secret { .. } => {
            "keep it in a file there that only you can read, and let the command read that"
        }
        Fault::NotAscii { .. }
        | Fault::Rewritten { .. }
        | Fault::Edge { .. }
        | Fault::TooLong { .. }
        | Fault::Nowhere => "let it be made: handover paste -- CMD...",
    };
    text.to_owned()
}
