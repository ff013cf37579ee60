//! The baton of a handover at a remote: taken by one push, settled by looking.

use crate::baton::{Claim, Claimant, Kind as ClaimKind, There, Value};
use crate::safety::one_line;
use crate::sys::{FileError, nonce};
use crate::terms::{AnyKey, CommitId, Digest, Time};

use super::super::Error;
use super::super::remote::Answer;
use super::memory::Memory;
use super::parcel::{Opened, Strange, pack};
use super::push::{Said, Update};
use super::{Kind, Namespace, Side};

/// How often we try again where others hold the lock of the ref, or are faster.
const TRIES: u32 = 16;

/// A claim of this clone that the remote is to have.
pub struct Wish<'a> {
    /// The claim, as it stands here.
    pub claim: &'a Claim,
    /// Whoever made it.
    pub who: &'a Claimant,
    /// The full digest of the document.
    pub document: Option<Digest>,
    /// Where the branch is.
    pub base: Option<CommitId>,
    /// What this clone put there for this claim, or for one that has ended here since.
    pub known: Option<There>,
    /// Whose claim may be followed.
    pub manner: Manner,
}

/// Whose claim may be followed by ours, besides one that was let go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// That of whoever is seen to hold it, because a person said so; one that was passed on, too.
    TakeOver,
    /// One that was passed on: somebody asks for this handover by its key.
    Resume,
    /// No other: a claim of this machine is to be confirmed, and work went on elsewhere since
    /// if it was passed on.
    Confirm,
}

/// What came of taking a baton at a remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Took {
    /// The remote has ours.
    Won {
        /// The object there.
        id: CommitId,
        /// What it says.
        value: Box<Value>,
        /// From whom it was taken, because a person said so.
        from: Option<Box<Claim>>,
        /// What was there before it, if that had ended.
        after: Option<Box<Claim>>,
    },
    /// Another holds it there.
    Held(Box<Value>),
    /// The remote could not be reached.
    Unheard(String),
    /// The remote takes no such refs.
    Unwanted(String),
    /// The remote said no to us altogether, or git failed.
    Failed(String),
    /// The ref holds something else than a baton.
    Strange(Strange),
}

/// What came of telling a remote that a baton has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// It knows.
    Done,
    /// Another has it, or nobody: there is nothing to end any more.
    NotOurs(Option<Box<Value>>),
    /// It could not be told; why.
    NotYet(String),
}

/// What a look at the ref of a baton found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// This.
    There(CommitId, Box<Value>),
    /// Nothing.
    Gone,
    /// Something that is no baton.
    Strange(Strange),
    /// The remote could not be asked.
    Unheard(String),
}

/// Takes a baton at the remote: one push, if it is free.
///
/// Of all who try exactly one wins: the remote makes or changes the ref only if it has the value
/// that was seen. Where it wants no refs of ours, branches are tried once, and remembered.
///
/// # Errors
/// Git could not be run, or an object not be written.
pub fn take(side: &Side, memory: &mut Memory, wish: &Wish, now: Time) -> Result<Took, Error> {
    if let Some((why, _)) = &memory.refuses {
        return Ok(Took::Unwanted(why.clone()));
    }
    let side = side.below(memory.namespace);
    let took = take_below(&side, wish)?;
    let Took::Unwanted(why) = took else { return Ok(took) };
    if memory.namespace == Namespace::Own {
        match take_below(&side.below(Namespace::Branches), wish)? {
            Took::Unwanted(_) => {}
            took @ (Took::Won { .. } | Took::Held(_)) => {
                memory.namespace = Namespace::Branches;
                return Ok(took);
            }
            took => return Ok(took),
        }
    }
    memory.refuses = Some((one_line(&why, 300), now));
    Ok(Took::Unwanted(why))
}

