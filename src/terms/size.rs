use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::NotA;

/// A size in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Bytes(pub u64);

impl fmt::Display for Bytes {
    /// Binary units with one decimal, as `ls -h` would: `512 B`, `1.5 GiB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let mut unit = 0;
        let mut value = self.0 as f64 / 1024.0;
        while value >= 1023.95 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        write!(f, "{value:.1} {}", UNITS[unit])
    }
}

impl FromStr for Bytes {
    type Err = NotA;

    /// Reads Slurm's form: a number, maybe with decimals, and one of the
    /// suffixes K, M, G, T, P (powers of 1024); none means bytes. The suffixes
    /// `n` and `c` of `ReqMem` before 21.08 are the caller's to strip.
    fn from_str(text: &str) -> Result<Self, NotA> {
        let wrong = || NotA::new("memory size", text);
        let (digits, shift) = match text.bytes().last() {
            Some(b'K' | b'k') => (&text[..text.len() - 1], 10),
            Some(b'M' | b'm') => (&text[..text.len() - 1], 20),
            Some(b'G' | b'g') => (&text[..text.len() - 1], 30),
            Some(b'T' | b't') => (&text[..text.len() - 1], 40),
            Some(b'P' | b'p') => (&text[..text.len() - 1], 50),
            _ => (text, 0),
        };
        if !digits.starts_with(|c: char| c.is_ascii_digit())
            || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        {
            return Err(wrong());
        }
        if let Ok(whole) = digits.parse::<u64>() {
            return whole.checked_mul(1 << shift).map(Bytes).ok_or_else(wrong);
        }
        let value = digits.parse::<f64>().map_err(|_| wrong())? * (1u64 << shift) as f64;
        if value < u64::MAX as f64 { Ok(Bytes(value as u64)) } else { Err(wrong()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn whole_sizes_are_read_exactly(count in 0u64..1 << 13, unit in 0usize..6) {
            let text = format!("{count}{}", ["", "K", "M", "G", "T", "P"][unit]);
            prop_assert_eq!(text.parse::<Bytes>().unwrap(), Bytes(count << (10 * unit)));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[0-9.eKMGTPx+\\-é]{0,30}") {
            let _ = text.parse::<Bytes>();
        }
    }

    #[test]
    fn slurm_sizes_are_read() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("4000M", 4_194_304_000), ("1.5G", 1_610_612_736), ("2.50K", 2560)]
        {
            assert_eq!(text.parse::<Bytes>().unwrap(), Bytes(bytes), "{text}");
        }
        for text in ["", "M", "-1M", "1.2.3K", "1e9", "inf", "nan", "99999999999P", ".5G"] {
            assert!(text.parse::<Bytes>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(Bytes(1023).to_string(), "1023 B");
        assert_eq!(Bytes(1_610_612_736).to_string(), "1.5 GiB");
        assert_eq!(Bytes((1 << 20) - 1).to_string(), "1.0 MiB");
    }
}
