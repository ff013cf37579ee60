//! What changed from one look at a sweep to a later one.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{Expected, Known, Memory, Standing};
use crate::cluster::{Outlook, State};
use crate::sweep::vital::Mark;
use crate::sweep::{Decision, Delta, Health, Members, Outcome, TaskProgress};
use crate::terms::{JobId, TaskIds};

/// One thing that changed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Change {
    /// It was seen for the first time.
    Seen {
        /// The tasks seen.
        tasks: usize,
        /// They are in these states.
        states: BTreeMap<State, usize>,
    },
    /// Tasks changed class.
    Tasks {
        /// Into which.
        class: Class,
        /// How they ended, where that is more than their class.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        outcome: Option<Outcome>,
        /// Which.
        tasks: Members,
        /// The ids of those that were submitted again.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        ids: Vec<Renamed>,
    },
    /// Tasks were submitted again: from now on they are their new jobs.
    Resubmitted {
        /// Which.
        tasks: Members,
        /// Under which ids.
        ids: Vec<Renamed>,
    },
    /// The id belongs to another job now.
    IdReused,
    /// A cause appeared, or took further tasks.
    Cause {
        /// The cause with all its tasks.
        cause: Known,
        /// The tasks that it took since.
        new: Members,
        /// True if it was not known before.
        first: bool,
    },
    /// Something is the matter with tasks that did not fail, or sources
    /// contradict each other.
    Finding {
        /// What, with all its tasks.
        finding: Known,
        /// The tasks of which it was not known.
        new: Members,
    },
    /// Running tasks have come so far. Of a sweep with many tasks only the
    /// first to come so far are told.
    Progress {
        /// How far.
        mark: Mark,
        /// Which tasks.
        tasks: Members,
        /// One of them, as its log says it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        example: Option<TaskProgress>,
    },
    /// Tasks wait that will not start as it is.
    Stuck {
        /// Slurm's reason.
        reason: String,
        /// What can come of it.
        outlook: Outlook,
    },
    /// Its health changed.
    Health {
        /// What it was; `None` if nobody had judged.
        from: Option<Health>,
        /// What it is.
        to: Health,
        /// The sentence that weighs most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// What is to be done changed.
    Decision {
        /// What it was; `None` if nobody had judged.
        from: Option<Decision>,
        /// What it is.
        to: Decision,
        /// The sentence that weighs most, if no change of health has told it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Files that finished tasks should have made are not there.
    Missing {
        /// Their paths.
        files: Vec<String>,
    },
    /// The sweep is over, and results of it did not appear.
    Results {
        /// What must be there, and what is.
        results: Expected,
    },
    /// So much of it is over.
    Milestone {
        /// Percent of all tasks: 25, 50, 75 or 100.
        percent: u8,
        /// How many tasks are over.
        finished: usize,
        /// How many there are.
        total: usize,
    },
}

/// A task that was submitted again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Renamed {
    /// The task.
    pub task: u32,
    /// The id that it had first.
    pub first: JobId,
    /// The id that it has now.
    pub now: JobId,
}

/// What a task does, as far as a watcher cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It was submitted since.
    Added,
    /// It runs.
    Started,
    /// It ended well.
    Completed,
    /// It failed.
    Failed,
    /// It was cancelled or preempted.
    Stopped,
    /// It was put back into the queue, or started again.
    Requeued,
    /// It was live, and nobody knows it any more.
    Gone,
}

/// In a sweep of more tasks than this only the first to reach a mark are told.
pub(super) const EACH: usize = 16;

/// What changed from one look to a later one, in the order in which it is
/// told: what happened, why, what that means.
pub fn changes(before: Option<&Memory>, now: &Memory) -> Vec<Change> {
    let mut changes = Vec::new();
    match before {
        None => {
            let mut states = BTreeMap::new();
            for (outcome, tasks) in &now.look.tasks {
                *states.entry(outcome.state).or_default() += tasks.len();
            }
            changes.push(Change::Seen { tasks: now.look.all().len(), states });
            of_resubmitted(&mut changes, None, now);
        }
        Some(before) => {
            let again = of_resubmitted(&mut changes, Some(before), now);
            of_tasks(&mut changes, &Delta::between(&before.look, Some(&now.look)), now, &again);
        }
    }
    let reused = changes.contains(&Change::IdReused);
    let before = before.filter(|_| !reused);
    for (reason, outlook) in &now.stuck {
        // Which nodes it names behind that changes from look to look.
        let head = |reason: &str| reason.split([',', '(']).next().unwrap_or_default().to_owned();
        let is_same = |known: &String| head(known) == head(reason);
        if before.is_none_or(|before| !before.stuck.keys().any(is_same)) {
            changes.push(Change::Stuck { reason: reason.clone(), outlook: *outlook });
        }
    }
    if let Some(standing) = &now.standing {
        of_standing(&mut changes, before.and_then(|before| before.standing.as_ref()), standing);
    }
    of_findings(&mut changes, before, now);
    of_marks(&mut changes, before, now);
    if let Some(results) = now.results.as_ref().filter(|results| results.lacking() > 0)
        && before.and_then(|before| before.results.as_ref()) != Some(results)
    {
        changes.push(Change::Results { results: results.clone() });
    }
    let (then, quarters) = (before.map_or(0, Memory::quarters), now.quarters());
    if quarters > then
        && let Some(total) = now.total
    {
        let percent = (quarters * 25) as u8;
        changes.push(Change::Milestone { percent, finished: now.finished, total });
    }
    changes
}

