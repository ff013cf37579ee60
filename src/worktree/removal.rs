//! The one function that removes a worktree, and the checks before it.
//!
//! All checks come before any change, and identity is checked again right
//! before the first one. Nothing is deleted: directory and private git
//! directory move to the trash, and a ref keeps the commits.

mod findings;

use std::path::PathBuf;

use serde::Serialize;

use super::landing::{self, Landing};
use super::target::Target;
use super::trash::{self, Trashed};
use super::{Error, context, inside, keepers, registry};
use crate::git::{ChangeKind, Git, Repository, Status, Untracked, list};
use crate::safety::{escape_path, shell_path, shell_word};
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
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
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

    findings.extend(findings::foreign_lock(target));
    if target.entry.as_ref().is_some_and(|entry| !entry.ready) {
        let hint = format!(
            "let it end, or go on with it: handover start {}",
            shell_word(&target.name()).unwrap_or_default()
        );
        findings.push(Finding::new(None, "its start has not ended").hint(hint));
    }
    findings.extend(findings::other_file_system(repository, target)?);
    findings.extend(hindrances.baton.as_ref().map(|holder| {
        let resume = match shell_path(&target.path) {
            Ok(path) => format!("handover -C {path} resume --take-over"),
            Err(_) => "handover resume --take-over, in it".to_owned(),
        };
        Finding::new(None, format!("another holds its baton: {holder}"))
            .hint(format!("wait for it, or take it over as a person: {resume}"))
    }));
    findings.extend(findings::jobs(&hindrances.jobs, &mut not_checked));
    findings.extend(findings::processes(target, &mut not_checked));

    let status = Status::of(&git, Untracked::WithIgnored)?;
    let (ignored, changes): (Vec<_>, Vec<_>) =
        status.changes.into_iter().partition(|change| change.kind == ChangeKind::Ignored);
    findings.extend(findings::dirty(&tree, &changes));
    findings.extend(findings::hidden_changes(world, &tree)?);
    findings.extend(findings::inner_commits(&tree)?);
    findings.extend(inside::findings(repository, &tree, &target.path)?);

    let goals = landing::goals(repository)?;
    let start = target.entry.as_ref().and_then(|entry| entry.base.clone());
    let landing = match &target.head {
        Some(head) => landing::of(world, repository, head, start.as_ref(), &goals)?,
        None => Landing::Fresh,
    };
    findings.extend(findings::unlanded(&git, target, &landing, &goals)?);
    findings.extend(findings::ignored_data(
        repository,
        target,
        ignored.into_iter().map(|change| change.path),
    )?);
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
