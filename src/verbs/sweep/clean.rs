//! What failed and cancelled tasks left behind that is good for nothing.

mod leavings;
mod whereabouts;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde::Serialize;

use self::leavings::{Leavings, Rules};
use self::whereabouts::{Homes, Writers, elsewhere, live_dirs};
use super::examine::{self, Examined};
use super::plan::alive;
use crate::cluster::{Origin, State};
use crate::config::Source;
use crate::sweep::Members;
use crate::sys::Glob;
use crate::sys::lock::{self, Lock};
use crate::terms::{Bytes, Seconds, Time};
use crate::verbs::{Context, Error};
pub use crate::worktree::put_aside::{self, PutAside};

/// What was written this recently may still be written.
const FRESH: Seconds = Seconds(15 * 60);
/// On evidence older than this nothing is removed: whatever a task has written
/// that Slurm started again since then is younger than `FRESH`, and stays.
const OLD: Seconds = FRESH;
/// So long it waits for another one that puts aside, back, or deletes.
const PATIENCE: Seconds = Seconds(120);
/// Clocks of two machines may differ by this much.
const SKEW: Seconds = Seconds(300);
/// Names under which programs write before they rename.
const TEMPORARY: [&str; 4] = ["**/*.tmp", "**/*.part", "**/*.partial", "**/*.incomplete"];

/// What could go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// The sweep.
    pub sweep: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// Files and folders that could go.
    pub items: Vec<Leaving>,
    /// Their sizes together.
    pub bytes: Bytes,
    /// What stays for now, since it may still be written.
    pub fresh: Vec<Fresh>,
    /// What stays although it is damaged, unfinished or of a temporary name: it holds
    /// whole weights, and no sound checkpoint of its run is as far on.
    pub usable: Vec<Leaving>,
    /// Tasks of which everything stays, and why.
    pub kept: Vec<Kept>,
    /// Why nothing may be removed on this evidence; `None` if it may.
    pub refused: Option<Refused>,
    /// What was not read, in words.
    pub not_read: Vec<String>,
}

/// Something that a task left and that is not whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Leaving {
    /// The task that left it.
    pub task: u32,
    /// Where it is.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Its size; of a folder that of all files in it.
    pub bytes: Bytes,
    /// What is wrong with it.
    pub why: String,
    /// The folder of the run.
    #[serde(skip)]
    run_dir: PathBuf,
    /// What tells it from another one of this name and size.
    #[serde(skip)]
    stamp: Stamp,
}

/// Changes whenever a file or folder is written, or another takes its place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    entries: usize,
    /// The newest change of anything in it, in nanoseconds since 1970.
    changed: i128,
}

/// Something that stays for now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fresh {
    /// The task that left it.
    pub task: u32,
    /// Where it is.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Its size; of a folder that of all files in it.
    pub bytes: Bytes,
    /// When it was written last, of a folder its newest file; it may lie ahead.
    pub written: Time,
    /// From when on it could go, if nothing more is written.
    pub could_go: Time,
}

/// Evidence that is too old to remove anything on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    /// The state file.
    pub source: String,
    /// How old it is; `None` if that is not known.
    pub age: Option<Seconds>,
    /// How old it may be.
    pub most: Seconds,
}

/// Tasks of which everything stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// Which.
    pub tasks: Members,
    /// Why.
    pub why: String,
}

/// What was put aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Receipt {
    /// What went, and by which id it is called back.
    #[serde(flatten)]
    pub entry: PutAside,
    /// Its size.
    pub bytes: Bytes,
}

/// What was put aside before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trash {
    /// Everything, newest first.
    pub entries: Vec<Held>,
    /// What is older than the settings keep it, by id.
    pub due: Vec<String>,
}

/// One entry of the trash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Held {
    /// What went, and by which id it is called back.
    #[serde(flatten)]
    pub entry: PutAside,
    /// The size of what is there and can be seen.
    pub bytes: Bytes,
    /// Of what it cannot be seen whether it is there, or what is another
    /// repository's, in words.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unseen: Vec<String>,
}

/// What became of a wish to have something back, or to have it deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Settled {
    /// The entries.
    pub ids: Vec<String>,
    /// What stayed, and why.
    pub stays: Vec<String>,
}

