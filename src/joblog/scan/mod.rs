//! One pass over a part of a file, in blocks: candidates, lines, events.

mod after;
mod block;
mod hedge;
mod ids;
mod message;
mod probe;
mod pytest;

use std::ops::Range;

use self::after::{After, Later};
use self::block::Block;
use self::ids::{own_id, own_number};
use self::message::{Memo, Said, Told};
use self::probe::Probe;
use self::pytest::Tests;
use super::attempts::{Attempts, Event};
use super::finding::Mention;
use super::label;
use super::lines::Stripped;
use super::matcher::{Held, Hits, Mark, Matcher};
use super::mentions::Mentions;
use super::progress::Sample;
use super::table::{Table, Trait};
use super::traceback::{Aside, Link, Part, Raised, Tracebacks};

/// How much of a line around a literal is looked at, in bytes to each side.
const AROUND: usize = 2048;

/// What is kept from file to file: memory, and what the last messages were.
#[derive(Default)]
pub(super) struct Tools {
    hits: Hits,
    /// The literals in the block.
    held: Held,
    stripped: Stripped,
    memo: Memo,
}

/// What is known of a file while it is read.
pub(super) struct Scan<'t> {
    table: &'t Table,
    matcher: &'t Matcher,
    pub attempts: Attempts,
    mentions: Mentions,
    tracebacks: Tracebacks,
    after: After,
    probe: Probe,
    tests: Tests,
    pub tools: Tools,
    /// Newlines before the block; `None` where that is not known.
    newlines: Option<u64>,
    /// No event before this offset: a long line is looked at in pieces that overlap.
    done: u64,
}

