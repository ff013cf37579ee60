//! What was submitted by which plan: written before and after each line, so
//! that nothing is ever submitted twice.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ending;
use crate::safety::escape_path;
use crate::sweep::plan::{Plan, Purpose};
use crate::sweep::{Kind, Members};
use crate::sys::{FileError, World, nonce, read_regular};
use crate::terms::{Digest, Time};
use crate::verbs::Error;

/// The form of the records.
const FORMAT: u32 = 1;
/// The largest record.
const LARGEST: usize = 16 << 20;
/// So many records are read.
const MOST: usize = 10_000;
/// The lines are kept as they were run, for they may be run again: for the user
/// alone, in the git directory, from where nothing travels.
const PRIVATE: u32 = 0o600;
/// What is attempted, as a verb.
const READ: &str = "read the record of a submitted plan";

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
    /// Who said, and when, that it did nothing although its end does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub word: Option<String>,
}

/// How far a line came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Progress {
    /// It has not run.
    Planned,
    /// It began. It was cut short, or how it ended does not say whether it did anything:
    /// that is unknown until its job is seen, or a person says that there is none.
    Began,
    /// It ran to its end and said that all is well.
    Done,
    /// It did nothing: it was refused, or a person said so.
    Failed,
}

impl Done {
    /// True if it submits something, and it is unknown whether it did.
    pub fn is_unclear(&self) -> bool {
        self.state == Progress::Began && self.purpose != Purpose::Cancel && self.ids.is_empty()
    }
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
            word: None,
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

    /// True if it is certain that it changed nothing on the cluster.
    pub fn did_nothing(&self) -> bool {
        self.lines.iter().all(|line| match line.state {
            Progress::Planned => true,
            Progress::Failed => line.ids.is_empty() && (line.word.is_some() || ending::is_slurms(&line.text)),
            Progress::Began | Progress::Done => false,
        })
    }

    /// True if of a line that submits it is unknown whether it did.
    pub fn is_unclear(&self) -> bool {
        self.lines.iter().any(Done::is_unclear)
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
        let path = self.path(home);
        if let Some(dir) = path.parent() {
            world.files.ensure_dir(dir)?;
        }
        world.files.create_new(&path, &self.bytes(), PRIVATE, true)
    }

    /// Writes how far it came.
    pub fn write(&self, world: &World, home: &Path) -> Result<(), FileError> {
        let path = match old_path(home, &self.hash) {
            old if old.symlink_metadata().is_ok() => old,
            _ => self.path(home),
        };
        world.files.replace(&path, &self.bytes(), PRIVATE, None).map(|_| ())
    }

    /// Keeps it under a name at which nothing is claimed.
    pub fn set_aside(&self, world: &World, home: &Path) -> Result<(), FileError> {
        let old = old_path(home, &self.hash);
        let from = if old.symlink_metadata().is_ok() { old } else { self.path(home) };
        let mark = nonce::<4>().map_err(|e| FileError::new("read", Path::new("/dev/urandom"), e))?;
        world.files.rename_new(&from, &from.with_extension(format!("failed-{}-{mark}.json", self.at.unix())))
    }

    fn path(&self, home: &Path) -> PathBuf {
        folder(home).join(format!("{}-{}.json", self.hash, mark(&self.sweep)))
    }

    fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

/// Where records were that do not say in their name of which sweep they are.
fn old_path(home: &Path, hash: &str) -> PathBuf {
    folder(home).join(format!("{hash}.json"))
}

fn folder(home: &Path) -> PathBuf {
    home.join("sweeps/plans")
}

/// What stands for a sweep in the names of files: its key is text from outside.
pub fn mark(sweep: &str) -> String {
    Digest::of(sweep.as_bytes()).to_string()[..12].to_owned()
}

/// The record of a plan, if there is one.
///
/// # Errors
/// It cannot be read, or is damaged.
pub fn find(home: &Path, hash: &str) -> Result<Option<Record>, FileError> {
    let Some(name) = names(home)?.into_iter().find(|name| name.hash == hash) else { return Ok(None) };
    read(&name.path).map(Some).map_err(|e| FileError::new(READ, &name.path, e))
}

/// The records of all sweeps, oldest first; what cannot be read is among them.
///
/// # Errors
/// The folder cannot be read.
pub fn all(home: &Path) -> Result<All, FileError> {
    let mut all = All::default();
    for Name { path, mark: own, .. } in names(home)? {
        match read(&path) {
            Ok(record) => all.records.push(record),
            Err(e) => {
                let mark = own.or_else(|| Some(mark(&whose(&path)?)));
                all.damaged.push(Damaged { path, mark, kind: e.kind(), why: e.to_string() });
            }
        }
    }
    all.records.sort_by(|one, other| one.at.cmp(&other.at).then_with(|| one.hash.cmp(&other.hash)));
    Ok(all)
}

/// The records of all sweeps.
#[derive(Debug, Clone, Default)]
pub struct All {
    /// Those that can be read, oldest first.
    pub records: Vec<Record>,
    damaged: Vec<Damaged>,
}

/// A record that cannot be read.
#[derive(Debug, Clone)]
struct Damaged {
    path: PathBuf,
    /// What stands for its sweep; `None` if it may be of any.
    mark: Option<String>,
    kind: io::ErrorKind,
    why: String,
}

impl All {
    /// Looks that every record of a sweep could be read: a damaged one may hold what
    /// must not be submitted twice.
    ///
    /// # Errors
    /// One that may be of it could not.
    pub fn check(&self, sweep: &str) -> Result<(), Error> {
        let own = mark(sweep);
        let Some(one) = self.damaged.iter().find(|one| one.mark.as_ref().is_none_or(|mark| *mark == own))
        else {
            return Ok(());
        };
        let (path, why) = (one.path.clone(), one.why.clone());
        Err(match one.kind {
            io::ErrorKind::InvalidData => Error::PlanRecord { path, is_own: one.mark.is_some(), why },
            kind => FileError::new(READ, &path, io::Error::new(kind, why)).into(),
        })
    }

