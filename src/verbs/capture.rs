//! Looks at the worktree and puts what it sees into the form that documents
//! store. Changes nothing.

use std::fs::{File, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use super::{Context, Error};
use crate::document::{Base, FileFact, FilesFact, RepositoryFact, WorktreeFact};
use crate::git::{Change, ChangeKind, Operation, Status, Untracked, rebased_branch};
use crate::safety::{clip, code_span, escape, escape_path, one_line, url_without_credentials};
use crate::terms::{Bytes, CommitId, Digest, Time};
use crate::worktree::registry;

/// A file above this is told by its size and time, not by a digest.
const LARGE: u64 = 32 << 20;
/// All digests together read at most this much.
const MOST_READ: u64 = 512 << 20;
/// At most this many paths are listed.
const MOST_LISTED: usize = 500;
/// So many commits are named.
const MOST_SUBJECTS: usize = 20;

/// The worktree at one moment, as documents store it.
#[derive(Debug, Clone)]
pub struct Place {
    /// Which worktree.
    pub worktree: WorktreeFact,
    /// Which repository.
    pub repository: RepositoryFact,
    /// The branch, escaped.
    pub branch: Option<String>,
    /// The upstream, escaped.
    pub upstream: Option<String>,
    /// Commits ahead of and behind it.
    pub upstream_ahead_behind: Option<(u32, u32)>,
    /// The commit checked out.
    pub head: Option<CommitId>,
    /// Something that git has begun and not ended.
    pub operation: Option<Operation>,
    /// The branch that this moves when it ends, escaped.
    pub operation_branch: Option<String>,
    /// The files that differ from HEAD.
    pub files: FilesFact,
    /// One digest over HEAD, status, and the changed files.
    pub state_id: Digest,
}

impl Place {
    /// What git has begun and not ended: `rebase of `fix/loader``.
    pub fn operation_in_words(&self) -> Option<String> {
        let of =
            self.operation_branch.as_deref().map(|branch| format!(" of {}", code_span(&clip(branch, 120))));
        self.operation.map(|operation| format!("{operation}{}", of.unwrap_or_default()))
    }
}

/// The URL of `origin`, without credentials, escaped.
pub fn remote(context: &Context) -> Result<Option<String>, Error> {
    let url = context.repository.git().config("remote.origin.url")?;
    Ok(url.map(|url| escape(&url_without_credentials(&url))))
}

/// Which worktree and repository we stand in; the remote is left out, since
/// only a new document needs it.
fn identity(context: &Context) -> Result<(WorktreeFact, RepositoryFact), Error> {
    let repository = &context.repository;
    let id = registry::id_of(repository.git_dir())?;
    let worktree = WorktreeFact {
        path: escape_path(repository.worktree()),
        id: id.map(|id| id.as_str().to_owned()),
        is_main: repository.is_main_worktree(),
    };
    let fact = RepositoryFact {
        name: escape(&repository.name()),
        common_dir: escape_path(repository.common_dir()),
        remote: None,
        is_shallow: repository.is_shallow(),
    };
    Ok((worktree, fact))
}

/// Looks at the worktree: one `git status`, and the bytes of what differs.
pub fn place(context: &Context) -> Result<Place, Error> {
    let repository = &context.repository;
    let status = Status::of(repository.git(), Untracked::Files)?;
    let (worktree, fact) = identity(context)?;
    let (files, state_id) = files(repository.worktree(), &status);
    Ok(Place {
        worktree,
        repository: fact,
        branch: status.branch.as_deref().map(escape),
        upstream: status.upstream.as_deref().map(escape),
        upstream_ahead_behind: status.ahead_behind,
        head: status.head,
        operation: Operation::in_progress(repository.git_dir()),
        operation_branch: rebased_branch(repository.git_dir()).as_deref().map(escape),
        files,
        state_id,
    })
}

/// How the work stands to the branch that it is to return to.
pub fn base(context: &Context, head: Option<&CommitId>) -> Result<Option<Base>, Error> {
    let repository = &context.repository;
    let Some(branch) = repository.default_branch()? else { return Ok(None) };
    let history = repository.history();
    let (Some(head), Some(tip)) = (head, history.resolve(&format!("refs/heads/{branch}"))?) else {
        return Ok(None);
    };
    let divergence = history.divergence(head, &tip)?;
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let subjects = match divergence.ahead {
        0 => Vec::new(),
        _ => subjects(context, &tip, head)?,
    };
    Ok(Some(Base {
        subjects,
        branch: escape(&branch),
        merge_base: history.merge_base(head, &tip)?,
        ahead: count(divergence.ahead),
        behind: count(divergence.behind),
    }))
}

/// The newest commits between two, one line each.
fn subjects(context: &Context, from: &CommitId, to: &CommitId) -> Result<Vec<String>, Error> {
    let (most, range) = (format!("-{MOST_SUBJECTS}"), format!("{from}..{to}"));
    let words = ["log", "-z", &most, "--no-show-signature", "--format=%h %s", &range, "--"];
    let listed = context.repository.git().run(&words)?;
    let listed = String::from_utf8_lossy(&listed);
    Ok(listed.split('\0').filter(|line| !line.is_empty()).map(|line| one_line(line, 120)).collect())
}

/// How many stashes the repository has.
pub fn stashes(context: &Context) -> Result<u32, Error> {
    let listed = context.repository.git().run(&["stash", "list", "-z", "--format=x"])?;
    Ok(u32::try_from(listed.iter().filter(|byte| **byte == 0).count()).unwrap_or(u32::MAX))
}

/// True for what this program itself keeps in a worktree.
fn is_ours(change: &Change) -> bool {
    change.kind == ChangeKind::Untracked && change.path.starts_with("CLAUDE")
}

fn files(top: &Path, status: &Status) -> (FilesFact, Digest) {
    let mut facts = FilesFact::default();
    let mut state = crate::terms::Hasher::default();
    state.field(status.head.as_ref().map_or(b"", |head| head.as_str().as_bytes()));
    let mut read = 0;
    for change in status.changes.iter().filter(|change| !is_ours(change)) {
        facts.staged += u32::from(change.is_staged());
        facts.unstaged += u32::from(change.is_unstaged());
        facts.conflicts += u32::from(change.kind == ChangeKind::Unmerged);
        facts.untracked += u32::from(change.kind == ChangeKind::Untracked);
        let is_listed = facts.listed.len() < MOST_LISTED;
        let fact = file(top, change, is_listed.then_some(&mut read));
        state.field(&change.letters);
        state.field(change.path.as_os_str().as_bytes());
        state.field(format!("{:?} {:?} {:?}", fact.digest, fact.size, fact.modified).as_bytes());
        if is_listed {
            facts.listed.push(fact);
        } else {
            facts.omitted += 1;
        }
    }
    (facts, state.finish())
}

/// One file; its bytes are read only while `budget` is given and lasts.
fn file(top: &Path, change: &Change, budget: Option<&mut u64>) -> FileFact {
    let path = top.join(&change.path);
    let mut fact = FileFact {
        path: escape_path(&change.path),
        letters: change.letters.iter().copied().map(char::from).collect(),
        digest: None,
        size: None,
        modified: None,
    };
    let Ok(metadata) = path.symlink_metadata() else { return fact };
    if metadata.is_symlink() {
        fact.digest = path.read_link().ok().map(|target| Digest::of(target.as_os_str().as_bytes()));
        return fact;
    }
    if !metadata.is_file() {
        return fact;
    }
    match budget {
        Some(read) if metadata.len() <= LARGE && *read + metadata.len() <= MOST_READ => {
            *read += metadata.len();
            fact.digest = File::open(&path).and_then(Digest::of_reader).ok();
        }
        _ => {
            fact.size = Some(Bytes(metadata.len()).0);
            fact.modified = modified(&metadata);
        }
    }
    fact
}

fn modified(metadata: &Metadata) -> Option<Time> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Time::from_unix(i64::try_from(since.as_secs()).ok()?)
}
