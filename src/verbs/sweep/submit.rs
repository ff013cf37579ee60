//! Runs the lines of a plan that somebody has seen, once.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use super::plan::Made;
use super::records::{self, Progress, Record};
use crate::safety::one_line;
use crate::sweep::plan::Purpose;
use crate::sys::{FileError, Spawn, SpawnError};
use crate::verbs::{Context, Error};

/// How long one line may take.
const LIMIT: Duration = Duration::from_secs(300);
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
/// at the first that fails.
///
/// # Errors
/// [`Refusal`] if nothing was run; the record cannot be written.
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
    if let Some(record) = records::find(&home, hash)? {
        set_aside(context, &record)?;
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
        if !one(context, &made.outcome.directory, &mut record, number)? {
            break;
        }
    }
    let whole = record.is_whole();
    Ok(Outcome { record, whole, command: made.outcome.command.clone() })
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

/// Keeps the record of an attempt that did nothing under another name.
fn set_aside(context: &Context, record: &Record) -> Result<(), FileError> {
    let from = records::path(&context.home(), &record.hash);
    let to = from.with_extension(format!("failed-{}.json", record.at.unix()));
    context.world.files.rename_new(&from, &to)
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
            line.state = if finished.success() { Progress::Done } else { Progress::Failed };
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
