//! An `iter_0001000` folder of Megatron.
//!
//! Source: `megatron/training/checkpointing.py`: one folder per model rank,
//! `mp_rank_TT[_PPP]`, with `model_optim_rng.pt`; or the distributed form, with
//! `.distcp` files. `latest_checkpointed_iteration.txt` beside the folders is
//! written when all ranks have saved.

use std::collections::BTreeMap;

use super::dcp;
use super::facts::Facts;
use super::look::{Folder, Look};
use super::names;
use super::source::Fault;
use super::weights;

pub(super) const TRACKER: &str = "latest_checkpointed_iteration.txt";

/// True for such a folder.
pub(super) fn is(folder: &Folder) -> bool {
    let name = folder.name();
    let digits =
        name.strip_prefix("iter_").is_some_and(|n| n.len() >= 7 && n.bytes().all(|b| b.is_ascii_digit()));
    let has_tracker = || folder.path.parent().is_some_and(|parent| parent.join(TRACKER).is_file());
    digits || (name == "release" && has_tracker())
}

/// Checks that every rank is there and sound.
///
/// # Errors
/// Whatever is wrong or missing.
pub(super) fn read(look: &Look, folder: &Folder) -> Result<Facts, Fault> {
    let step = names::step(&folder.name());
    let mut facts = Facts { step, ..Facts::default() };
    if dcp::is(folder) {
        facts.optimizer = dcp::read(look, folder)?.optimizer;
        for entry in folder.files().filter(|entry| entry.name == "common.pt") {
            look.member(entry)?;
        }
    } else {
        ranks(look, folder, &mut facts)?;
    }
    check_tracker(look, folder, step)?;
    Ok(facts)
}

fn ranks(look: &Look, folder: &Folder, facts: &mut Facts) -> Result<(), Fault> {
    // Tensor ranks by pipeline rank.
    let mut places: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
    for entry in folder.folders() {
        let Some(rank) = entry.name.strip_prefix("mp_rank_") else { continue };
        let mut numbers = rank.split('_').map(str::parse::<u64>);
        let (Some(Ok(tensor)), pipeline) = (numbers.next(), numbers.next()) else { continue };
        places.entry(pipeline.and_then(Result::ok).unwrap_or(0)).or_default().push(tensor);
        let below = look.folder(&entry.path).map_err(|fault| fault.of(&entry.name))?;
        let files: Vec<_> = below.files().filter(|file| names::is_checkpoint_file(&file.name)).collect();
        if !files.iter().any(|file| file.name.starts_with("model_")) {
            return Err(Fault::Unfinished(format!(
                "{}: there is no model_optim_rng.pt",
                crate::safety::one_line(&entry.name, 80)
            )));
        }
        for file in files {
            let found = look.member(file).map_err(|fault| fault.of(&entry.name))?;
            facts.optimizer = facts.optimizer.max(found.optimizer);
            if file.name.starts_with("distrib_optim") {
                facts.optimizer = Some(true);
            }
        }
    }
    if places.is_empty() {
        return Err(Fault::Unfinished("there is no folder of a rank in it".to_owned()));
    }
    weights::check_ranks("the pipeline stage", &places.keys().copied().collect::<Vec<_>>())?;
    let most = places.values().map(Vec::len).max().unwrap_or(0);
    for (pipeline, tensor) in &places {
        weights::check_ranks(&format!("the model (stage {pipeline})"), tensor)?;
        if tensor.len() < most {
            return Err(Fault::Unfinished(format!("stage {pipeline} has {} of {most} ranks", tensor.len())));
        }
    }
    Ok(())
}

/// The tracker must not name an earlier iteration.
fn check_tracker(look: &Look, folder: &Folder, step: Option<u64>) -> Result<(), Fault> {
    let Some(tracker) = folder.path.parent().map(|parent| parent.join(TRACKER)) else { return Ok(()) };
    if !tracker.is_file() {
        return Err(Fault::Unfinished(format!("{TRACKER} is missing: it is written last")));
    }
    let bytes = look.small(&tracker, 4096).map_err(|fault| fault.of(TRACKER))?;
    let text = String::from_utf8_lossy(&bytes).trim().to_owned();
    match (text.parse::<u64>(), step) {
        (Ok(said), Some(step)) if said < step => Err(Fault::Unfinished(format!(
            "{TRACKER} still names {said}: it is written when all ranks have saved"
        ))),
        (Err(_), _) if text != "release" => Err(Fault::Damaged(format!("{TRACKER} names no iteration"))),
        _ => Ok(()),
    }
}
