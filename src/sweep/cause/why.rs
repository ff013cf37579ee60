//! Which of the things known leads, before anything is put into words: a
//! hundred thousand failed tasks are grouped without a single new text.

use super::account::{Account, outcome, told};
use super::denied::is_denied;
use super::words::of_class;
use super::{Cause, Confidence, Line, Source};
use crate::cluster::{ExitCode, State};
use crate::joblog::{Finding, Reading, Role, Table};
use crate::sweep::{ByPlan, Evidence};
use crate::terms::Known;

/// A log that was last written so many seconds before the attempt began is not
/// its log; clocks of file servers differ by less.
const STALE_LOG: i64 = 120;

/// Why a task failed, by reference to what says so.
#[derive(Debug, Clone, Copy)]
pub struct Why<'a> {
    /// The task.
    pub task: &'a Evidence,
    /// The class of the cause.
    pub class: &'a str,
    /// How far it can be relied on.
    pub confidence: Confidence,
    /// How it ended, by accounting.
    pub account: Account,
    /// What of the log leads, or agrees with accounting.
    pub finding: Option<&'a Finding>,
    /// True if the finding leads, false if accounting does.
    pub by_log: bool,
}

/// What to do about what a plan cancelled.
const BY_PLAN: &str =
    "mend what it was cancelled for: sweep report says what that plan did and why, sweep plan what goes on";

