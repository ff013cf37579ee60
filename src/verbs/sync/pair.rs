//! Two branches brought to the same commit, here and at the remote: `sync --pair`.

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::fence::Fence;
use super::{PATIENCE, counterpart, lock_home, recover, wait_for_git};
use crate::git;
use crate::sync::advance::{Moved, advance};
use crate::sync::branch::{Move, backup_name};
use crate::sync::journal::{Journal, Step};
use crate::sync::pair::{Joined, join};
use crate::sync::remote::{self, Answer, Counterpart, Pushed};
use crate::sync::stand::{self, Stand};
use crate::sys::jittered;
use crate::sys::lock::{self, Holder, Lock};
use crate::terms::CommitId;
use crate::verbs::{Context, Error};

/// How often we look again when others are faster.
const TRIES: u32 = 20;

/// What a sync of a pair did.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The remote.
    pub remote: String,
    /// The branches: the one that people work on, then that of the machine.
    pub branches: [String; 2],
    /// What came of it.
    pub end: End,
    /// Where our own branches are now, and why one was left alone.
    pub here: Vec<Here>,
}

impl Outcome {
    /// True if one of our own branches did not follow.
    pub fn is_held_up(&self) -> bool {
        self.here.iter().any(|here| !matches!(here.what, What::AsItWas | What::Moved))
    }
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum End {
    /// Both branches are at this commit at the remote.
    Same {
        /// The commit.
        tip: CommitId,
        /// True if it is a merge commit that was made now.
        merged: bool,
        /// The branches that were pushed.
        pushed: Vec<String>,
    },
    /// Both changed the same lines; nothing has changed anywhere.
    Conflict {
        /// The files.
        #[serde(serialize_with = "crate::terms::path_text")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
        files: Vec<PathBuf>,
    },
    /// It cannot be done; nothing has changed at the remote.
    Impossible {
        /// Why.
        why: String,
    },
    /// The remote cannot be reached.
    Offline {
        /// Git's words.
        why: String,
    },
    /// The remote does not take a branch.
    Refused {
        /// Its words.
        why: String,
    },
}

/// One of our own branches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Here {
    /// The branch.
    pub branch: String,
    /// What became of it.
    #[serde(flatten)]
    pub what: What,
}

/// What became of one of our own branches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "here", rename_all = "kebab-case")]
pub enum What {
    /// It is not here, or was there already.
    AsItWas,
    /// It went to the commit, with its files if it is checked out here.
    Moved,
    /// It is checked out in another worktree, and was left alone.
    Elsewhere {
        /// The worktree.
        #[serde(serialize_with = "crate::terms::path_text")]
        #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
        worktree: PathBuf,
    },
    /// Files that are not committed stand in the way.
    InTheWay {
        /// The files.
        #[serde(serialize_with = "crate::terms::path_text")]
        #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
        files: Vec<PathBuf>,
    },
    /// Somebody moved it meanwhile, and it was left alone.
    MovedByOthers,
}

/// One branch of the pair as it is seen.
struct Side {
    name: String,
    other: Counterpart,
    here: Option<CommitId>,
    there: Option<CommitId>,
}

/// Which pair is meant: the one of the settings that holds the branch that is checked out, else the
/// only one.
///
/// # Errors
/// The settings name none, or several of which none fits.
pub fn which(context: &Context, branch: &str) -> Result<[String; 2], Error> {
    let pairs = &context.config.sync.pairs;
    let usage = |what: &str| Error::Usage {
        what: what.to_owned(),
        hint: "name it in the settings: sync: {pairs: [[main, gpu-validation]]}".to_owned(),
    };
    let of_branch: Vec<&[String; 2]> =
        pairs.iter().filter(|pair| pair.iter().any(|name| name == branch)).collect();
    let found = match (of_branch.as_slice(), pairs.as_slice()) {
        ([only], _) => (*only).clone(),
        ([], [only]) => only.clone(),
        (_, []) => return Err(usage("the settings name no pair of branches")),
        _ => {
            return Err(usage(
                "the settings name several pairs, and the branch that is checked out does not tell which",
            ));
        }
    };
    if found[0] == found[1] || found.iter().any(|name| name.starts_with('-') || !git::is_branch_name(name)) {
        return Err(usage("a pair is two names of branches"));
    }
    Ok(found)
}

/// Fetches both branches, joins them, and pushes both; then our own follow.
///
/// # Errors
/// A state from which nobody may go on, or the lock is held.
pub fn execute(
    context: &Context,
    named: Option<&str>,
    on_wait: &mut dyn FnMut(&Holder),
) -> Result<Outcome, Error> {
    let lock = lock::acquire(context.world, &lock_home(context), "sync", PATIENCE, on_wait)?;
    recover(context, &lock)?;
    wait_for_git(context)?;
    let stand = stand::look(&context.repository)?;
    let branches = which(context, &stand.branch)?;
    let options = super::Options { remote: named.map(str::to_owned), ..super::Options::default() };
    let remote = counterpart(context, &options, &stand)?.remote;
    let mut fence = Fence::of(context, &remote)?;
    let mut sides: Vec<Side> = branches
        .iter()
        .map(|name| Side {
            name: name.clone(),
            other: Counterpart {
                remote: remote.clone(),
                branch: name.clone(),
                is_new_upstream: false,
                other_upstream: None,
            },
            here: None,
            there: None,
        })
        .collect();
    let end = cycle(context, &lock, &mut sides, &mut fence)?;
    let mut here = Vec::new();
    if let End::Same { tip, .. } = &end {
        let mut journal = Journal::open(context.world, &context.home(), &context.repository)?;
        for side in &sides {
            lock.confirm()?;
            let what = follow(context, &stand, side, tip, &mut journal)?;
            here.push(Here { branch: side.name.clone(), what });
        }
        journal.close()?;
    }
    Ok(Outcome { remote, branches, end, here })
}

