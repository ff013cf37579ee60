//! What is known of a sweep's preflight when somebody looks at the sweep later.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::kept::{self, Record};
use super::{LARGEST_SCRIPT, Verdict};
use crate::config::Sweeps;
use crate::git::{GitError, History};
use crate::sweep::{Evidence, Members, Sweep};
use crate::sys::{Glob, read_regular};
use crate::terms::{CommitId, Digest, TaskIds, Time};
use crate::verbs::job_paths::without_links;
use crate::verbs::{Context, Error};

/// So many paths are named that differ between two commits.
const MOST_NAMED: usize = 3;

/// The preflight of a sweep, and what has changed since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Preflighted {
    /// When it was made.
    pub at: Time,
    /// True if that was after the sweep was submitted: what was submitted nobody looked at.
    pub is_late: bool,
    /// The batch script, as it was named.
    pub script: String,
    /// The commit that was checked out; `None` before the first one.
    pub commit: Option<CommitId>,
    /// True if that held everything that decides what the sweep does.
    pub is_committed: bool,
    /// The worst of its answers.
    pub worst: Verdict,
    /// So many commits HEAD has on top of that one; `None` if it is not on top of it.
    pub commits_since: Option<usize>,
    /// True if the script holds something else now; `None` if that is not known.
    pub script_changed: Option<bool>,
    /// Other commits that the sweep came from.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub departures: Vec<Departure>,
}

/// Jobs that come from another commit than the preflight saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Departure {
    /// Who says so.
    pub by: Witness,
    /// The commit that the preflight saw.
    pub saw: CommitId,
    /// The other one: text from outside.
    pub commit: String,
    /// The tasks that come from it.
    pub tasks: Members,
    /// So many files differ that matter; `None` if the other commit is not here.
    pub differing: Option<usize>,
    /// Some of them: text from outside.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<String>,
}

/// Who knows from which commit a job comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Witness {
    /// What git remembers of the worktree in which the jobs work: what was checked
    /// out there when they were submitted.
    Worktree,
    /// The runs, which recorded it when they began.
    Tracker,
}

impl Departure {
    /// The same in one sentence, not escaped.
    pub fn in_words(&self) -> String {
        let commit: String = self.commit.chars().take(10).collect();
        let what = match self.by {
            Witness::Worktree => format!("it was submitted with {commit} checked out"),
            Witness::Tracker if self.tasks.len() == 1 => format!("1 run recorded commit {commit}"),
            Witness::Tracker => format!("{} runs recorded commit {commit}", self.tasks.len()),
        };
        let differ = match self.differing {
            None => "which this repository does not have".to_owned(),
            Some(count) => {
                let more = count.saturating_sub(self.files.len());
                let more = if more > 0 { format!(" and {more} more") } else { String::new() };
                format!("{}{more} {}", self.files.join(", "), if count == 1 { "differs" } else { "differ" })
            }
        };
        format!("{what}, but the preflight saw {}: {differ}", self.saw.short())
    }
}

/// The newest preflight of a sweep before it was submitted, else the newest one of all;
/// `None` if nobody made one for jobs of this name.
///
/// # Errors
/// The records cannot be read; git does not answer.
pub fn of(
    context: &Context,
    settings: &Sweeps,
    sweep: &Sweep,
    evidence: &[Evidence],
    work_dirs: &[(PathBuf, TaskIds)],
) -> Result<Option<Preflighted>, Error> {
    let mut own = kept::read(&context.home())?;
    own.retain(|record| record.is_of(&sweep.name));
    own.sort_by_key(|record| record.at);
    let is_late = |record: &Record| sweep.submitted.is_some_and(|submitted| record.at > submitted);
    let Some(record) = own.iter().rfind(|record| !is_late(record)).or(own.last()) else { return Ok(None) };
    let outcome = &record.outcome;
    let history = context.repository.history();
    let mut found = Preflighted {
        at: record.at,
        is_late: is_late(record),
        script: outcome.script.clone(),
        commit: outcome.commit.clone(),
        is_committed: outcome.is_committed(),
        worst: outcome.worst(),
        commits_since: None,
        script_changed: changed(record),
        departures: Vec::new(),
    };
    let Some(saw) = &outcome.commit else { return Ok(Some(found)) };
    if !history.has_commit(saw)? {
        return Ok(Some(found));
    }
    if let Some(head) = history.resolve("HEAD")? {
        let apart = history.divergence(saw, &head)?;
        found.commits_since = (apart.ahead == 0).then_some(apart.behind);
    }
    if !found.is_late {
        let compared = Compared { history: &history, settings, record, saw };
        for (by, commit, tasks) in others(context, sweep, evidence, work_dirs)? {
            found.departures.extend(compared.with(by, commit, tasks)?);
        }
    }
    Ok(Some(found))
}

