//! Tests that run in a log: what is said in those that all passed is what they test.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::Regex;

/// Runs of tests in one log.
const MOST_TESTS: usize = 64;

/// The runs of pytest so far.
#[derive(Default)]
pub(super) struct Tests {
    /// Where tests began that have not ended.
    began: Option<u64>,
    /// Where those ran that all passed.
    pub passed: Vec<Range<u64>>,
}

impl Tests {
    /// Reads a line that may begin or end a run.
    pub fn read(&mut self, line: &[u8], offset: u64) {
        static END: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)^=+ (?:[^=]*, )?\d+ passed[^=]* in [\d.]+ ?s").expect("a constant")
        });
        if memmem::find(line, b"= test session starts =").is_some() {
            self.began = Some(offset);
        } else if END.is_match(line)
            && let Some(began) = self.began.take()
            && memmem::find(line, b" failed").is_none()
            && memmem::find(line, b" error").is_none()
            && self.passed.len() < MOST_TESTS
        {
            self.passed.push(began..offset);
        }
    }
}
