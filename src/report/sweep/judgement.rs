//! What a sweep amounts to: health, decision, causes, contradictions, what it
//! will still teach.

use super::heat::letter;
use super::list;
use crate::report::lines::Lines;
use crate::report::{Style, View, paint};
use crate::safety::{clip, escape, one_line};
use crate::sweep::{self, CauseGroup, Contradiction, Decision, Health, Judgement, Learning, Line, RecordGap};
use crate::terms::counted;

/// So many causes are shown; JSON has them all.
const MOST_CAUSES: usize = 12;
/// So many of each other list.
const MOST: usize = 8;
/// So much of a line of evidence is shown.
const LONGEST: usize = 160;

/// How a state of health is painted.
pub fn style(health: Health) -> Style {
    match health {
        Health::Healthy => Style::Good,
        Health::Unjudged | Health::Degraded => Style::Watch,
        Health::Systemic => Style::Bad,
    }
}

/// Health and decision, with what led there.
pub fn health(lines: &mut Lines<'_>, view: &View, judgement: &Judgement) {
    let style = style(judgement.health);
    let words = format!("{}: {}", judgement.health, judgement.decision);
    lines.add("health", &paint(style, &words));
    for reason in &judgement.reasons {
        let mark = match reason.decision {
            Decision::NoIntervention => "-",
            Decision::Watch => "!",
            Decision::Intervene => "X",
        };
        lines.item(mark, &escape(&reason.text));
        if reason.decision != Decision::NoIntervention {
            reason.evidence.iter().take(1).for_each(|line| lines.add_in("", &evidence(view, line), 4));
        }
    }
}

/// The causes of what failed, with one line of evidence each.
pub fn causes(lines: &mut Lines<'_>, view: &View, judgement: &Judgement) {
    let (failed, of) = (judgement.failed, judgement.counted);
    if failed == 0 {
        lines.add("causes", "no task failed");
    }
    for (place, group) in judgement.groups.iter().take(MOST_CAUSES).enumerate() {
        let label = if place == 0 { "causes" } else { "" };
        let head = format!("{} {}", paint(Style::Bad, &letter(place).to_string()), head(group, of));
        cause(lines, view, label, &head, group);
    }
    if judgement.groups.len() > MOST_CAUSES {
        let rest: usize = judgement.groups[MOST_CAUSES..].iter().map(|group| group.count).sum();
        let causes = judgement.groups.len() - MOST_CAUSES;
        lines.add(
            "",
            &format!("and {} of {}; --json has all", counted(causes, "more cause"), counted(rest, "task")),
        );
    }
    for (place, group) in judgement.aside.iter().take(MOST).enumerate() {
        let label = if place == 0 { "aside" } else { "" };
        let text = format!(
            "{} {}, in no share: {}",
            group.count,
            one_line(&group.cause.class, 40),
            list(&group.tasks)
        );
        lines.add(label, &text);
        lines.add_in("", &escape(&clip(&group.cause.sentence, 300)), 2);
    }
}

fn head(group: &CauseGroup, counted: usize) -> String {
    format!(
        "{}  {} of {counted} ({} %), {}: {}",
        paint(Style::Strong, &one_line(&group.cause.class, 40)),
        group.count,
        group.percent,
        group.spread.in_words(),
        list(&group.tasks)
    )
}

fn cause(lines: &mut Lines<'_>, view: &View, label: &str, head: &str, group: &CauseGroup) {
    lines.add(label, head);
    let guess = match group.cause.confidence {
        sweep::Confidence::Sure => "",
        sweep::Confidence::Likely => "likely: ",
        sweep::Confidence::Open => "open: ",
    };
    lines.add_in("", &format!("{guess}{}", escape(&clip(&group.cause.sentence, 400))), 2);
    group.cause.evidence.iter().take(1).for_each(|line| lines.add_in("", &evidence(view, line), 2));
    if !group.unconfirmed.is_empty() {
        lines.add_in("", &format!("only likely of {}", list(&group.unconfirmed)), 2);
    }
    if group.repeated > 0 {
        let text = format!("{} of them failed so in an earlier attempt too", group.repeated);
        lines.add_in("", &text, 2);
    }
    let action = format!("{}: {}", group.cause.retry.words(), escape(&clip(&group.cause.action, 300)));
    lines.add_in("", &action, 2);
}

/// What does not go together.
pub fn contradictions(lines: &mut Lines<'_>, view: &View, found: &[Contradiction]) {
    for contradiction in found {
        let tasks = list(&contradiction.tasks);
        lines.add("look at", &format!("{}: {tasks}", escape(&contradiction.sentence)));
        contradiction.evidence.iter().take(1).for_each(|line| lines.add_in("", &evidence(view, line), 2));
    }
}

/// What is not recorded of the runs, one line for all that lack the same.
pub fn records(lines: &mut Lines<'_>, gaps: &[RecordGap]) {
    for (place, gap) in gaps.iter().enumerate() {
        let label = if place == 0 { "recorded" } else { "" };
        let tasks = if gap.tasks.len() == gap.of { String::new() } else { format!(": {}", list(&gap.tasks)) };
        lines.add(label, &format!("{}{tasks}", escape(&gap.sentence)));
    }
}

/// The parts of the space of which nothing came.
pub fn lost(lines: &mut Lines<'_>, learning: Option<&Learning>) {
    let Some(learning) = learning else { return };
    for (place, lost) in learning.lost.iter().take(MOST).enumerate() {
        let label = if place == 0 { "lost" } else { "" };
        let to_come = if lost.to_come > 0 { format!(", {} to come", lost.to_come) } else { String::new() };
        lines.add(
            label,
            &format!(
                "{}: no result of {}{to_come}",
                sweep::corner(&lost.conditions),
                counted(lost.ended, "task")
            ),
        );
    }
    let more = learning.lost_left_out + learning.lost.len().saturating_sub(MOST);
    if more > 0 {
        lines.add("", &format!("and {}; --json has most", counted(more, "more value")));
    }
}

/// What was not read.
pub fn not_read(lines: &mut Lines<'_>, what: &[String]) {
    for (place, line) in what.iter().take(MOST).enumerate() {
        lines.add(if place == 0 { "not read" } else { "" }, &escape(&clip(line, 300)));
    }
    if what.len() > MOST {
        lines.add("", &format!("and {} more; --json has all", what.len() - MOST));
    }
}

/// A line of evidence with its place: `logs/7.out:40: text`.
pub fn evidence(view: &View, line: &Line) -> String {
    let place = line.file.as_ref().map(|file| {
        let at = match (line.line, line.offset) {
            (Some(number), _) => format!(":{number}"),
            (None, Some(offset)) => format!(" at byte {offset}"),
            (None, None) => String::new(),
        };
        format!("{}{at}", view.path(file))
    });
    let place = place.unwrap_or_else(|| line.source.name().to_owned());
    paint(Style::Faint, &format!("{place}: {}", one_line(&line.text, LONGEST)))
}
