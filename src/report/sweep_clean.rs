//! What ended tasks left, what went, and what the trash holds.

use super::lines::Lines;
use super::{Align, Table, View};
use crate::safety::{escape, escape_path, one_line};
use crate::terms::Bytes;
use crate::verbs::sweep::clean::{Held, Plan, Receipt, Settled, Trash};

/// So many files are shown; JSON has all.
const MOST: usize = 200;
/// So many of those that stay for now.
const MOST_FRESH: usize = 10;
/// So many before a question.
const MOST_ASKED: usize = 10;

/// What could go; `again` are the options that the next command must repeat.
pub fn plan(view: &View, plan: &Plan, again: &str) -> String {
    let sweep = one_line(&plan.sweep, 60);
    let mut out = match plan.items.len() {
        0 => {
            format!("nothing of sweep {sweep} could go{}\n", if plan.fresh.is_empty() { "" } else { " yet" })
        }
        1 => format!("1 file or folder of sweep {sweep} could go, {}:\n", plan.bytes),
        count => format!("{count} files and folders of sweep {sweep} could go, {} together:\n", plan.bytes),
    };
    let mut lines = Lines { out: &mut out, width: view.width };
    for item in plan.items.iter().take(MOST) {
        lines.whole(&size(item.bytes), &view.path(&item.path));
        lines.add_in("", &format!("task {}: {}", item.task, escape(&item.why)), 2);
    }
    if plan.items.len() > MOST {
        lines.add("", &format!("and {} more; --json has all", plan.items.len() - MOST));
    }
    fresh(view, plan, &mut lines);
    usable(view, plan, &mut lines);
    for kept in &plan.kept {
        lines.add("kept", &format!("everything of {}: {}", kept.tasks, escape(&kept.why)));
    }
    for what in &plan.not_read {
        lines.add("not read", &escape(what));
    }
    match &plan.refused {
        Some(refused) if !plan.items.is_empty() => {
            let age = match refused.age {
                Some(age) => format!("is {age} old, more than {}", refused.most),
                None => "does not say how old it is".to_owned(),
            };
            let source = &refused.source;
            lines.add(
                "refused",
                &format!(
                    "nothing is removed on the word of {source}: it {age}, and a task may run again by now"
                ),
            );
            lines.whole("next", &format!("handover sweep clean {sweep} --remove --cluster local"));
        }
        None if !plan.items.is_empty() => {
            lines.add("next", "to put it into the trash:");
            lines.whole("", &format!("handover sweep clean {sweep} --remove{again}"));
        }
        _ => {}
    }
    out
}

/// What may still be written.
fn fresh(view: &View, plan: &Plan, lines: &mut Lines) {
    let Some(last) = plan.fresh.iter().map(|item| item.could_go).max() else { return };
    let what = format!(
        "{} that a program may still write, since it wrote them in the last 15 min; all could go from {} on:",
        plan.fresh.len(),
        view.time(last)
    );
    lines.add("stay", &what);
    for item in plan.fresh.iter().take(MOST_FRESH) {
        lines.whole(&size(item.bytes), &view.path(&item.path));
        let written = match item.written > view.now {
            true => "written at a time that lies ahead".to_owned(),
            false => format!("written {} ago", item.written.age(view.now)),
        };
        lines.add_in("", &format!("task {}: {written}", item.task), 2);
    }
    if plan.fresh.len() > MOST_FRESH {
        lines.add("", &format!("and {} more; --json has all", plan.fresh.len() - MOST_FRESH));
    }
}

/// What is not whole, and the last that can be used.
fn usable(view: &View, plan: &Plan, lines: &mut Lines) {
    let Some(count) = Some(plan.usable.len()).filter(|count| *count > 0) else { return };
    let what = "with whole weights, further on than any sound checkpoint of their run:";
    lines.add("stay", &format!("{count} {what}"));
    for item in plan.usable.iter().take(MOST_FRESH) {
        lines.whole(&size(item.bytes), &view.path(&item.path));
        lines.add_in("", &format!("task {}: {}", item.task, escape(&item.why)), 2);
    }
    if count > MOST_FRESH {
        lines.add("", &format!("and {} more; --json has all", count - MOST_FRESH));
    }
}

fn size(bytes: Bytes) -> String {
    format!("{:>10} ", bytes.to_string())
}

/// What goes, for the one who is asked.
pub fn warning(view: &View, plan: &Plan) -> String {
    let mut out = format!("{} go to the trash:\n", plan.bytes);
    for item in plan.items.iter().take(MOST_ASKED) {
        out.push_str(&format!("  {}\n", view.path(&item.path)));
    }
    if plan.items.len() > MOST_ASKED {
        out.push_str(&format!("  and {} more\n", plan.items.len() - MOST_ASKED));
    }
    out.trim_end().to_owned()
}

/// What went.
pub fn text(view: &View, receipt: &Receipt) -> String {
    let mut out = String::new();
    let mut lines = Lines { out: &mut out, width: view.width };
    // The path is text already.
    let here = format!("{}/", escape_path(&view.dir));
    for item in receipt.entry.items.iter().take(MOST) {
        lines.whole("trash", item.path.strip_prefix(&here).unwrap_or(&item.path));
    }
    if receipt.entry.items.len() > MOST {
        lines.add("", &format!("and {} more", receipt.entry.items.len() - MOST));
    }
    lines.add("went", &format!("{}; the disk is free of it after --purge", receipt.bytes));
    lines.whole("undo", &format!("handover sweep clean --undo {}", receipt.entry.id));
    out
}

/// What the trash holds.
pub fn trash(view: &View, trash: &Trash) -> String {
    if trash.entries.is_empty() {
        return "the trash is empty\n".to_owned();
    }
    let columns = [
        ("id", Align::Left),
        ("sweep", Align::Left),
        ("files", Align::Right),
        ("size", Align::Right),
        ("put there", Align::Left),
        ("", Align::Left),
    ];
    let mut table = Table::new(columns);
    for Held { entry, bytes, unseen } in &trash.entries {
        let due = match trash.due.contains(&entry.id) {
            _ if !unseen.is_empty() => "not all of it can be seen from here",
            true => "old: --purge deletes it",
            false => "",
        };
        table.row([
            escape(&entry.id),
            one_line(&entry.what, 40),
            entry.items.len().to_string(),
            bytes.to_string(),
            view.time(entry.at),
            due.to_owned(),
        ]);
    }
    table.render()
}

/// What was put back.
pub fn undone(_view: &View, settled: &Settled) -> String {
    match settled.stays.is_empty() {
        true => settle(settled, "is back"),
        false => settle(settled, "is back as far as it was there"),
    }
}

/// What was deleted.
pub fn purged(_view: &View, settled: &Settled) -> String {
    settle(settled, "is deleted for good")
}

fn settle(settled: &Settled, what: &str) -> String {
    let mut out = String::new();
    for id in &settled.ids {
        out.push_str(&format!("{} {what}\n", escape(id)));
    }
    for stays in &settled.stays {
        out.push_str(&format!("stays: {}\n", escape(stays)));
    }
    out
}
