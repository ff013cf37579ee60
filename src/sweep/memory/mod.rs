//! What is known of a sweep at one look, and what changed until a later one.
//! Pure: whoever looks again stores it and reads it back.

mod change;
#[cfg(test)]
mod tests;

pub use change::{Change, Class, Renamed, changes};

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::vital::{Mark, PASSING};
use super::{
    CauseGroup, ContradictionKind, Decision, Health, Judgement, Kind, Line, Look, Members, Outcome, Sweep,
    TaskProgress,
};
use crate::cluster::{Outlook, State};
use crate::terms::{JobId, TaskIds, Time};

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
    /// What is the matter with tasks that did not fail, or how sources
    /// contradict each other: everything that was told so far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Known>,
    /// The tasks that have reached a mark of their progress, ended ones too.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub marks: BTreeMap<Mark, Members>,
    /// How far running tasks have come, those with least done first; a bounded
    /// number of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub course: Vec<TaskProgress>,
    /// The results of the whole sweep, once it is over and if it is known how
    /// many there must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<Expected>,
    /// The newest ids of the tasks that were submitted again.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub again: BTreeMap<u32, JobId>,
}

/// What a sweep must leave behind, and what of it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Expected {
    /// How many results there must be.
    pub expected: u64,
    /// How many of those are there.
    pub present: u64,
    /// Some of those that are not, where they are listed anywhere: text from
    /// outside.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
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
    /// Where one of them says so; `None` if it stands in no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
}

