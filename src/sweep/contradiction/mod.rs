//! Where the sources contradict each other.

mod tracked;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cause::{is_denied, is_of_earlier, leading, newest, of_finding, readable, told};
use super::judge::Rules;
use super::measure::fast_below;
use super::{Evidence, Line, Members, Source, Sweep};
use crate::cluster::{ExitCode, State};
use crate::joblog::{Finding, Reading, Role, Trouble};
use crate::terms::{Seconds, by_number, counted};
use tracked::tracked;

/// Of so many tasks at least the steps must be known before their lack says something.
const STEPS_AMONG: usize = 5;
/// So many lines of evidence are kept of each kind.
const EXAMPLES: usize = 3;

/// Tasks of which two sources say what cannot both be true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Contradiction {
    /// What does not go together.
    pub kind: ContradictionKind,
    /// The same in one sentence, with numbers where there are any.
    pub sentence: String,
    /// Which tasks.
    pub tasks: Members,
    /// Lines of evidence: examples, not all.
    pub evidence: Vec<Line>,
}

/// What does not go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ContradictionKind {
    /// COMPLETED, although a step failed or was cancelled.
    CompletedOverFailedSteps,
    /// COMPLETED, although its log names a cause of failure.
    CompletedWithFailureInLog,
    /// COMPLETED in far less time than its siblings, and nothing shows the steps.
    FastWithoutSteps,
    /// COMPLETED, and results that it should have made are not there.
    CompletedWithoutResults,
    /// COMPLETED, and its loss is no number any more.
    CompletedWithNan,
    /// COMPLETED, and its run has no checkpoint that is whole, as others have.
    CompletedWithoutCheckpoint,
    /// COMPLETED, and the tracker's run ended with an error.
    CompletedOverCrashedRun,
    /// COMPLETED, and the tracker's run never said that it ended.
    CompletedWithoutExitRecord,
    /// FAILED, although it came to its end by its own log or tracker.
    FailedThoughDone,
    /// A step ran out of memory, and the job says something else.
    HiddenOutOfMemory,
    /// Accounting and log say that it ended in different ways.
    LogDisagrees,
    /// It has several runs of the tracker, under different ids.
    TwoRuns,
    /// One run of the tracker lies in the folders of several tasks.
    RunOfSeveral,
    /// It runs, and the tracker's run has ended: it holds its GPUs for nothing.
    HeldGpu,
    /// It runs, and neither tracker nor log have moved for a long time.
    Silent,
    /// It runs and writes its log or event files, and the tracker's files have not moved for a
    /// long time.
    TrackerSilent,
    /// It is over, and the tracker's run counts as running.
    ZombieRun,
    /// It is over, and the files of its open run were written after that.
    RunAfterEnd,
    /// Live by accounting, and not in the queue.
    NotInQueue,
}

impl ContradictionKind {
    /// True if a completed task of this kind may have no result that can be used.
    pub fn spoils_result(self) -> bool {
        use ContradictionKind as Kind;
        matches!(
            self,
            Kind::CompletedOverFailedSteps
                | Kind::CompletedWithFailureInLog
                | Kind::FastWithoutSteps
                | Kind::CompletedWithoutResults
                | Kind::CompletedWithNan
                | Kind::CompletedWithoutCheckpoint
                | Kind::CompletedOverCrashedRun
        )
    }

    /// True if a task of this kind lives and does nothing.
    pub fn wastes(self) -> bool {
        matches!(self, ContradictionKind::HeldGpu | ContradictionKind::Silent)
    }

