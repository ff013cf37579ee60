//! What to do about a sweep: per task leave, resume, fix first, canary or lost,
//! with the lines that do it.
//!
//! Pure. A line is text for a shell that a person reads before it runs; what
//! comes from outside stands in it as one quoted word. No line starts a task
//! that is alive under its old id, none starts over what has a usable
//! checkpoint, and code that fails gets no line at all.

mod decide;
mod fits;
mod lines;
mod options;
mod remedy;
mod subject;
mod template;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use decide::FIX_FIRST;
pub use fits::Fit;
pub use remedy::{Remedy, Setting};
pub use subject::{Again, Best, Seen, Setup, Subject, Where};
pub use template::{PLACEHOLDERS, Placeholder, Template, TemplateError};

pub use options::Choice;

use decide::{Change, Decision, Run};
use lines::{Extra, Lines};

use super::Members;
use crate::cluster::State;
use crate::terms::{Digest, Hasher, Known, TaskIds};

/// The longest line that is written: what a terminal takes at once in its
/// plainest mode, with room to spare.
pub const LONGEST_LINE: usize = 4000;
/// More nodes than this are never excluded: then it is not the nodes.
const MOST_EXCLUDED: usize = 8;

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
    /// Why.
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
    /// How many steps behind it are lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_steps: Option<u64>,
    /// Newer checkpoints that did not pass, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
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
    /// True if its lines may run as they are.
    pub fn is_runnable(&self) -> bool {
        self.condition.is_none() && self.blocked.is_none() && !self.lines.is_empty()
    }
}

/// Makes the plan of a sweep; the subjects in rising order.
pub fn plan(setup: &Setup, subjects: &[Subject]) -> Plan {
    let tried = tried(setup, subjects);
    let setup = &Setup { tried, ..setup.clone() };
    let mut notes = Vec::new();
    let mut groups: Vec<(Decision, Option<usize>, Vec<&Subject>)> = Vec::new();
    for subject in subjects {
        let decision = decide::decide(setup, subject);
        let cause = if decision.kind == Kind::Leave { None } else { subject.cause };
        match groups.iter_mut().find(|(same, number, _)| *number == cause && *same == decision) {
            Some((.., tasks)) => tasks.push(subject),
            None => groups.push((decision, cause, vec![subject])),
        }
    }
    let mut steps = Vec::new();
    if let Some(stop) = &setup.intervene {
        steps.extend(cancel(setup, subjects, stop, &mut notes));
    }
    for (decision, cause, tasks) in groups {
        let class = cause.and_then(|number| setup.causes.get(number)).map(|seen| seen.class.clone());
        steps.push(Builder { setup, decision, class, tasks }.build(&mut notes));
    }
    // Largest first among those of one kind; a stable sort keeps the rest as it came.
    steps.sort_by_key(|step| (step.kind, std::cmp::Reverse(step.tasks.len())));
    if let Known::Unknown(why) | Known::NotApplicable(why) = &setup.alive {
        notes.insert(0, format!("the queue was not read ({why}): no line that submits is printed"));
    }
    let (options, recommendation) = options::options(setup, subjects, &steps);
    let pending = setup.alive.known().map(|_| subjects.iter().filter(|one| one.state.is_waiting()).count());
    let resumable = steps.iter().filter(|step| step.kind != Kind::Cancel && step.is_runnable());
    // Several steps may have the same to say.
    let mut said = BTreeSet::new();
    notes.retain(|note| said.insert(note.clone()));
    let mut plan = Plan {
        sweep: setup.key.clone(),
        name: setup.name.clone(),
        hash: None,
        demand: Demand {
            pending,
            resumable: resumable.flat_map(|step| &step.lines).map(|line| line.tasks.len()).sum(),
            gpus: setup.gpus,
        },
        fits: fits::fits(setup),
        no_decision_required: options.is_empty() && steps.iter().all(|step| step.kind == Kind::Leave),
        steps,
        options,
        recommendation,
        notes,
    };
    plan.hash = hash(&plan, setup.script_bytes.as_ref());
    plan
}

