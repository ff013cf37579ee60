//! What to do about one task, from its state and the cause of its failure.

use super::{Doomed, Kind, Seen, Setup, Subject, Where, lines};
use crate::cluster::{Outlook, Reason, State};
use crate::joblog::Retry;
use crate::safety;
use crate::sweep;
use crate::terms::Known;

/// What is to be done about a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    pub kind: Kind,
    /// The cause that it follows from; the number of one of [`Setup::causes`].
    pub cause: Option<usize>,
    pub why: String,
    pub action: String,
    pub run: Run,
    /// True if its nodes are to be avoided.
    pub elsewhere: bool,
    /// What to change first.
    pub change: Change,
}

/// Whether a line may be run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Run {
    /// As it is.
    Now,
    /// When this is true.
    After(String),
    /// There is no line.
    Never,
    /// There would be one, but for this.
    Blocked(String),
}

/// What to change before a task runs again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    HostMemory,
    GpuMemory,
}

/// How a class of causes is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Nothing,
    Resume,
    Elsewhere,
    Once,
    HostMemory,
    GpuMemory,
    AfterChange,
    Fix,
    Ask,
    Canary,
}

/// Classes that no second try mends: code, data, environment; and `uncertain`,
/// where somebody has to look first. What the table of causes says of retrying
/// does not change that.
pub const FIX_FIRST: [&str; 12] = [
    "code",
    "code-or-data",
    "env-mismatch",
    "env-activation",
    "missing-module",
    "missing-lib",
    "permission",
    "ckpt-mismatch",
    "diverged",
    "submit-rejected",
    "config-error",
    "uncertain",
];

pub(super) fn decide(setup: &Setup, subject: &Subject) -> Decision {
    if let Some(again) = setup.again.get(&subject.member) {
        return submitted_again(again);
    }
    if let Some(doomed) = setup.to_cancel(subject.member) {
        return cancelled(setup, subject, doomed);
    }
    let is_alive = setup.alive.known().is_some_and(|alive| alive.contains(subject.member));
    if is_alive || subject.state.is_live() {
        let decision = live(setup, subject, is_alive);
        return Decision { cause: subject.cause.filter(|_| decision.kind != Kind::Leave), ..decision };
    }
    match subject.state {
        State::Completed if subject.cause.is_none() => match &subject.suspect {
            None => leave("completed", ""),
            Some(what) => leave(what.clone(), "look at it before its result is used"),
        },
        State::Unknown => leave("its state is not known", "look again"),
        State::Revoked => leave("another cluster of the federation has it", ""),
        _ if setup.elsewhere.tasks.contains_key(&subject.member) => {
            // Never missing: it was just seen.
            let id = setup.elsewhere.tasks.get(&subject.member).map(ToString::to_string).unwrap_or_default();
            let why = format!("somebody submitted it again: {id} has its name and index, and is alive");
            leave(why, "if that is another experiment, give it another name")
        }
        _ => {
            let decision = ended(setup, subject);
            let cause = decision.cause.or(subject.cause).filter(|_| decision.kind != Kind::Leave);
            let run = match decision.run {
                Run::Now if starts_over(subject, decision.kind) => Run::After(FROM_ZERO.to_owned()),
                run => run,
            };
            let decision = Decision { run, ..decision };
            held(setup, subject, Decision { cause, ..decision })
        }
    }
}

/// True if its line would do again what it had done: its work is lost, or it
/// came forward and left nothing to go on from.
fn starts_over(subject: &Subject, kind: Kind) -> bool {
    let has_left_nothing = matches!(subject.checkpoint, Known::Known(None)) && !subject.never_ran;
    let came_forward = subject.last_step.is_some_and(|step| step > 0);
    kind == Kind::Lost || has_left_nothing && came_forward
}

