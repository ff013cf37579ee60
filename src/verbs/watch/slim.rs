//! What was read of a task, less what no later look needs: thousands of them
//! are kept.

use crate::checkpoint::Survey;
use crate::joblog::{Mention, Reading, Role};
use crate::sweep::Looked;
use crate::terms::Known;
use crate::tracker::Run;

/// So many events of a log are kept beside its cause.
const EVENTS: usize = 12;
/// So many of everything else.
const FEW: usize = 4;

/// Cuts down what was read of a task.
pub(super) fn looked(looked: &mut Looked) {
    if let Known::Known(log) = &mut looked.log {
        log.files.truncate(FEW);
        reading(&mut log.reading);
    }
    if let Known::Known(found) = &mut looked.checkpoints {
        survey(found);
    }
    runs(&mut looked.runs);
}

/// Cuts down the tracker's runs of a task.
pub(super) fn runs(runs: &mut Known<Vec<Run>>) {
    if let Known::Known(runs) = runs {
        // The newest count.
        runs.drain(..runs.len().saturating_sub(FEW));
        runs.iter_mut().for_each(|run| run.parameters.clear());
    }
}

fn reading(reading: &mut Reading) {
    let tells = |role| matches!(role, Role::Root | Role::Cascade | Role::Teardown | Role::Evidence);
    reading.others.retain(|finding| tells(finding.role));
    // The newest attempt says most.
    reading.others.drain(..reading.others.len().saturating_sub(EVENTS));
    reading.attempts.drain(..reading.attempts.len().saturating_sub(FEW));
    let names_run = |mention: &Mention| matches!(mention, Mention::WandbRun { .. });
    reading.mentions.retain(names_run);
    reading.mentions.truncate(FEW);
    if let Some(progress) = &mut reading.progress {
        progress.series = Vec::new();
        progress.findings.truncate(FEW);
    }
}

fn survey(survey: &mut Survey) {
    survey.all = Vec::new();
    survey.refused.truncate(FEW);
    survey.unread.truncate(FEW);
}
