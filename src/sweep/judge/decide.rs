//! Health and decision, with the sentences that led there.

use super::groups::percent;
use super::{CauseGroup, Decision, HardStop, Health, Judgement, Reason, Rules, Spread, StopRule};
use crate::cluster::{Outlook, State};
use crate::joblog::Retry;
use crate::sweep::contradiction::Contradiction;
use crate::sweep::{Line, Members, Outage, Sweep};
use crate::terms::{self, by_number};

/// Mistakes of environment, paths or request.
const CONFIGURATION: [&str; 10] = [
    "config-error",
    "missing-module",
    "missing-lib",
    "env-mismatch",
    "env-activation",
    "permission",
    "log-path",
    "submit-rejected",
    "gpu-missing",
    "never-starts",
];
/// What the same code does again with the same data.
const DETERMINISTIC: [&str; 6] = ["code", "code-or-data", "exception", "crash", "ckpt-mismatch", "diverged"];
/// So many tasks it takes for a hard stop.
const STOP_AT_LEAST: usize = 3;
/// So many lines of evidence go with a sentence.
const LINES: usize = 2;

/// Fills in hard stops, reasons, health and decision.
pub fn decide(sweep: &Sweep, judgement: &mut Judgement, rules: &Rules<'_>) {
    judgement.hard_stops = hard_stops(judgement, rules);
    let mut reasons: Vec<Reason> = Vec::new();
    for stop in &judgement.hard_stops {
        let evidence = examples(judgement, &stop.tasks);
        reasons.push(reason(Health::Systemic, Decision::Intervene, stop.text.clone(), evidence));
    }
    reasons.extend(bands(sweep, judgement, rules));
    reasons.extend(learning(judgement, rules));
    reasons.extend(suspects(judgement, rules));
    reasons.extend(wasted(judgement));
    reasons.extend(nodes(judgement));
    reasons.extend(waiting(sweep));
    // Stable: of equals the first said stays first.
    reasons.sort_by_key(|reason| std::cmp::Reverse((reason.decision, reason.health)));
    judgement.health = reasons.iter().map(|reason| reason.health).max().unwrap_or(Health::Healthy);
    judgement.decision =
        reasons.iter().map(|reason| reason.decision).max().unwrap_or(Decision::NoIntervention);
    judgement.reasons = reasons;
}

fn reason(health: Health, decision: Decision, text: String, evidence: Vec<Line>) -> Reason {
    Reason { health, decision, text, evidence }
}

fn finished_tasks(count: usize) -> String {
    terms::counted(count, "finished task")
}