/// A place in a file: all of it from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Place {
    /// The file.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub file: PathBuf,
    /// The line, counted from 1; `None` if the part before it was not read.
    pub line: Option<u64>,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// What stands there; may be empty.
    pub text: String,
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
            findings: Vec::new(),
            marks: BTreeMap::new(),
            course: Vec::new(),
            results: None,
            again: BTreeMap::new(),
        }
    }

    /// Adds what was seen of tasks that run.
    pub fn with_course(&mut self, progress: Vec<TaskProgress>, findings: Vec<Known>) {
        for told in &progress {
            for mark in Mark::reached(told) {
                let mut one = TaskIds::default();
                one.push(told.member);
                let members = self.marks.entry(mark).or_default();
                members.0 = members.0.union(&one);
            }
        }
        self.course = progress;
        self.course.truncate(MOST_COURSE);
        self.course.iter_mut().for_each(|told| told.curve = Vec::new());
        findings.into_iter().for_each(|finding| self.add_finding(finding));
    }

    /// Adds what is the matter with tasks; what is known of that kind takes
    /// further tasks.
    pub fn add_finding(&mut self, finding: Known) {
        match self.findings.iter_mut().find(|known| known.class == finding.class) {
            Some(known) => known.tasks.0 = known.tasks.0.union(&finding.tasks.0),
            None => self.findings.push(finding),
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
        for (mark, tasks) in &before.marks {
            let members = self.marks.entry(*mark).or_default();
            members.0 = members.0.union(&tasks.0);
        }
        for (task, id) in &before.again {
            self.again.entry(*task).or_insert(*id);
        }
        self.keep_findings(before);
        self.finished = self.tasks_in(State::is_finished).len();
        let all = self.look.all();
        let same = all == before.look.all();
        self.total = self.total.or(before.total.filter(|_| same)).map(|total| total.max(all.len()));
        self
    }

    /// What was told stays told, but for what passes and is not seen any more.
    fn keep_findings(&mut self, before: &Memory) {
        let looked_at: TaskIds = self.course.iter().map(|told| told.member).collect();
        for old in &before.findings {
            let mut tasks = old.tasks.0.clone();
            if PASSING.contains(&old.class.as_str()) {
                tasks = tasks.difference(&looked_at);
            }
            match self.findings.iter_mut().find(|new| new.class == old.class) {
                Some(new) => new.tasks.0 = new.tasks.0.union(&tasks),
                None if tasks.is_empty() => {}
                None => self.findings.push(Known { tasks: Members(tasks), ..old.clone() }),
            }
        }
    }

    /// Keeps tasks as they were before, until it is known what became of them.
    pub fn hold(&mut self, tasks: &TaskIds, before: &Memory) {
        let tasks = tasks.difference(&self.look.all());
        for (outcome, known) in &before.look.tasks {
            self.look.add(*outcome, &tasks.intersection(&known.0));
        }
    }

    /// Adds a task that no list has yet.
    pub fn add_task(&mut self, task: u32, outcome: Outcome) {
        self.look.add(outcome, &[task].into_iter().collect());
    }

    /// Takes tasks out of all lists, as if nobody had seen them.
    pub fn forget(&mut self, tasks: &TaskIds) {
        if tasks.is_empty() {
            return;
        }
        self.look.tasks.values_mut().for_each(|members| members.0 = members.0.difference(tasks));
        self.look.tasks.retain(|_, members| !members.is_empty());
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

    /// The id that a task had first.
    fn first_id(&self, task: u32) -> JobId {
        let base = (self.kind == Kind::Array).then(|| self.look.key.parse().ok()).flatten();
        base.map_or(JobId::whole(task), |base| JobId::task(base, task))
    }

    /// How much of it is over, in quarters.
    fn quarters(&self) -> usize {
        match self.total {
            Some(total) if total > 0 => self.finished.min(total).saturating_mul(4) / total,
            _ => 0,
        }
    }
}

impl Expected {
    /// How many are not there.
    pub fn lacking(&self) -> u64 {
        self.expected.saturating_sub(self.present)
    }
}

/// So many missing files are remembered.
const MOST_MISSING: usize = 1000;
/// Of so many running tasks it is remembered how far they have come.
const MOST_COURSE: usize = 64;

impl Standing {
    /// What a later look compares of a judgement. Of the tasks in `open` the
    /// cause may still come to light: so long it is not said to be unknown.
    pub fn of(judgement: &Judgement, missing: impl IntoIterator<Item = String>, open: &TaskIds) -> Standing {
        let known = |group: &CauseGroup| {
            let is_open = group.cause.class == "unknown";
            let tasks = if is_open { group.tasks.0.difference(open) } else { group.tasks.0.clone() };
            (!tasks.is_empty()).then(|| Known {
                class: group.cause.class.clone(),
                fingerprint: group.cause.fingerprint.as_ref().map(ToString::to_string).unwrap_or_default(),
                sentence: group.cause.sentence.clone(),
                tasks: Members(tasks),
                place: group.cause.evidence.iter().find_map(Place::of),
            })
        };
        Standing {
            health: judgement.health,
            decision: judgement.decision,
            reason: judgement.reasons.first().map(|reason| reason.text.clone()),
            causes: judgement.groups.iter().filter_map(known).collect(),
            missing: missing.into_iter().take(MOST_MISSING).collect(),
        }
    }
}

impl Known {
    /// The contradictions that a judgement found, as findings; those that are
    /// told in other ways, pass within a look, or follow from a kill or a
    /// requeue that was told are left out.
    pub fn contradictions(judgement: &Judgement) -> Vec<Known> {
        use ContradictionKind::{CompletedWithoutResults, NotInQueue, TwoRuns, ZombieRun};
        let is_told = |kind| matches!(kind, NotInQueue | CompletedWithoutResults | TwoRuns | ZombieRun);
        let found = judgement.contradictions.iter().filter(|found| !is_told(found.kind));
        found
            .map(|found| Known {
                class: word(found.kind),
                fingerprint: String::new(),
                sentence: found.sentence.clone(),
                tasks: found.tasks.clone(),
                place: found.evidence.iter().find_map(Place::of),
            })
            .collect()
    }
}

/// Its name as in JSON, with hyphens like all classes.
fn word(kind: ContradictionKind) -> String {
    let name = serde_json::to_value(kind).ok();
    name.as_ref().and_then(|name| name.as_str()).unwrap_or("contradiction").replace('_', "-")
}

impl Place {
    fn of(line: &Line) -> Option<Place> {
        let file = line.file.clone()?;
        Some(Place { file, line: line.line, offset: line.offset, text: line.text.clone() })
    }
}
