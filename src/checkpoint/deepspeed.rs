//! A tag folder of DeepSpeed: `mp_rank_00_model_states.pt` and one file of
//! optimizer states per ZeRO rank.
//!
//! Source: `deepspeed/runtime/engine.py`: `latest` beside the folder names the
//! tag and is written after all ranks have saved. ZeRO 3 has one file of model
//! states per rank, `zero_pp_rank_R_mp_rank_M_model_states.pt`.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::look::{Folder, Look};
use super::source::Fault;
use super::{names, weights};

/// True for such a folder.
pub(super) fn is(folder: &Folder) -> bool {
    folder
        .files()
        .any(|entry| entry.name.ends_with("_model_states.pt") || entry.name.ends_with("_optim_states.pt"))
}

/// Checks that no rank is missing and every file is sound.
///
/// # Errors
/// Whatever is wrong or missing.
pub(super) fn read(look: &Look, folder: &Folder) -> Result<Facts, Fault> {
    let mut facts = Facts::default();
    let mut models = Vec::new();
    let mut zero: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    let mut zero_models: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for entry in folder.files().filter(|entry| entry.name.ends_with("_states.pt")) {
        let (data, model) = (after(&entry.name, "pp_rank_"), after(&entry.name, "mp_rank_"));
        let is_model = entry.name.ends_with("_model_states.pt");
        match (is_model, data, model) {
            (true, Some(data), model) => zero_models.entry(model.unwrap_or(0)).or_default().push(data),
            (true, None, Some(model)) => models.push(model),
            (false, Some(data), model) => zero.entry(model.unwrap_or(0)).or_default().push(data),
            _ => {}
        }
        let found = look.member(entry)?;
        facts.ranks = facts.ranks.max(found.ranks);
        facts.step = facts.step.max(found.step);
        facts.optimizer = facts.optimizer.max(found.optimizer);
    }
    if models.is_empty() && zero_models.is_empty() {
        return Err(Fault::Unfinished("the model states are missing".to_owned()));
    }
    weights::check_ranks("the model states", &models)?;
    for (what, ranks) in [("the optimizer states", &zero), ("the model states", &zero_models)] {
        for (model, ranks) in ranks {
            weights::check_ranks(&format!("{what} (model rank {model})"), ranks)?;
        }
    }
    let counts = zero.values().chain(zero_models.values()).map(|ranks| ranks.len() as u64);
    let most = counts.clone().max().unwrap_or(0);
    if counts.clone().any(|count| count != most) {
        return Err(Fault::Unfinished("its model ranks do not have equally many data ranks".to_owned()));
    }
    if let Some(ranks) = facts.ranks.filter(|ranks| most > 0 && *ranks > most) {
        return Err(Fault::Unfinished(format!("{most} of {ranks} data ranks are there")));
    }
    facts.optimizer = facts.optimizer.max((!zero.is_empty()).then_some(true));
    check_latest(look, folder)?;
    Ok(facts)
}

/// The tag that `latest` names must not be an earlier one.
fn check_latest(look: &Look, folder: &Folder) -> Result<(), Fault> {
    let Some(latest) = folder.path.parent().map(|parent| parent.join("latest")) else { return Ok(()) };
    // It can be left out by choice.
    if !latest.is_file() {
        return Ok(());
    }
    let bytes = look.small(&latest, 4096).map_err(|fault| fault.of("latest"))?;
    let named = String::from_utf8_lossy(&bytes).trim().to_owned();
    let own = folder.name();
    match (tag_step(&named), tag_step(&own)) {
        (Some(said), Some(step)) if said < step => Err(Fault::Unfinished(format!(
            "the file latest still names {}: it is written when all ranks have saved",
            crate::safety::one_line(&named, 80)
        ))),
        _ => Ok(()),
    }
}

/// The step of a tag, `global_step400`.
pub(super) fn tag_step(tag: &str) -> Option<u64> {
    names::step(tag).or_else(|| names::number(tag))
}

/// The number after a word in a name.
fn after(name: &str, word: &str) -> Option<u64> {
    let (_, rest) = name.split_once(word)?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}
