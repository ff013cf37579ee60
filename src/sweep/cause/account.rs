//! What accounting alone says of how a task ended.

use crate::cluster::{ExitCode, Printed, Signal, State};
use crate::sweep::Evidence;
use crate::terms::Seconds;

/// How a task ended, by accounting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Account {
    /// Slurm saw the memory limit reached: by the state of the job.
    OutOfMemory,
    /// The same, and only a step says so.
    StepOutOfMemory,
    /// Ended at its time limit.
    TimeLimit,
    /// Ended at the deadline of the submission.
    Deadline,
    /// A node was lost.
    NodeFail,
    /// Its nodes did not come up.
    BootFail,
    /// Taken off its nodes, and not seen in the queue since.
    Preempted,
    /// Cancelled.
    Cancelled,
    /// Moved to another cluster of the federation.
    Revoked,
    /// Its output file could not be made: signal 53 of Slurm's own.
    NoOutput,
    /// Failed before any step began.
    NeverLaunched,
    /// A signal ended it.
    Signal {
        /// Its number.
        number: u8,
        /// False if a plain exit code of that number is as good a reading:
        /// accounting text up to 25.05 takes 128 off.
        certain: bool,
    },
    /// It ended with this exit code, which names no signal.
    Status(ExitCode),
}

/// What a job gets whose output file could not be made.
const NO_OUTPUT: ExitCode = ExitCode { status: 0, signal: 53 };

impl Account {
    /// What accounting says of a task that is over and did not complete.
    pub fn of(task: &Evidence) -> Option<Account> {
        if task.state.is_live() {
            return None;
        }
        let is_memory = |exit: Option<ExitCode>| exit.is_some_and(ExitCode::is_out_of_memory);
        match task.state {
            State::Completed | State::Unknown => None,
            State::OutOfMemory => Some(Account::OutOfMemory),
            State::NodeFail => Some(Account::NodeFail),
            State::BootFail => Some(Account::BootFail),
            State::Preempted => Some(Account::Preempted),
            State::Revoked => Some(Account::Revoked),
            State::Timeout => Some(Account::TimeLimit),
            State::Deadline => Some(Account::Deadline),
            State::Cancelled => Some(Account::Cancelled),
            _ if task.steps.out_of_memory || is_memory(task.exit) || is_memory(task.derived) => {
                Some(Account::StepOutOfMemory)
            }
            _ => Some(Account::of_exit(task)),
        }
    }

    fn of_exit(task: &Evidence) -> Account {
        let exit = task.exit.unwrap_or_default();
        if exit == NO_OUTPUT {
            return Account::NoOutput;
        }
        if task.steps.count == 0 && task.elapsed == Some(0) {
            return Account::NeverLaunched;
        }
        // The script's own code may be a plain 1 where a step's names the signal.
        let steps = [task.steps.worst.map(|worst| worst.exit), task.derived];
        let mut guess = None;
        for exit in [Some(exit)].into_iter().chain(steps).flatten() {
            match exit.signal(task.printed) {
                Some(Signal { number, is_sure: true }) => return Account::Signal { number, certain: true },
                Some(Signal { number, is_sure: false }) => guess = guess.or(Some(number)),
                None => {}
            }
        }
        match guess {
            Some(number) => Account::Signal { number, certain: false },
            None => Account::Status(exit),
        }
    }

