//! Which attempt of which job an event belongs to.
//!
//! Files are appended to by requeues and by jobs that reuse a name. An event
//! belongs to the attempt of the job that its own text names; if it names none,
//! to the attempt in which it stands. Any program can print a line of Slurm's:
//! where it is known whose log it is, one that names a job which is neither
//! that one nor says its id in the file counts for nothing, and begins nothing.

use std::collections::HashMap;
use std::sync::Arc;

use super::finding::{AttemptSpan, Fingerprint, Role};
use super::table::{Trait, Traits};
use super::traceback::Link;

/// Kinds of events that are kept of one attempt.
const MOST_EVENTS: usize = 400;
/// Attempts that are kept; of older ones only their place.
const MOST_ATTEMPTS: usize = 64;

/// Something that a line says, before everything around it is known.
#[derive(Debug, Clone)]
pub(super) struct Event {
    /// The row of the table; `None` for an exception that no row names.
    pub row: Option<usize>,
    /// The row's id.
    pub id: Option<String>,
    pub class: String,
    pub traits: Arc<Traits>,
    /// The row of the lines that must follow on it, if it ended the program.
    pub confirmed_by: Option<usize>,
    pub role: Role,
    pub weak: bool,
    pub line: Option<u64>,
    pub offset: u64,
    pub text: String,
    pub normal: String,
    pub job: Option<u32>,
    pub exception: Option<String>,
    pub frame: Option<String>,
    pub fingerprint: Fingerprint,
    /// The last line of a traceback.
    pub raised: bool,
    /// That traceback came through the whole program.
    pub from_top: bool,
    /// How many lines that traceback has before its last.
    pub lines_before: u64,
    /// What a launcher put before its line: whose it is.
    pub label: Vec<u8>,
    /// Its own line says that it was dealt with, or it stands aside of the run.
    pub hedged: bool,
    /// It ended a thread.
    pub in_thread: bool,
    /// How it follows from the exception before it.
    pub link: Option<Link>,
    /// The end of the whole job, not of a step.
    pub ends_job: bool,
    /// It names a job that has no part in the file.
    pub is_foreign: bool,
    pub count: u64,
    /// Where the last one of its kind stands.
    pub last: u64,
}

impl Event {
    pub fn is(&self, one: Trait) -> bool {
        self.traits.is(one)
    }

    /// True if that event, where it stands before, explains this one.
    pub fn yields_to(&self, other: &Event) -> bool {
        self.traits.yields_to(other.id.as_deref(), &other.class)
    }
}

/// One attempt, while it is read.
#[derive(Debug, Default)]
pub(super) struct Attempt {
    pub job: Option<u32>,
    pub from: u64,
    /// The number that the script gives it.
    pub number: Option<u32>,
    /// Where the line that ended the job ends, if there is one.
    pub ended: Option<u64>,
    pub events: Vec<Event>,
    pub left_out: u64,
    /// By row, fingerprint, and whether it was dealt with; for counting.
    known: HashMap<(Option<usize>, Fingerprint, bool), usize>,
}

impl Attempt {
    fn at(from: u64, job: Option<u32>) -> Attempt {
        Attempt { from, job, ..Attempt::default() }
    }

    /// Python shows the line that warned below the warning's text: an exception
    /// in that text was dealt with.
    pub fn was_warning(&mut self, offset: u64) {
        if let Some(event) = self.events.last_mut()
            && event.raised
            && offset.saturating_sub(event.last) < TO_THE_WARNING
        {
            event.hedged = true;
        }
    }

    fn push(&mut self, event: Event) {
        let key = (event.row, event.fingerprint.clone(), event.hedged);
        if let Some(known) = self.known.get(&key) {
            self.events[*known].count += 1;
            self.events[*known].last = event.offset;
        } else if self.events.len() < MOST_EVENTS {
            self.known.insert(key, self.events.len());
            self.events.push(event);
        } else {
            self.left_out += 1;
        }
    }
}

/// So many bytes may stand between an exception and the call that warned of it.
const TO_THE_WARNING: u64 = 1024;

/// The attempts of one file.
#[derive(Debug)]
pub(super) struct Attempts {
    pub all: Vec<Attempt>,
    /// Attempts whose events are forgotten.
    pub forgotten: u64,
    /// The raw id of the job whose log it should be, if that is known.
    wanted: Option<u32>,
}

