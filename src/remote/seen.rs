//! When another machine was last seen, kept in the git directory that all worktrees share.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sys::{FileError, World, read_regular};
use crate::terms::Time;

use super::Target;

/// What is remembered of a machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Whom it was reached as.
    pub address: String,
    /// When it last answered.
    pub at: Time,
}

/// The largest file of ours that is read, in bytes.
const MOST: usize = 4096;

/// When the machine last answered; `None` if nothing is remembered.
pub fn last_seen(home: &Path, target: &Target) -> Option<Seen> {
    let bytes = read_regular(&file(home, target), MOST).ok()??;
    // A profile that leads elsewhere by now is another machine.
    serde_json::from_slice::<Seen>(&bytes).ok().filter(|seen| seen.address == target.address())
}

/// Remembers that the machine answered.
///
/// # Errors
/// The file cannot be written; nothing is lost but the memory.
pub fn remember(world: &World, home: &Path, target: &Target, at: Time) -> Result<(), FileError> {
    let path = file(home, target);
    world.files.ensure_dir(&folder(home))?;
    let text = serde_json::to_vec(&Seen { address: target.address(), at })
        .map_err(|e| FileError::new("write", &path, e.into()))?;
    world.files.write_cache(&path, &text)
}

fn folder(home: &Path) -> PathBuf {
    home.join("remote")
}

fn file(home: &Path, target: &Target) -> PathBuf {
    // Names of profiles are the user's own words.
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = target.name.chars().map(plain).take(60).collect();
    let tag = crate::terms::Digest::of(target.name.as_bytes()).to_string();
    folder(home).join(format!("{name}-{}.json", tag.get(..8).unwrap_or_default()))
}
