//! What killed tasks had asked for, where that tells whether it was for memory.

use super::Ground;
use super::gather::Gathered;
use crate::cluster;
use crate::sweep::{self, Kind, Sweep};

/// So many jobs that are no array are asked for one by one.
const MOST: usize = 4;
/// So many questions one of them is: accounting, and the cluster's settings.
const CALLS: u32 = 2;

/// Asks Slurm what the tasks had asked for that were killed and may have been for memory.
pub(super) fn add(ground: &Ground, sweep: &Sweep, gathered: &mut Gathered) {
    let Some(look) = &ground.look else { return };
    let open: Vec<usize> =
        (0..gathered.evidence.len()).filter(|at| sweep::may_be_memory(&gathered.evidence[*at])).collect();
    let asked = |id: u32| {
        let memory = cluster::request_of(ground.world, look, id).memory?;
        // None of a node means all of it, and nobody knows how much that is.
        Some(memory.bytes).filter(|bytes| bytes.0 > 0)
    };
    if sweep.kind == Kind::Array {
        let Some(first) = open.first().and_then(|at| gathered.evidence.get(*at)) else { return };
        // All tasks of an array ask for the same; one that was submitted again is of another.
        let base = first.id.base;
        let memory = asked(base);
        gathered.calls += CALLS;
        for at in open {
            if let Some(task) = gathered.evidence.get_mut(at).filter(|task| task.id.base == base) {
                task.asked_memory = memory;
            }
        }
        return;
    }
    for at in open.into_iter().take(MOST) {
        if let Some(task) = gathered.evidence.get_mut(at) {
            task.asked_memory = asked(task.id.base);
            gathered.calls += CALLS;
        }
    }
}
