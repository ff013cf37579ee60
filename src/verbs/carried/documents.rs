//! Documents at a remote: published when somebody says so, fetched by their key.

use serde::Serialize;

use super::Abroad;
use crate::document::{self, Proof, Sealed, Store};
use crate::safety::{Redactions, one_line, redact};
use crate::sync::carry::parcel::{Opened, Strange, pack};
use crate::sync::carry::push::{Said, Update};
use crate::sync::carry::{Kind, Namespace};
use crate::sync::remote::Answer;
use crate::terms::{AnyKey, Digest, Key};
use crate::verbs::{Context, Error};

/// The largest document that travels, in bytes.
pub const MOST: usize = 4 << 20;
/// So many documents go in one push.
const AT_ONCE: usize = 64;

/// What became of documents that were to be published.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Published {
    /// The remote.
    pub remote: String,
    /// Those that are new there.
    pub new: Vec<Key>,
    /// Those that were not published.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not: Vec<Unpublished>,
    /// Why the remote was not heard, if it was not; the next sync publishes them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offline: Option<String>,
}

impl Published {
    /// What was not published, in words.
    pub fn in_words(&self) -> Vec<String> {
        let remote = one_line(&self.remote, 60);
        let offline =
            self.offline.as_ref().map(|why| format!("not published, {remote} was not heard: {why}"));
        let not = self.not.iter().map(|one| format!("{} is not published at {remote}: {}", one.key, one.why));
        offline.into_iter().chain(not).collect()
    }
}

/// A document that was not published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unpublished {
    /// Which.
    pub key: Key,
    /// Why not, in words.
    pub why: String,
}

/// What a remote has under the key of a document.
pub enum Brought {
    /// This document, which proves its key.
    Document(Sealed),
    /// None.
    Nothing,
    /// Something that is none, or not that one.
    Strange(Strange),
    /// The remote could not be asked.
    Unheard(String),
    /// The remote said no, or git failed.
    Refused(String),
}

/// Publishes those of these documents that the remote does not have, as far as is known here.
///
/// # Errors
/// Git could not be run, or a document not be read.
pub fn publish(abroad: &mut Abroad, keys: &[Key]) -> Result<Published, Error> {
    let mut published = Published { remote: abroad.remote.clone(), ..Published::default() };
    let mut open: Vec<(Key, Vec<u8>)> = Vec::new();
    let store = Store::new(abroad.context.home());
    for key in keys.iter().filter(|key| !abroad.memory.documents.contains(key)) {
        let Some(stored) = store.load(&AnyKey::Proving(*key))? else { continue };
        let why = match stored.proof() {
            Some(Proof::Whole { crlf: false } | Proof::KeyOnly { crlf: false }) => secret_in(&stored.bytes),
            _ => Some("what is stored does not prove its key".to_owned()),
        };
        match why {
            Some(why) => published.not.push(Unpublished { key: *key, why }),
            None => open.push((*key, stored.bytes)),
        }
    }
    if let (Some((why, _)), false) = (&abroad.memory.refuses, open.is_empty()) {
        let why =
            format!("{} takes no refs of handovers: {}", one_line(&abroad.remote, 60), one_line(why, 200));
        published.not.extend(open.into_iter().map(|(key, _)| Unpublished { key, why: why.clone() }));
        return Ok(published);
    }
    for some in open.chunks(AT_ONCE) {
        if published.offline.is_none() {
            push(abroad, some, &mut published)?;
        }
    }
    Ok(published)
}

/// A document that was sealed before a rule was known may hold what no other machine should see.
fn secret_in(bytes: &[u8]) -> Option<String> {
    let mut found = Redactions::new();
    redact(&String::from_utf8_lossy(bytes), &mut found);
    let rules: Vec<String> = found.into_keys().collect();
    (!rules.is_empty()).then(|| format!("it holds what looks like a secret ({})", rules.join(", ")))
}

