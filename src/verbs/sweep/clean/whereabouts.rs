//! Where ended tasks may have left something, and where others may still write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use crate::cluster::{Snapshot, State, filled};
use crate::git;
use crate::safety::escape_path;
use crate::sweep::plan::Again;
use crate::sweep::{Evidence, Kind, Sweep};
use crate::terms::{JobId, Part, TaskIds};
use crate::verbs::Context;
use crate::verbs::job_paths::without_links;
use crate::verbs::sweep::elsewhere::elsewhere as of_others;

/// The folders below which something may be removed: the worktrees of this
/// clone, and what the settings name by a whole path. Everything else that a log,
/// accounting or a link names may be anybody's.
pub struct Homes {
    /// As they are named, which a link may stand for.
    named: Vec<PathBuf>,
    /// As they are.
    real: Vec<PathBuf>,
}

impl Homes {
    /// Those of a repository.
    pub fn of(context: &Context) -> Homes {
        let others = git::list(context.repository.git()).unwrap_or_default();
        let others = others.into_iter().filter(|other| !other.is_bare).map(|other| other.path);
        let templates = context.config.sweeps.all_runs().filter_map(|template| whole_part(template));
        let named: Vec<PathBuf> = context.roots().into_iter().chain(others).chain(templates).collect();
        let real = named.iter().filter_map(|home| std::fs::canonicalize(home).ok()).collect();
        Homes { named, real }
    }

    /// The folder without links.
    ///
    /// # Errors
    /// In words, why nothing in it may be touched: it is not there, or no part of the project.
    pub fn real(&self, dir: &Path) -> Result<PathBuf, String> {
        let real = std::fs::canonicalize(dir).map_err(|_| "its run folder is not there".to_owned())?;
        if self.real.contains(&real) {
            return Err(format!("its run folder {} holds the whole project", escape_path(&real)));
        }
        if self.real.iter().any(|home| real.starts_with(home)) {
            return Ok(real);
        }
        let shown = escape_path(&real);
        Err(match self.named.iter().chain(&self.real).any(|home| dir.starts_with(home)) {
            true => format!(
                "its run folder {} is a link that leads out of the project, to {shown}",
                escape_path(dir)
            ),
            false => format!(
                "its run folder {shown} is no part of the project, and `sweeps: runs:` does not name it"
            ),
        })
    }
}

/// The folder of a template with a whole path, as far as it is fixed.
fn whole_part(template: &str) -> Option<PathBuf> {
    let fixed = template.split('{').next().filter(|fixed| fixed.starts_with('/'))?;
    let (dir, _) = fixed.rsplit_once('/')?;
    (!dir.is_empty()).then(|| PathBuf::from(dir))
}

/// The tasks into whose folders a job under another id may write: what a plan
/// submitted again and is not seen to be over, and live jobs of other arrays
/// that have the same name. `None` if that may be any task.
pub fn elsewhere(snapshot: &Snapshot, sweep: &Sweep, again: &BTreeMap<u32, Again>) -> Option<TaskIds> {
    let others = of_others(snapshot, sweep, None, &BTreeSet::new());
    if others.any.is_some() || others.single.is_some() {
        return None;
    }
    let is_open = |again: &Again| !again.state.is_some_and(State::is_finished);
    let again = again.iter().filter(|(_, again)| is_open(again)).map(|(task, _)| *task);
    Some(again.chain(others.tasks.into_keys()).collect())
}

/// What is alive in the queue, under whatever name, and where it may write.
#[derive(Default)]
pub struct Writers {
    /// Jobs with folders they work in and files they write.
    places: Vec<(JobId, PathBuf)>,
    /// Jobs with folders below which they write somewhere: a pattern is left.
    somewhere: Vec<(JobId, PathBuf)>,
    /// Tasks of other arrays that work in the same directory, by their index.
    same_index: BTreeMap<u32, JobId>,
    /// In the path of a run folder it tells the runs of arrays apart.
    marks: Vec<String>,
}

impl Writers {
    /// Those of a look.
    pub fn of(snapshot: &Snapshot, sweep: &Sweep, work_dirs: &[(PathBuf, TaskIds)]) -> Writers {
        let mut all = Writers { marks: vec![sweep.key.clone(), sweep.name.clone()], ..Writers::default() };
        let work_dirs: Vec<PathBuf> = work_dirs.iter().map(|(dir, _)| without_links(dir)).collect();
        let jobs = snapshot.jobs.known().into_iter().flatten().filter(|job| job.state.is_live());
        for job in jobs {
            let id = job.id;
            let is_own = sweep.kind == Kind::Array && id.base.to_string() == sweep.key;
            if let Some(dir) = &job.work_dir {
                let dir = without_links(dir);
                if !is_own && work_dirs.contains(&dir) {
                    let tasks = job.pending_tasks.iter().flat_map(TaskIds::iter);
                    let own = match id.part {
                        Part::Task(task) => Some(task),
                        _ => None,
                    };
                    all.same_index.extend(tasks.chain(own).map(|task| (task, id)));
                }
                all.places.push((id, dir));
            }
            for file in [&job.stdout, &job.stderr].into_iter().flatten() {
                match filled(job, file) {
                    Some(file) => all.places.push((id, without_links(&file))),
                    None if !is_own => all.somewhere.push((id, without_links(&fixed(file)))),
                    None => {}
                }
            }
        }
        all
    }

