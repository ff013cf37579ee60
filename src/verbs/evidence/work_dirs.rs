//! In which directories the jobs of a sweep work.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::cluster::{Job, Snapshot};
use crate::joblog::Identity;
use crate::sweep::{Kind, Sweep};
use crate::terms::{Part, TaskIds};
use crate::verbs::job_paths::without_links;

/// Which jobs of one name belong to a sweep, by where they work.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belonging {
    /// The worktree in which they work; `None` if that is not known, or no
    /// question: tasks of one array belong together wherever they work.
    pub project: Option<PathBuf>,
    /// The directories of other projects, with the jobs that work there and share the name alone.
    pub strangers: Vec<(PathBuf, TaskIds)>,
}

impl Belonging {
    /// Decides it: to the sweep belongs what works in the worktree where it is
    /// asked, or in the main one (`roots`, in that order), or else in that in
    /// which most do. Where no worktree is known, nobody is sent away.
    pub fn of(sweep: &Sweep, work_dirs: &[(PathBuf, TaskIds)], roots: &[PathBuf]) -> Belonging {
        if sweep.kind == Kind::Array {
            return Belonging::default();
        }
        let dirs: Vec<(Option<PathBuf>, &(PathBuf, TaskIds))> =
            work_dirs.iter().map(|own| (project(&own.0), own)).collect();
        let has = |root: &PathBuf| dirs.iter().any(|(project, _)| project.as_ref() == Some(root));
        let asked = roots.iter().map(|root| without_links(root)).find(has);
        let most = || dirs.first().and_then(|(project, _)| project.clone());
        let Some(own) = asked.or_else(most) else { return Belonging::default() };
        let strangers = dirs.iter().filter(|(project, _)| project.as_ref() != Some(&own));
        Belonging { strangers: strangers.map(|(_, one)| (*one).clone()).collect(), project: Some(own) }
    }

    /// The jobs that do not belong to it.
    pub fn apart(&self) -> TaskIds {
        self.strangers.iter().fold(TaskIds::default(), |all, (_, tasks)| all.union(tasks))
    }
}

/// The worktree in which a directory lies.
fn project(dir: &Path) -> Option<PathBuf> {
    let dir = without_links(dir);
    dir.ancestors().find(|above| above.join(".git").symlink_metadata().is_ok()).map(Path::to_owned)
}

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
