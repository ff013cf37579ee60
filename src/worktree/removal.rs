//! The one function that removes a worktree, and the checks before it.
//!
//! All checks come before any change, and identity is checked again right
//! before the first one. Nothing is deleted: directory and private git
//! directory move to the trash, and a ref keeps the commits.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::base::Base;
use super::create::LOCK_REASON;
use super::landing::{self, Landing};
use super::occupants::{self, Process};
use super::target::Target;
use super::trash::{self, Trashed};
use super::{Error, context, hidden, ignored, inside, keepers, registry, share, submodules};
use crate::git::{ChangeKind, Git, Operation, Repository, Status, Untracked, list};
use crate::safety::{escape_path, one_line, shell_path, shell_word};
use crate::sys::World;
use crate::sys::lock;
use crate::terms::{Known, Seconds, Time};

/// How many examples of each kind are named.
const SHOWN: usize = 8;

/// What only other rooms know about a worktree, as plain data.
#[derive(Debug, Clone)]
pub struct Hindrances {
    /// The jobs of ours that work or write in it, running, pending or held, in words.
    pub jobs: Known<Vec<String>>,
    /// Who else holds the baton of its handover, in words.
    pub baton: Option<String>,
    /// Drafts, edited copies and other files in `CLAUDE/` that exist nowhere else.
    pub papers: Vec<String>,
}

/// A reason for which a removal is refused, and the name by which it is waived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Waiver {
    /// Changed and new files.
    Dirty,
    /// Ignored files that are no cache.
    Ignored,
    /// Commits that are on no other branch.
    Unlanded,
    /// Processes that work inside.
    Process,
    /// What could not be found out.
    Unknown,
}

impl Waiver {
    /// All of them.
    pub const ALL: [Waiver; 5] =
        [Waiver::Dirty, Waiver::Ignored, Waiver::Unlanded, Waiver::Process, Waiver::Unknown];

    /// The name by which it is waived.
    pub fn name(self) -> &'static str {
        match self {
            Waiver::Dirty => "dirty",
            Waiver::Ignored => "ignored",
            Waiver::Unlanded => "unlanded",
            Waiver::Process => "process",
            Waiver::Unknown => "unknown",
        }
    }
}

/// Something that a removal would lose or disturb.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// How it is waived; `None` if it cannot be.
    pub waiver: Option<Waiver>,
    /// True if the user waived it.
    pub waived: bool,
    /// What it is, in words.
    pub what: String,
    /// Examples, escaped.
    pub examples: Vec<String>,
    /// What to do about it, where that is not to waive it.
    pub hint: Option<String>,
}

/// What would be done, and what is in the way.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// Where it is.
    #[serde(serialize_with = "super::as_text")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub path: PathBuf,
    /// Its branch.
    pub branch: Option<String>,
    /// How its commits stand to the branch that they were to reach.
    pub landing: Landing,
    /// True if its branch goes too, because all of it has landed.
    pub deletes_branch: bool,
    /// Everything that a removal would lose or disturb, waived or not.
    pub findings: Vec<Finding>,
    /// What was not checked, in words.
    pub not_checked: Vec<String>,
    #[serde(skip)]
    target: Target,
    #[serde(skip)]
    changes: Vec<crate::git::Change>,
}

/// What became of the branch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum BranchOutcome {
    /// It had landed and is gone.
    Deleted,
    /// It has commits of its own and stays.
    KeptUnlanded,
    /// It moved on while we worked and stays.
    KeptMoved,
    /// HEAD was detached; there was none.
    Detached,
}

/// What was done, and how to undo it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// Its id in the trash.
    pub id: super::WorktreeId,
    /// Its name.
    pub name: String,
    /// Where it was.
    pub path: String,
    /// What became of the branch.
    pub branch: BranchOutcome,
    /// The ref that keeps its commits.
    pub keeper: Option<String>,
    /// The command that puts it back.
    pub undo: String,
    /// What went out of the trash for good, by name and id.
    pub swept: Vec<String>,
    /// What is old and stayed in the trash, and why.
    pub not_swept: Vec<String>,
    /// What was waived.
    pub waived: Vec<&'static str>,
}

