//! The words that every room uses: keys, digests, ids, times, sizes.
//!
//! Each type is parsed once, at the edge, and printed in exactly one form.
//! Nothing here reads a file, a clock or the environment.

mod commit;
mod count;
mod digest;
mod job_id;
mod key;
mod known;
mod path_text;
mod size;
mod task_ids;
mod time;
mod unread;

pub use commit::CommitId;
pub use count::{by_number, counted};
pub use digest::{Digest, Hasher};
pub use job_id::{JobId, Part};
pub use key::{AnyKey, Key, KeyPrefix, LegacyKey};
pub use known::Known;
pub use path_text::{Paths, path_text};
pub use size::Bytes;
pub use task_ids::TaskIds;
pub use time::{Seconds, Time};
pub use unread::Unread;

/// Text that was meant to be one of our terms and is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a {what}: {text:?}")]
pub struct NotA {
    /// The term that was expected, in words.
    pub what: &'static str,
    /// The text, cut to 80 characters.
    pub text: String,
}

impl NotA {
    pub(crate) fn new(what: &'static str, text: &str) -> NotA {
        NotA { what, text: text.chars().take(80).collect() }
    }
}

/// Serialises a term as the text that it prints, and reads it back the same way.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = <std::borrow::Cow<'de, str>>::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;
