//! Tasks that were submitted again before, and what became of them.

use std::collections::BTreeMap;

use crate::cluster::{Snapshot, State};
use crate::sweep::Kind;
use crate::sweep::plan::{Again, Purpose};
use crate::terms::{JobId, Part};
use crate::verbs::sweep::records::{Progress, Record};

/// The tasks of the sweep that a line has submitted, or may have, with the
/// newest id.
pub(super) fn again(records: &[Record], snapshot: &Snapshot) -> BTreeMap<u32, Again> {
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
                Again { id, state: id.and_then(|id| state(snapshot, id)), sure, hash: record.hash.clone() },
            );
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
    let waits = |pending: &crate::terms::TaskIds| index.is_some_and(|index| pending.contains(index));
    let queued = snapshot.jobs.known().into_iter().flatten().find(|job| {
        job.id == id || (job.id.base == id.base && job.pending_tasks.as_ref().is_some_and(waits))
    });
    if let Some(job) = queued {
        return Some(job.state);
    }
    let accounting = snapshot.accounting.known()?;
    accounting.attempts().iter().filter(|one| one.id == id).max_by_key(|one| one.order()).map(|one| one.state)
}
