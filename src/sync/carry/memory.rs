//! What is remembered of a remote: below what it takes our refs, and which documents it has.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Namespace;
use crate::git::{Git, GitError};
use crate::sys::{FileError, World, read_regular};
use crate::terms::{Digest, Key, Time};

/// The form of a memory.
const SCHEMA: &str = "handover-remote/1";
/// The largest memory that is read, in bytes.
const MOST: usize = 16 << 20;

/// What is remembered of one remote. It is bound to the remote's address, and may be deleted at
/// any time: then it is found out again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    schema: String,
    /// The digest of the address.
    address: Digest,
    /// Below what it takes our refs.
    #[serde(default)]
    pub namespace: Namespace,
    /// Its words, if it takes them nowhere, and when it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refuses: Option<(String, Time)>,
    /// True if it cannot take several refs as one.
    #[serde(default)]
    pub not_atomic: bool,
    /// The documents that it has.
    #[serde(default)]
    pub documents: BTreeSet<Key>,
    #[serde(skip)]
    path: PathBuf,
}

impl Memory {
    /// What is remembered of a remote of this repository, whose folder of ours is `home`.
    ///
    /// # Errors
    /// Git could not be asked for its address.
    pub fn load(git: &Git, home: &Path, remote: &str) -> Result<Memory, GitError> {
        let address = git.line(&["remote", "get-url", "--push", "--", remote])?;
        let address = Digest::of(address.as_bytes());
        let name = Digest::of(remote.as_bytes()).to_string();
        let path = home.join("remotes").join(format!("{}.json", &name[..16]));
        let read = read_regular(&path, MOST).ok().flatten().and_then(|bytes| Memory::read(&bytes).ok());
        let known = read.filter(|memory| memory.address == address);
        let known = known.unwrap_or_else(|| Memory {
            schema: SCHEMA.to_owned(),
            address,
            namespace: Namespace::Own,
            refuses: None,
            not_atomic: false,
            documents: BTreeSet::new(),
            path: PathBuf::new(),
        });
        Ok(Memory { path, ..known })
    }

    /// Reads a memory.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn read(bytes: &[u8]) -> Result<Memory, String> {
        let memory: Memory = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if memory.schema == SCHEMA {
            Ok(memory)
        } else {
            Err("it is of a form that this version does not know".to_owned())
        }
    }

    /// Writes it down; a memory that is lost costs one more question.
    pub fn save(&self, world: &World) {
        let write = || -> Result<(), FileError> {
            if let Some(folder) = self.path.parent() {
                world.files.ensure_dir(folder)?;
            }
            let failed = |e| FileError::new("write", &self.path, io::Error::other(e));
            world.files.write_cache(&self.path, &serde_json::to_vec(self).map_err(failed)?)
        };
        let _ = write();
    }

    /// Forgets it.
    ///
    /// # Errors
    /// The file could not be deleted.
    pub fn forget(&self, world: &World) -> Result<bool, FileError> {
        world.files.remove_file(&self.path)
    }
}
