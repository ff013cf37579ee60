//! Where the files of jobs lie that have left the queue.
//!
//! While slurmctld remembers a job (`MinJobAge`, 300 s by default), `scontrol
//! show job` names its files, and its exit status whole. After that accounting
//! does: `StdOut` and `StdErr` from 24.05 on, before that the work directory
//! and the command line of `sbatch`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::accounting::Places;
use super::local::Asker;
use super::problems::Problems;
use super::{Accounting, Attempt, ExitCode, Job, Look, Nothing, Problem, State, filled, sacct, squeue};
use crate::terms::{JobId, Part};

/// What Slurm still knows of the files of jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Remembered {
    /// The jobs and tasks, in the order of the answers.
    pub jobs: Vec<Files>,
    /// Jobs and arrays of which nothing is known any more, or that were too many.
    pub unknown: Vec<u32>,
    /// What could not be asked, or was not understood.
    pub problems: Vec<Problem>,
    /// How many questions Slurm was asked.
    pub calls: u32,
}

/// One job or task with its files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Files {
    /// The job: ids, name, user, state, nodes, and the paths of its files.
    /// Patterns that cannot be filled from here are left in their names.
    pub job: Job,
    /// Its exit code with the whole status, as slurmctld has it; `None` where
    /// only accounting was left to ask.
    pub exit: Option<ExitCode>,
}

/// So many jobs and arrays are asked for one by one: `scontrol` takes no list.
const MOST_ASKED: usize = 16;

/// The fields that are asked of accounting, free text last.
pub(super) const FIELDS: &str = "JobID,JobIDRaw,User,State,NodeList,StdOut,StdErr,WorkDir,SubmitLine,JobName";

pub(super) fn ask(asker: &Asker, look: &Look, ids: &[u32]) -> Remembered {
    let mut found = Remembered::default();
    let mut problems = Problems::default();
    let mut forgotten: Vec<u32> = Vec::new();
    let mut answers = true;
    for (number, id) in ids.iter().enumerate() {
        if !answers || number >= MOST_ASKED {
            forgotten.push(*id);
            continue;
        }
        let spawn = asker.spawn("scontrol").args(["show", "job", "-o"]).arg(id.to_string());
        let mut said = Problems::default();
        found.calls += 1;
        match asker.ask("scontrol show job", spawn, &mut said) {
            Ok(finished) => {
                problems.extend(said.into_vec());
                found.jobs.extend(records(&finished.stdout));
            }
            Err(Nothing::Unknown(why)) if why.contains("Invalid job id") => forgotten.push(*id),
            Err(_) => {
                problems.extend(said.into_vec());
                forgotten.push(*id);
                answers = false;
            }
        }
    }
    if !forgotten.is_empty() {
        accounted(asker, &forgotten, &mut found, &mut problems);
    }
    found.jobs.retain(|files| {
        let user = &files.job.user;
        user.is_empty() || look.scope.user.as_ref().is_none_or(|wanted| wanted == user)
    });
    let is_known = |id: &u32| found.jobs.iter().any(|files| files.job.id.base == *id);
    found.unknown = ids.iter().copied().filter(|id| !is_known(id)).collect();
    found.problems = problems.into_vec();
    found
}

/// Asks accounting for what slurmctld has forgotten: one question, and one
/// more for each field that the release lacks.
fn accounted(asker: &Asker, ids: &[u32], found: &mut Remembered, problems: &mut Problems) {
    const TRIES: usize = 5;
    let ids = &ids[..ids.len().min(super::MOST_IDS)];
    let list: Vec<String> = ids.iter().map(u32::to_string).collect();
    let mut fields = FIELDS.to_owned();
    for _ in 0..TRIES {
        let spawn = asker.spawn("sacct").args(["-X", "-j", &list.join(",")]);
        let mut said = Problems::default();
        found.calls += 1;
        match asker.ask("sacct", spawn.args(sacct::arguments_for(&fields)), &mut said) {
            Ok(finished) => {
                problems.extend(said.into_vec());
                found.jobs.extend(rows(&finished.stdout, &fields));
                return;
            }
            Err(Nothing::Unknown(why)) => match sacct::without_unknown(&fields, &why) {
                Some(fewer) => fields = fewer,
                None => return problems.extend(said.into_vec()),
            },
            Err(Nothing::NotApplicable(_)) => return,
        }
    }
}

/// Reads `scontrol show job -o`: a record a line, `Key=value` with blanks
/// between, values as they were given. A newline in a name makes two lines.
pub(super) fn records(bytes: &[u8]) -> Vec<Files> {
    let mut records: Vec<Vec<u8>> = Vec::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        match records.last_mut() {
            Some(last) if !line.starts_with(b"JobId=") => {
                last.push(b'\n');
                last.extend_from_slice(line);
            }
            _ if line.starts_with(b"JobId=") => records.push(line.to_vec()),
            _ => {}
        }
    }
    records.iter().filter_map(|record| files_of(&Record(record))).collect()
}

