//! The pattern of a row, compiled when the first line is tried: most rows of the
//! built-in table are never tried in a run, and compiling them all takes longer
//! than reading a thousand logs.

use std::sync::OnceLock;

use regex::bytes::{Match, Regex, RegexBuilder};

/// A pattern that compiles to more, in bytes, is refused.
const LARGEST_PROGRAM: usize = 1 << 20;

/// A pattern of the table.
#[derive(Debug, Clone)]
pub struct Search {
    pattern: String,
    compiled: OnceLock<Regex>,
}

impl Search {
    /// A pattern that is known to compile.
    pub(super) fn trusted(pattern: &str) -> Search {
        Search { pattern: pattern.to_owned(), compiled: OnceLock::new() }
    }

    /// A pattern, compiled at once.
    pub(super) fn compiled(pattern: &str) -> Result<Search, regex::Error> {
        let regex = compile(pattern)?;
        Ok(Search { pattern: pattern.to_owned(), compiled: OnceLock::from(regex) })
    }

    /// The pattern as it was written.
    pub fn as_str(&self) -> &str {
        &self.pattern
    }

    /// True if it matches anywhere in the line.
    pub fn is_match(&self, line: &[u8]) -> bool {
        self.regex().is_match(line)
    }

    /// Where it matches first.
    pub fn find<'l>(&self, line: &'l [u8]) -> Option<Match<'l>> {
        self.regex().find(line)
    }

    fn regex(&self) -> &Regex {
        self.compiled
            .get_or_init(|| compile(&self.pattern).expect("the built-in patterns are compiled by the tests"))
    }
}

fn compile(pattern: &str) -> Result<Regex, regex::Error> {
    // Logs are bytes: classes are ASCII, which the engine also searches faster.
    RegexBuilder::new(pattern).unicode(false).size_limit(LARGEST_PROGRAM).build()
}