/// The shares of similar failures against the bands.
fn bands(sweep: &Sweep, judgement: &Judgement, rules: &Rules<'_>) -> Vec<Reason> {
    let settings = rules.settings;
    let (counted, failed) = (judgement.counted, judgement.failed);
    let (watch, intervene) = (usize::from(settings.watch_percent), usize::from(settings.intervene_percent));
    let aside = match judgement.finished.saturating_sub(counted) {
        0 => String::new(),
        aside => format!("; {aside} cancelled or preempted aside"),
    };
    if counted == 0 {
        let text = format!("no task has finished yet{aside}");
        return vec![reason(Health::Healthy, Decision::NoIntervention, text, Vec::new())];
    }
    let Some(largest) = judgement.groups.first() else {
        let text = match counted {
            1 => format!("the one finished task did not fail{aside}"),
            _ => format!("none of {} failed{aside}", finished_tasks(counted)),
        };
        return vec![reason(Health::Healthy, Decision::NoIntervention, text, Vec::new())];
    };
    let alike = |group: &CauseGroup| {
        let CauseGroup { count, percent, .. } = group;
        format!(
            "{count} of {} ({percent} %{aside}) {}, {}",
            finished_tasks(counted),
            by_number(*count, "failed", "failed alike"),
            group.cause.class
        )
    };
    let lines = |group: &CauseGroup| group.cause.evidence.iter().take(LINES).cloned().collect();
    if counted < settings.least_finished {
        let is_over = sweep.total.is_some_and(|total| sweep.finished >= total);
        let early = match is_over {
            true => "so they are too few to judge by",
            false => "so it is too early to judge",
        };
        let text = format!(
            "{}; the bands apply from {} finished tasks on, {early}",
            alike(largest),
            settings.least_finished
        );
        // Most of them in the same way is worth a look, whatever the number; and what is over and failed
        // for the most part is not well, however few they are.
        let most = largest.count * 2 > counted;
        let (health, decision) = match (most, failed * 2 > counted) {
            (true, _) if largest.count >= STOP_AT_LEAST => (Health::Degraded, Decision::Watch),
            (_, true) if is_over => (Health::Degraded, Decision::Watch),
            (_, true) => (Health::Degraded, Decision::NoIntervention),
            // As few as they are, it is more than would do of many: no word of health.
            (_, false) if failed * 100 > watch * counted => (Health::Unjudged, Decision::NoIntervention),
            (_, false) => (Health::Healthy, Decision::NoIntervention),
        };
        return vec![reason(health, decision, text, lines(largest))];
    }
    let mut reasons = Vec::new();
    for group in &judgement.groups {
        if group.count * 100 >= intervene * counted && intervene > 0 {
            let text = format!("{}: {intervene} % or more", alike(group));
            // One exit code has many causes: those whose logs nobody read may have nothing in common.
            let known = group.count - group.unread.min(group.count);
            if known * 100 >= intervene * counted {
                reasons.push(reason(Health::Systemic, Decision::Intervene, text, lines(group)));
            } else {
                let text = format!(
                    "{text}, but by state and exit code alone: the logs of {} were not read",
                    group.unread
                );
                reasons.push(reason(Health::Degraded, Decision::Watch, text, lines(group)));
            }
        } else if group.count * 100 > watch * counted {
            let text = format!("{}: over {watch} %", alike(group));
            reasons.push(reason(Health::Degraded, Decision::Watch, text, lines(group)));
        }
    }
    if !reasons.is_empty() {
        return reasons;
    }
    // Not similar, and yet many: of one class in different words, or of everything.
    let mut classes: Vec<(&str, usize)> = Vec::new();
    for group in &judgement.groups {
        match classes.iter_mut().find(|(class, _)| *class == group.cause.class) {
            Some((_, count)) => *count += group.count,
            None => classes.push((&group.cause.class, group.count)),
        }
    }
    classes.retain(|(_, count)| count * 100 >= intervene * counted);
    for (class, count) in classes {
        let text = format!(
            "{count} of {} ({} %{aside}) failed with {class}, in different ways",
            finished_tasks(counted),
            percent(count, counted)
        );
        reasons.push(reason(Health::Degraded, Decision::Watch, text, lines(largest)));
    }
    if reasons.is_empty() && failed * 100 >= intervene * counted {
        let text = format!(
            "{failed} of {} ({} %{aside}) failed, of {}; the largest has {} ({} %)",
            finished_tasks(counted),
            percent(failed, counted),
            by_number(
                judgement.groups.len(),
                "one cause".to_owned(),
                format!("{} causes", judgement.groups.len())
            ),
            largest.count,
            largest.percent
        );
        reasons.push(reason(Health::Degraded, Decision::Watch, text, lines(largest)));
    }
    if reasons.is_empty() {
        let text = format!("{}: up to {watch} % is to be expected", alike(largest));
        reasons.push(reason(Health::Healthy, Decision::NoIntervention, text, lines(largest)));
    }
    reasons
}

