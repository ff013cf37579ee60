//! One line of a training's output, in the forms that are common.

use std::sync::LazyLock;

use memchr::memchr;
use regex::Regex;
use serde_json::Value;

use super::{Sample, bar, words};
use crate::terms::Seconds;

/// A constant pattern, compiled when it is first used.
macro_rules! regex {
    ($pattern:expr $(,)?) => {
        LazyLock::new(|| Regex::new($pattern).expect("a constant"))
    };
}

/// A longer line is no line of progress.
const LONGEST: usize = 4096;

/// What may stand before the word loss in its name (`validation_running_loss`) is shorter, in bytes.
const BEFORE_LOSS: usize = 40;

/// What a line says of the progress; `None` for most lines.
pub(in crate::joblog) fn sample(line: &[u8], offset: u64) -> Option<Sample> {
    // Nothing of this is said without a number, a bar, a brace or a word for it.
    if line.len() > LONGEST || line.len() < 6 || !line.iter().any(u8::is_ascii_digit) || !may_tell(line) {
        return None;
    }
    let text = String::from_utf8_lossy(line);
    let text = text.trim();
    // What a format cannot be without is seen sooner than that it is not there.
    let has = |sign: u8| memchr(sign, text.as_bytes()).is_some();
    let is_drawn = !text.is_ascii();
    let braced = || has(b'{').then(|| json(text).or_else(|| dict(text))).flatten();
    let sample = braced()
        .or_else(|| (is_drawn || has(b'%')).then(|| bar(text)).flatten())
        .or_else(|| (is_drawn || has(b'[') || text.starts_with("Epoch ")).then(|| keras(text)).flatten())
        .or_else(|| plain(text));
    sample.map(|sample| Sample { offset, ..sample })
}

/// False if no format can find anything in a line: most lines of most logs.
fn may_tell(line: &[u8]) -> bool {
    let tells = |first: u8, second: u8| {
        let (low, low_second) = (first | 0x20, second | 0x20);
        // A bar or a dictionary; the first byte of the signs that bars are drawn with.
        (first == b'%') & (second == b'|')
            | (first == b'{') & ((second == b'"') | (second == b'\''))
            | (first == b'[') & ((second == b'=') | (second == b'>'))
            | (first == 0xe2)
            // Epochs and steps, iterations, updates.
            | (low == b'e') & (low_second == b'p')
            | (low == b'i') & (low_second == b't')
            | (low == b'u') & (low_second == b'p')
    };
    // Without branches, so that many pairs are compared at a time.
    let pairs =
        |part: &[u8]| part.iter().zip(&part[1..]).fold(false, |any, (one, two)| any | tells(*one, *two));
    let mut from = 0;
    while from + 1 < line.len() {
        let to = line.len().min(from + 65);
        if pairs(&line[from..to]) {
            return true;
        }
        from = to - 1;
    }
    false
}

/// HF Trainer: `{'loss': 2.3, 'grad_norm': 1.1, 'learning_rate': 5e-05, 'epoch': 0.01}`.
fn dict(text: &str) -> Option<Sample> {
    let at = text.find("{'")?;
    let mut sample = Sample::of("hf-trainer");
    for (name, value) in words::pairs(&text[at..]) {
        let value = number(value);
        match name {
            "loss" => sample.set_loss(value),
            "epoch" => sample.epoch = finite(value),
            "step" | "global_step" => sample.step = whole(value),
            _ => {}
        }
    }
    // Evaluations and the summary at the end have an epoch, too.
    (sample.loss.is_some() || sample.is_nan || sample.epoch.is_some() && text.contains("'eval_"))
        .then_some(sample)
}

/// A JSON object on a line of its own, maybe after a log record's head.
fn json(text: &str) -> Option<Sample> {
    let at = text.find("{\"")?;
    let Value::Object(map) = serde_json::from_str(text[at..].trim_end()).ok()? else { return None };
    let mut sample = Sample::of("json");
    for (name, value) in &map {
        let Some(value) = value.as_f64().or_else(|| value.as_str().and_then(number)) else { continue };
        let value = Some(value);
        let name = name.rsplit(['/', '.']).next().unwrap_or(name).to_ascii_lowercase();
        match name.as_str() {
            "step" | "global_step" | "iter" | "iteration" | "num_updates" | "update" | "_step" => {
                sample.step = whole(value);
            }
            "max_steps" | "total_steps" | "num_steps" | "total_iters" | "max_iters" => {
                sample.steps = whole(value)
            }
            "epoch" => sample.epoch = finite(value),
            "epochs" | "max_epochs" | "num_epochs" | "total_epochs" | "num_train_epochs" => {
                sample.epochs = finite(value);
            }
            "loss" | "train_loss" | "training_loss" | "total_loss" => sample.set_loss(value),
            "steps_per_second" | "it_per_sec" | "steps_per_sec" => sample.rate = finite(value),
            _ => {}
        }
    }
    let has_place = sample.step.is_some() || sample.epoch.is_some();
    has_place.then_some(sample)
}

