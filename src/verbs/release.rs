//! `release`: lets the baton of a handover go.

use serde::Serialize;

use super::batons::{self, Standing};
use super::carried::{self, AtRemote};
use super::lookup::Shelf;
use super::{Context, Error, Wanted};
use crate::baton::{Baton, Claim, Claimant};
use crate::terms::{AnyKey, KeyPrefix};

/// Which baton to let go.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Of which document; by default all that one holds in this worktree.
    pub key: Option<KeyPrefix>,
    /// The nonce of another session's claim, as somebody saw it.
    pub nonce: Option<String>,
}

/// What `release` would let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// Each baton; more than one only where an earlier version left several.
    pub ends: Vec<Ends>,
    #[serde(skip)]
    who: Claimant,
}

/// A baton that would be let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Ends {
    /// Of which document.
    pub key: AnyKey,
    /// The claim that would end.
    pub claim: Claim,
}

/// What was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Each baton; more than one only where an earlier version left several.
    pub released: Vec<Released>,
}

/// A baton that was let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Released {
    /// Of which document.
    pub key: AnyKey,
    /// The entry that ended the claim.
    pub claim: Claim,
    /// What the remote was not told yet; left out where it knows, or never had it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote: Option<AtRemote>,
}

/// Looks which batons are ours, or whose claim was named; changes nothing.
///
/// # Errors
/// A baton that is not ours to end, or that nobody holds.
pub fn plan(context: &Context, options: &Options) -> Result<Plan, Error> {
    let who = batons::claimant(context);
    let shelf = Shelf::open(context)?;
    let nonce = options.nonce.as_deref();
    let keys = match &options.key {
        Some(key) => vec![shelf.find(Some(key))?],
        None => wanted(context, &shelf, &who, nonce)?,
    };
    let ends = |key: AnyKey| {
        let baton = Baton::of(context.world, &context.home(), &key);
        let claim = nonce.map_or_else(|| baton.own(&who), |nonce| baton.seen(nonce))?;
        Ok(Ends { key, claim })
    };
    Ok(Plan { ends: keys.into_iter().map(ends).collect::<Result<_, Error>>()?, who })
}

/// Lets exactly those batons go.
///
/// # Errors
/// One of them has ended since, or another has it.
pub fn execute(context: &Context, plan: Plan) -> Result<Outcome, Error> {
    let mut outcome = Outcome { released: Vec::new() };
    for Ends { key, claim } in plan.ends {
        let baton = Baton::of(context.world, &context.home(), &key);
        let claim = baton.release_seen(&plan.who, &claim.nonce)?;
        let remote = carried::batons::tell_end(context, &key)?;
        outcome.released.push(Released { key, claim, remote });
    }
    Ok(outcome)
}

/// Without a key: the one whose claim was named, else all that are ours.
fn wanted(
    context: &Context,
    shelf: &Shelf,
    who: &Claimant,
    nonce: Option<&str>,
) -> Result<Vec<AnyKey>, Error> {
    let Standing { mine, others } = batons::standing(context, shelf, false, |holder| holder.may_end(who))?;
    let named = mine.iter().chain(&others).find(|claim| nonce == Some(&claim.nonce));
    match (named, nonce) {
        (Some(claim), _) => Ok(vec![claim.key.clone()]),
        (None, None) if !mine.is_empty() => Ok(mine.into_iter().map(|claim| claim.key).collect()),
        _ if mine.is_empty() && others.is_empty() => Err(Error::NobodyHolds),
        _ => {
            let holders = if mine.is_empty() { others } else { mine };
            Err(Error::Held { wanted: Wanted::Release, holders, now: context.now })
        }
    }
}
