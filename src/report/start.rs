//! What `start` made.

use super::View;
use crate::safety::{escape, escape_path};
use crate::terms::{Known, by_number, counted};
use crate::verbs::start::Outcome;
use crate::worktree::create::Plan;

/// The outcome; the path stands alone on the last line.
pub fn text(_view: &View, outcome: &Outcome) -> String {
    let plan = &outcome.plan;
    let mut out = format!(
        "{} {}\n",
        if plan.worktree_exists { "worktree there already, branch" } else { "worktree made, branch" },
        escape(&plan.branch)
    );
    out.push_str(&origin(plan));
    if !outcome.shared.links.is_empty() {
        let links: Vec<String> = outcome.shared.links.iter().map(escape_path).collect();
        out.push_str(&format!("shared by links: {}\n", links.join(", ")));
    }
    for skipped in &outcome.shared.skipped {
        out.push_str(&format!("not shared: {} ({})\n", escape(&skipped.path), escape(&skipped.why)));
    }
    if let Some(line) = &outcome.shared.environment {
        out.push_str(&format!(
            "virtual environment: make one here, since a copy or a link of another holds that one's absolute paths: {line}\n"
        ));
    }
    if let Some(context) = &outcome.context {
        out.push_str(&format!("context block: {}\n", context.place.file()));
    }
    match &outcome.left_behind {
        Known::Known(0) => {}
        Known::Known(count) => out.push_str(&format!(
            "note: {} in {} {} there\n",
            counted(*count, "changed or new path"),
            escape_path(&outcome.from),
            by_number(*count, "stays", "stay")
        )),
        Known::Unknown(why) | Known::NotApplicable(why) => out.push_str(&format!(
            "note: whether {} has uncommitted files is unknown: {}\n",
            escape_path(&outcome.from),
            escape(why)
        )),
    }
    let context = outcome.context.iter().flat_map(|context| &context.noticed);
    for note in outcome.notes.iter().chain(context) {
        out.push_str(&format!("note: {}\n", escape(note)));
    }
    for failed in &outcome.failed {
        out.push_str(&format!("failed: {}\n", escape(failed)));
    }
    out.push_str(&format!("{}\n", escape_path(&plan.path)));
    out
}

/// What would be made.
pub fn plan(_view: &View, plan: &Plan) -> String {
    let mut out = String::new();
    if plan.worktree_exists {
        out.push_str(&format!("the worktree of {} is there already\n", escape(&plan.branch)));
    } else {
        out.push_str(&format!("would make a worktree, branch {}\n", escape(&plan.branch)));
    }
    out.push_str(&origin(plan));
    for note in &plan.notes {
        out.push_str(&format!("note: {}\n", escape(note)));
    }
    out.push_str(&format!("{}\n", escape_path(&plan.path)));
    out
}

fn origin(plan: &Plan) -> String {
    match &plan.base {
        Some(base) if plan.branch_exists => {
            format!(
                "the branch is there already; it left {} at {}\n",
                escape(&base.name),
                base.commit.short()
            )
        }
        Some(base) => format!("from {}, {}\n", escape(&base.name), base.commit.short()),
        None => String::new(),
    }
}
