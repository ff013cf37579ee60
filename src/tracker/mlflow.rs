//! MLflow's file store, and whether there is one of Trackio.
//!
//! `mlruns/<experiment>/<run>/meta.yaml` has status (1 running, 2 scheduled, 3 finished,
//! 4 failed, 5 killed) and times in milliseconds; `params/<name>` holds a value, `metrics/<name>` a line
//! `time value step` for each measurement, `tags/` what else is known. A killed run stays at status 1.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::{Step, modified, plain, small_text, walk};
use super::{Limits, Run, RunExit, Sign, Tracker, yaml};
use crate::safety::clip;
use crate::terms::{Seconds, Time, Unread};

/// The largest `meta.yaml`, parameter or tag that is read, in bytes.
const MOST: usize = 64 * 1024;
/// Entries of a run's `params` or `metrics` that are looked at.
const MOST_ENTRIES: usize = 2_000;
/// Metrics whose last line is read.
const MOST_TAILS: usize = 20;
/// Bytes at the end of a metric's file in which its last line stands.
const TAIL: u64 = 512;

/// What other trackers left below a folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Others {
    /// MLflow's runs.
    pub runs: Vec<Run>,
    /// Databases of Trackio. They are there; they are not read, since a reader could lock them.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub trackio: Vec<PathBuf>,
    /// What was not read, and why.
    pub unread: Vec<Unread>,
}

/// Every MLflow run and every Trackio database below a folder.
pub fn others(dir: &Path, limits: &Limits) -> Others {
    let mut found = Others::default();
    let mut left_out = 0u64;
    let seen = walk(dir, limits, |entry| {
        let is_meta = !entry.is_dir && entry.path.ends_with("meta.yaml");
        if is_meta && let Some(home) = entry.path.parent() {
            if found.runs.len() >= limits.results {
                left_out += 1;
            } else {
                match small_text(&entry.path, MOST) {
                    Ok(text) => found.runs.extend(text.and_then(|text| read_text(home, &text))),
                    Err(why) => found.unread.push(Unread::new(&entry.path, why)),
                }
            }
        }
        let is_database = !entry.is_dir && entry.path.extension().is_some_and(|ext| ext == "db");
        if is_database && entry.path.parent().is_some_and(|parent| parent.ends_with("trackio")) {
            found.trackio.push(entry.path);
        }
        Step::Into
    });
    found.unread.extend(seen);
    if left_out > 0 {
        let why = format!("{left_out} more runs of MLflow: only {} are read", limits.results);
        found.unread.push(Unread::new(dir, why));
    }
    for run in &mut found.runs {
        fill_in(run, &mut found.unread);
    }
    found.runs.sort_by(|a, b| a.dir.cmp(&b.dir));
    found.trackio.sort();
    found.unread.sort();
    found
}

/// Reads the text of a `meta.yaml`; `None` if it is that of no run, but of an experiment.
pub fn read_text(dir: &Path, text: &str) -> Option<Run> {
    let value = yaml::read(text).ok()?;
    let name = |name: &str| value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let id = clip(name("run_id").or_else(|| name("run_uuid"))?, 200);
    let time = |name: &str| {
        let milliseconds = value.get(name)?.as_i64().filter(|time| *time > 0)?;
        Time::from_unix(milliseconds / 1000)
    };
    let (started, ended) = (time("start_time"), time("end_time"));
    // It stores no exit code.
    let code = match value.get("status").and_then(Value::as_i64) {
        Some(3) => Some(0),
        Some(4 | 5) => Some(1),
        _ => None,
    };
    let runtime = started.zip(ended).and_then(|(from, to)| u64::try_from(to.unix() - from.unix()).ok());
    Some(Run {
        tracker: Tracker::Mlflow,
        dir: dir.to_owned(),
        id,
        offline: true,
        name: name("run_name").map(|name| clip(name, 200)),
        project: name("experiment_id").map(|id| clip(id, 200)),
        started,
        exit: code.map(|code| RunExit { code, runtime: runtime.map(Seconds) }),
        ..Run::default()
    })
}

