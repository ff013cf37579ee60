//! Which jobs and tasks belong together, and what is newest about each.

use std::borrow::Cow;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::measure::{Gathered, Sweep, Task};
use super::{Outage, Outcome, outages};
use crate::cluster::{Accounting, Attempt, ExitCode, Job, Node, Snapshot, State, Text};
use crate::terms::{Known, Part, TaskIds};

/// So many jobs that are no array must share a name to be a sweep.
pub const SHARED_NAME_AT_LEAST: usize = 3;

/// What was found in queue and accounting.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Found {
    /// The sweeps, newest first.
    pub sweeps: Vec<Sweep>,
    /// Jobs that belong to none: no array, and too few share their name.
    pub single_jobs: usize,
}

/// Finds the sweeps in the queue and in accounting, and counts.
///
/// A task that is in the queue is what the queue says, since that is newer; its
/// attempts are counted from accounting. Otherwise its newest attempt decides.
pub fn sweeps(snapshot: &Snapshot) -> Found {
    sweeps_of(snapshot, SHARED_NAME_AT_LEAST)
}

/// The same where `least` jobs that share a name are enough: with one, every
/// job belongs to something.
pub fn sweeps_of(snapshot: &Snapshot, least: usize) -> Found {
    let accounting = &snapshot.accounting;
    let queue = snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
    let mut groups = Groups {
        singles: queue.iter().map(|job| (job.id.base, None)).collect(),
        names: queue.iter().map(|job| (plain(&job.name), Vec::new())).collect(),
        ..Groups::default()
    };
    let nothing = Accounting::default();
    let attempts = accounting.known().unwrap_or(&nothing);
    let entries = groups.sort_in(attempts);
    groups.overlay(queue);
    let mut found = Found { sweeps: Vec::new(), single_jobs: 0 };
    let mut start = 0;
    for (number, group) in groups.list.into_iter().enumerate() {
        let end = start + entries[start..].partition_point(|entry: &Entry| entry.group == number as u32);
        let own = &entries[start..end];
        start = end;
        if group.array.is_none() && group.queue.is_empty() && own.len() < least {
            found.single_jobs += own.chunk_by(|one, other| one.member == other.member).count();
            continue;
        }
        let gathered = group.gather(attempts, own, snapshot);
        if gathered.array.is_none() && gathered.tasks.len() < least {
            found.single_jobs += gathered.tasks.len();
        } else {
            found.sweeps.push(gathered.measure());
        }
    }
    found.sweeps.sort_by_cached_key(|sweep| std::cmp::Reverse(sweep.newest_id()));
    found
}

/// A name as accounting would have it, which stores a double quote as a
/// backtick.
pub(super) fn plain(name: &str) -> Cow<'_, str> {
    if name.contains('"') { Cow::Owned(name.replace('"', "`")) } else { Cow::Borrowed(name) }
}

/// One attempt, with the place where it belongs.
#[derive(Clone, Copy)]
struct Entry {
    group: u32,
    member: u32,
    attempt: u32,
}

#[derive(Default)]
struct Groups<'a> {
    list: Vec<Group<'a>>,
    arrays: HashMap<u32, u32>,
    /// The groups of each name that the queue has, with their users; of a
    /// million other names no list is needed.
    names: HashMap<Cow<'a, str>, Vec<(&'a str, u32)>>,
    /// The group that accounting has for each job of the queue that is no array.
    singles: HashMap<u32, Option<u32>>,
}

struct Group<'a> {
    array: Option<u32>,
    name: &'a str,
    name_cut: bool,
    user: &'a str,
    queue: Vec<&'a Job>,
}

