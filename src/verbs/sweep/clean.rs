//! What failed and cancelled tasks left behind that is good for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde::Serialize;
use walkdir::WalkDir;

use super::examine::{self, Examined};
use super::plan::alive;
use crate::checkpoint::{Survey, Verdict};
use crate::cluster::{Job, Snapshot, State};
use crate::config::Source;
use crate::safety::escape_path;
use crate::sweep::plan::Again;
use crate::sweep::{Evidence, Kind, Members, Sweep};
use crate::sys::Glob;
use crate::terms::{Bytes, Known, Part, Seconds, TaskIds, Time};
use crate::verbs::{Context, Error};
pub use crate::worktree::put_aside::{self, PutAside};

/// So many entries below one run folder are looked at.
const MOST_ENTRIES: usize = 100_000;
/// What was written this recently, in seconds, may still be written.
const FRESH: i64 = 15 * 60;
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
    pub items: Vec<Candidate>,
    /// Their sizes together.
    pub bytes: Bytes,
    /// Tasks of which everything stays, and why.
    pub kept: Vec<Kept>,
    /// What was not read, in words.
    pub not_read: Vec<String>,
}

/// Something that could go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Candidate {
    /// The task that left it.
    pub task: u32,
    /// Where it is.
    pub path: PathBuf,
    /// Its size; of a folder that of all files in it.
    pub bytes: Bytes,
    /// Why it is good for nothing.
    pub why: String,
    /// The folder of the run.
    #[serde(skip)]
    run_dir: PathBuf,
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
    pub entries: Vec<PutAside>,
    /// What is older than the settings keep it, by id.
    pub due: Vec<String>,
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
    let Examined { snapshot, sweep, gathered, again, .. } = examine::one(context, source, wanted)?;
    let globs = globs(&context.config.sweeps.partial)?;
    let alive = alive(&snapshot, &sweep);
    let live = live_dirs(&gathered.evidence, alive.known());
    let elsewhere = elsewhere(&snapshot, &sweep, &again);
    let mut plan = Plan {
        sweep: sweep.key.clone(),
        name: sweep.name.clone(),
        items: Vec::new(),
        bytes: Bytes(0),
        kept: Vec::new(),
        not_read: gathered.not_read,
    };
    for one in &gathered.evidence {
        let is_over = one.state.is_failure() || one.state == State::Cancelled;
        if !is_over {
            continue;
        }
        if elsewhere.as_ref().is_none_or(|tasks| tasks.contains(one.member)) {
            keep(&mut plan.kept, one.member, "a job under another id may write into its folder".to_owned());
            continue;
        }
        match of_task(one, &alive, &live, &globs, context.now) {
            Ok(items) => plan.items.extend(items),
            Err(why) => keep(&mut plan.kept, one.member, why),
        }
    }
    // Two tasks of one folder name the same files.
    let mut seen = BTreeSet::new();
    plan.items.retain(|item| seen.insert(item.path.clone()));
    plan.bytes = Bytes(plan.items.iter().map(|item| item.bytes.0).fold(0, u64::saturating_add));
    Ok(plan)
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

/// The tasks into whose folders a job under another id may write: what a plan
/// submitted again and is not seen to be over, and live jobs of other arrays
/// that have the same name. `None` if that may be any task.
fn elsewhere(snapshot: &Snapshot, sweep: &Sweep, again: &BTreeMap<u32, Again>) -> Option<TaskIds> {
    let is_open = |again: &Again| !again.state.is_some_and(State::is_finished);
    let mut tasks: TaskIds =
        again.iter().filter(|(_, again)| is_open(again)).map(|(task, _)| *task).collect();
    let jobs = snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
    let is_other = |job: &&Job| {
        sweep.kind == Kind::Array && job.name == sweep.name && job.id.base.to_string() != sweep.key
    };
    for job in jobs.iter().filter(is_other).filter(|job| job.state.is_live()) {
        match (&job.pending_tasks, job.id.part) {
            (Some(_), _) if job.tasks_cut => return None,
            (Some(pending), _) => pending.iter().for_each(|task| tasks.push(task)),
            (None, Part::Task(task)) => tasks.push(task),
            (None, _) => return None,
        }
    }
    Some(tasks)
}

/// The folders of everything that may still write.
fn live_dirs(evidence: &[Evidence], alive: Option<&TaskIds>) -> Vec<PathBuf> {
    let may_write = |one: &&Evidence| one.is_live() || alive.is_none_or(|alive| alive.contains(one.member));
    let dirs = evidence.iter().filter(may_write).filter_map(|one| one.run_dir());
    dirs.map(|dir| std::fs::canonicalize(dir).unwrap_or_else(|_| dir.clone())).collect()
}

