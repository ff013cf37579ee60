//! Evidence and judgement in the form that a plan is made from.

use std::collections::BTreeMap;
use std::path::Path;

use super::lineage::{Chosen, Lineage};
use crate::checkpoint::{Checkpoint, Survey, Verdict};
use crate::cluster::{Snapshot, State};
use crate::sweep::plan::{Best, SavedSettings, Seen, Subject, TimeLeft, Where};
use crate::sweep::{CauseGroup, Confidence, Evidence, Judgement, Kind, Parameters, Spread, Sweep};
use crate::terms::{JobId, Known, Part, Seconds, TaskIds};

/// The causes of a judgement, those of tasks that are aside behind the others.
pub(super) fn causes(judgement: &Judgement) -> Vec<Seen> {
    judgement.groups.iter().chain(&judgement.aside).map(seen).collect()
}

fn seen(group: &CauseGroup) -> Seen {
    let cause = &group.cause;
    let (spread, node) = match &group.spread {
        Spread::All => (Where::Everywhere, None),
        Spread::Nodes { nodes } => match nodes.as_slice() {
            [one] => (Where::OneNode, Some(one.node.clone())),
            _ => (Where::OneNode, None),
        },
        Spread::Corner { .. } => (Where::OneCorner, None),
        _ => (Where::Scattered, None),
    };
    Seen {
        class: cause.class.clone(),
        retry: cause.retry,
        sentence: cause.sentence.clone(),
        action: cause.action.clone(),
        node,
        spread,
        open: cause.confidence == Confidence::Open,
    }
}

/// Every task, in rising order: those that were seen one by one, and those that
/// wait or were cancelled together.
pub(super) fn subjects(
    sweep: &Sweep,
    evidence: &[Evidence],
    judgement: &Judgement,
    parameters: &Parameters,
    (lineage, root): (&Lineage, &Path),
    notes: &mut Vec<String>,
) -> Vec<Subject> {
    let mut all: Vec<Subject> = Vec::with_capacity(evidence.len());
    for one in evidence {
        let survey = one.checkpoints();
        let chosen = survey.map(|survey| lineage.choose(one, survey, root)).unwrap_or_default();
        // What completed goes on from nowhere.
        let note = chosen.note.as_ref().filter(|_| one.state != State::Completed);
        notes.extend(note.map(|note| format!("task {}: {note}", one.member)));
        all.push(subject(one, judgement, parameters, (chosen, root), lineage.target));
    }
    let seen: TaskIds = evidence.iter().map(|one| one.member).collect();
    for (outcome, members) in &sweep.look.tasks {
        for member in members.0.difference(&seen).iter() {
            // Slurm tells of them together, so none of them was ever alone.
            let never_ran = outcome.state.is_finished() || outcome.state.is_waiting();
            all.push(unseen(sweep, member, outcome.state, never_ran, parameters));
        }
    }
    for waiting in &sweep.waiting {
        let Some(tasks) = &waiting.tasks else { continue };
        let of_it = |one: &&mut Subject| one.reason.is_empty() && tasks.0.contains(one.member);
        all.iter_mut().filter(of_it).for_each(|one| one.reason.clone_from(&waiting.reason));
    }
    all.sort_by_key(|one| one.member);
    all
}

/// Adds the tasks that a plan cancelled and that Slurm knows nothing of any more:
/// of single tasks of an array that wait, accounting keeps no record.
pub(super) fn add_forgotten(
    all: &mut Vec<Subject>,
    sweep: &Sweep,
    alive: &Known<TaskIds>,
    cancelled: impl Iterator<Item = u32>,
    parameters: &Parameters,
) {
    let seen: TaskIds = all.iter().map(|one| one.member).collect();
    let Known::Known(alive) = alive else { return };
    for member in cancelled.filter(|member| !seen.contains(*member) && !alive.contains(*member)) {
        all.push(unseen(sweep, member, State::Cancelled, true, parameters));
    }
    all.sort_by_key(|one| one.member);
}

