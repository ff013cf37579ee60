//! What stands beside the run folders: `sweep-<id>/config-<run id>.yaml`, written by the
//! agent for every run that it starts, and the project's `settings`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::super::disk::{flatten, plain, small_text};
use super::super::{Limits, Run, yaml};
use crate::safety::clip;
use crate::terms::Unread;

/// The largest such file that is read, in bytes.
const MOST: usize = 64 * 1024;

/// What a sweep's agent set for one run.
#[derive(Debug)]
pub(super) struct Swept {
    sweep: String,
    run: String,
    values: BTreeMap<String, Value>,
}

impl Swept {
    /// Writes the parameters into the run that they were for.
    pub(super) fn fill_in(self, runs: &mut [Run]) {
        for run in runs.iter_mut().filter(|run| run.id == self.run) {
            run.sweep.get_or_insert_with(|| self.sweep.clone());
            for (name, value) in &self.values {
                run.parameters.entry(name.clone()).or_insert_with(|| value.clone());
                if !run.swept.contains(name) {
                    run.swept.push(name.clone());
                }
            }
        }
    }
}

/// Reads the configurations in the folder of a sweep.
pub(super) fn sweep(dir: &Path, sweep: &str, limits: &Limits, unread: &mut Vec<Unread>) -> Vec<Swept> {
    let entries = match std::fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(e) => {
            unread.push(Unread::new(dir, plain(&e)));
            return Vec::new();
        }
    };
    let mut swept = Vec::new();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let run = name.to_str().and_then(|name| name.strip_prefix("config-")?.strip_suffix(".yaml"));
        let Some(run) = run.filter(|run| !run.is_empty()) else { continue };
        if swept.len() >= limits.results {
            unread.push(Unread::new(dir, format!("only {} configurations of it are read", limits.results)));
            break;
        }
        let path = entry.path();
        let read = small_text(&path, MOST).and_then(|text| text.map(|text| values_in(&text)).transpose());
        match read {
            Ok(values) => {
                let values = values.unwrap_or_default();
                swept.push(Swept { sweep: sweep.to_owned(), run: run.to_owned(), values });
            }
            Err(why) => unread.push(Unread::new(&path, why)),
        }
    }
    swept
}

/// The parameters in such a configuration.
pub(super) fn values_in(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let mut values = BTreeMap::new();
    for (name, value) in yaml::unwrapped(yaml::read(text)?) {
        flatten(&name, value, &mut values);
    }
    Ok(values)
}

/// What a project's `wandb/settings` says of where runs go.
#[derive(Debug, Default)]
pub(super) struct Settings {
    pub base_url: Option<String>,
    pub entity: Option<String>,
    pub project: Option<String>,
}

/// Reads three lines of `settings` and no other: the file could hold a key.
pub(super) fn settings(home: &Path) -> Settings {
    match small_text(&home.join("settings"), MOST) {
        Ok(Some(text)) => settings_in(&text),
        _ => Settings::default(),
    }
}

/// The same of its text.
pub(super) fn settings_in(text: &str) -> Settings {
    let mut settings = Settings::default();
    for line in text.lines() {
        let Some((name, value)) = line.split_once('=') else { continue };
        let value = || Some(clip(value.trim(), 200)).filter(|value| !value.is_empty());
        match name.trim() {
            "base_url" => {
                settings.base_url = value()
                    .filter(|url| url.starts_with("https://") || url.starts_with("http://"))
                    .map(|url| crate::safety::url_without_credentials(&url));
            }
            "entity" => settings.entity = value(),
            "project" => settings.project = value(),
            _ => {}
        }
    }
    settings
}
