//! What lies in a worktree and belongs to something else: other repositories,
//! other worktrees of this one, checked-out submodules, mounted file systems.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::removal::{Finding, Waiver};
use super::{Error, ignored};
use crate::git::{ChangeKind, Listed, Repository, Status, Untracked, list};
use crate::safety::{escape_path, shell_path};
use crate::sys::mounts_below;

/// The most files and directories that are looked at.
const MOST: usize = 2_000_000;

/// The repositories in a worktree, by the place of their files, relative to its top.
#[derive(Debug, Default)]
struct Inner {
    /// Those of submodules whose repository goes to the trash with the worktree's own.
    submodules: Vec<PathBuf>,
    /// All others.
    others: Vec<PathBuf>,
    /// Directories that could not be read.
    unread: Vec<PathBuf>,
    /// True if there was more than is looked at.
    is_cut: bool,
}

/// Everything of that kind that speaks against a removal.
pub fn findings(repository: &Repository, tree: &Repository, top: &Path) -> Result<Vec<Finding>, Error> {
    let mut findings = Vec::new();
    findings.extend(mounted(top));
    let listed = list(repository.git())?;
    let worktrees = worktrees(&listed, top);
    findings.extend(worktrees.iter().map(|path| {
        let what = format!("another worktree of this repository lies in it: {}", escape_path(path));
        let hint = shell_path(path).map(|path| format!("remove that one first: handover remove {path}"));
        Finding::new(None, what).hint(hint.unwrap_or_else(|_| "remove that one first".to_owned()))
    }));
    let mut inner = look(top, tree.git_dir());
    inner.others.retain(|path| !worktrees.contains(&top.join(path)));
    if !inner.others.is_empty() {
        let what = "repositories of their own in it, with all that only they know";
        findings
            .push(Finding::new(Some(Waiver::Ignored), what).examples(inner.others.iter().map(escape_path)));
    }
    let data = ignored_in(tree, top, &inner.submodules)?;
    if !data.is_empty() {
        let what = "ignored files of submodules that are no cache";
        findings.push(Finding::new(Some(Waiver::Ignored), what).examples(data));
    }
    if !inner.unread.is_empty() {
        let what = "what lies in some directories cannot be seen";
        findings
            .push(Finding::new(Some(Waiver::Unknown), what).examples(inner.unread.iter().map(escape_path)));
    }
    if inner.is_cut {
        let what = format!("it holds more than {MOST} files; whether repositories are among them is unknown");
        findings.push(Finding::new(Some(Waiver::Unknown), what));
    }
    Ok(findings)
}

/// What is mounted in it would be moved to the trash, and emptied with it.
fn mounted(top: &Path) -> Option<Finding> {
    let mounts = mounts_below(top)?;
    let first = shell_path(mounts.first()?).map(|path| format!("unmount it: umount {path}"));
    let what = "a file system or directory is mounted in it";
    let hint = first.unwrap_or_else(|_| "unmount it: umount".to_owned());
    Some(Finding::new(None, what).examples(mounts.iter().map(escape_path)).hint(hint))
}

/// The worktrees of this repository that are there and lie below `top`.
fn worktrees(listed: &[Listed], top: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in listed.iter().map(|entry| &entry.path) {
        let real = path.canonicalize();
        if let Ok(real) = real
            && real != top
            && real.starts_with(top)
        {
            found.push(real);
        }
    }
    found
}

/// Looks for repositories, following no links. A bare one is known by what is in it.
fn look(top: &Path, git_dir: &Path) -> Inner {
    let modules = git_dir.join("modules").canonicalize().ok();
    let mut inner = Inner::default();
    let mut walk = walkdir::WalkDir::new(top).min_depth(1).sort_by_file_name().into_iter();
    let mut count = 0;
    while let Some(entry) = walk.next() {
        count += 1;
        if count > MOST {
            inner.is_cut = true;
            break;
        }
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) => continue,
            Err(e) => {
                let path = e.path().unwrap_or(top);
                inner.unread.push(path.strip_prefix(top).unwrap_or(path).to_owned());
                continue;
            }
        };
        let is_git = entry.file_name() == OsStr::new(".git");
        let is_bare = entry.file_name() == OsStr::new("HEAD") && is_bare(entry.path());
        if !is_git && !is_bare {
            continue;
        }
        if entry.file_type().is_dir() {
            walk.skip_current_dir();
        }
        if is_git && entry.depth() == 1 {
            continue;
        }
        let place = entry.path().parent().unwrap_or(top);
        let relative = place.strip_prefix(top).unwrap_or(place).to_owned();
        let named = super::private_dir(place).filter(|_| is_git);
        match (named, &modules) {
            (Some(named), Some(modules)) if named.starts_with(modules) => inner.submodules.push(relative),
            _ => inner.others.push(relative),
        }
    }
    inner
}

/// True if a file `HEAD` lies beside what only a repository has.
fn is_bare(head: &Path) -> bool {
    let beside = |name: &str| head.with_file_name(name).is_dir();
    beside("objects") && beside("refs")
}

/// What the submodules ignore and somebody would miss.
fn ignored_in(tree: &Repository, top: &Path, submodules: &[PathBuf]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for path in submodules {
        let dir = top.join(path);
        let status = Status::of(&tree.git().at(&dir), Untracked::WithIgnored)?;
        let ignored = status.changes.into_iter().filter(|change| change.kind == ChangeKind::Ignored);
        let data = ignored::data(&dir, ignored.map(|change| change.path));
        let over = |is_more: bool| if is_more { "over " } else { "" };
        found.extend(
            data.iter()
                .map(|one| format!("{}/{} {}{}", escape_path(path), one.path, over(one.is_more), one.bytes)),
        );
    }
    Ok(found)
}
