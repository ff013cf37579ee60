//! Reads what is given to a name: `NAME=value`, `"name": "value"`, `--name value`, and how else it is written.

use std::ops::Range;

use super::doubt::stands_for_one;
use super::look::{Look, Stretch};

/// A name and what is given to it, as places in the text.
pub(super) struct Assigned {
    /// The name, without dashes before it.
    pub name: Range<usize>,
    /// The value, without quotes.
    pub value: Range<usize>,
    /// True if quotes stand around the value.
    pub is_quoted: bool,
    /// How it is given.
    pub form: Form,
}

/// How a value is given to its name: the less the form says, the more the value has to prove itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// By a mark with nothing else around it, or as an argument: `NAME=value`, `--name value`.
    Tight,
    /// By a mark as prose and tables have it too: `name: value`.
    Loose,
    /// By a blank in a line of a configuration, in a command that sets something, or by a comparison.
    Line,
    /// By a blank alone, within words.
    Prose,
}

/// Longest names and values that are looked at, in bytes.
const LONGEST_NAME: usize = 80;
const LONGEST_VALUE: usize = 1500;
/// No secret is shorter, in bytes; words before one may be (`key`, `bot`).
const SHORTEST: usize = 3;
/// Blanks between name, mark and value: tables have many.
const MOST_BLANKS: usize = 40;
/// Longest text between a name and its mark: `[None]`, `for 'https://host'`, in bytes.
const LONGEST_BETWEEN: usize = 90;

/// What is given to the name in which the place stands; `None` if nothing is.
pub(super) fn assigned(text: &[u8], at: usize, look: &mut Look) -> Option<Assigned> {
    // Several words that tell stand in one name.
    if look.is_in_name(at) {
        return None;
    }
    let name = name_around(text, at)?;
    look.judges_name(name.start, name.end);
    let is_option = text[..name.start].ends_with(b"-") || text[name.clone()].starts_with(b"-");
    let begin = name.start + text[name.clone()].iter().take_while(|byte| **byte == b'-').count();
    let is_tag = text[..begin].ends_with(b"<");
    // A part of a name with colons: `arn:aws:..:secret:NAME`.
    if text[..begin].ends_with(b":") && text.get(name.end) == Some(&b':') {
        return None;
    }
    let (form, after) = below(text, begin, name.end).or_else(|| mark(text, name.end, is_tag))?;
    let (value, is_quoted) = value(text, after, look)?;
    if !look.affords(value.len()) {
        return None;
    }
    // A word that is no secret in any form: what stands around it need not be read.
    if form == Form::Prose && (value.len() < SHORTEST || stands_for_one(&text[value.clone()])) {
        return None;
    }
    let is_argument = || is_option || is_set(text, begin, name.end, value.end) || is_netrc(text, begin);
    let form = match form {
        Form::Prose if is_argument() => Form::Tight,
        Form::Prose if fills_line(text, begin, value.end) || is_of_command(text, begin) => Form::Line,
        form => form,
    };
    // `user:<password>@host` has no end of the tag.
    let is_of_tag = is_tag && text.get(name.end) == Some(&b'>') || text[name.end..after].contains(&b'>');
    if is_of_tag && is_markup(&text[name.end..after]) && !text[value.end..].starts_with(b"</") {
        return None;
    }
    Some(Assigned { name: begin..name.end, value, is_quoted, form })
}

/// True if name and value are all that stands in their line.
fn fills_line(text: &[u8], begin: usize, end: usize) -> bool {
    let is_quote = |byte: &&u8| matches!(byte, b'"' | b'\'');
    let before = text[..begin].iter().rev().take(MOST_BLANKS).find(|byte| !matches!(byte, b' ' | b'\t'));
    let behind = text[end..].iter().take(MOST_BLANKS).find(|byte| !is_quote(byte));
    matches!(before, None | Some(b'\n')) && matches!(behind, None | Some(b'\n' | b'\r'))
}