/// Which tasks have another id than before.
fn of_resubmitted(changes: &mut Vec<Change>, before: Option<&Memory>, now: &Memory) -> TaskIds {
    let is_known = |task: &u32, id: &JobId| before.is_some_and(|before| before.again.get(task) == Some(id));
    let new = now.again.iter().filter(|(task, id)| !is_known(task, id));
    let new: TaskIds = new.map(|(task, _)| *task).collect();
    if !new.is_empty() {
        changes.push(Change::Resubmitted { ids: renamed(now, &new), tasks: Members(new.clone()) });
    }
    new
}

/// Those of the tasks that were submitted again.
fn renamed(now: &Memory, tasks: &TaskIds) -> Vec<Renamed> {
    let own = now.again.iter().filter(|(task, _)| tasks.contains(**task));
    own.map(|(task, id)| Renamed { task: *task, first: now.first_id(*task), now: *id }).collect()
}

/// `again` are the tasks whose new ids were told: they need not be told as requeued.
fn of_tasks(changes: &mut Vec<Change>, delta: &Delta, now: &Memory, again: &TaskIds) {
    let Delta { id_reused, added, started, completed, failed, stopped, requeued, gone, forgotten: _ } = delta;
    if *id_reused {
        return changes.push(Change::IdReused);
    }
    let mut say = |class, outcome, tasks: &Members| {
        if !tasks.is_empty() {
            changes.push(Change::Tasks { class, outcome, ids: renamed(now, &tasks.0), tasks: tasks.clone() });
        }
    };
    say(Class::Added, None, added);
    say(Class::Started, None, started);
    say(Class::Completed, None, completed);
    failed.iter().for_each(|change| say(Class::Failed, Some(change.now), &change.tasks));
    stopped.iter().for_each(|change| say(Class::Stopped, Some(change.now), &change.tasks));
    say(Class::Requeued, None, &Members(requeued.0.difference(again)));
    say(Class::Gone, None, gone);
}

fn of_standing(changes: &mut Vec<Change>, before: Option<&Standing>, now: &Standing) {
    for cause in &now.causes {
        let same = |known: &&Known| known.class == cause.class && known.fingerprint == cause.fingerprint;
        let known = before.and_then(|before| before.causes.iter().find(same));
        let new =
            known.map_or_else(|| cause.tasks.0.clone(), |known| cause.tasks.0.difference(&known.tasks.0));
        if !new.is_empty() {
            let first = known.is_none();
            changes.push(Change::Cause { cause: cause.clone(), new: Members(new), first });
        }
    }
    let nothing = BTreeSet::new();
    let known = before.map_or(&nothing, |before| &before.missing);
    let files: Vec<String> = now.missing.difference(known).cloned().collect();
    if !files.is_empty() {
        changes.push(Change::Missing { files });
    }
    let from = before.map(|before| before.health);
    if from != Some(now.health) && (from.is_some() || now.health != Health::Healthy) {
        changes.push(Change::Health { from, to: now.health, reason: now.reason.clone() });
    }
    // One reason for both is told once.
    let has_told = matches!(changes.last(), Some(Change::Health { .. }));
    let from = before.map(|before| before.decision);
    if from != Some(now.decision) && (from.is_some() || now.decision != Decision::NoIntervention) {
        let reason = now.reason.clone().filter(|_| !has_told);
        changes.push(Change::Decision { from, to: now.decision, reason });
    }
}

fn of_findings(changes: &mut Vec<Change>, before: Option<&Memory>, now: &Memory) {
    for finding in &now.findings {
        let known = before.and_then(|before| before.findings.iter().find(|old| old.class == finding.class));
        let nothing = TaskIds::default();
        let new = finding.tasks.0.difference(known.map_or(&nothing, |known| &known.tasks.0));
        if !new.is_empty() {
            changes.push(Change::Finding { finding: finding.clone(), new: Members(new) });
        }
    }
}

/// The highest mark alone where a task passed several since the last look.
fn of_marks(changes: &mut Vec<Change>, before: Option<&Memory>, now: &Memory) {
    let many = now.total.unwrap_or_default().max(now.look.all().len()) > EACH;
    let mut told = TaskIds::default();
    let mut news = Vec::new();
    for (mark, tasks) in now.marks.iter().rev() {
        let known = before.and_then(|before| before.marks.get(mark));
        if many && known.is_some_and(|known| !known.is_empty()) {
            continue;
        }
        let nothing = TaskIds::default();
        let new = tasks.0.difference(known.map_or(&nothing, |known| &known.0)).difference(&told);
        if !new.is_empty() {
            told = told.union(&new);
            let example = now.course.iter().find(|task| new.contains(task.member)).cloned();
            news.push(Change::Progress { mark: *mark, tasks: Members(new), example });
        }
    }
    changes.extend(news.into_iter().rev());
}
