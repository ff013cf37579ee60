//! Writes W&B run folders as the client does, in both layouts of its releases.
//!
//! Needs nothing of `handover`, so that the unit tests of `tracker` can use the same file.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// The size of a block of the record log, and the head of a chunk.
const BLOCK: usize = 32 * 1024;
const HEAD: usize = 7;

/// Which files a run folder has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// Everything in `run-<id>.wandb` (the client in Go).
    Current,
    /// With `wandb-metadata.json`, `config.yaml` and `wandb-summary.json` beside it, and nothing of Slurm in
    /// the records (0.16 and before).
    Older,
}

/// A run, to be written below a folder.
#[derive(Debug, Clone)]
pub struct Wandb {
    pub id: String,
    pub layout: Layout,
    pub offline: bool,
    /// Seconds since 1970; also in the folder's name.
    pub started: i64,
    /// What the files' times are set to; the time of writing if `None`.
    pub written: Option<i64>,
    pub host: String,
    pub entity: String,
    pub project: String,
    pub name: String,
    pub sweep: String,
    /// Keys without `SLURM_`, lower case: `("job_id", "4321")`.
    pub slurm: Vec<(String, String)>,
    /// Names and JSON values.
    pub config: Vec<(String, String)>,
    /// The steps that it logged.
    pub steps: u64,
    /// The code of the exit record; a killed run has none.
    pub exit: Option<i32>,
    /// Bytes that are missing at the end of the file.
    pub cut: usize,
}

impl Wandb {
    /// A current, offline run of `lab/tiny` on `node7` that logged three steps and has not ended.
    pub fn new(id: &str, started: i64) -> Wandb {
        Wandb {
            id: id.to_owned(),
            layout: Layout::Current,
            offline: true,
            started,
            written: None,
            host: "node7".to_owned(),
            entity: "lab".to_owned(),
            project: "tiny".to_owned(),
            name: String::new(),
            sweep: String::new(),
            slurm: Vec::new(),
            config: Vec::new(),
            steps: 3,
            exit: None,
            cut: 0,
        }
    }

    /// With the ids of an array task; `job` is its raw id.
    pub fn of_task(mut self, array: u32, task: u32, job: u32) -> Wandb {
        let ids = [("array_job_id", array), ("array_task_id", task), ("job_id", job)];
        self.slurm.extend(ids.map(|(key, id)| (key.to_owned(), id.to_string())));
        self
    }

    /// Writes `wandb/<run folder>` below `home`, and answers with the run folder.
    pub fn write(&self, home: &Path) -> PathBuf {
        let stamp = chrono::DateTime::from_timestamp(self.started, 0).unwrap().format("%Y%m%d_%H%M%S");
        let prefix = if self.offline { "offline-run" } else { "run" };
        let dir = home.join("wandb").join(format!("{prefix}-{stamp}-{}", self.id));
        fs::create_dir_all(dir.join("files")).unwrap();
        let mut bytes = self.bytes();
        bytes.truncate(bytes.len().saturating_sub(self.cut));
        let mut files = vec![(format!("run-{}.wandb", self.id), bytes)];
        if self.layout == Layout::Older {
            let metadata = format!(
                "{{\n    \"os\": \"Linux\",\n    \"heartbeatAt\": \"{0}\",\n    \"startedAt\": \"{0}\",\n    \
                 \"state\": \"running\",\n    \"host\": \"{1}\",\n    \"program\": \"train.py\"\n}}",
                chrono::DateTime::from_timestamp(self.started, 0).unwrap().format("%Y-%m-%dT%H:%M:%S%.6f"),
                self.host
            );
            let config =
                self.config.iter().map(|(name, json)| format!("{name}:\n  desc: null\n  value: {json}\n"));
            let config = format!("wandb_version: 1\n\n{}", config.collect::<String>());
            files.push(("files/wandb-metadata.json".to_owned(), metadata.into_bytes()));
            files.push(("files/config.yaml".to_owned(), config.into_bytes()));
            let summary = format!("{{\"_step\": {}}}", self.steps.saturating_sub(1));
            files.push(("files/wandb-summary.json".to_owned(), summary.into_bytes()));
        }
        files.push(("files/output.log".to_owned(), b"start\n".to_vec()));
        for (name, bytes) in files {
            let path = dir.join(name);
            fs::write(&path, bytes).unwrap();
            if let Some(written) = self.written {
                set_modified(&path, written);
            }
        }
        dir
    }

    /// The whole file of records.
    pub fn bytes(&self) -> Vec<u8> {
        record_file(&self.records())
    }

