//! Which failures are similar, and how many of how many.

use std::collections::{BTreeMap, HashMap};

use super::odds::Odds;
use super::spread::{Grid, blamed};
use super::{CauseGroup, NodeCount, Rules, Spread};
use crate::cluster::{Outlook, Reason, State};
use crate::joblog::Retry;
use crate::sweep::cause::{Confidence, Key, Why, newest, why};
use crate::sweep::{Cause, Evidence, Line, Members, Source, Sweep};
use crate::terms::{JobId, Known, TaskIds, counted};

/// The class of tasks that can never start as they are.
const NEVER: &str = "never-starts";
/// So many reasons for not reading are told apart.
const NOT_READ: usize = 12;

/// The tasks of a sweep by how they ended.
pub struct Count<'a> {
    /// How many are over, in whatever way.
    pub finished: usize,
    completed: Vec<&'a Evidence>,
    failed: BTreeMap<Key<'a>, Gathered<'a>>,
    aside: BTreeMap<Key<'a>, Gathered<'a>>,
    never: Vec<CauseGroup>,
    /// Tasks that ended together before they started, by outcome.
    together: Vec<CauseGroup>,
}

/// Tasks that are similar.
pub struct Gathered<'a> {
    /// What shows the cause best.
    why: Why<'a>,
    tasks: Vec<&'a Evidence>,
    repeated: usize,
    likely: TaskIds,
}

impl<'a> Count<'a> {
    /// Sorts the tasks, which come in rising order.
    pub fn of(sweep: &Sweep, order: &[&'a Evidence], rules: &Rules<'_>) -> Count<'a> {
        let mut count = Count {
            finished: sweep.finished,
            completed: Vec::new(),
            failed: BTreeMap::new(),
            aside: BTreeMap::new(),
            never: Vec::new(),
            together: Vec::new(),
        };
        for task in order {
            if task.state == State::Completed {
                count.completed.push(task);
            } else if let Some(why) = why(task) {
                let side = if is_aside(task.state) { &mut count.aside } else { &mut count.failed };
                side.entry(why.key())
                    .and_modify(|group| group.add(why))
                    .or_insert_with(|| Gathered::new(why));
            }
        }
        count.never = never(sweep);
        count.together = together(sweep, order, rules);
        count
    }

    /// How many tasks the shares are of.
    pub fn counted(&self) -> usize {
        self.completed.len() + self.failed()
    }

    /// How many of those failed.
    pub fn failed(&self) -> usize {
        self.failed.values().map(|group| group.tasks.len()).sum::<usize>()
            + self.never.iter().map(|group| group.count).sum::<usize>()
    }

    /// The failures, what is aside, and the nodes to blame.
    pub fn groups(mut self, rules: &Rules<'_>) -> (Vec<CauseGroup>, Vec<CauseGroup>, Vec<NodeCount>) {
        let counted = self.counted();
        let odds = Odds::new(counted);
        let tasks = || {
            self.completed
                .iter()
                .copied()
                .chain(self.failed.values().flat_map(|group| group.tasks.iter().copied()))
        };
        let grid = Grid::of(tasks, rules.parameters);
        let mut failed: Vec<(CauseGroup, &[&Evidence])> = self
            .failed
            .values()
            .map(|group| (group.cause_group(rules, counted), group.tasks.as_slice()))
            .collect();
        sort(&mut failed, |(group, _)| group);
        for (at, (group, tasks)) in failed.iter_mut().enumerate() {
            group.nodes = grid.most(tasks);
            group.spread = grid.spread(&group.cause.class, tasks, at, counted, &odds);
            by_spread(group);
        }
        let nodes = blamed(&grid, &failed, counted, &odds);
        let mut groups: Vec<CauseGroup> = failed.into_iter().map(|(group, _)| group).collect();
        for mut group in std::mem::take(&mut self.never) {
            group.percent = percent(group.count, counted);
            if group.count == counted && group.count > 1 {
                group.spread = Spread::All;
            }
            groups.push(group);
        }
        sort(&mut groups, |group| group);
        let finished = self.finished;
        let mut aside: Vec<CauseGroup> = self
            .aside
            .values()
            .map(|group| CauseGroup { nodes: grid.most(&group.tasks), ..group.cause_group(rules, finished) })
            .collect();
        for mut group in self.together {
            group.percent = percent(group.count, finished);
            aside.push(group);
        }
        sort(&mut aside, |group| group);
        (groups, aside, nodes)
    }
}

