use serde::Serialize;

/// Is it that document, and is this its place?
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "word")]
pub enum Verdict {
    /// It is that document, unchanged, in its place.
    Intact,
    /// It is that document as far as the 32 bits of its key can tell; nobody
    /// here kept the full digest.
    MatchesKeyOnly,
    /// Its bytes are not those that were sealed.
    Edited {
        /// Which of the two was edited: the document itself, or its copy.
        which: Edited,
        /// The difference, as lines of a unified diff; escaped, maybe cut.
        diff: Vec<String>,
    },
    /// It is that document, and it speaks of another repository.
    AnotherRepository,
    /// It is that document, and it speaks of another worktree of this clone.
    AnotherWorktree {
        /// Where that is; escaped.
        path: String,
        /// The command that goes there, if the path can be quoted.
        cd: Option<String>,
    },
    /// It is that document; whether this is its place cannot be told.
    PlaceUnknown {
        /// Why not.
        why: String,
    },
    /// It has a key of an older custom, which proves nothing.
    CannotBeProved,
}

/// Which bytes were edited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Edited {
    /// The document in the store: it is damaged.
    Document,
    /// The copy in the worktree; the sealed document is safe.
    Copy,
}

impl Verdict {
    /// True if an agent can go on from here.
    pub fn is_yes(&self) -> bool {
        matches!(self, Verdict::Intact | Verdict::MatchesKeyOnly)
    }
}
