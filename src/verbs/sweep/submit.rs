//! Runs the lines of a plan that somebody has seen, once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::plan::Made;
use super::records::{self, Done, Progress, Record};
use super::{elsewhere, ending};
use crate::cluster::Job;
use crate::config::Source;
use crate::safety::{escape_path, one_line};
use crate::sweep::Kind;
use crate::sweep::plan::Purpose;
use crate::sys::lock::{self, Lock};
use crate::sys::{Spawn, SpawnError};
use crate::terms::{Known, Part, Seconds};
use crate::verbs::job_paths::without_links;
use crate::verbs::{Context, Error, snapshot};

/// How long one line may take.
const LIMIT: Duration = Duration::from_secs(300);
/// So long it waits for another one that submits tasks of the same sweep.
const PATIENCE: Seconds = Seconds(2);
/// So much of what a line prints is read.
const MOST: usize = 1 << 20;

/// What was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// What was done, line by line.
    #[serde(flatten)]
    pub record: Record,
    /// True if every line was done.
    pub whole: bool,
    /// The command that looks again.
    pub command: String,
}

/// Why a plan was not run.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The plan is another one now.
    #[error("the plan is another one now than {wanted}")]
    Moved {
        /// The hash that was given.
        wanted: String,
        /// What it is now; `None` if there is nothing to run.
        now: Option<String>,
        /// The command that shows it.
        command: String,
    },
    /// It was submitted before.
    #[error("plan {} was submitted {} by {}; its jobs: {}", record.hash, record.at, one_line(&record.by, 80), ids(record))]
    Again {
        /// What was done then.
        record: Box<Record>,
    },
    /// Tasks of the sweep were submitted after the plan was made.
    #[error("tasks of this sweep were submitted after the plan was made")]
    Meanwhile {
        /// The command that shows the plan of now.
        command: String,
    },
    /// Its lines cannot run here, or not on what is known here.
    #[error("nothing can be submitted here: {why}")]
    NotHere {
        /// Why.
        why: String,
    },
    /// It would start over what has a usable checkpoint.
    #[error("task {task} has a usable checkpoint, and the line would start it over: {}", one_line(line, 200))]
    StartsOver {
        /// The task.
        task: u32,
        /// The line.
        line: String,
    },
}

fn ids(record: &Record) -> String {
    let ids: Vec<String> = record.ids().iter().map(u32::to_string).collect();
    if ids.is_empty() { "none known".to_owned() } else { ids.join(", ") }
}

/// Looks whether a plan may be submitted at all, before anything is read for it.
///
/// # Errors
/// The hash is none; the plan was submitted before.
pub fn check(context: &Context, hash: &str) -> Result<(), Error> {
    if !records::is_hash(hash) {
        let what = format!("{} is no hash of a plan: twelve hex digits", one_line(hash, 40));
        return Err(Error::Usage { what, hint: "copy it from: handover sweep plan NAME".to_owned() });
    }
    match records::find(&context.home(), hash)? {
        Some(record) if !record.did_nothing() => Err(Refusal::Again { record: Box::new(record) }.into()),
        _ => Ok(()),
    }
}

/// Runs exactly the lines of the plan that has this hash, in order, and stops
/// at the first that fails, or that must not run any more: before each one it
/// is looked again what is recorded and what the queue holds.
///
/// # Errors
/// [`Refusal`] if nothing was run; another one submits tasks of the sweep; the
/// record cannot be written.
pub fn run(context: &Context, made: &Made, hash: &str) -> Result<Outcome, Error> {
    let (plan, home) = (&made.outcome.plan, context.home());
    check(context, hash)?;
    // Nothing is offered here that would be refused then.
    if let Some(why) = &made.outcome.not_here {
        return Err(Refusal::NotHere { why: why.clone() }.into());
    }
    if plan.hash.as_deref() != Some(hash) {
        let (wanted, now) = (one_line(hash, 40), plan.hash.clone());
        return Err(Refusal::Moved { wanted, now, command: made.outcome.command.clone() }.into());
    }
    guard(made)?;
    let _lock = alone(context, &plan.sweep)?;
    check(context, hash)?;
    if records::all(&home)?.of(&plan.sweep)? != made.outcome.submitted {
        return Err(Refusal::Meanwhile { command: made.outcome.command.clone() }.into());
    }
    if let Some(record) = records::find(&home, hash)? {
        record.set_aside(context.world, &home)?;
    }
    let environment = &context.world.environment;
    let by = format!("{}@{}", environment.user(), environment.host());
    let mut record = Record::of(plan, made.kind, hash, context.now, by);
    match record.claim(context.world, &home) {
        // Somebody else was faster.
        Err(e) if e.already_exists() => {
            let other = records::find(&home, hash)?.unwrap_or(record);
            return Err(Refusal::Again { record: Box::new(other) }.into());
        }
        claimed => claimed?,
    }
    for number in 0..record.lines.len() {
        if let Some(why) = hindrance(context, made, &record, number)? {
            if let Some(line) = record.lines.get_mut(number) {
                line.complaint = format!("not run: {why}");
            }
            record.write(context.world, &home)?;
            break;
        }
        if !one(context, &made.real, &mut record, number)? {
            break;
        }
    }
    let whole = record.is_whole();
    Ok(Outcome { record, whole, command: made.outcome.command.clone() })
}