/// The same, without a line where it could not be right.
fn held(setup: &Setup, subject: &Subject, decision: Decision) -> Decision {
    let others = setup.elsewhere.any.map(|id| {
        format!("{id} has the same name and is alive, and which of these tasks are in it is not known")
    });
    let place = subject
        .works_in
        .as_ref()
        .map(|dir| format!("it works in {}, another directory than the others", safety::escape_path(dir)));
    // One hostile name holds nobody else's line up.
    let name = || lines::unnameable(setup, setup.template.as_ref()?, subject);
    match others.or(place).or_else(|| setup.held.clone()).or_else(name) {
        Some(why) if decision.run != Run::Never => Decision { run: Run::Blocked(why), ..decision },
        _ => decision,
    }
}

/// A task that the plan cancels, and how it comes back.
fn cancelled(setup: &Setup, subject: &Subject, doomed: &Doomed) -> Decision {
    let number = doomed.cause.or(subject.cause);
    let why = "cancelled above: sure to fail as the others did";
    let back = comes_back(setup, subject, number, why, "and they are cancelled");
    held(setup, subject, Decision { elsewhere: doomed.on_nodes, ..back })
}

/// A task that an earlier plan cancelled.
fn cancelled_before(setup: &Setup, subject: &Subject, by: &super::Cancelled) -> Decision {
    let doomed = setup.doom_of(subject.member);
    let why = format!("cancelled by plan {} on {}", by.hash, by.at);
    let back = comes_back(setup, subject, doomed.and_then(|doomed| doomed.cause), &why, "");
    Decision { elsewhere: doomed.is_some_and(|doomed| doomed.on_nodes), ..back }
}

/// A task that was cancelled because of a cause, and goes on when that is mended.
fn comes_back(setup: &Setup, subject: &Subject, number: Option<usize>, why: &str, and: &str) -> Decision {
    let cause = number.and_then(|number| setup.causes.get(number));
    let action = cause.map_or("", |cause| cause.action.as_str());
    let decision = again(setup, subject, why, action, false);
    let when = format!("{CHANGE_FIRST} {and}").trim_end().to_owned();
    let run = match decision.run {
        Run::Blocked(why) => Run::Blocked(why),
        _ => Run::After(when),
    };
    let change = match cause.map(|cause| treatment(cause, subject)) {
        Some(Treatment::HostMemory) => Change::HostMemory,
        Some(Treatment::GpuMemory) => Change::GpuMemory,
        _ => Change::Nothing,
    };
    Decision { kind: Kind::FixFirst, cause: number, why: why.to_owned(), run, change, ..decision }
}

fn submitted_again(again: &super::Again) -> Decision {
    let Some(id) = again.id else {
        let look = "look in squeue and sacct before anything else is done with it";
        return match again.sure {
            true => leave(
                format!("submitted again by plan {}, which did not say under which id", again.hash),
                look,
            ),
            false => leave(
                format!(
                    "unknown whether plan {} submitted it again: its line has not ended, or its end does not say so",
                    again.hash
                ),
                format!(
                    "{look}; if it did not: the command of this plan with --not-submitted {}",
                    again.hash
                ),
            ),
        };
    };
    match again.state {
        Some(state) if state.is_failure() => {
            let more = format!("handover sweep plan {}", id.base);
            leave(format!("submitted again as {id}, which is {state}"), more)
        }
        Some(state) => leave(format!("submitted again as {id}, which is {state}"), ""),
        None => leave(format!("submitted again as {id}, which is not seen yet"), ""),
    }
}

fn live(setup: &Setup, subject: &Subject, is_alive: bool) -> Decision {
    if !subject.state.is_waiting() {
        let why = if subject.state.is_running() { "runs" } else { "alive in the queue under its old id" };
        return leave(why, "");
    }
    let reason = Reason::of(&subject.reason);
    match reason.outlook {
        Outlook::Never => Decision {
            kind: Kind::FixFirst,
            why: format!("will never start as it is: {}", reason.words),
            action: reason.advice.to_owned(),
            ..leave("", "")
        },
        Outlook::Blocked => {
            let nodes = sweep::outages(&subject.reason, &[], &setup.nodes);
            let nodes: Vec<String> = nodes.iter().map(sweep::Outage::in_words).collect();
            let nodes = if nodes.is_empty() { String::new() } else { format!(": {}", nodes.join(", ")) };
            leave(format!("waits for what is not in service, {}{nodes}", reason.words), reason.advice)
        }
        Outlook::Held => leave(format!("held: {}", reason.words), reason.advice),
        _ if !is_alive => leave("waits by accounting, and is not in the queue", "look again"),
        _ => leave("waits", ""),
    }
}

