//! Which files are a task's logs.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use crate::joblog::Identity;
use crate::verbs::sweep::globs::Glob;

/// So many entries are looked at below one folder.
const MOST: usize = 200_000;
/// So many files of one task are read: output, errors, a few attempts.
const MOST_FILES: usize = 6;

/// The logs of every task that was asked for.
#[derive(Debug, Default)]
pub struct Located {
    /// One list per task, in their order.
    pub files: Vec<Vec<PathBuf>>,
    /// What could not be listed, in words.
    pub problems: Vec<String>,
}

/// Finds each task's logs: where Slurm says, else among the files that fit
/// `globs` below `roots` and the tasks' work directories, by the numbers in
/// their names: `array_task` one after the other, or the raw job id.
pub fn find(tasks: &[Identity], globs: &[String], roots: &[PathBuf]) -> Located {
    let mut located = Located::default();
    let told: Vec<Option<PathBuf>> =
        tasks.iter().map(|who| who.stdout.clone().filter(|path| path.is_file())).collect();
    let mut index = Index::default();
    if told.iter().any(Option::is_none) {
        let mut bases: BTreeSet<&Path> = roots.iter().map(PathBuf::as_path).collect();
        bases.extend(tasks.iter().filter_map(|who| who.work_dir.as_deref()));
        for text in globs {
            let Some(glob) = Glob::read(text) else {
                located.problems.push(format!("the pattern {text} of logs makes no sense"));
                continue;
            };
            for base in &bases {
                let (files, all) = glob.files(base, MOST);
                if !all {
                    located.problems.push(format!("of the files that fit {text} only {MOST} were looked at"));
                }
                files.into_iter().for_each(|file| index.add(file));
            }
        }
    }
    located.files = tasks
        .iter()
        .zip(told)
        .map(|(who, told)| match told {
            Some(path) => vec![path],
            None => index.of(who),
        })
        .collect();
    located
}

#[derive(Default)]
struct Index {
    pairs: HashMap<(u32, u32), BTreeSet<PathBuf>>,
    ids: HashMap<u32, BTreeSet<PathBuf>>,
}

impl Index {
    fn add(&mut self, file: PathBuf) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let numbers = super::places::numbers(&name);
        for pair in numbers.windows(2) {
            self.pairs.entry((pair[0], pair[1])).or_default().insert(file.clone());
        }
        for id in numbers {
            self.ids.entry(id).or_default().insert(file.clone());
        }
    }

    fn of(&self, who: &Identity) -> Vec<PathBuf> {
        let by_pair = who.task.and_then(|task| self.pairs.get(&(who.base, task)));
        let by_id = || who.raw_id().and_then(|raw| self.ids.get(&raw));
        by_pair.or_else(by_id).into_iter().flatten().take(MOST_FILES).cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_are_found_where_slurm_says_and_by_the_numbers_in_their_names() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("logs/seg")).unwrap();
        for file in
            ["logs/seg/lr_482_7.out", "logs/seg/lr_482_7.err", "slurm-4829.out", "logs/lr_48_7.out", "own"]
        {
            std::fs::write(root.join(file), "x").unwrap();
        }
        let globs = ["logs/**".to_owned(), "slurm-*.out".to_owned()];
        let who = |base, task, raw| Identity { base, task, raw, ..Identity::default() };
        let tasks = [
            who(482, Some(7), Some(4827)),
            who(482, Some(9), Some(4829)),
            who(482, Some(8), None),
            Identity { stdout: Some(root.join("own")), ..who(482, Some(7), None) },
        ];
        let found = find(&tasks, &globs, &[root.to_owned()]);
        assert_eq!(found.files[0], [root.join("logs/seg/lr_482_7.err"), root.join("logs/seg/lr_482_7.out")]);
        assert_eq!(found.files[1], [root.join("slurm-4829.out")]);
        assert!(found.files[2].is_empty());
        assert_eq!(found.files[3], [root.join("own")]);
        assert!(found.problems.is_empty());
    }
}
