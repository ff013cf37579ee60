//! GPUs in the two notations of Slurm: GRES (`gpu:a100:4(S:0-1)`) and TRES
//! (`gres/gpu:a100=4`).

/// A count of GPUs of one type; the type is empty where none is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Count {
    pub kind: String,
    pub count: u32,
}

/// All entries for GPUs, typed and untyped, in the order of the text.
pub(super) fn counts(text: &str) -> Vec<Count> {
    if text.contains('=') { tres(text) } else { gres(text) }
}

/// How many GPUs a job's text names; `None` if it names none.
///
/// A typed count and an untyped one stand for the same GPUs: the larger of the
/// untyped one and the sum of the typed ones holds.
pub(super) fn gpus_in(text: &str) -> Option<u32> {
    let counts = counts(text);
    let sum = |typed: bool| {
        counts.iter().filter(|c| c.kind.is_empty() != typed).fold(0u32, |sum, c| sum.saturating_add(c.count))
    };
    (!counts.is_empty()).then(|| sum(true).max(sum(false)))
}

/// The memory in a text of TRES (`cpu=1,mem=500M`).
pub(super) fn memory_in(text: &str) -> Option<crate::terms::Bytes> {
    text.split(',').find_map(|entry| entry.trim().strip_prefix("mem=")?.parse().ok())
}

fn tres(text: &str) -> Vec<Count> {
    let mut found = Vec::new();
    for entry in text.split(',') {
        let Some((name, count)) = entry.trim().split_once('=') else { continue };
        let Some(kind) = gpu_name(name.trim_start_matches("gres/")) else { continue };
        if let Some(count) = number(count) {
            found.push(Count { kind: kind.to_owned(), count });
        }
    }
    found
}

fn gres(text: &str) -> Vec<Count> {
    let mut found = Vec::new();
    for entry in entries(text) {
        // `(S:0-1)` and `(IDX:0-2)` say which ones, not how many.
        let entry = entry.split_once('(').map_or(entry, |(entry, _)| entry);
        let entry = entry.trim_start_matches("gres/").trim_start_matches("gres:");
        let (name, count) = match entry.rsplit_once(':') {
            Some((name, count)) if number(count).is_some() => (name, number(count)),
            _ => (entry, Some(1)),
        };
        // Entries that several jobs may use at once are no GPUs to be had.
        if name.ends_with(":no_consume") {
            continue;
        }
        if let (Some(kind), Some(count)) = (gpu_name(name), count) {
            found.push(Count { kind: kind.to_owned(), count });
        }
    }
    found
}

/// The entries of a list whose parentheses may hold commas.
fn entries(text: &str) -> Vec<&str> {
    let mut depth = 0usize;
    text.split(|c: char| {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ',' && depth == 0
    })
    .map(str::trim)
    .filter(|entry| !entry.is_empty())
    .collect()
}

/// The type in `gpu`, `gpu:a100`, `mig:3g.40gb`; `None` for what is no GPU.
fn gpu_name(name: &str) -> Option<&str> {
    match name.split_once(':') {
        Some(("gpu" | "mig", kind)) => Some(kind),
        None if name == "gpu" => Some(""),
        _ => None,
    }
}

/// A count, maybe with K or M for powers of 1024.
fn number(text: &str) -> Option<u32> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'K' => (&text[..text.len() - 1], 1024),
        b'M' => (&text[..text.len() - 1], 1024 * 1024),
        _ => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u32>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<(String, u32)> {
        counts(text).into_iter().map(|c| (c.kind, c.count)).collect()
    }

    #[test]
    fn both_notations_are_read() {
        for (text, expected) in [
            ("gpu:4", vec![("", 4)]),
            ("gpu:a100:8(S:0-1)", vec![("a100", 8)]),
            ("gpu:a100:3(IDX:0-2),gpu:h100:0(IDX:N/A)", vec![("a100", 3), ("h100", 0)]),
            ("gpu:a100:3(IDX:0,2,3),gpu:h100:1(IDX:4)", vec![("a100", 3), ("h100", 1)]),
            ("gpu:1g.5gb:7", vec![("1g.5gb", 7)]),
            ("gpu:tesla_v100-sxm3-32gb:16", vec![("tesla_v100-sxm3-32gb", 16)]),
            ("mig:nvidia_a100_3g.40gb:7", vec![("nvidia_a100_3g.40gb", 7)]),
            ("nsight:no_consume:1,gpu:2,tmp:1860G", vec![("", 2)]),
            ("gpu:no_consume:2", vec![]),
            ("cpu=16,mem=62.50G,gres/gpu=4,gres/gpu:a100=4", vec![("", 4), ("a100", 4)]),
            ("gres:gpu:a100:2", vec![("a100", 2)]),
            ("gres/gpu:1", vec![("", 1)]),
            ("gpu", vec![("", 1)]),
            ("(null)", vec![]),
            ("N/A", vec![]),
            ("", vec![]),
            ("shard:8", vec![]),
        ] {
            let expected: Vec<_> = expected.into_iter().map(|(kind, n)| (kind.to_owned(), n)).collect();
            assert_eq!(all(text), expected, "{text}");
        }
    }

    #[test]
    fn typed_and_untyped_counts_are_never_added() {
        assert_eq!(gpus_in("cpu=1,gres/gpu=2,gres/gpu:a100=2"), Some(2));
        assert_eq!(gpus_in("gres/gpu=1"), Some(1));
        assert_eq!(gpus_in("gpu:a100:1,gpu:h100:2"), Some(3));
        assert_eq!(gpus_in("cpu=1,mem=2G"), None);
    }
}