impl Attempts {
    /// Of the log of a job, if it is known whose it should be.
    pub fn of(wanted: Option<u32>) -> Attempts {
        Attempts { all: vec![Attempt::default()], forgotten: 0, wanted }
    }

    /// The attempt that is being read.
    pub fn current(&mut self) -> &mut Attempt {
        if self.all.is_empty() {
            self.all.push(Attempt::default());
        }
        let last = self.all.len() - 1;
        &mut self.all[last]
    }

    /// True if the job of this attempt has been ended, and what follows may be
    /// the next attempt.
    pub fn has_ended(&mut self) -> bool {
        self.current().ended.is_some()
    }

    /// The next attempt begins.
    pub fn begin(&mut self, from: u64, job: Option<u32>) {
        self.all.push(Attempt::at(from, job));
        if self.all.len() > MOST_ATTEMPTS {
            let old = &mut self.all[self.forgotten as usize];
            old.events = Vec::new();
            old.known = HashMap::new();
            self.forgotten += 1;
        }
    }

    /// A job says its id at its start, in the line at `offset`.
    pub fn says_id(&mut self, job: u32, offset: u64) {
        let current = self.current();
        if current.ended.is_some() {
            let from = current.ended.unwrap_or(offset);
            return self.begin(from, Some(job));
        }
        match current.job {
            None => current.job = Some(job),
            Some(known) if known == job => {}
            Some(_) => self.begin(offset, Some(job)),
        }
    }

    /// The script says at `offset` which attempt it begins. The first number
    /// names the attempt that is being read, unless that one has trouble already.
    pub fn says_number(&mut self, number: u32, offset: u64) {
        let current = self.current();
        let job = current.job;
        match (current.number, current.ended) {
            (Some(known), _) if known == number => return,
            (None, None) if current.events.is_empty() => {}
            (_, Some(ended)) => self.begin(ended, job),
            (_, None) => self.begin(offset, job),
        }
        self.current().number = Some(number);
    }

    /// Puts an event where it belongs. `end` is the end of its line. True if it
    /// ends a job that has a part in the file.
    pub fn push(&mut self, mut event: Event, end: u64) -> bool {
        if event.job.is_some_and(|job| self.is_foreign(job)) {
            event.is_foreign = true;
            event.ends_job = false;
            event.role = Role::Noise;
        }
        let at = match event.job.filter(|_| !event.is_foreign) {
            None => self.all.len().saturating_sub(1),
            Some(job) => self.of_job(job, &event),
        };
        let ends_job = event.ends_job;
        if let Some(attempt) = self.all.get_mut(at) {
            if ends_job && attempt.ended.is_none() {
                attempt.ended = Some(end);
            }
            attempt.push(event);
        }
        ends_job
    }

    /// True for a job that is not the one that is wanted, and of which no part
    /// of the file says that it is its own.
    fn is_foreign(&self, job: u32) -> bool {
        self.wanted.is_some_and(|wanted| wanted != job)
            && !self.all.iter().any(|attempt| attempt.job == Some(job))
    }

    /// The newest attempt of a job; a new one if the file has none.
    fn of_job(&mut self, job: u32, event: &Event) -> usize {
        let last = self.all.len().saturating_sub(1);
        let current = self.current();
        let second_end = event.ends_job && current.ended.is_some();
        match current.job {
            Some(known) if known == job && !second_end => return last,
            None if !second_end => {
                current.job = Some(job);
                return last;
            }
            _ => {}
        }
        let is_current = current.job == Some(job);
        let ended = current.ended;
        if !is_current && let Some(older) = self.all.iter().rposition(|attempt| attempt.job == Some(job)) {
            return older;
        }
        // The same words once more are no second end: every node says them.
        let repeats =
            self.all[last].events.iter().any(|known| known.ends_job && known.normal == event.normal);
        if is_current && repeats && ended.is_some_and(|ended| event.offset < ended + 2048) {
            return last;
        }
        self.begin(ended.unwrap_or(event.offset), Some(job));
        self.all.len() - 1
    }

    /// Where the attempts lie in a file of that size.
    pub fn spans(&self, size: u64) -> Vec<AttemptSpan> {
        let ends = self.all.iter().skip(1).map(|next| next.from).chain([size]);
        let spans = self.all.iter().zip(ends).zip(0..);
        spans
            .map(|((attempt, to), number)| AttemptSpan { number, job: attempt.job, from: attempt.from, to })
            .collect()
    }
}
