//! From which checkpoint each run of a sweep can be resumed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::examine;
use crate::checkpoint::{self, Depth, Limits, Survey};
use crate::config::{Source, Sweeps};
use crate::sweep::Members;
use crate::sys::World;
use crate::terms::Unread;
use crate::verbs::shards::{self, Shard};
use crate::verbs::{Context, Error};

/// Where runs are commonly kept, if neither the command nor the settings say.
const COMMON: [&str; 5] = ["outputs", "runs", "checkpoints", "results", "lightning_logs"];
/// The most folders that one template stands for.
const MOST_RUNS: usize = 100_000;

/// What to look at, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Absolute folders; with none the settings say, else the common names.
    pub dirs: Vec<PathBuf>,
    /// Where the settings' templates and the common names count from.
    pub base: PathBuf,
    /// The sweeps whose run folders are among these.
    pub sweeps: Vec<OfSweep>,
    /// True to read what would be resumed from whole.
    pub full: bool,
    /// The most threads.
    pub threads: usize,
    /// The part of the runs to look at; all if there is none.
    pub shard: Option<Shard>,
}

/// The checkpoints of every run that was looked at.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// How much was read of what is said to be resumable.
    pub depth: Depth,
    /// The folders that were looked into.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub looked_in: Vec<PathBuf>,
    /// One survey per run that has checkpoints, by path.
    pub runs: Vec<Survey>,
    /// Folders in which no checkpoint was found.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub empty: Vec<PathBuf>,
    /// What could not be looked at.
    pub unread: Vec<Unread>,
    /// The sweeps whose run folders were looked into.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sweeps: Vec<OfSweep>,
    /// Parts of the work of which there is no answer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing_shards: Vec<u32>,
}

/// A sweep whose run folders were looked into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct OfSweep {
    /// Its key.
    pub key: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// How many run folders of its tasks are there.
    pub folders: usize,
    /// The tasks of which no folder is known, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<Without>,
    /// What could not be asked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<String>,
}

/// Tasks of which no run folder is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Without {
    /// Which.
    pub tasks: Members,
    /// Why, in words.
    pub why: String,
}

/// The sweep that a word names, and the run folders of its tasks, wherever its
/// jobs work.
///
/// # Errors
/// There is no such sweep, or it cannot be looked for.
pub fn of_sweep(
    context: &Context,
    source: Option<&Source>,
    wanted: &str,
) -> Result<(OfSweep, Vec<PathBuf>), Error> {
    let (sweep, found) = examine::folders(context, source, wanted)?;
    let without = found.without.into_iter().map(|(why, tasks)| Without { tasks, why });
    let of_sweep = OfSweep {
        key: sweep.key,
        name: sweep.name,
        folders: found.dirs.len(),
        without: without.collect(),
        problems: found.problems,
    };
    Ok((of_sweep, found.dirs))
}

impl Outcome {
    /// True if each run that was seen has something to resume from, nothing
    /// newer was refused, and nothing was left out.
    pub fn is_plain(&self) -> bool {
        let plain = |run: &Survey| run.best.is_some() && run.refused.is_empty() && run.unread.is_empty();
        self.unread.is_empty() && self.missing_shards.is_empty() && self.runs.iter().all(plain)
    }

    /// By path, numbers as numbers, and nothing twice.
    fn sort(&mut self) {
        self.runs.sort_by_cached_key(|run| natural(&run.dir));
        self.runs.dedup_by(|a, b| a.dir == b.dir);
        for dirs in [&mut self.looked_in, &mut self.empty] {
            dirs.sort_by_cached_key(|dir| natural(dir));
            dirs.dedup();
        }
    }
}

/// The word under which parts of this work know each other.
const OF: &str = "sweep-checkpoints";

/// The answer of one part, as JSON lines.
///
/// # Errors
/// It cannot be written as JSON, which is a bug.
pub fn lines(shard: Shard, mut outcome: Outcome) -> Result<String, serde_json::Error> {
    let runs = std::mem::take(&mut outcome.runs);
    shards::lines(OF, shard, &outcome, &runs)
}

/// Puts the answers of parts together.
///
/// # Errors
/// A file cannot be read, or is no part of the same work.
pub fn merge(files: &[PathBuf]) -> Result<Outcome, Error> {
    let merged: shards::Merged<Outcome, Survey> = shards::merge(OF, files)?;
    let mut outcome = Outcome {
        // The least that was read of any part.
        depth: merged.heads.iter().map(|head| head.depth).min().unwrap_or(Depth::Structure),
        looked_in: Vec::new(),
        runs: merged.items,
        empty: Vec::new(),
        unread: Vec::new(),
        sweeps: Vec::new(),
        missing_shards: merged.missing,
    };
    for head in merged.heads {
        outcome.looked_in.extend(head.looked_in);
        outcome.empty.extend(head.empty);
        outcome.unread.extend(head.unread);
    }
    for path in merged.torn {
        outcome.unread.push(Unread { path, why: "it ends before its last line".to_owned() });
    }
    outcome.sort();
    Ok(outcome)
}

