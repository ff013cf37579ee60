//! Tasks that were submitted again under new ids: the new job is the task's
//! newest attempt, and the old one an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use super::evidence::{ByPlan, Evidence};
use super::plan::Again;
use super::{Elapsed, Outcome, Sweep, tasks};
use crate::cluster::{Snapshot, State};
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
    let is_whole = !evidence.is_empty();
    for (member, id) in again.iter().filter_map(|(member, one)| Some((*member, one.id?))) {
        let new = jobs.remove(&id).unwrap_or_else(|| Evidence::of(member, id));
        let new = Evidence { member, ..new };
        sweep.ended = sweep.ended.max(new.ended);
        sweep.move_to(member, Outcome { state: new.state, exit: new.exit });
        match evidence.binary_search_by_key(&member, |one| one.member) {
            Ok(at) => evidence[at].follow(new),
            Err(at) => evidence.insert(at, new),
        }
    }
    sweep.recount();
    if is_whole {
        let completed = evidence.iter().filter(|task| task.state == State::Completed);
        let mut times: Vec<u32> = completed.filter_map(|task| task.elapsed).collect();
        times.sort_unstable();
        sweep.elapsed = Elapsed::of(times);
    }
}

/// Adds tasks that were cancelled and that Slurm does not know any more.
pub fn add_cancelled(evidence: &mut Vec<Evidence>, sweep: &Sweep, tasks: &TaskIds) {
    for member in tasks.iter() {
        let id = sweep.array().map_or(JobId::whole(member), |base| JobId::task(base, member));
        if let Err(at) = evidence.binary_search_by_key(&member, |one| one.member) {
            evidence.insert(at, Evidence { state: State::Cancelled, ..Evidence::of(member, id) });
        }
    }
}

/// Clocks of two machines may differ by this much, in seconds.
pub const SKEW: i64 = 300;

/// Notes which plan cancelled the tasks that are cancelled, unless they ended before it.
pub fn name_who_cancelled(evidence: &mut [Evidence], plans: &BTreeMap<u32, ByPlan>) {
    for (member, plan) in plans {
        let Ok(at) = evidence.binary_search_by_key(member, |one| one.member) else { continue };
        let task = &mut evidence[at];
        let is_before = task.ended.is_some_and(|ended| ended.unix() < plan.at.unix().saturating_sub(SKEW));
        if task.state == State::Cancelled && !is_before {
            task.cancelled_by_plan = Some(Box::new(plan.clone()));
        }
    }
}

impl Evidence {
    /// What was known becomes an earlier attempt of what follows it.
    fn follow(&mut self, new: Evidence) {
        let old = std::mem::replace(self, new);
        let own = std::mem::take(&mut self.earlier);
        self.earlier = old.into_earlier();
        self.earlier.extend(own);
    }
}

impl Sweep {
    /// Counts those of these tasks as cancelled that nothing else is known of;
    /// which those are.
    pub fn count_cancelled(&mut self, tasks: &TaskIds) -> TaskIds {
        let all = self.look.all();
        let not_seen = Outcome { state: State::Unknown, exit: None };
        let passing = self.look.tasks.get(&not_seen).map(|passing| passing.0.clone()).unwrap_or_default();
        let unknown = tasks.difference(&all.difference(&passing));
        if unknown.is_empty() {
            return unknown;
        }
        if let Some(left) = self.look.tasks.get_mut(&not_seen) {
            left.0 = left.0.difference(&unknown);
        }
        self.look.tasks.retain(|_, members| !members.is_empty());
        self.look.add(Outcome { state: State::Cancelled, exit: None }, &unknown);
        let new = unknown.difference(&all).len();
        self.seen = self.seen.saturating_add(new);
        self.total = self.total.map(|total| total.saturating_add(new));
        self.recount();
        unknown
    }

    fn move_to(&mut self, member: u32, outcome: Outcome) {
        let one: TaskIds = [member].into_iter().collect();
        for members in self.look.tasks.values_mut() {
            members.0 = members.0.difference(&one);
        }
        self.look.tasks.retain(|_, members| !members.is_empty());
        self.look.add(outcome, &one);
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{accounting, snapshot, waiting};
    use super::super::{sweeps, tasks};
    use super::*;
    use crate::sweep::Members;

    #[test]
    fn a_waiting_task_that_was_cancelled_alone_stays_in_its_sweep() {
        let rows = accounting(&["8_0|9|ann|ai|FAILED|1:0|0:0|9|600|1000000|1000010|1000020||gpu01|lr"]);
        // Tasks 2 and 5 were cancelled while they waited: Slurm 22.05 keeps nothing of them.
        let snapshot = snapshot(&rows, vec![waiting(8, Some("1,3-4"))]);
        let mut sweep = sweeps(&snapshot).sweeps.remove(0);
        let mut evidence = tasks(&snapshot, &sweep);
        assert_eq!((sweep.total, sweep.finished), (Some(4), 1));
        let gone = sweep.count_cancelled(&"0,2,5".parse().unwrap());
        assert_eq!(gone, "2,5".parse().unwrap(), "the other is known to have failed");
        assert_eq!((sweep.total, sweep.finished, sweep.states[&State::Cancelled]), (Some(6), 3, 2));
        add_cancelled(&mut evidence, &sweep, &gone);
        let cancelled = evidence.iter().filter(|one| one.state == State::Cancelled);
        let ids: Vec<String> = cancelled.map(|one| one.id.to_string()).collect();
        assert_eq!(ids, ["8_2", "8_5"]);
        assert_eq!(sweep.failed_tasks, Members("0".parse().unwrap()));
        assert!(sweep.count_cancelled(&gone).is_empty(), "once");
    }
}
