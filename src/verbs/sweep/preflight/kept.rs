//! The preflights that are remembered.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Outcome;
use crate::sys::lock;
use crate::sys::{FileError, nonce, read_regular};
use crate::terms::{Digest, Seconds, Time};
use crate::verbs::{Context, Error};

/// So many preflights are remembered.
const MOST: usize = 200;
/// The largest file of them, in bytes.
const LARGEST: usize = 16 << 20;
/// So long it waits for another one that writes them.
const PATIENCE: Seconds = Seconds(30);

/// What is remembered of a preflight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it was made.
    pub at: Time,
    /// What Slurm calls the jobs of that script; `None` in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Where the script is, without links; `None` in records of old, and where the
    /// path is no text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// What stood in the script; `None` in records of old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// What it found.
    pub outcome: Outcome,
}

impl Record {
    /// True for jobs of this name.
    pub fn is_of(&self, jobs: &str) -> bool {
        let script = Path::new(&self.outcome.script).file_name();
        self.name.as_deref().or_else(|| script?.to_str()).is_some_and(|name| name == jobs)
    }
}

/// The preflights that are remembered, newest last; none if there was none yet.
///
/// # Errors
/// They cannot be read.
pub fn read(home: &Path) -> Result<Vec<Record>, FileError> {
    let path = file(home);
    let failed = |e| FileError::new("read the recorded preflights", &path, e);
    let damaged = |why: String| failed(io::Error::new(io::ErrorKind::InvalidData, why));
    match read_regular(&path, LARGEST) {
        Ok(Some(bytes)) => records_in(&bytes).map_err(damaged),
        Ok(None) => Err(damaged("it is no regular file, or too large".to_owned())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(failed(e)),
    }
}

/// The preflights in such a file.
///
/// # Errors
/// In words: it is damaged.
pub fn records_in(bytes: &[u8]) -> Result<Vec<Record>, String> {
    serde_json::from_slice(bytes).map_err(|e| e.to_string())
}

/// Adds one. What cannot be read is kept beside it.
pub(super) fn add(context: &Context, record: Record) -> Result<PathBuf, Error> {
    let home = context.home();
    let path = file(&home);
    let files = &context.world.files;
    if let Some(dir) = path.parent() {
        files.ensure_dir(dir)?;
    }
    let _lock = lock::acquire(context.world, &home, "record a preflight", PATIENCE, &mut |_| {})?;
    let mut all = match read(&home) {
        Ok(all) => all,
        Err(_) => {
            let mark = nonce::<4>().map_err(|e| FileError::new("read", Path::new("/dev/urandom"), e))?;
            files.rename_new(&path, &path.with_extension(format!("damaged-{mark}.json")))?;
            Vec::new()
        }
    };
    all.push(record);
    let old = all.len().saturating_sub(MOST);
    all.drain(..old);
    let bytes = serde_json::to_vec_pretty(&all)
        .map_err(|e| FileError::new("write the recorded preflights", &path, io::Error::other(e)))?;
    // What a run printed may hold anything, and is kept as it was: for the user alone.
    files.write_copy(&path, &bytes, 0o600)?;
    Ok(path)
}

fn file(home: &Path) -> PathBuf {
    home.join("sweeps/preflight.json")
}
