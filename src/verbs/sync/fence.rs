//! The batons of the worktree around a push: whoever lost one pushes nothing onto the branch.

use serde::Serialize;

use super::super::batons::Batons;
use super::super::carried::documents::{self, Published};
use super::super::carried::{Abroad, AtRemote, batons};
use super::super::lookup::Shelf;
use super::super::{Context, Error};
use crate::baton::{BatonError, Claim, Record, State, There};
use crate::safety::one_line;
use crate::sync::carry::baton::{self as carry, Manner, Seen};
use crate::sync::carry::push::{Fenced, Said, Update};
use crate::sync::remote::{self, Answer, Counterpart, Pushed};
use crate::terms::{AnyKey, CommitId, Key};

/// What was settled about a baton.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settled {
    /// Of which handover.
    pub key: AnyKey,
    /// How it stands at the remote; left out if its end was told there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<AtRemote>,
}

/// The batons of a worktree at the remote of its branch.
pub struct Fence<'c, 'w> {
    context: &'c Context<'w>,
    /// Where batons are, if they are anywhere but here.
    abroad: Option<Abroad<'c, 'w>>,
    /// The claims that stand here.
    claims: Vec<Claim>,
    /// Those of them that the remote of the branch has, and what it has.
    held: Vec<(Claim, There)>,
    /// The first one that another has, and whose it is.
    pub lost: Option<(AnyKey, Box<Claim>)>,
    /// What was settled.
    pub settled: Vec<Settled>,
    /// Other remarks.
    pub notes: Vec<String>,
    /// The remote of the branch.
    remote: String,
}

impl<'c, 'w> Fence<'c, 'w> {
    /// Looks what this worktree holds; asks no network.
    ///
    /// # Errors
    /// The batons cannot be listed, or the settings name a remote that is not there.
    pub fn of(context: &'c Context<'w>, remote: &str) -> Result<Fence<'c, 'w>, Error> {
        let abroad = Abroad::of_batons(context)?;
        let shelf = Shelf::open(context)?;
        let found = Batons::look(context)?.into_those_of(shelf.lineage()?, &shelf.here());
        let claims = found.into_iter().filter_map(|(_, claim)| claim.ok()).collect();
        Ok(Fence {
            context,
            abroad,
            claims,
            held: Vec::new(),
            lost: None,
            settled: Vec::new(),
            notes: Vec::new(),
            remote: remote.to_owned(),
        })
    }

    /// True if another has a baton of this worktree.
    pub fn is_lost(&self) -> bool {
        self.lost.is_some()
    }

    /// Tells the remote what ended here, and has it confirm what it has not heard of. Where another
    /// has the baton, that is found here, before anything is pushed.
    ///
    /// # Errors
    /// What is known of a baton cannot be read or written.
    pub fn settle(&mut self) -> Result<(), Error> {
        if self.abroad.is_none() {
            return Ok(());
        }
        let home = self.context.home();
        for (key, before) in Record::all(&home) {
            let is_ending = matches!(before.state, State::Ending { .. });
            let at = batons::tell_end(self.context, &key)?;
            if at.is_some() || is_ending && Record::load(&home, &key).is_none() {
                self.settled.push(Settled { key, at });
            }
        }
        for claim in self.claims.clone() {
            self.settle_one(&claim)?;
        }
        Ok(())
    }