/// The causes of which a task was submitted again and completed.
fn tried(setup: &Setup, subjects: &[Subject]) -> Vec<Option<usize>> {
    let went_well = setup.again.iter().filter(|(_, again)| again.state == Some(State::Completed));
    let cause = |(member, again): (&u32, &Again)| {
        let at = subjects.binary_search_by_key(member, |one| one.member).ok();
        match at.and_then(|at| subjects.get(at)).filter(|one| one.state != State::Completed) {
            Some(subject) => Some(subject.cause),
            // Its evidence is that of the new job: what it failed of before, the plan of then says.
            None if again.why == decide::NO_CAUSE => Some(None),
            None => setup.causes.iter().position(|cause| cause.sentence == again.why).map(Some),
        }
    };
    went_well.filter_map(cause).collect()
}

/// The digest over what would run, so that a yes to one plan is none to another.
fn hash(plan: &Plan, script: Option<&Digest>) -> Option<String> {
    let mut hasher = Hasher::default();
    hasher.field(plan.sweep.as_bytes());
    if let Some(script) = script {
        hasher.field(script.to_string().as_bytes());
    }
    let mut any = false;
    for line in plan.runnable() {
        any = true;
        hasher.field(line.text.as_bytes());
    }
    any.then(|| hasher.finish().to_string()[..12].to_owned())
}

/// The cancelling of everything alive, first of all.
fn cancel(setup: &Setup, subjects: &[Subject], stop: &str, notes: &mut Vec<String>) -> Option<Step> {
    let alive = setup.alive.known().filter(|alive| !alive.is_empty())?;
    if setup.keep_running {
        notes.push(format!(
            "what is alive is left running, as asked, although somebody must intervene: {stop}"
        ));
        return None;
    }
    let per_task = subjects.iter().filter(|one| alive.contains(one.member) && one.best().is_some());
    Some(Step {
        kind: Kind::Cancel,
        tasks: Members(alive.clone()),
        class: None,
        why: stop.to_owned(),
        action: options::what_is_lost(setup, subjects, alive),
        remedies: Vec::new(),
        first: None,
        lines: lines::cancel(setup, alive),
        condition: None,
        blocked: None,
        exclude: Vec::new(),
        per_task: per_task.map(|one| detail(setup, one)).collect(),
    })
}

struct Builder<'p> {
    setup: &'p Setup,
    decision: Decision,
    class: Option<String>,
    tasks: Vec<&'p Subject>,
}