    fn words(self) -> &'static str {
        use ContradictionKind as Kind;
        match self {
            Kind::CompletedOverFailedSteps => "COMPLETED, although a step failed or was cancelled",
            Kind::CompletedWithFailureInLog => "COMPLETED, although the log names a cause of failure",
            Kind::FastWithoutSteps => {
                "COMPLETED far faster than the others, and nothing that was read shows the steps"
            }
            Kind::CompletedWithoutResults => "COMPLETED, and expected results are not there",
            Kind::CompletedWithNan => "COMPLETED with a loss that is no number",
            Kind::CompletedWithoutCheckpoint => "COMPLETED without a whole checkpoint, where others have one",
            Kind::CompletedOverCrashedRun => "COMPLETED, although the tracker's run ended with an error",
            Kind::CompletedWithoutExitRecord => {
                "COMPLETED, and the tracker's run has no exit record: it was killed"
            }
            Kind::FailedThoughDone => "failed by accounting, although log or tracker show that it was done",
            Kind::HiddenOutOfMemory => "a step ran out of memory, and the job only says that it failed",
            Kind::LogDisagrees => "log and accounting say that it ended in different ways",
            Kind::TwoRuns => "several runs of the tracker for one task",
            Kind::RunOfSeveral => {
                "the folders of several tasks hold one and the same run of the tracker: but for one they are copies, \
                 and what does not name its own job is not believed"
            }
            Kind::HeldGpu => "the tracker's run has ended, and the job still holds its GPUs",
            Kind::Silent => "runs, and neither tracker nor log have moved for over 30 minutes: it may hang",
            Kind::TrackerSilent => {
                "runs and writes its log or event files, and the tracker's files have not moved for over 30 minutes"
            }
            Kind::ZombieRun => {
                "over, and the tracker's run has no exit record: the tracker counts it as running"
            }
            Kind::RunAfterEnd => {
                "over, and the tracker's files were written after that: something still runs, or they were copied"
            }
            Kind::NotInQueue => {
                "live by accounting, but not in the queue: it ended just now, or accounting missed its end"
            }
        }
    }
}

/// Finds them; the tasks come in rising order.
pub(super) fn contradictions(sweep: &Sweep, order: &[&Evidence], rules: &Rules<'_>) -> Vec<Contradiction> {
    let siblings = Siblings::of(order, rules);
    let mut found = Found::default();
    for task in order {
        match task.state {
            State::Completed => completed(task, &siblings, &mut found),
            state if state.is_failure() => failed(task, &mut found),
            _ => {}
        }
        let is_twice = task.looked.as_deref().is_some_and(|looked| !looked.twice.is_empty());
        if is_twice || !task.runs().is_empty() || !task.events().is_empty() {
            tracked(task, rules.now, &mut found);
        }
    }
    for member in sweep.not_in_queue.0.iter() {
        let at = order.binary_search_by_key(&member, |task| task.member);
        let line = at.ok().map(|at| Line::said(Source::Sacct, told(order[at])));
        found.add(ContradictionKind::NotInQueue, member, || line);
    }
    found.list(&siblings)
}

fn completed(task: &Evidence, siblings: &Siblings, found: &mut Found) {
    use ContradictionKind::{
        CompletedOverFailedSteps, CompletedWithFailureInLog, CompletedWithNan, CompletedWithoutResults,
        FastWithoutSteps,
    };
    let accounted = || Some(Line::said(Source::Sacct, told(task)));
    if task.steps.failed > 0 || task.derived.is_some_and(|derived| derived != ExitCode::default()) {
        found.add(CompletedOverFailedSteps, task.member, accounted);
    }
    let log = readable(task);
    if let Some(root) = log.and_then(|log| leading(task, log)).filter(|root| !root.survived) {
        found.add(CompletedWithFailureInLog, task.member, || of_finding(task, root));
    }
    log.into_iter().for_each(|log| disagreeing(task, log, found));
    if siblings.is_fast(task) && !siblings.shows_steps(task) || siblings.lacks_steps(task) {
        found.add(FastWithoutSteps, task.member, accounted);
    }
    let Some(looked) = task.looked.as_deref() else { return };
    if let Some(path) = looked.missing.first() {
        found.add(CompletedWithoutResults, task.member, || {
            let count = looked.missing.len();
            let text = format!(
                "{} that the setting `results` expects {} missing",
                counted(count, "file"),
                by_number(count, "is", "are")
            );
            Some(Line { file: Some(path.clone()), ..Line::said(Source::Files, text) })
        });
    }
    if let Some(survey) =
        task.checkpoints().filter(|survey| survey.best.is_none() && siblings.keep_checkpoints)
    {
        found.add(ContradictionKind::CompletedWithoutCheckpoint, task.member, || {
            let text = match survey.refused.len() {
                0 => "no checkpoint".to_owned(),
                refused => format!("no checkpoint is whole, {refused} refused"),
            };
            Some(Line { file: Some(survey.dir.clone()), ..Line::said(Source::Checkpoint, text) })
        });
    }
    let troubles = log.and_then(|log| log.progress.as_ref()).map_or(&[][..], |progress| &progress.findings);
    for trouble in troubles {
        if let Trouble::Nan { text, line, offset, .. } = trouble {
            let file = log.map(|log| log.path.clone());
            found.add(CompletedWithNan, task.member, || {
                Some(Line {
                    source: Source::Log,
                    text: text.clone(),
                    file,
                    line: *line,
                    offset: Some(*offset),
                })
            });
            break;
        }
    }
}

