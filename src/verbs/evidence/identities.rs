//! Who each task is to its log and its run: ids, name, files.

use std::collections::{BTreeSet, HashMap};

use super::gather::Ground;
use crate::cluster::{self, Job, Origin, Snapshot};
use crate::joblog::Identity;
use crate::sweep::{Evidence, Kind, Sweep};
use crate::terms::{JobId, Known, Part, counted};

/// The tasks' identities, and how they were learnt.
pub struct Identities {
    /// One per chosen task, in that order.
    pub list: Vec<Identity>,
    /// What could not be asked.
    pub problems: Vec<String>,
    /// What was asked.
    pub sources: Vec<String>,
    /// How many questions that were.
    pub calls: u32,
}

/// Takes what the queue says of a task's files, or said before (`known`), and
/// asks Slurm once for the others.
pub fn of(
    ground: &Ground,
    snapshot: &Snapshot,
    sweep: &Sweep,
    evidence: &[Evidence],
    chosen: &[usize],
    known: &HashMap<JobId, Job>,
) -> Identities {
    let mut found = Identities { list: Vec::new(), problems: Vec::new(), sources: Vec::new(), calls: 0 };
    let queue = snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
    let mut jobs: HashMap<JobId, Job> = HashMap::new();
    let tasks = || chosen.iter().filter_map(|at| evidence.get(*at));
    let is_unknown = |task: &Evidence| !task.in_queue && !known.contains_key(&task.id);
    let left: Vec<u32> = match sweep.kind {
        // Its own id, and those under which tasks were submitted again.
        Kind::Array => {
            let gone = tasks().filter(|task| is_unknown(task)).map(|task| task.id.base);
            gone.collect::<BTreeSet<u32>>().into_iter().collect()
        }
        Kind::SharedName => tasks().filter(|task| is_unknown(task)).map(|task| task.id.base).collect(),
    };
    if let (Some(look), Origin::Local, false) = (&ground.look, &snapshot.origin, left.is_empty()) {
        match cluster::files_of(ground.world, look, &left) {
            Known::Known(remembered) => {
                found.calls = remembered.calls;
                found.sources.push(format!(
                    "{} to Slurm about the jobs' files",
                    counted(remembered.calls, "question")
                ));
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
    // A saved text of accounting may have what no queue knows any more.
    if let Some(accounting) = snapshot.accounting.known() {
        let wanted = tasks().map(|task| task.id).filter(|id| !jobs.contains_key(id)).collect();
        jobs.extend(cluster::files_in(accounting, &wanted).into_iter().map(|job| (job.id, job)));
    }
    jobs.extend(tasks().filter_map(|task| Some((task.id, known.get(&task.id)?.clone()))));
    // What the queue says is newer.
    jobs.extend(queue.iter().filter(|job| job.pending_tasks.is_none()).map(|job| (job.id, job.clone())));
    // Of a task that Slurm has forgotten, its siblings tell the folder.
    let sibling = jobs
        .values()
        .chain(queue.iter().filter(|job| job.pending_tasks.is_some()))
        .filter(|job| job.id.base == left.first().copied().unwrap_or_default())
        .find_map(|job| job.work_dir.clone());
    found.list = tasks()
        .map(|task| {
            let who = self::known(task, sweep, jobs.get(&task.id));
            Identity { work_dir: who.work_dir.or_else(|| sibling.clone()), ..who }
        })
        .collect();
    found
}

/// Who a task is by what is known without asking.
pub fn known(task: &Evidence, sweep: &Sweep, job: Option<&Job>) -> Identity {
    Identity {
        base: task.id.base,
        task: match task.id.part {
            Part::Task(index) => Some(index),
            Part::Whole | Part::Component(_) => None,
        },
        raw: task.raw_id.or(job.and_then(|job| job.raw_id)),
        name: sweep.name.clone(),
        user: sweep.user.clone(),
        work_dir: job.and_then(|job| job.work_dir.clone()),
        stdout: job.and_then(|job| job.stdout.clone()),
        node: Some(task.node_list.to_string()).filter(|nodes| !nodes.is_empty()),
        is_heterogeneous: matches!(task.id.part, Part::Component(_)),
    }
}
