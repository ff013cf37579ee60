//! The cluster's state at one moment, from wherever it can be had.

mod candidates;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{Context, Error, sweep_facts};
use crate::cluster::{self, Job, Look, Nothing, Origin, Outlook, Problem, Queue, Reason};
use crate::cluster::{Scope, Snapshot, StateFile, Supply};
use crate::config::Source;
use crate::document::SweepsFact;
use crate::safety;
use crate::terms::{JobId, Known, Seconds};

/// The script that the cluster side runs: bash and Slurm alone.
pub const SCRIPT: &str = include_str!("../../templates/cluster_snapshot.sh");

/// A snapshot with what follows from it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// The cluster as it was seen.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// How old it is; `None` if nothing says when it was taken.
    pub age: Option<Seconds>,
    /// GPUs by partition and type. A node counts in each of its partitions.
    pub gpus: Known<Vec<Supply>>,
    /// What waits, and what can come of it.
    pub waiting: Known<Vec<Waiting>>,
    /// Its sweeps as a handover carries them, in short; `None` if neither queue
    /// nor accounting are known.
    pub sweeps: Option<SweepsFact>,
}

impl Outcome {
    /// True if nothing was seen because another machine cannot be reached for now.
    pub fn is_offline(&self) -> bool {
        matches!(&self.snapshot.origin, Origin::Ssh { trouble: Some(trouble), .. } if trouble.why.is_offline())
    }
}

/// A job, or the rest of an array, that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Waiting {
    /// Its id as the queue writes it: `7_[4-9%2]`.
    pub id: String,
    /// Slurm's reason.
    pub reason: String,
    /// What that means; empty if this program does not know it.
    pub words: &'static str,
    /// What can come of it.
    pub outlook: Outlook,
    /// What to do, where waiting is not enough.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub advice: &'static str,
}

/// Looks at the cluster and says what follows. Files of sweeps are read for as
/// long as the settings allow, or not at all if it is to be `quick`.
///
/// # Errors
/// As for [`take`].
pub fn run(context: &Context, source: Option<&Source>, quick: bool) -> Result<Outcome, Error> {
    let snapshot = Arc::new(take(context, source)?);
    let budget = if quick { Seconds(0) } else { context.config.sweeps.budget };
    let sweeps = sweep_facts::of(context, &snapshot, budget);
    // Whoever still reads when time is up keeps its own.
    let snapshot = Arc::unwrap_or_clone(snapshot);
    let waiting = snapshot.jobs.as_ref().map(|jobs| jobs.iter().filter_map(waiting).collect());
    Ok(Outcome {
        age: snapshot.taken_at.map(|time| time.age(context.now)),
        gpus: snapshot.nodes.as_ref().map(|nodes| cluster::gpus_by_partition(nodes)),
        waiting,
        sweeps,
        snapshot,
    })
}

fn waiting(job: &Job) -> Option<Waiting> {
    let Reason { words, outlook, advice } = Reason::of(&job.reason);
    let waits = job.state.is_waiting();
    waits.then(|| Waiting { id: job.label(), reason: job.reason.clone(), words, outlook, advice })
}

/// Looks at the cluster as the settings say, or as `source` says for this call.
///
/// # Errors
/// Only for a state file that `source` names and that cannot be read, since
/// that is a slip of the one who called; everything else is said in the
/// snapshot.
pub fn take(context: &Context, source: Option<&Source>) -> Result<Snapshot, Error> {
    match source.unwrap_or(&context.config.cluster.source) {
        Source::Off => Ok(Snapshot::without(Origin::Nothing, scope(context), off())),
        Source::Local => Ok(cluster::look(context.world, &local(context)).or_unknown()),
        Source::File(path) => match read(context, path) {
            Ok(file) => Ok(cluster::look(context.world, &of_file(context, file))),
            Err(error) if source.is_some() => Err(error),
            Err(error) => Ok(unreadable(context, path, &error)),
        },
        Source::Ssh(host) => {
            Ok(cluster::look(context.world, &far(context, host, source.is_some())?).or_unknown())
        }
        Source::Auto => Ok(auto(context)),
    }
}

/// Asks for the jobs alone, in the same places, with one question.
///
/// # Errors
/// As for [`take`].
pub fn queue(context: &Context, source: Option<&Source>) -> Result<Queue, Error> {
    match source.unwrap_or(&context.config.cluster.source) {
        Source::Off => Ok(unanswered(Origin::Nothing, off().known(), Vec::new())),
        Source::Local | Source::Auto => {
            let mut queue = cluster::queue(context.world, &local(context));
            let here = queue.jobs.known().is_some();
            let is_auto = !matches!(source.unwrap_or(&context.config.cluster.source), Source::Local);
            if is_auto
                && !here
                && let Some(file) = candidates::newest(context)
            {
                return Ok(cluster::queue(context.world, &of_file(context, file)));
            }
            if let Known::NotApplicable(why) = &queue.jobs
                && (!is_auto || context.config.cluster.is_configured)
            {
                queue.jobs = Known::Unknown(why.clone());
            }
            Ok(queue)
        }
        Source::Ssh(host) => {
            let mut queue = cluster::queue(context.world, &far(context, host, source.is_some())?);
            if let Known::NotApplicable(why) = &queue.jobs {
                queue.jobs = Known::Unknown(why.clone());
            }
            Ok(queue)
        }
        Source::File(path) => match read(context, path) {
            Ok(file) => Ok(cluster::queue(context.world, &of_file(context, file))),
            Err(error) if source.is_some() => Err(error),
            Err(error) => {
                let snapshot = unreadable(context, path, &error);
                Ok(unanswered(snapshot.origin, snapshot.jobs, snapshot.problems))
            }
        },
    }
}