fn ended(setup: &Setup, subject: &Subject) -> Decision {
    if let Some(by) = setup.cancelled.get(&subject.member).filter(|_| subject.state == State::Cancelled) {
        return cancelled_before(setup, subject, by);
    }
    let cause = subject.cause.and_then(|number| setup.causes.get(number));
    let Some(cause) = cause else {
        return match subject.state {
            State::Cancelled => asked("cancelled"),
            State::Preempted => again(setup, subject, "preempted and not requeued", "", false),
            _ => canary(setup, subject, NO_CAUSE, ""),
        };
    };
    let (why, action) = (cause.sentence.as_str(), cause.action.as_str());
    match treatment(cause, subject) {
        Treatment::Nothing => leave(why, action),
        Treatment::Resume => again(setup, subject, why, action, false),
        Treatment::Elsewhere => again(setup, subject, why, action, true),
        Treatment::Once if subject.failed_before => fix(format!("{why}; it came back"), action),
        Treatment::Once => again(setup, subject, why, action, true),
        Treatment::HostMemory => changed(setup, subject, cause, Change::HostMemory),
        Treatment::GpuMemory => changed(setup, subject, cause, Change::GpuMemory),
        Treatment::AfterChange => changed(setup, subject, cause, Change::Nothing),
        Treatment::Fix if setup.mended.contains(&cause.class) => canary(setup, subject, why, MENDED),
        Treatment::Fix => fix(why, action),
        Treatment::Ask => asked(why),
        Treatment::Canary => match canary(setup, subject, why, action) {
            one if one.kind == Kind::Canary && one.run == Run::Now && cause.class == KILLED => {
                Decision { run: Run::After(KNOWN_KILLER.to_owned()), ..one }
            }
            one => one,
        },
    }
}

fn treatment(cause: &Seen, subject: &Subject) -> Treatment {
    use Treatment::{AfterChange, Ask, Canary, Elsewhere, Fix, GpuMemory, HostMemory, Nothing, Once, Resume};
    let by_spread = match cause.spread {
        Where::OneNode => Elsewhere,
        Where::Everywhere | Where::OneCorner => Fix,
        Where::Scattered => Canary,
    };
    let class = cause.class.as_str();
    if FIX_FIRST.contains(&class) {
        return Fix;
    }
    let known = match class {
        "time-limit" | "preempted" | "ckpt-corrupt" | "port-clash" | "rate-limit" => Resume,
        "node-fail" | "hardware" | "node-unkillable" | "launch-fail" => Elsewhere,
        "nccl-timeout" | "nccl-peer" | "rendezvous" | "network" | "filesystem" => {
            if cause.spread == Where::OneNode { Elsewhere } else { Resume }
        }
        "crash" | "code-or-hw" | "gpu-missing" | "nccl-error" => {
            if cause.spread == Where::Everywhere {
                Fix
            } else {
                Once
            }
        }
        "host-oom" => HostMemory,
        "cuda-oom" => GpuMemory,
        "shm" | "quota" | "disk-full" | "limits" | "log-path" | "network-egress" => AfterChange,
        "missing-path" | "exception" | "elastic" | "task-failure" | "dataloader" | "teardown" => by_spread,
        "killed-unconfirmed" | "unknown" | "terminated" => Canary,
        "cancelled" => Ask,
        "requeued" | "noise" => Nothing,
        _ => match cause.retry {
            Retry::Resume | Retry::Resubmit => Resume,
            Retry::Once => Once,
            Retry::AfterChange => AfterChange,
            Retry::FixFirst => Fix,
            Retry::ByCause => by_spread,
            Retry::Ask => Ask,
            Retry::Nothing => Nothing,
        },
    };
    match known {
        // A failed task is never done with by doing nothing.
        Nothing if subject.state.is_failure() => Canary,
        Resume | Elsewhere | Once if cause.open => Canary,
        other => other,
    }
}

