//! Whether a checkpoint is of the run that would go on from it.
//!
//! Arrays write into the folders of earlier ones: what is whole and of the
//! highest step may have been left there by another. Its age tells, against the
//! first start of the task and of those that it continues; where that says
//! nothing, the last step that the task's log speaks of.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::checkpoint::{self, Checkpoint, Depth, Limits, Survey, Verdict};
use crate::cluster::Snapshot;
use crate::joblog::Mention;
use crate::sweep::{Evidence, Kind, Sweep};
use crate::terms::{JobId, Seconds, Time};
use crate::verbs::sweep::records::Record;

/// The clocks of file servers differ by less, in seconds.
const SLACK: i64 = 120;
/// So many arrays that continue each other are followed.
const LONGEST_CHAIN: usize = 50;

/// What is known of the beginning of a sweep's tasks.
#[derive(Debug)]
pub(super) struct Lineage {
    /// When the first of its tasks started.
    pub sweep: Option<Time>,
    /// The tasks that continue those of earlier sweeps, with the first start of
    /// these; `None` where that is not known.
    pub before: BTreeMap<u32, Option<Time>>,
    /// How many steps a run makes.
    pub target: Option<u64>,
    /// How far checkpoints were checked.
    pub depth: Depth,
    /// True if a line names the checkpoint; else the script takes one by itself.
    pub is_named: bool,
}

/// From which checkpoint a task goes on.
#[derive(Debug, Default)]
pub(super) struct Chosen<'s> {
    /// The one.
    pub best: Option<&'s Checkpoint>,
    /// What speaks against it, in words.
    pub doubts: Vec<String>,
    /// Those of a higher step that are whole and not of this run, in words.
    pub passed: Vec<String>,
    /// What else to know, in words.
    pub note: Option<String>,
}

impl Lineage {
    /// Looks up what a sweep continues, by the records of all plans.
    pub(super) fn of(
        sweep: &Sweep,
        evidence: &[Evidence],
        snapshot: &Snapshot,
        records: &[Record],
    ) -> Lineage {
        let mut before = BTreeMap::new();
        if let (Kind::Array, Ok(id)) = (sweep.kind, sweep.key.parse()) {
            follow(id, snapshot, records, &mut before);
        }
        Lineage {
            sweep: evidence.iter().filter_map(first_start).min(),
            before,
            target: None,
            depth: Depth::Structure,
            is_named: true,
        }
    }

