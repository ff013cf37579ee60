//! Slurm's commands, on this machine or on one that ssh goes to.

use std::path::Path;
use std::time::Duration;

use super::far::{Far, OWN};
use super::problems::Problems;
use super::squeue::{self, Field, LONG, SHORT};
use super::{
    Accounting, Job, Look, Node, Nothing, Origin, Problem, Remembered, Request, Scope, Snapshot, Source,
    Trial, Whose,
};
use super::{TimeLimits, nodes, partition, remembered, request, sacct};
use crate::safety;
use crate::sys::{Finished, Spawn, SpawnError, World};
use crate::terms::{JobId, Known, Part, Time};

/// Variables with which users change what Slurm's commands print begin so.
const FOREIGN: [&str; 5] = ["SLURM_", "SQUEUE_", "SINFO_", "SACCT_", "SCONTROL_"];

/// What says where the cluster is, and changes no output.
const KEPT: [&str; 3] = ["SLURM_CONF", "SLURM_CONF_SERVER", "SLURM_JWT"];

/// How many bytes of one answer are read.
const MOST: usize = 256 << 20;

/// The jobs of a queue, as far as they could be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Where the answer came from.
    pub origin: Origin,
    /// When it was taken; `None` if the source does not say. An old answer
    /// does not prove that a job is gone.
    pub taken_at: Option<Time>,
    /// The jobs within the scope.
    pub jobs: Known<Vec<Job>>,
    /// True if jobs may be missing although the question was answered.
    pub partial: bool,
    /// What could not be read.
    pub problems: Vec<Problem>,
}

/// Asks every question at once, each with its own limit.
pub(super) fn look(world: &World, look: &Look) -> Snapshot {
    let asker = Asker::of(world, look);
    asker.prepare(look);
    let (queue, accounting, nodes, settings) = std::thread::scope(|threads| {
        let accounting = threads.spawn(|| asker.accounting(look));
        let nodes = threads.spawn(|| asker.nodes());
        let settings = threads.spawn(|| asker.settings());
        (asker.queue(&look.scope), joined(accounting), joined(nodes), joined(settings))
    });
    let mut problems = Problems::default();
    problems.extend(queue.problems);
    problems.extend(accounting.problems);
    problems.extend(nodes.problems);
    problems.extend(settings.problems);
    let settings = settings.value.into_known().unwrap_or_default();
    Snapshot {
        origin: asker.origin(),
        taken_at: Some(look.now),
        clock: Some(Whose::Ours),
        cluster: settings.cluster,
        slurm: settings.version,
        scope: asker.scope(&look.scope, &queue.jobs),
        jobs: queue.jobs,
        jobs_partial: queue.partial,
        nodes: nodes.value,
        accounting: accounting.value,
        load: Vec::new(),
        problems: problems.into_vec(),
    }
}

/// Asks accounting for the look's window: one question.
pub(super) fn history(world: &World, look: &Look) -> Known<Accounting> {
    let Answer { value, problems } = Asker::of(world, look).accounting(look);
    value.map(|mut accounting| {
        accounting.problems = problems;
        accounting
    })
}

/// Asks accounting for these jobs and arrays by id, whenever they ended: one question.
pub(super) fn accounting_of(world: &World, look: &Look, ids: &[JobId]) -> Known<Accounting> {
    Asker::of(world, look).accounting_of(look, ids)
}

/// Asks slurmctld, then accounting, where the files of these jobs lie.
pub(super) fn files_of(world: &World, look: &Look, ids: &[u32]) -> Remembered {
    remembered::ask(&Asker::of(world, look), look, ids)
}

/// Asks how a job was submitted, and what bounds an array.
pub(super) fn request_of(world: &World, look: &Look, id: u32) -> Request {
    request::ask(&Asker::of(world, look), id)
}

/// Asks how long a job may run in which partition.
pub(super) fn time_limits(world: &World, look: &Look) -> Known<TimeLimits> {
    partition::ask(&Asker::of(world, look))
}

/// Asks whether a script would be taken.
pub(super) fn try_out(world: &World, look: &Look, dir: &Path, words: &[String]) -> Known<Trial> {
    request::try_out(&Asker::of(world, look), dir, words)
}

/// Asks for the jobs alone: one question.
pub(super) fn queue(world: &World, look: &Look) -> Queue {
    Queue { taken_at: Some(look.now), ..Asker::of(world, look).queue(&look.scope) }
}

/// An answer to one question with what was odd about it.
struct Answer<T> {
    value: Known<T>,
    problems: Vec<Problem>,
}

