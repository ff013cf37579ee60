//! `checkpoint-N` of the Hugging Face Trainer.
//!
//! Source: `transformers/trainer.py`: the weights are written first, then
//! optimizer, scheduler and random states, and `trainer_state.json` after them.

use serde::Deserialize;

use super::facts::Facts;
use super::look::{Folder, Look};
use super::source::Fault;
use super::{names, weights};

/// The largest `trainer_state.json` that is read: it holds the whole history.
const LARGEST_STATE: u64 = 256 << 20;

#[derive(Deserialize)]
struct State {
    global_step: Option<u64>,
    epoch: Option<f64>,
}

/// True for such a folder.
pub(super) fn is(folder: &Folder) -> bool {
    names::trainer_step(&folder.name()).is_some()
        && (folder.has("trainer_state.json")
            || folder.has("training_args.bin")
            || folder.has("optimizer.pt")
            || folder.has("config.json")
            || folder.has("adapter_config.json")
            || folder.entries.is_empty())
}

/// Checks every part.
///
/// # Errors
/// Whatever is wrong or missing.
pub(super) fn read(look: &Look, folder: &Folder) -> Result<Facts, Fault> {
    let step = names::trainer_step(&folder.name());
    if folder.entries.is_empty() {
        return Err(Fault::Unfinished("it is empty".to_owned()));
    }
    if !folder.has("trainer_state.json") {
        return Err(Fault::Unfinished(
            "trainer_state.json is missing: the Trainer writes it last".to_owned(),
        ));
    }
    let bytes = look
        .small(&folder.path.join("trainer_state.json"), LARGEST_STATE)
        .map_err(|fault| fault.of("trainer_state.json"))?;
    let state: State = serde_json::from_slice(&bytes)
        .map_err(|e| Fault::Damaged(format!("trainer_state.json: it cannot be read: {e}")))?;
    if state.global_step != step {
        let said = state.global_step.map_or("no step".to_owned(), |said| format!("step {said}"));
        return Err(Fault::Damaged(format!("trainer_state.json says {said}")));
    }
    if weights::check(look, folder)? == 0 {
        return Err(Fault::Unfinished("there are no weights in it".to_owned()));
    }
    for name in ["optimizer.pt", "optimizer.bin", "scheduler.pt", "scaler.pt"] {
        if let Some(entry) = folder.entries.get(name) {
            look.member(entry)?;
        }
    }
    check_random_states(look, folder)?;
    if !weights::has_optimizer(folder) {
        return Err(Fault::Unfinished(
            "there is no optimizer state in it (save_only_model?): a resume would start the optimizer anew"
                .to_owned(),
        ));
    }
    if folder.has("optimizer.pt") && !folder.has("scheduler.pt") {
        return Err(Fault::Unfinished("scheduler.pt is missing".to_owned()));
    }
    Ok(Facts { step, epoch: state.epoch, optimizer: Some(true), ..Facts::default() })
}

/// `rng_state.pth`, or one per rank without a gap; none is no obstacle.
fn check_random_states(look: &Look, folder: &Folder) -> Result<(), Fault> {
    let mut ranks = Vec::new();
    for entry in folder.files() {
        let Some(rest) = entry.name.strip_prefix("rng_state").and_then(|rest| rest.strip_suffix(".pth"))
        else {
            continue;
        };
        look.member(entry)?;
        ranks.extend(rest.strip_prefix('_').and_then(|rank| rank.parse::<u64>().ok()));
    }
    weights::check_ranks("rng_state", &ranks)
}
