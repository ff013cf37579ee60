//! What moved since a document was sealed: facts then against facts now. Pure.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{FileFact, FilesFact, JobFact};
use crate::safety::{clip, code_span, escape};
use crate::terms::{CommitId, JobId, Known, TaskIds, Time, by_number, counted};

/// Something that moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Moved {
    /// What kind of thing.
    pub class: Class,
    /// What happened, in a sentence without a full stop; escaped.
    pub what: String,
}

/// The kinds of drift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Another clone, another path, another branch.
    Place,
    /// The commit checked out.
    Commits,
    /// Files that differ from HEAD.
    Files,
    /// Output that jobs write: told, and no drift.
    JobOutput,
    /// The jobs that the document names.
    Jobs,
    /// The sweeps that the document names.
    Sweeps,
}

impl Class {
    /// True if it is drift; what jobs write is expected to move.
    pub fn is_drift(self) -> bool {
        self != Class::JobOutput
    }
}

/// How the commit checked out now stands to the document's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadNow {
    /// It is the same.
    Same,
    /// It has the document's commit in its history.
    Forward {
        /// Commits since, newest first, as id and subject; maybe not all.
        subjects: Vec<(CommitId, String)>,
        /// How many there are.
        count: usize,
    },
    /// It is an ancestor of the document's commit: somebody reset the branch.
    Back {
        /// How many commits were taken off.
        count: usize,
    },
    /// The document's commit is in this repository, but not in the history of HEAD.
    Rewritten {
        /// Commits of the document's history that HEAD lacks.
        lost: usize,
        /// Commits that HEAD has instead.
        gained: usize,
    },
    /// The document's commit is not in this repository.
    Missing,
    /// There is no commit now, or was none then.
    Unborn,
}

/// What happened to the commits.
pub fn commits(then: Option<&CommitId>, now: &HeadNow) -> Vec<Moved> {
    let then = then.map_or("no commit".to_owned(), |id| format!("`{}`", id.short()));
    let what = match now {
        HeadNow::Same => return Vec::new(),
        HeadNow::Forward { subjects, count } => {
            let mut text = format!("HEAD moved forward by {}", counted(*count, "commit"));
            let shown: Vec<String> = subjects
                .iter()
                .take(5)
                .map(|(id, subject)| format!("`{}` {}", id.short(), code_span(&clip(subject, 72))))
                .collect();
            if !shown.is_empty() {
                text.push_str(&format!(": {}", shown.join(", ")));
            }
            if *count > shown.len() && !shown.is_empty() {
                text.push_str(&format!(", and {} more", count - shown.len()));
            }
            text
        }
        HeadNow::Back { count } => format!("HEAD moved back by {} from {then}", counted(*count, "commit")),
        HeadNow::Rewritten { lost, gained } => {
            format!(
                "history was rewritten: HEAD lacks {} of {then} and has {} instead",
                counted(*lost, "commit"),
                counted(*gained, "other")
            )
        }
        HeadNow::Missing => format!(
            "the commit {then} is not in this repository (fetch it, or ask whoever made the handover to push)"
        ),
        HeadNow::Unborn => "a commit was made or lost where there was none on the other side".to_owned(),
    };
    vec![Moved { class: Class::Commits, what }]
}

