//! Runs that lie in the folders of several tasks under one id: all but one of
//! them are copies.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use super::owners::Owners;
use crate::sweep::RunTwice;
use crate::tracker::{Run, Tracker, has_ids};

/// So many folders are named of one run.
const FEW: usize = 4;

/// Finds them, by the places of their tasks among the evidence, and leaves each
/// that does not name the job of its own task with no owner: nothing that it
/// says may be of that task.
///
/// A client that goes on with a run makes a further folder beside the first,
/// and several tasks may take turns with one run in one place: those are none.
pub(super) fn part(runs: &[Run], owners: &mut Owners) -> BTreeMap<usize, Vec<RunTwice>> {
    let mut by_id: HashMap<&str, Vec<usize>> = HashMap::new();
    for (number, run) in runs.iter().enumerate().filter(|(_, run)| run.tracker == Tracker::Wandb) {
        by_id.entry(&run.id).or_default().push(number);
    }
    let mut found: BTreeMap<usize, Vec<RunTwice>> = BTreeMap::new();
    for (id, group) in by_id.into_iter().filter(|(_, group)| group.len() > 1) {
        let homes: BTreeSet<_> = group.iter().map(|number| runs[*number].dir.parent()).collect();
        // A log that names a run may only have read it.
        let recorded =
            |number: usize| owners.runs[number].iter().copied().filter(move |_| has_ids(&runs[number]));
        let tasks: BTreeSet<usize> = group
            .iter()
            .flat_map(|number| owners.places[*number].into_iter().chain(recorded(*number)))
            .collect();
        if homes.len() < 2 || tasks.len() < 2 {
            continue;
        }
        let is_sure = |number: usize| {
            let mut own = recorded(number);
            own.any(|task| owners.places[number].is_none_or(|place| place == task))
        };
        let sure: Vec<usize> = group.iter().copied().filter(|number| is_sure(*number)).collect();
        let dirs: Vec<PathBuf> = group.iter().take(FEW).map(|number| runs[*number].dir.clone()).collect();
        for task in tasks {
            let is_own = sure.iter().any(|number| owners.runs[*number].contains(&task));
            found.entry(task).or_default().push(RunTwice { id: id.to_owned(), is_own, dirs: dirs.clone() });
        }
        for number in group.into_iter().filter(|number| !sure.contains(number)) {
            owners.runs[number].clear();
        }
    }
    found.values_mut().for_each(|own| own.sort_by(|one, other| one.id.cmp(&other.id)));
    found
}
