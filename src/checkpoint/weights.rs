//! The weights of a folder, in any of the forms that Hugging Face writes.

use super::look::{Folder, Look};
use super::source::Fault;
use super::{dcp, deepspeed, names, sharded};

/// Files that hold weights by themselves.
const WHOLE: [&str; 9] = [
    "model.safetensors",
    "pytorch_model.bin",
    "adapter_model.safetensors",
    "adapter_model.bin",
    "diffusion_pytorch_model.safetensors",
    "diffusion_pytorch_model.bin",
    "pytorch_lora_weights.safetensors",
    "pytorch_lora_weights.bin",
    "pytorch_model_fsdp.bin",
];

/// Checks every form of weights that is there; how many forms there are.
///
/// # Errors
/// One of them is not sound, or shards have no index.
pub(super) fn check(look: &Look, folder: &Folder) -> Result<usize, Fault> {
    let mut forms = 0;
    for name in WHOLE {
        if let Some(entry) = folder.entries.get(name) {
            look.member(entry)?;
            forms += 1;
        }
    }
    for entry in folder.files().filter(|entry| sharded::is_index(&entry.name)) {
        sharded::read(look, folder, &entry.name)?;
        forms += 1;
    }
    if forms == 0
        && let Some(entry) = folder.files().find(|entry| names::shard(&entry.name).is_some())
    {
        let shown = crate::safety::one_line(&entry.name, 120);
        return Err(Fault::Unfinished(format!("there are shards ({shown}), and no index that names them")));
    }
    for entry in folder.folders() {
        let inner = entry.name.starts_with("pytorch_model_fsdp_")
            || entry.name.starts_with("optimizer_")
            || entry.name.starts_with("global_step")
            || entry.name == "pytorch_model";
        if !inner {
            continue;
        }
        let below = look.folder(&entry.path).map_err(|fault| fault.of(&entry.name))?;
        let checked = if dcp::is(&below) {
            dcp::read(look, &below)
        } else if deepspeed::is(&below) {
            deepspeed::read(look, &below)
        } else {
            continue;
        };
        checked.map_err(|fault| fault.of(&entry.name))?;
        if !entry.name.starts_with("optimizer_") {
            forms += 1;
        }
    }
    Ok(forms)
}

/// True if the optimizer's state is there in a form of its own.
pub(super) fn has_optimizer(folder: &Folder) -> bool {
    folder.entries.keys().any(|name| {
        matches!(name.as_str(), "optimizer.pt" | "optimizer.bin")
            || name.starts_with("optimizer_")
            || name.starts_with("optimizer.")
            || name.starts_with("global_step")
            || name == "pytorch_model"
    })
}

/// The ranks in names such as `rng_state_3.pth`: none missing from 0 on.
///
/// # Errors
/// One is missing.
pub(super) fn check_ranks(what: &str, ranks: &[u64]) -> Result<(), Fault> {
    let mut sorted = ranks.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    match sorted.iter().zip(0..).find(|(rank, wanted)| **rank != *wanted) {
        Some((_, missing)) => Err(Fault::Unfinished(format!("{what}: rank {missing} is missing"))),
        None => Ok(()),
    }
}
