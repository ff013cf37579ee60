//! The questions of `create -i`: one per section, empty answers left out.

use dialoguer::Input;

use super::{Exit, Failure};
use crate::verbs::compose::Said;

/// Asks for whatever the options did not say.
pub fn ask(mut said: Said) -> Result<Said, Failure> {
    let single: [(&str, &mut Option<String>); 4] = [
        ("Focus: what the work is about, in one line", &mut said.focus),
        ("Status: stable, watch, broken or blocked, and a sentence", &mut said.status),
        ("Goal: what the user wants, and how one knows that it is done", &mut said.goal),
        ("Next action: one thing, with the command and what to expect", &mut said.next),
    ];
    for (question, slot) in single {
        if slot.is_none() {
            *slot = answer(question)?;
        }
    }
    let lists: [(&str, &mut Vec<String>); 6] = [
        ("Done, and why", &mut said.done),
        ("Still to be done", &mut said.pending),
        ("Verified, or not verified", &mut said.evidence),
        ("If this happens, then do that", &mut said.if_then),
        ("Decided, and what was rejected", &mut said.decisions),
        ("Tried, and does not work", &mut said.dead_ends),
    ];
    for (question, items) in lists {
        while let Some(item) = answer(&format!("{question} (empty to go on)"))? {
            items.push(item);
        }
    }
    Ok(said)
}

fn answer(question: &str) -> Result<Option<String>, Failure> {
    let text: String = Input::new().with_prompt(question).allow_empty(true).interact_text().map_err(|e| {
        Failure::new(Exit::Usage, format!("cannot ask: {e}"))
            .hint("-i needs a terminal; say it with options, or fill in `handover draft`")
    })?;
    Ok(Some(text).filter(|text| !text.trim().is_empty()))
}
