//! TensorBoard event files: `events.out.tfevents.<unix time>.<host>.<pid>.<n>`.
//!
//! TensorFlow's record format: length (8 bytes, little-endian), masked CRC-32C of the
//! length, data, masked CRC-32C of the data. The data is an `Event` of
//! `tensorflow/core/util/event.proto`: field 1 wall time, field 2 step. The checksum of the length lets
//! a reader find records from anywhere, so of a large file both ends are read.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Limits;
use super::crc32c::masked_crc32c;
use super::disk::{Step, modified, plain, walk};
use super::wire::{Value, fields};
use crate::terms::{Bytes, Time, Unread};

/// Length and its checksum.
const HEAD: usize = 12;
/// The checksum of the data.
const FOOT: usize = 4;

/// What one event file says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Events {
    /// The file.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// The host, from its name.
    pub host: Option<String>,
    /// When it was begun, from its name.
    pub started: Option<Time>,
    /// When the last event that was read was made, by the clock of its host.
    pub last_wall_time: Option<Time>,
    /// The highest step of an event that was read.
    pub last_step: Option<u64>,
    /// When the file was last written; what was made since the last flush is in neither.
    pub modified: Option<Time>,
    /// True if the end of the last record is missing: it was killed, or is being written.
    pub torn: bool,
    /// True if something before the end makes no sense.
    pub damaged: bool,
    /// Bytes in the middle of a large file that were not read.
    pub unread: Bytes,
}

/// The event files below a folder.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EventFiles {
    /// The files, by path.
    pub files: Vec<Events>,
    /// What was not read, and why.
    pub unread: Vec<Unread>,
}

/// Every TensorBoard event file below a folder.
pub fn events(dir: &Path, limits: &Limits) -> EventFiles {
    let mut found = EventFiles::default();
    let mut left_out = 0u64;
    let seen = walk(dir, limits, |entry| {
        let name = entry.path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if entry.is_dir || !name.contains("tfevents.") {
            return Step::Into;
        }
        if found.files.len() >= limits.results {
            left_out += 1;
            return Step::Into;
        }
        match file(&entry.path, limits) {
            Ok(events) => found.files.push(events),
            Err(why) => found.unread.push(Unread::new(&entry.path, why)),
        }
        Step::Into
    });
    found.unread.extend(seen);
    if left_out > 0 {
        let why = format!("{left_out} more event files: only {} are read", limits.results);
        found.unread.push(Unread::new(dir, why));
    }
    found.files.sort_by(|a, b| a.path.cmp(&b.path));
    found.unread.sort();
    found
}

/// Reads the bytes of an event file.
pub fn read_bytes(bytes: &[u8]) -> Events {
    let mut events = Events::default();
    events.take(bytes);
    events
}

fn file(path: &Path, limits: &Limits) -> Result<Events, String> {
    let said = |e: io::Error| plain(&e);
    let mut file = crate::sys::open_regular(path).map_err(said)?.ok_or("it is no regular file")?;
    let metadata = file.metadata().map_err(said)?;
    let size = metadata.len();
    let mut events = Events { path: path.to_owned(), modified: modified(&metadata), ..Events::default() };
    if let Some(name) = path.file_name().and_then(|name| name.to_str()) {
        (events.started, events.host) = of_name(name);
    }
    if size <= limits.whole {
        events.take(&part(&mut file, 0, limits.whole).map_err(said)?);
        return Ok(events);
    }
    let edge = limits.edge.min(size);
    events.take(&part(&mut file, 0, edge).map_err(said)?);
    // Where the head was cut is no tear.
    let is_damaged = events.damaged;
    let tail = part(&mut file, size - edge, edge).map_err(said)?;
    let begin = next_record(&tail, 0, &mut work_for(&tail)).unwrap_or(tail.len());
    events.take(&tail[begin..]);
    events.damaged |= is_damaged;
    events.unread = Bytes((size - edge).saturating_sub(edge) + begin as u64);
    Ok(events)
}

