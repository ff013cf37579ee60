//! Tasks that were submitted again before, and what became of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cluster::{self, Attempt, Look, Problem, Snapshot, State};
use crate::sweep::plan::{Again, Purpose};
use crate::sweep::{self, ByPlan, Evidence, Kind, Sweep};
use crate::sys::World;
use crate::terms::{JobId, Known, Part, TaskIds, Time};
use crate::verbs::Error;
use crate::verbs::sweep::records::{self, Progress, Record};

/// So many new jobs are asked for by their ids.
const MOST_ASKED: usize = 1000;
/// So many times a sweep is continued by what continues it.
const LONGEST_CHAIN: usize = 100;

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
            let id = id.or_else(|| appeared(records, record, snapshot, task).filter(|_| line.is_unclear()));
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
    /// By the sweep that they belong to, with those of what continues it.
    families: BTreeMap<String, Vec<Record>>,
    parents: Parents,
    /// Why it is not known of all sweeps.
    pub unread: Option<String>,
}

impl Submitted {
    /// Reads all records; nothing without a `home`.
    pub fn read(home: Option<&Path>) -> Submitted {
        match home.map(records::all) {
            None => Submitted::default(),
            Some(Ok(all)) => {
                let unread =
                    all.unread().next().map(|why| format!("which tasks were submitted again: {why}"));
                Submitted { unread, ..Submitted::of_records(all.records) }
            }
            Some(Err(error)) => {
                let unread = Some(format!("which tasks were submitted again: {error}"));
                Submitted { unread, ..Submitted::default() }
            }
        }
    }

    fn of_records(records: Vec<Record>) -> Submitted {
        let parents = parents(&records);
        let mut families: BTreeMap<String, Vec<Record>> = BTreeMap::new();
        for record in records {
            families.entry(root(&parents, &record).to_owned()).or_default().push(record);
        }
        Submitted { families, parents, unread: None }
    }

    /// The sweeps of a snapshot, counted like everywhere: a task that was
    /// submitted again is its newest job, and one that a plan cancelled and that
    /// Slurm has forgotten is cancelled. What continues another one is no sweep
    /// of its own.
    pub fn sweeps(&self, snapshot: &Snapshot) -> sweep::Found {
        let mut found = sweep::sweeps(snapshot);
        self.fold(&mut found.sweeps);
        found.sweeps.iter_mut().for_each(|sweep| self.count(sweep, snapshot));
        found
    }

    /// Leaves out what continues a sweep that is here too; those are told of it.
    pub fn fold(&self, sweeps: &mut Vec<Sweep>) {
        self.mark(sweeps);
        let keys: BTreeSet<String> = sweeps.iter().map(|sweep| sweep.key.clone()).collect();
        sweeps.retain(|sweep| sweep.continues.as_ref().is_none_or(|origin| !keys.contains(origin)));
    }

    /// The array that this one continues, the first of such a chain.
    pub fn first(&self, array: u32) -> Option<u32> {
        first(&self.parents, &array.to_string())?.parse().ok()
    }

    /// The jobs that continue an array.
    pub fn jobs(&self, array: u32) -> impl Iterator<Item = u32> + '_ {
        self.families.get(&array.to_string()).into_iter().flatten().flat_map(Record::ids)
    }

    /// The jobs that continue a sweep, as Slurm writes a list.
    pub fn continues(&self, key: &str) -> String {
        let own = self.families.get(key).into_iter().flatten();
        own.flat_map(Record::ids).collect::<TaskIds>().to_string()
    }

    /// Notes which sweep continues which.
    pub fn mark(&self, sweeps: &mut [Sweep]) {
        for sweep in sweeps {
            let ids: TaskIds = self.of(sweep).iter().flat_map(Record::ids).collect();
            sweep.continued_by = ids.iter().collect();
            sweep.continues = match sweep.kind {
                Kind::Array => first(&self.parents, &sweep.key).map(str::to_owned),
                Kind::SharedName => None,
            };
        }
    }

    /// Counts one sweep so.
    pub fn count(&self, sweep: &mut Sweep, snapshot: &Snapshot) {
        let own = self.of(sweep);
        if !own.is_empty() {
            let _ = count_cancelled(sweep, own);
            sweep::take_over(&mut Vec::new(), sweep, snapshot, &again(own, snapshot));
        }
    }

    /// The tasks of a sweep by queue and accounting; the sweep, which must not
    /// be counted yet, is then counted like them.
    pub fn tasks(&self, sweep: &mut Sweep, snapshot: &Snapshot) -> Vec<Evidence> {
        let mut evidence = sweep::tasks(snapshot, sweep);
        let own = self.of(sweep);
        if !own.is_empty() {
            let cancelled = count_cancelled(sweep, own);
            sweep::add_cancelled(&mut evidence, sweep, &cancelled);
            sweep::take_over(&mut evidence, sweep, snapshot, &again(own, snapshot));
            sweep::name_who_cancelled(&mut evidence, &cancelled_by(own));
        }
        evidence
    }

    fn of(&self, sweep: &Sweep) -> &[Record] {
        self.families.get(&sweep.key).map_or(&[], Vec::as_slice)
    }
}

