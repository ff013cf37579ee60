//! What was seen of the cluster, in the form that documents store.

use std::collections::BTreeMap;

use crate::cluster::{self, Job, Origin, Snapshot, State};
use crate::document::drift::{Class, JobNow, JobsNow, Moved, Phase};
use crate::document::group::{self, Times};
use crate::document::{ClusterFacts, Facts, GpuFact, JobFact, JobsFact, SweepFact, SweepsFact};
use crate::safety::{clip, code_span, escape, escape_path};
use crate::sweep::{self, Delta, Look, Sweep};
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

/// At most this many sweeps are listed.
const MOST_SWEEPS: usize = 40;
/// A list of tasks that is longer than this, in bytes, is not kept.
const LONG_LIST: usize = 8 << 10;

/// The sweeps of a snapshot; `None` if they could not be seen.
pub fn sweeps(snapshot: &Snapshot) -> Option<SweepsFact> {
    if snapshot.jobs.known().is_none() && snapshot.accounting.known().is_none() {
        return None;
    }
    let mut found: Vec<Sweep> = sweep::sweeps(snapshot).sweeps;
    let is_live = |sweep: &Sweep| sweep.total.is_none_or(|total| total > sweep.finished);
    found.sort_by_key(|sweep| (!is_live(sweep), std::cmp::Reverse(sweep.submitted.max(sweep.ended))));
    let listed: Vec<SweepFact> = found.iter().take(MOST_SWEEPS).map(sweep_fact).collect();
    Some(SweepsFact { omitted: u32::try_from(found.len() - listed.len()).unwrap_or(u32::MAX), listed })
}

fn sweep_fact(sweep: &Sweep) -> SweepFact {
    let list = |members: &sweep::Members| clip(&members.to_string(), LONG_LIST);
    let look = &sweep.look;
    let tasks: BTreeMap<String, String> =
        look.tasks.iter().map(|(outcome, members)| (outcome.to_string(), members.to_string())).collect();
    let attempts: BTreeMap<u32, String> =
        look.attempts.iter().map(|(count, members)| (*count, members.to_string())).collect();
    let is_short = tasks.values().chain(attempts.values()).map(String::len).sum::<usize>() <= LONG_LIST;
    SweepFact {
        key: clip(&escape(&sweep.key), 120),
        name: clip(&escape(&sweep.name), 120),
        total: sweep.total.map(|total| total as u64),
        finished: sweep.finished as u64,
        states: sweep.states.iter().map(|(state, count)| (state.name().to_owned(), *count as u64)).collect(),
        failed: list(&sweep.failed_tasks),
        fast: sweep.fast.as_ref().map(|fast| list(&fast.tasks)).unwrap_or_default(),
        fast_rule: sweep.fast.as_ref().map(|fast| fast.rule.clone()).unwrap_or_default(),
        completed_over_failed_steps: list(&sweep.completed_over_failed_steps),
        median_seconds: sweep.elapsed.map(|elapsed| elapsed.median),
        tasks: if is_short { tasks } else { BTreeMap::new() },
        attempts: if is_short { attempts } else { BTreeMap::new() },
        unknown: sweep.unknown.iter().map(|what| clip(&escape(what), 200)).collect(),
    }
}

/// What changed in the sweeps of a document, in sentences.
pub fn sweeps_moved(then: &SweepsFact, snapshot: &Snapshot) -> Vec<Moved> {
    let now = sweep::sweeps(snapshot).sweeps;
    let mut moved = Vec::new();
    // A sweep that had ended and left the window of accounting has not moved.
    for fact in then.listed.iter().filter(|fact| fact.is_live() && !fact.tasks.is_empty()) {
        let Some(look) = look_of(fact) else { continue };
        let today = now.iter().find(|sweep| clip(&escape(&sweep.key), 120) == fact.key);
        let delta = Delta::between(&look, today.map(|sweep| &sweep.look));
        if let Some(what) = sentence(&delta, fact, today) {
            moved.push(Moved {
                class: Class::Sweeps,
                what: format!(
                    "{} {}: {what}",
                    code_span(&clip(&fact.key, 60)),
                    code_span(&clip(&fact.name, 60))
                ),
            });
        }
    }
    moved
}

/// The stored form back as the room `sweep` compares it.
fn look_of(fact: &SweepFact) -> Option<Look> {
    let value = serde_json::json!({ "key": fact.key, "name": fact.name, "tasks": fact.tasks, "attempts": fact.attempts });
    serde_json::from_value(value).ok()
}

fn sentence(delta: &Delta, then: &SweepFact, today: Option<&Sweep>) -> Option<String> {
    if delta.is_empty() {
        return None;
    }
    if delta.id_reused {
        return Some("the id now belongs to another job (ids were reused)".to_owned());
    }
    let mut parts = Vec::new();
    let mut add = |what: &str, members: &sweep::Members| {
        if !members.is_empty() {
            parts.push(format!("{} {what} ({})", members.len(), clip(&members.to_string(), 80)));
        }
    };
    add("finished well", &delta.completed);
    for change in &delta.failed {
        add(&format!("failed, {}", change.now), &change.tasks);
    }
    for change in &delta.stopped {
        add(&format!("stopped, {}", change.now), &change.tasks);
    }
    add("requeued", &delta.requeued);
    add("started", &delta.started);
    add("new", &delta.added);
    add("left the queue, and accounting does not know their end yet", &delta.gone);
    if let Some(sweep) = today {
        // A sweep does not shrink; tasks that never started leave accounting.
        let total = sweep.total.map(|total| total as u64).max(then.total);
        let total = total.map_or("?".to_owned(), |total| total.to_string());
        parts.push(format!("now {} of {total} finished", sweep.finished));
    }
    Some(parts.join(", "))
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