impl<'a> Groups<'a> {
    /// Gives every attempt its group; the result is sorted by group, member and
    /// from oldest to newest attempt.
    fn sort_in(&mut self, accounting: &'a Accounting) -> Vec<Entry> {
        let attempts = accounting.attempts();
        let mut entries = Vec::with_capacity(attempts.len());
        let mut by_text: HashMap<(Text, Text), u32> = HashMap::new();
        // Rows of one sweep mostly follow each other.
        let mut last = None;
        for (at, attempt) in attempts.iter().enumerate() {
            let (key, member) = match attempt.id.part {
                Part::Task(index) => (Err(attempt.id.base), index),
                Part::Whole | Part::Component(_) => (Ok((attempt.name, attempt.user)), attempt.id.base),
            };
            let group = match (last, key) {
                (Some((same, group)), key) if same == key => group,
                (_, Err(base)) => self.array(base, || Group::of(accounting, attempt, Some(base))),
                (_, Ok(texts)) => {
                    *by_text.entry(texts).or_insert_with(|| self.add(Group::of(accounting, attempt, None)))
                }
            };
            last = Some((key, group));
            if let Some(single) = self.singles.get_mut(&member).filter(|_| key.is_ok()) {
                *single = Some(group);
            }
            entries.push(Entry { group, member, attempt: at as u32 });
        }
        for waiting in &accounting.waiting {
            self.array(waiting.base, || Group::of(accounting, &waiting.row, Some(waiting.base)));
        }
        let order = |entry: &Entry| attempts.get(entry.attempt as usize).map(Attempt::order);
        // Mostly in order already, which a stable sort makes use of.
        entries.sort_by(|one, other| {
            (one.group, one.member)
                .cmp(&(other.group, other.member))
                .then_with(|| order(one).cmp(&order(other)))
        });
        entries
    }

    fn overlay(&mut self, queue: &'a [Job]) {
        for job in queue {
            let group = |array| Group {
                array,
                name: &job.name,
                name_cut: job.name_cut,
                user: &job.user,
                queue: Vec::new(),
            };
            let base = job.id.base;
            let number = match job.id.part {
                Part::Task(_) => self.array(base, || group(Some(base))),
                _ if job.pending_tasks.is_some() || job.tasks_cut => self.array(base, || group(Some(base))),
                _ => match self.singles.get(&base) {
                    Some(Some(number)) => *number,
                    _ => self.named(job).unwrap_or_else(|| self.add(group(None))),
                },
            };
            let Some(group) = self.list.get_mut(number as usize) else { continue };
            // The queue has the name as it was given, accounting may not.
            if !job.name_cut {
                group.name = &job.name;
                group.name_cut = false;
            }
            group.queue.push(job);
        }
    }

    fn array(&mut self, base: u32, new: impl FnOnce() -> Group<'a>) -> u32 {
        *self.arrays.entry(base).or_insert_with(|| {
            self.list.push(new());
            self.list.len() as u32 - 1
        })
    }

    /// Adds a group of jobs that share a name.
    fn add(&mut self, new: Group<'a>) -> u32 {
        let number = self.list.len() as u32;
        if let Some(known) = self.names.get_mut(&plain(new.name)) {
            known.push((new.user, number));
        }
        self.list.push(new);
        number
    }

    /// The group of a job's name and user; a source without users fits any.
    fn named(&self, job: &Job) -> Option<u32> {
        let known = self.names.get(&plain(&job.name))?;
        let fits = |user: &str| known.iter().find(|(own, _)| *own == user);
        let other = || fits("").or_else(|| known.first().filter(|_| job.user.is_empty()));
        fits(&job.user).or_else(other).map(|(_, number)| *number)
    }
}

