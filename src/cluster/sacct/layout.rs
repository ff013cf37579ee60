//! Where the fields of a row are, learned from the header.

use super::values;
use crate::cluster::State;

/// The fields that are read; a text may have others, in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    JobId,
    JobIdRaw,
    User,
    Partition,
    State,
    ExitCode,
    DerivedExitCode,
    ElapsedRaw,
    Elapsed,
    TimelimitRaw,
    Timelimit,
    Submit,
    Start,
    End,
    MaxRss,
    NodeList,
    WorkDir,
    SubmitLine,
    StdOut,
    StdErr,
    JobName,
}

const COLUMNS: [(Column, &str); 21] = [
    (Column::JobId, "JobID"),
    (Column::JobIdRaw, "JobIDRaw"),
    (Column::User, "User"),
    (Column::Partition, "Partition"),
    (Column::State, "State"),
    (Column::ExitCode, "ExitCode"),
    (Column::DerivedExitCode, "DerivedExitCode"),
    (Column::ElapsedRaw, "ElapsedRaw"),
    (Column::Elapsed, "Elapsed"),
    (Column::TimelimitRaw, "TimelimitRaw"),
    (Column::Timelimit, "Timelimit"),
    (Column::Submit, "Submit"),
    (Column::Start, "Start"),
    (Column::End, "End"),
    (Column::MaxRss, "MaxRSS"),
    (Column::NodeList, "NodeList"),
    (Column::WorkDir, "WorkDir"),
    (Column::SubmitLine, "SubmitLine"),
    (Column::StdOut, "StdOut"),
    (Column::StdErr, "StdErr"),
    (Column::JobName, "JobName"),
];

/// Fields in which people write what they like, separators included.
const FREE_TEXT: [&str; 11] = [
    "JobName",
    "AdminComment",
    "Comment",
    "SystemComment",
    "SubmitLine",
    "WorkDir",
    "Extra",
    "Container",
    "StdIn",
    "StdOut",
    "StdErr",
];

/// The fields of one row, by column; absent ones are empty.
pub(super) struct Row<'l> {
    fields: [&'l [u8]; COLUMNS.len()],
    cut: u32,
    /// True if free text held the separator, and the fields were found by shape.
    pub(super) realigned: bool,
}

impl<'l> Row<'l> {
    fn new() -> Row<'l> {
        Row { fields: [b""; COLUMNS.len()], cut: 0, realigned: false }
    }

    pub(super) fn get(&self, column: Column) -> &'l [u8] {
        self.fields[column as usize]
    }

    /// A text, and whether the source cut it: fixed columns end such a value
    /// with a plus sign, which is taken off.
    pub(super) fn get_cut(&self, column: Column) -> (&'l [u8], bool) {
        let field = self.get(column);
        match self.cut & 1 << column as usize {
            0 => (field, false),
            _ => (field.strip_suffix(b"+").unwrap_or(field), true),
        }
    }

    /// Empties the fields in which the other row differs; false if it differs
    /// in the job or in its state.
    fn agree(&mut self, other: &Row<'l>) -> bool {
        let name = Column::JobName as usize;
        for (column, (field, other)) in self.fields.iter_mut().zip(other.fields).enumerate() {
            if *field == other {
                continue;
            }
            // Separators are far more likely in names than in paths beside them.
            *field = match column {
                column if column != name => b"",
                _ if field.len() < other.len() => other,
                _ => field,
            };
        }
        [Column::JobId, Column::State].into_iter().all(|column| self.get(column) == other.get(column))
    }

    /// True if every field that is read has a value of its kind.
    fn is_sound(&self, layout: &Layout) -> bool {
        let timely = |column| values::time(self.get(column)) != values::Moment::NotUnderstood;
        let code = |column| {
            let text = self.get(column);
            text.is_empty() || values::exit_code(text).is_some()
        };
        let has = |column: Column| layout.at[column as usize].is_some();
        let numeric = |column| {
            let text = self.get(column);
            text.is_empty() || values::number(text).is_some()
        };
        let word = |text: &[u8]| matches!(text, b"UNLIMITED" | b"Partition_Limit" | b"INVALID");
        let limited = |column| {
            let text = self.get(column);
            text.is_empty() || word(text) || values::duration(text).is_some()
        };
        let numeric_or_word = |column| word(self.get(column)) || numeric(column);
        values::row_id(self.get(Column::JobId)).is_some()
            && (!has(Column::State) || values::state(self.get(Column::State)).0 != State::Unknown)
            && code(Column::ExitCode)
            && code(Column::DerivedExitCode)
            && numeric(Column::ElapsedRaw)
            && numeric_or_word(Column::TimelimitRaw)
            && limited(Column::Timelimit)
            && (!has(Column::Elapsed) || values::duration(self.get(Column::Elapsed)).is_some())
            && [Column::Submit, Column::Start, Column::End].into_iter().all(timely)
    }
}

#[derive(Debug)]
enum Kind {
    Separated {
        delimiter: Vec<u8>,
        /// Where each field of the last line that was split ends.
        ends: Vec<usize>,
        /// Which columns are free text.
        free: Vec<usize>,
    },
    /// Columns of bytes; empty until the line of dashes was seen.
    Fixed { spans: Vec<(usize, usize)> },
}

