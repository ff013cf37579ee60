//! What a person says is dealt with: a sweep that is over asks for nothing any
//! more, until something new happens to it.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{find, look};
use crate::cluster::State;
use crate::config::Source;
use crate::safety::{Redactions, clip, escape, one_line, redact};
use crate::sweep::memory::Memory;
use crate::sweep::{Evidence, Kind, Members, Sweep};
use crate::sys::{FileError, read_regular};
use crate::terms::{Digest, TaskIds, Time};
use crate::verbs::sweep::examine::Place;
use crate::verbs::{Context, Error};

/// The form of a statement.
const FORMAT: u32 = 1;
/// The largest statement, in bytes.
const LARGEST: usize = 1 << 20;
/// So many statements are read.
const MOST: usize = 10_000;
/// So many characters of a reason are kept.
const LONGEST: usize = 500;

/// What somebody said of a sweep. Statements are only ever added: the newest of
/// a sweep counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Statement {
    /// The form of this statement.
    pub format: u32,
    /// The sweep: the array's id, or the name.
    pub sweep: String,
    /// The jobs' name.
    pub name: String,
    /// What holds the sweep together.
    pub kind: Kind,
    /// When it was said.
    pub at: Time,
    /// By whom: user and host.
    pub by: String,
    /// Why it is dealt with; `None` takes back what was said before.
    pub because: Option<String>,
    /// The tasks that had failed then.
    pub failed: Members,
}

impl Statement {
    /// Why it is dealt with, as it was said: text from outside.
    pub fn reason(&self) -> &str {
        self.because.as_deref().unwrap_or("taken back")
    }

    /// The same in one sentence, escaped.
    pub fn in_words(&self) -> String {
        let because = clip(&escape(self.reason()), LONGEST);
        format!("settled {} by {}: {because}", self.at, one_line(&self.by, 80))
    }

    /// True if nothing has happened to the sweep since: no job of it is alive,
    /// and nothing failed that had not failed then.
    fn holds(&self, is_live: bool, failed: &TaskIds, evidence: &[Evidence]) -> bool {
        let is_later = |task: &Evidence| {
            task.state.is_failure()
                && (!self.failed.0.contains(task.member) || task.ended.is_some_and(|ended| ended > self.at))
        };
        !is_live && failed.difference(&self.failed.0).is_empty() && !evidence.iter().any(is_later)
    }
}

/// What was said of the sweeps of a repository.
#[derive(Debug, Clone, Default)]
pub struct Settled {
    newest: BTreeMap<(String, String), Statement>,
    /// Why that is not known, in words.
    pub unread: Option<String>,
}

impl Settled {
    /// Reads all statements; nothing without a `home`. One that cannot be read
    /// is told in words, and settles nothing.
    pub fn read(home: Option<&Path>) -> Settled {
        let Some(home) = home else { return Settled::default() };
        let mut settled = Settled::default();
        match all(home) {
            Ok(statements) => {
                for one in statements {
                    settled.newest.insert((one.sweep.clone(), one.name.clone()), one);
                }
            }
            Err(error) => settled.unread = Some(format!("which sweeps are settled: {error}")),
        }
        settled
    }

    /// What was said of a sweep and not taken back.
    pub fn said_of(&self, key: &str, name: &str) -> Option<&Statement> {
        let said = self.newest.get(&(key.to_owned(), name.to_owned()))?;
        said.because.is_some().then_some(said)
    }

    /// The same, if it still holds for what is known of the sweep now.
    pub fn of(&self, sweep: &Sweep, evidence: &[Evidence]) -> Option<&Statement> {
        let is_live = sweep.states.keys().any(|state| state.is_live());
        let nothing = TaskIds::default();
        self.said_of(&sweep.key, &sweep.name).filter(|said| said.holds(is_live, &nothing, evidence))
    }

    /// The same for what is remembered of a sweep, of which `evidence` may be a part alone.
    pub fn of_memory(&self, memory: &Memory, evidence: &[Evidence]) -> Option<&Statement> {
        let failed = memory.tasks_in(State::is_failure);
        let said = self.said_of(&memory.look.key, &memory.look.name)?;
        said.holds(!memory.is_over(), &failed, evidence).then_some(said)
    }
}

