//! What to do about a sweep: one fresh look, all the evidence, the judgement,
//! and the plan that follows.

mod called;
mod continuity;
mod doomed;
mod lineage;
mod memory;
mod place;
mod saved;
mod subjects;

pub(super) use subjects::alive;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::elsewhere::elsewhere;
use super::examine::{self, Examined};
use super::preflight::Preflighted;
use super::records::{self, Progress, Record};
use super::settle::Statement;
use crate::checkpoint::Depth;
use crate::cluster::{self, Origin, Problem, Request, Snapshot, State};
use crate::config::Source;
use crate::safety::shell_word;
use crate::sweep::plan::{self, Again, Cancelled, Placeholder, Plan, Purpose, Setup, Subject, Template};
use crate::sweep::{Decision, Health, Kind, Sweep};
use crate::terms::{Digest, JobId, Known, Part, TaskIds, Time, counted};
use crate::verbs::job_paths::without_links;
use crate::verbs::{Context, Error, snapshot};
use called::Called;
use continuity::Intended;
use lineage::Lineage;

/// What to plan.
#[derive(Debug, Clone)]
pub struct Options {
    /// The id of an array or of one of its tasks, a name, or the start of one.
    pub wanted: String,
    /// Where to look for the cluster, if not where the settings say.
    pub cluster: Option<Source>,
    /// True if what runs is to go on although somebody must intervene.
    pub keep_running: bool,
    /// The classes of causes that somebody says are mended.
    pub mended: Vec<String>,
    /// True if every byte of the checkpoints is to be read, not their structure alone.
    pub full: bool,
    /// True if each task and each line is to be shown.
    pub details: bool,
    /// The options with which it was asked, as a shell takes them: for the
    /// commands that are suggested.
    pub words: String,
}

/// The plan, and what it rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Where the answers about the cluster came from.
    pub origin: Origin,
    /// When they were taken; `None` if the source does not say.
    pub taken_at: Option<Time>,
    /// How the sweep does.
    pub health: Health,
    /// What is to be done about it.
    pub decision: Decision,
    /// Who said that it is dealt with, when and why: then it asks for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Statement>,
    /// The plan.
    #[serde(flatten)]
    pub plan: Plan,
    /// True if what runs is left running, as asked.
    pub keep_running: bool,
    /// True if every byte of the checkpoints was read, as asked.
    pub full: bool,
    /// True if the text is to show each task and each line; JSON always does.
    #[serde(skip)]
    pub details: bool,
    /// The directory in which the lines are to run.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub directory: PathBuf,
    /// The command that makes this plan again.
    pub command: String,
    /// Why `--submit` would be refused here; then the hash is good for comparing alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_here: Option<String>,
    /// The look before the sweep was submitted, and what changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Preflighted>,
    /// Plans of this sweep that were submitted before, oldest first.
    pub submitted: Vec<Record>,
    /// What was not read, in words.
    pub not_read: Vec<String>,
    /// Everything that could not be seen on the cluster, was cut, or was not understood.
    pub problems: Vec<Problem>,
}

impl Outcome {
    /// True if somebody must intervene.
    pub fn says_intervene(&self) -> bool {
        self.settled.is_none() && self.decision == Decision::Intervene
    }

    /// True if nobody has to decide anything: all takes its course, or somebody said that it
    /// is dealt with.
    pub fn asks_for_nothing(&self) -> bool {
        self.settled.is_some() || self.plan.no_decision_required
    }
}

/// A larger batch script is not read for its digest, in bytes.
const LARGEST_SCRIPT: usize = 4 << 20;

/// So many tasks are noted one by one.
const MOST_NOTED: usize = 3;

