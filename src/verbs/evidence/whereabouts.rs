//! Whether the files of a task could be on this machine at all: what is not
//! found where they cannot be is not missing.

use std::collections::BTreeMap;

use crate::cluster::{Origin, Snapshot};
use crate::joblog::Identity;
use crate::safety;
use crate::terms::{TaskIds, counted};

/// Why nothing follows from a file of this task that is not found here; `None`
/// if it would be here.
///
/// The jobs that Slurm on this machine tells of write here. Of what was told
/// elsewhere, only a folder or a log that is here says so.
pub fn absent(who: &Identity, snapshot: &Snapshot, has_log: bool) -> Option<String> {
    match who.work_dir.as_deref().filter(|dir| dir.is_absolute()) {
        Some(dir) if dir.is_dir() => None,
        Some(dir) => Some(format!("{} is not on this machine", safety::escape_path(dir))),
        None if has_log || snapshot.origin == Origin::Local => None,
        None => Some("where it works is not known, and none of its logs is on this machine".to_owned()),
    }
}

/// What was not looked at, in sentences: the reasons with their tasks.
pub(super) fn in_words(absent: &BTreeMap<String, TaskIds>) -> Vec<String> {
    let sentence = |(why, tasks): (&String, &TaskIds)| {
        let tasks = counted(tasks.len(), "task");
        format!("logs, run folders and results of {tasks}: not looked at, {why}")
    };
    absent.iter().map(sentence).collect()
}
