//! What is known of a sweep at one look, and what changed until a later one.
//! Pure: whoever looks again stores it and reads it back.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{CauseGroup, Decision, Delta, Health, Judgement, Kind, Look, Members, Outcome, Sweep};
use crate::cluster::{Outlook, State};
use crate::terms::{TaskIds, Time};

/// What is known of one sweep at one look.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Memory {
    /// When that was.
    pub at: Time,
    /// What holds it together.
    pub kind: Kind,
    /// Every task.
    pub look: Look,
    /// How many tasks it has; `None` if that is unknown.
    pub total: Option<usize>,
    /// How many are over.
    pub finished: usize,
    /// What waits and will not start as it is, by Slurm's reason.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub stuck: BTreeMap<String, Outlook>,
    /// What was made of it; `None` if nobody judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<Standing>,
}

/// What was made of a sweep, as far as a later look compares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Standing {
    /// How it does.
    pub health: Health,
    /// What is to be done.
    pub decision: Decision,
    /// The sentence that weighs most; text that may hold words from outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Why tasks failed, most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Known>,
    /// Files that finished tasks should have made and did not.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub missing: BTreeSet<String>,
}

/// A cause as it is remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Known {
    /// Its class.
    pub class: String,
    /// What tells it from another cause of its class.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// What happened: text from outside may be in it.
    pub sentence: String,
    /// The tasks that it took.
    pub tasks: Members,
}

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
        /// The sentence that weighs most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// Files that finished tasks should have made are not there.
    Missing {
        /// Their paths.
        files: Vec<String>,
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

impl Memory {
    /// What there is to remember of a sweep.
    pub fn of(at: Time, sweep: &Sweep, standing: Option<Standing>) -> Memory {
        let never = sweep.waiting.iter().filter(|waiting| waiting.outlook != Outlook::Waits);
        let never = never.filter(|waiting| waiting.outlook != Outlook::Unknown);
        Memory {
            at,
            kind: sweep.kind,
            look: sweep.look.clone(),
            total: sweep.total,
            finished: sweep.finished,
            stuck: never.map(|waiting| (waiting.reason.clone(), waiting.outlook)).collect(),
            standing,
        }
    }

    /// The same memory with what this look could not know taken over from the
    /// one before: tasks that had ended stay ended, although nobody asked
    /// accounting again.
    pub fn carried(mut self, before: &Memory) -> Memory {
        if self.look.name != before.look.name {
            return self;
        }
        let seen = self.look.all();
        for (outcome, tasks) in before.look.tasks.iter().filter(|(outcome, _)| outcome.state.is_finished()) {
            self.look.add(*outcome, &tasks.0.difference(&seen));
        }
        for (count, tasks) in &before.look.attempts {
            let unseen = tasks.0.difference(&seen);
            if !unseen.is_empty() {
                let members = self.look.attempts.entry(*count).or_default();
                members.0 = members.0.union(&unseen);
            }
        }
        self.finished = self.tasks_in(State::is_finished).len();
        let all = self.look.all();
        let same = all == before.look.all();
        self.total = self.total.or(before.total.filter(|_| same)).map(|total| total.max(all.len()));
        self
    }

    /// Keeps tasks as they were before, until it is known what became of them.
    pub fn hold(&mut self, tasks: &TaskIds, before: &Memory) {
        let tasks = tasks.difference(&self.look.all());
        for (outcome, known) in &before.look.tasks {
            self.look.add(*outcome, &tasks.intersection(&known.0));
        }
    }

    /// The tasks in states for which `wanted` says yes.
    pub fn tasks_in(&self, wanted: fn(State) -> bool) -> TaskIds {
        let lists = self.look.tasks.iter().filter(|(outcome, _)| wanted(outcome.state));
        lists.fold(TaskIds::default(), |all, (_, tasks)| all.union(&tasks.0))
    }

    /// True if nothing of it runs or waits.
    pub fn is_over(&self) -> bool {
        self.tasks_in(State::is_live).is_empty()
    }

    /// How it does, if somebody judged.
    pub fn health(&self) -> Option<Health> {
        self.standing.as_ref().map(|standing| standing.health)
    }

    /// What is to be done, if somebody judged.
    pub fn decision(&self) -> Option<Decision> {
        self.standing.as_ref().map(|standing| standing.decision)
    }

    /// How much of it is over, in quarters.
    fn quarters(&self) -> usize {
        match self.total {
            Some(total) if total > 0 => self.finished.min(total) * 4 / total,
            _ => 0,
        }
    }
}

/// So many missing files are remembered.
const MOST_MISSING: usize = 1000;

impl Standing {
    /// What a later look compares of a judgement.
    pub fn of(judgement: &Judgement, missing: impl IntoIterator<Item = String>) -> Standing {
        let known = |group: &CauseGroup| Known {
            class: group.cause.class.clone(),
            fingerprint: group.cause.fingerprint.as_ref().map(ToString::to_string).unwrap_or_default(),
            sentence: group.cause.sentence.clone(),
            tasks: group.tasks.clone(),
        };
        Standing {
            health: judgement.health,
            decision: judgement.decision,
            reason: judgement.reasons.first().map(|reason| reason.text.clone()),
            causes: judgement.groups.iter().map(known).collect(),
            missing: missing.into_iter().take(MOST_MISSING).collect(),
        }
    }
}

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
        }
        Some(before) => of_tasks(&mut changes, &Delta::between(&before.look, Some(&now.look))),
    }
    let reused = changes.contains(&Change::IdReused);
    let before = before.filter(|_| !reused);
    for (reason, outlook) in &now.stuck {
        if before.is_none_or(|before| !before.stuck.contains_key(reason)) {
            changes.push(Change::Stuck { reason: reason.clone(), outlook: *outlook });
        }
    }
    if let Some(standing) = &now.standing {
        of_standing(&mut changes, before.and_then(|before| before.standing.as_ref()), standing);
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

fn of_tasks(changes: &mut Vec<Change>, delta: &Delta) {
    let Delta { id_reused, added, started, completed, failed, stopped, requeued, gone, forgotten: _ } = delta;
    if *id_reused {
        return changes.push(Change::IdReused);
    }
    let mut say = |class, outcome, tasks: &Members| {
        if !tasks.is_empty() {
            changes.push(Change::Tasks { class, outcome, tasks: tasks.clone() });
        }
    };
    say(Class::Added, None, added);
    say(Class::Started, None, started);
    say(Class::Completed, None, completed);
    failed.iter().for_each(|change| say(Class::Failed, Some(change.now), &change.tasks));
    stopped.iter().for_each(|change| say(Class::Stopped, Some(change.now), &change.tasks));
    say(Class::Requeued, None, requeued);
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
    let from = before.map(|before| before.decision);
    if from != Some(now.decision) && (from.is_some() || now.decision != Decision::NoIntervention) {
        changes.push(Change::Decision { from, to: now.decision, reason: now.reason.clone() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(tasks: &[(&str, &str)], total: usize) -> Memory {
        let members = |list: &str| Members(list.parse().unwrap());
        let look = Look {
            key: "8".into(),
            name: "lr".into(),
            tasks: tasks.iter().map(|(outcome, list)| (outcome.parse().unwrap(), members(list))).collect(),
            ..Look::default()
        };
        let at = Time::from_unix(1_000_000).unwrap();
        let mut memory = Memory {
            at,
            kind: Kind::Array,
            look,
            total: Some(total),
            finished: 0,
            stuck: BTreeMap::new(),
            standing: None,
        };
        memory.finished = memory.tasks_in(State::is_finished).len();
        memory
    }

    fn standing(health: Health, decision: Decision, causes: &[(&str, &str)]) -> Standing {
        let known = |(class, tasks): &(&str, &str)| Known {
            class: (*class).to_owned(),
            fingerprint: String::new(),
            sentence: format!("it was {class}"),
            tasks: Members(tasks.parse().unwrap()),
        };
        Standing {
            health,
            decision,
            reason: Some("because".into()),
            causes: causes.iter().map(known).collect(),
            missing: BTreeSet::new(),
        }
    }

    fn told(before: Option<&Memory>, now: &Memory) -> Vec<String> {
        changes(before, now).iter().map(|change| serde_json::to_string(change).unwrap()).collect()
    }

    #[test]
    fn two_equal_looks_have_nothing_to_tell() {
        let mut now = memory(&[("RUNNING", "0-3"), ("FAILED 1:0", "4"), ("PENDING", "5-9")], 10);
        now.standing = Some(standing(Health::Degraded, Decision::Watch, &[("cuda-oom", "4")]));
        now.stuck.insert("BadConstraints".into(), Outlook::Never);
        assert_eq!(told(Some(&now), &now), [""; 0]);
    }

    #[test]
    fn each_thing_that_matters_is_told_once() {
        let before = memory(&[("RUNNING", "0-3"), ("PENDING", "4-7")], 8);
        let mut now = memory(&[("COMPLETED 0:0", "0,1"), ("FAILED 1:0", "2"), ("RUNNING", "3-7")], 8);
        now.standing = Some(standing(Health::Degraded, Decision::Watch, &[("cuda-oom", "2")]));
        now.stuck.insert("BadConstraints".into(), Outlook::Never);
        assert_eq!(
            told(Some(&before), &now),
            [
                r#"{"what":"tasks","class":"started","tasks":"4-7"}"#,
                r#"{"what":"tasks","class":"completed","tasks":"0,1"}"#,
                r#"{"what":"tasks","class":"failed","outcome":"FAILED 1:0","tasks":"2"}"#,
                r#"{"what":"stuck","reason":"BadConstraints","outlook":"never"}"#,
                r#"{"what":"cause","cause":{"class":"cuda-oom","sentence":"it was cuda-oom","tasks":"2"},"new":"2","first":true}"#,
                r#"{"what":"health","from":null,"to":"degraded","reason":"because"}"#,
                r#"{"what":"decision","from":null,"to":"watch","reason":"because"}"#,
                r#"{"what":"milestone","percent":25,"finished":3,"total":8}"#,
            ]
        );
        let mut later = now.clone();
        later.standing = Some(standing(Health::Systemic, Decision::Intervene, &[("cuda-oom", "2,3")]));
        if let Some(standing) = &mut later.standing {
            standing.missing.insert("results/1.json".into());
        }
        assert_eq!(
            told(Some(&now), &later),
            [
                r#"{"what":"cause","cause":{"class":"cuda-oom","sentence":"it was cuda-oom","tasks":"2,3"},"new":"3","first":false}"#,
                r#"{"what":"missing","files":["results/1.json"]}"#,
                r#"{"what":"health","from":"degraded","to":"systemic","reason":"because"}"#,
                r#"{"what":"decision","from":"watch","to":"intervene","reason":"because"}"#,
            ]
        );
    }

    #[test]
    fn a_first_look_tells_what_is_there_and_a_new_job_of_the_old_number_starts_anew() {
        let now = memory(&[("RUNNING", "0-3"), ("COMPLETED 0:0", "4")], 5);
        assert_eq!(told(None, &now), [r#"{"what":"seen","tasks":5,"states":{"COMPLETED":1,"RUNNING":4}}"#]);
        let mut other = memory(&[("RUNNING", "0-3")], 4);
        other.look.name = "another".into();
        assert_eq!(told(Some(&now), &other), [r#"{"what":"id_reused"}"#]);
    }

    #[test]
    fn what_a_look_at_the_queue_alone_cannot_know_is_taken_over() {
        let mut before = memory(&[("COMPLETED 0:0", "0-2"), ("FAILED 1:0", "3"), ("RUNNING", "4")], 5);
        before.look.attempts.insert(2, Members("3".parse().unwrap()));
        let mut queue = memory(&[("RUNNING", "4")], 0);
        queue.total = None;
        let now = queue.carried(&before);
        assert_eq!((&now.look, now.finished, now.total), (&before.look, 4, Some(5)));
        assert_eq!(told(Some(&before), &now), [""; 0]);
        // A task that left the queue and that accounting does not know yet.
        let mut empty = Memory { total: None, ..memory(&[], 0) }.carried(&before);
        assert_eq!(told(Some(&before), &empty).len(), 1, "it is gone");
        empty.hold(&"4".parse().unwrap(), &before);
        assert_eq!(told(Some(&before), &empty), [""; 0]);
    }

    #[test]
    fn a_memory_survives_being_stored() {
        let mut now = memory(&[("RUNNING", "0-3"), ("COMPLETED 0:0", "4")], 5);
        now.standing = Some(standing(Health::Systemic, Decision::Intervene, &[("time-limit", "1")]));
        let text = serde_json::to_string(&now).unwrap();
        assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), now);
    }
}
