//! The tasks of one cause: what happened, what to do, the lines.

use std::collections::HashMap;

use super::{Detail, pasteable};
use crate::report::lines::Lines;
use crate::report::{Style, View, paint};
use crate::safety::{clip, escape, shell_word};
use crate::sweep::Members;
use crate::sweep::plan::{Kind, Remedy, Step, TaskPlan};
use crate::terms::{by_number, counted};
use crate::verbs::sweep::plan::with_options;

/// So many differences of a step are told, and so many doubts.
const MOST_TOLD: usize = 8;
/// So many lines that must wait for something are shown of a step.
const MOST_WAITING: usize = 3;

/// The steps of one cause.
pub(super) fn text(view: &View, detail: Detail, (steps, command): (&[&Step], &str), out: &mut String) {
    let Some(first) = steps.first() else { return };
    let style = match first.kind {
        Kind::Cancel | Kind::Lost => Style::Bad,
        Kind::Resume => Style::Good,
        Kind::FixFirst | Kind::Canary => Style::Watch,
        Kind::Leave => Style::Faint,
    };
    out.push('\n');
    let all = steps.iter().fold(Members::default(), |all, step| Members(all.0.union(&step.tasks.0)));
    let class = first.class.as_ref().map(|class| format!("{}, ", escape(class))).unwrap_or_default();
    let mut lines = Lines { out, width: view.width };
    let head = format!("{class}{}: {}", counted(all.len(), "task"), detail.list(&all));
    // What has its change in the line is ready.
    let is_ready = first.kind == Kind::FixFirst && steps.iter().all(|step| step.is_runnable());
    let word = if is_ready { "run again" } else { first.kind.word() };
    lines.add_painted(word, style, &head);
    lines.add("why", &escape(first.cause.as_deref().unwrap_or(&first.why)));
    let mut said = Said::default();
    for step in steps {
        one(&mut lines, detail, step, steps.len() > 1, &mut said);
        let waits = step.condition.is_some();
        let most = if waits && !detail.all { MOST_WAITING } else { usize::MAX };
        if let Some(class) = step.class.as_ref().filter(|_| step.waits_for_mending) {
            let class = shell_word(class).unwrap_or_else(|_| "CLASS".to_owned());
            let said = with_options(&escape(command), &format!("--mended {}", escape(&class)));
            lines.add("then", &format!("when that is mended, ask for the lines: {said}"));
        }
        for line in step.lines.iter().take(most) {
            lines.out.push_str(&pasteable(line, waits));
        }
        let more = step.lines.len().saturating_sub(most);
        if more > 0 {
            lines.out.push_str(&format!("# and {more} more of these: --details shows them\n"));
        }
    }
}

/// What was said of the steps before, and is not said again.
#[derive(Default)]
struct Said<'s> {
    kind: Option<Kind>,
    action: &'s str,
    remedies: &'s [Remedy],
    first: bool,
}

/// Everything of a step but its lines.
fn one<'s>(lines: &mut Lines, detail: Detail, step: &'s Step, is_part: bool, said: &mut Said<'s>) {
    if !step.action.is_empty() && said.action != step.action {
        lines.add("do", &escape(&step.action));
        said.action = &step.action;
    }
    if !step.remedies.is_empty() && said.remedies != step.remedies {
        for (number, remedy) in step.remedies.iter().enumerate() {
            let label = if number == 0 { "change" } else { "" };
            let cost = if detail.all { format!(" ({})", escape(&remedy.cost)) } else { String::new() };
            lines.add(label, &format!("{}. {}{cost}", number + 1, escape(&remedy.what)));
        }
        said.remedies = &step.remedies;
    }
    let what = what(step, is_part, detail);
    if !what.is_empty() {
        let is_other = said.kind.is_some_and(|kind| kind != step.kind);
        lines.add(if is_other { step.kind.word() } else { "tasks" }, &what);
    }
    said.kind = said.kind.or(Some(step.kind));
    if let Some(first) = step.first.filter(|_| step.tasks.len() > 1 && !said.first) {
        lines.add("try first", &format!("task {first} alone, before the others"));
        said.first = true;
    }
    if !step.exclude.is_empty() {
        lines.add("avoid", &escape(&step.exclude.join(", ")));
    }
    if detail.all {
        step.per_task.iter().for_each(|one| lines.add("", &task(one)));
    }
    per_task(lines, detail, step, "differs", |task| &task.differences);
    per_task(lines, detail, step, "doubt", |task| &task.doubts);
    if let Some(why) = &step.blocked {
        lines.add("blocked", &paint(Style::Bad, &escape(why)));
    }
    if let Some(condition) = &step.condition {
        lines.add("only when", &escape(condition));
    }
}

