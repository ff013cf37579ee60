//! Weights & Biases: run folders in both layouts.
//!
//! Current clients keep everything in `run-<id>.wandb`; older ones also write
//! `files/wandb-metadata.json`, `config.yaml` and `wandb-summary.json`, which fill in what that
//! file does not say. A run's id is always in the name of its folder.

mod agents;
mod framing;
mod metadata;
mod records;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::disk::{Found, Step, modified, plain, walk};
use super::{Limits, Run, Runs, Sign};
use crate::terms::{Bytes, Unread};
use records::Contents;

/// The files whose times are signs of life.
const SIGNS: [&str; 2] = ["files/output.log", "logs/debug-internal.log"];

/// Every W&B run below a folder (or the folder itself, if it is one).
///
/// Symlinks are not followed, so `latest-run` is no second run. What was left out is
/// in [`Runs::unread`].
pub fn runs(dir: &Path, limits: &Limits) -> Runs {
    let mut runs = Runs::default();
    let mut swept = Vec::new();
    let mut settings: BTreeMap<PathBuf, agents::Settings> = BTreeMap::new();
    let mut left_out = 0u64;
    let seen = walk(dir, limits, |found| {
        let Some(name) = found.path.file_name().and_then(|name| name.to_str()) else { return Step::Into };
        if !found.is_dir {
            return Step::Into;
        }
        if let Some((id, offline)) = of_folder(name) {
            if runs.runs.len() < limits.results {
                let home = found.path.parent().unwrap_or(dir).to_owned();
                let settings = settings.entry(home).or_insert_with_key(|home| agents::settings(home));
                let run = run(&found, id, offline, settings, limits, &mut runs.unread);
                runs.runs.push(run);
            } else {
                left_out += 1;
            }
            return Step::Past;
        }
        if let Some(sweep) = name.strip_prefix("sweep-") {
            swept.extend(agents::sweep(&found.path, sweep, limits, &mut runs.unread));
            return Step::Past;
        }
        Step::Into
    });
    runs.unread.extend(seen);
    let middles: Vec<u64> = runs.runs.iter().map(|run| run.unread.0).filter(|bytes| *bytes > 0).collect();
    if !middles.is_empty() {
        let (files, bytes) = (middles.len(), Bytes(middles.iter().sum()));
        let why =
            format!("of {files} large W&B files only both ends were read, {bytes} between them were not");
        runs.unread.push(Unread::new(dir, why));
    }
    if left_out > 0 {
        runs.unread.push(Unread::new(dir, format!("{left_out} more runs: only {} are read", limits.results)));
    }
    for swept in swept {
        swept.fill_in(&mut runs.runs);
    }
    runs.runs.sort_by(|a, b| a.dir.cmp(&b.dir));
    runs.unread.sort();
    runs
}

/// Reads the bytes of a `.wandb` file as if they were those of a run `id`.
pub fn read_bytes(id: &str, bytes: &[u8], limits: &Limits) -> Run {
    let mut run = Run { id: id.to_owned(), ..Run::default() };
    match records::read(io::Cursor::new(bytes), bytes.len() as u64, limits) {
        Ok(contents) => run.take(contents),
        Err(e) => run.problems.push(plain(&e)),
    }
    run
}

/// Reads one record of such a file.
pub fn read_message(record: &[u8]) -> Run {
    let mut contents = Contents::default();
    contents.take(record);
    let mut run = Run::default();
    run.take(contents);
    run
}

/// Reads the small files of text: `wandb-metadata.json`, an agent's `config-*.yaml`, `settings`;
/// whatever of a run the text says as one of them.
pub fn read_small(text: &str) -> Run {
    let mut run = Run::default();
    if let Ok(value) = serde_json::from_str(text) {
        metadata::from_metadata(&mut run, &value);
    }
    run.parameters = agents::values_in(text).unwrap_or_default();
    let settings = agents::settings_in(text);
    (run.url, run.entity, run.project) = (settings.base_url, settings.entity, settings.project);
    run
}

