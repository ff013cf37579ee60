//! What ended tasks left, what went, and what the trash holds.

use super::{Align, Style, Table, View, paint};
use crate::safety::{escape, one_line};
use crate::verbs::sweep::clean::{Plan, Receipt, Settled, Trash};

/// So many files are shown; JSON has all.
const MOST: usize = 200;

/// What could go; `again` are the options that the next command must repeat.
pub fn plan(view: &View, plan: &Plan, again: &str) -> String {
    let sweep = one_line(&plan.sweep, 60);
    let mut out = match plan.items.len() {
        0 => format!("nothing of sweep {sweep} could go\n"),
        count => format!("{count} files and folders of sweep {sweep} could go, {} together:\n", plan.bytes),
    };
    for item in plan.items.iter().take(MOST) {
        let size = format!("{:>10}", item.bytes.to_string());
        out.push_str(&format!(
            "{size}  {}  (task {}: {})\n",
            view.path(&item.path),
            item.task,
            escape(&item.why)
        ));
    }
    if plan.items.len() > MOST {
        out.push_str(&format!("and {} more; --json has all\n", plan.items.len() - MOST));
    }
    for kept in &plan.kept {
        out.push_str(&format!("kept: everything of {}: {}\n", kept.tasks, escape(&kept.why)));
    }
    for what in &plan.not_read {
        out.push_str(&format!("not read: {}\n", escape(what)));
    }
    if !plan.items.is_empty() {
        out.push_str(&format!("to put it into the trash: handover sweep clean {sweep} --remove{again}\n"));
    }
    out
}

/// What went.
pub fn text(_view: &View, receipt: &Receipt) -> String {
    let mut out = String::new();
    for item in receipt.entry.items.iter().take(MOST) {
        out.push_str(&format!("{}  {}\n", paint(Style::Faint, "trash"), escape(&item.path)));
    }
    if receipt.entry.items.len() > MOST {
        out.push_str(&format!("and {} more\n", receipt.entry.items.len() - MOST));
    }
    out.push_str(&format!("{} went; the disk is free of it after --purge\n", receipt.bytes));
    out.push_str(&format!("to undo: handover sweep clean --undo {}\n", receipt.entry.id));
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
    for entry in &trash.entries {
        let due = if trash.due.contains(&entry.id) { "old: --purge deletes it" } else { "" };
        table.row([
            escape(&entry.id),
            one_line(&entry.what, 40),
            entry.items.len().to_string(),
            entry.bytes().to_string(),
            view.time(entry.at),
            due.to_owned(),
        ]);
    }
    table.render()
}

/// What was put back.
pub fn undone(_view: &View, settled: &Settled) -> String {
    settle(settled, "is back")
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
