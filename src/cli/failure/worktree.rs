use super::{Exit, judge_file, judge_git};
use crate::worktree::Error;

/// What to do when something about a worktree was not done.
pub(super) fn judge(error: &Error) -> (Exit, Vec<String>) {
    match error {
        Error::Git(error) => judge_git(error),
        Error::File(error) => judge_file(error),
        Error::Read { .. } => (Exit::Outside, Vec::new()),
        Error::Markers { .. } => {
            (Exit::Refused, vec!["leave one pair of the marker lines in that file, or none".into()])
        }
        Error::NotAFile { .. } => {
            (Exit::Refused, vec!["move it away, or make it a regular file of the worktree".into()])
        }
        Error::Exposed { .. } => (
            Exit::Refused,
            vec!["see which rule it is: git check-ignore -v --non-matching CLAUDE/CONTEXT.md".into()],
        ),
        Error::Contended { .. } => (Exit::Deferred, vec!["try again when nothing else writes it".into()]),
        Error::Damaged { .. } => {
            (Exit::Damaged, vec!["look at that file; move it away to go on without it".into()])
        }
    }
}
