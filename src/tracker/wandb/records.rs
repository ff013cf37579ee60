//! What the records of a `.wandb` file say. Field numbers are those of
//! `wandb/proto/wandb_internal.proto`; they never change their meaning, new ones are passed by.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use serde_json::Value;

use super::super::disk::{Limits, MOST_NAMES, flatten};
use super::super::wire::{self, field, fields};
use super::super::{RunExit, SlurmIds};
use super::framing::{self, BLOCK, HEADER};
use crate::safety::clip;
use crate::terms::{Bytes, Seconds, Time};

/// Larger records are tables and histograms, and nothing of what we ask for.
const MOST_RECORD: usize = 1 << 20;

/// Everything that is asked of a `.wandb` file.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Contents {
    pub id: Option<String>,
    pub entity: Option<String>,
    pub project: Option<String>,
    pub name: Option<String>,
    pub group: Option<String>,
    pub sweep: Option<String>,
    pub host: Option<String>,
    pub started: Option<Time>,
    pub commit: Option<String>,
    pub exit: Option<RunExit>,
    pub slurm: Option<SlurmIds>,
    pub last_step: Option<u64>,
    pub config: BTreeMap<String, Value>,
    pub records: u64,
    pub torn: bool,
    pub problems: Vec<String>,
    /// The bytes from and to that were not read.
    pub unread: Option<(u64, u64)>,
}

/// Reads a `.wandb` file of `size` bytes: whole, or both ends of a large one.
///
/// # Errors
/// It cannot be read.
pub(super) fn read(mut file: impl Read + Seek, size: u64, limits: &Limits) -> io::Result<Contents> {
    let mut contents = Contents::default();
    let mut header = Vec::with_capacity(HEADER.len());
    file.by_ref().take(HEADER.len() as u64).read_to_end(&mut header)?;
    if header.len() < HEADER.len() {
        contents.torn = true;
        contents.problems.push(format!("its file has only {} bytes", header.len()));
        return Ok(contents);
    }
    if header != HEADER {
        contents.problems.push("its file does not begin as a W&B file does".to_owned());
        if header.get(..4) != HEADER.get(..4) {
            return Ok(contents);
        }
    }
    let at_header = HEADER.len() as u64;
    let block = BLOCK as u64;
    let head = (limits.edge / block).max(1) * block;
    let tail = size.saturating_sub(limits.edge.max(block)) / block * block;
    if size <= limits.whole || tail <= head {
        let walked = framing::walk(&mut file, at_header, MOST_RECORD, |record| contents.take(record))?;
        contents.sum(walked);
    } else {
        let first = file.by_ref().take(head - at_header);
        let walked = framing::walk(first, at_header, MOST_RECORD, |record| contents.take(record))?;
        contents.sum(walked);
        file.seek(SeekFrom::Start(tail))?;
        let walked = framing::walk(&mut file, tail, MOST_RECORD, |record| contents.take(record))?;
        // Where the head was cut is no tear.
        contents.torn = false;
        contents.sum(walked);
        contents.unread = Some((head, tail));
    }
    if contents.records == 0 && contents.problems.is_empty() {
        contents.problems.push(
            "its file holds no record: it was killed in its first seconds, or has written nothing yet"
                .to_owned(),
        );
    }
    Ok(contents)
}

/// Reads the file at a path; `None` if it is no regular file.
///
/// # Errors
/// It is not there, or cannot be read.
pub(super) fn read_path(path: &Path, limits: &Limits) -> io::Result<Option<Contents>> {
    let Some(file) = crate::sys::open_regular(path)? else { return Ok(None) };
    let size = file.metadata()?.len();
    let file: File = file;
    read(io::BufReader::new(file), size, limits).map(Some)
}

impl Contents {
    fn sum(&mut self, walked: framing::Walked) {
        self.records += walked.records;
        self.torn |= walked.torn;
        if walked.damaged > 0 {
            self.problems.push(format!("{} places of its file are damaged", walked.damaged));
        }
        if walked.large > 0 {
            let most = Bytes(MOST_RECORD as u64);
            self.problems.push(format!("{} records over {most} were not looked into", walked.large));
        }
    }

    pub(super) fn take(&mut self, record: &[u8]) {
        for (number, value) in fields(record) {
            let message = value.bytes();
            match number {
                2 => self.history(message),
                5 => self.config(message),
                17 => self.run(message),
                18 => self.exit = Some(exit(message)),
                26 => self.environment(message),
                _ => {}
            }
        }
    }

    /// `RunRecord`. It comes again when the run is changed, with fewer fields.
    fn run(&mut self, message: &[u8]) {
        for (number, value) in fields(message) {
            match number {
                1 => set(&mut self.id, value.text()),
                2 => set(&mut self.entity, value.text()),
                3 => set(&mut self.project, value.text()),
                4 => self.config(value.bytes()),
                6 => set(&mut self.group, value.text()),
                8 => set(&mut self.name, value.text()),
                12 => set(&mut self.sweep, value.text()),
                13 => set(&mut self.host, value.text()),
                17 => set(&mut self.started, timestamp(value.bytes())),
                21 => set(&mut self.commit, commit(value.bytes())),
                _ => {}
            }
        }
    }