/// A plan with what else is needed to run it.
pub struct Made {
    /// What is shown.
    pub outcome: Outcome,
    /// What holds the sweep together.
    pub kind: Kind,
    /// The tasks that can go on from a checkpoint.
    pub with_checkpoint: TaskIds,
    /// The tasks that earlier plans submitted again, and what became of them.
    pub again: BTreeMap<u32, Again>,
    /// The directory in which the lines are to run, without links.
    pub real: PathBuf,
    /// A live job of the sweep's name that is no array, as the plan notes it.
    pub single: Option<JobId>,
    /// What it was made from.
    pub examined: Examined,
}

/// Looks and makes the plan; nothing is changed.
///
/// # Errors
/// There is no such sweep; the resume command of the settings cannot be used;
/// the records of earlier plans cannot be read.
pub fn make(context: &Context, options: &Options) -> Result<Made, Error> {
    let depth = if options.full { Depth::Full } else { Depth::Structure };
    let mut examined = examine::one_to(context, options.cluster.as_ref(), &options.wanted, depth)?;
    place::own_first(context, &examined.sweep, &mut examined.gathered);
    let Examined { snapshot, settings, sweep, gathered, judgement, .. } = &examined;
    let template = settings.resume.as_deref().map(Template::read).transpose().map_err(unusable)?;
    let all = records::all(&context.home())?;
    let submitted = all.of(&sweep.key)?;
    let unread: Vec<String> = all.unread_of_others(&sweep.key).collect();
    let records = all.records;
    let place = place::of(context, gathered);
    let request = request(context, snapshot, sweep);
    let Called { script, submission, warning, held } =
        called::called(settings, template.as_ref(), &place.directory, &request);
    let script_text = script.as_deref().and_then(|script| read(&place.directory.join(script)));
    let limits = match request.limits {
        Known::Known(limits) => limits,
        _ => Default::default(),
    };
    let names_checkpoint = |template: &Template| template.asks_for(Placeholder::Checkpoint);
    let lineage = Lineage {
        target: settings.target_step,
        depth,
        is_named: template.as_ref().is_some_and(names_checkpoint),
        ..Lineage::of(sweep, &gathered.evidence, snapshot, &records)
    };
    let mut started_again = Vec::new();
    let mut subjects = subjects::subjects(
        sweep,
        &gathered.evidence,
        judgement,
        &gathered.parameters,
        (&lineage, &place.root),
        &mut started_again,
    );
    let unread_settings = saved::add(&mut subjects, judgement);
    let (alive, cancelled) = (alive(snapshot, sweep), cancelled(&submitted));
    subjects::add_forgotten(&mut subjects, sweep, &alive, cancelled.keys().copied(), &gathered.parameters);
    place::mark(&mut subjects, gathered);
    let (alive, strangers) = place::without_strangers(&mut subjects, alive, sweep, gathered);
    let known: BTreeSet<u32> =
        examined.again.values().filter_map(|again| again.id).map(|id| id.base).collect();
    let (doomed, alike) = doomed::doomed(judgement, &subjects, gathered);
    let work_dir = gathered.work_dirs.first().map(|(dir, _)| dir.as_path());
    let setup = Setup {
        name: sweep.name.clone(),
        throttle: sweep.throttle.or_else(|| throttle(&request)),
        memory: memory::asked(submission.as_ref(), script_text.as_deref(), &request, snapshot, sweep),
        alive,
        causes: subjects::causes(judgement),
        intervene: (judgement.decision == Decision::Intervene).then(|| why(judgement)),
        keep_running: options.keep_running,
        mended: options.mended.iter().cloned().collect(),
        doomed,
        cancelled,
        elsewhere: elsewhere(snapshot, sweep, work_dir, &known),
        limits,
        template,
        call_doubt: called::doubt(&request, submission.as_ref()),
        script_excludes: script_text.as_deref().and_then(|text| {
            let own = cluster::Submission::of_script(&String::from_utf8_lossy(text), "script")?;
            own.option(Some('x'), "--exclude").map(str::to_owned)
        }),
        script_bytes: script_text.as_deref().map(Digest::of),
        script,
        submission,
        root: place.root.clone(),
        // A link may lead elsewhere by the time the lines run.
        directory: without_links(&place.directory),
        warnings: place.warnings.into_iter().chain(warning).collect(),
        held: place.held.or(held),
        again: examined.again.clone(),
        nodes: snapshot.nodes.clone(),
        partitions: request.partitions.clone(),
        time_limits: match subjects.iter().any(|one| one.state == State::Timeout) {
            true if snapshot.origin == Origin::Local => {
                cluster::time_limits(context.world, &snapshot::here(context))
            }
            true => Known::NotApplicable("Slurm's commands here were not asked".to_owned()),
            false => Known::NotApplicable("none ended at its time limit".to_owned()),
        },
        gpus: request.gpus.or_else(|| gpus(snapshot, sweep)),
        ..Setup::of(&sweep.key, sweep.kind)
    };
    let (again, single) = (setup.again.clone(), setup.elsewhere.single);
    let real = setup.directory.clone();
    let mut not_compared: Vec<String> = Vec::new();
    let mut intended = Intended::of(settings, &place.root, sweep);
    let over = |one: &&mut Subject| one.state.is_finished() && one.state != State::Completed;
    for subject in subjects.iter_mut().filter(over) {
        let at = gathered.evidence.binary_search_by_key(&subject.member, |one| one.member);
        if let Some(one) = at.ok().and_then(|at| gathered.evidence.get(at))
            && one.looked.is_some()
            && let Some(why) = intended.check(one, subject)
            && !not_compared.contains(&why)
        {
            not_compared.push(why);
        }
    }
    continuity::apart(&mut subjects);
    let with_checkpoint = subjects.iter().filter(|one| one.best().is_some()).map(|one| one.member).collect();
    let mut plan = plan::plan(&setup, &subjects);
    plan.notes.extend(strangers);
    if let Known::Unknown(why) | Known::NotApplicable(why) = &request.limits {
        plan.notes.push(format!("MaxArraySize is not known ({why}); Slurm's default of 1001 is taken"));
    }
    plan.notes.extend(alike);
    let resumes = plan.runnable().any(|line| line.purpose == Purpose::Resume);
    if resumes && !options.full {
        plan.notes.push(
            "checkpoints were checked by their structure; --full reads every byte, and finds flipped bits"
                .to_owned(),
        );
    }
    let more = started_again.len().saturating_sub(MOST_NOTED);
    plan.notes.extend(started_again.into_iter().take(MOST_NOTED));
    if more > 0 {
        plan.notes.push(format!(
            "the same of {}: handover sweep checkpoints shows them",
            counted(more, "more task")
        ));
    }
    if let Some(id) = setup.elsewhere.single {
        plan.notes.push(format!(
            "job {id} has the same name and is alive: see that it does not do the work of one of these tasks"
        ));
    }
    let not_here = match &snapshot.origin {
        Origin::Local => place.not_here,
        _ => Some("it was not made by asking Slurm's commands on this machine".to_owned()),
    };
    let mut problems = snapshot.problems.clone();
    problems.extend(request.problems);
    let mut not_read = gathered.not_read.clone();
    not_read.extend(judgement.not_read.iter().filter(|what| !gathered.not_read.contains(what)).cloned());
    not_read.extend(unread.iter().filter(|what| !gathered.not_read.contains(what)).cloned());
    not_read.extend(unread_settings);
    not_read.extend(not_compared.into_iter().take(5));
    let outcome = Outcome {
        origin: snapshot.origin.clone(),
        taken_at: snapshot.taken_at,
        health: judgement.health,
        decision: judgement.decision,
        settled: examined.settled.clone(),
        plan,
        keep_running: options.keep_running,
        full: options.full,
        details: options.details,
        directory: place.directory,
        command: command(&sweep.key, &options.words),
        not_here,
        preflight: examined.preflight.clone(),
        submitted,
        not_read,
        problems,
    };
    Ok(Made { outcome, kind: sweep.kind, with_checkpoint, again, real, single, examined })
}