    /// Chooses among the checkpoints of one task; paths are told from `root` on.
    pub(super) fn choose<'s>(&self, one: &Evidence, survey: &'s Survey, root: &Path) -> Chosen<'s> {
        let Some(best) = &survey.best else { return Chosen::default() };
        let lower = |other: &&Checkpoint| {
            other.verdict.is_sound()
                && other.step.is_some()
                && other.step < best.step
                && other.path != best.path
        };
        let mut others: Vec<&Checkpoint> = survey.all.iter().filter(lower).collect();
        others.sort_by_key(|other| std::cmp::Reverse(other.step));
        let near = |path: &Path| path.strip_prefix(root).unwrap_or(path).display().to_string();
        let mut passed = Vec::new();
        for candidate in std::iter::once(best).chain(others) {
            match self.foreign(one, candidate) {
                Some(why) => passed.push(format!("{}: whole, and {why}", near(&candidate.path))),
                // Only the best was read whole.
                None if candidate.path != best.path && !self.is_sound(candidate) => {}
                None => {
                    let lower = survey.newer_but_lower.as_ref().filter(|_| candidate.path == best.path);
                    let again = lower.map(|lower| {
                        format!("{} is newer and of a lower step: was this run started again?", near(lower))
                    });
                    let (note, again) = match self.first(one) {
                        Some(_) => (again, None),
                        // Nobody knows whether one of the two is of another run.
                        None => (None, again),
                    };
                    let mut doubts: Vec<String> =
                        again.into_iter().chain(self.at_the_end(candidate)).collect();
                    if let Some(passed) = passed.first().filter(|_| !self.is_named) {
                        doubts.push(format!("{passed}; the script may take it, for the line names none"));
                    }
                    return Chosen { best: Some(candidate), doubts, passed, note };
                }
            }
        }
        // Better shown with what speaks against it than started over in silence.
        let doubts = passed.drain(..).take(1).collect();
        Chosen { best: Some(best), doubts, passed: Vec::new(), note: None }
    }

    /// Why a checkpoint is not of this task's run, or may not be.
    fn foreign(&self, one: &Evidence, checkpoint: &Checkpoint) -> Option<String> {
        if resumed_from(one, &checkpoint.path) {
            return None;
        }
        if let (Some(at), Some(first)) = (checkpoint.modified, self.first(one))
            && at.unix() + SLACK < first.unix()
        {
            let before = Seconds(first.unix().abs_diff(at.unix()));
            return Some(format!("written {before} before this task first started: of an earlier run"));
        }
        let last = last_step(one).filter(|_| !checkpoint.modified.is_some_and(|at| in_an_attempt(one, at)));
        let (last, step) = (last?, checkpoint.step?);
        (step > last).then(|| format!("beyond step {last}, the last of its log: it may be of another run"))
    }

    /// When this task, or the first of those that it continues, started.
    fn first(&self, one: &Evidence) -> Option<Time> {
        let own = match one.log().map(|log| log.reading.attempts.len()) {
            // Accounting does not tell of each.
            Some(attempts) if attempts > one.earlier.len() + 1 => self.sweep,
            _ => first_start(one).or(self.sweep),
        };
        match self.before.get(&one.member) {
            Some(before) => before.and_then(|before| own.map(|own| own.min(before))),
            None => own,
        }
    }

    fn at_the_end(&self, checkpoint: &Checkpoint) -> Option<String> {
        let (step, target) = (checkpoint.step?, self.target?);
        (step >= target).then(|| {
            format!("its checkpoint is at step {step} of {target} already: nothing would be trained")
        })
    }

    fn is_sound(&self, candidate: &Checkpoint) -> bool {
        self.depth == Depth::Structure
            || matches!(
                checkpoint::check(&candidate.path, self.depth, &Limits::default()).verdict,
                Verdict::Sound { .. }
            )
    }
}

/// Finds which tasks of which sweeps a sweep continues, and when those started.
fn follow(mut id: u32, snapshot: &Snapshot, records: &[Record], before: &mut BTreeMap<u32, Option<Time>>) {
    for _ in 0..LONGEST_CHAIN {
        let lines = records.iter().flat_map(|record| record.lines.iter().map(move |line| (record, line)));
        let mut made = lines.filter(|(_, line)| line.ids.contains(&id));
        let Some((record, line)) = made.next() else { return };
        let Ok(parent) = record.sweep.parse() else {
            before.extend(line.tasks.0.iter().map(|task| (task, None)));
            return;
        };
        for task in line.tasks.0.iter() {
            let start = started(snapshot, JobId::task(parent, task));
            let known = before.entry(task).or_insert(start);
            *known = (*known).zip(start).map(|(known, start)| known.min(start));
        }
        id = parent;
    }
}

fn started(snapshot: &Snapshot, id: JobId) -> Option<Time> {
    let accounting = snapshot.accounting.known()?;
    let own = accounting.attempts().iter().filter(|attempt| attempt.id == id);
    own.filter_map(|attempt| accounting.moment(attempt.started)).min()
}

fn first_start(one: &Evidence) -> Option<Time> {
    one.earlier.iter().map(|attempt| attempt.started).chain([one.started]).flatten().min()
}

