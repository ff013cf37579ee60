//! Reads the logs, on a few threads.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::files::{Found, Wanted};
use super::{Log, NotRead, Options, Outcome, Root};
use crate::joblog::{Extent, Finding, Reader, Reading, Table, Worker};
use crate::terms::Bytes;

/// So much together is read whole, in bytes: it takes a moment.
const LITTLE: u64 = 64 << 20;
/// With more logs than this no curves are kept.
const MANY: usize = 100;
/// So many findings beside the causes are kept of all logs together.
const MOST_OTHERS: usize = 20_000;

enum Read {
    Log(Box<Log>),
    NoText,
    Failed(NotRead),
}

/// Reads all of them.
pub fn all(reader: &Reader, found: Found, options: &Options) -> Outcome {
    let wanted: Vec<(PathBuf, Wanted)> = found.wanted.into_iter().collect();
    let extent = extent(&wanted, options.full);
    let table = reader.table();
    let next = AtomicUsize::new(0);
    let keep = (MOST_OTHERS / wanted.len().max(1)).clamp(3, 200);
    let work = || {
        let mut worker = reader.worker();
        let mut read = Vec::new();
        while let Some((at, (path, who))) = take(&next, &wanted) {
            let mut one = one(&mut worker, table, path, who, extent);
            if let Read::Log(log) = &mut one {
                log.keep(keep, wanted.len() > MANY);
            }
            read.push((at, one));
        }
        read
    };
    let threads = options.threads.clamp(1, wanted.len().max(1));
    let mut read: Vec<(usize, Read)> = std::thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut read = work();
        for other in others {
            match other.join() {
                Ok(more) => read.extend(more),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        read
    });
    read.sort_by_key(|(at, _)| *at);
    let mut outcome = Outcome { unread: found.unread, notes: found.notes, ..Outcome::default() };
    for (_, one) in read {
        match one {
            Read::Log(log) => outcome.add(*log),
            Read::NoText => outcome.no_text += 1,
            Read::Failed(why) => outcome.unread.push(why),
        }
    }
    outcome
}

fn take<'w, T>(next: &AtomicUsize, items: &'w [T]) -> Option<(usize, &'w T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    items.get(at).map(|item| (at, item))
}

/// How much of each is read.
fn extent(wanted: &[(PathBuf, Wanted)], full: bool) -> Extent {
    if full {
        return Extent::Full;
    }
    let sizes = wanted.iter().filter_map(|(path, _)| std::fs::metadata(path).ok());
    let mut total: u64 = 0;
    // With many files the first of them tell.
    for metadata in sizes {
        total = total.saturating_add(metadata.len());
        if total > LITTLE {
            return Extent::for_files(wanted.len());
        }
    }
    Extent::Full
}

fn one(worker: &mut Worker<'_>, table: &Table, path: &Path, wanted: &Wanted, extent: Extent) -> Read {
    let who = wanted.who.as_ref();
    let reading = match wanted.is_named {
        true => worker.read(path, extent, who).map(Some),
        false => worker.read_text(path, extent, who),
    };
    match reading {
        Ok(Some(reading)) => Read::Log(Box::new(Log { job: wanted.job, ..Log::of(table, reading) })),
        Ok(None) => Read::NoText,
        Err(error) => Read::Failed(NotRead { path: path.to_owned(), why: error.to_string() }),
    }
}

impl Root {
    /// A finding with what its pattern says about it.
    pub(super) fn of(table: &Table, file: &Path, finding: Finding) -> Root {
        let row = table.pattern(&finding.pattern);
        Root {
            file: file.to_owned(),
            meaning: row.map(|row| row.meaning.clone()).unwrap_or_default(),
            action: row.map(|row| row.action.clone()).unwrap_or_default(),
            retry: row.map(|row| row.retry),
            finding,
        }
    }
}

impl Log {
    fn of(table: &Table, reading: Reading) -> Log {
        let file = reading.path;
        let root = reading.root.map(|finding| Box::new(Root::of(table, &file, finding)));
        let elsewhere = reading.elsewhere.map(|finding| Box::new(Root::of(table, &file, *finding)));
        Log {
            root,
            elsewhere,
            others: reading.others,
            file,
            job: None,
            size: reading.size,
            modified: reading.modified,
            left_out: reading.left_out,
            attempts: reading.attempts,
            unread: reading.unread,
            progress: reading.progress.map(Box::new),
            mentions: reading.mentions,
        }
    }

    /// Keeps less where there are many, so that memory does not grow with them.
    fn keep(&mut self, others: usize, is_one_of_many: bool) {
        if self.others.len() > others {
            let many = self.others.len() - others;
            // The newest say most.
            self.others.drain(..many);
            self.left_out += many as u64;
        }
        if is_one_of_many && let Some(progress) = &mut self.progress {
            progress.series = Vec::new();
        }
    }
}

impl Outcome {
    fn add(&mut self, log: Log) {
        let unread: u64 = log.unread.iter().map(|part| part.to.saturating_sub(part.from)).sum();
        self.bytes = Bytes(self.bytes.0.saturating_add(log.size));
        self.read = Bytes(self.read.0.saturating_add(log.size.saturating_sub(unread)));
        self.logs.push(log);
    }
}
