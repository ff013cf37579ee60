//! Tasks that were submitted again before, and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cluster::{self, Look, Problem, Snapshot, State};
use crate::sweep::plan::{Again, Purpose};
use crate::sweep::{self, Evidence, Kind, Sweep};
use crate::sys::World;
use crate::terms::{JobId, Known, Part, TaskIds};
use crate::verbs::sweep::records::{self, Progress, Record};

/// So many new jobs are asked for by their ids.
const MOST_ASKED: usize = 1000;

/// Asks accounting for the new jobs that it has not told of: they may be of
/// other days than the window that was asked for.
pub fn ask(world: &World, look: &Look, snapshot: &mut Snapshot, records: &[Record]) {
    let Known::Known(accounting) = &mut snapshot.accounting else { return };
    let seen: BTreeSet<u32> = accounting.attempts().iter().map(|attempt| attempt.id.base).collect();
    let queued: BTreeSet<u32> = snapshot.jobs.known().into_iter().flatten().map(|job| job.id.base).collect();
    let new = records.iter().flat_map(Record::ids).filter(|id| !seen.contains(id) && !queued.contains(id));
    let new: Vec<JobId> = new.take(MOST_ASKED).map(JobId::whole).collect();
    if new.is_empty() {
        return;
    }
    match cluster::accounting_of(world, look, &new) {
        Known::Known(mut answer) => {
            snapshot.problems.append(&mut answer.problems);
            accounting.take_over(&new, &answer);
        }
        Known::Unknown(why) | Known::NotApplicable(why) => {
            let what = format!("jobs that were submitted again were not asked for: {why}");
            snapshot.problems.push(Problem { about: "sacct".to_owned(), what });
        }
    }
}

/// The tasks of the sweep that a line has submitted, or may have, with the
/// newest id.
pub fn again(records: &[Record], snapshot: &Snapshot) -> BTreeMap<u32, Again> {
    let mut all = BTreeMap::new();
    let lines = records.iter().flat_map(|record| record.lines.iter().map(move |line| (record, line)));
    for (record, line) in lines.filter(|(_, line)| line.purpose != Purpose::Cancel) {
        let happened = match line.state {
            Progress::Planned => false,
            Progress::Failed => !line.ids.is_empty(),
            Progress::Began | Progress::Done => true,
        };
        if !happened {
            continue;
        }
        // Of several new jobs it is not known which is whose.
        let base = match line.ids.as_slice() {
            [one] => Some(*one),
            _ => None,
        };
        let is_array = base.is_some_and(|base| is_array(snapshot, base)) || line.text.contains("--array");
        for task in line.tasks.0.iter() {
            let id = base.map(|base| match record.kind {
                Kind::Array if is_array => JobId::task(base, task),
                _ => JobId::whole(base),
            });
            let sure = line.state == Progress::Done || !line.ids.is_empty();
            all.insert(
                task,
                Again {
                    id,
                    state: id.and_then(|id| state(snapshot, id)),
                    sure,
                    hash: record.hash.clone(),
                    why: line.why.clone(),
                },
            );
        }
    }
    all
}

/// What plans have submitted of the sweeps of a repository. A record that
/// cannot be read leaves the counts as Slurm has them, and is told in words.
#[derive(Debug, Clone, Default)]
pub struct Submitted {
    records: Vec<Record>,
    /// Why nothing is known of it.
    pub unread: Option<String>,
}

impl Submitted {
    /// Reads all records; nothing without a `home`.
    pub fn read(home: Option<&Path>) -> Submitted {
        match home.map(records::all) {
            None => Submitted::default(),
            Some(Ok(records)) => Submitted { records, unread: None },
            Some(Err(error)) => {
                let unread = Some(format!("which tasks were submitted again: {error}"));
                Submitted { records: Vec::new(), unread }
            }
        }
    }

    /// The sweeps of a snapshot, counted like everywhere: a task that was
    /// submitted again is its newest job, and one that a plan cancelled and that
    /// Slurm has forgotten is cancelled.
    pub fn sweeps(&self, snapshot: &Snapshot) -> sweep::Found {
        let mut found = sweep::sweeps(snapshot);
        found.sweeps.iter_mut().for_each(|sweep| self.count(sweep, snapshot));
        found
    }

    /// Counts one sweep so.
    pub fn count(&self, sweep: &mut Sweep, snapshot: &Snapshot) {
        let own = self.of(sweep);
        if !own.is_empty() {
            let _ = count_cancelled(sweep, &own);
            sweep::take_over(&mut Vec::new(), sweep, snapshot, &again(&own, snapshot));
        }
    }

    /// The tasks of a sweep by queue and accounting; the sweep, which must not
    /// be counted yet, is then counted like them.
    pub fn tasks(&self, sweep: &mut Sweep, snapshot: &Snapshot) -> Vec<Evidence> {
        let mut evidence = sweep::tasks(snapshot, sweep);
        let own = self.of(sweep);
        if !own.is_empty() {
            let cancelled = count_cancelled(sweep, &own);
            sweep::add_cancelled(&mut evidence, sweep, &cancelled);
            sweep::take_over(&mut evidence, sweep, snapshot, &again(&own, snapshot));
        }
        evidence
    }

    fn of(&self, sweep: &Sweep) -> Vec<Record> {
        self.records.iter().filter(|record| record.sweep == sweep.key).cloned().collect()
    }
}

/// Counts as cancelled what a plan has cancelled and what Slurm does not know
/// any more: of a waiting task of an array that is cancelled without the others
/// neither queue nor accounting keep anything, and the sweep would shrink.
/// Which those are.
pub fn count_cancelled(sweep: &mut Sweep, records: &[Record]) -> TaskIds {
    let lines = records.iter().flat_map(|record| &record.lines);
    let cancelled = lines.filter(|line| line.purpose == Purpose::Cancel && line.state == Progress::Done);
    let all = cancelled.fold(TaskIds::default(), |all, line| all.union(&line.tasks.0));
    sweep.count_cancelled(&all)
}

fn is_array(snapshot: &Snapshot, base: u32) -> bool {
    let jobs = snapshot.jobs.known().into_iter().flatten();
    let attempts = snapshot.accounting.known().into_iter().flat_map(|all| all.attempts());
    jobs.clone().any(|job| job.id.base == base && job.is_of_array())
        || attempts.into_iter().any(|one| one.id.base == base && matches!(one.id.part, Part::Task(_)))
}

/// What a job does now: the queue's word, else its newest attempt.
fn state(snapshot: &Snapshot, id: JobId) -> Option<State> {
    let index = match id.part {
        Part::Task(index) => Some(index),
        _ => None,
    };
    let waits = |pending: &TaskIds| index.is_some_and(|index| pending.contains(index));
    let queued = snapshot.jobs.known().into_iter().flatten().find(|job| {
        job.id == id || (job.id.base == id.base && job.pending_tasks.as_ref().is_some_and(waits))
    });
    if let Some(job) = queued {
        return Some(job.state);
    }
    let accounting = snapshot.accounting.known()?;
    accounting.attempts().iter().filter(|one| one.id == id).max_by_key(|one| one.order()).map(|one| one.state)
}
