//! A step for tasks about which the same is to be done: its lines, or why it has none.

use std::collections::{BTreeMap, BTreeSet};

use super::decide::{self, Change, Decision, Run};
use super::lines::{self, Extra, Lines};
use super::remedy::{self, Remedy, SavedSettings};
use super::template::Placeholder;
use super::{Kind, Purpose, Setup, Step, Subject, TaskPlan, time};
use crate::safety;
use crate::sweep::Members;
use crate::terms::{Known, TaskIds};

/// More nodes than this are never excluded: then it is not the nodes.
const MOST_EXCLUDED: usize = 8;

pub(super) struct Builder<'p> {
    pub setup: &'p Setup,
    pub decision: Decision,
    pub tasks: Vec<&'p Subject>,
}

/// What must be done about a line whose text holds a secret.
fn without_secret(rule: &str) -> String {
    format!(
        "the secret ({rule}) is out of the line: it is shown as [redacted ...], so what is printed is not the line \
         to paste, and --submit leaves it alone. Put the secret into a variable of the environment, and let the \
         call or the resume command name the variable alone"
    )
}

impl Builder<'_> {
    pub fn build(self, notes: &mut Vec<String>) -> Step {
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
        let secret = made.lines.iter().find_map(|line| {
            safety::secrets_in(line.text.as_bytes()).first().map(|secret| secret.rule.to_owned())
        });
        // What is never shown is no line that somebody has seen, and none to paste.
        if let Some(rule) = secret.filter(|_| blocked.is_none()) {
            let own = made.condition.take().map(|own| format!("{own}, and ")).unwrap_or_default();
            made.condition = Some(format!("{own}{}", without_secret(&rule)));
        }
        // Each of two conditions must hold.
        let of_lines = made.condition.take().filter(|_| blocked.is_none() && !made.lines.is_empty());
        condition = match (condition, of_lines) {
            (Some(one), Some(other)) if one != other => Some(format!("{one}, and {other}")),
            (one, other) => one.or(other),
        };
        notes.extend(made.notes);
        let is_told = |one: &&&Subject| {
            self.decision.kind != Kind::Leave
                && (one.best().is_some() || !one.differences.is_empty() || !one.refused.is_empty())
        };
        let cause = self.decision.cause.and_then(|number| self.setup.causes.get(number));
        Step {
            kind: self.decision.kind,
            tasks: Members(members(&self.tasks)),
            class: cause.map(|cause| cause.class.clone()),
            cause: cause.map(|cause| cause.sentence.clone()),
            why: self.decision.why.clone(),
            action: self.decision.action.clone(),
            remedies,
            first: match self.decision.kind {
                Kind::FixFirst | Kind::Canary => first.map(|one| one.member),
                _ => None,
            },
            waits_for_mending: self.decision.kind == Kind::FixFirst
                && *run == Run::Never
                && cause.is_some()
                && self.tasks.iter().all(|one| one.state.is_finished()),
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
            Change::Nothing if self.decision.kind == Kind::Leave => (Vec::new(), None),
            Change::Nothing => (time::more_time(self.setup, &self.tasks).into_iter().collect(), None),
            Change::GpuMemory => (remedy::gpu_memory(&shared(&self.tasks), &shared_files(&self.tasks)), None),
            Change::HostMemory => {
                let used = self.tasks.iter().filter_map(|one| one.memory).max();
                remedy::host_memory(used, self.setup.memory.as_ref())
            }
        }
    }
}

pub(super) fn detail(setup: &Setup, subject: &Subject) -> TaskPlan {
    let best = subject.best();
    TaskPlan {
        task: subject.member,
        checkpoint: best.map(|best| setup.near(&best.path).to_string_lossy().into_owned()),
        step: best.and_then(|best| best.step),
        weights_only: best.is_some_and(|best| best.weights_only),
        lost_steps: subject.lost_steps(),
        refused: subject.refused.clone(),
        doubts: subject.doubts.clone(),
        wandb: subject.wandb.clone(),
        differences: subject.differences.clone(),
    }
}

/// The parameters that all of these tasks have with the same value: a number
/// that stands in advice for all of them must be right for each.
fn shared(subjects: &[&Subject]) -> BTreeMap<String, String> {
    same(subjects.iter().map(|one| &one.parameters))
}

/// The same of the files that their runs saved.
fn shared_files(subjects: &[&Subject]) -> Vec<SavedSettings> {
    let mut files: Vec<SavedSettings> = Vec::new();
    for saved in subjects.iter().flat_map(|one| &one.saved) {
        if files.iter().any(|file| file.place == saved.place) {
            continue;
        }
        let all = subjects.iter().flat_map(|one| &one.saved).filter(|one| one.place == saved.place);
        files.push(SavedSettings { place: saved.place.clone(), values: same(all.map(|one| &one.values)) });
    }
    files
}

fn same<'s>(all: impl Iterator<Item = &'s BTreeMap<String, String>>) -> BTreeMap<String, String> {
    let mut told = all.filter(|own| !own.is_empty());
    let mut all = told.next().cloned().unwrap_or_default();
    for own in told {
        all.retain(|name, value| own.get(name) == Some(value));
    }
    all
}

fn members(subjects: &[&Subject]) -> TaskIds {
    subjects.iter().map(|one| one.member).collect()
}

/// True for a list of nodes in Slurm's form: `gpu01`, `gpu[01-03,7]`.
pub(super) fn is_node_list(text: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"[]-,._".contains(&b);
    text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric()) && text.bytes().all(is_plain)
}
