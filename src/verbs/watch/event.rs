//! What a watch tells, as plain data.

use std::collections::BTreeMap;

use serde::Serialize;

use super::scene::Target;
use crate::cluster;
use crate::config::Sweeps;
use crate::safety;
use crate::sweep::cadence::Pace;
use crate::sweep::memory::{self, Change, Memory};
use crate::sweep::{Decision, Health, Kind, Members, TaskProgress};
use crate::terms::{Seconds, Time, counted};

/// One thing that a watch tells.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// What it is going to do; the first thing told.
    Contract(Contract),
    /// Something changed.
    Change(Told),
    /// Something could not be seen or kept, or can be again.
    Trouble {
        /// When.
        at: Time,
        /// What.
        what: String,
        /// True if that is over.
        is_over: bool,
    },
    /// It ended; the last thing told.
    End(End),
}

/// A change, with where and when.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Told {
    /// When it was seen.
    pub at: Time,
    /// The sweep: the array's id, or the name that its jobs share.
    pub key: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// What holds the sweep together.
    pub kind: Kind,
    /// What changed.
    pub change: Change,
}

/// What a watch is going to do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contract {
    /// When it began.
    pub at: Time,
    /// What it watches.
    pub scope: Vec<Scope>,
    /// What it expects.
    pub posture: Posture,
    /// What it waits for.
    pub until: Until,
    /// True if it looks once.
    pub once: bool,
    /// For how long at most.
    pub horizon: Seconds,
    /// Until when at most.
    pub ends_at: Time,
    /// How often it looks.
    pub cadence: Vec<Cadence>,
    /// The most questions an hour to slurmctld. Accounting is asked only when
    /// something left the queue.
    pub calls_per_hour: u64,
    /// True if it was told to look more often than the floor allows.
    pub raised: bool,
    /// False if it reads a state file, which costs the scheduler nothing.
    pub asks_slurm: bool,
}

/// One sweep that is watched.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scope {
    /// The array's id, or the name that its jobs share.
    pub key: String,
    /// What holds it together.
    pub kind: Kind,
    /// The jobs' name; `None` if nothing is known of it yet.
    pub name: Option<String>,
    /// When it was last looked at, by this watch or an earlier one.
    pub last_look: Option<Time>,
}

/// What is expected of a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Posture {
    /// Some failures are expected: up to so many percent of similar ones.
    pub watch_percent: u8,
    /// From so many percent of similar failures on somebody must intervene.
    pub intervene_percent: u8,
    /// Before so many tasks are finished no share says anything.
    pub least_finished: usize,
}

/// How often a watch looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Cadence {
    /// While what goes on.
    pub pace: Pace,
    /// No sooner than after so long.
    pub least: Seconds,
    /// No later, while questions are answered.
    pub most: Seconds,
    /// So many looks an hour at most.
    pub calls_per_hour: u64,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Until {
    /// That nothing runs or waits any more.
    Done,
    /// That anything changes.
    Change,
    /// That a sweep is degraded or worse.
    Degraded,
    /// That a sweep is systemic.
    Systemic,
}

/// Why a watch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Nothing runs or waits any more.
    Done,
    /// Something changed, which was waited for.
    Changed,
    /// A sweep is degraded, which was waited for.
    Degraded,
    /// A sweep is systemic, which was waited for.
    Systemic,
    /// Somebody has to intervene now.
    Intervene,
    /// The time is up.
    TimeUp,
    /// The cluster gave no answer.
    Unreachable,
    /// It was to look once.
    Once,
    /// Somebody said stop at the terminal.
    Interrupted,
    /// Whoever runs it said stop, or the terminal is gone.
    Terminated,
    /// Nobody reads what it tells any more.
    Unread,
}

/// How a watch ended.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct End {
    /// When.
    pub at: Time,
    /// When the queue was as is told here: another watch may have asked before;
    /// `None` if nobody answered, or a state file does not say.
    pub as_of: Option<Time>,
    /// Why.
    pub why: Why,
    /// True if somebody has to intervene in one of the sweeps.
    pub intervene: bool,
    /// How often it looked.
    pub looks: u64,
    /// How many changes it told.
    pub changes: u64,
    /// How many questions that took.
    pub questions: Questions,
    /// How the sweeps stand.
    pub sweeps: Vec<State>,
    /// What to do next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<Next>,
}

/// The questions that Slurm was asked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Questions {
    /// To slurmctld, by `squeue`.
    pub squeue: u64,
    /// Looks that took the answer of another watch instead.
    pub shared: u64,
    /// To accounting, by `sacct`.
    pub sacct: u64,
    /// Where the files of tasks lie that nobody had seen in the queue.
    pub files: u64,
}