/// The command that asks for this plan.
pub fn command(key: &str, words: &str) -> String {
    match shell_word(key) {
        // `--` ends the options.
        Ok(key) if key.starts_with('-') => format!("handover sweep plan{words} -- {key}"),
        Ok(key) => format!("handover sweep plan {key}{words}"),
        Err(_) => format!("handover sweep plan NAME{words}"),
    }
}

/// Such a command with more options.
pub fn with_options(command: &str, options: &str) -> String {
    match command.split_once(" -- ") {
        Some((before, name)) => format!("{before} {options} -- {name}"),
        None => format!("{command} {options}"),
    }
}

/// What earlier plans have cancelled.
fn cancelled(records: &[Record]) -> BTreeMap<u32, Cancelled> {
    let lines = records.iter().flat_map(|record| record.lines.iter().map(move |line| (record, line)));
    let done = |line: &records::Done| {
        line.purpose == Purpose::Cancel && matches!(line.state, Progress::Done | Progress::Began)
    };
    lines
        .filter(|(_, line)| done(line))
        .flat_map(|(record, line)| {
            let by = Cancelled { hash: record.hash.clone(), at: record.at };
            line.tasks.0.iter().map(move |task| (task, by.clone())).collect::<Vec<_>>()
        })
        .collect()
}