/// Looks at what ended tasks left; nothing is changed.
///
/// # Errors
/// There is no such sweep; a pattern of the settings makes no sense.
pub fn plan(context: &Context, source: Option<&Source>, wanted: &str) -> Result<Plan, Error> {
    plan_at(context, source, wanted, context.now)
}

fn plan_at(context: &Context, source: Option<&Source>, wanted: &str, now: Time) -> Result<Plan, Error> {
    let Examined { snapshot, settings, sweep, gathered, again, .. } = examine::one(context, source, wanted)?;
    let globs = globs(&settings.partial)?;
    let alive = alive(&snapshot, &sweep);
    let rules = Rules {
        live: live_dirs(&gathered.evidence, alive.known()),
        writers: Writers::of(&snapshot, &sweep, &gathered.work_dirs),
        homes: Homes::of(context),
        globs,
        alive,
        now,
    };
    let elsewhere = elsewhere(&snapshot, &sweep, &again);
    let mut plan = Plan {
        sweep: sweep.key.clone(),
        name: sweep.name.clone(),
        items: Vec::new(),
        bytes: Bytes(0),
        fresh: Vec::new(),
        usable: Vec::new(),
        kept: Vec::new(),
        refused: refused(&snapshot.origin, snapshot.taken_at, now),
        not_read: gathered.not_read,
    };
    let is_over = |state: State| state.is_failure() || state == State::Cancelled;
    for one in gathered.evidence.iter().filter(|one| is_over(one.state)) {
        if elsewhere.as_ref().is_none_or(|tasks| tasks.contains(one.member)) {
            keep(&mut plan.kept, one.member, "a job under another id may write into its folder".to_owned());
            continue;
        }
        match rules.leavings(one) {
            Ok(Leavings { items, fresh, usable }) => {
                plan.usable.extend(usable);
                plan.items.extend(items);
                plan.fresh.extend(fresh);
            }
            Err(why) => keep(&mut plan.kept, one.member, why),
        }
    }
    // Two tasks of one folder name the same files.
    let mut seen = BTreeSet::new();
    plan.items.retain(|item| seen.insert(item.path.clone()));
    plan.fresh.retain(|item| seen.insert(item.path.clone()));
    plan.usable.retain(|item| seen.insert(item.path.clone()));
    plan.bytes = Bytes(plan.items.iter().map(|item| item.bytes.0).fold(0, u64::saturating_add));
    Ok(plan)
}

/// Slurm's own answer is of now; a file tells how things were.
fn refused(origin: &Origin, taken_at: Option<Time>, now: Time) -> Option<Refused> {
    let Origin::File { name } = origin else { return None };
    // A time ahead of ours tells no age.
    let age = taken_at.filter(|time| *time <= now.plus(SKEW)).map(|time| time.age(now));
    let is_old = age.is_none_or(|age| age > OLD);
    is_old.then(|| Refused { source: name.clone(), age, most: OLD })
}

fn keep(kept: &mut Vec<Kept>, task: u32, why: String) {
    match kept.iter_mut().find(|one| one.why == why) {
        Some(one) => one.tasks.0.push(task),
        None => kept.push(Kept { tasks: Members([task].into_iter().collect()), why }),
    }
}

fn globs(patterns: &[String]) -> Result<Vec<Glob>, Error> {
    let own = patterns.iter().map(|pattern| {
        Glob::read(pattern).ok_or_else(|| Error::Usage {
            what: format!(
                "{} below `sweeps`, `partial`, is no pattern",
                crate::safety::one_line(pattern, 80)
            ),
            hint: "a path below the run folder with *, ? and **, and without ..".to_owned(),
        })
    });
    let mut all: Vec<Glob> = own.collect::<Result<_, _>>()?;
    all.extend(TEMPORARY.iter().filter_map(|pattern| Glob::read(pattern)));
    Ok(all)
}

