//! Sweeps in the form that documents store: counts from queue and accounting,
//! and what they amount to, from logs and run folders as far as there is time.

mod compress;
mod since;

use std::path::PathBuf;
use std::sync::{Arc, mpsc};
use std::time::Duration;

pub use since::{changed, moved, resubmitted, went_on};

use super::sweep::again::Submitted;
use super::sweep::examine::{self, LookedInto, Place};
use super::sweep::settle::{Settled, Statement};
use super::{Context, snapshot};
use crate::cluster::Snapshot;
use crate::config::{Config, Sweeps};
use crate::document::{StandingFact, SweepFact, SweepsFact};
use crate::joblog::Table;
use crate::safety::{clip, escape};
use crate::sweep::{self, Members, Parameters, Rules, Sweep};
use crate::sys::{Deadline, World};
use crate::terms::Seconds;

/// At most this many sweeps are listed.
const MOST_SWEEPS: usize = 40;
/// Of so many of them files are read.
const MOST_READ: usize = 12;
/// A list of tasks that is longer than this, in bytes, is not kept.
const LONG_LIST: usize = 8 << 10;
/// A file that was begun may take so much longer; then the file system hangs.
const GRACE: Duration = Duration::from_secs(2);

/// The sweeps of a snapshot; `None` if they could not be seen. Files are read
/// for at most `budget` altogether, and none if that is zero.
pub fn of(context: &Context, snapshot: &Arc<Snapshot>, budget: Seconds) -> Option<SweepsFact> {
    if snapshot.jobs.known().is_none() && snapshot.accounting.known().is_none() {
        return None;
    }
    let submitted = Submitted::read(Some(&context.home()));
    let mut found: Vec<Sweep> = sweep::sweeps(snapshot).sweeps;
    submitted.fold(&mut found);
    let is_live = |sweep: &Sweep| sweep.total.is_none_or(|total| total > sweep.finished);
    found.sort_by_key(|sweep| (!is_live(sweep), std::cmp::Reverse(sweep.submitted.max(sweep.ended))));
    let omitted = found.len().saturating_sub(MOST_SWEEPS);
    found.truncate(MOST_SWEEPS);
    let listed = facts(context, snapshot, found, &submitted, budget);
    Some(SweepsFact { omitted: u32::try_from(omitted).unwrap_or(u32::MAX), listed })
}

/// These sweeps, counted and judged.
fn facts(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    sweeps: Vec<Sweep>,
    submitted: &Submitted,
    budget: Seconds,
) -> Vec<SweepFact> {
    let counted = |sweep: &Sweep| {
        let mut sweep = sweep.clone();
        submitted.count(&mut sweep, snapshot);
        counts(&sweep)
    };
    let mut facts: Vec<SweepFact> = sweeps.iter().map(counted).collect();
    let standings = standings(context, snapshot, sweeps, submitted, budget);
    facts.iter_mut().zip(standings).for_each(|(fact, standing)| fact.standing = Some(standing));
    facts
}

/// By what a sweep is found again in a document.
fn key(sweep: &Sweep) -> String {
    clip(&escape(&sweep.key), 120)
}

fn counts(sweep: &Sweep) -> SweepFact {
    let list = |members: &Members| clip(&members.to_string(), LONG_LIST);
    let look = &sweep.look;
    let texts = |members: &Members| members.to_string();
    let tasks: std::collections::BTreeMap<String, String> =
        look.tasks.iter().map(|(outcome, members)| (outcome.to_string(), texts(members))).collect();
    let attempts: std::collections::BTreeMap<u32, String> =
        look.attempts.iter().map(|(count, members)| (*count, texts(members))).collect();
    let is_short = tasks.values().chain(attempts.values()).map(String::len).sum::<usize>() <= LONG_LIST;
    SweepFact {
        key: key(sweep),
        name: clip(&escape(&sweep.name), 120),
        continued_by: Members(sweep.continued_by.iter().copied().collect()).to_string(),
        continues: sweep.continues.as_deref().map(|first| clip(&escape(first), 120)).unwrap_or_default(),
        total: sweep.total.map(|total| total as u64),
        finished: sweep.finished as u64,
        states: sweep.states.iter().map(|(state, count)| (state.name().to_owned(), *count as u64)).collect(),
        failed: list(&sweep.failed_tasks),
        fast: sweep.fast.as_ref().map(|fast| list(&fast.tasks)).unwrap_or_default(),
        fast_rule: sweep.fast.as_ref().map(|fast| fast.rule.clone()).unwrap_or_default(),
        completed_over_failed_steps: list(&sweep.completed_over_failed_steps),
        median_seconds: sweep.elapsed.map(|elapsed| elapsed.median),
        tasks: if is_short { tasks } else { Default::default() },
        attempts: if is_short { attempts } else { Default::default() },
        unknown: sweep.unknown.iter().map(|what| clip(&escape(what), 200)).collect(),
        standing: None,
    }
}

