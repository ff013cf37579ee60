//! What clap's own help leaves out: the verbs that stand below another.

use std::ffi::OsString;

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
/// that was meant. One of that very name is the only one suggested. `typed` is the
/// whole command line.
pub fn suggest_inner(error: &mut Error, typed: &[OsString]) {
    if error.kind() == ErrorKind::ArgumentConflict {
        return misspelt(error, typed);
    }
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

/// A verb takes one word or a verb below it, and got two words. Where the first is
/// nearly a verb below it, that was meant; clap speaks of the second as of a verb.
fn misspelt(error: &mut Error, typed: &[OsString]) {
    if error.get(ContextKind::InvalidSubcommand).is_none() {
        return;
    }
    let command = Cli::command();
    let mut words = typed.iter().skip(1).filter_map(|word| word.to_str());
    let Some(verb) = words.find_map(|word| command.find_subcommand(word)) else { return };
    let names: Vec<&str> = verb.get_subcommands().map(Command::get_name).collect();
    let found = words.filter(|word| !word.starts_with('-')).find_map(|word| {
        let near = names.iter().min_by_key(|name| distance(word, name))?;
        let far = distance(word, near);
        (far <= word.chars().count().min(near.len()) / 3).then_some((word, *near))
    });
    let usage = error.get(ContextKind::Usage).cloned();
    let Some((word, near)) = found else {
        *error = Error::raw(
            ErrorKind::TooManyValues,
            format!("'{}' takes one name or id, and got more\n", verb.get_name()),
        )
        .with_cmd(verb);
        return;
    };
    *error = Error::new(ErrorKind::InvalidSubcommand).with_cmd(verb);
    error.insert(ContextKind::InvalidSubcommand, ContextValue::String(word.to_owned()));
    let full = format!("{} {near}", verb.get_name());
    error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(vec![full]));
    if let Some(usage) = usage {
        error.insert(ContextKind::Usage, usage);
    }
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
        let words: Vec<OsString> =
            std::iter::once("handover").chain(words.iter().copied()).map(OsString::from).collect();
        let mut error = super::super::command().try_get_matches_from(&words).unwrap_err();
        suggest_inner(&mut error, &words);
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
    fn a_misspelt_verb_below_another_is_found_although_a_word_follows() {
        let said = complaint(&["sweep", "pln", "5"]);
        assert!(said.contains("unrecognized subcommand 'pln'"), "{said}");
        assert!(said.contains("'sweep plan'"), "{said}");
        let said = complaint(&["sweep", "--json", "prefligt", "train.sh"]);
        assert!(said.contains("'sweep preflight'"), "{said}");
        let said = complaint(&["sweep", "train_lr", "5"]);
        assert!(said.contains("one name or id") && !said.contains("subcommand"), "{said}");
    }

    #[test]
    fn the_options_of_every_command_stand_behind_its_own() {
        let mut all = super::super::command();
        all.build();
        for (name, command) in commands(&all) {
            let help = command.clone().render_long_help().to_string();
            let own = help.find("\nOptions:").unwrap_or_else(|| panic!("{name}: {help}"));
            let every = help.find("\nOptions of every command:").unwrap_or_else(|| panic!("{name}: {help}"));
            assert!(own < every, "{name}: {help}");
            for option in
                ["-C <DIR>", "    --json", "-q, --quiet", "-v, --verbose", "    --color", "    --yes"]
            {
                let at = help.find(&format!("\n  {option}"));
                assert!(at.is_some_and(|at| at > every), "{name} {option}: {help}");
            }
        }
    }

    #[test]
    fn every_command_has_examples_that_it_understands_and_that_fit_a_terminal() {
        let mut all = super::super::command();
        all.build();
        for (name, command) in commands(&all).into_iter().skip(1) {
            let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let after = after.replace(" \\\n     ", "");
            let examples: Vec<&str> = after.lines().filter(|line| line.starts_with("  ")).collect();
            let own = format!("handover {name}");
            assert!(examples.iter().any(|line| line.contains(&own)), "{name} has no example: {after}");
            for example in examples {
                let starts = ["  handover ", "| handover ", "(handover "];
                let Some(at) = starts.iter().find_map(|start| Some(example.find(start)? + start.len() - 9))
                else {
                    continue;
                };
                let words = words(&example[at..]);
                let parsed = super::super::command().try_get_matches_from(&words);
                assert!(parsed.is_ok(), "{words:?}: {}", parsed.unwrap_err());
            }
            let shown = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let widest = shown.lines().filter(|line| line.starts_with("  ")).map(str::len).max();
            assert!(widest.is_some_and(|widest| widest <= 100), "{name}: {shown}");
        }
    }

    /// All commands with their names as they are typed, the program itself first.
    fn commands(command: &Command) -> Vec<(String, &Command)> {
        fn add<'c>(all: &mut Vec<(String, &'c Command)>, above: &str, command: &'c Command) {
            for inner in command.get_subcommands() {
                let name = format!("{above} {}", inner.get_name()).trim_start().to_owned();
                all.push((name.clone(), inner));
                add(all, &name, inner);
            }
        }
        let mut all = vec![(String::new(), command)];
        add(&mut all, "", command);
        all
    }

    /// The words of an example up to where the shell takes over.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quote = None;
        for letter in line.chars() {
            match (quote, letter) {
                (None, '|' | '>' | '&' | ')') => break,
                (None, '\'' | '"') => quote = Some(letter),
                (Some(open), _) if open == letter => quote = None,
                (None, ' ') => words.push(String::new()),
                _ => words.last_mut().unwrap().push(letter),
            }
        }
        words.retain(|word| !word.is_empty());
        // What stands beside an example, for people.
        let comment = line.find("    ").map(|at| line[..at].split_whitespace().count());
        words.truncate(comment.unwrap_or(words.len()));
        words
    }

    #[test]
    fn the_help_of_the_plan_says_what_the_resume_command_may_hold() {
        let command = super::super::command();
        let plan = command.find_subcommand("sweep").unwrap().find_subcommand("plan").unwrap();
        let help = plan.clone().render_long_help().to_string();
        let said = |text: &str| help.lines().any(|line| line.trim() == text);
        for (_, name, words) in crate::sweep::plan::PLACEHOLDERS {
            let name = format!("{{{name}}}");
            assert!(said(&format!("{name:<13} {words}")), "{name}: {help}");
        }
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
