//! One array asked for by its id: what a window of time leaves out.

use super::{Context, snapshot};
use crate::cluster::{self, Origin, Problem, Snapshot};
use crate::sweep::{self, Kind, Sweep};
use crate::terms::{JobId, Known};

/// Asks accounting once more, by id, for the array that `wanted` names, if
/// Slurm's commands gave the snapshot: tasks that were cancelled together
/// before they started are in no other answer, nor is what ended before the window.
pub(super) fn ask(context: &Context, snapshot: &mut Snapshot, wanted: &str) {
    if snapshot.origin != Origin::Local || snapshot.accounting.known().is_none() {
        return;
    }
    let Some(array) = array(snapshot, wanted) else { return };
    let array = JobId::whole(array);
    match cluster::accounting_of(context.world, &snapshot::here(context), &[array]) {
        Known::Known(mut answer) => {
            snapshot.problems.append(&mut answer.problems);
            if let Known::Known(accounting) = &mut snapshot.accounting {
                accounting.take_over(&[array], &answer);
            }
        }
        Known::Unknown(why) | Known::NotApplicable(why) => {
            let what = format!("array {array} was not asked for by its id: {why}");
            snapshot.problems.push(Problem { about: "sacct".to_owned(), what });
        }
    }
}

/// The array that is meant: one that was seen, else the number itself, which
/// may be older than the window.
fn array(snapshot: &Snapshot, wanted: &str) -> Option<u32> {
    let id = |sweep: &Sweep| (sweep.kind == Kind::Array).then(|| sweep.key.parse().ok()).flatten();
    let found = sweep::sweeps(snapshot).sweeps;
    if let Ok(job) = wanted.parse::<JobId>() {
        let of_name = |sweep: &Sweep| sweep.kind == Kind::SharedName && sweep.look.all().contains(job.base);
        return (!found.iter().any(of_name)).then_some(job.base);
    }
    // Newest first, as the one that will be shown.
    let fitting = found.iter().find(|sweep| sweep.name == wanted);
    fitting.or_else(|| found.iter().find(|sweep| sweep.name.starts_with(wanted))).and_then(id)
}
