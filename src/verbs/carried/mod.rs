//! Batons and documents at a remote: what the verbs have in common about them.

pub mod batons;
pub mod documents;

use std::time::Duration;

use serde::Serialize;

use super::{Context, Error};
use crate::baton::{Baton, Claim, Record, State};
use crate::config::Whereto;
use crate::git::Operation;
use crate::safety::one_line;
use crate::sync::carry::Side;
use crate::sync::carry::memory::Memory;
use crate::sync::{self, remote};
use crate::terms::{AnyKey, CommitId};

/// The remote of this repository where batons and documents go.
pub struct Abroad<'c, 'w> {
    context: &'c Context<'w>,
    /// The remote's name.
    pub remote: String,
    /// What is remembered of it.
    pub memory: Memory,
}

impl<'c, 'w> Abroad<'c, 'w> {
    /// The remote where batons are taken. `None` where there is none, or the settings want none;
    /// asks no network.
    ///
    /// # Errors
    /// The settings name a remote that is not there.
    pub fn of_batons(context: &'c Context<'w>) -> Result<Option<Abroad<'c, 'w>>, Error> {
        match &context.config.baton.remote {
            Whereto::Off => Ok(None),
            _ => Abroad::of_documents(context, None),
        }
    }

    /// The remote of documents, or the one that was named; the same as that of batons, unless
    /// those are off.
    ///
    /// # Errors
    /// A remote was named, in this call or the settings, that is not there.
    pub fn of_documents(
        context: &'c Context<'w>,
        named: Option<&str>,
    ) -> Result<Option<Abroad<'c, 'w>>, Error> {
        let settings = &context.config;
        let wanted = match (named, &settings.baton.remote) {
            (Some(named), _) => Some(named.to_owned()),
            (None, Whereto::Named(named)) => Some(named.clone()),
            (None, Whereto::Auto | Whereto::Off) => settings.sync.remote.clone(),
        };
        if let Some(wanted) = wanted {
            return Abroad::at(context, &wanted).map(Some);
        }
        let of_branch = of_branch(context)?;
        match remote::choose(&context.repository, of_branch.as_deref()) {
            Ok(remote) => Abroad::known(context, remote).map(Some),
            Err(sync::Error::NoRemote { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// A remote by its name.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn at(context: &'c Context<'w>, remote: &str) -> Result<Abroad<'c, 'w>, Error> {
        Abroad::known(context, remote::choose(&context.repository, Some(remote))?)
    }

    fn known(context: &'c Context<'w>, remote: String) -> Result<Abroad<'c, 'w>, Error> {
        let memory = Memory::load(context.repository.git(), &context.home(), &remote)?;
        Ok(Abroad { context, remote, memory })
    }

    /// The remote, to be asked.
    pub fn side(&self) -> Side<'_, 'w> {
        Side {
            world: self.context.world,
            repository: &self.context.repository,
            remote: &self.remote,
            namespace: self.memory.namespace,
            limit: Duration::from_secs(self.context.config.baton.limit.0.max(1)),
        }
    }

    /// Where the branch is.
    fn base(&self) -> Option<CommitId> {
        self.context.repository.history().resolve("HEAD").ok().flatten()
    }
}

/// The remote of the branch that is checked out, if it has one.
fn of_branch(context: &Context) -> Result<Option<String>, Error> {
    let git = context.repository.git();
    let head = git.try_run(&["symbolic-ref", "--quiet", "--short", "HEAD"])?;
    if !head.success() || Operation::in_progress(context.repository.git_dir()).is_some() {
        return Ok(None);
    }
    let name = format!("branch.{}.remote", head.text().trim_end_matches('\n'));
    Ok(git.config(&name)?.filter(|remote| remote != "."))
}

/// How a claim of this clone stands at its remote, as far as this clone knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "word", rename_all = "kebab-case")]
pub enum AtRemote {
    /// The remote has it.
    Confirmed {
        /// Its name.
        remote: String,
    },
    /// The remote was not heard: it is held here alone.
    Unconfirmed {
        /// Its name.
        remote: String,
        /// Why, in words.
        why: String,
    },
    /// Another has it there.
    Lost {
        /// Its name.
        remote: String,
        /// Whose it is.
        to: Box<Claim>,
    },
    /// It has ended here, and the remote has not heard of it yet.
    Ending {
        /// Its name.
        remote: String,
        /// Why it was not told, in words.
        why: String,
    },
}

impl AtRemote {
    /// What a record says.
    pub fn of(record: &Record) -> AtRemote {
        let remote = one_line(&record.remote, 60);
        match &record.state {
            State::Confirmed { .. } => AtRemote::Confirmed { remote },
            State::Unconfirmed { why, .. } => AtRemote::Unconfirmed { remote, why: one_line(why, 200) },
            State::Lost { to, .. } => AtRemote::Lost { remote, to: to.clone() },
            State::Ending { why, .. } => AtRemote::Ending { remote, why: one_line(why, 200) },
        }
    }

    /// What is recorded of a claim; `None` where no remote was ever asked.
    pub fn of_claim(context: &Context, claim: &Claim) -> Option<AtRemote> {
        Record::of(&context.home(), claim).map(|record| AtRemote::of(&record))
    }

    /// In words; nothing where the remote has it as it is here.
    pub fn doubt(&self) -> Option<String> {
        match self {
            AtRemote::Confirmed { .. } => None,
            AtRemote::Unconfirmed { remote, why } => Some(format!(
                "held here alone, unconfirmed: {remote} was not heard ({why}); another machine may take it; to settle it: handover sync"
            )),
            AtRemote::Lost { remote, to } => Some(format!("lost at {remote} to {to}")),
            AtRemote::Ending { remote, why } => Some(format!(
                "ended here, and {remote} has not heard of it ({why}); to tell it: handover sync"
            )),
        }
    }
}

/// What is open about the baton of a handover at the remote, in words; asks no network.
pub fn doubt(context: &Context, key: &AnyKey) -> Option<String> {
    let record = Record::load(&context.home(), key)?;
    let held = Baton::of(context.world, &context.home(), key).holder().ok().flatten();
    let is_of_now = match &record.state {
        State::Ending { .. } => held.is_none(),
        _ => held.is_some_and(|claim| claim.nonce == record.nonce),
    };
    let doubt = AtRemote::of(&record).doubt().filter(|_| is_of_now)?;
    Some(format!("its baton is {doubt}"))
}