impl Builder<'_> {
    fn build(self, notes: &mut Vec<String>) -> Step {
        let exclude = self.exclude(notes);
        let (remedies, memory) = self.remedies();
        // A line that asks for no more memory than before ends the same.
        let is_unchanged = self.decision.change == Change::HostMemory && memory.is_none();
        let run = match &self.decision.run {
            Run::Now if is_unchanged => &Run::After(decide::CHANGE_FIRST.to_owned()),
            run => run,
        };
        let (mut condition, mut blocked) = (None, None);
        let mut made = Lines::default();
        let first = self.first();
        // Of a cause that is not understood one task is tried, never all.
        let chosen: Vec<&Subject> = match self.decision.kind {
            Kind::Canary => first.into_iter().collect(),
            _ => self.tasks.clone(),
        };
        match (&self.setup.alive, run) {
            (_, Run::Never) => {}
            (Known::Known(_), Run::Now | Run::After(_)) => {
                made = self.lines(&chosen, &Extra { exclude: exclude.clone(), memory });
                blocked = made.refused.take();
            }
            (Known::Known(_), Run::Blocked(why)) => blocked = Some(why.clone()),
            _ => blocked = Some("the queue was not read: they may be alive".to_owned()),
        }
        if let Run::After(what) = run {
            condition = Some(what.clone()).filter(|_| blocked.is_none());
        }
        notes.extend(made.notes);
        let is_told = |one: &&&Subject| {
            self.decision.kind != Kind::Leave
                && (one.best().is_some() || !one.differences.is_empty() || !one.refused.is_empty())
        };
        Step {
            kind: self.decision.kind,
            tasks: Members(members(&self.tasks)),
            class: self.class.clone(),
            why: self.decision.why.clone(),
            action: self.decision.action.clone(),
            remedies,
            first: match self.decision.kind {
                Kind::FixFirst | Kind::Canary => first.map(|one| one.member),
                _ => None,
            },
            lines: made.lines,
            condition,
            blocked,
            exclude,
            per_task: self.tasks.iter().filter(is_told).map(|one| detail(self.setup, one)).collect(),
        }
    }

    /// The task to try alone: the one that has lost least.
    fn first(&self) -> Option<&Subject> {
        self.tasks.iter().copied().max_by_key(|one| {
            (one.best().is_some(), one.best().and_then(|best| best.step), std::cmp::Reverse(one.member))
        })
    }

    fn lines(&self, chosen: &[&Subject], extra: &Extra) -> Lines {
        let tasks = members(chosen);
        let has_checkpoints = chosen.iter().any(|one| one.best().is_some());
        match &self.setup.template {
            // The project's own command; from zero only where it does not ask for a checkpoint.
            Some(template) if has_checkpoints || !template.asks_for(Placeholder::Checkpoint) => {
                let mut made = lines::resume(self.setup, template, chosen, extra);
                if !has_checkpoints {
                    made.lines.iter_mut().for_each(|line| line.purpose = Purpose::Start);
                }
                let known = chosen.iter().any(|one| one.wandb.is_some());
                let asks = template.asks_for(Placeholder::Wandb) || template.asks_for(Placeholder::WandbId);
                if known && !asks && !lines::leads_wandb(template) {
                    made.notes.push(
                        "the resume command carries no W&B run id, so new runs would be opened: add {wandb} to it"
                            .to_owned(),
                    );
                }
                made
            }
            _ => {
                let mut made = lines::submit(self.setup, &tasks, Purpose::Start, extra);
                if has_checkpoints && chosen.iter().any(|one| one.wandb.is_some()) {
                    made.notes.push(
                        "lines without a resume command carry no W&B run id, so new runs would be opened: set \
                         `resume` below `sweeps`"
                            .to_owned(),
                    );
                }
                made
            }
        }
    }

    fn exclude(&self, notes: &mut Vec<String>) -> Vec<String> {
        if !self.decision.elsewhere {
            return Vec::new();
        }
        let blamed = |one: &&Subject| {
            let cause = one.cause.and_then(|number| self.setup.causes.get(number));
            cause.and_then(|cause| cause.node.clone()).or_else(|| Some(one.nodes.clone()))
        };
        let nodes: BTreeSet<String> =
            self.tasks.iter().filter_map(blamed).filter(|name| is_node_list(name)).collect();
        if nodes.len() > MOST_EXCLUDED {
            notes.push(format!("{} nodes or sets of nodes failed alike: none is excluded", nodes.len()));
            return Vec::new();
        }
        nodes.into_iter().collect()
    }

    fn remedies(&self) -> (Vec<Remedy>, Option<String>) {
        match self.decision.change {
            Change::Nothing => (Vec::new(), None),
            Change::GpuMemory => {
                let own = self.tasks.iter().find(|one| !one.parameters.is_empty());
                (
                    remedy::gpu_memory(own.map_or(&std::collections::BTreeMap::new(), |one| &one.parameters)),
                    None,
                )
            }
            Change::HostMemory => {
                let used = self.tasks.iter().filter_map(|one| one.memory).max();
                let asked = self.setup.submission.as_ref().and_then(|one| one.memory());
                // Without a unit Slurm takes megabytes.
                let asked = asked.map(|text| match text.bytes().all(|b| b.is_ascii_digit()) {
                    true => format!("{text}M"),
                    false => text.to_owned(),
                });
                let asked = asked.and_then(|text| text.parse().ok()).or(self.setup.memory);
                let (remedies, new) = remedy::host_memory(used, asked);
                (remedies, new.map(remedy::option))
            }
        }
    }
}

fn detail(setup: &Setup, subject: &Subject) -> TaskPlan {
    let best = subject.best();
    TaskPlan {
        task: subject.member,
        checkpoint: best.map(|best| setup.near(&best.path).to_string_lossy().into_owned()),
        step: best.and_then(|best| best.step),
        lost_steps: subject.lost_steps(),
        refused: subject.refused.clone(),
        wandb: subject.wandb.clone(),
        differences: subject.differences.clone(),
    }
}

fn members(subjects: &[&Subject]) -> TaskIds {
    subjects.iter().map(|one| one.member).collect()
}

/// True for a list of nodes in Slurm's form: `gpu01`, `gpu[01-03,7]`.
fn is_node_list(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"[]-,._".contains(&b);
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(is_plain)
}

#[cfg(test)]
mod tests;
