//! What was seen of the cluster, in the form that documents store.

use std::collections::BTreeMap;

use crate::cluster::{self, Job, Origin, Snapshot, State};
use crate::document::drift::{Class, JobNow, JobsNow, Moved, Phase};
use crate::document::group::{self, Times};
use crate::document::{ClusterFacts, Facts, GpuFact, JobFact, JobsFact};
use crate::safety::{clip, escape, escape_path};
use crate::terms::{JobId, Known, Seconds, Time};

/// Clocks of two machines may differ by this much.
const SKEW: Seconds = Seconds(300);
/// At most this many jobs are listed.
const MOST_LISTED: usize = 300;

/// The cluster and its live jobs, as facts of a document made at `now`.
pub fn of(snapshot: &Snapshot, now: Time) -> (ClusterFacts, Option<JobsFact>) {
    let mut facts = ClusterFacts {
        name: snapshot.cluster.as_deref().map(escape),
        taken_at: snapshot.taken_at,
        age: snapshot.taken_at.map(|taken| taken.age(now)),
        user: snapshot.scope.user.as_deref().map(escape),
        scope: snapshot
            .scope
            .names
            .iter()
            .map(|name| escape(name))
            .chain(snapshot.scope.ids.iter().map(u32::to_string))
            .collect(),
        gpus: snapshot.nodes.known().map(|nodes| {
            let supply = cluster::gpus_by_type(nodes);
            supply
                .into_iter()
                .map(|s| GpuFact { kind: escape(&s.kind), total: s.total, free: s.free })
                .collect()
        }),
        problems: snapshot
            .problems
            .iter()
            .map(|problem| escape(&format!("{}: {}", problem.about, problem.what)))
            .collect(),
        ..ClusterFacts::default()
    };
    if let Some(ahead) = snapshot.taken_at.filter(|taken| *taken > now.plus(SKEW)) {
        facts.age = None;
        facts.problems.insert(0, format!("its time, {ahead}, lies in the future, so its age is unknown"));
    }
    (facts.source, facts.detail) = match &snapshot.origin {
        Origin::Local => ("local".to_owned(), None),
        Origin::Ssh { machine, .. } => ("ssh".to_owned(), Some(escape(machine))),
        Origin::File { name } => ("file".to_owned(), Some(escape(name))),
        Origin::Nothing => ("none".to_owned(), None),
    };
    match &snapshot.jobs {
        Known::Known(jobs) => {
            facts.by_state = Some(by_state(jobs));
            (facts, Some(live(jobs)))
        }
        Known::Unknown(why) => {
            facts.problems.insert(0, escape(why));
            (facts, None)
        }
        Known::NotApplicable(why) => {
            facts.source = "none".to_owned();
            facts.detail = Some(escape(why));
            (facts, None)
        }
    }
}

fn by_state(jobs: &[Job]) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for job in jobs {
        // A cut list counts once; the problem says that it was cut.
        *counts.entry(job.state.name().to_owned()).or_default() += job.count().unwrap_or(1) as u64;
    }
    counts
}

fn live(jobs: &[Job]) -> JobsFact {
    let mut live: Vec<&Job> = jobs.iter().filter(|job| job.state.is_live()).collect();
    live.sort_by_key(|job| (!job.state.is_running(), job.id));
    let listed: Vec<JobFact> = live.iter().take(MOST_LISTED).map(|job| fact(job)).collect();
    JobsFact { omitted: u32::try_from(live.len() - listed.len()).unwrap_or(u32::MAX), listed }
}

fn fact(job: &Job) -> JobFact {
    let waits = job.state.is_waiting();
    JobFact {
        id: job.id,
        raw_id: job.raw_id.filter(|raw| *raw != job.id.base),
        tasks: job.pending_tasks.clone(),
        tasks_cut: job.tasks_cut,
        name: clip(&escape(&job.name), 120),
        state: job.state.name().to_owned(),
        reason: if waits { clip(&escape(&job.reason), 200) } else { String::new() },
        never_starts: waits && job.reason.contains("DependencyNeverSatisfied"),
        partition: escape(&job.partition),
        submitted: job.submitted,
        elapsed: job.elapsed.filter(|_| !waits),
        limit: job.limit,
        nodes: clip(&escape(&job.node_list), 120),
        restarts: job.restarts,
        work_dir: job.work_dir.as_deref().map(escape_path),
        stdout: job.stdout.as_deref().map(escape_path),
    }
}