impl<T> Answer<T> {
    fn lost() -> Answer<T> {
        Answer { value: Known::Unknown("the question ended by a bug".to_owned()), problems: Vec::new() }
    }
}

/// What the cluster's configuration says.
#[derive(Default)]
struct Settings {
    cluster: Option<String>,
    version: Option<String>,
}

/// Asks Slurm's commands, each question with its own limit.
pub(super) struct Asker<'w> {
    pub(super) world: &'w World,
    pub(super) limit: Duration,
    /// The machine whose commands they are, if it is not this one.
    far: Option<Far<'w>>,
}

impl<'w> Asker<'w> {
    pub(super) fn of(world: &'w World, look: &'w Look) -> Asker<'w> {
        let far = match &look.source {
            Source::Ssh(target) => Some(Far::new(target, look.limit)),
            Source::Local | Source::File(_) => None,
        };
        Asker { world, limit: look.limit, far }
    }

    /// Over ssh, what a look asks for anyway is asked at once: one connection.
    fn prepare(&self, look: &Look) {
        let Some(far) = &self.far else { return };
        let sacct = self.accounting_spawn(look).args(sacct::arguments_for(sacct::FIELDS));
        let queue = self.squeue(&look.scope, "-O", long_format());
        far.prepare(self.world, &[queue, sacct, self.nodes_spawn(), self.settings_spawn()]);
    }

    fn origin(&self) -> Origin {
        match &self.far {
            None => Origin::Local,
            Some(far) => Origin::Ssh { machine: far.name().to_owned(), trouble: far.trouble() },
        }
    }

    fn queue(&self, scope: &Scope) -> Queue {
        let mut problems = Problems::default();
        let long = self.ask("squeue", self.squeue(scope, "-O", long_format()), &mut problems);
        let (answer, layout) = match long {
            // An older or newer release that lacks one of the fields.
            Err(Nothing::Unknown(why)) if why.contains("format specification") => {
                problems = Problems::default();
                problems
                    .say("squeue", "it does not know all fields: output paths and submit times are unknown");
                (self.ask("squeue", self.squeue(scope, "-o", short_format()), &mut problems), &SHORT[..])
            }
            answer => (answer, &LONG[..]),
        };
        let (jobs, partial) = match answer {
            Ok(finished) => {
                let mut queue = squeue::read(&finished.stdout, layout, "squeue", &mut problems);
                let complaint = serious(&finished);
                if queue.jobs.is_empty() && !complaint.is_empty() {
                    // Some failures end with status 0: no job and a complaint is no answer.
                    let jobs = Known::Unknown(format!("squeue named no job and complained: {complaint}"));
                    let problems = problems.into_vec();
                    return Queue { origin: self.origin(), taken_at: None, jobs, partial: true, problems };
                }
                // The user was part of the question.
                let rest = Scope { user: None, ..scope.clone() };
                queue.jobs.retain(|job| rest.takes(job));
                (Known::Known(queue.jobs), queue.partial || finished.cut)
            }
            Err(nothing) => (nothing.known(), false),
        };
        Queue { origin: self.origin(), taken_at: None, jobs, partial, problems: problems.into_vec() }
    }

    /// Everything that accounting knows of the window, requeued attempts too.
    fn accounting(&self, look: &Look) -> Answer<Accounting> {
        let mut problems = Problems::default();
        let since = look.now.minus(look.history);
        let value = match self.sacct(&|| self.accounting_spawn(look), &mut problems) {
            Ok(mut accounting) => {
                accounting.since = Some(since);
                look.scope.keep(&mut accounting);
                problems.extend(std::mem::take(&mut accounting.problems));
                Known::Known(accounting)
            }
            Err(nothing) => nothing.known(),
        };
        Answer { value, problems: problems.into_vec() }
    }

    fn accounting_spawn(&self, look: &Look) -> Spawn {
        let from = format!("--starttime=now-{}seconds", look.history.0);
        self.spawn("sacct").args(["-u", &self.user(&look.scope), &from])
    }

    /// All that accounting has of these ids. Asked so, sacct begins at the
    /// epoch, and also shows tasks of an array that were cancelled together
    /// before they started: no question by user and window does.
    fn accounting_of(&self, look: &Look, ids: &[JobId]) -> Known<Accounting> {
        let mut problems = Problems::default();
        let list: Vec<String> = ids.iter().map(JobId::to_string).collect();
        match self.sacct(&|| self.spawn("sacct").args(["-j", &list.join(",")]), &mut problems) {
            Ok(mut accounting) => {
                // An old job of the same number may be somebody else's.
                let user = Scope { user: look.scope.user.clone(), ..Scope::default() };
                user.keep(&mut accounting);
                accounting.whole = ids.iter().filter(|id| id.part == Part::Whole).map(|id| id.base).collect();
                accounting.problems.extend(problems.into_vec());
                Known::Known(accounting)
            }
            Err(nothing) => nothing.known(),
        }
    }

    /// Asks accounting; a field that this release lacks is left out, and said.
    fn sacct(&self, which: &dyn Fn() -> Spawn, problems: &mut Problems) -> Result<Accounting, Nothing> {
        /// So many fields may be unknown to a release.
        const TRIES: usize = 4;
        let mut fields = sacct::FIELDS.to_owned();
        for _ in 0..TRIES {
            let mut said = Problems::default();
            let answer = self.ask("sacct", which().args(sacct::arguments_for(&fields)), &mut said);
            if let Err(Nothing::Unknown(why)) = &answer
                && let Some(fewer) = sacct::without_unknown(&fields, why)
            {
                fields = fewer;
                continue;
            }
            return match answer {
                Ok(finished) => {
                    problems.extend(said.into_vec());
                    Ok(sacct::read_bytes(&finished.stdout))
                }
                Err(Nothing::Unknown(why)) if why.contains("accounting storage is disabled") => {
                    problems.say("sacct", "this cluster keeps no accounting: finished jobs are forgotten");
                    Err(Nothing::Unknown("this cluster keeps no accounting".to_owned()))
                }
                Err(nothing) => {
                    problems.extend(said.into_vec());
                    Err(nothing)
                }
            };
        }
        Err(Nothing::Unknown("sacct does not know the fields that are asked for".to_owned()))
    }

    fn user(&self, scope: &Scope) -> String {
        scope.user.clone().unwrap_or_else(|| match &self.far {
            // Who we are there only that machine knows.
            Some(_) => OWN.to_owned(),
            None => self.world.environment.uid().to_string(),
        })
    }

    fn squeue(&self, scope: &Scope, option: &str, format: String) -> Spawn {
        let user = self.user(scope);
        self.spawn("squeue").args(["--noheader", "--all", "-u", &user, option, &format])
    }

    fn nodes(&self) -> Answer<Vec<Node>> {
        let mut problems = Problems::default();
        let value = match self.ask("scontrol show node", self.nodes_spawn(), &mut problems) {
            Ok(finished) => Known::Known(nodes::read(&finished.text(), "scontrol show node", &mut problems)),
            Err(nothing) => nothing.known(),
        };
        Answer { value, problems: problems.into_vec() }
    }

    fn nodes_spawn(&self) -> Spawn {
        self.spawn("scontrol").args(["--details", "show", "node"])
    }

    fn settings_spawn(&self) -> Spawn {
        self.spawn("scontrol").args(["show", "config"])
    }

    fn settings(&self) -> Answer<Settings> {
        let mut problems = Problems::default();
        let value = match self.ask("scontrol show config", self.settings_spawn(), &mut problems) {
            Ok(finished) => Known::Known(settings(&finished.text())),
            Err(nothing) => nothing.known(),
        };
        Answer { value, problems: problems.into_vec() }
    }

    /// A command in an environment in which only we say what it prints.
    pub(super) fn spawn(&self, program: &str) -> Spawn {
        let mut spawn = Spawn::new(program).limit(self.limit).cap(MOST);
        for (name, _) in self.world.environment.variables() {
            let text = name.to_string_lossy();
            if FOREIGN.iter().any(|start| text.starts_with(start)) && !KEPT.contains(&text.as_ref()) {
                spawn = spawn.unset(name);
            }
        }
        spawn.set("LC_ALL", "C").set("SLURM_BITSTR_LEN", "0").set("SLURM_TIME_FORMAT", "%s")
    }

    /// Runs a command to its end, whatever its exit status.
    pub(super) fn run(&self, spawn: Spawn) -> Result<Finished, Nothing> {
        match self.answered(&spawn) {
            Ok(finished) if !finished.success() && has_no_cluster(&finished) => Err(self.no_cluster()),
            Ok(finished) => Ok(finished),
            Err((nothing, _)) => Err(nothing),
        }
    }

    /// The answer of a command, or why there is none: as a value, and as a problem if it is one.
    fn answered(&self, spawn: &Spawn) -> Result<Finished, (Nothing, Option<String>)> {
        let too_slow = |limit: Duration| {
            let why = format!("no answer within {} s", limit.as_secs_f32());
            (Nothing::Unknown(why.clone()), Some(why))
        };
        let Some(far) = &self.far else {
            return self.world.processes.run(spawn).map_err(|error| match &error {
                SpawnError::Missing { .. } => (self.no_slurm(), None),
                SpawnError::TimedOut { limit, .. } => {
                    (Nothing::Unknown(error.to_string()), too_slow(*limit).1)
                }
                SpawnError::Io { .. } => (Nothing::Unknown(error.to_string()), Some(error.to_string())),
            });
        };
        match far.answer(self.world, spawn) {
            Ok(finished) if finished.code == 127 => Err((self.no_slurm(), None)),
            Ok(finished) if finished.code == 124 => Err(too_slow(self.limit)),
            Ok(finished) => Ok(finished),
            Err(trouble) => {
                let why = format!("{}: {trouble}", safety::one_line(far.name(), 60));
                Err((Nothing::Unknown(why.clone()), Some(why)))
            }
        }
    }

    fn no_slurm(&self) -> Nothing {
        Nothing::NotApplicable(match &self.far {
            None => "Slurm's commands are not installed here".to_owned(),
            Some(far) => {
                format!("Slurm's commands are not installed on {}", safety::one_line(far.name(), 60))
            }
        })
    }

    fn no_cluster(&self) -> Nothing {
        let there = self.far.as_ref().map_or("here", |_| "there");
        Nothing::NotApplicable(format!("Slurm's commands are {there}, but no cluster is configured for them"))
    }

    /// Runs a command that should answer; what it mutters beside an answer is a problem.
    pub(super) fn ask(
        &self,
        about: &str,
        spawn: Spawn,
        problems: &mut Problems,
    ) -> Result<Finished, Nothing> {
        let finished = self.answered(&spawn).map_err(|(nothing, problem)| {
            if let Some(problem) = problem {
                problems.say(about, problem);
            }
            nothing
        })?;
        let complaint = safety::one_line(&finished.complaint(), 200);
        if !finished.success() {
            if has_no_cluster(&finished) {
                return Err(self.no_cluster());
            }
            let why = format!("{about} failed with exit status {}: {complaint}", finished.code);
            problems.say(about, format!("failed with exit status {}: {complaint}", finished.code));
            return Err(Nothing::Unknown(why));
        }
        if !complaint.is_empty() {
            problems.say(about, format!("it answered and complained: {complaint}"));
        }
        if finished.cut {
            problems.say(about, format!("the answer is larger than {} MiB and was cut", MOST >> 20));
        }
        Ok(finished)
    }

    /// The scope with the user by name, who was asked for by number if need be.
    fn scope(&self, asked: &Scope, jobs: &Known<Vec<Job>>) -> Scope {
        let named = || jobs.known()?.first().map(|job| job.user.clone()).filter(|user| !user.is_empty());
        let ours = || match &self.far {
            Some(far) => far.user(),
            None => Some(self.world.environment.user()),
        };
        Scope { user: asked.user.clone().or_else(named).or_else(ours), ..asked.clone() }
    }
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, Answer<T>>) -> Answer<T> {
    thread.join().unwrap_or_else(|_| Answer::lost())
}

