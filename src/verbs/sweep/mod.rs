//! The sweeps that the cluster knows: counts, failures, run times.

pub(in crate::verbs) mod again;
pub mod checkpoints;
pub mod clean;
mod elsewhere;
mod ending;
pub mod examine;
pub mod page;
pub mod plan;
pub mod preflight;
pub mod records;
pub mod report;
pub mod settle;
pub mod submit;
pub mod which;

use std::io;
use std::path::Path;

use serde::Serialize;

use super::{Context, Error, snapshot, whole};
use crate::cluster::{Accounting, Nothing, Origin, Problem, Scope, Snapshot, sacct};
use crate::config::Source;
use crate::safety;
use crate::sweep::{self, Decision, Health, Sweep};
use crate::terms::{JobId, Known, Time};
use again::Submitted;
use examine::Place;

/// What `sweep` found.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Where the answers came from.
    pub origin: Origin,
    /// When they were taken; `None` if the source does not say.
    pub taken_at: Option<Time>,
    /// Which jobs were asked for and kept.
    pub scope: Scope,
    /// The one sweep that was asked for, with every task; or all of them,
    /// newest first.
    pub sweeps: Vec<Sweep>,
    /// Older sweeps that the asked name fits too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Named>,
    /// The one task or job of it that was asked for by its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<which::Asked>,
    /// Jobs that belong to no sweep.
    pub single_jobs: usize,
    /// Of the newest sweeps, in their order, what accounting and queue alone make
    /// of them; empty if one sweep was asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub glances: Vec<Glance>,
    /// What was read of the one sweep that was asked for, and what follows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub examined: Option<examine::Findings>,
    /// Everything that could not be seen, was cut, or was not understood.
    pub problems: Vec<Problem>,
    /// True if neither queue nor accounting gave an answer: no sweep here is not none.
    #[serde(skip)]
    pub blind: bool,
    /// False if there is nothing here that could be asked.
    #[serde(skip)]
    pub was_asked: bool,
}

impl Outcome {
    /// True if somebody must intervene in the sweep that was looked into.
    pub fn says_intervene(&self) -> bool {
        let asks = |examined: &examine::Findings| {
            examined.settled.is_none() && examined.judgement.decision == Decision::Intervene
        };
        self.examined.as_ref().is_some_and(asks)
    }
}

/// How a sweep does by accounting and queue alone: no log was read, so that a
/// cause may be worse or more harmless than it looks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Glance {
    /// The sweep's key.
    pub key: String,
    /// How it does.
    pub health: Health,
    /// What is to be done about it.
    pub decision: Decision,
    /// The weightiest sentence of those that led there.
    pub why: String,
    /// Who said that it is dealt with, when, and why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<String>,
}

/// So many sweeps are glanced at.
const MOST_GLANCES: usize = 40;

/// A sweep by its key and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Named {
    /// The array's id, or the name.
    pub key: String,
    /// The jobs' name.
    pub name: String,
}

/// Looks at the cluster, as [`snapshot::take`] does; accounting is asked by id
/// for the one array that `wanted` names, which is one question more.
///
/// # Errors
/// As for [`snapshot::take`].
pub fn look(context: &Context, source: Option<&Source>, wanted: Option<&str>) -> Result<Snapshot, Error> {
    let narrowed = wanted.and_then(|wanted| snapshot::widened(context, wanted));
    let mut snapshot = snapshot::take(narrowed.as_ref().unwrap_or(context), source)?;
    if let Some(wanted) = wanted {
        whole::ask(context, &mut snapshot, wanted);
    }
    Ok(snapshot)
}

/// Reads accounting from a saved text, `-` being standard input; the queue is
/// not asked.
///
/// # Errors
/// The text cannot be read.
pub fn look_at_saved(path: &Path) -> Result<Snapshot, Error> {
    let failed = |source| Error::Accounting { path: path.to_owned(), source };
    let (name, read) = if path == Path::new("-") {
        ("standard input".to_owned(), sacct::read(io::stdin().lock()))
    } else {
        (safety::escape_path(path), std::fs::File::open(path).and_then(sacct::read))
    };
    Ok(of_saved(name, read.map_err(failed)?))
}

fn of_saved(name: String, mut read: Accounting) -> Snapshot {
    let nothing = Nothing::NotApplicable("a saved accounting text was given instead".to_owned());
    Snapshot {
        problems: std::mem::take(&mut read.problems),
        accounting: Known::Known(read),
        ..Snapshot::without(Origin::File { name }, Scope::default(), nothing)
    }
}

