//! Batons at a remote: taken after the claim on this machine, and ended after it.

use super::{Abroad, AtRemote};
use crate::baton::{Baton, BatonError, Claim, Kind, Record, State, There};
use crate::document::Store;
use crate::safety::one_line;
use crate::sync::carry::baton::{self as carry, Manner, Told, Took, Wish};
use crate::terms::{AnyKey, Digest};
use crate::verbs::{Context, Error};

/// What became of a claim at the remote.
pub struct Taken {
    /// How it stands there.
    pub at: AtRemote,
    /// From whom it was taken there, because a person said so.
    pub from: Option<Box<Claim>>,
    /// What follows the handover, if its baton was passed on there.
    pub passed_on: Option<Box<Claim>>,
}

/// Has the remote confirm a claim that stands here. `None` where there is no remote, or none is wanted.
///
/// # Errors
/// [`BatonError::HeldAt`] if another holds it there.
pub fn take(context: &Context, claim: &Claim, manner: Manner) -> Result<Option<Taken>, Error> {
    match Abroad::of_batons(context)? {
        Some(mut abroad) => take_at(&mut abroad, claim, manner).map(Some),
        None => Ok(None),
    }
}

/// The same at a remote.
///
/// # Errors
/// As [`take`].
pub fn take_at(abroad: &mut Abroad, claim: &Claim, manner: Manner) -> Result<Taken, Error> {
    let context = abroad.context;
    let (home, key) = (context.home(), &claim.key);
    let remote = abroad.remote.clone();
    let before = Record::load(&home, key).filter(|record| record.remote == remote);
    let known = before.as_ref().and_then(Record::there).cloned();
    let over = known.clone().map(Box::new);
    let wish =
        Wish { claim, who: &claim.who, document: digest(context, key), base: abroad.base(), known, manner };
    let mut memory = abroad.memory.clone();
    let took = carry::take(&abroad.side(), &mut memory, &wish, context.now)?;
    if memory != abroad.memory {
        memory.save(context.world);
        abroad.memory = memory;
    }
    let not_heard = |why: String| State::Unconfirmed { since: claim.at, why: one_line(&why, 300), over };
    let (mut from, mut passed_on) = (None, None);
    let state = match took {
        Took::Won { id, value, from: holder, after } => {
            from = holder;
            passed_on = after.filter(|claim| claim.kind == Kind::PassedOn);
            State::Confirmed { there: Box::new(There { id, value: *value }), at: context.now }
        }
        Took::Unheard(why) => not_heard(why),
        Took::Failed(why) => not_heard(format!("it refused: {why}")),
        Took::Unwanted(why) => not_heard(format!("it takes no refs of handovers: {why}")),
        Took::Held(value) => {
            let holder = Box::new(value.claim);
            let state = State::Lost { to: holder.clone(), at: context.now };
            Record::new(&remote, claim, state).save(context.world, &home, key)?;
            return Err(BatonError::HeldAt { key: key.clone(), remote, holder }.into());
        }
        Took::Strange(strange) => {
            return Err(BatonError::Strange { key: key.clone(), remote, why: strange.0 }.into());
        }
    };
    let record = Record::new(&remote, claim, state);
    record.save(context.world, &home, key)?;
    Ok(Taken { at: AtRemote::of(&record), from, passed_on })
}

/// Gives a claim back that was taken here a moment ago, because another holds it at the remote.
pub fn give_back(context: &Context, claim: &Claim) {
    let home = context.home();
    // Whoever took it from us meanwhile keeps it.
    let _ = Baton::of(context.world, &home, &claim.key).release_seen(&claim.who, &claim.nonce);
    let _ = Record::forget(context.world, &home, &claim.key);
}

/// Tells the remote that a baton of this clone has ended here, if it knows of it. What cannot be
/// told now is remembered and told by the next sync. `None` if there is nothing left to tell.
///
/// # Errors
/// What is known of it cannot be read or written.
pub fn tell_end(context: &Context, key: &AnyKey) -> Result<Option<AtRemote>, Error> {
    let (world, home) = (context.world, context.home());
    let Some(record) = Record::load(&home, key) else { return Ok(None) };
    let history = Baton::of(world, &home, key).history()?;
    // Somebody of this clone holds it again: whoever takes it there follows what is there.
    let Some(entry) = history.last().filter(|last| !last.holds()) else { return Ok(None) };
    let Some(there) = record.there().cloned() else {
        // Nobody there has heard of it, or another has it by now.
        Record::forget(world, &home, key)?;
        return Ok(None);
    };
    // Written down first: a kill on the way leaves something to tell, and not a baton for ever.
    let ending = |why: &str| {
        let (there, end) = (Box::new(there.clone()), Box::new(entry.clone()));
        Record::new(&record.remote, entry, State::Ending { there, end, why: one_line(why, 300) })
    };
    ending("it was not told yet").save(world, &home, key)?;
    let why = match Abroad::at(context, &record.remote) {
        Ok(abroad) => match carry::end(&abroad.side(), &there, entry)? {
            Told::Done | Told::NotOurs(_) => {
                Record::forget(world, &home, key)?;
                return Ok(None);
            }
            Told::NotYet(why) => why,
        },
        // The remote has another name by now, or is no more.
        Err(Error::Sync(error)) => error.to_string(),
        Err(error) => return Err(error),
    };
    let ending = ending(&why);
    ending.save(world, &home, key)?;
    Ok(Some(AtRemote::of(&ending)))
}

/// The same after a claim was let go, in words for people; an end that was told says nothing.
pub fn told_in_words(context: &Context, key: &AnyKey) -> Option<String> {
    match tell_end(context, key) {
        Ok(at) => at.as_ref().and_then(AtRemote::doubt).map(|doubt| format!("the baton of {key} is {doubt}")),
        Err(error) => Some(format!("the remote was not told of the end of the baton of {key}: {error}")),
    }
}

fn digest(context: &Context, key: &AnyKey) -> Option<Digest> {
    Store::new(context.home()).load(key).ok().flatten()?.digest
}