/// What happened to the files that differ from HEAD.
///
/// `is_job_output` says of a path whether jobs write there.
pub fn files(then: &FilesFact, now: &FilesFact, is_job_output: impl Fn(&str) -> bool) -> Vec<Moved> {
    let index = |files: &FilesFact| -> BTreeMap<String, FileFact> {
        files.listed.iter().map(|file| (file.path.clone(), file.clone())).collect()
    };
    let (before, after) = (index(then), index(now));
    let mut groups: BTreeMap<(Class, &str), Vec<String>> = BTreeMap::new();
    for path in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        let what = match (before.get(path), after.get(path)) {
            // It may have stood among those that were counted and not listed.
            (None, Some(_)) if then.omitted > 0 => continue,
            (Some(_), None) if now.omitted > 0 => continue,
            (None, Some(file)) if file.letters == "??" => "new and untracked",
            (None, Some(_)) => "changed since",
            (Some(_), None) => "no longer differs from HEAD",
            (Some(a), Some(b)) if is_same(a, b) => continue,
            (Some(_), Some(_)) => "changed again",
            (None, None) => continue,
        };
        let is_new = !before.contains_key(path) || before.get(path).is_some_and(|file| file.letters == "??");
        let class = if is_new && is_job_output(path) { Class::JobOutput } else { Class::Files };
        groups.entry((class, what)).or_default().push(path.clone());
    }
    let mut moved: Vec<Moved> = groups
        .into_iter()
        .map(|((class, what), paths)| Moved { class, what: sentence(&paths, what) })
        .collect();
    let count = |files: &FilesFact| files.listed.len() + files.omitted as usize;
    if count(now) != count(then) && (then.omitted > 0 || now.omitted > 0) {
        let what = format!(
            "{} {} from HEAD, {} then; not all of them were listed",
            counted(count(now), "path"),
            by_number(count(now), "differs", "differ"),
            count(then)
        );
        moved.push(Moved { class: Class::Files, what });
    }
    moved
}

fn is_same(then: &FileFact, now: &FileFact) -> bool {
    then.letters == now.letters
        && then.digest == now.digest
        && then.size == now.size
        && then.modified == now.modified
}

fn sentence(paths: &[String], what: &str) -> String {
    const SHOWN: usize = 6;
    let names: Vec<String> = paths.iter().take(SHOWN).map(|path| code_span(&clip(path, 100))).collect();
    let more = if paths.len() > SHOWN { format!(" and {} more", paths.len() - SHOWN) } else { String::new() };
    format!("{what}: {}{more}", names.join(", "))
}

/// A job as it is now: from the queue, or from accounting if it left the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobNow {
    /// The id that people use.
    pub id: JobId,
    /// The pending tasks, if this is the rest of an array.
    pub tasks: Option<TaskIds>,
    /// Its name, escaped as facts are.
    pub name: String,
    /// Its state, in Slurm's words.
    pub state: String,
    /// Whether it waits, runs, or has ended.
    pub phase: Phase,
    /// Exit code, if it has ended.
    pub exit: Option<String>,
    /// When it was submitted or requeued.
    pub submitted: Option<Time>,
    /// How often it was requeued.
    pub restarts: Option<u32>,
}

/// Where a job is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// It waits.
    Waiting,
    /// It holds nodes.
    Running,
    /// It did what it was to do.
    Succeeded,
    /// It ended otherwise.
    Failed,
    /// It was preempted; if it is not in the queue again, it ended so.
    Preempted,
    /// It was cancelled.
    Cancelled,
}

/// The jobs as they are now, and how much their absence proves.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobsNow {
    /// Those of the queue, and those of accounting that left it.
    pub jobs: Vec<JobNow>,
    /// True if jobs may be missing although the question was answered.
    pub is_partial: bool,
    /// True if accounting was asked and answered.
    pub has_accounting: bool,
}

/// What happened to the jobs that a document names.
///
/// Returns what moved, and how many of the units (jobs and tasks) are as they were.
pub fn jobs(then: &[JobFact], now: &Known<JobsNow>) -> (Vec<Moved>, usize) {
    let Some(now) = now.known() else { return (Vec::new(), 0) };
    let lookup = Lookup::of(&now.jobs);
    let gone = match (now.is_partial, now.has_accounting) {
        (true, _) => "not seen in what could be read of the queue",
        (false, true) => {
            "left the queue, and accounting does not know its end (it lags, and leaves out what never started)"
        }
        (false, false) => "left the queue; how it ended is not known, accounting gave no answer",
    };
    let mut moved = Vec::new();
    let mut same = 0;
    for job in then {
        let mut groups: BTreeMap<String, Vec<JobId>> = BTreeMap::new();
        for id in job.units() {
            match fate(job, lookup.find(id), gone) {
                None => same += 1,
                Some(what) => groups.entry(what).or_default().push(id),
            }
        }
        for (what, ids) in groups {
            moved.push(Moved {
                class: Class::Jobs,
                what: format!("{} {}: {what}", name_ids(&ids), code_span(&clip(&job.name, 60))),
            });
        }
    }
    (moved, same)
}

