//! One sweep with everything that can be read of it, and the judgement.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;

use super::again::Submitted;
use super::preflight::{self, Preflighted};
use super::records::Record;
use super::settle::{Settled, Statement};
use super::{Glance, Named, again, find, look, records};
use crate::checkpoint::Depth;
use crate::cluster::{Origin, Snapshot, State};
use crate::config::{Config, Source, Sweeps};
use crate::joblog::Table;
use crate::sweep::plan::Again;
use crate::sweep::{self, Cause, Evidence, Judgement, Rules, Sweep, TaskCause, TaskProgress};
use crate::sys::{Deadline, World};
use crate::terms::{JobId, Time};
use crate::verbs::evidence::{Gathered, Ground, Results, RunDirs, Wanted, gather, run_dirs};
use crate::verbs::{Context, Error, snapshot};

/// A sweep that was looked into.
pub struct Examined {
    /// The cluster as it was seen.
    pub snapshot: Snapshot,
    /// The settings of this sweep.
    pub settings: Sweeps,
    /// The sweep, counted.
    pub sweep: Sweep,
    /// Older sweeps that the asked name fits too.
    pub others: Vec<Named>,
    /// The tasks that were submitted again, with their new ids; the evidence of
    /// those is that of the new jobs.
    pub again: BTreeMap<u32, Again>,
    /// What was read beside queue and accounting.
    pub gathered: Gathered,
    /// The patterns that the logs were read with.
    pub table: Table,
    /// What follows from all of it.
    pub judgement: Judgement,
    /// How far the running tasks have come.
    pub progress: Vec<TaskProgress>,
    /// Who said that it is dealt with, and why.
    pub settled: Option<Statement>,
    /// The look before it was submitted, and what changed since; `None` if there was none.
    pub preflight: Option<Preflighted>,
}

/// What an answer shows of a sweep that was looked into.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Findings {
    /// Who said that it is dealt with, and why: then it asks for nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled: Option<Statement>,
    /// The look before it was submitted, and what changed since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Preflighted>,
    /// Causes, health, decision, and what led there.
    pub judgement: Judgement,
    /// The tasks that a plan submitted again, in rising order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub submitted_again: Vec<SubmittedAgain>,
    /// Why each of the tasks failed that were looked at, in rising order.
    pub causes: Vec<TaskCause>,
    /// The tasks of which more than queue and accounting was looked at.
    pub tasks: Vec<Evidence>,
    /// How far the running tasks have come, those with least done first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<TaskProgress>,
    /// The results of the whole sweep, if it is known how many there should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub results: Option<Results>,
    /// What was not read, or not understood, in words.
    pub not_read: Vec<String>,
    /// What was looked at: commands and files, in words.
    pub sources: Vec<String>,
}

/// A task that goes on under another id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SubmittedAgain {
    /// The task.
    pub task: u32,
    /// The plan that did it.
    pub plan: String,
    /// The new job; `None` if its id is not known: then the task counts as it
    /// ended under its old one.
    pub id: Option<JobId>,
    /// What that does now; `None` if it was not seen.
    pub state: Option<State>,
}

impl From<Examined> for Findings {
    fn from(examined: Examined) -> Findings {
        let Gathered { evidence, results, not_read, sources, .. } = examined.gathered;
        let tasks: Vec<Evidence> = evidence.into_iter().filter(|task| task.looked.is_some()).collect();
        let cause = |task: &Evidence| {
            let cause = sweep::cause(task, &examined.table)?;
            // What the spread says of trying again only the group knows.
            let retry =
                examined.judgement.group_of(task.member).map_or(cause.retry, |group| group.cause.retry);
            let Cause { class, confidence, evidence, .. } = cause;
            Some(TaskCause {
                task: task.member,
                class,
                confidence,
                retry,
                evidence: evidence.into_iter().next(),
            })
        };
        Findings {
            settled: examined.settled,
            preflight: examined.preflight,
            submitted_again: examined.again.iter().map(submitted_again).collect(),
            causes: tasks.iter().filter_map(cause).collect(),
            judgement: examined.judgement,
            tasks,
            progress: examined.progress,
            results,
            not_read,
            sources,
        }
    }
}

/// Looks at the cluster, finds the sweep that `wanted` names, and looks into it.
///
/// # Errors
/// As for [`look`] and [`find`]; a pattern of the settings cannot be used.
pub fn one(context: &Context, source: Option<&Source>, wanted: &str) -> Result<Examined, Error> {
    one_to(context, source, wanted, Depth::Structure)
}

/// The same, with checkpoints checked as far as that.
///
/// # Errors
/// As for [`one`].
pub fn one_to(
    context: &Context,
    source: Option<&Source>,
    wanted: &str,
    depth: Depth,
) -> Result<Examined, Error> {
    let place = Place { depth, ..Place::of(context) };
    let table = place.table()?;
    let snapshot = look(context, source, Some(wanted))?;
    let found = find(&snapshot, Some(wanted), &place.submitted_again())?;
    // `find` with a name never comes back without the one.
    let Some(sweep) = found.sweeps.into_iter().next() else {
        return Err(Error::NoSweep { wanted: wanted.to_owned() });
    };
    let examined = into(&place, table, snapshot, sweep);
    Ok(Examined { others: found.others, ..examined })
}

