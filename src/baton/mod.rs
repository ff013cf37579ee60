//! The claim on a handover: whoever holds its baton continues the work.
//!
//! The holder is an agent's session, not a process, so nothing here looks at
//! processes or at the clock: a baton ends when its holder lets it go, hands
//! over to the next, or when a person takes it over.

mod claim;
mod local;
mod record;
mod value;

pub use claim::{Claim, Claimant, Kind};
pub use local::{Baton, Found, PassedOn, Taken, held};
pub use record::{Record, State, There};
pub use value::Value;

use std::path::PathBuf;

use crate::safety::{escape_path, one_line};
use crate::sys::FileError;
use crate::terms::AnyKey;

/// A baton that was not taken, or not let go.
#[derive(Debug, thiserror::Error)]
pub enum BatonError {
    /// Another session holds it.
    #[error("another holds the baton of {key}: {holder}")]
    Held {
        /// Which handover.
        key: AnyKey,
        /// Who, and since when.
        holder: Box<Claim>,
    },
    /// Another session holds it at a remote.
    #[error("another holds the baton of {key} at {}: {holder}", one_line(remote, 60))]
    HeldAt {
        /// Which handover.
        key: AnyKey,
        /// Where.
        remote: String,
        /// Who, and since when.
        holder: Box<Claim>,
    },
    /// What a remote has in its place is no baton.
    #[error("what {} holds for the baton of {key} is none: {}", one_line(remote, 60), one_line(why, 200))]
    Strange {
        /// Which handover.
        key: AnyKey,
        /// Where.
        remote: String,
        /// What it is.
        why: String,
    },
    /// It changed hands after the caller looked.
    #[error("the baton of {key} has changed hands a moment ago: {}", holder.as_ref().map_or("nobody holds it now".to_owned(), |holder| holder.to_string()))]
    Moved {
        /// Which handover.
        key: AnyKey,
        /// Who holds it now.
        holder: Option<Box<Claim>>,
    },
    /// Nobody holds it.
    #[error("nobody holds the baton of {key}")]
    Free {
        /// Which handover.
        key: AnyKey,
    },
    /// A claim file that this program cannot have written.
    #[error("the claim file {} is damaged: {}", escape_path(path), one_line(why, 120))]
    Damaged {
        /// Of which handover.
        key: AnyKey,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The folder of claims cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}
