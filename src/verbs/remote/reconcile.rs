//! What `sweep clean` put aside here, and is still on another machine.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Machine, named};
use crate::remote::{Question, Trouble, Why, ask, quoted};
use crate::terms::{Known, Time};
use crate::verbs::{Context, Error};
use crate::worktree::put_aside;

/// What is partial there, and gone here.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The machine.
    pub machine: Machine<Vec<Left>>,
    /// How many paths were asked for.
    pub asked: usize,
    /// Paths that were not asked for: outside of the project, or with a name that no list takes.
    pub not_asked: usize,
}

/// A partial file or folder that is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Left {
    /// From the top of the project.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// The sweep that it belonged to: text from outside.
    pub sweep: String,
    /// When it was put aside here.
    pub at: Time,
}

/// So many paths are asked for.
const MOST: usize = 5000;
/// So many of them in one command: the system bounds how long one is.
const AT_ONCE: usize = 100;

/// Asks the machine which of them are there. Nothing is removed anywhere.
///
/// # Errors
/// There is no such machine in the settings, or what was put aside cannot be read.
pub fn run(context: &Context, machine: &str) -> Result<Outcome, Error> {
    let target = named(context, machine)?;
    let Some(project) = target.path.clone() else {
        return Err(Error::Usage {
            what: "no path is set for this machine".to_owned(),
            hint: "set `path` of its profile".to_owned(),
        });
    };
    let tops = context.worktrees();
    let mut wanted: Vec<Left> = Vec::new();
    let mut not_asked = 0;
    for note in put_aside::list(context.repository.common_dir())? {
        for item in &note.items {
            let path = Path::new(&item.path);
            // Put back since: then it is not gone here.
            if path.symlink_metadata().is_ok() {
                continue;
            }
            let below = tops.iter().find_map(|top| path.strip_prefix(top).ok());
            // Names that are shown with escapes are not the names themselves.
            match below.filter(|below| !item.path.contains('\\') && !below.as_os_str().is_empty()) {
                Some(below) if wanted.len() < MOST => {
                    wanted.push(Left { path: below.to_owned(), sweep: note.what.clone(), at: note.at })
                }
                _ => not_asked += 1,
            }
        }
    }
    wanted.sort_by(|one, other| one.path.cmp(&other.path));
    wanted.dedup_by(|one, other| one.path == other.path);
    let asked = wanted.len();
    let parts: Vec<&[Left]> = wanted.chunks(AT_ONCE).collect();
    let questions: Vec<Question> =
        parts.iter().enumerate().map(|(at, part)| question(at, part).at(&project)).collect();
    let answer = ask(context.world, &target, "", &questions).and_then(|answers| {
        let mut left = Vec::new();
        for (at, part) in parts.iter().enumerate() {
            match super::words(answers.of(&format!("left{at}"))) {
                Known::Known(text) => {
                    let there = text.lines().filter_map(|line| line.trim().parse::<usize>().ok());
                    left.extend(there.filter_map(|at| part.get(at).cloned()));
                }
                Known::Unknown(words) | Known::NotApplicable(words) => {
                    return Err(Trouble { why: Why::Other, words, tries: 1 });
                }
            }
        }
        Ok(left)
    });
    Ok(Outcome { machine: Machine::of(context, &target, answer), asked, not_asked })
}

/// Prints the number of each path that is there.
fn question(number: usize, wanted: &[Left]) -> Question {
    let mut text = b"at=0; for path in".to_vec();
    for left in wanted {
        text.push(b' ');
        text.extend(quoted(Path::new(".").join(&left.path).as_os_str()));
    }
    text.extend(b"; do if [ -e \"$path\" ] || [ -L \"$path\" ]; then echo $at; fi; at=$((at + 1)); done");
    Question::shell(&format!("left{number}"), text).within(60)
}
