//! Where the logs of jobs are.
//!
//! Directories are listed once, whatever the number of jobs, and the files are
//! indexed by the numbers in their names: thousands of files cost thousands of
//! look-ups, not their square.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use walkdir::{DirEntry, WalkDir};

use super::finding::Identity;
use crate::safety;
use crate::sys::Glob;

/// At most so many files are listed.
const MOST_FILES: usize = 200_000;
/// At most so many entries are looked at below one folder.
const MOST_ENTRIES: usize = 1_000_000;
/// Folders deeper than this are not entered.
const DEEPEST: usize = 12;
/// Candidates for one job.
const MOST_FOR_ONE: usize = 16;
/// So many work directories of jobs are listed besides the roots.
const MOST_WORK_DIRS: usize = 64;
/// So many things that are no files are named.
const MOST_PROBLEMS: usize = 200;

/// The files that fit, and what was not seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Located {
    /// Per identity, in the order in which they were given: the files that may
    /// be its logs, the most certain first.
    pub files: Vec<Vec<PathBuf>>,
    /// What could not be listed, or was too much, in words.
    pub problems: Vec<String>,
}

/// The files that globs name, sorted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// The files, each once, sorted.
    pub files: Vec<PathBuf>,
    /// What could not be listed, was too much, or is no file, each with the reason.
    pub problems: Vec<(PathBuf, String)>,
}

/// Finds the logs of jobs: where Slurm says that standard output goes, else by
/// the numbers in the names of what the globs list, below the roots and the
/// jobs' work directories. The content settles the rest:
/// [`super::Worker::read`] takes the identity, and its attempts name job ids.
///
/// A path of Slurm that still holds `%` patterns is taken for unknown.
pub fn find(identities: &[Identity], globs: &[String], roots: &[PathBuf]) -> Located {
    let is_there = |path: &&PathBuf| !has_patterns(path) && path.is_file();
    let told: Vec<Option<PathBuf>> =
        identities.iter().map(|job| stdout(job).as_ref().filter(is_there).cloned()).collect();
    let mut located = Located::default();
    // Nothing is listed if Slurm knows them all.
    let mut listed = Listed::default();
    if !told.iter().all(Option::is_some) {
        let mut dirs: BTreeSet<&PathBuf> =
            identities.iter().filter_map(|job| job.work_dir.as_ref()).collect();
        roots.iter().for_each(|root| {
            dirs.remove(root);
        });
        if dirs.len() > MOST_WORK_DIRS {
            let more = dirs.len() - MOST_WORK_DIRS;
            located.problems.push(format!("{more} work directories of jobs were not searched for logs"));
        }
        let bases: Vec<PathBuf> =
            roots.iter().chain(dirs.into_iter().take(MOST_WORK_DIRS)).cloned().collect();
        let globs: Vec<Glob> = globs.iter().map(|glob| Glob::anywhere(Path::new(glob))).collect();
        listed = list(&globs, &bases);
    }
    let in_words = |(path, why): &(PathBuf, String)| format!("{}: {why}", safety::escape_path(path));
    located.problems.extend(listed.problems.iter().take(20).map(in_words));
    let found = among(identities, &listed.files);
    located.files =
        told.into_iter().zip(found).map(|(told, found)| told.map_or(found, |it| vec![it])).collect();
    located
}

/// Per job the files that may be its logs, by the numbers in their names; the
/// files are sorted.
pub fn among(identities: &[Identity], files: &[PathBuf]) -> Vec<Vec<PathBuf>> {
    let index = Index::of(files);
    identities.iter().map(|job| index.candidates(job)).collect()
}

/// The files that have a job's number in their names: of an array those of all
/// its tasks. A number that stands where the index of a task does is no job's.
pub fn of_job(job: u32, files: &[PathBuf]) -> Vec<PathBuf> {
    let job = u64::from(job);
    let is_named = |path: &&PathBuf| {
        let folder = path.parent().and_then(Path::file_name);
        numbers_in(folder).any(|number| number == job) || place_of(job, path) == Some(Place::Id)
    };
    files.iter().filter(is_named).cloned().collect()
}

/// The arrays in whose files' names a number stands as the index of a task, each once.
pub fn arrays_with(index: u32, files: &[PathBuf]) -> Vec<u32> {
    let array = |path: &PathBuf| match place_of(index.into(), path) {
        Some(Place::Index { array }) => u32::try_from(array).ok(),
        _ => None,
    };
    files.iter().filter_map(array).collect::<BTreeSet<u32>>().into_iter().collect()
}

