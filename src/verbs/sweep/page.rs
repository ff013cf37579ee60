//! One page about all sweeps that are live, for a file in the worktree.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::examine::{self, Examined, Place};
use super::report::{Edits, Kept, Tracked, tracked};
use super::{look, report};
use crate::cluster::{Origin, Problem, State};
use crate::config::Source;
use crate::sweep::{self, Decision, Evidence, Health, Kind, Members};
use crate::terms::{Digest, JobId, Time};
use crate::verbs::{Context, Error};
use crate::worktree::{self, fenced};

/// Every sweep that is live, in short.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Page {
    /// When it was made.
    pub at: Time,
    /// The file that holds it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Kept>,
    /// Where the answers about the cluster came from.
    pub origin: Origin,
    /// When they were taken; `None` if the source does not say.
    pub taken_at: Option<Time>,
    /// What is on it.
    #[serde(flatten)]
    pub facts: Facts,
}

/// What a page says, apart from when.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Facts {
    /// The sweeps of which something runs or waits, newest first.
    pub sweeps: Vec<Running>,
    /// Live sweeps beyond those.
    pub left_out: usize,
    /// Tasks that run.
    pub jobs: Vec<Job>,
    /// Running tasks beyond those.
    pub jobs_left_out: usize,
    /// Where to look.
    pub sources: Vec<Sources>,
    /// What does not go together.
    pub discrepancies: Vec<Discrepancy>,
    /// Tasks that were preempted or lost their node, the newest first.
    pub preemptions: Vec<Preemption>,
    /// What was not read, in words.
    pub not_read: Vec<String>,
    /// Everything that could not be seen on the cluster, was cut, or was not understood.
    pub problems: Vec<Problem>,
}

/// A sweep of which something runs or waits.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Running {
    /// By what it is found: the array's id, or the name.
    pub key: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// What holds it together.
    pub kind: Kind,
    /// How many tasks it has; `None` if that is unknown.
    pub total: Option<usize>,
    /// How many are over.
    pub finished: usize,
    /// How many of those failed.
    pub failed: usize,
    /// How many run.
    pub running: usize,
    /// How many wait.
    pub waiting: usize,
    /// How it does.
    pub health: Health,
    /// What is to be done.
    pub decision: Decision,
    /// The sentence that weighs most; may hold words from outside.
    pub reason: Option<String>,
    /// The tracker's projects and sweeps that its runs belong to.
    pub tracked: Vec<Tracked>,
}

/// A task that runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// The sweep.
    pub sweep: String,
    /// Where it runs, in Slurm's compressed form.
    pub nodes: String,
    /// Since when.
    pub started: Option<Time>,
    /// How often it was started before.
    pub earlier: usize,
    /// The tracker's run.
    pub run: Option<String>,
    /// The page of that run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The last epoch.
    pub epoch: Option<f64>,
    /// The last step.
    pub step: Option<u64>,
    /// The steps to be made.
    pub steps: Option<u64>,
}

/// Where to look for one sweep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sources {
    /// The sweep.
    pub sweep: String,
    /// One of its logs.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub log: Option<PathBuf>,
    /// How many logs were read.
    pub logs: usize,
    /// The folder of one of its runs.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub run_dir: Option<PathBuf>,
}

/// Sources that do not go together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Discrepancy {
    /// The sweep.
    pub sweep: String,
    /// Which tasks.
    pub tasks: Members,
    /// What does not go together.
    pub sentence: String,
}

/// A task that was preempted or lost its node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preemption {
    /// The sweep.
    pub sweep: String,
    /// Its id.
    pub id: JobId,
    /// How that attempt ended.
    pub ended_as: State,
    /// When.
    pub at: Option<Time>,
    /// Where, in Slurm's compressed form.
    pub nodes: String,
    /// What it does now.
    pub now: State,
    /// The checkpoint from which it can go on.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub checkpoint: Option<PathBuf>,
    /// The step of that.
    pub step: Option<u64>,
}

/// So many sweeps are looked into.
const MOST_SWEEPS: usize = 20;
/// So many running tasks are told.
const MOST_JOBS: usize = 60;
/// So many lines of each other kind.
const MOST: usize = 40;
/// What tells our part of the file from others.
const TAG: &str = "sweeps";

/// Looks at every sweep that is live.
///
/// # Errors
/// As for [`look`]; a pattern of the settings cannot be used.
pub fn make(context: &Context, source: Option<&Source>) -> Result<Page, Error> {
    let place = Place::of(context);
    let snapshot = look(context, source, None)?;
    let live = |sweep: &sweep::Sweep| sweep.states.keys().any(|state| state.is_live());
    let submitted = place.submitted_again();
    let mut sweeps = sweep::sweeps(&snapshot).sweeps;
    submitted.fold(&mut sweeps);
    sweeps.retain(|sweep| {
        let mut counted = sweep.clone();
        submitted.count(&mut counted, &snapshot);
        live(&counted)
    });
    let mut facts = Facts { left_out: sweeps.len().saturating_sub(MOST_SWEEPS), ..Facts::default() };
    sweeps.truncate(MOST_SWEEPS);
    facts.problems = snapshot.problems.clone();
    for sweep in sweeps {
        let examined = examine::into(&place, place.table()?, snapshot.clone(), sweep);
        facts.add(&examined);
    }
    facts.preemptions.sort_by_key(|one| (std::cmp::Reverse(one.at), one.id));
    facts.preemptions.truncate(MOST);
    facts.discrepancies.truncate(MOST);
    facts.jobs_left_out = facts.jobs.len().saturating_sub(MOST_JOBS);
    facts.jobs.truncate(MOST_JOBS);
    Ok(Page { at: context.now, file: None, origin: snapshot.origin, taken_at: snapshot.taken_at, facts })
}

