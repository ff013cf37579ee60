//! `verify`: is it this document, in this place, and what moved since.
//!
//! Changes nothing and never touches a network. The cluster is asked, with one
//! question beside the git work, only if the document names live jobs.

use std::sync::Arc;

use serde::Serialize;

use super::lookup::Shelf;
use super::moved::{self, ClusterNow};
use super::{Context, Error, capture, carried, cluster_facts, snapshot, sweep_facts};
use crate::cluster::{Job, Origin, Snapshot};
use crate::config::Source;
use crate::document::drift::{Class, JobsNow, Moved};
use crate::document::{
    self, Edited, Entry, Facts, FrontError, JobFact, Lineage, Proof, StoreError, SweepFact, Verdict,
};
use crate::git::Git;
use crate::safety::{code_span, escape_bytes, escape_path, shell_word};
use crate::terms::{AnyKey, Digest, JobId, Known, Part, Seconds, Time};

/// At most this many lines of a difference are shown.
const DIFF_LINES: usize = 120;

/// The answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The key that was verified.
    pub key: AnyKey,
    /// Is it that document, and is this its place?
    pub verdict: Verdict,
    /// The full digest of the document, where the key can prove one.
    pub digest: Option<Digest>,
    /// What the document says about itself; `null` if it cannot be read.
    pub about: Option<About>,
    /// What moved since.
    pub moved: Vec<Moved>,
    /// What could not be looked at, and why.
    pub unchecked: Vec<String>,
    /// Other remarks.
    pub notes: Vec<String>,
    /// The documents that follow this one.
    pub superseded_by: Vec<AnyKey>,
}

/// What a document says about itself, for the heading of an answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct About {
    /// When it was made.
    pub created: Time,
    /// How old it is.
    pub age: Seconds,
    /// What the work is about.
    pub focus: Option<String>,
    /// The branch.
    pub branch: Option<String>,
    /// Where it was made.
    pub host: String,
    /// By whom.
    pub user: String,
    /// By which agent.
    pub agent: Option<String>,
    /// How many entries of live jobs it names.
    pub jobs: usize,
}

/// The answer in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is intact and nothing moved.
    Yes,
    /// It is intact as far as can be told, and something moved or is unproved.
    Look,
    /// It is edited, or this is another place.
    No,
}

impl Outcome {
    /// The answer; with `strict`, what could not be checked counts as drift.
    pub fn answer(&self, strict: bool) -> Answer {
        match &self.verdict {
            Verdict::Edited { .. } | Verdict::AnotherRepository | Verdict::AnotherWorktree { .. } => {
                Answer::No
            }
            // 32 bits can be forged, so they are no plain yes.
            Verdict::PlaceUnknown { .. } | Verdict::CannotBeProved | Verdict::MatchesKeyOnly => Answer::Look,
            Verdict::Intact if self.has_drift() || strict && !self.unchecked.is_empty() => Answer::Look,
            Verdict::Intact => Answer::Yes,
        }
    }

    /// True if it is that document in its place: not if only the 32 bits of the
    /// key agree, which can be forged, and not if the place cannot be told.
    pub fn is_proved(&self) -> bool {
        self.verdict == Verdict::Intact
    }

    /// True if something moved that counts as drift.
    pub fn has_drift(&self) -> bool {
        self.moved.iter().any(|moved| moved.class.is_drift())
    }
}

/// A document that was found, as far as it can be read.
pub struct Found {
    /// Its bytes: those of the store, else those of its copy.
    pub bytes: Vec<u8>,
    /// Its facts; `None` for a legacy document.
    pub facts: Option<Facts>,
    /// The answer, as far as the document alone decides it.
    pub outcome: Outcome,
    /// The worktree as it is, if it was looked at.
    pub place: Option<capture::Place>,
    /// The jobs that the document names, as they are.
    pub jobs: Known<JobsNow>,
    /// Its sweeps that were looked at again, as they are.
    pub sweeps: Vec<SweepFact>,
}

