//! Which document is meant.

use std::sync::OnceLock;

use super::{Context, Error};
use crate::document::{self, Copy, Entry, Here, Lineage, Proof, Store, StoreError, Stored};
use crate::terms::{AnyKey, KeyPrefix};
use crate::worktree::registry;

/// The documents of the repository, and which of them are of this worktree.
pub struct Shelf {
    /// The truth.
    pub store: Store,
    /// The copies in this worktree.
    pub copy: Copy,
    id: Option<String>,
    host: String,
    path: std::path::PathBuf,
    lineage: OnceLock<Lineage>,
}

impl Shelf {
    /// The documents as seen from where we stand.
    pub fn open(context: &Context) -> Result<Shelf, Error> {
        let repository = &context.repository;
        Ok(Shelf {
            store: Store::new(context.home()),
            copy: Copy::of(repository.worktree()),
            id: registry::id_of(repository.git_dir())?.map(|id| id.as_str().to_owned()),
            host: super::Identity::of(&context.world.environment).host,
            path: repository.worktree().to_owned(),
            lineage: OnceLock::new(),
        })
    }

    /// This worktree, as documents name it.
    pub fn here(&self) -> Here<'_> {
        Here { path: &self.path, id: self.id.as_deref(), host: &self.host }
    }

    /// What follows what, as it was when it was asked for first: the sealed
    /// documents, and the copies here that could not be sealed.
    pub fn lineage(&self) -> Result<&Lineage, StoreError> {
        match self.lineage.get() {
            Some(lineage) => Ok(lineage),
            None => {
                let lineage = self.look()?;
                Ok(self.lineage.get_or_init(|| lineage))
            }
        }
    }

    /// The same as it is now. A sandbox that keeps the git directory from being
    /// written leaves a document as a copy alone: it follows what it says it
    /// follows, if its bytes are those of its key.
    pub fn look(&self) -> Result<Lineage, StoreError> {
        let mut entries: Vec<Entry> = Lineage::load(&self.store)?.entries().cloned().collect();
        // A damaged one is what its sound copy says that it is.
        for entry in entries.iter_mut().filter(|entry| entry.problem.is_some()) {
            if let Ok(Some(stored)) = self.store.load(&entry.key)
                && let Ok(Some(bytes)) = self.sound_copy(&stored)
            {
                *entry = Entry::of(&stored.key, &bytes, stored.is_archived);
            }
        }
        for key in self.copy.keys()? {
            let Some(proving) = key.proving() else { continue };
            if entries.iter().any(|entry| entry.key == key) {
                continue;
            }
            // Git checks files out with the right to write: what a branch brought with it is
            // never as we write our copies, and may not say that it is the newest here.
            if !self.copy.is_as_written(&key) {
                continue;
            }
            // One that cannot be read says nothing about what it follows.
            let Ok(Some(bytes)) = self.copy.load(&key) else { continue };
            if !matches!(document::prove(proving, &bytes, None), Proof::No) {
                entries.push(Entry::of(&key, &bytes, false));
            }
        }
        Ok(Lineage::of(entries))
    }

    /// The key that a person means: the one that the text fits, else the newest
    /// of this worktree.
    pub fn find(&self, prefix: Option<&KeyPrefix>) -> Result<AnyKey, Error> {
        match prefix {
            Some(prefix) => Ok(self.store.find(prefix, &self.copy.keys()?)?),
            None => match self.lineage()?.leaf(&self.here()) {
                // Of one that cannot be read nobody knows whether it is of this worktree.
                Err(StoreError::None) => {
                    let unread = self.lineage()?.entries().rev().find(|entry| entry.problem.is_some());
                    Err(unread.map_or(StoreError::None, |entry| self.damaged(&entry.key, false)).into())
                }
                leaf => Ok(leaf?.key.clone()),
            },
        }
    }

    /// True if a document is of this worktree.
    ///
    /// # Errors
    /// The documents cannot be listed.
    pub fn is_here(&self, key: &AnyKey) -> Result<bool, StoreError> {
        Ok(self.lineage()?.get(key).is_some_and(|entry| entry.is_of(&self.here())))
    }

    /// The bytes of a document: from the store, else from its copy; from that
    /// too if it proves the key and what is stored does not.
    pub fn bytes(&self, key: &AnyKey) -> Result<Vec<u8>, Error> {
        match self.store.load(key)? {
            Some(stored) => Ok(self.sound_copy(&stored)?.unwrap_or(stored.bytes)),
            None => Ok(self.copy.load(key)?.ok_or_else(|| StoreError::NotFound(key.to_string()))?),
        }
    }

    /// The copy of a document that proves its key where what is stored does not.
    ///
    /// Where nobody kept the full digest, only a copy as we write it counts.
    pub fn sound_copy(&self, stored: &Stored) -> Result<Option<Vec<u8>>, StoreError> {
        let (Some(proving), Some(Proof::No)) = (stored.key.proving(), stored.proof()) else {
            return Ok(None);
        };
        let Some(bytes) = self.copy.load(&stored.key)? else { return Ok(None) };
        let is_sound = match document::prove(proving, &bytes, stored.digest) {
            Proof::Whole { crlf } => !crlf,
            Proof::KeyOnly { crlf } => !crlf && self.copy.is_as_written(&stored.key),
            Proof::No => false,
        };
        Ok(is_sound.then_some(bytes))
    }

    /// What is stored under a key, if it is what was sealed, or at least reads as
    /// a document: whether that is the sealed one is for the caller to prove.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] if it is neither, or if a copy here is sound.
    pub fn stored(&self, key: &AnyKey) -> Result<Option<Stored>, StoreError> {
        let Some(stored) = self.store.load(key)? else { return Ok(None) };
        if stored.proof() != Some(Proof::No) {
            return Ok(Some(stored));
        }
        let copy = self.sound_copy(&stored)?.is_some();
        let reads = document::read(&String::from_utf8_lossy(&stored.bytes)).is_ok();
        if reads && !copy {
            return Ok(Some(stored));
        }
        Err(self.damaged(key, copy))
    }

    /// That a document is damaged; `has_copy` if its copy is sound.
    pub fn damaged(&self, key: &AnyKey, has_copy: bool) -> StoreError {
        let copies = [self.copy.path(key), self.copy.archived_path(key)];
        let copy = copies.into_iter().find(|path| path.exists()).filter(|_| has_copy);
        StoreError::Damaged { key: key.clone(), path: self.store.path(key), copy }
    }
}
