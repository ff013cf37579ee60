//! What a removal would lose, what it did, and what the trash holds.

use super::{Align, Style, Table, View, paint};
use crate::safety::{escape, escape_path};
use crate::verbs::remove::{Plan, Receipt, Trash, TrashRow};
use crate::worktree::landing::Landing;
use crate::worktree::removal::BranchOutcome;
use crate::worktree::trash::Trashed;

/// The plan: what is in the way, what is waived, what was not checked.
pub fn plan(_view: &View, plan: &Plan) -> String {
    let mut out = format!("{} at {}\n", escape(&plan.name), escape_path(&plan.path));
    out.push_str(&format!("commits: {}\n", landing(&plan.landing)));
    for finding in &plan.findings {
        let (style, word) = match (finding.waived, finding.waiver) {
            (true, _) => (Style::Watch, "waived "),
            (false, Some(_)) => (Style::Bad, "refused"),
            (false, None) => (Style::Bad, "refused"),
        };
        out.push_str(&format!("{}  {}\n", paint(style, word), escape(&finding.text())));
        if let Some(waiver) = finding.waiver.filter(|_| !finding.waived) {
            out.push_str(&format!("         to give that up: --waive {}\n", waiver.name()));
        }
        if let Some(hint) = &finding.hint {
            out.push_str(&format!("         {}\n", escape(hint)));
        }
    }
    for what in &plan.not_checked {
        out.push_str(&format!("not checked: {}\n", escape(what)));
    }
    out.push_str(if plan.blocking().next().is_some() {
        "it would not be removed\n"
    } else if plan.deletes_branch {
        "it would be moved to the trash, and its branch deleted\n"
    } else {
        "it would be moved to the trash; its branch stays\n"
    });
    out
}

/// What is given up, for the person who is asked.
pub fn warning(plan: &Plan) -> String {
    let given: Vec<String> = plan
        .findings
        .iter()
        .filter(|finding| finding.waived)
        .map(|finding| escape(&finding.text()))
        .collect();
    format!("removing {} gives up: {}", escape(&plan.name), given.join("; "))
}

/// The receipt.
pub fn text(_view: &View, receipt: &Receipt) -> String {
    let mut out = format!("removed {} ({})\n", escape(&receipt.name), escape(&receipt.path));
    out.push_str(match receipt.branch {
        BranchOutcome::Deleted => "branch: deleted, all of it has landed\n",
        BranchOutcome::KeptUnlanded => "branch: kept, it has commits of its own\n",
        BranchOutcome::KeptMoved => "branch: kept, it moved on or is in use elsewhere\n",
        BranchOutcome::Detached => "branch: none, HEAD was detached\n",
    });
    for swept in &receipt.swept {
        out.push_str(&format!("out of the trash for good: {}\n", escape(swept)));
    }
    for kept in &receipt.not_swept {
        out.push_str(&format!("old, still in the trash: {}\n", escape(kept)));
    }
    out.push_str(&format!("to undo: {}\n", receipt.undo));
    out
}

/// What the trash holds.
pub fn trash(view: &View, trash: &Trash) -> String {
    if trash.entries.is_empty() {
        return "the trash is empty\n".to_owned();
    }
    let mut table = Table::new([
        ("id", Align::Left),
        ("worktree", Align::Left),
        ("removed", Align::Left),
        ("waived", Align::Left),
        ("to put it back", Align::Left),
    ]);
    for row in &trash.entries {
        let entry = &row.entry;
        let back = match &row.obstacle {
            Some(why) => escape(why),
            None => format!("handover remove --undo {}", &entry.id.as_str()[..8]),
        };
        table.row([
            entry.id.to_string(),
            escape(&entry.name),
            view.time(entry.removed),
            entry.waived.join(","),
            back,
        ]);
    }
    table.render()
}

/// A removal that was cut short, and would be ended.
pub fn rest(_view: &View, entry: &Trashed) -> String {
    format!("a removal of {} was cut short; running this again ends it\n", escape(&entry.name))
}

/// What would be put back, or what stands against it.
pub fn restore_plan(_view: &View, row: &TrashRow) -> String {
    let (name, path) = (escape(&row.entry.name), escape(&row.entry.path));
    match &row.obstacle {
        Some(why) => format!("{name} would not be put back: {}\n", escape(why)),
        None => format!("{name} would be put back\n{path}\n"),
    }
}

/// What was put back.
pub fn restored(_view: &View, entry: &Trashed) -> String {
    format!("{} is back\n{}\n", escape(&entry.name), escape(&entry.path))
}

fn landing(landing: &Landing) -> String {
    match landing {
        Landing::Fresh => "none of its own".to_owned(),
        Landing::Merged { on } => format!("all on {}", escape(on)),
        Landing::Picked { on } => format!("all on {} under other ids", escape(on)),
        Landing::Not { on, ahead } => format!("{ahead} not on {}", escape(on)),
        Landing::Unknown => "nothing to compare with: there is no default branch".to_owned(),
    }
}
