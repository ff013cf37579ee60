//! The facts that matter, as one digest, and which of them was reported last.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::super::plan::Made;
use super::Report;
use crate::sys::{FileError, World, read_regular};
use crate::terms::{Digest, Hasher, Time};

/// An earlier report that said the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unchanged {
    /// When that was said for the first time.
    pub since: Time,
    /// When it was said last.
    pub last: Time,
}

/// What is kept of the last report of a sweep.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    schema: String,
    key: String,
    facts: String,
    since: Time,
    last: Time,
}

const SCHEMA: &str = "handover/sweep-reported/1";
/// No file is larger, in bytes.
const MOST: usize = 1 << 16;

/// A digest over what would make somebody read the report again.
pub(super) fn facts(made: &Made, report: &Report) -> String {
    let sweep = &made.examined.sweep;
    let judgement = &made.examined.judgement;
    let mut hasher = Hasher::default();
    let mut add = |text: String| hasher.field(text.as_bytes());
    add(sweep.key.clone());
    add(sweep.name.clone());
    add(format!("{:?}", sweep.total));
    for (outcome, tasks) in &sweep.look.tasks {
        add(format!("{outcome} {tasks}"));
    }
    for (attempts, tasks) in &sweep.look.attempts {
        add(format!("{attempts} attempts {tasks}"));
    }
    for waiting in sweep.waiting.iter().filter(|waiting| waiting.outlook != crate::cluster::Outlook::Waits) {
        add(format!("{} {:?}", waiting.reason, waiting.outlook));
    }
    add(format!("{} {}", judgement.health, judgement.decision));
    if let Some(said) = &report.settled {
        add(said.in_words());
    }
    for group in judgement.groups.iter().chain(&judgement.aside) {
        let fingerprint = group.cause.fingerprint.as_ref().map(ToString::to_string).unwrap_or_default();
        add(format!("{} {fingerprint} {}", group.cause.class, group.tasks));
    }
    for stop in &judgement.hard_stops {
        add(format!("{:?} {}", stop.rule, stop.tasks));
    }
    for found in &judgement.contradictions {
        add(format!("{:?} {}", found.kind, found.tasks));
    }
    for departure in report.preflight.iter().flat_map(|seen| &seen.departures) {
        add(format!("{:?} {} {}", departure.by, departure.commit, departure.tasks));
    }
    if let Some(learning) = &judgement.learning {
        add(format!("{} of {}", learning.usable, learning.total));
    }
    add(made.outcome.plan.hash.clone().unwrap_or_default());
    for record in &report.intervention.plans {
        let states: Vec<String> = record.lines.iter().map(|line| format!("{:?}", line.state)).collect();
        add(format!("{} {} {:?}", record.hash, states.join(" "), record.ids()));
    }
    for successor in &report.intervention.successors {
        add(format!("{:?} {:?}", successor.job, successor.states));
    }
    for clean in &report.intervention.clean_ups {
        add(clean.id.clone());
    }
    let completion = &report.completion;
    add(format!("{:?} {:?}", completion.results, completion.missing));
    add(format!("{} of {}", completion.checkpoints.resumable, completion.checkpoints.runs));
    hasher.finish().to_string()[..16].to_owned()
}

/// The earlier report with the same facts, if the last one had them.
pub(super) fn said_before(home: &Path, key: &str, facts: &str) -> Option<Unchanged> {
    let kept = read(home, key).filter(|kept| kept.facts == facts)?;
    Some(Unchanged { since: kept.since, last: kept.last })
}

/// Keeps what was reported; why it could not, in words.
pub(super) fn remember(world: &World, home: &Path, report: &Report) -> Option<String> {
    let key = &report.scope.key;
    let since = report.unchanged.as_ref().map_or(report.at, |unchanged| unchanged.since);
    let kept = Kept {
        schema: SCHEMA.to_owned(),
        key: key.clone(),
        facts: report.facts.clone(),
        since,
        last: report.at,
    };
    let write = || -> Result<(), FileError> {
        let path = path(home, key);
        if let Some(folder) = path.parent() {
            world.files.ensure_dir(folder)?;
        }
        let bytes = serde_json::to_vec(&kept).map_err(|e| FileError::new("write", &path, e.into()))?;
        world.files.write_cache(&path, &bytes)
    };
    write().err().map(|error| format!("the next report will not know that nothing changed: {error}"))
}

fn read(home: &Path, key: &str) -> Option<Kept> {
    let bytes = read_regular(&path(home, key), MOST).ok().flatten()?;
    read_bytes(&bytes).filter(|kept| kept.key == key)
}

fn read_bytes(bytes: &[u8]) -> Option<Kept> {
    let kept: Kept = serde_json::from_slice(bytes).ok()?;
    (kept.schema == SCHEMA).then_some(kept)
}

/// What is kept of a report, its sweep's key before it; for whoever wants to
/// try the reader on any bytes at all.
pub fn reported(bytes: &[u8]) -> Option<(String, Unchanged)> {
    let kept = read_bytes(bytes)?;
    Some((kept.key, Unchanged { since: kept.since, last: kept.last }))
}

/// One file for each sweep, whatever its name holds.
fn path(home: &Path, key: &str) -> PathBuf {
    home.join("sweeps/reports").join(format!("{}.json", &Digest::of(key.as_bytes()).to_string()[..32]))
}
