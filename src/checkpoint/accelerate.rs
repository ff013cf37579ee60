//! What Accelerate's `save_state` writes, and other folders that are named
//! after a step and hold plain files: all of them must be sound.
//!
//! Source: `accelerate/checkpointing.py`: weights, `optimizer.bin`,
//! `scheduler.bin`, sampler and scaler, and last `random_states_N.pkl`.

use super::facts::Facts;
use super::look::{Folder, Look};
use super::source::Fault;
use super::{names, weights};

/// True for a folder of Accelerate.
pub(super) fn is(folder: &Folder) -> bool {
    folder.files().any(|entry| rank(&entry.name).is_some())
}

/// True for a folder that is named after a step and holds checkpoint files.
pub(super) fn is_plain(folder: &Folder) -> bool {
    names::is_step_folder(&folder.name())
        && folder
            .files()
            .any(|entry| names::is_checkpoint_file(&entry.name) && !names::is_temporary(&entry.name))
}

/// Checks every file that has a format.
///
/// # Errors
/// Whatever is wrong or missing.
pub(super) fn read(look: &Look, folder: &Folder) -> Result<Facts, Fault> {
    let forms = weights::check(look, folder)?;
    let mut facts = Facts::default();
    let mut files = 0;
    for entry in folder.files() {
        if names::is_temporary(&entry.name) {
            let shown = crate::safety::one_line(&entry.name, 120);
            return Err(Fault::Unfinished(format!("{shown} has a temporary name")));
        }
        if names::is_checkpoint_file(&entry.name) || rank(&entry.name).is_some() {
            let found = look.member(entry)?;
            files += 1;
            facts.step = facts.step.or(found.step);
            facts.epoch = facts.epoch.or(found.epoch);
            if found.optimizer == Some(true) {
                facts.optimizer = Some(true);
            }
        }
    }
    let ranks: Vec<u64> = folder.files().filter_map(|entry| rank(&entry.name)).collect();
    weights::check_ranks("random_states", &ranks)?;
    if forms + files == 0 {
        return Err(Fault::Unfinished("there are no weights in it".to_owned()));
    }
    let optimizer = facts.optimizer.or(weights::has_optimizer(folder).then_some(true));
    if is(folder) && optimizer.is_none() {
        return Err(Fault::Unfinished("there is no optimizer state in it".to_owned()));
    }
    facts.optimizer = optimizer;
    Ok(facts)
}

fn rank(name: &str) -> Option<u64> {
    name.strip_prefix("random_states_")?.strip_suffix(".pkl")?.parse().ok()
}
