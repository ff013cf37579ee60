//! Whether a run that would be resumed is the run that is intended: its saved
//! configuration, and the id under which the tracker knows it.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use crate::config::Sweeps;
use crate::joblog::{Identity, Mention};
use crate::safety::{clip, escape_path};
use crate::sweep::plan::Subject;
use crate::sweep::{Evidence, Sweep};
use crate::terms::{Part, TaskIds, Time};
use crate::tracker::{self, Configurations, Difference, IdSeen, Run, RunIdentity, Saved, Tracker};
use crate::verbs::evidence::filled;

/// So many differences of one run are told.
const MOST: usize = 8;

/// What runs of one sweep are compared with.
pub(super) struct Intended<'i> {
    settings: &'i Sweeps,
    root: &'i Path,
    sweep: &'i Sweep,
    /// One file may be that of all tasks.
    read: HashMap<PathBuf, Result<Saved, String>>,
}

impl<'i> Intended<'i> {
    /// What the settings intend; nothing is read yet.
    pub(super) fn of(settings: &'i Sweeps, root: &'i Path, sweep: &'i Sweep) -> Intended<'i> {
        Intended { settings, root, sweep, read: HashMap::new() }
    }

    /// Fills in the tracker's id and what differs; returns what could not be
    /// compared, in words.
    pub(super) fn check(&mut self, one: &Evidence, subject: &mut Subject) -> Option<String> {
        let found = one.run_dir().map(|dir| tracker::configurations(dir)).unwrap_or_default();
        let own = twice(one).map_or_else(|| wandb(one, &found), Err);
        match own {
            Ok(id) => subject.wandb = id,
            Err(difference) => {
                subject.wandb = None;
                subject.differences.push(difference);
            }
        }
        let template = self.settings.intended.as_deref()?;
        let path = match filled(template, &identity(self.sweep, one)) {
            Ok(path) => self.root.join(path),
            Err(why) => return Some(format!("the intended configuration: {why}")),
        };
        let intended = self.read.entry(path.clone()).or_insert_with(|| tracker::configuration(&path));
        let intended = match intended {
            Ok(intended) => intended,
            Err(why) => return Some(format!("{}: {why}", escape_path(&path))),
        };
        let by_tracker = || one.newest_run().and_then(Saved::of_run);
        let Some(saved) = found.saved.first().cloned().or_else(by_tracker) else {
            return Some(match found.unread.first() {
                Some(unread) => format!("{}: {}", escape_path(&unread.path), unread.why),
                None => "runs saved no configuration that could be compared with the intended one".to_owned(),
            });
        };
        let comparison = tracker::compare(&saved, intended);
        if comparison.common == 0 {
            let (saved, intended) = (escape_path(&saved.path), escape_path(&path));
            return Some(format!("{saved} and {intended} have no name in common, so they were not compared"));
        }
        let count = comparison.differences.len();
        subject.differences.extend(comparison.differences.iter().take(MOST).map(words));
        if count > MOST {
            subject.differences.push(format!("and {} more", count - MOST));
        }
        None
    }
}

/// Blocks tasks that would go on as one and the same W&B run: a folder that was
/// copied names the run of the task from which it came.
pub(super) fn apart(subjects: &mut [Subject]) {
    let mut tasks: BTreeMap<String, TaskIds> = BTreeMap::new();
    for one in subjects.iter() {
        if let Some(id) = &one.wandb {
            tasks.entry(id.clone()).or_default().push(one.member);
        }
    }
    for one in subjects.iter_mut() {
        let Some(own) = one.wandb.as_ref().and_then(|id| tasks.get(id)).filter(|own| own.len() > 1) else {
            continue;
        };
        let id = one.wandb.take().unwrap_or_default();
        one.differences.push(format!(
            "W&B run: the folders of tasks {own} all name {}, so whose it is is not known",
            clip(&id, 60)
        ));
    }
}

/// The id of the W&B run that goes on, if one is known.
///
/// # Errors
/// In words: folder and tracker name different ones, or it is not known which
/// of two goes on.
fn wandb(one: &Evidence, found: &Configurations) -> Result<Option<String>, String> {
    let runs: Vec<&Run> = one.runs().iter().filter(|run| run.tracker == Tracker::Wandb).collect();
    // What the folder's own files say; the tracker's folders are compared with that.
    let said = one.run_dir().map(|dir| tracker::identity(dir, &[], &found.saved));
    let newest = runs.iter().copied().max_by_key(|run| run.started);
    match said {
        Some(RunIdentity::One { id, seen }) => match newest {
            Some(newest) if runs.iter().all(|run| run.id != id) => {
                Err(two_ids(seen.first(), &format!("the tracker's folder {}", newest.id)))
            }
            _ => Ok(Some(id)),
        },
        Some(RunIdentity::Several(seen)) => {
            let first = seen.first().map(|first| first.id.clone()).unwrap_or_default();
            let other = seen.iter().find(|other| other.id != first);
            Err(two_ids(other, &format!("other files {first}")))
        }
        Some(RunIdentity::Nothing) | None => match side_by_side(one, &runs) {
            Some((a, b)) => Err(format!(
                "W&B runs {} and {} were open at the same time: which of them goes on is not known",
                clip(&a.id, 60),
                clip(&b.id, 60)
            )),
            None => Ok(newest.map(|run| run.id.clone()).or_else(|| by_log(one))),
        },
    }
}

/// Why a run that lies in another task's folder too is not gone on with, unless
/// by its own records it is this task's.
fn twice(one: &Evidence) -> Option<String> {
    let twice = one.looked.as_deref()?.twice.iter().find(|twice| !twice.is_own)?;
    let dirs: Vec<String> = twice.dirs.iter().map(escape_path).collect();
    Some(format!(
        "W&B run: {} lies in {}, and does not say that it is of this task: one of them is a copy",
        clip(&twice.id, 60),
        dirs.join(" and ")
    ))
}

/// Two runs of the newest attempt that were open at the same time.
fn side_by_side<'r>(one: &Evidence, runs: &[&'r Run]) -> Option<(&'r Run, &'r Run)> {
    let newest = runs.iter().map(|run| one.attempt_of(run)).max()?;
    let own: Vec<&Run> = runs.iter().copied().filter(|run| one.attempt_of(run) == newest).collect();
    let span = |run: &Run| -> Option<(Time, Time)> { Some((run.started?, run.last_sign.as_ref()?.time)) };
    let meet = |a: &Run, b: &Run| {
        a.id != b.id && span(a).zip(span(b)).is_some_and(|(a, b)| a.0 <= b.1 && b.0 <= a.1)
    };
    own.iter().enumerate().find_map(|(at, a)| {
        let b = own[at + 1..].iter().find(|b| meet(a, b))?;
        Some((*a, *b))
    })
}

