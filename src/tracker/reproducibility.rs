//! Could this run be made again? What is recorded, and where.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::small_text;
use super::{Configurations, Run, Saved};
use crate::safety::clip;

/// Whether something is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Recorded {
    /// It is.
    Yes {
        /// The file or the run's folder.
        #[serde(rename = "where")]
        #[serde(serialize_with = "crate::terms::path_text")]
        #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
        at: PathBuf,
        /// What is recorded, as text.
        value: String,
    },
    /// What could be looked at does not have it.
    No,
    /// A place where it could stand was not read.
    Unknown {
        /// Why, in words.
        why: String,
    },
}

/// The four things without which a run cannot be made again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reproducibility {
    /// The seed of the random numbers.
    pub seed: Recorded,
    /// Versions of the packages that were installed.
    pub packages: Recorded,
    /// The whole configuration.
    pub configuration: Recorded,
    /// The commit of the code.
    pub commit: Recorded,
}

const SEEDS: [&str; 6] = ["seed", "random_seed", "manual_seed", "rng_seed", "global_seed", "seed_everything"];
const COMMITS: [&str; 8] =
    ["git_commit", "commit", "git_sha", "git_hash", "commit_hash", "commit_sha", "git.commit", "git.sha"];
/// Files of a commit alone.
const COMMIT_FILES: [&str; 5] = ["git_commit.txt", "commit.txt", "git_sha.txt", "git_hash.txt", "COMMIT"];
/// Lists of packages, in W&B's run folder and in the run's own.
const PACKAGE_FILES: [&str; 9] = [
    "files/requirements.txt",
    "files/conda-environment.yaml",
    "pip_freeze.txt",
    "pip-freeze.txt",
    "requirements.txt",
    "environment.yaml",
    "environment.yml",
    "conda-environment.yaml",
    "conda_env.yaml",
];
/// The largest list of packages that is read, in bytes.
const MOST: usize = 1 << 20;

/// What is recorded of a run, in its folder and by its tracker.
pub fn reproducibility(run_dir: &Path, runs: &[Run], found: &Configurations) -> Reproducibility {
    let tracked: Vec<Saved> = runs.iter().filter_map(Saved::of_run).collect();
    let all: Vec<&Saved> = found.saved.iter().chain(&tracked).collect();
    // What was not read could have it.
    let unread = found.unread.first();
    let or_unknown = |recorded: Option<Recorded>| match (recorded, unread) {
        (Some(recorded), _) => recorded,
        (None, None) => Recorded::No,
        (None, Some(unread)) => Recorded::Unknown {
            why: format!("{} was not read: {}", crate::safety::escape_path(&unread.path), unread.why),
        },
    };
    let named = |names: &[&str]| all.iter().find_map(|saved| value_of(saved, names));
    let of_tracker = || {
        runs.iter().find_map(|run| Some(Recorded::Yes { at: run.dir.clone(), value: run.commit.clone()? }))
    };
    Reproducibility {
        seed: or_unknown(named(&SEEDS)),
        packages: packages(run_dir, runs),
        configuration: or_unknown(all.iter().max_by_key(|saved| saved.values.len()).map(|saved| {
            Recorded::Yes { at: saved.path.clone(), value: format!("{} values", saved.values.len()) }
        })),
        commit: or_unknown(of_tracker().or_else(|| named(&COMMITS)).or_else(|| commit_file(run_dir))),
    }
}

/// The value under one of the names, or under a dotted name that ends in one.
fn value_of(saved: &Saved, names: &[&str]) -> Option<Recorded> {
    let is_it = |name: &str, sought: &str| {
        let name = name.to_ascii_lowercase();
        name == sought || name.strip_suffix(sought).is_some_and(|above| above.ends_with('.'))
    };
    let found = names.iter().find_map(|sought| {
        saved.values.iter().find(|(name, value)| is_it(name, sought) && is_set(value)).map(|(_, value)| value)
    })?;
    let value = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
    Some(Recorded::Yes { at: saved.path.clone(), value: clip(&value, 100) })
}

fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    }
}

fn commit_file(run_dir: &Path) -> Option<Recorded> {
    COMMIT_FILES.iter().find_map(|name| {
        let at = run_dir.join(name);
        let text = small_text(&at, 4096).ok()??;
        let value = text.split_whitespace().next().filter(|word| {
            (7..=64).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_hexdigit())
        })?;
        Some(Recorded::Yes { value: value.to_owned(), at: at.clone() })
    })
}

