//! The stored form of sweeps: counts, and what they amount to. Like all facts
//! of a document it is a file format of its own; every list has a limit, so
//! that a sweep of a hundred thousand tasks is as short as one of forty.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Sweeps: array jobs, and jobs that share a name.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SweepsFact {
    /// Those with live tasks first, then the newest.
    pub listed: Vec<SweepFact>,
    /// How many more there are.
    pub omitted: u32,
}

/// One sweep, compact: the size follows the runs of equal outcomes, not the
/// number of tasks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SweepFact {
    /// The array's id, or the name that its jobs share.
    pub key: String,
    /// The jobs' name, escaped.
    pub name: String,
    /// The jobs that run tasks of it that a plan has submitted again: those are
    /// counted here. A list as Slurm writes one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub continued_by: String,
    /// The array of which it runs such tasks, where that is not listed itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub continues: String,
    /// How many tasks it has; `null` if Slurm cut the list of those that wait.
    pub total: Option<u64>,
    /// How many have ended, however.
    pub finished: u64,
    /// How many tasks are in each state.
    pub states: BTreeMap<String, u64>,
    /// The tasks that failed, as Slurm writes a list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub failed: String,
    /// The tasks that completed far faster than their siblings.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fast: String,
    /// The rule by which those were chosen, in words.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fast_rule: String,
    /// The tasks that are COMPLETED although one of their steps failed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub completed_over_failed_steps: String,
    /// The median run time of those that completed, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median_seconds: Option<u32>,
    /// The tasks by outcome: `{"COMPLETED 0:0": "0-2,4-6"}`. Empty if that is
    /// too long to be kept; then a later look can compare counts alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tasks: BTreeMap<String, String>,
    /// The tasks that were started more than once, by number of attempts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts: BTreeMap<u32, String>,
    /// What is not known about it, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// What it amounts to; absent if nobody judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standing: Option<StandingFact>,
}

impl SweepFact {
    /// True if it works in no worktree of this repository.
    pub fn is_foreign(&self) -> bool {
        self.standing.as_ref().is_some_and(|standing| standing.foreign)
    }

    /// True if a task of it may still do something.
    pub fn is_live(&self) -> bool {
        self.total.is_none_or(|total| total > self.finished)
    }
}

/// What a sweep amounts to: causes, health, what is to be done. Two hundred
/// tasks that failed for one cause are one row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct StandingFact {
    /// `healthy`, `too few to judge`, `degraded`, or `systemic`.
    pub health: String,
    /// `no intervention`, `watch`, or `intervene`.
    pub decision: String,
    /// Why, in the sentence that weighs most.
    pub reason: String,
    /// Who said that it is dealt with, when, and why; then it asks for nothing.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub settled: String,
    /// The directory in which it works, escaped: paths of its files begin there.
    /// Empty if it is the worktree of the document, or not known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub work_dir: String,
    /// True if it works on the machine of the document, in no worktree of its
    /// repository: another project's, which asks for nothing here.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub foreign: bool,
    /// Of how many tasks logs and run folders were read; 0 means that queue and
    /// accounting alone stand behind this.
    #[serde(default)]
    pub looked_at: u64,
    /// Of how many more they were to be read when time was up.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cut_short: u64,
    /// What it still teaches, in one sentence, with the values of the parameters
    /// at which nothing came of any task. Empty if nothing of it is lost, and if
    /// nobody can tell.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub learning: String,
    /// How many finished tasks the shares are of.
    pub counted: u64,
    /// How many of those failed.
    pub failed: u64,
    /// Why they failed, most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<CauseFact>,
    /// How many further causes there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub causes_omitted: u64,
    /// The tasks of those.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub tasks_omitted: u64,
    /// Tasks that were cancelled or preempted and did not come back: in no share.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aside: Vec<CauseFact>,
    /// How far those have come that run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running: Option<RunningFact>,
    /// What of it can go on from a checkpoint; absent if nothing failed or stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumable: Option<ResumableFact>,
    /// Where the sources contradict each other, the most tasks first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contradictions: Vec<ContradictionFact>,
    /// How many further kinds of contradictions there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub contradictions_omitted: u64,
    /// What was not read, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_read: Vec<String>,
    /// How many further such sentences there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub not_read_omitted: u64,
}

/// Tasks that failed for one cause.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CauseFact {
    /// Its class: `cuda-oom`, `time-limit`, ...
    pub class: String,
    /// What tells it from another cause of its class, where a log says it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// `sure`, `likely`, or `open`.
    pub confidence: String,
    /// How many tasks.
    pub count: u64,
    /// Their share of the tasks that count, in percent.
    pub percent: f64,
    /// Which, as Slurm writes a list; a list that is too long ends in `,...`.
    pub tasks: String,
    /// Where they are: every task, nodes, a corner of the parameter space.
    pub spread: String,
    /// What happened, in one sentence.
    pub sentence: String,
    /// What the class means, where the sentence does not say it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub meaning: String,
    /// What to do about it.
    pub action: String,
    /// Where one of them shows it: `logs/train_7.out:40`, below the worktree;
    /// or the source that says it, where that is no file.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// What stands there.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub line: String,
}

/// How far running tasks have come, by their logs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RunningFact {
    /// How many run.
    pub running: u64,
    /// The logs of how many tell a percentage.
    pub told: u64,
    /// The median of those percentages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub median: Option<f64>,
    /// The lowest of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<f64>,
    /// Whose that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slowest: Option<u32>,
    /// The tasks that will not be done before their time limit, if they go on so.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub beyond_limit: String,
    /// The tasks whose loss is no number, grows, or stands still.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub troubled: String,
}

/// What of the tasks that failed or stopped can go on from a checkpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ResumableFact {
    /// How many tasks failed or stopped.
    pub of: u64,
    /// How many of those have a checkpoint that passed its check.
    pub usable: u64,
    /// Which.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub tasks: String,
    /// The lowest and the highest step from which one of them goes on; absent
    /// if no checkpoint says its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<(u64, u64)>,
    /// Of how many nobody looked, or no folder was found.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unknown: u64,
}

/// Tasks of which two sources say what cannot both be true.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ContradictionFact {
    /// What does not go together.
    pub what: String,
    /// How many tasks.
    pub count: u64,
    /// Which.
    pub tasks: String,
}

impl StandingFact {
    /// Every text that may hold words from outside.
    pub fn texts_mut(&mut self) -> Vec<&mut String> {
        let mut texts = vec![&mut self.reason, &mut self.settled, &mut self.work_dir];
        for cause in self.causes.iter_mut().chain(&mut self.aside) {
            let CauseFact { spread, sentence, meaning, action, place, line, .. } = cause;
            texts.extend([spread, sentence, meaning, action, place, line]);
        }
        texts.extend(self.contradictions.iter_mut().map(|found| &mut found.what));
        texts.extend(&mut self.not_read);
        texts
    }

    /// True if somebody has to look or to act.
    pub fn asks(&self) -> bool {
        self.settled.is_empty() && !self.foreign && self.decision != "no intervention"
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
