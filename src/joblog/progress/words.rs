//! Numbers behind the words of a training: `step 120/1000`, `Epoch [3][10/500]`,
//! `train_loss=0.3`, `'loss': 2.3`.
//!
//! Read by hand, as the bars are: these are tried on most lines of most logs, and
//! patterns with groups take ten times as long. The tests hold them to the
//! patterns.

use std::ops::Range;

use memchr::{memchr2_iter, memmem};

/// Most digits of a step, and of an epoch.
const STEP_DIGITS: usize = 15;
const EPOCH_DIGITS: usize = 9;

/// A step, and of how many; as they are written.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Step<'t> {
    pub step: &'t str,
    pub steps: Option<&'t str>,
}

/// An epoch, of how many, and the step within it.
#[derive(Debug, PartialEq)]
pub(super) struct Epoch<'t> {
    pub epoch: &'t str,
    pub epochs: Option<&'t str>,
    pub step: Option<Step<'t>>,
}

/// What stands behind a word that names a loss.
#[derive(Debug, PartialEq)]
pub(super) enum Loss<'t> {
    /// Nothing that could be one.
    None,
    /// A number.
    Number(&'t str),
    /// `nan`, or a number with something behind it: for the pattern.
    Odd,
}

/// `step 120`, `iter=3/10`, `updates: [ 5 of 9`.
pub(super) fn step(text: &str) -> Option<Step<'_>> {
    let words: &[&[u8]] = &[
        b"step",
        b"steps",
        b"iter",
        b"iters",
        b"iteration",
        b"iterations",
        b"update",
        b"updates",
        b"it",
        b"globalstep",
        b"trainstep",
    ];
    let bytes = text.as_bytes();
    behind(bytes, words).find_map(|at| {
        let step = digits(bytes, at).filter(|step| step.len() <= STEP_DIGITS)?;
        let steps = of(bytes, step.end).and_then(|from| digits(bytes, from));
        let steps = steps.filter(|steps| steps.len() <= STEP_DIGITS && ends(bytes, steps.end));
        let is_whole = steps.is_some() || ends(bytes, step.end);
        is_whole.then(|| Step { step: &text[step], steps: steps.map(|steps| &text[steps]) })
    })
}

/// `epoch 3`, `Epoch: [3][10/500]`, `ep=2.5/10`.
pub(super) fn epoch(text: &str) -> Option<Epoch<'_>> {
    let bytes = text.as_bytes();
    let at = behind(bytes, &[b"epoch", b"epochs", b"ep"]).next()?;
    let cut = |found: Range<usize>| found.start..found.end.min(found.start + EPOCH_DIGITS);
    let mut epoch = cut(digits(bytes, at)?);
    if bytes.get(epoch.end) == Some(&b'.')
        && let Some(fraction) = digits(bytes, epoch.end + 1)
    {
        epoch.end = fraction.end;
    }
    let epochs = of(bytes, epoch.end).and_then(|from| digits(bytes, from)).map(cut);
    let end = epochs.as_ref().unwrap_or(&epoch).end;
    let end = end + usize::from(bytes.get(end) == Some(&b']'));
    Some(Epoch {
        epoch: &text[epoch],
        epochs: epochs.map(|epochs| &text[epochs]),
        step: step_within(text, end),
    })
}

/// ` [ 10 / 500`
fn step_within(text: &str, at: usize) -> Option<Step<'_>> {
    let bytes = text.as_bytes();
    let sign = |at: usize, sign: u8| (bytes.get(at) == Some(&sign)).then(|| blanks(bytes, at + 1));
    let step = digits(bytes, sign(blanks(bytes, at), b'[')?)?;
    let steps = digits(bytes, sign(blanks(bytes, step.end), b'/')?)?;
    let steps = steps.start..steps.end.min(steps.start + STEP_DIGITS);
    (step.len() <= STEP_DIGITS).then(|| Step { step: &text[step], steps: Some(&text[steps]) })
}

