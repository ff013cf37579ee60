//! Reads what `sacct` printed: our own form, `-P` with a header in any order
//! of fields, and fixed-width columns as projects commit them.
//!
//! One reader for every release: the header says which columns there are. It
//! reads in blocks, line by line, without keeping the text.

mod layout;
mod values;

use std::collections::HashMap;
use std::io::{self, Read};

use super::accounting::{Attempt, Places, Stamp, Steps, Text, WaitingTasks};
use super::{Accounting, State};
use crate::safety::one_line;
use crate::terms::{JobId, Part, counted};

use self::layout::{Column, Layout, Row};
use self::values::{Id, RowId};

/// The fields that we ask for. Every release from 21.08 to 26.05 has them; the
/// one that is free text comes last, so that a separator or a newline in it
/// does no harm.
pub const FIELDS: &str = "JobID,JobIDRaw,User,Partition,State,ExitCode,DerivedExitCode,ElapsedRaw,\
                          TimelimitRaw,Submit,Start,End,MaxRSS,NodeList,JobName";

/// What separates fields in our own form: the unit separator.
pub const DELIMITER: &str = "\x1f";

/// The arguments that give our own form, with every attempt of requeued jobs.
/// Whoever asks adds the window (`-S` or `-j`: without one sacct starts at
/// midnight), and sets `SLURM_TIME_FORMAT=%s` and `SLURM_BITSTR_LEN=0`.
pub fn arguments() -> [String; 4] {
    arguments_for(FIELDS)
}

/// The same for other fields, or fewer.
pub(super) fn arguments_for(fields: &str) -> [String; 4] {
    ["-P".into(), "-D".into(), format!("--delimiter={DELIMITER}"), format!("--format={fields}")]
}

/// The fields without one that a release does not know: `sacct` answers nothing
/// at all then but `Invalid field requested: "MaxRSS"`. `None` if its complaint
/// is another one, or names what cannot be left out.
pub(super) fn without_unknown(fields: &str, complaint: &str) -> Option<String> {
    let (_, rest) = complaint.split_once("nvalid field requested")?;
    let unknown = rest.split('"').nth(1)?;
    let is_unknown = |field: &&str| field.eq_ignore_ascii_case(unknown);
    let names_a_job = unknown.eq_ignore_ascii_case("JobID") || unknown.eq_ignore_ascii_case("State");
    let known: Vec<&str> = fields.split(',').filter(|field| !is_unknown(field)).collect();
    (!names_a_job && known.len() < fields.split(',').count()).then(|| known.join(","))
}

/// Reads to the end, in blocks.
///
/// # Errors
/// The source cannot be read, or is nothing that `sacct` printed: no line of it
/// is a header, or none below that is a row ([`io::ErrorKind::InvalidData`], with the
/// number of the line). A line here and there that is not understood is no error: it is
/// counted, and said in [`Accounting::problems`].
pub fn read(mut from: impl Read) -> io::Result<Accounting> {
    const BLOCK: usize = 256 * 1024;
    const LONGEST: usize = 64 << 20;
    let mut reader = Reader::default();
    let mut buffer = vec![0; BLOCK];
    let mut held = 0;
    loop {
        if held == buffer.len() {
            if held >= LONGEST {
                let what = format!("line {} is longer than {} MiB", reader.lines + 1, LONGEST >> 20);
                return Err(io::Error::new(io::ErrorKind::InvalidData, what));
            }
            buffer.resize(held * 2, 0);
        }
        let read = match from.read(&mut buffer[held..]) {
            Ok(0) => break,
            Ok(read) => read,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(e),
        };
        let end = held + read;
        let used = reader.whole_lines(&buffer[..end]);
        buffer.copy_within(used..end, 0);
        held = end - used;
    }
    reader.line(&buffer[..held]);
    match reader.nothing() {
        Some(why) => Err(io::Error::new(io::ErrorKind::InvalidData, why)),
        None => Ok(reader.finish()),
    }
}

/// Reads text that is in memory.
pub fn read_bytes(text: &[u8]) -> Accounting {
    let mut reader = Reader::default();
    let used = reader.whole_lines(text);
    reader.line(&text[used..]);
    reader.finish()
}