/// Writes the page into the file that the settings name, if its facts changed.
///
/// # Errors
/// The file is not one of the worktree; as for [`report::keep`].
pub fn keep(context: &Context, page: &Page, text: &str, edits: Edits, dry_run: bool) -> Result<Kept, Error> {
    let path = path(context)?;
    let bytes = serde_json::to_vec(&page.facts).unwrap_or_default();
    let facts = Digest::of(&bytes).to_string()[..16].to_owned();
    let part = fenced::Part { facts: &facts, at: page.at, body: text };
    report::put(context, fenced::Place { path: &path, tag: TAG }, part, true, edits, dry_run)
}

/// The file: below the worktree, and through no link out of it, since the
/// setting may come from a branch.
fn path(context: &Context) -> Result<PathBuf, Error> {
    let root = context.repository.worktree();
    let path = root.join(&context.config.sweeps.page);
    let refused = |why| worktree::Error::NotAFile { path: root.join(&context.config.sweeps.page), why };
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(name) if name != ".git");
    let named = &context.config.sweeps.page;
    if named.as_os_str().is_empty() || !named.components().all(is_plain) {
        return Err(refused("`page` below `sweeps` is to name a file of the worktree").into());
    }
    let parent = path.parent().unwrap_or(root);
    let (parent, root) = (std::fs::canonicalize(parent), std::fs::canonicalize(root));
    match (parent, root) {
        (Ok(parent), Ok(root)) if is_within(&parent, &root) => Ok(path),
        (Ok(_), Ok(_)) => Err(refused("its folder leads out of the worktree").into()),
        _ => {
            Err(worktree::Error::NoFolder { folder: path.parent().unwrap_or(&path).to_owned(), path }.into())
        }
    }
}

fn is_within(path: &Path, root: &Path) -> bool {
    path.strip_prefix(root).is_ok_and(|rest| !rest.starts_with(".git"))
}

impl Facts {
    fn add(&mut self, examined: &Examined) {
        let Examined { sweep, judgement, gathered, .. } = examined;
        let key = &sweep.key;
        let count = |wanted: fn(State) -> bool| -> usize {
            sweep.states.iter().filter(|(state, _)| wanted(**state)).map(|(_, count)| count).sum()
        };
        self.sweeps.push(Running {
            key: key.clone(),
            name: sweep.name.clone(),
            kind: sweep.kind,
            total: sweep.total,
            finished: sweep.finished,
            failed: sweep.failed_tasks.len(),
            running: count(State::is_running),
            waiting: count(State::is_waiting),
            health: judgement.health,
            decision: judgement.decision,
            reason: judgement.reasons.first().map(|reason| reason.text.clone()),
            tracked: tracked(examined),
        });
        self.jobs(examined);
        let logs = || gathered.evidence.iter().filter_map(|task| task.log()).flat_map(|log| &log.files);
        self.sources.push(Sources {
            sweep: key.clone(),
            log: logs().next().cloned(),
            logs: logs().count(),
            run_dir: gathered.evidence.iter().find_map(|task| task.run_dir()).cloned(),
        });
        self.discrepancies.extend(judgement.contradictions.iter().map(|found| Discrepancy {
            sweep: key.clone(),
            tasks: found.tasks.clone(),
            sentence: found.sentence.clone(),
        }));
        for task in &gathered.evidence {
            self.preemptions.extend(preemptions(key, task));
        }
        self.not_read.extend(gathered.not_read.iter().take(MOST).map(|what| format!("{key}: {what}")));
    }

    fn jobs(&mut self, examined: &Examined) {
        let progress: BTreeMap<u32, &sweep::TaskProgress> =
            examined.progress.iter().map(|one| (one.member, one)).collect();
        let running = examined.gathered.evidence.iter().filter(|task| task.state.is_running());
        self.jobs.extend(running.map(|task| {
            let run = task.newest_run();
            let progress = progress.get(&task.member);
            Job {
                id: task.id,
                sweep: examined.sweep.key.clone(),
                nodes: task.node_list.to_string(),
                started: task.started,
                earlier: task.earlier.len(),
                run: run.map(|run| run.id.clone()),
                url: run.and_then(|run| run.url.clone()),
                epoch: progress.and_then(|one| one.epoch),
                step: progress.and_then(|one| one.step),
                steps: progress.and_then(|one| one.steps),
            }
        }));
    }
}

/// The attempts of a task that were taken from it.
fn preemptions(sweep: &str, task: &Evidence) -> Vec<Preemption> {
    let taken = |state: State| matches!(state, State::Preempted | State::NodeFail | State::Requeued);
    let best = task.checkpoints().and_then(|survey| survey.best.as_ref());
    let one = |ended_as: State, at: Option<Time>, nodes: &str| Preemption {
        sweep: sweep.to_owned(),
        id: task.id,
        ended_as,
        at,
        nodes: nodes.to_owned(),
        now: task.state,
        checkpoint: best.map(|best| best.path.clone()),
        step: best.and_then(|best| best.step),
    };
    let earlier = task.earlier.iter().filter(|attempt| taken(attempt.state));
    let mut all: Vec<Preemption> =
        earlier.map(|attempt| one(attempt.state, attempt.ended, &attempt.node_list)).collect();
    if taken(task.state) {
        all.push(one(task.state, task.ended, &task.node_list));
    }
    all
}
