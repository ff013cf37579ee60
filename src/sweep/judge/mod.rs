//! What a sweep's failures amount to: groups, spread, health, decision.
//!
//! Pure: it sees evidence and settings, and neither files nor clocks.

mod decide;
mod groups;
mod nodes;
mod odds;
mod spread;
mod words;

#[cfg(test)]
mod tests;

pub use nodes::expand as expand_nodes;
pub(super) use spread::natural;
pub use words::corner;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::contradiction::{Contradiction, contradictions};
use super::learning::{Learning, learning};
use super::records::{RecordGap, gaps};
use super::{Cause, Evidence, Line, Members, Parameters, Sweep};
use crate::config::Sweeps;
use crate::joblog::Table;
use crate::terms::Time;

/// By what a sweep is judged.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// Bands and thresholds.
    pub settings: &'a Sweeps,
    /// What the patterns mean by which causes were found.
    pub table: &'a Table,
    /// The parameters of each task, as far as they are known.
    pub parameters: &'a Parameters,
    /// When the evidence was taken; without it nothing is said to be stale.
    pub now: Option<Time>,
}

/// How a sweep does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Health {
    /// No more failures than are to be expected.
    Healthy,
    /// Some failed, and too few are finished to say whether that is more.
    Unjudged,
    /// More than that, or something that needs a look.
    Degraded,
    /// One cause takes too much of it.
    Systemic,
}

/// What is to be done about a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Nothing.
    NoIntervention,
    /// Look more often.
    Watch,
    /// Stop what only repeats the failure, mend, start again.
    Intervene,
}

/// What a sweep amounts to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Judgement {
    /// How it does.
    pub health: Health,
    /// What is to be done.
    pub decision: Decision,
    /// What led there, the weightiest first.
    pub reasons: Vec<Reason>,
    /// How many tasks are over, in whatever way.
    pub finished: usize,
    /// How many of those the shares are of: cancelled and preempted ones are
    /// aside, and tasks that can never start are in.
    pub counted: usize,
    /// How many of those failed.
    pub failed: usize,
    /// The failures by cause, most first; each failed task is in one.
    pub groups: Vec<CauseGroup>,
    /// Tasks that were cancelled or preempted, and are in no share.
    pub aside: Vec<CauseGroup>,
    /// What stops a sweep whatever the shares.
    pub hard_stops: Vec<HardStop>,
    /// Nodes on which so many tasks failed that chance does not explain it.
    pub nodes: Vec<NodeCount>,
    /// What the sweep will still teach; `None` if nothing of it is over.
    pub learning: Option<Learning>,
    /// Where the sources contradict each other.
    pub contradictions: Vec<Contradiction>,
    /// What of the runs is not recorded that somebody would need to make them again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reproducibility: Vec<RecordGap>,
    /// What was not read, in words.
    pub not_read: Vec<String>,
}

/// A sentence, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reason {
    /// What it makes of the sweep's health by itself.
    pub health: Health,
    /// What it asks for by itself.
    pub decision: Decision,
    /// The sentence.
    pub text: String,
    /// Lines of evidence: examples, not all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Line>,
}

/// Failures of one cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CauseGroup {
    /// The cause, of the task that shows it best.
    pub cause: Cause,
    /// Which task that is.
    pub example: u32,
    /// All of them.
    pub tasks: Members,
    /// How many.
    pub count: usize,
    /// Their share of the tasks that count, in percent with one decimal; of
    /// tasks that are aside, of all that are over.
    pub percent: f64,
    /// Where they are.
    pub spread: Spread,
    /// The nodes on which most of them ran, most first, at most eight.
    pub nodes: Vec<NodeCount>,
    /// How many of them failed in the same way in an earlier attempt too.
    pub repeated: usize,
    /// Those of them of which the cause is less certain than of the one that
    /// shows it best: a bare "Killed" beside Slurm's word for memory.
    #[serde(default, skip_serializing_if = "Members::is_empty")]
    pub unconfirmed: Members,
    /// How many of them are only guessed to be alike, by state and exit code:
    /// their logs were not read.
    #[serde(default, skip_serializing_if = "is_none")]
    pub unread: usize,
}

