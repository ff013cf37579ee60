//! A log from its file to a reading.

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use memchr::{memchr, memchr_iter, memchr2, memrchr2};

use super::attempts::{Attempt, Event};
use super::finding::{Finding, Identity, Reading, Role, Trouble, Unread};
use super::judge;
use super::life;
use super::matcher::Matcher;
use super::progress;
use super::scan::{Scan, Tools};
use super::table::Table;
use crate::safety;
use crate::sys::{self, Target};
use crate::terms::Time;

/// How much is read at once, in bytes.
const BLOCK: usize = 256 * 1024;
/// A line longer than this is looked at in pieces, in bytes.
const LONGEST_LINE: usize = 1024 * 1024;
/// How much two pieces of such a line have in common.
const OVERLAP: usize = 4096;
/// What a glance reads of the head, in bytes.
const HEAD: u64 = 2 << 10;
/// So much of the head shows whether it is text, in bytes.
const TEXT: usize = 512;
/// Findings beside the root that a reading holds.
const MOST_OTHERS: usize = 200;

/// How much of a file is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// For thousands of files: the last 4 KiB and the first 2 KiB; as much as
    /// [`Extent::Triage`] where those show an end without its cause, a cause
    /// that is cut, or steps after a cause.
    Glance,
    /// The last 256 KiB, the first 64 KiB, and 8 places of 16 KiB between.
    Triage,
    /// All of it.
    Full,
}

impl Extent {
    /// The right extent for so many files, if not all is to be read.
    pub fn for_files(count: usize) -> Extent {
        if count > 1000 { Extent::Glance } else { Extent::Triage }
    }

    /// The parts of a file of that size, in order, none empty.
    fn parts(self, size: u64) -> Vec<(u64, u64)> {
        let (head, tail, places, place) = match self {
            Extent::Full => return vec![(0, size)],
            Extent::Triage => (64 << 10, 256 << 10, 8, 16 << 10),
            Extent::Glance => (HEAD, 4 << 10, 0, 0),
        };
        let between = places * place;
        if size <= head + tail + 2 * between {
            return vec![(0, size)];
        }
        let middle = (size - head - tail) / (places + 1).max(1);
        let at = |number: u64| head + middle * number;
        let places = (1..=places).map(|number| (at(number), at(number) + place));
        [(0, head)].into_iter().chain(places).chain([(size - tail, size)]).collect()
    }
}

/// Reads logs with one table; can be shared by threads.
pub struct Reader<'t> {
    table: &'t Table,
    matcher: Matcher,
}

/// What one thread reads with.
pub struct Worker<'r> {
    reader: &'r Reader<'r>,
    buffer: Vec<u8>,
    /// Where in the file the buffer lies.
    held: Range<u64>,
    tools: Tools,
}

/// Where bytes come from.
trait Source {
    fn at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl Source for File {
    fn at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_at(buffer, offset)
    }
}

/// A file whose first bytes were read already.
struct Begun<'f> {
    file: &'f File,
    head: &'f [u8],
}

impl Source for Begun<'_> {
    fn at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        match self.head.at(buffer, offset)? {
            0 => self.file.at(buffer, offset),
            length => Ok(length),
        }
    }
}

/// A source of which the bytes that were read last are at hand.
struct Last<'s, S: ?Sized> {
    source: &'s S,
    held: Range<u64>,
    bytes: &'s [u8],
}

impl<S: Source + ?Sized> Last<'_, S> {
    /// The bytes between two places, if they are at hand.
    fn between(&self, from: u64, to: u64) -> Option<&[u8]> {
        let at = |place: u64| usize::try_from(place.checked_sub(self.held.start)?).ok();
        (to <= self.held.end).then(|| self.bytes.get(at(from)?..at(to)?)).flatten()
    }
}

impl Source for [u8] {
    fn at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|from| self.get(from..)).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// Reads one log; for several make a [`Reader`] once.
///
/// # Errors
/// It is no regular file, or cannot be read.
pub fn read(path: &Path, table: &Table, extent: Extent, job: Option<&Identity>) -> io::Result<Reading> {
    Reader::new(table).worker().read(path, extent, job)
}