/// tqdm and Lightning: `Epoch 3:  45%|####    | 45/100 [00:10<00:12, 4.2it/s, loss=0.3]`,
/// and Lightning with rich: `Epoch 3/9 ━━━ 45/100 0:00:10 • 0:00:12 4.20it/s`.
fn bar(text: &str) -> Option<Sample> {
    static RICH: LazyLock<Regex> =
        regex!(r"Epoch (\d+)/(\d+) .{0,400}?(\d+)/(\d+) +[\d:]+ +• +([\d:]+|-[-:]+)(?: +([\d.]+)it/s)?");
    static OTHER: LazyLock<Regex> = regex!(
        r"(?i)shard|download|fetch|saniti?ty|valid|test|predict|eval|token|map|filter|generating|loading|extract|sampl|infer|import|process",
    );
    static EPOCH: LazyLock<Regex> = regex!(r"(?i)\bepoch[ :=\[]*(\d+)(?:/(\d+))?");
    if let Some(found) = bar::last(text) {
        let head = &text[..found.from];
        // What a bar is about stands before it, after any bar that was glued to it.
        let about = head.rsplit([']', '|']).next().unwrap_or(head);
        if OTHER.is_match(about) {
            return None;
        }
        let mut sample = Sample::of("tqdm");
        sample.step = count(found.step);
        sample.steps = count(found.steps);
        sample.remaining = clock(found.remaining);
        let per_second = |unit: &str, value: f64| if unit.starts_with("s/") { 1.0 / value } else { value };
        if let Some((value, unit)) = found.rate {
            sample.rate = number(value).map(|value| per_second(unit, value));
            sample.rate = finite(sample.rate).filter(|rate| *rate > 0.0);
        }
        if let Some(epoch) = EPOCH.captures(about) {
            sample.format = "lightning";
            sample.within_epoch = true;
            sample.epoch = number(&epoch[1]);
            sample.epochs = epoch.get(2).and_then(|text| number(text.as_str()));
        }
        sample.loss_of(&text[found.to..]);
        return Some(sample);
    }
    let found = text.contains('•').then(|| RICH.captures(text)).flatten()?;
    let mut sample = Sample::of("lightning");
    sample.within_epoch = true;
    sample.epoch = number(&found[1]);
    sample.epochs = number(&found[2]).map(|last| last + 1.0);
    sample.step = count(&found[3]);
    sample.steps = count(&found[4]);
    sample.remaining = clock(&found[5]);
    sample.rate = found.get(6).and_then(|text| number(text.as_str()));
    sample.loss_of(&text[found.get(0)?.end()..]);
    Some(sample)
}

/// Keras: `Epoch 3/10`, then ` 45/100 [=====>....] - ETA: 12s - loss: 0.3`.
fn keras(text: &str) -> Option<Sample> {
    static EPOCH: LazyLock<Regex> = regex!(r"^Epoch (\d+)/(\d+)$");
    static BAR: LazyLock<Regex> =
        regex!(r"(?:^|\s)(\d+)/(\d+) (?:\[[=>.]+\]|[━\s]{4,})(?:.*?(?:ETA:|-) *([\d:]+)s?\b)?");
    if let Some(found) = text.starts_with("Epoch ").then(|| EPOCH.captures(text)).flatten() {
        let mut sample = Sample::of("keras");
        sample.epoch = number(&found[1]);
        sample.epochs = number(&found[2]);
        return Some(sample);
    }
    let looks_so = text.contains(" [=") || text.contains(" [>") || text.contains('━');
    let found = looks_so.then(|| BAR.captures(text)).flatten()?;
    let mut sample = Sample::of("keras");
    sample.within_epoch = true;
    sample.step = count(&found[1]);
    sample.steps = count(&found[2]);
    sample.remaining = text.contains("ETA").then(|| clock(found.get(3)?.as_str())).flatten();
    sample.loss_of(text);
    Some(sample)
}

