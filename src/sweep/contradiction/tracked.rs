//! Where the tracker's runs do not agree with Slurm.
//!
//! Life is told by the times of files alone: W&B writes `heartbeatAt` once, at
//! the start.

use std::collections::BTreeSet;

use super::{ContradictionKind as Kind, Found};
use crate::cluster::State;
use crate::sweep::{Evidence, Line, Source};
use crate::terms::{Seconds, Time};
use crate::tracker::{Run, Tracker};

/// A run that has not given a sign of life for so long is silent.
const SILENT: Seconds = Seconds(30 * 60);
/// So long a job may take to end after its run did: last checkpoints, copies.
const ENDING: Seconds = Seconds(5 * 60);
/// How far the clocks of nodes and controller may be apart.
const APART: Seconds = Seconds(120);

/// Holds the runs of one task against its state.
pub(super) fn tracked(task: &Evidence, now: Option<Time>, found: &mut Found) {
    two_runs(task, found);
    run_of_several(task, found);
    let own: Vec<&Run> = task.runs().iter().filter(|run| is_of_newest(task, run)).collect();
    if task.state == State::Running {
        running(task, &own, now, found);
    } else if let Some(run) = own.iter().copied().max_by_key(|run| run.started) {
        over(task, run, found);
    }
}

/// Several runs of one attempt, under different ids.
fn two_runs(task: &Evidence, found: &mut Found) {
    let runs = task.runs();
    let same = |one: &Run, other: &Run| {
        one.tracker == other.tracker && one.id != other.id && task.attempt_of(one) == task.attempt_of(other)
    };
    let pair = runs
        .iter()
        .enumerate()
        .find_map(|(at, one)| runs[at + 1..].iter().find(|other| same(one, other)).map(|other| (one, other)));
    let Some((one, other)) = pair else { return };
    let end = |run: &Run| run.last_sign.as_ref().map(|sign| sign.time);
    let how = match (one.started, end(one), other.started, end(other)) {
        (Some(from), Some(to), Some(other_from), Some(other_to)) if from <= other_to && other_from <= to => {
            "at the same time"
        }
        _ => "one after the other",
    };
    let of_attempt = runs.iter().filter(|run| run.id == one.id || same(one, run));
    let ids: BTreeSet<&str> = of_attempt.map(|run| run.id.as_str()).collect();
    found.add(Kind::TwoRuns, task.member, || {
        let ids: Vec<&str> = ids.into_iter().collect();
        Some(line(other, format!("runs {}, {how}", ids.join(", "))))
    });
}

/// A run that lies in another task's folder, too.
fn run_of_several(task: &Evidence, found: &mut Found) {
    let Some(twice) = task.looked.as_deref().and_then(|looked| looked.twice.first()) else { return };
    found.add(Kind::RunOfSeveral, task.member, || {
        let dirs: Vec<String> = twice.dirs.iter().map(|dir| dir.display().to_string()).collect();
        let whose = if twice.is_own { ", by its own records this task's" } else { "" };
        let text = format!("run {} in {}{whose}", twice.id, dirs.join(" and "));
        Some(Line { file: twice.dirs.first().cloned(), ..Line::said(Source::Tracker, text) })
    });
}

/// A job that runs: do its runs?
fn running(task: &Evidence, own: &[&Run], now: Option<Time>, found: &mut Found) {
    let Some(now) = now else { return };
    let is_older = |time: Option<Time>, span: Seconds| time.is_none_or(|time| time.age(now) > span);
    let life = life(task);
    let open = own.iter().copied().filter(|run| run.exit.is_none());
    match (open.max_by_key(|run| sign(run)), own.iter().copied().max_by_key(|run| sign(run))) {
        (Some(run), _) => {
            let Some(at) = sign(run).filter(|at| at.age(now) > SILENT) else { return };
            // Other files that move show that it lives, and not that it reports.
            let lives = life.is_some_and(|life| life > at && life.age(now) <= SILENT);
            let kind = if lives { Kind::TrackerSilent } else { Kind::Silent };
            found.add(kind, task.member, || Some(line(run, told(run))));
        }
        (None, Some(run)) => {
            // It may have more to do after the run, and tell of it.
            if is_older(sign(run), ENDING) && is_older(life, ENDING) {
                found.add(Kind::HeldGpu, task.member, || Some(line(run, told(run))));
            }
        }
        (None, None) => {
            let Some(events) = task.events().iter().max_by_key(|events| events.modified) else { return };
            if life.is_some() && is_older(life, SILENT) {
                let text = format!("event file{}", last_sign(events.modified));
                found.add(Kind::Silent, task.member, || {
                    Some(Line { file: Some(events.path.clone()), ..Line::said(Source::Tracker, text) })
                });
            }
        }
    }
}

/// A job that is over: did its run end as it did?
fn over(task: &Evidence, run: &Run, found: &mut Found) {
    let kind = match (task.state, run.exit) {
        (State::Completed, Some(exit)) if exit.code != 0 => Kind::CompletedOverCrashedRun,
        (state, Some(exit)) if state.is_failure() && exit.code == 0 => Kind::FailedThoughDone,
        (state, None) if state.is_finished() => {
            let late = sign(run).zip(task.ended).is_some_and(|(sign, end)| sign > end.plus(ENDING));
            match (late, state) {
                (true, _) => Kind::RunAfterEnd,
                (false, State::Completed) => Kind::CompletedWithoutExitRecord,
                (false, _) => Kind::ZombieRun,
            }
        }
        _ => return,
    };
    found.add(kind, task.member, || Some(line(run, told(run))));
}

/// True unless the run began before the newest attempt did.
fn is_of_newest(task: &Evidence, run: &Run) -> bool {
    task.started.zip(run.started).is_none_or(|(job, run)| run >= job.minus(APART))
}

fn sign(run: &Run) -> Option<Time> {
    run.last_sign.as_ref().map(|sign| sign.time)
}

/// The newest sign of life beside the tracker's runs: the log, and event files
/// of TensorBoard.
fn life(task: &Evidence) -> Option<Time> {
    let log = task.log().and_then(|log| log.reading.modified);
    task.events().iter().filter_map(|events| events.modified).chain(log).max()
}

/// The moment itself: ages count from the look here and from now elsewhere, and
/// a state file may be hours old.
fn last_sign(at: Option<Time>) -> String {
    at.map(|at| format!(", last sign of life {at}")).unwrap_or_default()
}

fn told(run: &Run) -> String {
    let tracker = match run.tracker {
        Tracker::Wandb => "",
        Tracker::Mlflow => "MLflow ",
    };
    let silent = last_sign(sign(run));
    match run.exit {
        Some(exit) => format!("{tracker}run {} ended with code {}{silent}", run.id, exit.code),
        None => format!("{tracker}run {} has no exit record{silent}", run.id),
    }
}

/// With the file whose time is the sign of life.
fn line(run: &Run, text: String) -> Line {
    let file = match &run.last_sign {
        Some(sign) => run.dir.join(&sign.of),
        None => run.dir.clone(),
    };
    Line { file: Some(file), ..Line::said(Source::Tracker, text) }
}
