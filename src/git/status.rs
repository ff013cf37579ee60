use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Git, GitError};
use crate::terms::CommitId;

/// What `git status` says of one worktree.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Status {
    /// The commit checked out; `None` before the first one.
    pub head: Option<CommitId>,
    /// The branch without `refs/heads/`; `None` if HEAD is detached.
    pub branch: Option<String>,
    /// The upstream, as in `origin/main`; it may be gone.
    pub upstream: Option<String>,
    /// Commits ahead of and behind the upstream, if that exists.
    pub ahead_behind: Option<(u32, u32)>,
    /// Every path that differs, in git's order.
    pub changes: Vec<Change>,
}

/// One path that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Relative to the top of the worktree.
    pub path: PathBuf,
    /// Where it was before a rename or copy.
    pub from: Option<PathBuf>,
    /// How it differs.
    pub kind: ChangeKind,
    /// Git's two letters: index, then worktree; `.` where nothing changed.
    pub letters: [u8; 2],
    /// True for a submodule.
    pub is_submodule: bool,
}

/// How a path differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    /// Tracked and changed, in the index or in the worktree.
    Tracked,
    /// Tracked and in conflict.
    Unmerged,
    /// Not tracked and not ignored.
    Untracked,
    /// Ignored; only when asked for.
    Ignored,
}

/// How far `git status` looks for files that are not tracked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Untracked {
    /// Directories of nothing but untracked files count as one path.
    Directories,
    /// Every file by itself.
    Files,
    /// Every file by itself, and what is ignored: a directory that a rule names as one path.
    WithIgnored,
}

impl Change {
    /// True if the index differs from HEAD.
    pub fn is_staged(&self) -> bool {
        self.kind == ChangeKind::Tracked && self.letters[0] != b'.'
    }

    /// True if the worktree differs from the index.
    pub fn is_unstaged(&self) -> bool {
        self.kind == ChangeKind::Tracked && self.letters[1] != b'.'
    }
}

impl Status {
    /// Asks git, with every setting that could hide something pinned.
    pub fn of(git: &Git, untracked: Untracked) -> Result<Status, GitError> {
        let bytes = git.run(&Self::command(untracked))?;
        Status::parse(&bytes)
    }

    /// The arguments of the question.
    pub fn command(untracked: Untracked) -> Vec<&'static str> {
        let mut args = vec![
            "-c",
            "status.relativePaths=false",
            "status",
            "--porcelain=v2",
            "--branch",
            "-z",
            "--ignore-submodules=none",
            "--no-renames",
        ];
        args.push(if untracked == Untracked::Directories {
            "--untracked-files=normal"
        } else {
            "--untracked-files=all"
        });
        if untracked == Untracked::WithIgnored {
            args.push("--ignored=matching");
        }
        args
    }

    /// Reads `git status --porcelain=v2 --branch -z` (git-status(1), "Porcelain
    /// Format Version 2"). Header lines of later releases are passed over.
    pub fn parse(bytes: &[u8]) -> Result<Status, GitError> {
        let mut status = Status::default();
        let mut records = bytes.split(|b| *b == 0);
        while let Some(record) = records.next() {
            if record.is_empty() {
                continue;
            }
            let unreadable = || GitError::Unreadable {
                command: "status",
                text: String::from_utf8_lossy(record).into_owned(),
            };
            let (tag, rest) = record.split_at_checked(2).ok_or_else(unreadable)?;
            match tag {
                b"# " => status.header(&String::from_utf8_lossy(rest)),
                b"? " => status.changes.push(Change::outside(rest, ChangeKind::Untracked)),
                b"! " => status.changes.push(Change::outside(rest, ChangeKind::Ignored)),
                b"1 " => {
                    status.changes.push(Change::tracked(rest, 8, ChangeKind::Tracked).ok_or_else(unreadable)?)
                }
                b"2 " => {
                    let mut change = Change::tracked(rest, 9, ChangeKind::Tracked).ok_or_else(unreadable)?;
                    change.from = records.next().map(path);
                    status.changes.push(change);
                }
                b"u " => status
                    .changes
                    .push(Change::tracked(rest, 10, ChangeKind::Unmerged).ok_or_else(unreadable)?),
                _ => return Err(unreadable()),
            }
        }
        Ok(status)
    }

    fn header(&mut self, line: &str) {
        let Some((name, value)) = line.split_once(' ') else { return };
        match name {
            "branch.oid" => self.head = value.parse().ok(),
            "branch.head" if value != "(detached)" => self.branch = Some(value.to_owned()),
            "branch.upstream" => self.upstream = Some(value.to_owned()),
            "branch.ab" => {
                self.ahead_behind = value.split_once(' ').and_then(|(ahead, behind)| {
                    Some((ahead.strip_prefix('+')?.parse().ok()?, behind.strip_prefix('-')?.parse().ok()?))
                });
            }
            _ => {}
        }
    }
}