/// What a number in the name of a file may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// The id of a job or of an array.
    Id,
    /// The index of a task of this array.
    Index { array: u64 },
}

/// Smaller numbers behind another one are rather indices than ids of jobs.
const SMALLEST_ID: u64 = 1_000;

/// What a number is in the name of a file; `None` if it is not there. Behind
/// another number, in the name or of the folder, it is the index of a task
/// (`lr_4711_99.out`, `4711/99.out`), unless it is large, and larger than that
/// one (`lr_3_4711.out`).
fn place_of(number: u64, path: &Path) -> Option<Place> {
    let name = in_order(path.file_name());
    let at = name.iter().position(|one| *one == number)?;
    let is_bare = |name: Option<&OsStr>| {
        name.is_some_and(|name| name.as_encoded_bytes().iter().all(u8::is_ascii_digit))
    };
    let dir = path.parent().and_then(Path::file_name);
    // Many folders have a number in their names; one that is a number holds what it is the number of.
    let folder = || in_order(dir).last().copied().filter(|_| is_bare(dir) || is_bare(path.file_stem()));
    let before = match at.checked_sub(1) {
        Some(before) => name.get(before).copied(),
        // What more follows in the name says that this is not its index.
        None if name.len() > 1 => None,
        None => folder(),
    };
    Some(match before {
        Some(array) if number < SMALLEST_ID || number <= array => Place::Index { array },
        _ => Place::Id,
    })
}

/// Lists what the globs name; a relative one counts from each root.
pub fn list(globs: &[Glob], roots: &[PathBuf]) -> Listed {
    let mut listing = Listing::default();
    for glob in globs {
        for root in roots {
            listing.walk(glob, root);
        }
    }
    Listed { files: listing.files.into_iter().map(|file| file.0).collect(), problems: listing.problems }
}

/// A path, in the order of paths, which for most is that of the first bytes in
/// which they differ: comparing them part by part took longer than listing them.
#[derive(PartialEq, Eq)]
struct Listable(PathBuf);

