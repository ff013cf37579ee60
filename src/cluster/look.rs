use std::path::Path;
use std::time::Duration;

use super::local::{self, Queue};
use super::{
    Accounting, Job, Nothing, Remembered, Request, Scope, Snapshot, StateFile, TimeLimits, Trial, squeue,
};
use crate::remote::Target;
use crate::sys::World;
use crate::terms::{JobId, Known, Seconds, Time};

/// One look at a cluster, as data.
#[derive(Debug, Clone)]
pub struct Look {
    /// Where the answers come from.
    pub source: Source,
    /// Which jobs are asked for.
    pub scope: Scope,
    /// How long one question to Slurm may take.
    pub limit: Duration,
    /// How far back accounting is read.
    pub history: Seconds,
    /// The moment of the look.
    pub now: Time,
}

/// Where the answers come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// Slurm's commands on this machine.
    Local,
    /// Slurm's commands on another machine.
    Ssh(Box<Target>),
    /// A state file that somebody read for us.
    File(StateFile),
}

/// Looks at the cluster; never an error: what could not be seen is said in the
/// snapshot.
///
/// Without Slurm on this machine everything of a local look is *not
/// applicable*; whoever knows that a cluster is configured says *unknown*
/// instead ([`Snapshot::or_unknown`]).
pub fn look(world: &World, look: &Look) -> Snapshot {
    match &look.source {
        Source::Local | Source::Ssh(_) => local::look(world, look),
        Source::File(file) => file.read(&look.scope),
    }
}

/// Asks for the jobs alone, with one question; of a state file, reads them.
///
/// Work directories, outputs and submit times are in the answer where the
/// source has them.
pub fn queue(world: &World, look: &Look) -> Queue {
    match &look.source {
        Source::Local | Source::Ssh(_) => local::queue(world, look),
        Source::File(file) => {
            let snapshot = file.read(&look.scope);
            Queue {
                origin: snapshot.origin,
                taken_at: snapshot.taken_at,
                jobs: snapshot.jobs,
                partial: snapshot.jobs_partial,
                problems: snapshot.problems,
            }
        }
    }
}

/// Asks accounting alone for the look's window: one question.
///
/// Of a state file nothing more can be asked.
pub fn history(world: &World, look: &Look) -> Known<Accounting> {
    match &look.source {
        Source::Local | Source::Ssh(_) => local::history(world, look),
        Source::File(_) => Known::NotApplicable("a state file answers no further question".to_owned()),
    }
}

/// How many ids one question to accounting may name.
pub const MOST_IDS: usize = 500;

/// Asks accounting for these jobs, arrays and tasks by id, whenever they ended, with
/// one question: at most [`MOST_IDS`] of them, the rest is left out and is not
/// in [`Accounting::whole`] of the answer. A task that never started is only in
/// the answer for its whole array.
///
/// Of a state file nothing more can be asked.
pub fn accounting_of(world: &World, look: &Look, ids: &[JobId]) -> Known<Accounting> {
    let ids = &ids[..ids.len().min(MOST_IDS)];
    match &look.source {
        Source::Local | Source::Ssh(_) if ids.is_empty() => Known::Known(Accounting::default()),
        Source::Local | Source::Ssh(_) => local::accounting_of(world, look, ids),
        Source::File(_) => Known::NotApplicable("a state file answers no further question".to_owned()),
    }
}

/// What Slurm still knows of the files of these jobs and arrays: logs, work
/// directories, nodes, and exit codes with their whole status.
///
/// One question for each id to slurmctld, at most 16, then one to accounting
/// for all that it has forgotten. Jobs in the queue have their files in
/// [`queue`]'s answer already. Of a state file nothing more can be asked.
pub fn files_of(world: &World, look: &Look, ids: &[u32]) -> Known<Remembered> {
    match &look.source {
        Source::Local | Source::Ssh(_) => Known::Known(local::files_of(world, look, ids)),
        Source::File(_) => Known::NotApplicable("a state file answers no further question".to_owned()),
    }
}

/// What a job or array asked for when it was submitted, and what bounds an
/// array on this cluster: two questions.
///
/// Of a state file nothing more can be asked.
pub fn request_of(world: &World, look: &Look, id: u32) -> Request {
    match &look.source {
        Source::Local | Source::Ssh(_) => local::request_of(world, look, id),
        Source::File(_) => {
            let why = "a state file answers no further question".to_owned();
            Request::unknown(&Nothing::NotApplicable(why))
        }
    }
}

/// How long a job may run in which partition, by Slurm on this machine: one question.
pub fn time_limits(world: &World, look: &Look) -> Known<TimeLimits> {
    match &look.source {
        Source::Local | Source::Ssh(_) => local::time_limits(world, look),
        Source::File(_) => Known::NotApplicable("a state file answers no further question".to_owned()),
    }
}

/// Asks Slurm on this machine whether it would take a script (`words` are what
/// follows `sbatch`), without submitting it.
pub fn try_out(world: &World, look: &Look, dir: &Path, words: &[String]) -> Known<Trial> {
    match &look.source {
        Source::Local => local::try_out(world, look, dir, words),
        Source::Ssh(_) => {
            Known::NotApplicable("what is written here is not on the machine that ssh goes to".to_owned())
        }
        Source::File(_) => Known::NotApplicable("a state file answers no further question".to_owned()),
    }
}

/// The jobs that work in a directory, write their output there, or read their input from there.
///
/// Paths are compared as they are: whoever asks resolves links first.
pub fn jobs_under<'j>(jobs: &'j [Job], dir: &Path) -> Vec<&'j Job> {
    jobs.iter().filter(|job| squeue::is_under(job, dir)).collect()
}
