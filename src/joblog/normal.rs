//! Text without what differs between tasks that failed alike.

use std::sync::LazyLock;

use regex::Regex;

/// The longest normal text, in characters.
const MOST: usize = 200;

/// A cheap look that says whether a pattern could match: most do not, and
/// thousands of logs are read.
type May = fn(&str) -> bool;

/// Numbers (with what binds them: dates, versions, sizes), paths, hex and ids
/// become signs: what is left is what failures of one kind have in common.
pub(super) fn normal(text: &str) -> String {
    // The order counts: a URL holds a path, a path holds numbers.
    static STEPS: LazyLock<[(Regex, &str, May); 8]> = LazyLock::new(|| {
        [
            (r"\b[a-z][a-z0-9+]*://\S+", "<url>", (|text| text.contains("://")) as May),
            (
                r#"(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\][\w.@%+=,~-]+){1,}/?|\b[\w.-]+/[\w./@%+=~-]+"#,
                "<path>",
                |text| text.contains(['/', '\\']),
            ),
            (r"(?i)\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b", "<id>", |text| {
                text.bytes().filter(|byte| *byte == b'-').count() >= 4
            }),
            (r"\b0x[0-9a-fA-F]+\b", "<hex>", |text| text.contains("0x")),
            (r"\b[0-9a-f]*(?:[0-9][a-f]|[a-f][0-9])[0-9a-f]{5,}\b", "<hex>", |text| {
                text.as_bytes()
                    .split(|byte| !matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
                    .any(|run| run.len() >= 7)
            }),
            (r"( ON |srun: error: )[\w.-]+", "${1}<host>", |text| {
                text.contains(" ON ") || text.contains("srun: error: ")
            }),
            (
                r"\d+(?:[-:.,T+x]\d+)*(?:[eE][-+]?\d+)?(?: ?(?:[KMGTP]i?B|bytes|B|ms|s|h)\b)?%?",
                "<n>",
                |text| text.bytes().any(|byte| byte.is_ascii_digit() || !byte.is_ascii()),
            ),
            (r"\s+", " ", |text| {
                text.contains("  ") || text.bytes().any(|byte| byte.is_ascii_control() || !byte.is_ascii())
            }),
        ]
        .map(|(pattern, sign, may)| (Regex::new(pattern).expect("a constant"), sign, may))
    });
    let mut out = text.trim().to_owned();
    for (pattern, sign, may) in STEPS.iter() {
        if !may(&out) {
            continue;
        }
        if let std::borrow::Cow::Owned(changed) = pattern.replace_all(&out, *sign) {
            out = changed;
        }
    }
    if let Some((end, _)) = out.char_indices().nth(MOST) {
        out.truncate(end);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn what_differs_between_tasks_is_taken_out() {
        for (one, other) in [
            (
                "FileNotFoundError: [Errno 2] No such file or directory: '/scratch/ann/run_17/data.csv'",
                "FileNotFoundError: [Errno 2] No such file or directory: '/scratch/bob/run_3/part-9/data.bin'",
            ),
            (
                "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 79.15 GiB",
                "CUDA out of memory. Tried to allocate 514.00 MiB. GPU 3 has a total capacity of 39.4 GiB",
            ),
            (
                "*** JOB 123 ON node07 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***",
                "*** JOB 9 ON gpu-b.cluster CANCELLED AT 2026-01-01T00:00:09 DUE TO TIME LIMIT ***",
            ),
            ("object at 0x7f3a>", "object at 0x55d1c0>"),
            ("run 7f3a9c2e failed", "run 01d2e3f4 failed"),
        ] {
            assert_eq!(normal(one), normal(other));
        }
        for (one, other) in [("KeyError: 'lr'", "KeyError: 'seed'"), ("face decade", "decade face")] {
            assert_ne!(normal(one), normal(other));
        }
        assert_eq!(normal("KeyError:   'lr' at step 12"), "KeyError: 'lr' at step <n>");
        assert!(normal(&"é ".repeat(5000)).chars().count() <= 200);
    }
}
