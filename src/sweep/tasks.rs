//! What queue and accounting say of each task of one sweep.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::evidence::{AttemptSeen, Evidence, Shared};
use super::group::{Runs, plain};
use super::{Kind, Sweep};
use crate::cluster::{Accounting, Attempt, Job, Printed, Snapshot, State, Text};
use crate::terms::{JobId, Part};

/// The tasks of a sweep that were seen one by one, in rising order, as
/// accounting and queue have them; nothing else was read yet.
///
/// Tasks that wait together and never ran are in [`Sweep::waiting`] alone: a
/// million of them cost no more than their list.
pub fn tasks(snapshot: &Snapshot, sweep: &Sweep) -> Vec<Evidence> {
    let mut tasks = match snapshot.accounting.known() {
        Some(accounting) => accounted(accounting, sweep),
        None => Vec::new(),
    };
    overlay(&mut tasks, snapshot.jobs.known().map_or(&[], Vec::as_slice), sweep);
    let printed = Printed::by_sacct_of(snapshot.slurm.as_deref());
    tasks.iter_mut().for_each(|task| task.printed = printed);
    tasks
}

fn accounted(accounting: &Accounting, sweep: &Sweep) -> Vec<Evidence> {
    let mut own: Vec<&Attempt> = match array(sweep) {
        Some(base) => {
            let of_array = |id: JobId| id.base == base && matches!(id.part, Part::Task(_));
            accounting.attempts().iter().filter(|attempt| of_array(attempt.id)).collect()
        }
        None => named(accounting, sweep),
    };
    // Mostly in order already, which a stable sort makes use of.
    own.sort_by_key(|attempt| (member(attempt.id), attempt.order()));
    let mut texts = Texts { accounting, known: HashMap::new(), last: None };
    let runs = own.chunk_by(|one, other| member(one.id) == member(other.id));
    runs.filter_map(|run| texts.evidence(run)).collect()
}

/// The attempts of jobs that share the sweep's name and user.
fn named<'a>(accounting: &'a Accounting, sweep: &Sweep) -> Vec<&'a Attempt> {
    let members = sweep.look.all();
    let name = plain(&sweep.name);
    let user = sweep.user.as_deref().unwrap_or_default();
    let fits = |attempt: &Attempt| {
        let of = accounting.text(attempt.user);
        plain(accounting.text(attempt.name)) == name && (of.is_empty() || user.is_empty() || of == user)
    };
    let wanted = |attempt: &&Attempt| {
        !matches!(attempt.id.part, Part::Task(_)) && members.contains(attempt.id.base) && fits(attempt)
    };
    accounting.attempts().iter().filter(wanted).collect()
}

/// The texts of an accounting, each shared by all tasks that have it.
struct Texts<'a> {
    accounting: &'a Accounting,
    known: HashMap<Text, Shared>,
    last: Option<(Text, Shared)>,
}

impl Texts<'_> {
    fn shared(&mut self, text: Text) -> Shared {
        if let Some((last, shared)) = &self.last
            && *last == text
        {
            return shared.clone();
        }
        let shared = self.known.entry(text).or_insert_with(|| self.accounting.text(text).into()).clone();
        self.last = Some((text, shared.clone()));
        shared
    }

    /// One task from its attempts, oldest first.
    fn evidence(&mut self, run: &[&Attempt]) -> Option<Evidence> {
        let seen: Runs = run.iter().copied().collect();
        let newest = seen.newest()?;
        let (state, exit) = seen.outcome(newest);
        let moment = |stamp| self.accounting.moment(stamp);
        let mut evidence = Evidence {
            raw_id: newest.raw_id,
            state,
            exit: exit.filter(|_| state.is_finished()),
            derived: newest.derived_exit,
            cancelled_by: newest.cancelled_by,
            steps: newest.steps,
            elapsed: newest.elapsed,
            limit: newest.limit,
            started: moment(newest.started),
            ended: moment(newest.ended),
            ..Evidence::of(member(newest.id), newest.id)
        };
        // Another name is another job that got the same number again, and a
        // further component is no attempt of its own.
        let earlier = run.iter().filter(|attempt| {
            !std::ptr::eq(**attempt, newest) && attempt.name == newest.name && attempt.id == newest.id
        });
        for attempt in earlier {
            evidence.earlier.push(AttemptSeen {
                state: attempt.state,
                exit: attempt.exit,
                elapsed: attempt.elapsed,
                started: moment(attempt.started),
                ended: moment(attempt.ended),
                node_list: self.shared(attempt.node_list),
            });
        }
        evidence.node_list = self.shared(newest.node_list);
        Some(evidence)
    }
}

