//! What was looked at: every command and every file, counted and capped.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde::Serialize;

use super::super::plan::Made;
use crate::cluster::Origin;
use crate::safety;
use crate::sys::Call;
use crate::verbs::Context;

/// What was looked at, and how to look again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Runbook {
    /// The commands that were run, in order.
    pub commands: Vec<Command>,
    /// The files and folders that were read, by kind.
    pub files: Vec<Files>,
    /// What was read besides, in words.
    pub sources: Vec<String>,
    /// Commands that show the same again.
    pub again: Vec<String>,
}

/// A command that was run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Command {
    /// The command; what no shell takes is escaped.
    pub line: String,
    /// How often.
    pub times: u64,
}

/// Files of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Files {
    /// What each of them is: `log`, `run folder`, ...
    pub what: String,
    /// How many.
    pub count: usize,
    /// The first of them.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub shown: Vec<PathBuf>,
}

/// So many of each kind are named; the count is of all.
const MOST: usize = 200;

pub(super) fn of(context: &Context, made: &Made, words: &str) -> Runbook {
    let examined = &made.examined;
    let mut logs = Pile::new("log");
    let mut dirs = Pile::new("run folder");
    let mut checkpoints = Pile::new("checkpoint");
    let mut tracked = Pile::new("tracker run");
    for task in &examined.gathered.evidence {
        logs.extend(task.log().into_iter().flat_map(|log| log.files.iter()));
        dirs.extend(task.run_dir());
        let survey = task.checkpoints().into_iter();
        checkpoints.extend(survey.flat_map(|survey| survey.all.iter().map(|one| &one.path)));
        tracked.extend(task.runs().iter().map(|run| &run.dir));
    }
    let settings = &examined.settings;
    let mut own = Pile::new("settings file");
    own.extend(context.config.read_from.iter());
    let named = [&settings.parameters, &settings.manifest];
    let root = context.repository.worktree();
    let named: Vec<PathBuf> =
        named.into_iter().flatten().map(|path| root.join(path)).filter(|path| path.is_file()).collect();
    own.extend(named.iter());
    let mut state = Pile::new("state file");
    if let Origin::File { name } = &examined.snapshot.origin {
        state.extend([PathBuf::from(name)].iter());
    }
    let piles = [state, own, logs, dirs, checkpoints, tracked];
    Runbook {
        commands: context.world.processes.calls().iter().map(command).collect(),
        files: piles.into_iter().filter_map(Pile::files).collect(),
        sources: examined.gathered.sources.clone(),
        again: again(&examined.sweep.key, words),
    }
}

/// Files of one kind, each once.
struct Pile {
    what: &'static str,
    seen: BTreeSet<PathBuf>,
    shown: Vec<PathBuf>,
}

impl Pile {
    fn new(what: &'static str) -> Pile {
        Pile { what, seen: BTreeSet::new(), shown: Vec::new() }
    }

    fn extend<'p>(&mut self, paths: impl IntoIterator<Item = &'p PathBuf>) {
        for path in paths {
            if self.seen.insert(path.clone()) && self.shown.len() < MOST {
                self.shown.push(path.clone());
            }
        }
    }

    fn files(self) -> Option<Files> {
        let files = Files { what: self.what.to_owned(), count: self.seen.len(), shown: self.shown };
        (files.count > 0).then_some(files)
    }
}

fn command(call: &Call) -> Command {
    let word = |word: &String| safety::shell_word(word).unwrap_or_else(|_| safety::escape(word));
    let words: Vec<String> = telling(&call.words).into_iter().map(word).collect();
    Command { line: words.join(" "), times: call.times }
}

/// Of a call of git what it asks: how it asks stands before that, and is always
/// the same.
fn telling(words: &[String]) -> Vec<&String> {
    let mut rest = words.iter();
    let mut kept: Vec<&String> = rest.next().into_iter().collect();
    if words.first().is_some_and(|program| program == "git") {
        while let Some(word) = rest.next() {
            if word == "-c" || word == "-C" {
                rest.next();
            } else if !word.starts_with('-') {
                kept.push(word);
                break;
            }
        }
    }
    kept.extend(rest);
    kept
}

/// A key that cannot be quoted gets no command.
fn again(key: &str, words: &str) -> Vec<String> {
    let Ok(key) = safety::shell_last(key) else { return Vec::new() };
    ["sweep", "sweep plan", "sweep report", "watch"]
        .map(|verb| format!("handover {verb}{words} {key}"))
        .to_vec()
}
