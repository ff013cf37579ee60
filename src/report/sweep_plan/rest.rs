//! What is left alone, what there is to choose between, and what to know.

use super::{Detail, how_to_run, ids};
use crate::cluster::Origin;
use crate::report::View;
use crate::report::lines::Lines;
use crate::report::preflight::preflighted;
use crate::safety::escape;
use crate::sweep::plan::{Demand, Fit, Kind, Plan};
use crate::terms::{Known, counted};
use crate::verbs::sweep::plan::Outcome;

/// Everything behind the groups.
pub(super) fn text(view: &View, outcome: &Outcome, detail: Detail, out: &mut String) {
    let plan = &outcome.plan;
    let mut lines = Lines { out, width: view.width };
    left_alone(&mut lines, detail, plan);
    options(&mut lines, plan);
    fits(&mut lines, &plan.fits, &plan.demand);
    if let Some(preflight) = &outcome.preflight {
        preflighted(&mut lines, view, preflight);
    }
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
        Origin::Ssh { machine, .. } => format!("Slurm's commands on {}", escape(machine)),
        Origin::File { name } => escape(name),
    };
    lines.add("source", &format!("{source}{taken}"));
    if let Some(hash) = &plan.hash {
        how_to_run(&mut lines, outcome, plan, hash);
    }
}

/// One line per reason.
fn left_alone(lines: &mut Lines, detail: Detail, plan: &Plan) {
    for (number, step) in plan.steps.iter().filter(|step| step.kind == Kind::Leave).enumerate() {
        let label = if number == 0 { Kind::Leave.word() } else { "" };
        let action = match step.action.as_str() {
            "" => String::new(),
            action => format!(" ({})", escape(action)),
        };
        let list = detail.list(&step.tasks);
        lines.add(
            label,
            &format!("{}, {}: {list}{action}", escape(&step.why), counted(step.tasks.len(), "task")),
        );
    }
}

fn options(lines: &mut Lines, plan: &Plan) {
    for (number, choice) in plan.options.iter().enumerate() {
        let (what, pro, against) = (escape(&choice.what), escape(&choice.pro), escape(&choice.against));
        lines.add(&format!("option {}", number + 1), &what);
        lines.item("+", &pro);
        lines.item("-", &against);
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
    let rows = match fits {
        Known::Known(rows) if rows.is_empty() => return lines.add("fits now", "no GPU is in its partitions"),
        Known::Known(rows) => rows,
        Known::Unknown(why) | Known::NotApplicable(why) => {
            return lines.add("fits now", &format!("not known: {}", escape(why)));
        }
    };
    // One line a partition.
    for (number, rows) in rows.chunk_by(|a, b| a.partition == b.partition).enumerate() {
        let kinds: Vec<String> = rows.iter().map(fit).collect();
        let partition = rows.first().map(|row| escape(&row.partition)).unwrap_or_default();
        let label = if number == 0 { "fits now" } else { "" };
        lines.add(label, &format!("{partition}: {}", kinds.join("; ")));
    }
}

fn fit(row: &Fit) -> String {
    let kind = if row.kind.is_empty() { "GPU" } else { &row.kind };
    let free = row.free.map_or_else(|| "unknown".to_owned(), |free| free.to_string());
    let tasks = row.tasks.map(|tasks| format!(", room for {}", counted(tasks, "task"))).unwrap_or_default();
    format!("{} {free} free{tasks}", escape(kind))
}
