//! What to look at before a sweep is submitted.

mod checks;
mod kept;
mod later;
mod named;
mod script;
mod submitted;

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

pub use checks::parameters_in;
pub use kept::{Record, records_in};
pub(super) use later::of as later;
pub use later::{Departure, Preflighted, Witness};
use serde::{Deserialize, Serialize};

use self::script::Script;
use super::super::{Context, Error, snapshot};
use crate::cluster::Submission;
use crate::config::Source;
use crate::sys::{FileError, read_regular};
use crate::terms::{Bytes, CommitId, Digest};

/// The largest batch script.
const LARGEST_SCRIPT: usize = 4 << 20;

/// What to look at.
#[derive(Debug, Clone)]
pub struct Options {
    /// The batch script.
    pub script: PathBuf,
    /// What it will be given.
    pub arguments: Vec<String>,
    /// How many parameters the model has.
    pub parameters: Option<u64>,
    /// A checkpoint of the same model, whose header tells it.
    pub checkpoint: Option<PathBuf>,
    /// The memory of one GPU, to compare the estimate with.
    pub gpu_memory: Option<Bytes>,
    /// Where past tasks and the nodes are asked for; as the settings say if there is none.
    pub cluster: Option<Source>,
    /// True if nothing is to be written.
    pub dry_run: bool,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The batch script, as it was named.
    pub script: String,
    /// The commit that is checked out; `None` before the first one.
    pub commit: Option<CommitId>,
    /// The checks, in the order in which they were made.
    pub checks: Vec<Check>,
    /// Where the commit and the answers were recorded; `None` if they were not.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Option<PathBuf>"))]
    pub recorded: Option<PathBuf>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Check {
    /// What was looked at.
    pub about: String,
    /// The answer.
    pub verdict: Verdict,
    /// The answer in words.
    pub text: String,
    /// What it rests on: paths and lines.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The command that does it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// The answer of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// All is well.
    Well,
    /// It could not be found out, or does not apply here.
    NotChecked,
    /// Look at it first.
    Finding,
    /// The jobs would fail.
    WouldFail,
}

impl Outcome {
    /// The worst answer.
    pub fn worst(&self) -> Verdict {
        self.checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Well)
    }

    /// True if the commit holds everything that decides what the sweep does.
    pub fn is_committed(&self) -> bool {
        let mut own = self.checks.iter().filter(|check| check.about == checks::COMMITTED);
        own.all(|check| check.verdict == Verdict::Well)
    }
}

/// Looks at everything, and records the commit with the answers.
///
/// # Errors
/// The script cannot be read, git does not answer, or the record cannot be written.
pub fn run(context: &Context, here: &Path, options: &Options) -> Result<Outcome, Error> {
    let path = here.join(&options.script);
    let text = text(&path)?;
    let script = Script::read(&text);
    let name = options.script.to_string_lossy();
    let submission = Submission::of_script(&text, &name);
    let submission = submission.as_ref();
    let job = submission.and_then(|submission| submission.option(Some('J'), "--job-name"));
    // Its id nobody knows yet.
    let settings = context.config.sweeps.of("", job.unwrap_or(&name));
    let snapshot = snapshot::take(context, options.cluster.as_ref())?;
    let checks = vec![
        checks::committed(context, &path, &settings.relevant)?,
        submitted::shell(context.world, &script, &path, &text),
        submitted::directives(&script),
        submitted::files(&script, &text, here, submission),
        checks::logs(context, here, submission),
        submitted::host_memory(&snapshot, submission),
        checks::memory(here, options),
        checks::one_batch(context, &text, options),
        checks::slurm(context, here, options),
    ];
    let mut outcome = Outcome {
        script: name.into_owned(),
        commit: context.repository.history().resolve("HEAD")?,
        checks,
        recorded: None,
    };
    if !options.dry_run {
        let real = std::fs::canonicalize(&path).unwrap_or(path);
        let record = Record {
            at: context.now,
            name: job_name(job, &options.script),
            path: real.to_str().map(str::to_owned),
            digest: Some(Digest::of(text.as_bytes())),
            outcome: outcome.clone(),
        };
        outcome.recorded = Some(kept::add(context, record)?);
    }
    Ok(outcome)
}

/// The numbers of the lines of a batch script of which a check has something to say.
pub fn lines_in(text: &str) -> Vec<usize> {
    let script = Script::read(text);
    let mut lines: Vec<usize> = script.bad_values().into_iter().map(|(line, _)| line).collect();
    lines.extend(script.ignored.iter().chain(&script.first_command));
    lines.extend(named::named(text).into_iter().map(|named| named.line));
    lines
}

/// What Slurm calls the jobs of a script: what it says itself, else its file's name.
fn job_name(said: Option<&str>, script: &Path) -> Option<String> {
    said.or_else(|| script.file_name()?.to_str()).map(str::to_owned)
}

/// The text of a batch script.
fn text(path: &Path) -> Result<String, Error> {
    let shown = crate::safety::escape_path(path);
    let wrong = |what: String| {
        let hint = "name a batch script: a regular file of text, of at most 4 MiB".to_owned();
        Error::Usage { what: format!("{shown} {what}"), hint }
    };
    let unreadable = |source| Error::from(FileError::new("read the batch script", path, source));
    match std::fs::metadata(path) {
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            let what = format!("there is no batch script {shown}");
            return Err(Error::Usage { what, hint: "name it as seen from here, or with -C DIR".to_owned() });
        }
        Err(e) => return Err(unreadable(e)),
        Ok(meta) if meta.is_dir() => return Err(wrong("is a folder, no batch script".to_owned())),
        Ok(meta) if !meta.is_file() => {
            return Err(wrong("is a pipe or a device, no batch script".to_owned()));
        }
        Ok(meta) if meta.len() > LARGEST_SCRIPT as u64 => {
            return Err(wrong(format!("has {}, which no batch script has", Bytes(meta.len()))));
        }
        Ok(_) => {}
    }
    let bytes = read_regular(path, LARGEST_SCRIPT).map_err(unreadable)?.unwrap_or_default();
    match bytes.iter().position(|byte| *byte == 0) {
        Some(at) => Err(wrong(format!("is no text: byte {at} of it is NUL"))),
        None => Ok(String::from_utf8_lossy(&bytes).into_owned()),
    }
}
