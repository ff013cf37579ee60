//! From which checkpoint each run can be resumed, as text.

mod alike;

use std::path::{Path, PathBuf};

use super::lines::Lines;
use super::{Style, View, paint};
use crate::checkpoint::{Checkpoint, Survey, Verdict};
use crate::safety::{clip, escape_path, one_line};
use crate::terms::{Bytes, Unread, by_number, counted};
use crate::verbs::sweep::checkpoints::{OfSweep, Outcome};

/// How many runs are shown; JSON has them all.
const MOST: usize = 200;
/// So many are shown one by one anyhow.
const FEW: usize = 12;
/// How many refused checkpoints of one run are shown.
const MOST_REFUSED: usize = 5;
/// How much of a reason is shown.
const LONGEST: usize = 240;

/// One run after the other, what to resume from and what was refused; where
/// there are many and not `each` is wanted, those that are alike together.
pub fn text(view: &View, outcome: &Outcome, each: bool) -> String {
    let mut out = String::new();
    for sweep in &outcome.sweeps {
        of_sweep(view, sweep, &mut out);
    }
    let shown: Vec<&Survey> = match each || outcome.runs.len() <= FEW {
        true => outcome.runs.iter().collect(),
        false => alike::groups(view, &outcome.runs, &mut out),
    };
    for run in shown.iter().take(MOST) {
        of_run(view, run, &mut out);
    }
    if shown.len() > MOST {
        line(&mut out, &format!("and {}; --json has all", counted(shown.len() - MOST, "more run")));
    }
    if outcome.runs.is_empty() {
        line(&mut out, &nothing(outcome));
    }
    for unread in &outcome.unread {
        not_read(&mut out, view, unread);
    }
    if !outcome.missing_shards.is_empty() {
        let missing: Vec<String> = outcome.missing_shards.iter().take(20).map(u32::to_string).collect();
        let all = outcome.missing_shards.len();
        line(&mut out, &format!("no answer of {}: {}", counted(all, "shard"), missing.join(", ")));
    }
    if outcome.runs.len() > 1 {
        let count = |fits: &dyn Fn(&&Survey) -> bool| outcome.runs.iter().filter(fits).count();
        let (resumable, refused) = (count(&|run| run.best.is_some()), count(&|run| !run.refused.is_empty()));
        let runs = outcome.runs.len();
        let newer = match refused {
            0 => String::new(),
            refused => format!("; of {refused} something newer was refused"),
        };
        line(&mut out, &format!("{resumable} of {runs} runs have something to resume from{newer}"));
    }
    if !outcome.runs.is_empty() && !outcome.empty.is_empty() {
        let count = outcome.empty.len();
        let hold = by_number(count, "holds", "hold");
        line(&mut out, &format!("{} {hold} no checkpoint", counted(count, "more folder")));
    }
    if shown.len() < outcome.runs.len() {
        line(&mut out, "every run: the same command with --each; read whole: with --full");
    }
    out
}

/// Which sweep it is, and of which of its tasks no folder is known.
fn of_sweep(view: &View, sweep: &OfSweep, out: &mut String) {
    let name = paint(Style::Strong, &one_line(&sweep.name, 60));
    line(
        out,
        &format!("{name}  sweep {}, {}", one_line(&sweep.key, 40), counted(sweep.folders, "run folder")),
    );
    let mut lines = Lines { out, width: view.width };
    for without in &sweep.without {
        lines.add("no folder", &format!("of {}: {}", without.tasks, one_line(&without.why, LONGEST)));
    }
    for problem in &sweep.problems {
        lines.add("not read", &one_line(problem, LONGEST));
    }
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
    line(out, &paint(Style::Strong, &view.path(&run.dir)));
    let mut lines = Lines { out, width: view.width };
    match &run.best {
        Some(best) => lines.add("  resume", &shown(view, best, &run.dir)),
        None => lines.add("", &paint(Style::Bad, "nothing in it can be resumed from")),
    }
    for refused in run.refused.iter().take(MOST_REFUSED) {
        lines.add("  refused", &shown(view, refused, &run.dir));
        lines.add("", &paint(Style::Watch, &why(refused)));
    }
    if run.refused.len() > MOST_REFUSED {
        lines.add("", &format!("and {} more were refused; --json has all", run.refused.len() - MOST_REFUSED));
    }
    if let Some(lower) = &run.newer_but_lower {
        let lower = one_line(&within(lower, &run.dir), 120);
        lines.add("  note", &format!("{lower} is newer and of a lower step: was this run started again?"));
    }
    for unread in &run.unread {
        not_read(out, view, unread);
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
    let why = match &checkpoint.verdict {
        Verdict::Sound { .. } => "",
        Verdict::Damaged { why } | Verdict::Unfinished { why } | Verdict::Unreadable { why } => why.as_str(),
        Verdict::Temporary => "it has a name under which checkpoints are being written",
        Verdict::Unnameable => {
            "it is sound, but its name can stand in no command: rename it to resume from it"
        }
        Verdict::Unrecognised => "it is in no format that is known here",
    };
    clip(&one_line(&format!("{}: {why}", word(&checkpoint.verdict)), LONGEST), LONGEST)
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Sound { .. } => "sound",
        Verdict::Damaged { .. } => "damaged",
        Verdict::Unfinished { .. } => "unfinished",
        Verdict::Unreadable { .. } => "not readable",
        Verdict::Temporary => "temporary",
        Verdict::Unnameable => "badly named",
        Verdict::Unrecognised => "unknown",
    }
}

fn not_read(out: &mut String, view: &View, unread: &Unread) {
    let what = format!("{}: {}", view.path(&unread.path), one_line(&unread.why, LONGEST));
    Lines { out, width: view.width }.add("  not read", &what);
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
