//! What clap's own help leaves out: the verbs that stand below another.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory, Error};

use super::{Cli, Exit, Failure};

/// The verbs below others, as the help lists verbs.
pub fn inner_verbs(command: &Command) -> String {
    let mut out = String::new();
    for verb in command.get_subcommands().filter(|verb| verb.has_subcommands()) {
        out.push_str(&format!("Below {}:\n", verb.get_name()));
        for inner in verb.get_subcommands() {
            let about = inner.get_about().map(ToString::to_string).unwrap_or_default();
            let name = format!("{} {}", verb.get_name(), inner.get_name());
            out.push_str(&format!("  {name:<18}  {about}\n"));
        }
        out.push('\n');
    }
    out
}

/// Adds to what clap suggests for a word that is no verb: the verb below another
/// that was meant. One of that very name is the only one suggested.
pub fn suggest_inner(error: &mut Error) {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return;
    }
    let Some(ContextValue::String(typed)) = error.get(ContextKind::InvalidSubcommand) else { return };
    let command = Cli::command();
    let inner = |verb: &Command| -> Vec<(String, String)> {
        let full = |inner: &Command| {
            (inner.get_name().to_owned(), format!("{} {}", verb.get_name(), inner.get_name()))
        };
        verb.get_subcommands().map(full).collect()
    };
    let all = command.get_subcommands().flat_map(inner);
    let Some((name, full)) = all.min_by_key(|(name, _)| distance(typed, name)) else { return };
    let far = distance(typed, &name);
    if far > typed.chars().count().min(name.len()) / 3 {
        return;
    }
    let mut suggested = match error.get(ContextKind::SuggestedSubcommand) {
        Some(ContextValue::Strings(own)) if far > 0 => own.clone(),
        _ => Vec::new(),
    };
    suggested.push(full);
    error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(suggested));
}

/// How many letters one has to add, drop or change to get from one word to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    // A long word is no typing error.
    for (number, letter) in one.chars().take(40).enumerate() {
        let mut before = number;
        if let Some(first) = row.first_mut() {
            *first = number + 1;
        }
        for (at, with) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *with);
            before = row[at + 1];
            row[at + 1] = changed.min(before + 1).min(row[at] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

/// What clap says of wrong usage, which is a text of paragraphs, as a failure:
/// what is wrong, and below it the way to say it right.
pub(super) fn failure(said: &str) -> Failure {
    let (what, rest) = said.split_once("\n\n").unwrap_or((said, ""));
    let lines = |text: &str| -> Vec<String> {
        text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect()
    };
    let what = what.strip_prefix("error: ").unwrap_or(what);
    Failure { exit: Exit::Usage, messages: lines(what), hints: lines(rest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(words: &[&str]) -> String {
        let words = std::iter::once("handover").chain(words.iter().copied());
        let mut error = super::super::command().try_get_matches_from(words).unwrap_err();
        suggest_inner(&mut error);
        error.to_string()
    }

    #[test]
    fn a_verb_below_another_is_found_by_its_own_name() {
        let tip = |word: &str| {
            complaint(&[word]).lines().find_map(|line| line.trim().strip_prefix("tip: ").map(str::to_owned))
        };
        assert_eq!(tip("plan").as_deref(), Some("a similar subcommand exists: 'sweep plan'"));
        assert_eq!(tip("checkpoint").as_deref(), Some("a similar subcommand exists: 'sweep checkpoints'"));
        assert!(tip("repotr").unwrap().contains("'sweep report'"));
        assert_eq!(tip("frobnicate"), None);
        assert!(tip("creat").unwrap().contains("'create'"));
        assert!(complaint(&["create", "--no-such-option"]).contains("unexpected argument"));
    }

    #[test]
    fn the_distance_counts_letters() {
        for (one, other, far) in
            [("", "plan", 4), ("plan", "plan", 0), ("plna", "plan", 2), ("lan", "plan", 1)]
        {
            assert_eq!(distance(one, other), far, "{one} {other}");
        }
    }

    #[test]
    fn the_help_names_every_verb_below_another() {
        let help = super::super::command().render_help().to_string();
        for verb in ["sweep plan", "sweep checkpoints", "sweep report", "sweep preflight", "sweep clean"] {
            assert!(help.contains(verb), "{verb}: {help}");
        }
    }
}