/// Whether a job or task still waits or runs; `None` if it was not seen.
pub fn is_live(id: JobId, now: &JobsNow) -> Option<bool> {
    let is_it = |job: &&JobNow| match (&job.tasks, id.part) {
        (Some(tasks), crate::terms::Part::Task(index)) => job.id.base == id.base && tasks.contains(index),
        (Some(_), _) => false,
        (None, _) => job.id == id,
    };
    let mut seen = now.jobs.iter().filter(is_it).peekable();
    // Accounting knows earlier attempts too; one that is in the queue counts.
    seen.peek().is_some().then(|| seen.any(|job| job.phase <= Phase::Running))
}

struct Lookup<'n> {
    by_id: BTreeMap<JobId, &'n JobNow>,
    rests: Vec<&'n JobNow>,
}

impl<'n> Lookup<'n> {
    fn of(now: &'n [JobNow]) -> Lookup<'n> {
        let mut by_id: BTreeMap<JobId, &JobNow> = BTreeMap::new();
        for job in now.iter().filter(|job| job.tasks.is_none()) {
            let newer = |old: &JobNow| {
                old.phase > Phase::Running && job.phase <= Phase::Running || old.submitted < job.submitted
            };
            if by_id.get(&job.id).is_none_or(|old| newer(old)) {
                by_id.insert(job.id, job);
            }
        }
        Lookup { by_id, rests: now.iter().filter(|job| job.tasks.is_some()).collect() }
    }

    fn find(&self, id: JobId) -> Option<&'n JobNow> {
        let waits = |rest: &&&JobNow| {
            rest.id.base == id.base
                && matches!(id.part, crate::terms::Part::Task(index) if rest.tasks.as_ref().is_some_and(|tasks| tasks.contains(index)))
        };
        self.rests.iter().find(waits).copied().or_else(|| self.by_id.get(&id).copied())
    }
}

/// What became of one unit; `None` if it is as it was.
fn fate(then: &JobFact, now: Option<&JobNow>, gone: &str) -> Option<String> {
    let Some(now) = now else { return Some(gone.to_owned()) };
    let resubmitted = matches!((then.submitted, now.submitted), (Some(a), Some(b)) if a != b);
    let restarted = now.restarts.unwrap_or(0) > then.restarts.unwrap_or(0);
    if resubmitted && !restarted && now.name != then.name {
        return Some("the id now belongs to another job (ids were reused)".to_owned());
    }
    let was_running = then.reason.is_empty() && then.state != "PENDING";
    let state = escape(&now.state);
    let exit = now.exit.as_deref().map(|exit| format!(" ({})", escape(exit))).unwrap_or_default();
    Some(match now.phase {
        Phase::Succeeded => format!("finished, {state}{exit}"),
        Phase::Failed => format!("failed, {state}{exit}"),
        Phase::Cancelled => format!("was cancelled{exit}"),
        Phase::Preempted => "was preempted and is not in the queue".to_owned(),
        Phase::Waiting if restarted || resubmitted || was_running => format!("was requeued, now {state}"),
        Phase::Running if restarted || resubmitted => format!("was requeued, now {state} again"),
        Phase::Running if !was_running => format!("started, now {state}"),
        Phase::Waiting | Phase::Running => return None,
    })
}

