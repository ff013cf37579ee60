use super::{Exit, judge_file, judge_git, judge_lock};
use crate::safety::shell_path;
use crate::sync::Error;

/// What to do when a sync was not done, or not to its end.
pub(super) fn judge(error: &Error) -> (Exit, Vec<String>) {
    let again = "then: handover sync".to_owned();
    match error {
        Error::Git(error) => judge_git(error),
        Error::File(error) => judge_file(error),
        Error::Lock(error) => judge_lock(error),
        Error::InProgress { operation } => {
            (Exit::Refused, vec![format!("end it, or give it up: git {operation} --abort"), again])
        }
        Error::Unmerged { .. } => (Exit::Refused, vec!["resolve them, and git add each one".into(), again]),
        Error::Detached => {
            (Exit::Refused, vec!["keep what is here on a branch: git switch -c BRANCH".into(), again])
        }
        Error::Unborn { .. } => {
            (Exit::Refused, vec!["make the first commit by hand: git commit".into(), again])
        }
        Error::NoRemote { .. } => (
            Exit::NotFound,
            vec![
                "see which there are: git remote -v".into(),
                "choose one: handover sync --remote NAME".into(),
            ],
        ),
        Error::Moved { .. } => {
            (Exit::Deferred, vec!["somebody else works in this worktree; run it again: handover sync".into()])
        }
        Error::GitBusy { path } => {
            let path = shell_path(path).unwrap_or_else(|_| "FILE".to_owned());
            (
                Exit::Deferred,
                vec![
                    "run it again when that git has ended".into(),
                    format!("if no git runs here any more: mv {path} {path}.old"),
                ],
            )
        }
        Error::InTheWay { .. } => (
            Exit::Refused,
            vec!["copy those files elsewhere, then: git restore --source=HEAD -- FILE".into(), again],
        ),
    }
}