fn failed(task: &Evidence, found: &mut Found) {
    use ContradictionKind::{FailedThoughDone, HiddenOutOfMemory};
    let says_memory = task.state == State::OutOfMemory || task.exit.is_some_and(ExitCode::is_out_of_memory);
    if task.steps.out_of_memory && !says_memory {
        found.add(HiddenOutOfMemory, task.member, || Some(Line::said(Source::Sacct, told(task))));
    }
    let Some(log) = readable(task) else { return };
    if task.state == State::Failed && log.root.is_none() && is_done(log) && newest(log).all(is_harmless) {
        found.add(FailedThoughDone, task.member, || Some(Line::said(Source::Sacct, told(task))));
    }
    disagreeing(task, log, found);
}

/// A log whose cause cannot be, by accounting: a program printed it, or one of
/// the two is wrong. What an attempt before this one left in the log is in order.
fn disagreeing(task: &Evidence, log: &Reading, found: &mut Found) {
    let is_other = |root: &&Finding| {
        let by_state = task.state.is_failure() && disagrees(task.state, &root.class);
        (by_state || is_denied(task, root)) && !is_of_earlier(task, &root.class)
    };
    if let Some(root) = log.root.as_ref().filter(is_other) {
        found.add(ContradictionKind::LogDisagrees, task.member, || of_finding(task, root));
    }
}

/// True if the log's cause is a way to end that the state denies.
fn disagrees(state: State, class: &str) -> bool {
    let is_slurm = matches!(class, "time-limit" | "node-fail" | "preempted" | "cancelled");
    match state {
        State::Timeout | State::Deadline => class != "time-limit" && class != "cancelled",
        State::NodeFail => is_slurm && class != "node-fail",
        State::OutOfMemory => is_slurm,
        _ => is_slurm,
    }
}

fn is_done(log: &Reading) -> bool {
    log.progress.as_ref().and_then(|progress| progress.percent).is_some_and(|percent| percent >= 99.9)
}

fn is_harmless(finding: &Finding) -> bool {
    matches!(finding.role, Role::Warning | Role::Noise | Role::Info | Role::Teardown)
}

/// What is normal in this sweep.
struct Siblings {
    /// Completing in less than this is suspicious, in seconds.
    below: Option<u32>,
    median: u32,
    target_step: Option<u64>,
    target_epoch: Option<u64>,
    /// The median of the last steps of the completed ones that are not fast.
    step: Option<u64>,
    /// Less than this is never enough for a training, in seconds.
    short: u32,
    /// True if nearly all of the completed ones that were looked at show steps.
    show_steps: bool,
    /// True if most of the completed ones that were looked at have a checkpoint.
    keep_checkpoints: bool,
}

