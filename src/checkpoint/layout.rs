//! Which checkpoint of a run is resumed from.
//!
//! The highest step that is sound. Not the newest file: `last-v1.ckpt` may
//! belong to a run that was started again from the beginning. Names say nothing
//! here: the step of a `last.ckpt` is that of its own data.

use std::cmp::{Ordering, Reverse};

use super::{Checkpoint, Depth, Format, Verdict, names};

/// The choice, as places in the list that was given.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Chosen {
    pub best: Option<usize>,
    /// Higher or possibly newer, and not taken; the highest first.
    pub refused: Vec<usize>,
    pub newer_but_lower: Option<usize>,
}

/// Chooses among the checkpoints of one run. At [`Depth::Full`] only what was
/// read whole counts as sound.
pub(super) fn choose(all: &[Checkpoint], depth: Depth) -> Chosen {
    let order = Order::of(all);
    let is_sound = |checkpoint: &Checkpoint| checkpoint.verdict.depth().is_some_and(|looked| looked >= depth);
    let sound = (0..all.len()).filter(|at| is_sound(&all[*at]) && is_candidate(&all[*at]));
    let best = sound.max_by(|a, b| order.compare(&all[*a], &all[*b]));
    let mut refused: Vec<usize> = (0..all.len())
        .filter(|at| !all[*at].verdict.is_sound() && is_above(&order, &all[*at], best.map(|at| &all[at])))
        .collect();
    refused.sort_by(|a, b| order.compare(&all[*b], &all[*a]));
    Chosen { best, refused, newer_but_lower: best.and_then(|best| newer_but_lower(all, best)) }
}

impl Verdict {
    /// How much was read of what is sound.
    pub(super) fn depth(&self) -> Option<Depth> {
        match self {
            Verdict::Sound { depth } => Some(*depth),
            _ => None,
        }
    }
}

/// True for what can be resumed from at all: a file of tensors with any name
/// and no step may be anything, a data set for one.
fn is_candidate(checkpoint: &Checkpoint) -> bool {
    let name = checkpoint.path.file_name().unwrap_or_default().to_string_lossy();
    let is_file = matches!(
        checkpoint.format,
        Format::TorchZip | Format::TorchLegacy | Format::TorchTar | Format::Safetensors | Format::Pickle
    );
    !is_file
        || checkpoint.step.is_some()
        || checkpoint.epoch.is_some()
        || checkpoint.optimizer == Some(true)
        || names::is_telling(&name)
}

/// True for what is not sound and might have been taken instead of the best.
fn is_above(order: &Order, checkpoint: &Checkpoint, best: Option<&Checkpoint>) -> bool {
    let Some(best) = best else { return true };
    match checkpoint.step.or(checkpoint.epoch.map(|epoch| epoch as u64)) {
        // Without a step only its age can tell.
        None => checkpoint.modified >= best.modified && checkpoint.verdict != Verdict::Unrecognised,
        Some(_) => order.progress(checkpoint, best) == Ordering::Greater,
    }
}

/// A sound checkpoint of a lower step that is newer than the best by more than
/// a moment.
fn newer_but_lower(all: &[Checkpoint], best: usize) -> Option<usize> {
    let best = &all[best];
    let is_newer = |other: &Checkpoint| match (other.modified, best.modified) {
        (Some(other), Some(best)) => other.unix() > best.unix() + 60,
        _ => false,
    };
    (0..all.len())
        .filter(|at| {
            let other = &all[*at];
            other.verdict.is_sound() && other.step.is_some() && other.step < best.step && is_newer(other)
        })
        .max_by_key(|at| (all[*at].step, Reverse(*at)))
}

/// What counts as farther in this run.
struct Order {
    /// True if the steps begin anew with each epoch.
    epoch_first: bool,
}

impl Order {
    fn of(all: &[Checkpoint]) -> Order {
        let mut both: Vec<(u64, f64)> = Vec::new();
        for checkpoint in all.iter().filter(|checkpoint| checkpoint.verdict.is_sound()) {
            // The frameworks count over the whole run.
            let is_plain =
                matches!(checkpoint.format, Format::TorchZip | Format::TorchLegacy | Format::Pickle);
            match (checkpoint.step, checkpoint.epoch) {
                (Some(step), Some(epoch)) if is_plain => both.push((step, epoch)),
                (Some(_), _) => return Order { epoch_first: false },
                _ => {}
            }
        }
        let runs_against = |a: &(u64, f64), b: &(u64, f64)| a.1 > b.1 && a.0 < b.0;
        both.sort_by(|a, b| a.1.total_cmp(&b.1));
        Order { epoch_first: both.windows(2).any(|pair| runs_against(&pair[1], &pair[0])) }
    }

    /// How far two have come.
    fn progress(&self, a: &Checkpoint, b: &Checkpoint) -> Ordering {
        let step = a.step.cmp(&b.step);
        let epoch = a.epoch.unwrap_or(-1.0).total_cmp(&b.epoch.unwrap_or(-1.0));
        if self.epoch_first { epoch.then(step) } else { step.then(epoch) }
    }

    /// A full order: of equally far ones the one with an optimizer, then the one
    /// that will not be overwritten, then the newer, then by path.
    fn compare(&self, a: &Checkpoint, b: &Checkpoint) -> Ordering {
        let named = |checkpoint: &Checkpoint| {
            let name = checkpoint.path.file_name().unwrap_or_default().to_string_lossy();
            names::step(&name).or_else(|| names::number(&name)).is_some()
        };
        let whole = |checkpoint: &Checkpoint| checkpoint.optimizer == Some(true);
        self.progress(a, b)
            .then_with(|| whole(a).cmp(&whole(b)))
            .then_with(|| named(a).cmp(&named(b)))
            .then_with(|| a.modified.cmp(&b.modified))
            .then_with(|| b.path.cmp(&a.path))
    }
}
