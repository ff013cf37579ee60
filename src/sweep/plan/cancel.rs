//! What is cancelled because somebody must intervene: what is known to fail,
//! and nothing else.

use super::{Kind, Setup, Step, Subject, build::detail, lines, options};
use crate::sweep::Members;
use crate::terms::TaskIds;

/// The cancelling, first of all; `None` if there is nothing to cancel.
pub(super) fn cancel(setup: &Setup, subjects: &[Subject]) -> Option<Step> {
    let stop = setup.intervene.as_ref()?;
    let doomed = doomed(setup);
    if doomed.is_empty() {
        return None;
    }
    let why = |one: &super::Doomed| {
        let those = one.tasks.intersection(&doomed);
        (!those.is_empty()).then(|| format!("{those}: {}", one.why))
    };
    let why: Vec<String> = setup.doomed.iter().filter_map(why).collect();
    let is_told = |one: &&Subject| doomed.contains(one.member) && one.best().is_some();
    Some(Step {
        kind: Kind::Cancel,
        class: None,
        cause: None,
        why: format!("{stop}; alive, and will fail too: {}", why.join("; ")),
        action: options::what_is_lost(setup, subjects, &doomed),
        remedies: Vec::new(),
        first: None,
        waits_for_mending: false,
        lines: lines::cancel(setup, &doomed),
        condition: None,
        blocked: None,
        exclude: Vec::new(),
        per_task: subjects.iter().filter(is_told).map(|one| detail(setup, one)).collect(),
        tasks: Members(doomed),
    })
}

/// The tasks that are alive and are to be cancelled.
pub(super) fn doomed(setup: &Setup) -> TaskIds {
    let alive = setup.alive.known().into_iter().flat_map(TaskIds::iter);
    alive.filter(|member| setup.to_cancel(*member).is_some()).collect()
}