impl Plan {
    /// The findings that nobody waived.
    pub fn blocking(&self) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(|finding| !finding.waived)
    }

    /// True if something that matters is given up.
    pub fn gives_up(&self) -> bool {
        self.findings.iter().any(|finding| finding.waived)
    }

    /// The plan, if nothing is in its way.
    ///
    /// # Errors
    /// [`Error::WouldLose`] with every reason at once.
    pub fn expect_free(&self) -> Result<(), Error> {
        let blocking: Vec<&Finding> = self.blocking().collect();
        if blocking.is_empty() {
            return Ok(());
        }
        let mut waivable: Vec<&'static str> = Vec::new();
        for waiver in self.findings.iter().filter_map(|finding| finding.waiver).map(Waiver::name) {
            if !waivable.contains(&waiver) {
                waivable.push(waiver);
            }
        }
        if blocking.iter().any(|finding| finding.waiver.is_none()) {
            waivable.clear();
        }
        Err(Error::WouldLose {
            name: self.name.clone(),
            reasons: blocking.iter().map(|finding| finding.text()).collect(),
            waivable,
            hints: blocking.iter().filter_map(|finding| finding.hint.clone()).collect(),
        })
    }
}

impl Finding {
    pub(super) fn new(waiver: Option<Waiver>, what: impl Into<String>) -> Finding {
        Finding { waiver, waived: false, what: what.into(), examples: Vec::new(), hint: None }
    }

    pub(super) fn examples(mut self, examples: impl IntoIterator<Item = String>) -> Finding {
        self.examples = examples.into_iter().collect();
        let more = self.examples.len().saturating_sub(SHOWN);
        if more > 0 {
            self.examples.truncate(SHOWN);
            self.examples.push(format!("and {more} more"));
        }
        self
    }

    pub(super) fn hint(mut self, hint: impl Into<String>) -> Finding {
        self.hint = Some(hint.into());
        self
    }

    /// The finding on one line.
    pub fn text(&self) -> String {
        if self.examples.is_empty() {
            return self.what.clone();
        }
        format!("{} ({})", self.what, self.examples.join(", "))
    }
}

/// Looks at everything that a removal would lose or disturb; changes nothing.
///
/// # Errors
/// Git or a file cannot be asked: what cannot be looked at is not removed.
pub fn plan(
    world: &World,
    repository: &Repository,
    target: &Target,
    hindrances: &Hindrances,
    waive: &[Waiver],
) -> Result<Plan, Error> {
    let git = repository.git().at(&target.path);
    let tree = Repository::discover(world, &target.path)?;
    let mut findings = Vec::new();
    let mut not_checked = Vec::new();

    findings.extend(foreign_lock(target));
    if target.entry.as_ref().is_some_and(|entry| !entry.ready) {
        let hint = format!(
            "let it end, or go on with it: handover start {}",
            shell_word(&target.name()).unwrap_or_default()
        );
        findings.push(Finding::new(None, "its start has not ended").hint(hint));
    }
    findings.extend(other_file_system(repository, target)?);
    findings.extend(hindrances.baton.as_ref().map(|holder| {
        Finding::new(None, format!("another holds its baton: {holder}"))
            .hint("wait for it, or take it over as a person: handover resume --take-over")
    }));
    findings.extend(jobs(&hindrances.jobs, &mut not_checked));
    findings.extend(processes(target, &mut not_checked));

    let status = Status::of(&git, Untracked::WithIgnored)?;
    let (ignored, changes): (Vec<_>, Vec<_>) =
        status.changes.into_iter().partition(|change| change.kind == ChangeKind::Ignored);
    findings.extend(dirty(&tree, &changes));
    findings.extend(hidden_changes(world, &tree)?);
    findings.extend(inner_commits(&tree)?);
    findings.extend(inside::findings(repository, &tree, &target.path)?);

    let goals = landing::goals(repository)?;
    let start = target.entry.as_ref().and_then(|entry| entry.base.clone());
    let landing = match &target.head {
        Some(head) => landing::of(world, repository, head, start.as_ref(), &goals)?,
        None => Landing::Fresh,
    };
    findings.extend(unlanded(&git, target, &landing, &goals)?);
    findings.extend(ignored_data(repository, target, ignored.into_iter().map(|change| change.path))?);
    let words = context::has_user_text(&tree)?
        .into_iter()
        .map(|path| format!("text of yours in {}", escape_path(path)));
    let papers: Vec<String> = words.chain(hindrances.papers.iter().cloned()).collect();
    if !papers.is_empty() {
        findings.push(Finding::new(Some(Waiver::Ignored), "notes that exist nowhere else").examples(papers));
    }

    for finding in &mut findings {
        finding.waived = finding.waiver.is_some_and(|waiver| waive.contains(&waiver));
    }
    Ok(Plan {
        name: target.name(),
        path: target.path.clone(),
        branch: target.branch.clone(),
        deletes_branch: target.branch.is_some() && landing.is_complete(),
        landing,
        findings,
        not_checked,
        target: target.clone(),
        changes,
    })
}

