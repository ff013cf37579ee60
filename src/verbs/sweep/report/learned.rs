//! What a sweep taught, and what is odd, each with how far it can be relied on.

use serde::Serialize;

use super::super::examine::Examined;
use super::super::preflight::Witness;
use crate::config::Sweeps;
use crate::joblog::Trouble;
use crate::safety::one_line;
use crate::sweep::{Confidence, ContradictionKind, Line, Members, TaskProgress};
use crate::terms::{TaskIds, counted};

/// One thing that was learnt.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Learned {
    /// What it is about.
    pub about: Finding,
    /// The sentence; may hold words from outside.
    pub sentence: String,
    /// How far it can be relied on.
    pub confidence: Confidence,
    /// The tasks that show it; empty if it is about all of them.
    #[serde(skip_serializing_if = "Members::is_empty")]
    pub tasks: Members,
    /// Lines of evidence: examples, not all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub evidence: Vec<Line>,
}

/// What something learnt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// What the sweep will still teach.
    Learning,
    /// Values at which nothing came of any task.
    Lost,
    /// Why tasks failed.
    Cause,
    /// A node on which more fails than chance explains.
    Node,
    /// Two sources that cannot both be right.
    Anomaly,
    /// Numbers of training that are no good.
    Numbers,
}

/// So many values that fail, and so many causes, are told.
const MOST: usize = 24;

pub(super) fn of(settings: &Sweeps, examined: &Examined) -> Vec<Learned> {
    let judgement = &examined.judgement;
    let enough = judgement.counted >= settings.least_finished;
    let mut all = Vec::new();
    if let Some(learning) = &judgement.learning {
        let space = match learning.parameters.is_empty() {
            true => "tasks".to_owned(),
            false => format!("combinations of {}", one_line(&learning.parameters.join(", "), 120)),
        };
        let is_over = !examined.sweep.states.keys().any(|state| state.is_live());
        let tense = if is_over { "have" } else { "will have" };
        all.push(Learned {
            about: Finding::Learning,
            sentence: format!(
                "{} of {} {space} {tense} a usable result ({} now), so {} % of the space is lost",
                learning.usable, learning.total, learning.usable_now, learning.lost_percent
            ),
            confidence: match (is_over, enough) {
                (true, _) => Confidence::Sure,
                (false, true) => Confidence::Likely,
                (false, false) => Confidence::Open,
            },
            tasks: Members::default(),
            evidence: Vec::new(),
        });
        for lost in learning.lost.iter().take(MOST) {
            let conditions = lost.conditions.iter().map(|condition| {
                format!(
                    "{}={}",
                    one_line(&condition.parameter, 40),
                    one_line(&condition.values.join("|"), 120)
                )
            });
            all.push(Learned {
                about: Finding::Lost,
                sentence: format!(
                    "no result where {}: {} ended, {} to come",
                    conditions.collect::<Vec<_>>().join(" and "),
                    lost.ended,
                    lost.to_come
                ),
                confidence: if lost.ended >= 4 { Confidence::Likely } else { Confidence::Open },
                tasks: Members::default(),
                evidence: Vec::new(),
            });
        }
    }
    for group in judgement.groups.iter().take(MOST) {
        all.push(Learned {
            about: Finding::Cause,
            sentence: format!("{}: {}", one_line(&group.cause.class, 40), group.cause.meaning),
            confidence: group.cause.confidence,
            tasks: group.tasks.clone(),
            evidence: group.cause.evidence.iter().take(1).cloned().collect(),
        });
    }
    for node in &judgement.nodes {
        all.push(Learned {
            about: Finding::Node,
            sentence: format!(
                "{}: {} of {} that ended there failed",
                one_line(&node.node, 80),
                node.failed,
                counted(node.finished, "task")
            ),
            confidence: Confidence::Likely,
            tasks: Members::default(),
            evidence: Vec::new(),
        });
    }
    for found in &judgement.contradictions {
        all.push(Learned {
            about: Finding::Anomaly,
            sentence: found.sentence.clone(),
            confidence: sure(found.kind),
            tasks: found.tasks.clone(),
            evidence: found.evidence.iter().take(2).cloned().collect(),
        });
    }
    all.extend(examined.preflight.iter().flat_map(|seen| &seen.departures).map(|departure| Learned {
        about: Finding::Anomaly,
        sentence: departure.in_words(),
        confidence: match departure.by {
            Witness::Tracker => Confidence::Sure,
            Witness::Worktree => Confidence::Likely,
        },
        tasks: departure.tasks.clone(),
        evidence: Vec::new(),
    }));
    all.extend(numbers(&examined.progress));
    all
}

/// How far each kind of contradiction can be relied on: what one source says of
/// itself is sure, what two clocks or a silence say is not.
fn sure(kind: ContradictionKind) -> Confidence {
    use ContradictionKind as Kind;
    match kind {
        Kind::CompletedOverFailedSteps
        | Kind::CompletedWithoutResults
        | Kind::CompletedWithNan
        | Kind::HiddenOutOfMemory
        | Kind::RunOfSeveral
        | Kind::TwoRuns => Confidence::Sure,
        Kind::CompletedWithFailureInLog
        | Kind::FastWithoutSteps
        | Kind::CompletedWithoutCheckpoint
        | Kind::CompletedOverCrashedRun
        | Kind::FailedThoughDone
        | Kind::LogDisagrees
        | Kind::HeldGpu
        | Kind::RunAfterEnd
        | Kind::ZombieRun => Confidence::Likely,
        Kind::CompletedWithoutExitRecord | Kind::Silent | Kind::TrackerSilent | Kind::NotInQueue => {
            Confidence::Open
        }
    }
}

/// Running tasks whose losses are no good.
fn numbers(progress: &[TaskProgress]) -> Vec<Learned> {
    type Says = fn(&Trouble) -> bool;
    let kinds: [(&str, Confidence, Says); 3] = [
        ("the loss is no number any more", Confidence::Sure, |t| matches!(t, Trouble::Nan { .. })),
        ("the loss diverges", Confidence::Likely, |t| matches!(t, Trouble::Diverged { .. })),
        ("the loss has stopped falling", Confidence::Open, |t| matches!(t, Trouble::Plateau { .. })),
    ];
    let mut all = Vec::new();
    for (sentence, confidence, says) in kinds {
        let those = progress.iter().filter(|task| task.troubles.iter().any(says));
        let tasks: TaskIds = those.map(|task| task.member).collect();
        if !tasks.is_empty() {
            all.push(Learned {
                about: Finding::Numbers,
                sentence: format!("{sentence} in {} that run", tasks.len()),
                confidence,
                tasks: Members(tasks),
                evidence: Vec::new(),
            });
        }
    }
    let late: TaskIds = progress.iter().filter(|task| task.beyond_limit).map(|task| task.member).collect();
    if !late.is_empty() {
        all.push(Learned {
            about: Finding::Numbers,
            sentence: "the time limit comes before the end, at the present rate".to_owned(),
            confidence: Confidence::Likely,
            tasks: Members(late),
            evidence: Vec::new(),
        });
    }
    all
}