impl Siblings {
    fn of(order: &[&Evidence], rules: &Rules<'_>) -> Siblings {
        let times = |wanted: &dyn Fn(State) -> bool| {
            let mut times: Vec<u32> =
                order.iter().filter(|task| wanted(task.state)).filter_map(|task| task.elapsed).collect();
            times.sort_unstable();
            times
        };
        let done = times(&|state| state == State::Completed);
        let ran = times(&|state| state.is_running() || matches!(state, State::Completed | State::Timeout));
        let short = u32::try_from(rules.settings.short.0).unwrap_or(u32::MAX);
        let below = fast_below(&done, &ran, short, rules.settings.short_percent);
        let mut siblings = Siblings {
            below: below.map(|(_, below)| below),
            median: below.map_or(0, |(median, _)| median),
            target_step: rules.settings.target_step,
            target_epoch: rules.settings.target_epoch,
            step: None,
            short,
            show_steps: false,
            keep_checkpoints: false,
        };
        let is_normal = |task: &&&Evidence| task.state == State::Completed && !siblings.is_fast(task);
        let mut steps: Vec<u64> = order.iter().filter(is_normal).filter_map(|task| last_step(task)).collect();
        steps.sort_unstable();
        let read = order.iter().filter(is_normal).filter(|task| readable(task).is_some()).count();
        siblings.step = steps.get(steps.len() / 2).copied();
        siblings.show_steps = steps.len() >= STEPS_AMONG && steps.len() * 10 >= read * 9;
        let surveys =
            order.iter().filter(|task| task.state == State::Completed).filter_map(|task| task.checkpoints());
        let (kept, seen) = surveys
            .fold((0, 0), |(kept, seen), survey| (kept + usize::from(survey.best.is_some()), seen + 1));
        siblings.keep_checkpoints = kept * 2 > seen;
        siblings
    }

    fn is_fast(&self, task: &Evidence) -> bool {
        self.below.zip(task.elapsed).is_some_and(|(below, elapsed)| elapsed < below)
    }

    /// True if a task was over soon and shows no step at all, where the others
    /// do: also in a sweep whose tasks are all short.
    fn lacks_steps(&self, task: &Evidence) -> bool {
        let was_read = readable(task).is_some_and(|log| log.unread.is_empty());
        let is_short = task.elapsed.is_some_and(|elapsed| elapsed < self.short);
        self.show_steps && was_read && is_short && last_step(task).is_none() && !self.shows_steps(task)
    }

    /// True if log, checkpoint or tracker show the steps that the task should have made.
    fn shows_steps(&self, task: &Evidence) -> bool {
        let log = readable(task);
        let progress = log.and_then(|log| log.progress.as_ref());
        let by_epoch = progress.and_then(|progress| progress.epoch).zip(self.target_epoch);
        if log.is_some_and(is_done) || by_epoch.is_some_and(|(epoch, target)| epoch >= target as f64) {
            return true;
        }
        match (last_step(task), self.target_step) {
            (Some(step), Some(target)) => step >= target,
            // Without a target the siblings are the measure; early stopping is no fraud.
            (Some(step), None) => self.step.is_some_and(|normal| step >= normal - normal / 10),
            (None, _) => false,
        }
    }
}

/// The highest step that log, checkpoint or tracker show.
fn last_step(task: &Evidence) -> Option<u64> {
    let by_log = readable(task).and_then(|log| log.progress.as_ref()?.step);
    let by_checkpoint = task.checkpoints().and_then(|survey| survey.best.as_ref()?.step);
    let by_tracker = task.newest_run().and_then(|run| run.last_step);
    let by_events = task.events().iter().filter_map(|events| events.last_step).max();
    by_log.max(by_checkpoint).max(by_tracker).max(by_events)
}

#[derive(Default)]
struct Found(BTreeMap<ContradictionKind, (Members, Vec<Line>)>);

impl Found {
    fn add(&mut self, kind: ContradictionKind, member: u32, line: impl FnOnce() -> Option<Line>) {
        let (tasks, lines) = self.0.entry(kind).or_default();
        tasks.0.push(member);
        if lines.len() < EXAMPLES {
            lines.extend(line());
        }
    }

    fn list(self, siblings: &Siblings) -> Vec<Contradiction> {
        let contradiction = |(kind, (tasks, evidence)): (ContradictionKind, (Members, Vec<Line>))| {
            let sentence = match kind {
                ContradictionKind::FastWithoutSteps => {
                    let (below, normal) = match siblings.below {
                        Some(below) => {
                            (below, format!(", where the median is {},", Seconds(siblings.median.into())))
                        }
                        None => (siblings.short, String::new()),
                    };
                    format!(
                        "COMPLETED in less than {}{normal} and nothing that was read shows the steps",
                        Seconds(below.into())
                    )
                }
                _ => kind.words().to_owned(),
            };
            Contradiction { kind, sentence, tasks, evidence }
        };
        self.0.into_iter().map(contradiction).collect()
    }
}

#[cfg(test)]
mod tests;
