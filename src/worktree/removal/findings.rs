//! What a removal would lose or disturb, one function for each kind.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::{Finding, SHOWN, Waiver};
use crate::git::{Git, Operation, Repository, list};
use crate::safety::{escape_path, one_line, shell_path};
use crate::sys::World;
use crate::terms::Known;
use crate::worktree::base::Base;
use crate::worktree::create::{self, LOCK_REASON};
use crate::worktree::landing::Landing;
use crate::worktree::occupants::{self, Process};
use crate::worktree::target::Target;
use crate::worktree::{Error, hidden, ignored, share, submodules};

pub fn foreign_lock(target: &Target) -> Option<Finding> {
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
pub fn other_file_system(repository: &Repository, target: &Target) -> Result<Option<Finding>, Error> {
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

pub fn jobs(jobs: &Known<Vec<String>>, not_checked: &mut Vec<String>) -> Option<Finding> {
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

pub fn processes(target: &Target, not_checked: &mut Vec<String>) -> Option<Finding> {
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

pub fn dirty(tree: &Repository, changes: &[crate::git::Change]) -> Option<Finding> {
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
pub fn hidden_changes(world: &World, tree: &Repository) -> Result<Option<Finding>, Error> {
    let found = hidden::changes(world, tree)?;
    Ok((!found.is_empty()).then(|| {
        let what = format!(
            "{} that git was told not to see (skip-worktree, assume-unchanged)",
            count(found.len(), "change")
        );
        Finding::new(Some(Waiver::Dirty), what).examples(found.iter().map(escape_path))
    }))
}

pub fn inner_commits(tree: &Repository) -> Result<Option<Finding>, Error> {
    let found = submodules::unpushed(tree)?;
    Ok((!found.is_empty()).then(|| {
        Finding::new(Some(Waiver::Unlanded), "submodules with commits or stashes of their own")
            .examples(found)
    }))
}

/// Commits that only this worktree's branch, or its detached HEAD, has.
pub fn unlanded(
    git: &Git,
    target: &Target,
    landing: &Landing,
    goals: &[Base],
) -> Result<Option<Finding>, Error> {
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

pub fn ignored_data(
    repository: &Repository,
    target: &Target,
    ignored: impl Iterator<Item = PathBuf>,
) -> Result<Option<Finding>, Error> {
    let listed = list(repository.git())?;
    let source = create::source_of_links(repository, &listed)?;
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
