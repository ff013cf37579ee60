//! The bar of tqdm: ` 45%|####    | 45/100 [00:10<00:12, 4.2it/s`.
//!
//! Read by hand: many logs are little else, and a pattern with as many groups
//! takes ten times as long.
//!
//! Source: `format_meter` in `tqdm/std.py`.

/// What a bar says, as it says it.
#[derive(Debug, PartialEq)]
pub(super) struct Bar<'t> {
    /// Where its percentage begins.
    pub from: usize,
    /// Where what is known of it ends.
    pub to: usize,
    /// `45`, `1.2k`
    pub step: &'t str,
    /// `100`
    pub steps: &'t str,
    /// `00:12`, `?`
    pub remaining: &'t str,
    /// `4.2` and `it/s`
    pub rate: Option<(&'t str, &'t str)>,
}

/// The last bar of a line; several are glued where escapes were taken out.
pub(super) fn last(text: &str) -> Option<Bar<'_>> {
    let mut until = text.len();
    while let Some(percent) = text[..until].rfind("%|") {
        let bar = read(text, percent);
        if bar.is_some() {
            return bar;
        }
        until = percent;
    }
    None
}

/// The bar whose percent sign stands there.
fn read(text: &str, percent: usize) -> Option<Bar<'_>> {
    let digits = text[..percent].bytes().rev().take(3).take_while(u8::is_ascii_digit).count();
    let (_, rest) = text[percent + 2..].split_once('|').filter(|_| digits > 0)?;
    let (step, rest) = counted(rest.trim_start_matches(' '))?;
    let (steps, rest) = counted(rest.strip_prefix('/')?)?;
    let rest = rest.trim_start_matches(' ').strip_prefix('[')?.trim_start_matches(' ');
    let (elapsed, rest) = spanned(rest, |c| c.is_ascii_digit() || c == ':');
    let rest = rest.strip_prefix('<').filter(|_| !elapsed.is_empty())?;
    let (mut remaining, mut rest) = spanned(rest, |c| c.is_ascii_digit() || matches!(c, ':' | '?'));
    if remaining.is_empty() {
        (remaining, rest) = spanned(rest, |c| !matches!(c, ']' | ','));
    }
    let (rate, rest) = match rated(rest) {
        Some((value, unit, rest)) => (Some((value, unit)), rest),
        None => (None, rest),
    };
    Some(Bar { from: percent - digits, to: text.len() - rest.len(), step, steps, remaining, rate })
}

/// `45`, `1.2k`
fn counted(text: &str) -> Option<(&str, &str)> {
    let (digits, rest) = spanned(text, |c| c.is_ascii_digit() || c == '.');
    let sign = usize::from(rest.starts_with(['k', 'K', 'M', 'G']));
    (!digits.is_empty()).then(|| text.split_at(digits.len() + sign))
}

/// `, 4.2it/s`, `, 2.0s/it`, `, ?it/s`
fn rated(text: &str) -> Option<(&str, &str, &str)> {
    let text = text.strip_prefix(',')?.trim_start_matches(' ');
    let (digits, _) = spanned(text, |c| c.is_ascii_digit() || c == '.');
    let value = if digits.is_empty() { text.get(..1).filter(|sign| *sign == "?")? } else { digits };
    let rest = &text[value.len()..];
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let (word, behind) = spanned(rest, is_word);
    let behind = behind.strip_prefix('/')?;
    let of = match spanned(behind, is_word).0 {
        of if of.starts_with('s') => 1,
        of if word == "s" && !of.is_empty() => of.len(),
        _ => return None,
    };
    let (unit, rest) = rest.split_at(word.len() + 1 + of);
    Some((value, unit, rest))
}

fn spanned(text: &str, is_of: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is_of(c)).unwrap_or(text.len()))
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use proptest::prelude::*;
    use regex::Regex;

    /// The same as a pattern, which is slower and easier to trust.
    fn by_pattern(text: &str) -> Option<Bar<'_>> {
        static PATTERN: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(
                r"([0-9]{1,3})%\|[^|]*\| *([0-9.]+[kKMG]?)/([0-9.]+[kKMG]?) *\[ *([0-9:]+)<([0-9:?]+|[^\],]*)(?:, *([0-9.]+|\?) ?(\w*/s|s/\w+))?",
            )
            .unwrap()
        });
        let found = PATTERN.captures_iter(text).last()?;
        let whole = found.get(0).unwrap();
        let group = |at: usize| found.get(at).map(|group| group.as_str());
        Some(Bar {
            from: whole.start(),
            to: whole.end(),
            step: group(2).unwrap(),
            steps: group(3).unwrap(),
            remaining: group(5).unwrap(),
            rate: group(6).zip(group(7)),
        })
    }

    #[test]
    fn bars_as_tqdm_writes_them_are_read() {
        for (text, step, steps, remaining, rate) in [
            (" 12%|█▏   | 120/1000 [01:19<09:40,  1.52it/s]", "120", "1000", "09:40", Some(("1.52", "it/s"))),
            ("100%|##| 1.2k/3.4M [1:02:03<?, ?B/s]", "1.2k", "3.4M", "?", Some(("?", "B/s"))),
            ("  0%|          | 0/9 [00:00<?, ?it/s]", "0", "9", "?", Some(("?", "it/s"))),
            ("5%|█| 1/20 [00:02<00:38,  2.01s/it, loss=3]", "1", "20", "00:38", Some(("2.01", "s/it"))),
            ("5%|█| 1/20 [00:02<00:38]", "1", "20", "00:38", None),
            ("1%|a| 1/9 [1<2, 1it/s]2%|b| 2/9 [2<1, 3 x/s]", "2", "9", "1", Some(("3", "x/s"))),
        ] {
            let bar = last(text).unwrap();
            assert_eq!(
                (bar.step, bar.steps, bar.remaining, bar.rate),
                (step, steps, remaining, rate),
                "{text}"
            );
            assert_eq!(last(text), by_pattern(text), "{text}");
        }
        for text in ["", "%|", "5%||", "5%|#| 1/ [0<1]", "x%|#| 1/2 [0<1]", "5%|#| 1/2 [<1]", "5%|#| 1/2"] {
            assert_eq!((last(text), by_pattern(text)), (None, None), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_hand_and_the_pattern_agree(
            parts in [
                vec!["", "x", " 5", "12", "100", "1234"],
                vec!["%|", "%|", "%|##█ |", "%"],
                vec!["", " ##|", "|", "|  "],
                vec!["1", "1.2k", "120", "", "é", "..G"],
                vec!["/", "/", "/", " "],
                vec!["20", "3.4M", "x", "1000 "],
                vec!["[", "[", " [", "  [ ", ""],
                vec!["00:02", "1:02:03", "5", ""],
                vec!["<", "<", "<", ""],
                vec!["00:38", "?", "1 day, 2", "", "x"],
                vec!["", ", ", ",", ",  "],
                vec!["2.01", "?", "", "12"],
                vec!["it/s", " it/s", "s/it", "s/s", "s/é", "é/sx", "/s", "MB/s", "x/y", ""],
                vec!["]", ", loss=3]", "", "]|/s"],
            ].map(prop::sample::select),
        ) {
            let text = parts.concat();
            // Of bars inside one another the pattern takes the outer one.
            prop_assume!(text.matches("%|").count() < 2);
            prop_assert_eq!(last(&text), by_pattern(&text));
        }
    }
}
