//! Is it still the same experiment? What a run saved against what is intended now.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Saved, SavedKind};

/// One name with two values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Difference {
    /// The dotted name.
    pub name: String,
    /// What the run saved; `None` if it does not know the name.
    pub saved: Option<Value>,
    /// What is intended; `None` if the name is no longer there.
    pub intended: Option<Value>,
}

/// What a comparison came to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Comparison {
    /// Where the saved configuration stands.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub saved: PathBuf,
    /// Where the intended one stands.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub intended: PathBuf,
    /// Names that both have.
    pub common: u64,
    /// What speaks against a resume, by name.
    pub differences: Vec<Difference>,
    /// Differences that every resume has, or that change no result ([`SET_ASIDE`]).
    pub set_aside: Vec<Difference>,
}

/// Names whose differences speak against no resume. A name stands for itself and for the last
/// part of a dotted one (`trainer.output_dir`); one with a dot at its end for everything below it.
pub const SET_ASIDE: [&str; 65] = [
    // Where a run writes and reads its own files.
    "output_dir",
    "out_dir",
    "outdir",
    "output_path",
    "log_dir",
    "logdir",
    "logging_dir",
    "log_file",
    "save_dir",
    "save_path",
    "run_dir",
    "work_dir",
    "workdir",
    "exp_dir",
    "results_dir",
    "checkpoint_dir",
    "ckpt_dir",
    "cache_dir",
    "tmp_dir",
    "default_root_dir",
    "hydra.",
    // That it resumes, and from what.
    "resume",
    "resume_from",
    "resume_from_checkpoint",
    "resume_path",
    "resume_id",
    "auto_resume",
    "resumed",
    "restart",
    "checkpoint",
    "checkpoint_path",
    "ckpt",
    "ckpt_path",
    "overwrite_output_dir",
    // Which run of which job it is; ids of the tracker are compared by themselves.
    "run_id",
    "run_name",
    "wandb_id",
    "wandb_run_id",
    "wandb.id",
    "wandb.run_id",
    "_wandb.",
    "wandb_version",
    "job_id",
    "slurm.",
    "slurm_job_id",
    "array_task_id",
    // When and where.
    "timestamp",
    "time",
    "date",
    "datetime",
    "start_time",
    "host",
    "hostname",
    "node",
    "nodelist",
    "pid",
    "port",
    "master_port",
    "master_addr",
    "init_method",
    // How fast, and how much it says.
    "num_workers",
    "prefetch_factor",
    "pin_memory",
    "persistent_workers",
    "verbose",
];

/// Compares what a run saved with what is intended.
///
/// Numbers compare by value (`1e-3` and 0.001), text that is a number with numbers, null with a
/// name that is not there. A name that only the intended configuration has is a
/// difference. One that only the saved one has is a difference where the same
/// program wrote both; elsewhere saved configurations hold defaults that nobody writes down.
pub fn compare(saved: &Saved, intended: &Saved) -> Comparison {
    let are_of_one_kind =
        saved.kind == intended.kind && !matches!(saved.kind, SavedKind::Yaml | SavedKind::Json);
    let mut comparison = Comparison {
        saved: saved.path.clone(),
        intended: intended.path.clone(),
        common: 0,
        differences: Vec::new(),
        set_aside: Vec::new(),
    };
    let only_saved = saved.values.keys().filter(|name| !intended.values.contains_key(*name));
    let mut names: Vec<&String> = intended.values.keys().chain(only_saved).collect();
    names.sort();
    for name in names {
        let (before, now) = (saved.values.get(name), intended.values.get(name));
        comparison.common += u64::from(before.is_some() && now.is_some());
        if is_same(before.unwrap_or(&Value::Null), now.unwrap_or(&Value::Null)) {
            continue;
        }
        if now.is_none() && !are_of_one_kind {
            continue;
        }
        // A mapping that was empty, and the names that are in it now, are one difference.
        if is_empty(before) && now.is_none() || is_empty(now) && before.is_none() {
            continue;
        }
        let difference = Difference { name: name.clone(), saved: before.cloned(), intended: now.cloned() };
        let list = if is_set_aside(name) { &mut comparison.set_aside } else { &mut comparison.differences };
        list.push(difference);
    }
    comparison
}

/// True for names of [`SET_ASIDE`].
fn is_set_aside(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('-', "_");
    SET_ASIDE.iter().any(|aside| match aside.strip_suffix('.') {
        Some(above) => name == above || name.starts_with(aside),
        None => name == *aside || name.strip_suffix(aside).is_some_and(|above| above.ends_with('.')),
    })
}

fn is_empty(value: Option<&Value>) -> bool {
    matches!(value, Some(Value::Object(fields)) if fields.is_empty())
}

