//! What a watch tells, line by line.

use super::lines::Lines;
use super::style::width;
use super::{Style, View, paint};
use crate::cluster::Outlook;
use crate::safety::{escape, one_line};
use crate::sweep::memory::{Change, Class, Place, Renamed};
use crate::sweep::{Decision, Health, Kind, TaskProgress};
use crate::terms::{Seconds, Time, counted};
use crate::verbs::watch::{Contract, End, Event, NextKind, Scope, State, Told, Until, Why};

/// How many characters of a list of tasks are shown; JSON has them all.
const LONGEST_LIST: usize = 120;
/// How many characters of a sentence are shown.
const LONGEST_SENTENCE: usize = 240;
/// How many causes the end names.
const MOST_CAUSES: usize = 8;
/// How far the second line of a change stands in.
const INDENT: usize = 7;
/// Of how many tasks a change names old and new id.
const MOST_RENAMED: usize = 4;
/// An answer no older is one of this moment.
const AT_ONCE: Seconds = Seconds(5);
/// How many sweeps the contract names.
const MOST: usize = 20;

/// True for what a run says in which nothing changed.
pub fn is_routine(event: &Event) -> bool {
    match event {
        Event::Contract(_) => true,
        Event::End(end) => end.changes == 0 && matches!(end.why, Why::Once | Why::Done),
        Event::Change(_) | Event::Trouble { .. } => false,
    }
}

/// One event as one line or a few.
pub fn text(view: &View, event: &Event) -> String {
    match event {
        Event::Contract(contract) => opening(view, contract),
        Event::Change(told) => change(view, told),
        Event::Trouble { at, what, is_over } => {
            let style = if *is_over { Style::Faint } else { Style::Watch };
            format!("{}  {}\n", clock(view, *at), paint(style, &escape(what)))
        }
        Event::End(end) => closing(view, end),
    }
}

fn opening(view: &View, contract: &Contract) -> String {
    let mut out = String::new();
    let mut lines = Lines { out: &mut out, width: view.width };
    let mut line = |label: &str, value: &str| lines.add(label, value);
    if contract.scope.is_empty() {
        line("watching", "nothing: no sweep runs or waits");
    }
    for (number, scope) in contract.scope.iter().take(MOST).enumerate() {
        line(if number == 0 { "watching" } else { "" }, &self::scope(view, scope));
    }
    if contract.scope.len() > MOST {
        line("", &format!("and {} more; --json names all", contract.scope.len() - MOST));
    }
    let posture = &contract.posture;
    line("posture", "some failures are expected");
    line(
        "",
        &format!(
            "over {} % similar ones of at least {} finished: watch; from {} % on: intervene",
            posture.watch_percent, posture.least_finished, posture.intervene_percent
        ),
    );
    let until = match contract.until {
        Until::Done => "nothing runs or waits any more",
        Until::Change => "anything changes",
        Until::Degraded => "a sweep is degraded",
        Until::Systemic => "a sweep is systemic",
    };
    line("until", until);
    if contract.once {
        line("horizon", "one look");
    } else {
        let ends = contract.ends_at.local(view.zone);
        line(
            "horizon",
            &format!("{} at most, until {ends}; what is known is kept", exactly(contract.horizon)),
        );
    }
    if contract.raised {
        line("cadence", &paint(Style::Watch, "raised to the floor of 60 s, which no option passes"));
    }
    let same =
        contract.cadence.windows(2).all(|two| (two[0].least, two[0].most) == (two[1].least, two[1].most));
    for (number, cadence) in contract.cadence.iter().take(if same { 1 } else { usize::MAX }).enumerate() {
        let (least, most) = (exactly(cadence.least), exactly(cadence.most));
        let label = if number == 0 && !contract.raised { "cadence" } else { "" };
        let calls = cadence.calls_per_hour;
        let when = if same { "whatever goes on" } else { cadence.pace.words() };
        line(label, &format!("{least} to {most} {when}: at most {} an hour", counted(calls, "call")));
    }
    let load = if contract.asks_slurm {
        format!(
            "at most {} to squeue an hour, shared by all watches of yours on this host",
            counted(contract.calls_per_hour, "question")
        )
    } else {
        "none: a state file is read".to_owned()
    };
    line("load", &load);
    if contract.asks_slurm {
        line("", "accounting is asked only for what left the queue");
    }
    out
}

