//! Take the lock away from a holder that will not give it back.

use serde::Serialize;

use super::{Context, Error};
use crate::sys::lock::{self, Holder, LockError};

/// What `unlock` would do.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Whose lock it would break.
    pub holder: Holder,
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
    let holders = lock::holders(context.world, &context.home())?;
    let holder = holders.into_iter().find(|holder| holder.id == id);
    Ok(Plan { holder: holder.ok_or_else(|| LockError::NoSuch { id: id.to_owned() })? })
}

/// Takes the lock away from that holder, and from no other.
pub fn execute(context: &Context, plan: &Plan) -> Result<Outcome, Error> {
    let broken = lock::break_lock(context.world, &context.home(), &plan.holder.id)?;
    Ok(Outcome { broken })
}