fn submitted_again((task, again): (&u32, &Again)) -> SubmittedAgain {
    SubmittedAgain { task: *task, plan: again.hash.clone(), id: again.id, state: again.state }
}

/// Where a look into a sweep begins.
pub struct Place<'p> {
    world: &'p World,
    config: &'p Config,
    roots: Vec<PathBuf>,
    look: Option<crate::cluster::Look>,
    home: Option<PathBuf>,
    context: Option<&'p Context<'p>>,
    depth: Depth,
    now: Time,
    until: Option<Deadline>,
    within: Vec<PathBuf>,
}

impl<'p> Place<'p> {
    /// This worktree and the main one; Slurm may be asked.
    pub fn of(context: &'p Context) -> Place<'p> {
        Place {
            world: context.world,
            config: &context.config,
            roots: context.roots(),
            look: Some(snapshot::here(context)),
            home: Some(context.home()),
            context: Some(context),
            depth: Depth::Structure,
            now: context.now,
            until: None,
            within: Vec::new(),
        }
    }

    /// A directory that is in no repository; Slurm is not asked.
    pub fn bare(world: &'p World, config: &'p Config, dir: PathBuf) -> Place<'p> {
        Place {
            world,
            config,
            roots: vec![dir],
            look: None,
            home: None,
            context: None,
            depth: Depth::Structure,
            now: world.clock.now(),
            until: None,
            within: Vec::new(),
        }
    }
}

impl<'p> Place<'p> {
    /// A look that begins with no further file after `until`, and reads nothing
    /// of jobs that are known to work outside of `within`. `home` is where it is
    /// written which tasks were submitted again.
    pub fn bounded(
        world: &'p World,
        config: &'p Config,
        roots: Vec<PathBuf>,
        look: crate::cluster::Look,
        until: Deadline,
        within: Vec<PathBuf>,
        home: PathBuf,
    ) -> Place<'p> {
        Place {
            world,
            config,
            roots,
            now: look.now,
            look: Some(look),
            home: Some(home),
            context: None,
            depth: Depth::Structure,
            until: Some(until),
            within,
        }
    }

    /// The patterns of causes, the project's own among them.
    ///
    /// # Errors
    /// One of those cannot be used.
    pub fn table(&self) -> Result<Table, Error> {
        Ok(Table::with(&self.config.logs.patterns)?)
    }
}

/// What a look into a sweep brings.
pub struct LookedInto {
    /// What was read beside queue and accounting.
    pub gathered: Gathered,
    /// What follows from all of it.
    pub judgement: Judgement,
    /// How far the running tasks have come.
    pub progress: Vec<TaskProgress>,
    /// Who said that it is dealt with, when and why, in words.
    pub settled: Option<String>,
}

impl Place<'_> {
    /// What plans have submitted of the sweeps here.
    pub(super) fn submitted_again(&self) -> Submitted {
        Submitted::read(self.home.as_deref())
    }

    /// What was said of the sweeps here.
    pub(super) fn settled(&self) -> Settled {
        Settled::read(self.home.as_deref())
    }

    /// What accounting and queue alone make of sweeps, which are counted by what
    /// was submitted of them, too.
    pub(super) fn glances<'s>(
        &self,
        snapshot: &Snapshot,
        sweeps: impl Iterator<Item = &'s mut Sweep>,
        submitted: &Submitted,
        settled: &Settled,
    ) -> Result<Vec<Glance>, Error> {
        let table = self.table()?;
        let parameters = sweep::Parameters::default();
        let now = snapshot.taken_at;
        let glance = |sweep: &mut Sweep| {
            let settings = self.config.sweeps.of(&sweep.key, &sweep.name);
            let rules = Rules { settings: &settings, table: &table, parameters: &parameters, now };
            let evidence = submitted.tasks(sweep, snapshot);
            let judgement = sweep::judge(sweep, &evidence, &rules);
            let why = judgement.reasons.first().map(|reason| reason.text.clone()).unwrap_or_default();
            let (health, decision) = (judgement.health, judgement.decision);
            let settled = settled.of(sweep, &evidence).map(Statement::in_words);
            Glance { key: sweep.key.clone(), health, decision, why, settled }
        };
        Ok(sweeps.map(glance).collect())
    }
}

impl Place<'_> {
    /// What is needed to look around for a sweep that has these settings.
    fn ground<'g>(&'g self, table: &'g Table, snapshot: &Snapshot, sweeps: &'g Sweeps) -> Ground<'g> {
        Ground {
            world: self.world,
            sweeps,
            logs: &self.config.logs,
            table,
            roots: self.roots.clone(),
            look: self.look.clone().filter(|_| snapshot.origin == Origin::Local),
            depth: self.depth,
            now: self.now,
            until: self.until,
            within: self.within.clone(),
        }
    }
}