/// How one sweep stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct State {
    /// The array's id, or the name that its jobs share.
    pub key: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// What holds it together.
    pub kind: Kind,
    /// How many tasks there are; `None` if that is unknown.
    pub total: Option<usize>,
    /// How many are over.
    pub finished: usize,
    /// The tasks seen, by state.
    pub states: BTreeMap<cluster::State, usize>,
    /// The tasks that failed.
    pub failed: Members,
    /// How it does, if it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What is to be done, if it was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// Who said that it is dealt with, when and why, in words: then it asks for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<String>,
    /// Why tasks failed, most first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<memory::Known>,
    /// How far running tasks have come, those with least done first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub course: Vec<TaskProgress>,
    /// The results of the whole sweep, once it is over and if it is known how
    /// many there must be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<memory::Expected>,
}

/// Something to do next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Next {
    /// What for.
    pub kind: NextKind,
    /// What, in words; may hold paths and names from outside.
    pub what: String,
    /// A command that does it, or shows what to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What something is done for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum NextKind {
    /// To have it where it is needed.
    Sync,
    /// To learn from it.
    Analyse,
}

impl Scope {
    pub(super) fn of(target: &Target) -> Scope {
        let memory = target.kept.as_ref().map(|kept| &kept.memory);
        Scope {
            key: target.key.clone(),
            kind: target.kind,
            name: memory.map(|memory| memory.look.name.clone()).or_else(|| target.name.clone()),
            last_look: memory.map(|memory| memory.at),
        }
    }
}

impl State {
    pub(super) fn of(target: &Target) -> Option<State> {
        let kept = target.kept.as_ref()?;
        Some(State { settled: target.settled.clone(), ..State::of_memory(&kept.memory) })
    }

    /// The same of what is known of a sweep.
    pub fn of_memory(memory: &Memory) -> State {
        let mut states = BTreeMap::new();
        for (outcome, tasks) in &memory.look.tasks {
            *states.entry(outcome.state).or_default() += tasks.len();
        }
        State {
            key: memory.look.key.clone(),
            name: memory.look.name.clone(),
            kind: memory.kind,
            total: memory.total,
            finished: memory.finished,
            states,
            failed: Members(memory.tasks_in(cluster::State::is_failure)),
            health: memory.health(),
            decision: memory.decision(),
            settled: None,
            causes: memory.standing.as_ref().map(|standing| standing.causes.clone()).unwrap_or_default(),
            course: memory.course.clone(),
            results: memory.results.clone(),
        }
    }

    /// True if somebody has to act.
    pub(super) fn says_intervene(&self) -> bool {
        self.settled.is_none() && self.decision == Some(Decision::Intervene)
    }

    pub(super) fn is_over(&self) -> bool {
        !self.states.keys().any(|state| state.is_live())
    }
}

/// What to sync and what to analyse, of a sweep that is over; of one that is
/// not, what to look at if something is wrong.
pub fn next(state: &State, settings: &Sweeps, words: &str) -> Vec<Next> {
    let mut next = Vec::new();
    let mut add = |kind, what: String, command: Option<String>| next.push(Next { kind, what, command });
    // A key that cannot be quoted gets no command.
    let command =
        |verb: &str| Some(format!("handover {verb}{words} {}", safety::shell_last(&state.key).ok()?));
    let completed = state.states.get(&cluster::State::Completed).copied().unwrap_or_default();
    if state.is_over() && completed > 0 {
        for results in &settings.results {
            add(
                NextKind::Sync,
                format!("the results of {}: {results}", counted(completed, "completed task")),
                None,
            );
        }
        for runs in &settings.runs {
            add(NextKind::Sync, format!("the run folders with logs and checkpoints: {runs}"), None);
        }
        if settings.results.is_empty() && settings.runs.is_empty() {
            let what =
                format!("the results, logs and checkpoints of {}", counted(completed, "completed task"));
            add(NextKind::Sync, what, None);
        }
    }
    if !state.failed.is_empty() && state.settled.is_none() {
        let what = format!("why {} failed", counted(state.failed.len(), "task"));
        add(NextKind::Analyse, what, command("sweep"));
        add(NextKind::Analyse, "what to resume, and from which step".to_owned(), command("sweep plan"));
    }
    if state.is_over() {
        add(NextKind::Analyse, "the whole sweep, for the record".to_owned(), command("sweep report"));
    }
    next
}