/// The line in which a byte of a file stands, from 1; `None` if that is not to
/// be had by reading at most `most` bytes.
pub fn line_of(path: &Path, offset: u64, most: u64) -> Option<u64> {
    let (file, _) = opened(path).ok().filter(|_| offset <= most)?;
    let mut buffer = vec![0; BLOCK];
    let (mut at, mut newlines) = (0, 0);
    while at < offset {
        let want = usize::try_from(offset - at).unwrap_or(BLOCK).min(BLOCK);
        let length = file.read_at(&mut buffer[..want], at).ok().filter(|length| *length > 0)?;
        newlines += memchr_iter(b'\n', &buffer[..length]).count() as u64;
        at += length as u64;
    }
    Some(newlines + 1)
}

/// A link is followed wherever it leads, but never to a file of secrets: who may
/// write a log folder must not choose what of ours is read.
fn opened(path: &Path) -> io::Result<(File, Metadata)> {
    let refused = |what: &str| {
        let why = format!("{what} the name of one that holds secrets, which is never opened");
        Err(io::Error::new(io::ErrorKind::PermissionDenied, why))
    };
    if safety::is_file_of_secrets(path) {
        return refused("it has");
    }
    let opened = match sys::open_regular_or_target(path)? {
        Target::Opened(opened) => opened,
        Target::Elsewhere(target) if safety::is_file_of_secrets(&target) => {
            return refused("it leads to a file with");
        }
        Target::Elsewhere(target) => match sys::open_regular_or_target(&target)? {
            Target::Opened(opened) => opened,
            Target::Elsewhere(_) => return Err(io::Error::other("the link changed while it was followed")),
        },
    };
    opened.ok_or_else(|| io::Error::other("it is no regular file"))
}

impl<'t> Reader<'t> {
    /// Prepares the search for the table's patterns.
    pub fn new(table: &'t Table) -> Reader<'t> {
        Reader { table, matcher: Matcher::new(table) }
    }

    /// The table whose patterns it looks for.
    pub fn table(&self) -> &'t Table {
        self.table
    }

    /// What a thread reads with.
    pub fn worker(&self) -> Worker<'_> {
        Worker { reader: self, buffer: Vec::new(), held: 0..0, tools: Tools::default() }
    }
}

