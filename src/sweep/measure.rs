//! What a sweep amounts to: counts, failures, run times.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Look, Members, Outage, Outcome};
use crate::cluster::{Attempt, ExitCode, Job, Outlook, Reason, State};
use crate::terms::{Part, Seconds, TaskIds, Time};

/// A sweep, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sweep {
    /// By what it is found again: the array's id, or the name that its jobs share.
    pub key: String,
    /// What holds it together.
    pub kind: Kind,
    /// The jobs' name: text from outside.
    pub name: String,
    /// True if the source cut the name; then jobs may have been put together
    /// that differ behind the cut.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub name_cut: bool,
    /// The user; `None` if the source does not say.
    pub user: Option<String>,
    /// When its first task was submitted; `None` if unknown or without a zone.
    pub submitted: Option<Time>,
    /// When a task ended last; `None` as above, or if none did.
    pub ended: Option<Time>,
    /// How many tasks it has; `None` if that is unknown, see `unknown`.
    pub total: Option<usize>,
    /// How many tasks were seen: `total` if that is known, else at least so many.
    pub seen: usize,
    /// How many of those are over, in whatever way.
    pub finished: usize,
    /// The jobs that run tasks of it that a plan has submitted again, in rising
    /// order; empty also where nobody looked for them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub continued_by: Vec<u32>,
    /// The array of which it runs tasks that a plan has submitted again, the
    /// first of such a chain; `None` also where nobody looked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub continues: Option<String>,
    /// Why totals are unknown, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
    /// How many tasks may run at once, if the array has a limit of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub throttle: Option<u32>,
    /// The tasks seen, by state.
    pub states: BTreeMap<State, usize>,
    /// What waits, by Slurm's reason; nothing if the queue was not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<Waiting>,
    /// The failed tasks by state and exit code, most first. The same state and
    /// code may have several causes, and one cause may show as several.
    pub failures: Vec<Failures>,
    /// Every failed task.
    pub failed_tasks: Members,
    /// Run times of the completed tasks; `None` if none completed.
    pub elapsed: Option<Elapsed>,
    /// Completed tasks that took suspiciously little time; `None` if there are
    /// too few to compare, or all take seconds.
    pub fast: Option<Fast>,
    /// COMPLETED, although a step failed or was cancelled.
    pub completed_over_failed_steps: Members,
    /// Failed tasks of which a step ran out of memory, whatever the task itself says.
    pub out_of_memory_steps: Members,
    /// Live by accounting, but not in the queue: they ended just now, or
    /// accounting missed their end. Nothing if the queue was not read.
    pub not_in_queue: Members,
    /// Every task, in the form to be stored.
    pub look: Look,
    /// Every task with its run time: what a list of sweeps leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_task: Option<PerTask>,
}

/// What holds a sweep together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// It is an array job; members are indices.
    Array,
    /// Its jobs share a name and a user; members are job ids.
    SharedName,
}

/// Failed tasks of one state and exit code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Failures {
    /// State and exit code.
    pub outcome: Outcome,
    /// How many.
    pub count: usize,
    /// Which.
    pub tasks: Members,
}

/// Tasks that wait for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// Slurm's reason.
    pub reason: String,
    /// What can come of it.
    pub outlook: Outlook,
    /// Which tasks; `None` if Slurm cut their list.
    pub tasks: Option<Members>,
    /// The nodes out of service for which they wait, as far as they are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub nodes: Vec<Outage>,
}

/// Run times in seconds; quartiles are observed values (nearest rank).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Elapsed {
    /// How many tasks these are of.
    pub count: usize,
    /// The shortest.
    pub min: u32,
    /// A quarter took no longer.
    pub q1: u32,
    /// Half took no longer.
    pub median: u32,
    /// Three quarters took no longer.
    pub q3: u32,
    /// The longest.
    pub max: u32,
}

/// Tasks that completed in far less time than their siblings took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fast {
    /// The rule by which they were chosen, in words.
    pub rule: String,
    /// The median of the siblings that it was measured by, in seconds.
    pub median: u32,
    /// Completed in less than this is suspicious, in seconds.
    pub below: u32,
    /// Which tasks.
    pub tasks: Members,
}

/// Every task with its run time, as parallel lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PerTask {
    /// The tasks that were seen one by one, in rising order.
    pub tasks: Members,
    /// How long each ran, in seconds; `null` if unknown.
    pub elapsed: Vec<Option<u32>>,
}