fn hard_stops(judgement: &Judgement, rules: &Rules<'_>) -> Vec<HardStop> {
    let counted = judgement.counted;
    let most = |count: usize| count >= STOP_AT_LEAST && count * 2 > counted;
    let mut stops = Vec::new();
    let is_configuration = |group: &&CauseGroup| {
        let class = group.cause.class.as_str();
        let everywhere = matches!(group.spread, Spread::All) && group.cause.retry == Retry::FixFirst;
        CONFIGURATION.contains(&class) || class == "missing-path" && everywhere
    };
    let (tasks, classes) = gather(judgement.groups.iter().filter(is_configuration));
    if most(tasks.len()) {
        let text = format!(
            "a configuration error in most: {} of {} ({} %), {classes}",
            tasks.len(),
            finished_tasks(counted),
            percent(tasks.len(), counted)
        );
        stops.push(HardStop { rule: StopRule::ConfigurationError, text, tasks });
    }
    for group in &judgement.groups {
        if !DETERMINISTIC.contains(&group.cause.class.as_str()) || group.cause.fingerprint.is_none() {
            continue;
        }
        let repeats = group.repeated >= STOP_AT_LEAST
            && counted >= rules.settings.least_finished
            && group.count * 100 > usize::from(rules.settings.watch_percent) * counted;
        if most(group.count) || repeats {
            let again = match group.repeated {
                0 => String::new(),
                repeated => format!(", {repeated} of them in an earlier attempt too"),
            };
            let text = format!(
                "a deterministic crash: {} of {} ({} %) with one fingerprint{again}",
                group.count,
                finished_tasks(counted),
                group.percent
            );
            stops.push(HardStop { rule: StopRule::DeterministicCrash, text, tasks: group.tasks.clone() });
        }
    }
    let invalid = judgement.suspects();
    let band = invalid.len() * 100 >= usize::from(rules.settings.intervene_percent) * counted
        && counted >= rules.settings.least_finished;
    if invalid.len() >= STOP_AT_LEAST && (band || most(invalid.len())) {
        let text = format!(
            "invalid outputs: {} of {} ({} %) completed, and what was read contradicts it",
            invalid.len(),
            finished_tasks(counted),
            percent(invalid.len(), counted)
        );
        stops.push(HardStop { rule: StopRule::InvalidOutputs, text, tasks: invalid });
    }
    stops
}

/// The tasks of several groups, and their classes in words.
fn gather<'a>(groups: impl Iterator<Item = &'a CauseGroup>) -> (Members, String) {
    let mut tasks = Members::default();
    let mut classes: Vec<&str> = Vec::new();
    for group in groups {
        tasks.0 = tasks.0.union(&group.tasks.0);
        if !classes.contains(&group.cause.class.as_str()) {
            classes.push(&group.cause.class);
        }
    }
    (tasks, classes.join(", "))
}

/// Lines that show what is the matter with some of these tasks.
fn examples(judgement: &Judgement, tasks: &Members) -> Vec<Line> {
    let of_groups = judgement.groups.iter().filter(|group| tasks.0.contains(group.example));
    let of_suspects = judgement.contradictions.iter().filter(|found| found.kind.spoils_result());
    let shared = |found: &&Contradiction| !found.tasks.0.intersection(&tasks.0).is_empty();
    of_groups
        .filter_map(|group| group.cause.evidence.first())
        .chain(of_suspects.filter(shared).filter_map(|found| found.evidence.first()))
        .take(LINES)
        .cloned()
        .collect()
}

fn learning(judgement: &Judgement, rules: &Rules<'_>) -> Option<Reason> {
    let learning = judgement.learning.as_ref()?;
    let told = learning.sentence();
    Some(if learning.collapsed {
        let collapse = rules.settings.collapse_percent;
        let text = format!("the learning value has collapsed: {told}; {collapse} % or more is too much");
        reason(Health::Systemic, Decision::Intervene, text, Vec::new())
    } else {
        reason(Health::Healthy, Decision::NoIntervention, told, Vec::new())
    })
}