/// How Slurm's commands here are asked.
pub(super) fn here(context: &Context) -> Look {
    local(context)
}

/// Asks Slurm's commands here for the jobs: not applicable where they are not
/// installed, or no cluster is configured for them.
pub(super) fn queue_here(context: &Context) -> Queue {
    cluster::queue(context.world, &local(context))
}

/// Slurm's commands if they answer, else the newest state file that the
/// repository knows.
fn auto(context: &Context) -> Snapshot {
    let here = cluster::look(context.world, &local(context));
    if here.jobs.known().is_some() {
        return here;
    }
    let Some(file) = candidates::newest(context) else {
        return if context.config.cluster.is_configured { here.or_unknown() } else { here };
    };
    let mut snapshot = cluster::look(context.world, &of_file(context, file));
    if let Known::Unknown(why) = here.jobs {
        let what = format!("Slurm's commands here gave no answer, so a state file was read: {why}");
        snapshot.problems.insert(0, Problem { about: "source".into(), what });
    }
    snapshot
}

fn unanswered(origin: Origin, jobs: Known<Vec<Job>>, problems: Vec<Problem>) -> Queue {
    Queue { origin, taken_at: None, jobs, partial: false, problems }
}

fn off() -> Nothing {
    Nothing::NotApplicable("the cluster is switched off (source none)".to_owned())
}

fn local(context: &Context) -> Look {
    look(context, cluster::Source::Local)
}

/// The machine that is named: by its name among the settings outside of the tree, or as a host. One
/// that only a branch's `.handover.yaml` names is not gone to.
fn far(context: &Context, host: &str, is_named_now: bool) -> Result<Look, Error> {
    if !is_named_now && context.outside.cluster.source != Source::Ssh(host.to_owned()) {
        return Err(Error::MachineOfTheTree { name: host.to_owned() });
    }
    let target = super::remote::machine(context, host)?;
    Ok(look(context, cluster::Source::Ssh(Box::new(target))))
}

fn of_file(context: &Context, file: StateFile) -> Look {
    look(context, cluster::Source::File(file))
}

fn look(context: &Context, source: cluster::Source) -> Look {
    let settings = &context.config.cluster;
    Look {
        source,
        scope: scope(context),
        limit: Duration::from_secs(settings.limit.0.max(1)),
        history: settings.history,
        now: context.now,
    }
}

/// The same context where what is asked for by its id is looked for too, although
/// the settings leave its name out; `None` if they leave nothing out.
pub(super) fn widened<'w>(context: &Context<'w>, wanted: &str) -> Option<Context<'w>> {
    let id = wanted.parse::<JobId>().ok()?.base;
    let settings = &context.config.cluster;
    let leaves_out = !settings.names.is_empty() || !settings.ids.is_empty();
    (leaves_out && !settings.ids.contains(&id)).then(|| {
        let mut config = context.config.clone();
        config.cluster.ids.push(id);
        let (repository, outside) = (context.repository.clone(), context.outside.clone());
        Context { world: context.world, repository, config, outside, now: context.now }
    })
}

fn scope(context: &Context) -> Scope {
    let settings = &context.config.cluster;
    Scope { user: settings.user.clone(), names: settings.names.clone(), ids: settings.ids.clone() }
}

/// Reads a state file that was named; a relative path counts from the worktree.
fn read(context: &Context, path: &Path) -> Result<StateFile, Error> {
    let path: PathBuf = context.repository.worktree().join(path);
    let file = match candidates::bytes(&path) {
        Ok(bytes) => candidates::of_disk(context, &path, bytes),
        Err(error) => return Err(Error::StateFile { path, source: error }),
    };
    match file.defect() {
        Some(why) => Err(Error::StateFile { path, source: io::Error::new(io::ErrorKind::InvalidData, why) }),
        None => Ok(file),
    }
}

fn unreadable(context: &Context, path: &Path, error: &Error) -> Snapshot {
    let origin = Origin::File { name: safety::escape_path(path) };
    let mut why = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        why.push_str(&format!(": {source}"));
    }
    Snapshot::without(origin, scope(context), Nothing::Unknown(why))
}
