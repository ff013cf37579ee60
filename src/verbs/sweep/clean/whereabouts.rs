//! Where ended tasks may have left something, and where others may still write.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::cluster::{Snapshot, State};
use crate::git;
use crate::safety::escape_path;
use crate::sweep::plan::Again;
use crate::sweep::{Evidence, Sweep};
use crate::terms::TaskIds;
use crate::verbs::Context;
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

/// The folders of everything that may still write.
pub fn live_dirs(evidence: &[Evidence], alive: Option<&TaskIds>) -> Vec<PathBuf> {
    let may_write = |one: &&Evidence| one.is_live() || alive.is_none_or(|alive| alive.contains(one.member));
    let dirs = evidence.iter().filter(may_write).filter_map(|one| one.run_dir());
    dirs.map(|dir| std::fs::canonicalize(dir).unwrap_or_else(|_| dir.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