/// One task, as its newest attempt or the queue has it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) member: u32,
    pub(super) state: State,
    pub(super) exit: Option<ExitCode>,
    attempts: u32,
    elapsed: Option<u32>,
    over_failed_steps: bool,
    out_of_memory: bool,
    in_queue: bool,
}

impl Task {
    pub(super) fn of_attempt(attempt: &Attempt, member: u32, attempts: u32) -> Task {
        Task {
            member,
            state: attempt.state,
            exit: attempt.exit,
            attempts,
            elapsed: attempt.elapsed,
            over_failed_steps: attempt.completed_over_failed_steps(),
            out_of_memory: attempt.steps.out_of_memory,
            in_queue: false,
        }
    }

    pub(super) fn of_job(job: &Job) -> Task {
        Task {
            member: match job.id.part {
                Part::Task(index) => index,
                Part::Whole | Part::Component(_) => job.id.base,
            },
            state: job.state,
            exit: None,
            attempts: job.restarts.map_or(1, |restarts| restarts.saturating_add(1)),
            elapsed: job.elapsed.and_then(|span| u32::try_from(span.0).ok()),
            over_failed_steps: false,
            out_of_memory: false,
            in_queue: true,
        }
    }

    /// Takes over what the queue says of the same task.
    pub(super) fn overlay(&mut self, queue: &Task) {
        *self = Task { attempts: self.attempts.max(queue.attempts), ..*queue };
    }

    fn outcome(&self) -> Outcome {
        Outcome { state: self.state, exit: self.exit.filter(|_| self.state.is_finished()) }
    }
}

/// A sweep before it is counted.
pub(super) struct Gathered {
    pub(super) array: Option<u32>,
    pub(super) name: String,
    pub(super) name_cut: bool,
    pub(super) user: Option<String>,
    /// In rising order of members.
    pub(super) tasks: Vec<Task>,
    /// Tasks that wait together and are no entry of `tasks`, or an old one.
    pub(super) waiting: TaskIds,
    /// Tasks that ended together before they started, and may have rows of
    /// their own: accounting corrects such a list late.
    pub(super) ended_together: Vec<(Outcome, TaskIds)>,
    /// Tasks that accounting has among those that wait, and that may be neither there any
    /// more nor anywhere else yet.
    pub(super) passing: TaskIds,
    pub(super) throttle: Option<u32>,
    pub(super) queue_known: bool,
    /// Slurm's reasons for waiting, with the tasks and the nodes that they are about.
    pub(super) reasons: Vec<(String, Option<TaskIds>, Vec<Outage>)>,
    pub(super) submitted: Option<Time>,
    pub(super) ended: Option<Time>,
    pub(super) unknown: Vec<String>,
}

impl Gathered {
    pub(super) fn measure(mut self) -> Sweep {
        let waiting = std::mem::take(&mut self.waiting);
        for task in self.tasks.iter_mut().filter(|task| waiting.contains(task.member)) {
            // It ran before, and is back in the array's waiting rest.
            let back = Task { state: State::Pending, exit: None, elapsed: None, in_queue: true, ..*task };
            *task = Task { attempts: task.attempts, over_failed_steps: false, out_of_memory: false, ..back };
        }
        let key = self.array.map_or_else(|| self.name.clone(), |array| array.to_string());
        let look = self.look(key.clone(), &waiting);
        let failed_tasks = failed(&look);
        let all = look.all();
        let seen = all.len();
        let states = states(&look);
        let failures = failures(&look);
        let pick = |wanted: &dyn Fn(&Task) -> bool| {
            let mut members = Members::default();
            self.tasks.iter().filter(|task| wanted(task)).for_each(|task| members.0.push(task.member));
            members
        };
        Sweep {
            continued_by: Vec::new(),
            continues: None,
            kind: if self.array.is_some() { Kind::Array } else { Kind::SharedName },
            total: self.unknown.is_empty().then_some(seen),
            seen,
            finished: finished(&states),
            failed_tasks,
            failures,
            elapsed: Elapsed::of(self.times(&|task| task.state == State::Completed)),
            fast: self.fast(),
            completed_over_failed_steps: pick(&|task| {
                task.over_failed_steps && task.state == State::Completed
            }),
            out_of_memory_steps: pick(&|task| task.out_of_memory && task.state.is_failure()),
            not_in_queue: pick(&|task| self.queue_known && task.state.is_live() && !task.in_queue),
            per_task: Some(PerTask {
                tasks: pick(&|_| true),
                elapsed: self.tasks.iter().map(|task| task.elapsed).collect(),
            }),
            waiting: self
                .reasons
                .iter()
                .map(|(reason, tasks, nodes)| Waiting {
                    reason: reason.clone(),
                    outlook: Reason::of(reason).outlook,
                    tasks: tasks.clone().map(Members),
                    nodes: nodes.clone(),
                })
                .collect(),
            key,
            name: self.name,
            name_cut: self.name_cut,
            user: self.user,
            submitted: self.submitted,
            ended: self.ended,
            unknown: self.unknown,
            throttle: self.throttle,
            states,
            look,
        }
    }