/// The records of a sweep, and of the arrays that continue it: those have the
/// indices of its tasks. `records` are those of all sweeps, oldest first.
pub fn family(mut records: Vec<Record>, key: &str) -> Vec<Record> {
    let parents = parents(&records);
    records.retain(|record| root(&parents, record) == key);
    records
}

/// The same of what was read, unless a record that may be of the sweep cannot be.
///
/// # Errors
/// There is such a record.
pub fn family_of(all: &records::All, key: &str) -> Result<Vec<Record>, Error> {
    all.check(key)?;
    Ok(family(all.records.clone(), key))
}

/// The array of which this one runs tasks that a plan has submitted again, if
/// it does: the first of such a chain. `records` are those of all sweeps.
pub fn origin(records: &[Record], key: &str) -> Option<String> {
    first(&parents(records), key).map(str::to_owned)
}

/// The arrays of which plans have submitted tasks again, by the new jobs.
type Parents = BTreeMap<u32, String>;

fn parents(records: &[Record]) -> Parents {
    let arrays = records.iter().filter(|record| record.kind == Kind::Array);
    arrays.flat_map(|record| record.ids().into_iter().map(|id| (id, record.sweep.clone()))).collect()
}

fn first<'p>(parents: &'p Parents, key: &str) -> Option<&'p str> {
    let parent = |key: &str| parents.get(&key.parse::<u32>().ok()?).map(String::as_str);
    let mut found = parent(key)?;
    // Ids are given once, but a record can be written by anybody.
    for _ in 0..LONGEST_CHAIN {
        match parent(found) {
            Some(next) if next != key => found = next,
            _ => break,
        }
    }
    Some(found)
}

/// The sweep of which a record tells in the end.
fn root<'r>(parents: &'r Parents, record: &'r Record) -> &'r str {
    let first = first(parents, &record.sweep).filter(|_| record.kind == Kind::Array);
    first.unwrap_or(&record.sweep)
}

/// The task of an array that came up since a record was written and that no
/// record knows: what a line submitted whose end did not say so.
fn appeared(records: &[Record], record: &Record, snapshot: &Snapshot, task: u32) -> Option<JobId> {
    if record.kind != Kind::Array {
        return None;
    }
    let is_known = |base: u32| {
        base.to_string() == record.sweep || records.iter().any(|record| record.ids().contains(&base))
    };
    let is_later = |time: Option<Time>| {
        time.is_some_and(|time| time.unix() >= record.at.unix().saturating_sub(sweep::SKEW))
    };
    let queued = snapshot.jobs.known().into_iter().flatten().filter(|job| {
        let waits = job.pending_tasks.as_ref().is_some_and(|pending| pending.contains(task));
        job.name == record.name
            && is_later(job.submitted)
            && (waits || job.id == JobId::task(job.id.base, task))
    });
    let accounting = snapshot.accounting.known();
    let ended = accounting.into_iter().flat_map(|accounting| {
        let is_it = move |one: &&Attempt| {
            one.id == JobId::task(one.id.base, task)
                && accounting.text(one.name) == record.name
                && is_later(accounting.moment(one.submitted))
        };
        accounting.attempts().iter().filter(is_it).map(|one| one.id.base)
    });
    let bases = queued.map(|job| job.id.base).chain(ended).filter(|base| !is_known(*base));
    bases.max().map(|base| JobId::task(base, task))
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

/// The tasks that plans have cancelled and not submitted again since, with the last plan that
/// did. A cancelled task that is in it may be the work of another hand, if it ended before.
pub fn cancelled_by(records: &[Record]) -> BTreeMap<u32, ByPlan> {
    let mut all = BTreeMap::new();
    for record in records {
        for line in &record.lines {
            let happened = match line.state {
                Progress::Planned => false,
                Progress::Failed => !line.ids.is_empty(),
                Progress::Began | Progress::Done => true,
            };
            for task in line.tasks.0.iter().filter(|_| happened) {
                let plan = ByPlan { hash: record.hash.clone(), at: record.at, by: record.by.clone() };
                match line.purpose {
                    Purpose::Cancel => drop(all.insert(task, plan)),
                    _ => drop(all.remove(&task)),
                }
            }
        }
    }
    all
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