fn packages(run_dir: &Path, runs: &[Run]) -> Recorded {
    let mut why = None;
    for dir in runs.iter().map(|run| run.dir.as_path()).chain([run_dir]) {
        for name in PACKAGE_FILES {
            let at = dir.join(name);
            match small_text(&at, MOST) {
                Ok(Some(text)) => {
                    if let Some(value) = versions(&text) {
                        return Recorded::Yes { at, value };
                    }
                }
                Ok(None) => {}
                Err(said) => why = Some(format!("{} was not read: {said}", crate::safety::escape_path(&at))),
            }
        }
    }
    why.map_or(Recorded::No, |why| Recorded::Unknown { why })
}

/// How many packages have their version in a list of pip or conda, and the versions of the frameworks among them;
/// `None` if none has.
pub fn versions(text: &str) -> Option<String> {
    let pinned: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| {
            let line = line.trim().trim_start_matches("- ").trim();
            let (name, rest) = line.split_once('=').filter(|_| !line.starts_with('#'))?;
            let version = rest.trim_start_matches('=').split(['=', ' ', ';']).next()?;
            let is_version = version.starts_with(|c: char| c.is_ascii_digit());
            // `>=1.0` is no version that was installed.
            let is_name = !name.is_empty() && !name.ends_with(['>', '<', '~', '!']);
            (is_version && is_name).then_some((name.trim(), version))
        })
        .collect();
    let frameworks = ["torch", "pytorch", "jax", "tensorflow"];
    let known = pinned.iter().filter(|(name, _)| frameworks.contains(name)).take(2);
    let known: String = known.map(|(name, version)| format!(", {name} {}", clip(version, 30))).collect();
    (!pinned.is_empty()).then(|| format!("{} packages{known}", pinned.len()))
}

#[cfg(test)]
mod tests {
    use super::super::{Limits, configurations, runs};
    use super::*;

    fn of(dir: &Path) -> Reproducibility {
        let found = runs(dir, &Limits::default()).runs;
        reproducibility(dir, &found, &configurations(dir))
    }

    fn value(recorded: &Recorded) -> &str {
        match recorded {
            Recorded::Yes { value, .. } => value,
            Recorded::No => "no",
            Recorded::Unknown { .. } => "unknown",
        }
    }

    #[test]
    fn a_recorded_run_has_all_but_its_commit() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wandb/0.31.0-finished");
        let read = of(&dir);
        assert_eq!((value(&read.seed), value(&read.configuration)), ("17", "5 values"));
        assert_eq!((value(&read.packages), value(&read.commit)), ("35 packages", "no"));
        let Recorded::Yes { at, .. } = read.packages else { panic!("recorded") };
        assert!(at.ends_with("files/requirements.txt"));
    }

    #[test]
    fn what_a_folder_without_a_tracker_records_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap();
        let none = of(dir.path());
        assert_eq!([&none.seed, &none.packages, &none.configuration, &none.commit], [&Recorded::No; 4]);
        put("args.json", "{\"train\": {\"seed\": 0}, \"git\": {\"commit\": null}}");
        put("git_sha.txt", "41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e dirty\n");
        put(
            "environment.yml",
            "name: x\ndependencies:\n  - python=3.11.7=h95_0\n  - pytorch=2.4.0\n  - numpy>=1.0\n  - pip\n",
        );
        let read = of(dir.path());
        assert_eq!((value(&read.seed), value(&read.packages)), ("0", "2 packages, pytorch 2.4.0"));
        assert_eq!(value(&read.commit), "41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e");
    }

    #[test]
    fn what_was_not_read_is_unknown_and_not_missing() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("config.yaml"), "a: [").unwrap();
        std::fs::create_dir(dir.path().join("requirements.txt")).unwrap();
        let read = of(dir.path());
        for recorded in [&read.seed, &read.packages, &read.configuration, &read.commit] {
            assert_eq!(value(recorded), "unknown");
        }
    }

    #[test]
    fn a_list_of_wishes_is_no_list_of_versions() {
        assert_eq!(versions("torch>=2.0\nnumpy\n# x==1\nx==y\n"), None);
        assert_eq!(
            versions("torch==2.4.0+cu121\nnumpy==1.26.4 ; x\n").as_deref(),
            Some("2 packages, torch 2.4.0+cu121")
        );
    }
}