/// True if one of its attempts was running then.
fn in_an_attempt(one: &Evidence, at: Time) -> bool {
    let earlier = one.earlier.iter().map(|attempt| (attempt.started, attempt.ended));
    let mut spans = earlier.chain([(one.started, one.ended)]);
    spans.any(|(from, to)| {
        from.is_some_and(|from| from.unix() - SLACK <= at.unix())
            && to.map_or(one.is_live(), |to| at.unix() <= to.unix() + SLACK)
    })
}

/// The last step that its log speaks of; `None` where the log counts anew in
/// each epoch.
fn last_step(one: &Evidence) -> Option<u64> {
    let progress = one.log()?.reading.progress.as_ref()?;
    let within_epochs = progress.epochs.or(progress.epoch).is_some_and(|epochs| epochs > 1.0);
    progress.step.filter(|_| !within_epochs)
}

/// True if its log says that it went on from there.
fn resumed_from(one: &Evidence, path: &Path) -> bool {
    let Some(log) = one.log() else { return false };
    let mut said = log.reading.mentions.iter().filter_map(|mention| match mention {
        Mention::ResumedFrom { path, .. } => Some(PathBuf::from(path)),
        _ => None,
    });
    said.any(|said| {
        let said: PathBuf = said.components().filter(|part| *part != std::path::Component::CurDir).collect();
        path.ends_with(&said) || said.ends_with(path)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{Nothing, Origin, Scope, sacct};
    use crate::sweep::plan::Purpose;
    use crate::sweep::{self, Members};
    use crate::terms::Known;
    use crate::verbs::sweep::records::{Done, Progress};

    fn record(sweep: &str, task: u32, id: u32) -> Record {
        Record {
            format: 1,
            hash: "0123456789ab".to_owned(),
            sweep: sweep.to_owned(),
            name: "lr".to_owned(),
            kind: Kind::Array,
            at: Time::from_unix(0).unwrap(),
            by: "ann@login".to_owned(),
            lines: vec![Done {
                text: "sbatch x".to_owned(),
                tasks: Members([task].into_iter().collect()),
                purpose: Purpose::Resume,
                why: String::new(),
                state: Progress::Done,
                code: Some(0),
                ids: vec![id],
                complaint: String::new(),
                word: None,
            }],
        }
    }

    #[test]
    fn what_a_sweep_continues_is_of_its_run_too() {
        let row = |id: &str, raw: u32, start: i64| {
            format!("{id}|{raw}|ann|ai|TIMEOUT|0:0|0:0|100|600|{start}|{start}|{}||gpu01|lr", start + 100)
        };
        let rows = [row("5_9", 50, 1_000_000), row("30_9", 60, 2_000_000), row("82_9", 70, 3_000_000)];
        let text = format!("{}\n{}\n", sacct::FIELDS.replace(',', "|"), rows.join("\n"));
        let text = text.replace('|', sacct::DELIMITER);
        let nothing = Nothing::NotApplicable("not asked".to_owned());
        let mut snapshot = Snapshot::without(Origin::Local, Scope::default(), nothing);
        snapshot.accounting = Known::Known(sacct::read(text.as_bytes()).unwrap());
        let sweeps = sweep::sweeps(&snapshot).sweeps;
        let newest = sweeps.iter().find(|sweep| sweep.key == "82").unwrap();
        let evidence = sweep::tasks(&snapshot, newest);
        let first = |records: &[Record]| {
            Lineage::of(newest, &evidence, &snapshot, records).first(&evidence[0]).map(Time::unix)
        };
        assert_eq!(first(&[]), Some(3_000_000));
        assert_eq!(first(&[record("30", 9, 82)]), Some(2_000_000));
        assert_eq!(first(&[record("5", 9, 30), record("30", 9, 82)]), Some(1_000_000));
        // Of another task, or of a sweep of which nothing is known any more.
        assert_eq!(first(&[record("5", 8, 82)]), Some(3_000_000));
        assert_eq!(first(&[record("4", 9, 82)]), None);
    }
}