/// What makes two failures similar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key<'a> {
    /// The fingerprint of the log's root.
    Print(&'a str),
    /// The class alone: how Slurm ended them, whatever their logs look like.
    Class(&'a str),
    /// The hash of the plan that cancelled them.
    Plan(&'a str),
    /// Class, state and exit code, where no log says more.
    Bare(&'a str, State, Option<ExitCode>),
}

/// Classes that Slurm, the node or a person decides: where and in which words
/// the log tells of them makes no difference.
const DECIDED_OUTSIDE: [&str; 11] = [
    "time-limit",
    "preempted",
    "node-fail",
    "cancelled",
    "requeued",
    "host-oom",
    "launch-fail",
    "log-path",
    "killed-unconfirmed",
    "terminated",
    "node-unkillable",
];

/// Why a task failed, was cancelled or preempted; `None` if it was not, or
/// still lives under its id.
pub fn why(task: &Evidence) -> Option<Why<'_>> {
    let account = Account::of(task)?;
    let log = readable(task);
    let root = log.and_then(|log| leading(task, log));
    let of_root = root.map_or("", |root| root.class.as_str());
    let account_leads = |confidence, finding| Why {
        task,
        class: account.class(),
        confidence,
        account,
        finding,
        by_log: false,
    };
    let same = |class: &str| log.and_then(|log| newest(log).find(|finding| finding.class == class));
    Some(match account {
        // What happened to node or job no log can deny.
        Account::NodeFail | Account::BootFail | Account::Preempted | Account::Revoked => {
            account_leads(Confidence::Sure, same(account.class()))
        }
        Account::OutOfMemory | Account::StepOutOfMemory => {
            account_leads(Confidence::Sure, same("host-oom").or_else(|| killed(log)))
        }
        Account::TimeLimit | Account::Deadline | Account::Cancelled => match root {
            // It had failed before, and hung until somebody or Slurm ended it.
            Some(root) if !is_of_slurm(&root.class) => of_log(task, account, root, Confidence::Likely),
            _ => account_leads(Confidence::Sure, same(account.class())),
        },
        Account::NoOutput => account_leads(Confidence::Sure, root.filter(|_| of_root == "log-path")),
        Account::Signal { .. } | Account::Status(_) | Account::NeverLaunched => match (root, log) {
            (Some(root), Some(log)) if log.root.as_ref() == Some(root) => {
                of_log(task, account, root, confidence(log, root))
            }
            // What the log itself held for the cause cannot be; so this is the next best.
            (Some(root), _) => of_log(task, account, root, Confidence::Likely),
            (_, log) => without_root(task, account, log, &account_leads),
        },
    })
}

fn of_log<'a>(task: &'a Evidence, account: Account, root: &'a Finding, confidence: Confidence) -> Why<'a> {
    Why { task, class: &root.class, confidence, account, finding: Some(root), by_log: true }
}

/// A task that failed, and whose log has no root or was not read.
fn without_root<'a>(
    task: &'a Evidence,
    account: Account,
    log: Option<&'a Reading>,
    account_leads: &dyn Fn(Confidence, Option<&'a Finding>) -> Why<'a>,
) -> Why<'a> {
    let is_memory = |finding: &&Finding| finding.class == "host-oom" && !is_denied(task, finding);
    let memory = log.and_then(|log| newest(log).find(is_memory));
    let killed = killed(log);
    if let Some(memory) = memory.filter(|_| killed.is_some() || account.is_kill()) {
        return of_log(task, account, memory, Confidence::Sure);
    }
    if let Some(killed) = killed {
        // The shell saw SIGKILL and its code says 137: Slurm's own kills and
        // people's would be in the state, so memory is what is left.
        if account.is_kill() && !is_far_below_its_memory(task) {
            return Why {
                class: "host-oom",
                confidence: Confidence::Likely,
                ..of_log(task, account, killed, Confidence::Likely)
            };
        }
    }
    // Whose that part is nobody can tell, and nothing may run again on a guess.
    if let Some(elsewhere) = log.and_then(|log| log.elsewhere.as_deref()) {
        return Why { class: "uncertain", ..account_leads(Confidence::Open, Some(elsewhere)) };
    }
    if let Some(killed) = killed {
        return of_log(task, account, killed, Confidence::Open);
    }
    if let Some(cascade) = log.and_then(|log| newest(log).find(|finding| finding.role == Role::Cascade)) {
        return of_log(task, account, cascade, Confidence::Likely);
    }
    let said_so = log.is_some_and(|log| log.size > 0);
    match account {
        Account::NeverLaunched if said_so => {
            Why { class: "unknown", ..account_leads(Confidence::Open, None) }
        }
        Account::NeverLaunched => account_leads(Confidence::Likely, None),
        _ => {
            let teardown = log.and_then(|log| newest(log).find(|finding| finding.role == Role::Teardown));
            let confidence = match account {
                Account::Signal { number: 4 | 6 | 7 | 8 | 11, certain: true } => Confidence::Likely,
                _ => Confidence::Open,
            };
            account_leads(confidence, teardown)
        }
    }
}

/// What of the log may be the cause: its root, or, if accounting denies that,
/// the next of which this is not so. What a program says after it was told to
/// end follows from that; but it was not told.
pub fn leading<'a>(task: &Evidence, log: &'a Reading) -> Option<&'a Finding> {
    let root = log.root.as_ref()?;
    if !is_denied(task, root) {
        return Some(root);
    }
    let left = || newest(log).filter(|finding| !is_denied(task, finding));
    let may_follow = |finding: &&Finding| {
        finding.offset > root.offset
            && finding.exception.is_some()
            && matches!(finding.role, Role::Teardown | Role::Cascade)
    };
    left().find(|finding| finding.role == Role::Root).or_else(|| left().find(may_follow))
}

/// The log, if it was read and is of the newest attempt.
pub fn readable(task: &Evidence) -> Option<&Reading> {
    let log = &task.log()?.reading;
    (!is_stale(task, log)).then_some(log)
}

/// True if the log was last written before the newest attempt began.
pub fn is_stale(task: &Evidence, log: &Reading) -> bool {
    log.modified.zip(task.started).is_some_and(|(at, start)| at.unix() + STALE_LOG < start.unix())
}