/// True if a command stands before the name that gives it the next word: `config set NAME value`.
fn is_of_command(text: &[u8], begin: usize) -> bool {
    let near = &text[begin.saturating_sub(120)..begin];
    let line = &near[near.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)..];
    let words = ["set ", "modify ", "config ", "--set ", "configure ", "add-env "];
    // Each begins behind a blank: one pass for all of them.
    let mut blanks = line.iter().enumerate().filter(|(_, byte)| **byte == b' ');
    blanks.any(|(at, _)| words.iter().any(|word| line[at + 1..].starts_with(word.as_bytes())))
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

/// True if what stands between a name and its value is the end of a tag: `>`, `">`.
fn is_markup(between: &[u8]) -> bool {
    between.last() == Some(&b'>')
        && between[..between.len() - 1].iter().all(|byte| matches!(byte, b'"' | b'\''))
}

/// `cat ~/.config/api_key` of a shell, with what the file holds in the next line.
fn below(text: &[u8], begin: usize, end: usize) -> Option<(Form, usize)> {
    if text.get(end) != Some(&b'\n') {
        return None;
    }
    let near = &text[begin.saturating_sub(120)..begin];
    let line = &near[near.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)..];
    let is_shown =
        line.windows(5).any(|part| matches!(part, b" cat " | b"$cat ")) || line.starts_with(b"cat ");
    is_shown.then_some((Form::Line, end + 1))
}

/// The mark behind a name, and where the value may begin.
fn mark(text: &[u8], from: usize, is_tag: bool) -> Option<(Form, usize)> {
    let rest = &text[from..];
    let starts = |at: usize, with: &[u8]| rest.get(at..).is_some_and(|rest| rest.starts_with(with));
    // What closes the name: quotes, also escaped ones, and brackets.
    let closing = closing(rest)?;
    let blanks = |at: usize| {
        rest.get(at..)
            .map_or(0, |rest| rest.iter().take(MOST_BLANKS).take_while(|b| matches!(b, b' ' | b'\t')).count())
    };
    let between = between(&rest[closing..]);
    let gap = blanks(closing + between);
    let mark = closing + between + gap;
    let is_closed = closing > 0;
    let done = |form: Form, width: usize| {
        let behind = mark + width + blanks(mark + width);
        Some((form, from + behind))
    };
    if let Some(width) = expected(rest) {
        return Some((Form::Tight, from + width));
    }
    if let Some(width) = pair(&rest[closing..]) {
        return Some((Form::Loose, from + closing + width + blanks(closing + width)));
    }
    let width = match rest.get(mark)? {
        b'=' if starts(mark, b"=>") => 2,
        // A comparison says what is expected; only between quotes is it a value.
        b'=' if starts(mark, b"==") => {
            let behind = mark + 2 + blanks(mark + 2);
            return matches!(rest.get(behind), Some(b'"' | b'\'')).then_some((Form::Line, from + behind));
        }
        b':' if starts(mark, b":=") => 2,
        b'?' | b'+' if starts(mark + 1, b"=") => 2,
        // `the password is X`: the value has to prove itself.
        b'i' if gap > 0 && !is_closed && starts(mark, b"is ") => return done(Form::Loose, 2),
        b'i' if gap > 0 && !is_closed && starts(mark, b"is: ") => return done(Form::Loose, 3),
        b':' if starts(mark, b"::") => return None,
        b':' => 1 + annotation(&rest[mark + 1..]),
        b'=' => 1,
        b'%' if starts(mark, b"%3D") || starts(mark, b"%3d") => 3,
        b',' if is_closed => 1,
        b'>' if gap == 0 && (is_closed || is_tag) => 1,
        // `api_key("SECRET")`: it has to prove itself, as a name may stand there, too.
        b'(' if gap == 0 && !is_closed && matches!(rest.get(mark + 1), Some(b'"' | b'\'')) => {
            return done(Form::Line, 1);
        }
        // A prompt: `secret_access_key> X`.
        b'>' if gap == 0 && !is_closed && starts(mark, b"> ") => return done(Form::Loose, 1),
        b')' if starts(mark, b") = ") => 4,
        _ if gap > 0 && !is_closed => return done(Form::Prose, 0),
        _ => return None,
    };
    let is_loose = gap > 0 || blanks(mark + width) > 0 || rest.get(mark) == Some(&b':');
    done(if is_loose { Form::Loose } else { Form::Tight }, width)
}

