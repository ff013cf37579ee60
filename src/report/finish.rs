//! What was brought home, and whether the worktree could go.

use super::View;
use super::remove;
use crate::safety::{escape, shell_word};
use crate::verbs::finish::{Intent, Outcome};

/// What would be done.
pub fn plan(_view: &View, intent: &Intent) -> String {
    let integration = &intent.integration;
    let how = if integration.merge { "merge" } else { "cherry-pick" };
    let mut out = format!("{how} {} to {}\n", integration.commits.len(), escape(&integration.into));
    for commit in &integration.commits {
        out.push_str(&format!("  {} {}\n", commit.id.short(), commit.subject));
    }
    for why in &intent.against_removal {
        out.push_str(&format!("the worktree would stay: {}\n", escape(why)));
    }
    out
}

/// What was done.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let integration = &outcome.integration;
    let mut out = format!("{} new on {}\n", outcome.new_commits, escape(&integration.into));
    match &outcome.removal {
        Some(receipt) => out.push_str(&remove::text(view, receipt)),
        None => {
            for why in &outcome.stays {
                out.push_str(&format!("the worktree stays: {}\n", escape(why)));
            }
            for hint in &outcome.hints {
                out.push_str(&format!("  {}\n", escape(hint)));
            }
            let name = shell_word(&outcome.feature).unwrap_or_else(|_| "FEATURE".to_owned());
            out.push_str(&format!("the integration stands; later: handover remove {name}\n"));
        }
    }
    out
}