fn push(abroad: &mut Abroad, some: &[(Key, Vec<u8>)], published: &mut Published) -> Result<(), Error> {
    let git = abroad.context.repository.git();
    let mut updates = Vec::new();
    for (key, bytes) in some {
        let reference = abroad.memory.namespace.reference(Kind::Document, &AnyKey::Proving(*key));
        // The same document is the same object, whoever publishes it.
        let to = pack(git, &file(*key), bytes, &format!("handover {key}"), key.minute())?;
        updates.push(Update { reference, to, seen: None });
    }
    let said = match abroad.side().push(&updates)? {
        Answer::Done(said) => said,
        Answer::Offline(why) | Answer::Refused(why) => {
            published.offline = Some(one_line(&why, 200));
            return Ok(());
        }
    };
    let unwanted = |said: &Said| matches!(said, Said::Refused(_));
    if abroad.memory.namespace == Namespace::Own && said.iter().all(unwanted) {
        abroad.memory.namespace = Namespace::Branches;
        let before = (published.new.len(), published.not.len());
        push(abroad, some, published)?;
        // Branches are remembered only where they were taken.
        if published.new.len() == before.0 {
            abroad.memory.namespace = Namespace::Own;
            if published.offline.is_none()
                && published.not.len() > before.1
                && let Some(Said::Refused(why)) = said.first()
            {
                abroad.memory.refuses = Some((one_line(why, 300), abroad.context.now));
            }
        }
        abroad.memory.save(abroad.context.world);
        return Ok(());
    }
    for ((key, bytes), said) in some.iter().zip(said) {
        let why = match said {
            Said::Taken => {
                published.new.push(*key);
                None
            }
            Said::Same => None,
            Said::Refused(why) => Some(why),
            Said::Behind => match bring(abroad, *key)? {
                Brought::Document(there) if there.text.as_bytes() == bytes => None,
                Brought::Document(_) => Some("the remote has another document under this key".to_owned()),
                Brought::Strange(strange) => {
                    Some(format!("the remote has something else under this key: {strange}"))
                }
                Brought::Nothing => Some("others were faster; the next sync tries again".to_owned()),
                Brought::Unheard(why) | Brought::Refused(why) => Some(why),
            },
        };
        match why {
            Some(why) => published.not.push(Unpublished { key: *key, why: one_line(&why, 300) }),
            None => {
                abroad.memory.documents.insert(*key);
            }
        }
    }
    abroad.memory.save(abroad.context.world);
    Ok(())
}

/// The name of the file in which a document travels.
pub fn file(key: Key) -> String {
    format!("{key}.md")
}

/// Reads what the remote has under a key, and proves it; stores nothing.
///
/// # Errors
/// Git could not be run, or nothing be written.
pub fn bring(abroad: &Abroad, key: Key) -> Result<Brought, Error> {
    let side = abroad.side();
    let any = AnyKey::Proving(key);
    let mut namespaces = vec![side.namespace];
    namespaces.extend((side.namespace == Namespace::Own).then_some(Namespace::Branches));
    for namespace in namespaces {
        let side = side.below(namespace);
        let reference = namespace.reference(Kind::Document, &any);
        let id = match side.value(&reference)? {
            Answer::Done(Some(id)) => id,
            Answer::Done(None) => continue,
            Answer::Offline(why) => return Ok(Brought::Unheard(why)),
            Answer::Refused(why) => return Ok(Brought::Refused(why)),
        };
        return Ok(match side.open(&reference, &id, &file(key), MOST)? {
            Answer::Done(Opened::File(bytes)) => proved(key, bytes),
            Answer::Done(Opened::Strange(strange)) => Brought::Strange(strange),
            Answer::Done(Opened::Moved) => Brought::Unheard("the ref moved while it was read".to_owned()),
            Answer::Offline(why) => Brought::Unheard(why),
            Answer::Refused(why) => Brought::Refused(why),
        });
    }
    Ok(Brought::Nothing)
}

/// The document of a key, if these bytes are it.
pub fn proved(key: Key, bytes: Vec<u8>) -> Brought {
    let strange = |why: &str| Brought::Strange(Strange(why.to_owned()));
    if !matches!(document::prove(key, &bytes, None), Proof::KeyOnly { crlf: false }) {
        return strange("its bytes do not prove the key");
    }
    let digest: Digest = document::digest(key, &bytes);
    let Ok(text) = String::from_utf8(bytes) else { return strange("it is not UTF-8") };
    match document::read(&text) {
        Ok((facts, _)) if facts.key == key => Brought::Document(Sealed { key, digest, text }),
        Ok(_) => strange("the key inside it is another one"),
        Err(error) => Brought::Strange(Strange(error.to_string())),
    }
}

/// Keeps a document that was brought, as it was sealed; true if it is new here.
///
/// # Errors
/// [`document::StoreError::Collision`] if another one is here under its key.
pub fn keep(context: &Context, sealed: &Sealed) -> Result<bool, Error> {
    Ok(Store::new(context.home()).put(context.world, sealed)?)
}
