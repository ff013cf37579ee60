use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, SecondsFormat, SubsecRound, Timelike, Utc};
use serde::{Deserialize, Serialize};

use super::{NotA, serde_as_text};

/// A moment in UTC, in whole seconds, printed as `2026-11-21T03:41:00Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Time(DateTime<Utc>);

impl Time {
    /// Cuts a moment to whole seconds.
    pub fn new(moment: DateTime<Utc>) -> Time {
        Time(moment.trunc_subsecs(0))
    }

    /// A moment in seconds since 1970, if a calendar can hold it.
    pub fn from_unix(seconds: i64) -> Option<Time> {
        // RFC 3339 has four digits for the year; what is outside is no time of a job.
        (0..253_402_300_800)
            .contains(&seconds)
            .then(|| DateTime::from_timestamp(seconds, 0).map(Time))
            .flatten()
    }

    /// Reads a wall-clock time without a zone as UTC.
    pub fn from_naive_utc(wall: NaiveDateTime) -> Time {
        Time::new(wall.and_utc())
    }

    /// Reads wall-clock text without a zone, `2026-11-21T04:29:36`, as UTC: good
    /// for ordering where the zone is not known. Made for millions of them.
    pub fn from_wall_clock(text: &[u8]) -> Option<Time> {
        let [y0, y1, y2, y3, b'-', mo0, mo1, b'-', d0, d1, b'T', h0, h1, b':', mi0, mi1, b':', s0, s1] = text
        else {
            return None;
        };
        let number = |digits: &[&u8]| {
            digits.iter().try_fold(0, |value, digit| {
                digit.is_ascii_digit().then(|| value * 10 + u32::from(**digit - b'0'))
            })
        };
        let year = i32::try_from(number(&[y0, y1, y2, y3])?).ok()?;
        let day = NaiveDate::from_ymd_opt(year, number(&[mo0, mo1])?, number(&[d0, d1])?)?;
        let wall = day.and_hms_opt(number(&[h0, h1])?, number(&[mi0, mi1])?, number(&[s0, s1])?)?;
        Time::from_unix(wall.and_utc().timestamp())
    }

    /// Seconds since 1970.
    pub fn unix(self) -> i64 {
        self.0.timestamp()
    }

    /// The whole minute, as a wall-clock time of UTC.
    pub(super) fn minute(self) -> NaiveDateTime {
        let wall = self.0.naive_utc();
        wall.with_second(0).unwrap_or(wall)
    }

    /// How long before `now` this was; zero for a moment in the future.
    pub fn age(self, now: Time) -> Seconds {
        Seconds(u64::try_from(now.unix() - self.unix()).unwrap_or(0))
    }

    /// The moment `span` later.
    pub fn plus(self, span: Seconds) -> Time {
        i64::try_from(span.0).ok().and_then(|s| Time::from_unix(self.unix().checked_add(s)?)).unwrap_or(self)
    }

    /// The moment `span` earlier.
    pub fn minus(self, span: Seconds) -> Time {
        i64::try_from(span.0).ok().and_then(|s| Time::from_unix(self.unix().checked_sub(s)?)).unwrap_or(self)
    }

    /// `2026-11-21 04:41` in the given zone, for people.
    pub fn local(self, zone: FixedOffset) -> String {
        self.0.with_timezone(&zone).format("%Y-%m-%d %H:%M").to_string()
    }

    /// The moment as chrono knows it.
    pub fn utc(self) -> DateTime<Utc> {
        self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl FromStr for Time {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        DateTime::parse_from_rfc3339(text)
            .ok()
            .and_then(|moment| Time::from_unix(moment.timestamp()))
            .ok_or_else(|| NotA::new("time (RFC 3339)", text))
    }
}

serde_as_text!(Time);

/// A span of whole seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Seconds(pub u64);

impl Seconds {
    /// Reads Slurm's form of a duration: `[days-]hh:mm:ss`, `mm:ss`, with
    /// fractions cut; words such as `UNLIMITED` are the caller's.
    pub fn from_slurm(text: &str) -> Result<Seconds, NotA> {
        let wrong = || NotA::new("duration ([days-]hh:mm:ss)", text);
        let number = |part: &str| {
            (!part.is_empty() && part.len() <= 9 && part.bytes().all(|b| b.is_ascii_digit()))
                .then(|| part.parse::<u64>().ok())
                .flatten()
        };
        let (days, clock) = match text.split_once('-') {
            Some((days, clock)) => (number(days).ok_or_else(wrong)?, clock),
            None => (0, text),
        };
        let clock = clock.split_once('.').map_or(clock, |(whole, _)| whole);
        let parts: Option<Vec<u64>> = clock.split(':').map(number).collect();
        let seconds = match parts.as_deref() {
            Some([h, m, s]) => h * 3600 + m * 60 + s,
            // Slurm prints mm:ss only without days; with them it means hh:mm.
            Some([m, s]) if days == 0 => m * 60 + s,
            Some([h, m]) => h * 3600 + m * 60,
            Some([h]) if text.contains('-') => h * 3600,
            _ => return Err(wrong()),
        };
        Ok(Seconds(days * 86_400 + seconds))
    }