/// Id, and whether it was offline, of a folder's name: `run-20261121_120134-k3v9q1ab`.
fn of_folder(name: &str) -> Option<(&str, bool)> {
    let (rest, offline) = match name.strip_prefix("offline-run-") {
        Some(rest) => (rest, true),
        None => (name.strip_prefix("run-")?, false),
    };
    let (stamp, id) = rest.split_at_checked(16)?;
    let is_stamp = stamp.bytes().enumerate().all(|(at, byte)| match at {
        8 => byte == b'_',
        15 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (is_stamp && !id.is_empty()).then_some((id, offline))
}

fn run(
    found: &Found,
    id: &str,
    offline: bool,
    settings: &agents::Settings,
    limits: &Limits,
    unread: &mut Vec<Unread>,
) -> Run {
    let dir = &found.path;
    let mut run = Run { dir: dir.clone(), id: id.to_owned(), offline, ..Run::default() };
    let name = format!("run-{id}.wandb");
    let file = dir.join(&name);
    match records::read_path(&file, limits) {
        Ok(Some(contents)) => {
            run.take(contents);
        }
        Ok(None) => unread.push(Unread::new(&file, "it is no regular file")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            run.problems.push("it has no file of records".to_owned());
        }
        Err(e) => unread.push(Unread::new(&file, plain(&e))),
    }
    metadata::fill_in(&mut run, unread);
    run.last_sign = last_sign(dir, &name);
    run.entity = run.entity.take().or_else(|| settings.entity.clone());
    run.project = run.project.take().or_else(|| settings.project.clone());
    let base = settings.base_url.as_deref().unwrap_or(&limits.base_url);
    run.url = url(base, &run);
    run
}

impl Run {
    fn take(&mut self, contents: Contents) {
        let Contents { id, entity, project, name, group, sweep, host, started, commit, exit, slurm, .. } =
            contents;
        if let Some(id) = id.filter(|id| *id != self.id) {
            let id = crate::safety::clip(&id, 80);
            self.problems.push(format!("its folder is named after another run than its file ({id})"));
        }
        (self.entity, self.project, self.name, self.group) = (entity, project, name, group);
        (self.sweep, self.host, self.started, self.commit) = (sweep, host, started, commit);
        (self.exit, self.slurm, self.last_step) = (exit, slurm, contents.last_step);
        self.parameters = contents.config;
        self.torn = contents.torn;
        self.unread = Bytes(contents.unread.map_or(0, |(from, to)| to.saturating_sub(from)));
        self.problems.extend(contents.problems);
    }
}

/// The newest time of the files that a living run writes to.
fn last_sign(dir: &Path, name: &str) -> Option<Sign> {
    let signs = [name].into_iter().chain(SIGNS);
    let times = signs.filter_map(|of| {
        // A symlink's own time says nothing, and what it leads to is not ours to ask.
        let metadata = fs::symlink_metadata(dir.join(of)).ok().filter(fs::Metadata::is_file)?;
        Some(Sign { time: modified(&metadata)?, of: of.to_owned() })
    });
    // The first of those that are equally new: the file of records.
    times.reduce(|newest, sign| if sign.time > newest.time { sign } else { newest })
}

fn url(base: &str, run: &Run) -> Option<String> {
    let (entity, project) = (run.entity.as_deref()?, run.project.as_deref()?);
    let parts = [entity, project, &run.id];
    // A link is no place for anything but names.
    let is_name = |part: &str| {
        let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ');
        !part.trim_matches('.').is_empty() && part.chars().all(is_plain)
    };
    let [entity, project, id] = parts.map(|part| is_name(part).then(|| part.replace(' ', "%20")));
    let base = base.trim_end_matches('/');
    Some(format!("{base}/{}/{}/runs/{}", entity?, project?, id?))
}
