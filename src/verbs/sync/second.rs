//! A second repository, such as a vault of notes, that each sync carries as well.
//!
//! It is a repository of its own: own settings, own guard, own outcome. Both locks are taken before
//! either is touched, in the order of their canonical paths, so that two syncs which name each
//! other's repositories never wait for each other in a circle.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::super::{Context, Error};
use super::{Options, Outcome, Plan, lock_home};
use crate::safety::escape_path;
use crate::sys::lock::{self, Holder, Lock, LockError};
use crate::sys::{World, jittered};
use crate::terms::Seconds;

/// How long one lock is held while the other is waited for.
const HOLDING: Seconds = Seconds(5);

/// What became of the second repository.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Second {
    /// Where it is.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// What was done, if it came that far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<Box<Outcome>>,
    /// What would be done, if that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
    /// Why it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Why nothing was done, or not to the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Problem {
    /// The exit code that it would have had alone.
    pub exit_code: u8,
    /// What was attempted, and the chain of causes.
    pub messages: Vec<String>,
    /// What to do next.
    pub hints: Vec<String>,
}

/// How the command line judges an error.
pub type Judge<'j> = &'j dyn Fn(Error) -> Problem;

impl Second {
    pub(super) fn done(path: PathBuf, outcome: Outcome) -> Second {
        Second { path, outcome: Some(Box::new(outcome)), plan: None, problem: None }
    }

    pub(super) fn planned(path: PathBuf, plan: Plan) -> Second {
        Second { path, outcome: None, plan: Some(Box::new(plan)), problem: None }
    }

    pub(super) fn failed(path: PathBuf, problem: Problem) -> Second {
        Second { path, outcome: None, plan: None, problem: Some(problem) }
    }
}

/// The second repository of the settings, opened; `None` if they name none.
///
/// Only what this user and this clone say counts: a branch must not bring with it what else of this
/// machine is published.
pub fn open<'w>(context: &Context<'w>) -> Option<(PathBuf, Result<Context<'w>, Error>)> {
    let second = context.outside.sync.second.as_ref()?;
    // Relative paths count from the main worktree, so that each worktree means the same.
    let base = context.roots().pop().unwrap_or_default();
    let home = context.world.environment.home();
    let path = match second.path.strip_prefix("~").ok().zip(home) {
        Some((rest, home)) => home.join(rest),
        None => base.join(&second.path),
    };
    let path = path.canonicalize().unwrap_or(path);
    let opened = Context::open(context.world, &path).and_then(|other| {
        let is_same = other.repository.common_dir() == context.repository.common_dir();
        if is_same { Err(Error::SameRepository { path: path.clone() }) } else { Ok(other) }
    });
    Some((path, opened))
}

/// The options of the second one: what lets a file through is said for one repository alone.
pub fn options(context: &Context, other: &Context, options: &Options) -> Options {
    let second = context.outside.sync.second.as_ref();
    let profile = second.and_then(|second| second.profile.clone());
    Options {
        // Notes travel whole, on a cluster too.
        profile: profile.or_else(|| other.config.sync.profile.clone()).or_else(|| Some("local".to_owned())),
        remote: second.and_then(|second| second.remote.clone()),
        message: options.message.clone(),
        anyway: options.anyway,
        ask_again: options.ask_again,
        unattended: options.unattended,
        other: Some(context.repository.worktree().to_owned()),
        ..Options::default()
    }
}

/// Both locks.
pub struct Locks {
    pub first: Result<Lock, LockError>,
    pub second: Result<Lock, LockError>,
}

/// Takes both locks within the patience of one: the smaller path first, and never one for long while
/// the other is held by somebody else.
pub fn lock_both(
    world: &World,
    first: &Context,
    second: &Context,
    patience: Seconds,
    on_wait: &mut dyn FnMut(&Holder),
) -> Locks {
    let homes = [lock_home(first), lock_home(second)];
    let is_sorted = first.repository.common_dir() <= second.repository.common_dir();
    let [outer, inner] = if is_sorted { [&homes[0], &homes[1]] } else { [&homes[1], &homes[0]] };
    let (outer, inner) = in_order(world, outer, inner, patience, on_wait);
    if is_sorted { Locks { first: outer, second: inner } } else { Locks { first: inner, second: outer } }
}

type Taken = Result<Lock, LockError>;

fn in_order(
    world: &World,
    outer: &Path,
    inner: &Path,
    patience: Seconds,
    on_wait: &mut dyn FnMut(&Holder),
) -> (Taken, Taken) {
    let watch = world.clock.stopwatch();
    let left = || Seconds(patience.0.saturating_sub(watch.elapsed().as_secs()));
    loop {
        let one = lock::acquire(world, outer, "sync", left(), on_wait);
        let Ok(one) = one else {
            let rest = left();
            return (one, lock::acquire(world, inner, "sync", rest, on_wait));
        };
        let span = Seconds(HOLDING.0.min(left().0));
        match lock::acquire(world, inner, "sync", span, on_wait) {
            Err(LockError::Busy { .. }) if left().0 > 0 => {
                drop(one);
                world.clock.pause(jittered(std::time::Duration::from_millis(200), 50));
            }
            other => return (Ok(one), other),
        }
    }
}

/// Why there is no second repository.
pub fn same(path: &Path) -> String {
    format!("the second repository {} is this very one", escape_path(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_that_is_free_is_taken_when_the_other_stays_busy() {
        let dir = tempfile::tempdir().unwrap();
        let world = World::real();
        let [outer, inner] = ["a", "b"].map(|name| dir.path().join(name));
        let take = || in_order(&world, &outer, &inner, Seconds(1), &mut |_| ());
        for busy in [&outer, &inner] {
            let held = lock::acquire(&world, busy, "test", Seconds(0), &mut |_| ()).unwrap();
            let (one, two) = take();
            assert_eq!((one.is_ok(), two.is_ok()), (*busy == inner, *busy == outer));
            drop(held);
        }
        let (one, two) = take();
        assert!(one.is_ok() && two.is_ok());
    }
}