/// Most tasks first; what is equal by its first task.
fn sort<T>(groups: &mut [T], group: impl Fn(&T) -> &CauseGroup) {
    groups.sort_by_key(|item| {
        let group = group(item);
        (std::cmp::Reverse(group.count), group.tasks.0.ranges().first().copied(), group.cause.class.clone())
    });
}

impl<'a> Gathered<'a> {
    fn new(why: Why<'a>) -> Gathered<'a> {
        let mut group = Gathered { why, tasks: Vec::new(), repeated: 0, likely: TaskIds::default() };
        group.add(why);
        group
    }

    fn add(&mut self, why: Why<'a>) {
        self.tasks.push(why.task);
        self.repeated += usize::from(is_repeated(&why));
        if why.confidence != Confidence::Sure {
            self.likely.push(why.task.member);
        }
        // Of equals the first task stays.
        let rank = |why: &Why<'_>| (why.confidence, why.finding.is_none());
        if rank(&why) < rank(&self.why) {
            self.why = why;
        }
    }

    fn cause_group(&self, rules: &Rules<'_>, of: usize) -> CauseGroup {
        let mut tasks = TaskIds::default();
        self.tasks.iter().for_each(|task| tasks.push(task.member));
        CauseGroup {
            cause: self.why.explain(rules.table),
            example: self.why.task.member,
            count: tasks.len(),
            percent: percent(tasks.len(), of),
            spread: if tasks.len() == 1 { Spread::Single } else { Spread::Scattered },
            tasks: Members(tasks),
            nodes: Vec::new(),
            repeated: self.repeated,
            unconfirmed: Members(match self.why.confidence {
                Confidence::Sure => self.likely.clone(),
                _ => TaskIds::default(),
            }),
            unread: match self.why.confidence {
                Confidence::Open => self.tasks.iter().filter(|task| task.log().is_none()).count(),
                Confidence::Sure | Confidence::Likely => 0,
            },
        }
    }
}

/// True if an earlier attempt in the same log failed in the same way.
fn is_repeated(why: &Why<'_>) -> bool {
    let Some((finding, log)) = why.finding.zip(why.task.log()).filter(|_| why.by_log) else { return false };
    let earlier = |other: &crate::joblog::Finding| {
        other.attempt < finding.attempt && !other.survived && other.fingerprint == finding.fingerprint
    };
    newest(&log.reading).any(|other| std::ptr::eq(other, finding)) && log.reading.findings().any(earlier)
}

/// What the spread says of a cause that could be a task's own or everybody's.
fn by_spread(group: &mut CauseGroup) {
    let cause = &mut group.cause;
    if cause.retry != Retry::ByCause || cause.confidence == Confidence::Open {
        return;
    }
    let (retry, action) = match &group.spread {
        Spread::All => (Retry::FixFirst, "it hits every task: mend it before anything is started again"),
        Spread::Corner { .. } => {
            (Retry::FixFirst, "it goes with these parameters: mend it, or leave that part of the space out")
        }
        Spread::Nodes { .. } => (Retry::Resume, "it goes with these nodes: resume elsewhere"),
        Spread::Scattered | Spread::Single => {
            (Retry::Once, "once more for one task; if it comes back, mend it")
        }
    };
    cause.retry = retry;
    cause.action = format!("{}; {action}", cause.action);
}

/// In percent, with one decimal.
pub fn percent(part: usize, of: usize) -> f64 {
    if of == 0 { 0.0 } else { (part as f64 * 1000.0 / of as f64).round() / 10.0 }
}

/// Neither success nor failure of the task itself.
fn is_aside(state: State) -> bool {
    matches!(state, State::Cancelled | State::Preempted | State::Revoked)
}

/// Tasks that wait for what will never be.
fn never(sweep: &Sweep) -> Vec<CauseGroup> {
    let waiting = sweep.waiting.iter().filter(|waiting| waiting.outlook == Outlook::Never);
    let mut groups = Vec::new();
    for waiting in waiting {
        let Some(tasks) = waiting.tasks.clone().filter(|tasks| !tasks.is_empty()) else { continue };
        let reason = Reason::of(&waiting.reason);
        groups.push(CauseGroup {
            cause: Cause {
                class: NEVER.to_owned(),
                fingerprint: None,
                confidence: Confidence::Sure,
                retry: Retry::FixFirst,
                sentence: format!("it can never start: {}", reason.words),
                meaning: "it waits for something that will not come".to_owned(),
                action: reason.advice.to_owned(),
                evidence: vec![Line::said(Source::Squeue, format!("PENDING ({})", waiting.reason))],
                node_list: String::new(),
            },
            example: tasks.0.ranges().first().map_or(0, |range| range.0),
            count: tasks.len(),
            tasks,
            percent: 0.0,
            spread: Spread::Scattered,
            nodes: Vec::new(),
            repeated: 0,
            unconfirmed: Members::default(),
            unread: 0,
        });
    }
    groups
}

/// Tasks of the sweep that are over and have no evidence of their own: they
/// were cancelled together before any of them started.
fn together(sweep: &Sweep, order: &[&Evidence], rules: &Rules<'_>) -> Vec<CauseGroup> {
    let mut known = TaskIds::default();
    order.iter().for_each(|task| known.push(task.member));
    let mut groups = Vec::new();
    for (outcome, members) in &sweep.look.tasks {
        let tasks = members.0.difference(&known);
        let Some(first) = tasks.ranges().first().map(|range| range.0).filter(|_| is_aside(outcome.state))
        else {
            continue;
        };
        let base = sweep.key.parse().unwrap_or(first);
        let mut task = Evidence::of(first, JobId::task(base, first));
        (task.state, task.exit) = (outcome.state, outcome.exit);
        let Some(why) = why(&task) else { continue };
        let count = tasks.len();
        let one = Gathered::new(why).cause_group(rules, count);
        groups.push(CauseGroup { tasks: Members(tasks), count, spread: Spread::Scattered, ..one });
    }
    groups
}

/// What was not read of tasks that failed or run, by reason.
pub fn not_read(order: &[&Evidence]) -> Vec<String> {
    let mut why_not: HashMap<(&str, &str), usize> = HashMap::new();
    for task in order.iter().filter(|task| task.state.is_failure()) {
        let Some(looked) = task.looked.as_deref() else {
            *why_not.entry(("log", "not looked for")).or_default() += 1;
            continue;
        };
        if let Known::Unknown(why) = &looked.log {
            *why_not.entry(("log", why)).or_default() += 1;
        }
        if let Known::Known(log) = &looked.log
            && !log.reading.unread.is_empty()
        {
            *why_not.entry(("log", "parts in the middle were left out")).or_default() += 1;
        }
    }
    let mut list: Vec<((&str, &str), usize)> = why_not.into_iter().collect();
    list.sort_by(|one, other| other.1.cmp(&one.1).then(one.0.cmp(&other.0)));
    let left = list.len().saturating_sub(NOT_READ);
    let mut lines: Vec<String> = list
        .iter()
        .take(NOT_READ)
        .map(|((what, why), count)| format!("the {what} of {}: {why}", counted(*count, "failed task")))
        .collect();
    if left > 0 {
        lines.push(format!("and {} for which logs were not read", counted(left, "further reason")));
    }
    lines
}
