//! Live jobs of other arrays that do the work of a sweep's tasks: somebody
//! submitted it again.

use std::collections::BTreeSet;
use std::path::Path;

use crate::cluster::{Job, Snapshot};
use crate::sweep::plan::Elsewhere;
use crate::sweep::{Kind, Sweep};
use crate::terms::{JobId, Part};
use crate::verbs::job_paths::without_links;

/// The live jobs of other arrays that have the sweep's name, by the index of
/// the task that they do; with `dir` only those that may work there. Jobs with
/// the ids of `known` are left out: of those it is known what they do.
pub(super) fn elsewhere(
    snapshot: &Snapshot,
    sweep: &Sweep,
    dir: Option<&Path>,
    known: &BTreeSet<u32>,
) -> Elsewhere {
    among(snapshot.jobs.known().map_or(&[], Vec::as_slice), sweep, dir, known)
}

/// The same among the jobs of a queue.
pub(super) fn among(jobs: &[Job], sweep: &Sweep, dir: Option<&Path>, known: &BTreeSet<u32>) -> Elsewhere {
    let mut found = Elsewhere::default();
    if sweep.kind != Kind::Array {
        // All that has its name is of it.
        return found;
    }
    let dir = dir.map(without_links);
    let works_there = |job: &Job| match (&dir, &job.work_dir) {
        (Some(dir), Some(other)) => without_links(other) == *dir,
        _ => true,
    };
    let is_other = |job: &&Job| {
        job.name == sweep.name
            && job.id.base.to_string() != sweep.key
            && job.state.is_live()
            && !known.contains(&job.id.base)
            && works_there(job)
    };
    for job in jobs.iter().filter(is_other) {
        match (&job.pending_tasks, job.id.part) {
            (Some(pending), _) if !job.tasks_cut => {
                found.tasks.extend(pending.iter().map(|task| (task, JobId::task(job.id.base, task))));
            }
            (None, Part::Task(task)) => {
                found.tasks.insert(task, job.id);
            }
            _ if job.is_of_array() => found.any = Some(job.id),
            _ => found.single = Some(job.id),
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Nothing, Origin, Scope, State};
    use crate::terms::Known;

    fn job(id: JobId, name: &str, dir: &str) -> Job {
        Job { name: name.to_owned(), state: State::Running, work_dir: Some(dir.into()), ..Job::new(id) }
    }

    fn found(jobs: Vec<Job>, dir: Option<&str>, known: &[u32]) -> Elsewhere {
        let nothing = Nothing::NotApplicable("not asked".to_owned());
        let snapshot = Snapshot {
            jobs: Known::Known(jobs),
            ..Snapshot::without(Origin::Local, Scope::default(), nothing)
        };
        let mut own = crate::sweep::sweeps(&Snapshot {
            jobs: Known::Known((0..3).map(|task| job(JobId::task(8, task), "lr", "/w")).collect()),
            ..snapshot.clone()
        });
        let sweep = own.sweeps.remove(0);
        elsewhere(&snapshot, &sweep, dir.map(Path::new), &known.iter().copied().collect())
    }

    #[test]
    fn jobs_of_the_same_name_index_and_directory_do_the_same_work() {
        let jobs = || {
            let pending = "4-5".parse().unwrap();
            let rest = Job { pending_tasks: Some(pending), ..job(JobId::whole(31), "lr", "/w") };
            let over = Job { state: State::Completed, ..job(JobId::task(32, 6), "lr", "/w") };
            vec![job(JobId::task(8, 0), "lr", "/w"), job(JobId::task(30, 1), "lr", "/w"), rest, over]
        };
        let tasks: Vec<u32> = found(jobs(), Some("/w"), &[]).tasks.into_keys().collect();
        assert_eq!(tasks, [1, 4, 5]);
        assert_eq!(found(jobs(), Some("/other"), &[]), Elsewhere::default());
        assert_eq!(found(jobs(), None, &[30]).tasks.len(), 2);
        let other = vec![job(JobId::task(30, 1), "other", "/w")];
        assert_eq!(found(other, Some("/w"), &[]), Elsewhere::default());
        let cut = Job { tasks_cut: true, ..job(JobId::whole(33), "lr", "/w") };
        let single = job(JobId::whole(34), "lr", "/w");
        let both = found(vec![cut, single], Some("/w"), &[]);
        assert_eq!((both.any, both.single), (Some(JobId::whole(33)), Some(JobId::whole(34))));
    }
}