fn take_below(side: &Side, wish: &Wish) -> Result<Took, Error> {
    let key = &wish.claim.key;
    let reference = side.namespace.reference(Kind::Baton, key);
    let first = Value::new(wish.claim, wish.document, wish.base.clone(), tick()?);
    let mut before: Option<There> = wish.known.clone();
    let mut from: Option<Box<Claim>> = None;
    for attempt in 0..TRIES {
        let value = match &before {
            Some(before) if before.value.is_of(wish.claim) => before.value.renewed(tick()?),
            Some(before) => first.clone().after(&before.value),
            None => first.clone(),
        };
        let ended = before.as_ref().map(|there| &there.value.claim).filter(|claim| !claim.holds());
        let after = ended.map(|claim| Box::new(claim.clone()));
        let id = write(side, key, &value)?;
        let seen = before.as_ref().map(|there| there.id.clone());
        let update = Update { reference: reference.clone(), to: id.clone(), seen: seen.clone() };
        let no = match side.push(&[update])? {
            Answer::Done(said) => match said.into_iter().next() {
                Some(Said::Taken) => return Ok(Took::Won { id, value: Box::new(value), from, after }),
                Some(Said::Refused(why)) => Some(Took::Unwanted(why)),
                _ => None,
            },
            Answer::Offline(why) => Some(Took::Unheard(why)),
            Answer::Refused(why) => Some(Took::Failed(why)),
        };
        // Where nobody was reached, nothing can have been taken; looking would wait as long again.
        if let Some(Took::Unheard(why)) = &no
            && never_reached(why)
        {
            return Ok(Took::Unheard(why.clone()));
        }
        // Whatever it said: what is there counts. The line may have been cut after it was taken.
        let there = match side.value(&reference)? {
            Answer::Done(there) => there,
            Answer::Offline(why) => return Ok(no.unwrap_or(Took::Unheard(why))),
            Answer::Refused(why) => return Ok(no.unwrap_or(Took::Failed(why))),
        };
        match (there, no) {
            (Some(there), _) if there == id => {
                return Ok(Took::Won { id, value: Box::new(value), from, after });
            }
            (None, Some(no @ (Took::Unwanted(_) | Took::Failed(_)))) => return Ok(no),
            (None, _) => (before, from) = (None, None),
            (Some(there), no) if Some(&there) == seen.as_ref() => {
                if let Some(no @ (Took::Unwanted(_) | Took::Failed(_))) = no {
                    return Ok(no);
                }
            }
            // What is there now; it may be another value than a moment ago.
            (Some(_), _) => match look(side, key)? {
                Seen::Gone => (before, from) = (None, None),
                Seen::Unheard(why) => return Ok(Took::Unheard(why)),
                Seen::Strange(strange) => return Ok(Took::Strange(strange)),
                Seen::There(id, value) if value.is_of(wish.claim) => {
                    return Ok(Took::Won { id, value, from, after });
                }
                Seen::There(id, value) => {
                    let is_held = value.is_held_against(wish.who);
                    let may = match wish.manner {
                        // Only the holder who was seen is taken over, and not whoever was faster.
                        Manner::TakeOver => !is_held || from.is_none(),
                        Manner::Resume => !is_held,
                        Manner::Confirm => !is_held && value.claim.kind != ClaimKind::PassedOn,
                    };
                    if !may {
                        return Ok(Took::Held(value));
                    }
                    from = is_held.then(|| Box::new(value.claim.clone()));
                    before = Some(There { id, value: *value });
                    continue;
                }
            },
        }
        side.pause(attempt);
    }
    Ok(Took::Unheard("others were faster every time".to_owned()))
}