/// True if two values mean the same to the program that reads them.
fn is_same(one: &Value, two: &Value) -> bool {
    match (one, two) {
        (Value::Array(one), Value::Array(two)) => {
            one.len() == two.len() && one.iter().zip(two).all(|(one, two)| is_same(one, two))
        }
        (Value::Object(one), Value::Object(two)) => {
            one.len() == two.len()
                && one.iter().all(|(name, value)| two.get(name).is_some_and(|two| is_same(value, two)))
        }
        (Value::Bool(value), Value::String(text)) | (Value::String(text), Value::Bool(value)) => {
            word(text) == Some(*value)
        }
        (Value::Null, Value::String(text)) | (Value::String(text), Value::Null) => {
            matches!(text.to_ascii_lowercase().as_str(), "" | "~" | "null" | "none")
        }
        (Value::String(one), Value::String(two)) if one == two => true,
        (Value::Number(_) | Value::String(_), Value::Number(_) | Value::String(_)) => {
            match (whole(one), whole(two)) {
                (Some(one), Some(two)) => one == two,
                _ => number(one).is_some_and(|one| number(two) == Some(one)),
            }
        }
        _ => one == two,
    }
}

/// The truth values of YAML 1.1, which PyYAML reads.
fn word(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Some(true),
        "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

/// Whole numbers exactly: seeds can be larger than a float holds.
fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)),
        Value::String(text) => text.trim().replace('_', "").parse().ok(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            text.trim().replace('_', "").parse().ok().filter(|value: &f64| value.is_finite())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::saved::read_text;
    use super::*;
    use serde_json::json;

    fn saved(name: &str, text: &str) -> Saved {
        read_text(Path::new(name), text).unwrap()
    }

    /// Names of differences, and of those set aside.
    fn told(saved: &Saved, intended: &Saved) -> (Vec<String>, Vec<String>) {
        let compared = compare(saved, intended);
        let names = |list: Vec<Difference>| list.into_iter().map(|difference| difference.name).collect();
        (names(compared.differences), names(compared.set_aside))
    }

    #[test]
    fn the_same_settings_in_other_forms_are_the_same() {
        let one = saved(
            "config.yaml",
            "lr: 1e-3\nsteps: 1000\nbetas: [0.9, 1]\namp: true\nnone: null\nseed: 12345678901234567890\nname: adam\n",
        );
        let two = saved(
            "config.json",
            "{\"lr\": 0.001, \"steps\": 1000.0, \"betas\": [\"0.90\", 1.0], \"amp\": \"True\", \"none\": \"None\", \
              \"seed\": 12345678901234567890, \"name\": \"adam\", \"new\": null}",
        );
        assert_eq!(told(&one, &two), (Vec::new(), Vec::new()));
        assert_eq!(told(&two, &one), (Vec::new(), Vec::new()));
        assert_eq!(compare(&one, &two).common, 7);
    }

    #[test]
    fn other_values_are_differences_with_both() {
        let one = saved(
            "config.yaml",
            "lr: 0.1\nname: adam\nbetas: [0.9, 0.95]\nseed: 9007199254740993\na: {b: 1}\n",
        );
        let two =
            saved("x.yaml", "lr: 0.2\nname: sgd\nbetas: [0.9]\nseed: 9007199254740992\na: {b: 1, c: 2}\n");
        assert_eq!(told(&one, &two).0, ["a.c", "betas", "lr", "name", "seed"]);
        let lr = compare(&one, &two).differences.remove(2);
        assert_eq!(lr, Difference { name: "lr".into(), saved: Some(json!(0.1)), intended: Some(json!(0.2)) });
    }

    #[test]
    fn a_name_that_is_gone_counts_where_one_program_wrote_both() {
        let full = "lr: 0.1\nweight_decay: 0.2\n";
        let (hydra, plain) = (saved(".hydra/config.yaml", full), saved("config.yaml", full));
        assert_eq!(told(&hydra, &saved("b/.hydra/config.yaml", "lr: 0.1\n")).0, ["weight_decay"]);
        assert_eq!(told(&hydra, &saved("intended.yaml", "lr: 0.1\n")).0, [""; 0], "a default");
        assert_eq!(told(&plain, &saved("intended.yaml", "lr: 0.1\n")).0, [""; 0]);
        assert_eq!(told(&saved("config.yaml", "lr: 0.1\n"), &plain).0, ["weight_decay"], "it is new");
    }

    #[test]
    fn names_that_every_resume_changes_are_set_aside_and_shown() {
        let one = saved(
            "c.yaml",
            "trainer: {output_dir: /a, num-workers: 4, epochs: 3}\nhydra: {job: {id: 1}}\nresume: null\n\
             wandb: {id: a, project: p}\ntime_limit: 1\n",
        );
        let two = saved(
            "c.yaml",
            "trainer: {output_dir: /b, num-workers: 2, epochs: 4}\nhydra: {job: {id: 2}}\nresume: /a/last.ckpt\n\
             wandb: {id: b, project: q}\ntime_limit: 2\n",
        );
        let (differences, aside) = told(&one, &two);
        assert_eq!(differences, ["time_limit", "trainer.epochs", "wandb.project"]);
        assert_eq!(
            aside,
            ["hydra.job.id", "resume", "trainer.num-workers", "trainer.output_dir", "wandb.id"]
        );
    }
}