impl Ord for Listable {
    fn cmp(&self, other: &Listable) -> Ordering {
        let (one, two) = (self.0.as_os_str().as_bytes(), other.0.as_os_str().as_bytes());
        let differ = one.iter().zip(two).position(|(one, two)| one != two);
        match differ.map(|at| (one[at], two[at])) {
            // Within a name; a dot may be one that paths are read without.
            Some((one, two)) if ![one, two].iter().any(|byte| matches!(byte, b'/' | b'.')) => one.cmp(&two),
            _ => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for Listable {
    fn partial_cmp(&self, other: &Listable) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[derive(Default)]
struct Listing {
    files: BTreeSet<Listable>,
    problems: Vec<(PathBuf, String)>,
}

impl Listing {
    fn walk(&mut self, glob: &Glob, root: &Path) {
        let folder = root.join(glob.folder());
        let depth = glob.depth().unwrap_or(DEEPEST).min(DEEPEST);
        // Links to folders are followed, because scratch is often one; walkdir sees loops.
        let walk = WalkDir::new(&folder).max_depth(depth).follow_links(true).into_iter();
        let outside = |entry: &DirEntry| {
            entry.depth() > 0 && (entry.file_name() == ".git" || entry.file_name() == "node_modules")
        };
        for (number, entry) in walk.filter_entry(|entry| !outside(entry)).enumerate() {
            if number >= MOST_ENTRIES || self.files.len() >= MOST_FILES {
                return self.problem(&folder, "not all of it was listed: it holds too many files");
            }
            match entry {
                Ok(entry) if entry.file_type().is_dir() => {
                    if entry.depth() == DEEPEST && glob.depth().is_none() {
                        self.problem(entry.path(), "it lies too deep, and was not listed");
                    }
                }
                Ok(entry) if !glob.fits_below(root, entry.path()) => {}
                Ok(entry) if entry.file_type().is_file() => {
                    self.files.insert(Listable(entry.into_path()));
                }
                Ok(entry) => self.problem(entry.path(), "it is no regular file"),
                // What is not there has no logs; a link that leads nowhere is none.
                Err(e) if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) => {}
                Err(e) => {
                    let why = match (e.loop_ancestor(), e.io_error()) {
                        (Some(_), _) => "the link leads back to a folder above it".to_owned(),
                        (None, Some(error)) => error.to_string(),
                        (None, None) => e.to_string(),
                    };
                    self.problem(e.path().unwrap_or(&folder), &why);
                }
            }
        }
    }

    fn problem(&mut self, path: &Path, why: &str) {
        let problem = (path.to_owned(), why.to_owned());
        if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
            self.problems.push(problem);
        }
    }
}

/// The files by the numbers in their names.
struct Index<'f> {
    files: &'f [PathBuf],
    by_name: HashMap<u64, Vec<usize>>,
    /// By the number of the folder that holds them.
    by_folder: HashMap<u64, Vec<usize>>,
}

impl<'f> Index<'f> {
    fn of(files: &'f [PathBuf]) -> Index<'f> {
        let mut index = Index { files, by_name: HashMap::new(), by_folder: HashMap::new() };
        for (at, path) in files.iter().enumerate() {
            for number in numbers_in(path.file_name()) {
                index.by_name.entry(number).or_default().push(at);
            }
            for number in numbers_in(path.parent().and_then(Path::file_name)) {
                index.by_folder.entry(number).or_default().push(at);
            }
        }
        index
    }

    fn of_number(&self, number: u32) -> &[usize] {
        self.by_name.get(&u64::from(number)).map_or(&[], Vec::as_slice)
    }

    fn in_folder(&self, number: u32) -> &[usize] {
        self.by_folder.get(&u64::from(number)).map_or(&[], Vec::as_slice)
    }

    /// The files named after a task, and themselves or their folder after its
    /// array. All tasks of an array share one of the numbers, so the shorter
    /// list leads.
    fn of_task(&self, array: u32, task: u32) -> Vec<usize> {
        let tasks = self.of_number(task);
        let both = |array: &[usize]| -> Vec<usize> {
            let (short, long) = if array.len() <= tasks.len() { (array, tasks) } else { (tasks, array) };
            short.iter().copied().filter(|at| long.binary_search(at).is_ok()).collect()
        };
        let named = both(self.of_number(array));
        if named.is_empty() {
            return both(self.in_folder(array));
        }
        // `lr_482_7` is task 7 of 482; `7_482_9` need not be.
        let pair = [u64::from(array), u64::from(task)];
        let is_pair = |at: &usize| in_order(self.files[*at].file_name()).windows(2).any(|two| two == pair);
        let pairs: Vec<usize> = named.iter().copied().filter(is_pair).collect();
        if pairs.is_empty() { named } else { pairs }
    }

    /// The files named after the job's name and its task, and after no other job.
    fn named(&self, job: &Identity) -> Vec<usize> {
        let Some(task) = job.task.filter(|_| job.name.len() >= 3) else { return Vec::new() };
        let finder = memchr::memmem::Finder::new(job.name.as_bytes());
        let is_of_another = |number: u64| number > 9_999 && number != u64::from(job.base);
        let fits = |at: &usize| {
            let path = &self.files[*at];
            let folder = path.parent().and_then(Path::file_name);
            let names = [folder, path.file_name()];
            let says = |name: &OsStr| finder.find(name.as_encoded_bytes()).is_some();
            names.into_iter().flatten().any(says)
                && !names.into_iter().flat_map(numbers_in).any(is_of_another)
        };
        self.of_number(task).iter().copied().filter(fits).collect()
    }

    /// The best candidates: named after array and task; after the raw id, which
    /// on a young cluster is a small number like a task's; after its name and
    /// its task.
    fn candidates(&self, job: &Identity) -> Vec<PathBuf> {
        let of_raw = |raw: u32| {
            let is_id = |at: &usize| place_of(raw.into(), &self.files[*at]) == Some(Place::Id);
            let named: Vec<usize> = self.of_number(raw).iter().copied().filter(is_id).collect();
            if named.is_empty() { self.in_folder(raw).to_vec() } else { named }
        };
        let raw = || job.raw_id().map(of_raw).unwrap_or_default();
        let of_task = || job.task.map(|task| self.of_task(job.base, task)).unwrap_or_default();
        let steps: [&dyn Fn() -> Vec<usize>; 3] = [&of_task, &raw, &|| self.named(job)];
        let best = steps.iter().map(|step| step()).find(|found| !found.is_empty()).unwrap_or_default();
        let mut paths: Vec<PathBuf> =
            best.iter().filter_map(|at| self.files.get(*at)).take(MOST_FOR_ONE).cloned().collect();
        // Standard output says more than standard error where both are kept.
        paths.sort_by_key(|path| path.extension().is_some_and(|end| end == "err"));
        paths
    }
}

/// The numbers in a name, each once.
fn numbers_in(name: Option<&OsStr>) -> impl Iterator<Item = u64> {
    let mut found = in_order(name);
    found.sort_unstable();
    found.dedup();
    found.into_iter()
}

/// The numbers in a name, as they stand there.
fn in_order(name: Option<&OsStr>) -> Vec<u64> {
    let text = name.map(OsStr::as_encoded_bytes).unwrap_or_default();
    text.split(|byte| !byte.is_ascii_digit())
        .filter(|digits| !digits.is_empty() && digits.len() <= 12)
        .filter_map(|digits| std::str::from_utf8(digits).ok()?.parse().ok())
        .collect()
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
    fn paths_that_are_listed_stand_in_the_order_of_paths() {
        let paths: Vec<PathBuf> = [
            "/l/a",
            "/l/a/x",
            "/l/a.out",
            "/l/a-b",
            "/l/a b",
            "/l/./b",
            "/l//b",
            "/l/b",
            "/l/.b",
            "/l/B",
            "/l/é",
            "/l",
            "/l/a_1.out",
            "/l/a_10.out",
            "/l/a_2.out",
            "/l/a1/y",
        ]
        .map(PathBuf::from)
        .into();
        for one in &paths {
            for other in &paths {
                let fast = Listable(one.clone()).cmp(&Listable(other.clone()));
                assert_eq!(fast, one.cmp(other), "{} {}", one.display(), other.display());
            }
        }
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
        let roots = [root.to_owned()];
        let located = find(&jobs, &globs, &roots);
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
        let globs = globs.map(|glob| Glob::read(&glob).unwrap());
        let files = list(&globs, &roots).files;
        assert_eq!(files.len(), 5);
        assert_eq!(list(&[Glob::read("nowhere/*").unwrap()], &roots), Listed::default());
        assert_eq!(of_job(700, &files).len(), 2);
        // On a young cluster raw ids look like tasks.
        let young = [task(2, 4, Some(14)), task(2, 14, Some(24))];
        let files = ["lr_2_14.out", "lr_2_4.out", "lr_4_2.out"].map(PathBuf::from);
        assert_eq!(
            among(&young, &files),
            [["lr_2_4.out"], ["lr_2_14.out"]].map(|one| one.map(PathBuf::from))
        );
        let globs = ["logs/**".to_owned(), "slurm-*.out".to_owned()];
        // A task whose folder is not the worktree; pairs of other tasks are not its own.
        let elsewhere = [Identity { work_dir: Some(root.into()), ..task(700, 11, None) }, task(70, 1, None)];
        let located = find(&elsewhere, &globs, &[root.join("logs")]);
        assert_eq!(located.files, [vec![root.join("slurm-700_11.out")], vec![]]);
    }

    #[test]
    fn loops_and_fifos_are_named_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir_all(&logs).unwrap();
        std::fs::write(logs.join("a.out"), "x").unwrap();
        std::os::unix::fs::symlink(&logs, logs.join("again")).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(logs.join("b.out")).unwrap();
        let listed = list(&[Glob::read("logs/**").unwrap()], &[dir.path().to_owned()]);
        assert_eq!(listed.files, [logs.join("a.out")]);
        let mut named: Vec<PathBuf> = listed.problems.into_iter().map(|(path, _)| path).collect();
        named.sort();
        assert_eq!(named, [logs.join("again"), logs.join("b.out")]);
    }

    #[test]
    fn what_slurm_left_unfilled_is_no_path() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("%A.out"), "x").unwrap();
        let job = Identity { base: 4, stdout: Some(dir.path().join("%A.out")), ..Identity::default() };
        assert_eq!(find(&[job], &[], &[dir.path().to_owned()]).files, [Vec::<PathBuf>::new()]);
    }

    #[test]
    fn the_index_of_a_task_is_no_job_id() {
        let files = ["lr_4711_99.out", "4711/99.out", "lr_3_4711.out", "slurm-99.out", "lr_3_98_99.out"];
        let files = files.map(PathBuf::from);
        let names =
            |job| of_job(job, &files).iter().map(|path| path.display().to_string()).collect::<Vec<_>>();
        assert_eq!(names(99), ["slurm-99.out"]);
        assert_eq!(names(4711), ["lr_4711_99.out", "4711/99.out", "lr_3_4711.out"]);
        assert_eq!((arrays_with(99, &files), arrays_with(4711, &files)), (vec![98, 4711], vec![]));
        let job = |base| Identity { base, ..Identity::default() };
        let found = among(&[job(99), job(98)], &files);
        assert_eq!(found, [vec![PathBuf::from("slurm-99.out")], vec![]]);
    }
}
