//! One array asked for by its id: what a window of time leaves out.

use super::sweep::again::Submitted;
use super::sweep::which;
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
    let Some(asked) = array(context, snapshot, wanted) else { return };
    if let Some(array) = by_id(context, snapshot, asked).filter(|array| *array != asked) {
        by_id(context, snapshot, array);
    }
}

/// Asks for one array; the other array that the number is a task of, by its raw id.
fn by_id(context: &Context, snapshot: &mut Snapshot, number: u32) -> Option<u32> {
    let array = JobId::whole(number);
    match cluster::accounting_of(context.world, &snapshot::here(context), &[array]) {
        Known::Known(mut answer) => {
            snapshot.problems.append(&mut answer.problems);
            if let Known::Known(accounting) = &mut snapshot.accounting {
                accounting.take_over(&[array], &answer);
            }
            which::task_of(&answer, number).map(|task| task.base)
        }
        Known::Unknown(why) | Known::NotApplicable(why) => {
            let what = format!("array {array} was not asked for by its id: {why}");
            snapshot.problems.push(Problem { about: "sacct".to_owned(), what });
            None
        }
    }
}

/// The array that is meant: one that was seen, else the number itself, which
/// may be older than the window.
fn array(context: &Context, snapshot: &Snapshot, wanted: &str) -> Option<u32> {
    let id = |sweep: &Sweep| (sweep.kind == Kind::Array).then(|| sweep.key.parse().ok()).flatten();
    let mut found = sweep::sweeps(snapshot).sweeps;
    Submitted::read(Some(&context.home())).mark(&mut found);
    match (which::meant(snapshot, &found, wanted), wanted.parse::<JobId>()) {
        (Ok(meant), Err(_)) => {
            let newest = found.get(meant.newest)?;
            // The name is that of the first of them, which may be older than the window.
            newest.continues.as_ref().and_then(|first| first.parse().ok()).or_else(|| id(newest))
        }
        (Ok(meant), Ok(_)) => found.get(meant.newest).and_then(id),
        (Err(_), Ok(job)) => Some(job.base),
        (Err(_), Err(_)) => None,
    }
}