/// True if the script holds something else than it did.
fn changed(record: &Record) -> Option<bool> {
    let (path, digest) = (record.path.as_deref()?, record.digest?);
    let bytes = read_regular(Path::new(path), LARGEST_SCRIPT).ok()??;
    Some(Digest::of(&bytes) != digest)
}

/// The commits that the jobs come from, by whoever knows.
fn others(
    context: &Context,
    sweep: &Sweep,
    evidence: &[Evidence],
    work_dirs: &[(PathBuf, TaskIds)],
) -> Result<Vec<(Witness, String, TaskIds)>, GitError> {
    let mut by_run: BTreeMap<&str, TaskIds> = BTreeMap::new();
    for task in evidence {
        for commit in task.runs().iter().filter_map(|run| run.commit.as_deref()) {
            by_run.entry(commit).or_default().push(task.member);
        }
    }
    let mut all: Vec<(Witness, String, TaskIds)> = Vec::new();
    if let Some(submitted) = sweep.submitted {
        for (dir, tasks) in work_dirs {
            if let Some(commit) = checked_out(context, dir, submitted)? {
                all.push((Witness::Worktree, commit.to_string(), tasks.clone()));
            }
        }
    }
    all.extend(by_run.into_iter().map(|(commit, tasks)| (Witness::Tracker, commit.to_owned(), tasks)));
    Ok(all)
}

/// What was checked out then in the worktree that holds `dir`; `None` if it is in
/// none of ours, or git does not remember.
fn checked_out(context: &Context, dir: &Path, then: Time) -> Result<Option<CommitId>, GitError> {
    let dir = without_links(dir);
    let holding = context.worktrees().into_iter().map(|tree| without_links(&tree));
    let holding = holding.filter(|tree| dir.starts_with(tree)).max_by_key(|tree| tree.as_os_str().len());
    let Some(tree) = holding else { return Ok(None) };
    let git = context.repository.git().at(tree);
    History::open(&git, context.repository.common_dir()).checked_out(then)
}

/// What the preflight saw, to be compared with another commit.
struct Compared<'c, 'w> {
    history: &'c History<'w>,
    settings: &'c Sweeps,
    record: &'c Record,
    saw: &'c CommitId,
}

impl Compared<'_, '_> {
    /// How that differs; `None` if nothing that matters does.
    fn with(&self, by: Witness, commit: String, tasks: TaskIds) -> Result<Option<Departure>, GitError> {
        let mut departure = Departure {
            by,
            saw: self.saw.clone(),
            commit,
            tasks: Members(tasks),
            differing: None,
            files: Vec::new(),
        };
        let known = match departure.commit.parse::<CommitId>() {
            Ok(id) if id == *self.saw => return Ok(None),
            Ok(id) if self.history.has_commit(&id)? => id,
            _ => return Ok(Some(departure)),
        };
        let mut differ = self.history.differing(self.saw, &known)?;
        let globs: Vec<Glob> = self.settings.relevant.iter().filter_map(|glob| Glob::read(glob)).collect();
        let script = self.record.path.as_deref().map(Path::new);
        let is_script = |path: &PathBuf| script.is_some_and(|script| script.ends_with(path));
        differ.retain(|path| globs.is_empty() || globs.iter().any(|glob| glob.fits(path)) || is_script(path));
        let named = differ.iter().take(MOST_NAMED);
        departure.files = named.map(|path| path.to_string_lossy().into_owned()).collect();
        departure.differing = Some(differ.len());
        Ok((!differ.is_empty()).then_some(departure))
    }
}
