//! Fetch, fit, push, until both sides are the same or something says no.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::super::{Context, Error};
use super::fence::Fence;
use super::incoming::{self, Pulled};
use crate::baton::Claim;
use crate::sync::advance::{Moved, advance};
use crate::sync::branch::Move;
use crate::sync::journal::{Journal, Step};
use crate::sync::remote::{self, Answer, Counterpart, Pushed};
use crate::sync::replay::{Replayed, replay};
use crate::sync::stand::Stand;
use crate::sys::lock::Lock;
use crate::sys::{jittered, nonce};
use crate::terms::{AnyKey, CommitId};

/// How often we look again when others are faster.
const TRIES: u32 = 20;

/// How both sides were fitted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "fit", rename_all = "kebab-case")]
pub enum Fit {
    /// The remote was not seen.
    NotSeen,
    /// Nothing of others was new.
    Nothing,
    /// Theirs follows ours.
    FastForward,
    /// Our unpublished commits were put on top of theirs.
    Replayed {
        /// Commits made anew.
        rewritten: usize,
        /// Commits whose changes were there already.
        dropped: usize,
        /// Our tip before; it is kept below `refs/handover/replaced/`.
        before: CommitId,
    },
    /// Both were joined by a merge commit.
    Merged,
    /// Both sides changed the same lines; ours is as it was.
    Conflict {
        /// Our commit that does not fit.
        commit: CommitId,
        /// The files.
        #[serde(serialize_with = "crate::terms::path_text")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
        files: Vec<PathBuf>,
    },
    /// It fits, and files that are not committed here stand in the way.
    InTheWay {
        /// The files.
        #[serde(serialize_with = "crate::terms::path_text")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
        files: Vec<PathBuf>,
    },
    /// It cannot be tried here.
    Impossible {
        /// Why.
        why: String,
    },
}

/// What became of our commits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "sent", rename_all = "kebab-case")]
pub enum Sent {
    /// The remote had them all.
    Nothing,
    /// They are at the remote now.
    Pushed {
        /// How many.
        commits: usize,
    },
    /// They do not fit, and wait at the remote on a branch of their own.
    Parked {
        /// The branch.
        branch: String,
    },
    /// They do not fit, and could not be parked; they are here.
    Kept {
        /// Why they could not be parked.
        why: String,
    },
    /// The remote could not be reached; they are here, and the next sync takes them.
    Offline {
        /// Git's words.
        why: String,
    },
    /// The remote refused them.
    Refused {
        /// Its words.
        why: String,
    },
    /// Another holds the baton by now, and nothing of this push landed on the branch.
    Superseded {
        /// Of which handover.
        key: AnyKey,
        /// Whose it is.
        by: Box<Claim>,
        /// The branch at the remote where ours wait.
        #[serde(skip_serializing_if = "Option::is_none")]
        branch: Option<String>,
        /// Why they could not be parked; they are here.
        #[serde(skip_serializing_if = "Option::is_none")]
        kept: Option<String>,
    },
}

/// What came of the exchange.
pub struct Exchanged {
    pub pulled: Pulled,
    pub fit: Fit,
    pub sent: Sent,
    pub head: CommitId,
    /// True if the remote was heard at all.
    pub heard: bool,
}

/// Exchanges commits with the counterpart; `tip` is where our branch is.
pub fn run<'w>(
    context: &Context<'w>,
    lock: &Lock,
    journal: &mut Journal<'w>,
    stand: &Stand,
    other: &Counterpart,
    tip: CommitId,
    fence: &mut Fence<'_, 'w>,
) -> Result<Exchanged, Error> {
    let mut exchange =
        Exchange { context, lock, journal, stand, other, tip, theirs: None, fit: Fit::NotSeen, fence };
    let sent = exchange.cycle()?;
    let pulled = match &exchange.theirs {
        Some(theirs) if exchange.has_arrived() => incoming::pulled(context, &stand.head, theirs)?,
        _ => Pulled::default(),
    };
    let heard = exchange.fit != Fit::NotSeen;
    Ok(Exchanged { pulled, fit: exchange.fit, sent, head: exchange.tip, heard })
}

