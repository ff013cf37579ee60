//! All worktrees of a repository at one glance. Nothing here writes.

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::Serialize;

use super::base::Base;
use super::create::LOCK_REASON;
use super::landing::{self, Landing};
use super::registry::{self, Entry, WorktreeId};
use super::{Error, target};
use crate::git::{
    ChangeKind, Divergence, Git, History, Listed, Operation, Repository, Status, Untracked, list,
};
use crate::terms::{CommitId, Known};

/// One worktree.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    /// What people call it: its feature, else its branch, else its directory.
    pub name: String,
    /// Where it is.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// True for the main worktree.
    pub is_main: bool,
    /// True for the one in which we stand.
    pub is_here: bool,
    /// Its id, if it is one of ours.
    pub id: Option<WorktreeId>,
    /// The branch; `None` if HEAD is detached.
    pub branch: Option<String>,
    /// The commit checked out.
    pub head: Option<CommitId>,
    /// What it is for, in the user's words.
    pub focus: Option<String>,
    /// Somebody else's reason why it must not be removed.
    pub locked: Option<String>,
    /// What is not committed.
    pub files: Known<Files>,
    /// What git has begun there and not ended.
    pub operation: Option<Operation>,
    /// Commits ahead of and behind the default branch.
    pub base: Option<AheadBehind>,
    /// Commits ahead of and behind its own upstream.
    pub upstream: Option<AheadBehind>,
    /// Whether its work has arrived on the default branch.
    pub landing: Option<Landing>,
}

/// How many paths differ, and how.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Files {
    /// Tracked and changed.
    pub changed: usize,
    /// New and not ignored; a new directory counts as one.
    pub untracked: usize,
    /// In conflict.
    pub conflicts: usize,
}

/// How two branches stand to each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AheadBehind {
    /// The other branch.
    pub of: String,
    /// Commits that the other has not.
    pub ahead: usize,
    /// Commits that only the other has.
    pub behind: usize,
}

/// Looks at every worktree, several at a time.
pub fn look(repository: &Repository) -> Result<Vec<Row>, Error> {
    let listed = list(repository.git())?;
    let shown: Vec<(usize, &Listed)> =
        listed.iter().enumerate().filter(|(_, entry)| !entry.is_bare).collect();
    let statuses = Mutex::new(vec![None; shown.len()]);
    let next = AtomicUsize::new(0);
    let at_once = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
    std::thread::scope(|threads| {
        for _ in 0..at_once.min(shown.len()) {
            threads.spawn(|| {
                while let Some((_, entry)) = shown.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let status = status_of(repository.git(), entry);
                    if let Ok(mut statuses) = statuses.lock() {
                        let at = shown.iter().position(|(_, other)| other.path == entry.path);
                        if let Some(slot) = at.and_then(|at| statuses.get_mut(at)) {
                            *slot = Some(status);
                        }
                    }
                }
            });
        }
        // History is read here meanwhile; it is quick, and needs no child.
        let goals = landing::goals(repository)?;
        let history = repository.history();
        let started: Vec<Row> = shown
            .iter()
            .map(|(at, entry)| row(repository, &history, &goals, *at == 0, entry))
            .collect::<Result<_, _>>()?;
        Ok::<_, Error>(started)
    })
    .map(|rows| {
        let statuses = statuses.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        rows.into_iter().zip(statuses).map(|(row, status)| with_status(row, status)).collect()
    })
}

fn status_of(git: &Git, entry: &Listed) -> Known<Status> {
    if !entry.path.is_dir() {
        return Known::Unknown("its directory cannot be seen from here".to_owned());
    }
    match Status::of(&git.at(&entry.path), Untracked::Directories) {
        Ok(status) => Known::Known(status),
        Err(e) => Known::Unknown(e.to_string()),
    }
}

/// What can be said without looking at files.
fn row(
    repository: &Repository,
    history: &History,
    goals: &[Base],
    is_main: bool,
    listed: &Listed,
) -> Result<Row, Error> {
    let git_dir = if is_main { None } else { target::private_dir(&listed.path) };
    let id = git_dir.as_deref().map(registry::id_of).transpose().ok().flatten().flatten();
    let entry: Option<Entry> =
        id.as_ref().and_then(|id| registry::entry(repository.common_dir(), id).ok().flatten());
    let directory = || listed.path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = entry.as_ref().map(|entry| entry.feature.clone()).or_else(|| listed.branch.clone());
    let base = goals.first().filter(|goal| listed.branch.as_ref() != Some(&goal.name));
    let (mut ahead_behind, mut landing) = (None, None);
    if let (Some(base), Some(head)) = (base, &listed.head) {
        let Divergence { ahead, behind } = history.divergence(head, &base.commit)?;
        ahead_behind = Some(AheadBehind { of: base.name.clone(), ahead, behind });
        let start = entry.as_ref().and_then(|entry| entry.base.as_ref());
        landing = Some(landing::quick(history, head, start, goals)?);
    }
    let git_dir = git_dir.or_else(|| is_main.then(|| repository.common_dir().to_owned()));
    Ok(Row {
        name: name.unwrap_or_else(directory),
        path: listed.path.clone(),
        is_main,
        is_here: listed.path == repository.worktree(),
        id,
        branch: listed.branch.clone(),
        head: listed.head.clone(),
        focus: entry.and_then(|entry| entry.focus),
        locked: listed.locked.clone().filter(|reason| !reason.starts_with(LOCK_REASON)),
        files: Known::Unknown("not looked at".to_owned()),
        operation: git_dir.as_deref().and_then(Operation::in_progress),
        base: ahead_behind,
        upstream: None,
        landing,
    })
}

fn with_status(mut row: Row, status: Option<Known<Status>>) -> Row {
    let status = status.unwrap_or_else(|| Known::Unknown("the look at it ended early".to_owned()));
    if let Some(status) = status.known() {
        row.upstream =
            status.upstream.clone().zip(status.ahead_behind).map(|(of, (ahead, behind))| AheadBehind {
                of,
                ahead: usize::try_from(ahead).unwrap_or(usize::MAX),
                behind: usize::try_from(behind).unwrap_or(usize::MAX),
            });
    }
    row.files = status.map(|status| {
        let mut files = Files::default();
        for change in &status.changes {
            match change.kind {
                ChangeKind::Unmerged => files.conflicts += 1,
                ChangeKind::Untracked => files.untracked += 1,
                ChangeKind::Tracked => files.changed += 1,
                ChangeKind::Ignored => {}
            }
        }
        files
    });
    row
}