    fn records(&self) -> Vec<Vec<u8>> {
        let config = self.config.iter().flat_map(|(name, json)| {
            bytes_field(1, &[bytes_field(1, name.as_bytes()), bytes_field(16, json.as_bytes())].concat())
        });
        let config: Vec<u8> = config.collect();
        let texts =
            [(1, &self.id), (2, &self.entity), (3, &self.project), (8, &self.name), (12, &self.sweep)];
        let mut run: Vec<u8> = texts
            .into_iter()
            .filter(|(_, text)| !text.is_empty())
            .flat_map(|(number, text)| bytes_field(number, text.as_bytes()))
            .collect();
        run.extend(bytes_field(13, self.host.as_bytes()));
        run.extend(bytes_field(17, &number_field(1, self.started as u64)));
        if self.layout == Layout::Current {
            run.extend(bytes_field(4, &config));
        }
        let mut records = vec![bytes_field(21, &[]), bytes_field(17, &run)];
        if self.layout == Layout::Current {
            let slurm = self.slurm.iter().flat_map(|(key, value)| {
                bytes_field(27, &[bytes_field(1, key.as_bytes()), bytes_field(2, value.as_bytes())].concat())
            });
            let environment = [bytes_field(12, self.host.as_bytes()), slurm.collect()].concat();
            records.push(bytes_field(26, &environment));
        }
        for step in 0..self.steps {
            let item = |name: &str, json: String| {
                bytes_field(1, &[bytes_field(2, name.as_bytes()), bytes_field(16, json.as_bytes())].concat())
            };
            let loss = item("loss", format!("{}", 1.0 / (step + 1) as f64));
            records.push(bytes_field(2, &[loss, item("_step", step.to_string())].concat()));
        }
        if let Some(code) = self.exit {
            let code = if code == 0 { Vec::new() } else { number_field(1, i64::from(code) as u64) };
            records.push(bytes_field(18, &code));
        }
        records
    }
}

/// Writes what a sweep's agent writes for a run: `wandb/sweep-<sweep>/config-<run>.yaml`.
pub fn sweep_config(home: &Path, sweep: &str, run: &str, values: &[(&str, &str)]) {
    let dir = home.join("wandb").join(format!("sweep-{sweep}"));
    fs::create_dir_all(&dir).unwrap();
    let values: String = values.iter().map(|(name, yaml)| format!("{name}:\n  value: {yaml}\n")).collect();
    fs::write(dir.join(format!("config-{run}.yaml")), format!("wandb_version: 1\n\n{values}")).unwrap();
}

/// Sets when a file was last written, in seconds since 1970.
pub fn set_modified(path: &Path, time: i64) {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(time).unwrap());
    fs::File::options().append(true).open(path).unwrap().set_modified(time).unwrap();
}

/// Header and records in the framing of the file: each in one chunk, or cut at the ends of blocks.
pub fn record_file(records: &[Vec<u8>]) -> Vec<u8> {
    let mut file = b":W&B\xe1\xbe\x00".to_vec();
    for record in records {
        let mut rest = record.as_slice();
        let mut is_first = true;
        loop {
            let left = BLOCK - file.len() % BLOCK;
            if left < HEAD {
                file.resize(file.len() + left, 0);
                continue;
            }
            let (data, after) = rest.split_at(rest.len().min(left - HEAD));
            let kind = match (is_first, after.is_empty()) {
                (true, true) => 1,
                (true, false) => 2,
                (false, false) => 3,
                (false, true) => 4,
            };
            file.extend(crc32(kind, data).to_le_bytes());
            file.extend((data.len() as u16).to_le_bytes());
            file.push(kind);
            file.extend(data);
            (rest, is_first) = (after, false);
            if rest.is_empty() {
                break;
            }
        }
    }
    file
}

/// A field of text, bytes, or a message.
pub fn bytes_field(number: u64, bytes: &[u8]) -> Vec<u8> {
    [varint(number << 3 | 2), varint(bytes.len() as u64), bytes.to_vec()].concat()
}

/// A field of a whole number.
pub fn number_field(number: u64, value: u64) -> Vec<u8> {
    [varint(number << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// Bit by bit, so that the reader's table is checked against something else.
fn crc32(first: u8, data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0xedb8_8320 } else { crc >> 1 },
        )
    };
    !data.iter().fold(step(!0, &first), step)
}

/// A TensorBoard event file: its version, then an event for each wall time and step.
pub fn events(events: impl IntoIterator<Item = (f64, u64)>) -> Vec<u8> {
    let wall = |time: f64| [vec![1 << 3 | 1], time.to_bits().to_le_bytes().to_vec()].concat();
    let mut events = events.into_iter().peekable();
    let begun = events.peek().map_or(0.0, |(time, _)| *time);
    let version = [wall(begun), bytes_field(3, b"brain.Event:2")].concat();
    let mut records = vec![version];
    records.extend(events.map(|(time, step)| {
        // Summary { value { tag, simple_value } }.
        let value =
            [bytes_field(1, b"loss"), vec![2 << 3 | 5], 0.5f32.to_bits().to_le_bytes().to_vec()].concat();
        [wall(time), number_field(2, step), bytes_field(5, &bytes_field(1, &value))].concat()
    }));
    let mut file = Vec::new();
    for record in records {
        let length = (record.len() as u64).to_le_bytes();
        file.extend(length);
        file.extend(masked_crc32c(&length).to_le_bytes());
        file.extend(&record);
        file.extend(masked_crc32c(&record).to_le_bytes());
    }
    file
}

/// Bit by bit, as [`crc32`].
fn masked_crc32c(data: &[u8]) -> u32 {
    let step = |crc: u32, byte: &u8| {
        (0..8).fold(
            crc ^ u32::from(*byte),
            |crc, _| if crc & 1 == 1 { (crc >> 1) ^ 0x82f6_3b78 } else { crc >> 1 },
        )
    };
    (!data.iter().fold(!0, step)).rotate_right(15).wrapping_add(0xa282_ead8)
}
