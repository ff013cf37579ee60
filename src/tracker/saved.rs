//! The configuration that a run saved, read from the files that frameworks write, under
//! dotted names.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::disk::{flatten, small_text};
use super::{Run, yaml};
use crate::terms::Unread;

/// The largest configuration that is read, in bytes.
const MOST: usize = 256 * 1024;

/// Which program's form a configuration has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum SavedKind {
    /// `.hydra/config.yaml` or `hydra_config.yaml`: composed by Hydra.
    Hydra,
    /// `.hydra/overrides.yaml`: what was given on Hydra's command line.
    HydraOverrides,
    /// W&B: `config.yaml` with `{value: ..}` around each value, or the run's own records.
    Wandb,
    /// `hparams.yaml` of Lightning.
    Hparams,
    /// `args.json` and the like: what the command line came to.
    Args,
    /// Any other YAML.
    Yaml,
    /// Any other JSON.
    Json,
}

/// A configuration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Saved {
    /// The file, or the run's folder for what stands in its records.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Whose form it has.
    pub kind: SavedKind,
    /// Values under dotted names. Lists are values.
    pub values: BTreeMap<String, Value>,
}

/// The configurations of a run's folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Configurations {
    /// What was found, the most trustworthy first: what a framework composed and saved comes
    /// before files that a person may have put there.
    pub saved: Vec<Saved>,
    /// Files that are there and could not be read.
    pub unread: Vec<Unread>,
}

/// Where a run's configuration is looked for, the most trustworthy first.
const PLACES: [(&str, SavedKind); 17] = [
    (".hydra/config.yaml", SavedKind::Hydra),
    ("hydra_config.yaml", SavedKind::Hydra),
    ("files/config.yaml", SavedKind::Wandb),
    ("wandb/latest-run/files/config.yaml", SavedKind::Wandb),
    ("hparams.yaml", SavedKind::Hparams),
    ("args.json", SavedKind::Args),
    ("args.yaml", SavedKind::Args),
    ("training_args.json", SavedKind::Args),
    ("config.yaml", SavedKind::Yaml),
    ("config.yml", SavedKind::Yaml),
    ("config.json", SavedKind::Json),
    ("params.yaml", SavedKind::Yaml),
    ("params.json", SavedKind::Json),
    ("hparams.json", SavedKind::Json),
    ("hyperparameters.yaml", SavedKind::Yaml),
    ("hyperparameters.json", SavedKind::Json),
    (".hydra/overrides.yaml", SavedKind::HydraOverrides),
];

/// The configurations that a run's folder holds.
pub fn configurations(run_dir: &Path) -> Configurations {
    let mut found = Configurations::default();
    for (place, kind) in PLACES {
        found.look(&run_dir.join(place), kind);
    }
    if let Some(version) = newest_version(&run_dir.join("lightning_logs")) {
        found.look(&version.join("hparams.yaml"), SavedKind::Hparams);
    }
    found
}

/// One configuration, by its path: the intended one, for instance.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn configuration(path: &Path) -> Result<Saved, String> {
    let text = small_text(path, MOST)?.ok_or_else(|| "it is not there".to_owned())?;
    read_text(path, &text)
}

impl Configurations {
    fn look(&mut self, path: &Path, kind: SavedKind) {
        match small_text(path, MOST).and_then(|text| text.map(|text| parse(path, kind, &text)).transpose()) {
            Ok(Some(saved)) => self.saved.push(saved),
            Ok(None) => {}
            Err(why) => self.unread.push(Unread::new(path, why)),
        }
    }
}

impl Saved {
    /// What the records of a run say of its configuration; `None` if they say nothing.
    pub fn of_run(run: &Run) -> Option<Saved> {
        (!run.parameters.is_empty()).then(|| Saved {
            path: run.dir.clone(),
            kind: SavedKind::Wandb,
            values: run.parameters.clone(),
        })
    }
}

/// Reads the text of a configuration as if it stood under that path.
///
/// # Errors
/// Why it cannot be read, in words.
pub fn read_text(path: &Path, text: &str) -> Result<Saved, String> {
    parse(path, kind_of(path), text)
}

/// Reads the text of a configuration.
///
/// # Errors
/// Why it cannot be read, in words.
pub(super) fn parse(path: &Path, kind: SavedKind, text: &str) -> Result<Saved, String> {
    let value: Value = if is_json(path) {
        serde_json::from_str(text).map_err(|e| {
            let said = e.to_string();
            format!("it is no JSON that can be read: {}", crate::safety::one_line(&said, 200))
        })?
    } else {
        yaml::read(text)?
    };
    let mut values = BTreeMap::new();
    let kind = match value {
        Value::Array(overrides) if kind == SavedKind::HydraOverrides => {
            overrides.iter().filter_map(Value::as_str).for_each(|text| take_override(text, &mut values));
            kind
        }
        Value::Null => kind,
        Value::Object(names) => {
            let is_own = |name: &str| matches!(name, "_wandb" | "wandb_version");
            let mut others = names.iter().filter(|(name, _)| !is_own(name)).peekable();
            let is_wrapped = others.peek().is_some()
                && others.all(|(_, value)| value.as_object().is_some_and(yaml::is_wrapped));
            let names = if is_wrapped { yaml::unwrapped(Value::Object(names)) } else { names };
            for (name, value) in names {
                flatten(&name, value, &mut values);
            }
            if is_wrapped { SavedKind::Wandb } else { kind }
        }
        _ => return Err("it is no mapping of names to values".to_owned()),
    };
    Ok(Saved { path: path.to_owned(), kind, values })
}