    /// A job that works in the folder of a task or writes into it, or that may, in words.
    pub fn hinder(&self, dir: &Path, task: u32) -> Option<String> {
        if let Some((id, _)) = self.places.iter().find(|(_, place)| place.starts_with(dir)) {
            return Some(format!("job {id} is alive, and works in its run folder or writes into it"));
        }
        if let Some((id, _)) = self.somewhere.iter().find(|(_, above)| dir.starts_with(above)) {
            return Some(format!("job {id} is alive, and may write into its run folder"));
        }
        let id = self.same_index.get(&task)?;
        let is_marked = dir.components().any(|part| {
            let part = part.as_os_str().to_string_lossy();
            self.marks.iter().any(|mark| part.contains(mark.as_str()))
        });
        (!is_marked).then(|| {
            format!("job {id} is alive in the same directory under the same index, and may write into its run folder")
        })
    }
}

/// The folder of a path as far as it has no pattern in it.
fn fixed(path: &Path) -> PathBuf {
    let has_none = |part: &Component| !part.as_os_str().as_encoded_bytes().contains(&b'%');
    let mut parts: PathBuf = path.components().take_while(has_none).collect();
    if parts == path {
        parts.pop();
    }
    parts
}

/// The folders of everything that may still write.
pub fn live_dirs(evidence: &[Evidence], alive: Option<&TaskIds>) -> Vec<PathBuf> {
    let may_write = |one: &&Evidence| one.is_live() || alive.is_none_or(|alive| alive.contains(one.member));
    let dirs = evidence.iter().filter(may_write).filter_map(|one| one.run_dir());
    dirs.map(|dir| std::fs::canonicalize(dir).unwrap_or_else(|_| dir.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Job, Nothing, Origin, Scope};
    use crate::terms::Known;

    #[test]
    fn a_live_job_of_any_name_in_the_run_folder_or_of_its_index_hinders() {
        let job = |id: JobId, dir: &str, out: &str| Job {
            name: "eval".to_owned(),
            state: State::Running,
            work_dir: Some(dir.into()),
            stdout: Some(out.into()),
            ..Job::new(id)
        };
        let nothing = Nothing::NotApplicable("not asked".to_owned());
        let snapshot = |jobs: Vec<Job>| Snapshot {
            jobs: Known::Known(jobs),
            ..Snapshot::without(Origin::Local, Scope::default(), nothing.clone())
        };
        let own = |task| Job { name: "lr".to_owned(), ..job(JobId::task(8, task), "/w", "/w/logs/o") };
        let sweep = crate::sweep::sweeps(&snapshot((0..3).map(own).collect())).sweeps.remove(0);
        let hinder = |jobs: Vec<Job>, dir: &str| {
            let dirs = [("/w".into(), "0-9".parse().unwrap())];
            Writers::of(&snapshot(jobs), &sweep, &dirs).hinder(Path::new(dir), 2)
        };
        let seven = || JobId::whole(7);
        assert!(hinder(vec![job(seven(), "/w/runs/2/eval", "/w/o")], "/w/runs/2").is_some());
        assert!(hinder(vec![job(seven(), "/w", "/w/runs/2/o")], "/w/runs/2").is_some());
        assert!(hinder(vec![job(seven(), "/w", "/w/runs/3/o")], "/w/runs/2").is_none());
        let over = Job { state: State::Completed, ..job(seven(), "/w/runs/2", "/w/runs/2/o") };
        assert!(hinder(vec![over], "/w/runs/2").is_none());
        // The same index in the same directory, unless the folder says whose it is.
        let same = || job(JobId::task(7, 2), "/w", "/w/logs/o");
        assert!(hinder(vec![same()], "/w/runs/2").unwrap().contains("7_2"));
        assert!(hinder(vec![same()], "/w/runs/lr/2").is_none());
        assert!(hinder(vec![job(JobId::task(7, 3), "/w", "/w/logs/o")], "/w/runs/2").is_none());
        assert!(hinder((0..3).map(own).collect(), "/w/runs/2").is_none());
    }

    #[test]
    fn a_run_folder_must_lie_in_the_project_however_it_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let base = std::fs::canonicalize(dir.path()).unwrap();
        for made in ["project/runs/1", "scratch/runs/2", "scratch/named/3"] {
            std::fs::create_dir_all(base.join(made)).unwrap();
        }
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(base.join(to), base.join(at)).unwrap();
        link("scratch/runs/2", "project/runs/2");
        link("project/runs/1", "project/runs/one");
        link("project", "door");
        let named = vec![
            base.join("project"),
            whole_part(&format!("{}/scratch/named/{{task}}", base.display())).unwrap(),
        ];
        let homes = Homes { real: named.clone(), named };
        let real = |path: &str| homes.real(&base.join(path));
        for inside in ["project/runs/1", "project/runs/one", "door/runs/1"] {
            assert_eq!(real(inside), Ok(base.join("project/runs/1")), "{inside}");
        }
        assert_eq!(real("scratch/named/3"), Ok(base.join("scratch/named/3")));
        assert!(real("project/runs/2").unwrap_err().contains("is a link that leads out of the project"));
        assert!(real("scratch/runs/2").unwrap_err().contains("is no part of the project"));
        assert!(real("project").unwrap_err().contains("the whole project"));
        assert!(real("project/runs/9").is_err());
        assert_eq!(whole_part("runs/{task}"), None);
        assert_eq!(whole_part("/{task}"), None);
    }
}