/// Jobs by their ids, as accounting and queue have them; those that neither
/// has seen are left out.
pub(super) fn of_jobs(snapshot: &Snapshot, wanted: &BTreeSet<JobId>) -> BTreeMap<JobId, Evidence> {
    let mut found: BTreeMap<JobId, Evidence> = BTreeMap::new();
    if let Some(accounting) = snapshot.accounting.known() {
        let mut own: Vec<&Attempt> =
            accounting.attempts().iter().filter(|attempt| wanted.contains(&attempt.id)).collect();
        own.sort_by_key(|attempt| (attempt.id, attempt.order()));
        let mut texts = Texts { accounting, known: HashMap::new(), last: None };
        let runs = own.chunk_by(|one, other| one.id == other.id);
        found.extend(runs.filter_map(|run| texts.evidence(run)).map(|one| (one.id, one)));
    }
    for job in snapshot.jobs.known().map_or(&[][..], Vec::as_slice) {
        let waits = |id: &&JobId| match (&job.pending_tasks, id.part) {
            (Some(waiting), Part::Task(index)) => id.base == job.id.base && waiting.contains(index),
            _ => false,
        };
        for id in wanted.iter().filter(waits) {
            let task = found.entry(*id).or_insert_with(|| Evidence::of(member(*id), *id));
            task.requeue();
            task.state = State::Pending;
            task.reason = job.reason.as_str().into();
        }
        if job.pending_tasks.is_none() && wanted.contains(&job.id) {
            found.entry(job.id).or_insert_with(|| Evidence::of(member(job.id), job.id)).queued(job);
        }
    }
    let printed = Printed::by_sacct_of(snapshot.slurm.as_deref());
    found.values_mut().for_each(|task| task.printed = printed);
    found
}

/// Puts what the queue says over what accounting says.
fn overlay(tasks: &mut Vec<Evidence>, queue: &[Job], sweep: &Sweep) {
    let array = array(sweep);
    let members = sweep.look.all();
    let mut new = Vec::new();
    for job in queue {
        let ours = match (array, job.id.part) {
            (Some(base), _) => job.id.base == base,
            (None, Part::Task(_)) => false,
            (None, _) => members.contains(job.id.base) && !job.is_of_array(),
        };
        match &job.pending_tasks {
            _ if !ours => {}
            // Of those that wait together, the ones that ran before.
            Some(waiting) => {
                for task in tasks.iter_mut().filter(|task| waiting.contains(task.member)) {
                    task.requeue();
                    task.state = State::Pending;
                    task.reason = job.reason.as_str().into();
                }
            }
            None if job.tasks_cut => {}
            None => match tasks.binary_search_by_key(&member(job.id), |task| task.member) {
                Ok(at) => tasks[at].queued(job),
                Err(_) => {
                    let mut task = Evidence::of(member(job.id), job.id);
                    task.queued(job);
                    new.push(task);
                }
            },
        }
    }
    if !new.is_empty() {
        tasks.extend(new);
        tasks.sort_by_key(|task| task.member);
        tasks.dedup_by_key(|task| task.member);
    }
}

impl Evidence {
    /// The task is back in the queue: what ended is an earlier attempt.
    fn requeue(&mut self) {
        let fresh = Evidence { raw_id: self.raw_id, in_queue: true, ..Evidence::of(self.member, self.id) };
        let old = std::mem::replace(self, fresh);
        self.earlier = if old.state.is_finished() { old.into_earlier() } else { old.earlier };
    }

    fn queued(&mut self, job: &Job) {
        self.requeue();
        self.state = job.state;
        self.raw_id = job.raw_id.or(self.raw_id);
        self.elapsed = job.elapsed.and_then(|span| u32::try_from(span.0).ok());
        self.limit = job.limit.and_then(|span| u32::try_from(span.0).ok());
        self.started = job.started.filter(|_| job.state.is_running());
        self.node_list = job.node_list.as_str().into();
        if job.state.is_waiting() {
            self.reason = job.reason.as_str().into();
        }
    }
}

fn array(sweep: &Sweep) -> Option<u32> {
    (sweep.kind == Kind::Array).then(|| sweep.key.parse().ok()).flatten()
}

fn member(id: JobId) -> u32 {
    match id.part {
        Part::Task(index) => index,
        Part::Whole | Part::Component(_) => id.base,
    }
}
