//! What the plan of a sweep submits.

use super::super::sweep::plan::{self, Options};
use super::super::{Context, Error, snapshot, sweep_facts};
use crate::config::Source;
use crate::paste::{Part, Place};
use crate::sweep::plan::Purpose;
use crate::terms::Seconds;

/// What was found to submit.
pub(super) struct Found {
    pub parts: Vec<Part>,
    /// Where the lines run.
    pub place: Place,
    pub notes: Vec<String>,
}

/// The lines of the plan that may run as they are.
pub(super) fn parts(
    context: &Context,
    name: Option<&str>,
    cluster: Option<&Source>,
    project: &Place,
) -> Result<Found, Error> {
    let wanted = match name {
        Some(name) => name.to_owned(),
        None => only_one(context, cluster)?,
    };
    let options = Options {
        wanted,
        cluster: cluster.cloned(),
        keep_running: false,
        mended: Vec::new(),
        full: false,
        details: false,
        words: String::new(),
    };
    let outcome = plan::make(context, &options)?.outcome;
    let command = &outcome.command;
    let mut notes: Vec<String> = outcome.plan.warnings.clone();
    let part = |line: &crate::sweep::plan::Line| {
        let what = match line.purpose {
            Purpose::Cancel => "cancel",
            Purpose::Resume => "resume",
            Purpose::Start => "start",
        };
        Part { text: line.text.clone(), what: format!("{what} {}", line.tasks) }
    };
    let parts: Vec<Part> = outcome.plan.runnable().map(part).collect();
    if parts.is_empty() {
        notes.push(format!("the plan has no line to run now; what there is to do first: {command}"));
    } else {
        notes.push(format!("paste each once: a second time submits a second time; why: {command}"));
    }
    // Below this worktree it is the same folder of the project there; elsewhere it is a path of the cluster.
    let place = match outcome.directory.strip_prefix(context.repository.worktree()) {
        Ok(below) => project.below(&below.to_string_lossy())?,
        Err(_) if context.config.paste.project.is_some() => project.clone(),
        Err(_) => Place::new(&outcome.directory.to_string_lossy())?,
    };
    Ok(Found { parts, place, notes })
}

/// The only sweep that has failed tasks.
fn only_one(context: &Context, cluster: Option<&Source>) -> Result<String, Error> {
    let taken = std::sync::Arc::new(snapshot::take(context, cluster)?);
    let listed = sweep_facts::of(context, &taken, Seconds(0)).map(|facts| facts.listed).unwrap_or_default();
    let failed: Vec<_> = listed.iter().filter(|fact| !fact.is_foreign() && !fact.failed.is_empty()).collect();
    match failed.as_slice() {
        [only] => Ok(only.key.clone()),
        [] => Err(Error::Usage {
            what: "no sweep is known to have failed tasks".to_owned(),
            hint: "see which there are: handover sweep".to_owned(),
        }),
        several => {
            let names: Vec<String> = several
                .iter()
                .take(8)
                .map(|fact| format!("{} ({})", fact.key, crate::safety::one_line(&fact.name, 40)))
                .collect();
            Err(Error::Usage {
                what: format!("several sweeps have failed tasks: {}", names.join(", ")),
                hint: "name one: handover paste resubmit NAME".to_owned(),
            })
        }
    }
}
