//! Documents and batons as refs of a remote: `refs/handover/docs/<KEY>`, `refs/handover/batons/<KEY>`.
//!
//! Each ref names a commit of its own, without a parent, whose tree holds one file. So the same
//! object can stand below `refs/heads/` where a remote takes nothing else ([`Namespace`]).
//!
//! Every push names the value that was seen (`--force-with-lease=<ref>:<value>`, empty for *not
//! there*), and no push is believed by its words: what is not a plain success is settled by
//! looking again. What comes back is data of others: its kind, its name and its size are checked
//! before a byte of it is used ([`parcel`]).

pub mod baton;
pub mod memory;
pub mod parcel;
pub mod push;

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::git::Repository;
use crate::sys::{World, nonce};
use crate::terms::{AnyKey, CommitId, Key};

use super::Error;
use super::remote::{Answer, exchange_as, no_answer};

/// At most this much of a remote's list of refs is read, in bytes.
const MOST_OF_LIST: usize = 32 << 20;

/// Where we ask, and for how long.
#[derive(Clone, Copy)]
pub struct Side<'r, 'w> {
    /// Everything with effects.
    pub world: &'w World,
    /// The repository.
    pub repository: &'r Repository<'w>,
    /// The remote's name.
    pub remote: &'r str,
    /// Below what its refs are.
    pub namespace: Namespace,
    /// How long one exchange may take.
    pub limit: Duration,
}

/// Below what the refs are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Namespace {
    /// `refs/handover/`: nobody's `git branch` shows them.
    #[default]
    Own,
    /// `refs/heads/handover/`: for remotes that take branches and nothing else.
    Branches,
}

/// What a ref names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A document.
    Document,
    /// A baton.
    Baton,
}

impl Namespace {
    /// The start of all its refs.
    fn root(self) -> &'static str {
        match self {
            Namespace::Own => "refs/handover/",
            Namespace::Branches => "refs/heads/handover/",
        }
    }

    fn folder(self, kind: Kind) -> String {
        let folder = match kind {
            Kind::Document => "docs",
            Kind::Baton => "batons",
        };
        format!("{}{folder}/", self.root())
    }

    /// The ref of a key.
    pub fn reference(self, kind: Kind, key: &AnyKey) -> String {
        format!("{}{key}", self.folder(kind))
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.root())
    }
}

impl<'r, 'w> Side<'r, 'w> {
    /// The same with refs below another root.
    pub fn below(self, namespace: Namespace) -> Side<'r, 'w> {
        Side { namespace, ..self }
    }

    /// The value of a ref at the remote; `None` if it is not there.
    ///
    /// # Errors
    /// Git could not be run at all.
    pub fn value(&self, reference: &str) -> Result<Answer<Option<CommitId>>, Error> {
        Ok(match self.list(reference)? {
            Answer::Done(refs) => {
                Answer::Done(refs.into_iter().find(|(name, _)| name == reference).map(|(_, id)| id))
            }
            Answer::Offline(why) => Answer::Offline(why),
            Answer::Refused(why) => Answer::Refused(why),
        })
    }

    /// The documents at the remote whose key begins so, or whose hash does, in rising order.
    ///
    /// # Errors
    /// Git could not be run at all.
    pub fn documents(&self, prefix: &crate::terms::KeyPrefix) -> Result<Answer<Vec<Key>>, Error> {
        let folder = self.namespace.folder(Kind::Document);
        // Letters, digits and dashes: nothing in it is a pattern.
        let pattern = format!("{folder}*{prefix}*");
        Ok(match self.list(&pattern)? {
            Answer::Done(refs) => {
                let keys = refs.iter().filter_map(|(name, _)| name.strip_prefix(&folder)?.parse().ok());
                let mut keys: Vec<Key> = keys.filter(|key| prefix.fits(&AnyKey::Proving(*key))).collect();
                keys.sort();
                keys.dedup();
                Answer::Done(keys)
            }
            Answer::Offline(why) => Answer::Offline(why),
            Answer::Refused(why) => Answer::Refused(why),
        })
    }

    /// What `git ls-remote` says of a pattern: names and values. Lines of another form are passed over.
    fn list(&self, pattern: &str) -> Result<Answer<Vec<(String, CommitId)>>, Error> {
        let args = ["ls-remote", "--quiet", "--refs", "--", self.remote, pattern];
        let limit = self.limit;
        let done = exchange_as(self.world, self.repository.git(), &args, |spawn| {
            spawn.limit(limit).cap(MOST_OF_LIST)
        })?;
        if !done.success() {
            return Ok(no_answer(&done));
        }
        if done.cut {
            return Ok(Answer::Refused(format!("its list of refs is larger than {MOST_OF_LIST} bytes")));
        }
        Ok(Answer::Done(listed(&done.text())))
    }

    /// Waits a moment, longer with each attempt, and not as long as others do.
    pub fn pause(&self, attempt: u32) {
        let random = nonce::<1>().ok().and_then(|hex| u8::from_str_radix(&hex, 16).ok()).unwrap_or(128);
        let span = Duration::from_millis(25 << attempt.min(5)).mul_f64(0.5 + f64::from(random) / 256.0);
        self.world.clock.pause(span);
    }
}

/// `<id> TAB <name>`, one a line.
pub fn listed(text: &str) -> Vec<(String, CommitId)> {
    let line = |line: &str| {
        let (id, name) = line.split_once('\t')?;
        Some((name.to_owned(), id.parse().ok()?))
    };
    text.lines().filter_map(line).collect()
}
