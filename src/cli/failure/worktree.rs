use std::path::Path;

use super::{Exit, judge_file, judge_git, judge_lock, look_at};
use crate::safety::{shell_path, shell_word};
use crate::worktree::Error;

/// What to do when something about a worktree was not done.
pub(super) fn judge(error: &Error) -> (Exit, Vec<String>) {
    match error {
        Error::Git(error) => judge_git(error),
        Error::File(error) => judge_file(error),
        Error::Read { path, source } => (Exit::Outside, vec![look_at(path, source)]),
        Error::Markers { path, .. } => (
            Exit::Refused,
            vec![format!(
                "leave one pair of those lines in it, or none: grep -n '<!-- handover:' {}",
                shell_path(path).unwrap_or_else(|_| "FILE".to_owned())
            )],
        ),
        Error::NotAFile { .. } => {
            (Exit::Refused, vec!["move it away, or make it a regular file of the worktree".into()])
        }
        Error::NoFolder { folder, .. } => (
            Exit::NotFound,
            vec![format!("mkdir -p {}", shell_path(folder).unwrap_or_else(|_| "DIR".to_owned()))],
        ),
        Error::Foreign { markers: [begin, end], .. } => (
            Exit::Refused,
            vec![
                "name a file that is not there yet".into(),
                format!("or put these two lines where it is to stand: {begin} and {end}"),
            ],
        ),
        Error::Edited { .. } => (
            Exit::Refused,
            vec![
                "to keep it there, move it out of the two marker lines".into(),
                "to have ours again, with a copy of theirs kept: the same command with --replace-edits"
                    .into(),
            ],
        ),
        Error::Exposed { .. } => (
            Exit::Refused,
            vec!["see which rule it is: git check-ignore -v --non-matching CLAUDE/CONTEXT.md".into()],
        ),
        Error::BadName { .. } => {
            (Exit::Usage, vec!["choose a name such as lr-schedule or fix/loader".into()])
        }
        Error::Unborn => {
            (Exit::NotFound, vec!["make one first: git commit --allow-empty --message 'First commit'".into()])
        }
        Error::NoSuchBase { .. } => {
            (Exit::NotFound, vec!["nothing is fetched; to get what a remote has: git fetch".into()])
        }
        Error::InMain { .. } => (
            Exit::Refused,
            vec!["switch the main worktree to another branch first, or choose another name".into()],
        ),
        Error::Taken { .. } => (Exit::Refused, vec!["choose another place with --path".into()]),
        Error::NotVisible { .. } => (
            Exit::Refused,
            vec![
                "if it lies on another machine's disk, work there".into(),
                "if it was moved by hand, run in it: git worktree repair".into(),
            ],
        ),
        Error::Checkout { .. } => (
            Exit::Outside,
            vec!["what was begun has been taken away again; run the same command again".into()],
        ),
        Error::StillStarting { .. } => {
            (Exit::Deferred, vec!["run the same command again in a moment".into()])
        }
        Error::NoSuchWorktree { .. } | Error::SeveralWorktrees { .. } => {
            (Exit::NotFound, vec!["see all of them: handover status".into()])
        }
        Error::Main { .. } => (Exit::Refused, vec!["see the linked ones: handover status".into()]),
        Error::NotItself { .. } => (
            Exit::Refused,
            vec![
                "see what git has registered: git worktree list".into(),
                "if it was moved by hand, run in it: git worktree repair".into(),
            ],
        ),
        Error::Moved { .. } => (Exit::Deferred, vec!["run the same command again".into()]),
        Error::WouldLose { name, waivable, hints, .. } => {
            let mut hints = hints.clone();
            if !waivable.is_empty() {
                hints.push(format!(
                    "to give that up (the trash keeps it for a while): --waive {}",
                    waivable.join(",")
                ));
            }
            if hints.is_empty() {
                let name = shell_word(name).unwrap_or_else(|_| "FEATURE".to_owned());
                hints.push(format!("see all that is in the way: handover remove {name} --dry-run"));
            }
            (Exit::Refused, hints)
        }
        Error::NotIntegrated { hint, .. } => (Exit::Refused, vec![hint.clone()]),
        Error::Stopped { name, checkout, operation, .. } => {
            (Exit::Partial, after_a_stop(name, checkout, operation.as_deref()))
        }
        Error::NotInTrash { .. } => {
            let what =
                "see what is there: handover remove --list-trash, or handover sweep clean --list-trash";
            (Exit::NotFound, vec![what.into()])
        }
        Error::Occupied { .. } => {
            (Exit::Refused, vec!["move what is there away, and run the same command again".into()])
        }
        Error::NotSeen { .. } => (
            Exit::Refused,
            vec![
                "if a file system is not mounted, mount it and run the same command again".into(),
                "if this is a copy, run it in the repository that put it there; or move it by hand".into(),
            ],
        ),
        Error::NotRestored { .. } => {
            (Exit::Refused, vec!["clear the way and run the same command again".into()])
        }
        Error::Lock(error) => judge_lock(error),
        Error::Contended { .. } => (Exit::Deferred, vec!["try again when nothing else writes it".into()]),
        Error::Damaged { .. } => {
            (Exit::Damaged, vec!["look at that file; move it away to go on without it".into()])
        }
    }
}

/// How to go on or back, with git's own commands.
fn after_a_stop(name: &str, checkout: &Path, operation: Option<&str>) -> Vec<String> {
    let Some(operation) = operation else {
        return vec!["nothing is in progress there; see what git says: git status".to_owned()];
    };
    let git = match shell_path(checkout) {
        Ok(path) => format!("git -C {path} {operation}"),
        Err(_) => format!("git {operation}"),
    };
    let name = shell_word(name).unwrap_or_else(|_| "FEATURE".to_owned());
    vec![
        format!("to go on: resolve the conflicts, git add them, then: {git} --continue"),
        format!("... and after that: handover remove {name} --waive unlanded"),
        format!("to go back: {git} --abort"),
    ]
}
