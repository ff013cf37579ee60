//! Batons at a remote: taken after the claim on this machine, and ended after it.

use super::{Abroad, AtRemote};
use crate::baton::{Baton, BatonError, Claim, Record, State};
use crate::document::Store;
use crate::sync::carry::baton::{self as carry, Told, Took, Wish};
use crate::terms::Digest;
use crate::verbs::{Context, Error};

/// What became of a claim at the remote.
pub struct Taken {
    /// How it stands there.
    pub at: AtRemote,
    /// From whom it was taken there, because a person said so.
    pub from: Option<Box<Claim>>,
}

/// Has the remote confirm a claim that stands here. `None` where there is no remote, or none is wanted.
///
/// # Errors
/// [`BatonError::HeldAt`] if another holds it there.
pub fn take(context: &Context, claim: &Claim, take_over: bool) -> Result<Option<Taken>, Error> {
    match Abroad::open(context, None)? {
        Some(mut abroad) => take_at(&mut abroad, claim, take_over).map(Some),
        None => Ok(None),
    }
}

/// The same at a remote.
///
/// # Errors
/// As [`take`].
pub fn take_at(abroad: &mut Abroad, claim: &Claim, take_over: bool) -> Result<Taken, Error> {
    let context = abroad.context;
    let wish =
        Wish { claim, who: &claim.who, document: digest(context, claim), base: abroad.base(), take_over };
    let mut memory = abroad.memory.clone();
    let took = carry::take(&abroad.side(), &mut memory, &wish, context.now)?;
    if memory != abroad.memory {
        memory.save(context.world);
        abroad.memory = memory;
    }
    let remote = abroad.remote.clone();
    let key = &claim.key;
    let not_heard = |why: String| State::Unconfirmed { since: claim.at, why };
    let (state, from) = match took {
        Took::Won { id, value, from } => (State::Confirmed { id, value, at: context.now }, from),
        Took::Unheard(why) => (not_heard(why), None),
        Took::Failed(why) => (not_heard(format!("it refused: {why}")), None),
        Took::Unwanted(why) => (not_heard(format!("it takes no refs of handovers: {why}")), None),
        Took::Held(value) => {
            let holder = Box::new(value.claim);
            let state = State::Lost { to: holder.clone(), at: context.now };
            Record::new(&remote, claim, state).save(context.world, &context.home(), key)?;
            return Err(BatonError::HeldAt { key: key.clone(), remote, holder }.into());
        }
        Took::Strange(strange) => {
            return Err(BatonError::Strange { key: key.clone(), remote, why: strange.0 }.into());
        }
    };
    let record = Record::new(&remote, claim, state);
    record.save(context.world, &context.home(), key)?;
    Ok(Taken { at: AtRemote::of(&record), from })
}

/// Gives a claim back that was taken a moment ago, because the remote says that another holds it.
pub fn give_back(context: &Context, claim: &Claim) -> Option<String> {
    let home = context.home();
    let released = Baton::of(context.world, &home, &claim.key).release_seen(&claim.who, &claim.nonce);
    let forgotten = Record::forget(context.world, &home, &claim.key);
    released
        .err()
        .or(forgotten.err())
        .map(|e| format!("the claim that was taken here could not be given back: {e}"))
}

/// Tells the remote that a claim of this clone has ended: `entry` is what ended it here. What
/// cannot be told now is remembered, and told by the next sync. `None` where the remote never
/// had it.
pub fn end(context: &Context, claim: &Claim, entry: &Claim) -> Result<Option<AtRemote>, Error> {
    let home = context.home();
    let Some(record) = Record::of(&home, claim) else { return Ok(None) };
    let State::Confirmed { id, value, .. } = &record.state else {
        // Nobody there has heard of it, or another has it by now.
        Record::forget(context.world, &home, &claim.key)?;
        return Ok(None);
    };
    // Written down first: a kill on the way leaves something to tell, and not a baton for ever.
    let state = |why: &str| State::Ending {
        id: id.clone(),
        value: value.clone(),
        end: Box::new(entry.clone()),
        why: why.to_owned(),
    };
    let mut ending = Record::new(&record.remote, entry, state("it was not told yet"));
    ending.save(context.world, &home, &claim.key)?;
    let why = match tell(context, &ending)? {
        Told::Done | Told::NotOurs(_) => {
            Record::forget(context.world, &home, &claim.key)?;
            return Ok(None);
        }
        Told::NotYet(why) => why,
    };
    ending.state = state(&why);
    ending.save(context.world, &home, &claim.key)?;
    Ok(Some(AtRemote::of(&ending)))
}

/// Tells the remote of an end that was remembered.
fn tell(context: &Context, record: &Record) -> Result<Told, Error> {
    let State::Ending { id, value, end, .. } = &record.state else { return Ok(Told::Done) };
    match Abroad::open(context, Some(&record.remote)) {
        Ok(Some(abroad)) => Ok(carry::end(&abroad.side(), (id, value), end)?),
        Ok(None) => Ok(Told::Done),
        // The remote has another name by now, or is no more.
        Err(Error::Sync(error)) => Ok(Told::NotYet(error.to_string())),
        Err(error) => Err(error),
    }
}

fn digest(context: &Context, claim: &Claim) -> Option<Digest> {
    Store::new(context.home()).load(&claim.key).ok().flatten()?.digest
}
