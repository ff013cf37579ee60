use super::Exit;
use crate::remote::TargetError;

/// What to do when a machine cannot be gone to.
pub(super) fn judge(error: &TargetError) -> (Exit, Vec<String>) {
    match error {
        TargetError::Name(_) => (
            Exit::Usage,
            vec!["a port, a key or a jump host goes into ~/.ssh/config, under a name of its own".into()],
        ),
        TargetError::Profile { .. } => (
            Exit::Usage,
            vec![
                "mend it below `remote` in the settings: handover remote check --verbose names the files"
                    .into(),
            ],
        ),
        TargetError::None { .. } => (Exit::NotFound, where_to_write()),
        TargetError::Several { .. } => (Exit::Usage, vec!["name one of them".into()]),
        TargetError::Unknown { .. } => {
            (Exit::NotFound, vec!["see which there are: handover remote check".into()])
        }
    }
}

/// Where a profile is looked for.
pub(super) fn where_to_write() -> Vec<String> {
    vec![
        "write it into ~/.config/handover/config.yaml, or for this clone into handover/config.yaml of its git directory:"
            .to_owned(),
        "remote: {profiles: {gpu: {kind: workstation, host: NAME, path: ~/project}}}".to_owned(),
    ]
}