/// Removes it as planned.
///
/// # Errors
/// [`Error::WouldLose`] if the plan is not free; [`Error::Moved`] if it is not
/// what was looked at any more; then nothing was changed.
pub fn execute(
    world: &World,
    repository: &Repository,
    plan: &Plan,
    keep_trash: Seconds,
    now: Time,
) -> Result<Receipt, Error> {
    plan.expect_free()?;
    let common = repository.common_dir();
    let lock =
        lock::acquire(world, &common.join("handover"), "remove a worktree", Seconds(120), &mut |_| {})?;
    let target = &plan.target;
    target.confirm(repository)?;
    let again = Status::of(&repository.git().at(&target.path), Untracked::Files)?;
    if again.changes != plan.changes {
        return Err(Error::Moved { path: target.path.clone() });
    }

    let waived: Vec<&'static str> = Waiver::ALL
        .into_iter()
        .filter(|waiver| {
            plan.findings.iter().any(|finding| finding.waived && finding.waiver == Some(*waiver))
        })
        .map(Waiver::name)
        .collect();
    let names = waived.iter().map(|name| (*name).to_owned()).collect();
    let note = Trashed::new(target, plan.deletes_branch, names, now)?;
    note.write(world, common)?;
    // From inside the directory that goes, git could not be asked any more.
    let git = repository.git().at(common);
    keepers::make(&Repository::discover(world, &target.path)?, &git, &note)?;
    lock.confirm()?;
    world.files.rename_new(&target.path, &note.tree(common))?;
    if let Err(e) = world.files.rename_new(&target.git_dir, &note.admin(common)) {
        // Half a removal is none.
        world.files.rename_new(&note.tree(common), &target.path)?;
        return Err(e.into());
    }
    complete(world, repository, &note, keep_trash, now, waived)
}

/// Ends a removal whose files have moved: at once, or after it was cut short.
pub fn go_on(
    world: &World,
    repository: &Repository,
    note: &Trashed,
    keep_trash: Seconds,
    now: Time,
) -> Result<Receipt, Error> {
    let common = repository.common_dir();
    let _lock =
        lock::acquire(world, &common.join("handover"), "remove a worktree", Seconds(120), &mut |_| {})?;
    world.files.rename_new(&note.admin_place(common), &note.admin(common))?;
    complete(world, repository, note, keep_trash, now, Vec::new())
}

fn complete(
    world: &World,
    repository: &Repository,
    note: &Trashed,
    keep_trash: Seconds,
    now: Time,
    waived: Vec<&'static str>,
) -> Result<Receipt, Error> {
    let common = repository.common_dir();
    let branch = delete_branch(&repository.git().at(common), note)?;
    if let Some(entry) = &note.entry {
        registry::forget(world, common, &entry.id)?;
    }
    // The removal is done, whatever the trash is like.
    let swept = trash::sweep(world, repository, keep_trash, now);
    let (gone, not_swept) = swept.unwrap_or_else(|e| (Vec::new(), vec![e.to_string()]));
    Ok(Receipt {
        id: note.id.clone(),
        name: note.name.clone(),
        path: note.path.clone(),
        branch,
        keeper: note.head.as_ref().map(|_| note.keeper()),
        undo: format!("handover remove --undo {}", note.id),
        swept: gone.iter().map(|note| format!("{} ({})", note.name, note.id)).collect(),
        not_swept,
        waived,
    })
}

