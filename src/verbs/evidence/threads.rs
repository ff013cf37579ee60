//! Looking on two threads: a login node is shared.

/// So many threads read.
pub(super) const THREADS: usize = 2;

/// Each item with what `work` makes of it, in their order. What a thread that
/// died had to do is missing: that counts as not read.
pub(super) fn side_by_side<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<(&T, R)> {
    let each = items.len().div_ceil(THREADS).max(1);
    let work = &work;
    std::thread::scope(|threads| {
        let parts: Vec<_> = items
            .chunks(each)
            .map(|part| threads.spawn(move || part.iter().map(|one| (one, work(one))).collect::<Vec<_>>()))
            .collect();
        parts.into_iter().flat_map(|part| part.join().unwrap_or_default()).collect()
    })
}
