//! Where trackers keep their files.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Component, Path, PathBuf};

use super::super::gather::{Gathered, Ground};
use crate::joblog::{Identity, Mention};

/// Where event files lie if not in a run's own folder.
const EVENTS: [&str; 5] = ["runs", "lightning_logs", "tb_logs", "tensorboard", "tb"];
/// MLflow's store, and Trackio's.
const OTHERS: [&str; 2] = ["mlruns", "trackio"];

type Tasks<'t> = BTreeMap<usize, &'t Identity>;

/// Folders below which runs of W&B may lie: `wandb` of the worktrees and of the
/// tasks' working directories, the tasks' own folders, and those that logs name.
pub(super) fn of_wandb(ground: &Ground, gathered: &Gathered, tasks: &Tasks) -> Vec<PathBuf> {
    let bases = bases(ground, tasks);
    let own = tasks.keys().filter_map(|at| gathered.evidence[*at].run_dir().cloned());
    let named = tasks.iter().flat_map(|(at, who)| {
        let log = gathered.evidence[*at].log().into_iter();
        let mentions = log.flat_map(|log| &log.reading.mentions);
        mentions.filter_map(|mention| match mention {
            Mention::WandbDir { path } => of_run(Path::new(path), who),
            _ => None,
        })
    });
    distinct(bases.iter().map(|base| base.join("wandb")).chain(own).chain(named))
}

/// Folders below which MLflow and Trackio keep theirs.
pub(super) fn of_others(ground: &Ground, gathered: &Gathered, tasks: &Tasks) -> Vec<PathBuf> {
    let mut bases = bases(ground, tasks);
    bases.extend(tasks.keys().filter_map(|at| gathered.evidence[*at].run_dir().cloned()));
    distinct(bases.iter().flat_map(|base| OTHERS.iter().map(move |name| base.join(name))))
}

/// Folders below which event files of several tasks may lie.
pub(super) fn of_events(ground: &Ground, tasks: &Tasks) -> Vec<PathBuf> {
    let bases = bases(ground, tasks);
    distinct(bases.iter().flat_map(|base| EVENTS.iter().map(move |name| base.join(name))))
}

fn bases(ground: &Ground, tasks: &Tasks) -> BTreeSet<PathBuf> {
    ground.roots.iter().cloned().chain(tasks.values().filter_map(|who| who.work_dir.clone())).collect()
}

/// The `wandb` folder of a run that a log names.
fn of_run(run: &Path, who: &Identity) -> Option<PathBuf> {
    let base = who.work_dir.clone().unwrap_or_default();
    let whole = base.join(run);
    let home = whole.parent()?;
    let is_plain = whole.is_absolute() && whole.components().all(|part| part != Component::ParentDir);
    (is_plain && home.ends_with("wandb")).then(|| home.to_owned())
}

/// Those that are there, each once however it is called; of two of which one
/// lies in the other, the outer one.
pub(super) fn distinct(dirs: impl Iterator<Item = PathBuf>) -> Vec<PathBuf> {
    let mut there: BTreeMap<PathBuf, PathBuf> = BTreeMap::new();
    for dir in dirs.collect::<BTreeSet<_>>() {
        if let Ok(real) = fs::canonicalize(&dir)
            && real.is_dir()
        {
            there.entry(real).or_insert(dir);
        }
    }
    let inner = |real: &Path| real.ancestors().skip(1).any(|above| there.contains_key(above));
    there.iter().filter(|(real, _)| !inner(real)).map(|(_, dir)| dir.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_once_whatever_it_is_called() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("main/wandb")).unwrap();
        fs::create_dir_all(root.join("main/runs/7/wandb")).unwrap();
        fs::create_dir_all(root.join("tree")).unwrap();
        std::os::unix::fs::symlink(root.join("main/wandb"), root.join("tree/wandb")).unwrap();
        let asked = ["main/wandb", "tree/wandb", "main/runs/7", "main/runs/7/wandb", "none"];
        let found = distinct(asked.iter().map(|dir| root.join(dir)));
        assert_eq!(found, [root.join("main/runs/7"), root.join("main/wandb")]);
    }

    #[test]
    fn a_log_leads_to_a_wandb_folder_and_to_nothing_else() {
        let who = Identity { work_dir: Some("/scratch/ann".into()), ..Identity::default() };
        let of = |path: &str| of_run(Path::new(path), &who).map(|dir| dir.display().to_string());
        assert_eq!(of("wandb/offline-run-1-a").as_deref(), Some("/scratch/ann/wandb"));
        assert_eq!(of("/data/wandb/run-1-a").as_deref(), Some("/data/wandb"));
        assert_eq!(of("../bob/wandb/run-1-a"), None);
        assert_eq!(of("/etc/run-1-a"), None);
        let nowhere = Identity::default();
        assert_eq!(of_run(Path::new("wandb/run-1-a"), &nowhere), None);
    }
}
