//! One pass over a part of a file, in blocks: candidates, lines, events.

use std::cell::OnceCell;
use std::ops::Range;
use std::sync::LazyLock;

use memchr::{memchr_iter, memchr2, memmem, memrchr2};
use regex::bytes::Regex;

use super::attempts::{Attempts, Event};
use super::finding::{Fingerprint, Mention, Role};
use super::label;
use super::lines::Stripped;
use super::matcher::{Hits, Mark, Matcher};
use super::mentions::Mentions;
use super::normal::normal;
use super::progress::{self, Sample, Samples};
use super::table::Table;
use super::traceback::{self, Aside, Link, Part, Raised, Tracebacks};

/// How much of a line around a literal is looked at, in bytes to each side.
const AROUND: usize = 2048;
/// The longest text of a finding, in characters.
const LONGEST_TEXT: usize = 400;
/// Lines after the end of a job that are looked at one by one, for signs of
/// the next attempt.
const AFTER_THE_END: u32 = 40;
/// So many of them that are nobody's last words are a new attempt.
const NEW_LIFE: u32 = 10;
/// Lines at the head of the file that a next attempt may repeat.
const HEAD: usize = 5;
/// How many places of a block are looked at for progress, and how much at each.
const PROBES: usize = 8;
const PROBE: usize = 512;
/// After so many blocks one place of each, and less of its end, is enough.
const MANY_BLOCKS: u32 = 16;
/// A glance reads backwards from the end until so many lines tell progress, and so many in all.
const GLANCE: usize = 3;
const GLANCE_LINES: usize = 24;
/// Runs of tests in one log.
const MOST_TESTS: usize = 64;
/// Smaller blocks are looked at for progress as a whole.
const SMALL: usize = 12 * 1024;

/// What is known of a file while it is read.
pub(super) struct Scan<'t> {
    table: &'t Table,
    matcher: &'t Matcher,
    pub attempts: Attempts,
    pub samples: Samples,
    pub mentions: Mentions,
    tracebacks: Tracebacks,
    hits: Hits,
    /// Where the block holds literals.
    places: Vec<usize>,
    stripped: Stripped,
    /// True if the last lines must do for progress.
    is_glance: bool,
    /// How many blocks were looked at.
    blocks: u32,
    /// Newlines before the block; `None` where that is not known.
    newlines: Option<u64>,
    head: Head,
    /// Lines left of the watch after the end of a job, and those with life.
    watch: u32,
    life: u32,
    /// Where tests began that have not ended, and where those ran that all passed.
    tests: Option<u64>,
    pub passed: Vec<Range<u64>>,
    /// No event before this offset: a long line is looked at in pieces that overlap.
    done: u64,
}

/// The file's first lines, which only a log of several attempts is compared with.
#[derive(Default)]
struct Head {
    bytes: Vec<u8>,
    normal: OnceCell<Vec<String>>,
}

impl Head {
    fn keep(&mut self, bytes: &[u8]) {
        *self = Head { bytes: bytes[..bytes.len().min(4096)].to_vec(), normal: OnceCell::new() };
    }

    /// The first lines with text, as normal text.
    fn lines(&self) -> &[String] {
        self.normal.get_or_init(|| {
            let lines = self.bytes.split(|byte| matches!(byte, b'\n' | b'\r'));
            let texts = lines.map(|line| normal(&String::from_utf8_lossy(&line[..line.len().min(400)])));
            texts.filter(|text| !text.is_empty()).take(HEAD).collect()
        })
    }
}

/// A block as it is looked at.
struct Block<'b> {
    bytes: &'b [u8],
    /// The offset of its first byte in the file.
    base: u64,
    has_gaps: bool,
    /// Up to here the newlines are counted.
    counted: usize,
    newlines: Option<u64>,
}

