//! Tasks that were submitted again under new ids: the new job is the task's
//! newest attempt, and the old one an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{AttemptSeen, Evidence};
use super::plan::Again;
use super::{Outcome, Sweep, tasks};
use crate::cluster::Snapshot;
use crate::terms::{JobId, TaskIds};

/// Puts the new jobs in the place of the old attempts, in the tasks' evidence
/// and in the sweep's counts. A new job that nobody has seen yet counts as
/// unknown, and not as failed.
pub fn take_over(
    evidence: &mut Vec<Evidence>,
    sweep: &mut Sweep,
    snapshot: &Snapshot,
    again: &BTreeMap<u32, Again>,
) {
    let ids: BTreeSet<JobId> = again.values().filter_map(|one| one.id).collect();
    if ids.is_empty() {
        return;
    }
    let mut jobs = tasks::of_jobs(snapshot, &ids);
    for (member, id) in again.iter().filter_map(|(member, one)| Some((*member, one.id?))) {
        let new = jobs.remove(&id).unwrap_or_else(|| Evidence::of(member, id));
        let new = Evidence { member, ..new };
        sweep.move_to(member, Outcome { state: new.state, exit: new.exit });
        match evidence.binary_search_by_key(&member, |one| one.member) {
            Ok(at) => evidence[at].follow(new),
            Err(at) => evidence.insert(at, new),
        }
    }
    sweep.recount();
}

impl Evidence {
    /// What was known becomes an earlier attempt of what follows it.
    fn follow(&mut self, new: Evidence) {
        let old = std::mem::replace(self, new);
        let last = AttemptSeen {
            state: old.state,
            exit: old.exit,
            elapsed: old.elapsed,
            started: old.started,
            ended: old.ended,
            node_list: old.node_list,
        };
        let own = std::mem::take(&mut self.earlier);
        self.earlier = old.earlier;
        self.earlier.push(last);
        self.earlier.extend(own);
    }
}

impl Sweep {
    fn move_to(&mut self, member: u32, outcome: Outcome) {
        let one: TaskIds = [member].into_iter().collect();
        for members in self.look.tasks.values_mut() {
            members.0 = members.0.difference(&one);
        }
        self.look.tasks.retain(|_, members| !members.is_empty());
        self.look.add(outcome, &one);
    }
}