/// Where the failures of one cause are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Spread {
    /// Every task that counts.
    All,
    /// Nearly all on these nodes, and few of the others there went well.
    Nodes {
        /// The nodes, with their counts.
        nodes: Vec<NodeCount>,
    },
    /// Nearly all where these parameters have these values, and few of the
    /// others there went well.
    Corner {
        /// The parameters; with two, both hold.
        conditions: Vec<Condition>,
        /// Tasks of this cause in the corner.
        failed: usize,
        /// Tasks in the corner that count.
        finished: usize,
    },
    /// Here and there.
    Scattered,
    /// One task.
    Single,
}

/// A parameter and the values that it has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Condition {
    /// Its name.
    pub parameter: String,
    /// Its values.
    pub values: Vec<String>,
}

/// A node with the tasks that ended on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct NodeCount {
    /// Its name.
    pub node: String,
    /// Tasks that failed there: of one cause, or of all where no cause is meant.
    pub failed: usize,
    /// Tasks that count and ended there.
    pub finished: usize,
}

/// What stops a sweep whatever the shares.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct HardStop {
    /// Which rule.
    pub rule: StopRule,
    /// Why, in one sentence.
    pub text: String,
    /// The tasks that show it.
    pub tasks: Members,
}

/// The rules that stop a sweep.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum StopRule {
    /// A mistake of environment, paths or request in most tasks.
    ConfigurationError,
    /// Tasks end well and leave nothing that can be used.
    InvalidOutputs,
    /// The same crash wherever the code comes by.
    DeterministicCrash,
}

fn is_none(count: &usize) -> bool {
    *count == 0
}

impl Health {
    /// The word for people.
    pub fn name(self) -> &'static str {
        match self {
            Health::Healthy => "healthy",
            Health::Unjudged => "too few to judge",
            Health::Degraded => "degraded",
            Health::Systemic => "systemic",
        }
    }
}

impl Decision {
    /// The words for people.
    pub fn name(self) -> &'static str {
        match self {
            Decision::NoIntervention => "no intervention",
            Decision::Watch => "watch",
            Decision::Intervene => "intervene",
        }
    }
}

impl fmt::Display for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Judgement {
    /// The group of a task that failed, was cancelled or preempted.
    pub fn group_of(&self, member: u32) -> Option<&CauseGroup> {
        self.groups.iter().chain(&self.aside).find(|group| group.tasks.0.contains(member))
    }

    /// Completed tasks whose results cannot be relied on until somebody looked.
    pub fn suspects(&self) -> Members {
        let mut all = Members::default();
        for found in self.contradictions.iter().filter(|found| found.kind.spoils_result()) {
            all.0 = all.0.union(&found.tasks.0);
        }
        all
    }
}

/// Judges a sweep by the evidence of its tasks; their order makes no difference.
pub fn judge(sweep: &Sweep, evidence: &[Evidence], rules: &Rules<'_>) -> Judgement {
    let mut order: Vec<&Evidence> = evidence.iter().collect();
    order.sort_by_key(|task| task.member);
    let count = groups::Count::of(sweep, &order, rules);
    let contradictions = contradictions(sweep, &order, rules);
    let mut judgement = Judgement {
        health: Health::Healthy,
        decision: Decision::NoIntervention,
        reasons: Vec::new(),
        finished: count.finished,
        counted: count.counted(),
        failed: count.failed(),
        groups: Vec::new(),
        aside: Vec::new(),
        hard_stops: Vec::new(),
        nodes: Vec::new(),
        learning: None,
        contradictions,
        reproducibility: gaps(&order),
        not_read: groups::not_read(&order),
    };
    (judgement.groups, judgement.aside, judgement.nodes) = count.groups(rules);
    judgement.learning = learning(sweep, &order, &judgement, rules);
    decide::decide(sweep, &mut judgement, rules);
    judgement
}