fn long_format() -> String {
    let fields: Vec<String> = LONG
        .iter()
        .map(|(field, name)| {
            let end = if *field == Field::Name { squeue::RECORD } else { squeue::FIELD };
            format!("{name}:{}", char::from(end))
        })
        .collect();
    fields.join(",")
}

fn short_format() -> String {
    let letters: Vec<&str> = SHORT.iter().map(|(_, letter)| *letter).collect();
    format!("{}{}", char::from(squeue::RECORD), letters.join(&char::from(squeue::FIELD).to_string()))
}

/// What a command complained of, one line; warnings about the locale aside,
/// which say nothing about the answer.
fn serious(finished: &Finished) -> String {
    let text = String::from_utf8_lossy(&finished.stderr);
    let is_harmless = |line: &&str| line.trim().is_empty() || line.contains("cannot change locale");
    let line = text.lines().rev().find(|line| !is_harmless(line)).unwrap_or_default();
    safety::one_line(line.trim(), 200)
}

/// True if there is no cluster to ask: no file of settings, and a name service
/// that knows none. One that is out of order for the moment says other words.
fn has_no_cluster(finished: &Finished) -> bool {
    let text = String::from_utf8_lossy(&finished.stderr);
    text.contains("Could not establish a configuration source") && text.contains("Unknown host")
}

fn settings(text: &str) -> Settings {
    let value = |name: &str| {
        text.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim().to_owned()).filter(|value| !value.is_empty())
        })
    };
    Settings { cluster: value("ClusterName"), version: value("SLURM_VERSION") }
}
