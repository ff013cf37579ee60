//! `files/wandb-metadata.json` and `files/config.yaml` of older clients.

use std::path::Path;

use serde_json::Value;

use super::super::disk::{flatten, small_text};
use super::super::{Run, SlurmIds, yaml};
use crate::safety::clip;
use crate::terms::{Time, Unread};

/// The largest such file that is read, in bytes.
const MOST: usize = 256 * 1024;

/// Fills in what the file of records did not say.
pub(super) fn fill_in(run: &mut Run, unread: &mut Vec<Unread>) {
    let metadata = run.dir.join("files/wandb-metadata.json");
    if let Some(value) = json(&metadata, unread) {
        from_metadata(run, &value);
    }
    let config = run.dir.join("files/config.yaml");
    if run.parameters.is_empty() {
        match small_text(&config, MOST) {
            Ok(Some(text)) => match yaml::read(&text) {
                Ok(value) => config_of(run, value),
                Err(why) => unread.push(Unread::new(&config, why)),
            },
            Ok(None) => {}
            Err(why) => unread.push(Unread::new(&config, why)),
        }
    }
}

fn json(path: &Path, unread: &mut Vec<Unread>) -> Option<Value> {
    match small_text(path, MOST) {
        Ok(text) => match serde_json::from_str(&text?) {
            Ok(value) => Some(value),
            Err(_) => {
                unread.push(Unread::new(path, "it is no JSON"));
                None
            }
        },
        Err(why) => {
            unread.push(Unread::new(path, why));
            None
        }
    }
}

pub(super) fn from_metadata(run: &mut Run, value: &Value) {
    let text = |name: &str| value.get(name).and_then(Value::as_str).map(|text| clip(text, 400));
    run.host = run.host.take().or_else(|| text("host"));
    if run.started.is_none() {
        // `heartbeatAt` and `state` beside it are never written again: not read.
        run.started = text("startedAt").and_then(|text| time(&text));
    }
    let commit = || value.get("git").and_then(|git| git.get("commit")).and_then(Value::as_str);
    run.commit = run.commit.take().or_else(|| commit().map(|commit| clip(commit, 80)));
    if run.slurm.is_none()
        && let Some(Value::Object(entries)) = value.get("slurm")
    {
        let mut slurm = SlurmIds::default();
        for (key, value) in entries {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            slurm.set(key, &value);
        }
        run.slurm = (slurm != SlurmIds::default()).then_some(slurm);
    }
}

/// Each name with `{desc:, value:}` around its value, or the bare value.
fn config_of(run: &mut Run, value: Value) {
    for (name, value) in yaml::unwrapped(value) {
        flatten(&name, value, &mut run.parameters);
    }
}

/// `2026-11-21T12:01:36.398100`, which is UTC, or RFC 3339.
fn time(text: &str) -> Option<Time> {
    text.parse().ok().or_else(|| Time::from_wall_clock(text.as_bytes().get(..19)?))
}