/// The run that the log named last, where its folder is not to be seen.
fn by_log(one: &Evidence) -> Option<String> {
    let mentions = one.log()?.reading.mentions.iter().rev();
    mentions.into_iter().find_map(|mention| match mention {
        Mention::WandbRun { id } => Some(id.clone()),
        _ => None,
    })
}

fn two_ids(one: Option<&IdSeen>, other: &str) -> String {
    let (name, id) = one.map_or_else(
        || ("a file".to_owned(), "another one".to_owned()),
        |one| (one.path.file_name().unwrap_or_default().to_string_lossy().into_owned(), one.id.clone()),
    );
    format!("W&B run: {name} says {id}, {other}")
}

fn words(difference: &Difference) -> String {
    let value = |value: &Option<serde_json::Value>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), |value| clip(&value.to_string(), 60))
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
        is_heterogeneous: matches!(one.id.part, Part::Component(_)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::JobId;

    #[test]
    fn one_wandb_run_is_never_that_of_two_tasks() {
        let of = |member: u32, id: &str| Subject {
            wandb: Some(id.to_owned()),
            ..Subject::of(member, JobId::task(8, member))
        };
        let mut subjects = [of(2, "lr3"), of(3, "lr3"), of(4, "lr4")];
        apart(&mut subjects);
        assert_eq!(subjects[2].wandb.as_deref(), Some("lr4"));
        assert!(subjects[2].differences.is_empty());
        for one in &subjects[..2] {
            assert_eq!((one.wandb.as_ref(), one.differences.len()), (None, 1));
            assert!(one.differences[0].contains("tasks 2,3 all name lr3"), "{:?}", one.differences);
        }
    }
}