fn scope(view: &View, scope: &Scope) -> String {
    let name = scope.name.as_deref().map(|name| one_line(name, 60)).unwrap_or_default();
    let what = match scope.kind {
        Kind::Array => format!("{name}, array {}", one_line(&scope.key, 20)),
        Kind::SharedName => format!("{}, all jobs of this name", one_line(&scope.key, 60)),
    };
    match scope.last_look {
        Some(time) => format!("{what}, from what was known {} ago", time.age(view.now)),
        None => format!("{what}, for the first time"),
    }
}

/// `1 h 30 min`, to the second: what somebody asked for is not rounded.
fn exactly(span: Seconds) -> String {
    let parts = [(span.0 / 3600, "h"), (span.0 / 60 % 60, "min"), (span.0 % 60, "s")];
    let parts: Vec<String> =
        parts.iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count} {unit}")).collect();
    if parts.is_empty() { "0 s".to_owned() } else { parts.join(" ") }
}

/// What is said of a single look that saw nothing new.
pub fn nothing_new(view: &View, end: &End) -> String {
    let queue = match end.as_of {
        Some(time) => format!("queue as of {}, {} old", plain_clock(view, time), exactly(time.age(end.at))),
        None => "it is not known from when the queue is".to_owned(),
    };
    let settled = end.sweeps.iter().filter_map(|state| Some((state, state.settled.as_ref()?)));
    let settled: String =
        settled.map(|(state, said)| format!("; {} is {said}", one_line(&state.key, 40))).collect();
    match end.sweeps.len() {
        0 => format!("no sweep runs or waits; {queue}"),
        count => format!("nothing new of {}; {queue}{settled}", counted(count, "sweep")),
    }
}

fn plain_clock(view: &View, at: Time) -> String {
    let local = at.local(view.zone);
    let is_today = local.get(..10) == view.now.local(view.zone).get(..10);
    if is_today { local.get(11..).unwrap_or(&local).to_owned() } else { local }
}

fn clock(view: &View, at: Time) -> String {
    let local = at.local(view.zone);
    paint(Style::Faint, local.get(11..).unwrap_or(&local))
}

fn change(view: &View, told: &Told) -> String {
    let name = one_line(&told.name, 24);
    let sweep = match told.kind {
        Kind::Array => format!("{name} {}", one_line(&told.key, 12)),
        Kind::SharedName => name,
    };
    let place = match &told.change {
        Change::Cause { cause, first: true, .. } => cause.place.as_ref(),
        Change::Finding { finding, .. } => finding.place.as_ref(),
        _ => None,
    };
    let place = place.map(|place| format!("{}{}\n", " ".repeat(INDENT), self::place(view, place)));
    format!("{}  {sweep}  {}\n{}", clock(view, told.at), in_words(&told.change), place.unwrap_or_default())
}

/// `logs/a.out:12: what stands there`.
fn place(view: &View, place: &Place) -> String {
    let file = view.path(&place.file);
    let at = match (place.line, place.offset) {
        (Some(line), _) => format!("{file}:{line}"),
        (None, Some(offset)) => format!("{file} at byte {offset}"),
        (None, None) => file,
    };
    match place.text.is_empty() {
        true => paint(Style::Faint, &at),
        false => format!("{} {}", paint(Style::Faint, &format!("{at}:")), one_line(&place.text, 160)),
    }
}

/// `step 300 of 1000, loss 0.41, 2 h to go`.
fn course(told: &TaskProgress) -> String {
    let mut parts = Vec::new();
    match (told.step, told.steps, told.epoch, told.epochs) {
        (Some(step), Some(steps), ..) => parts.push(format!("step {step} of {steps}")),
        (_, _, Some(epoch), Some(epochs)) => parts.push(format!("epoch {epoch:.1} of {epochs}")),
        (Some(step), ..) => parts.push(format!("step {step}")),
        (_, _, Some(epoch), _) => parts.push(format!("epoch {epoch:.1}")),
        _ => {}
    }
    parts.extend(told.loss.map(|loss| format!("loss {loss:.4}")));
    parts.extend(told.remaining.map(|span| format!("{span} to go")));
    parts.join(", ")
}

