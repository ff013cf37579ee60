//! What a plan is made of.

use serde::{Deserialize, Serialize};

use super::{Choice, Fit, Remedy};
use crate::sweep::Members;
use crate::terms::{Known, TaskIds};

/// What to do about a sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// By what the sweep is found: the array's id, or the name.
    pub sweep: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// Twelve hex digits over the sweep and every line that `--submit` would
    /// run; `None` if there is no such line.
    pub hash: Option<String>,
    /// What to know before any line is run: in which directory, and with which code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What to do, in the order in which to do it.
    pub steps: Vec<Step>,
    /// What fits on the cluster now.
    pub fits: Known<Vec<Fit>>,
    /// Tasks that wait, and those that could be resumed.
    pub demand: Demand,
    /// What a person has to decide between.
    pub options: Vec<Choice>,
    /// Which of them we would take, and why; `None` if there is nothing to decide.
    pub recommendation: Option<String>,
    /// True if everything takes its course.
    pub no_decision_required: bool,
    /// What could not be known, and what else to know.
    pub notes: Vec<String>,
}

/// What wants room on the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Demand {
    /// Tasks that wait in the queue; `None` if the queue was not read.
    pub pending: Option<usize>,
    /// Tasks that a line of this plan would start.
    pub resumable: usize,
    /// GPUs of one task; `None` if unknown.
    pub gpus: Option<u32>,
}

/// One thing to do about some tasks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Step {
    /// What to do.
    pub kind: Kind,
    /// With which tasks.
    pub tasks: Members,
    /// The class of the cause, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// What happened, in the words of the cause: steps of one cause stand together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Why this is to be done with these tasks.
    pub why: String,
    /// What to do beside the lines; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub action: String,
    /// What to change first, the best remedy first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remedies: Vec<Remedy>,
    /// The single task to try before the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<u32>,
    /// True if a plan with this class said to be mended has lines for it.
    #[serde(default, skip_serializing_if = "is_not")]
    pub waits_for_mending: bool,
    /// The lines that do it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Line>,
    /// What must be true before the lines may run; then `--submit` leaves them out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Why there are no lines although there should be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<String>,
    /// Nodes to avoid, in Slurm's form.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// From where each task goes on, what is lost, what differs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub per_task: Vec<TaskPlan>,
}

fn is_not(it: &bool) -> bool {
    !it
}

/// What is done with tasks, in the order in which it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Cancel what is alive, because somebody must intervene.
    Cancel,
    /// Go on from a checkpoint, or begin if it never began.
    Resume,
    /// Change something before it runs again.
    FixFirst,
    /// Try one before the others.
    Canary,
    /// Its work is lost: it could only start over.
    Lost,
    /// Leave it alone.
    Leave,
}

impl Kind {
    /// The word for people.
    pub fn word(self) -> &'static str {
        match self {
            Kind::Cancel => "cancel",
            Kind::Resume => "resume",
            Kind::FixFirst => "fix first",
            Kind::Canary => "canary",
            Kind::Lost => "lost",
            Kind::Leave => "leave",
        }
    }
}

/// A line for a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Line {
    /// The line.
    pub text: String,
    /// The tasks that it is about.
    pub tasks: Members,
    /// What it does with them.
    pub purpose: Purpose,
}

/// What a line does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Cancels tasks.
    Cancel,
    /// Goes on where they stopped, with the project's own command.
    Resume,
    /// Starts them from the beginning.
    Start,
}

/// Where one task goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskPlan {
    /// The task.
    pub task: u32,
    /// The checkpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<String>,
    /// Its step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// True if it holds the weights alone, so that the optimizer starts anew.
    #[serde(default, skip_serializing_if = "is_not")]
    pub weights_only: bool,
    /// How many steps behind it are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_steps: Option<u64>,
    /// Newer checkpoints that did not pass, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// What speaks against its checkpoint although it is whole; each holds the line up.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// The W&B run that goes on, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wandb: Option<String>,
    /// What differs between the run and what is intended; each blocks it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<String>,
}

impl Plan {
    /// The lines that `--submit` runs, in order.
    pub fn runnable(&self) -> impl Iterator<Item = &Line> {
        self.steps.iter().filter(|step| step.is_runnable()).flat_map(|step| &step.lines)
    }

    /// The same, each with the sentence of its step on the cause.
    pub fn runnable_with_why(&self) -> impl Iterator<Item = (&str, &Line)> {
        let steps = self.steps.iter().filter(|step| step.is_runnable());
        steps.flat_map(|step| step.lines.iter().map(|line| (step.why.as_str(), line)))
    }

    /// The tasks of all steps of one kind.
    pub fn tasks(&self, kind: Kind) -> TaskIds {
        let steps = self.steps.iter().filter(|step| step.kind == kind);
        steps.fold(TaskIds::default(), |all, step| all.union(&step.tasks.0))
    }
}

impl Step {
    /// True if a plan cancels, or has cancelled, its tasks.
    pub(super) fn is_of_cancelled(&self) -> bool {
        self.kind != Kind::Cancel && self.why.starts_with("cancelled ")
    }

    /// True if its lines may run as they are.
    pub fn is_runnable(&self) -> bool {
        self.condition.is_none() && self.blocked.is_none() && !self.lines.is_empty()
    }
}
