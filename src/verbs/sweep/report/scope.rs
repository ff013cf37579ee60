//! What a report is about.

use std::collections::BTreeMap;

use serde::Serialize;

use super::super::Named;
use super::super::examine::Examined;
use crate::cluster::{self, Origin, State};
use crate::sweep::{Kind, Members};
use crate::terms::Time;
use crate::tracker::Run;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Scope {
    /// By what the sweep is found: the array's id, or the name.
    pub key: String,
    /// The jobs' name: text from outside.
    pub name: String,
    /// What holds it together.
    pub kind: Kind,
    /// The user; `None` if the source does not say.
    pub user: Option<String>,
    /// Every task that was seen.
    pub tasks: Members,
    /// How many tasks it has; `None` if that is unknown.
    pub total: Option<usize>,
    /// The tasks seen, by state.
    pub states: BTreeMap<State, usize>,
    /// How many tasks may run at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub throttle: Option<u32>,
    /// Where the answers about the cluster came from.
    pub origin: Origin,
    /// When they were taken; `None` if the source does not say.
    pub taken_at: Option<Time>,
    /// Which jobs were asked for and kept.
    pub asked: cluster::Scope,
    /// Older sweeps that the asked name fits too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Named>,
    /// The tracker's projects and sweeps that its runs belong to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tracked: Vec<Tracked>,
}

/// Runs of a tracker that belong together: text from outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Tracked {
    /// Whose project it is; `None` where the run left it to the account's default.
    pub entity: Option<String>,
    /// The project.
    pub project: Option<String>,
    /// The id of the tracker's sweep.
    pub sweep: Option<String>,
    /// How many runs.
    pub runs: usize,
    /// One of them, by its id.
    pub example: String,
    /// The page of the tracker's sweep, else that of the example, where it can be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// So many groups of runs are told.
const MOST: usize = 20;

pub(super) fn of(examined: &Examined) -> Scope {
    let Examined { snapshot, sweep, .. } = examined;
    Scope {
        key: sweep.key.clone(),
        name: sweep.name.clone(),
        kind: sweep.kind,
        user: sweep.user.clone(),
        tasks: Members(sweep.look.all()),
        total: sweep.total,
        states: sweep.states.clone(),
        throttle: sweep.throttle,
        origin: snapshot.origin.clone(),
        taken_at: snapshot.taken_at,
        asked: snapshot.scope.clone(),
        others: examined.others.clone(),
        tracked: tracked(examined),
    }
}

/// The projects and sweeps of the tracker that a sweep's runs belong to, most runs first.
pub fn tracked(examined: &Examined) -> Vec<Tracked> {
    let mut all: BTreeMap<[Option<String>; 3], Tracked> = BTreeMap::new();
    for run in examined.gathered.evidence.iter().flat_map(|task| task.runs()) {
        let key = [run.entity.clone(), run.project.clone(), run.sweep.clone()];
        let group = all.entry(key).or_insert_with(|| Tracked {
            entity: run.entity.clone(),
            project: run.project.clone(),
            sweep: run.sweep.clone(),
            runs: 0,
            example: run.id.clone(),
            url: page(run),
        });
        group.runs += 1;
    }
    let mut all: Vec<Tracked> = all.into_values().collect();
    all.sort_by_key(|group| std::cmp::Reverse(group.runs));
    all.truncate(MOST);
    all
}

/// `.../sweeps/ID` beside the `.../runs/ID` of a run that a sweep started.
fn page(run: &Run) -> Option<String> {
    let url = run.url.as_ref()?;
    let project = url.strip_suffix(&format!("/runs/{}", run.id));
    Some(match (project, &run.sweep) {
        (Some(project), Some(sweep)) => format!("{project}/sweeps/{sweep}"),
        _ => url.clone(),
    })
}
