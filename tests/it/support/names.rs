//! Names that differ from run to run become names that do not.

use std::collections::HashMap;

/// Replaces ids, digests, keys and paths by placeholders of the same width, so
/// that tables keep their shape. The same id gets the same placeholder as long
/// as a sandbox lives.
#[derive(Debug, Default)]
pub struct Names {
    paths: Vec<(String, String)>,
    /// Hash parts of keys (8 hex digits), by order of appearance.
    keys: Vec<String>,
    /// Whole commit ids.
    commits: Vec<String>,
    /// Whole digests and random numbers, by number of digits.
    others: HashMap<usize, Vec<String>>,
}

/// The numbers of digits that a digest or a random number of ours has.
const DIGEST: usize = 64;
const COMMIT: usize = 40;
const KEY_HASH: usize = 8;
/// The hash part of a key while it is being hashed.
const ZERO: &str = "00000000";
const NONCES: [usize; 2] = [16, 32];
/// The shortest abbreviation that is taken for one.
const SHORTEST: usize = 7;

impl Names {
    /// Shows `path` as `placeholder`; both should be of the same width.
    pub fn path(&mut self, path: &str, placeholder: &str) {
        self.paths.push((path.to_owned(), placeholder.to_owned()));
    }

    /// Gives a commit the next number.
    pub fn commit(&mut self, id: &str) {
        number(&mut self.commits, id);
    }

    /// The text with every such name replaced.
    pub fn normalise(&mut self, text: &str) -> String {
        let mut text = text.to_owned();
        for (path, placeholder) in &self.paths {
            text = text.replace(path.as_str(), placeholder);
        }
        self.learn(&text);
        self.replace(&text)
    }

    /// First the whole names, so that abbreviations before them are known too.
    fn learn(&mut self, text: &str) {
        for (before, word) in words(text) {
            if let Some(hash) = key_hash(before, word) {
                number(&mut self.keys, hash);
            }
        }
        for (_, word) in words(text) {
            match word.len() {
                COMMIT => number(&mut self.commits, word),
                DIGEST if self.keys.iter().any(|key| word.starts_with(key)) => continue,
                n if n == DIGEST || NONCES.contains(&n) && has_letter(word) => {
                    number(self.others.entry(n).or_default(), word)
                }
                _ => continue,
            };
        }
    }

    fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for (before, word) in words(text) {
            let Some(placeholder) = self.placeholder(before, word) else { continue };
            out.push_str(&text[done..before.len()]);
            out.push_str(&placeholder);
            done = before.len() + word.len();
        }
        out.push_str(&text[done..]);
        out
    }

    fn placeholder(&self, before: &str, word: &str) -> Option<String> {
        if let Some(hash) = key_hash(before, word) {
            return self.named("hash", &self.keys, hash);
        }
        if word.len() < SHORTEST {
            return None;
        }
        let whole = |key: &String| word.starts_with(key.as_str());
        if let Some(at) = self.keys.iter().position(whole) {
            return Some(padded("hash", at, word.len()));
        }
        self.named("commit", &self.commits, word)
            .or_else(|| self.named("digest", self.others.get(&DIGEST)?, word))
            .or_else(|| self.named("nonce", self.others.get(&word.len())?, word))
    }

    fn named(&self, kind: &str, known: &[String], word: &str) -> Option<String> {
        let at = known.iter().position(|whole| whole.starts_with(word))?;
        Some(padded(kind, at, word.len()))
    }
}

/// `commit1` for 7 columns, `commit1___` for 10, `commi12` for 7 again.
fn padded(kind: &str, at: usize, width: usize) -> String {
    let number = (at + 1).to_string();
    let kind = &kind[..kind.len().min(width.saturating_sub(number.len()))];
    format!("{:_<width$}", format!("{kind}{number}"))
}

fn number(known: &mut Vec<String>, word: &str) {
    if !known.iter().any(|one| one == word) {
        known.push(word.to_owned());
    }
}

fn has_letter(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_lowercase())
}

/// The hash of a key, if the text before is `HO-YYYYMMDD-HHMM-`.
fn key_hash<'t>(before: &str, word: &'t str) -> Option<&'t str> {
    const SHAPE: &[u8] = b"HO-dddddddd-dddd-";
    let start = before.len().checked_sub(SHAPE.len())?;
    let fits = |(byte, shape): (&u8, &u8)| match shape {
        b'd' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    let is_key = before.as_bytes()[start..].iter().zip(SHAPE).all(fits);
    (is_key && word.len() == KEY_HASH && word != ZERO).then_some(word)
}

/// Words of lower-case hex digits, each with all the text before it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    let bytes = text.as_bytes();
    let mut at = 0;
    std::iter::from_fn(move || {
        while at < bytes.len() {
            let start = at;
            while at < bytes.len() && (bytes[at].is_ascii_alphanumeric() || bytes[at] >= 0x80) {
                at += 1;
            }
            if at == start {
                at += 1;
            } else if bytes[start..at].iter().all(|b| is_hex(*b)) {
                return Some((&text[..start], &text[start..at]));
            }
        }
        None
    })
}

#[test]
fn ids_become_numbered_placeholders_of_the_same_width() {
    let mut names = Names::default();
    names.path("/tmp/handover.x7Yq2Zk", "/tmp/handover.SANDBOX");
    let commit = "41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e";
    let digest = format!("7f3a9c2e{}", "0123456789abcdef".repeat(3) + "01234567");
    let text = format!(
        "{} of {commit} in /tmp/handover.x7Yq2Zk/project, HO-20261121-0341-7f3a9c2e\n\
         sha256 {digest} ({}), prefix 7f3a9c2e, zero HO-20261121-0341-00000000, pid 1234567, ab12",
        &commit[..9],
        &digest[..12],
    );
    let expected = format!(
        "commit1__ of commit1{} in /tmp/handover.SANDBOX/project, HO-20261121-0341-hash1___\n\
         sha256 hash1{} (hash1_______), prefix hash1___, zero HO-20261121-0341-00000000, pid 1234567, ab12",
        "_".repeat(33),
        "_".repeat(59),
    );
    assert_eq!(names.normalise(&text), expected);
    assert_eq!(names.normalise("HO-20261121-0341-aaaaaaaa 7f3a9c2e"), "HO-20261121-0341-hash2___ hash1___");
}
