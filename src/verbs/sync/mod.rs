//! Commit what travels, fetch, fit together, push: one safe cycle under one lock.

mod exchange;
mod fence;
mod incoming;
pub mod pair;
mod rules;
pub(super) mod second;

use std::path::PathBuf;

use serde::Serialize;

use self::fence::Fence;
use super::carried::AtRemote;
use super::carried::documents::Published;
use super::lookup::Shelf;
use super::{Context, Error, create, pointer};
use crate::document::Lint;
use crate::sync::branch::Move;
use crate::sync::choose::{self, Chosen, Left};
use crate::sync::guard::Refused;
use crate::sync::journal::{self, Journal, Step};
use crate::sync::last::{self, Last};
use crate::sync::record::{self, Entry};
use crate::sync::remote::{self, Counterpart};
use crate::sync::stand::{self, Stamp, Stand};
use crate::sync::{self, leftover};
use crate::sys::lock::{self, Holder, Lock};
use crate::terms::{CommitId, Seconds};
use crate::worktree;

pub use exchange::{Fit, Sent};
pub use fence::Settled;
pub use incoming::{Incoming, Pulled};
pub use second::{Judge, Problem, Second};

/// How long we wait for another sync.
const PATIENCE: Seconds = Seconds(120);

/// Hooks that `git commit` runs.
const HOOKS: [&str; 4] = ["pre-commit", "prepare-commit-msg", "commit-msg", "post-commit"];

/// What is wanted.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The profile, if it is not that of this machine.
    pub profile: Option<String>,
    /// The remote, if it is not that of the branch.
    pub remote: Option<String>,
    /// The commit's message.
    pub message: Option<String>,
    /// Globs of files that the guard lets through for their kind and size.
    pub allow: Vec<String>,
    /// Globs of files that may hold what looks like a secret.
    pub allow_secrets: Vec<String>,
    /// Folders that may have any number of new files; `.` is the top.
    pub many: Vec<String>,
    /// Any number of deletions is meant.
    pub deletions: bool,
    /// Changes of tracked files travel, wherever they are.
    pub tracked: bool,
    /// Go on although session logs are not committed.
    pub anyway: bool,
    /// Forget what is remembered of the remote: which handovers it has, and whether it takes them.
    pub ask_again: bool,
    /// A handover is made first.
    pub save: Option<create::Options>,
    /// Nobody reads the answer: notes for people wait for the next sync.
    pub unattended: bool,
    /// The repository that is carried by itself, beside or within this one.
    pub other: Option<PathBuf>,
}

/// What a sync would do as far as this machine knows.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The profile.
    pub profile: String,
    /// The branch.
    pub branch: String,
    /// What it is carried to, as in `origin/main`.
    pub counterpart: String,
    /// What would be committed, unless its content says no.
    pub take: Vec<Entry>,
    /// What the guard keeps back for its name, kind or size.
    pub refused: Vec<Refused>,
    /// What does not travel.
    pub left: Vec<Left>,
    /// Session logs and notes that are not committed: nothing is, while there are any.
    #[serde(serialize_with = "crate::terms::path_text", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub session_logs: Vec<PathBuf>,
    /// What the handover would lack that would be made first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover: Option<Lint>,
    /// The second repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
}

/// What a sync did.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The profile.
    pub profile: String,
    /// The branch.
    pub branch: String,
    /// What it is carried to, as in `origin/main`.
    pub counterpart: String,
    /// An upstream of another name, which was not pushed to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other_upstream: Option<String>,
    /// True if a sync that was cut short was ended first.
    pub ended_earlier: bool,
    /// Locks that a killed git had left, and that were put aside.
    #[serde(serialize_with = "crate::terms::path_text", skip_serializing_if = "Vec::is_empty")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub locks_put_aside: Vec<PathBuf>,
    /// The handover that was made first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handover: Option<create::Outcome>,
    /// The commit that it made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub committed: Option<Committed>,
    /// What the guard kept back.
    pub refused: Vec<Refused>,
    /// What does not travel.
    pub left: Vec<Left>,
    /// What others brought.
    pub pulled: Pulled,
    /// How both sides were fitted together.
    pub fit: Fit,
    /// What became of our commits.
    pub sent: Sent,
    /// Where the branch is now.
    pub head: CommitId,
    /// What was settled about batons at the remote.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub batons: Vec<Settled>,
    /// What became of the handovers of this worktree there; left out if there was nothing to publish.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documents: Option<Published>,
    /// Other remarks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The second repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub second: Option<Second>,
}

