//! What is made of a watched sweep at one look.

use crate::cluster::Snapshot;
use crate::joblog::Table;
use crate::sweep::memory::Standing;
use crate::sweep::{self, Parameters, Rules, Sweep};
use crate::verbs::Context;

/// Reads what is to be read of a sweep, and judges it.
pub(super) fn judged(context: &Context, snapshot: &Snapshot, sweep: &Sweep, table: &Table) -> Standing {
    let evidence = sweep::tasks(snapshot, sweep);
    let parameters = Parameters::default();
    let rules =
        Rules { settings: &context.config.sweeps, table, parameters: &parameters, now: Some(context.now) };
    let judgement = sweep::judge(sweep, &evidence, &rules);
    let missing =
        evidence.iter().filter_map(|task| task.looked.as_deref()).flat_map(|looked| &looked.missing);
    Standing::of(&judgement, missing.map(|path| path.to_string_lossy().into_owned()))
}