impl Worker<'_> {
    /// Reads one log. `job` says whose it should be: then only that job's
    /// attempts can have the root.
    ///
    /// # Errors
    /// It is no regular file, or cannot be read.
    pub fn read(&mut self, path: &Path, extent: Extent, job: Option<&Identity>) -> io::Result<Reading> {
        let (file, metadata) = opened(path)?;
        let reading = self.read_source(&file, metadata.len(), extent, job)?;
        Ok(of_file(reading, path, &metadata))
    }

    /// The same for a file that was only found: `None` if it begins as no text does.
    ///
    /// # Errors
    /// It is no regular file, or cannot be read.
    pub fn read_text(
        &mut self,
        path: &Path,
        extent: Extent,
        job: Option<&Identity>,
    ) -> io::Result<Option<Reading>> {
        let (file, metadata) = opened(path)?;
        let mut head = [0; HEAD as usize];
        let length = file.read_at(&mut head, 0)?;
        let head = &head[..length];
        // A log may hold some NULs: a node that died leaves them at the end.
        if memchr(0, &head[..length.min(TEXT)]).is_some() {
            return Ok(None);
        }
        let begun = Begun { file: &file, head };
        let reading = self.read_source(&begun, metadata.len(), extent, job)?;
        Ok(Some(of_file(reading, path, &metadata)))
    }

    /// Reads a log that is in memory.
    pub fn read_bytes(&mut self, bytes: &[u8], extent: Extent, job: Option<&Identity>) -> Reading {
        self.read_source(bytes, bytes.len() as u64, extent, job).unwrap_or_else(|_| empty(bytes.len() as u64))
    }

    fn read_source<S: Source + ?Sized>(
        &mut self,
        source: &S,
        size: u64,
        extent: Extent,
        job: Option<&Identity>,
    ) -> io::Result<Reading> {
        let parts = extent.parts(size);
        let wanted = job.and_then(Identity::raw_id);
        let tools = std::mem::take(&mut self.tools);
        let mut scan = Scan::new(self.reader.table, &self.reader.matcher, wanted, tools);
        if extent == Extent::Glance && parts.len() > 1 {
            scan.glance();
        }
        let mut unread = Vec::new();
        let mut at = 0;
        self.held = 0..0;
        for (from, to) in parts {
            if from > at {
                unread.push(Unread { from: at, to: from });
                scan.skip_to(from);
            }
            self.part(&mut scan, source, from, to)?;
            at = to;
        }
        scan.finish();
        self.tools = std::mem::take(&mut scan.tools);
        let last = Last { source, held: self.held.clone(), bytes: &self.buffer };
        let lives_on = |offset: u64, to: u64| lives_on(&last, offset, to);
        let reading = assembled(self.reader.table, scan, size, unread, wanted, &lives_on);
        let shows_an_end = |role| matches!(role, Role::Cascade | Role::Teardown | Role::Evidence);
        let is_open = reading.root.as_ref().is_none_or(|root| root.role != Role::Root)
            && reading.findings().any(|finding| shows_an_end(finding.role));
        // Whether the run went on after its cause a glance cannot tell.
        let goes_on = match (&reading.root, &reading.progress) {
            (Some(root), Some(progress)) => progress.offset > root.offset,
            _ => false,
        };
        // An exception whose traceback begins in what was not read has lost its frame.
        let is_cut = reading
            .root
            .as_ref()
            .is_some_and(|root| root.exception.is_some() && root.frame.is_none() && root.line.is_none());
        if extent == Extent::Glance && (is_open || goes_on || is_cut) && !reading.unread.is_empty() {
            return self.read_source(source, size, Extent::Triage, job);
        }
        Ok(reading)
    }

    /// Feeds one part of the file to the scan, in blocks that end with a line.
    fn part<S: Source + ?Sized>(
        &mut self,
        scan: &mut Scan,
        source: &S,
        from: u64,
        to: u64,
    ) -> io::Result<()> {
        let (mut at, mut filled, mut repeats) = (from, 0, 0);
        while at < to {
            let want = usize::try_from(to - at).unwrap_or(BLOCK).min(BLOCK);
            if self.buffer.len() < filled + want {
                self.buffer.resize(filled + want, 0);
            }
            let length = match source.at(&mut self.buffer[filled..filled + want], at) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                length => length?,
            };
            filled += length;
            at += length as u64;
            self.held = at - filled as u64..at;
            // A file that became shorter ends here.
            let is_end = length == 0 || at >= to;
            let newest = &self.buffer[repeats..filled];
            let line_end = memrchr2(b'\n', b'\r', newest).map(|found| repeats + found + 1);
            let (cut, is_forced) = match line_end {
                _ if is_end => (filled, false),
                Some(end) => (end, false),
                None if filled >= LONGEST_LINE => (filled, true),
                None => continue,
            };
            scan.block(&self.buffer[..cut], at - filled as u64, repeats);
            if is_end {
                break;
            }
            let kept = if is_forced { cut - OVERLAP } else { cut };
            repeats = cut - kept;
            self.buffer.copy_within(kept..filled, 0);
            filled -= kept;
        }
        Ok(())
    }
}

/// A reading with what its file says of itself.
fn of_file(reading: Reading, path: &Path, metadata: &Metadata) -> Reading {
    Reading { path: path.to_owned(), modified: Time::from_unix(metadata.mtime()), ..reading }
}

fn empty(size: u64) -> Reading {
    Reading {
        path: Default::default(),
        size,
        modified: None,
        root: None,
        elsewhere: None,
        others: Vec::new(),
        left_out: 0,
        attempts: Vec::new(),
        unread: vec![Unread { from: 0, to: size }],
        progress: None,
        mentions: Vec::new(),
    }
}