/// Tells the remote that a claim has ended: its ref then holds the entry that ended it, so that
/// everybody can read who let it go, and what follows.
///
/// # Errors
/// Git could not be run, or an object not be written.
pub fn end(side: &Side, held: &There, entry: &Claim) -> Result<Told, Error> {
    let key = &entry.key;
    let reference = side.namespace.reference(Kind::Baton, key);
    let (mut seen, mut value) = (held.id.clone(), held.value.clone());
    for attempt in 0..TRIES {
        let last = Value::new(entry, value.document, value.base.clone(), tick()?).after(&value);
        let id = write(side, key, &last)?;
        let update = Update { reference: reference.clone(), to: id, seen: Some(seen.clone()) };
        let words = match side.push(&[update])? {
            Answer::Done(said) => match said.into_iter().next() {
                Some(Said::Taken) => return Ok(Told::Done),
                Some(Said::Refused(why)) => Some(why),
                _ => None,
            },
            Answer::Offline(why) | Answer::Refused(why) => Some(why),
        };
        match look(side, key)? {
            Seen::There(_, now) if now.is_of(entry) => return Ok(Told::Done),
            Seen::There(id, now) if now.is_of(&held.value.claim) => {
                if let Some(why) = words.filter(|_| id == seen) {
                    return Ok(Told::NotYet(why));
                }
                // Another worktree of ours has pushed it anew.
                (seen, value) = (id, *now);
            }
            Seen::There(_, value) => return Ok(Told::NotOurs(Some(value))),
            Seen::Gone => return Ok(Told::NotOurs(None)),
            Seen::Strange(strange) => return Ok(Told::NotYet(strange.to_string())),
            Seen::Unheard(why) => return Ok(Told::NotYet(words.unwrap_or(why))),
        }
        side.pause(attempt);
    }
    Ok(Told::NotYet("others were faster every time".to_owned()))
}

/// Looks what the ref of a baton holds at the remote.
///
/// # Errors
/// Git could not be run, or nothing be written.
pub fn look(side: &Side, key: &AnyKey) -> Result<Seen, Error> {
    let reference = side.namespace.reference(Kind::Baton, key);
    for attempt in 0..TRIES {
        let id = match side.value(&reference)? {
            Answer::Done(Some(id)) => id,
            Answer::Done(None) => return Ok(Seen::Gone),
            Answer::Offline(why) | Answer::Refused(why) => return Ok(Seen::Unheard(why)),
        };
        match side.open(&reference, &id, Value::FILE, Value::MOST)? {
            Answer::Done(Opened::File(bytes)) => {
                return Ok(match Value::read(&bytes, key) {
                    Ok(value) => Seen::There(id, Box::new(value)),
                    Err(why) => Seen::Strange(Strange(why)),
                });
            }
            Answer::Done(Opened::Strange(strange)) => return Ok(Seen::Strange(strange)),
            // It moved between the two questions.
            Answer::Done(Opened::Moved) => side.pause(attempt),
            Answer::Offline(why) | Answer::Refused(why) => return Ok(Seen::Unheard(why)),
        }
    }
    Ok(Seen::Unheard("it changed hands every time".to_owned()))
}

/// A claim that the remote has, pushed anew: what the fence around a push of work is made of.
///
/// # Errors
/// The object could not be written.
pub fn renewal(side: &Side, there: &There) -> Result<(Update, Value), Error> {
    let key = &there.value.claim.key;
    let next = there.value.renewed(tick()?);
    let to = write(side, key, &next)?;
    let reference = side.namespace.reference(Kind::Baton, key);
    Ok((Update { reference, to, seen: Some(there.id.clone()) }, next))
}

fn write(side: &Side, key: &AnyKey, value: &Value) -> Result<CommitId, Error> {
    let failed = |e| FileError::new("write", Value::FILE.as_ref(), std::io::Error::other(e));
    let line = value.line().map_err(failed)?;
    let subject = format!("baton of {key}");
    Ok(pack(side.repository.git(), Value::FILE, line.as_bytes(), &subject, value.claim.at)?)
}

fn tick() -> Result<String, Error> {
    Ok(nonce::<8>().map_err(|e| FileError::new("read", "/dev/urandom".as_ref(), e))?)
}

/// True if the words say that no connection came about at all (ssh(1), libcurl, git's own
/// transports). Who is in doubt is asked again: a claim that was taken all the same is found
/// to be ours by the next look.
fn never_reached(why: &str) -> bool {
    let signs = [
        "Could not resolve host",
        "Temporary failure in name resolution",
        "Name or service not known",
        "ssh: connect to host",
        "Connection refused",
        "No route to host",
        "Network is unreachable",
        "Failed to connect",
        "unable to connect",
    ];
    signs.iter().any(|sign| why.contains(sign))
}
