use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::terms::NotA;

/// How the work stands, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// It works and can be taken up anywhere.
    Stable,
    /// It works, and something has to be looked at.
    Watch,
    /// Something that used to work does not.
    Broken,
    /// It cannot go on without somebody or something else.
    Blocked,
}

impl Condition {
    /// Reads `watch`, or `watch: the reason`; the rest is the sentence.
    pub fn split(text: &str) -> (Option<Condition>, &str) {
        // A sealed document prints the word in bold.
        let text = text.trim().trim_start_matches('*');
        let end = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        match text[..end].parse() {
            Ok(condition) => {
                (Some(condition), text[end..].trim_start_matches(['*', ':', '-', ',', ' ', '.']).trim())
            }
            Err(_) => (None, text),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Condition::Stable => "stable",
            Condition::Watch => "watch",
            Condition::Broken => "broken",
            Condition::Blocked => "blocked",
        })
    }
}

impl FromStr for Condition {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        match text.to_ascii_lowercase().as_str() {
            "stable" => Ok(Condition::Stable),
            "watch" => Ok(Condition::Watch),
            "broken" => Ok(Condition::Broken),
            "blocked" => Ok(Condition::Blocked),
            _ => Err(NotA::new("status (stable, watch, broken, blocked)", text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_a_word_and_a_sentence() {
        assert_eq!(Condition::split("watch: loss went up"), (Some(Condition::Watch), "loss went up"));
        assert_eq!(Condition::split("Stable"), (Some(Condition::Stable), ""));
        assert_eq!(Condition::split("**broken**: tests fail"), (Some(Condition::Broken), "tests fail"));
        assert_eq!(Condition::split("all is well"), (None, "all is well"));
    }
}
