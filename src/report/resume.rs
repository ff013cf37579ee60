//! What `resume` and `release` say.

use super::View;
use super::verify::verified;
use crate::document::{Edited, Verdict};
use crate::verbs::{release, resume};

/// The briefing; without one, what `verify` found.
pub fn resumed(view: &View, outcome: &resume::Outcome) -> String {
    match &outcome.briefing {
        Some(briefing) => briefing.text.clone(),
        None => format!("{}the baton was not taken\n", verified(view, &outcome.verified)),
    }
}

/// Whose baton was let go.
pub fn released(_: &View, outcome: &release::Outcome) -> String {
    let one = |released: &release::Released| format!("released: {} is free to be resumed\n", released.key);
    outcome.released.iter().map(one).collect()
}

/// What to do where the baton was not to be taken.
pub fn hints(outcome: &resume::Outcome) -> Vec<String> {
    let key = &outcome.verified.key;
    match &outcome.verified.verdict {
        Verdict::AnotherWorktree { cd: Some(cd), .. } => vec![format!("{cd} && handover resume {key}")],
        Verdict::Edited { which: Edited::Copy, .. } => vec![
            format!("seal the edited copy as a new document: handover create --amend {key}"),
            format!("or read the sealed one: handover show {key}"),
        ],
        Verdict::CannotBeProved => vec![
            format!("read it: handover show {key}"),
            "then seal what is true of it: handover create".to_owned(),
        ],
        _ => Vec::new(),
    }
}
