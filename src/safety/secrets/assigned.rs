//! Reads what is given to a name: `NAME=value`, `"name": "value"`, `--name value`, and how else it is written.

use std::ops::Range;

/// A name and what is given to it, as places in the text.
pub(super) struct Assigned {
    /// The name, without dashes before it.
    pub name: Range<usize>,
    /// The value, without quotes.
    pub value: Range<usize>,
    /// True if quotes stand around the value.
    pub is_quoted: bool,
    /// True if nothing but a mark stands between name and value, as in a shell: no prose.
    pub is_tight: bool,
}

/// Longest names and values that are looked at, in bytes.
const LONGEST_NAME: usize = 80;
const LONGEST_VALUE: usize = 1500;
/// Blanks between name, mark and value: tables have many.
const MOST_BLANKS: usize = 40;

/// What is given to the name in which the place stands; `None` if nothing is.
pub(super) fn assigned(text: &[u8], at: usize) -> Option<Assigned> {
    let name = name_around(text, at)?;
    let is_option = text[..name.start].ends_with(b"-") || text[name.clone()].starts_with(b"-");
    let begin = name.start + text[name.clone()].iter().take_while(|byte| **byte == b'-').count();
    let takes_blank = is_option || is_set(text, begin, name.end) || is_netrc(text, begin);
    let is_tag = text[..begin].ends_with(b"<");
    // A part of a name with colons: `arn:aws:..:secret:NAME`.
    if text[..begin].ends_with(b":") && text.get(name.end) == Some(&b':') {
        return None;
    }
    let (mark, after) = mark(text, name.end, takes_blank, is_tag)?;
    let (value, is_quoted) = value(text, after)?;
    // `user:<password>@host` has no end of the tag.
    if is_tag && text.get(name.end) == Some(&b'>') && !text[value.end..].starts_with(b"</") {
        return None;
    }
    Some(Assigned { name: begin..name.end, value, is_quoted, is_tight: mark == Mark::Tight })
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn name_around(text: &[u8], at: usize) -> Option<Range<usize>> {
    let before = text[..at].iter().rev().take(LONGEST_NAME).take_while(|byte| is_name(**byte)).count();
    let behind = text[at..].iter().take(LONGEST_NAME).take_while(|byte| is_name(**byte)).count();
    let mut start = at - before;
    // `\nNAME` within a text that is quoted in another.
    if start > 0
        && text[start - 1] == b'\\'
        && matches!(text.get(start), Some(b'n' | b't' | b'r'))
        && before > 1
    {
        start += 1;
    }
    (before < LONGEST_NAME && behind < LONGEST_NAME).then_some(start..at + behind)
}

#[derive(PartialEq, Eq)]
enum Mark {
    Tight,
    Loose,
}

/// The mark behind a name, and where the value may begin.
fn mark(text: &[u8], from: usize, takes_blank: bool, is_tag: bool) -> Option<(Mark, usize)> {
    let rest = &text[from..];
    let starts = |at: usize, with: &[u8]| rest.get(at..).is_some_and(|rest| rest.starts_with(with));
    let mut at = 0;
    // What closes the name: quotes, also escaped ones, and brackets.
    let mut closed = false;
    while let Some(byte) =
        rest.get(at).filter(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b'*'))
    {
        if *byte == b'\\' && !matches!(rest.get(at + 1), Some(b'"' | b'\'' | b'\\')) {
            return None;
        }
        closed = true;
        at += 1;
        if at > 6 {
            return None;
        }
    }
    let blanks = |at: usize| {
        rest.get(at..)
            .map_or(0, |rest| rest.iter().take(MOST_BLANKS).take_while(|b| matches!(b, b' ' | b'\t')).count())
    };
    let gap = blanks(at);
    let mark = at + gap;
    let width = match rest.get(mark)? {
        b'=' if starts(mark, b"=>") => 2,
        b'=' if starts(mark, b"==") => return None,
        b':' if starts(mark, b":=") => 2,
        b'?' | b'+' if starts(mark + 1, b"=") => 2,
        // `the password is X`: the value has to prove itself.
        b'i' if gap > 0 && !closed && starts(mark, b"is ") => 2,
        b':' if starts(mark, b"::") => return None,
        b'=' | b':' => 1,
        b'%' if starts(mark, b"%3D") || starts(mark, b"%3d") => 3,
        b',' if closed => 1,
        b'>' if gap == 0 && !closed && is_tag => 1,
        b')' if starts(mark, b") = ") => 4,
        _ if takes_blank && gap > 0 => 0,
        _ => return None,
    };
    let behind = blanks(mark + width);
    let is_prose = rest.get(mark) == Some(&b'i');
    let is_tight =
        !is_prose && gap == 0 && behind == 0 && width > 0 && rest.get(mark) != Some(&b':') || width == 0;
    Some((if is_tight { Mark::Tight } else { Mark::Loose }, from + mark + width + behind))
}

/// True if the name is given its value by a blank: `setenv NAME value`, `bindpw value`.
fn is_set(text: &[u8], begin: usize, end: usize) -> bool {
    let before = &text[..begin];
    let is_line = before.is_empty() || before.ends_with(b"\n");
    before.ends_with(b"setenv ")
        || before.ends_with(b" set ")
        || before.ends_with(b"--local ")
        || text[begin..end].ends_with(b"authtoken")
        || is_line && matches!(&text[begin..end], b"bindpw" | b"rootpw" | b"password")
}

/// True if the name stands in a `.netrc`: `machine HOST login NAME password SECRET`, also over lines.
fn is_netrc(text: &[u8], begin: usize) -> bool {
    let before = &text[begin.saturating_sub(200)..begin];
    before.windows(6).any(|six| six == b"login ")
        && before.windows(8).any(|eight| eight == b"machine " || eight == b"default ")
}

fn value(text: &[u8], from: usize) -> Option<(Range<usize>, bool)> {
    let mut at = from;
    // Strings of Python, and quotes that are escaped.
    if matches!(text.get(at), Some(b'b' | b'f' | b'r' | b'u'))
        && matches!(text.get(at + 1), Some(b'"' | b'\''))
    {
        at += 1;
    }
    while text.get(at) == Some(&b'\\') && matches!(text.get(at + 1), Some(b'"' | b'\'' | b'\\')) {
        at += 1;
    }
    let quote = text.get(at).copied().filter(|byte| matches!(byte, b'"' | b'\'' | b'`'));
    let start = at + usize::from(quote.is_some());
    let rest = text.get(start..)?;
    let rest = &rest[..rest.len().min(LONGEST_VALUE)];
    let ends = |byte: &u8| match quote {
        Some(quote) => *byte == quote || matches!(byte, b'\n' | b'\r' | b'\\'),
        None => {
            byte.is_ascii_whitespace()
                || matches!(
                    byte,
                    b'"' | b'\''
                        | b'`'
                        | b'\\'
                        | b','
                        | b';'
                        | b'&'
                        | b'<'
                        | b'>'
                        | b'|'
                        | b')'
                        | b']'
                        | b'}'
                )
        }
    };
    let length = rest.iter().position(ends).unwrap_or(rest.len());
    (length > 0).then_some((start..start + length, quote.is_some()))
}