/// It may go on: from its checkpoint, from the beginning if it never began, or
/// with all its work lost.
fn again(setup: &Setup, subject: &Subject, why: &str, action: &str, elsewhere: bool) -> Decision {
    let new = |kind, why: String, run| Decision {
        kind,
        cause: None,
        why,
        action: action.to_owned(),
        run,
        elsewhere,
        change: Change::Nothing,
    };
    let is_timeout = subject.state == State::Timeout;
    let (kind, why, run) = match (&subject.checkpoint, setup.template.is_some()) {
        (Known::Known(Some(_)), true) => (Kind::Resume, why.to_owned(), Run::Now),
        (Known::Known(Some(_)), false) => {
            (Kind::Resume, why.to_owned(), Run::After(NEEDS_COMMAND.to_owned()))
        }
        _ if subject.never_ran => (Kind::Resume, format!("{why}; it never began"), Run::Now),
        (Known::Known(None), _) if is_timeout => {
            let run = Run::After("it has more time, or writes checkpoints".to_owned());
            (Kind::Lost, format!("{why}, and left no checkpoint"), run)
        }
        (Known::Known(None), _) => (Kind::Lost, format!("{why}, and left no checkpoint"), Run::Now),
        (Known::Unknown(gap) | Known::NotApplicable(gap), _) => {
            let run = Run::After(format!("somebody has seen that it finds its checkpoint by itself ({gap})"));
            (Kind::Resume, format!("{why}; its checkpoints were not read"), run)
        }
    };
    let mut decision = new(kind, why, run);
    if !subject.differences.is_empty() {
        decision.run = Run::Blocked("its run is not what is intended".to_owned());
    } else if !subject.doubts.is_empty() && decision.run == Run::Now {
        decision.run = Run::After(DOUBTED.to_owned());
    }
    decision
}

/// The condition of a line that goes on from a checkpoint against which something speaks.
const DOUBTED: &str = "somebody has seen that its checkpoint is the one to go on from";

/// The condition of a line that names no checkpoint although there is one.
const NEEDS_COMMAND: &str = "it is sure that the script goes on from its newest checkpoint by itself; to let this \
                             program name the checkpoint, set `resume` below `sweeps`";

/// The condition of a line that starts from zero what had come further.
const FROM_ZERO: &str = "all of its work may be done a second time";

/// What is said of a task that failed and whose cause nobody knows.
pub(super) const NO_CAUSE: &str = "failed, and no cause was found";

/// The condition of a line that would fail again as it is.
pub(super) const CHANGE_FIRST: &str = "the change is made";

/// What is said of a task whose cause somebody says is mended.
const MENDED: &str = "said to be mended: try one task before the others";

/// The class of tasks that something killed, nobody knows what.
const KILLED: &str = "killed-unconfirmed";

/// The condition of a line for such a task.
const KNOWN_KILLER: &str = "somebody knows who or what killed it";

/// It may go on after a change.
fn changed(setup: &Setup, subject: &Subject, cause: &Seen, change: Change) -> Decision {
    let mut decision = again(setup, subject, &cause.sentence, &cause.action, false);
    decision.change = change;
    let in_the_line =
        change == Change::HostMemory && setup.template.as_ref().is_none_or(|one| one.is_sbatch());
    if matches!(decision.run, Run::Now) && !in_the_line {
        decision.run = Run::After(CHANGE_FIRST.to_owned());
    }
    decision.kind = Kind::FixFirst;
    decision
}