/// A task of which nothing was seen one by one.
fn unseen(sweep: &Sweep, member: u32, state: State, never_ran: bool, parameters: &Parameters) -> Subject {
    let id = match (sweep.kind, sweep.key.parse()) {
        (Kind::Array, Ok(base)) => JobId::task(base, member),
        _ => JobId::whole(member),
    };
    let own = parameters.of(member).map(|(name, value)| (name.to_owned(), value.to_owned()));
    Subject { state, never_ran, parameters: own.collect(), ..Subject::of(member, id) }
}

fn subject(
    one: &Evidence,
    judgement: &Judgement,
    parameters: &Parameters,
    (chosen, root): (Chosen<'_>, &Path),
    target: Option<u64>,
) -> Subject {
    let mut groups = judgement.groups.iter().chain(&judgement.aside);
    let cause = groups.position(|group| group.tasks.0.contains(one.member));
    let from = chosen.best.and_then(|best| best.step);
    let survey = match one.looked.as_deref().map(|looked| &looked.checkpoints) {
        Some(Known::Known(survey)) => Known::Known(survey),
        Some(Known::Unknown(why) | Known::NotApplicable(why)) => Known::Unknown(why.clone()),
        None => Known::Unknown("nothing beside accounting was read of it".to_owned()),
    };
    let progress = one.log().and_then(|log| log.reading.progress.as_ref()).and_then(|progress| progress.step);
    let mut refused = survey.known().map(|survey| refused(survey, root)).unwrap_or_default();
    refused.extend(chosen.passed);
    let events = one.events().iter().filter_map(|events| events.last_step).max();
    let tracked = one.runs().iter().rev().find_map(|run| run.last_step).max(events);
    let of_refused = survey.known().and_then(|survey| survey.refused.iter().filter_map(|one| one.step).max());
    let mut spoilt = judgement.contradictions.iter().filter(|found| found.kind.spoils_result());
    let suspect = spoilt.find(|found| found.tasks.0.contains(one.member)).map(|found| found.sentence.clone());
    let failed_before = one.earlier.iter().any(|attempt| attempt.state.is_failure());
    Subject {
        raw_id: one.raw_id,
        state: one.state,
        reason: one.reason.to_string(),
        elapsed: one.elapsed,
        never_ran: match one.state.is_waiting() {
            true => one.earlier.is_empty(),
            false => {
                one.state.is_finished()
                    && one.steps.count == 0
                    && one.elapsed.unwrap_or(0) == 0
                    && one.state != State::Completed
            }
        },
        failed_before,
        nodes: one.node_list.to_string(),
        memory: one.steps.max_rss,
        cause,
        refused,
        last_step: progress.into_iter().chain(tracked).chain(of_refused).max(),
        left: match one.state {
            State::Timeout => time_left(one, from, target),
            _ => Known::NotApplicable("it did not end at its time limit".to_owned()),
        },
        limit: one.limit.map(|limit| Seconds(limit.into())),
        checkpoint: survey.map(|_| chosen.best.map(best)),
        doubts: chosen.doubts,
        run_dir: one.run_dir().cloned(),
        parameters: own(one, parameters),
        saved: recorded(one),
        differences: Vec::new(),
        suspect: suspect.filter(|_| one.state == State::Completed),
        ..Subject::of(one.member, one.id)
    }
}

/// What is left of a task from a step on, by the whole and by how fast its log
/// says that it was; where the log says no rate, by its steps and its time.
fn time_left(one: &Evidence, from: Option<u64>, target: Option<u64>) -> Known<TimeLeft> {
    let told = one.log().and_then(|log| log.reading.progress.as_ref());
    let Some(told) = told else { return Known::Unknown("its log tells of no steps".to_owned()) };
    // Where there are epochs a log may count the steps of one.
    let whole = target.or(told.steps.filter(|_| told.epochs.is_none()));
    let Some(whole) = whole else {
        let what = "how many steps it is to make is not known: `target_step` below `sweeps` says it";
        return Known::Unknown(what.to_owned());
    };
    let first = told.series.first().map(|point| point.step);
    let made = told.step.zip(first).and_then(|(last, first)| last.checked_sub(first));
    let by_time = || made.zip(one.elapsed).map(|(made, elapsed)| made as f64 / f64::from(elapsed));
    let is_rate = |rate: &f64| rate.is_finite() && *rate > 0.0;
    let Some(rate) = told.rate.filter(is_rate).or_else(by_time).filter(is_rate) else {
        return Known::Unknown("its log does not tell how fast it was".to_owned());
    };
    // Without a checkpoint it starts from zero.
    Known::Known(TimeLeft { steps: whole.saturating_sub(from.unwrap_or(0)), rate })
}

fn best(best: &Checkpoint) -> Best {
    Best { path: best.path.clone(), step: best.step, weights_only: best.optimizer == Some(false) }
}

/// Why newer checkpoints are not taken, in words.
fn refused(survey: &Survey, root: &Path) -> Vec<String> {
    let words = survey.refused.iter().map(|one| {
        let why = match &one.verdict {
            Verdict::Sound { .. } => "sound, and not to be resumed from".to_owned(),
            Verdict::Damaged { why } | Verdict::Unfinished { why } | Verdict::Unreadable { why } => {
                why.clone()
            }
            Verdict::Temporary => "a temporary name".to_owned(),
            Verdict::Unrecognised => "in no known format".to_owned(),
            Verdict::Unnameable => "sound, and its name can stand in no command".to_owned(),
        };
        format!("{}: {why}", one.path.strip_prefix(root).unwrap_or(&one.path).display())
    });
    words.collect()
}

/// The sweep's parameters of a task.
fn own(one: &Evidence, parameters: &Parameters) -> BTreeMap<String, String> {
    parameters.of(one.member).map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// What the tracker's runs of a task say of their configuration.
fn recorded(one: &Evidence) -> Vec<SavedSettings> {
    let values = one.runs().iter().flat_map(|run| &run.parameters);
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values: BTreeMap<String, String> = values.map(|(name, value)| (name.clone(), text(value))).collect();
    let saved = SavedSettings::of("record in its tracker".to_owned(), values.into_iter());
    if saved.values.is_empty() { Vec::new() } else { vec![saved] }
}

/// The tasks that are alive under their ids; unknown if the queue was not read
/// whole, or cut a list.
pub fn alive(snapshot: &Snapshot, sweep: &Sweep) -> Known<TaskIds> {
    let jobs = match &snapshot.jobs {
        Known::Known(_) if snapshot.jobs_partial => {
            return Known::Unknown("jobs may be missing from the queue as it was read".to_owned());
        }
        Known::Known(jobs) => jobs,
        Known::Unknown(why) | Known::NotApplicable(why) => return Known::Unknown(why.clone()),
    };
    let base = sweep.key.parse::<u32>().ok().filter(|_| sweep.kind == Kind::Array);
    let members = sweep.look.all();
    let mut alive = TaskIds::default();
    for job in jobs.iter().filter(|job| job.state.is_live() || job.state == State::Unknown) {
        match (base, job.id.part) {
            (Some(base), _) if job.id.base != base => {}
            (Some(_), _) if job.tasks_cut => {
                return Known::Unknown("Slurm cut the list of waiting tasks".to_owned());
            }
            (Some(_), Part::Task(index)) => alive.push(index),
            (Some(_), _) => match &job.pending_tasks {
                Some(pending) => alive = alive.union(pending),
                // The array itself, without its tasks: everything may be alive.
                None => alive = alive.union(&members),
            },
            (None, _) if members.contains(job.id.base) => alive.push(job.id.base),
            (None, _) => {}
        }
    }
    Known::Known(alive)
}
