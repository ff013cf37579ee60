//! `release`: lets the baton of a handover go.

use serde::Serialize;

use super::lookup::Shelf;
use super::{Context, Error, Identity};
use crate::baton::{Baton, Claim};
use crate::terms::{AnyKey, KeyPrefix};

/// Which baton to let go.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of which document; by default the newest of this worktree.
    pub key: Option<KeyPrefix>,
    /// The nonce of another session's claim, as somebody saw it.
    pub nonce: Option<String>,
}

/// What was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Of which document.
    pub key: AnyKey,
    /// The entry that ended the claim.
    pub claim: Claim,
}

/// Lets the baton go, if it is ours or if its claim was named.
pub fn release(context: &Context, options: &Options) -> Result<Outcome, Error> {
    let key = Shelf::open(context)?.find(options.key.as_ref())?;
    let who = Identity::of(&context.world.environment).at(context.repository.worktree());
    let baton = Baton::of(context.world, &context.home(), &key);
    let claim = match &options.nonce {
        Some(nonce) => baton.release_seen(&who, nonce)?,
        None => baton.release(&who)?,
    };
    Ok(Outcome { key, claim })
}