impl<'a> Group<'a> {
    fn of(accounting: &'a Accounting, attempt: &Attempt, array: Option<u32>) -> Group<'a> {
        Group {
            array,
            name: accounting.text(attempt.name),
            name_cut: attempt.name_cut,
            user: accounting.text(attempt.user),
            queue: Vec::new(),
        }
    }

    fn gather(self, accounting: &Accounting, entries: &[Entry], snapshot: &Snapshot) -> Gathered {
        let mut tasks: Vec<Task> = Vec::with_capacity(entries.len());
        let mut submitted = None;
        let mut ended = None;
        let moment = |stamp| accounting.moment(stamp);
        for run in entries.chunk_by(|one, other| one.member == other.member) {
            let attempts = run.iter().filter_map(|entry| accounting.attempts().get(entry.attempt as usize));
            let attempts: Runs = attempts.collect();
            submitted = earliest(submitted, attempts.oldest.and_then(|oldest| moment(oldest.submitted)));
            if let Some(newest) = attempts.newest {
                ended = ended.max(moment(newest.ended));
                tasks.push(attempts.task(newest, run[0].member));
            }
        }
        let mut waiting = TaskIds::default();
        let mut cut = false;
        let mut throttle = None;
        let mut seen_waiting = false;
        let mut queued = Vec::new();
        for job in &self.queue {
            if let Some(pending) = &job.pending_tasks {
                waiting = waiting.union(pending);
                seen_waiting = true;
            } else if job.tasks_cut {
                seen_waiting = true;
            } else {
                queued.push(Task::of_job(job));
            }
            cut |= job.tasks_cut;
            throttle = throttle.or(job.throttle);
            submitted = earliest(submitted, job.submitted);
        }
        let own_rests = || accounting.waiting.iter().filter(|rest| Some(rest.base) == self.array);
        let mut ended_together: Vec<(Outcome, TaskIds)> = Vec::new();
        for rest in own_rests().filter(|rest| rest.row.state.is_finished()) {
            match &rest.tasks {
                Some(tasks) => ended_together.push((Outcome::of(&rest.row), tasks.clone())),
                None => cut = true,
            }
            submitted = earliest(submitted, moment(rest.row.submitted));
            ended = ended.max(moment(rest.row.ended));
        }
        let rests = own_rests().filter(|rest| !rest.row.state.is_finished());
        // Accounting lags behind the queue: what waits is asked of it only
        // where the queue was not.
        for rest in rests.filter(|_| snapshot.jobs.known().is_none() && !seen_waiting) {
            match &rest.tasks {
                Some(tasks) => waiting = waiting.union(tasks),
                None => cut = true,
            }
            throttle = throttle.or(rest.throttle);
        }
        // A task that has left the queue and has no row yet still stands in the rest that
        // accounting has: without it the sweep would shrink for a moment.
        let sees_absence = snapshot.jobs.known().is_some() && !snapshot.jobs_partial && !cut;
        let rests = || own_rests().filter(|rest| !rest.row.state.is_finished());
        let passing = rests()
            .filter_map(|rest| rest.tasks.as_ref().filter(|_| sees_absence))
            .fold(TaskIds::default(), |all, tasks| all.union(tasks));
        for rest in rests() {
            submitted = earliest(submitted, moment(rest.row.submitted));
        }
        // That rest says what waits, where the queue does not.
        let waits_by_accounting = rests().next().is_some() && !cut;
        let mut unknown = Vec::new();
        if cut {
            unknown.push("Slurm cut the list of waiting tasks".to_owned());
        }
        match &snapshot.jobs {
            Known::Known(_) if snapshot.jobs_partial => {
                unknown.push("jobs may be missing from the queue as it was read".to_owned());
            }
            Known::Known(_) => {}
            Known::Unknown(_) | Known::NotApplicable(_) if waits_by_accounting => {}
            Known::Unknown(why) | Known::NotApplicable(why) => {
                unknown.push(format!("the queue was not read ({why}): what waits may be missing"));
            }
        }
        match &snapshot.accounting {
            Known::Known(read) if self.array.is_some_and(|array| read.whole.contains(&array)) => {}
            Known::Known(read) => match (read.since, submitted) {
                (Some(since), Some(submitted)) if submitted >= since => {}
                (Some(since), _) => {
                    unknown.push(format!(
                        "accounting was read from {since} on: what ended before may be missing"
                    ));
                }
                (None, _) => unknown.push(
                    "the text does not say from when on it has accounting: what ended before may be missing"
                        .to_owned(),
                ),
            },
            Known::Unknown(why) | Known::NotApplicable(why) => {
                unknown.push(format!("accounting was not read ({why}): what ended is missing"));
            }
        }
        Gathered {
            array: self.array,
            name: self.name.to_owned(),
            name_cut: self.name_cut,
            user: Some(self.user.to_owned()).filter(|user| !user.is_empty()),
            tasks: overlay(tasks, queued),
            waiting,
            ended_together,
            passing,
            throttle,
            queue_known: snapshot.jobs.known().is_some() && !snapshot.jobs_partial,
            reasons: reasons(&self.queue, &snapshot.nodes),
            submitted,
            ended,
            unknown,
        }
    }
}

/// The attempts of one member, from oldest to newest.
#[derive(Default)]
pub(super) struct Runs<'a> {
    oldest: Option<&'a Attempt>,
    newest: Option<&'a Attempt>,
    /// Of a heterogeneous job, the newest component that failed.
    failed_component: Option<&'a Attempt>,
    count: u32,
}

