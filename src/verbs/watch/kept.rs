//! What a watch keeps between its runs: one file for each sweep.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sweep::memory::{Change, Memory};
use crate::sys::{FileError, World, read_regular};
use crate::terms::{Digest, Time};

/// What is kept of one sweep.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Kept {
    schema: String,
    /// What was known at the last look.
    pub memory: Memory,
    /// When it was first looked at.
    pub first: Time,
    /// How often it was looked at.
    pub looks: u64,
    /// What changed, oldest first: the last of them.
    pub transitions: Vec<Transition>,
}

/// One change, with its moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Transition {
    /// When it was seen.
    pub at: Time,
    /// What changed.
    pub change: Change,
}

const SCHEMA: &str = "handover/watch-state/1";
/// So many transitions of a sweep are kept.
const MOST_TRANSITIONS: usize = 500;
/// No file is larger, in bytes.
const MOST: usize = 64 << 20;
/// So many sweeps are read at once.
const MOST_SWEEPS: usize = 1000;

impl Kept {
    /// What is kept of a sweep that is seen for the first time.
    pub(super) fn new(memory: Memory) -> Kept {
        Kept { schema: SCHEMA.to_owned(), first: memory.at, memory, looks: 0, transitions: Vec::new() }
    }

    /// Takes in a further look.
    pub(super) fn add(&mut self, memory: Memory, changes: &[Change]) {
        let at = memory.at;
        self.memory = memory;
        self.looks += 1;
        self.transitions.extend(changes.iter().cloned().map(|change| Transition { at, change }));
        let over = self.transitions.len().saturating_sub(MOST_TRANSITIONS);
        self.transitions.drain(..over);
    }

    /// Writes it in place of what was kept before.
    pub(super) fn write(&self, world: &World, home: &Path) -> Result<(), FileError> {
        let folder = folder(home);
        world.files.ensure_dir(&folder)?;
        let path = folder.join(name(&self.memory.look.key));
        let bytes = serde_json::to_vec(self).map_err(|e| FileError::new("write", &path, e.into()))?;
        world.files.write_cache(&path, &bytes)
    }
}

/// What is kept of the sweep with this key; `None` if nothing is, or nothing
/// that this program can read.
pub fn read(home: &Path, key: &str) -> Option<Kept> {
    read_file(&folder(home).join(name(key))).filter(|kept| kept.memory.look.key == key)
}

/// Everything that is kept, the last looked at first.
pub(super) fn read_all(home: &Path) -> Vec<Kept> {
    let entries = std::fs::read_dir(folder(home)).into_iter().flatten();
    let paths = entries.filter_map(|entry| Some(entry.ok()?.path())).take(MOST_SWEEPS);
    let mut all: Vec<Kept> = paths.filter_map(|path| read_file(&path)).collect();
    all.sort_by_key(|kept| std::cmp::Reverse(kept.memory.at));
    all
}

fn read_file(path: &Path) -> Option<Kept> {
    path.extension().filter(|extension| *extension == "json")?;
    let bytes = read_regular(path, MOST).ok().flatten()?;
    let kept: Kept = serde_json::from_slice(&bytes).ok()?;
    (kept.schema == SCHEMA).then_some(kept)
}

fn folder(home: &Path) -> PathBuf {
    home.join("watch")
}

/// A name of a file for a key, which may be any text.
fn name(key: &str) -> String {
    if !key.is_empty() && key.len() < 20 && key.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("{key}.json");
    }
    let digest = Digest::of(key.as_bytes()).to_string();
    let digits: String = digest.chars().filter(char::is_ascii_hexdigit).take(32).collect();
    format!("name-{digits}.json")
}
