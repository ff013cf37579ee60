use std::fmt;
use std::str::FromStr;

use super::{NotA, serde_as_text};

/// A full commit id: 40 hex digits in a SHA-1 repository, 64 in a SHA-256 one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct CommitId(String);

impl CommitId {
    /// The first ten digits, as shown to people.
    pub fn short(&self) -> &str {
        &self.0[..10]
    }

    /// All digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CommitId {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let hex = text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if hex && matches!(text.len(), 40 | 64) {
            Ok(CommitId(text.to_owned()))
        } else {
            Err(NotA::new("full commit id", text))
        }
    }
}

serde_as_text!(CommitId);