/// `epoch=3 step=120/1000 loss=0.3`, `iter 100: loss 2.3, time 12ms`, `Epoch: [3][10/500]  Loss 6.9`,
/// `iteration  10/ 500 | lm loss: 1.0E+01 |`, `step 1000: train loss 2.1, val loss 2.2`.
fn plain(text: &str) -> Option<Sample> {
    static ETA: LazyLock<Regex> = regex!(r"(?i)\beta[ :=]+((?:\d+ days?, *)?\d[\d:]*)");
    let (step, epoch) = (words::step(text), words::epoch(text));
    if step.is_none() && epoch.is_none() {
        return None;
    }
    let mut sample = Sample::of("plain");
    if let Some(found) = step {
        sample.step = count(found.step);
        sample.steps = found.steps.and_then(count);
    }
    if let Some(found) = epoch {
        sample.epoch = number(found.epoch);
        sample.epochs = found.epochs.and_then(number);
        if let (None, Some(step)) = (sample.step, found.step) {
            sample.step = count(step.step);
            sample.steps = step.steps.and_then(count);
            sample.within_epoch = true;
        }
    }
    sample.loss_of(text);
    // A step or an epoch alone is said in many lines that are no progress.
    let has_place = sample.step.is_some() || sample.epoch.is_some();
    let says_more = sample.loss.is_some()
        || sample.is_nan
        || sample.step.is_some() && (sample.epoch.is_some() || sample.steps.is_some());
    if !(has_place && says_more) {
        return None;
    }
    let tells_time = text.as_bytes().windows(3).any(|part| part.eq_ignore_ascii_case(b"eta"));
    sample.remaining = tells_time.then(|| ETA.captures(text)).flatten().and_then(|found| clock(&found[1]));
    Some(sample)
}

impl Sample {
    fn of(format: &'static str) -> Sample {
        Sample { format, ..Sample::default() }
    }

    fn set_loss(&mut self, loss: Option<f64>) {
        match loss {
            Some(loss) if loss.is_finite() => self.loss = Some(loss),
            Some(_) => self.is_nan = true,
            None => {}
        }
    }

    /// The first training loss of `name=value` pairs.
    fn loss_of(&mut self, text: &str) {
        static LOSS: LazyLock<Regex> = regex!(
            r"(?i)(val(?:idation)?|eval|test|best|aux)?[_ /.-]?(?:train(?:ing)?|total|lm|avg|mean|running)?[_ /.-]?loss(?:_step|_epoch)?['\x22]?[ :=]+\(?(-?\d[\d.]*(?:e[-+]?\d+)?|-?nan|-?inf(?:inity)?)\b",
        );
        match words::loss(text) {
            words::Loss::None => return,
            words::Loss::Number(found) => return self.set_loss(number(found)),
            words::Loss::Odd => {}
        }
        let Some(at) = text.as_bytes().windows(4).position(|part| part.eq_ignore_ascii_case(b"loss")) else {
            return;
        };
        // No match begins earlier than this before the word.
        let text = (at.saturating_sub(BEFORE_LOSS)..=at).find_map(|from| text.get(from..)).unwrap_or(text);
        let found = LOSS.captures_iter(text).find(|found| found.get(1).is_none());
        self.set_loss(found.and_then(|found| number(&found[2])));
    }
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim_end_matches(['.', ',']);
    match text.to_ascii_lowercase().trim_start_matches('-') {
        "nan" => Some(f64::NAN),
        "inf" | "infinity" => Some(f64::INFINITY),
        _ => text.parse().ok(),
    }
}

fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite() && value.abs() < 1e15)
}

fn whole(value: Option<f64>) -> Option<u64> {
    // Beyond 2^53 a float counts no steps.
    value.filter(|value| (0.0..9e15).contains(value)).map(|value| value as u64)
}

/// A count as tqdm writes it: `45`, `1.2k`, `3.4M`.
fn count(text: &str) -> Option<u64> {
    let (digits, times) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1e3),
        b'M' => (&text[..text.len() - 1], 1e6),
        b'G' => (&text[..text.len() - 1], 1e9),
        _ => (text, 1.0),
    };
    whole(digits.parse::<f64>().ok().map(|value| value * times))
}

