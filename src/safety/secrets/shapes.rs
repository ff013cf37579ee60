//! Secrets that one way of writing gives away: a header, a login in a URL, a call, a line of a password file.

use super::doubt::{is_secret, stands_for_one};
use super::find::{Secret, WINDOW, is_of_token};
use super::table::Gate;

/// `Bearer X`, `Basic X`.
pub(super) fn scheme(text: &[u8], from: usize) -> Option<Secret> {
    let blanks = text[from..].iter().take(8).take_while(|byte| **byte == b' ').count();
    let start = from + blanks;
    let length = text[start..].iter().take(WINDOW).take_while(|byte| is_of_token(byte)).count();
    let value = &text[start..start + length];
    (length >= 12 && is_secret(value, Gate::Random, false, false))
        .then_some(Secret { rule: "authorization", range: start..start + length })
}

/// `scheme://name:password@host`, or `scheme://TOKEN@host`.
pub(super) fn login_of_url(text: &[u8], at: usize) -> Option<Secret> {
    let start = at + 3;
    let ends = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'/' | b'?' | b'#' | b'"' | b'\'' | b'<' | b'>' | b'`' | b'\\' | b'|')
    };
    let rest = &text[start..text.len().min(start + 1024)];
    let authority = &rest[..rest.iter().position(ends).unwrap_or(rest.len())];
    let length = authority.iter().rposition(|byte| *byte == b'@')?;
    let login = &authority[..length];
    let password = login.iter().position(|byte| *byte == b':').map(|colon| &login[colon + 1..]);
    let is_one = match password {
        Some(password) => !password.is_empty() && !stands_for_one(password),
        // A token is often the whole user part; a name is short.
        None => login.len() >= 20 && !stands_for_one(login),
    };
    is_one.then(|| Secret { rule: "url-credentials", range: start..start + length })
}

/// `login(key="SECRET")`, `login("NAME", "SECRET")`.
pub(super) fn call(text: &[u8], from: usize) -> Option<Secret> {
    let rest = &text[from..text.len().min(from + 400)];
    let rest = &rest[..rest.iter().position(|byte| matches!(byte, b')' | b'\n')).unwrap_or(rest.len())];
    let mut at = 0;
    for nth in 0..4 {
        let quote = at + rest[at..].iter().position(|byte| matches!(byte, b'"' | b'\''))?;
        let start = quote + 1;
        let end = start + rest[start..].iter().position(|byte| *byte == rest[quote])?;
        let value = &rest[start..end];
        let is_positional = !rest[at..quote].contains(&b'=');
        let is_name = value.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
        let is_one = !is_name && is_secret(value, Gate::Random, true, true) && value.len() >= 20
            || !is_name
                && nth == 1
                && is_positional
                && value.len() >= 6
                && is_secret(value, Gate::Password, true, true);
        if is_one {
            return Some(Secret { rule: "password", range: from + start..from + end });
        }
        at = end + 1;
    }
    None
}

/// `Client("SECRET")`: a key as the first argument, if nothing else can look like it.
pub(super) fn first(text: &[u8], from: usize) -> Option<Secret> {
    // Python's bytes.
    let from = from + usize::from(text.get(from) == Some(&b'b'));
    let rest = &text[from..text.len().min(from + 400)];
    let sign = rest.first().filter(|byte| matches!(byte, b'"' | b'\''))?;
    let length = rest[1..].iter().position(|byte| byte == sign)?;
    let value = &rest[1..1 + length];
    let is_mixed = value.iter().any(u8::is_ascii_uppercase) || value.iter().all(u8::is_ascii_hexdigit);
    (length >= 24 && is_mixed && is_secret(value, Gate::Random, true, true))
        .then(|| Secret { rule: "api-key", range: from + 1..from + 1 + length })
}

/// `IDENTIFIED BY 'SECRET'`, `IDENTIFIED WITH plugin BY 'SECRET'`.
pub(super) fn identified(text: &[u8], from: usize) -> Option<Secret> {
    let rest = &text[from..text.len().min(from + 400)];
    let rest = &rest[..rest.iter().position(|byte| matches!(byte, b';' | b'\n')).unwrap_or(rest.len())];
    let by = rest.windows(3).position(|three| three.eq_ignore_ascii_case(b"by "))?;
    let quote = by + 3 + rest[by + 3..].iter().take_while(|byte| **byte == b' ').count();
    let sign = rest.get(quote).filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let start = quote + 1;
    let length = rest[start..].iter().position(|byte| byte == sign)?;
    let value = &rest[start..start + length];
    (length >= 4 && !stands_for_one(value))
        .then(|| Secret { rule: "password", range: from + start..from + start + length })
}

/// `host:5432:database:user:SECRET`, and with `*` for what may be anything.
pub(super) fn pgpass(text: &[u8], from: usize) -> Option<Secret> {
    let rest = &text[from..text.len().min(from + 300)];
    let line = rest.split(|byte| byte.is_ascii_whitespace()).next()?;
    let mut colons = line.iter().enumerate().filter(|(_, byte)| **byte == b':').map(|(at, _)| at);
    let start = colons.nth(1)? + 1;
    let value = &line[start..];
    (value.len() >= 4 && !stands_for_one(value) && !value.contains(&b'/') && !value.contains(&b':'))
        .then_some(Secret { rule: "password", range: from + start..from + line.len() })
}

/// The secret that follows an account's public name as the next argument: AWS's key id, Twilio's account.
pub(super) fn partner(text: &[u8], from: usize, length: usize) -> Option<Secret> {
    let id = text[from..].iter().take(40).take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let rest = &text[from + id..];
    let between =
        rest.iter().take(6).take_while(|byte| matches!(byte, b'"' | b'\'' | b',' | b' ' | b':')).count();
    let is_of_key = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+');
    let start = from + id + between;
    let found = text[start..].iter().take(64).take_while(is_of_key).count();
    (id >= 14
        && (between >= 2 || rest.first() == Some(&b':'))
        && found == length
        && is_secret(&text[start..start + found], Gate::Random, true, true))
    .then(|| Secret { rule: "secret", range: start..start + found })
}

/// `密码：SECRET`: what stands behind the word for it in a language that has letters of its own.
pub(super) fn foreign(text: &[u8], from: usize) -> Option<Secret> {
    let blanks = |at: usize| text[at..].iter().take(4).take_while(|byte| **byte == b' ').count();
    let sign = from + blanks(from);
    let wide = "：".as_bytes();
    let width = match text.get(sign)? {
        b':' | b'=' => 1,
        _ if text[sign..].starts_with(wide) => wide.len(),
        _ => return None,
    };
    let start = sign + width + blanks(sign + width);
    let ends = |byte: &u8| byte.is_ascii_whitespace() || b"\"'`,;\\".contains(byte) || !byte.is_ascii();
    let near = &text[start..text.len().min(start + 200)];
    let value = &near[..near.iter().position(ends).unwrap_or(near.len())];
    is_secret(value, Gate::Password, false, false)
        .then(|| Secret { rule: "password", range: start..start + value.len() })
}