/// What each amounts to, in their order.
///
/// A file system that hangs must not hang us: files are read by a thread of its
/// own, which is left behind when time is up. What it did not bring is judged
/// by queue and accounting.
fn standings(
    context: &Context,
    snapshot: &Arc<Snapshot>,
    sweeps: Vec<Sweep>,
    submitted: &Submitted,
    budget: Seconds,
) -> Vec<StandingFact> {
    let (table, mut problem) = match Table::with(&context.config.logs.patterns) {
        Ok(table) => (table, None),
        Err(error) => (Table::builtin().clone(), Some(format!("the patterns of the settings: {error}"))),
    };
    let mut read: Vec<Option<StandingFact>> = vec![None; sweeps.len()];
    let sweeps = Arc::new(sweeps);
    if budget.0 > 0 && !sweeps.is_empty() {
        let span = Duration::from_secs(budget.0);
        let look = snapshot::here(context);
        let reader = Reader {
            world: context.world.clone(),
            config: context.config.clone(),
            roots: context.roots(),
            within: context.worktrees(),
            home: context.home(),
            look: crate::cluster::Look { limit: look.limit.min(span), ..look },
            until: context.world.clock.deadline(span),
            table: table.clone(),
            snapshot: snapshot.clone(),
            sweeps: sweeps.clone(),
        };
        let until = reader.until;
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || reader.read(&send));
        while let Ok((at, standing)) = receive.recv_timeout(until.left() + GRACE) {
            if let Some(slot) = read.get_mut(at) {
                *slot = Some(standing);
            }
        }
    }
    let why = match budget.0 {
        0 => "logs and run folders: not asked for".to_owned(),
        _ => format!("logs and run folders: not within {budget}"),
    };
    let settled = Settled::read(Some(&context.home()));
    let judged = sweeps.iter().zip(read).map(|(sweep, read)| {
        let mut standing = read.unwrap_or_else(|| {
            let settings = &context.config.sweeps.of(&sweep.key, &sweep.name);
            let by = Judge { settings, table: &table, submitted, settled: &settled };
            by_accounting(snapshot, sweep, &by, &why)
        });
        standing.not_read.extend(problem.take().map(|what| crate::safety::one_line(&what, 300)));
        standing
    });
    judged.collect()
}

/// By what sweeps are judged.
struct Judge<'j> {
    settings: &'j Sweeps,
    table: &'j Table,
    submitted: &'j Submitted,
    settled: &'j Settled,
}

/// What queue and accounting alone say of a sweep.
fn by_accounting(snapshot: &Snapshot, sweep: &Sweep, by: &Judge<'_>, why: &str) -> StandingFact {
    let mut sweep = sweep.clone();
    let Judge { settings, table, submitted, settled } = *by;
    let evidence = submitted.tasks(&mut sweep, snapshot);
    let parameters = Parameters::default();
    let rules = Rules { settings, table, parameters: &parameters, now: snapshot.taken_at };
    let judgement = sweep::judge(&sweep, &evidence, &rules);
    compress::standing(&compress::Read {
        evidence: &evidence,
        judgement: &judgement,
        progress: &[],
        foreign: false,
        settled: settled.of(&sweep, &evidence).map(Statement::in_words),
        not_read: &[why.to_owned()],
        cut_short: 0,
        work_dir: None,
        worktree: None,
    })
}

/// Everything that the thread needs that reads.
struct Reader {
    world: World,
    config: Config,
    roots: Vec<PathBuf>,
    within: Vec<PathBuf>,
    home: PathBuf,
    look: crate::cluster::Look,
    until: Deadline,
    table: Table,
    snapshot: Arc<Snapshot>,
    sweeps: Arc<Vec<Sweep>>,
}

impl Reader {
    fn read(&self, send: &mpsc::Sender<(usize, StandingFact)>) {
        for (at, sweep) in self.sweeps.iter().take(MOST_READ).enumerate() {
            if self.until.is_over() {
                return;
            }
            let place = Place::bounded(
                &self.world,
                &self.config,
                self.roots.clone(),
                self.look.clone(),
                self.until,
                self.within.clone(),
                self.home.clone(),
            );
            let LookedInto { gathered, judgement, progress, settled } =
                examine::look_into(&place, &self.table, &self.snapshot, sweep);
            let standing = compress::standing(&compress::Read {
                evidence: &gathered.evidence,
                judgement: &judgement,
                progress: &progress,
                settled,
                foreign: gathered.is_foreign,
                not_read: &gathered.not_read,
                cut_short: gathered.cut_short,
                work_dir: gathered.work_dirs.first().map(|(dir, _)| dir.as_path()),
                worktree: self.roots.first().map(PathBuf::as_path),
            });
            if send.send((at, standing)).is_err() {
                return;
            }
        }
    }
}
