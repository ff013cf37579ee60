//! What happened when, as far as somebody looked.

use serde::Serialize;

use super::super::examine::Examined;
use super::Intervention;
use crate::sweep::memory;
use crate::terms::Time;
use crate::verbs::{Context, watch};

/// Polls and transitions.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Timeline {
    /// The polls of `watch`; `None` if nobody watched it from here.
    pub watched: Option<Watched>,
    /// What happened, oldest first.
    pub entries: Vec<Entry>,
}

/// The polls of all watches of this sweep from this repository.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Watched {
    /// The first.
    pub first: Time,
    /// The last.
    pub last: Time,
    /// How many.
    pub polls: u64,
    /// When it was looked at and how it stood, oldest first: polls, one after
    /// the other, that saw the same are one row. Of very many the last ones.
    pub periods: Vec<watch::Period>,
}

/// One moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// When; of a change, when it was seen.
    pub at: Time,
    /// What.
    #[serde(flatten)]
    pub moment: Moment,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "moment", rename_all = "snake_case")]
pub enum Moment {
    /// Its first task was submitted, by accounting.
    Submitted,
    /// A task ended last, by accounting.
    LastEnd,
    /// A watch saw a change.
    Seen {
        /// What changed.
        change: memory::Change,
    },
    /// Lines of a plan were run.
    Plan {
        /// The plan's hash.
        hash: String,
        /// How many lines ran well.
        done: usize,
        /// How many there were.
        lines: usize,
        /// The jobs that they made.
        jobs: Vec<u32>,
    },
    /// What ended tasks left was put into the trash.
    CleanUp {
        /// By what it is called back.
        id: String,
        /// How many files and folders.
        files: usize,
    },
}

pub(super) fn of(context: &Context, examined: &Examined, done: &Intervention) -> Timeline {
    let sweep = &examined.sweep;
    let kept = watch::kept(&context.home(), &sweep.key).filter(|kept| kept.memory.look.name == sweep.name);
    let mut entries = Vec::new();
    let mut add = |at: Time, moment: Moment| entries.push(Entry { at, moment });
    if let Some(at) = sweep.submitted {
        add(at, Moment::Submitted);
    }
    for seen in kept.iter().flat_map(|kept| &kept.transitions) {
        add(seen.at, Moment::Seen { change: seen.change.clone() });
    }
    for record in &done.plans {
        let ran = record.lines.iter().filter(|line| line.state == super::super::records::Progress::Done);
        let (hash, jobs) = (record.hash.clone(), record.ids());
        add(record.at, Moment::Plan { hash, done: ran.count(), lines: record.lines.len(), jobs });
    }
    for clean in &done.clean_ups {
        add(clean.at, Moment::CleanUp { id: clean.id.clone(), files: clean.files });
    }
    if let Some(at) = sweep.ended {
        add(at, Moment::LastEnd);
    }
    // What was told first of one moment stays first.
    entries.sort_by_key(|entry| entry.at);
    let watched = kept.map(|kept| Watched {
        first: kept.first,
        last: kept.memory.at,
        polls: kept.looks,
        periods: kept.periods,
    });
    Timeline { watched, entries }
}