/// Puts everything of the plan aside, if a look of this moment finds each of its
/// items as it was.
///
/// # Errors
/// [`Error::OldEvidence`], [`Error::Changed`], another one is at it: nothing is
/// done then. A file cannot be moved: what went before can be called back.
pub fn execute(context: &Context, source: Option<&Source>, plan: &Plan) -> Result<Receipt, Error> {
    let old = |refused| Error::OldEvidence { refused, sweep: plan.sweep.clone() };
    if let Some(refused) = &plan.refused {
        return Err(old(refused.clone()));
    }
    let _lock = alone(context)?;
    // Somebody may have thought for long before the answer.
    let now = context.world.clock.now();
    let again = plan_at(context, source, &plan.sweep, now)?;
    if let Some(refused) = again.refused {
        return Err(old(refused));
    }
    let is_other = |item: &&Leaving| !again.items.contains(item);
    let changed: Vec<PathBuf> = plan.items.iter().filter(is_other).map(|item| item.path.clone()).collect();
    if !changed.is_empty() || again.sweep != plan.sweep {
        return Err(Error::Changed { paths: changed, sweep: plan.sweep.clone() });
    }
    let paths: Vec<(PathBuf, Bytes)> =
        plan.items.iter().map(|item| (item.path.clone(), item.bytes)).collect();
    // Beside the run's folder, where no reader of runs looks for checkpoints.
    let near = |path: &Path| {
        let item = plan.items.iter().find(|item| item.path == path);
        item.and_then(|item| item.run_dir.parent()).unwrap_or(Path::new("/")).to_owned()
    };
    let common = context.repository.common_dir();
    let entry = put_aside::put(context.world, common, &plan.sweep, &paths, &near, now)?;
    Ok(Receipt { bytes: entry.bytes(&put_aside::Ground::of(common)), entry })
}

/// One at a time puts aside, back, or deletes.
fn alone(context: &Context) -> Result<Lock, Error> {
    Ok(lock::acquire(context.world, &context.home(), "clean up after a sweep", PATIENCE, &mut |_| {})?)
}

/// What was put aside, and what of it is old.
///
/// # Errors
/// A note cannot be read.
pub fn trash(context: &Context) -> Result<Trash, Error> {
    let common = context.repository.common_dir();
    let ground = put_aside::Ground::of(common);
    let due = put_aside::due(common, keeps(context), context.now)?;
    let held = |entry: PutAside| {
        let unseen = entry.standings(&ground).into_iter().filter_map(|one| match one {
            put_aside::Standing::Unseen(why) => Some(why),
            _ => None,
        });
        Held { bytes: entry.bytes(&ground), unseen: unseen.collect(), entry }
    };
    let entries = put_aside::list(common)?.into_iter().map(held).collect();
    Ok(Trash { entries, due: due.into_iter().map(|note| note.id).collect() })
}

/// Puts back what an entry holds.
///
/// # Errors
/// There is no such entry; something is in the place of one of its files, or
/// one cannot be seen, and nothing was moved; a file cannot be moved.
pub fn undo(context: &Context, id: &str) -> Result<Settled, Error> {
    let _lock = alone(context)?;
    let common = context.repository.common_dir();
    let note = put_aside::find(common, id)?;
    let gone = put_aside::restore(context.world, common, &note)?;
    let told = |path| format!("{path} was neither in the trash nor in its place");
    Ok(Settled { ids: vec![note.id], stays: gone.into_iter().map(told).collect() })
}

/// Deletes for good what was put aside longer ago than the settings keep it:
/// those entries that were shown, as far as that still holds.
///
/// # Errors
/// A note cannot be read; another one is at it.
pub fn purge(context: &Context, shown: &Trash) -> Result<Settled, Error> {
    let _lock = alone(context)?;
    let common = context.repository.common_dir();
    let mut settled = Settled { ids: Vec::new(), stays: Vec::new() };
    let due = put_aside::due(common, keeps(context), context.now)?;
    for note in due.into_iter().filter(|note| shown.due.contains(&note.id)) {
        match put_aside::discard(context.world, common, &note) {
            Ok(()) => settled.ids.push(note.id),
            Err(error) => settled.stays.push(format!("{}: {error}", note.id)),
        }
    }
    Ok(settled)
}

fn keeps(context: &Context) -> Seconds {
    context.config.retention.trash_after
}