/// A commit that was made.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Committed {
    /// Its id when it was made; a commit that was put on top of others' has another one.
    pub id: CommitId,
    /// Its message, the first line.
    pub subject: String,
    /// Its paths.
    pub files: Vec<Entry>,
    /// True if the user signs commits by default: this one is not signed, for nobody may be there
    /// to type a passphrase.
    pub unsigned: bool,
    /// Hooks of commits that there are, and that did not run: they would work on the user's own
    /// index and files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub hooks_not_run: Vec<&'static str>,
}

impl Outcome {
    /// True if another has a baton that is held here.
    pub fn has_lost(&self) -> bool {
        self.batons.iter().any(|settled| matches!(settled.at, Some(AtRemote::Lost { .. })))
    }

    /// True if a handover was kept back, or could not be published.
    pub fn keeps_handovers(&self) -> bool {
        let failed = |published: &Published| !published.not.is_empty() || published.offline.is_some();
        self.documents.as_ref().is_some_and(failed)
    }
}

/// Looks; changes nothing and asks no network.
///
/// # Errors
/// A state from which nobody may go on, or settings that make no sense.
pub fn plan(context: &Context, options: &Options, judge: Judge) -> Result<Plan, Error> {
    let Some((path, opened)) = second::open(context) else { return plan_one(context, options) };
    let mut first = plan_one(context, &Options { other: Some(path.clone()), ..options.clone() })?;
    let planned = opened.and_then(|other| plan_one(&other, &second::options(context, &other, options)));
    first.second = Some(match planned {
        Ok(plan) => Second::planned(path, plan),
        Err(error) => Second::failed(path, judge(error)),
    });
    Ok(first)
}

fn plan_one(context: &Context, options: &Options) -> Result<Plan, Error> {
    let stand = stand::look(&context.repository)?;
    let other = counterpart(context, options, &stand)?;
    let rules = rules::of(context, options)?;
    let worktree = context.repository.worktree();
    let Chosen { take, leave, session_logs } = choose::choose(worktree, &stand.status, &rules.travel);
    let (take, refused) = sync::guard::judge(&context.repository, take, &rules.limits)?;
    let handover = options.save.as_ref().map(|save| create::plan(context, save)).transpose()?;
    Ok(Plan {
        profile: rules.profile,
        branch: stand.branch,
        counterpart: format!("{}/{}", other.remote, other.branch),
        take: take.into_iter().map(|c| Entry { path: c.path, kind: c.kind }).collect(),
        refused,
        left: leave,
        session_logs: if options.anyway { Vec::new() } else { session_logs },
        handover: handover.map(|plan| plan.preview().lint),
        second: None,
    })
}

/// Does one cycle, and one of the second repository if there is one. `on_wait` hears whom it waits
/// for; `judge` says how a failure of the second one is told.
///
/// # Errors
/// Whatever stops it before something of it was done. What stops it later is part of the
/// outcome, beside what was done.
pub fn execute(
    context: &Context,
    options: &Options,
    on_wait: &mut dyn FnMut(&Holder),
    judge: Judge,
) -> Result<Outcome, Error> {
    let world = context.world;
    let alone = |options: &Options, on_wait: &mut dyn FnMut(&Holder)| {
        let lock = lock::acquire(world, &lock_home(context), "sync", PATIENCE, on_wait)?;
        execute_one(context, options, lock)
    };
    let Some((path, opened)) = second::open(context) else { return alone(options, on_wait) };
    let first_options = Options { other: Some(path.clone()), ..options.clone() };
    let (first, second) = match opened {
        Err(error) => (alone(&first_options, on_wait), Err(error)),
        Ok(other) => {
            let locks = second::lock_both(world, context, &other, PATIENCE, on_wait);
            let first = locks.first.map_err(Error::from);
            let first = first.and_then(|lock| execute_one(context, &first_options, lock));
            let options = second::options(context, &other, options);
            let second = locks.second.map_err(Error::from);
            (first, second.and_then(|lock| execute_one(&other, &options, lock)))
        }
    };
    let second = match second {
        Ok(outcome) => Second::done(path, outcome),
        Err(error) => Second::failed(path, judge(error)),
    };
    match first {
        Ok(outcome) => Ok(Outcome { second: Some(second), ..outcome }),
        Err(error) => Err(Error::FirstOfTwo { source: Box::new(error), second: Box::new(second) }),
    }
}