/// The values of a record. The first keys are Slurm's own; of those after the
/// free text the last of a name counts, since a comment may hold anything.
struct Record<'r>(&'r [u8]);

impl<'r> Record<'r> {
    fn first(&self, key: &str) -> Option<&'r [u8]> {
        let key = format!(" {key}=");
        let at = memchr::memmem::find(self.0, key.as_bytes())?;
        Some(until_key(&self.0[at + key.len()..]))
    }

    fn last(&self, key: &str) -> Option<&'r [u8]> {
        let key = format!(" {key}=");
        let at = memchr::memmem::rfind(self.0, key.as_bytes())?;
        Some(until_key(&self.0[at + key.len()..]))
    }

    fn text(&self, key: &str) -> Option<String> {
        self.first(key).map(|value| String::from_utf8_lossy(value).into_owned())
    }
}

/// A value ends before a blank, a word with a capital letter, and `=`.
fn until_key(text: &[u8]) -> &[u8] {
    let mut from = 0;
    while let Some(blank) = memchr::memchr(b' ', &text[from..]).map(|at| from + at) {
        let word = &text[blank + 1..];
        let is_key_byte = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(**byte, b'_' | b'/' | b':');
        let length = word.iter().take_while(is_key_byte).count();
        let is_key =
            word.first().is_some_and(u8::is_ascii_uppercase) && word.get(length) == Some(&b'=') && length > 1;
        if is_key {
            return text[..blank].trim_ascii_end();
        }
        from = blank + 1;
    }
    text.trim_ascii_end()
}

fn files_of(record: &Record) -> Option<Files> {
    let start = record.0.strip_prefix(b"JobId=")?;
    let digits = start.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let raw: u32 = std::str::from_utf8(&start[..digits]).ok()?.parse().ok()?;
    // Between these two there is only the name.
    let text = record.0;
    let name_from = memchr::memmem::find(text, b" JobName=")?;
    let head = Record(&text[..name_from]);
    let name_to = memchr::memmem::find(&text[name_from..], b" UserId=").map(|at| name_from + at)?;
    let name = String::from_utf8_lossy(&text[name_from + b" JobName=".len()..name_to]).into_owned();
    let rest = Record(&text[name_to..]);
    let number = |record: &Record, key: &str| record.text(key).and_then(|text| text.parse::<u32>().ok());
    let id = match (number(&head, "ArrayJobId"), head.text("ArrayTaskId")) {
        // The rest of an array that waits: its tasks have no files yet.
        (Some(array), Some(task)) => JobId::task(array, task.parse().ok()?),
        _ => match (number(&head, "HetJobId"), number(&head, "HetJobOffset")) {
            (Some(base), Some(offset)) => JobId { base, part: Part::Component(offset) },
            _ => JobId::whole(raw),
        },
    };
    let user = rest.text("UserId").unwrap_or_default();
    let job = Job {
        raw_id: Some(raw),
        user: user.split('(').next().unwrap_or_default().to_owned(),
        state: State::read(&rest.text("JobState").unwrap_or_default()),
        reason: squeue::reason(&rest.text("Reason").unwrap_or_default()),
        restarts: number(&rest, "Restarts"),
        node_list: rest.last("NodeList").map(lossy).unwrap_or_default(),
        work_dir: rest.last("WorkDir").and_then(squeue::path),
        stdout: rest.last("StdOut").and_then(squeue::path),
        stderr: rest.last("StdErr").and_then(squeue::path),
        name,
        ..Job::new(id)
    };
    let exit = rest.text("ExitCode").and_then(|text| text.parse().ok());
    Some(Files { job: with_paths(job), exit })
}

/// Reads accounting's rows, `fields` of them, free text last.
pub(super) fn rows(bytes: &[u8], fields: &str) -> Vec<Files> {
    let names: Vec<&str> = fields.split(',').collect();
    let mut rows: Vec<Vec<u8>> = Vec::new();
    // The first line is the header.
    for line in bytes.split(|byte| *byte == b'\n').skip(1) {
        let starts = line.first().is_some_and(u8::is_ascii_digit) && line.contains(&squeue::FIELD);
        match rows.last_mut() {
            _ if starts => rows.push(line.to_vec()),
            Some(last) => {
                last.push(b'\n');
                last.extend_from_slice(line);
            }
            None => {}
        }
    }
    rows.iter().filter_map(|row| files_of_row(row.trim_ascii_end(), &names)).collect()
}