fn unusable(error: plan::TemplateError) -> Error {
    let names: Vec<String> = plan::PLACEHOLDERS.iter().map(|(_, name, _)| format!("{{{name}}}")).collect();
    Error::Usage {
        what: error.to_string(),
        hint: format!(
            "`resume` below `sweeps` takes {}, each outside of quotes; what it may hold: handover sweep plan --help",
            names.join(" ")
        ),
    }
}

/// The weightiest sentence of those that ask for it.
fn why(judgement: &crate::sweep::Judgement) -> String {
    let mut asking = judgement.reasons.iter().filter(|reason| reason.decision == Decision::Intervene);
    asking.next().map_or_else(|| "somebody must intervene".to_owned(), |reason| reason.text.clone())
}

/// How the sweep was submitted: asked of Slurm here, if the look was at Slurm here.
fn request(context: &Context, snapshot: &Snapshot, sweep: &Sweep) -> Request {
    let id = match sweep.kind {
        Kind::Array => sweep.key.parse().ok(),
        Kind::SharedName => sweep.look.all().ranges().first().map(|range| range.0),
    };
    match id {
        Some(id) if snapshot.origin == Origin::Local => {
            cluster::request_of(context.world, &snapshot::here(context), id)
        }
        _ => Request::unknown(&cluster::Nothing::NotApplicable(
            "Slurm's commands here were not asked".to_owned(),
        )),
    }
}

/// The bytes of a script; `None` if it cannot be read, or is far too large for one.
fn read(path: &Path) -> Option<Vec<u8>> {
    crate::sys::read_regular(path, LARGEST_SCRIPT).ok()?
}

/// The throttle that it was submitted with, which the queue forgets with the
/// last task that waits.
fn throttle(request: &Request) -> Option<u32> {
    let list = request.submission.known()?.option(Some('a'), "--array")?;
    list.split_once('%')?.1.parse().ok().filter(|most| *most > 0)
}

/// GPUs of one task, by the queue.
fn gpus(snapshot: &Snapshot, sweep: &Sweep) -> Option<u32> {
    let members = sweep.look.all();
    let is_of_it = |id: JobId| match (sweep.kind, id.part) {
        (Kind::Array, _) => id.base.to_string() == sweep.key,
        (Kind::SharedName, Part::Whole) => members.contains(id.base),
        _ => false,
    };
    snapshot.jobs.known()?.iter().filter(|job| is_of_it(job.id)).find_map(|job| job.gpus)
}