/// Deletes the branch only while it still points to what has landed.
fn delete_branch(git: &Git, note: &Trashed) -> Result<BranchOutcome, Error> {
    let (Some(branch), Some(head)) = (&note.branch, &note.head) else { return Ok(BranchOutcome::Detached) };
    if !note.deletes_branch {
        return Ok(BranchOutcome::KeptUnlanded);
    }
    // Another worktree may have taken it in the meantime.
    if list(git)?.iter().any(|entry| entry.branch.as_ref() == Some(branch)) {
        return Ok(BranchOutcome::KeptMoved);
    }
    let done = git.try_run(&["update-ref", "-d", &format!("refs/heads/{branch}"), head.as_str()])?;
    Ok(if done.success() { BranchOutcome::Deleted } else { BranchOutcome::KeptMoved })
}

fn foreign_lock(target: &Target) -> Option<Finding> {
    let reason = target.locked.as_ref().filter(|reason| !reason.starts_with(LOCK_REASON))?;
    let reason = if reason.is_empty() { "no reason given".to_owned() } else { one_line(reason, 200) };
    let unlock =
        shell_path(&target.path).map(|path| format!("if it is no longer needed: git worktree unlock {path}"));
    Some(
        Finding::new(None, format!("it is locked by somebody else: {reason}"))
            .hint(unlock.unwrap_or_else(|_| "see git worktree unlock".to_owned())),
    )
}

/// A move across file systems would be a copy and a delete.
fn other_file_system(repository: &Repository, target: &Target) -> Result<Option<Finding>, Error> {
    let common = repository.common_dir();
    let device = common.metadata().map_err(|e| Error::read(common, e))?.dev();
    if device == target.device() {
        return Ok(None);
    }
    let what = "it lies on another file system than the repository, so it cannot move to the trash";
    Ok(Some(
        Finding::new(None, what).hint(
            "save what you need and remove it with git itself: git worktree unlock, git worktree remove",
        ),
    ))
}

fn jobs(jobs: &Known<Vec<String>>, not_checked: &mut Vec<String>) -> Option<Finding> {
    match jobs {
        Known::Known(jobs) if jobs.is_empty() => None,
        Known::Known(jobs) => Some(
            Finding::new(
                None,
                format!(
                    "{} of ours {} or write in it",
                    count(jobs.len(), "job"),
                    if jobs.len() == 1 { "works" } else { "work" }
                ),
            )
            .examples(jobs.iter().cloned())
            .hint("wait until they have ended: handover status"),
        ),
        Known::Unknown(why) => Some(Finding::new(
            Some(Waiver::Unknown),
            format!("whether jobs work in it is unknown: {}", one_line(why, 200)),
        )),
        Known::NotApplicable(why) => {
            not_checked.push(format!("jobs: {}", one_line(why, 200)));
            None
        }
    }
}

fn processes(target: &Target, not_checked: &mut Vec<String>) -> Option<Finding> {
    not_checked.push("processes on other hosts".to_owned());
    let Some((inside, unseen)) = occupants::inside(&target.path) else {
        return Some(Finding::new(Some(Waiver::Unknown), "processes cannot be seen on this system"));
    };
    if unseen > 0 {
        not_checked.push(format!(
            "{} on this host that may not be looked at, as those of other users",
            count(unseen, "process")
        ));
    }
    if inside.is_empty() {
        return None;
    }
    let name = |process: &Process| {
        let ours = if process.is_ours { ", from which this command runs" } else { "" };
        format!("{} {}{ours}", process.pid, process.name)
    };
    let finding =
        Finding::new(Some(Waiver::Process), format!("{} inside", count(inside.len(), "live process")));
    let finding = finding.examples(inside.iter().map(name));
    Some(if inside.iter().any(|process| process.is_ours) {
        finding.hint("leave it first (cd to the main worktree, or end the session in it), then run this again from there")
    } else {
        finding
    })
}

fn dirty(tree: &Repository, changes: &[crate::git::Change]) -> Option<Finding> {
    let mut examples: Vec<String> = changes.iter().map(|change| escape_path(&change.path)).collect();
    if let Some(operation) = Operation::in_progress(tree.git_dir()) {
        examples.insert(0, format!("a {operation} in progress"));
    }
    if examples.is_empty() {
        return None;
    }
    Some(
        Finding::new(Some(Waiver::Dirty), format!("{} not committed", count(examples.len(), "change")))
            .examples(examples),
    )
}

