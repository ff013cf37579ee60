//! What is known here of a baton at its remote.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::BatonError;
use super::claim::Claim;
use super::value::Value;
use crate::sys::{FileError, World, read_regular};
use crate::terms::{AnyKey, CommitId, Time};

/// The form of a record.
const SCHEMA: &str = "handover-baton-record/1";
/// The largest record that is read, in bytes.
const MOST: usize = 256 << 10;

/// What became of a claim of this clone at a remote, as far as this clone knows.
///
/// It stands beside the claims of its baton. The truth is at the remote, so a record that is lost
/// is made again by the next look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    schema: String,
    /// The remote's name.
    pub remote: String,
    /// The claim that it is about: its nonce.
    pub nonce: String,
    /// How it stands.
    pub state: State,
}

/// What this clone put at the remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct There {
    /// The object.
    pub id: CommitId,
    /// What it says.
    pub value: Value,
}

/// How a claim of this clone stands at the remote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum State {
    /// The remote was not heard: it is held here alone.
    Unconfirmed {
        /// Since when.
        since: Time,
        /// Why, in words.
        why: String,
        /// What this clone put there for a claim before it, which may be there still.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        over: Option<Box<There>>,
    },
    /// The remote has it.
    Confirmed {
        /// What we put there.
        there: Box<There>,
        /// When it was last heard.
        at: Time,
    },
    /// Another has it there.
    Lost {
        /// Whose it is.
        to: Box<Claim>,
        /// When that was found.
        at: Time,
    },
    /// It has ended here, and the remote has not heard of it yet.
    Ending {
        /// What we put there.
        there: Box<There>,
        /// The entry that ended it.
        end: Box<Claim>,
        /// Why it was not told, in words.
        why: String,
    },
}

impl Record {
    /// A record of a claim.
    pub fn new(remote: &str, claim: &Claim, state: State) -> Record {
        Record { schema: SCHEMA.to_owned(), remote: remote.to_owned(), nonce: claim.nonce.clone(), state }
    }

    fn path(home: &Path, key: &AnyKey) -> PathBuf {
        home.join("batons").join(key.to_string()).join("remote.json")
    }

    /// What is recorded of a baton; one that cannot be read is as good as none.
    pub fn load(home: &Path, key: &AnyKey) -> Option<Record> {
        let bytes = read_regular(&Record::path(home, key), MOST).ok()??;
        Record::read(&bytes, key).ok()
    }

    /// The same, if it is of this claim.
    pub fn of(home: &Path, claim: &Claim) -> Option<Record> {
        Record::load(home, &claim.key).filter(|record| record.nonce == claim.nonce)
    }

    /// Every record of this clone, by key.
    pub fn all(home: &Path) -> Vec<(AnyKey, Record)> {
        let entries = std::fs::read_dir(home.join("batons")).into_iter().flatten().flatten();
        let keys = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<AnyKey>().ok());
        let mut found: Vec<(AnyKey, Record)> =
            keys.filter_map(|key| Some((key.clone(), Record::load(home, &key)?))).collect();
        found.sort_by(|(one, _), (two, _)| one.cmp(two));
        found
    }

    /// Reads a record.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(bytes: &[u8], key: &AnyKey) -> Result<Record, String> {
        let record: Record = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if record.schema != SCHEMA {
            return Err("it is of a form that this version does not know".to_owned());
        }
        let keys = match &record.state {
            State::Unconfirmed { over, .. } => over.iter().map(|there| &there.value.claim.key).collect(),
            State::Confirmed { there, .. } => vec![&there.value.claim.key],
            State::Lost { to, .. } => vec![&to.key],
            State::Ending { there, end, .. } => vec![&there.value.claim.key, &end.key],
        };
        match keys.into_iter().find(|of| *of != key) {
            Some(other) => Err(format!("it speaks of {other}")),
            None => Ok(record),
        }
    }

    /// Writes it in place of the one before.
    ///
    /// # Errors
    /// It could not be written.
    pub fn save(&self, world: &World, home: &Path, key: &AnyKey) -> Result<(), BatonError> {
        let path = Record::path(home, key);
        let json =
            serde_json::to_value(self).map_err(|e| FileError::new("write", &path, io::Error::other(e)))?;
        let line = crate::safety::json_line(&json) + "\n";
        if let Some(folder) = path.parent() {
            world.files.ensure_dir(folder)?;
        }
        world.files.replace(&path, line.as_bytes(), 0o644, None)?;
        Ok(())
    }

    /// Forgets what is recorded of a baton.
    ///
    /// # Errors
    /// It could not be deleted.
    pub fn forget(world: &World, home: &Path, key: &AnyKey) -> Result<(), BatonError> {
        world.files.remove_file(&Record::path(home, key))?;
        Ok(())
    }

    /// What this clone put at the remote last, as far as it is known here.
    pub fn there(&self) -> Option<&There> {
        match &self.state {
            State::Confirmed { there, .. } | State::Ending { there, .. } => Some(there),
            State::Unconfirmed { over, .. } => over.as_deref(),
            State::Lost { .. } => None,
        }
    }
}
