use super::Exit;
use crate::verbs::fetch::FetchError;

/// What to do when a document was not fetched.
pub(super) fn judge(error: &FetchError) -> (Exit, Vec<String>) {
    match error {
        FetchError::NoRemote => (
            Exit::NotFound,
            vec![
                "see which remotes there are: git remote -v".into(),
                "see what is here: handover list".into(),
            ],
        ),
        FetchError::NotThere { .. } => {
            (Exit::NotFound, vec!["where it was made: handover sync, or handover create --push".to_owned()])
        }
        FetchError::Several { .. } => (Exit::NotFound, vec!["type more of the key".into()]),
        FetchError::Strange { key, .. } => (
            Exit::Damaged,
            vec![format!("nothing of it was kept; ask whoever gave you {key} where it was made")],
        ),
        FetchError::OtherDigest { .. } => {
            (Exit::No, vec!["nothing of it was kept; ask whoever gave you the digest".into()])
        }
        FetchError::Other { key, .. } => {
            (Exit::Refused, vec![format!("read the one that is here: handover show {key}")])
        }
        FetchError::Offline { .. } => (Exit::Deferred, vec!["run it again when the remote is there".into()]),
        FetchError::Refused { remote, .. } => (
            Exit::Outside,
            vec![format!(
                "ask git itself: git ls-remote {}",
                crate::safety::shell_word(remote).unwrap_or_else(|_| "REMOTE".to_owned())
            )],
        ),
    }
}
