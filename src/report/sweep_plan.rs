//! The plan of a sweep, and what was submitted of it.

use std::collections::HashMap;

use super::lines::Lines;
use super::{Style, View, paint};
use crate::cluster::Origin;
use crate::safety::{clip, escape, escape_path, one_line};
use crate::sweep::plan::{Demand, Fit, Kind, Line, Plan, Step, TaskPlan};
use crate::sweep::{Decision, Members};
use crate::terms::Known;
use crate::verbs::sweep::plan::Outcome;
use crate::verbs::sweep::records::{Progress, Record};
use crate::verbs::sweep::submit;

/// So many tasks of a step are told one by one; JSON has all.
const MOST_TASKS: usize = 12;
/// So many differences of a step are told.
const MOST_DIFFERENCES: usize = 8;
/// How many characters of a list of tasks are shown.
const LONGEST_LIST: usize = 240;

/// The plan, step by step; lines to paste stand at the beginning of their line
/// and are never wrapped.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let plan = &outcome.plan;
    let style = match outcome.decision {
        Decision::NoIntervention => Style::Good,
        Decision::Watch => Style::Watch,
        Decision::Intervene => Style::Bad,
    };
    let mut out = String::new();
    // To intervene begins with the line that stops it.
    let cancel = plan.steps.iter().filter(|step| step.kind == Kind::Cancel);
    for line in cancel.clone().flat_map(|step| &step.lines) {
        out.push_str(&format!("{}\n", escape(&line.text)));
    }
    if cancel.count() > 0 {
        out.push('\n');
    }
    let name = one_line(&plan.name, 60);
    let verdict = paint(style, &format!("{}, {}", outcome.health, outcome.decision));
    out.push_str(&format!("{} {name}  {verdict}\n", paint(Style::Strong, &one_line(&plan.sweep, 40))));
    for step in &plan.steps {
        out.push_str(&step_text(view, step));
    }
    out.push('\n');
    let mut lines = Lines { out: &mut out, width: view.width };
    fits(&mut lines, &plan.fits, &plan.demand);
    decision(&mut lines, plan);
    for note in &plan.notes {
        lines.add("note", &escape(note));
    }
    for record in &outcome.submitted {
        lines.add(
            "submitted",
            &format!("plan {} {}: jobs {}", record.hash, view.time(record.at), ids(record)),
        );
    }
    for what in &outcome.not_read {
        lines.add("not read", &escape(what));
    }
    for problem in &outcome.problems {
        lines.add("not seen", &format!("{}: {}", escape(&problem.about), escape(&problem.what)));
    }
    let taken = outcome.taken_at.map(|time| format!(", taken {}", view.time(time))).unwrap_or_default();
    let source = match &outcome.origin {
        Origin::Nothing => "none".to_owned(),
        Origin::Local => "Slurm's commands on this machine".to_owned(),
        Origin::File { name } => escape(name),
    };
    lines.add("source", &format!("{source}{taken}"));
    if let Some(hash) = &plan.hash {
        lines.add("run in", &escape_path(&outcome.directory));
        lines.add("plan", &paint(Style::Strong, hash));
        let count = plan.runnable().count();
        let what = if count == 1 { "the line".to_owned() } else { format!("the {count} lines") };
        let keep = if outcome.keep_running { " --keep-running" } else { "" };
        let options = format!("{keep}{}", if outcome.full { " --full" } else { "" });
        lines.add(
            "",
            &format!(
                "runs {what}: handover sweep plan {}{options} --submit {hash}",
                one_line(&plan.sweep, 60)
            ),
        );
    }
    out
}

fn step_text(view: &View, step: &Step) -> String {
    let style = match step.kind {
        Kind::Cancel | Kind::Lost => Style::Bad,
        Kind::Resume => Style::Good,
        Kind::FixFirst | Kind::Canary => Style::Watch,
        Kind::Leave => Style::Faint,
    };
    let count = step.tasks.len();
    let tasks = format!("{count} {}: {}", if count == 1 { "task" } else { "tasks" }, list(&step.tasks));
    let mut out = String::from("\n");
    let mut lines = Lines { out: &mut out, width: view.width };
    lines.add_painted(step.kind.word(), style, &tasks);
    let class = step.class.as_ref().map(|class| format!("{}: ", escape(class))).unwrap_or_default();
    lines.add("why", &format!("{class}{}", escape(&step.why)));
    let action = escape(&step.action);
    match step.kind {
        Kind::Cancel => lines.add("lost", &action),
        _ if action.is_empty() => {}
        _ => lines.add("do", &action),
    }
    for (number, remedy) in step.remedies.iter().enumerate() {
        let label = if number == 0 { "change" } else { "" };
        lines.add(label, &format!("{}. {} ({})", number + 1, escape(&remedy.what), escape(&remedy.cost)));
    }
    if let Some(first) = step.first {
        lines.add("try first", &format!("task {first} alone, before the others"));
    }
    if !step.exclude.is_empty() {
        lines.add("avoid", &escape(&step.exclude.join(", ")));
    }
    for task in step.per_task.iter().take(MOST_TASKS) {
        lines.add("", &task_text(task));
    }
    if step.per_task.len() > MOST_TASKS {
        lines.add("", &format!("and {} more; --json has all", step.per_task.len() - MOST_TASKS));
    }
    differences(&mut lines, step);
    if let Some(why) = &step.blocked {
        lines.add("blocked", &paint(Style::Bad, &escape(why)));
    }
    if let Some(condition) = &step.condition {
        lines.add("only when", &escape(condition));
    }
    if step.kind != Kind::Cancel {
        for line in &step.lines {
            out.push_str(&pasteable(line, step.condition.is_some()));
        }
    }
    out
}

