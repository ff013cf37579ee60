//! What only looks like a secret: placeholders, plain words, paths, numbers.

use std::sync::LazyLock;

use super::table::Gate;

/// Words that stand where a secret would, and are none.
const STOP_WORDS: [&str; 48] = [
    "none",
    "null",
    "nil",
    "true",
    "false",
    "yes",
    "no",
    "str",
    "string",
    "int",
    "bool",
    "bytes",
    "any",
    "optional",
    "required",
    "prompt",
    "ask",
    "env",
    "file",
    "keyring",
    "empty",
    "unset",
    "hidden",
    "masked",
    "redacted",
    "removed",
    "default",
    "password",
    "passwd",
    "passphrase",
    "secret",
    "token",
    "apikey",
    "api_key",
    "key",
    "auth",
    "credentials",
    "undefined",
    "missing",
    "invalid",
    "incorrect",
    "expired",
    "failed",
    "accepted",
    "publickey",
    "basic",
    "guest",
    "pass",
];

/// Beginnings of texts that are to be replaced by a secret, or that name a place where it is.
const STANDS_FOR: [&str; 22] = [
    "<",
    "$",
    "%",
    "{",
    "[",
    "(",
    "*",
    "...",
    "…",
    "your",
    "my-",
    "my_",
    "insert",
    "replace",
    "placeholder",
    "changeme",
    "dummy",
    "example",
    "file:",
    "env:",
    "vault:",
    "os.",
];

/// What one more of a character adds to count log count, by how many there were.
static STEPS: LazyLock<[f32; 256]> = LazyLock::new(|| std::array::from_fn(step));

fn step(count: usize) -> f32 {
    let of = |count: f64| if count > 0.0 { count * count.log2() } else { 0.0 };
    (of(count as f64 + 1.0) - of(count as f64)) as f32
}

/// So many bits of entropy has each character of the text, by how often each occurs in it.
pub(super) fn entropy(text: &[u8]) -> f32 {
    let mut counts = [0u32; 256];
    // As p = count / all, the sum of -p log p is log all - (sum of count log count) / all.
    let mut sum = 0.0f32;
    for byte in text {
        let count = &mut counts[usize::from(*byte)];
        sum += STEPS.get(*count as usize).copied().unwrap_or_else(|| step(*count as usize));
        *count += 1;
    }
    let all = text.len().max(1) as f32;
    all.log2() - sum / all
}

/// True if a text stands in the place of a secret: `<token>`, `$TOKEN`, `xxxxxxxx`, `your-key-here`.
pub(super) fn stands_for_one(value: &[u8]) -> bool {
    let begins =
        |with: &str| value.get(..with.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(with.as_bytes()));
    let ends = |with: &[u8]| {
        let from = value.len().checked_sub(with.len());
        from.is_some_and(|from| value[from..].eq_ignore_ascii_case(with))
    };
    STANDS_FOR.iter().any(|with| begins(with))
        || STOP_WORDS.iter().any(|word| value.eq_ignore_ascii_case(word.as_bytes()))
        || has_run(value, 3, |byte| byte == b'.')
        // The name of where it is kept.
        || ends(b"-secret") || ends(b"-secrets") || ends(b"_secret")
        // Base64 of zeros may hold as many; then it is long.
        || is_example(value)
        || value.len() < 100 && has_run(value, 6, |byte| !byte.is_ascii_digit())
}

/// AWS and others write it into the keys of their documentation.
pub(super) fn is_example(value: &[u8]) -> bool {
    value.windows(7).any(|part| part == b"EXAMPLE")
}

/// True if a character of the kind stands so many times in a row, in any case.
fn has_run(value: &[u8], least: usize, is_of_kind: impl Fn(u8) -> bool) -> bool {
    let (mut last, mut run) = (0, 0);
    value.iter().map(u8::to_ascii_lowercase).any(|byte| {
        run = if run > 0 && byte == last { run + 1 } else { 1 };
        last = byte;
        run >= least && is_of_kind(byte)
    })
}

/// True if a value that stands beside a telling name is a secret.
pub(super) fn is_secret(value: &[u8], gate: Gate, is_quoted: bool, is_assigned: bool) -> bool {
    let is_too_short = gate == Gate::Random && value.len() < LEAST;
    if is_too_short || stands_for_one(value) || is_place(value) || is_call(value) {
        return false;
    }
    match gate {
        Gate::Password => is_made_up(value, is_quoted, is_assigned),
        Gate::Random => is_random(value),
    }
}

/// A path or an address says where a secret is.
fn is_place(value: &[u8]) -> bool {
    let begins = |with: &str| value.starts_with(with.as_bytes());
    begins("/") && value.iter().filter(|byte| **byte == b'/').count() > 1 && !value.ends_with(b"=")
        || begins("~/")
        || begins("./")
        || begins("../")
        // Tools read it from a file: `password=@/run/secrets/x`.
        || begins("@/")
        || begins("@~/")
        || begins("@./")
        || value.windows(3).any(|three| three == b"://")
}

