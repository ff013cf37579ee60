use std::fmt;
use std::str::FromStr;

use chrono::NaiveDateTime;

use super::{Digest, NotA, Time, serde_as_text};

/// The key of a handover: `HO-YYYYMMDD-HHMM-hhhhhhhh`.
///
/// The minute is UTC; the eight hex digits are the head of the document's
/// digest, so the key proves the document as far as 32 bits can.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Key {
    minute: NaiveDateTime,
    hash: [u8; 4],
}

impl Key {
    /// The length of every key in bytes.
    pub const LEN: usize = 25;

    /// The key of a document made at `created` whose digest is `digest`.
    pub fn new(created: Time, digest: Digest) -> Key {
        Key { minute: created.minute(), hash: digest.head() }
    }

    /// The same key with its hash part all zero: what the digest is taken over.
    pub fn blank(self) -> Key {
        Key { hash: [0; 4], ..self }
    }

    /// The minute of creation, in UTC.
    pub fn minute(self) -> Time {
        Time::from_naive_utc(self.minute)
    }

    /// The hash part.
    pub fn hash(self) -> [u8; 4] {
        self.hash
    }

    /// True if the hash part is the head of `digest`.
    pub fn agrees_with(self, digest: Digest) -> bool {
        self.hash == digest.head()
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d] = self.hash;
        write!(f, "HO-{}-{a:02x}{b:02x}{c:02x}{d:02x}", self.minute.format("%Y%m%d-%H%M"))
    }
}

impl FromStr for Key {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let wrong = || NotA::new("handover key", text);
        let (stamp, hash) = text
            .strip_prefix("HO-")
            .filter(|rest| rest.len() == Key::LEN - 3 && rest.is_ascii())
            .map(|rest| rest.split_at(13))
            .ok_or_else(wrong)?;
        let hash = hash.strip_prefix('-').ok_or_else(wrong)?;
        let digits =
            stamp.bytes().enumerate().all(|(i, b)| (i == 8) == (b == b'-') && (i == 8 || b.is_ascii_digit()));
        let minute = digits
            .then(|| NaiveDateTime::parse_from_str(&format!("{stamp}00"), "%Y%m%d-%H%M%S").ok())
            .flatten()
            .ok_or_else(wrong)?;
        if !hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)) {
            return Err(wrong());
        }
        let hash = u32::from_str_radix(hash, 16).map_err(|_| wrong())?.to_be_bytes();
        Ok(Key { minute, hash })
    }
}

serde_as_text!(Key);

/// A key of an older custom: `HO-20260106-1423-a1b2`, `HO-20260106-EOD-a1b2`,
/// six-digit times. It says nothing about the document's bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LegacyKey(String);

impl fmt::Display for LegacyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for LegacyKey {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let parts: Vec<&str> = text.split('-').collect();
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        let fits = matches!(parts.as_slice(), ["HO", date, time, hash]
            if date.len() == 8 && digits(date)
            && (*time == "EOD" || (matches!(time.len(), 4 | 6) && digits(time)))
            && (3..=12).contains(&hash.len()) && hash.bytes().all(|b| b.is_ascii_alphanumeric()));
        if fits && text.parse::<Key>().is_err() {
            Ok(LegacyKey(text.to_owned()))
        } else {
            Err(NotA::new("handover key", text))
        }
    }
}

/// Either kind of key, as found in file names and in what people paste.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub enum AnyKey {
    /// A key that proves its document.
    Proving(Key),
    /// A key that proves nothing.
    Legacy(LegacyKey),
}

impl AnyKey {
    /// The key that proves, if it is one.
    pub fn proving(&self) -> Option<Key> {
        match self {
            AnyKey::Proving(key) => Some(*key),
            AnyKey::Legacy(_) => None,
        }
    }
}

impl fmt::Display for AnyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AnyKey::Proving(key) => key.fmt(f),
            AnyKey::Legacy(key) => key.fmt(f),
        }
    }
}

