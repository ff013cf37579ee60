//! The batons of one worktree: it has one chain of handovers, so all of them
//! together are held by one session.

use std::path::PathBuf;

use super::lookup::Shelf;
use super::{Context, Error, Identity};
use crate::baton::{self, Baton, BatonError, Claim, Claimant, Found, PassedOn};
use crate::document::{Here, Lineage};
use crate::safety::escape_path;
use crate::sys::lock::{self, Lock, LockError};
use crate::terms::{AnyKey, Key, Seconds};

/// How long a session waits for another that takes or ends a baton.
const PATIENCE: Seconds = Seconds(30);

/// Every baton of the repository that somebody holds.
pub struct Batons {
    found: Vec<Found>,
}

impl Batons {
    /// Looks at all of them.
    pub fn look(context: &Context) -> Result<Batons, Error> {
        Ok(Batons { found: baton::held(context.world, &context.home())? })
    }

    /// Those that were taken with a document of this worktree, or in it with a
    /// document of one that is gone.
    pub fn of<'b>(&'b self, lineage: &'b Lineage, here: &'b Here) -> impl Iterator<Item = &'b Found> {
        self.found.iter().filter(move |(key, claim)| is_of(lineage, here, key, claim.as_ref().ok()))
    }

    /// The same, to be kept.
    pub fn into_those_of(self, lineage: &Lineage, here: &Here) -> Vec<Found> {
        let mut found = self.found;
        found.retain(|(key, claim)| is_of(lineage, here, key, claim.as_ref().ok()));
        found
    }
}

fn is_of(lineage: &Lineage, here: &Here, key: &AnyKey, claim: Option<&Claim>) -> bool {
    let taken_here = claim
        .is_some_and(|claim| claim.who.worktree == escape_path(here.path) && claim.who.host == here.host);
    let document = lineage.get(key).and_then(|entry| entry.worktree.as_ref().zip(entry.host.as_deref()));
    let Some((worktree, host)) = document else { return taken_here };
    // A path that was used again is not the worktree that stood there before.
    let taken_there =
        claim.is_some_and(|claim| claim.who.worktree == worktree.path && claim.who.host == host);
    here.is_of(worktree, Some(host)) || (taken_here && !taken_there)
}

/// The batons of this worktree, as they are to one who asks.
pub struct Standing {
    /// Those that the one who asks holds, by the rule that was asked for.
    pub mine: Vec<Claim>,
    /// Those of others.
    pub others: Vec<Claim>,
}

/// Whoever runs this program, in this worktree.
pub fn claimant(context: &Context) -> Claimant {
    Identity::of(&context.world.environment).at(context.repository.worktree())
}

/// Who holds the batons of this worktree; `is_mine` says which are one's own.
/// Claims that cannot be read are passed over only if `past_damage`, because a
/// person said that the baton is to be taken whoever holds it.
///
/// # Errors
/// [`BatonError::Damaged`]: a claim that cannot be read may be anybody's.
pub fn standing(
    context: &Context,
    shelf: &Shelf,
    past_damage: bool,
    is_mine: impl Fn(&Claimant) -> bool,
) -> Result<Standing, Error> {
    let here = shelf.here();
    let mut standing = Standing { mine: Vec::new(), others: Vec::new() };
    let mut damaged = None;
    for (_, claim) in Batons::look(context)?.into_those_of(shelf.lineage()?, &here) {
        match claim {
            Ok(claim) if is_mine(&claim.who) => standing.mine.push(claim),
            Ok(claim) => standing.others.push(claim),
            Err(BatonError::Damaged { .. }) if past_damage => {}
            Err(error) => damaged = Some(error),
        }
    }
    damaged.map_or(Ok(standing), |error| Err(error.into()))
}

/// Moves the claims of this worktree aside that cannot be read, and that of
/// `key`; what was done, in words. Only where a person said so, and alone.
pub fn put_damaged_aside(
    context: &Context,
    shelf: &Shelf,
    key: Option<&AnyKey>,
) -> Result<Vec<String>, Error> {
    let here = shelf.here();
    let found = Batons::look(context)?.into_those_of(shelf.lineage()?, &here);
    let damaged = found.into_iter().filter(|(_, claim)| matches!(claim, Err(BatonError::Damaged { .. })));
    let mut keys: Vec<AnyKey> = damaged.map(|(key, _)| key).collect();
    keys.extend(key.filter(|key| !keys.contains(key)).cloned());
    let mut aside = Vec::new();
    for key in keys {
        aside.extend(Baton::of(context.world, &context.home(), &key).put_damaged_aside()?);
    }
    Ok(aside
        .iter()
        .map(|path| {
            format!("a claim that cannot be read was moved aside, and is kept: {}", escape_path(path))
        })
        .collect())
}

/// Excludes others for as long as one looks who holds what, and takes or ends
/// it; `None` where the git directory cannot be written, as nobody can then.
///
/// It is a lock of its own: whoever removes a large worktree holds the other one for long,
/// and an agent at its end must not wait for that.
pub fn alone(context: &Context, purpose: &str) -> Result<Option<Lock>, Error> {
    let files = &context.world.files;
    let made = files.ensure_dir(&context.home()).and_then(|()| files.ensure_passing_dir(&chain(context)));
    let taken = made.map_err(LockError::from);
    let taken =
        taken.and_then(|()| lock::acquire(context.world, &chain(context), purpose, PATIENCE, &mut |_| {}));
    match taken {
        Ok(lock) => Ok(Some(lock)),
        Err(LockError::File(error)) if error.is_forbidden() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The folder of that lock.
pub fn chain(context: &Context) -> PathBuf {
    context.home().join("chain")
}

/// Lets a claim go that ends because its session has another one now; what
/// stands in the way, in words.
pub fn let_go(context: &Context, who: &Claimant, claim: &Claim) -> Option<String> {
    let baton = Baton::of(context.world, &context.home(), &claim.key);
    match baton.release_seen(who, &claim.nonce) {
        Ok(_) | Err(BatonError::Moved { holder: None, .. }) => None,
        Err(e) => Some(format!("the end of the baton of {}: {e}", claim.key)),
    }
}

/// Ends a claim of one's own because `successor` follows; what stands in the way, in words.
pub fn pass_on(context: &Context, who: &Claimant, key: &AnyKey, successor: Key) -> Result<PassedOn, String> {
    let baton = Baton::of(context.world, &context.home(), key);
    baton.pass_on(who, successor).map_err(|e| format!("the end of the baton of {key}: {e}"))
}

/// Takes a claim from another, because a person said so, and ends it at once.
pub fn take_and_pass_on(
    context: &Context,
    who: &Claimant,
    claim: &Claim,
    successor: Key,
) -> Result<PassedOn, String> {
    let baton = Baton::of(context.world, &context.home(), &claim.key);
    match baton.take_over(who, &claim.nonce) {
        Ok(_) => pass_on(context, who, &claim.key, successor),
        // Its holder let it go since: that needs no lock.
        Err(BatonError::Moved { holder: None, .. }) => Ok(PassedOn::WasFree),
        Err(e) => Err(format!("the end of the baton of {}: {e}", claim.key)),
    }
}