/// A record that spans more lines than this is no record.
const MOST_LINES: u32 = 64;
/// Lines behind a row are the rest of its name up to so many bytes: accounting
/// keeps 255 of a name. Without a bound any text behind one row would be kept
/// again with each of its lines.
const LONGEST_REST: usize = 1024;

#[derive(Default)]
struct Reader {
    accounting: Accounting,
    layout: Option<Layout>,
    /// How many lines were read.
    lines: u64,
    /// The start of a record whose fields go on in the next line.
    open: Vec<u8>,
    open_lines: u32,
    /// Where the last row went, for its steps and for a name that goes on.
    last: Option<Last>,
    /// The newest attempt of each job: made when a step stands apart from its job.
    by_id: Option<HashMap<JobId, usize>>,
    said: Said,
}

#[derive(Clone, Copy)]
struct Last {
    id: JobId,
    index: usize,
    is_step: bool,
    /// How many bytes were taken for the rest of its name.
    rest: usize,
}

/// What is counted, to be said once at the end.
#[derive(Default)]
struct Said {
    not_understood: u64,
    /// The first line of those, by its number.
    first: Option<(u64, String)>,
    examples: Vec<String>,
    realigned: u64,
    orphans: u64,
    ids_cut: u64,
    states_unknown: u64,
    times_unknown: u64,
    lists_cut: u64,
    times_local: bool,
    times_exact: bool,
}

