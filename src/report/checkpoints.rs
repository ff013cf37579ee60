//! From which checkpoint each run can be resumed, as text.

use std::path::{Path, PathBuf};

use super::{Style, View, paint};
use crate::checkpoint::{Checkpoint, Survey, Unread, Verdict};
use crate::safety::{clip, escape_path, one_line};
use crate::terms::Bytes;
use crate::verbs::sweep::checkpoints::Outcome;

/// How many runs are shown; JSON has them all.
const MOST: usize = 200;
/// How many refused checkpoints of one run are shown.
const MOST_REFUSED: usize = 5;
/// How much of a reason is shown.
const LONGEST: usize = 240;

/// One run after the other: what to resume from, and what was refused.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let mut out = String::new();
    for run in outcome.runs.iter().take(MOST) {
        of_run(view, run, &mut out);
    }
    if outcome.runs.len() > MOST {
        line(&mut out, &format!("and {} more runs; --json has all", outcome.runs.len() - MOST));
    }
    if outcome.runs.is_empty() {
        line(&mut out, &nothing(outcome));
    }
    for unread in &outcome.unread {
        not_read(&mut out, unread);
    }
    if !outcome.missing_shards.is_empty() {
        let missing: Vec<String> = outcome.missing_shards.iter().take(20).map(u32::to_string).collect();
        let all = outcome.missing_shards.len();
        line(&mut out, &format!("no answer of {all} shards: {}", missing.join(", ")));
    }
    if outcome.runs.len() > 1 {
        let count = |fits: &dyn Fn(&&Survey) -> bool| outcome.runs.iter().filter(fits).count();
        let (resumable, refused) = (count(&|run| run.best.is_some()), count(&|run| !run.refused.is_empty()));
        let runs = outcome.runs.len();
        line(
            &mut out,
            &format!("{resumable} of {runs} runs can be resumed; of {refused} something newer was refused"),
        );
    }
    out
}

fn nothing(outcome: &Outcome) -> String {
    match outcome.looked_in.as_slice() {
        [] => "No folder of runs was found: name one, or set sweeps.runs.".to_owned(),
        dirs => {
            let shown: Vec<String> = dirs.iter().take(5).map(escape_path).collect();
            format!("No checkpoint was found in {}.", clip(&shown.join(", "), LONGEST))
        }
    }
}

fn of_run(view: &View, run: &Survey, out: &mut String) {
    line(out, &paint(Style::Strong, &escape_path(&run.dir)));
    match &run.best {
        Some(best) => line(out, &format!("  resume  {}", shown(view, best, &run.dir))),
        None => line(out, &format!("  {}", paint(Style::Bad, "nothing in it can be resumed from"))),
    }
    for refused in run.refused.iter().take(MOST_REFUSED) {
        line(out, &format!("  refused {}", shown(view, refused, &run.dir)));
        line(out, &format!("          {}", paint(Style::Watch, &why(refused))));
    }
    if run.refused.len() > MOST_REFUSED {
        line(out, &format!("  and {} more were refused; --json has all", run.refused.len() - MOST_REFUSED));
    }
    if let Some(lower) = &run.newer_but_lower {
        let lower = one_line(&within(lower, &run.dir), 120);
        line(out, &format!("  note    {lower} is newer and of a lower step: was this run started again?"));
    }
    for unread in &run.unread {
        not_read(out, unread);
    }
}

/// `step 1200 (epoch 3)  checkpoints/x.ckpt, Lightning, 1.2 GiB, 2 h ago`.
fn shown(view: &View, checkpoint: &Checkpoint, run: &Path) -> String {
    let step = match (checkpoint.step, checkpoint.epoch) {
        (Some(step), Some(epoch)) => format!("step {step} (epoch {})", rounded(epoch)),
        (Some(step), None) => format!("step {step}"),
        (None, Some(epoch)) => format!("epoch {}", rounded(epoch)),
        (None, None) => "step unknown".to_owned(),
    };
    let mut parts = vec![one_line(&within(&checkpoint.path, run), 160)];
    parts.push(checkpoint.format.name().to_owned());
    parts.push(Bytes(checkpoint.bytes).to_string());
    if let Some(modified) = checkpoint.modified {
        parts.push(format!("{} ago", modified.age(view.now)));
    }
    if checkpoint.optimizer == Some(false) {
        parts.push("weights alone".to_owned());
    }
    if checkpoint.being_written {
        parts.push("written just now".to_owned());
    }
    format!("{step}  {}", parts.join(", "))
}

fn rounded(epoch: f64) -> f64 {
    (epoch * 1000.0).round() / 1000.0
}

fn why(checkpoint: &Checkpoint) -> String {
    let (word, why) = match &checkpoint.verdict {
        Verdict::Sound { .. } => ("sound", ""),
        Verdict::Damaged { why } => ("damaged", why.as_str()),
        Verdict::Unfinished { why } => ("unfinished", why.as_str()),
        Verdict::Unreadable { why } => ("not readable", why.as_str()),
        Verdict::Temporary => ("temporary", "it has a name under which checkpoints are being written"),
        Verdict::Unrecognised => ("unknown", "it is in no format that is known here"),
    };
    clip(&one_line(&format!("{word}: {why}"), LONGEST), LONGEST)
}

fn not_read(out: &mut String, unread: &Unread) {
    line(out, &format!("  not read: {}: {}", escape_path(&unread.path), one_line(&unread.why, LONGEST)));
}

/// A path as it is within a run.
fn within(path: &Path, run: &Path) -> String {
    let short: PathBuf = path.strip_prefix(run).map_or_else(|_| path.to_owned(), Path::to_owned);
    short.to_string_lossy().into_owned()
}

fn line(out: &mut String, text: &str) {
    out.push_str(text);
    out.push('\n');
}
