use super::pickle::{self, Dict, Value, Walked};

/// What a file says about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Facts {
    pub step: Option<u64>,
    pub epoch: Option<f64>,
    pub optimizer: Option<bool>,
    /// True if Lightning wrote it.
    pub lightning: bool,
    /// How many data-parallel ranks DeepSpeed ran with.
    pub ranks: Option<u64>,
}

/// Names under which programs keep the step, the most telling first.
const STEPS: [&str; 11] = [
    "global_step",
    "global_steps",
    "step",
    "iteration",
    "iter",
    "iter_num",
    "num_updates",
    "steps",
    "train_step",
    "current_step",
    "iterations",
];
const EPOCHS: [&str; 2] = ["epoch", "current_epoch"];
const OPTIMIZERS: [&str; 8] = [
    "optimizer",
    "optimizer_states",
    "optimizer_state_dict",
    "optimizer_state",
    "optim",
    "optim_state_dict",
    "optimizers",
    "opt",
];
const MODELS: [&str; 5] = ["state_dict", "model", "model_state_dict", "module", "net"];

impl Facts {
    /// What the root of a pickle says, if it is a dictionary.
    pub fn of(walked: &Walked) -> Facts {
        let Some(root) = walked.root_dict() else { return Facts::default() };
        let has = |names: &[&str]| names.iter().any(|name| pickle::get(root, name).is_some());
        let is_weights = has(&MODELS) || (!walked.storages.is_empty() && !has(&STEPS) && !has(&EPOCHS));
        Facts {
            step: STEPS.iter().find_map(|name| pickle::number(root, name)),
            epoch: EPOCHS.iter().find_map(|name| epoch(root, name)),
            optimizer: match has(&OPTIMIZERS) {
                true => Some(true),
                false => is_weights.then_some(false),
            },
            lightning: pickle::get(root, "pytorch-lightning_version").is_some(),
            ranks: pickle::number(root, "dp_world_size"),
        }
    }
}

fn epoch(dict: &Dict, name: &str) -> Option<f64> {
    match pickle::get(dict, name)? {
        Value::Int(epoch) if *epoch >= 0 => Some(*epoch as f64),
        Value::Float(epoch) if epoch.is_finite() && *epoch >= 0.0 => Some(*epoch),
        _ => None,
    }
}
