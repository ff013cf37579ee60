//! What `resume` and `release` say.

use super::View;
use super::verify::verified;
use crate::document::{Edited, Verdict};
use crate::verbs::carried::AtRemote;
use crate::verbs::resume::Intent;
use crate::verbs::{release, resume, verify};

/// The briefing; without one, what `verify` found.
pub fn resumed(view: &View, outcome: &resume::Outcome) -> String {
    match &outcome.briefing {
        Some(briefing) => briefing.text.clone(),
        None => format!("{}the baton was not taken\n", verified(view, &outcome.verified)),
    }
}

/// What the remote left open about the baton.
pub fn doubts(outcome: &resume::Outcome) -> Vec<String> {
    let doubt = outcome.remote.as_ref().and_then(AtRemote::doubt);
    let from = outcome.remote_from.as_ref();
    let from = from.map(|from| format!("the baton was taken over at the remote from {from}"));
    doubt.map(|doubt| format!("warning: the baton is {doubt}")).into_iter().chain(from).collect()
}

/// What `verify` found, and what would be done.
pub fn previewed(view: &View, preview: &resume::Preview) -> String {
    let mut text = verified(view, &preview.verified);
    text.push_str(&match &preview.baton {
        Intent::Take => "baton: free, would be taken\n".to_owned(),
        Intent::Keep { claim } => format!("baton: yours already, {claim}\n"),
        Intent::TakeOver { from } => format!("baton: would be taken over from {from}\n"),
        Intent::NotTaken => "the baton would not be taken\n".to_owned(),
    });
    text.extend(preview.ends.iter().map(|claim| format!("would end: the baton of {}, {claim}\n", claim.key)));
    text.extend(preview.restores.iter().map(|path| format!("would be put back: {path}\n")));
    text
}

/// Whose baton would be let go.
pub fn to_release(_: &View, plan: &release::Plan) -> String {
    let one = |ends: &release::Ends| format!("would be released: {}, {}\n", ends.key, ends.claim);
    plan.ends.iter().map(one).collect()
}

/// Whose baton was let go.
pub fn released(_: &View, outcome: &release::Outcome) -> String {
    let one = |released: &release::Released| {
        let doubt = released.remote.as_ref().and_then(AtRemote::doubt);
        let doubt = doubt.map(|doubt| format!("its baton is {doubt}\n")).unwrap_or_default();
        format!("released: {} is free to be resumed\n{doubt}", released.key)
    };
    outcome.released.iter().map(one).collect()
}

/// What to do where the baton was not to be taken.
pub fn hints(verified: &verify::Outcome) -> Vec<String> {
    let key = &verified.key;
    match &verified.verdict {
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
