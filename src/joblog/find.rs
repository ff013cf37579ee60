//! Where the logs of jobs are.
//!
//! Directories are listed once, whatever the number of jobs, and the files are
//! indexed by the numbers in their names: thousands of files cost thousands of
//! look-ups, not their square.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::finding::Identity;
use super::glob::Glob;
use crate::safety;

/// At most so many files are listed.
const MOST_FILES: usize = 200_000;
/// At most so many entries are looked at below one folder.
const MOST_ENTRIES: usize = 1_000_000;
/// Folders deeper than this are not entered.
const DEEPEST: usize = 12;
/// Candidates for one job.
const MOST_FOR_ONE: usize = 16;

/// The files that fit, and what was not seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Located {
    /// Per identity, in the order in which they were given: the files that may
    /// be its logs, the most certain first.
    pub files: Vec<Vec<PathBuf>>,
    /// What could not be listed, or was too much, in words.
    pub problems: Vec<String>,
}

/// The files that the globs name below the roots, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The files, each once, sorted.
    pub files: Vec<PathBuf>,
    /// What could not be listed, or was too much, in words.
    pub problems: Vec<String>,
}

/// Finds the logs of jobs: where Slurm says that standard output goes, else by
/// the numbers in the names of what the globs list. The content settles the
/// rest: [`super::Worker::read`] takes the identity, and its attempts name job ids.
///
/// A path of Slurm that still holds `%` patterns is taken for unknown.
pub fn find(identities: &[Identity], globs: &[String], roots: &[&Path]) -> Located {
    let is_there = |path: &&PathBuf| !has_patterns(path) && path.is_file();
    let told: Vec<Option<PathBuf>> =
        identities.iter().map(|job| stdout(job).as_ref().filter(is_there).cloned()).collect();
    // Nothing is listed if Slurm knows them all.
    let listed = if told.iter().all(Option::is_some) { Listed::default() } else { list(globs, roots) };
    let index = Index::of(&listed.files);
    let files = identities.iter().zip(told).map(|(job, told)| match told {
        Some(path) => vec![path],
        None => index.candidates(job),
    });
    Located { files: files.collect(), problems: listed.problems }
}

/// Lists what the globs name; a relative one counts from each root.
pub fn list(globs: &[String], roots: &[&Path]) -> Listed {
    let mut listing = Listing::default();
    for glob in globs {
        let glob = Glob::new(glob);
        for root in roots {
            listing.walk(&root.join(glob.folder()), &glob, root);
        }
    }
    Listed { files: listing.files.into_iter().collect(), problems: listing.problems }
}

/// Every file below a folder, whatever its name.
pub fn below(folder: &Path) -> Listed {
    list(&["**".to_owned()], &[folder])
}

#[derive(Default)]
struct Listing {
    files: BTreeSet<PathBuf>,
    problems: Vec<String>,
}

impl Listing {
    fn walk(&mut self, folder: &Path, glob: &Glob, root: &Path) {
        let depth = glob.depth().unwrap_or(DEEPEST).min(DEEPEST);
        // Links to folders are followed, because scratch is often one; walkdir sees loops.
        let walk = WalkDir::new(folder).max_depth(depth).follow_links(true).into_iter();
        let outside = |name: &std::ffi::OsStr| name == ".git" || name == "node_modules";
        for (number, entry) in
            walk.filter_entry(|entry| entry.depth() == 0 || !outside(entry.file_name())).enumerate()
        {
            if number >= MOST_ENTRIES || self.files.len() >= MOST_FILES {
                let shown = safety::escape_path(folder);
                self.problems.push(format!("not all of {shown} was listed: it holds too many files"));
                return;
            }
            match entry {
                Ok(entry) if entry.file_type().is_file() => {
                    let path = entry.path();
                    if glob.matches(path.strip_prefix(root).unwrap_or(path)) {
                        self.files.insert(entry.into_path());
                    }
                }
                Ok(_) => {}
                // What is not there has no logs; a link that leads nowhere is none.
                Err(e) if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) => {}
                Err(e) => {
                    let path = e.path().map(safety::escape_path).unwrap_or_default();
                    if self.problems.len() < 20 {
                        self.problems
                            .push(format!("cannot list {path}: {}", safety::one_line(&e.to_string(), 200)));
                    }
                }
            }
        }
    }
}

/// The files by the numbers in their names.
struct Index<'f> {
    files: &'f [PathBuf],
    by_number: HashMap<u64, Vec<usize>>,
}