    /// Those of one sweep alone.
    ///
    /// # Errors
    /// As for [`All::check`].
    pub fn of(&self, sweep: &str) -> Result<Vec<Record>, Error> {
        self.check(sweep)?;
        Ok(self.records.iter().filter(|record| record.sweep == sweep).cloned().collect())
    }

    /// What cannot be read, in words.
    pub fn unread(&self) -> impl Iterator<Item = String> {
        self.damaged.iter().map(|one| format!("{}: {}", escape_path(&one.path), one.why))
    }

    /// What cannot be read and is of other sweeps, in words.
    pub fn unread_of_others(&self, sweep: &str) -> impl Iterator<Item = String> {
        let own = mark(sweep);
        let others =
            self.damaged.iter().filter(move |one| one.mark.as_ref().is_some_and(|mark| *mark != own));
        others.map(|one| {
            let (path, why) = (escape_path(&one.path), &one.why);
            format!("the record of a submitted plan of another sweep, {path}: {why}")
        })
    }
}

/// The name of a record: the plan's hash, and what stands for the sweep.
struct Name {
    path: PathBuf,
    hash: String,
    mark: Option<String>,
}

fn names(home: &Path) -> Result<Vec<Name>, FileError> {
    let folder = folder(home);
    let failed = |e| FileError::new(READ, &folder, e);
    let names = match std::fs::read_dir(&folder) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut all = Vec::new();
    for name in names.take(MOST) {
        let path = name.map_err(failed)?.path();
        let stem = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".json")).unwrap_or_default();
        let (hash, mark) = match stem.split_once('-') {
            Some((hash, mark)) => (hash.to_owned(), Some(mark.to_owned())),
            None => (stem.to_owned(), None),
        };
        if is_hash(&hash) && mark.as_ref().is_none_or(is_hash) {
            all.push(Name { path, hash, mark });
        }
    }
    Ok(all)
}

/// The sweep that a damaged record still names.
fn whose(path: &Path) -> Option<String> {
    let bytes = read_regular(path, LARGEST).ok()??;
    let text = String::from_utf8_lossy(&bytes);
    let (_, after) = text.split_once("\"sweep\":")?;
    serde_json::Deserializer::from_str(after).into_iter::<String>().next()?.ok()
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
    fn a_damaged_record_blocks_its_own_sweep_and_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let (home, world) = (dir.path(), World::real());
        let record = |sweep: &str, hash: &str| Record {
            format: FORMAT,
            hash: hash.to_owned(),
            sweep: sweep.to_owned(),
            name: "lr".to_owned(),
            kind: Kind::Array,
            at: Time::from_unix(1_700_000_000).unwrap(),
            by: "ann@host".to_owned(),
            lines: Vec::new(),
        };
        let (one, other) = (record("8", "aaaaaaaaaaaa"), record("9", "bbbbbbbbbbbb"));
        one.claim(&world, home).unwrap();
        other.claim(&world, home).unwrap();
        assert!(other.claim(&world, home).unwrap_err().already_exists());
        let read = |sweep: &str| {
            let all = all(home).unwrap();
            let own = all.records.iter().filter(|record| record.sweep == sweep).count();
            all.check(sweep).map(|()| (own, all.unread_of_others(sweep).count()))
        };
        assert_eq!((read("8").unwrap(), read("9").unwrap(), read("10").unwrap()), ((1, 0), (1, 0), (0, 0)));
        std::fs::write(other.path(home), "{").unwrap();
        assert_eq!(read("8").unwrap(), (1, 1));
        assert!(read("9").is_err() && find(home, "bbbbbbbbbbbb").is_err());
        // One whose name does not tell: by what is left of it, else it may be anybody's.
        std::fs::remove_file(other.path(home)).unwrap();
        let old = old_path(home, "cccccccccccc");
        let text = String::from_utf8(record("9", "cccccccccccc").bytes()).unwrap();
        std::fs::write(&old, &text).unwrap();
        assert_eq!((read("8").unwrap(), read("9").unwrap()), ((1, 0), (1, 0)));
        std::fs::write(&old, &text[..text.len() - 20]).unwrap();
        assert!(read("8").unwrap() == (1, 1) && read("9").is_err());
        std::fs::write(&old, "{").unwrap();
        assert!(read("8").is_err());
        // What is set aside claims nothing.
        std::fs::remove_file(&old).unwrap();
        one.set_aside(&world, home).unwrap();
        assert_eq!((read("8").unwrap(), find(home, "aaaaaaaaaaaa").unwrap()), ((0, 0), None));
        one.claim(&world, home).unwrap();
        one.set_aside(&world, home).unwrap();
    }

    #[test]
    fn only_a_hash_names_a_record() {
        assert!(is_hash("0123456789ab"));
        assert!(!is_hash("0123456789AB") && !is_hash("../../../abcd") && !is_hash("0123456789ab.failed"));
    }
}