    fn settle_one(&mut self, claim: &Claim) -> Result<(), Error> {
        let Some(abroad) = &mut self.abroad else { return Ok(()) };
        let home = self.context.home();
        let record = Record::of(&home, claim).filter(|record| record.remote == abroad.remote);
        if let Some(State::Confirmed { there, .. }) = record.map(|record| record.state) {
            if abroad.remote == self.remote {
                self.held.push((claim.clone(), *there));
            }
            return Ok(());
        }
        let key = claim.key.clone();
        match batons::take_at(abroad, claim, Manner::Confirm) {
            Ok(taken) => {
                let is_here = abroad.remote == self.remote;
                if let Some(State::Confirmed { there, .. }) =
                    Record::of(&home, claim).map(|record| record.state).filter(|_| is_here)
                {
                    self.held.push((claim.clone(), *there));
                }
                self.settled.push(Settled { key, at: Some(taken.at) });
            }
            Err(Error::Baton(BatonError::HeldAt { remote, holder, .. })) => {
                self.lose(key, holder, remote);
            }
            Err(Error::Baton(error @ BatonError::Strange { .. })) => {
                self.notes.push(error.to_string());
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    fn lose(&mut self, key: AnyKey, to: Box<Claim>, remote: String) {
        let remote = one_line(&remote, 60);
        self.settled.push(Settled { key: key.clone(), at: Some(AtRemote::Lost { remote, to: to.clone() }) });
        self.lost.get_or_insert((key, to));
    }

    /// Pushes a commit to the counterpart, if that is still at `seen`, and if the remote still has
    /// what this worktree holds: branch and batons go as one. Whether a baton was lost is to be
    /// asked first ([`Fence::is_lost`]).
    ///
    /// A remote that cannot take several refs as one gets the batons first, alone: who has lost one
    /// stops there. Only a baton that is taken over between the two pushes goes unseen then, and
    /// that is said.
    ///
    /// # Errors
    /// Git could not be run, or what is known of a baton not be written.
    pub fn push(
        &mut self,
        other: &Counterpart,
        tip: &CommitId,
        seen: Option<&CommitId>,
    ) -> Result<Answer<Pushed>, Error> {
        let (world, repository) = (self.context.world, &self.context.repository);
        let Some(abroad) = self.abroad.as_mut().filter(|_| !self.held.is_empty()) else {
            return Ok(remote::push(world, repository, other, tip, seen)?);
        };
        let mut updates = Vec::new();
        let mut next = Vec::new();
        for (_, there) in &self.held {
            let (update, value) = carry::renewal(&abroad.side(), there)?;
            next.push(There { id: update.to.clone(), value });
            updates.push(update);
        }
        let work = Update { reference: other.reference(), to: tip.clone(), seen: seen.cloned() };
        if !abroad.memory.not_atomic {
            match abroad.side().push_fenced(&work, &updates)? {
                Fenced::Taken => {
                    self.renewed(next)?;
                    return Ok(Answer::Done(Pushed::Taken));
                }
                Fenced::Not(said, answer) => return self.look_again(next, said, answer),
                Fenced::NotAtomic => {
                    abroad.memory.not_atomic = true;
                    abroad.memory.save(world);
                }
            }
        }
        self.notes.push(format!(
            "{} cannot take several refs as one: the baton was pushed before the work, and a take-over in between goes unseen",
            one_line(&abroad.remote, 60)
        ));
        let said = match abroad.side().push(&updates)? {
            Answer::Done(said) => said,
            Answer::Offline(why) => return self.look_again(next, None, Answer::Offline(why)),
            Answer::Refused(why) => return self.look_again(next, None, Answer::Refused(why)),
        };
        if said.iter().any(|said| *said != Said::Taken) {
            return self.look_again(next, None, Answer::Done(()));
        }
        self.renewed(next)?;
        Ok(remote::push(world, repository, other, tip, seen)?)
    }

    /// The remote has these.
    fn renewed(&mut self, next: Vec<There>) -> Result<(), Error> {
        for ((claim, there), next) in self.held.iter_mut().zip(next) {
            *there = next;
            let state = State::Confirmed { there: Box::new(there.clone()), at: self.context.now };
            let record = Record::new(&self.remote, claim, state);
            record.save(self.context.world, &self.context.home(), &claim.key)?;
        }
        Ok(())
    }

    /// What became of a push that did not plainly succeed: what the remote has counts.
    fn look_again(
        &mut self,
        next: Vec<There>,
        said: Option<Said>,
        answer: Answer<()>,
    ) -> Result<Answer<Pushed>, Error> {
        let mut landed = true;
        let mut gone = Vec::new();
        for at in 0..self.held.len() {
            let (Some(abroad), Some((claim, there)), Some(pushed)) =
                (&self.abroad, self.held.get_mut(at), next.get(at))
            else {
                continue;
            };
            match carry::look(&abroad.side(), &claim.key)? {
                Seen::There(id, _) if id == pushed.id => *there = pushed.clone(),
                Seen::There(id, value) if value.is_of(claim) => {
                    // As it was, or pushed anew by another run of ours.
                    landed = false;
                    *there = There { id, value: *value };
                }
                Seen::There(_, value) => {
                    let (key, to) = (claim.key.clone(), Box::new(value.claim));
                    let state = State::Lost { to: to.clone(), at: self.context.now };
                    let record = Record::new(&self.remote, claim, state);
                    record.save(self.context.world, &self.context.home(), &key)?;
                    let remote = self.remote.clone();
                    self.lose(key, to, remote);
                    return Ok(Answer::Done(Pushed::Behind));
                }
                Seen::Gone => gone.push(claim.clone()),
                Seen::Strange(strange) => {
                    return Ok(Answer::Refused(format!("what it holds as our baton is none: {strange}")));
                }
                Seen::Unheard(why) => return Ok(Answer::Offline(why)),
            }
        }
        if !gone.is_empty() {
            // Somebody deleted the ref: it is taken anew, and the push tried again.
            self.held.retain(|(claim, _)| !gone.contains(claim));
            for claim in gone {
                Record::forget(self.context.world, &self.context.home(), &claim.key)?;
                self.settle_one(&claim)?;
            }
            return Ok(Answer::Done(Pushed::Behind));
        }
        let now = self.held.iter().map(|(_, there)| there.clone()).collect();
        self.renewed(now)?;
        Ok(match (landed, said, answer) {
            (true, ..) => Answer::Done(Pushed::Taken),
            (false, Some(Said::Refused(why)), _) if !why.contains("atomic") => Answer::Refused(why),
            (false, Some(_), _) | (false, None, Answer::Done(())) => Answer::Done(Pushed::Behind),
            (false, None, Answer::Offline(why)) => Answer::Offline(why),
            (false, None, Answer::Refused(why)) => Answer::Refused(why),
        })
    }
}

/// Forgets what is remembered of the remote of batons and documents: it is found out anew.
///
/// # Errors
/// It could not be deleted.
pub fn ask_again(context: &Context) -> Result<(), Error> {
    if let Some(abroad) = Abroad::of_documents(context, None)? {
        abroad.memory.forget(context.world)?;
    }
    Ok(())
}

/// Publishes the handovers of this worktree that the remote does not have; `None` if there was
/// nothing to do. Those of other worktrees travel with their own sync.
///
/// # Errors
/// The documents cannot be read.
pub fn publish(context: &Context) -> Result<Option<Published>, Error> {
    if !context.config.sync.handovers {
        return Ok(None);
    }
    let Some(mut abroad) = Abroad::of_documents(context, None)? else { return Ok(None) };
    // A remote that wants none has said so once.
    if abroad.memory.refuses.is_some() {
        return Ok(None);
    }
    let shelf = Shelf::open(context)?;
    let here = shelf.here();
    let entries = shelf.lineage()?.of_worktree(&here);
    let entries = entries.filter(|entry| !entry.is_archived && entry.problem.is_none());
    let keys: Vec<Key> = entries.filter_map(|entry| entry.key.proving()).collect();
    let published = documents::publish(&mut abroad, &keys)?;
    let is_nothing = published.new.is_empty() && published.not.is_empty() && published.offline.is_none();
    Ok((!is_nothing).then_some(published))
}
