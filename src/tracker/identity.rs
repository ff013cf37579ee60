//! Which run of the tracker a run's folder belongs to: the id that a resume must carry.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::small_text;
use super::{Run, Saved};
use crate::safety::clip;

/// A run id, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct IdSeen {
    /// The id.
    pub id: String,
    /// The file that names it, or the run folder that is named after it.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// The name under which the file has it, for a configuration.
    pub name: Option<String>,
}

/// What a folder says of its tracker run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunIdentity {
    /// Everything names one run: a resume carries this id.
    One {
        /// The id.
        id: String,
        /// Where it stands.
        seen: Vec<IdSeen>,
    },
    /// Several ids: a resume would have to guess.
    Several(Vec<IdSeen>),
    /// Nothing names a run.
    Nothing,
}

/// Names under which programs save the id of their W&B run.
const NAMES: [&str; 6] =
    ["wandb_id", "wandb_run_id", "wandb.id", "wandb.run_id", "logger.wandb.id", "logger.id"];
/// Files that hold an id and nothing else.
const FILES: [&str; 4] = ["wandb_id.txt", "wandb_run_id.txt", "wandb_id", "wandb_run_id"];

/// The run ids that a run's folder names: those of the run folders in it, of `wandb/wandb-resume.json`, of small files,
/// and of its configurations.
pub fn identity(run_dir: &Path, runs: &[Run], saved: &[Saved]) -> RunIdentity {
    let inside = runs.iter().filter(|run| run.dir.starts_with(run_dir));
    let mut seen: Vec<IdSeen> =
        inside.map(|run| IdSeen { id: run.id.clone(), path: run.dir.clone(), name: None }).collect();
    let text = |path: &Path| small_text(path, 4096).ok().flatten();
    for name in FILES {
        let path = run_dir.join(name);
        let id = text(&path).map(|text| clip(text.trim(), 200));
        seen.extend(id.filter(|id| is_id(id)).map(|id| IdSeen { id, path, name: None }));
    }
    let resume = run_dir.join("wandb/wandb-resume.json");
    let value = text(&resume).and_then(|text| serde_json::from_str::<Value>(&text).ok());
    let id = value.as_ref().and_then(|value| value.get("run_id")?.as_str());
    seen.extend(id.filter(|id| is_id(id)).map(|id| IdSeen { id: id.to_owned(), path: resume, name: None }));
    for saved in saved {
        for name in NAMES {
            let id = saved.values.get(name).and_then(Value::as_str).filter(|id| is_id(id));
            let id = id.map(|id| IdSeen {
                id: id.to_owned(),
                path: saved.path.clone(),
                name: Some(name.to_owned()),
            });
            seen.extend(id);
        }
    }
    match seen.first() {
        None => RunIdentity::Nothing,
        Some(first) if seen.iter().all(|other| other.id == first.id) => {
            RunIdentity::One { id: first.id.clone(), seen }
        }
        Some(_) => RunIdentity::Several(seen),
    }
}

/// W&B forbids these characters in ids; a shell must not meet others either.
fn is_id(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 128
        && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
}

#[cfg(test)]
mod tests {
    use super::super::saved::read_text;
    use super::super::writer::Wandb;
    use super::super::{Limits, runs};
    use super::*;

    #[test]
    fn one_id_everywhere_is_what_a_resume_carries() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        assert_eq!(identity(dir, &[], &[]), RunIdentity::Nothing);
        for started in [1_795_232_460, 1_795_242_460] {
            Wandb::new("k3v9q1ab", started).write(dir);
        }
        std::fs::write(dir.join("wandb/wandb-resume.json"), "{\"run_id\": \"k3v9q1ab\"}").unwrap();
        std::fs::write(dir.join("wandb_id.txt"), "k3v9q1ab\n").unwrap();
        let found = runs(dir, &Limits::default()).runs;
        let saved =
            read_text(&dir.join("config.yaml"), "wandb: {id: k3v9q1ab}\nlogger: {id: no id}\n").unwrap();
        let RunIdentity::One { id, seen } = identity(dir, &found, &[saved]) else { panic!("one id") };
        assert_eq!((id.as_str(), seen.len()), ("k3v9q1ab", 5));
        assert_eq!(seen[4].name.as_deref(), Some("wandb.id"));
    }

    #[test]
    fn two_ids_are_shown_with_their_places_and_foreign_runs_do_not_count() {
        let dir = tempfile::tempdir().unwrap();
        let (mine, other) = (dir.path().join("mine"), dir.path().join("other"));
        Wandb::new("mine", 1_795_232_460).write(&mine);
        Wandb::new("other", 1_795_232_460).write(&other);
        let found = runs(dir.path(), &Limits::default()).runs;
        assert!(matches!(identity(&mine, &found, &[]), RunIdentity::One { .. }));
        let saved = read_text(&mine.join("config.yaml"), "wandb_id: other\n").unwrap();
        let RunIdentity::Several(seen) = identity(&mine, &found, &[saved]) else { panic!("two ids") };
        let ids: Vec<&str> = seen.iter().map(|seen| seen.id.as_str()).collect();
        assert_eq!(ids, ["mine", "other"]);
    }
}
