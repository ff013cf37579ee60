//! Take the lock away from a holder that will not give it back.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::sweep::submit;
use super::{Context, Error, batons, sync};
use crate::sys::lock::{self, Holder, LockError};

/// What `unlock` would do.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// Whose lock it would break.
    pub holder: Holder,
    /// Files in the lock that this program did not put there; they stay, and
    /// nobody gets the lock while they are there.
    #[serde(serialize_with = "crate::terms::path_text", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub in_the_way: Vec<PathBuf>,
    /// The folder that it is in.
    #[serde(skip)]
    home: PathBuf,
}

/// What `unlock` did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Who held the lock.
    pub broken: Holder,
    /// Files in the lock that this program did not put there; they stay, and
    /// nobody gets the lock while they are there.
    #[serde(serialize_with = "crate::terms::path_text", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub in_the_way: Vec<PathBuf>,
}

/// Looks up who holds the lock under this id; changes nothing.
///
/// # Errors
/// [`LockError::NoSuch`] if nobody does; [`LockError::Strange`] if it is no
/// holder that is in the way, but a file of others.
pub fn plan(context: &Context, id: &str) -> Result<Plan, Error> {
    let mut strange = None;
    // The lock of what all worktrees share, that of the batons, that of syncs, and those of sweeps.
    let homes = [context.home(), batons::chain(context), sync::lock_home(context)];
    let homes = homes.into_iter().chain(submit::locks(context));
    for home in homes {
        let (in_the_way, holders) = look(context, &home)?;
        if let Some(holder) = holders.into_iter().find(|holder| holder.id == id) {
            return Ok(Plan { holder, in_the_way, home });
        }
        strange = strange.or_else(|| in_the_way.into_iter().next());
    }
    Err(strange.map_or_else(|| LockError::NoSuch { id: id.to_owned() }, |path| LockError::Strange { path }))?
}

/// Takes the lock away from that holder, and from no other.
pub fn execute(context: &Context, plan: &Plan) -> Result<Outcome, Error> {
    let broken = lock::break_lock(context.world, &plan.home, &plan.holder.id)?;
    let (in_the_way, _) = look(context, &plan.home)?;
    Ok(Outcome { broken, in_the_way })
}

/// What lies in the lock of `home`: files of others, and holders.
fn look(context: &Context, home: &Path) -> Result<(Vec<PathBuf>, Vec<Holder>), Error> {
    let (strange, holders): (Vec<Holder>, Vec<Holder>) =
        lock::holders(context.world, home)?.into_iter().partition(|holder| holder.strange.is_some());
    Ok((strange.into_iter().filter_map(|holder| holder.strange).collect(), holders))
}
