use serde::Serialize;

use super::{Body, Facts, Section};

/// What a handover lacks, and how much that weighs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lint {
    /// 100 for a handover without gaps.
    pub score: u32,
    /// The gaps, the heaviest first.
    pub gaps: Vec<Gap>,
}

impl Lint {
    /// Leaves out what is missing about jobs.
    pub fn without_jobs(&mut self) {
        let is_other = |gap: &Gap| !matches!(gap.section, Section::Jobs | Section::IfThen);
        self.gaps.retain(is_other);
        let lost: u32 = self.gaps.iter().map(|gap| gap.weight).sum();
        self.score = 100u32.saturating_sub(lost);
    }
}

/// One thing that a handover lacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gap {
    /// Where it is missing.
    pub section: Section,
    /// What is missing, in words.
    pub what: String,
    /// How much it takes off the score.
    pub weight: u32,
}

/// Names the gaps of a body, given the facts that it goes with.
///
/// The weights follow what costs a successor most: without a next action it
/// searches, without a status it trusts blindly, without the reasons it undoes.
pub fn lint(body: &Body, facts: &Facts) -> Lint {
    let mut gaps = Vec::new();
    let mut gap = |section, weight, what: &str| gaps.push(Gap { section, what: what.to_owned(), weight });
    let text = |section| body.text(section).unwrap_or_default();
    let has = |section| !text(section).is_empty();

    if body.condition.is_none() {
        gap(Section::Status, 10, "no status word (stable, watch, broken, blocked)");
    } else if !has(Section::Status) {
        gap(Section::Status, 3, "a status word without a sentence");
    }
    if !has(Section::Goal) {
        gap(Section::Goal, 15, "no goal, so nobody can tell when it is done");
    }
    if !has(Section::Next) {
        gap(Section::Next, 25, "no next action");
    } else if !text(Section::Next).contains('`') {
        gap(Section::Next, 5, "the next action names no command (put it in backticks)");
    }
    let moved = !facts.files.is_clean() || facts.base.as_ref().is_some_and(|base| base.ahead > 0);
    if moved && !has(Section::Changed) {
        gap(Section::Changed, 15, "there are changes, and nothing says why");
    }
    if !has(Section::Evidence) {
        gap(Section::Evidence, 10, "nothing says what was verified and what was not");
    }
    let jobs = facts.jobs.as_ref().map_or(0, |jobs| jobs.listed.len());
    if jobs > 0 && !has(Section::Jobs) {
        gap(Section::Jobs, 5, "jobs are live, and nothing says what they are for");
    }
    if jobs > 0 && !has(Section::IfThen) {
        gap(Section::IfThen, 5, "jobs are live, and nothing says what to do when they end");
    }
    if !has(Section::DeadEnds) {
        gap(Section::DeadEnds, 5, "no dead ends; write `none` if there were none");
    }
    if !has(Section::Decisions) {
        gap(Section::Decisions, 5, "no decisions; write `none` if there were none");
    }
    if Section::ALL.into_iter().any(|section| text(section).contains("TODO")) {
        gap(Section::Pending, 3, "a TODO is left in the text; what is to be done belongs here");
    }
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.weight));
    let lost: u32 = gaps.iter().map(|gap| gap.weight).sum();
    Lint { score: 100u32.saturating_sub(lost), gaps }
}