/// The tasks of a step, what sets it apart from the others of its cause, and
/// from where they go on.
fn what(step: &Step, is_part: bool, detail: Detail) -> String {
    let mut parts = Vec::new();
    if is_part {
        parts.push(format!("{}: {}", step.tasks.len(), detail.list(&step.tasks)));
    }
    let more = match &step.cause {
        Some(cause) => step.why.strip_prefix(cause.as_str()).unwrap_or(&step.why),
        None => "",
    };
    let more = more.trim_start_matches([',', ';', ' ']);
    if !more.is_empty() {
        parts.push(escape(more.strip_prefix("and ").unwrap_or(more)));
    }
    parts.extend(from(step, detail));
    let refused: usize = step.per_task.iter().map(|task| task.refused.len()).sum();
    if refused > 0 && !detail.all {
        let was = by_number(refused, "was", "were");
        parts.push(format!("{} {was} refused (--details says why)", counted(refused, "newer one")));
    }
    let bare: Vec<u32> =
        step.per_task.iter().filter(|task| task.weights_only).map(|task| task.task).collect();
    if !bare.is_empty() {
        let list = Members(bare.into_iter().collect());
        parts.push(format!("weights alone, so the optimizer starts anew: {}", detail.list(&list)));
    }
    parts.join("; ")
}

/// The steps from which they go on, and what is lost behind them.
fn from(step: &Step, detail: Detail) -> Option<String> {
    let span = |values: &mut dyn Iterator<Item = u64>| {
        let values: Vec<u64> = values.collect();
        let (least, most) = (*values.iter().min()?, *values.iter().max()?);
        Some(if least == most { least.to_string() } else { format!("{least} to {most}") })
    };
    let at = span(&mut step.per_task.iter().filter_map(|task| task.step));
    let losing: Vec<&TaskPlan> =
        step.per_task.iter().filter(|task| task.lost_steps.is_some_and(|lost| lost > 0)).collect();
    let lost = span(&mut losing.iter().filter_map(|task| task.lost_steps));
    let whose = if losing.len() < step.tasks.len() {
        let tasks = Members(losing.iter().map(|task| task.task).collect());
        format!(" by {}", detail.list(&tasks))
    } else {
        String::new()
    };
    let steps = |lost: &str| by_number(u8::from(lost != "1") + 1, "step", "steps");
    let lost = lost.map(|lost| format!(", {lost} {} lost{whose}", steps(&lost))).unwrap_or_default();
    match at {
        Some(at) => Some(format!("from step {at}{lost}")),
        None if step.per_task.iter().any(|task| task.checkpoint.is_some()) => {
            let whose = by_number(step.tasks.len(), "its checkpoint", "their checkpoints");
            Some(format!("from {whose}{lost}"))
        }
        None => None,
    }
}

/// Where one task goes on.
pub(super) fn task(task: &TaskPlan) -> String {
    let mut text = format!("task {}", task.task);
    if let Some(path) = &task.checkpoint {
        let step = task.step.map(|step| format!("step {step}, ")).unwrap_or_default();
        text.push_str(&format!(": {step}{}", escape(path)));
    }
    if task.weights_only {
        text.push_str(" (weights alone)");
    }
    if let Some(lost) = task.lost_steps.filter(|lost| *lost > 0) {
        text.push_str(&format!(", {} lost", counted(lost, "step")));
    }
    for refused in &task.refused {
        text.push_str(&format!("; not {}", clip(&escape(refused), 160)));
    }
    if !task.differences.is_empty() {
        text.push_str("; differs");
    }
    text
}

/// What is said of tasks, with those of which it is: two hundred of them are one line.
fn per_task<'s>(
    lines: &mut Lines,
    detail: Detail,
    step: &'s Step,
    label: &str,
    told: impl Fn(&'s TaskPlan) -> &'s [String],
) {
    let mut found: Vec<(&str, Members)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for task in &step.per_task {
        for what in told(task) {
            let at = *known.entry(what).or_insert(found.len());
            if at == found.len() {
                found.push((what, Members::default()));
            }
            if let Some((_, tasks)) = found.get_mut(at) {
                tasks.0.push(task.task);
            }
        }
    }
    for (number, (what, tasks)) in found.iter().take(MOST_TOLD).enumerate() {
        let label = if number == 0 { label } else { "" };
        lines.add(label, &format!("{}: {}", clip(&escape(what), 200), detail.list(tasks)));
    }
    if found.len() > MOST_TOLD {
        lines.add("", &format!("and {} more of these; --json has all", found.len() - MOST_TOLD));
    }
}