impl<'t> Scan<'t> {
    /// `wanted` is the raw id of the job whose log it should be.
    pub fn new(table: &'t Table, matcher: &'t Matcher, wanted: Option<u32>) -> Scan<'t> {
        Scan {
            table,
            matcher,
            attempts: Attempts::of(wanted),
            samples: Samples::default(),
            mentions: Mentions::default(),
            tracebacks: Tracebacks::default(),
            hits: Hits::default(),
            places: Vec::new(),
            stripped: Stripped::default(),
            is_glance: false,
            blocks: 0,
            newlines: Some(0),
            head: Head::default(),
            watch: 0,
            life: 0,
            tests: None,
            passed: Vec::new(),
            done: 0,
        }
    }

    /// Only the last lines are looked at for progress: it costs more than all the rest.
    pub fn glance(&mut self) {
        self.is_glance = true;
    }

    /// What follows does not follow what was read last.
    pub fn skip_to(&mut self, offset: u64) {
        self.newlines = None;
        self.tracebacks = Tracebacks::default();
        self.watch = 0;
        self.done = offset;
    }

    /// Looks at whole lines, or at a piece of a very long one; `repeats` is how
    /// many of its first bytes the last block held, too: no line ends in those.
    pub fn block(&mut self, raw: &[u8], base: u64, repeats: usize) {
        let mut stripped = std::mem::take(&mut self.stripped);
        let has_gaps = stripped.strip(raw);
        let bytes = if has_gaps { stripped.bytes() } else { raw };
        let mut block = Block { bytes, base, has_gaps, counted: 0, newlines: self.newlines };
        if base == 0 && repeats == 0 {
            self.head.keep(bytes);
        }
        self.probe(&block, &stripped);
        let mut places = std::mem::take(&mut self.places);
        if !self.matcher.looks_at_every_line() {
            self.matcher.places(bytes, &mut places);
        }
        // The end of the line that was looked at last: a very long one is looked for once.
        let (mut at, mut line_end) = (0, 0);
        while at < bytes.len() {
            let (start, hit) = if self.looks_at_each() {
                (at, at)
            } else {
                let Some(hit) = from_on(&places, at) else { break };
                (memrchr2(b'\n', b'\r', &bytes[at..hit]).map_or(at, |found| at + found + 1), hit)
            };
            if hit >= line_end {
                line_end = memchr2(b'\n', b'\r', &bytes[hit..]).map_or(bytes.len(), |found| hit + found);
            }
            let end = line_end;
            // A window of a very long line; the rest is looked at in the next turn.
            let (from, to) = if end - start <= 2 * AROUND {
                (start, end)
            } else if self.looks_at_each() {
                (start, start + 2 * AROUND)
            } else {
                let hit = from_on(&places, at).unwrap_or(end);
                (start.max(hit.saturating_sub(AROUND)), end.min(hit + AROUND))
            };
            self.line(&mut block, &stripped, from, to);
            // Beyond the line's end; within a long line what is cut in two is seen whole in the next window.
            at = if to == end { end + 1 } else { (to - 256).max(at + 1) };
        }
        self.places = places;
        // The newlines of the rest.
        block.number(bytes.len());
        self.newlines = block.newlines;
        self.stripped = stripped;
    }

    /// The end of the file, or of what is read of it.
    pub fn finish(&mut self) {
        self.settle_life();
    }

    fn looks_at_each(&self) -> bool {
        self.watch > 0 || self.tracebacks.are_open() || self.matcher.looks_at_every_line()
    }

    /// A line, or a window of a long one.
    fn line(&mut self, block: &mut Block, stripped: &Stripped, from: usize, to: usize) {
        let line = &block.bytes[from..to];
        let mut hits = std::mem::take(&mut self.hits);
        self.matcher.hits(line, &mut hits);
        let message = label::message(line);
        let label = &line[..line.len() - message.len()];
        let offset = block.origin(stripped, from);
        let mut is_told = hits.has(Mark::Traceback);
        if hits.has(Mark::Aside) {
            self.tracebacks.set_aside(Aside::Destructor);
        }
        if hits.has(Mark::Thread) {
            self.tracebacks.set_aside(Aside::Thread);
        }
        if hits.has(Mark::Handling) {
            self.tracebacks.set_link(label, Link::Handling);
        }
        if hits.has(Mark::Consequence) {
            self.tracebacks.set_link(label, Link::Consequence);
        }
        if hits.has(Mark::JobId)
            && let Some(job) = own_id(line)
        {
            self.attempts.says_id(job, offset);
            self.watch = 0;
        }
        if hits.has(Mark::Attempt)
            && let Some(number) = own_number(message)
        {
            self.attempts.says_number(number, offset);
            self.watch = 0;
        }
        if hits.has(Mark::Tests) {
            self.tests(message, offset);
        }
        if hits.has(Mark::Mention) {
            let resumed = self.mentions.read(line, offset);
            if resumed && self.attempts.has_ended() {
                self.next_attempt();
            }
        }
        let mut raised = None;
        if hits.has(Mark::Traceback) {
            self.tracebacks.begin(label);
        } else if self.tracebacks.are_open() {
            match self.tracebacks.feed(label, message) {
                Part::None => {}
                Part::Inside => is_told = true,
                Part::End(end) => raised = Some(end),
            }
        }
        if is_told {
            // Source code inside a traceback says nothing itself.
            hits.rows.clear();
        }
        let had_events = self.segments(block, stripped, (from, to), &hits, raised.as_ref());
        if self.watch > 0 {
            self.watch_line(message, offset, is_told || had_events);
        }
        self.hits = hits;
    }

    /// What is said in tests that all passed is what they test.
    fn tests(&mut self, line: &[u8], offset: u64) {
        static END: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)^=+ (?:[^=]*, )?\d+ passed[^=]* in [\d.]+ ?s").expect("a constant")
        });
        if memmem::find(line, b"= test session starts =").is_some() {
            self.tests = Some(offset);
        } else if END.is_match(line)
            && let Some(begin) = self.tests.take()
            && memmem::find(line, b" failed").is_none()
            && memmem::find(line, b" error").is_none()
            && self.passed.len() < MOST_TESTS
        {
            self.passed.push(begin..offset);
        }
    }

    /// The messages on one physical line: Slurm's are glued to what was there.
    fn segments(
        &mut self,
        block: &mut Block,
        stripped: &Stripped,
        (from, to): (usize, usize),
        hits: &Hits,
        raised: Option<&Raised>,
    ) -> bool {
        if hits.rows.is_empty() && raised.is_none() {
            return false;
        }
        let line = &block.bytes[from..to];
        let mut cuts = vec![0];
        static SLURM: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)slurmstepd(?:-[\w.-]+)?: |srun: (?:error|Job|Force)").expect("a constant")
        });
        if hits.rows.iter().any(|row| self.table.rows()[*row].role != Role::Noise) {
            cuts.extend(SLURM.find_iter(line).map(|found| found.start()).filter(|at| *at > 0));
        }
        cuts.push(line.len());
        let mut found = false;
        for pair in cuts.windows(2) {
            let (start, end) = (from + pair[0], from + pair[1]);
            // The last line of a traceback is the first message.
            let raised = raised.filter(|_| pair[0] == 0);
            found |= self.message(block, stripped, (start, end), hits, raised);
        }
        found
    }

    /// One message: the first row that matches says what it is.
    fn message(
        &mut self,
        block: &mut Block,
        stripped: &Stripped,
        (from, to): (usize, usize),
        hits: &Hits,
        raised: Option<&Raised>,
    ) -> bool {
        let whole = &block.bytes[from..to];
        let message = label::message(whole);
        let message = if raised.is_some() { traceback::trimmed(message) } else { message };
        let skipped = whole.len() - message.len();
        let row = hits.rows.iter().find_map(|row| {
            let found = self.table.rows()[*row].regex.find(message)?;
            Some((*row, found.start()))
        });
        let any =
            || self.table.rows().iter().rposition(|row| row.class == "exception" && row.role == Role::Root);
        let (row, at) = match (row, raised) {
            (Some((row, at)), _) => (Some(row), at),
            (None, Some(_)) => (any(), 0),
            (None, None) => return false,
        };
        let known = row.map(|row| &self.table.rows()[row]);
        let (mut role, weak) = known.map_or((Role::Root, true), |row| (row.role, row.weak));
        let class = known.map_or("exception", |row| row.class.as_str());
        if role == Role::Noise {
            return true;
        }
        let start = from + skipped + at;
        let place = block.origin(stripped, start);
        if place < self.done {
            return true;
        }
        self.done = place + 1;
        if raised.is_some_and(|raised| raised.exception == "KeyboardInterrupt") {
            role = Role::Teardown;
        }
        let exception =
            raised.map(|raised| raised.exception.clone()).or_else(|| exception_in(&message[at..]));
        let (shown, text) = clipped(message, at);
        let offset = block.origin(stripped, from + skipped + shown);
        // The exception itself, without what a logger put before it.
        let told = if raised.is_some() { message } else { &message[at..] };
        let normal = normal(&String::from_utf8_lossy(&told[..told.len().min(1200)]));
        let frame = raised.and_then(|raised| raised.frame.clone());
        let fingerprint = Fingerprint::of(class, exception.as_deref(), &normal, frame.as_deref());
        let event = Event {
            row,
            class: class.to_owned(),
            role,
            weak,
            line: block.number(start).map(|newlines| newlines + 1),
            offset,
            job: job_in(message).filter(|_| raised.is_none()),
            is_foreign: false,
            ends_job: memmem::find(message, b"*** JOB ").is_some(),
            in_thread: raised.is_some_and(|raised| raised.aside == Some(Aside::Thread)),
            hedged: raised.is_some_and(|raised| raised.aside.is_some())
                || raised.is_none() && is_hedged(message, at),
            link: raised.and_then(|raised| raised.link),
            raised: raised.is_some(),
            from_top: raised.is_some_and(|raised| raised.from_top),
            lines_before: raised.map_or(0, |raised| raised.lines.into()),
            label: whole[..whole.len() - label::message(whole).len()].trim_ascii().to_vec(),
            text,
            normal,
            exception,
            frame,
            fingerprint,
            count: 1,
            last: offset,
        };
        let ends_job = self.attempts.push(event, block.origin(stripped, to));
        if ends_job && self.watch == 0 {
            (self.watch, self.life) = (AFTER_THE_END, 0);
        }
        true
    }

    /// A line after the end of a job: is it the next attempt?
    fn watch_line(&mut self, message: &[u8], offset: u64, is_told: bool) {
        self.watch -= 1;
        // What is indented goes on with what was said before the end.
        if message.trim_ascii().is_empty() || message[0].is_ascii_whitespace() || is_told {
            return;
        }
        static LAST_WORDS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)^\s*(?:slurmstepd|srun|sbatch|Terminated|Killed|\*\*\*|[\w./-]+: line \d+:)")
                .expect("a constant")
        });
        if LAST_WORDS.is_match(message) {
            return;
        }
        let text = normal(&String::from_utf8_lossy(&message[..message.len().min(400)]));
        let repeats_head = text.len() >= 6 && self.head.lines().contains(&text);
        if repeats_head || progress::sample(message, offset).is_some() {
            self.next_attempt();
            return;
        }
        self.life += 1;
        if self.watch == 0 {
            self.settle_life();
        }
    }

    fn settle_life(&mut self) {
        if self.life >= NEW_LIFE {
            self.next_attempt();
        }
        self.life = 0;
        self.watch = 0;
    }

    fn next_attempt(&mut self) {
        (self.watch, self.life) = (0, 0);
        let current = self.attempts.current();
        if let Some(ended) = current.ended {
            // Slurm requeues under the same id.
            let job = current.job;
            self.attempts.begin(ended, job);
        }
    }

    /// Looks at some lines for progress: the whole of a small block, a few
    /// places of a large one, and always its end.
    fn probe(&mut self, block: &Block, stripped: &Stripped) {
        let bytes = block.bytes;
        if self.is_glance {
            if block.base > 0 {
                self.probe_end(block, stripped);
            }
            return;
        }
        if bytes.len() <= SMALL {
            return self.probe_lines(block, stripped, 0, bytes.len());
        }
        self.blocks = self.blocks.saturating_add(1);
        let (probes, tail) = if self.blocks > MANY_BLOCKS { (1, SMALL / 12) } else { (PROBES, SMALL / 4) };
        let tail = bytes.len() - tail;
        for at in 0..probes {
            let from = at * tail / probes;
            let Some(start) = memchr2(b'\n', b'\r', &bytes[from..]).map(|found| from + found + 1) else {
                break;
            };
            self.probe_lines(block, stripped, start, (start + PROBE).min(tail));
        }
        self.probe_lines(block, stripped, tail, bytes.len());
    }

    fn probe_end(&mut self, block: &Block, stripped: &Stripped) {
        let (mut end, mut told) = (block.bytes.len(), 0);
        for _ in 0..GLANCE_LINES {
            let start = memrchr2(b'\n', b'\r', &block.bytes[..end]).map_or(0, |found| found + 1);
            let line = label::message(&block.bytes[start..end]);
            if let Some(sample) = progress::sample(line, block.origin(stripped, start)) {
                self.samples.push(sample);
                told += 1;
            }
            if start == 0 || told == GLANCE {
                break;
            }
            end = start - 1;
        }
    }

    fn probe_lines(&mut self, block: &Block, stripped: &Stripped, from: usize, to: usize) {
        let bytes = block.bytes;
        let to = to.min(bytes.len());
        if from >= to {
            return;
        }
        // What is being written may be cut anywhere; a bar that is closed is whole.
        let is_whole = matches!(bytes[from..to].trim_ascii_end().last(), Some(b']' | b'}'));
        let to = match memrchr2(b'\n', b'\r', &bytes[from..to]) {
            Some(found) if !is_whole => from + found,
            _ => to,
        };
        let mut at = from;
        while at < to {
            let end = memchr2(b'\n', b'\r', &bytes[at..to]).map_or(to, |found| at + found);
            let line = label::message(&bytes[at..end]);
            if let Some(sample) = progress::sample(line, block.origin(stripped, at)) {
                self.samples.push(sample);
            }
            at = end + 1;
        }
    }
}