/// `12`, `01:19`, `1:02:03`, `2 days, 1:02:03`, in seconds.
fn clock(text: &str) -> Option<Seconds> {
    let (days, rest) = match text.split_once("day") {
        Some((days, rest)) => (days.trim().parse::<u64>().ok()?, rest.trim_start_matches(['s', ',', ' '])),
        None => (0, text),
    };
    let mut seconds = 0u64;
    for part in rest.split(':') {
        seconds = seconds.checked_mul(60)?.checked_add(part.trim().parse().ok()?)?;
    }
    days.checked_mul(86_400)?.checked_add(seconds).map(Seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Sample {
        sample(line.as_bytes(), 7).unwrap_or_else(|| panic!("no progress in {line}"))
    }

    #[test]
    fn the_common_formats_are_read() {
        for (line, format, epoch, step, steps, loss) in [
            (
                "{'loss': 2.31, 'grad_norm': 1.1, 'learning_rate': 5e-05, 'epoch': 0.25}",
                "hf-trainer",
                Some(0.25),
                None,
                None,
                Some(2.31),
            ),
            ("{'loss': '1.5e-1', 'epoch': '3'}", "hf-trainer", Some(3.0), None, None, Some(0.15)),
            (" 12%|█▏        | 120/1000 [01:19<09:40,  1.52it/s]", "tqdm", None, Some(120), Some(1000), None),
            (
                "Epoch 3:  45%|████▌     | 45/100 [00:10<00:12, 4.20it/s, v_num=1, train_loss=0.321]",
                "lightning",
                Some(3.0),
                Some(45),
                Some(100),
                Some(0.321),
            ),
            (
                "Epoch 3/9 ━━━━━━━╸━━━━ 45/100 0:00:10 • 0:00:12 4.20it/s v_num: 1 train_loss: 0.5",
                "lightning",
                Some(3.0),
                Some(45),
                Some(100),
                Some(0.5),
            ),
            (
                "2026-11-21 10:00:00 [INFO] epoch=3 step=120/1000 loss=0.30 lr=1e-4",
                "plain",
                Some(3.0),
                Some(120),
                Some(1000),
                Some(0.3),
            ),
            ("iter 100: loss 2.3456, time 123.45ms, mfu 12.3%", "plain", None, Some(100), None, Some(2.3456)),
            ("step 1000: train loss 2.1, val loss 2.2", "plain", None, Some(1000), None, Some(2.1)),
            (
                "Epoch: [3][ 10/5005]	Time 0.3 (0.4)	Loss 6.90e+00 (6.95e+00)",
                "plain",
                Some(3.0),
                Some(10),
                Some(5005),
                Some(6.9),
            ),
            (
                " iteration       10/  500000 | consumed samples:  5120 | lm loss: 1.03E+01 | loss scale: 1.0 |",
                "plain",
                None,
                Some(10),
                Some(500_000),
                Some(10.3),
            ),
            (
                "Epoch [1][50/7330]	lr: 1.9e-03, eta: 1 day, 4:12:10, loss: 1.1",
                "plain",
                Some(1.0),
                Some(50),
                Some(7330),
                Some(1.1),
            ),
            (
                "Train: 0 [  50/1251 (  4%)]  Loss: 6.95 (6.95)  Time: 0.4s epoch 0",
                "plain",
                Some(0.0),
                None,
                None,
                Some(6.95),
            ),
            (
                r#"{"step": 120, "epoch": 1.5, "train/loss": 0.4}"#,
                "json",
                Some(1.5),
                Some(120),
                None,
                Some(0.4),
            ),
            (
                r#"2026 | INFO | train | {"epoch": 1, "loss": "5.3", "num_updates": "100"}"#,
                "json",
                Some(1.0),
                Some(100),
                None,
                Some(5.3),
            ),
            (
                " 45/100 [==========>...........] - ETA: 12s - loss: 0.3000 - accuracy: 0.9",
                "keras",
                None,
                Some(45),
                Some(100),
                Some(0.3),
            ),
            ("Epoch 3/10", "keras", Some(3.0), None, None, None),
        ] {
            let sample = read(line);
            assert_eq!(
                (sample.format, sample.epoch, sample.step, sample.steps),
                (format, epoch, step, steps),
                "{line}"
            );
            assert_eq!(sample.loss, loss, "{line}");
        }
        assert_eq!(read(" 12%|█▏ | 120/1000 [01:19<09:40,  1.52it/s]").remaining, Some(Seconds(580)));
        assert_eq!(read(" 12%|█▏ | 120/1000 [01:19<09:40,  2.00s/it]").rate, Some(0.5));
        assert_eq!(
            read("Epoch [1][50/7330]	eta: 1 day, 4:12:10, loss: 1.1").remaining,
            Some(Seconds(101_530))
        );
        assert!(read("step 7 loss nan").is_nan && read("{'loss': nan, 'epoch': 1.0}").is_nan);
    }

    #[test]
    fn what_is_no_training_is_no_progress() {
        for line in [
            "Loading checkpoint shards:  50%|█████     | 1/2 [00:01<00:01,  1.0s/it]",
            "Downloading data: 100%|██████████| 12.0M/12.0M [00:01<00:00, 12MB/s]",
            "Validation: 12%|█▏ | 120/1000 [01:19<09:40,  1.52it/s]",
            "wandb: Run data is saved locally in /x/run-20261121_101010-abc",
            "2026-11-21 10:00:00 INFO listening on port 8080",
            "step size is 3",
            r#"{"port": 12}"#,
            "{'a': 1}",
            "",
        ] {
            assert_eq!(sample(line.as_bytes(), 0), None, "{line}");
        }
    }
}
