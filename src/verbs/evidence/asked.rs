//! What killed tasks had asked for, where that tells whether it was for memory.

use std::collections::BTreeMap;

use super::Ground;
use crate::cluster;
use crate::sweep::{self, Evidence, Kind, Sweep};
use crate::terms::Bytes;

/// So many jobs that are no array are asked for one by one.
const MOST: usize = 4;
/// So many questions one of them is: accounting, and the cluster's settings.
const CALLS: u32 = 2;

/// What jobs asked for, by their ids; `None` if Slurm was asked and nobody knows it.
pub type Asked = BTreeMap<u32, Option<Bytes>>;

/// Says of the tasks that were killed, and may have been for memory, what they
/// had asked for. Slurm is asked for what is not in `known`; the answer is how
/// many questions that took.
pub fn add_asked_memory(ground: &Ground, sweep: &Sweep, evidence: &mut [Evidence], known: &mut Asked) -> u32 {
    let Some(look) = &ground.look else { return 0 };
    let mut open: Vec<&mut Evidence> =
        evidence.iter_mut().filter(|task| sweep::may_be_memory(task)).collect();
    if sweep.kind == Kind::Array {
        // All tasks of an array ask for the same; one that was submitted again is of another.
        let base = open.first().map(|task| task.id.base);
        open.retain(|task| Some(task.id.base) == base);
    }
    let mut asked = 0;
    for task in open {
        let id = task.id.base;
        if !known.contains_key(&id) && asked < MOST {
            asked += 1;
            let memory = cluster::request_of(ground.world, look, id).memory;
            // None of a node means all of it, and nobody knows how much that is.
            known.insert(id, memory.map(|memory| memory.bytes).filter(|bytes| bytes.0 > 0));
        }
        task.asked_memory = known.get(&id).copied().flatten();
    }
    CALLS * asked as u32
}
