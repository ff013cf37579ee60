//! What keeps the objects of a removed worktree from git's collection of
//! garbage: a ref for its commit, others for its index, its private refs, and
//! the commits that only the reflog of its HEAD knows: amended, reset, rebased.

use std::collections::HashSet;

use super::Error;
use super::trash::Trashed;
use crate::git::{Git, Repository};

/// The refs that only a worktree itself has (gitrepository-layout(5)), and
/// those of operations in progress, which are no refs by name.
const PRIVATE: [&str; 3] = ["refs/worktree", "refs/bisect", "refs/rewritten"];
const HEADS: [&str; 5] = ["ORIG_HEAD", "MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "REBASE_HEAD"];

/// Makes the refs, before anything is moved: from then on the worktree's own
/// git directory, which git asks, is not where git looks.
pub fn make(tree: &Repository, common: &Git, note: &Trashed) -> Result<(), Error> {
    let mut kept: Vec<String> = index(tree)?.into_iter().collect();
    let listed = ["for-each-ref", "--format=%(objectname)"];
    let private = tree.git().line(&[&listed[..], &PRIVATE].concat())?;
    kept.extend(private.lines().map(str::to_owned));
    for name in HEADS {
        let done = tree.git().try_run(&["rev-parse", "--verify", "--quiet", name])?;
        if done.success() {
            kept.push(done.text().trim().to_owned());
        }
    }
    kept.extend(forgotten(tree, note)?);
    let mut seen = HashSet::new();
    kept.retain(|id| note.head.as_ref().is_none_or(|head| head.as_str() != id) && seen.insert(id.clone()));
    let mut lines = String::new();
    if let Some(head) = &note.head {
        lines.push_str(&format!("create {} {head}\n", note.keeper()));
    }
    for (n, id) in kept.iter().enumerate() {
        lines.push_str(&format!("create {}/{n} {id}\n", folder(note)));
    }
    if !lines.is_empty() {
        common.run_with_input(&["update-ref", "--stdin"], lines.into_bytes())?;
    }
    Ok(())
}

/// The newest of the commits that the reflogs of its HEAD and its branch name and
/// that no ref reaches: each of them keeps those before it.
fn forgotten(tree: &Repository, note: &Trashed) -> Result<Vec<String>, Error> {
    let git = tree.git();
    let branch = note.branch.as_ref().map(|branch| format!("refs/heads/{branch}"));
    let mut asked = String::new();
    for name in std::iter::once("HEAD").chain(branch.as_deref()) {
        // Without a reflog, or before the first commit, there is nothing to list.
        let listed = git.try_run(&["reflog", "show", "--format=%H", name, "--"])?;
        asked.push_str(listed.text().trim());
        asked.push('\n');
    }
    let asked = asked.trim();
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let kept: String = note.head.iter().map(|head| format!("\n^{head}")).collect();
    // What git has collected already is passed over.
    let args = ["rev-list", "--ignore-missing", "--parents", "--stdin", "--not", "--all"];
    let answer = git.run_with_input(&args, format!("{asked}{kept}\n").into_bytes())?;
    let answer = String::from_utf8_lossy(&answer);
    let mut heads = Vec::new();
    let mut parents = HashSet::new();
    for line in answer.lines() {
        let mut ids = line.split_ascii_whitespace();
        heads.extend(ids.next());
        parents.extend(ids);
    }
    Ok(heads.into_iter().filter(|id| !parents.contains(id)).map(str::to_owned).collect())
}

/// Deletes the refs besides that of the commit.
pub fn drop_others(common: &Git, note: &Trashed) -> Result<(), Error> {
    let lines = common.run(&["for-each-ref", "--format=delete %(refname) %(objectname)", &folder(note)])?;
    if !lines.is_empty() {
        common.run_with_input(&["update-ref", "--stdin"], lines)?;
    }
    Ok(())
}

fn folder(note: &Trashed) -> String {
    format!("refs/handover/trashed/{}", note.id)
}

/// A tree of every file in the index, conflicts too, that the commit does not hold.
fn index(tree: &Repository) -> Result<Option<String>, Error> {
    let git = tree.git();
    let staged = git.run(&["ls-files", "--stage", "-z"])?;
    let committed = git.try_run(&["ls-tree", "-r", "-z", "HEAD"])?;
    // `<mode> <id> <stage>\tpath` and `<mode> <type> <id>\tpath`.
    let id_at = |record: &[u8], at: usize| -> Option<String> {
        let head = record.split(|b| *b == b'\t').next()?;
        let mut words = head.split(|b| *b == b' ');
        let is_link = words.clone().next() == Some(b"160000");
        let id = words.nth(at).filter(|_| !is_link)?;
        Some(String::from_utf8_lossy(id).into_owned())
    };
    let records = |bytes: &[u8], at: usize| -> HashSet<String> {
        bytes.split(|b| *b == 0).filter_map(|record| id_at(record, at)).collect()
    };
    let known = records(&committed.stdout, 2);
    let mut new: Vec<String> = records(&staged, 1).difference(&known).cloned().collect();
    new.sort();
    if new.is_empty() {
        return Ok(None);
    }
    // A file that is only announced (`git add -N`) may have no blob yet.
    let asked = git.run_with_input(&["cat-file", "--batch-check"], (new.join("\n") + "\n").into_bytes())?;
    let asked = String::from_utf8_lossy(&asked);
    let there = asked.lines().filter_map(|line| line.split_once(" blob ").map(|(id, _)| id));
    let lines: String = there.map(|id| format!("100644 blob {id}\t{id}\n")).collect();
    let made = git.run_with_input(&["mktree"], lines.into_bytes())?;
    Ok(Some(String::from_utf8_lossy(&made).trim().to_owned()))
}
