use serde::{Deserialize, Serialize};

/// A value that may be unknown, or may not apply; neither is ever taken for
/// "none".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Known<T> {
    /// Established.
    Known(T),
    /// Asked, and not answered: the reason, in words.
    Unknown(String),
    /// Not asked, because it does not apply here: the reason, in words.
    NotApplicable(String),
}

impl<T> Known<T> {
    /// The value, if it is established.
    pub fn known(&self) -> Option<&T> {
        match self {
            Known::Known(value) => Some(value),
            Known::Unknown(_) | Known::NotApplicable(_) => None,
        }
    }

    /// The value by itself, if it is established.
    pub fn into_known(self) -> Option<T> {
        match self {
            Known::Known(value) => Some(value),
            Known::Unknown(_) | Known::NotApplicable(_) => None,
        }
    }

    /// Changes the value and keeps the reasons.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Known<U> {
        match self {
            Known::Known(value) => Known::Known(change(value)),
            Known::Unknown(why) => Known::Unknown(why),
            Known::NotApplicable(why) => Known::NotApplicable(why),
        }
    }

    /// Borrows the value.
    pub fn as_ref(&self) -> Known<&T> {
        match self {
            Known::Known(value) => Known::Known(value),
            Known::Unknown(why) => Known::Unknown(why.clone()),
            Known::NotApplicable(why) => Known::NotApplicable(why.clone()),
        }
    }

    /// True if the question was asked and not answered.
    pub fn is_unknown(&self) -> bool {
        matches!(self, Known::Unknown(_))
    }
}
