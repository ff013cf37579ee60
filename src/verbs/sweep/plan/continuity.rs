//! Whether a run that would be resumed is the run that is intended: its saved
//! configuration, and the id under which the tracker knows it.

use std::path::Path;

use crate::config::Sweeps;
use crate::joblog::Identity;
use crate::sweep::plan::Subject;
use crate::sweep::{Evidence, Sweep};
use crate::terms::Part;
use crate::tracker::{self, Difference, IdSeen, RunIdentity};
use crate::verbs::evidence::filled;

/// So many differences of one run are told.
const MOST: usize = 8;

/// Fills in the tracker's id and what differs; returns what could not be
/// compared, in words.
pub(super) fn check(
    settings: &Sweeps,
    root: &Path,
    sweep: &Sweep,
    one: &Evidence,
    subject: &mut Subject,
) -> Option<String> {
    let dir = subject.run_dir.clone()?;
    let configurations = tracker::configurations(&dir);
    match tracker::identity(&dir, one.runs(), &configurations.saved) {
        RunIdentity::One { id, .. } => subject.wandb = Some(id),
        // Each attempt may have opened a run of its own; files that name another one are a difference.
        RunIdentity::Several(seen) => {
            let newest = one.runs().last().map(|run| run.id.clone());
            let is_run = |id: &str| one.runs().iter().any(|run| run.id == id);
            match seen.iter().find(|seen| !is_run(&seen.id)) {
                Some(other) => subject.differences.push(two_ids(other, newest.as_deref())),
                None => subject.wandb = newest,
            }
        }
        RunIdentity::Nothing => {}
    }
    let template = settings.intended.as_deref()?;
    let path = match filled(template, &identity(sweep, one)) {
        Ok(path) => root.join(path),
        Err(why) => return Some(format!("the intended configuration: {why}")),
    };
    let intended = match tracker::configuration(&path) {
        Ok(intended) => intended,
        Err(why) => return Some(format!("{}: {why}", crate::safety::escape_path(&path))),
    };
    let Some(saved) = configurations.saved.first() else {
        return Some("runs saved no configuration that could be compared with the intended one".to_owned());
    };
    let comparison = tracker::compare(saved, &intended);
    let count = comparison.differences.len();
    subject.differences.extend(comparison.differences.iter().take(MOST).map(words));
    if count > MOST {
        subject.differences.push(format!("and {} more", count - MOST));
    }
    None
}

fn two_ids(other: &IdSeen, newest: Option<&str>) -> String {
    let name = other.path.file_name().unwrap_or_default().to_string_lossy();
    match newest {
        Some(newest) => format!("W&B run: {name} says {}, the tracker's folder {newest}", other.id),
        None => format!("W&B run: {name} says {}, and other files say otherwise", other.id),
    }
}

fn words(difference: &Difference) -> String {
    let value = |value: &Option<serde_json::Value>| {
        value
            .as_ref()
            .map_or_else(|| "nothing".to_owned(), |value| crate::safety::clip(&value.to_string(), 60))
    };
    format!("{}: {}, intended {}", difference.name, value(&difference.saved), value(&difference.intended))
}

fn identity(sweep: &Sweep, one: &Evidence) -> Identity {
    Identity {
        base: one.id.base,
        task: match one.id.part {
            Part::Task(index) => Some(index),
            Part::Whole | Part::Component(_) => None,
        },
        raw: one.raw_id,
        name: sweep.name.clone(),
        user: sweep.user.clone(),
        work_dir: None,
        stdout: None,
        node: None,
    }
}
