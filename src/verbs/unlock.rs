//! Take the lock away from a holder that will not give it back.

use std::path::PathBuf;

use serde::Serialize;

use super::{Context, Error, batons};
use crate::sys::lock::{self, Holder, LockError};

/// What `unlock` would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose lock it would break.
    pub holder: Holder,
    /// The folder that it is in.
    home: PathBuf,
}

/// What `unlock` did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Who held the lock.
    pub broken: Holder,
}

/// Looks up who holds the lock under this id.
///
/// # Errors
/// [`LockError::NoSuch`] if nobody does.
pub fn plan(context: &Context, id: &str) -> Result<Plan, Error> {
    // The lock of what all worktrees share, and that of the batons.
    for home in [context.home(), batons::chain(context)] {
        let holders = lock::holders(context.world, &home)?;
        if let Some(holder) = holders.into_iter().find(|holder| holder.id == id) {
            return Ok(Plan { holder, home });
        }
    }
    Err(LockError::NoSuch { id: id.to_owned() }.into())
}

/// Takes the lock away from that holder, and from no other.
pub fn execute(context: &Context, plan: &Plan) -> Result<Outcome, Error> {
    let broken = lock::break_lock(context.world, &plan.home, &plan.holder.id)?;
    Ok(Outcome { broken })
}