/// Ids for people: `211_[3-7]`, `42`.
fn name_ids(ids: &[JobId]) -> String {
    let base = ids.first().map_or(0, |id| id.base);
    let tasks: TaskIds = ids
        .iter()
        .filter_map(|id| match id.part {
            crate::terms::Part::Task(index) => Some(index),
            _ => None,
        })
        .collect();
    match ids {
        [id] => format!("`{id}`"),
        _ if tasks.len() == ids.len() => {
            format!("`{base}_[{}]` ({} tasks)", clip(&tasks.to_string(), 80), tasks.len())
        }
        _ => ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(id: &str, tasks: Option<&str>, state: &str) -> JobFact {
        JobFact {
            id: id.parse().unwrap(),
            raw_id: None,
            tasks: tasks.map(|text| text.parse().unwrap()),
            tasks_cut: false,
            name: "train".into(),
            state: state.into(),
            reason: if state == "PENDING" { "Priority".into() } else { String::new() },
            never_starts: false,
            partition: "ai".into(),
            submitted: Time::from_unix(1000),
            elapsed: None,
            limit: None,
            nodes: String::new(),
            restarts: Some(0),
            work_dir: None,
            stdout: None,
        }
    }

    fn now(id: &str, state: &str, phase: Phase) -> JobNow {
        JobNow {
            id: id.parse().unwrap(),
            tasks: None,
            name: "train".into(),
            state: state.into(),
            phase,
            exit: None,
            submitted: Time::from_unix(1000),
            restarts: Some(0),
        }
    }

    fn told(then: JobFact, now: Vec<JobNow>) -> (Vec<String>, usize) {
        let (moved, same) =
            jobs(&[then], &Known::Known(JobsNow { jobs: now, is_partial: false, has_accounting: true }));
        (moved.into_iter().map(|moved| moved.what).collect(), same)
    }

    #[test]
    fn tasks_of_an_array_are_told_apart() {
        let rest = JobNow { tasks: Some("8-9".parse().unwrap()), ..now("7", "PENDING", Phase::Waiting) };
        let (told, same) = told(
            fact("7", Some("3-9"), "PENDING"),
            vec![
                now("7_3", "COMPLETED", Phase::Succeeded),
                now("7_4", "COMPLETED", Phase::Succeeded),
                JobNow { exit: Some("1:0".into()), ..now("7_5", "FAILED", Phase::Failed) },
                now("7_6", "RUNNING", Phase::Running),
                rest,
            ],
        );
        assert_eq!(same, 2);
        assert_eq!(
            told,
            [
                "`7_5` `train`: failed, FAILED (1:0)",
                "`7_[3,4]` (2 tasks) `train`: finished, COMPLETED",
                "`7_7` `train`: left the queue, and accounting does not know its end (it lags, and leaves out what never started)",
                "`7_6` `train`: started, now RUNNING",
            ]
        );
    }

    #[test]
    fn a_requeue_and_a_reused_id_are_told_apart() {
        let again = JobNow {
            submitted: Time::from_unix(2000),
            restarts: Some(1),
            ..now("5", "PENDING", Phase::Waiting)
        };
        assert_eq!(
            told(fact("5", None, "RUNNING"), vec![again.clone()]).0,
            ["`5` `train`: was requeued, now PENDING"]
        );
        let other = JobNow { name: "other".into(), restarts: Some(0), ..again };
        assert_eq!(
            told(fact("5", None, "RUNNING"), vec![other]).0,
            ["`5` `train`: the id now belongs to another job (ids were reused)"]
        );
    }

    #[test]
    fn an_unknown_queue_is_no_drift() {
        assert_eq!(jobs(&[fact("5", None, "RUNNING")], &Known::Unknown("slurm".into())), (Vec::new(), 0));
    }

    #[test]
    fn what_jobs_write_is_a_class_of_its_own() {
        let file = |path: &str, letters: &str| FileFact {
            path: path.into(),
            letters: letters.into(),
            digest: None,
            size: None,
            modified: None,
        };
        let then = FilesFact { listed: vec![file("a.py", ".M"), file("b.py", ".M")], ..FilesFact::default() };
        let now = FilesFact {
            listed: vec![file("b.py", "M."), file("logs/x.out", "??"), file("c.py", "??")],
            ..FilesFact::default()
        };
        let told: Vec<_> = files(&then, &now, |path| path.starts_with("logs/"))
            .into_iter()
            .map(|m| (m.class, m.what))
            .collect();
        assert_eq!(
            told,
            [
                (Class::Files, "changed again: `b.py`".to_owned()),
                (Class::Files, "new and untracked: `c.py`".to_owned()),
                (Class::Files, "no longer differs from HEAD: `a.py`".to_owned()),
                (Class::JobOutput, "new and untracked: `logs/x.out`".to_owned()),
            ]
        );
    }
}