fn files_of_row(row: &[u8], names: &[&str]) -> Option<Files> {
    let values: Vec<&[u8]> = row.splitn(names.len(), |byte| *byte == squeue::FIELD).collect();
    if values.len() != names.len() {
        return None;
    }
    let value = |name: &str| names.iter().position(|own| *own == name).and_then(|at| values.get(at)).copied();
    let text = |name: &str| value(name).map(lossy).unwrap_or_default();
    let mut job = Job {
        raw_id: text("JobIDRaw").parse().ok(),
        user: text("User"),
        state: State::read(&text("State")),
        node_list: Some(text("NodeList")).filter(|nodes| nodes != "None assigned").unwrap_or_default(),
        work_dir: value("WorkDir").and_then(squeue::path),
        stdout: value("StdOut").and_then(squeue::path),
        stderr: value("StdErr").and_then(squeue::path),
        name: text("JobName"),
        ..Job::new(text("JobID").parse().ok()?)
    };
    let line = text("SubmitLine");
    job.stdout = job.stdout.or_else(|| option_of(&line, 'o', "output"));
    job.stderr = job.stderr.or_else(|| option_of(&line, 'e', "error"));
    Some(Files { job: with_paths(job), exit: None })
}

/// Options of `sbatch` that take no value, so that the word behind them may be the script.
const FLAGS: [&str; 20] = [
    "--parsable",
    "--hold",
    "-H",
    "--requeue",
    "--no-requeue",
    "--exclusive",
    "--wait",
    "-W",
    "--quiet",
    "-Q",
    "--verbose",
    "-v",
    "--overcommit",
    "-O",
    "--oversubscribe",
    "-s",
    "--spread-job",
    "--contiguous",
    "--no-kill",
    "-k",
];

/// The value of an option on a command line of `sbatch`, which Slurm keeps
/// joined by blanks; what follows the script is the script's own.
fn option_of(line: &str, short: char, long: &str) -> Option<PathBuf> {
    let mut words = line.split(' ').skip(1).peekable();
    let mut value = None;
    while let Some(word) = words.next().filter(|word| word.starts_with('-')) {
        let (name, given) = match word.split_once('=').filter(|_| word.starts_with("--")) {
            Some((name, given)) => (name, Some(given)),
            // `-oFILE`
            None if !word.starts_with("--") && word.len() > 2 && word.is_char_boundary(2) => {
                (&word[..2], Some(&word[2..]))
            }
            None if FLAGS.contains(&word) => (word, None),
            None => (word, words.next_if(|next| !next.starts_with('-'))),
        };
        let is_it = name.strip_prefix("--") == Some(long)
            || name.strip_prefix('-').is_some_and(|n| n.chars().eq([short]));
        value = given.filter(|_| is_it).or(value);
    }
    value.filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Where the files of these jobs lie by a saved text of accounting, which may
/// have columns for it: of each job its newest attempt.
pub fn files_in(accounting: &Accounting, ids: &BTreeSet<JobId>) -> Vec<Job> {
    let mut newest: BTreeMap<JobId, &Attempt> = BTreeMap::new();
    let has_places = |attempt: &&Attempt| attempt.places != Places::default();
    for attempt in accounting.attempts().iter().filter(has_places).filter(|one| ids.contains(&one.id)) {
        let known = newest.entry(attempt.id).or_insert(attempt);
        if attempt.is_newer_than(known) {
            *known = attempt;
        }
    }
    let job = |attempt: &Attempt| {
        let places = &attempt.places;
        let path = |text| squeue::path(accounting.text(text).as_bytes());
        let line = accounting.text(places.submit_line);
        with_paths(Job {
            raw_id: attempt.raw_id,
            name: accounting.text(attempt.name).to_owned(),
            name_cut: attempt.name_cut,
            user: accounting.text(attempt.user).to_owned(),
            state: attempt.state,
            node_list: accounting.text(attempt.node_list).to_owned(),
            work_dir: path(places.work_dir),
            stdout: path(places.stdout).or_else(|| option_of(line, 'o', "output")),
            stderr: path(places.stderr).or_else(|| option_of(line, 'e', "error")),
            ..Job::new(attempt.id)
        })
    };
    newest.into_values().map(job).collect()
}

/// Makes paths absolute and fills their patterns, as far as they can be.
fn with_paths(mut job: Job) -> Job {
    let whole = |path: Option<PathBuf>| {
        let path = match &job.work_dir {
            Some(dir) => dir.join(path?),
            None => path?,
        };
        Some(filled(&job, &path).unwrap_or(path))
    };
    let files = [whole(job.stdout.clone()), whole(job.stderr.clone())];
    [job.stdout, job.stderr] = files;
    job
}

fn lossy(bytes: &[u8]) -> String {
    match bytes {
        b"(null)" => String::new(),
        bytes => String::from_utf8_lossy(bytes).into_owned(),
    }
}

#[cfg(test)]
mod tests;