/// Which column is where.
#[derive(Debug)]
pub(super) struct Layout {
    names: Vec<String>,
    at: [Option<usize>; COLUMNS.len()],
    kind: Kind,
}

impl Layout {
    /// Reads a header: names of fields with one delimiter or with blanks
    /// between them, `JobID` among them.
    pub(super) fn of_header(line: &[u8]) -> Option<Layout> {
        let text = std::str::from_utf8(line).ok().filter(|text| text.len() < 8192)?;
        let name = |c: char| c.is_ascii_alphanumeric();
        let first = text.find(|c| !name(c)).unwrap_or(text.len());
        let after = &text[first..];
        let delimiter = &after[..after.find(name).unwrap_or(after.len())];
        let fixed = delimiter.bytes().all(|byte| byte == b' ');
        let names: Vec<String> = if fixed {
            text.split_ascii_whitespace().map(str::to_owned).collect()
        } else {
            text.split(delimiter).map(str::to_owned).collect()
        };
        let find = |wanted: &str| names.iter().position(|name| name == wanted);
        let mut at = COLUMNS.map(|(_, name)| find(name));
        // With the raw id alone an array's tasks are jobs of their own.
        let id = &mut at[Column::JobId as usize];
        *id = id.or(find("JobIDRaw"));
        (id.is_some() && find("State").is_some()).then_some(())?;
        let kind = if fixed {
            Kind::Fixed { spans: Vec::new() }
        } else {
            let free = |name: &&str| FREE_TEXT.contains(name);
            Kind::Separated {
                delimiter: delimiter.as_bytes().to_vec(),
                ends: Vec::with_capacity(names.len()),
                free: (0..names.len()).filter(|i| free(&names[*i].as_str())).collect(),
            }
        };
        Some(Layout { names, at, kind })
    }

