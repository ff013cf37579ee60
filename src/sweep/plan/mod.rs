//! What to do about a sweep: per task leave, resume, fix first, canary or lost,
//! with the lines that do it.
//!
//! Pure. A line is text for a shell that a person reads before it runs; what
//! comes from outside stands in it as one quoted word. No line starts a task
//! that is alive under its old id, none starts over what has a usable
//! checkpoint, and code that fails gets no line at all.

mod build;
mod cancel;
mod decide;
mod direct;
mod fits;
mod lines;
mod memory;
mod model;
mod options;
mod remedy;
mod subject;
mod template;
mod time;
mod waiting;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::path::Path;

pub use decide::FIX_FIRST;
pub use fits::Fit;
pub use memory::{Asked, Per};
pub use model::{Demand, Kind, Line, Plan, Purpose, Step, TaskPlan};
pub use remedy::{Remedy, SavedSettings, Setting};
pub use subject::{Again, Best, Cancelled, Doomed, Elsewhere, Seen, Setup, Subject, TimeLeft, Where};
pub use template::{PLACEHOLDERS, Placeholder, Template, TemplateError};

pub use options::Choice;

use build::Builder;
use decide::Decision;

use crate::cluster::State;
use crate::terms::{Digest, Hasher, Known};

/// The longest line that is written: what a terminal takes at once in its
/// plainest mode, with room to spare.
pub const LONGEST_LINE: usize = 4000;

/// Makes the plan of a sweep; the subjects in rising order.
pub fn plan(setup: &Setup, subjects: &[Subject]) -> Plan {
    let tried = tried(setup, subjects);
    let setup = &Setup { tried, ..setup.clone() };
    let mut notes = Vec::new();
    let mut groups: Vec<(Decision, Vec<&Subject>)> = Vec::new();
    for subject in subjects {
        let decision = decide::decide(setup, subject);
        match groups.iter_mut().find(|(same, _)| *same == decision) {
            Some((_, tasks)) => tasks.push(subject),
            None => groups.push((decision, vec![subject])),
        }
    }
    let mut steps: Vec<Step> = cancel::cancel(setup, subjects).into_iter().collect();
    for (decision, tasks) in groups {
        steps.push(Builder { setup, decision, tasks }.build(&mut notes));
    }
    sort(&mut steps);
    notes.extend(waiting::keep_off(setup, subjects));
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
        warnings: setup.warnings.clone(),
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
    plan.hash = hash(&plan, &setup.directory, setup.script_bytes.as_ref());
    plan
}

/// By what is done, and the steps of one cause together: where its first step
/// belongs, those with more tasks first. A stable sort keeps the rest as it came.
fn sort(steps: &mut [Step]) {
    let mut causes: Vec<(String, Kind, usize)> = Vec::new();
    for step in steps.iter() {
        let Some(cause) = &step.cause else { continue };
        match causes.iter_mut().find(|(known, ..)| known == cause) {
            Some((_, kind, count)) => (*kind, *count) = ((*kind).min(step.kind), *count + step.tasks.len()),
            None => causes.push((cause.clone(), step.kind, step.tasks.len())),
        }
    }
    steps.sort_by_cached_key(|step| {
        let own = causes.iter().position(|(cause, ..)| step.cause.as_ref() == Some(cause));
        let (kind, count) = own
            .and_then(|at| causes.get(at))
            .map_or((step.kind, step.tasks.len()), |(_, kind, count)| (*kind, *count));
        // A step that comes back after a change stands behind those that it is for.
        (kind, Reverse(count), own, step.kind, step.is_of_cancelled(), Reverse(step.tasks.len()))
    });
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
fn hash(plan: &Plan, directory: &Path, script: Option<&Digest>) -> Option<String> {
    let mut hasher = Hasher::default();
    hasher.field(plan.sweep.as_bytes());
    // The same line in another directory submits other code.
    hasher.field(directory.as_os_str().as_encoded_bytes());
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

#[cfg(test)]
mod tests;