/// The first training loss: `loss 2.3`, `train_loss=0.3`, `lm loss: 1.0E+01`.
pub(super) fn loss(text: &str) -> Loss<'_> {
    let bytes = text.as_bytes();
    for at in memchr2_iter(b'l', b'L', bytes) {
        let is_it = bytes.get(at..at + 4).is_some_and(|word| word.eq_ignore_ascii_case(b"loss"));
        if !is_it {
            continue;
        }
        match value(text, at + 4) {
            Loss::None => {}
            Loss::Number(_) if is_of_another(&bytes[..at]) => {}
            found => return found,
        }
    }
    Loss::None
}

/// What stands behind the word loss.
fn value(text: &str, at: usize) -> Loss<'_> {
    let bytes = text.as_bytes();
    let rest = &bytes[at..];
    let has = |word: &[u8]| rest.get(..word.len()).is_some_and(|part| part.eq_ignore_ascii_case(word));
    let mut at = at
        + if has(b"_step") {
            5
        } else if has(b"_epoch") {
            6
        } else {
            0
        };
    at += usize::from(matches!(bytes.get(at), Some(b'\'' | b'"')));
    let signs = bytes[at..].iter().take_while(|byte| matches!(byte, b' ' | b':' | b'=')).count();
    if signs == 0 {
        return Loss::None;
    }
    at += signs;
    at += usize::from(bytes.get(at) == Some(&b'('));
    let from = at;
    at += usize::from(bytes.get(at) == Some(&b'-'));
    match bytes.get(at) {
        Some(byte) if byte.is_ascii_digit() => {}
        Some(b'n' | b'N' | b'i' | b'I' | 0x80..) => return Loss::Odd,
        _ => return Loss::None,
    }
    at += bytes[at..].iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    if matches!(bytes.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(at + 1), Some(b'-' | b'+')));
        at = digits(bytes, at + 1 + sign).map_or(at, |exponent| exponent.end);
    }
    // It ends where a word would; all else is rare.
    let goes_on =
        bytes.get(at).is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii());
    if goes_on || bytes[at - 1] == b'.' { Loss::Odd } else { Loss::Number(&text[from..at]) }
}

/// True if a loss is none of the training: `val_`, `eval/train_`, `best running `.
fn is_of_another(before: &[u8]) -> bool {
    let others: [&[u8]; 6] = [b"val", b"validation", b"eval", b"test", b"best", b"aux"];
    let own: [&[u8]; 7] = [b"train", b"training", b"total", b"lm", b"avg", b"mean", b"running"];
    let unjoined = |text: &[u8]| {
        let sign = matches!(text.last(), Some(b'_' | b' ' | b'/' | b'.' | b'-'));
        text.len() - usize::from(sign)
    };
    let is_other = |text: &[u8]| others.iter().any(|word| ends_with(text, word));
    let near = &before[..unjoined(before)];
    // Two signs, and no word of its own between them: `val  loss`.
    if is_other(&near[..unjoined(near)]) {
        return true;
    }
    [before, near].into_iter().any(|near| {
        is_other(near)
            || own.iter().filter(|word| ends_with(near, word)).any(|word| {
                let head = &near[..near.len() - word.len()];
                is_other(head) || is_other(&head[..unjoined(head)])
            })
    })
}

/// The pairs of a Python dictionary whose value is a number: `'loss': 2.3`, `'loss': 'nan'`.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let bytes = text.as_bytes();
    let mut from = 0;
    memmem::find_iter(bytes, b"': ").filter_map(move |at| {
        // Letters of any script: who names a metric writes as he speaks.
        let is_word = |letter: &char| letter.is_alphanumeric() || *letter == '_';
        let length: usize = text[..at].chars().rev().take_while(is_word).map(char::len_utf8).sum();
        let name = at - length;
        if length == 0 || name <= from || bytes[name - 1] != b'\'' {
            return None;
        }
        let start = at + 3 + usize::from(bytes.get(at + 3) == Some(&b'\''));
        let end = written(bytes, start)?;
        from = end + usize::from(bytes.get(end) == Some(&b'\''));
        Some((&text[name..at], &text[start..end]))
    })
}