/// The jobs of a snapshot as `drift` compares them: the queue, and from
/// accounting those of `ids` that left it.
pub fn now(snapshot: &Snapshot, ids: &[JobId]) -> Known<JobsNow> {
    snapshot.jobs.as_ref().map(|jobs| {
        let mut now: Vec<JobNow> = jobs.iter().map(of_queue).collect();
        if let Some(accounting) = snapshot.accounting.known() {
            let left = accounting.attempts().iter().filter(|attempt| ids.contains(&attempt.id));
            now.extend(left.map(|attempt| JobNow {
                id: attempt.id,
                tasks: None,
                name: clip(&escape(accounting.text(attempt.name)), 120),
                state: attempt.state.name().to_owned(),
                phase: phase(attempt.state),
                exit: attempt.exit.map(|exit| exit.to_string()),
                submitted: accounting.moment(attempt.submitted),
                restarts: None,
            }));
        }
        JobsNow {
            jobs: now,
            is_partial: snapshot.jobs_partial,
            has_accounting: snapshot.accounting.known().is_some(),
        }
    })
}

/// At most this many new jobs are told one by one.
const MOST_NEW: usize = 8;

/// Live jobs of the scope that a document does not name: they were submitted
/// since, and whoever takes the work over must not disturb them.
pub fn new_jobs(then: &Facts, jobs: &[Job]) -> Vec<Moved> {
    let Some(named) = then.jobs.as_ref().filter(|jobs| jobs.omitted == 0) else { return Vec::new() };
    let swept = then.sweeps.iter().flat_map(|sweeps| &sweeps.listed).map(|sweep| sweep.key.as_str());
    let swept: Vec<&str> = swept.collect();
    let is_new = |job: &&Job| {
        job.state.is_live()
            && !named.listed.iter().any(|known| known.id.base == job.id.base)
            && !swept.contains(&job.id.base.to_string().as_str())
    };
    let facts: Vec<JobFact> = jobs.iter().filter(is_new).map(fact).collect();
    let mut moved: Vec<Moved> = Vec::new();
    let groups = group::groups(&facts);
    for group in groups.iter().take(MOST_NEW) {
        let what = format!("new, do not touch it either: {}", group.line(Times::Told));
        moved.push(Moved { class: Class::Jobs, what });
    }
    if groups.len() > MOST_NEW {
        let ids: Vec<String> = groups[MOST_NEW..].iter().take(40).map(|group| group.id()).collect();
        moved.push(Moved {
            class: Class::Jobs,
            what: format!("{} more are new: {}", groups.len() - MOST_NEW, ids.join(" ")),
        });
    }
    moved
}

/// The same from the queue alone, where every job in question is still in it.
pub fn in_queue(jobs: &[Job]) -> JobsNow {
    JobsNow { jobs: jobs.iter().map(of_queue).collect(), is_partial: false, has_accounting: false }
}

fn of_queue(job: &Job) -> JobNow {
    JobNow {
        id: job.id,
        tasks: job.pending_tasks.clone(),
        name: clip(&escape(&job.name), 120),
        state: job.state.name().to_owned(),
        phase: phase(job.state),
        exit: None,
        submitted: job.submitted,
        restarts: job.restarts,
    }
}

fn phase(state: State) -> Phase {
    match state {
        State::Completed => Phase::Succeeded,
        State::Preempted => Phase::Preempted,
        State::Cancelled | State::Revoked => Phase::Cancelled,
        state if state.is_running() => Phase::Running,
        state if state.is_waiting() => Phase::Waiting,
        _ => Phase::Failed,
    }
}
