//! The key and what it proves.
//!
//! What is hashed is bytes, never a parse: the document as it stands, with
//! each occurrence of its own key replaced by the same key whose hash part is
//! all zero. `sed` and `sha256sum` do the same:
//!
//! ```text
//! sed s/HO-20261121-0341-7f3a9c2e/HO-20261121-0341-00000000/g FILE | sha256sum
//! ```

use crate::terms::{Digest, Key, Time};

/// A document with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The key.
    pub key: Key,
    /// The whole digest, of which the key carries the head.
    pub digest: Digest,
    /// The document's bytes, the key in its places.
    pub text: String,
}

/// What a document's bytes say about its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// They agree with the full digest that was kept elsewhere.
    Whole {
        /// True if they agree only after CRLF was turned into LF.
        crlf: bool,
    },
    /// They agree with the 32 bits of the key; nobody kept the full digest.
    KeyOnly {
        /// True if they agree only after CRLF was turned into LF.
        crlf: bool,
    },
    /// They do not agree: the document was edited, or is another one.
    No,
}

/// The placeholder to render a document of `created` with, before its key is known.
pub fn placeholder(created: Time) -> Key {
    Key::new(created, Digest::of(b"")).blank()
}

/// Seals a document that was rendered with the placeholder of `created`.
pub fn seal(created: Time, text: &str) -> Sealed {
    let blank = placeholder(created);
    let digest = Digest::of(text.as_bytes());
    let key = Key::new(created, digest);
    let text = text.replace(&blank.to_string(), &key.to_string());
    Sealed { key, digest, text }
}

/// Checks a document's bytes against its key, and against the full digest if
/// somebody kept it.
pub fn prove(key: Key, bytes: &[u8], kept: Option<Digest>) -> Proof {
    let verdict = |bytes: &[u8], crlf: bool| {
        let digest = digest(key, bytes);
        match kept {
            Some(kept) if kept == digest && key.agrees_with(digest) => Some(Proof::Whole { crlf }),
            None if key.agrees_with(digest) => Some(Proof::KeyOnly { crlf }),
            _ => None,
        }
    };
    if let Some(proof) = verdict(bytes, false) {
        return proof;
    }
    // A checkout or a mail may have changed the ends of lines and nothing else.
    if bytes.windows(2).any(|pair| pair == b"\r\n") {
        let mut plain = Vec::with_capacity(bytes.len());
        for (index, byte) in bytes.iter().enumerate() {
            if !(*byte == b'\r' && bytes.get(index + 1) == Some(&b'\n')) {
                plain.push(*byte);
            }
        }
        if let Some(proof) = verdict(&plain, true) {
            return proof;
        }
    }
    Proof::No
}

/// The full digest of a document that carries `key`.
pub fn digest(key: Key, bytes: &[u8]) -> Digest {
    let (own, blank) = (key.to_string(), key.blank().to_string());
    let (own, blank) = (own.as_bytes(), blank.as_bytes());
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at..].starts_with(own) {
            plain.extend_from_slice(blank);
            at += own.len();
        } else {
            plain.push(bytes[at]);
            at += 1;
        }
    }
    Digest::of(&plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn created() -> Time {
        "2026-11-21T03:41:07Z".parse().unwrap()
    }

    fn sealed(body: &str) -> Sealed {
        seal(created(), &format!("key: \"{}\"\n{body}", placeholder(created())))
    }

    #[test]
    fn a_sealed_document_proves_its_key() {
        let sealed = sealed("text\n");
        assert_eq!(
            prove(sealed.key, sealed.text.as_bytes(), Some(sealed.digest)),
            Proof::Whole { crlf: false }
        );
        assert_eq!(prove(sealed.key, sealed.text.as_bytes(), None), Proof::KeyOnly { crlf: false });
    }

    #[test]
    fn crlf_is_forgiven_and_said() {
        let sealed = sealed("text\n");
        let crlf = sealed.text.replace('\n', "\r\n");
        assert_eq!(prove(sealed.key, crlf.as_bytes(), Some(sealed.digest)), Proof::Whole { crlf: true });
    }

    #[test]
    fn a_forged_digest_does_not_help() {
        let sealed = sealed("text\n");
        let other = sealed.text.replace("text", "lies");
        assert_eq!(prove(sealed.key, other.as_bytes(), Some(sealed.digest)), Proof::No);
        assert_eq!(
            prove(sealed.key, other.as_bytes(), Some(digest(sealed.key, other.as_bytes()))),
            Proof::No
        );
    }

    proptest! {
        #[test]
        fn every_changed_byte_shows(body in "[\\x20-\\x7e\\n]{1,200}", at in 0usize..10_000, flip in 1u8..=255) {
            let sealed = sealed(&body);
            let mut bytes = sealed.text.clone().into_bytes();
            let at = at % bytes.len();
            bytes[at] ^= flip;
            // With the full digest at hand, one changed byte is always seen.
            prop_assert_eq!(prove(sealed.key, &bytes, Some(sealed.digest)), Proof::No);
        }
    }
}