    /// The fields that matter and are not in this text.
    pub(super) fn missing(&self) -> Vec<&'static str> {
        let has = |column: Column| self.at[column as usize].is_some();
        let mut missing = Vec::new();
        if !self.names.iter().any(|name| name == "JobID") {
            missing.push("JobID");
        }
        missing.extend(
            [Column::ExitCode, Column::JobName, Column::Submit, Column::Start]
                .into_iter()
                .filter(|column| !has(*column))
                .map(|column| COLUMNS[column as usize].1),
        );
        if !has(Column::Elapsed) && !has(Column::ElapsedRaw) {
            missing.push("Elapsed");
        }
        missing
    }

    /// True for the dashes below a header of fixed columns, if they are due.
    pub(super) fn is_own_ruler(&self, line: &[u8]) -> bool {
        matches!(&self.kind, Kind::Fixed { spans } if spans.is_empty())
            && line.starts_with(b"-")
            && line.iter().all(|byte| matches!(byte, b'-' | b' '))
    }

    /// Learns the columns from the dashes.
    pub(super) fn rule(&mut self, line: &[u8]) {
        let Kind::Fixed { spans } = &mut self.kind else { return };
        let mut start = 0;
        for end in memchr::memchr_iter(b' ', line).chain([line.len()]) {
            if end > start {
                spans.push((start, end));
            }
            start = end + 1;
        }
        if spans.len() != self.names.len() {
            spans.clear();
        }
    }

    /// True if a record may begin with this line.
    pub(super) fn starts_record(&self, line: &[u8]) -> bool {
        match &self.kind {
            Kind::Fixed { spans } => {
                let id = self.at[Column::JobId as usize].and_then(|at| spans.get(at));
                id.and_then(|&(start, end)| line.get(start..end.min(line.len())))
                    .is_some_and(|id| id.trim_ascii().first().is_some_and(u8::is_ascii_digit))
            }
            Kind::Separated { delimiter, .. } if self.begins_with_id() => {
                line.first().is_some_and(u8::is_ascii_digit)
                    && memchr::memmem::find(line, delimiter)
                        .is_some_and(|end| values::row_id(&line[..end]).is_some())
            }
            Kind::Separated { .. } => !line.trim_ascii().is_empty() && !self.is_header(line),
        }
    }

    /// True if a record must begin with this line, whatever came before.
    pub(super) fn starts_surely(&mut self, line: &[u8]) -> bool {
        if matches!(self.kind, Kind::Fixed { .. }) || self.begins_with_id() {
            return self.starts_record(line);
        }
        self.split(line) && self.row(line).is_some_and(|row| row.is_sound(self))
    }

    fn begins_with_id(&self) -> bool {
        self.at[Column::JobId as usize] == Some(0)
    }

    fn is_header(&self, line: &[u8]) -> bool {
        self.names.first().is_some_and(|name| line.starts_with(name.as_bytes()))
            && Layout::of_header(line).is_some()
    }

    /// True if a row ends with the job's name, which then may hold newlines.
    pub(super) fn ends_in_name(&self) -> bool {
        self.begins_with_id()
            && self.at[Column::JobName as usize].is_some_and(|at| at + 1 == self.names.len())
            && matches!(self.kind, Kind::Separated { .. })
    }

    /// True if the line is this layout's own header, as two texts in one have it.
    pub(super) fn is_own_header(&self, line: &[u8]) -> bool {
        self.is_header(line) && Layout::of_header(line).is_some_and(|other| other.names == self.names)
    }

    /// Finds the fields; false if the record must go on in the next line.
    pub(super) fn split(&mut self, line: &[u8]) -> bool {
        let Kind::Separated { delimiter, ends, .. } = &mut self.kind else { return true };
        ends.clear();
        match delimiter.as_slice() {
            [byte] => ends.extend(memchr::memchr_iter(*byte, line)),
            more => ends.extend(memchr::memmem::find_iter(line, more)),
        }
        ends.push(line.len());
        ends.len() >= self.names.len()
    }

    /// The fields of the line that was split last; `None` if they cannot be
    /// told apart.
    pub(super) fn row<'l>(&self, line: &'l [u8]) -> Option<Row<'l>> {
        match &self.kind {
            Kind::Fixed { spans } => self.fixed_row(line, spans),
            Kind::Separated { delimiter, ends, free } => {
                let extra = ends.len() - self.names.len();
                if extra == 0 {
                    return Some(self.separated_row(line, delimiter.len(), ends, |at| (at, at)));
                }
                self.realigned_row(line, delimiter.len(), ends, free, extra)
            }
        }
    }

    fn separated_row<'l>(
        &self,
        line: &'l [u8],
        delimiter: usize,
        ends: &[usize],
        // From a column to its first and last piece.
        pieces: impl Fn(usize) -> (usize, usize),
    ) -> Row<'l> {
        let mut row = Row::new();
        for (field, at) in row.fields.iter_mut().zip(&self.at) {
            let Some(at) = at else { continue };
            let (first, last) = pieces(*at);
            let start = if first == 0 { 0 } else { ends[first - 1] + delimiter };
            *field = line[start..ends[last]].trim_ascii();
        }
        row
    }

    /// Free text holds the separator: tries every way in which the pieces can
    /// belong to the free columns, and takes what all ways agree on in which
    /// the other fields make sense; what they do not agree on is left empty.
    fn realigned_row<'l>(
        &self,
        line: &'l [u8],
        delimiter: usize,
        ends: &[usize],
        free: &[usize],
        extra: usize,
    ) -> Option<Row<'l>> {
        const MOST_WAYS: usize = 5000;
        let mut found: Option<Row> = None;
        let mut share = vec![0; free.len()];
        *share.last_mut()? = extra;
        for _ in 0..MOST_WAYS {
            let row = self.separated_row(line, delimiter, ends, |at| {
                let before: usize =
                    free.iter().zip(&share).filter(|(column, _)| **column < at).map(|(_, n)| n).sum();
                let own = free.iter().position(|column| *column == at).map_or(0, |i| share[i]);
                (at + before, at + before + own)
            });
            if row.is_sound(self) {
                match &mut found {
                    None => found = Some(row),
                    Some(found) => found.agree(&row).then_some(())?,
                }
            }
            if !next_share(&mut share) {
                break;
            }
        }
        found.map(|row| Row { realigned: true, ..row })
    }

    fn fixed_row<'l>(&self, line: &'l [u8], spans: &[(usize, usize)]) -> Option<Row<'l>> {
        if spans.is_empty() {
            return None;
        }
        // sacct counts bytes; a release or a terminal that counts characters
        // would shift what follows a name that is not ASCII.
        let mut starts: Vec<usize> = Vec::new();
        if !fits(line, spans, |at| at) {
            starts = std::str::from_utf8(line).ok()?.char_indices().map(|(at, _)| at).collect();
        }
        let place = |at: usize| {
            if starts.is_empty() { at } else { starts.get(at).copied().unwrap_or(line.len()) }
        };
        if !fits(line, spans, place) {
            return None;
        }
        let mut row = Row::new();
        for (column, at) in self.at.iter().enumerate() {
            let Some((start, end)) = at.and_then(|at| spans.get(at)) else { continue };
            let raw = line.get(place(*start)..place(*end).min(line.len())).unwrap_or_default();
            let field = raw.trim_ascii();
            if field.len() == raw.len() && field.ends_with(b"+") {
                row.cut |= 1 << column;
            }
            row.fields[column] = field;
        }
        Some(row)
    }
}

/// True if a blank stands between all columns.
fn fits(line: &[u8], spans: &[(usize, usize)], place: impl Fn(usize) -> usize) -> bool {
    spans.iter().all(|&(_, end)| line.get(place(end)).is_none_or(|byte| *byte == b' '))
}

/// The next way to share a number out; false after the last one.
fn next_share(share: &mut [usize]) -> bool {
    // Moves one from the last column that has any to the one before it, and
    // brings the rest back to the end.
    let Some(from) = (1..share.len()).rev().find(|i| share[*i] > 0) else { return false };
    let rest = share[from] - 1;
    share[from] = 0;
    share[from - 1] += 1;
    if let Some(last) = share.last_mut() {
        *last += rest;
    }
    true
}