/// Finds the sweep that `wanted` names, and the run folders of all its tasks;
/// what is in them is not read.
///
/// # Errors
/// As for [`one`].
pub fn folders(context: &Context, source: Option<&Source>, wanted: &str) -> Result<(Sweep, RunDirs), Error> {
    let place = Place::of(context);
    let table = place.table()?;
    let snapshot = look(context, source, Some(wanted))?;
    let found = find(&snapshot, Some(wanted), &place.submitted_again())?;
    let Some(mut sweep) = found.sweeps.into_iter().next() else {
        return Err(Error::NoSweep { wanted: wanted.to_owned() });
    };
    let (records, unread) = submitted(&place, &sweep);
    let cancelled = again::count_cancelled(&mut sweep, &records);
    let again = again::again(&records, &snapshot);
    let settings = place.config.sweeps.of(&sweep.key, &sweep.name);
    let ground = place.ground(&table, &snapshot, &settings);
    let mut dirs =
        run_dirs(&ground, &snapshot, Wanted { sweep: &mut sweep, again: &again, cancelled: &cancelled });
    dirs.problems.extend(unread);
    Ok((sweep, dirs))
}

/// Looks into one sweep of a snapshot.
pub fn into(place: &Place, table: Table, mut snapshot: Snapshot, mut sweep: Sweep) -> Examined {
    let (records, unread) = submitted(place, &sweep);
    let cancelled = again::count_cancelled(&mut sweep, &records);
    if let Some(look) = place.look.as_ref().filter(|_| snapshot.origin == Origin::Local) {
        again::ask(place.world, look, &mut snapshot, &records);
    }
    let again = again::again(&records, &snapshot);
    let wanted = Wanted { sweep: &mut sweep, again: &again, cancelled: &cancelled };
    let LookedInto { mut gathered, judgement, progress, .. } =
        looked_into(place, &table, &snapshot, wanted, &records);
    gathered.not_read.extend(unread);
    let all = place.settled();
    let settled = all.of(&sweep, &gathered.evidence).cloned();
    gathered.not_read.extend(all.unread);
    let settings = place.config.sweeps.of(&sweep.key, &sweep.name).into_owned();
    let preflight = preflighted(place, &settings, &sweep, &mut gathered);
    Examined {
        settled,
        preflight,
        settings,
        snapshot,
        sweep,
        others: Vec::new(),
        again,
        gathered,
        table,
        judgement,
        progress,
    }
}

/// The same for whoever goes on with the snapshot; jobs that were submitted
/// again are not asked for where the snapshot lacks them.
pub fn look_into(place: &Place, table: &Table, snapshot: &Snapshot, sweep: &Sweep) -> LookedInto {
    let (records, unread) = submitted(place, sweep);
    let again = again::again(&records, snapshot);
    let mut sweep = sweep.clone();
    let cancelled = again::count_cancelled(&mut sweep, &records);
    let mut looked = looked_into(
        place,
        table,
        snapshot,
        Wanted { sweep: &mut sweep, again: &again, cancelled: &cancelled },
        &records,
    );
    looked.gathered.not_read.extend(unread);
    let settled = place.settled();
    looked.settled = settled.of(&sweep, &looked.gathered.evidence).map(Statement::in_words);
    looked.gathered.not_read.extend(settled.unread);
    looked
}

/// The preflight of a sweep, where there is a repository that remembers it.
fn preflighted(
    place: &Place,
    settings: &Sweeps,
    sweep: &Sweep,
    gathered: &mut Gathered,
) -> Option<Preflighted> {
    let known = preflight::later(place.context?, settings, sweep, &gathered.evidence, &gathered.work_dirs);
    known.unwrap_or_else(|error| {
        gathered.not_read.push(format!("what its preflight saw: {error}"));
        None
    })
}

/// What plans have submitted of a sweep, and what of it is not known, in words.
fn submitted(place: &Place, sweep: &Sweep) -> (Vec<Record>, Vec<String>) {
    let Some(home) = place.home.as_deref() else { return (Vec::new(), Vec::new()) };
    let read = records::all(home).map_err(Error::from).and_then(|all| {
        let unread = all.unread_of_others(&sweep.key).collect();
        Ok((again::family_of(&all, &sweep.key)?, unread))
    });
    match read {
        Ok(read) => read,
        Err(error) => (Vec::new(), vec![format!("which tasks were submitted again: {error}")]),
    }
}

fn looked_into(
    place: &Place,
    table: &Table,
    snapshot: &Snapshot,
    wanted: Wanted<'_>,
    records: &[Record],
) -> LookedInto {
    let Wanted { sweep, again, cancelled } = wanted;
    let settings = place.config.sweeps.of(&sweep.key, &sweep.name);
    let ground = place.ground(table, snapshot, &settings);
    let mut gathered = gather(&ground, snapshot, Wanted { sweep: &mut *sweep, again, cancelled });
    sweep::name_who_cancelled(&mut gathered.evidence, &again::cancelled_by(records));
    let rules =
        Rules { settings: &settings, table, parameters: &gathered.parameters, now: snapshot.taken_at };
    let judgement = sweep::judge(sweep, &gathered.evidence, &rules);
    let progress = sweep::progress(&gathered.evidence, &settings);
    LookedInto { gathered, judgement, progress, settled: None }
}