    fn look(&self, key: String, waiting: &TaskIds) -> Look {
        let mut look = Look { key, name: self.name.clone(), ..Look::default() };
        for run in self.tasks.chunk_by(|one, other| one.outcome() == other.outcome()) {
            let members = look.tasks.entry(run[0].outcome()).or_default();
            run.iter().for_each(|task| members.0.push(task.member));
        }
        if !waiting.is_empty() {
            let pending = look.tasks.entry(Outcome { state: State::Pending, exit: None }).or_default();
            pending.0 = pending.0.union(waiting);
        }
        for (outcome, tasks) in &self.ended_together {
            look.add(*outcome, &tasks.difference(&look.all()));
        }
        let unseen = self.passing.difference(&look.all());
        if !unseen.is_empty() {
            look.add(Outcome { state: State::Unknown, exit: None }, &unseen);
        }
        for task in self.tasks.iter().filter(|task| task.attempts > 1) {
            look.attempts.entry(task.attempts).or_default().0.push(task.member);
        }
        look
    }

    /// The run times of the wanted tasks, sorted.
    fn times(&self, wanted: &dyn Fn(&Task) -> bool) -> Vec<u32> {
        let mut times: Vec<u32> =
            self.tasks.iter().filter(|task| wanted(task)).filter_map(|task| task.elapsed).collect();
        times.sort_unstable();
        times
    }

    /// Completed tasks far below their siblings.
    ///
    /// Siblings are the completed tasks, and those that still run or ran into
    /// their limit, as far as they came: in a sweep that is still young the
    /// first to complete may be exactly the ones that went wrong.
    fn fast(&self) -> Option<Fast> {
        let done = self.times(&|task| task.state == State::Completed);
        let ran = self.times(&|task| {
            task.state.is_running() || matches!(task.state, State::Completed | State::Timeout)
        });
        let (median, below) = fast_below(&done, &ran, SHORT, FAST_PERCENT)?;
        let mut tasks = Members::default();
        self.tasks
            .iter()
            .filter(|task| task.state == State::Completed && task.elapsed.is_some_and(|t| t < below))
            .for_each(|task| tasks.0.push(task.member));
        let rule = format!(
            "COMPLETED in less than {}, where the median of completed, running and timed-out tasks is {}",
            Seconds(below.into()),
            Seconds(median.into())
        );
        Some(Fast { rule, median, below, tasks })
    }
}

/// The median by which run times are measured, and the time below which
/// completing is suspicious: less than `percent` of it, or less than `short`
/// among siblings that take at least twice that.
///
/// `done` are the sorted times of completed tasks, `ran` those and the times of
/// tasks that still run or ran into their limit.
pub(super) fn fast_below(done: &[u32], ran: &[u32], short: u32, percent: u8) -> Option<(u32, u32)> {
    let median = [done, ran]
        .into_iter()
        .filter(|times| times.len() >= FAST_AMONG)
        .map(|times| rank(times, 2))
        .max()?;
    let part = (u64::from(median) * u64::from(percent) / 100) as u32;
    let below = if median >= short.saturating_mul(2) { part.max(short) } else { part };
    // In a sweep of seconds everything is far below something.
    let below = below.min(median.saturating_sub(FAST_MARGIN));
    (below > 0).then_some((median, below))
}

/// Less than so many percent of the median is suspiciously fast.
const FAST_PERCENT: u8 = 25;
/// So many tasks it takes to say what is normal.
const FAST_AMONG: usize = 5;
/// And so many seconds less than the median at least.
const FAST_MARGIN: u32 = 60;
/// Under two hours is suspicious among siblings that take at least twice that.
const SHORT: u32 = 2 * 3600;

