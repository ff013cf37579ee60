//! Whether a line says itself that it ends nothing.

use std::ops::Range;
use std::sync::LazyLock;

use regex::bytes::Regex;

/// Words of a level stand at the start of a line, within so many bytes.
const HEAD: usize = 160;
/// So much of a line is looked at, in bytes.
const LONGEST: usize = 1000;

/// True if the line says that what it tells was dealt with, or has a level
/// beneath that of errors before `at`, where the match begins. Only words of the
/// sentence say so: none that is part of a path, a name or an option, and none
/// that belongs to a term (`retry count exceeded`, `NCCL WARN`, which is the
/// level of NCCL's errors).
pub(super) fn is_hedged(message: &[u8], at: usize) -> bool {
    let head = &message[..at.min(HEAD)];
    let body = &message[..message.len().min(LONGEST)];
    LEVEL.find_iter(head).any(|found| is_level(message, found.range()))
        || DEALT_WITH.find_iter(body).any(|found| is_said(message, found.range()))
}

static LEVEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)\b(?:WARN(?:ING)?|INFO|DEBUG|warn(?:ing)?|info|debug)\b").expect("a constant")
});

static DEALT_WITH: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i-u)\bretry(?:ing)?\b|\bskipp(?:ed|ing)\b|\bignor(?:ed|ing)\b|\bfall(?:ing|s)? back\b|\bfallback\b|\bcontinuing\b|\brecovered\b")
        .expect("a constant")
});

/// What stands behind a word that is the first of a term: `retry limit reached`.
static TERM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i-u)^[ _-]?(?:count\w*|limits?|attempts?|budget|exc\w*|policy|timeout|error|failed|failure|exhausted|later|again)\b")
        .expect("a constant")
});

/// What stands before a word that is denied.
static DENIED: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i-u)(?:\b(?:not|no|never|without|cannot)|n't)(?: be| been)? $").expect("a constant")
});

/// What stands before a word that is asked of the reader.
static ASKED: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?i-u)\b(?:please|and|to|or|of|after|max|maximum) $").expect("a constant"));

fn is_level(message: &[u8], word: Range<usize>) -> bool {
    let (before, after) = (&message[..word.start], &message[word.end..]);
    let told = |names: [&[u8]; 3]| names.iter().any(|name| before.ends_with(name));
    match (before.last(), after.first()) {
        _ if before.ends_with(b"NCCL ") => false,
        (Some(b'='), _) => told([b"level=", b"lvl=", b"severity="]),
        (Some(b'.' | b'/' | b'\\' | b'@'), _) | (_, Some(b'/' | b'\\' | b'=' | b'(')) => false,
        (_, Some(b'.')) => !after.get(1).is_some_and(u8::is_ascii_alphanumeric),
        (Some(b'-'), _) => !before.ends_with(b"--"),
        _ => true,
    }
}

fn is_said(message: &[u8], word: Range<usize>) -> bool {
    let (before, after) = (&message[..word.start], &message[word.end..]);
    let is_name = match (before.last(), after.first()) {
        (Some(b'.' | b'/' | b'\\' | b'@' | b'=' | b'-' | b'$'), _) => true,
        (_, Some(b'/' | b'\\' | b'=' | b'(' | b'-')) => true,
        (Some(b'\'' | b'"' | b'`'), Some(b'\'' | b'"' | b'`')) => true,
        (_, Some(b'.')) => after.get(1).is_some_and(u8::is_ascii_alphanumeric),
        _ => before.ends_with(b"::") || after.starts_with(b"::"),
    };
    let is_retry = message[word.clone()].eq_ignore_ascii_case(b"retry");
    let near = &before[before.len().saturating_sub(24)..];
    let is_term = is_retry && (TERM.is_match(after) || ASKED.is_match(near));
    !is_name && !is_term && !DENIED.is_match(near)
}

#[cfg(test)]
mod tests {
    use super::is_hedged;

    /// True if a line with `Error` in it is hedged.
    fn hedged(line: &str) -> bool {
        is_hedged(line.as_bytes(), line.find("Error").unwrap_or(line.len()))
    }

    #[test]
    fn a_line_that_says_so_was_dealt_with() {
        for line in [
            "2026-11-21 WARNING cache: Error: permission denied",
            "level=warn msg=\"Error: timeout\"",
            "level=info msg=\"upload Error\"",
            "[INFO] Error while reading, next",
            "INFO:root:Error in shard 3",
            "12:00:00-DEBUG-Error in shard 3",
            "\"level\": \"info\", \"msg\": \"Error\"",
            "Error reading sample 12, skipping",
            "Error reading sample 12, told and skipped",
            "Error: cache is not there (ignored)",
            "Error: no flash attention; falling back to eager.",
            "Error in shard 3, retrying...",
            "Error in shard 3: retry 2 of 5",
            "Error in the link, recovered.",
        ] {
            assert!(hedged(line), "{line}");
        }
    }

    #[test]
    fn parts_of_paths_names_and_terms_say_nothing() {
        for line in [
            "Error: IBV_WC_RETRY_EXC_ERR(12): Transport retry count exceeded on mlx5_0:1",
            "Error: transport retry counter exceeded",
            "batch request: https://git.example.org/x.git/info/lfs/objects/batch Error: 401",
            "https://git.example.org/x.git/info/lfs: Error: 401",
            "gcsfs.retry.HttpError: Anonymous caller does not have access",
            "google.api_core.retry::Error",
            "n042:71:99 [0] enqueue.cc:118 NCCL WARN Error 2",
            "main: Error: unrecognized arguments: --retry --skip-ignored",
            "Error: open /data/skipped/ignored.txt",
            "TypeError: f() got an unexpected keyword argument 'retry'",
            "Error: this cannot be ignored",
            "Error: max retry attempts; not retrying",
            "Error: please retry later",
            "log.info.gz: Error",
            "run(--info): Error",
            "logging.warning(x) Error",
        ] {
            assert!(!hedged(line), "{line}");
        }
    }
}