fn execute_one(context: &Context, options: &Options, lock: Lock) -> Result<Outcome, Error> {
    let repository = &context.repository;
    let (ended_earlier, locks_put_aside) = recover(context, &lock)?;
    wait_for_git(context)?;

    let stand = stand::look(repository)?;
    let other = counterpart(context, options, &stand)?;
    let rules = rules::of(context, options)?;
    let chosen = choose::choose(repository.worktree(), &stand.status, &rules.travel);
    if !options.anyway && !chosen.session_logs.is_empty() {
        return Err(Error::SessionLogs { files: chosen.session_logs });
    }
    let Some(save) = &options.save else {
        let outcome = cycle(context, options, &lock, stand, &other, rules)?;
        return Ok(Outcome { ended_earlier, locks_put_aside, ..outcome });
    };
    let handover = create::execute(context, &create::plan(context, save)?)?;
    let key = handover.key;
    let now = stand::look(repository).map_err(Error::from);
    let done = now.and_then(|stand| cycle(context, options, &lock, stand, &other, rules));
    let outcome = done.map_err(|error| Error::AfterSaving { key, source: Box::new(error) })?;
    Ok(Outcome { ended_earlier, locks_put_aside, handover: Some(handover), ..outcome })
}

/// From the commit on; everything before has let it go on.
fn cycle(
    context: &Context,
    options: &Options,
    lock: &Lock,
    stand: Stand,
    other: &Counterpart,
    rules: rules::Rules,
) -> Result<Outcome, Error> {
    let (world, repository) = (context.world, &context.repository);
    let home = context.home();
    let Chosen { take, leave, .. } = choose::choose(repository.worktree(), &stand.status, &rules.travel);
    let mut journal = Journal::open(world, &home, repository)?;
    let state_file = &context.config.cluster.state_file;
    let state_of = rules::state_of(repository.worktree(), state_file);
    let mut subject = String::new();
    let recorded = record::record(world, repository, &stand, take, &rules.limits, |entries| {
        let made = || sync::message(entries, state_file, state_of);
        let text = options.message.clone().unwrap_or_else(made);
        subject = text.lines().next().unwrap_or_default().to_owned();
        text
    });
    let recorded = recorded?;
    let mut tip = stand.head.clone();
    let mut committed = None;
    if let Some(id) = recorded.commit {
        lock.confirm()?;
        let step = Move { branch: stand.branch.clone(), old: tip.clone(), new: id.clone(), replaces: None };
        journal.step(Step::Commit(step.clone()))?;
        let is_untouched = stand.index.is_some() && stand.index == Stamp::of_index(repository);
        record::land(world, repository, &step, is_untouched.then_some(recorded.changes))?;
        journal.step(Step::Begun)?;
        tip = id.clone();
        let (unsigned, hooks_not_run) = unasked(context)?;
        committed = Some(Committed { id, subject, files: recorded.entries, unsigned, hooks_not_run });
    }
    if options.ask_again {
        fence::ask_again(context)?;
    }
    let mut fence = Fence::of(context, &other.remote)?;
    let mut exchanged = exchange::run(context, lock, &mut journal, &stand, other, tip, &mut fence)?;
    let worktree = repository.worktree();
    let parked = match &exchanged.sent {
        Sent::Parked { branch } | Sent::Superseded { branch: Some(branch), .. } => Some(branch.as_str()),
        _ => None,
    };
    // Whoever looks next sees the notes that came while nobody did.
    let mut waiting = last::read(&home, worktree).map(|last| last.notes).unwrap_or_default();
    if options.unattended {
        waiting.extend(exchanged.pulled.notes.iter().cloned());
    } else {
        waiting.append(&mut exchanged.pulled.notes);
        exchanged.pulled.notes = std::mem::take(&mut waiting);
    }
    let left = Last::new(context.now, &stand.branch, parked, &recorded.refused, waiting);
    last::keep(world, &home, worktree, &left)?;
    journal.close()?;
    if !fence.settled.is_empty() {
        // What agents read of the baton is as it is now.
        let refreshed = Shelf::open(context).and_then(|shelf| pointer::refresh(context, &shelf));
        fence.notes.extend(refreshed.err().map(|e| format!("the context block was not written: {e}")));
    }
    let documents = if exchanged.heard { fence::publish(context)? } else { None };
    Ok(Outcome {
        profile: rules.profile,
        branch: stand.branch,
        counterpart: format!("{}/{}", other.remote, other.branch),
        other_upstream: other.other_upstream.clone(),
        ended_earlier: false,
        locks_put_aside: Vec::new(),
        handover: None,
        committed,
        refused: recorded.refused,
        left: leave,
        pulled: exchanged.pulled,
        fit: exchanged.fit,
        sent: exchanged.sent,
        head: exchanged.head,
        batons: fence.settled,
        notes: fence.notes,
        documents,
        second: None,
    })
}