/// Completed tasks that may be worth nothing.
fn suspects(judgement: &Judgement, rules: &Rules<'_>) -> Option<Reason> {
    let suspects = judgement.suspects();
    if suspects.is_empty() {
        return None;
    }
    let many = suspects.len() * 100 > usize::from(rules.settings.watch_percent) * judgement.counted
        && judgement.counted >= rules.settings.least_finished;
    let text = format!(
        "{} {} contradicted by what was read beside {} state ({} % of {})",
        terms::counted(suspects.len(), "completed task"),
        by_number(suspects.len(), "is", "are"),
        by_number(suspects.len(), "its", "their"),
        percent(suspects.len(), judgement.counted),
        finished_tasks(judgement.counted)
    );
    let (health, decision) = match many {
        true => (Health::Degraded, Decision::Watch),
        false => (Health::Healthy, Decision::NoIntervention),
    };
    Some(reason(health, decision, text, examples(judgement, &suspects)))
}

/// Tasks that hold nodes and do nothing with them.
fn wasted(judgement: &Judgement) -> Vec<Reason> {
    let wasted = judgement.contradictions.iter().filter(|found| found.kind.wastes());
    let said = |found: &Contradiction| {
        let text = format!("{}: {}", terms::counted(found.tasks.len(), "task"), found.sentence);
        reason(Health::Degraded, Decision::Watch, text, found.evidence.iter().take(LINES).cloned().collect())
    };
    wasted.map(said).collect()
}

fn nodes(judgement: &Judgement) -> Option<Reason> {
    if judgement.nodes.is_empty() {
        return None;
    }
    let nodes: Vec<String> = judgement
        .nodes
        .iter()
        .take(8)
        .map(|node| format!("{} ({} of {})", node.node, node.failed, node.finished))
        .collect();
    let more = judgement.nodes.len().saturating_sub(nodes.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = format!("nodes on which more failed than elsewhere: {}{more}", nodes.join(", "));
    Some(reason(Health::Healthy, Decision::NoIntervention, text, Vec::new()))
}

/// Waiting never counts against a sweep, unless it is for what will never be;
/// those tasks are a group of their own where their number is known.
fn waiting(sweep: &Sweep) -> Vec<Reason> {
    let mut reasons = Vec::new();
    for waiting in &sweep.waiting {
        match (waiting.outlook, &waiting.tasks) {
            (Outlook::Never, None) => {
                let text = format!("an unknown number of tasks can never start: {}", waiting.reason);
                reasons.push(reason(Health::Degraded, Decision::Watch, text, Vec::new()));
            }
            (Outlook::Never, Some(tasks)) if !tasks.is_empty() => {
                let text =
                    format!("{} can never start: {}", terms::counted(tasks.len(), "task"), waiting.reason);
                reasons.push(reason(Health::Degraded, Decision::Watch, text, Vec::new()));
            }
            (Outlook::Blocked, tasks) => {
                let count = tasks.as_ref().map_or_else(
                    || "an unknown number of tasks wait".to_owned(),
                    |tasks| {
                        format!(
                            "{} {}",
                            tasks.len(),
                            if tasks.len() == 1 { "task waits" } else { "tasks wait" }
                        )
                    },
                );
                let nodes: Vec<String> = waiting.nodes.iter().map(Outage::in_words).collect();
                let what = if nodes.is_empty() { waiting.reason.clone() } else { nodes.join(", ") };
                let text = format!("{count} for what is not in service: {what}");
                // Nodes of which none is seen to be down may be kept for a maintenance.
                let is_seen = !nodes.is_empty() || !waiting.reason.starts_with("ReqNodeNotAvail");
                let (health, decision) = match is_seen {
                    true => (Health::Degraded, Decision::Watch),
                    false => (Health::Healthy, Decision::NoIntervention),
                };
                reasons.push(reason(health, decision, text, Vec::new()));
            }
            _ => {}
        }
    }
    let live = |wanted: fn(State) -> bool| -> usize {
        sweep.states.iter().filter(|(state, _)| wanted(**state)).map(|(_, count)| count).sum()
    };
    let (running, pending) = (live(State::is_running), live(State::is_waiting));
    if running + pending > 0 {
        let text = format!("{running} run, {pending} wait");
        reasons.push(reason(Health::Healthy, Decision::NoIntervention, text, Vec::new()));
    }
    reasons
}
