//! What a sweep amounts to, in the form that documents store: escaped, capped.

use std::path::Path;

use crate::cluster::State;
use crate::document::sweep_lines::short_list;
use crate::document::{CauseFact, ContradictionFact, ResumableFact, RunningFact, StandingFact};
use crate::safety::{clip, escape, escape_path, one_line};
use crate::sweep::{
    self, CauseGroup, Confidence, Contradiction, Evidence, Judgement, Learning, Line, Members, TaskProgress,
};
use crate::terms::{Known, TaskIds};
use crate::verbs::job_paths::without_links;

/// So many causes are stored.
const CAUSES: usize = 12;
/// So many of each other list.
const MOST: usize = 8;
/// So many values of parameters at which nothing came of any task.
const CORNERS: usize = 4;
/// So many characters of a list of tasks.
const LIST: usize = 1000;
/// So many characters of a sentence.
const SENTENCE: usize = 300;

/// What was read and made of one sweep.
pub struct Read<'r> {
    /// Its tasks.
    pub evidence: &'r [Evidence],
    /// What follows.
    pub judgement: &'r Judgement,
    /// How far running tasks are.
    pub progress: &'r [TaskProgress],
    /// True if it works in no worktree of this repository.
    pub foreign: bool,
    /// Who said that it is dealt with, in words.
    pub settled: Option<String>,
    /// What was not read, in words.
    pub not_read: &'r [String],
    /// How many tasks were not looked at because time was up.
    pub cut_short: usize,
    /// Where it works, if that is known: paths below are told from there on.
    pub work_dir: Option<&'r Path>,
    /// The worktree of the document: where nobody says where it works, paths
    /// below it are told from there on.
    pub worktree: Option<&'r Path>,
}

/// The compressed form.
pub fn standing(read: &Read) -> StandingFact {
    let Read { evidence, judgement, .. } = read;
    let hidden = judgement.groups.get(CAUSES..).unwrap_or_default();
    // Where neither a log nor a run was found, nothing more is known than Slurm says.
    let is_read = |task: &&Evidence| task.log().is_some() || task.run_dir().is_some();
    let looked_at = evidence.iter().filter(is_read).count() as u64;
    let mut not_read: Vec<&String> = read.not_read.iter().collect();
    // Where nothing was to be read, what was said of it says it all.
    let more = judgement.not_read.iter().filter(|_| looked_at > 0 || not_read.is_empty());
    not_read.extend(more.filter(|what| !read.not_read.contains(what)).collect::<Vec<_>>());
    let mut found: Vec<&Contradiction> = judgement.contradictions.iter().collect();
    found.sort_by_key(|found| (!found.kind.spoils_result(), std::cmp::Reverse(found.tasks.len())));
    // Of a directory on another machine what is here may be a copy.
    let base = read.work_dir.filter(|dir| dir.is_dir()).or(read.worktree);
    let is_elsewhere = read.work_dir.map(without_links) != read.worktree.map(without_links);
    let work_dir = read.work_dir.filter(|_| is_elsewhere);
    StandingFact {
        work_dir: work_dir.map(|dir| clip(&escape_path(dir), 200)).unwrap_or_default(),
        foreign: read.foreign,
        settled: read.settled.as_deref().map(|said| one_line(said, SENTENCE)).unwrap_or_default(),
        health: judgement.health.name().to_owned(),
        decision: judgement.decision.name().to_owned(),
        reason: judgement.reasons.first().map(|reason| one_line(&reason.text, SENTENCE)).unwrap_or_default(),
        learning: judgement
            .learning
            .as_ref()
            .map(|learning| teaches(learning, judgement))
            .unwrap_or_default(),
        looked_at,
        cut_short: read.cut_short as u64,
        counted: judgement.counted as u64,
        failed: judgement.failed as u64,
        causes: judgement.groups.iter().take(CAUSES).map(|group| cause(group, base)).collect(),
        causes_omitted: hidden.len() as u64,
        tasks_omitted: hidden.iter().map(|group| group.count as u64).sum(),
        aside: judgement.aside.iter().take(MOST).map(|group| cause(group, base)).collect(),
        running: running(evidence, read.progress),
        resumable: resumable(evidence),
        contradictions: found.iter().take(MOST).map(|found| contradiction(found)).collect(),
        contradictions_omitted: found.len().saturating_sub(MOST) as u64,
        not_read: not_read.iter().take(MOST).map(|what| one_line(what, SENTENCE)).collect(),
        not_read_omitted: not_read.len().saturating_sub(MOST) as u64,
    }
}