/// One change, with colours.
pub(super) fn in_words(change: &Change) -> String {
    let sentence = |text: &Option<String>| {
        text.as_deref().map(|text| format!(": {}", one_line(text, LONGEST_SENTENCE))).unwrap_or_default()
    };
    match change {
        Change::Seen { tasks, states } => {
            let states: Vec<String> =
                states.iter().map(|(state, count)| format!("{count} {state}")).collect();
            format!("{}: {}", counted(*tasks, "task"), states.join(", "))
        }
        Change::Tasks { class, outcome, tasks, ids } => {
            let (word, style) = match class {
                Class::Added => ("new", Style::Strong),
                Class::Started => ("started", Style::Strong),
                Class::Completed => ("completed", Style::Good),
                Class::Failed => ("failed", Style::Bad),
                Class::Stopped => ("stopped", Style::Watch),
                Class::Requeued => ("requeued", Style::Watch),
                Class::Gone => ("gone", Style::Watch),
            };
            let how = outcome.map(|outcome| format!(", {outcome}")).unwrap_or_default();
            let known = if *class == Class::Gone { ", neither queue nor accounting know them" } else { "" };
            format!(
                "{} {}: {}{}{how}{known}",
                paint(style, word),
                counted(tasks.len(), "task"),
                list(&tasks.to_string()),
                renamed(ids)
            )
        }
        Change::Resubmitted { tasks, ids } => {
            let word = paint(Style::Strong, "submitted again");
            format!("{word} {}: {}{}", counted(tasks.len(), "task"), list(&tasks.to_string()), renamed(ids))
        }
        Change::IdReused => paint(Style::Watch, "the id belongs to another job now"),
        Change::Cause { cause, new, first } => {
            let class = paint(Style::Bad, &one_line(&cause.class, 40));
            let text = one_line(&cause.sentence, LONGEST_SENTENCE);
            let all = cause.tasks.len();
            match first {
                true => {
                    format!(
                        "cause {class}, {}: {}: {text}",
                        counted(all, "task"),
                        list(&cause.tasks.to_string())
                    )
                }
                false => {
                    format!(
                        "cause {class} took {} more: {}; {all} now",
                        counted(new.len(), "task"),
                        list(&new.to_string())
                    )
                }
            }
        }
        Change::Finding { finding, new } => {
            let class = paint(Style::Watch, &one_line(&finding.class, 40));
            let text = one_line(&finding.sentence, LONGEST_SENTENCE);
            let all = finding.tasks.len();
            let all = if all > new.len() { format!("; {all} in all") } else { String::new() };
            format!("{class}, {}: {}: {text}{all}", counted(new.len(), "task"), list(&new.to_string()))
        }
        Change::Progress { mark, tasks, example } => {
            let example = example.as_ref().map(course).filter(|text| !text.is_empty());
            let example = example.map(|text| format!(" ({text})")).unwrap_or_default();
            let word = paint(Style::Strong, mark.words());
            format!(
                "{word} reached by {}: {}{example}",
                counted(tasks.len(), "task"),
                list(&tasks.to_string())
            )
        }
        Change::Stuck { reason, outlook } => {
            let what = match outlook {
                Outlook::Held => "waits until it is released",
                Outlook::Blocked => "waits for what is not in service",
                _ => "will never start as it is",
            };
            format!("{}: {}", paint(Style::Bad, what), one_line(reason, 100))
        }
        Change::Health { from, to, reason } => {
            let style = match to {
                Health::Healthy => Style::Good,
                Health::Unjudged | Health::Degraded => Style::Watch,
                Health::Systemic => Style::Bad,
            };
            let was = from.map(|from| format!("{} -> ", from.name())).unwrap_or_default();
            format!("health {was}{}{}", paint(style, to.name()), sentence(reason))
        }
        Change::Decision { from, to, reason } => {
            let style = match to {
                Decision::NoIntervention => Style::Good,
                Decision::Watch => Style::Watch,
                Decision::Intervene => Style::Bad,
            };
            let was = from.map(|from| format!("{} -> ", from.name())).unwrap_or_default();
            format!("decision {was}{}{}", paint(style, to.name()), sentence(reason))
        }
        Change::Missing { files } => {
            let first = files.first().map(|file| one_line(file, 100)).unwrap_or_default();
            let more = match files.len() {
                0 | 1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            format!("{} {first}{more}", paint(Style::Bad, "missing"))
        }
        Change::Results { results } => {
            let named: Vec<String> = results.missing.iter().take(2).map(|file| one_line(file, 100)).collect();
            let more = results.lacking().saturating_sub(named.len() as u64);
            let named = match (named.is_empty(), more) {
                (true, _) => String::new(),
                (false, 0) => format!(": {}", named.join(", ")),
                (false, more) => format!(": {} and {more} more", named.join(", ")),
            };
            let (lacking, expected) = (results.lacking(), results.expected);
            format!(
                "{} {lacking} of {}{named}",
                paint(Style::Bad, "missing"),
                counted(expected, "expected result")
            )
        }
        Change::Milestone { percent, finished, total } => format!("{percent} %: {finished} of {total} over"),
    }
}

/// ` (8_1 as 520_1)`, of the first few.
fn renamed(ids: &[Renamed]) -> String {
    let named: Vec<String> =
        ids.iter().take(MOST_RENAMED).map(|one| format!("{} as {}", one.first, one.now)).collect();
    match (named.is_empty(), ids.len().saturating_sub(MOST_RENAMED)) {
        (true, _) => String::new(),
        (false, 0) => format!(" ({})", named.join(", ")),
        (false, more) => format!(" ({} and {more} more)", named.join(", ")),
    }
}

fn list(tasks: &str) -> String {
    if tasks.len() <= LONGEST_LIST {
        return tasks.to_owned();
    }
    let end = tasks.get(..LONGEST_LIST).and_then(|start| start.rfind(',')).unwrap_or(0);
    format!("{}, …", tasks.get(..end).unwrap_or_default())
}

fn closing(view: &View, end: &End) -> String {
    let why = match end.why {
        Why::Done => "nothing runs or waits any more",
        Why::Changed => "something changed",
        Why::Degraded => "a sweep is degraded",
        Why::Systemic => "a sweep is systemic",
        Why::Intervene => "somebody has to intervene",
        Why::TimeUp => "the time is up; run it again to go on from here",
        Why::Unreachable => "the cluster gives no answer; what is known is kept",
        Why::Once => "looked once",
        Why::Interrupted => "interrupted; run it again to go on from here",
        Why::Terminated => "terminated; run it again to go on from here",
        Why::Unread => "nobody reads this any more",
    };
    let questions = &end.questions;
    let mut out = format!("{}  ends: {why}\n", clock(view, end.at));
    let mut lines = Lines { out: &mut out, width: view.width };
    if let Some(time) = end.as_of.filter(|time| time.age(end.at) > AT_ONCE) {
        lines.add("as of", &format!("{}, {} before", plain_clock(view, time), exactly(time.age(end.at))));
    }
    for state in &end.sweeps {
        lines.add("stands", &standing(state));
        if let Some(said) = &state.settled {
            lines.add("", said);
        }
        for cause in state.causes.iter().take(MOST_CAUSES) {
            let class = one_line(&cause.class, 40);
            lines.add(
                "",
                &format!(
                    "{class}, {}: {}",
                    counted(cause.tasks.len(), "task"),
                    list(&cause.tasks.to_string())
                ),
            );
        }
        if let Some(results) = &state.results {
            let missing: Vec<String> =
                results.missing.iter().take(5).map(|file| one_line(file, 100)).collect();
            let rest = results.lacking().saturating_sub(missing.len() as u64);
            let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            let missing = match missing.is_empty() {
                true => String::new(),
                false => format!("; missing {}{rest}", missing.join(", ")),
            };
            lines
                .add("", &format!("results: {} of {} are there{missing}", results.present, results.expected));
        }
    }
    let files =
        if questions.files > 0 { format!(", about files {}", questions.files) } else { String::new() };
    lines.add(
        "asked",
        &format!(
            "{}: squeue {}, shared {}, sacct {}{files}",
            counted(end.looks, "look"),
            questions.squeue,
            questions.shared,
            questions.sacct
        ),
    );
    for next in &end.next {
        let label = match next.kind {
            NextKind::Sync => "sync",
            NextKind::Analyse => "analyse",
        };
        let what = escape(&next.what);
        match &next.command {
            Some(command) if width(&what) + width(command) + 2 > lines.room() => {
                lines.add(label, &format!("{what}:"));
                // Whole: somebody pastes it.
                lines.whole("", command);
            }
            Some(command) => lines.add(label, &format!("{what}: {command}")),
            None => lines.add(label, &what),
        }
    }
    out
}

fn standing(state: &State) -> String {
    let name = match state.kind {
        Kind::Array => format!("{} {}", one_line(&state.name, 40), one_line(&state.key, 20)),
        Kind::SharedName => one_line(&state.name, 60),
    };
    let total = state.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
    let failed = match state.failed.len() {
        0 => String::new(),
        count => format!(", {count} failed"),
    };
    let health = state.health.map(|health| format!(", {}", health.name())).unwrap_or_default();
    let decision = state.decision.map(|decision| format!(", {}", decision.name())).unwrap_or_default();
    format!("{name}: {} of {total} over{failed}{health}{decision}", state.finished)
}
