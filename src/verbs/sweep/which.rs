//! Which sweep a word means: a name, an id, or the beginning of a name.

use serde::Serialize;

use crate::cluster::{Accounting, Attempt, Snapshot};
use crate::sweep::{self, Kind, Sweep};
use crate::terms::{JobId, Known, Part};
use crate::verbs::Error;

/// The sweeps that a word means, as places in the list that was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meant {
    /// The newest of them.
    pub newest: usize,
    /// The others, newest first.
    pub older: Vec<usize>,
    /// The task, or the job of a shared name, if the word was its id.
    member: Option<Member>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Member {
    number: u32,
    is_raw: bool,
}

/// One task of a sweep that was asked for by its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Asked {
    /// The id, as it was written.
    pub id: String,
    /// True if it is the id that Slurm gave the task alone, which logs and trackers have.
    pub is_raw: bool,
    /// The task's index; the job's id in a sweep of jobs that share a name.
    pub member: u32,
    /// How it ended, or what it does; `None` if it was not seen.
    pub outcome: Option<sweep::Outcome>,
}

/// Finds what `wanted` means: a whole name, else the id of an array, a task or
/// a job, also a task's raw id, else the beginning of one name. A name means no
/// sweep that continues another one, unless nothing else has it.
///
/// # Errors
/// [`Error::NoSweep`], [`Error::SingleJob`] and [`Error::SeveralSweeps`];
/// [`Error::Unseen`] if it may be where nothing was seen.
pub fn meant(snapshot: &Snapshot, sweeps: &[Sweep], wanted: &str) -> Result<Meant, Error> {
    let which = |fits: &dyn Fn(&Sweep) -> bool| -> Vec<usize> {
        let fitting: Vec<usize> = (0..sweeps.len()).filter(|at| fits(&sweeps[*at])).collect();
        let firsts: Vec<usize> =
            fitting.iter().copied().filter(|at| sweeps[*at].continues.is_none()).collect();
        if firsts.is_empty() { fitting } else { firsts }
    };
    let id = wanted.parse::<JobId>().ok();
    let mut found = Meant::of(which(&|sweep| sweep.name == wanted), None);
    for (id, is_raw) in [(id, false), (id.and_then(|id| by_raw_id(snapshot, id)), true)] {
        found = found.or_else(|| by_id(sweeps, id?, is_raw));
    }
    if let Some(found) = found {
        return Ok(found);
    }
    let started_so = which(&|sweep| sweep.name.starts_with(wanted));
    let mut names: Vec<&str> = started_so.iter().map(|at| sweeps[*at].name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    match Meant::of(started_so, None) {
        Some(found) if names.len() == 1 => Ok(found),
        Some(_) => Err(Error::SeveralSweeps {
            wanted: wanted.to_owned(),
            names: names.into_iter().map(str::to_owned).collect(),
        }),
        None => Err(nothing(snapshot, id, wanted)),
    }
}

/// True if neither queue nor accounting gave an answer.
pub fn is_blind(snapshot: &Snapshot) -> bool {
    snapshot.jobs.known().is_none() && snapshot.accounting.known().is_none()
}

impl Meant {
    fn of(fitting: Vec<usize>, member: Option<Member>) -> Option<Meant> {
        let mut fitting = fitting.into_iter();
        Some(Meant { newest: fitting.next()?, older: fitting.collect(), member })
    }

    /// The one task, with how it is.
    pub fn asked(&self, sweeps: &[Sweep], wanted: &str) -> Option<Asked> {
        let Member { number, is_raw } = self.member?;
        let mut tasks = sweeps.get(self.newest)?.look.tasks.iter();
        let outcome = tasks.find(|(_, members)| members.0.contains(number)).map(|(outcome, _)| *outcome);
        Some(Asked { id: wanted.to_owned(), is_raw, member: number, outcome })
    }
}

fn by_id(sweeps: &[Sweep], id: JobId, is_raw: bool) -> Option<Meant> {
    let base = id.base.to_string();
    let fits = |sweep: &Sweep| match sweep.kind {
        Kind::Array => sweep.key == base,
        Kind::SharedName => sweep.look.all().contains(id.base),
    };
    // An array comes before jobs that share a name.
    let mut fitting: Vec<usize> = (0..sweeps.len()).filter(|at| fits(&sweeps[*at])).collect();
    fitting.sort_by_key(|at| sweeps[*at].kind != Kind::Array);
    fitting.truncate(1);
    let number = match (sweeps[*fitting.first()?].kind, id.part) {
        (Kind::Array, Part::Task(index)) => Some(index),
        (Kind::Array, _) => None,
        (Kind::SharedName, _) => Some(id.base),
    };
    Meant::of(fitting, number.map(|number| Member { number, is_raw }))
}

/// The task whose own id in Slurm this is.
fn by_raw_id(snapshot: &Snapshot, id: JobId) -> Option<JobId> {
    let raw = (id.part == Part::Whole).then_some(id.base)?;
    let mut queued = snapshot.jobs.known().map_or(&[][..], Vec::as_slice).iter();
    let queued = queued.find(|job| job.raw_id == Some(raw) && matches!(job.id.part, Part::Task(_)));
    queued.map(|job| job.id).or_else(|| task_of(snapshot.accounting.known()?, raw))
}

/// The array task that has this raw id.
pub(in crate::verbs) fn task_of(accounting: &Accounting, raw: u32) -> Option<JobId> {
    let mut attempts = accounting.attempts().iter();
    let is_it = |one: &&Attempt| one.raw_id == Some(raw) && matches!(one.id.part, Part::Task(_));
    attempts.find(is_it).map(|attempt| attempt.id)
}

/// Why nothing was found: it belongs to no sweep, it is not there, or it may be
/// where no answer came from.
fn nothing(snapshot: &Snapshot, id: Option<JobId>, wanted: &str) -> Error {
    let wanted = wanted.to_owned();
    let queued = snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
    let name = queued.iter().find(|job| Some(job.id) == id).map(|job| job.name.clone()).or_else(|| {
        let accounting = snapshot.accounting.known()?;
        let attempt = accounting.attempts().iter().find(|attempt| Some(attempt.id) == id)?;
        Some(accounting.text(attempt.name).to_owned())
    });
    if let Some(name) = name {
        return Error::SingleJob { wanted, name };
    }
    let why = match (&snapshot.jobs, &snapshot.accounting) {
        (Known::Unknown(why), _) => format!("the queue is not known: {why}"),
        (_, Known::Unknown(why)) => format!("accounting is not known: {why}"),
        (Known::NotApplicable(why), _) if is_blind(snapshot) => format!("nothing was asked: {why}"),
        // What has another name was left out before.
        _ if !snapshot.scope.names.is_empty() => {
            return Error::LeftOut { wanted, names: snapshot.scope.names.clone() };
        }
        _ => return Error::NoSweep { wanted },
    };
    Error::Unseen { wanted, why }
}
