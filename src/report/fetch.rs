//! What `fetch` brought.

use super::View;
use crate::safety::one_line;
use crate::verbs::fetch::Outcome;

/// From where, and what it proves; path and key last.
pub fn text(_view: &View, outcome: &Outcome) -> String {
    let remote = one_line(&outcome.remote, 60);
    let what =
        if outcome.new { format!("brought from {remote}") } else { format!("{remote} has what is here") };
    let branch = outcome.branch.as_ref().map(|branch| format!("its commits came with {branch}\n"));
    let notes: String = outcome.notes.iter().map(|note| format!("{}\n", one_line(note, 300))).collect();
    let rest = branch.unwrap_or_default() + &notes;
    format!(
        "{what}; its bytes prove the key (digest {})\n{rest}{}\n{}\n",
        outcome.digest, outcome.path, outcome.key
    )
}

/// The same in one line, where it was brought on the way.
pub fn noted(outcome: &Outcome) -> String {
    format!("{} was brought from {}; its bytes prove the key", outcome.key, one_line(&outcome.remote, 60))
}
