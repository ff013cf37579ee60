//! Pieces of markdown that hold words from outside as data.

use std::path::Path;

use crate::safety::{clip, code_span, escape_path, plain_markdown};
use crate::sweep::{Confidence, Line, Members};
use crate::terms::Time;

/// How many characters of a list of tasks are shown; JSON has them all.
const LONGEST_LIST: usize = 240;
/// How many characters of a line of a log are shown.
const LONGEST_LINE: usize = 200;

/// A time as it stands in a file: in UTC, without its age.
pub fn utc(time: Time) -> String {
    time.utc().format("%Y-%m-%d %H:%M UTC").to_string()
}

/// Words from outside, clipped, none of which is markup.
pub fn words(text: &str, most: usize) -> String {
    plain_markdown(&clip(text.trim(), most))
}

/// A name from outside.
pub fn name(text: &str) -> String {
    code_span(&clip(text.trim(), 80))
}

pub use crate::terms::counted;

/// A compressed list of tasks as code.
pub fn list(tasks: &Members) -> String {
    let list = tasks.to_string();
    if list.len() <= LONGEST_LIST {
        return code_span(&list);
    }
    let end = list.get(..LONGEST_LIST).and_then(|start| start.rfind(',')).unwrap_or(0);
    format!("{} … (--json has all {})", code_span(list.get(..end).unwrap_or_default()), tasks.len())
}

/// A path as code; below `root` without it.
pub fn path(root: &Path, path: &Path) -> String {
    code_span(&below(root, path))
}

fn below(root: &Path, path: &Path) -> String {
    match path.strip_prefix(root) {
        Ok(rest) if !rest.as_os_str().is_empty() => escape_path(rest),
        _ => escape_path(path),
    }
}

/// A line of evidence with its place.
pub fn evidence(root: &Path, line: &Line) -> String {
    let text = code_span(&clip(line.text.trim(), LONGEST_LINE));
    let Some(file) = &line.file else { return format!("{}: {text}", line.source.name()) };
    let at = match (line.line, line.offset) {
        (Some(number), _) => format!(":{number}"),
        (None, Some(offset)) => format!(" at byte {offset}"),
        (None, None) => String::new(),
    };
    format!("{}: {text}", code_span(&format!("{}{at}", below(root, file))))
}

/// A link, if the address is one that cannot break out of it; else both as words.
pub fn link(text: &str, url: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/:.-_~%?=&#@+".contains(c);
    if (url.starts_with("https://") || url.starts_with("http://")) && url.chars().all(is_plain) {
        return format!("[{}]({url})", words(text, 80));
    }
    format!("{} ({})", words(text, 80), code_span(&clip(url, 200)))
}

/// A cell of a table: what would end it is escaped, in code too.
pub fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        if c == '|' && before != '\\' {
            out.push('\\');
        }
        out.push(c);
        before = c;
    }
    out
}

/// How far something can be relied on, in a word.
pub fn confidence(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Sure => "sure",
        Confidence::Likely => "likely",
        Confidence::Open => "open",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_could_break_out_is_no_link() {
        assert_eq!(link("k3", "https://w.ai/e/p/runs/k3"), "[k3](https://w.ai/e/p/runs/k3)");
        assert_eq!(link("a]b", "https://w.ai/x)y"), "a\\]b (`https://w.ai/x)y`)");
        assert_eq!(link("a", "javascript:alert(1)"), "a (`javascript:alert(1)`)");
    }

    #[test]
    fn a_cell_ends_where_it_should() {
        assert_eq!(cell("`a|b` \\| c"), "`a\\|b` \\| c");
    }
}