/// Code that gets a secret from elsewhere, or a type.
fn is_call(value: &[u8]) -> bool {
    let ends = value.iter().position(|byte| !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.')));
    let Some(at) = ends.filter(|at| *at > 0 && matches!(value[*at], b'(' | b'[' | b'{')) else {
        return false;
    };
    let name = &value[..at];
    // `data.secret.s3.data[` is a way through names, whatever digits these have.
    !name.iter().any(u8::is_ascii_digit) || name.contains(&b'.') && turns(name) <= 2
}

/// What a person chose: of more than one kind of character, or plainly given as a value.
fn is_made_up(value: &[u8], is_quoted: bool, is_assigned: bool) -> bool {
    let kinds = kinds(value);
    let is_number = value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b','));
    let has_blank = value.contains(&b' ');
    match () {
        // A sentence between quotes is a message.
        () if has_blank => is_quoted && (kinds >= 4 || is_app_password(value)),
        () if is_number => is_assigned && value.len() >= 6,
        () if is_quoted || is_assigned => value.len() >= 5,
        () => {
            value.len() >= 6 && kinds >= 2 && value.iter().any(u8::is_ascii_digit)
                || value.len() >= 8 && kinds >= 3
        }
    }
}

/// `abcd efgh ijkl mnop`: how mail providers draw passwords for programs.
fn is_app_password(value: &[u8]) -> bool {
    value.len() == 19
        && value
            .iter()
            .enumerate()
            .all(|(at, byte)| if at % 5 == 4 { *byte == b' ' } else { byte.is_ascii_lowercase() })
}

/// How many of small letters, capitals, digits and others a text has.
fn kinds(value: &[u8]) -> usize {
    let is_other = |byte: &u8| !byte.is_ascii_alphanumeric();
    let has: [bool; 4] = [
        value.iter().any(u8::is_ascii_lowercase),
        value.iter().any(u8::is_ascii_uppercase),
        value.iter().any(u8::is_ascii_digit),
        value.iter().any(is_other),
    ];
    has.iter().filter(|has| **has).count()
}

/// So many characters without a mark in between have random texts.
const RUN: usize = 12;
/// What is shorter may be anything.
const LEAST: usize = 16;

/// What a machine drew by lot: letters and digits in no order, not words, not a version, not a name.
fn is_random(value: &[u8]) -> bool {
    const ODD: &[u8] = b"(){}[]<>\"'|\\ ,;*";
    if value.iter().any(|byte| ODD.contains(byte) || !byte.is_ascii_graphic()) {
        return false;
    }
    if is_uuid(value) {
        return true;
    }
    let is_mark = |byte: &u8| {
        matches!(byte, b'-' | b'_' | b'.' | b':' | b'/' | b'+' | b'=' | b'~' | b'%' | b'@' | b'!')
    };
    let longest = value.split(|byte| is_mark(byte)).map(<[u8]>::len).max().unwrap_or(0);
    let is_hex = value.iter().all(u8::is_ascii_hexdigit);
    let enough = if is_hex { 2.8 } else { 3.1 };
    (longest >= RUN || is_base64_by_lot(value))
        && value.len() >= LEAST
        && entropy(value) >= enough
        && turns(value) >= value.len().div_ceil(8)
}

/// The signs of base64 may leave no long run of letters and digits; paths have less in them.
fn is_base64_by_lot(value: &[u8]) -> bool {
    value.len() >= 32
        && value.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='))
        && entropy(value) >= 4.2
        && turns(value) >= value.len() / 4
}

pub(super) fn is_uuid(value: &[u8]) -> bool {
    value.len() == 36
        && value.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// How often a text goes from letters to digits and back, or from a small letter to a capital within a word.
fn turns(value: &[u8]) -> usize {
    let kind = |byte: &u8| match byte {
        b'0'..=b'9' => 1,
        b'a'..=b'z' => 2,
        b'A'..=b'Z' => 3,
        _ => 0,
    };
    value
        .windows(2)
        .filter(|two| matches!((kind(&two[0]), kind(&two[1])), (1, 2 | 3) | (2 | 3, 1) | (2, 3)))
        .count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_names_and_versions_are_not_random() {
        for plain in [
            "bert-base-uncased",
            "meta-llama/Llama-3.1-8B-Instruct",
            "checkpoint_1000000",
            "AutoTokenizerFast",
            "train_loss_epoch_12",
            "lr_schedule_cosine_annealing",
            "2026-11-21T03:41:07",
            "microsoft/deberta-v3-large",
            "GPT2LMHeadModel",
            "1234567890123456",
            "conv2d_transpose_1",
        ] {
            assert!(!is_random(plain.as_bytes()), "{plain}");
        }
        for drawn in [
            "f3b1c9d27a6e4f508b1d2c3e4f5a6b7c",
            "x7Kp2mQ9vL4tR8wZ",
            "0b7e1c52-8d3f-4a6b-9c0d-1e2f3a4b5c6d",
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCY1234567890",
            "dXNlcjpzM2NyM3RwYXNz",
        ] {
            assert!(is_random(drawn.as_bytes()), "{drawn}");
        }
    }

    #[test]
    fn placeholders_stand_for_a_secret() {
        for text in [
            "<token>",
            "$HF_TOKEN",
            "${{ secrets.KEY }}",
            "xxxxxxxxxxxx",
            "your-api-key",
            "None",
            "********",
            "changeme123",
        ] {
            assert!(stands_for_one(text.as_bytes()), "{text}");
        }
        assert!(!stands_for_one(b"hunter2hunter2"));
    }
}
