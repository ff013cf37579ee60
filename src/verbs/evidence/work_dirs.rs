//! In which directories the jobs of a sweep work.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::cluster::{Job, Snapshot};
use crate::joblog::Identity;
use crate::sweep::{Kind, Sweep};
use crate::terms::{Part, TaskIds};

/// The directories with the tasks that are known to work there, that of most
/// tasks first: those that were identified, and those that wait.
pub(super) fn of(snapshot: &Snapshot, sweep: &Sweep, who: &[Identity]) -> Vec<(PathBuf, TaskIds)> {
    let mut found: Vec<(PathBuf, TaskIds)> = Vec::new();
    let mut add = |dir: &PathBuf, tasks: TaskIds| match found.iter_mut().find(|(known, _)| known == dir) {
        Some((_, known)) => *known = known.union(&tasks),
        None => found.push((dir.clone(), tasks)),
    };
    let mut own: BTreeMap<&PathBuf, TaskIds> = BTreeMap::new();
    let mut seen = TaskIds::default();
    for one in who {
        let member = one.task.unwrap_or(one.base);
        // One that is not absolute says nothing: Slurm's own are.
        if let Some(dir) = one.work_dir.as_ref().filter(|dir| dir.is_absolute()) {
            seen.push(member);
            own.entry(dir).or_default().push(member);
        }
    }
    own.into_iter().for_each(|(dir, tasks)| add(dir, tasks));
    let members = sweep.look.all();
    let is_of_it = |job: &&Job| match sweep.kind {
        Kind::Array => job.id.base.to_string() == sweep.key,
        // By its id: others have jobs of that name, too.
        Kind::SharedName => members.contains(job.id.base),
    };
    for job in snapshot.jobs.known().into_iter().flatten().filter(is_of_it) {
        let tasks = match (&job.pending_tasks, job.id.part) {
            (Some(pending), _) => pending.clone(),
            (None, Part::Task(index)) => [index].into_iter().collect(),
            (None, _) => [job.id.base].into_iter().collect(),
        };
        if let Some(dir) = job.work_dir.as_ref().filter(|dir| dir.is_absolute()) {
            add(dir, tasks.difference(&seen));
        }
    }
    found.sort_by_key(|(_, tasks)| std::cmp::Reverse(tasks.len()));
    found
}