fn part(file: &mut File, from: u64, most: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Events {
    /// Takes records up to the end; from a place that makes no sense on, looks for the next one that does.
    fn take(&mut self, bytes: &[u8]) {
        let mut at = 0;
        let mut work = work_for(bytes);
        (self.torn, self.damaged) = (false, false);
        while at < bytes.len() {
            match record(&bytes[at..]) {
                Some((data, length)) => {
                    self.event(data);
                    at += length;
                }
                None => match next_record(bytes, at + 1, &mut work) {
                    Some(next) => {
                        self.damaged = true;
                        at = next;
                    }
                    None => {
                        self.torn = true;
                        return;
                    }
                },
            }
        }
    }

    fn event(&mut self, data: &[u8]) {
        for (number, value) in fields(data) {
            match (number, value) {
                (1, Value::Eight(bits)) => {
                    let seconds = f64::from_bits(bits);
                    // Rust's cast is saturating, and NaN is 0.
                    let time = Time::from_unix(seconds as i64).filter(|_| seconds >= 1.0);
                    self.last_wall_time = time.or(self.last_wall_time);
                }
                (2, Value::Number(step)) => {
                    let step = i64::try_from(step).ok().and_then(|step| u64::try_from(step).ok());
                    self.last_step = self.last_step.max(step);
                }
                _ => {}
            }
        }
    }
}

/// What looking for records in these bytes may cost.
fn work_for(bytes: &[u8]) -> usize {
    bytes.len().saturating_mul(4)
}

/// The record at the beginning: its data and its whole length.
fn record(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let length = length(bytes)?;
    let end = length.checked_add(HEAD)?;
    let data = bytes.get(HEAD..end)?;
    let foot = bytes.get(end..)?.first_chunk::<FOOT>()?;
    (masked_crc32c(data) == u32::from_le_bytes(*foot)).then_some((data, end + FOOT))
}

/// The length that a record begins with, if its checksum is right.
fn length(bytes: &[u8]) -> Option<usize> {
    let (length, rest) = bytes.split_first_chunk::<8>()?;
    let is_sound = masked_crc32c(length) == u32::from_le_bytes(*rest.first_chunk::<4>()?);
    is_sound.then(|| usize::try_from(u64::from_le_bytes(*length)).ok())?
}

/// The next place at which a whole record begins. Each place that looks like one costs the
/// check of its data, which `work`, in bytes, pays for: a made-up file must not cost its length squared.
fn next_record(bytes: &[u8], from: usize, work: &mut usize) -> Option<usize> {
    for at in from..bytes.len().saturating_sub(HEAD - 1) {
        let rest = &bytes[at..];
        if let Some(length) = length(rest) {
            *work = work.checked_sub(length.min(rest.len()))?;
            if record(rest).is_some() {
                return Some(at);
            }
        }
    }
    None
}

/// Time and host of a file's name. Older ones have no pid; hosts have dots.
fn of_name(name: &str) -> (Option<Time>, Option<String>) {
    let Some((_, rest)) = name.split_once("tfevents.") else { return (None, None) };
    let (time, rest) = rest.split_once('.').unwrap_or((rest, ""));
    let time = time.parse().ok().and_then(Time::from_unix);
    let mut host: Vec<&str> = rest.split('.').collect();
    // Pid and number; a suffix such as `v2` stands behind them.
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_suffix = |part: &&str| part.strip_prefix('v').is_some_and(|rest| is_number(&rest));
    for _ in 0..3 {
        if host.len() > 1 && host.last().is_some_and(|part| is_number(part) || is_suffix(part)) {
            host.pop();
        }
    }
    let host = host.join(".");
    (time, (!host.is_empty()).then_some(host))
}

#[cfg(test)]
mod tests {
    use super::super::writer;
    use super::*;
    use proptest::prelude::*;

    /// 2026-11-21T03:41:00Z.
    const STARTED: i64 = 1_795_232_460;

    fn file_of(steps: u64) -> Vec<u8> {
        writer::events((0..steps).map(|step| (STARTED as f64 + step as f64 + 0.5, step)))
    }

    #[test]
    fn the_last_event_and_the_highest_step_are_read() {
        let read = read_bytes(&file_of(300));
        assert_eq!(read.last_wall_time, Time::from_unix(STARTED + 299));
        assert_eq!((read.last_step, read.torn, read.damaged), (Some(299), false, false));
        assert_eq!(read_bytes(b""), Events::default());
    }

    #[test]
    fn a_recorded_file_is_read() {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tensorboard");
        let read = events(&dir, &Limits::default());
        assert_eq!(read.unread, []);
        let [file] = read.files.try_into().unwrap();
        assert_eq!(file.host.as_deref(), Some("node7"));
        assert_eq!((file.last_step, file.torn, file.damaged), (Some(40), false, false));
        let (started, last) = (file.started.unwrap(), file.last_wall_time.unwrap());
        assert!((0..60).contains(&(last.unix() - started.unix())), "{started} {last}");
    }

    #[test]
    fn a_torn_tail_is_torn_and_a_damaged_middle_is_damaged() {
        let whole = file_of(50);
        let torn = read_bytes(&whole[..whole.len() - 3]);
        assert_eq!((torn.torn, torn.damaged, torn.last_step), (true, false, Some(48)));
        let mut damaged = whole.clone();
        damaged[200] ^= 4;
        let damaged = read_bytes(&damaged);
        assert_eq!((damaged.torn, damaged.damaged, damaged.last_step), (false, true, Some(49)));
        let nul = [whole.as_slice(), &[0; 4096]].concat();
        assert!(read_bytes(&nul).torn, "what the disk never got");
    }

    #[test]
    fn of_a_large_file_both_ends_are_read_and_the_rest_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(format!("events.out.tfevents.{STARTED}.n.example.7.0"));
        std::fs::write(&path, file_of(20_000)).unwrap();
        let limits = Limits { whole: 100_000, edge: 5_000, ..Limits::default() };
        let read = events(dir.path(), &limits);
        assert_eq!((read.files[0].last_step, read.files[0].torn), (Some(19_999), false));
        assert!(read.files[0].unread > Bytes(100_000), "{:?}", read.files[0]);
    }

    #[test]
    fn names_are_taken_apart() {
        for (name, host) in [
            ("events.out.tfevents.1795232460.node7.4242.0", Some("node7")),
            ("events.out.tfevents.1795232460.gpu3.cluster.example.4242.0.v2", Some("gpu3.cluster.example")),
            ("events.out.tfevents.1795232460.node7", Some("node7")),
            ("events.out.tfevents.1795232460", None),
        ] {
            assert_eq!(of_name(name), (Time::from_unix(STARTED), host.map(str::to_owned)), "{name}");
        }
        assert_eq!(of_name("events.out.tfevents.x"), (None, None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            at in 0usize..2_000,
        ) {
            let mut file = file_of(30);
            let at = at.min(file.len());
            file.splice(at..at, bytes.clone());
            let _ = (read_bytes(&file), read_bytes(&bytes));
        }
    }
}