/// How many bytes close a name: quotes, brackets. `None` if it goes on.
fn closing(rest: &[u8]) -> Option<usize> {
    let mut at = 0;
    while let Some(byte) =
        rest.get(at).filter(|byte| matches!(byte, b'"' | b'\'' | b'`' | b'\\' | b']' | b'}' | b'*'))
    {
        if *byte == b'\\' && !matches!(rest.get(at + 1), Some(b'"' | b'\'' | b'\\')) {
            return None;
        }
        at += 1;
        if at > 6 {
            return None;
        }
    }
    Some(at)
}

/// How many bytes stand between a name and its mark: the default of a prompt
/// (`Key [None]: X`), a subscript (`api_key['x'] = X`), whose it is (`password for ann: X`).
fn between(rest: &[u8]) -> usize {
    let near = &rest[..rest.len().min(LONGEST_BETWEEN)];
    let near = &near[..near.iter().position(|byte| *byte == b'\n').unwrap_or(near.len())];
    let blank = usize::from(near.starts_with(b" "));
    if near[blank..].starts_with(b"[") {
        let end = near.iter().position(|byte| *byte == b']').map_or(0, |at| at + 1);
        let next = near[end..].iter().find(|byte| **byte != b' ');
        return if matches!(next, Some(b'=' | b':')) { end } else { 0 };
    }
    let is = || near.windows(4).position(|four| four == b" is ");
    if near.starts_with(b" for ") || near.starts_with(b" of ") {
        return near.windows(2).position(|two| two == b": ").or_else(is).unwrap_or(0);
    }
    // `passphrase (of the laptop): X`.
    if near.starts_with(b" (") {
        return near.windows(2).position(|two| two == b"):").map_or(0, |at| at + 1);
    }
    if near.starts_with(b" on ") {
        return is().unwrap_or(0);
    }
    0
}

/// How many bytes of `name: str = ` stand behind the colon: a type and a mark.
fn annotation(rest: &[u8]) -> usize {
    let is_of_type = |byte: &&u8| byte.is_ascii_alphanumeric() || b" _[].|&'<>".contains(byte);
    let length = rest.iter().take(LONGEST_BETWEEN).take_while(is_of_type).count();
    let is_type = rest[..length].iter().any(u8::is_ascii_alphabetic) && rest[..length].ends_with(b" ");
    if is_type && rest.get(length) == Some(&b'=') && rest.get(length + 1) != Some(&b'=') {
        length + 1
    } else {
        0
    }
}

/// How many bytes lead from the prompt that a script expects to what it sends: `"password:"`, `send "SECRET\\r"`.
fn expected(rest: &[u8]) -> Option<usize> {
    let prompt = rest.iter().take(8).take_while(|byte| b":*? \"}".contains(byte)).count();
    let blanks =
        rest[prompt..].iter().take(LONGEST_BETWEEN).take_while(|byte| b" \t\r\n;{".contains(byte)).count();
    let send = prompt + blanks;
    (prompt > 0 && blanks > 0 && rest[send..].starts_with(b"send \"")).then_some(send + 5)
}