impl<'t> Scan<'t> {
    /// `wanted` is the raw id of the job whose log it should be; `tools` are those
    /// of the last file, read with the same table.
    pub fn new(table: &'t Table, matcher: &'t Matcher, wanted: Option<u32>, tools: Tools) -> Scan<'t> {
        Scan {
            table,
            matcher,
            attempts: Attempts::of(wanted),
            mentions: Mentions::default(),
            tracebacks: Tracebacks::default(),
            after: After::default(),
            probe: Probe::default(),
            tests: Tests::default(),
            tools,
            newlines: Some(0),
            done: 0,
        }
    }

    /// Only the last lines are looked at for progress: it costs more than all the rest.
    pub fn glance(&mut self) {
        self.probe.is_glance = true;
    }

    /// What follows does not follow what was read last.
    pub fn skip_to(&mut self, offset: u64) {
        self.finish();
        self.newlines = None;
        self.tracebacks = Tracebacks::default();
        self.after.stop();
        self.done = offset;
    }

    /// Looks at whole lines, or at a piece of a very long one; `repeats` is how
    /// many of its first bytes the last block held, too: no line ends in those.
    pub fn block(&mut self, raw: &[u8], base: u64, repeats: usize) {
        let mut stripped = std::mem::take(&mut self.tools.stripped);
        let has_gaps = stripped.strip(raw);
        let mut block = Block::of(raw, base, has_gaps.then_some(&stripped), self.newlines);
        if base == 0 && repeats == 0 {
            self.after.keep_head(block.bytes);
        }
        self.probe.block(&block);
        let mut held = std::mem::take(&mut self.tools.held);
        self.matcher.hold(block.bytes, &mut held);
        self.candidates(&mut block, &held);
        self.tools.held = held;
        // The newlines of the rest.
        self.newlines = block.number(block.bytes.len());
        self.tools.stripped = stripped;
    }

    /// The end of the file, or of what is read of it.
    pub fn finish(&mut self) {
        if self.after.is_alive() {
            self.next_attempt();
        }
    }

    /// Where tests ran that all passed.
    pub fn take_passed(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.tests.passed)
    }

    /// The mentions, each once.
    pub fn take_mentions(&mut self) -> Vec<Mention> {
        std::mem::take(&mut self.mentions).finish()
    }

    /// The samples in the order of the file.
    pub fn take_samples(&mut self) -> Vec<Sample> {
        std::mem::take(&mut self.probe.samples).finish()
    }

    /// The lines that hold something, or all of them where each may say something.
    fn candidates(&mut self, block: &mut Block, held: &Held) {
        let length = block.bytes.len();
        // The end of the line that was looked at last: a very long one is looked for once.
        let (mut at, mut line_end) = (0, 0);
        while at < length {
            let (start, hit) = if self.looks_at_each() {
                (at, at)
            } else {
                let Some(hit) = held.next_place(at) else { break };
                (block.line_start(at, hit), hit)
            };
            if hit >= line_end {
                line_end = block.line_end(hit);
            }
            let end = line_end;
            // A window of a very long line; the rest is looked at in the next turn.
            let (from, to) = if end - start <= 2 * AROUND {
                (start, end)
            } else if self.looks_at_each() {
                (start, start + 2 * AROUND)
            } else {
                let hit = held.next_place(at).unwrap_or(end);
                (start.max(hit.saturating_sub(AROUND)), end.min(hit + AROUND))
            };
            self.line(block, held, from..to);
            // Beyond the line's end; within a long line what is cut in two is seen whole in the next window.
            at = if to == end { end + 1 } else { (to - 256).max(at + 1) };
        }
    }

    fn looks_at_each(&self) -> bool {
        self.after.is_on() || self.tracebacks.are_open() || self.matcher.looks_at_every_line()
    }

    /// A line, or a window of a long one.
    fn line(&mut self, block: &mut Block, held: &Held, span: Range<usize>) {
        let line = &block.bytes[span.clone()];
        let mut hits = std::mem::take(&mut self.tools.hits);
        self.matcher.hits(held, span.clone(), &mut hits);
        let message = label::message(line);
        let label = &line[..line.len() - message.len()];
        let offset = block.origin(span.start);
        self.ids(&hits, line, offset);
        let part = self.traceback(&hits, label, message);
        let is_inside = part == Part::Inside;
        let raised = match part {
            Part::End(raised) => Some(raised),
            Part::None | Part::Inside => None,
        };
        if is_inside {
            // Source code inside a traceback says nothing itself.
            hits.rows.clear();
        } else if raised.is_some() || !hits.rows.is_empty() || self.after.is_on() {
            self.matcher.add_noise(line, &mut hits);
        }
        let had_events = self.messages(block, span, &hits, raised.as_ref());
        if self.after.is_on() {
            let is_known = is_inside || had_events;
            let later = Later { message, has_label: !label.is_empty(), offset, is_known };
            if self.after.is_new_life(&later) {
                self.next_attempt();
            }
        }
        self.tools.hits = hits;
    }

    /// What a line says of the job, its attempts and its files.
    fn ids(&mut self, hits: &Hits, line: &[u8], offset: u64) {
        if hits.has(Mark::JobId)
            && let Some(job) = own_id(line)
        {
            if offset > 0 && self.attempts.current().job.is_none() && self.after.is_headed_like(line) {
                self.attempts.begin(offset, Some(job));
            }
            self.attempts.says_id(job, offset);
            self.after.stop();
        }
        if hits.has(Mark::Attempt)
            && let Some(number) = own_number(label::message(line))
        {
            self.attempts.says_number(number, offset);
            self.after.stop();
        }
        if hits.has(Mark::Warned) {
            self.attempts.current().was_warning(offset);
        }
        if hits.has(Mark::Tests) {
            self.tests.read(label::message(line), offset);
        }
        if hits.has(Mark::Mention) {
            let resumed = self.mentions.read(line, offset);
            if resumed && self.attempts.has_ended() {
                self.next_attempt();
            }
        }
    }

    /// What a line is to the tracebacks.
    fn traceback(&mut self, hits: &Hits, label: &[u8], message: &[u8]) -> Part {
        if hits.has(Mark::Aside) {
            self.tracebacks.set_ignored(label);
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
        if hits.has(Mark::Traceback) {
            self.tracebacks.begin(label);
            return Part::Inside;
        }
        if !self.tracebacks.are_open() {
            return Part::None;
        }
        self.tracebacks.feed(label, message)
    }

    /// The messages on one physical line; true if a row knows one of them.
    fn messages(
        &mut self,
        block: &mut Block,
        span: Range<usize>,
        hits: &Hits,
        raised: Option<&Raised>,
    ) -> bool {
        if hits.rows.is_empty() && raised.is_none() {
            return false;
        }
        let line = &block.bytes[span.clone()];
        let mut told = Told { table: self.table, hits, raised };
        let mut found = false;
        for part in told.messages(line) {
            let (from, to) = (span.start + part.start, span.start + part.end);
            // The last line of a traceback is the first message.
            told.raised = raised.filter(|_| part.start == 0);
            match told.read(block, from..to, &mut self.tools.memo) {
                Said::Nothing => continue,
                Said::Event { event, place } if place >= self.done => {
                    self.done = place + 1;
                    self.event(block, *event, from..to);
                }
                Said::Noise | Said::Event { .. } => {}
            }
            found = true;
        }
        found
    }

    /// Puts an event where it belongs; the end of a job begins the watch for the next attempt.
    fn event(&mut self, block: &Block, event: Event, span: Range<usize>) {
        if self.after.is_on() {
            if event.is(Trait::TaskEnd) {
                self.after.task_ended();
            }
            if event.raised && event.is(Trait::AtStart) && self.after.awaits_start() {
                self.next_attempt();
            }
        }
        let comes_back = event.is(Trait::ComesBack);
        if self.attempts.push(event, block.origin(span.end)) {
            self.after.begin(block, span.start, comes_back);
        }
    }

    fn next_attempt(&mut self) {
        self.after.stop();
        let current = self.attempts.current();
        if let Some(ended) = current.ended {
            // Slurm requeues under the same id.
            let job = current.job;
            self.attempts.begin(ended, job);
        }
    }
}
