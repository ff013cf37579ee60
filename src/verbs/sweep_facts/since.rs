//! What changed in the sweeps of a document since it was made.

use std::sync::Arc;

use super::{facts, key};
use crate::cluster::Snapshot;
use crate::document::drift::{Class, Moved};
use crate::document::{SweepFact, SweepsFact, sweep_drift, sweep_lines};
use crate::safety::{clip, one_line};
use crate::sweep::plan::Purpose;
use crate::sweep::{self, Delta, Look, Members, Sweep};
use crate::terms::{Seconds, Time, by_number};
use crate::verbs::Context;
use crate::verbs::sweep::again::{self, Submitted};
use crate::verbs::sweep::records::{self, Done, Progress};
use crate::verbs::sweep::settle::Settled;

/// True if tasks of a sweep of the document were submitted again since, or
/// somebody said that one is settled, or took that back.
pub fn went_on(context: &Context, then: &SweepsFact) -> bool {
    let submitted = Submitted::read(Some(&context.home()));
    let settled = Settled::read(Some(&context.home()));
    then.listed.iter().any(|fact| {
        let was_settled = fact.standing.as_ref().is_some_and(|standing| !standing.settled.is_empty());
        submitted.continues(&fact.key) != fact.continued_by
            || settled.said_of(&fact.key, &fact.name).is_some() != was_settled
    })
}

/// The sweeps of a document in which tasks changed, looked at again: those of
/// which nothing moved are what they were, and cost nothing.
pub fn changed(
    context: &Context,
    then: &SweepsFact,
    snapshot: &Arc<Snapshot>,
    budget: Seconds,
) -> Vec<SweepFact> {
    let submitted = Submitted::read(Some(&context.home()));
    let mut today = sweep::sweeps(snapshot).sweeps;
    submitted.fold(&mut today);
    let settled = Settled::read(Some(&context.home()));
    let is_said_now = |sweep: &Sweep| {
        let said = settled.said_of(&sweep.key, &sweep.name).is_some();
        let then = then.listed.iter().find(|fact| fact.key == key(sweep));
        let then = then.and_then(|fact| fact.standing.as_ref());
        then.is_some_and(|then| then.settled.is_empty() == said)
    };
    let has_changed = |sweep: &Sweep| {
        let mut sweep = sweep.clone();
        submitted.count(&mut sweep, snapshot);
        if is_said_now(&sweep) {
            return true;
        }
        let delta = comparable(then, &submitted).find(|(fact, _)| fact.key == key(&sweep));
        delta.is_some_and(|(fact, look)| {
            let delta = Delta::between(&look, Some(&sweep.look));
            fact.standing.is_some() && !delta.is_empty() && !delta.id_reused
        })
    };
    let changed: Vec<Sweep> = today.into_iter().filter(has_changed).collect();
    facts(context, snapshot, changed, &submitted, budget)
}

/// What changed, in sentences: tasks, then health, decision and causes of those
/// sweeps that were looked at `again`.
pub fn moved(context: &Context, then: &SweepsFact, snapshot: &Snapshot, again: &[SweepFact]) -> Vec<Moved> {
    let submitted = Submitted::read(Some(&context.home()));
    let now = submitted.sweeps(snapshot).sweeps;
    let mut moved = Vec::new();
    for (fact, look) in comparable(then, &submitted) {
        let today = now.iter().find(|sweep| key(sweep) == fact.key);
        let delta = Delta::between(&look, today.map(|sweep| &sweep.look));
        let Some(what) = sentence(&delta, fact, today) else { continue };
        moved.push(Moved { class: Class::Sweeps, what: format!("{}: {what}", sweep_lines::name(fact)) });
        if let Some(again) = again.iter().find(|again| again.key == fact.key && !delta.id_reused) {
            moved.extend(sweep_drift::standing(fact, again));
        }
    }
    moved
}

/// The sweeps of a document that can be compared. One that had ended and left
/// the window of accounting has not moved, unless tasks of it were submitted again.
fn comparable<'t>(
    then: &'t SweepsFact,
    submitted: &'t Submitted,
) -> impl Iterator<Item = (&'t SweepFact, Look)> {
    let goes_on = |fact: &&SweepFact| fact.is_live() || submitted.continues(&fact.key) != fact.continued_by;
    let live = then.listed.iter().filter(goes_on).filter(|fact| !fact.tasks.is_empty());
    live.filter_map(|fact| Some((fact, look_of(fact)?)))
}

