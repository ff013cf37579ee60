//! What the last sync of a worktree left for somebody to see: files that stayed behind, commits that
//! are parked, notes that nobody has read.
//!
//! One small file per worktree beside the journal. It may be deleted at any time; the next sync
//! writes it anew, and removes it when there is nothing left to say.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Error;
use super::guard::Refused;
use super::notes::Note;
use crate::sys::{World, read_regular};
use crate::terms::{Digest, Time};

/// The largest file of this kind that is read, in bytes.
const MOST: usize = 1 << 20;
/// So many files are named.
const NAMED: usize = 50;
/// So many notes wait.
const WAITING: usize = 50;

/// What is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Last {
    /// When that sync was.
    pub at: Time,
    /// The branch that it carried.
    pub branch: String,
    /// The branch at the remote that holds what did not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parked: Option<String>,
    /// How many files were kept back.
    #[serde(default)]
    pub kept_back: usize,
    /// The first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<KeptBack>,
    /// Notes that came in while nobody looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<Note>,
}

/// A file that was kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct KeptBack {
    /// Relative to the top of the worktree.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Why, in words.
    pub why: String,
}

impl Last {
    /// What a sync leaves.
    pub fn new(at: Time, branch: &str, parked: Option<&str>, refused: &[Refused], notes: Vec<Note>) -> Last {
        let file = |one: &Refused| KeptBack { path: one.path.clone(), why: one.why.to_string() };
        Last {
            at,
            branch: branch.to_owned(),
            parked: parked.map(str::to_owned),
            kept_back: refused.len(),
            files: refused.iter().take(NAMED).map(file).collect(),
            notes: notes.into_iter().take(WAITING).collect(),
        }
    }

    fn says_nothing(&self) -> bool {
        self.parked.is_none() && self.kept_back == 0 && self.notes.is_empty()
    }
}

fn path(home: &Path, worktree: &Path) -> PathBuf {
    let name = Digest::of(worktree.as_os_str().as_encoded_bytes()).to_string();
    home.join("sync").join(format!("last-{}.json", &name[..16]))
}

/// What the last sync of a worktree left; nothing if there was none, or the file makes no sense.
pub fn read(home: &Path, worktree: &Path) -> Option<Last> {
    let bytes = read_regular(&path(home, worktree), MOST).ok()??;
    serde_json::from_slice(&bytes).ok()
}

/// Keeps what a sync leaves, or takes away what an earlier one left.
///
/// # Errors
/// The file cannot be written, or not removed.
pub fn keep(world: &World, home: &Path, worktree: &Path, last: &Last) -> Result<(), Error> {
    let path = path(home, worktree);
    if last.says_nothing() {
        if path.symlink_metadata().is_ok() {
            world.files.remove_file(&path)?;
        }
        return Ok(());
    }
    let text = serde_json::to_vec(last)
        .map_err(|e| crate::sys::FileError::new("write", &path, std::io::Error::other(e)))?;
    world.files.write_cache(&path, &text)?;
    Ok(())
}