impl Block<'_> {
    /// Where a byte of the block stood in the file.
    fn origin(&self, stripped: &Stripped, at: usize) -> u64 {
        self.base + if self.has_gaps { stripped.origin(at) } else { at } as u64
    }

    /// The newlines before a byte; asked for in rising order.
    fn number(&mut self, at: usize) -> Option<u64> {
        if let Some(newlines) = &mut self.newlines
            && at > self.counted
        {
            *newlines += memchr_iter(b'\n', &self.bytes[self.counted..at]).count() as u64;
            self.counted = at;
        }
        self.newlines
    }
}

/// The first of the places from a place on.
fn from_on(places: &[usize], at: usize) -> Option<usize> {
    places.get(places.partition_point(|place| *place < at)).copied()
}

/// The line's text around a match, clipped, and where in the line it begins.
fn clipped(message: &[u8], at: usize) -> (usize, String) {
    // At most four bytes make a character.
    let start = if message.len() > LONGEST_TEXT { at.saturating_sub(100) } else { 0 };
    let bytes = &message[start..message.len().min(start + 4 * LONGEST_TEXT)];
    let blanks = bytes.len() - bytes.trim_ascii_start().len();
    let text = String::from_utf8_lossy(&bytes[blanks..]);
    (start + blanks, text.trim_end().chars().take(LONGEST_TEXT).collect())
}