/// True if the program is at work behind the line of a place, up to the end of the attempt.
fn lives_on<S: Source + ?Sized>(last: &Last<S>, offset: u64, to: u64) -> bool {
    let behind = to.saturating_sub(offset);
    if behind < life::LEAST {
        return false;
    }
    let tail = to.saturating_sub(life::BEHIND).max(offset + life::BEHIND);
    [(offset, to.min(offset + life::BEHIND)), (tail, to)].into_iter().filter(|(from, to)| from < to).any(
        |(from, to)| {
            let mut again = Vec::new();
            let text = last.between(from, to).unwrap_or_else(|| {
                again.resize(usize::try_from(to - from).unwrap_or(0), 0);
                // What cannot be read again shows nothing.
                let length = last.source.at(&mut again, from).unwrap_or(0);
                &again[..length]
            });
            let line_end = memchr2(b'\n', b'\r', text).map_or(text.len(), |end| end + 1);
            life::shows(&text[line_end..])
        },
    )
}

/// Puts together what the scan found.
fn assembled(
    table: &Table,
    mut scan: Scan,
    size: u64,
    unread: Vec<Unread>,
    wanted: Option<u32>,
    lives_on: &dyn Fn(u64, u64) -> bool,
) -> Reading {
    let samples = scan.take_samples();
    let spans = scan.attempts.spans(size);
    let is_ours = |attempt: &Attempt| wanted.is_none() || attempt.job.is_none() || attempt.job == wanted;
    let newest = scan.attempts.all.iter().rposition(is_ours);
    let mut reading = Reading { unread, ..empty(size) };
    let mut nan = None;
    let mut elsewhere = None;
    let passed = scan.take_passed();
    for (at, (attempt, span)) in scan.attempts.all.iter_mut().zip(&spans).enumerate() {
        let from = samples.partition_point(|sample| sample.offset < span.from);
        let to = samples.partition_point(|sample| sample.offset < span.to);
        let samples = samples.get(from..to).unwrap_or_default();
        let mut events = std::mem::take(&mut attempt.events);
        for event in &mut events {
            event.hedged |= passed.iter().any(|tests| tests.contains(&event.last));
        }
        let is_newest = Some(at) == newest;
        let root = judge::root(&mut events, attempt.ended, samples, &|offset| {
            is_newest && lives_on(offset, span.to)
        });
        reading.left_out += attempt.left_out;
        if Some(at) == newest {
            reading.progress = progress::progress(samples);
            nan = events.iter().find(|event| event.class == "diverged").cloned();
        }
        for (number, event) in events.into_iter().enumerate() {
            let is_root = Some(number) == root;
            let finding = finding(table, event, span.number);
            if is_root && Some(at) == newest {
                reading.root = Some(finding);
                continue;
            }
            // What names no other job's end may be the end of this one.
            if is_root && finding.role == Role::Root && wanted.is_some() && span.job != wanted {
                elsewhere = Some(finding.clone());
            }
            reading.others.push(finding);
        }
    }
    reading.others.sort_by_key(|finding| finding.offset);
    if reading.others.len() > MOST_OTHERS {
        // The newest say most.
        let many = reading.others.len() - MOST_OTHERS;
        reading.others.drain(..many);
        reading.left_out += many as u64;
    }
    if let (Some(progress), Some(event)) = (&mut reading.progress, nan)
        && !progress.findings.iter().any(|known| matches!(known, Trouble::Nan { .. }))
    {
        let Event { text, line, offset, .. } = event;
        progress.findings.insert(0, Trouble::Nan { since_step: None, text, line, offset });
    }
    reading.elsewhere = elsewhere.filter(|_| reading.root.is_none()).map(Box::new);
    reading.attempts = spans;
    reading.mentions = scan.take_mentions();
    reading
}

fn finding(table: &Table, event: Event, attempt: u32) -> Finding {
    let pattern = event.row.and_then(|row| table.rows().get(row));
    let other = event.job.filter(|_| event.is_foreign);
    Finding {
        pattern: pattern.map_or_else(|| "exception".to_owned(), |pattern| pattern.id.clone()),
        class: event.class,
        role: event.role,
        line: event.line,
        offset: event.offset,
        text: event.text,
        job: event.job,
        attempt,
        exception: event.exception,
        frame: event.frame,
        survived: event.hedged,
        set_aside: other.map(|job| format!("names job {job}, which is none of this task's")),
        fingerprint: event.fingerprint,
        normal: event.normal,
        count: event.count,
    }
}
