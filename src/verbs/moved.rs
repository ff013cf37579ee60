//! What moved between a document and now, for `verify` and for the lineage.

use super::{Context, Error, capture, cluster_facts, sweep_facts};
use crate::cluster::Snapshot;
use crate::document::drift::{self, Class, HeadNow, JobsNow, Moved};
use crate::document::{Facts, JobFact, SweepFact};
use crate::git::History;
use crate::safety::escape_path;
use crate::terms::{CommitId, Known};

/// At most this many subjects are read.
const SUBJECTS: usize = 5;

/// The cluster now, as far as it is compared with a document.
pub struct ClusterNow {
    /// The jobs that the document names.
    pub jobs: Known<JobsNow>,
    /// What changed in its sweeps; empty where only the queue was asked.
    pub sweeps: Vec<Moved>,
    /// Those of its sweeps that were looked at again, as they are.
    pub again: Vec<SweepFact>,
    /// Live jobs that the document does not name.
    pub new: Vec<Moved>,
    /// The arrays whose tasks are told as sweeps.
    told_as_sweeps: Vec<String>,
}

impl ClusterNow {
    /// A whole look at the cluster, and what was made of sweeps that were
    /// looked at again.
    pub fn of(context: &Context, then: &Facts, snapshot: &Snapshot, again: Vec<SweepFact>) -> ClusterNow {
        let ids: Vec<_> =
            then.jobs.iter().flat_map(|jobs| jobs.listed.iter().flat_map(JobFact::units)).collect();
        let sees_sweeps = snapshot.jobs.known().is_some() && snapshot.accounting.known().is_some();
        let sweeps = then.sweeps.as_ref().filter(|_| sees_sweeps);
        ClusterNow {
            jobs: cluster_facts::now(snapshot, &ids),
            new: snapshot.jobs.known().map(|jobs| cluster_facts::new_jobs(then, jobs)).unwrap_or_default(),
            told_as_sweeps: sweeps
                .iter()
                .flat_map(|sweeps| &sweeps.listed)
                .filter(|sweep| !sweep.tasks.is_empty())
                .map(|sweep| sweep.key.clone())
                .collect(),
            sweeps: sweeps
                .map(|sweeps| sweep_facts::moved(context, sweeps, snapshot, &again))
                .unwrap_or_default(),
            again,
        }
    }

    /// The jobs alone.
    pub fn of_jobs(jobs: Known<JobsNow>) -> ClusterNow {
        ClusterNow {
            jobs,
            sweeps: Vec::new(),
            again: Vec::new(),
            new: Vec::new(),
            told_as_sweeps: Vec::new(),
        }
    }
}

/// Everything that moved, by class: place, commits, files, jobs, sweeps.
pub fn since(
    context: &Context,
    then: &Facts,
    now: &capture::Place,
    cluster: &ClusterNow,
) -> Result<Vec<Moved>, Error> {
    let mut moved = place(then, now);
    let head = head(&context.repository.history(), then.head.as_ref(), now.head.as_ref())?;
    moved.extend(drift::commits(then.head.as_ref(), &head));
    // The state id covers every path, those that are not listed too.
    if then.state_id != now.state_id {
        let files = drift::files(&then.files, &now.files, |path| is_job_output(context, then, path));
        if files.is_empty() && then.head == now.head {
            let what = "something changed among the paths that are counted and not listed".to_owned();
            moved.push(Moved { class: Class::Files, what });
        }
        moved.extend(files);
    }
    if let Some(facts) = &then.jobs {
        let jobs: Vec<JobFact> = facts
            .listed
            .iter()
            .filter(|job| !cluster.told_as_sweeps.contains(&job.id.base.to_string()))
            .cloned()
            .collect();
        moved.extend(drift::jobs(&jobs, &cluster.jobs).0);
    }
    moved.extend(cluster.sweeps.iter().chain(&cluster.new).cloned());
    if let Some(sweeps) = &then.sweeps {
        moved.extend(sweep_facts::resubmitted(context, sweeps, then.created));
    }
    Ok(moved)
}

/// Another branch, another operation.
fn place(then: &Facts, now: &capture::Place) -> Vec<Moved> {
    let mut moved = Vec::new();
    let mut push = |what: String| moved.push(Moved { class: Class::Place, what });
    let name = |branch: &Option<String>| {
        branch.as_deref().map_or("a detached HEAD".to_owned(), crate::safety::code_span)
    };
    if then.branch != now.branch {
        push(format!("{} is checked out, it was {}", name(&now.branch), name(&then.branch)));
    }
    let operation = now.operation.map(|operation| operation.to_string());
    match (&then.operation, &operation) {
        (None, Some(now)) => push(format!("a {now} is in progress")),
        (Some(then), None) => push(format!("the {then} that was in progress has ended")),
        (Some(then), Some(now)) if then != now => push(format!("a {now} is in progress, it was a {then}")),
        _ => {}
    }
    moved
}

/// How the commit checked out now stands to the one then.
pub fn head(history: &History, then: Option<&CommitId>, now: Option<&CommitId>) -> Result<HeadNow, Error> {
    let (Some(then), Some(now)) = (then, now) else {
        return Ok(if then == now { HeadNow::Same } else { HeadNow::Unborn });
    };
    if then == now {
        return Ok(HeadNow::Same);
    }
    if !history.has_commit(then)? {
        return Ok(HeadNow::Missing);
    }
    let apart = history.divergence(now, then)?;
    Ok(match (apart.ahead, apart.behind) {
        (count, 0) => {
            let subjects = history.subjects(Some(then), now, SUBJECTS)?;
            HeadNow::Forward {
                subjects: subjects.into_iter().map(|subject| (subject.id, subject.subject)).collect(),
                count,
            }
        }
        (0, count) => HeadNow::Back { count },
        (gained, lost) => HeadNow::Rewritten { lost, gained },
    })
}

/// True for a path below which jobs write: where the settings say that outputs
/// are, where a live job's log is, and the state file.
fn is_job_output(context: &Context, then: &Facts, path: &str) -> bool {
    let below =
        |folder: &str| path == folder || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
    let private = &context.config.worktrees.private;
    if private.iter().any(|folder| below(folder.trim_end_matches('/')))
        || path == escape_path(&context.config.cluster.state_file)
    {
        return true;
    }
    let file = path.rsplit('/').next().unwrap_or(path);
    if file.starts_with("slurm-") && file.ends_with(".out") {
        return true;
    }
    let absolute = format!("{}/{path}", then.worktree.path);
    then.jobs
        .iter()
        .flat_map(|jobs| &jobs.listed)
        .any(|job: &JobFact| job.stdout.as_deref() == Some(absolute.as_str()))
}
