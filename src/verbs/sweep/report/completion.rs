//! How far a sweep is, and whether what it made is whole.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::super::examine::Examined;
use crate::checkpoint::Verdict;
use crate::cluster::State;
use crate::config::Sweeps;
use crate::sweep::memory::{Memory, Standing};
use crate::sweep::{Elapsed, Members};
use crate::terms::{Known, TaskIds, Time};
use crate::verbs::evidence::Results;
use crate::verbs::watch;

/// How far a sweep is.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Completion {
    /// True if nothing of it runs or waits.
    pub is_over: bool,
    /// How many tasks it has; `None` if that is unknown.
    pub total: Option<usize>,
    /// How many are over.
    pub finished: usize,
    /// How many of those ended well by Slurm's word.
    pub completed: usize,
    /// When a task ended last.
    pub ended: Option<Time>,
    /// Run times of the completed tasks in seconds.
    pub elapsed: Option<Elapsed>,
    /// The checkpoints of the runs that were looked at.
    pub checkpoints: Checkpoints,
    /// The results of the whole sweep, if it is known how many there should be.
    pub results: Option<Results>,
    /// True if the settings name results that a task must leave.
    pub names_results: bool,
    /// Completed tasks that left out a result, and the first of those files.
    pub missing: Missing,
    /// Completed tasks whose results cannot be relied on until somebody looked.
    pub suspects: Members,
    /// On completion what to sync and what to analyse; before, what to look at.
    pub next: Vec<watch::Next>,
}

/// Results that are not there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Missing {
    /// The tasks.
    pub tasks: Members,
    /// How many files.
    pub count: usize,
    /// The first of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub files: Vec<PathBuf>,
}

/// The checkpoints of the runs that were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Checkpoints {
    /// How many runs were looked at, completed ones as a sample.
    pub runs: usize,
    /// How many of them have a checkpoint that passed its check.
    pub resumable: usize,
    /// Tasks that failed, were cancelled or preempted, and have one.
    pub ended_with: Members,
    /// Tasks that failed, were cancelled or preempted, and have none.
    pub ended_without: Members,
    /// Completed tasks of the sample that have none that passed its check,
    /// although other runs have.
    pub completed_without: Members,
    /// Checkpoints that are not resumed from although their step is higher, by reason.
    pub refused: Vec<RefusedFor>,
    /// Why runs were not looked at, with the tasks.
    pub not_looked: Vec<NotLooked>,
}

/// Checkpoints that were refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RefusedFor {
    /// Why: `damaged`, `unfinished`, `temporary`, ...
    pub verdict: String,
    /// The reason of the first one, in words.
    pub why: String,
    /// How many.
    pub count: usize,
    /// Of which tasks.
    pub tasks: Members,
    /// The first one.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub example: PathBuf,
}

/// Tasks whose checkpoints were not looked at for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NotLooked {
    /// Why.
    pub why: String,
    /// Which tasks.
    pub tasks: Members,
}

/// So many missing files are named.
const MOST: usize = 20;

pub(super) fn of(settings: &Sweeps, examined: &Examined, now: Time, words: &str) -> Completion {
    let Examined { sweep, gathered, judgement, .. } = examined;
    let missing = missing(examined);
    let files = missing.files.iter().map(|path| path.to_string_lossy().into_owned());
    let memory = Memory::of(now, sweep, Some(Standing::of(judgement, files, &TaskIds::default())));
    Completion {
        is_over: memory.is_over(),
        total: sweep.total,
        finished: sweep.finished,
        completed: sweep.states.get(&State::Completed).copied().unwrap_or_default(),
        ended: sweep.ended,
        elapsed: sweep.elapsed,
        checkpoints: checkpoints(examined),
        results: gathered.results.clone(),
        names_results: !settings.results.is_empty(),
        missing,
        suspects: judgement.suspects(),
        next: watch::next(&watch::State::of_memory(&memory), settings, words),
    }
}

fn missing(examined: &Examined) -> Missing {
    let mut missing = Missing::default();
    for task in &examined.gathered.evidence {
        let Some(looked) = task.looked.as_deref().filter(|looked| !looked.missing.is_empty()) else {
            continue;
        };
        missing.tasks.0.push(task.member);
        missing.count += looked.missing.len();
        let room = MOST.saturating_sub(missing.files.len());
        missing.files.extend(looked.missing.iter().take(room).cloned());
    }
    missing
}

fn checkpoints(examined: &Examined) -> Checkpoints {
    let mut found = Checkpoints::default();
    let mut refused: BTreeMap<&'static str, RefusedFor> = BTreeMap::new();
    let mut not_looked: BTreeMap<String, TaskIds> = BTreeMap::new();
    for task in &examined.gathered.evidence {
        let Some(looked) = task.looked.as_deref() else { continue };
        let survey = match &looked.checkpoints {
            Known::Known(survey) => survey,
            Known::Unknown(_) if looked.run_dir.known().is_none() => {
                not_looked.entry("no run folder was found".to_owned()).or_default().push(task.member);
                continue;
            }
            Known::Unknown(why) | Known::NotApplicable(why) => {
                not_looked.entry(why.clone()).or_default().push(task.member);
                continue;
            }
        };
        found.runs += 1;
        found.resumable += usize::from(survey.best.is_some());
        let list = match (task.state, survey.best.is_some()) {
            (State::Completed, true) => None,
            (State::Completed, false) => Some(&mut found.completed_without),
            (state, true) if state.is_finished() => Some(&mut found.ended_with),
            (state, false) if state.is_finished() => Some(&mut found.ended_without),
            _ => None,
        };
        list.into_iter().for_each(|list| list.0.push(task.member));
        for one in &survey.refused {
            let (verdict, why) = in_words(&one.verdict);
            let group = refused.entry(verdict).or_insert_with(|| RefusedFor {
                verdict: verdict.to_owned(),
                why: why.to_owned(),
                count: 0,
                tasks: Members::default(),
                example: one.path.clone(),
            });
            group.count += 1;
            if !group.tasks.0.contains(task.member) {
                group.tasks.0.push(task.member);
            }
        }
    }
    if found.resumable == 0 {
        // A project that saves none is none that lost some.
        found.completed_without = Members::default();
    }
    found.refused = refused.into_values().collect();
    found.not_looked =
        not_looked.into_iter().map(|(why, tasks)| NotLooked { why, tasks: Members(tasks) }).collect();
    found
}

fn in_words(verdict: &Verdict) -> (&'static str, &str) {
    match verdict {
        Verdict::Sound { .. } => ("sound", "not the one to resume from"),
        Verdict::Damaged { why } => ("damaged", why),
        Verdict::Unfinished { why } => ("unfinished", why),
        Verdict::Temporary => ("temporary", "a temporary name"),
        Verdict::Unreadable { why } => ("unreadable", why),
        Verdict::Unrecognised => ("unrecognised", "of no known format"),
        Verdict::Unnameable => ("unnameable", "sound, and its name can stand in no command"),
    }
}
