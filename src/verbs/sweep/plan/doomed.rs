//! Which of the tasks that are not over will fail as others did, by the judgement.

use crate::cluster::{Outlook, Reason, State};
use crate::joblog::Retry;
use crate::sweep::plan::{Doomed, Subject};
use crate::sweep::{CauseGroup, Judgement, Spread, StopRule, corner, expand_nodes};
use crate::terms::TaskIds;
use crate::verbs::evidence::Gathered;

/// Classes that end a task where it stands, and not because of what it is: the
/// next one may end otherwise, or go on where it stopped.
const PASSING: [&str; 10] = [
    "time-limit",
    "preempted",
    "requeued",
    "noise",
    "node-fail",
    "node-unkillable",
    "port-clash",
    "rate-limit",
    "network",
    "filesystem",
];
/// Classes of nodes that fail: a task that comes forward on its own shows that
/// its node does not.
const OF_NODES: [&str; 3] = ["hardware", "node-fail", "node-unkillable"];
/// Classes of what lies around the tasks, a disk or the way out of the cluster:
/// one that waits would meet it, and one that comes forward may never, or not
/// before it is mended.
const AROUND: [&str; 3] = ["network-egress", "quota", "disk-full"];

/// The tasks that a cause awaits, each under the first that does: all of them
/// where everything fails so or a hard stop has most, else those in the corner
/// of the parameters, those that run on the nodes that are to blame, and those
/// that can never start. Beside them what to know, if there is anything.
///
/// A task that comes forward is spared where the cause lets others live, and
/// where it has come further than every task that failed so: it has passed the
/// place at which they did.
pub(super) fn doomed(
    judgement: &Judgement,
    subjects: &[Subject],
    gathered: &Gathered,
) -> (Vec<Doomed>, Option<String>) {
    let (parameters, alike) = (&gathered.parameters, alike(judgement, gathered));
    // What happened to jobs that are none of these says nothing of them.
    let members: TaskIds = subjects.iter().map(|one| one.member).collect();
    let is_ours = |tasks: &TaskIds| !tasks.intersection(&members).is_empty();
    let open: Vec<&Subject> = subjects
        .iter()
        .filter(|one| one.state.is_live() || !one.state.is_finished() || is_cut(one))
        .collect();
    let reached = |tasks: &TaskIds| {
        let own = subjects.iter().filter(|one| tasks.contains(one.member));
        own.filter_map(|one| one.last_step).max()
    };
    let mut found: Vec<Doomed> = Vec::new();
    let mut left: TaskIds = open.iter().map(|one| one.member).collect();
    let mut add = |cause: Option<usize>, tasks: TaskIds, why: String, on_nodes: bool| {
        let tasks = tasks.intersection(&left);
        if !tasks.is_empty() {
            left = left.difference(&tasks);
            found.push(Doomed { cause, tasks, why, on_nodes });
        }
    };
    for one in &open {
        let reason = Reason::of(&one.reason);
        if one.state.is_waiting() && reason.outlook == Outlook::Never {
            let why = format!("can never start: {}", reason.words);
            add(None, [one.member].into_iter().collect(), why, false);
        }
    }
    for (number, group) in judgement.groups.iter().enumerate().filter(|(_, group)| is_ours(&group.tasks.0)) {
        let place = reached(&group.tasks.0);
        let is_spared = |one: &Subject| comes_forward(one) && (lets_live(group) || one.last_step > place);
        let those = |wanted: &dyn Fn(&Subject) -> bool| -> TaskIds {
            open.iter().filter(|one| wanted(one) && !is_spared(one)).map(|one| one.member).collect()
        };
        let class = &group.cause.class;
        match &group.spread {
            Spread::All if !is_passing(group) && !OF_NODES.contains(&class.as_str()) => {
                let why = format!("every task that is over failed so, {class}");
                add(Some(number), those(&|_| true), why, false);
            }
            Spread::Corner { conditions, .. } if !is_passing(group) => {
                let in_corner = |one: &Subject| {
                    conditions.iter().all(|condition| {
                        let value = parameters.value(one.member, &condition.parameter);
                        value.is_some_and(|value| condition.values.iter().any(|bad| bad == value))
                    })
                };
                let why = format!("{class} where {}", corner(conditions));
                add(Some(number), those(&in_corner), why, false);
            }
            Spread::Nodes { nodes } if !is_passing(group) => {
                let is_bad = |name: &String| nodes.iter().any(|bad| bad.node == *name);
                let runs_there = |one: &Subject| {
                    one.state.is_running()
                        && !comes_forward(one)
                        && expand_nodes(&one.nodes).iter().any(is_bad)
                };
                let names: Vec<&str> = nodes.iter().map(|node| node.node.as_str()).collect();
                add(Some(number), those(&runs_there), format!("{class} on {}", names.join(", ")), true);
            }
            _ => {}
        }
    }
    // A hard stop has most of the tasks; one of a corner or of nodes has only those.
    for stop in &judgement.hard_stops {
        let of_it = |group: &&CauseGroup| !group.tasks.0.intersection(&stop.tasks.0).is_empty();
        let is_bound =
            |group: &CauseGroup| matches!(group.spread, Spread::Corner { .. } | Spread::Nodes { .. });
        let bound = judgement.groups.iter().filter(of_it).any(is_bound);
        let most = stop.tasks.len() * 2 > judgement.counted;
        // A setting that is another sweep's contradicts them all alike, too.
        if stop.rule == StopRule::InvalidOutputs && alike.is_some() {
            continue;
        }
        let passes = judgement.groups.iter().filter(of_it).all(is_passing) && !stop.tasks.is_empty();
        let by_outputs = stop.rule == StopRule::InvalidOutputs;
        if most && is_ours(&stop.tasks.0) && (by_outputs || !bound && !passes) {
            let cause = judgement.groups.iter().position(|group| of_it(&group));
            let (place, lets_live) =
                (reached(&stop.tasks.0), judgement.groups.iter().filter(of_it).all(lets_live));
            // What completes and is worth nothing is no matter of how far it came.
            let is_spared =
                |one: &Subject| !by_outputs && comes_forward(one) && (lets_live || one.last_step > place);
            let all = open.iter().filter(|one| !is_spared(one)).map(|one| one.member).collect();
            add(cause, all, stop.text.clone(), false);
        }
    }
    (found, alike)
}

