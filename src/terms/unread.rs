use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A file or folder that was not read, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unread {
    /// The file or folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Why, in words.
    pub why: String,
}

impl Unread {
    /// What stands at `path` and was not read.
    pub fn new(path: &Path, why: impl Into<String>) -> Unread {
        Unread { path: path.to_owned(), why: why.into() }
    }
}
