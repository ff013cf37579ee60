use std::fmt;
use std::path::PathBuf;

use crate::baton::{BatonError, Claim};
use crate::config::ConfigError;
use crate::document::{BodyError, FrontError, StoreError};
use crate::git::GitError;
use crate::joblog::TableError;
use crate::safety;
use crate::sys::FileError;
use crate::sys::lock::LockError;
use crate::terms::{AnyKey, Key, TaskIds, Time};
use crate::verbs::shards::ShardError;
use crate::worktree;

/// Why a verb did not do what it was asked to.
///
/// Each room has its own errors; the command line gives them an exit code and
/// hints (`cli/failure.rs`).
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Git did not answer.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The lock was not to be had, or is lost.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The baton was not taken, or not let go.
    #[error(transparent)]
    Baton(#[from] BatonError),
    /// Another session holds a baton of the worktree.
    #[error("cannot {wanted}: {}", held_in_words(wanted, holders, *now))]
    Held {
        /// What was to be done.
        wanted: Wanted,
        /// The claims that stand in the way; at least one.
        holders: Vec<Claim>,
        /// The moment of the refusal, for the age of the claims.
        now: Time,
    },
    /// The second repository is the first one.
    #[error("{}", super::sync::second::same(path))]
    SameRepository {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A handover was made first, and then the sync stopped.
    #[error("the handover {key} was made, and then the sync stopped")]
    AfterSaving {
        /// The handover.
        key: Key,
        /// Why it stopped.
        source: Box<Error>,
    },
    /// The first repository was not carried; the second one was looked at all the same.
    #[error("{source}")]
    FirstOfTwo {
        /// Why the first was not carried.
        source: Box<Error>,
        /// What became of the second.
        second: Box<super::sync::Second>,
    },
    /// Nobody holds a baton of the worktree.
    #[error("cannot release: nobody holds a baton of this worktree")]
    NobodyHolds,
    /// A document was not found, or could not be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A document's front matter cannot be read or written.
    #[error(transparent)]
    Front(#[from] FrontError),
    /// What the agent says cannot be read.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The settings cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What a plan has submitted cannot be read, and may be of the sweep that is asked for.
    #[error(
        "cannot read the record of a submitted plan {} ({}): {}, so which tasks it submitted again is not known",
        safety::escape_path(path),
        safety::one_line(why, 200),
        if *is_own { "it is of this sweep" } else { "it does not tell of which sweep it is, and may be of this one" }
    )]
    PlanRecord {
        /// The record.
        path: PathBuf,
        /// True if it is of this sweep, false if it may be of any.
        is_own: bool,
        /// What is wrong with it.
        why: String,
    },
    /// Shards were not submitted, or their answers not put together.
    #[error(transparent)]
    Shards(#[from] ShardError),
    /// A pattern of the settings cannot be used.
    #[error(transparent)]
    Patterns(#[from] TableError),
    /// A sync was not done, or not to its end.
    #[error(transparent)]
    Sync(#[from] crate::sync::Error),
    /// A document was not fetched.
    #[error(transparent)]
    Fetch(#[from] super::fetch::FetchError),
    /// A machine cannot be gone to.
    #[error(transparent)]
    Remote(#[from] crate::remote::TargetError),
    /// Only a file that came with a branch names this machine.
    #[error(
        "will not go to {}: only .handover.yaml names it, and a branch does not say where files and commands go",
        safety::one_line(name, 60)
    )]
    MachineOfTheTree {
        /// The profile.
        name: String,
    },
    /// A machine gave no answer, or not to its end.
    #[error("{}", said_of(name, trouble))]
    Machine {
        /// The profile.
        name: String,
        /// Why not.
        trouble: crate::remote::Trouble,
    },
    /// Session logs or notes are not committed.
    #[error("will not commit while session logs or notes are not: {}", which(files))]
    SessionLogs {
        /// Which.
        files: Vec<PathBuf>,
    },
    /// Something about a worktree was not done.
    #[error(transparent)]
    Worktree(#[from] worktree::Error),
    /// A state file that was named cannot be read.
    #[error("cannot read the state file {}", safety::escape_path(path))]
    StateFile {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A saved accounting text that was named cannot be read.
    #[error("cannot read accounting from {}", safety::escape_path(path))]
    Accounting {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// An array has no task of this index.
    #[error("array {array} has no task {task}: it has {}", safety::clip(&tasks.to_string(), 200))]
    NoTask {
        /// The array's id.
        array: u32,
        /// The index.
        task: u32,
        /// Those that it has.
        tasks: Box<TaskIds>,
    },
    /// No sweep has this id or name.
    #[error("no sweep has the id or name {}", safety::one_line(wanted, 80))]
    NoSweep {
        /// What was asked for.
        wanted: String,
    },
    /// No sweep of those that the settings name has this id or name.
    #[error(
        "no sweep has the id or name {} among the jobs that the settings name: {} (`names` below `cluster`)",
        safety::one_line(wanted, 80),
        safety::one_line(&names.join(", "), 200)
    )]
    LeftOut {
        /// What was asked for.
        wanted: String,
        /// The names in the settings.
        names: Vec<String>,
    },
    /// The id is that of a job that is in no sweep.
    #[error(
        "job {} ({}) is in no sweep: it is no array, and too few jobs share its name",
        safety::one_line(wanted, 80),
        safety::one_line(name, 60)
    )]
    SingleJob {
        /// What was asked for.
        wanted: String,
        /// The job's name.
        name: String,
    },
    /// A sweep was asked for where nothing, or not all, could be seen.
    #[error("cannot look for a sweep {}: {}", safety::one_line(wanted, 80), safety::one_line(why, 300))]
    Unseen {
        /// What was asked for.
        wanted: String,
        /// Why it was not seen.
        why: String,
    },
    /// The start of a name fits several.
    #[error("{} is the start of several names: {}", safety::one_line(wanted, 80), safety::one_line(&names.join(", "), 200))]
    SeveralSweeps {
        /// What was asked for.
        wanted: String,
        /// The names that it fits.
        names: Vec<String>,
    },
    /// There is no cluster that could be watched.
    #[error("cannot watch: {}", safety::one_line(why, 200))]
    NoCluster {
        /// Why not.
        why: String,
    },
    /// Nothing is removed on evidence that is too old.
    #[error("will not remove anything on the word of {}, {}: a task may run again by now", refused.source, old(refused))]
    OldEvidence {
        /// The evidence.
        refused: super::sweep::clean::Refused,
        /// The sweep.
        sweep: String,
    },
    /// What was to go is not as it was shown; nothing was done.
    #[error("nothing was removed, since it is not as it was shown any more: {}", which(paths))]
    Changed {
        /// What of it; none if it is the sweep itself.
        paths: Vec<PathBuf>,
        /// The sweep.
        sweep: String,
    },
    /// The plan of a sweep was not submitted.
    #[error(transparent)]
    Submit(#[from] Box<super::sweep::submit::Refusal>),
    /// Options that make no sense together, or not here.
    #[error("{what}")]
    Usage {
        /// What is wrong.
        what: String,
        /// What to do instead.
        hint: String,
    },
    /// A line cannot be carried, or must not be.
    #[error("cannot make a line of it: {0}")]
    Paste(#[from] crate::paste::Refusal),
    /// No line can go to where the project is said to be.
    #[error(transparent)]
    Place(#[from] crate::paste::NoPlace),
    /// Somebody else works on the same thing right now.
    #[error("{what}")]
    Busy {
        /// What is busy.
        what: String,
        /// The command to run again.
        hint: String,
    },
}

fn said_of(name: &str, trouble: &crate::remote::Trouble) -> String {
    format!("cannot reach {}: {trouble}", safety::one_line(name, 60))
}

/// What another's baton stood in the way of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// To resume this handover.
    Resume(AnyKey),
    /// To seal the next handover of the worktree.
    Create,
    /// To let the baton of the worktree go.
    Release,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Resume(key) => write!(f, "resume {key}"),
            Wanted::Create => f.write_str("create the next handover of this worktree"),
            Wanted::Release => f.write_str("release"),
        }
    }
}

fn held_in_words(wanted: &Wanted, holders: &[Claim], now: Time) -> String {
    let one = |claim: &Claim| {
        let whose = match wanted {
            Wanted::Resume(key) if *key == claim.key => "its baton".to_owned(),
            _ => format!("the baton of {}", claim.key),
        };
        format!("another holds {whose}: {claim} ({} ago)", claim.at.age(now))
    };
    holders.iter().map(one).collect::<Vec<_>>().join("; ")
}

impl From<super::sweep::submit::Refusal> for Error {
    fn from(refusal: super::sweep::submit::Refusal) -> Error {
        Error::Submit(Box::new(refusal))
    }
}

fn which(paths: &[PathBuf]) -> String {
    const MOST: usize = 5;
    let shown: Vec<String> = paths.iter().take(MOST).map(safety::escape_path).collect();
    match paths.len().saturating_sub(MOST) {
        0 if shown.is_empty() => "the sweep".to_owned(),
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn old(refused: &super::sweep::clean::Refused) -> String {
    match refused.age {
        Some(age) => format!("which is {age} old (at most {} are taken)", refused.most),
        None => "of which nobody knows how old it is".to_owned(),
    }
}