/// What it still teaches, if something of it is lost: the number, unless that is
/// what weighs most and said there, and where nothing came of any task. Without
/// parameters each task is a part of its own, and the counts say as much.
fn teaches(learning: &Learning, judgement: &Judgement) -> String {
    let is_counted = learning.parameters.is_empty() && !learning.collapsed;
    if learning.lost_percent == 0 || is_counted {
        return String::new();
    }
    let sentence = learning.sentence();
    let is_said = judgement.reasons.first().is_some_and(|reason| reason.text.contains(&sentence));
    let shown = learning.lost.iter().take(CORNERS);
    let corners: Vec<String> = shown.map(|lost| sweep::corner(&lost.conditions)).collect();
    let left = learning.lost.len() - corners.len() + learning.lost_left_out;
    let more = if left > 0 { format!(" and {left} more") } else { String::new() };
    let mut parts = if is_said { Vec::new() } else { vec![sentence] };
    if !corners.is_empty() {
        parts.push(format!("nothing came of {}{more}", corners.join(", ")));
    }
    one_line(&parts.join("; "), SENTENCE)
}

fn cause(group: &CauseGroup, base: Option<&Path>) -> CauseFact {
    let cause = &group.cause;
    let line = cause.evidence.first();
    // The sentence mostly begins with it.
    let meaning = Some(&cause.meaning).filter(|meaning| !cause.sentence.starts_with(meaning.as_str()));
    let action = match (cause.retry.words(), cause.action.as_str()) {
        (words, action) if action.starts_with(words) => action.to_owned(),
        (words, action) => format!("{words}: {action}"),
    };
    CauseFact {
        class: one_line(&cause.class, 60),
        fingerprint: cause
            .fingerprint
            .as_ref()
            .map(|print| one_line(&print.to_string(), 80))
            .unwrap_or_default(),
        confidence: match cause.confidence {
            Confidence::Sure => "sure",
            Confidence::Likely => "likely",
            Confidence::Open => "open",
        }
        .to_owned(),
        count: group.count as u64,
        percent: group.percent,
        tasks: list(&group.tasks),
        spread: clip(&group.spread.in_words(), SENTENCE),
        sentence: one_line(&cause.sentence, SENTENCE),
        meaning: meaning.map(|meaning| one_line(meaning, SENTENCE)).unwrap_or_default(),
        action: one_line(&action, SENTENCE),
        place: line.map(|line| place(line, base)).unwrap_or_default(),
        line: line.map(|line| one_line(&line.text, 200)).unwrap_or_default(),
    }
}

/// `logs/7.out:40`, from the base on where it lies there, else the whole path:
/// another worktree has other files of that name, or none.
fn place(line: &Line, base: Option<&Path>) -> String {
    let Some(file) = &line.file else { return line.source.name().to_owned() };
    let near: &Path = base.and_then(|base| file.strip_prefix(base).ok()).unwrap_or(file);
    let at = match (line.line, line.offset) {
        (Some(number), _) => format!(":{number}"),
        (None, Some(offset)) => format!(" at byte {offset}"),
        (None, None) => String::new(),
    };
    format!("{}{at}", clip(&escape_path(near), 200))
}

fn list(tasks: &Members) -> String {
    short_list(&tasks.to_string(), LIST)
}

fn contradiction(found: &Contradiction) -> ContradictionFact {
    ContradictionFact {
        what: clip(&escape(&found.sentence), SENTENCE),
        count: found.tasks.len() as u64,
        tasks: list(&found.tasks),
    }
}

fn running(evidence: &[Evidence], progress: &[TaskProgress]) -> Option<RunningFact> {
    let running = evidence.iter().filter(|task| task.state.is_running()).count() as u64;
    // Those with least done stand first.
    let told: Vec<(u32, f64)> = progress.iter().filter_map(|one| Some((one.member, one.percent?))).collect();
    let rounded = |percent: f64| (percent * 10.0).round() / 10.0;
    let those = |wanted: fn(&&TaskProgress) -> bool| {
        list(&Members(progress.iter().filter(wanted).map(|one| one.member).collect()))
    };
    (running > 0).then(|| RunningFact {
        running,
        told: told.len() as u64,
        median: told.get(told.len().saturating_sub(1) / 2).map(|(_, percent)| rounded(*percent)),
        least: told.first().map(|(_, percent)| rounded(*percent)),
        slowest: told.first().map(|(task, _)| *task),
        beyond_limit: those(|one| one.beyond_limit),
        troubled: those(|one| !one.troubles.is_empty()),
    })
}

/// Of the tasks that are over and did not complete.
fn resumable(evidence: &[Evidence]) -> Option<ResumableFact> {
    let over = evidence.iter().filter(|task| task.state.is_finished() && task.state != State::Completed);
    let mut usable = TaskIds::default();
    let mut steps: Option<(u64, u64)> = None;
    let (mut of, mut unknown) = (0, 0);
    for task in over {
        of += 1;
        match task.looked.as_deref().map(|looked| &looked.checkpoints) {
            Some(Known::Known(survey)) => {
                let Some(best) = &survey.best else { continue };
                usable.push(task.member);
                let Some(step) = best.step else { continue };
                steps =
                    steps.map_or(Some((step, step)), |(least, most)| Some((least.min(step), most.max(step))));
            }
            Some(Known::NotApplicable(_)) => {}
            Some(Known::Unknown(_)) | None => unknown += 1,
        }
    }
    (of > 0).then(|| ResumableFact {
        of,
        usable: usable.len() as u64,
        tasks: list(&Members(usable)),
        steps,
        unknown,
    })
}
