//! Whether a program lived on after an error: it was dealt with, then.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::label;
use super::lines::Stripped;
use super::normal::normal;
use super::progress;

/// How much is read behind an error, and at the end of its attempt, in bytes.
pub(super) const BEHIND: u64 = 48 << 10;
/// Less than this behind an error is its own last words.
pub(super) const LEAST: u64 = 160;
/// A line that came back so often, with a number that rose each time, is a loop
/// that goes on.
const ROUNDS: u32 = 4;
/// And one that names nothing of training, but several numbers.
const MORE_ROUNDS: u32 = 8;
const SEVERAL: usize = 3;
/// Steps that are made after an error by who noticed it late are fewer.
const STEPS: u32 = 8;
/// Kinds of lines that are remembered.
const MOST_KINDS: usize = 256;
/// Numbers of a line that are compared.
const MOST_NUMBERS: usize = 12;
/// How much of a line is looked at, in bytes.
const LONGEST: usize = 300;

/// A kind of line, and how its numbers go on.
#[derive(Default)]
struct Kind {
    numbers: Vec<f64>,
    /// How often each of them rose in succession.
    rises: Vec<u32>,
}

/// True if what stands behind an error shows a program at work.
pub(super) fn shows(text: &[u8]) -> bool {
    let mut stripped = Stripped::default();
    let text = if stripped.strip(text) { stripped.bytes() } else { text };
    let mut kinds: HashMap<String, Kind> = HashMap::new();
    let mut steps = Steps::default();
    text.split(|byte| matches!(byte, b'\n' | b'\r')).any(|line| {
        let line = &line[..line.len().min(LONGEST)];
        // Neither a step nor a round is told without a number.
        if !line.iter().any(u8::is_ascii_digit) {
            return false;
        }
        // XGBoost and LightGBM number their rounds as launchers number ranks.
        let line = if line.starts_with(b"[") && ROUND.is_match(line) { line } else { label::message(line) };
        if let Some(place) = progress::sample(line, 0).and_then(|sample| sample.place()) {
            steps.take(place);
            return steps.made >= STEPS;
        }
        if TROUBLE.is_match(line) || TABLE.is_match(line) || kinds.len() >= MOST_KINDS {
            return false;
        }
        let text = String::from_utf8_lossy(line);
        let numbers = numbers(&text);
        let rounds = match WORK.is_match(line) {
            true => ROUNDS,
            false if numbers.len() >= SEVERAL => MORE_ROUNDS,
            false => return false,
        };
        kinds.entry(normal(&text)).or_default().take(numbers) >= rounds
    })
}

static ROUND: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?-u)^\[\d+\]\t").expect("a constant"));

/// What a loop of a program names when it says how it goes.
static WORK: LazyLock<Regex> = LazyLock::new(|| {
    let words = [
        "epoch",
        r"\bep\b",
        r"step",
        r"\biter",
        "loss",
        r"acc(?:uracy)?\b",
        r"error\W{0,2}\d",
        r"\berr\b",
        "episod",
        "reward",
        "return",
        "round",
        "trial",
        "batch",
        "score",
        "eval",
        "metric",
        r"it/s",
        "lr[=:]",
    ];
    Regex::new(&format!(r"(?i-u)(?:{})[^\d]{{0,80}}\d|\d[^\d]{{0,4}}it/s", words.join("|")))
        .expect("a constant")
});

/// What is part of the trouble itself: stacks, other ranks' complaints, Slurm's words.
static TROUBLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(concat!(
        r"(?-u)Error\b|Exception|[Tt]raceback|0x[0-9a-f]{4}|^\s*(?:#\d|at |frame #|File |\[ ?\d+\] /)",
        r"|(?i:\babort|\bkill(?:ed|ing)?(?:[ .]|$)|\bfatal|\btimed? ?out|\bsignal|\bexit(?:ed|code| code)|\bfailed?\b|\bterminat|\bwaiting\b|\bhang)",
        r"|^(?:slurmstepd|srun|sbatch)|^[d-][r-][w-]",
    ))
    .expect("a constant")
});

/// Tables that tools print of a machine or of jobs (`nvidia-smi`, `sacct`, `df`), and lists of files.
static TABLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?-u)^\s*[|+]|^\d+(?:_\d+)?(?:\.\w+)?\s|^/|^\S+%?\s+\d+%|(?:COMPLETED|FAILED|RUNNING|PENDING|CANCELLED)\b")
        .expect("a constant")
});

impl Kind {
    /// How often it came back with a number that rose each time.
    fn take(&mut self, numbers: Vec<f64>) -> u32 {
        if self.numbers.len() != numbers.len() {
            self.rises = vec![0; numbers.len()];
        } else {
            for ((rise, old), new) in self.rises.iter_mut().zip(&self.numbers).zip(&numbers) {
                *rise = if new > old { *rise + 1 } else { 0 };
            }
        }
        self.numbers = numbers;
        self.rises.iter().max().map_or(0, |rise| rise + 1)
    }
}

/// The numbers of a line, from the left.
fn numbers(line: &str) -> Vec<f64> {
    let digits = line.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
    digits.filter_map(|digits| digits.trim_matches('.').parse().ok()).take(MOST_NUMBERS).collect()
}

/// Steps that are made, by a run or by several one after the other.
#[derive(Default)]
struct Steps {
    made: u32,
    highest: Option<f64>,
}

impl Steps {
    fn take(&mut self, place: f64) {
        match self.highest {
            Some(highest) if place > highest => self.made += 1,
            // Not the bar of another rank, which lags by little, but one that begins again.
            Some(highest) if place * 2.0 < highest => {}
            Some(_) => return,
            None => {}
        }
        self.highest = Some(place);
    }
}

#[cfg(test)]
mod tests {
    use super::shows;

    #[test]
    fn a_loop_that_goes_on_is_life() {
        for line in [
            "[{}]\tvalidation-error:0.18211\tvalidation-logloss:0.65110",
            "epoch {} train_err 35.36% val_err 36.77%",
            "global_step={}, episodic_return=[4.], killed=1",
            "[{}:00] INFO trial done, score 0.81",
        ] {
            let text: String = (10..15).map(|n| line.replace("{}", &n.to_string()) + "\n").collect();
            assert!(shows(text.as_bytes()), "{text}");
            assert!(!shows(line.repeat(9).as_bytes()), "the same line again: {line}");
        }
        let trials: String =
            (0..4).flat_map(|_| (0..4).map(|step| format!("step {}/400 loss 0.5\r", step * 100))).collect();
        assert!(shows(trials.as_bytes()));
    }

    #[test]
    fn last_words_are_none() {
        let frames: String = (0..30)
            .map(|n| format!("frame #{n}: c10::step::run_batch(int) + 0x{n:06x} in libc10.so\n"))
            .collect();
        let ranks: String =
            (0..8).map(|n| format!("srun: error: n{n}: task {n}: Exited with exit code 1\n")).collect();
        let files: String =
            (0..8).map(|n| format!("-rw-r--r-- 1 ann lab 4096 Nov 21 step_{n}00.pt\n")).collect();
        let late: String = (0..6).map(|n| format!("step {n}/400 loss 0.5\n")).collect();
        for text in [frames, ranks, files, late, String::new()] {
            assert!(!shows(text.as_bytes()), "{text}");
        }
    }
}