/// What the log says of its newest attempt, in the order of the file; what was
/// survived and what names another job left out.
pub fn newest(log: &Reading) -> impl Iterator<Item = &Finding> {
    let last = log.findings().map(|finding| finding.attempt).max().unwrap_or(0);
    let last = log.attempts.last().map_or(last, |attempt| attempt.number.max(last));
    let counts = |finding: &Finding| !finding.survived && finding.set_aside.is_none();
    log.findings().filter(move |finding| finding.attempt == last && counts(finding))
}

/// True if a kill was for memory, as far as nothing speaks against it: what it
/// asked for would tell.
pub fn may_be_memory(task: &Evidence) -> bool {
    let likely = |why: Why<'_>| why.class == "host-oom" && why.confidence == Confidence::Likely;
    task.steps.max_rss.is_some() && why(task).is_some_and(likely)
}

/// True if the most that it was seen to use is less than half of what it asked for.
/// That is a sample, so it proves nothing; but neither is the kill one for memory.
fn is_far_below_its_memory(task: &Evidence) -> bool {
    task.asked_memory.zip(task.steps.max_rss).is_some_and(|(asked, seen)| seen.0 < asked.0 / 2)
}

/// A shell's bare "Killed".
fn killed(log: Option<&Reading>) -> Option<&Finding> {
    newest(log?).find(|finding| finding.class == "killed-unconfirmed")
}

/// True if the class is a way in which Slurm itself ends jobs.
fn is_of_slurm(class: &str) -> bool {
    matches!(
        class,
        "time-limit" | "preempted" | "node-fail" | "cancelled" | "requeued" | "task-failure" | "teardown"
    )
}

/// A root is sure unless something before it, in the same attempt, was not read.
fn confidence(log: &Reading, root: &Finding) -> Confidence {
    let from = log.attempts.iter().find(|span| span.number == root.attempt).map_or(0, |span| span.from);
    let gap = log.unread.iter().any(|gap| gap.from < root.offset && gap.to > from);
    if gap { Confidence::Likely } else { Confidence::Sure }
}

