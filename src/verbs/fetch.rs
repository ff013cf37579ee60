//! `fetch`: brings a document from the remote.

use serde::Serialize;

use super::carried::Abroad;
use super::carried::documents::{self, Brought};
use super::{Context, Error};
use crate::document::Store;
use crate::safety::{escape_path, one_line};
use crate::sync::remote::Answer;
use crate::terms::{AnyKey, Digest, Key, KeyPrefix};

/// Which document, and from where.
#[derive(Debug, Clone)]
pub struct Options {
    /// Its key, the start of it, or the start of its hash.
    pub key: KeyPrefix,
    /// The remote, if it is not that of batons.
    pub remote: Option<String>,
    /// The full digest, if somebody told it.
    pub digest: Option<Digest>,
}

/// What was brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The key.
    pub key: Key,
    /// Its full digest, which is kept from now on.
    pub digest: Digest,
    /// The remote.
    pub remote: String,
    /// True if it was not here before.
    pub new: bool,
    /// The sealed document.
    pub path: String,
}

/// A document that could not be brought.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// There is no remote, or the settings want none.
    #[error("cannot fetch a handover: this repository has no remote for them")]
    NoRemote,
    /// The remote has none of that key.
    #[error("no handover {} is known at {}", .wanted, one_line(.remote, 60))]
    NotThere {
        /// What was asked for.
        wanted: String,
        /// The remote.
        remote: String,
    },
    /// The text fits several.
    #[error("{wanted} fits {} handovers at {}: {}", keys.len(), one_line(.remote, 60), list(keys))]
    Several {
        /// What was asked for.
        wanted: String,
        /// The remote.
        remote: String,
        /// What it fits, in rising order.
        keys: Vec<Key>,
    },
    /// What the remote has is not that document.
    #[error("what {} has as {key} is not that handover: {}", one_line(.remote, 60), one_line(.why, 300))]
    Strange {
        /// The key.
        key: Key,
        /// The remote.
        remote: String,
        /// What is wrong with it.
        why: String,
    },
    /// It has another digest than the one that was told.
    #[error("what {} has as {key} is another document: its digest is {found}", one_line(.remote, 60))]
    OtherDigest {
        /// The key.
        key: Key,
        /// The remote.
        remote: String,
        /// The digest of what is there.
        found: Digest,
    },
    /// Another document is here under its key.
    #[error(
        "another document is here under the key {key}; neither was changed (here {here}, at {} {there})",
        one_line(.remote, 60)
    )]
    Other {
        /// The key.
        key: Key,
        /// The remote.
        remote: String,
        /// The digest of the one that is here.
        here: Digest,
        /// The digest of the one at the remote.
        there: Digest,
    },
    /// The remote could not be reached.
    #[error("cannot reach {}: {}", one_line(.remote, 60), one_line(.why, 300))]
    Offline {
        /// The remote.
        remote: String,
        /// Git's words.
        why: String,
    },
    /// The remote said no.
    #[error("{} refused: {}", one_line(.remote, 60), one_line(.why, 300))]
    Refused {
        /// The remote.
        remote: String,
        /// Its words.
        why: String,
    },
}

fn list(keys: &[Key]) -> String {
    let shown: Vec<String> = keys.iter().take(8).map(Key::to_string).collect();
    let more = if keys.len() > 8 { format!(", and {} more", keys.len() - 8) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

/// Brings a document, proves that it is the one of its key, and keeps it as it was sealed.
///
/// # Errors
/// [`FetchError`]; nothing is kept then.
pub fn run(context: &Context, options: &Options) -> Result<Outcome, Error> {
    let Some(mut abroad) = Abroad::of_documents(context, options.remote.as_deref())? else {
        return Err(FetchError::NoRemote.into());
    };
    let remote = abroad.remote.clone();
    let key = which(&abroad, &options.key)?;
    let sealed = match documents::bring(&abroad, key)? {
        Brought::Document(sealed) => sealed,
        Brought::Nothing => {
            return Err(FetchError::NotThere { wanted: options.key.to_string(), remote }.into());
        }
        Brought::Strange(strange) => return Err(FetchError::Strange { key, remote, why: strange.0 }.into()),
        Brought::Unheard(why) => return Err(FetchError::Offline { remote, why }.into()),
        Brought::Refused(why) => return Err(FetchError::Refused { remote, why }.into()),
    };
    if options.digest.is_some_and(|told| told != sealed.digest) {
        return Err(FetchError::OtherDigest { key, remote, found: sealed.digest }.into());
    }
    let store = Store::new(context.home());
    let any = AnyKey::Proving(key);
    if let Some(stored) = store.load(&any)?
        && stored.bytes != sealed.text.as_bytes()
    {
        let here = crate::document::digest(key, &stored.bytes);
        return Err(FetchError::Other { key, remote, here, there: sealed.digest }.into());
    }
    let new = documents::keep(context, &sealed)?;
    if abroad.memory.documents.insert(key) {
        abroad.memory.save(context.world);
    }
    Ok(Outcome { key, digest: sealed.digest, remote, new, path: escape_path(store.path(&any)) })
}

/// The whole key that is meant: only of a part of one the remote's list is asked for.
fn which(abroad: &Abroad, wanted: &KeyPrefix) -> Result<Key, Error> {
    if let Ok(key) = wanted.to_string().parse() {
        return Ok(key);
    }
    let remote = abroad.remote.clone();
    let keys = match abroad.side().documents(wanted)? {
        Answer::Done(keys) => keys,
        Answer::Offline(why) => return Err(FetchError::Offline { remote, why }.into()),
        Answer::Refused(why) => return Err(FetchError::Refused { remote, why }.into()),
    };
    match keys.as_slice() {
        [] => Err(FetchError::NotThere { wanted: wanted.to_string(), remote }.into()),
        [key] => Ok(*key),
        _ => Err(FetchError::Several { wanted: wanted.to_string(), remote, keys }.into()),
    }
}
