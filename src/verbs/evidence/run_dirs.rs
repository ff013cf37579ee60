//! The run folders of a sweep's tasks, without reading what is in them.

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use super::gather::folders_by_log;
use super::{Ground, Places, Wanted, identities, work_dirs};
use crate::cluster::Snapshot;
use crate::joblog::Identity;
use crate::sweep::{self, Members};
use crate::terms::Known;

/// So many tasks of a sweep are asked for.
const MOST: usize = 100_000;
/// Of so many of them the log is read for want of a folder.
const MOST_LOGS: usize = 20_000;

/// Where the tasks of a sweep keep their runs.
#[derive(Debug, Clone, Default)]
pub struct RunDirs {
    /// The folders that are there, each once.
    pub dirs: Vec<PathBuf>,
    /// The tasks of which none is known, and why, in words.
    pub without: BTreeMap<String, Members>,
    /// What could not be asked or listed.
    pub problems: Vec<String>,
}

/// Finds the folders of all tasks of one sweep, in the directories in which its
/// jobs work first, as the settings' templates or the numbers in the names say,
/// else as the tasks' logs name them.
pub fn run_dirs(ground: &Ground, snapshot: &Snapshot, wanted: Wanted<'_>) -> RunDirs {
    let mut evidence = sweep::tasks(snapshot, wanted.sweep);
    sweep::add_cancelled(&mut evidence, wanted.sweep, wanted.cancelled);
    sweep::take_over(&mut evidence, wanted.sweep, snapshot, wanted.again);
    let mut found = RunDirs::default();
    if evidence.len() > MOST {
        found.problems.push(format!("{} tasks beyond the first {MOST}", evidence.len() - MOST));
        evidence.truncate(MOST);
    }
    let all: Vec<usize> = (0..evidence.len()).collect();
    let known = identities::of(ground, snapshot, wanted.sweep, &evidence, &all, &HashMap::new());
    found.problems.extend(known.problems);
    let ground = ground.with(&work_dirs::of(snapshot, wanted.sweep, &known.list));
    let places = Places::look(&ground.roots, &ground.sweeps.runs);
    found.problems.extend(places.problems.iter().cloned());
    let mut lacking: Vec<(u32, &Identity, String)> = Vec::new();
    for (task, who) in evidence.iter().zip(&known.list) {
        match places.run_dir(who, None) {
            Known::Known(dir) => found.dirs.push(dir),
            Known::Unknown(why) | Known::NotApplicable(why) => lacking.push((task.member, who, why)),
        }
    }
    // Where a template says it, no log is asked.
    let read = if ground.sweeps.runs.is_empty() { lacking.len().min(MOST_LOGS) } else { 0 };
    let who: Vec<Identity> = lacking.iter().take(read).map(|(_, who, _)| (*who).clone()).collect();
    let (by_log, problems) = folders_by_log(&ground, snapshot, &places, &who);
    found.problems.extend(problems);
    if lacking.len() > read && ground.sweeps.runs.is_empty() {
        let left = lacking.len() - read;
        found.problems.push(format!("the logs of {left} of {} tasks without a folder", lacking.len()));
    }
    for (at, (member, _, why)) in lacking.into_iter().enumerate() {
        match by_log.get(&at) {
            Some(dir) => found.dirs.push(dir.clone()),
            None => {
                // A template that is filled differs from task to task.
                let why = if ground.sweeps.runs.is_empty() {
                    why
                } else {
                    "no folder as `sweeps: runs:` names it".to_owned()
                };
                found.without.entry(why).or_default().0.push(member);
            }
        }
    }
    found.dirs.sort();
    found.dirs.dedup();
    found
}
