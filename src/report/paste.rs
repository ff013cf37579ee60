//! Lines to paste, and what is wrong with those that somebody wrote.

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
        remarks.push(format!("the line runs {}, which is not committed yet", placed.script.path));
    }
    remarks
}

/// What is wrong with a line.
pub fn checked(_view: &View, checked: &Checked) -> String {
    if checked.fits {
        return "it can be pasted as it is\n".to_owned();
    }
    checked.faults.iter().map(|fault| format!("{}\n", escape(&fault.to_string()))).collect()
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