impl<'f> Index<'f> {
    fn of(files: &'f [PathBuf]) -> Index<'f> {
        let mut by_number: HashMap<u64, Vec<usize>> = HashMap::new();
        for (at, path) in files.iter().enumerate() {
            for number in numbers(path) {
                by_number.entry(number).or_default().push(at);
            }
        }
        Index { files, by_number }
    }

    fn of_number(&self, number: u32) -> &[usize] {
        self.by_number.get(&u64::from(number)).map_or(&[], Vec::as_slice)
    }

    /// The files that hold both numbers. All tasks of an array share one of
    /// them, so the shorter list leads.
    fn of_both(&self, one: u32, other: u32) -> Vec<usize> {
        let (one, other) = (self.of_number(one), self.of_number(other));
        let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
        short.iter().copied().filter(|at| long.binary_search(at).is_ok()).collect()
    }

    /// The files named after the job's name and its task, and after no other job.
    fn named(&self, job: &Identity) -> Vec<usize> {
        let Some(task) = job.task.filter(|_| job.name.len() >= 3) else { return Vec::new() };
        let finder = memchr::memmem::Finder::new(job.name.as_bytes());
        let is_of_another = |number: u64| number > 9_999 && number != u64::from(job.base);
        let fits = |at: &usize| {
            let path = &self.files[*at];
            finder.find(path.as_os_str().as_encoded_bytes()).is_some() && !numbers(path).any(is_of_another)
        };
        self.of_number(task).iter().copied().filter(fits).collect()
    }

    /// The best candidates: named after the raw id; after array and task; after
    /// the job's own id; after its name and its task.
    fn candidates(&self, job: &Identity) -> Vec<PathBuf> {
        let raw = || job.raw_id().map(|raw| self.of_number(raw).to_vec()).unwrap_or_default();
        let of_task = || job.task.map(|task| self.of_both(job.base, task)).unwrap_or_default();
        let steps: [&dyn Fn() -> Vec<usize>; 3] = [&raw, &of_task, &|| self.named(job)];
        let best = steps.iter().map(|step| step()).find(|found| !found.is_empty()).unwrap_or_default();
        let mut paths: Vec<PathBuf> =
            best.iter().filter_map(|at| self.files.get(*at)).take(MOST_FOR_ONE).cloned().collect();
        // Standard output says more than standard error where both are kept.
        paths.sort_by_key(|path| path.extension().is_some_and(|end| end == "err"));
        paths
    }
}

/// The numbers in a file's name and in the folder that holds it.
fn numbers(path: &Path) -> impl Iterator<Item = u64> {
    let name = |part: Option<&std::ffi::OsStr>| {
        part.map(|name| name.as_encoded_bytes().to_vec()).unwrap_or_default()
    };
    let mut text = name(path.parent().and_then(Path::file_name));
    text.push(b'/');
    text.extend(name(path.file_name()));
    let mut found: Vec<u64> = text
        .split(|byte| !byte.is_ascii_digit())
        .filter(|digits| !digits.is_empty() && digits.len() <= 12)
        .filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .collect();
    found.sort_unstable();
    found.dedup();
    found.into_iter()
}

/// Standard output as a path from the root.
fn stdout(job: &Identity) -> Option<PathBuf> {
    let path = job.stdout.as_ref()?;
    Some(job.work_dir.as_ref().map_or_else(|| path.clone(), |dir| dir.join(path)))
}

fn has_patterns(path: &Path) -> bool {
    path.as_os_str().as_encoded_bytes().contains(&b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(base: u32, task: u32, raw: Option<u32>) -> Identity {
        Identity { base, task: Some(task), raw, name: "train".into(), ..Identity::default() }
    }

    #[test]
    fn a_log_is_found_by_the_numbers_in_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        std::fs::create_dir_all(root.join("logs/800")).unwrap();
        for name in [
            "slurm-700_1.out",
            "slurm-700_11.out",
            "slurm-702.out",
            "logs/800/3.out",
            "logs/train_5.log",
            "x.txt",
        ] {
            std::fs::write(root.join(name), "x").unwrap();
        }
        std::os::unix::fs::symlink(root.join("logs"), root.join("logs/again")).unwrap();
        let globs = ["logs/**".to_owned(), "slurm-*.out".to_owned()];
        let jobs = [
            task(700, 1, None),
            task(700, 2, Some(702)),
            task(800, 3, None),
            task(900, 5, None),
            task(700, 7, None),
            Identity { base: 702, ..Identity::default() },
            Identity {
                base: 5,
                stdout: Some("x.txt".into()),
                work_dir: Some(root.into()),
                ..Identity::default()
            },
        ];
        let located = find(&jobs, &globs, &[root]);
        let names: Vec<Vec<String>> = located
            .files
            .iter()
            .map(|files| {
                files.iter().map(|path| path.strip_prefix(root).unwrap().display().to_string()).collect()
            })
            .collect();
        assert_eq!(
            names,
            [
                vec!["slurm-700_1.out"],
                vec!["slurm-702.out"],
                vec!["logs/800/3.out"],
                vec!["logs/train_5.log"],
                vec![],
                vec!["slurm-702.out"],
                vec!["x.txt"],
            ]
        );
        assert_eq!(list(&globs, &[root]).files.len(), 5);
        assert_eq!(list(&["nowhere/*".to_owned()], &[root]), Listed::default());
    }

    #[test]
    fn what_slurm_left_unfilled_is_no_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("%A.out"), "x").unwrap();
        let job = Identity { base: 4, stdout: Some(dir.path().join("%A.out")), ..Identity::default() };
        assert_eq!(find(&[job], &[], &[dir.path()]).files, [Vec::<PathBuf>::new()]);
    }
}