impl FromStr for AnyKey {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        text.parse().map(AnyKey::Proving).or_else(|_| text.parse().map(AnyKey::Legacy))
    }
}

serde_as_text!(AnyKey);

/// What a person types for a key: the whole of it, the start of it, or the
/// start of its hash part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPrefix(String);

impl KeyPrefix {
    /// True if `key` begins with this text, or its hash part does.
    pub fn fits(&self, key: &AnyKey) -> bool {
        let text = key.to_string();
        let hash = text.rsplit('-').next().unwrap_or_default();
        text.starts_with(&self.0) || hash.starts_with(&self.0)
    }
}

impl fmt::Display for KeyPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<&AnyKey> for KeyPrefix {
    /// The whole key.
    fn from(key: &AnyKey) -> KeyPrefix {
        KeyPrefix(key.to_string())
    }
}

impl FromStr for KeyPrefix {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if plain && (2..=40).contains(&text.len()) {
            Ok(KeyPrefix(text.to_owned()))
        } else {
            Err(NotA::new("handover key or the start of one", text))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_key_survives_print_and_read(seconds in 0i64..253_402_300_800, bytes in any::<[u8; 4]>()) {
            let created = Time::from_unix(seconds).unwrap();
            let key = Key { minute: created.minute(), hash: bytes };
            let text = key.to_string();
            prop_assert_eq!(text.len(), Key::LEN);
            prop_assert_eq!(text.parse::<Key>().unwrap(), key);
            prop_assert!(text.parse::<AnyKey>().unwrap().proving().is_some());
            prop_assert!(key.minute().unix() <= seconds && seconds < key.minute().unix() + 60);
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "(HO-)?[\\PC]{0,40}") {
            let _ = (text.parse::<Key>(), text.parse::<AnyKey>(), text.parse::<KeyPrefix>());
        }

        #[test]
        fn a_changed_character_is_another_key_or_none(at in 0usize..Key::LEN, c in "[ -~]") {
            let text = "HO-20261121-0341-7f3a9c2e";
            let mut other = text.to_owned();
            other.replace_range(at..=at, &c);
            prop_assume!(other != text);
            prop_assert_ne!(other.parse::<Key>().ok(), text.parse::<Key>().ok());
        }
    }

    #[test]
    fn a_key_prints_as_it_was_read() {
        let text = "HO-20261121-0341-7f3a9c2e";
        let key: Key = text.parse().unwrap();
        assert_eq!(key.to_string(), text);
        assert_eq!(key.blank().to_string(), "HO-20261121-0341-00000000");
        assert_eq!(text.len(), Key::LEN);
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for text in [
            "",
            "HO-",
            "HO-20261121-0341-7F3A9C2E",
            "HO-20261121-0341-+f3a9c2e",
            "HO-20261321-0341-7f3a9c2e",
            "HO-20261121-2461-7f3a9c2e",
            "HO-20261121-0341-7f3a9c2e ",
            "HO-2026112110341-7f3a9c2e",
            "HO-20261121-0341-7f3a9c2é",
        ] {
            assert!(text.parse::<Key>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn legacy_forms_are_read_and_kept_apart() {
        for text in ["HO-20260106-1423-a1b2", "HO-20260106-EOD-a1b2", "HO-20260106-142355-a1b2c3d4"] {
            assert!(matches!(text.parse(), Ok(AnyKey::Legacy(_))), "{text}");
        }
        assert!("HO-20260106-1423-../../etc".parse::<AnyKey>().is_err());
    }

    #[test]
    fn a_prefix_fits_the_start_or_the_hash() {
        let key: AnyKey = "HO-20261121-0341-7f3a9c2e".parse().unwrap();
        for text in ["HO-20261121", "7f3a", "HO-20261121-0341-7f3a9c2e"] {
            assert!(text.parse::<KeyPrefix>().unwrap().fits(&key), "{text}");
        }
        assert!(!"9c2e".parse::<KeyPrefix>().unwrap().fits(&key));
    }
}
