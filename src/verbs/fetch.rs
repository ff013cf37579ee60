//! `fetch`: brings a document from the remote.

use serde::Serialize;

use super::carried::Abroad;
use super::carried::documents::{self, Brought};
use super::{Context, Error};
use crate::document::{self, Store};
use crate::safety::{escape_path, one_line};
use crate::sync::remote::{self, Answer, Counterpart};
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
    /// The branch that was fetched because the document speaks of a commit that was not here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    /// Other remarks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
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
        let here = document::digest(key, &stored.bytes);
        return Err(FetchError::Other { key, remote, here, there: sealed.digest }.into());
    }
    let new = documents::keep(context, &sealed)?;
    if abroad.memory.documents.insert(key) {
        abroad.memory.save(context.world);
    }
    let (branch, notes) = commits(context, &remote, &sealed.text)?;
    let path = escape_path(store.path(&any));
    Ok(Outcome { key, digest: sealed.digest, remote, new, path, branch, notes })
}

/// Fetches the branch of a document whose commit is not here: without it nobody can tell whether
/// this is its repository, and what moved since. Only the remote's branch as it is known here moves.
fn commits(context: &Context, remote: &str, text: &str) -> Result<(Option<String>, Vec<String>), Error> {
    let Ok((facts, _)) = document::read(text) else { return Ok((None, Vec::new())) };
    let Some(head) = &facts.head else { return Ok((None, Vec::new())) };
    if context.repository.history().has_commit(head)? {
        return Ok((None, Vec::new()));
    }
    let short = head.short();
    let absent = |why: String| (None, vec![format!("its commit {short} is not here: {why}")]);
    let Some(branch) = &facts.branch else { return Ok(absent("it was made on no branch".to_owned())) };
    // The name comes from the document: only what git takes for a name of a branch goes on.
    let reference = format!("refs/heads/{branch}");
    let is_name = context.repository.git().try_run(&["check-ref-format", reference.as_str()])?.success();
    if !is_name {
        return Ok(absent("its branch has no name that git takes".to_owned()));
    }
    let other = Counterpart {
        remote: remote.to_owned(),
        branch: branch.clone(),
        is_new_upstream: false,
        other_upstream: None,
    };
    let shown = one_line(branch, 60);
    Ok(match remote::fetch(context.world, &context.repository, &other)? {
        // Asked anew: the first look may not know of a pack that has come since.
        Answer::Done(Some(_)) if context.repository.history().has_commit(head)? => (Some(shown), Vec::new()),
        Answer::Done(_) => absent(format!(
            "{shown} at {} does not have it yet; where it was made: handover sync",
            one_line(remote, 60)
        )),
        Answer::Offline(why) | Answer::Refused(why) => absent(one_line(&why, 200)),
    })
}

/// The same for a document that is here already, and may have come without its commits.
///
/// # Errors
/// Git could not be run.
pub fn bring_commits(context: &Context, key: &AnyKey) -> Result<Vec<String>, Error> {
    let Some(stored) = Store::new(context.home()).load(key)? else { return Ok(Vec::new()) };
    let text = String::from_utf8_lossy(&stored.bytes);
    let head = document::read(&text).ok().and_then(|(facts, _)| facts.head);
    let Some(head) = head else { return Ok(Vec::new()) };
    if context.repository.history().has_commit(&head)? {
        return Ok(Vec::new());
    }
    match Abroad::of_documents(context, None)? {
        Some(abroad) => Ok(commits(context, &abroad.remote, &text)?.1),
        None => Ok(Vec::new()),
    }
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