/// What a commit of the user's own would have done besides: sign, and run hooks.
fn unasked(context: &Context) -> Result<(bool, Vec<&'static str>), Error> {
    let git = context.repository.git();
    let signs = git
        .config("commit.gpgSign")?
        .is_some_and(|value| ["true", "yes", "on", "1"].contains(&value.to_ascii_lowercase().as_str()));
    let dir = match git.config("core.hooksPath")? {
        Some(path) => hooks_of_settings(context, &path),
        None => context.repository.common_dir().join("hooks"),
    };
    let is_hook =
        |name: &&str| dir.join(name).metadata().is_ok_and(|file| file.is_file() && is_executable(&file));
    Ok((signs, HOOKS.into_iter().filter(|name| is_hook(name)).collect()))
}

/// Where the settings say that hooks are: counted from the worktree, `~/` from the user's home.
fn hooks_of_settings(context: &Context, path: &str) -> PathBuf {
    match (path.strip_prefix("~/"), context.world.environment.home()) {
        (Some(rest), Some(home)) => home.join(rest),
        _ => context.repository.worktree().join(path),
    }
}

fn is_executable(file: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.permissions().mode() & 0o111 != 0
}

/// The lock of syncs: one for all worktrees, and not that of everybody, since an
/// exchange over a slow link can take minutes.
pub fn lock_home(context: &Context) -> PathBuf {
    context.home().join("sync")
}

fn counterpart(context: &Context, options: &Options, stand: &Stand) -> Result<Counterpart, Error> {
    let wanted = options.remote.as_deref().or(context.config.sync.remote.as_deref());
    Ok(remote::counterpart(&context.repository, &stand.branch, wanted)?)
}

/// Ends what a sync that was killed had begun in this worktree.
fn recover(context: &Context, lock: &Lock) -> Result<(bool, Vec<PathBuf>), Error> {
    let (world, repository) = (context.world, &context.repository);
    let home = context.home();
    let Some(begun) = journal::left_behind(&home, repository)? else {
        return Ok((false, Vec::new()));
    };
    lock.confirm()?;
    let aside = if git_works_here(context) {
        Vec::new()
    } else {
        leftover::put_aside(world, &home, repository, &begun)?
    };
    wait_for_git(context)?;
    let ended = journal::recover(world, &home, repository, &begun)?;
    Ok((ended, aside))
}

/// True unless it is known that no git process works in this repository.
fn git_works_here(context: &Context) -> bool {
    let is_git = |dir: &std::path::Path| {
        worktree::processes_inside(dir).is_none_or(|(processes, _)| {
            processes.iter().any(|process| process.name == "git" || process.name.starts_with("git-"))
        })
    };
    is_git(context.repository.worktree()) || is_git(context.repository.common_dir())
}

/// Waits a while for a lock of git itself, which somebody's `git add` holds for a moment.
fn wait_for_git(context: &Context) -> Result<(), Error> {
    let watch = context.world.clock.stopwatch();
    while let Some(path) = leftover::in_the_way(&context.repository) {
        if watch.elapsed() >= leftover::PATIENCE {
            return Err(Error::Sync(sync::Error::GitBusy { path }));
        }
        context.world.clock.pause(std::time::Duration::from_millis(100));
    }
    Ok(())
}
