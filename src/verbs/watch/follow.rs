//! Tasks that a plan has submitted again: the watch of the old array goes on
//! with them under their new ids.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::cluster::{Job, Snapshot, State};
use crate::safety;
use crate::sweep::memory::Memory;
use crate::sweep::plan::Again;
use crate::sweep::{self, Evidence, Outcome, Sweep};
use crate::terms::{JobId, Part, TaskIds};
use crate::verbs::Error;
use crate::verbs::sweep::again;
use crate::verbs::sweep::records::{self, Record};

/// What was submitted again of one sweep.
#[derive(Default)]
pub(super) struct Followed {
    records: Vec<Record>,
    /// The tasks that go on under other ids.
    again: BTreeMap<u32, Again>,
    /// Jobs of which accounting has answered.
    asked: BTreeSet<u32>,
    /// Tasks that go on under ids of which nobody knew at the last look.
    unseen: TaskIds,
}

impl Followed {
    /// Reads what plans have submitted; an error leaves what was known, and is
    /// told in words.
    pub fn read(&mut self, home: &Path, key: &str) -> Result<(), String> {
        let own = records::all(home).map_err(Error::from).and_then(|all| again::family_of(&all, key));
        self.records = own.map_err(|error| format!("which tasks were submitted again: {error}"))?;
        Ok(())
    }

    /// The new jobs.
    pub fn jobs(&self) -> BTreeSet<u32> {
        self.records.iter().flat_map(Record::ids).collect()
    }

    /// Which tasks go on under which ids.
    pub fn again(&self) -> &BTreeMap<u32, Again> {
        &self.again
    }

    /// The newest ids of the tasks, as far as they are known.
    pub fn ids(&self) -> impl Iterator<Item = (u32, JobId)> + '_ {
        self.again.iter().filter_map(|(member, one)| Some((*member, one.id?)))
    }

    /// Brings up to date which task is which new job.
    pub fn settle(&mut self, snapshot: &Snapshot) {
        self.again = again::again(&self.records, snapshot);
    }

    /// The tasks that are in the queue under their new ids.
    pub fn queued(&self, jobs: &[Job]) -> TaskIds {
        let new = self.jobs();
        let mut single: BTreeSet<JobId> = BTreeSet::new();
        let mut together: BTreeMap<u32, TaskIds> = BTreeMap::new();
        let mut cut: BTreeSet<u32> = BTreeSet::new();
        for job in jobs.iter().filter(|job| new.contains(&job.id.base)) {
            match &job.pending_tasks {
                _ if job.tasks_cut => drop(cut.insert(job.id.base)),
                Some(tasks) => {
                    let known = together.entry(job.id.base).or_default();
                    *known = known.union(tasks);
                }
                None => drop(single.insert(job.id)),
            }
        }
        let waits = |id: JobId| match id.part {
            Part::Task(index) => together.get(&id.base).is_some_and(|tasks| tasks.contains(index)),
            Part::Whole | Part::Component(_) => false,
        };
        let is_queued = |id: JobId| single.contains(&id) || cut.contains(&id.base) || waits(id);
        self.ids().filter(|(_, id)| is_queued(*id)).map(|(member, _)| member).collect()
    }

    /// The new jobs of which accounting is to be asked: they left the queue, or
    /// were never seen in it.
    pub fn left(&self, jobs: &[Job], before: Option<&Memory>) -> BTreeSet<JobId> {
        let queued = self.queued(jobs);
        let live = before.map(|before| before.tasks_in(State::is_live)).unwrap_or_default();
        let is_due = |member: u32, id: JobId| {
            !queued.contains(member)
                && (live.contains(member) || self.unseen.contains(member) || !self.asked.contains(&id.base))
        };
        // A task that never started has no row of its own.
        self.ids().filter(|(member, id)| is_due(*member, *id)).map(|(_, id)| JobId::whole(id.base)).collect()
    }

    /// Notes that accounting has answered for these.
    pub fn answered(&mut self, ids: &[JobId]) {
        self.asked.extend(ids.iter().map(|id| id.base));
    }

    /// Counts the tasks by their new jobs, and as cancelled what a plan has
    /// cancelled and nobody knows any more; which those are.
    pub fn count(&self, sweep: &mut Sweep, snapshot: &Snapshot) -> TaskIds {
        let cancelled = again::count_cancelled(sweep, &self.records);
        sweep::take_over(&mut Vec::new(), sweep, snapshot, &self.again);
        cancelled
    }

    /// The sweep's tasks, as those of the newest ids.
    pub fn tasks(&self, snapshot: &Snapshot, sweep: &Sweep, cancelled: &TaskIds) -> Vec<Evidence> {
        let mut evidence = sweep::tasks(snapshot, sweep);
        sweep::add_cancelled(&mut evidence, sweep, cancelled);
        if !self.again.is_empty() {
            sweep::take_over(&mut evidence, &mut sweep.clone(), snapshot, &self.again);
        }
        sweep::name_who_cancelled(&mut evidence, &again::cancelled_by(&self.records));
        evidence
    }

    /// The same for what is remembered of a sweep that nobody knows now.
    pub fn remember(&self, memory: &mut Memory) {
        for (member, one) in &self.again {
            let Some(state) = one.state.filter(|_| one.id.is_some()) else { continue };
            memory.add_task(*member, Outcome { state, exit: None });
        }
    }

    /// Takes note of those of which nobody knows anything under their new ids.
    /// True if that is so of one for the first time: a queue that was asked a
    /// moment ago may know it now.
    pub fn note_unseen(&mut self, memory: &Memory) -> bool {
        let unknown = memory.tasks_in(|state| state == State::Unknown);
        let unseen: TaskIds =
            self.ids().map(|(member, _)| member).filter(|member| unknown.contains(*member)).collect();
        let is_new = !unseen.difference(&self.unseen).is_empty();
        self.unseen = unseen;
        is_new
    }
}

/// Every record, and why they are not known.
pub(super) fn all_records(home: &Path) -> (Vec<Record>, Option<String>) {
    match records::all(home) {
        Ok(all) => {
            let why = all.unread().next().map(|why| format!("which tasks were submitted again: {why}"));
            (all.records, why)
        }
        Err(error) => {
            let why = safety::one_line(&error.to_string(), 200);
            (Vec::new(), Some(format!("which tasks were submitted again: {why}")))
        }
    }
}