impl<'a> FromIterator<&'a Attempt> for Runs<'a> {
    fn from_iter<I: IntoIterator<Item = &'a Attempt>>(attempts: I) -> Runs<'a> {
        let mut runs = Runs::default();
        for attempt in attempts {
            if let Part::Component(1..) = attempt.id.part {
                if attempt.state.is_failure() {
                    runs.failed_component = Some(attempt);
                }
                // A heterogeneous job is one job, and its first component leads.
                if runs.newest.is_some() {
                    continue;
                }
            }
            // Another name is another job that got the same number again.
            if runs.newest.is_some_and(|newest| newest.name != attempt.name) {
                runs.count = 0;
                runs.oldest = None;
            }
            runs.oldest = runs.oldest.or(Some(attempt));
            runs.newest = Some(attempt);
            runs.count += 1;
        }
        runs
    }
}

impl<'a> Runs<'a> {
    /// The newest attempt; of a heterogeneous job, that of its first component.
    pub(super) fn newest(&self) -> Option<&'a Attempt> {
        self.newest
    }

    /// State and exit code of the member whose newest attempt this is.
    pub(super) fn outcome(&self, newest: &Attempt) -> (State, Option<ExitCode>) {
        let failed = self.failed_component.filter(|_| !newest.state.is_failure());
        failed.map_or((newest.state, newest.exit), |failed| (failed.state, failed.exit))
    }

    fn task(&self, newest: &Attempt, member: u32) -> Task {
        let mut task = Task::of_attempt(newest, member, self.count);
        (task.state, task.exit) = self.outcome(newest);
        task
    }
}

/// Puts what the queue says over what accounting says.
fn overlay(mut tasks: Vec<Task>, queue: Vec<Task>) -> Vec<Task> {
    if queue.is_empty() {
        return tasks;
    }
    tasks.extend(queue);
    // Stable: what the queue says comes after what accounting says.
    tasks.sort_by_key(|task| task.member);
    tasks.dedup_by(|later, earlier| {
        let same = later.member == earlier.member;
        if same {
            earlier.overlay(later);
        }
        same
    });
    tasks
}

fn earliest<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// The jobs that wait, by Slurm's reason; `None` for a list that was cut.
fn reasons(queue: &[&Job], nodes: &Known<Vec<Node>>) -> Vec<(String, Option<TaskIds>, Vec<Outage>)> {
    let mut reasons: Vec<(String, Option<TaskIds>, Vec<Outage>)> = Vec::new();
    for job in queue.iter().filter(|job| job.state.is_waiting()) {
        let own = match (&job.pending_tasks, job.id.part) {
            (Some(tasks), _) => Some(tasks.clone()),
            (None, _) if job.tasks_cut => None,
            (None, Part::Task(index)) => Some([index].into_iter().collect()),
            (None, _) => Some([job.id.base].into_iter().collect()),
        };
        match reasons.iter_mut().find(|(reason, ..)| *reason == job.reason) {
            Some((_, tasks, _)) => *tasks = tasks.take().zip(own).map(|(all, own)| all.union(&own)),
            None => {
                let partitions: Vec<&str> = job.partition.split(',').collect();
                reasons.push((job.reason.clone(), own, outages(&job.reason, &partitions, nodes)));
            }
        }
    }
    reasons
}
