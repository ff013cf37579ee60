//! What was submitted by which plan: written before and after each line, so
//! that nothing is ever submitted twice.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::sweep::plan::{Plan, Purpose};
use crate::sweep::{Kind, Members};
use crate::sys::{FileError, World, read_regular};
use crate::terms::Time;

/// The form of the records.
const FORMAT: u32 = 1;
/// The largest record.
const LARGEST: usize = 16 << 20;
/// So many records are read.
const MOST: usize = 10_000;

/// What was done with one plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Record {
    /// The form of this record.
    pub format: u32,
    /// The plan's hash.
    pub hash: String,
    /// The sweep.
    pub sweep: String,
    /// The jobs' name.
    pub name: String,
    /// What holds the sweep together.
    pub kind: Kind,
    /// When it was submitted.
    pub at: Time,
    /// Who submitted it: user and host.
    pub by: String,
    /// The lines, in the order in which they run.
    pub lines: Vec<Done>,
}

/// One line, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Done {
    /// The line.
    pub text: String,
    /// The tasks that it is about.
    pub tasks: Members,
    /// What it does with them.
    pub purpose: Purpose,
    /// Why, as the plan said it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// How far it came.
    pub state: Progress,
    /// Its exit code; 128 and the signal where one ended it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// The jobs that it says it submitted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ids: Vec<u32>,
    /// The last thing it complained about: text from outside.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub complaint: String,
}

/// How far a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It has not run.
    Planned,
    /// It began; if nothing else is known, whether it did anything is unknown.
    Began,
    /// It ran to its end and said that all is well.
    Done,
    /// It ran to its end and said that it failed.
    Failed,
}

impl Record {
    /// A record of a plan of which nothing has run.
    pub fn of(plan: &Plan, kind: Kind, hash: &str, at: Time, by: String) -> Record {
        let lines = plan.runnable_with_why().map(|(why, line)| Done {
            why: why.to_owned(),
            text: line.text.clone(),
            tasks: line.tasks.clone(),
            purpose: line.purpose,
            state: Progress::Planned,
            code: None,
            ids: Vec::new(),
            complaint: String::new(),
        });
        Record {
            format: FORMAT,
            hash: hash.to_owned(),
            sweep: plan.sweep.clone(),
            name: plan.name.clone(),
            kind,
            at,
            by,
            lines: lines.collect(),
        }
    }

    /// True if every line was done.
    pub fn is_whole(&self) -> bool {
        self.lines.iter().all(|line| line.state == Progress::Done)
    }

    /// True if it is certain that it changed nothing on the cluster: the first
    /// line failed, and that was Slurm's own command.
    pub fn did_nothing(&self) -> bool {
        let is_slurms = |text: &str| text.starts_with("sbatch ") || text.starts_with("scancel ");
        self.lines.iter().all(|line| match line.state {
            Progress::Planned => true,
            Progress::Failed => line.ids.is_empty() && is_slurms(&line.text),
            Progress::Began | Progress::Done => false,
        })
    }

    /// The jobs that it made.
    pub fn ids(&self) -> Vec<u32> {
        self.lines.iter().flat_map(|line| line.ids.iter().copied()).collect()
    }

    /// Claims a plan: writes its record, which must not be there yet.
    ///
    /// # Errors
    /// It is there ([`FileError::already_exists`]), or cannot be written.
    pub fn claim(&self, world: &World, home: &Path) -> Result<(), FileError> {
        let path = path(home, &self.hash);
        if let Some(dir) = path.parent() {
            world.files.ensure_dir(dir)?;
        }
        world.files.create_new(&path, &self.bytes(), 0o644, true)
    }