/// Edits that git was told not to see.
fn hidden_changes(world: &World, tree: &Repository) -> Result<Option<Finding>, Error> {
    let found = hidden::changes(world, tree)?;
    Ok((!found.is_empty()).then(|| {
        let what = format!(
            "{} that git was told not to see (skip-worktree, assume-unchanged)",
            count(found.len(), "change")
        );
        Finding::new(Some(Waiver::Dirty), what).examples(found.iter().map(escape_path))
    }))
}

fn inner_commits(tree: &Repository) -> Result<Option<Finding>, Error> {
    let found = submodules::unpushed(tree)?;
    Ok((!found.is_empty()).then(|| {
        Finding::new(Some(Waiver::Unlanded), "submodules with commits or stashes of their own")
            .examples(found)
    }))
}

/// Commits that only this worktree's branch, or its detached HEAD, has.
fn unlanded(git: &Git, target: &Target, landing: &Landing, goals: &[Base]) -> Result<Option<Finding>, Error> {
    let Some(head) = target.head.as_ref().filter(|_| !landing.is_complete()) else { return Ok(None) };
    let mut args = vec![
        "log".to_owned(),
        "-z".to_owned(),
        "--format=%h %s".to_owned(),
        format!("--max-count={}", SHOWN + 200),
    ];
    args.push(head.to_string());
    args.push("--not".to_owned());
    if let Some(branch) = &target.branch {
        args.push(format!("--exclude={}", glob_escaped(branch)));
    }
    args.extend(["--branches", "--remotes", "--tags"].map(str::to_owned));
    args.extend(goals.iter().map(|goal| goal.commit.to_string()));
    let text = git.run(&args)?;
    let text = String::from_utf8_lossy(&text);
    let subjects: Vec<String> =
        text.split('\0').filter(|line| !line.is_empty()).map(|line| one_line(line, 80)).collect();
    if subjects.is_empty() {
        return Ok(None);
    }
    let place = if target.branch.is_some() { "its branch, which stays" } else { "its detached HEAD" };
    let what = format!("{} only on {place}", count(subjects.len(), "commit"));
    Ok(Some(Finding::new(Some(Waiver::Unlanded), what).examples(subjects)))
}

/// A branch name as a pattern that fits it alone.
fn glob_escaped(name: &str) -> String {
    name.chars().flat_map(|c| "*?[\\".contains(c).then_some('\\').into_iter().chain([c])).collect()
}

fn ignored_data(
    repository: &Repository,
    target: &Target,
    ignored: impl Iterator<Item = PathBuf>,
) -> Result<Option<Finding>, Error> {
    let listed = list(repository.git())?;
    let source = super::create::source_of_links(repository, &listed)?;
    let links = target.entry.iter().flat_map(|entry| &entry.links);
    let links: Vec<&PathBuf> = links.collect();
    let is_ours = |path: &Path| {
        let is_link = links.iter().any(|link| link.as_path() == path)
            && source.as_ref().is_some_and(|source| share::is_our_link(&target.path, source, path));
        // Our own files are looked at by content, elsewhere.
        is_link
            || path.starts_with("CLAUDE")
            || ["CLAUDE.md", "CLAUDE.local.md"].iter().any(|name| path == Path::new(name))
    };
    let data = ignored::data(&target.path, ignored.filter(|path| !is_ours(path)));
    Ok((!data.is_empty()).then(|| {
        let names = data
            .iter()
            .map(|one| format!("{} {}{}", one.path, if one.is_more { "over " } else { "" }, one.bytes));
        Finding::new(
            Some(Waiver::Ignored),
            format!(
                "{} ignored by git that {} no cache",
                count(data.len(), "path"),
                if data.len() == 1 { "is" } else { "are" }
            ),
        )
        .examples(names)
    }))
}

fn count(n: usize, what: &str) -> String {
    match (n, what.ends_with('s')) {
        (1, _) => format!("1 {what}"),
        (_, true) => format!("{n} {what}es"),
        _ => format!("{n} {what}s"),
    }
}