/// Verifies the document of `key` here and now.
///
/// The cluster is asked if the document names live jobs, or `always`: who takes
/// the work over must hear of jobs that are newer than the document too.
pub fn verify(
    context: &Context,
    key: &AnyKey,
    cluster: Option<&Source>,
    always: bool,
) -> Result<Found, Error> {
    let shelf = Shelf::open(context)?;
    let mut found = document(context, &shelf, key)?;
    let Some(facts) = found.facts.clone() else { return Ok(found) };
    // An edited document says nothing that could be compared.
    if matches!(found.outcome.verdict, Verdict::Edited { which: Edited::Document, .. }) {
        return Ok(found);
    }
    let names_jobs = facts.jobs.as_ref().is_some_and(|jobs| !jobs.listed.is_empty());
    let asks_cluster = names_jobs || always && facts.cluster.source != "none";
    let (place, jobs) = std::thread::scope(|threads| {
        let jobs = asks_cluster.then(|| threads.spawn(|| jobs_now(context, &facts, cluster)));
        let place = capture::place(context);
        let jobs = jobs.map(|jobs| jobs.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        (place, jobs.transpose())
    });
    let (place, jobs) = (place?, jobs?);
    let placed = where_it_is(context, &facts, &place)?;
    found.outcome.moved.extend(placed.moved);
    if let Some(verdict) = placed.verdict
        && found.outcome.verdict.is_yes()
    {
        found.outcome.verdict = verdict;
    }
    let elsewhere =
        matches!(found.outcome.verdict, Verdict::AnotherRepository | Verdict::AnotherWorktree { .. });
    if elsewhere {
        return Ok(found);
    }
    let cluster = jobs.unwrap_or_else(|| {
        ClusterNow::of_jobs(Known::NotApplicable("the document names no live job".to_owned()))
    });
    match &cluster.jobs {
        Known::Unknown(why) => found.outcome.unchecked.push(format!("jobs: {why}")),
        Known::NotApplicable(why) if asks_cluster => found.outcome.unchecked.push(format!("jobs: {why}")),
        _ => {}
    }
    if facts.jobs.is_none() && facts.cluster.source != "none" {
        found.outcome.unchecked.push("jobs: the document could not see them either".to_owned());
    }
    let is_clone = placed.is_other_clone;
    let mut moved = moved::since(context, &facts, &place, &cluster)?;
    if is_clone {
        // Another clone never had the giver's uncommitted files.
        moved.retain(|moved| !matches!(moved.class, Class::Files | Class::JobOutput));
        found.outcome.unchecked.push("files: this is another clone".to_owned());
    }
    found.outcome.moved.extend(moved);
    found.place = Some(place);
    found.jobs = cluster.jobs;
    let named = facts.sweeps.iter().flat_map(|sweeps| &sweeps.listed);
    let unread = named.filter_map(|then| {
        let now = cluster.again.iter().find(|now| now.key == then.key)?;
        document::sweep_drift::unchecked(then, now)
    });
    found.outcome.unchecked.extend(unread);
    found.sweeps = cluster.again;
    Ok(found)
}

/// What the bytes alone say.
fn document(context: &Context, shelf: &Shelf, key: &AnyKey) -> Result<Found, Error> {
    let stored = shelf.stored(key)?;
    let copy = shelf.copy.load(key)?;
    let bytes = stored.as_ref().map(|stored| stored.bytes.clone()).or_else(|| copy.clone());
    let bytes = bytes.ok_or_else(|| StoreError::NotFound(key.to_string()))?;
    let mut notes = Vec::new();
    let digest = key.proving().map(|key| document::digest(key, &bytes));
    let kept = stored.as_ref().and_then(|stored| stored.digest);
    let proof = key.proving().map(|key| document::prove(key, &bytes, kept));
    let verdict = match proof {
        None => Verdict::CannotBeProved,
        Some(Proof::Whole { crlf }) => {
            notes.extend(crlf.then(|| "the ends of its lines were turned to CRLF, nothing else".to_owned()));
            Verdict::Intact
        }
        Some(Proof::KeyOnly { crlf }) => {
            notes.extend(crlf.then(|| "the ends of its lines were turned to CRLF, nothing else".to_owned()));
            Verdict::MatchesKeyOnly
        }
        Some(Proof::No) => Verdict::Edited { which: Edited::Document, diff: Vec::new() },
    };
    let mut verdict = match (verdict, &stored, &copy) {
        (Verdict::Intact | Verdict::MatchesKeyOnly, Some(stored), Some(copy))
            if !is_same_text(&stored.bytes, copy) =>
        {
            let diff = diff(context.repository.git(), shelf, key)?;
            Verdict::Edited { which: Edited::Copy, diff }
        }
        (verdict, ..) => verdict,
    };
    if stored.as_ref().is_some_and(|stored| stored.is_archived) {
        notes.push("it is archived".to_owned());
    }
    if stored.is_none() && key.proving().is_some() {
        notes.push(
            "only the copy in this worktree is there; the sealed document is not in this repository"
                .to_owned(),
        );
    }
    let lineage = shelf.lineage()?;
    let text = String::from_utf8_lossy(&bytes);
    let (facts, about) = match document::read(&text) {
        Ok((facts, body)) => {
            let about = about(context, &facts, body);
            (Some(facts), Some(about))
        }
        Err(FrontError::NoSchema | FrontError::Absent) if key.proving().is_none() => (None, None),
        Err(_) if matches!(verdict, Verdict::Edited { .. }) => (None, None),
        Err(e) => return Err(e.into()),
    };
    if facts.as_ref().is_some_and(|facts| AnyKey::Proving(facts.key) != *key) {
        // Whoever rewrote every key in it left bytes that agree with any of them.
        verdict = Verdict::Edited { which: Edited::Document, diff: Vec::new() };
        notes.push("the key inside the document is another one".to_owned());
    }
    notes.extend(beside(lineage, key));
    notes.extend(carried::doubt(context, key));
    let outcome = Outcome {
        key: key.clone(),
        verdict,
        digest,
        about,
        moved: Vec::new(),
        unchecked: Vec::new(),
        notes,
        superseded_by: lineage.successors(key).map(|entry| entry.key.clone()).collect(),
    };
    let jobs = Known::NotApplicable("the cluster was not asked".to_owned());
    Ok(Found { bytes, facts, outcome, place: None, jobs, sweeps: Vec::new() })
}

/// What stands beside the document, what it joined of that, and whether it does itself.
fn beside(lineage: &Lineage, key: &AnyKey) -> Vec<String> {
    let mut notes = Vec::new();
    if lineage.is_side(key) {
        notes.push("it is a side handover: it was never the current one of its worktree".to_owned());
    }
    let about = |entry: &Entry| {
        entry.focus.as_deref().map_or(String::new(), |focus| format!(", {}", code_span(focus)))
    };
    for side in lineage.beside(key) {
        let key = &side.key;
        notes.push(format!(
            "a side handover stands beside it: {key}{}; read it: handover show {key}",
            about(side)
        ));
    }
    for side in lineage.get(key).iter().flat_map(|entry| &entry.joins).filter(|key| lineage.is_side(key)) {
        let about = lineage.get(side).map(about).unwrap_or_default();
        notes.push(format!("it joined a side handover: {side}{about}; read it: handover show {side}"));
    }
    notes
}

fn about(context: &Context, facts: &Facts, body: &str) -> About {
    About {
        created: facts.created,
        age: facts.created.age(context.now),
        focus: document::title_of(body),
        branch: facts.branch.clone(),
        host: facts.host.clone(),
        user: facts.user.clone(),
        agent: facts.agent.clone(),
        jobs: facts.jobs.as_ref().map_or(0, |jobs| jobs.listed.len()),
    }
}

/// Ends of lines aside, are these the same bytes?
fn is_same_text(one: &[u8], two: &[u8]) -> bool {
    one == two || one.iter().filter(|b| **b != b'\r').eq(two.iter().filter(|b| **b != b'\r'))
}

/// The difference between the sealed document and the copy, by git.
fn diff(git: &Git, shelf: &Shelf, key: &AnyKey) -> Result<Vec<String>, Error> {
    let (sealed, copy) = (shelf.store.path(key), shelf.copy.path(key));
    let copy = if copy.exists() { copy } else { shelf.copy.archived_path(key) };
    let args = ["diff", "--no-index", "--no-ext-diff", "--no-textconv", "--no-color", "--no-prefix", "--"];
    let args: Vec<_> =
        args.iter().map(std::ffi::OsStr::new).chain([sealed.as_os_str(), copy.as_os_str()]).collect();
    let finished = git.try_run(&args)?;
    let mut lines: Vec<String> = finished
        .stdout
        .split(|b| *b == b'\n')
        // The file names of the header say nothing to a reader.
        .skip_while(|line| !line.starts_with(b"@@"))
        .filter(|line| !line.is_empty())
        .map(escape_bytes)
        .collect();
    if lines.len() > DIFF_LINES {
        let more = lines.len() - DIFF_LINES;
        lines.truncate(DIFF_LINES);
        lines.push(format!("... and {more} more lines"));
    }
    Ok(lines)
}

struct Placed {
    verdict: Option<Verdict>,
    moved: Vec<Moved>,
    is_other_clone: bool,
}

/// Is this the place that the document speaks of?
fn where_it_is(context: &Context, facts: &Facts, now: &capture::Place) -> Result<Placed, Error> {
    let mut placed = Placed { verdict: None, moved: Vec::new(), is_other_clone: false };
    let identity = super::Identity::of(&context.world.environment);
    let same_clone = facts.host == identity.host && facts.repository.common_dir == now.repository.common_dir;
    let same_worktree = match (&facts.worktree.id, &now.worktree.id) {
        (Some(then), Some(now)) => then == now,
        _ => same_clone && facts.worktree.path == now.worktree.path,
    };
    if same_worktree {
        if facts.worktree.path != now.worktree.path {
            placed.moved.push(place(format!("the worktree was moved here from {}", facts.worktree.path)));
        }
        return Ok(placed);
    }
    if !is_same_repository(context, facts)? {
        let shallow = context.repository.is_shallow();
        placed.verdict = Some(if shallow || facts.head.is_none() {
            let why = if shallow {
                "this clone is shallow, and does not have the document's commits"
            } else {
                "the document was made before the first commit"
            };
            Verdict::PlaceUnknown { why: why.to_owned() }
        } else {
            Verdict::AnotherRepository
        });
        return Ok(placed);
    }
    if same_clone {
        if let Some(path) = other_worktree(context, facts)? {
            let cd = shell_word(&path).ok().map(|path| format!("cd {path}"));
            placed.verdict = Some(Verdict::AnotherWorktree { path, cd });
        } else {
            placed.moved.push(place(format!(
                "the worktree {} is gone; this is another one of the same repository",
                facts.worktree.path
            )));
        }
        return Ok(placed);
    }
    placed.is_other_clone = true;
    let left = facts.files.listed.len() + facts.files.omitted as usize;
    placed.moved.push(place(format!(
        "this is another clone; the document was made on {} in {}",
        facts.host, facts.worktree.path
    )));
    if left > 0 {
        let names: Vec<String> =
            facts.files.listed.iter().take(6).map(|file| code_span(&file.path)).collect();
        let more =
            if left > names.len() { format!(" and {} more", left - names.len()) } else { String::new() };
        placed
            .moved
            .push(place(format!("uncommitted files were left behind there: {}{more}", names.join(", "))));
    }
    Ok(placed)
}

fn place(what: String) -> Moved {
    Moved { class: Class::Place, what }
}

/// HEAD and merge base are the identity of a repository: one of them must be here.
fn is_same_repository(context: &Context, facts: &Facts) -> Result<bool, Error> {
    let history = context.repository.history();
    let merge_base = facts.base.as_ref().and_then(|base| base.merge_base.as_ref());
    for id in facts.head.iter().chain(merge_base) {
        if history.has_commit(id)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Where the document's worktree is now, if this clone still has it.
fn other_worktree(context: &Context, facts: &Facts) -> Result<Option<String>, Error> {
    for listed in crate::git::list(context.repository.git())? {
        let path = escape_path(&listed.path);
        if path == facts.worktree.path && listed.path.is_dir() {
            return Ok(Some(path));
        }
        // A moved worktree is known by its id.
        if let (Some(id), Ok(other)) =
            (&facts.worktree.id, crate::git::Repository::discover(context.world, &listed.path))
            && crate::worktree::registry::id_of(other.git_dir())
                .ok()
                .flatten()
                .is_some_and(|found| found.as_str() == id)
        {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The jobs that the document names, as they are now.
fn jobs_now(context: &Context, facts: &Facts, cluster: Option<&Source>) -> Result<ClusterNow, Error> {
    let ids: Vec<_> =
        facts.jobs.iter().flat_map(|jobs| jobs.listed.iter().flat_map(JobFact::units)).collect();
    // A state file holds everything in one piece; live, the queue alone is one cheap question.
    // So it is unless something was done about a sweep: then that is looked at again.
    let went_on = facts.sweeps.as_ref().is_some_and(|sweeps| sweep_facts::went_on(context, sweeps));
    if facts.cluster.source == "local" && !went_on {
        let queue = snapshot::queue(context, cluster)?;
        if queue.jobs.known().is_some_and(|jobs| ids.iter().all(|id| jobs.iter().any(|job| holds(job, *id))))
        {
            // All of them are still in it, so accounting has nothing to add.
            let new = queue.jobs.known().map(|jobs| cluster_facts::new_jobs(facts, jobs));
            let mut now = ClusterNow::of_jobs(queue.jobs.map(|jobs| cluster_facts::in_queue(&jobs)));
            now.new = new.unwrap_or_default();
            return Ok(now);
        }
    }
    let snapshot = snapshot::take(context, cluster)?;
    // A state file that is not newer than the document can show no drift.
    if let (Origin::File { .. }, Some(taken), Some(then)) =
        (&snapshot.origin, snapshot.taken_at, facts.cluster.taken_at)
        && taken <= then
    {
        let why = if taken == then && facts.cluster.source != "local" {
            "the newest state file is the one that the document was made from".to_owned()
        } else {
            format!(
                "the newest state file, taken {taken}, is older than what the document was made from, {then}"
            )
        };
        return Ok(ClusterNow::of_jobs(Known::Unknown(why)));
    }
    if let Some(why) = another_cluster(facts, &snapshot, &ids) {
        return Ok(ClusterNow::of_jobs(Known::Unknown(why)));
    }
    let snapshot = Arc::new(snapshot);
    let budget = context.config.sweeps.budget;
    let sweeps = facts.sweeps.as_ref();
    let again = sweeps.map(|sweeps| sweep_facts::changed(context, sweeps, &snapshot, budget));
    Ok(ClusterNow::of(context, facts, &snapshot, again.unwrap_or_default()))
}

/// Why this is not the cluster that the document speaks of: another name, or
/// another source that knows none of its jobs. Job ids mean nothing elsewhere.
fn another_cluster(facts: &Facts, snapshot: &Snapshot, ids: &[JobId]) -> Option<String> {
    let name = snapshot.cluster.as_deref().map(crate::safety::escape);
    if let (Some(then), Some(now)) = (&facts.cluster.name, &name) {
        return (then != now).then(|| {
            let (now, then) = (code_span(now), code_span(then));
            format!("the Slurm here is cluster {now}, the document's jobs are on cluster {then}; their ids mean nothing here")
        });
    }
    let is_local = matches!(snapshot.origin, Origin::Local);
    let same_kind = is_local == (facts.cluster.source == "local");
    let now = cluster_facts::now(snapshot, ids);
    let knows_one = now.known().is_none_or(|now| {
        let base: Vec<u32> = ids.iter().map(|id| id.base).collect();
        now.jobs.iter().any(|job| base.contains(&job.id.base))
    });
    (!same_kind && !knows_one)
        .then(|| "the document was made from another source, and none of its jobs is known here".to_owned())
}

/// True if an entry of the queue is this job, or waits for this task among others.
fn holds(job: &Job, id: JobId) -> bool {
    let waits = |index| job.pending_tasks.as_ref().is_some_and(|tasks| tasks.contains(index));
    job.id == id || job.id.base == id.base && matches!(id.part, Part::Task(index) if waits(index))
}