    /// `EnvironmentRecord`, since the client is written in Go. Older clients had another message
    /// under this number, whose fields are no texts of these kinds; and the last
    /// of a run names only its writer.
    fn environment(&mut self, message: &[u8]) {
        let mut slurm = SlurmIds::default();
        for (number, value) in fields(message) {
            match number {
                3 if self.started.is_none() => self.started = timestamp(value.bytes()),
                9 => set(&mut self.commit, commit(value.bytes())),
                12 if self.host.is_none() => self.host = value.text(),
                27 => slurm.take(value.bytes()),
                _ => {}
            }
        }
        if slurm != SlurmIds::default() {
            self.slurm = Some(slurm);
        }
    }

    /// `ConfigRecord`: items with key, or a path of keys, and a value as JSON.
    fn config(&mut self, message: &[u8]) {
        for (number, value) in fields(message) {
            let Some((name, json)) = item(value.bytes()) else { continue };
            // The client's own part: versions, and what it noticed.
            if name == "_wandb" || name.starts_with("_wandb.") {
                continue;
            }
            // What was there under this name, or below it, is no longer.
            if !self.config.is_empty() {
                let below = format!("{name}.");
                self.config.retain(|old, _| *old != name && !old.starts_with(&below));
            }
            if number == 1 && self.config.len() < MOST_NAMES {
                let value = serde_json::from_slice(json)
                    .unwrap_or_else(|_| Value::String(clip(&String::from_utf8_lossy(json), 400)));
                flatten(&name, value, &mut self.config);
            }
        }
    }

    /// `HistoryRecord`: its own step, or the item `_step`.
    fn history(&mut self, message: &[u8]) {
        let mut step = None;
        for (number, value) in fields(message) {
            match number {
                1 => {
                    if let Some((name, json)) = item(value.bytes())
                        && name == "_step"
                    {
                        step = whole(json).or_else(|| typed(value.bytes())).or(step);
                    }
                }
                // Zero is not written.
                2 => step = step.or(Some(field(value.bytes(), 1).and_then(wire::Value::whole).unwrap_or(0))),
                _ => {}
            }
        }
        let step = step.and_then(|step| u64::try_from(step).ok());
        self.last_step = self.last_step.max(step);
    }
}

impl SlurmIds {
    /// One entry of the map of `SLURM_*`, lower case and without the prefix.
    fn take(&mut self, entry: &[u8]) {
        let text = |number| field(entry, number).and_then(wire::Value::text);
        let (Some(key), Some(value)) = (text(1), text(2)) else { return };
        self.set(&key, &value);
    }

    pub(super) fn set(&mut self, key: &str, value: &str) {
        let number = || value.trim().parse().ok();
        match key.to_ascii_lowercase().trim_start_matches("slurm_") {
            "job_id" | "jobid" => set(&mut self.job, number()),
            "array_job_id" => set(&mut self.array_job, number()),
            "array_task_id" => set(&mut self.array_task, number()),
            "restart_count" => set(&mut self.restarts, number()),
            "job_nodelist" => self.nodes = Some(clip(value, 400)),
            "nodelist" => set(&mut self.nodes, Some(clip(value, 400))),
            _ => {}
        }
    }
}

/// `RunExitRecord`; zero is not written.
fn exit(message: &[u8]) -> RunExit {
    let number = |number| field(message, number).and_then(wire::Value::whole);
    RunExit {
        code: number(1).and_then(|code| i32::try_from(code).ok()).unwrap_or(0),
        runtime: number(2).and_then(|seconds| u64::try_from(seconds).ok()).map(Seconds),
    }
}

/// Key and JSON of a `ConfigItem` or `HistoryItem`.
fn item(message: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    let mut json: &[u8] = &[];
    for (number, value) in fields(message) {
        match number {
            1 | 2 => {
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&clip(&String::from_utf8_lossy(value.bytes()), 200));
                if name.len() > 2_000 {
                    return None;
                }
            }
            16 => json = value.bytes(),
            _ => {}
        }
    }
    (!name.is_empty()).then_some((name, json))
}

fn whole(json: &[u8]) -> Option<i64> {
    let value: Value = serde_json::from_slice(json).ok()?;
    value.as_i64().or_else(|| value.as_f64().map(|value| value as i64))
}

/// The value of a `HistoryItem` that is not written as JSON: field 5 is a whole number whose sign is
/// its lowest bit.
fn typed(message: &[u8]) -> Option<i64> {
    let value = field(message, 5).and_then(wire::Value::whole)?;
    Some((value as u64 >> 1) as i64 ^ -(value & 1))
}

/// The seconds of a `google.protobuf.Timestamp`.
fn timestamp(message: &[u8]) -> Option<Time> {
    field(message, 1).and_then(wire::Value::whole).filter(|seconds| *seconds > 0).and_then(Time::from_unix)
}

/// The commit of a `GitRepoRecord`.
fn commit(message: &[u8]) -> Option<String> {
    field(message, 2).and_then(wire::Value::text)
}

fn set<T>(slot: &mut Option<T>, value: Option<T>) {
    if value.is_some() {
        *slot = value;
    }
}