impl Elapsed {
    pub(super) fn of(times: Vec<u32>) -> Option<Elapsed> {
        Some(Elapsed {
            count: times.len(),
            min: *times.first()?,
            q1: rank(&times, 1),
            median: rank(&times, 2),
            q3: rank(&times, 3),
            max: *times.last()?,
        })
    }
}

/// The value that `quarters` quarters of sorted values do not exceed.
fn rank(sorted: &[u32], quarters: usize) -> u32 {
    let at = (sorted.len() * quarters).div_ceil(4).saturating_sub(1);
    sorted.get(at).copied().unwrap_or_default()
}

fn states(look: &Look) -> BTreeMap<State, usize> {
    look.tasks.iter().fold(BTreeMap::new(), |mut states, (outcome, members)| {
        *states.entry(outcome.state).or_default() += members.len();
        states
    })
}

fn finished(states: &BTreeMap<State, usize>) -> usize {
    states.iter().filter(|(state, _)| state.is_finished()).map(|(_, count)| count).sum()
}

fn failed(look: &Look) -> Members {
    let those = look.tasks.iter().filter(|(outcome, _)| outcome.state.is_failure());
    Members(those.fold(TaskIds::default(), |all, (_, tasks)| all.union(&tasks.0)))
}

fn failures(look: &Look) -> Vec<Failures> {
    let mut failures: Vec<Failures> = look
        .tasks
        .iter()
        .filter(|(outcome, _)| outcome.state.is_failure())
        .map(|(outcome, tasks)| Failures { outcome: *outcome, count: tasks.len(), tasks: tasks.clone() })
        .collect();
    failures.sort_by_key(|failures| std::cmp::Reverse(failures.count));
    failures
}

impl Sweep {
    /// The id of the array, if it is one.
    pub fn array(&self) -> Option<u32> {
        (self.kind == Kind::Array).then(|| self.key.parse().ok()).flatten()
    }

    /// Counts the tasks anew after some of them changed in `look`.
    pub(super) fn recount(&mut self) {
        self.states = states(&self.look);
        self.finished = finished(&self.states);
        self.failed_tasks = failed(&self.look);
        self.failures = failures(&self.look);
        let still = self.out_of_memory_steps.0.intersection(&self.failed_tasks.0);
        self.out_of_memory_steps = Members(still);
    }

    /// Takes tasks out of every count and list: they are none of it.
    pub fn leave_out(&mut self, tasks: &TaskIds) {
        let gone = self.look.all().intersection(tasks).len();
        self.look.leave_out(tasks);
        self.total = self.total.map(|total| total.saturating_sub(gone));
        self.seen = self.seen.saturating_sub(gone);
        self.recount();
        let leave = |members: &mut Members| members.0 = members.0.difference(tasks);
        leave(&mut self.completed_over_failed_steps);
        leave(&mut self.not_in_queue);
        if let Some(fast) = &mut self.fast {
            leave(&mut fast.tasks);
        }
        self.fast = self.fast.take().filter(|fast| !fast.tasks.is_empty());
        self.waiting.iter_mut().filter_map(|waiting| waiting.tasks.as_mut()).for_each(leave);
        self.waiting.retain(|waiting| waiting.tasks.as_ref().is_none_or(|tasks| !tasks.is_empty()));
        let Some(per_task) = &mut self.per_task else { return };
        let known = per_task.tasks.0.iter().zip(std::mem::take(&mut per_task.elapsed));
        let left: Vec<(u32, Option<u32>)> = known.filter(|(task, _)| !tasks.contains(*task)).collect();
        per_task.tasks = Members(left.iter().map(|(task, _)| *task).collect());
        per_task.elapsed = left.iter().map(|(_, elapsed)| *elapsed).collect();
        let completed = self.look.tasks.iter().filter(|(outcome, _)| outcome.state == State::Completed);
        let completed = completed.fold(TaskIds::default(), |all, (_, own)| all.union(&own.0));
        let mut times: Vec<u32> = left
            .iter()
            .filter(|(task, _)| completed.contains(*task))
            .filter_map(|(_, elapsed)| *elapsed)
            .collect();
        times.sort_unstable();
        self.elapsed = Elapsed::of(times);
    }

    /// The largest job id of the sweep, as far as it tells its age.
    pub(super) fn newest_id(&self) -> u32 {
        let members = || self.look.all().ranges().last().map(|range| range.1);
        match self.kind {
            Kind::Array => self.key.parse().ok(),
            Kind::SharedName => members(),
        }
        .unwrap_or_default()
    }
}
