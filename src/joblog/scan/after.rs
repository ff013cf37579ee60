//! What follows the end of a job: its last words, or the next attempt.

use std::cell::OnceCell;
use std::sync::LazyLock;

use regex::bytes::Regex;

use super::block::Block;
use super::probe::last_samples;
use crate::joblog::normal::normal;
use crate::joblog::progress::{self, Sample};

/// Lines after the end of a job that are looked at one by one.
const LINES: u32 = 40;
/// So many of them that are nobody's last words are a new attempt.
const NEW_LIFE: u32 = 10;
/// Lines before the end of a job in which its progress is looked for.
const LINES_BEFORE: usize = 24;
/// After so many lines of something else progress is that of a new attempt,
/// although it goes on where the other one ended.
const BETWEEN: u32 = 3;
/// Other ranks tell a step or two late.
const LATE: f64 = 2.0;
/// A run that is told to end makes no more steps than this, or than a tenth of what it had.
const MORE_STEPS: f64 = 1000.0;
/// Lines at the head of the file that a next attempt may repeat.
const HEAD: usize = 5;

/// The watch that begins with the end of a job.
#[derive(Default)]
pub(super) struct After {
    head: Head,
    /// Lines left of it; 0 if there is none.
    left: u32,
    /// Lines with life.
    life: u32,
    /// True if Slurm may start the job again.
    comes_back: bool,
    /// True if srun has told how its tasks ended.
    is_told: bool,
    /// How far the job had come, by each form of progress.
    reached: Vec<Sample>,
}

/// The file's first lines, which only a log of several attempts is compared with.
#[derive(Default)]
struct Head {
    bytes: Vec<u8>,
    normal: OnceCell<Vec<String>>,
}

impl Head {
    /// The first lines with text, as normal text.
    fn lines(&self) -> &[String] {
        self.normal.get_or_init(|| {
            let lines = self.bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
            let texts = lines.map(|line| normal(&String::from_utf8_lossy(&line[..line.len().min(400)])));
            texts.filter(|text| !text.is_empty()).take(HEAD).collect()
        })
    }
}

/// A line after the end.
pub(super) struct Later<'l> {
    pub message: &'l [u8],
    pub has_label: bool,
    pub offset: u64,
    /// True if it is part of a traceback, or says something of its own.
    pub is_known: bool,
}

impl After {
    pub fn keep_head(&mut self, bytes: &[u8]) {
        self.head = Head { bytes: bytes[..bytes.len().min(4096)].to_vec(), normal: OnceCell::new() };
    }

    /// True for a banner with a time of day, if one with the same signs heads the
    /// file: the script writes it each time when it begins.
    pub fn is_headed_like(&self, line: &[u8]) -> bool {
        static DATED: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)^([=#*~>+-]{2,}) [^\n]{0,60}\b\d\d:\d\d:\d\d\b").expect("a constant")
        });
        let signs = |line| DATED.captures(line).and_then(|found| found.get(1)).map(|signs| signs.as_bytes());
        let first = self.head.bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        signs(line).is_some_and(|found| signs(first) == Some(found))
    }

    pub fn is_on(&self) -> bool {
        self.left > 0
    }

    /// The job was ended by the line at `at`. `comes_back` says whether Slurm may
    /// start the job again after such an end.
    pub fn begin(&mut self, block: &Block, at: usize, comes_back: bool) {
        if self.is_on() {
            return;
        }
        let head = std::mem::take(&mut self.head);
        let reached = last_samples(block, at, LINES_BEFORE, |_| false);
        *self = After { head, left: LINES, comes_back, reached, ..After::default() };
    }

    pub fn stop(&mut self) {
        (self.left, self.life) = (0, 0);
    }

    /// srun says how one of its tasks ended.
    pub fn task_ended(&mut self) {
        self.is_told = true;
    }

    /// True if what only begins raises can only be the next attempt's: nothing
    /// is imported and no setting is read for the first time by what is told to end.
    pub fn awaits_start(&self) -> bool {
        self.is_on() && self.comes_back
    }

    /// True if a line begins the next attempt.
    pub fn is_new_life(&mut self, line: &Later) -> bool {
        self.left -= 1;
        let message = line.message;
        if message.trim_ascii().is_empty() || line.is_known {
            return false;
        }
        if let Some(sample) = progress::sample(message, line.offset) {
            return self.life >= BETWEEN || !self.goes_on(&sample);
        }
        // What is indented goes on with what was said before the end.
        if message[0].is_ascii_whitespace() {
            return false;
        }
        static LAST_WORDS: LazyLock<Regex> = LazyLock::new(|| {
            // Julia shows where each of its threads was when the signal came.
            let stack = r"\[\d+\] signal \d|in expression starting at |\S+ at \S+(?::\d+| \(unknown line\))$";
            let slurm = r"slurmstepd|srun|sbatch|Terminated|Killed|\*\*\*|[\w./-]+: line \d+:";
            Regex::new(&format!(r"(?-u)^\s*(?:{slurm}|{stack})")).expect("a constant")
        });
        if LAST_WORDS.is_match(message) {
            return false;
        }
        let text = normal(&String::from_utf8_lossy(&message[..message.len().min(400)]));
        if text.len() >= 6 && self.head.lines().contains(&text) {
            return true;
        }
        // The step is over, and its ranks say nothing more.
        if self.comes_back && self.is_told && !line.has_label {
            return true;
        }
        self.life += 1;
        self.left == 0 && self.is_alive()
    }

    /// True if enough was said that is nobody's last words.
    pub fn is_alive(&self) -> bool {
        self.life >= NEW_LIFE
    }

    /// True if a sample follows on those before the end: a bar that is drawn once
    /// more, a step that was being made.
    fn goes_on(&self, sample: &Sample) -> bool {
        let alike = |known: &&Sample| known.format == sample.format;
        let before = self.reached.iter().filter(alike).filter_map(Sample::place).reduce(f64::max);
        let (Some(before), Some(now)) = (before, sample.place()) else { return false };
        let late = if sample.step.is_some() { LATE } else { 0.0 };
        now >= before - late && now <= before + MORE_STEPS.max(before / 10.0)
    }
}
