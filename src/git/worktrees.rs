use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::{Git, GitError};
use crate::terms::CommitId;

/// One entry of `git worktree list`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Where it is, or was.
    pub path: PathBuf,
    /// The commit checked out; `None` before the first one, and for a bare entry.
    pub head: Option<CommitId>,
    /// The branch without `refs/heads/`; `None` if HEAD is detached.
    pub branch: Option<String>,
    /// The entry of a bare repository, which has no files.
    pub is_bare: bool,
    /// The reason of its lock; empty if there is none.
    pub locked: Option<String>,
    /// Why git believes that it is gone.
    pub prunable: Option<String>,
}

/// All worktrees of a repository, the main one first.
///
/// `-z` came with git 2.36; without it a path with a newline makes the answer
/// unreadable, and it is refused.
pub fn list(git: &Git) -> Result<Vec<Listed>, GitError> {
    let finished = git.try_run(&["worktree", "list", "--porcelain", "-z"])?;
    if finished.success() {
        return parse(&finished.stdout, 0);
    }
    parse(&git.run(&["worktree", "list", "--porcelain"])?, b'\n')
}

/// Reads what `git worktree list --porcelain` prints; `end` ends its lines.
pub fn parse(bytes: &[u8], end: u8) -> Result<Vec<Listed>, GitError> {
    let mut all: Vec<Listed> = Vec::new();
    for line in bytes.split(|b| *b == end).filter(|line| !line.is_empty()) {
        let unreadable = || GitError::Unreadable {
            command: "worktree list",
            text: String::from_utf8_lossy(line).into_owned(),
        };
        let (name, value) = line
            .iter()
            .position(|b| *b == b' ')
            .map_or((line, &b""[..]), |at| (&line[..at], &line[at + 1..]));
        let text = || String::from_utf8_lossy(value).into_owned();
        if name == b"worktree" {
            all.push(Listed { path: PathBuf::from(OsStr::from_bytes(value)), ..Listed::default() });
            continue;
        }
        let last = all.last_mut().ok_or_else(unreadable)?;
        match name {
            b"HEAD" => {
                last.head = text().parse().ok().filter(|id: &CommitId| id.as_str().bytes().any(|b| b != b'0'))
            }
            b"branch" => {
                last.branch = Some(text().strip_prefix("refs/heads/").map_or_else(text, str::to_owned))
            }
            b"bare" => last.is_bare = true,
            b"locked" => last.locked = Some(text()),
            b"prunable" => last.prunable = Some(text()),
            // Later releases may say more.
            _ => {}
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_porcelain_form_is_read() {
        let oid = "0123456789012345678901234567890123456789";
        let text = format!(
            "worktree /r\0HEAD {oid}\0branch refs/heads/main\0\0worktree /r.a\nb\0HEAD {oid}\0detached\0locked why\nnot\0\0worktree /x\0bare\0\0"
        );
        let all = parse(text.as_bytes(), 0).unwrap();
        assert_eq!(all.len(), 3);
        assert_eq!(all[0].branch.as_deref(), Some("main"));
        assert_eq!((all[1].branch.as_deref(), all[1].locked.as_deref()), (None, Some("why\nnot")));
        assert!(all[2].is_bare);
        assert!(parse(b"HEAD x\0", 0).is_err());
    }
}