    /// Slurm's own form, `[days-]hh:mm:ss`.
    pub fn to_slurm(self) -> String {
        let (days, rest) = (self.0 / 86_400, self.0 % 86_400);
        let clock = format!("{:02}:{:02}:{:02}", rest / 3600, rest / 60 % 60, rest % 60);
        if days > 0 { format!("{days}-{clock}") } else { clock }
    }

    /// As short as a column of a table wants it: `45s`, `12min`, `3h12`, `8d4h`.
    pub fn short(self) -> String {
        match self.0 {
            s @ 0..=59 => format!("{s}s"),
            s @ 60..=3599 => format!("{}min", s / 60),
            s @ 3600..=86_399 if s / 60 % 60 == 0 => format!("{}h", s / 3600),
            s @ 3600..=86_399 => format!("{}h{:02}", s / 3600, s / 60 % 60),
            s if s / 3600 % 24 == 0 => format!("{}d", s / 86_400),
            s => format!("{}d{}h", s / 86_400, s / 3600 % 24),
        }
    }

    /// Reads what people type: a number with `s`, `min`, `m`, `h` or `d`.
    pub fn from_person(text: &str) -> Result<Seconds, NotA> {
        let wrong = || NotA::new("duration (such as 90s, 15min, 12h, 7d)", text);
        let split = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
        let count: u64 = text[..split].parse().map_err(|_| wrong())?;
        let unit = match text[split..].trim() {
            "s" => 1,
            "m" | "min" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        count.checked_mul(unit).filter(|s| *s < 1 << 40).map(Seconds).ok_or_else(wrong)
    }
}

impl fmt::Display for Seconds {
    /// The two largest units: `45 s`, `12 min`, `3 h 12 min`, `8 d 4 h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let two = |f: &mut fmt::Formatter<'_>, a: u64, unit: &str, b: u64, sub: &str| {
            if b == 0 { write!(f, "{a} {unit}") } else { write!(f, "{a} {unit} {b} {sub}") }
        };
        match self.0 {
            s @ 0..=59 => write!(f, "{s} s"),
            s @ 60..=3599 => write!(f, "{} min", s / 60),
            s @ 3600..=86_399 => two(f, s / 3600, "h", s / 60 % 60, "min"),
            s => two(f, s / 86_400, "d", s / 3600 % 24, "h"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_duration_survives_print_and_read(seconds in 0u64..86_400 * 100_000) {
            prop_assert_eq!(Seconds::from_slurm(&Seconds(seconds).to_slurm()).unwrap(), Seconds(seconds));
        }

        #[test]
        fn any_time_survives_print_and_read(seconds in 0i64..253_402_300_800) {
            let time = Time::from_unix(seconds).unwrap();
            prop_assert_eq!(time.to_string().parse::<Time>().unwrap(), time);
        }

        #[test]
        fn no_text_makes_the_readers_panic(text in "[0-9:.\\-a-zA-Z+ é]{0,30}") {
            let _ = (Seconds::from_slurm(&text), Seconds::from_person(&text), text.parse::<Time>());
        }
    }

    #[test]
    fn slurm_durations_are_read_and_printed() {
        for (text, seconds) in [
            ("00:00:00", 0),
            ("01:19", 79),
            ("00:01:19", 79),
            ("1-00:00:01", 86_401),
            ("12-03", 1_047_600),
            ("00:10.531", 10),
        ] {
            assert_eq!(Seconds::from_slurm(text).unwrap(), Seconds(seconds), "{text}");
        }
        for text in ["", "UNLIMITED", "5", "-1:00", "1-", "a:b", "1:2:3:4", "99999999999:00:00"] {
            assert!(Seconds::from_slurm(text).is_err(), "{text:?}");
        }
        assert_eq!(Seconds(86_401).to_slurm(), "1-00:00:01");
    }

    #[test]
    fn spans_read_well() {
        for (seconds, text) in
            [(0, "0 s"), (79, "1 min"), (11_520, "3 h 12 min"), (86_400, "1 d"), (705_600, "8 d 4 h")]
        {
            assert_eq!(Seconds(seconds).to_string(), text);
        }
    }

    #[test]
    fn spans_are_short_in_tables() {
        for (seconds, text) in
            [(0, "0s"), (79, "1min"), (7200, "2h"), (11_520, "3h12"), (259_200, "3d"), (705_600, "8d4h")]
        {
            assert_eq!(Seconds(seconds).short(), text);
        }
    }

    #[test]
    fn a_time_prints_as_it_was_read() {
        let time: Time = "2026-11-21T04:41:07+01:00".parse().unwrap();
        assert_eq!(time.to_string(), "2026-11-21T03:41:07Z");
        assert!("2026-11-21 04:41".parse::<Time>().is_err());
        assert_eq!(Time::from_wall_clock(b"2026-11-21T03:41:07"), Some(time));
        for text in ["2026-11-21T03:41:60", "2026-02-29T00:00:00", "2026-11-21T03:41:07Z", "Unknown"] {
            assert_eq!(Time::from_wall_clock(text.as_bytes()), None, "{text}");
        }
    }
}
