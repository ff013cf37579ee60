use std::sync::LazyLock;

use regex::Regex;

use crate::safety;
use crate::terms::Time;

/// `date` in the C locale: `Sat Nov 21 03:41:00 UTC 2026`, also with AM and PM,
/// and in the order that some English locales use, `Sat 21 Nov 03:41:00 UTC 2026`.
static C_LOCALE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,?\s+(?:(?P<m1>[A-Z][a-z]{2})[a-z]*\s+(?P<d1>\d{1,2})|(?P<d2>\d{1,2})\s+(?P<m2>[A-Z][a-z]{2})[a-z]*)(?:\s+(?P<y1>\d{4}))?,?\s+(?P<h>\d{1,2}):(?P<min>\d{2}):(?P<s>\d{2})(?:\s+(?P<half>AM|PM))?(?:\s+(?P<zone>[A-Z]{1,5}|[+-]\d{2}:?\d{2}|[+-]\d{2}))?(?:\s+(?P<y2>\d{4}))?",
    )
    .expect("a constant")
});

/// `2026-11-21T03:41:00+01:00`, `2026-11-21 03:41:00 UTC`.
static ISO: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(?P<date>\d{4}-\d{2}-\d{2})[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:[.,]\d+)?\s?(?P<zone>Z|[A-Z]{2,5}|[+-]\d{2}:?\d{2}|[+-]\d{2})?",
    )
    .expect("a constant")
});

/// What looks like a clock: then a line was meant to be a date.
static CLOCK: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"\d{1,2}[:.h]\d{2}[:.m]\d{2}").expect("a constant"));

/// The zones whose abbreviations mean one thing only.
const ZONES: [(&str, u32); 10] = [
    ("UTC", 0),
    ("GMT", 0),
    ("Z", 0),
    ("WET", 0),
    ("WEST", 1),
    ("CET", 1),
    ("CEST", 2),
    ("EET", 2),
    ("EEST", 3),
    ("JST", 9),
];

/// The time in the lines before the first section, or why the line that looks
/// like one was not taken.
pub(super) fn find(preamble: &str) -> (Option<Time>, Option<String>) {
    let mut unread = None;
    for line in preamble.lines().take(20) {
        match read(line) {
            Ok(Some(time)) => return (Some(time), None),
            Ok(None) => {}
            Err(why) => {
                unread.get_or_insert(why);
            }
        }
    }
    (None, unread)
}

fn read(line: &str) -> Result<Option<Time>, String> {
    if let Some(found) = ISO.captures(line) {
        let part = |name: &str| found.name(name).map(|part| part.as_str());
        let clock =
            part("time").map(|text| if text.len() == 5 { format!("{text}:00") } else { text.to_owned() });
        return resolve(line, part("date").map(str::to_owned).zip(clock), part("zone")).map(Some);
    }
    if let Some(found) = C_LOCALE.captures(line) {
        let part = |name: &str| found.name(name).map(|part| part.as_str());
        let number = |name: &str| part(name).and_then(|text| text.parse::<u32>().ok());
        let date = (|| {
            let year = part("y1").or(part("y2"))?;
            let month = part("m1").or(part("m2")).and_then(month)?;
            Some(format!("{year}-{month:02}-{:02}", number("d1").or(number("d2"))?))
        })();
        let clock = (|| {
            let hour = match (part("half"), number("h")?) {
                (Some("AM"), hour) => hour % 12,
                (Some(_), hour) => hour % 12 + 12,
                (None, hour) => hour,
            };
            Some(format!("{hour:02}:{:02}:{:02}", number("min")?, number("s")?))
        })();
        return resolve(line, date.zip(clock), part("zone")).map(Some);
    }
    if CLOCK.is_match(line) {
        return Err(format!("the date is in a form or language that is not known: {}", shown(line)));
    }
    Ok(None)
}

fn resolve(line: &str, wall: Option<(String, String)>, zone: Option<&str>) -> Result<Time, String> {
    let unknown = || format!("the date is in a form or language that is not known: {}", shown(line));
    let (date, clock) = wall.ok_or_else(unknown)?;
    let zone = zone.ok_or_else(|| format!("the date names no zone and is not taken: {}", shown(line)))?;
    let offset = offset(zone).ok_or_else(|| {
        format!("the zone {} does not mean one thing everywhere: {}", shown(zone), shown(line))
    })?;
    format!("{date}T{clock}{offset}").parse().map_err(|_| unknown())
}

/// A zone as RFC 3339 writes it.
fn offset(zone: &str) -> Option<String> {
    if let Some((_, hours)) = ZONES.iter().find(|(name, _)| *name == zone) {
        return Some(format!("+{hours:02}:00"));
    }
    let sign = zone.chars().next().filter(|sign| matches!(sign, '+' | '-'))?;
    let digits: String = zone[1..].chars().filter(char::is_ascii_digit).collect();
    Some(format!("{sign}{}:{}", digits.get(..2)?, digits.get(2..4).unwrap_or("00")))
}

fn month(name: &str) -> Option<u32> {
    const NAMES: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    NAMES.iter().position(|known| *known == name).and_then(|at| u32::try_from(at + 1).ok())
}

fn shown(text: &str) -> String {
    safety::one_line(text, 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_that_say_one_thing_are_read() {
        for text in [
            "Sat Nov 21 03:41:00 UTC 2026",
            "Cluster state - Sat Nov 21 04:41:00 CET 2026",
            "# Updated: Sat 21 Nov 2026 03:41:00 AM UTC",
            "Sat 21 Nov 03:41:00 UTC 2026",
            "Generated 2026-11-21T03:41:00Z",
            "2026-11-21 04:41:00 +0100",
            "2026-11-20T19:41:00-08:00",
            "Sat, 21 Nov 2026 03:41:00 +0000",
        ] {
            let (time, unread) = find(&format!("Cluster State Report\n\n{text}\n"));
            assert_eq!(time.map(|t| t.to_string()).as_deref(), Some("2026-11-21T03:41:00Z"), "{text}");
            assert_eq!(unread, None, "{text}");
        }
    }

    #[test]
    fn dates_that_would_have_to_be_guessed_are_not_taken() {
        for (text, why) in [
            ("Sa 21. Nov 04:41:00 CET 2026", "form or language"),
            ("sam. 21 nov. 2026 04:41:00 CET", "form or language"),
            ("2026年 11月 21日 土曜日 12:41:00 JST", "form or language"),
            ("Sat Nov 21 03:41:00 2026", "names no zone"),
            ("2026-11-21 03:41:00", "names no zone"),
            ("Sat Nov 21 03:41:00 CST 2026", "does not mean one thing"),
            ("Sat Feb 31 03:41:00 UTC 2026", "form or language"),
        ] {
            let (time, unread) = find(text);
            assert_eq!(time, None, "{text}");
            assert!(unread.as_deref().is_some_and(|said| said.contains(why)), "{text}: {unread:?}");
        }
        assert_eq!(find("Cluster state\nno time here\n"), (None, None));
    }
}
