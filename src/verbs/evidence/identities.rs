//! Who each task is to its log and its run: ids, name, files.

use std::collections::{HashMap, HashSet};

use super::gather::Ground;
use crate::cluster::{self, Job, Origin, Snapshot};
use crate::joblog::Identity;
use crate::sweep::{Evidence, Kind, Sweep};
use crate::terms::{JobId, Known, Part};

/// The tasks' identities, and how they were learnt.
pub struct Identities {
    /// One per chosen task, in that order.
    pub list: Vec<Identity>,
    /// What could not be asked.
    pub problems: Vec<String>,
    /// What was asked.
    pub sources: Vec<String>,
}

/// Takes what the queue says of a task's files, and asks Slurm once for those
/// that have left it.
pub fn of(
    ground: &Ground,
    snapshot: &Snapshot,
    sweep: &Sweep,
    evidence: &[Evidence],
    chosen: &[usize],
) -> Identities {
    let mut found = Identities { list: Vec::new(), problems: Vec::new(), sources: Vec::new() };
    let queue = snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
    let mut jobs: HashMap<JobId, Job> = HashMap::new();
    let tasks = || chosen.iter().filter_map(|at| evidence.get(*at));
    let queued: HashSet<JobId> = queue.iter().map(|job| job.id).collect();
    let left: Vec<u32> = match sweep.kind {
        Kind::Array => {
            sweep.key.parse().ok().filter(|_| tasks().any(|task| !task.in_queue)).into_iter().collect()
        }
        Kind::SharedName => {
            tasks().filter(|task| !queued.contains(&task.id)).map(|task| task.id.base).collect()
        }
    };
    if let (Some(look), Origin::Local, false) = (&ground.look, &snapshot.origin, left.is_empty()) {
        match cluster::files_of(ground.world, look, &left) {
            Known::Known(remembered) => {
                found.sources.push(format!("{} questions to Slurm about the jobs' files", remembered.calls));
                found
                    .problems
                    .extend(remembered.problems.into_iter().map(|p| format!("{}: {}", p.about, p.what)));
                jobs.extend(remembered.jobs.into_iter().map(|files| (files.job.id, files.job)));
            }
            Known::Unknown(why) | Known::NotApplicable(why) => {
                found.problems.push(format!("where the jobs' files are: {why}"));
            }
        }
    }
    // What the queue says is newer.
    jobs.extend(queue.iter().filter(|job| job.pending_tasks.is_none()).map(|job| (job.id, job.clone())));
    // Of a task that Slurm has forgotten, its siblings tell the folder.
    let sibling = jobs
        .values()
        .filter(|job| job.id.base == left.first().copied().unwrap_or_default())
        .find_map(|job| job.work_dir.clone());
    found.list = tasks()
        .map(|task| {
            let job = jobs.get(&task.id);
            Identity {
                base: task.id.base,
                task: match task.id.part {
                    Part::Task(index) => Some(index),
                    Part::Whole | Part::Component(_) => None,
                },
                raw: task.raw_id.or(job.and_then(|job| job.raw_id)),
                name: sweep.name.clone(),
                user: sweep.user.clone(),
                work_dir: job.and_then(|job| job.work_dir.clone()).or_else(|| sibling.clone()),
                stdout: job.and_then(|job| job.stdout.clone()),
                node: Some(task.node_list.to_string()).filter(|nodes| !nodes.is_empty()),
            }
        })
        .collect();
    found
}