/// The stored form back as the room `sweep` compares it.
fn look_of(fact: &SweepFact) -> Option<Look> {
    let value = serde_json::json!({ "key": fact.key, "name": fact.name, "tasks": fact.tasks, "attempts": fact.attempts });
    serde_json::from_value(value).ok()
}

fn sentence(delta: &Delta, then: &SweepFact, today: Option<&Sweep>) -> Option<String> {
    if delta.is_empty() {
        return None;
    }
    if delta.id_reused {
        return Some("the id now belongs to another job (ids were reused)".to_owned());
    }
    let mut parts = Vec::new();
    let mut add = |what: &str, members: &Members| {
        if !members.is_empty() {
            parts.push(format!("{} {what} ({})", members.len(), clip(&members.to_string(), 80)));
        }
    };
    add("finished well", &delta.completed);
    for change in &delta.failed {
        add(&format!("failed, {}", change.now), &change.tasks);
    }
    for change in &delta.stopped {
        add(&format!("stopped, {}", change.now), &change.tasks);
    }
    add("requeued", &delta.requeued);
    add("started", &delta.started);
    add("new", &delta.added);
    add("left the queue, and accounting does not know their end yet", &delta.gone);
    if let Some(sweep) = today {
        // A sweep does not shrink; tasks that never started leave accounting.
        let total = sweep.total.map(|total| total as u64).max(then.total);
        let total = total.map_or("?".to_owned(), |total| total.to_string());
        parts.push(format!("now {} of {total} finished", sweep.finished));
    }
    Some(parts.join(", "))
}

/// Tasks of the document's sweeps that were submitted again since `made`, with
/// their new ids: by what `sweep plan --submit` wrote down.
///
/// What cannot be read of that is told, and stops nobody.
pub fn resubmitted(context: &Context, then: &SweepsFact, made: Time) -> Vec<Moved> {
    let mut moved = Vec::new();
    let untold = |what: String| Moved { class: Class::Sweeps, what: one_line(&what, 500) };
    let all = match records::all(&context.home()) {
        Ok(all) => all,
        Err(error) => return vec![untold(format!("which tasks were submitted again: {error}"))],
    };
    for fact in &then.listed {
        let family = match again::family_of(&all, &fact.key) {
            Ok(family) => family,
            Err(error) => {
                moved.push(untold(format!("{}: {error}", sweep_lines::name(fact))));
                continue;
            }
        };
        for record in family {
            // The minute of a document is no proof of order; what it names itself is told by its own facts.
            for line in record.lines.iter().filter(|_| record.at >= made) {
                let what = line_in_words(line).map(|what| {
                    format!("{}: {what} (plan {})", sweep_lines::name(fact), clip(&record.hash, 12))
                });
                moved.extend(what.map(|what| Moved { class: Class::Sweeps, what }));
            }
        }
    }
    moved
}

fn line_in_words(line: &Done) -> Option<String> {
    let noun = by_number(line.tasks.len(), "task", "tasks");
    let tasks = format!("{noun} {}", clip(&line.tasks.to_string(), 80));
    let were = by_number(line.tasks.len(), "was", "were");
    let ids: Vec<String> = line.ids.iter().take(8).map(u32::to_string).collect();
    let ids = match ids.as_slice() {
        [] => "under an id that is not known".to_owned(),
        [one] => format!("as job {one}"),
        more => format!("as jobs {}", more.join(", ")),
    };
    let verb = match line.purpose {
        Purpose::Cancel => format!("{were} cancelled"),
        Purpose::Resume => format!("{were} resumed"),
        Purpose::Start => format!("{were} started anew"),
    };
    match (line.state, line.purpose) {
        (Progress::Planned, _) => None,
        (Progress::Failed, _) if line.ids.is_empty() => {
            Some(format!("{tasks}: the line that was to run failed"))
        }
        (Progress::Began, _) => Some(format!("{tasks}: a line began, and nobody saw its end")),
        (_, Purpose::Cancel) => Some(format!("{tasks} {verb}")),
        _ => Some(format!("{tasks} {verb} {ids}")),
    }
}