impl Reader {
    /// Takes all whole lines; returns how many bytes they were.
    fn whole_lines(&mut self, text: &[u8]) -> usize {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', text) {
            self.line(&text[start..end]);
            start = end + 1;
        }
        start
    }

    fn line(&mut self, line: &[u8]) {
        self.lines += 1;
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(mut layout) = self.layout.take() else {
            return self.before_header(line);
        };
        if layout.is_own_ruler(line) {
            layout.rule(line);
        } else {
            self.line_in(&mut layout, line);
        }
        // A second header inside the text may have replaced the layout.
        self.layout.get_or_insert(layout);
    }

    fn before_header(&mut self, line: &[u8]) {
        match Layout::of_header(line) {
            Some(layout) => self.layout = Some(layout),
            None if line.trim_ascii().is_empty() => {}
            None => self.not_understood(line),
        }
    }

    fn line_in(&mut self, layout: &mut Layout, line: &[u8]) {
        if !self.open.is_empty() {
            return self.go_on(layout, line);
        }
        if line.trim_ascii().is_empty() {
            return;
        }
        if layout.starts_record(line) {
            if layout.split(line) {
                self.row(layout, line);
            } else {
                self.open.extend_from_slice(line);
                self.open_lines = 1;
            }
        } else if layout.is_own_header(line) || self.is_rest_of_name(layout, line) {
            // Two texts of one form in one file, or a newline in a name.
        } else if let Some(header) = Layout::of_header(line) {
            self.layout = Some(header);
        } else {
            self.not_understood(line);
        }
    }

    /// A line after the first of a record that is not whole yet.
    fn go_on(&mut self, layout: &mut Layout, line: &[u8]) {
        if layout.starts_surely(line) || self.open_lines >= MOST_LINES {
            let open = std::mem::take(&mut self.open);
            self.not_understood(&open);
            return self.line_in(layout, line);
        }
        let mut record = std::mem::take(&mut self.open);
        record.push(b'\n');
        record.extend_from_slice(line);
        if layout.split(&record) {
            self.row(layout, &record);
        } else {
            self.open = record;
            self.open_lines += 1;
        }
    }

    /// True if the line is the rest of the name that the last row ended with.
    fn is_rest_of_name(&mut self, layout: &Layout, line: &[u8]) -> bool {
        if !layout.ends_in_name() {
            return false;
        }
        let Some(last) = &mut self.last else { return false };
        last.rest = last.rest.saturating_add(line.len() + 1);
        let last = *last;
        if last.rest > LONGEST_REST {
            return false;
        }
        if !last.is_step
            && let Some(attempt) = self.accounting.attempts().get(last.index)
        {
            let mut name = self.accounting.text(attempt.name).as_bytes().to_vec();
            name.push(b'\n');
            name.extend_from_slice(line);
            let name = self.accounting.intern(&name);
            if let Some(attempt) = self.accounting.attempt_mut(last.index) {
                attempt.name = name;
            }
        }
        true
    }

    fn row(&mut self, layout: &mut Layout, line: &[u8]) {
        let row = match layout.row(line) {
            Some(row) => row,
            None => return self.not_understood(line),
        };
        self.said.realigned += u64::from(row.realigned);
        let Some(id) = values::row_id(row.get(Column::JobId)) else {
            if row.get(Column::JobId).ends_with(b"+") {
                self.said.ids_cut += 1;
            } else {
                self.not_understood(line);
            }
            return;
        };
        match id {
            RowId { id: Id::Job(id), step: true } => self.step(id, &row),
            RowId { id: Id::Job(id), step: false } => {
                let attempt = self.attempt(id, &row);
                let index = self.accounting.push(attempt);
                if let Some(by_id) = &mut self.by_id {
                    by_id.insert(id, index);
                }
                self.last = Some(Last { id, index, is_step: false, rest: 0 });
            }
            RowId { id: Id::Waiting { base, tasks, throttle, cut }, .. } => {
                self.said.lists_cut += u64::from(cut);
                let row = self.attempt(JobId::whole(base), &row);
                self.accounting.waiting.push(WaitingTasks {
                    base,
                    tasks: tasks.filter(|_| !cut),
                    throttle,
                    row,
                });
                self.last = None;
            }
        }
    }

    fn attempt(&mut self, id: JobId, row: &Row) -> Attempt {
        let accounting = &mut self.accounting;
        let said = &mut self.said;
        let state = row.get(Column::State);
        let (state, cancelled_by) = values::state(state);
        said.states_unknown += u64::from(state == State::Unknown);
        let (name, name_cut) = row.get_cut(Column::JobName);
        let nodes = match row.get(Column::NodeList) {
            b"None assigned" | b"(null)" | b"None" => b"",
            nodes => nodes,
        };
        let mut moment = |column| said.stamp(row.get(column));
        let (submitted, started, ended) =
            (moment(Column::Submit), moment(Column::Start), moment(Column::End));
        Attempt {
            id,
            raw_id: values::number(row.get(Column::JobIdRaw))
                // Outside arrays and heterogeneous jobs both ids are the same.
                .or_else(|| (id.part == Part::Whole).then_some(id.base)),
            name: accounting.intern(name),
            user: accounting.intern(row.get(Column::User)),
            partition: accounting.intern(row.get(Column::Partition)),
            node_list: accounting.intern(nodes),
            name_cut,
            state,
            cancelled_by,
            exit: values::exit_code(row.get(Column::ExitCode)),
            derived_exit: values::exit_code(row.get(Column::DerivedExitCode)),
            elapsed: values::number(row.get(Column::ElapsedRaw))
                .or_else(|| values::duration(row.get(Column::Elapsed))),
            limit: values::number(row.get(Column::TimelimitRaw))
                .and_then(|minutes| minutes.checked_mul(60))
                .or_else(|| values::duration(row.get(Column::Timelimit))),
            submitted,
            started,
            ended,
            steps: Steps::default(),
            places: Places::of(accounting, row),
        }
    }

    fn step(&mut self, id: JobId, row: &Row) {
        let index = match self.last {
            Some(last) if last.id == id => Some(last.index),
            _ => self.find(id),
        };
        let Some(index) = index else {
            self.said.orphans += 1;
            return;
        };
        let (state, _) = values::state(row.get(Column::State));
        self.said.states_unknown += u64::from(state == State::Unknown);
        let exit = values::exit_code(row.get(Column::ExitCode));
        let max_rss = values::memory(row.get(Column::MaxRss));
        if let Some(attempt) = self.accounting.attempt_mut(index) {
            attempt.steps.add(state, exit, max_rss);
        }
        self.last = Some(Last { id, index, is_step: true, rest: 0 });
    }

    fn find(&mut self, id: JobId) -> Option<usize> {
        let attempts = self.accounting.attempts();
        let by_id = self.by_id.get_or_insert_with(|| {
            attempts.iter().enumerate().map(|(index, attempt)| (attempt.id, index)).collect()
        });
        by_id.get(&id).copied()
    }

    fn not_understood(&mut self, line: &[u8]) {
        const EXAMPLES: usize = 3;
        self.said.not_understood += 1;
        if self.said.examples.len() < EXAMPLES {
            let start = &line[..line.len().min(400)];
            let shown = one_line(&String::from_utf8_lossy(start), 60);
            self.said.first.get_or_insert_with(|| (self.lines, shown.clone()));
            self.said.examples.push(shown);
        }
    }

    /// Why this is nothing that `sacct` printed, if so. A header alone is what
    /// it prints where there was no job.
    fn nothing(&mut self) -> Option<String> {
        self.close();
        let has_rows = !self.accounting.attempts().is_empty()
            || !self.accounting.waiting.is_empty()
            || self.said.ids_cut > 0;
        match (&self.layout, &self.said.first) {
            (None, None) => Some("it is empty".to_owned()),
            (None, Some((line, text))) => Some(format!(
                "line {line} is no header of sacct, which has JobID and State: \u{201c}{text}\u{201d}"
            )),
            (Some(_), Some((line, text))) if !has_rows => {
                Some(format!("line {line} is no row of sacct: \u{201c}{text}\u{201d}"))
            }
            _ => None,
        }
    }

    /// Gives up a record that never became whole.
    fn close(&mut self) {
        if !self.open.is_empty() {
            let open = std::mem::take(&mut self.open);
            self.not_understood(&open);
        }
    }

    fn finish(mut self) -> Accounting {
        self.close();
        self.accounting.zone_unknown = self.said.times_local;
        let columns = self.layout.as_ref().map(Layout::missing);
        for what in self.said.in_words(columns) {
            self.accounting.problem(what);
        }
        self.accounting
    }
}