/// Whose form a file has, by where it stands.
fn kind_of(path: &Path) -> SavedKind {
    let of_place = PLACES.iter().find(|(place, _)| path.ends_with(place)).map(|(_, kind)| *kind);
    of_place.unwrap_or(if is_json(path) { SavedKind::Json } else { SavedKind::Yaml })
}

fn is_json(path: &Path) -> bool {
    path.extension().is_some_and(|ext| ext.eq_ignore_ascii_case("json"))
}

/// `optim.lr=0.1`, `+new=1`, `~gone`, in Hydra's grammar; values are read as YAML.
fn take_override(text: &str, values: &mut BTreeMap<String, Value>) {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    let value = yaml::read(value).unwrap_or_else(|_| Value::String(value.to_owned()));
    flatten(name.trim_start_matches('+'), value, values);
}

/// `lightning_logs/version_7`, the highest number.
fn newest_version(logs: &Path) -> Option<PathBuf> {
    let numbers = std::fs::read_dir(logs).ok()?.take(10_000).flatten().filter_map(|entry| {
        let number: u64 = entry.file_name().to_str()?.strip_prefix("version_")?.parse().ok()?;
        Some((number, entry.path()))
    });
    numbers.max().map(|(_, path)| path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn values(saved: &Saved) -> Value {
        serde_json::to_value(&saved.values).unwrap()
    }

    fn put(dir: &Path, name: &str, text: &str) {
        let path = dir.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn each_form_is_read_under_dotted_names_the_most_trustworthy_first() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        put(dir, "config.json", "{\"model\": {\"depth\": 3}, \"lr\": 0.1}");
        put(dir, "args.json", "{\"lr\": 0.1}");
        put(dir, "config.yaml", "wandb_version: 1\nlr:\n  desc: null\n  value: 0.1\n_wandb:\n  value: {}\n");
        put(dir, ".hydra/config.yaml", "optim:\n  lr: 1e-3\n  betas: [0.9, 0.95]\nempty: {}\n");
        put(dir, ".hydra/overrides.yaml", "- optim.lr=1e-3\n- +model.depth=4\n- ~old\n- name='a b'\n");
        put(dir, "lightning_logs/version_2/hparams.yaml", "lr: 2\n");
        put(dir, "lightning_logs/version_10/hparams.yaml", "lr: 10\n");
        let found = configurations(dir);
        assert_eq!(found.unread, []);
        let kinds: Vec<SavedKind> = found.saved.iter().map(|saved| saved.kind).collect();
        use SavedKind::{Args, Hparams, Hydra, HydraOverrides, Json, Wandb};
        assert_eq!(kinds, [Hydra, Args, Wandb, Json, HydraOverrides, Hparams]);
        let expected = [
            json!({"empty": {}, "optim.betas": [0.9, 0.95], "optim.lr": 0.001}),
            json!({"lr": 0.1}),
            json!({"lr": 0.1}),
            json!({"lr": 0.1, "model.depth": 3}),
            json!({"model.depth": 4, "name": "a b", "optim.lr": 0.001, "~old": null}),
            json!({"lr": 10}),
        ];
        assert_eq!(found.saved.iter().map(values).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        put(dir.path(), "config.yaml", "- a\n- b\n");
        put(dir.path(), "args.json", "{");
        put(dir.path(), "hparams.yaml", &format!("a: {}\n", "x".repeat(300_000)));
        std::fs::create_dir(dir.path().join("config.json")).unwrap();
        let found = configurations(dir.path());
        assert_eq!(found.saved, []);
        let whys: Vec<&str> = found.unread.iter().map(|unread| unread.why.as_str()).collect();
        assert!(whys[0].contains("256 KiB") && whys[1].contains("no JSON"), "{whys:?}");
        assert!(whys[2].contains("no mapping") && whys[3].contains("no regular file"), "{whys:?}");
        assert_eq!(configuration(&dir.path().join("none")).unwrap_err(), "it is not there");
    }

    proptest! {
        #[test]
        fn no_text_makes_the_reader_panic(text in "[-a-c0-9:{}\\[\\]\"=+~ \n,.]{0,80}") {
            for name in ["config.yaml", "config.json", ".hydra/overrides.yaml"] {
                let _ = read_text(Path::new(name), &text);
            }
        }
    }
}
