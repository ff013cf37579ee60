/// What to do about a line that was refused.
pub(super) fn judge(faults: &[crate::report::paste::Fault]) -> Vec<String> {
    faults
        .iter()
        .map(crate::report::paste::hint)
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}
