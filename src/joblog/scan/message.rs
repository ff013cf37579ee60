//! One message of a line: what it is, by the first row of the table that matches.

use std::collections::HashMap;
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
use crate::joblog::table::{Pattern, Table};
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

/// So many messages are remembered, and none that is longer, in bytes.
const MOST_KNOWN: usize = 256;
const LONGEST_KNOWN: usize = 2048;

/// What messages were read as. Logs of one sweep say the same again and again,
/// and what a message says depends on nothing but its text, the table, and the
/// traceback that ends with it.
#[derive(Default)]
pub(in crate::joblog) struct Memo {
    known: HashMap<Vec<u8>, Meant>,
    key: Vec<u8>,
}

/// What a message means, wherever it stands.
enum Meant {
    Nothing,
    Noise,
    Event(Box<Meaning>),
}

struct Meaning {
    row: Option<usize>,
    /// Where in the message the match begins, and the text.
    at: usize,
    shown: usize,
    text: String,
    normal: String,
    exception: Option<String>,
    fingerprint: Fingerprint,
    confirmed_by: Option<usize>,
    job: Option<u32>,
    ends_job: bool,
    hedged: bool,
}

impl Memo {
    fn meant(&mut self, told: &Told, message: &[u8]) -> &Meant {
        self.key.clear();
        self.key.extend_from_slice(message);
        if let Some(raised) = told.raised {
            // No line holds a newline.
            for part in [Some(&raised.exception), raised.frame.as_ref()].into_iter().flatten() {
                self.key.push(b'\n');
                self.key.extend_from_slice(part.as_bytes());
            }
        }
        if !self.known.contains_key(&self.key) {
            if self.known.len() >= MOST_KNOWN || self.key.len() > LONGEST_KNOWN {
                self.known.clear();
            }
            self.known.insert(self.key.clone(), told.meaning(message));
        }
        &self.known[&self.key]
    }
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
    pub fn read(&self, block: &mut Block, span: Range<usize>, memo: &mut Memo) -> Said {
        let whole = &block.bytes[span.clone()];
        let unlabelled = label::message(whole);
        let message = if self.raised.is_some() { traceback::trimmed(unlabelled) } else { unlabelled };
        let skipped = whole.len() - message.len();
        let meaning = match memo.meant(self, message) {
            Meant::Nothing => return Said::Nothing,
            Meant::Noise => return Said::Noise,
            Meant::Event(meaning) => meaning,
        };
        let known = meaning.row.map(|row| &self.table.rows()[row]);
        let (role, weak) = role_of(known);
        let raised = self.raised;
        let is_interrupt = raised.is_some_and(|raised| raised.exception == "KeyboardInterrupt");
        let offset = block.origin(span.start + skipped + meaning.shown);
        let start = span.start + skipped + meaning.at;
        let event = Event {
            row: meaning.row,
            id: known.map(|row| row.id.clone()),
            class: class_of(known).to_owned(),
            traits: known.map(|row| row.traits.clone()).unwrap_or_default(),
            confirmed_by: meaning.confirmed_by,
            role: if is_interrupt { Role::Teardown } else { role },
            weak,
            line: block.number(start).map(|newlines| newlines + 1),
            offset,
            job: meaning.job,
            is_foreign: false,
            ends_job: meaning.ends_job,
            in_thread: raised.is_some_and(|raised| raised.aside == Some(Aside::Thread)),
            hedged: raised.map_or(meaning.hedged, |raised| raised.aside.is_some()),
            link: raised.and_then(|raised| raised.link),
            raised: raised.is_some(),
            from_top: raised.is_some_and(|raised| raised.from_top),
            lines_before: raised.map_or(0, |raised| raised.lines.into()),
            label: whole[..whole.len() - unlabelled.len()].trim_ascii().to_vec(),
            text: meaning.text.clone(),
            normal: meaning.normal.clone(),
            exception: meaning.exception.clone(),
            frame: raised.and_then(|raised| raised.frame.clone()),
            fingerprint: meaning.fingerprint.clone(),
            count: 1,
            last: offset,
        };
        Said::Event { event: Box::new(event), place: block.origin(start) }
    }

    /// What a message means, as far as its place does not matter.
    fn meaning(&self, message: &[u8]) -> Meant {
        let Some((row, at)) = self.row(message) else { return Meant::Nothing };
        let known = row.map(|row| &self.table.rows()[row]);
        if role_of(known).0 == Role::Noise {
            return Meant::Noise;
        }
        let raised = self.raised;
        let exception =
            raised.map(|raised| raised.exception.clone()).or_else(|| exception_in(&message[at..]));
        let (shown, text) = clipped(message, at);
        // The exception itself, without what a logger put before it.
        let told = if raised.is_some() { message } else { &message[at..] };
        let normal = normal(&String::from_utf8_lossy(&told[..told.len().min(1200)]));
        let frame = raised.and_then(|raised| raised.frame.as_deref());
        Meant::Event(Box::new(Meaning {
            row,
            at,
            shown,
            fingerprint: Fingerprint::of(class_of(known), exception.as_deref(), &normal, frame),
            confirmed_by: self.table.confirmed_by(&text),
            job: raised.is_none().then(|| job_in(message)).flatten(),
            ends_job: memmem::find(message, b"*** JOB ").is_some(),
            hedged: raised.is_none() && is_hedged(message, at),
            text,
            normal,
            exception,
        }))
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

fn role_of(row: Option<&Pattern>) -> (Role, bool) {
    row.map_or((Role::Root, true), |row| (row.role, row.weak))
}

fn class_of(row: Option<&Pattern>) -> &str {
    row.map_or("exception", |row| row.class.as_str())
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
