use serde::Serialize;

use super::View;

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
