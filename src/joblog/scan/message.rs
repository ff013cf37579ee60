//! One message of a line: what it is, by the first row of the table that matches.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::memmem;
use regex::bytes::Regex;

use super::block::Block;
use super::hedge::is_hedged;
use super::ids::job_in;
use crate::joblog::attempts::Event;
use crate::joblog::finding::{Fingerprint, Role};
use crate::joblog::label;
use crate::joblog::matcher::Hits;
use crate::joblog::normal::normal;
use crate::joblog::table::Table;
use crate::joblog::traceback::{self, Aside, Raised};
use crate::safety::{Redactions, Secret, redact, secrets_in};

/// The longest text of a finding, in characters.
const LONGEST_TEXT: usize = 400;
/// Secrets of up to so many bytes are seen where a text is cut.
const LONGEST_SECRET: usize = 4096;

/// What is known of a line before its messages are read.
#[derive(Clone, Copy)]
pub(super) struct Told<'l> {
    pub table: &'l Table,
    pub hits: &'l Hits,
    /// The traceback that ends here.
    pub raised: Option<&'l Raised>,
}

/// What a message is.
pub(super) enum Said {
    /// Nothing that any row knows.
    Nothing,
    /// Harmless.
    Noise,
    Event {
        event: Box<Event>,
        /// Where in the file the match begins.
        place: u64,
    },
}

impl Told<'_> {
    /// Where the messages of a line begin and end: Slurm's are glued to what was there.
    pub fn messages(&self, line: &[u8]) -> Vec<Range<usize>> {
        let mut cuts = vec![0];
        static SLURM: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?-u)slurmstepd(?:-[\w.-]+)?: |srun: (?:error|Job|Force)").expect("a constant")
        });
        if self.hits.rows.iter().any(|row| self.table.rows()[*row].role != Role::Noise) {
            cuts.extend(SLURM.find_iter(line).map(|found| found.start()).filter(|at| *at > 0));
        }
        cuts.push(line.len());
        cuts.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }

    /// Reads one message, which stands there in the block.
    pub fn read(&self, block: &mut Block, span: Range<usize>) -> Said {
        let whole = &block.bytes[span.clone()];
        let unlabelled = label::message(whole);
        let message = if self.raised.is_some() { traceback::trimmed(unlabelled) } else { unlabelled };
        let skipped = whole.len() - message.len();
        let Some((row, at)) = self.row(message) else { return Said::Nothing };
        let known = row.map(|row| &self.table.rows()[row]);
        let (role, weak) = known.map_or((Role::Root, true), |row| (row.role, row.weak));
        if role == Role::Noise {
            return Said::Noise;
        }
        let class = known.map_or("exception", |row| row.class.as_str());
        let raised = self.raised;
        let is_interrupt = raised.is_some_and(|raised| raised.exception == "KeyboardInterrupt");
        let exception =
            raised.map(|raised| raised.exception.clone()).or_else(|| exception_in(&message[at..]));
        let (shown, text) = clipped(message, at);
        let offset = block.origin(span.start + skipped + shown);
        // The exception itself, without what a logger put before it.
        let told = if raised.is_some() { message } else { &message[at..] };
        let normal = normal(&String::from_utf8_lossy(&told[..told.len().min(1200)]));
        let frame = raised.and_then(|raised| raised.frame.clone());
        let fingerprint = Fingerprint::of(class, exception.as_deref(), &normal, frame.as_deref());
        let start = span.start + skipped + at;
        let event = Event {
            row,
            id: known.map(|row| row.id.clone()),
            class: class.to_owned(),
            traits: known.map(|row| row.traits.clone()).unwrap_or_default(),
            confirmed_by: self.table.confirmed_by(&text),
            role: if is_interrupt { Role::Teardown } else { role },
            weak,
            line: block.number(start).map(|newlines| newlines + 1),
            offset,
            job: raised.is_none().then(|| job_in(message)).flatten(),
            is_foreign: false,
            ends_job: memmem::find(message, b"*** JOB ").is_some(),
            in_thread: raised.is_some_and(|raised| raised.aside == Some(Aside::Thread)),
            hedged: raised.is_some_and(|raised| raised.aside.is_some())
                || raised.is_none() && is_hedged(message, at),
            link: raised.and_then(|raised| raised.link),
            raised: raised.is_some(),
            from_top: raised.is_some_and(|raised| raised.from_top),
            lines_before: raised.map_or(0, |raised| raised.lines.into()),
            label: whole[..whole.len() - unlabelled.len()].trim_ascii().to_vec(),
            text,
            normal,
            exception,
            frame,
            fingerprint,
            count: 1,
            last: offset,
        };
        Said::Event { event: Box::new(event), place: block.origin(start) }
    }

    /// The first row that matches, and where; for an exception that none matches
    /// the row of any exception, if the table has one.
    fn row(&self, message: &[u8]) -> Option<(Option<usize>, usize)> {
        let rows = self.table.rows();
        let found = self.hits.rows.iter().find_map(|row| {
            let found = rows[*row].regex.find(message)?;
            Some((Some(*row), found.start()))
        });
        let any = || rows.iter().rposition(|row| row.class == "exception" && row.role == Role::Root);
        found.or_else(|| self.raised.map(|_| (any(), 0)))
    }
}

/// The line's text around a match, clipped, and where in the line it begins.
fn clipped(message: &[u8], at: usize) -> (usize, String) {
    let mut start = if message.len() > LONGEST_TEXT { at.saturating_sub(100) } else { 0 };
    // Half a secret is still half a secret: they go before the text is cut, at either end.
    let near = start.saturating_sub(LONGEST_SECRET);
    let spans = |secret: &Secret| (near + secret.range.start + 1..near + secret.range.end).contains(&start);
    if start > 0
        && let Some(secret) =
            secrets_in(&message[near..message.len().min(start + LONGEST_SECRET)]).into_iter().find(spans)
    {
        start = near + secret.range.start;
    }
    // At most four bytes make a character.
    let bytes = &message[start..message.len().min(start + 4 * LONGEST_TEXT + LONGEST_SECRET)];
    let blanks = bytes.len() - bytes.trim_ascii_start().len();
    let text = String::from_utf8_lossy(&bytes[blanks..]);
    let text = redact(text.trim_end(), &mut Redactions::new());
    (start + blanks, text.chars().take(LONGEST_TEXT).collect())
}

/// The exception type at the start of a message: `torch.OutOfMemoryError: ..`.
fn exception_in(text: &[u8]) -> Option<String> {
    static TYPE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?-u)^(?:[A-Za-z_]\w{0,80}\.){0,12}([A-Za-z_]\w{0,120}(?:Error|Exception))(?:: |:?$)")
            .expect("a constant")
    });
    let names_one = |part: &str| memmem::find(text, part.as_bytes()).is_some();
    if !names_one("Error") && !names_one("Exception") {
        return None;
    }
    TYPE.captures(text).and_then(|found| Some(String::from_utf8_lossy(found.get(1)?.as_bytes()).into_owned()))
}