/// Finds the sweeps of a snapshot, or the one that `wanted` names: the id of
/// an array or of one of its jobs, the name, or the start of a name. What plans
/// have submitted again belongs to the sweep that it continues.
///
/// # Errors
/// [`Error::NoSweep`] and [`Error::SeveralSweeps`] for what `wanted` names;
/// [`Error::Unseen`] if it may be where nothing was seen.
pub fn find(snapshot: &Snapshot, wanted: Option<&str>, submitted: &Submitted) -> Result<Outcome, Error> {
    let mut found = sweep::sweeps(snapshot);
    match wanted {
        // What continues another one is found by its own id.
        Some(_) => submitted.mark(&mut found.sweeps),
        None => submitted.fold(&mut found.sweeps),
    }
    let mut problems = snapshot.problems.clone();
    for (about, why) in [("queue", why_not(&snapshot.jobs)), ("accounting", why_not(&snapshot.accounting))] {
        let said = |why: &String| problems.iter().any(|problem| problem.what.contains(why.as_str()));
        if let Some(why) = why.filter(|why| !said(why)) {
            problems.push(Problem { about: about.to_owned(), what: why });
        }
    }
    let mut sweeps = found.sweeps;
    let mut others = Vec::new();
    let mut asked = None;
    match wanted {
        None => sweeps.iter_mut().for_each(|sweep| sweep.per_task = None),
        Some(wanted) => {
            let meant = which::meant(snapshot, &sweeps, wanted)?;
            others = meant.older.iter().map(|at| named(&sweeps[*at])).collect();
            asked = meant.asked(&sweeps, wanted);
            sweeps = vec![sweeps.swap_remove(meant.newest)];
        }
    }
    Ok(Outcome {
        origin: snapshot.origin.clone(),
        taken_at: snapshot.taken_at,
        scope: snapshot.scope.clone(),
        sweeps,
        others,
        asked,
        single_jobs: found.single_jobs,
        glances: Vec::new(),
        examined: None,
        problems,
        blind: which::is_blind(snapshot),
        was_asked: !which::is_blind(snapshot)
            || snapshot.jobs.is_unknown()
            || snapshot.accounting.is_unknown(),
    })
}

/// The sweeps as [`find`] finds them, counted by what plans have submitted of
/// them, too.
///
/// # Errors
/// As for [`find`].
pub fn counted(place: &Place, snapshot: &Snapshot, wanted: Option<&str>) -> Result<Outcome, Error> {
    let submitted = place.submitted_again();
    let mut outcome = find(snapshot, wanted, &submitted)?;
    outcome.sweeps.iter_mut().for_each(|sweep| submitted.count(sweep, snapshot));
    outcome.problems.extend(submitted.unread.map(|what| Problem { about: "plans".to_owned(), what }));
    Ok(outcome)
}

/// All sweeps, and what queue and accounting alone make of the newest ones.
///
/// # Errors
/// As for [`find`]; a pattern of the settings cannot be used.
pub fn table(place: &Place, snapshot: &Snapshot) -> Result<Outcome, Error> {
    let submitted = place.submitted_again();
    let mut outcome = find(snapshot, None, &submitted)?;
    let newest = outcome.sweeps.iter_mut().take(MOST_GLANCES);
    let settled = place.settled();
    outcome.glances = place.glances(snapshot, newest, &submitted, &settled)?;
    outcome.sweeps.iter_mut().skip(MOST_GLANCES).for_each(|sweep| submitted.count(sweep, snapshot));
    outcome.problems.extend(settled.unread.map(|what| Problem { about: "settled".to_owned(), what }));
    outcome.problems.extend(submitted.unread.map(|what| Problem { about: "plans".to_owned(), what }));
    Ok(outcome)
}

/// The same as [`find`], and the one sweep that was asked for looked into: logs, run
/// folders, trackers, and what follows.
///
/// # Errors
/// As for [`find`]; a pattern of the settings cannot be used.
pub fn board(place: &Place, snapshot: Snapshot, wanted: &str) -> Result<Outcome, Error> {
    let mut outcome = find(&snapshot, Some(wanted), &place.submitted_again())?;
    if let Some(sweep) = outcome.sweeps.first_mut() {
        let examined = examine::into(place, place.table()?, snapshot, sweep.clone());
        // With the tasks that were submitted again.
        *sweep = examined.sweep.clone();
        outcome.examined = Some(examined.into());
    }
    Ok(outcome)
}

/// The array that a name means, for whoever looks for its jobs alone.
///
/// # Errors
/// As for [`look`] and [`find`]; the name is that of jobs that are no array.
pub fn array_of(context: &Context, source: Option<&Source>, wanted: &str) -> Result<JobId, Error> {
    let snapshot = look(context, source, Some(wanted))?;
    let found = find(&snapshot, Some(wanted), &Submitted::read(Some(&context.home())))?;
    let array = found.sweeps.first().and_then(Sweep::array);
    array.map(JobId::whole).ok_or_else(|| Error::Usage {
        what: format!("{} is the name of jobs that are no array", safety::one_line(wanted, 60)),
        hint: "name one of them by its id: handover logs --job ID".to_owned(),
    })
}

fn why_not<T>(answer: &Known<T>) -> Option<String> {
    match answer {
        Known::Known(_) => None,
        Known::Unknown(why) => Some(format!("not known: {why}")),
        Known::NotApplicable(why) => Some(format!("not asked: {why}")),
    }
}

fn named(sweep: &Sweep) -> Named {
    Named { key: sweep.key.clone(), name: sweep.name.clone() }
}