/// The number of the attempt that a script announces: Slurm's restart count
/// anywhere, else a banner (`==== attempt 2`, `### RUN 2/3`, `>>> Mon 3 Mar attempt=2 node=n1`)
/// or a stamped line (`[2026-11-21 10:00:00] attempt 2 on n1`).
fn own_number(line: &[u8]) -> Option<u32> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        let banner = r"^[=#*~>+-]{2,} *(?:(?:attempt|restart)[ :#]+(\d{1,4})\b|run +(\d{1,4}) ?/ ?\d)";
        let told = r"^[=#*~>+-]{2,} (?:[^\n]{0,60}? )?(?:attempt|restart)[ :#=]+(\d{1,4})\b";
        let stamped = r"^\[[\d :T.-]{10,30}\] (?:attempt|restart) (\d{1,4}) on \S";
        Regex::new(&format!(r"(?i-u)\bSLURM_RESTART_COUNT[=: ]+(\d{{1,4}})\b|{banner}|{told}|{stamped}"))
            .expect("a constant")
    });
    let found = NUMBER.captures(line)?;
    let number = found.iter().skip(1).flatten().next()?;
    std::str::from_utf8(number.as_bytes()).ok()?.parse().ok()
}

/// The id in the text of Slurm's own messages, and of its script's shell.
fn job_in(message: &[u8]) -> Option<u32> {
    static OWN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?-u)(?:\*\*\* (?:JOB|STEP) |StepId=|JobId=)(\d{1,10})(?:\D|$)",
            r"|in step (\d{1,10})\.(?:\d|batch|extern|interactive)|/job0*(\d{1,10})/slurm_script: ",
        ))
        .expect("a constant")
    });
    number_of(OWN.captures(message))
}