/// Parameters, commit, last step, and the newest file's time.
fn fill_in(run: &mut Run, unread: &mut Vec<Unread>) {
    for (name, path) in entries(&run.dir.join("params"), unread) {
        match small_text(&path, MOST) {
            Ok(text) => {
                let value = clip(text.unwrap_or_default().trim(), 4_000);
                // Everything is text there; a number is one all the same.
                let number = serde_json::from_str(&value).ok().filter(Value::is_number);
                run.parameters.insert(name, number.unwrap_or(Value::String(value)));
            }
            Err(why) => unread.push(Unread::new(&path, why)),
        }
    }
    let commit = small_text(&run.dir.join("tags/mlflow.source.git.commit"), MOST).ok().flatten();
    run.commit = commit.map(|commit| clip(commit.trim(), 80)).filter(|commit| !commit.is_empty());
    let metrics = entries(&run.dir.join("metrics"), unread);
    let times = metrics.iter().map(|(name, path)| (format!("metrics/{name}"), path.clone()));
    let times = times.chain([("meta.yaml".to_owned(), run.dir.join("meta.yaml"))]);
    let signs = times.filter_map(|(of, path)| {
        let metadata = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file)?;
        Some(Sign { time: modified(&metadata)?, of })
    });
    run.last_sign = signs.reduce(|newest, sign| if sign.time > newest.time { sign } else { newest });
    run.last_step = metrics.iter().take(MOST_TAILS).filter_map(|(_, path)| last_step(path)).max();
}

/// The files of a folder, by name; names of metrics can have folders of their own, which are passed by.
fn entries(dir: &Path, unread: &mut Vec<Unread>) -> Vec<(String, PathBuf)> {
    let listed = match fs::read_dir(dir) {
        Ok(listed) => listed,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(e) => {
            unread.push(Unread::new(dir, plain(&e)));
            return Vec::new();
        }
    };
    let mut entries: Vec<(String, PathBuf)> = listed
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .take(MOST_ENTRIES + 1)
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()))
        .collect();
    if entries.len() > MOST_ENTRIES {
        entries.truncate(MOST_ENTRIES);
        unread.push(Unread::new(dir, format!("only {MOST_ENTRIES} files of it are read")));
    }
    entries.sort();
    entries
}

/// The step of the last whole line of a metric.
fn last_step(path: &Path) -> Option<u64> {
    use std::io::{Read, Seek, SeekFrom};
    let mut file = crate::sys::open_regular(path).ok()??;
    let size = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(TAIL))).ok()?;
    let mut tail = Vec::new();
    file.take(TAIL).read_to_end(&mut tail).ok()?;
    step_in(&String::from_utf8_lossy(&tail))
}

/// The same of the end of its text: `time value step` a line.
pub fn step_in(tail: &str) -> Option<u64> {
    let (whole, _) = tail.rsplit_once('\n')?;
    whole.rsplit('\n').next()?.split(' ').nth(2)?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn a_recorded_store_is_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/mlflow");
        let read = others(&dir, &Limits::default());
        assert_eq!(read.unread, []);
        let [killed, ended] = read.runs.try_into().unwrap();
        assert_eq!(ended.exit, Some(RunExit { code: 0, runtime: Some(Seconds(0)) }));
        assert_eq!(ended.id, "ca297f7a13b9451b833625920d5eee38");
        assert_eq!((ended.name.as_deref(), ended.last_step), (Some("lr-1e-3"), Some(2)));
        assert_eq!(serde_json::to_value(&ended.parameters).unwrap(), json!({"lr": 0.001, "seed": 17}));
        assert_eq!((killed.exit, killed.last_step), (None, Some(2)), "its status is still 1");
        assert_eq!(killed.started.unwrap().to_string(), "2026-11-21T12:29:44Z");
    }

    #[test]
    fn a_database_of_trackio_is_named_and_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let database = dir.path().join("trackio/tiny.db");
        fs::create_dir(dir.path().join("trackio")).unwrap();
        fs::write(&database, "x").unwrap();
        fs::write(dir.path().join("other.db"), "x").unwrap();
        assert_eq!(others(dir.path(), &Limits::default()).trackio, [database]);
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "(run_id|status|start_time|: |[0-9\n{}-]){0,20}") {
            let _ = read_text(Path::new("x"), &text);
        }
    }
}
