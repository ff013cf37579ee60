//! Private keys that fill lines of their own.

use super::find::Secret;
use super::look::{Look, SHORT, Stretch};

/// The rule of such keys.
pub(super) const BLOCK: &str = "private-key";
/// No private key is longer, in bytes.
const LONGEST: usize = 64 * 1024;
/// The longest title of a block, dashes aside.
const LONGEST_TITLE: usize = 60;
/// So many lines with `Name: value` may stand before the key, in all.
const MOST_HEADERS: usize = 8;
/// What a logger may write before a line is shorter.
const LONGEST_PREFIX: usize = 80;
/// So many empty lines may.
const MOST_EMPTY: usize = 8;

/// A key from its `-----BEGIN` to its last line, or as far as its lines go: logs cut.
pub(super) fn key_block(text: &[u8], at: usize, look: &mut Look) -> Option<Secret> {
    let rest = &text[at..text.len().min(at + LONGEST)];
    let title = rest.get(11..)?.iter().take(LONGEST_TITLE).take_while(|byte| is_of_title(byte)).count();
    let title = &rest[11..11 + title];
    if !(title.ends_with(b"PRIVATE KEY") || title.ends_with(b"PRIVATE KEY BLOCK")) {
        return None;
    }
    let head = 11 + title.len() + 5;
    let prefix = prefix(&text[..at]);
    let length = lines(rest.get(head..)?, text, at + head, MOST_HEADERS, prefix, look);
    // A title alone is talk about keys.
    (length > 0).then(|| Secret { rule: BLOCK, range: at..at + head + length })
}

/// The lines behind `Private-Lines: N` of a key of PuTTY.
pub(super) fn putty_block(text: &[u8], from: usize, look: &mut Look) -> Option<Secret> {
    let rest = &text[from..text.len().min(from + LONGEST)];
    let digits = rest.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    let length = lines(&rest[digits..], text, from + digits, 0, 0, look);
    (digits > 0 && length > 0).then(|| Secret { rule: BLOCK, range: from + digits..from + digits + length })
}

fn is_of_title(byte: &u8) -> bool {
    byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b' '
}

/// How many bytes a logger writes before each line, such as the time, going by the line in which the key begins.
fn prefix(before: &[u8]) -> usize {
    let near = &before[before.len().saturating_sub(LONGEST_PREFIX)..];
    let length = near.iter().rev().take_while(|byte| **byte != b'\n').count();
    if length < LONGEST_PREFIX && near.ends_with(b" ") { length } else { 0 }
}

/// How many bytes belong to the key, its last line included. A line may also
/// end with `\\n`, as in a key that is quoted in JSON, and begin with so many bytes of a logger's.
fn lines(text: &[u8], whole: &[u8], from: usize, headers: usize, prefix: usize, look: &mut Look) -> usize {
    let (mut end, mut at, mut has_body) = (0, 0, false);
    let (mut headers, mut empty) = (headers, MOST_EMPTY);
    while at < text.len() {
        let rest = &text[at..];
        let length = (look.end_of(Stretch::KeyLine, whole, from + at) - from - at).min(rest.len());
        look.read += length.min(SHORT);
        let logged = rest[..length].get(prefix..).filter(|_| prefix > 0).map(<[u8]>::trim_ascii);
        let line = match logged {
            Some(own) if is_body(own) || own.starts_with(b"-----END ") => own,
            _ => rest[..length].trim_ascii(),
        };
        if let Some(last) = line.strip_prefix(b"-----END ") {
            let title = last.iter().take(LONGEST_TITLE).take_while(|byte| is_of_title(byte)).count();
            let dashes = last[title..].iter().take_while(|byte| **byte == b'-').count();
            let before = rest[..length].windows(9).position(|part| part == b"-----END ").unwrap_or(0);
            return at + before + 9 + title + dashes.min(5);
        }
        match line {
            [] if has_body => break,
            [] if empty > 0 => empty -= 1,
            [] => break,
            _ if is_body(line) => {
                has_body = true;
                end = at + rest[..length].trim_ascii_end().len();
            }
            _ if headers > 0 && is_header(line) && !has_body => headers -= 1,
            _ => break,
        }
        at += length
            + match (rest.get(length), rest.get(length + 1)) {
                (Some(b'\n'), _) => 1,
                (Some(b'\\'), Some(b'n' | b'r')) => 2,
                _ => break,
            };
    }
    end
}

/// A line of base64; the first and the last may be short.
fn is_body(line: &[u8]) -> bool {
    line.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
}

/// `Proc-Type: 4,ENCRYPTED`.
fn is_header(line: &[u8]) -> bool {
    line.len() < 120 && line.windows(2).any(|two| two == b": ")
}