/// Where a number as Python writes it ends.
fn written(bytes: &[u8], start: usize) -> Option<usize> {
    let rest = bytes.get(start..)?;
    let minus = usize::from(rest.first() == Some(&b'-'));
    let unsigned = &rest[minus..];
    let length = unsigned.iter().take_while(|byte| byte.is_ascii_digit() || **byte == b'.').count();
    if length == 0 {
        let is_word = unsigned.starts_with(b"inf") || minus == 0 && unsigned.starts_with(b"nan");
        return is_word.then_some(start + minus + 3);
    }
    let end = start + minus + length;
    if !matches!(bytes.get(end), Some(b'e' | b'E')) {
        return Some(end);
    }
    let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
    Some(digits(bytes, end + 1 + sign).map_or(end, |exponent| exponent.end))
}

/// Where the numbers begin that stand behind one of the words.
fn behind<'t>(text: &'t [u8], words: &'t [&[u8]]) -> impl Iterator<Item = usize> + 't {
    let begins = |at: &usize| {
        text[*at].is_ascii_digit() && *at > 0 && matches!(text[*at - 1], b' ' | b'[' | b'=' | b':')
    };
    (0..text.len()).filter(begins).filter(|at| {
        let before = unsigned(text, *at);
        let letters = before.iter().rev().take_while(|byte| byte.is_ascii_alphabetic()).count();
        let word = &before[before.len() - letters..];
        words.iter().any(|known| known.eq_ignore_ascii_case(word))
    })
}

/// What stands before the signs between a word and its number: `=`, `: [`, `  [`.
fn unsigned(text: &[u8], at: usize) -> &[u8] {
    let signs = text[..at].iter().rev().take_while(|byte| matches!(byte, b' ' | b'[')).count();
    let text = &text[..at - signs];
    match text {
        [before @ .., b'='] | [before @ .., b' ', b':'] | [before @ .., b':'] => before,
        _ => text,
    }
}

/// Behind ` / ` or ` of `.
fn of(text: &[u8], at: usize) -> Option<usize> {
    let at = at + usize::from(text.get(at) == Some(&b' '));
    let rest = text.get(at..)?;
    let length = match rest.first()? {
        b'/' => 1,
        b'o' | b'O' if matches!(rest.get(1), Some(b'f' | b'F')) => 2,
        _ => return None,
    };
    Some(blanks(text, at + length))
}

/// True if a count ends there, which is no part of a decimal number or of a share.
fn ends(text: &[u8], at: usize) -> bool {
    match text.get(at) {
        Some(b'.') => matches!(text.get(at + 1), None | Some(b' ')),
        Some(byte) => !byte.is_ascii_digit() && *byte != b'%',
        None => true,
    }
}

/// The digits that begin there, at least one.
fn digits(text: &[u8], at: usize) -> Option<Range<usize>> {
    let length = text.get(at..)?.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (length > 0).then_some(at..at + length)
}

/// Behind the blanks that begin there.
fn blanks(text: &[u8], at: usize) -> usize {
    at + text.get(at..).unwrap_or_default().iter().take_while(|byte| **byte == b' ').count()
}