/// Surveys the runs. Links lead nowhere outside of the named folders.
pub fn run(world: &World, sweeps: &Sweeps, options: &Options) -> Outcome {
    world.processes.give_way();
    let takes = |run: &Path| options.shard.is_none_or(|shard| shard.takes(run));
    let limits = Limits { threads: options.threads, now: Some(world.clock.now()), ..Limits::default() };
    let depth = if options.full { Depth::Full } else { Depth::Structure };
    let (dirs, unread) = dirs(sweeps, options);
    let mut outcome = Outcome {
        depth,
        runs: Vec::new(),
        empty: Vec::new(),
        unread,
        looked_in: dirs.clone(),
        sweeps: options.sweeps.clone(),
        missing_shards: Vec::new(),
    };
    for dir in dirs {
        for survey in checkpoint::runs(&dir, depth, &limits, &takes) {
            if !survey.all.is_empty() {
                outcome.runs.push(survey);
            } else if survey.unread.is_empty() {
                outcome.empty.push(survey.dir);
            } else {
                outcome.unread.extend(survey.unread);
            }
        }
    }
    outcome.sort();
    outcome
}

/// The folders to look into, and what of them is not there.
fn dirs(sweeps: &Sweeps, options: &Options) -> (Vec<PathBuf>, Vec<Unread>) {
    let mut unread = Vec::new();
    let mut found = Vec::new();
    if !options.dirs.is_empty() || !options.sweeps.is_empty() {
        found.clone_from(&options.dirs);
    } else if sweeps.all_runs().next().is_some() {
        for template in sweeps.all_runs() {
            let glob = as_glob(template);
            let before = found.len();
            expand(&options.base, Path::new(&glob), &mut found);
            if found.len() == before {
                let why = "no folder is named so, as the settings (sweeps.runs) say".to_owned();
                unread.push(Unread { path: options.base.join(&glob), why });
            }
        }
    } else {
        found = COMMON.iter().map(|name| options.base.join(name)).filter(|dir| dir.is_dir()).collect();
    }
    found.sort();
    found.dedup();
    if found.len() > MOST_RUNS {
        for left_out in found.split_off(MOST_RUNS) {
            unread.push(Unread { path: left_out, why: format!("there are more than {MOST_RUNS} folders") });
        }
    }
    // What lies in another one is found there.
    let mut outer: Vec<PathBuf> = Vec::new();
    for dir in found {
        if !outer.last().is_some_and(|last| dir.starts_with(last)) {
            outer.push(dir);
        }
    }
    (outer, unread)
}

/// A template with `*` for each name in braces.
fn as_glob(template: &str) -> String {
    let mut glob = String::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        glob.push_str(before);
        match after.split_once('}') {
            Some((_, behind)) => {
                if !glob.ends_with('*') {
                    glob.push('*');
                }
                rest = behind;
            }
            None => {
                glob.push('{');
                rest = after;
            }
        }
    }
    glob + rest
}

/// Folders that fit a path in which `*` stands for any part of a name.
fn expand(base: &Path, glob: &Path, found: &mut Vec<PathBuf>) {
    let mut here = vec![if glob.is_absolute() { PathBuf::from("/") } else { base.to_owned() }];
    for part in glob.components() {
        let name = part.as_os_str().to_string_lossy();
        match part {
            std::path::Component::RootDir | std::path::Component::CurDir => {}
            _ if name.contains('*') => here = here.iter().flat_map(|dir| fitting(dir, &name)).collect(),
            _ => here.iter_mut().for_each(|dir| dir.push(part)),
        }
    }
    found.extend(here.into_iter().filter(|dir| dir.is_dir()));
}

fn fitting(dir: &Path, glob: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let fits = |entry: &std::fs::DirEntry| fits(&entry.file_name().to_string_lossy(), glob);
    entries.filter_map(Result::ok).filter(fits).take(MOST_RUNS).map(|entry| entry.path()).collect()
}

/// True if the parts between the stars stand in the name, in this order.
fn fits(name: &str, glob: &str) -> bool {
    let Some((first, rest)) = glob.split_once('*') else { return name == glob };
    let Some(mut name) = name.strip_prefix(first) else { return false };
    // A star takes no dot at the beginning, as in a shell.
    if first.is_empty() && name.starts_with('.') {
        return false;
    }
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        match name.find(part) {
            Some(at) => name = &name[at + part.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

/// A path whose numbers sort as numbers: `run_9` before `run_10`.
fn natural(path: &Path) -> Vec<(String, u64)> {
    let text = path.to_string_lossy();
    let mut parts = Vec::new();
    let mut rest: &str = &text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (words, after) = rest.split_at(digits);
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, behind) = after.split_at(end);
        parts.push((words.to_owned(), number.parse().unwrap_or(u64::MAX)));
        rest = behind;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_become_globs_that_fit_names() {
        assert_eq!(as_glob("runs/{array}_{task}/seed"), "runs/*_*/seed");
        assert_eq!(as_glob("out/{array}{task}"), "out/*");
        assert_eq!(as_glob("odd{"), "odd{");
        assert!(fits("48_12", "*_*"));
        assert!(fits("run-7-a", "run-*-a"));
        assert!(!fits("run-7-b", "run-*-a"));
        assert!(!fits("aba", "ab*ba"));
        assert!(!fits(".git", "*"));
    }

    #[test]
    fn runs_sort_by_number() {
        let mut paths = ["r/10", "r/9", "r/9a", "r/x"].map(PathBuf::from).to_vec();
        paths.sort_by_key(|path| natural(path));
        assert_eq!(paths, ["r/9", "r/9a", "r/10", "r/x"].map(PathBuf::from));
    }
}