impl Change {
    fn outside(bytes: &[u8], kind: ChangeKind) -> Change {
        let letters = if kind == ChangeKind::Untracked { *b"??" } else { *b"!!" };
        Change { path: path(bytes), from: None, kind, letters, is_submodule: false }
    }

    /// `XY sub ...`, the path being field number `fields`.
    fn tracked(bytes: &[u8], fields: usize, kind: ChangeKind) -> Option<Change> {
        let mut parts = bytes.splitn(fields, |b| *b == b' ');
        let letters: [u8; 2] = parts.next()?.try_into().ok()?;
        let is_submodule = parts.next()?.first() == Some(&b'S');
        let name = parts.nth(fields - 3)?;
        (!name.is_empty()).then(|| Change { path: path(name), from: None, kind, letters, is_submodule })
    }
}

fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_record_is_read() {
        let oid = "0123456789012345678901234567890123456789";
        let text = format!(
            "# branch.oid {oid}\0# branch.head a b\0# branch.upstream origin/main\0# branch.ab +2 -1\0\
             1 .M N... 100644 100644 100644 {oid} {oid} src/with space.rs\0\
             2 R. N... 100644 100644 100644 {oid} {oid} R100 new\0old\0\
             u UU N... 100644 100644 100644 100644 {oid} {oid} {oid} both\0\
             1 .M SC.. 160000 160000 160000 {oid} {oid} sub\0? new\nline\0! target/\0"
        );
        let status = Status::parse(text.as_bytes()).unwrap();
        assert_eq!(status.branch.as_deref(), Some("a b"));
        assert_eq!(status.ahead_behind, Some((2, 1)));
        let seen: Vec<_> =
            status.changes.iter().map(|c| (c.path.to_str().unwrap(), c.kind, c.is_submodule)).collect();
        use ChangeKind::*;
        assert_eq!(
            seen,
            [
                ("src/with space.rs", Tracked, false),
                ("new", Tracked, false),
                ("both", Unmerged, false),
                ("sub", Tracked, true),
                ("new\nline", Untracked, false),
                ("target/", Ignored, false)
            ]
        );
        assert_eq!(status.changes[1].from.as_deref(), Some("old".as_ref()));
        assert!(status.changes[0].is_unstaged() && !status.changes[0].is_staged());
    }

    #[test]
    fn an_unborn_or_detached_head_is_no_branch() {
        let status = Status::parse(b"# branch.oid (initial)\0# branch.head main\0").unwrap();
        assert_eq!((status.head, status.branch.as_deref()), (None, Some("main")));
        let status = Status::parse(b"# branch.head (detached)\0").unwrap();
        assert_eq!(status.branch, None);
    }

    #[test]
    fn unknown_records_are_refused_not_skipped() {
        assert!(Status::parse(b"x what\0").is_err());
        assert!(Status::parse(b"1 .M N... short\0").is_err());
        assert!(Status::parse(b"1\0").is_err());
    }
}