fn ends_with(text: &[u8], word: &[u8]) -> bool {
    text.len() >= word.len() && text[text.len() - word.len()..].eq_ignore_ascii_case(word)
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;
    use regex::{Captures, Regex};

    use super::*;

    macro_rules! regex {
        ($pattern:expr $(,)?) => {
            LazyLock::new(|| Regex::new($pattern).unwrap())
        };
    }

    static STEP: LazyLock<Regex> = regex!(
        r"(?i)(?:^|[^a-z])(?:global[_ ]?step|train[_ ]?step|steps?|iter(?:ation)?s?|updates?|num_updates|it)(?:=| ?: ?| +\[?|\[)[ \[]*(\d{1,15})(?: ?(?:/|of) *(\d{1,15}))?(?:[^\d.%]|\.?$|\. )",
    );
    static EPOCH: LazyLock<Regex> = regex!(
        r"(?i)(?:^|[^a-z])(?:epochs?|ep)(?:=| ?: ?| +|\[)[ \[]*(\d{1,9}(?:\.\d+)?)(?: ?(?:/|of) *(\d{1,9}))?\]?(?: *\[ *(\d{1,15}) */ *(\d{1,15}))?",
    );
    static LOSS: LazyLock<Regex> = regex!(
        r"(?i)(val(?:idation)?|eval|test|best|aux)?[_ /.-]?(?:train(?:ing)?|total|lm|avg|mean|running)?[_ /.-]?loss(?:_step|_epoch)?['\x22]?[ :=]+\(?(-?\d[\d.]*(?:e[-+]?\d+)?|-?nan|-?inf(?:inity)?)\b",
    );
    static PAIR: LazyLock<Regex> = regex!(r"'(\w+)': '?(-?[\d.]+(?:[eE][-+]?\d+)?|nan|-?inf)'?");

    fn group<'t>(found: &Captures<'t>, at: usize) -> Option<&'t str> {
        found.get(at).map(|group| group.as_str())
    }

    fn agree(text: &str) {
        let by_pattern = STEP.captures(text).map(|found| (group(&found, 1).unwrap(), group(&found, 2)));
        assert_eq!(step(text).map(|found| (found.step, found.steps)), by_pattern, "{text:?}");
        let by_pattern = EPOCH.captures(text).map(|found| {
            let [one, two, three, four] = [1, 2, 3, 4].map(|at| group(&found, at));
            let step = three.map(|step| Step { step, steps: four });
            Epoch { epoch: one.unwrap(), epochs: two, step }
        });
        assert_eq!(epoch(text), by_pattern, "{text:?}");
        let by_pattern =
            LOSS.captures_iter(text).find(|found| found.get(1).is_none()).and_then(|found| group(&found, 2));
        match loss(text) {
            Loss::None => assert_eq!(by_pattern, None, "{text:?}"),
            Loss::Number(number) => assert_eq!(by_pattern, Some(number), "{text:?}"),
            // The pattern itself is asked.
            Loss::Odd => {}
        }
        let by_pattern: Vec<_> = PAIR
            .captures_iter(text)
            .map(|found| (group(&found, 1).unwrap(), group(&found, 2).unwrap()))
            .collect();
        assert_eq!(pairs(text).collect::<Vec<_>>(), by_pattern, "{text:?}");
    }

    #[test]
    fn numbers_are_read_as_the_patterns_would() {
        for text in [
            "",
            "epoch 3 step 1500 loss 2.2 lr 3e-4",
            "Epoch: [3][ 10/5005]\tLoss 6.90e+00 (6.95e+00)",
            "ep [12] [ 5 / 7 ] iter: 5 of 9%",
            "step 10/100% global_step=7.",
            "step 1234567890123456 it[3]",
            "epoch 1234567890/3",
            "steps : [ [5. x",
            "interval_loss 3 evalloss=2 val/train_loss: 1 loss 0.5.",
            "val  loss 1",
            "test_ loss 1 train  loss 2",
            "loss_step': (-1.5e-3) loss=1e5x",
            "{'loss': 2.31, 'n': '-inf', 'm': nan, 'x': 'a', 'epoch': '0.25'}",
            "'a': '1''b': 2 'c': 3'd': 4",
            "'é': 1 'Schärfe_ß': 0.5, é': 3",
        ] {
            agree(text);
        }
        assert_eq!(loss("loss nan"), Loss::Odd);
        assert_eq!(loss("loss scale: 1.0 | lm loss: 1.0E+01"), Loss::Number("1.0E+01"));
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn the_hand_and_the_patterns_agree(
            parts in proptest::collection::vec(prop::sample::select(vec![
                "step", "Steps", "iter", "iterations", "update", "num_", "it", "global_", "train", "epoch", "Epochs", "ep",
                "loss", "Loss_step", "_epoch", "val", "eval", "validation", "test", "best", "running", "lm", "mean", "_", "/", ".",
                "-", " ", " ", " ", "  ", "=", "=", ":", ": ", " : ", "[", "]", " [", "(", ")", "'", "': ", "': '", "',", "x", "é", "\t",
                "1", "23", "456", "0.5", "7.", "1e-3", "2E+5", "e", "nan", "inf", "%", " of ", "/", "of", "1234567890", "123456789012345",
            ]), 0..14),
        ) {
            agree(&parts.concat());
        }
    }
}