fn canary(setup: &Setup, subject: &Subject, why: &str, action: &str) -> Decision {
    if setup.tried.contains(&subject.cause) {
        return again(setup, subject, &format!("{why}; the one that was tried went well"), "", false);
    }
    let action = if action.is_empty() { "try one task before the others" } else { action };
    let decision = again(setup, subject, why, action, false);
    Decision { kind: Kind::Canary, why: why.to_owned(), ..decision }
}

fn fix(why: impl Into<String>, action: &str) -> Decision {
    Decision { kind: Kind::FixFirst, why: why.into(), action: action.to_owned(), ..leave("", "") }
}

fn asked(why: &str) -> Decision {
    leave(why, "ask whoever cancelled it before it is started again")
}

fn leave(why: impl Into<String>, action: impl Into<String>) -> Decision {
    Decision {
        kind: Kind::Leave,
        cause: None,
        why: why.into(),
        action: action.into(),
        run: Run::Never,
        elsewhere: false,
        change: Change::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Best, Plan, Template, plan};
    use super::*;
    use crate::terms::{JobId, TaskIds};

    fn setup(class: &str) -> Setup {
        let cause = Seen {
            class: class.to_owned(),
            retry: Retry::Ask,
            sentence: format!("{class} struck"),
            action: "do this".to_owned(),
            node: None,
            spread: Where::Scattered,
            open: false,
        };
        Setup {
            alive: Known::Known(TaskIds::default()),
            causes: vec![cause],
            script: Some("train.sh".to_owned()),
            template: Template::read("sbatch --array={tasks} {script}").ok(),
            ..Setup::of("48251", sweep::Kind::Array)
        }
    }

    fn failed(member: u32) -> Subject {
        let best = Best { path: "step_5.pt".into(), step: Some(5), weights_only: false };
        let subject = Subject::of(member, JobId::task(48251, member));
        Subject { state: State::Failed, cause: Some(0), checkpoint: Known::Known(Some(best)), ..subject }
    }

    fn lines(plan: &Plan) -> Vec<&str> {
        plan.runnable().map(|line| line.text.as_str()).collect()
    }

    #[test]
    fn what_is_said_to_be_mended_is_tried_with_one_task() {
        let mut setup = setup("missing-module");
        let made = plan(&setup, &[failed(3), failed(4)]);
        assert_eq!((lines(&made), made.steps[0].waits_for_mending), (vec![], true));
        setup.mended.insert("missing-lib".to_owned());
        assert_eq!(lines(&plan(&setup, &[failed(3), failed(4)])), [""; 0]);
        setup.mended.insert("missing-module".to_owned());
        let made = plan(&setup, &[failed(3), failed(4)]);
        assert_eq!(lines(&made), ["sbatch --array=3 train.sh"]);
        assert_eq!((made.steps[0].kind, made.steps[0].waits_for_mending), (Kind::Canary, false));
    }

    #[test]
    fn a_task_that_nobody_knows_who_killed_has_no_line_that_runs() {
        let made = plan(&setup("killed-unconfirmed"), &[failed(3), failed(4)]);
        assert_eq!((lines(&made), &made.hash), (vec![], &None));
        assert_eq!(made.steps[0].condition.as_deref(), Some(KNOWN_KILLER));
        assert_eq!(made.steps[0].lines[0].text, "sbatch --array=3 train.sh");
    }

    #[test]
    fn a_checkpoint_against_which_something_speaks_waits_for_somebody() {
        let doubted = Subject { doubts: vec!["of an earlier run".to_owned()], ..failed(3) };
        let made = plan(&setup("preempted"), &[doubted, failed(4)]);
        assert_eq!(lines(&made), ["sbatch --array=4 train.sh"]);
        let waiting = made.steps.iter().find(|step| step.condition.as_deref() == Some(DOUBTED)).unwrap();
        assert_eq!(waiting.lines[0].text, "sbatch --array=3 train.sh");
    }
}