    /// Writes how far it came.
    pub fn write(&self, world: &World, home: &Path) -> Result<(), FileError> {
        world.files.replace(&path(home, &self.hash), &self.bytes(), 0o644, None).map(|_| ())
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

/// Where the record of a plan is.
pub fn path(home: &Path, hash: &str) -> PathBuf {
    folder(home).join(format!("{hash}.json"))
}

fn folder(home: &Path) -> PathBuf {
    home.join("sweeps/plans")
}

/// The record of a plan, if there is one.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn find(home: &Path, hash: &str) -> Result<Option<Record>, FileError> {
    let path = path(home, hash);
    match read(&path) {
        Ok(record) => Ok(Some(record)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(FileError::new("read the record of a submitted plan", &path, e)),
    }
}

/// Every record of a sweep, oldest first. A damaged one is an error: it may
/// hold what must not be submitted twice.
///
/// # Errors
/// The folder or a record cannot be read.
pub fn of_sweep(home: &Path, sweep: &str) -> Result<Vec<Record>, FileError> {
    let mut own = all(home)?;
    own.retain(|record| record.sweep == sweep);
    Ok(own)
}

/// The records of all sweeps, oldest first.
///
/// # Errors
/// As for [`of_sweep`].
pub fn all(home: &Path) -> Result<Vec<Record>, FileError> {
    let folder = folder(home);
    let failed = |path: &Path, e| FileError::new("read the record of a submitted plan", path, e);
    let names = match std::fs::read_dir(&folder) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(&folder, e)),
    };
    let mut all = Vec::new();
    for name in names.take(MOST) {
        let path = name.map_err(|e| failed(&folder, e))?.path();
        let is_record =
            path.file_stem().is_some_and(is_hash) && path.extension().is_some_and(|e| e == "json");
        if !is_record {
            continue;
        }
        all.push(read(&path).map_err(|e| failed(&path, e))?);
    }
    all.sort_by(|one, other| one.at.cmp(&other.at).then_with(|| one.hash.cmp(&other.hash)));
    Ok(all)
}

/// True for the name of a record: a hash of twelve digits.
pub fn is_hash(text: impl AsRef<std::ffi::OsStr>) -> bool {
    let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    text.as_ref().to_str().is_some_and(|text| text.len() == 12 && text.bytes().all(is_digit))
}

fn read(path: &Path) -> io::Result<Record> {
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let bytes = read_regular(path, LARGEST)?.ok_or_else(|| damaged("it is no regular file".to_owned()))?;
    read_bytes(&bytes).map_err(damaged)
}

/// Reads one record.
///
/// # Errors
/// In words: it is damaged, or of a form that this program does not know.
pub fn read_bytes(bytes: &[u8]) -> Result<Record, String> {
    let record: Record = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if record.format != FORMAT {
        return Err("it has a form that this program does not know".to_owned());
    }
    Ok(record)
}

/// The jobs that a line says it submitted: `Submitted batch job 7`, wherever in
/// its output, or what `sbatch --parsable` prints.
pub fn submitted(output: &str, line: &str) -> Vec<u32> {
    let number = |text: &str| {
        let digits: String = text.trim_start().chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    };
    let said = output.match_indices("Submitted batch job ");
    let mut ids: Vec<u32> = said.filter_map(|(at, words)| number(&output[at + words.len()..])).collect();
    if ids.is_empty() && line.contains("--parsable") {
        ids.extend(
            output
                .lines()
                .filter(|line| {
                    line.split(';')
                        .next()
                        .is_some_and(|id| !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()))
                })
                .filter_map(number),
        );
    }
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_jobs_are_read_from_what_a_line_prints() {
        assert_eq!(
            submitted("make: x\nSubmitted batch job 17\nSubmitted batch job 18 on cluster a\n", ""),
            [17, 18]
        );
        assert_eq!(submitted("17;gpu\n", "sbatch --parsable x"), [17]);
        assert_eq!(submitted("17\n", "sbatch x"), [0; 0]);
        assert_eq!(submitted("Submitted batch job 99999999999", ""), [0; 0]);
    }

    #[test]
    fn only_a_hash_names_a_record() {
        assert!(is_hash("0123456789ab"));
        assert!(!is_hash("0123456789AB") && !is_hash("../../../abcd") && !is_hash("0123456789ab.failed"));
    }
}
