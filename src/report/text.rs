use serde::Serialize;

use super::View;
use crate::safety::Redactions;
use crate::terms::{by_number, counted};

/// An answer that is one text, whatever its form: a script, a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Text {
    /// The text.
    pub text: String,
}

impl Text {
    /// The text as it is.
    pub fn plain(_: &View, answer: &Text) -> String {
        answer.text.clone()
    }
}

/// What was taken out of a text, without a word of it.
pub fn redacted(redactions: &Redactions) -> String {
    let count: usize = redactions.values().sum();
    let rules: Vec<&str> = redactions.keys().map(String::as_str).collect();
    let were = by_number(count, "was", "were");
    format!("{} {were} taken out ({})", counted(count, "secret"), rules.join(", "))
}
