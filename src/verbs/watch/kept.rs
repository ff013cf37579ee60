//! What a watch keeps between its runs: one file for each sweep.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::cluster::State;
use crate::sweep::memory::{Change, Memory};
use crate::sweep::{Decision, Health};
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
    /// When it was looked at and how it stood, oldest first: the last of them.
    /// Looks that saw the same are one period.
    #[serde(default)]
    pub periods: Vec<Period>,
}

/// Looks, one after the other, that saw the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Period {
    /// The first of them.
    pub from: Time,
    /// The last of them.
    pub to: Time,
    /// How many there were.
    pub looks: u64,
    /// True if the cluster gave no answer; then nothing else is known of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unanswered: bool,
    /// The tasks by state.
    pub states: BTreeMap<State, usize>,
    /// How the sweep did, if it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health: Option<Health>,
    /// What was to be done, if it was judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
}

impl Period {
    fn of(memory: &Memory) -> Period {
        let mut states = BTreeMap::new();
        for (outcome, tasks) in &memory.look.tasks {
            *states.entry(outcome.state).or_default() += tasks.len();
        }
        Period {
            from: memory.at,
            to: memory.at,
            looks: 1,
            unanswered: false,
            states,
            health: memory.health(),
            decision: memory.decision(),
        }
    }

    fn without_answer(at: Time) -> Period {
        let nothing = BTreeMap::new();
        Period { from: at, to: at, looks: 1, unanswered: true, states: nothing, health: None, decision: None }
    }

    fn saw_the_same(&self, other: &Period) -> bool {
        self.unanswered == other.unanswered
            && self.states == other.states
            && (self.health, self.decision) == (other.health, other.decision)
    }
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
/// And so many periods.
const MOST_PERIODS: usize = 500;
/// No file is larger, in bytes.
const MOST: usize = 64 << 20;
/// So many sweeps are read at once.
const MOST_SWEEPS: usize = 1000;

impl Kept {
    /// What is kept of a sweep that is seen for the first time.
    pub(super) fn new(memory: Memory) -> Kept {
        Kept {
            schema: SCHEMA.to_owned(),
            first: memory.at,
            memory,
            looks: 0,
            transitions: Vec::new(),
            periods: Vec::new(),
        }
    }

    /// Notes that a look had no answer.
    pub(super) fn add_silence(&mut self, at: Time) {
        self.add_period(Period::without_answer(at));
    }

    fn add_period(&mut self, period: Period) {
        match self.periods.last_mut() {
            Some(last) if last.saw_the_same(&period) => {
                last.to = period.to;
                last.looks = last.looks.saturating_add(1);
            }
            _ => self.periods.push(period),
        }
        let over = self.periods.len().saturating_sub(MOST_PERIODS);
        self.periods.drain(..over);
    }

    /// Takes in a further look.
    pub(super) fn add(&mut self, memory: Memory, changes: &[Change]) {
        let at = memory.at;
        self.add_period(Period::of(&memory));
        self.memory = memory;
        self.looks = self.looks.saturating_add(1);
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

/// Moves a file of this sweep that cannot be read out of the way: it may be of
/// a newer release, and nothing is overwritten. The path that it has then.
pub(super) fn put_aside(world: &World, home: &Path, key: &str) -> Option<PathBuf> {
    let path = folder(home).join(name(key));
    path.symlink_metadata().ok()?;
    (1..100).find_map(|number| {
        let aside = path.with_extension(format!("aside-{number}"));
        world.files.rename_new(&path, &aside).ok().map(|()| aside)
    })
}

/// Where what was read of this sweep's tasks lies.
pub(super) fn readings(home: &Path, key: &str) -> PathBuf {
    folder(home).join("readings").join(name(key))
}

fn read_file(path: &Path) -> Option<Kept> {
    path.extension().filter(|extension| *extension == "json")?;
    read_bytes(&read_regular(path, MOST).ok().flatten()?)
}

/// Reads what is kept of one sweep; `None` if it is damaged, or of a form that
/// this program does not know.
pub fn read_bytes(bytes: &[u8]) -> Option<Kept> {
    let kept: Kept = serde_json::from_slice(bytes).ok()?;
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
