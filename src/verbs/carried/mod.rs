//! Batons and documents at a remote: what the verbs have in common about them.

pub mod batons;
pub mod documents;

use std::time::Duration;

use serde::Serialize;

use super::{Context, Error};
use crate::baton::{Claim, Record, State};
use crate::config::Whereto;
use crate::git::Operation;
use crate::safety::one_line;
use crate::sync::carry::Side;
use crate::sync::carry::memory::Memory;
use crate::sync::{self, remote};
use crate::terms::CommitId;

/// The remote of this repository where batons and documents go.
pub struct Abroad<'c, 'w> {
    context: &'c Context<'w>,
    /// The remote's name.
    pub remote: String,
    /// What is remembered of it.
    pub memory: Memory,
}

impl<'c, 'w> Abroad<'c, 'w> {
    /// The remote that the settings and the branch mean, or the one that was named. `None` where
    /// there is none, or the settings want none; asks no network.
    ///
    /// # Errors
    /// A remote was named, in this call or the settings, that is not there.
    pub fn open(context: &'c Context<'w>, named: Option<&str>) -> Result<Option<Abroad<'c, 'w>>, Error> {
        let settings = &context.config;
        let wanted = match (named, &settings.baton.remote) {
            (Some(named), _) => Some(named.to_owned()),
            (None, Whereto::Off) => return Ok(None),
            (None, Whereto::Named(named)) => Some(named.clone()),
            (None, Whereto::Auto) => settings.sync.remote.clone(),
        };
        let is_named = wanted.is_some();
        let named = wanted.map_or_else(|| of_branch(context), |wanted| Ok(Some(wanted)))?;
        match remote::choose(&context.repository, named.as_deref()) {
            Ok(remote) => {
                let memory = Memory::load(context.repository.git(), &context.home(), &remote)?;
                Ok(Some(Abroad { context, remote, memory }))
            }
            Err(sync::Error::NoRemote { .. }) if !is_named => Ok(None),
            Err(error) => Err(error.into()),
        }
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