/// One at a time submits tasks of a sweep.
fn alone(context: &Context, sweep: &str) -> Result<Lock, Error> {
    let home = locked(context).join(records::mark(sweep));
    let purpose = format!("submit tasks of sweep {}", one_line(sweep, 60));
    Ok(lock::acquire(context.world, &home, &purpose, PATIENCE, &mut |_| {})?)
}

fn locked(context: &Context) -> PathBuf {
    context.home().join("sweeps/submitting")
}

/// The folders in which a lock of those who submit may be.
pub fn locks(context: &Context) -> Vec<PathBuf> {
    let names = std::fs::read_dir(locked(context)).into_iter().flatten();
    names.filter_map(|name| Some(name.ok()?.path())).collect()
}

/// A person's word that the lines of a plan, of which it is unknown whether they
/// submitted anything, did not.
///
/// # Errors
/// There is no such plan, or none of its lines is unclear; the record cannot be
/// written.
pub fn say_not_submitted(context: &Context, hash: &str) -> Result<(), Error> {
    let home = context.home();
    let _lock = alone(context, &unclear(context, hash)?.sweep)?;
    // Whoever submitted it may have been at it until now.
    let mut record = unclear(context, hash)?;
    let environment = &context.world.environment;
    let word = format!("{}@{} at {}", environment.user(), environment.host(), context.now);
    for line in record.lines.iter_mut().filter(|line| line.is_unclear()) {
        (line.state, line.word) = (Progress::Failed, Some(word.clone()));
    }
    Ok(record.write(context.world, &home)?)
}

/// The record of a plan of which it is unknown whether a line submitted anything.
///
/// # Errors
/// There is none, or none of its lines is so.
pub fn unclear(context: &Context, hash: &str) -> Result<Record, Error> {
    match records::find(&context.home(), hash)? {
        Some(record) if record.is_unclear() => Ok(record),
        found => {
            let hash = one_line(hash, 40);
            let what = match found {
                Some(_) => format!("of no line of plan {hash} it is unknown whether it submitted anything"),
                None => format!("no plan {hash} was submitted here"),
            };
            Err(Error::Usage { what, hint: "see what was submitted: handover sweep plan NAME".to_owned() })
        }
    }
}

/// Why a line must not run although the plan has it: what changed since.
fn hindrance(
    context: &Context,
    made: &Made,
    record: &Record,
    number: usize,
) -> Result<Option<String>, Error> {
    let Some(line) = record.lines.get(number) else { return Ok(None) };
    if without_links(&made.outcome.directory) != made.real {
        return Ok(Some(format!("{} leads elsewhere now", escape_path(&made.outcome.directory))));
    }
    if line.purpose == Purpose::Cancel {
        return Ok(None);
    }
    let mut others = records::all(&context.home())?.of(&record.sweep)?;
    others.retain(|other| other.hash != record.hash);
    let before = made.outcome.submitted.iter().filter(|other| other.hash != record.hash);
    if !others.iter().eq(before) {
        return Ok(Some("tasks of this sweep were submitted by another plan in the meantime".to_owned()));
    }
    let queue = snapshot::queue(context, Some(&Source::Local))?;
    let jobs = match &queue.jobs {
        Known::Known(jobs) if !queue.partial => jobs,
        Known::Known(_) => return Ok(Some("the queue was not read whole".to_owned())),
        Known::Unknown(why) | Known::NotApplicable(why) => {
            return Ok(Some(format!("the queue was not read: {why}")));
        }
    };
    others.push(record.clone());
    Ok(alive(made, &others, jobs, line))
}

