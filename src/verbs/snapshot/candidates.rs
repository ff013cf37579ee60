//! State files that the repository knows.

use std::collections::BTreeSet;
use std::io::{self, Read};
use std::path::Path;

use super::super::Context;
use crate::cluster::StateFile;
use crate::git::{self, Git};
use crate::safety;
use crate::terms::{Digest, Seconds, Time};

/// The largest state file that is read, in bytes.
const MOST: u64 = 64 << 20;

/// Clocks of two machines may differ by this much.
const SKEW: Seconds = Seconds(300);
/// So many branches of remotes are looked at where no other state file is known.
const MOST_BRANCHES: usize = 30;

/// The newest state file of this worktree, the others, and the branches that
/// they follow: by the time written in it, else that of its commit. Of those
/// without any time the first one is taken, and only if no other has one.
pub(super) fn newest(context: &Context) -> Option<StateFile> {
    let mut seen = BTreeSet::new();
    let mut best: Option<StateFile> = None;
    for file in on_disk(context).into_iter().chain(in_git(context)) {
        if !seen.insert(Digest::of(&file.bytes).to_string()) {
            continue;
        }
        // A time in the future is a broken clock or a lie; such a file wins over nothing.
        let time = |file: &StateFile| time(file).filter(|time| *time <= context.now.plus(SKEW));
        let newer = |known: &StateFile| time(&file) > time(known);
        if best.as_ref().is_none_or(newer) {
            best = Some(file);
        }
    }
    // What nobody here follows is better than nothing.
    best.or_else(|| elsewhere(context))
}

/// On any branch of a remote that git knows: of those that were committed to
/// last the newest file.
fn elsewhere(context: &Context) -> Option<StateFile> {
    let git = context.repository.git();
    let path = context.config.cluster.state_file.to_str()?;
    let count = format!("--count={MOST_BRANCHES}");
    let words = ["for-each-ref", "--sort=-committerdate", &count, "--format=%(refname)", "refs/remotes"];
    let listed = git.try_run(&words).ok()?.text();
    let files = listed.lines().filter_map(|branch| {
        let bytes = blob(git, branch, path)?;
        let short = branch.strip_prefix("refs/remotes/").unwrap_or(branch);
        let name = format!("{}:{path}", safety::one_line(short, 100));
        Some(StateFile { name, bytes, committed_at: committed(git, branch, path) })
    });
    let known = |file: &StateFile| time(file).filter(|time| *time <= context.now.plus(SKEW));
    files.max_by_key(known)
}

fn time(file: &StateFile) -> Option<Time> {
    file.taken_at().map(|(time, _)| time)
}

/// In this worktree and the others.
fn on_disk(context: &Context) -> Vec<StateFile> {
    let here = context.repository.worktree().to_owned();
    let others = git::list(context.repository.git()).unwrap_or_default();
    let others = others.into_iter().filter(|other| !other.is_bare).map(|other| other.path);
    let dirs = std::iter::once(here.clone()).chain(others.filter(|dir| *dir != here));
    dirs.filter_map(|dir| {
        let path = dir.join(&context.config.cluster.state_file);
        Some(of_disk(context, &path, bytes(&path).ok()?))
    })
    .collect()
}

/// On the branch that ours follows, and on the remote's own main branch.
fn in_git(context: &Context) -> Vec<StateFile> {
    let git = context.repository.git();
    let Some(path) = context.config.cluster.state_file.to_str() else { return Vec::new() };
    ["@{upstream}", "refs/remotes/origin/HEAD"]
        .into_iter()
        .filter_map(|revision| {
            let name = git.try_run(&["rev-parse", "--abbrev-ref", "--verify", "--quiet", revision]).ok()?;
            let bytes = blob(git, revision, path)?;
            Some(StateFile {
                name: format!("{}:{path}", safety::one_line(&name.text(), 100)),
                bytes,
                committed_at: committed(git, revision, path),
            })
        })
        .collect()
}

/// A file on disk; its commit counts only if that holds the very same bytes.
pub(super) fn of_disk(context: &Context, path: &Path, bytes: Vec<u8>) -> StateFile {
    let worktree = context.repository.worktree();
    let name = safety::escape_path(path.strip_prefix(worktree).unwrap_or(path));
    let committed_at =
        path.parent().zip(path.file_name().and_then(|name| name.to_str())).and_then(|(dir, name)| {
            let git = context.repository.git().at(dir);
            let path = format!("./{name}");
            (blob(&git, "HEAD", &path)? == bytes).then(|| committed(&git, "HEAD", &path)).flatten()
        });
    StateFile { name, bytes, committed_at }
}

/// The bytes of a file that is not larger than is sensible.
pub(super) fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    // Looked at before it is opened: to open a pipe waits for its writer.
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let file = std::fs::File::open(path)?;
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!("it is larger than {} MiB", MOST >> 20),
        ));
    }
    Ok(bytes)
}

fn blob(git: &Git, revision: &str, path: &str) -> Option<Vec<u8>> {
    let finished = git.try_run(&["cat-file", "blob", &format!("{revision}:{path}")]).ok()?;
    finished.success().then_some(finished.stdout)
}

fn committed(git: &Git, revision: &str, path: &str) -> Option<Time> {
    let finished = git.try_run(&["log", "-1", "--format=%ct", revision, "--", path]).ok()?;
    finished.text().trim().parse().ok().and_then(Time::from_unix)
}