impl<'a> Why<'a> {
    /// What makes it similar to others.
    pub fn key(&self) -> Key<'a> {
        if let Some(plan) = self.plan() {
            return Key::Plan(&plan.hash);
        }
        match self.finding {
            _ if DECIDED_OUTSIDE.contains(&self.class) => Key::Class(self.class),
            Some(finding) if self.by_log => Key::Print(finding.fingerprint.as_str()),
            _ => Key::Bare(self.class, self.task.state, self.task.exit),
        }
    }

    /// The plan that cancelled it.
    fn plan(&self) -> Option<&'a ByPlan> {
        self.task.cancelled_by_plan.as_deref().filter(|_| self.class == "cancelled")
    }

    /// The cause in words.
    pub fn explain(&self, table: &Table) -> Cause {
        let row = self.finding.filter(|_| self.by_log).and_then(|finding| table.pattern(&finding.pattern));
        let row = row.filter(|row| row.class == self.class);
        let (meaning, action, retry) = of_class(self.class);
        let (meaning, action) = match self.plan() {
            Some(_) => ("a plan of this repository cancelled it", BY_PLAN),
            None => (meaning, action),
        };
        let (meaning, action, retry) = row
            .map_or((meaning, action, retry), |row| (row.meaning.as_str(), row.action.as_str(), row.retry));
        Cause {
            class: self.class.to_owned(),
            fingerprint: self.finding.filter(|_| self.by_log).map(|finding| finding.fingerprint.clone()),
            confidence: self.confidence,
            retry,
            sentence: self.sentence(meaning),
            meaning: meaning.to_owned(),
            action: action.to_owned(),
            evidence: self.lines(),
            node_list: self.task.node_list.to_string(),
        }
    }

    fn sentence(&self, meaning: &str) -> String {
        let Some(finding) = self.finding.filter(|_| self.by_log) else {
            let told = self.account.sentence(self.task);
            return match self.unread() {
                Some(unread) if self.confidence == Confidence::Open => format!("{told}; {unread}"),
                _ => told,
            };
        };
        let what =
            finding.exception.as_deref().map(|exception| format!(" ({exception})")).unwrap_or_default();
        let at = finding.frame.as_deref().map(|frame| format!(" in {frame}")).unwrap_or_default();
        let ended = outcome(self.task);
        match (self.class, finding.class.as_str()) {
            ("host-oom", "killed-unconfirmed") => {
                let told = self.account.sentence(self.task);
                format!("a process was killed and {told}: most likely main memory ran out")
            }
            _ if matches!(self.account, Account::TimeLimit | Account::Deadline | Account::Cancelled) => {
                let later = self.account.sentence(self.task);
                format!("{meaning}{what}{at}; later {later}")
            }
            ("killed-unconfirmed", _) if is_far_below_its_memory(self.task) => {
                let told = self.account.sentence(self.task);
                let (seen, asked) = (self.task.steps.max_rss, self.task.asked_memory);
                let (seen, asked) = (seen.unwrap_or_default(), asked.unwrap_or_default());
                format!(
                    "a process was killed and {told}, seen using {seen} of the {asked} asked for: hardly for memory"
                )
            }
            _ => format!("{meaning}{what}{at}; accounting says {ended}"),
        }
    }

    /// What was not read and might say more.
    fn unread(&self) -> Option<String> {
        let said = |why: &str| if why.is_empty() { String::new() } else { format!(" ({why})") };
        let Some(looked) = self.task.looked.as_deref() else {
            return Some("its log was not read".to_owned());
        };
        match &looked.log {
            Known::Unknown(why) | Known::NotApplicable(why) => {
                Some(format!("its log was not read{}", said(why)))
            }
            Known::Known(log) if is_stale(self.task, &log.reading) => {
                Some("its log was last written before this attempt began".to_owned())
            }
            Known::Known(log) if log.reading.size == 0 => Some("its log is empty".to_owned()),
            Known::Known(log) if log.reading.elsewhere.is_some() => {
                Some("the cause that its log names stands in a part that may be another job's".to_owned())
            }
            Known::Known(log) if log.reading.root.as_ref().is_some_and(|root| is_denied(self.task, root)) => {
                Some("its log tells of another end, which accounting denies".to_owned())
            }
            Known::Known(log) => {
                let unread: u64 = log
                    .reading
                    .unread
                    .iter()
                    .map(|gap| gap.to.saturating_sub(gap.from))
                    .fold(0, u64::saturating_add);
                Some(match unread {
                    0 => "its log has no line that says why".to_owned(),
                    bytes => {
                        format!("what was read of its log says nothing, and {bytes} bytes were not read")
                    }
                })
            }
        }
    }

    fn lines(&self) -> Vec<Line> {
        let mut lines: Vec<Line> =
            self.finding.iter().filter_map(|finding| of_finding(self.task, finding)).collect();
        let told = Line::said(Source::Sacct, told(self.task));
        // Where nobody knows whose the log's line is, that line is what to look at.
        let log_first = self.by_log || self.class == "uncertain";
        lines.insert(if log_first { lines.len() } else { 0 }, told);
        // Other lines of the newest attempt that tell something of their own.
        let shown = self.finding.map(|finding| finding.offset);
        let telling = |finding: &&Finding| {
            matches!(finding.role, Role::Root | Role::Cascade | Role::Evidence)
                && Some(finding.offset) != shown
        };
        if let Some(log) = readable(self.task) {
            lines.extend(
                newest(log).filter(telling).take(2).filter_map(|finding| of_finding(self.task, finding)),
            );
        }
        lines
    }
}

/// A finding of the task's log as a line of evidence.
pub fn of_finding(task: &Evidence, finding: &Finding) -> Option<Line> {
    let log = task.log()?;
    Some(Line {
        source: Source::Log,
        text: finding.text.clone(),
        file: Some(log.reading.path.clone()),
        line: finding.line,
        offset: Some(finding.offset),
    })
}