/// A live job that does the work of a task of the line, in words.
fn alive(made: &Made, records: &[Record], jobs: &[Job], line: &Done) -> Option<String> {
    let (sweep, gathered) = (&made.examined.sweep, &made.examined.gathered);
    let known: BTreeSet<u32> = records.iter().flat_map(Record::ids).collect();
    for job in jobs.iter().filter(|job| job.state.is_live()) {
        let does = |task: u32| match (&job.pending_tasks, job.id.part) {
            (Some(pending), _) => pending.contains(task),
            (None, Part::Task(own)) => own == task,
            (None, _) => sweep.kind == Kind::SharedName && job.id.base == task,
        };
        let is_own = sweep.kind == Kind::SharedName || job.id.base.to_string() == sweep.key;
        // A job that is no array does what the line that made it is about.
        let made_for = |task: u32| {
            let lines = records.iter().flat_map(|record| &record.lines);
            let mut own = lines.filter(|line| line.ids.contains(&job.id.base));
            own.any(|line| line.tasks.0.contains(task) && (!job.is_of_array() || does(task)))
        };
        let does_it = |task: &u32| is_own && does(*task) || made_for(*task);
        if let Some(task) = line.tasks.0.iter().find(does_it) {
            return Some(format!("task {task} is alive in the queue: {}", job.label()));
        }
    }
    let dir = gathered.work_dirs.first().map(|(dir, _)| dir.as_path());
    let others = elsewhere::among(jobs, sweep, dir, &known);
    if let Some((task, id)) = others.tasks.iter().find(|(task, _)| line.tasks.0.contains(**task)) {
        return Some(format!("task {task} is alive in the queue as {id}"));
    }
    // A line that went well and did not say its job's id has made one that nobody knows.
    let is_ours = records
        .iter()
        .flat_map(|record| &record.lines)
        .any(|line| line.purpose != Purpose::Cancel && line.state == Progress::Done && line.ids.is_empty());
    let new = others.any.or(others.single.filter(|id| Some(*id) != made.single && !is_ours));
    new.map(|id| format!("job {id} has the same name, and may do the work of one of these tasks"))
}

/// No task that can go on from a checkpoint is started over, whatever made the line.
fn guard(made: &Made) -> Result<(), Error> {
    for line in made.outcome.plan.runnable().filter(|line| line.purpose == Purpose::Start) {
        let has_checkpoint = |task: &u32| made.with_checkpoint.contains(*task);
        if let Some(task) = line.tasks.0.iter().find(has_checkpoint) {
            return Err(Refusal::StartsOver { task, line: line.text.clone() }.into());
        }
    }
    Ok(())
}

/// Runs one line, with the record written before and after; true if it went well.
fn one(context: &Context, directory: &Path, record: &mut Record, number: usize) -> Result<bool, Error> {
    let home = context.home();
    let Some(line) = record.lines.get_mut(number) else { return Ok(false) };
    line.state = Progress::Began;
    let text = line.text.clone();
    record.write(context.world, &home)?;
    let spawn = Spawn::new("/bin/sh").args(["-c", &text]).dir(directory);
    let ran = context.world.processes.run(&spawn.limit(LIMIT).cap(MOST));
    let Some(line) = record.lines.get_mut(number) else { return Ok(false) };
    match ran {
        Ok(finished) => {
            line.state = ending::of(&finished, &text, line.purpose);
            line.code = Some(finished.code);
            line.ids = records::submitted(&finished.text(), &text);
            line.complaint = one_line(&finished.complaint(), 400);
        }
        // It never began.
        Err(error @ SpawnError::Missing { .. }) => {
            (line.state, line.complaint) = (Progress::Failed, error.to_string());
        }
        // Whether it did anything is not known.
        Err(error) => line.complaint = error.to_string(),
    }
    let went_well = line.state == Progress::Done;
    record.write(context.world, &home)?;
    Ok(went_well)
}
