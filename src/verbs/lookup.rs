//! Which document is meant.

use std::sync::OnceLock;

use super::{Context, Error};
use crate::document::{self, Copy, Entry, Here, Lineage, Proof, Store, StoreError};
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
            None => Ok(self.lineage()?.leaf(&self.here())?.key.clone()),
        }
    }

    /// True if a document is of this worktree.
    ///
    /// # Errors
    /// The documents cannot be listed.
    pub fn is_here(&self, key: &AnyKey) -> Result<bool, StoreError> {
        Ok(self.lineage()?.get(key).is_some_and(|entry| entry.is_of(&self.here())))
    }

    /// The bytes of a document: from the store, else from its copy.
    pub fn bytes(&self, key: &AnyKey) -> Result<Vec<u8>, Error> {
        if let Some(stored) = self.store.load(key)? {
            return Ok(stored.bytes);
        }
        Ok(self.copy.load(key)?.ok_or_else(|| StoreError::NotFound(key.to_string()))?)
    }
}
