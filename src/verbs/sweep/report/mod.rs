//! A report of one sweep in eight parts, made from one fresh look and from what
//! earlier looks, submissions and clean-ups left on record.

mod completion;
mod intervention;
mod keep;
mod learned;
mod material;
mod runbook;
mod scope;
mod timeline;

use std::path::PathBuf;

use serde::Serialize;

pub use completion::{Checkpoints, Completion, RefusedFor};
pub use intervention::{Change, CleanUp, Fix, Intervention, Successor};
pub(super) use keep::put;
pub use keep::{Edits, Kept, keep};
pub use learned::{Finding, Learned};
pub use material::{Unchanged, reported};
pub use runbook::{Command, Files, Runbook};
pub(super) use scope::tracked;
pub use scope::{Scope, Tracked};
pub use timeline::{Entry, Moment, Timeline, Watched};

use super::examine::Examined;
use super::plan::{self, Made};
use super::preflight::Preflighted;
use super::settle::Statement;
use crate::cluster::Problem;
use crate::config::{Source, Sweeps};
use crate::sweep::plan::Choice;
use crate::sweep::{CauseGroup, Decision, HardStop, Health, NodeCount, Reason};
use crate::terms::Time;
use crate::verbs::{Context, Error};

/// What to report on.
#[derive(Debug, Clone)]
pub struct Options {
    /// The id of an array or of one of its tasks, a name, or the start of one.
    pub wanted: String,
    /// Where to look for the cluster, if not where the settings say.
    pub cluster: Option<Source>,
    /// The options of this call that a command must repeat that goes on from it, with a
    /// blank before each.
    pub words: String,
}

/// What there is to say about one sweep.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// When it was made.
    pub at: Time,
    /// The file that it was written to, if it was to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Kept>,
    /// A digest over the facts that matter, as 16 hex digits: counts, causes,
    /// decisions, what was done. Progress of tasks that run and ages are not in it.
    pub facts: String,
    /// Set if an earlier report said the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unchanged: Option<Unchanged>,
    /// Who said that it is dealt with, when and why: then it asks for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Statement>,
    /// The worktree; paths below it are shown without it.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    /// What it is about.
    pub scope: Scope,
    /// What happened when, as far as somebody looked.
    pub timeline: Timeline,
    /// What failed, and by what it is weighed.
    pub failures: Failures,
    /// The look before it was submitted, and what changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Preflighted>,
    /// What is to be done, and why.
    pub rationale: Rationale,
    /// What was done about it.
    pub intervention: Intervention,
    /// How far it is, and whether what it made is whole.
    pub completion: Completion,
    /// What it taught, and what is odd.
    pub learned: Vec<Learned>,
    /// What was looked at.
    pub runbook: Runbook,
    /// What was not read, in words.
    pub not_read: Vec<String>,
    /// Everything that could not be seen on the cluster, was cut, or was not understood.
    pub problems: Vec<Problem>,
}

impl Report {
    /// True if somebody must intervene.
    pub fn says_intervene(&self) -> bool {
        self.settled.is_none() && self.rationale.decision == Decision::Intervene
    }
}

/// What failed, by cause, and the thresholds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failures {
    /// By what it is weighed.
    pub thresholds: Thresholds,
    /// How many tasks are over.
    pub finished: usize,
    /// How many of those the shares are of.
    pub counted: usize,
    /// How many of those failed.
    pub failed: usize,
    /// The failures by cause, most first.
    pub groups: Vec<CauseGroup>,
    /// Tasks that were cancelled or preempted, and are in no share.
    pub aside: Vec<CauseGroup>,
    /// What stops a sweep whatever the shares.
    pub hard_stops: Vec<HardStop>,
    /// Nodes on which so many tasks failed that chance does not explain it.
    pub nodes: Vec<NodeCount>,
}

/// The bands of the settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Thresholds {
    /// Over so many percent of similar failures a sweep is to be watched.
    pub watch_percent: u8,
    /// From so many percent on somebody must intervene.
    pub intervene_percent: u8,
    /// Before so many tasks are finished no share says anything.
    pub least_finished: usize,
    /// From so many percent of the parameter space without a result on it
    /// teaches too little.
    pub collapse_percent: u8,
}

/// What is to be done, and what led there.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Rationale {
    /// How the sweep does.
    pub health: Health,
    /// What is to be done.
    pub decision: Decision,
    /// What led there, the weightiest first.
    pub reasons: Vec<Reason>,
    /// What a person has to decide between.
    pub options: Vec<Choice>,
    /// Which of them we would take.
    pub recommendation: Option<String>,
    /// True if everything takes its course.
    pub no_decision_required: bool,
    /// The hash of the plan that follows; `None` if it has no line to run.
    pub plan: Option<String>,
}

/// Looks at everything and makes the report; nothing is changed.
///
/// # Errors
/// As for [`plan::make`]; a note of the trash cannot be read.
pub fn make(context: &Context, asked: &Options) -> Result<Report, Error> {
    let options = plan::Options {
        full: false,
        details: false,
        words: asked.words.clone(),
        wanted: asked.wanted.clone(),
        cluster: asked.cluster.clone(),
        keep_running: false,
        mended: Vec::new(),
    };
    let made = plan::make(context, &options)?;
    let intervention = intervention::of(context, &made)?;
    let Made { examined, outcome, .. } = &made;
    let Examined { judgement, settings, .. } = examined;
    let mut report = Report {
        at: context.now,
        file: None,
        facts: String::new(),
        unchanged: None,
        settled: outcome.settled.clone(),
        directory: outcome.directory.clone(),
        scope: scope::of(examined),
        timeline: timeline::of(context, examined, &intervention),
        failures: failures(settings, examined),
        preflight: examined.preflight.clone(),
        rationale: Rationale {
            health: judgement.health,
            decision: judgement.decision,
            reasons: judgement.reasons.clone(),
            options: outcome.plan.options.clone(),
            recommendation: outcome.plan.recommendation.clone(),
            no_decision_required: outcome.plan.no_decision_required,
            plan: outcome.plan.hash.clone(),
        },
        completion: completion::of(settings, examined, context.now, &asked.words),
        learned: learned::of(settings, examined),
        runbook: runbook::of(context, &made, &asked.words),
        not_read: outcome.not_read.clone(),
        problems: outcome.problems.clone(),
        intervention,
    };
    report.facts = material::facts(&made, &report);
    report.unchanged = material::said_before(&context.home(), &examined.sweep.key, &report.facts);
    Ok(report)
}

/// Remembers what was reported, so that the next report knows whether anything
/// changed; why it could not, in words.
pub fn remember(context: &Context, report: &Report) -> Option<String> {
    material::remember(context.world, &context.home(), report)
}

fn failures(settings: &Sweeps, examined: &Examined) -> Failures {
    let judgement = &examined.judgement;
    Failures {
        thresholds: Thresholds {
            watch_percent: settings.watch_percent,
            intervene_percent: settings.intervene_percent,
            least_finished: settings.least_finished,
            collapse_percent: settings.collapse_percent,
        },
        finished: judgement.finished,
        counted: judgement.counted,
        failed: judgement.failed,
        groups: judgement.groups.clone(),
        aside: judgement.aside.clone(),
        hard_stops: judgement.hard_stops.clone(),
        nodes: judgement.nodes.clone(),
    }
}