/// The id that a job prints of itself.
fn own_id(line: &[u8]) -> Option<u32> {
    static SAID: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?-u)(?:^|[^A-Za-z_])(?:SLURM_JOB_?ID|(?i:slurm )?(?:J|j)ob ?I[Dd]|(?:J|j)ob id|Job)['"]?(?: is)?(?: ?[:=] ?| )['"]?(\d{2,10})(?:[^\d_.]|$)"#)
            .expect("a constant")
    });
    number_of(SAID.captures(line))
}

fn number_of(found: Option<regex::bytes::Captures>) -> Option<u32> {
    let number = found?.iter().skip(1).flatten().next()?.as_bytes().to_vec();
    std::str::from_utf8(&number).ok()?.parse().ok()
}

/// The exception type at the start of a message: `torch.OutOfMemoryError: ..`.
fn exception_in(text: &[u8]) -> Option<String> {
    static TYPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)^(?:[A-Za-z_]\w{0,80}\.){0,12}([A-Za-z_]\w{0,120}(?:Error|Exception))(?:: |:?$)")
            .expect("a constant")
    });
    TYPE.captures(text).and_then(|found| Some(String::from_utf8_lossy(found.get(1)?.as_bytes()).into_owned()))
}

/// True if a line says itself that it ends nothing.
fn is_hedged(message: &[u8], at: usize) -> bool {
    static LEVEL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)\b(?:WARN(?:ING)?|INFO|DEBUG|warning|info|debug)\b").expect("a constant")
    });
    static DEALT_WITH: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i-u)\bretry(?:ing)?\b|\bskipp(?:ed|ing)\b|\bignor(?:ed|ing)\b|\bfall(?:ing|s)? back\b|\bfallback\b|\bcontinuing\b|\brecovered\b")
            .expect("a constant")
    });
    LEVEL.is_match(&message[..at.min(160)]) || DEALT_WITH.is_match(&message[..message.len().min(1000)])
}

impl Scan<'_> {
    /// The mentions, each once.
    pub fn take_mentions(&mut self) -> Vec<Mention> {
        std::mem::take(&mut self.mentions).finish()
    }

    /// The samples in the order of the file.
    pub fn take_samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.samples).finish()
    }
}