/// What one task left that could go; or why everything of it stays.
fn of_task(
    one: &Evidence,
    alive: &Known<TaskIds>,
    live: &[PathBuf],
    globs: &[Glob],
    now: Time,
) -> Result<Vec<Candidate>, String> {
    match alive {
        Known::Known(alive) if alive.contains(one.member) => return Err("alive under its old id".to_owned()),
        Known::Known(_) => {}
        Known::Unknown(why) | Known::NotApplicable(why) => {
            return Err(format!("the queue was not read: {why}"));
        }
    }
    let looked = one.looked.as_deref().ok_or("nothing but accounting was read of it")?;
    let dir = looked.run_dir.known().ok_or("its run folder is not known")?;
    let dir = std::fs::canonicalize(dir).map_err(|_| "its run folder is not there".to_owned())?;
    if live.iter().any(|live| live.starts_with(&dir) || dir.starts_with(live)) {
        return Err("a task that is alive shares its run folder".to_owned());
    }
    let survey = match &looked.checkpoints {
        Known::Known(survey) => survey,
        Known::Unknown(why) | Known::NotApplicable(why) => {
            return Err(format!("its checkpoints were not read: {why}"));
        }
    };
    let mut found: Vec<(PathBuf, String)> = damaged(survey);
    for entry in WalkDir::new(&dir).into_iter().filter_map(Result::ok).take(MOST_ENTRIES) {
        let near = entry.path().strip_prefix(&dir).unwrap_or(entry.path());
        let is_kind = entry.file_type().is_file() || entry.file_type().is_dir();
        if is_kind && entry.depth() > 0 && globs.iter().any(|glob| glob.fits(near)) {
            found.push((entry.path().to_owned(), "a partial artefact by its name".to_owned()));
        }
    }
    let sound: Vec<PathBuf> = survey
        .all
        .iter()
        .chain(&survey.best)
        .filter(|one| one.verdict.is_sound() || matches!(one.verdict, Verdict::Unreadable { .. }))
        .map(|one| std::fs::canonicalize(&one.path).unwrap_or_else(|_| one.path.clone()))
        .collect();
    let mut items = Vec::new();
    for (path, why) in found {
        let Ok(path) = std::fs::canonicalize(&path) else { continue };
        let is_within = path.starts_with(&dir) && path != dir;
        let holds_sound = sound.iter().any(|sound| sound.starts_with(&path) || path.starts_with(sound));
        let Some((bytes, fresh)) = size(&path, now) else { continue };
        if is_within && !holds_sound && !fresh {
            items.push(Candidate { task: one.member, path, bytes, why, run_dir: dir.clone() });
        }
    }
    items.sort_by(|one, other| one.path.cmp(&other.path));
    // What lies in a folder that goes, goes with it.
    let mut whole: Vec<Candidate> = Vec::new();
    for item in items {
        if !whole.last().is_some_and(|last| item.path.starts_with(&last.path)) {
            whole.push(item);
        }
    }
    Ok(whole)
}

/// Checkpoints that cannot be resumed from, of whatever age.
fn damaged(survey: &Survey) -> Vec<(PathBuf, String)> {
    let told = survey.all.iter().chain(&survey.refused).filter_map(|one| {
        let why = match &one.verdict {
            Verdict::Damaged { why } => format!("a damaged checkpoint: {why}"),
            Verdict::Unfinished { why } => format!("an unfinished checkpoint: {why}"),
            Verdict::Temporary => "a checkpoint under a temporary name".to_owned(),
            Verdict::Sound { .. } | Verdict::Unreadable { .. } | Verdict::Unrecognised => return None,
        };
        (!one.being_written).then(|| (one.path.clone(), why))
    });
    told.collect()
}

/// The size of a file or of all files in a folder, and whether any of it was
/// written just now; `None` if that cannot be said.
fn size(path: &Path, now: Time) -> Option<(Bytes, bool)> {
    let (mut bytes, mut fresh) = (0u64, false);
    for (number, entry) in WalkDir::new(path).into_iter().enumerate() {
        let meta = entry.ok()?.metadata().ok()?;
        if number > MOST_ENTRIES {
            return None;
        }
        if meta.is_file() {
            bytes = bytes.saturating_add(meta.len());
            let written = meta.modified().ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs();
            // A time that lies ahead tells nothing of an end either.
            fresh |= now.unix().saturating_sub(i64::try_from(written).ok()?) < FRESH;
        }
    }
    Some((Bytes(bytes), fresh))
}

/// Puts everything of the plan aside.
///
/// # Errors
/// A file cannot be moved: what went before can be called back.
pub fn execute(context: &Context, plan: &Plan) -> Result<Receipt, Error> {
    let paths: Vec<(PathBuf, Bytes)> =
        plan.items.iter().map(|item| (item.path.clone(), item.bytes)).collect();
    // Beside the run's folder, where no reader of runs looks for checkpoints.
    let near = |path: &Path| {
        let item = plan.items.iter().find(|item| item.path == path);
        item.and_then(|item| item.run_dir.parent()).unwrap_or(Path::new("/")).to_owned()
    };
    let common = context.repository.common_dir();
    let entry = put_aside::put(context.world, common, &plan.sweep, &paths, &near, context.now)?;
    Ok(Receipt { bytes: entry.bytes(), entry })
}

/// What was put aside, and what of it is old.
///
/// # Errors
/// A note cannot be read.
pub fn trash(context: &Context) -> Result<Trash, Error> {
    let common = context.repository.common_dir();
    let due = put_aside::due(common, keeps(context), context.now)?;
    Ok(Trash { entries: put_aside::list(common)?, due: due.into_iter().map(|note| note.id).collect() })
}

/// Puts back what an entry holds.
///
/// # Errors
/// There is no such entry; a file cannot be moved.
pub fn undo(context: &Context, id: &str) -> Result<Settled, Error> {
    let common = context.repository.common_dir();
    let note = put_aside::find(common, id)?;
    let stays = put_aside::restore(context.world, common, &note)?;
    Ok(Settled { ids: vec![note.id], stays })
}

/// Deletes for good what was put aside longer ago than the settings keep it.
///
/// # Errors
/// A file cannot be deleted.
pub fn purge(context: &Context) -> Result<Settled, Error> {
    let common = context.repository.common_dir();
    let mut settled = Settled { ids: Vec::new(), stays: Vec::new() };
    for note in put_aside::due(common, keeps(context), context.now)? {
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

/// What stays, for the one who is asked.
pub fn warning(plan: &Plan) -> String {
    let shown: Vec<String> = plan.items.iter().take(5).map(|item| escape_path(&item.path)).collect();
    let more = plan.items.len().saturating_sub(shown.len());
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{} go to the trash: {}{rest}", plan.bytes, shown.join(", "))
}
