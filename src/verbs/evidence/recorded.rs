//! What of each run is recorded: seed, package versions, configuration, commit.

use std::collections::BTreeMap;

use super::gather::{Gathered, Ground};
use super::threads::side_by_side;
use crate::joblog::Identity;
use crate::sweep::Evidence;
use crate::tracker::{self, Reproducibility};

/// So many runs are looked at: each takes some twenty questions to the file system.
const MOST: usize = 2_000;

/// Looks for it in the folders of the tasks' runs, and in the trackers' records.
pub fn add(ground: &Ground, gathered: &mut Gathered, tasks: &BTreeMap<usize, &Identity>) {
    let has_any = |at: &usize| {
        let task = &gathered.evidence[*at];
        task.run_dir().is_some() || !task.runs().is_empty()
    };
    let all: Vec<usize> = tasks.keys().copied().filter(has_any).collect();
    let every = all.len().div_ceil(MOST).max(1);
    let chosen: Vec<usize> = all.iter().copied().step_by(every).collect();
    if chosen.len() < all.len() {
        let (looked, count) = (chosen.len(), all.len());
        gathered
            .not_read
            .push(format!("what is recorded of the runs: {looked} of {count} looked at as a sample"));
    }
    let found = side_by_side(&chosen, |at| if ground.is_over() { None } else { of(&gathered.evidence[*at]) });
    let found: Vec<(usize, Option<Reproducibility>)> =
        found.into_iter().map(|(at, read)| (*at, read)).collect();
    for (at, found) in found {
        gathered.evidence[at].looked_mut().recorded = found.map(Box::new);
    }
}

fn of(task: &Evidence) -> Option<Reproducibility> {
    // Without a folder of its own there is that of the tracker.
    let dir = task.run_dir().or_else(|| task.newest_run().map(|run| &run.dir))?;
    Some(tracker::reproducibility(dir, task.runs(), &tracker::configurations(dir)))
}