impl Places {
    /// What a saved text may have of them. A value that the source cut is none.
    fn of(accounting: &mut Accounting, row: &Row) -> Places {
        let mut text = |column| match row.get_cut(column) {
            (b"(null)" | b"None", _) | (_, true) => Text::default(),
            (value, false) => accounting.intern(value),
        };
        Places {
            work_dir: text(Column::WorkDir),
            submit_line: text(Column::SubmitLine),
            stdout: text(Column::StdOut),
            stderr: text(Column::StdErr),
        }
    }
}

impl Said {
    fn stamp(&mut self, text: &[u8]) -> Stamp {
        match values::time(text) {
            values::Moment::Exact(seconds) => {
                self.times_exact = true;
                Stamp::from_unix(seconds)
            }
            values::Moment::Local(seconds) => {
                self.times_local = true;
                Stamp::from_unix(seconds)
            }
            values::Moment::NotYet => Stamp::UNKNOWN,
            values::Moment::NotUnderstood => {
                self.times_unknown += 1;
                Stamp::UNKNOWN
            }
        }
    }

    fn in_words(self, missing: Option<Vec<&'static str>>) -> Vec<String> {
        let mut words = Vec::new();
        let mut say = |count: u64, what: &str| {
            if count > 0 {
                words.push(format!("{}: {what}", counted(count, "row")));
            }
        };
        say(self.ids_cut, "the job id is cut, so that it names no job");
        say(self.lists_cut, "the list of waiting tasks is cut, so that their count is unknown");
        say(self.realigned, "free text holds the separator; read by the shape of the other fields");
        say(self.orphans, "a step of a job that is not in the text");
        say(self.states_unknown, "a state that is cut or not known to this program");
        say(self.times_unknown, "a time in a form that this program does not know");
        if self.not_understood > 0 {
            let lines = counted(self.not_understood, "line");
            let examples = self.examples.join("\u{201d}, \u{201c}");
            words.push(format!("{lines} not understood: \u{201c}{examples}\u{201d}"));
        }
        if self.times_local && self.times_exact {
            words.push("times with and without a zone are mixed: their order is not certain".into());
        } else if self.times_local {
            words.push("times are the cluster's wall clock, its zone is not known".into());
        }
        match missing {
            None => words.push("no header with the field JobID was found: nothing could be read".into()),
            Some(missing) if !missing.is_empty() => {
                words.push(format!("not in this text: {}", missing.join(", ")));
            }
            Some(_) => {}
        }
        words
    }
}

#[cfg(test)]
mod tests;
