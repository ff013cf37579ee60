//! Which of the expected results are there.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use serde::Serialize;
use walkdir::WalkDir;

use super::filled;
use crate::config::Sweeps;
use crate::joblog::Identity;
use crate::safety;
use crate::sys::Glob;

/// Expected results and those that are there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Results {
    /// How many were expected.
    pub expected: u64,
    /// How many of those are there and not empty.
    pub present: u64,
    /// Up to twenty of those that are not there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub missing: Vec<PathBuf>,
}

/// The largest manifest that is read, in bytes.
const MOST: u64 = 16 << 20;
/// So many missing ones are named.
const NAMED: usize = 20;
/// So many files and folders are looked at to count results.
const MOST_COUNTED: usize = 1_000_000;
/// Where results lie if no template says it.
const USUAL: &str = "results/*";

/// The results of the whole sweep: against its manifest, else against the
/// number that is expected; `None` if the settings name neither. `array` is the
/// array's id, for templates that hold it. A manifest that cannot be read is an
/// error in words.
pub fn of_sweep(settings: &Sweeps, roots: &[PathBuf], array: Option<u32>) -> Option<Result<Results, String>> {
    of_manifest(settings, roots).or_else(|| counted(settings, roots, array).map(Ok))
}

/// How many results there are, where it is known how many there should be:
/// whatever fits the templates, or lies in `results`.
fn counted(settings: &Sweeps, roots: &[PathBuf], array: Option<u32>) -> Option<Results> {
    let expected = settings.expected?;
    let globs: Vec<Glob> = match settings.results.as_slice() {
        [] => Glob::read(USUAL).into_iter().collect(),
        templates => templates.iter().filter_map(|template| Glob::read(&open(template, array))).collect(),
    };
    let mut found = BTreeSet::new();
    let mut left = MOST_COUNTED;
    for (root, glob) in roots.iter().flat_map(|root| globs.iter().map(move |glob| (root, glob))) {
        let walk = WalkDir::new(root.join(glob.folder())).max_depth(glob.depth().unwrap_or(usize::MAX));
        for entry in walk.into_iter().filter_map(Result::ok) {
            if left == 0 {
                break;
            }
            left -= 1;
            let path = entry.path();
            if glob.fits_below(root, path) && is_there(path) {
                found.insert(path.strip_prefix(root).unwrap_or(path).to_owned());
            }
        }
    }
    Some(Results { expected, present: found.len() as u64, missing: Vec::new() })
}

/// A template with `*` for whatever is not the same in all tasks.
fn open(template: &str, array: Option<u32>) -> String {
    let array = array.map_or_else(|| "*".to_owned(), |array| array.to_string());
    let mut out = String::new();
    let mut rest = template;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        out.push_str(before);
        out.push_str(if name == "array" { &array } else { "*" });
        rest = after;
    }
    out + rest
}

/// The results of the whole sweep against its manifest.
fn of_manifest(settings: &Sweeps, roots: &[PathBuf]) -> Option<Result<Results, String>> {
    let manifest = settings.manifest.as_ref()?;
    let Some((root, path)) =
        roots.iter().map(|root| (root, root.join(manifest))).find(|(_, path)| path.is_file())
    else {
        return Some(Err(format!("the manifest {} is not there", safety::escape_path(manifest))));
    };
    let mut text = String::new();
    let read = fs::File::open(&path).and_then(|file| file.take(MOST).read_to_string(&mut text));
    if let Err(error) = read {
        return Some(Err(format!("the manifest {} cannot be read: {error}", safety::escape_path(&path))));
    }
    Some(Ok(listed(root, &text)))
}

/// The results that a manifest lists, one a line, below `root`.
pub fn listed(root: &Path, text: &str) -> Results {
    let mut results = Results::default();
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        results.add(&root.join(line), Path::new(line));
    }
    results
}

/// The results of one task that the templates name.
///
/// # Errors
/// In words: a template cannot be filled.
pub fn of_task(settings: &Sweeps, roots: &[PathBuf], who: &Identity) -> Result<Results, String> {
    let mut results = Results::default();
    for template in &settings.results {
        let path = filled(template, who)?;
        let own = who.work_dir.iter().chain(roots).map(|root| root.join(&path));
        results.add(&own.into_iter().find(|path| is_there(path)).unwrap_or_else(|| path.clone()), &path);
    }
    Ok(results)
}

impl Results {
    fn add(&mut self, whole: &Path, name: &Path) {
        self.expected += 1;
        if is_there(whole) {
            self.present += 1;
        } else if self.missing.len() < NAMED {
            self.missing.push(name.to_owned());
        }
    }
}

/// An empty file is no result: quota and delayed writes leave such.
fn is_there(path: &Path) -> bool {
    match fs::metadata(path) {
        Ok(found) if found.is_dir() => fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some()),
        Ok(found) => found.len() > 0,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_is_there_only_if_it_holds_something() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        fs::create_dir_all(root.join("results/4")).unwrap();
        fs::write(root.join("results/3.json"), "{}").unwrap();
        fs::write(root.join("results/5.json"), "").unwrap();
        fs::write(root.join("all.txt"), "# all\nresults/3.json\n\nresults/5.json\nresults/6.json\n").unwrap();
        let roots = [root.to_owned()];
        let settings = Sweeps { manifest: Some("all.txt".into()), ..Sweeps::default() };
        let found = of_manifest(&settings, &roots).unwrap().unwrap();
        assert_eq!((found.expected, found.present), (3, 1));
        assert_eq!(found.missing, [Path::new("results/5.json"), Path::new("results/6.json")]);
        let settings = Sweeps {
            results: vec!["results/{task}.json".into(), "results/{task}".into()],
            ..Sweeps::default()
        };
        let who = |task| Identity { base: 9, task: Some(task), ..Identity::default() };
        let present = |task| of_task(&settings, &roots, &who(task)).unwrap().present;
        assert_eq!([present(3), present(4), present(5)], [1, 0, 0]);
        let settings = Sweeps { manifest: Some("none.txt".into()), ..Sweeps::default() };
        assert!(of_sweep(&settings, &roots, None).unwrap().is_err());
        assert_eq!(of_sweep(&Sweeps::default(), &roots, None), None);
    }

    #[test]
    fn results_are_counted_where_only_their_number_is_expected() {
        let dir = tempfile::tempdir().unwrap();
        let roots = [dir.path().to_owned(), dir.path().join("main")];
        for (path, text) in [
            ("results/9_3.json", "{}"),
            ("results/9_4.json", ""),
            ("results/8_3.json", "{}"),
            ("results/notes/a", "x"),
            ("main/results/9_5.json", "{}"),
            // The same result in two worktrees is one.
            ("main/results/9_3.json", "{}"),
        ] {
            fs::create_dir_all(dir.path().join(path).parent().unwrap()).unwrap();
            fs::write(dir.path().join(path), text).unwrap();
        }
        let present = |results: &[&str], array| {
            let results = results.iter().map(|template| (*template).to_owned()).collect();
            let settings = Sweeps { expected: Some(7), results, ..Sweeps::default() };
            let found = of_sweep(&settings, &roots, array).unwrap().unwrap();
            assert_eq!((found.expected, found.missing.len()), (7, 0));
            found.present
        };
        assert_eq!(present(&[], Some(9)), 4, "three files and a folder");
        assert_eq!(present(&["results/{array}_{task}.json"], Some(9)), 2);
        assert_eq!(present(&["results/{array}_{task}.json"], None), 3);
        assert_eq!(present(&["results/{task"], None), 0);
    }
}