/// How many bytes lead from a name to the value of its pair: `name: X\n value: `, `<name>X</name><value>`.
fn pair(rest: &[u8]) -> Option<usize> {
    let mut at = rest.iter().take(LONGEST_BETWEEN).take_while(|byte| b" \t\r\n,\"'\\".contains(byte)).count();
    if let Some(end) = [&b"</name>"[..], b"</key>"].into_iter().find(|end| rest[at..].starts_with(end)) {
        at += end.len();
        at += rest[at..].iter().take(LONGEST_BETWEEN).take_while(|byte| b" \t\r\n<".contains(byte)).count();
    } else if at == 0 {
        return None;
    }
    let word = [&b"value"[..], b"Value", b"string"].into_iter().find(|word| rest[at..].starts_with(word))?;
    at += word.len();
    at += rest[at..].iter().take(4).take_while(|byte| b"\"'\\".contains(byte)).count();
    at += rest[at..].iter().take(4).take_while(|byte| **byte == b' ').count();
    matches!(rest.get(at), Some(b':' | b'=' | b'>')).then_some(at + 1)
}

/// True if the name is given its value by a blank: `setenv NAME value`, `bindpw value`.
fn is_set(text: &[u8], begin: usize, end: usize, value_end: usize) -> bool {
    let before = &text[..begin];
    let is_line = (before.is_empty() || before.ends_with(b"\n")) && fills_line(text, begin, value_end);
    before.ends_with(b"setenv ")
        || before.ends_with(b" set ")
        || before.ends_with(b"--local ")
        || text[begin..end].ends_with(b"authtoken")
        // strongSwan's `: PSK "SECRET"`.
        || before.ends_with(b": ") && matches!(&text[begin..end], b"PSK" | b"EAP" | b"XAUTH")
        || is_line
            && matches!(
                &text[begin..end],
                b"bindpw" | b"rootpw" | b"password" | b"requirepass" | b"masterauth"
            )
}

/// True if the name stands in a `.netrc`: `machine HOST login NAME password SECRET`, also over lines.
fn is_netrc(text: &[u8], begin: usize) -> bool {
    let before = &text[begin.saturating_sub(200)..begin];
    let has = |word: &[u8]| {
        before.iter().enumerate().any(|(at, byte)| *byte == word[0] && before[at..].starts_with(word))
    };
    has(b"login ") && (has(b"machine ") || has(b"default "))
}

fn value(text: &[u8], from: usize, look: &mut Look) -> Option<(Range<usize>, bool)> {
    let mut at = from + block_scalar(&text[from..]);
    at += wrapper(&text[at..]);
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
    let kind = match quote {
        Some(b'"') => Stretch::Double,
        Some(b'\'') => Stretch::Single,
        Some(_) => Stretch::Backtick,
        None => Stretch::Bare,
    };
    let length = (look.end_of(kind, text, start.min(text.len())).saturating_sub(start)).min(LONGEST_VALUE);
    (length > 0).then_some((start..start + length, quote.is_some()))
}

/// Calls around a secret that is written out.
const WRAPPERS: [&str; 6] =
    ["bytes.fromhex(", "unhexlify(", "b64decode(", "SecretStr(", "bytearray.fromhex(", "base64.b64decode("];

/// How many bytes of a call stand before a secret between quotes: `bytes.fromhex("`.
fn wrapper(rest: &[u8]) -> usize {
    let call = WRAPPERS.iter().find(|call| rest.starts_with(call.as_bytes())).map_or(0, |call| call.len());
    if matches!(rest.get(call), Some(b'"' | b'\'' | b'b')) { call } else { 0 }
}

/// How many bytes lead from `|` behind a name of YAML to the text in the lines below.
fn block_scalar(rest: &[u8]) -> usize {
    let head = rest.iter().take(4).take_while(|byte| b"|>-+".contains(byte)).count();
    if head == 0 || !matches!(rest[0], b'|' | b'>') || !matches!(rest.get(head), Some(b'\n')) {
        return 0;
    }
    head + 1 + rest[head + 1..].iter().take(MOST_BLANKS).take_while(|byte| **byte == b' ').count()
}