/// Says that a sweep is dealt with, or takes that back if there is no reason.
///
/// # Errors
/// There is no such sweep; it is not over; nothing was said that could be taken
/// back; the statement cannot be written.
pub fn run(
    context: &Context,
    source: Option<&Source>,
    wanted: &str,
    because: Option<&str>,
) -> Result<Statement, Error> {
    let place = Place::of(context);
    let snapshot = look(context, source, Some(wanted))?;
    let submitted = place.submitted_again();
    let found = find(&snapshot, Some(wanted), &submitted)?;
    let Some(mut sweep) = found.sweeps.into_iter().next() else {
        return Err(Error::NoSweep { wanted: wanted.to_owned() });
    };
    submitted.count(&mut sweep, &snapshot);
    let name = one_line(&sweep.key, 60);
    let usage = |what: String, hint: &str| Error::Usage { what, hint: hint.to_owned() };
    let live: usize = sweep.states.iter().filter(|(state, _)| state.is_live()).map(|(_, count)| *count).sum();
    match because {
        Some(because) if because.trim().is_empty() => {
            return Err(usage("no reason was given".to_owned(), "say why: --because TEXT"));
        }
        Some(_) if live > 0 => {
            let what = format!("sweep {name} is not over: {live} of its tasks wait or run");
            return Err(usage(what, "see what becomes of them: handover watch"));
        }
        None if Settled::read(Some(&context.home())).said_of(&sweep.key, &sweep.name).is_none() => {
            let what = format!("nobody said of sweep {name} that it is settled");
            return Err(usage(what, "see how the sweeps stand: handover sweep"));
        }
        _ => {}
    }
    let environment = &context.world.environment;
    let statement = Statement {
        format: FORMAT,
        sweep: sweep.key.clone(),
        name: sweep.name.clone(),
        kind: sweep.kind,
        at: context.now,
        by: format!("{}@{}", environment.user(), environment.host()),
        because: because
            .map(|because| redact(&clip(because.trim(), LONGEST), &mut Redactions::new()).into_owned()),
        failed: sweep.failed_tasks.clone(),
    };
    statement.write(context)?;
    Ok(statement)
}

impl Statement {
    fn write(&self, context: &Context) -> Result<(), FileError> {
        let bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        let folder = folder(&context.home());
        context.world.files.ensure_dir(&folder)?;
        let digest: String = Digest::of(&bytes).to_string().chars().take(12).collect();
        let path = folder.join(format!("{}-{digest}.json", self.at.unix()));
        match context.world.files.create_new(&path, &bytes, 0o644, true) {
            // The same was said at the same moment.
            Err(error) if error.already_exists() => Ok(()),
            wrote => wrote,
        }
    }
}

fn folder(home: &Path) -> PathBuf {
    home.join("sweeps/settled")
}

/// All statements, oldest first.
fn all(home: &Path) -> Result<Vec<Statement>, FileError> {
    let folder = folder(home);
    let failed = |path: &Path, e| FileError::new("read what was said of a sweep", path, e);
    let names = match std::fs::read_dir(&folder) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(&folder, e)),
    };
    let mut all = Vec::new();
    for name in names.take(MOST) {
        let path = name.map_err(|e| failed(&folder, e))?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        all.push(read(&path).map_err(|e| failed(&path, e))?);
    }
    // Of one second the one that takes back stands last: that asks again.
    all.sort_by_key(|one| (one.at, one.because.is_none()));
    Ok(all)
}

fn read(path: &Path) -> io::Result<Statement> {
    let damaged = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
    let bytes = read_regular(path, LARGEST)?.ok_or_else(|| damaged("it is no regular file".to_owned()))?;
    read_bytes(&bytes).map_err(damaged)
}

/// Reads one statement.
///
/// # Errors
/// In words: it is damaged, or of a form that this program does not know.
pub fn read_bytes(bytes: &[u8]) -> Result<Statement, String> {
    let statement: Statement = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if statement.format != FORMAT {
        return Err("it has a form that this program does not know".to_owned());
    }
    Ok(statement)
}