fn cycle(context: &Context, lock: &Lock, sides: &mut [Side], fence: &mut Fence) -> Result<End, Error> {
    let (world, repository) = (context.world, &context.repository);
    let history = repository.history();
    let mut pushed: Vec<String> = Vec::new();
    for attempt in 0..TRIES {
        for side in sides.iter_mut() {
            side.here = history.resolve(&format!("refs/heads/{}", side.name))?;
            side.there = match remote::fetch(world, repository, &side.other)? {
                Answer::Done(tip) => tip,
                Answer::Offline(why) => return Ok(End::Offline { why }),
                Answer::Refused(why) => return Ok(End::Refused { why }),
            };
        }
        if attempt == 0 {
            fence.settle()?;
        }
        if fence.is_lost() {
            return Ok(End::Refused {
                why: "another holds the baton of this worktree: handover status".to_owned(),
            });
        }
        let mut tips = Vec::new();
        let mut merged = false;
        for side in sides.iter() {
            match one_tip(context, side)? {
                Joined::Fits(tip) => tips.push(tip),
                Joined::Merged(tip) => {
                    merged = true;
                    tips.push(tip);
                }
                Joined::Conflict(files) => return Ok(End::Conflict { files }),
                Joined::Impossible(why) => return Ok(End::Impossible { why }),
            }
        }
        let ([work, machine], [one, other]) = (tips.as_slice(), &*sides) else {
            return Ok(End::Impossible { why: "a pair has two branches".to_owned() });
        };
        let tip = match join(world, repository, (&one.name, work), (&other.name, machine))? {
            Joined::Fits(tip) => tip,
            Joined::Merged(tip) => {
                merged = true;
                tip
            }
            Joined::Conflict(files) => return Ok(End::Conflict { files }),
            Joined::Impossible(why) => return Ok(End::Impossible { why }),
        };
        let mut is_behind = false;
        for side in sides.iter().filter(|side| side.there.as_ref() != Some(&tip)) {
            lock.confirm()?;
            match fence.push(&side.other, &tip, side.there.as_ref())? {
                Answer::Done(Pushed::Taken) => pushed.push(side.name.clone()),
                Answer::Done(Pushed::Behind) => is_behind = true,
                Answer::Offline(why) => return Ok(End::Offline { why }),
                Answer::Refused(why) => return Ok(End::Refused { why }),
            }
            if is_behind {
                break;
            }
        }
        if !is_behind {
            return Ok(End::Same { tip, merged, pushed });
        }
        let pause = Duration::from_millis(20 << attempt.min(5));
        world.clock.pause(jittered(pause, 50));
    }
    Ok(End::Offline { why: "others were faster every time".to_owned() })
}

/// What a branch's two tips, here and at the remote, come to.
fn one_tip(context: &Context, side: &Side) -> Result<Joined, Error> {
    let name = crate::safety::one_line(&side.name, 80);
    Ok(match (&side.here, &side.there) {
        (None, None) => Joined::Impossible(format!("there is no branch {name}, here or at the remote")),
        (Some(only), None) | (None, Some(only)) => Joined::Fits(only.clone()),
        (Some(here), Some(there)) => {
            let other = format!("{}/{}", side.other.remote, side.name);
            join(context.world, &context.repository, (&side.name, here), (&other, there))?
        }
    })
}

/// Our own branch follows, with its files if it is checked out here.
fn follow(
    context: &Context,
    stand: &Stand,
    side: &Side,
    tip: &CommitId,
    journal: &mut Journal,
) -> Result<What, Error> {
    let (world, repository) = (context.world, &context.repository);
    let Some(old) = side.here.clone().filter(|old| old != tip) else { return Ok(What::AsItWas) };
    let step = Move { branch: side.name.clone(), old, new: tip.clone(), replaces: None };
    if side.name == stand.branch {
        journal.step(Step::Move(step.clone()))?;
        let moved = advance(world, repository, &step);
        journal.step(Step::Begun)?;
        return match moved {
            Ok(Moved::Done) => Ok(What::Moved),
            Ok(Moved::InTheWay(files)) => Ok(What::InTheWay { files }),
            Err(crate::sync::Error::Moved { .. }) => Ok(What::MovedByOthers),
            Err(error) => Err(error.into()),
        };
    }
    let listed = git::list(repository.git())?;
    if let Some(other) = listed.into_iter().find(|other| other.branch.as_deref() == Some(side.name.as_str()))
    {
        return Ok(What::Elsewhere { worktree: other.path });
    }
    let input = format!(
        "start\nupdate {} {} {}\nupdate {} {}\nprepare\ncommit\n",
        step.reference(),
        step.new,
        step.old,
        backup_name(&side.name),
        step.old
    );
    let args = ["update-ref", "--create-reflog", "-m", "handover sync --pair", "--stdin"];
    match repository.git().run_with_input(&args, input.into_bytes()) {
        Ok(_) => Ok(What::Moved),
        Err(error) => {
            let now = repository.history().resolve(&step.reference())?;
            if now.as_ref() == Some(&step.old) { Err(error.into()) } else { Ok(What::MovedByOthers) }
        }
    }
}