/// What is said if the same contradicts every completed task that was looked at:
/// then what it is held against may be wrong.
fn alike(judgement: &Judgement, gathered: &Gathered) -> Option<String> {
    let completed = gathered.evidence.iter().filter(|one| one.state == State::Completed);
    let completed: TaskIds = completed.filter(|one| one.looked.is_some()).map(|one| one.member).collect();
    let mut spoilt = judgement.contradictions.iter().filter(|found| found.kind.spoils_result());
    let all =
        spoilt.find(|found| completed.difference(&found.tasks.0).is_empty() && !completed.is_empty())?;
    Some(format!(
        "every completed task that was looked at is contradicted alike ({}): what it is held against may be wrong, \
         a setting of another sweep for one, so nothing is cancelled for it",
        all.sentence
    ))
}

/// True for a task that was cancelled and may come back.
fn is_cut(one: &Subject) -> bool {
    one.state == State::Cancelled
}

/// True for a task that runs, and whose log speaks of its steps.
fn comes_forward(one: &Subject) -> bool {
    one.state.is_running() && one.last_step.is_some_and(|step| step > 0)
}

/// True for a cause that a task which comes forward need not meet: by its table
/// the same may go well a second time, or it lies around the tasks.
fn lets_live(group: &CauseGroup) -> bool {
    let again = matches!(
        group.cause.retry,
        Retry::Resume | Retry::Resubmit | Retry::Once | Retry::Ask | Retry::Nothing
    );
    again || is_passing(group) || AROUND.contains(&group.cause.class.as_str())
}

fn is_passing(group: &CauseGroup) -> bool {
    PASSING.contains(&group.cause.class.as_str())
}