    /// The class of causes that this is, by itself.
    pub fn class(self) -> &'static str {
        match self {
            Account::OutOfMemory | Account::StepOutOfMemory => "host-oom",
            Account::TimeLimit | Account::Deadline => "time-limit",
            Account::NodeFail => "node-fail",
            Account::BootFail | Account::NeverLaunched => "launch-fail",
            Account::Preempted => "preempted",
            Account::Cancelled => "cancelled",
            Account::Revoked => "requeued",
            Account::NoOutput => "log-path",
            Account::Signal { number: 9, .. } => "killed-unconfirmed",
            Account::Signal { number: 15, .. } => "terminated",
            Account::Signal { number: 4, .. } => "env-mismatch",
            Account::Signal { number: 7, .. } => "shm",
            Account::Signal { number: 6 | 8 | 11, .. } => "crash",
            Account::Status(ExitCode { status: 126, .. }) => "permission",
            Account::Status(ExitCode { status: 127, .. }) => "env-activation",
            Account::Signal { .. } | Account::Status(_) => "unknown",
        }
    }

    /// What happened, in one sentence.
    pub fn sentence(self, task: &Evidence) -> String {
        let limit = task.limit.map(|limit| format!(" of {}", Seconds(limit.into()))).unwrap_or_default();
        let by = match (task.cancelled_by_plan.as_deref(), task.cancelled_by) {
            (Some(plan), _) => format!(" by plan {}, which {} submitted {}", plan.hash, plan.by, plan.at),
            (None, Some(0)) => " by root".to_owned(),
            (None, Some(uid)) => format!(" by uid {uid}"),
            (None, None) => " (accounting does not say by whom)".to_owned(),
        };
        match self {
            Account::OutOfMemory => "Slurm killed it: the memory that it had asked for ran out".to_owned(),
            Account::StepOutOfMemory => {
                format!("a step ran out of memory, although the job itself only says {}", outcome(task))
            }
            Account::TimeLimit => format!("Slurm ended it at its time limit{limit}"),
            Account::Deadline => "Slurm ended it at its deadline".to_owned(),
            Account::NodeFail => "its node was lost".to_owned(),
            Account::BootFail => "its nodes did not come up".to_owned(),
            Account::Preempted => "it was preempted, and is not in the queue again".to_owned(),
            Account::Cancelled => format!("it was cancelled{by}"),
            Account::Revoked => "another cluster of the federation runs it".to_owned(),
            Account::NoOutput => {
                "its output file could not be made (0:53): the directory of the log is missing, or a quota is full"
                    .to_owned()
            }
            Account::NeverLaunched => "it failed before anything of it ran: no step, no time".to_owned(),
            Account::Signal { .. } => format!("it ended with {}", told_exit(task)),
            Account::Status(ExitCode { status: 126, .. }) => "its shell could not execute a command (exit code 126)".to_owned(),
            Account::Status(ExitCode { status: 127, .. }) => "its shell did not find a command (exit code 127)".to_owned(),
            Account::Status(_) => format!("it ended with {}", told_exit(task)),
        }
    }

    /// True if signal 9 ended it, or may have.
    pub fn is_kill(self) -> bool {
        matches!(self, Account::Signal { number: 9, .. })
    }
}

/// The exit code that tells most, in words: the job's own, else a step's.
fn told_exit(task: &Evidence) -> String {
    let own = task.exit.unwrap_or_default();
    let steps = [task.steps.worst.map(|worst| worst.exit), task.derived];
    let telling = |exit: &ExitCode| exit.signal(task.printed).is_some();
    let step = steps.into_iter().flatten().find(telling).filter(|_| !telling(&own));
    match step {
        Some(step) => {
            format!("{}, a step with {}", own.in_words(task.printed), step.in_words(task.printed))
        }
        None if own == ExitCode::default() && task.printed != Printed::Whole => {
            "exit 128, which sacct up to 25.05 prints as 0".to_owned()
        }
        None => own.in_words(task.printed),
    }
}

/// State and exit code in Slurm's form.
pub fn outcome(task: &Evidence) -> String {
    match task.exit {
        Some(exit) => format!("{} {exit}", task.state),
        None => task.state.to_string(),
    }
}

/// What accounting says of a task, in one line.
pub fn told(task: &Evidence) -> String {
    let mut text = format!("{} {}", task.id, outcome(task));
    if let Some(uid) = task.cancelled_by {
        text.push_str(&format!(" by {uid}"));
    }
    if let Some(derived) = task.derived.filter(|derived| *derived != ExitCode::default()) {
        text.push_str(&format!(", derived {derived}"));
    }
    if let Some(worst) = task.steps.worst {
        text.push_str(&format!(", step {} {}", worst.state, worst.exit));
    } else if task.steps.count == 0 && !task.state.is_live() {
        text.push_str(", no step");
    }
    if let Some(elapsed) = task.elapsed {
        let limit = task.limit.map(|limit| format!(" of {}", Seconds(limit.into()).to_slurm()));
        let ran = Seconds(elapsed.into()).to_slurm();
        text.push_str(&format!(", ran {ran}{}", limit.unwrap_or_default()));
    }
    if let Some(rss) = task.steps.max_rss {
        text.push_str(&format!(", MaxRSS {rss}"));
    }
    if !task.node_list.is_empty() {
        text.push_str(&format!(", on {}", task.node_list));
    }
    text
}
