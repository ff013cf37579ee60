//! What was done about a sweep: changes, clean-ups, new jobs.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::plan::Made;
use super::super::records::Record;
use crate::cluster::State;
use crate::config::Sweeps;
use crate::sweep::Members;
use crate::sweep::plan::{Purpose, Remedy};
use crate::terms::{Bytes, Known, Time};
use crate::verbs::{Context, Error};
use crate::worktree::put_aside;

/// What was done about a sweep, and what is still to be done.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Intervention {
    /// What the plan wants changed before the tasks run again.
    pub fixes: Vec<Fix>,
    /// Commits since it was submitted: what may have changed for its tasks.
    pub changes: Known<Vec<Change>>,
    /// What was put into the trash.
    pub clean_ups: Vec<CleanUp>,
    /// Plans that were submitted, oldest first.
    pub plans: Vec<Record>,
    /// The jobs that took over, and what became of them.
    pub successors: Vec<Successor>,
}

impl Intervention {
    /// True if anything was done at all.
    pub fn happened(&self) -> bool {
        !self.plans.is_empty() || !self.clean_ups.is_empty()
    }
}

/// Something to change first.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fix {
    /// The class of the cause.
    pub class: Option<String>,
    /// The tasks that wait for it.
    pub tasks: Members,
    /// What to do, in words; may be empty.
    pub action: String,
    /// The remedies, the best first.
    pub remedies: Vec<Remedy>,
    /// The single task to try before the others.
    pub first: Option<u32>,
}

/// A commit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// Its id, shortened.
    pub id: String,
    /// When it was made.
    pub at: Option<Time>,
    /// The first line of its message: text from outside.
    pub subject: String,
}

/// Files that were put into the trash together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CleanUp {
    /// By what it is called back.
    pub id: String,
    /// When.
    pub at: Time,
    /// How many files and folders.
    pub files: usize,
    /// The size of what is still aside.
    pub bytes: Bytes,
}

/// A job that goes on with tasks of this sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Successor {
    /// The new job; `None` if the line that made it did not say.
    pub job: Option<u32>,
    /// The tasks that it goes on with.
    pub tasks: Members,
    /// What they do now under the new id, as far as it was seen.
    pub states: BTreeMap<State, usize>,
}

/// So many commits are told.
const MOST_CHANGES: usize = 20;

pub(super) fn of(context: &Context, made: &Made) -> Result<Intervention, Error> {
    let sweep = &made.examined.sweep;
    let common = context.repository.common_dir();
    let (notes, ground) = (put_aside::list(common)?, put_aside::Ground::of(common));
    let clean_ups = notes.iter().rev().filter(|note| note.what == sweep.key).map(|note| CleanUp {
        id: note.id.clone(),
        at: note.at,
        files: note.items.len(),
        bytes: note.bytes(&ground),
    });
    let to_change = made.outcome.plan.steps.iter().filter(|step| {
        !step.remedies.is_empty() || step.kind == crate::sweep::plan::Kind::FixFirst || step.first.is_some()
    });
    let fixes = to_change.map(|step| Fix {
        class: step.class.clone(),
        tasks: step.tasks.clone(),
        action: step.action.clone(),
        remedies: step.remedies.clone(),
        first: step.first,
    });
    Ok(Intervention {
        fixes: fixes.collect(),
        changes: changes(context, &made.examined.settings, sweep.submitted),
        clean_ups: clean_ups.collect(),
        successors: successors(made),
        plans: made.outcome.submitted.clone(),
    })
}

/// The jobs that the records name, with the states of their tasks now.
fn successors(made: &Made) -> Vec<Successor> {
    let mut all = Vec::new();
    let lines = made.outcome.submitted.iter().flat_map(|record| &record.lines);
    for line in lines.filter(|line| line.purpose != Purpose::Cancel) {
        let mut states = BTreeMap::new();
        let own = |id: &u32| line.ids.contains(id);
        for (task, again) in made.again.iter().filter(|(task, _)| line.tasks.0.contains(**task)) {
            if let Some(state) = again.state.filter(|_| again.id.is_some_and(|id| own(&id.base))) {
                let _ = task;
                *states.entry(state).or_default() += 1;
            }
        }
        for job in line.ids.iter().copied().map(Some).chain(line.ids.is_empty().then_some(None)) {
            all.push(Successor { job, tasks: line.tasks.clone(), states: states.clone() });
        }
    }
    all
}

/// Commits on this branch since the sweep was submitted, those of the relevant
/// files where the settings name some.
fn changes(context: &Context, settings: &Sweeps, since: Option<Time>) -> Known<Vec<Change>> {
    let Some(since) = since else {
        return Known::Unknown("when it was submitted is not known".to_owned());
    };
    let mut args = vec![
        "log".to_owned(),
        // A commit of the very second was there when it was submitted: people commit first.
        format!("--since=@{}", since.unix().saturating_add(1)),
        format!("--max-count={MOST_CHANGES}"),
        "--format=%h%x1f%ct%x1f%s".to_owned(),
        "HEAD".to_owned(),
        "--".to_owned(),
    ];
    args.extend(settings.relevant.iter().map(|glob| format!(":(glob){glob}")));
    let log = match context.repository.git().try_run(&args) {
        Ok(log) if log.success() => log.text(),
        Ok(log) => return Known::Unknown(format!("git log: {}", log.complaint())),
        Err(error) => return Known::Unknown(error.to_string()),
    };
    let change = |line: &str| {
        let mut fields = line.splitn(3, '\u{1f}');
        let (id, at, subject) = (fields.next()?, fields.next()?, fields.next()?);
        let at = at.parse().ok().and_then(Time::from_unix);
        Some(Change { id: id.to_owned(), at, subject: subject.to_owned() })
    };
    Known::Known(log.lines().filter_map(change).collect())
}