/// A line to paste; one that must wait for something is commented out, so that
/// a whole page can be pasted.
fn pasteable(line: &Line, must_wait: bool) -> String {
    let mark = if must_wait { "# " } else { "" };
    format!("{mark}{}\n", escape(&line.text))
}

fn task_text(task: &TaskPlan) -> String {
    let mut text = format!("task {}", task.task);
    if let Some(path) = &task.checkpoint {
        let step = task.step.map(|step| format!("step {step}, ")).unwrap_or_default();
        text.push_str(&format!(": {step}{}", escape(path)));
    }
    if let Some(lost) = task.lost_steps.filter(|lost| *lost > 0) {
        text.push_str(&format!(", {lost} steps lost"));
    }
    for refused in &task.refused {
        text.push_str(&format!("; not {}", clip(&escape(refused), 160)));
    }
    if !task.differences.is_empty() {
        text.push_str("; differs");
    }
    text
}

/// What differs, with the tasks of which it does: two hundred of them are one line.
fn differences(lines: &mut Lines, step: &Step) {
    let mut found: Vec<(&str, Members)> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for task in &step.per_task {
        for difference in &task.differences {
            let at = *known.entry(difference).or_insert(found.len());
            if at == found.len() {
                found.push((difference, Members::default()));
            }
            if let Some((_, tasks)) = found.get_mut(at) {
                tasks.0.push(task.task);
            }
        }
    }
    for (number, (what, tasks)) in found.iter().take(MOST_DIFFERENCES).enumerate() {
        let label = if number == 0 { "differs" } else { "" };
        lines.add(label, &format!("{}: {}", clip(&escape(what), 200), list(tasks)));
    }
    if found.len() > MOST_DIFFERENCES {
        lines.add("", &format!("and {} more differences; --json has all", found.len() - MOST_DIFFERENCES));
    }
}

fn fits(lines: &mut Lines, fits: &Known<Vec<Fit>>, demand: &Demand) {
    let pending = demand.pending.map_or_else(|| "?".to_owned(), |count| count.to_string());
    let each = match demand.gpus {
        Some(1) => "a GPU each".to_owned(),
        Some(gpus) => format!("{gpus} GPUs each"),
        None => "GPUs of a task not known".to_owned(),
    };
    lines.add("wanted", &format!("{pending} wait, {} could be started, {each}", demand.resumable));
    match fits {
        Known::Known(rows) if rows.is_empty() => lines.add("fits now", "no GPU is in its partitions"),
        Known::Known(rows) => {
            for row in rows {
                let kind = if row.kind.is_empty() { "GPU" } else { &row.kind };
                let free = row.free.map_or_else(|| "unknown".to_owned(), |free| free.to_string());
                let tasks = row.tasks.map(|tasks| format!(", room for {tasks} tasks")).unwrap_or_default();
                let what = format!("{} {}: {free} free{tasks}", escape(&row.partition), escape(kind));
                lines.add("fits now", &what);
            }
        }
        Known::Unknown(why) | Known::NotApplicable(why) => {
            lines.add("fits now", &format!("not known: {}", escape(why)));
        }
    }
}

fn decision(lines: &mut Lines, plan: &Plan) {
    if plan.no_decision_required {
        return lines.add("decide", "no decision required");
    }
    for (number, choice) in plan.options.iter().enumerate() {
        lines.add(&format!("option {}", number + 1), &escape(&choice.what));
        lines.add("  for", &escape(&choice.pro));
        lines.add("  against", &escape(&choice.against));
    }
    if let Some(what) = &plan.recommendation {
        lines.add("we would", &escape(what));
    }
}

/// What was done, line by line.
pub fn submitted(_view: &View, outcome: &submit::Outcome) -> String {
    let record = &outcome.record;
    let mut out = String::new();
    for line in &record.lines {
        let (style, word) = match line.state {
            Progress::Done => (Style::Good, "done   "),
            Progress::Failed => (Style::Bad, "failed "),
            Progress::Began => (Style::Bad, "unknown"),
            Progress::Planned => (Style::Faint, "not run"),
        };
        out.push_str(&format!("{}  {}\n", paint(style, word), escape(&line.text)));
        if !line.ids.is_empty() {
            let ids: Vec<String> = line.ids.iter().map(u32::to_string).collect();
            let tasks = list(&line.tasks);
            out.push_str(&format!(
                "         task {tasks} of {} -> job {}\n",
                escape(&record.sweep),
                ids.join(", ")
            ));
        }
        if !line.complaint.is_empty() && line.state != Progress::Done {
            out.push_str(&format!("         {}\n", escape(&line.complaint)));
        }
    }
    let sweep = one_line(&record.sweep, 60);
    if outcome.whole {
        out.push_str(&format!("look again: handover sweep plan {sweep}\n"));
    } else {
        out.push_str(&format!(
            "stopped there; what was done is recorded. Plan anew: handover sweep plan {sweep}\n"
        ));
    }
    out
}

fn ids(record: &Record) -> String {
    let ids: Vec<String> = record.ids().iter().map(u32::to_string).collect();
    if ids.is_empty() { "not known".to_owned() } else { ids.join(", ") }
}

fn list(tasks: &Members) -> String {
    let list = tasks.to_string();
    if list.len() <= LONGEST_LIST {
        return list;
    }
    let end = list[..LONGEST_LIST].rfind(',').unwrap_or(LONGEST_LIST);
    format!("{}, … (--json has all {})", &list[..end], tasks.len())
}
