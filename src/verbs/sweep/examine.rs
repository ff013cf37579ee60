//! One sweep with everything that can be read of it, and the judgement.

use std::path::PathBuf;

use serde::Serialize;

use super::{Glance, Named, find, look};
use crate::cluster::{Origin, Snapshot};
use crate::config::{Config, Source};
use crate::joblog::Table;
use crate::sweep::{self, Cause, Evidence, Judgement, Rules, Sweep, TaskCause, TaskProgress};
use crate::sys::{Deadline, World};
use crate::terms::Time;
use crate::verbs::evidence::{Gathered, Ground, Results, gather};
use crate::verbs::{Context, Error, snapshot};

/// A sweep that was looked into.
pub struct Examined {
    /// The cluster as it was seen.
    pub snapshot: Snapshot,
    /// The sweep, counted.
    pub sweep: Sweep,
    /// Older sweeps that the asked name fits too.
    pub others: Vec<Named>,
    /// What was read beside queue and accounting.
    pub gathered: Gathered,
    /// The patterns that the logs were read with.
    pub table: Table,
    /// What follows from all of it.
    pub judgement: Judgement,
    /// How far the running tasks have come.
    pub progress: Vec<TaskProgress>,
}

/// What an answer shows of a sweep that was looked into.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Findings {
    /// Causes, health, decision, and what led there.
    pub judgement: Judgement,
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
    let place = Place::of(context);
    let table = place.table()?;
    let snapshot = look(context, source, Some(wanted))?;
    let found = find(&snapshot, Some(wanted))?;
    // `find` with a name never comes back without the one.
    let Some(sweep) = found.sweeps.into_iter().next() else {
        return Err(Error::NoSweep { wanted: wanted.to_owned() });
    };
    let examined = into(&place, table, snapshot, sweep);
    Ok(Examined { others: found.others, ..examined })
}

/// Where a look into a sweep begins.
pub struct Place<'p> {
    world: &'p World,
    config: &'p Config,
    roots: Vec<PathBuf>,
    look: Option<crate::cluster::Look>,
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
            now: world.clock.now(),
            until: None,
            within: Vec::new(),
        }
    }
}

impl<'p> Place<'p> {
    /// A look that begins with no further file after `until`, and reads nothing
    /// of jobs that are known to work outside of `within`.
    pub fn bounded(
        world: &'p World,
        config: &'p Config,
        roots: Vec<PathBuf>,
        look: crate::cluster::Look,
        until: Deadline,
        within: Vec<PathBuf>,
    ) -> Place<'p> {
        Place { world, config, roots, now: look.now, look: Some(look), until: Some(until), within }
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
}

impl Place<'_> {
    /// What accounting and queue alone make of sweeps.
    pub(super) fn glances<'s>(
        &self,
        snapshot: &Snapshot,
        sweeps: impl Iterator<Item = &'s Sweep>,
    ) -> Result<Vec<Glance>, Error> {
        let table = self.table()?;
        let parameters = sweep::Parameters::default();
        let now = snapshot.taken_at;
        let rules = Rules { settings: &self.config.sweeps, table: &table, parameters: &parameters, now };
        let glance = |sweep: &Sweep| {
            let judgement = sweep::judge(sweep, &sweep::tasks(snapshot, sweep), &rules);
            let why = judgement.reasons.first().map(|reason| reason.text.clone()).unwrap_or_default();
            let (health, decision) = (judgement.health, judgement.decision);
            Glance { key: sweep.key.clone(), health, decision, why }
        };
        Ok(sweeps.map(glance).collect())
    }
}

/// Looks into one sweep of a snapshot.
pub fn into(place: &Place, table: Table, snapshot: Snapshot, sweep: Sweep) -> Examined {
    let LookedInto { gathered, judgement, progress } = look_into(place, &table, &snapshot, &sweep);
    Examined { snapshot, sweep, others: Vec::new(), gathered, table, judgement, progress }
}

/// The same for whoever goes on with the snapshot.
pub fn look_into(place: &Place, table: &Table, snapshot: &Snapshot, sweep: &Sweep) -> LookedInto {
    let ground = Ground {
        world: place.world,
        sweeps: &place.config.sweeps,
        logs: &place.config.logs,
        table,
        roots: place.roots.clone(),
        look: place.look.clone().filter(|_| snapshot.origin == Origin::Local),
        now: place.now,
        until: place.until,
        within: place.within.clone(),
    };
    let gathered = gather(&ground, snapshot, sweep);
    let rules = Rules {
        settings: &place.config.sweeps,
        table,
        parameters: &gathered.parameters,
        now: snapshot.taken_at,
    };
    let judgement = sweep::judge(sweep, &gathered.evidence, &rules);
    let progress = sweep::progress(&gathered.evidence, &place.config.sweeps);
    LookedInto { gathered, judgement, progress }
}