struct Exchange<'e, 'f, 'w> {
    context: &'e Context<'w>,
    lock: &'e Lock,
    journal: &'e mut Journal<'w>,
    stand: &'e Stand,
    other: &'e Counterpart,
    /// Where our branch is.
    tip: CommitId,
    /// Where the remote's was when we looked.
    theirs: Option<CommitId>,
    fit: Fit,
    /// The batons of this worktree: no push goes past them.
    fence: &'e mut Fence<'f, 'w>,
}

impl Exchange<'_, '_, '_> {
    /// True if what the others brought is in our branch now.
    fn has_arrived(&self) -> bool {
        matches!(self.fit, Fit::FastForward | Fit::Replayed { .. } | Fit::Merged)
    }

    fn cycle(&mut self) -> Result<Sent, Error> {
        let (world, repository) = (self.context.world, &self.context.repository);
        let history = repository.history();
        for attempt in 0..TRIES {
            self.theirs = match remote::fetch(world, repository, self.other)? {
                Answer::Done(theirs) => theirs,
                Answer::Offline(why) => return Ok(Sent::Offline { why }),
                Answer::Refused(why) => return Ok(Sent::Refused { why }),
            };
            if self.fit == Fit::NotSeen {
                self.fit = Fit::Nothing;
                self.fence.settle()?;
            }
            if let Some(theirs) = self.theirs.clone() {
                if theirs == self.tip {
                    return Ok(Sent::Nothing);
                }
                if history.is_ancestor(&self.tip, &theirs)? {
                    return self.follow(&theirs);
                }
                if self.fence.is_lost() {
                    return self.superseded();
                }
                if !history.is_ancestor(&theirs, &self.tip)?
                    && let Some(sent) = self.fit_to(&theirs)?
                {
                    return Ok(sent);
                }
                if theirs == self.tip {
                    return Ok(Sent::Nothing);
                }
            }
            if let Some(sent) = self.push()? {
                return Ok(sent);
            }
            let pause = Duration::from_millis(20 << attempt.min(5));
            world.clock.pause(jittered(pause, 50));
        }
        Ok(Sent::Offline { why: "others were faster every time".to_owned() })
    }

    /// The remote is ahead: our branch and files follow.
    fn follow(&mut self, theirs: &CommitId) -> Result<Sent, Error> {
        match self.go(theirs, None)? {
            Moved::Done => {
                self.fit = Fit::FastForward;
                self.tip = theirs.clone();
            }
            Moved::InTheWay(files) => self.fit = Fit::InTheWay { files },
        }
        Ok(Sent::Nothing)
    }

    /// Both sides have commits of their own; `None` if ours fit, and are on top now.
    fn fit_to(&mut self, theirs: &CommitId) -> Result<Option<Sent>, Error> {
        let (world, repository) = (self.context.world, &self.context.repository);
        let before = self.tip.clone();
        let stamp = format!(
            "{}-{}",
            self.context.now.utc().format("%Y%m%dT%H%M%SZ"),
            nonce::<2>().unwrap_or_default()
        );
        let (tip, fit) = match replay(world, repository, &self.tip, theirs)? {
            Replayed::Onto { tip, rewritten, dropped } => (tip, Fit::Replayed { rewritten, dropped, before }),
            Replayed::Merged { tip } => (tip, Fit::Merged),
            Replayed::Conflict { commit, files } => {
                self.fit = Fit::Conflict { commit, files };
                return self.park().map(Some);
            }
            Replayed::Impossible { why } => {
                self.fit = Fit::Impossible { why };
                return self.park().map(Some);
            }
        };
        match self.go(&tip, Some(stamp))? {
            Moved::Done => {
                self.fit = fit;
                self.tip = tip;
                Ok(None)
            }
            Moved::InTheWay(files) => {
                self.fit = Fit::InTheWay { files };
                self.park().map(Some)
            }
        }
    }

    /// Moves branch and files, with the intent written down first.
    fn go(&mut self, to: &CommitId, replaces: Option<String>) -> Result<Moved, Error> {
        self.lock.confirm()?;
        let (world, repository) = (self.context.world, &self.context.repository);
        let step =
            Move { branch: self.stand.branch.clone(), old: self.tip.clone(), new: to.clone(), replaces };
        self.journal.step(Step::Move(step.clone()))?;
        let moved = advance(world, repository, &step)?;
        self.journal.step(Step::Begun)?;
        Ok(moved)
    }

    /// Pushes; `None` if somebody was faster.
    fn push(&mut self) -> Result<Option<Sent>, Error> {
        self.lock.confirm()?;
        let (world, repository) = (self.context.world, &self.context.repository);
        let seen = self.theirs.as_ref();
        match self.fence.push(self.other, &self.tip, seen)? {
            _ if self.fence.is_lost() => return self.superseded().map(Some),
            Answer::Done(Pushed::Taken) => {}
            Answer::Done(Pushed::Behind) => return Ok(None),
            Answer::Refused(why) => return Ok(Some(Sent::Refused { why })),
            // The line may have been cut after the remote took it: look again.
            Answer::Offline(why) => match remote::fetch(world, repository, self.other)? {
                Answer::Done(Some(now)) if now == self.tip => {}
                _ => return Ok(Some(Sent::Offline { why })),
            },
        }
        if self.other.is_new_upstream {
            self.remember_upstream()?;
        }
        let commits = match seen {
            Some(seen) => repository.history().divergence(&self.tip, seen)?.ahead,
            None => 0,
        };
        Ok(Some(Sent::Pushed { commits }))
    }

    /// The first push of a branch says where it belongs, as `git push --set-upstream` does.
    fn remember_upstream(&self) -> Result<(), Error> {
        let git = self.context.repository.git();
        let name = |key: &str| format!("branch.{}.{key}", self.stand.branch);
        git.run(&["config", &name("remote"), &self.other.remote])?;
        git.run(&["config", &name("merge"), &format!("refs/heads/{}", self.other.branch)])?;
        git.forget_settings();
        Ok(())
    }

    /// Another holds the baton: ours wait beside the branch, where whoever holds it finds them.
    fn superseded(&mut self) -> Result<Sent, Error> {
        let parked = self.park()?;
        let Some((key, by)) = self.fence.lost.clone() else { return Ok(parked) };
        let (branch, kept) = match parked {
            Sent::Parked { branch } => (Some(branch), None),
            Sent::Kept { why } => (None, Some(why)),
            _ => (None, None),
        };
        Ok(Sent::Superseded { key, by, branch, kept })
    }

    /// Brings commits that do not fit to the remote, on a branch of their own.
    fn park(&mut self) -> Result<Sent, Error> {
        self.lock.confirm()?;
        let (world, repository) = (self.context.world, &self.context.repository);
        let host = world.environment.host_in_names();
        let mut branch = format!("parked/{host}/{}", self.stand.branch);
        let reference = format!("refs/heads/{branch}");
        let listed = repository.git().try_run(&["ls-remote", "--", &self.other.remote, &reference])?;
        let mut seen: Option<CommitId> = None;
        if listed.success() {
            seen = listed.text().split_whitespace().next().and_then(|id| id.parse().ok());
        }
        if seen.as_ref() == Some(&self.tip) {
            return Ok(Sent::Parked { branch });
        }
        let history = repository.history();
        let follows = |old: &CommitId| -> Result<bool, Error> {
            Ok(history.has_commit(old)? && history.is_ancestor(old, &self.tip)?)
        };
        if let Some(old) = &seen
            && !follows(old)?
        {
            // What was parked earlier stays.
            branch = format!("{branch}-{}", nonce::<4>().unwrap_or_default());
            seen = None;
        }
        let reference = format!("refs/heads/{branch}");
        let answer =
            remote::push_to(world, repository, &self.other.remote, &reference, &self.tip, seen.as_ref());
        Ok(match answer? {
            Answer::Done(Pushed::Taken) => Sent::Parked { branch },
            Answer::Done(Pushed::Behind) => Sent::Kept { why: "somebody else parks there now".to_owned() },
            Answer::Offline(why) | Answer::Refused(why) => Sent::Kept { why },
        })
    }
}
