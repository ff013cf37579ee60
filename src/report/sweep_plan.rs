//! The plan of a sweep, and what was submitted of it.
//!
//! What is to be decided stands first, then a group per cause, then what is left
//! alone. Lines to paste stand at the beginning of their line and are never
//! wrapped; those that must wait for something are commented out, so that lines
//! can be pasted with those between them.

mod group;
mod rest;

use super::lines::Lines;
use super::paste::for_phone;
use super::{Style, View, paint};
use crate::safety::{clip, escape, escape_path, one_line, shell_last, shell_word};
use crate::sweep::plan::{Kind, Line, Plan, Purpose, Step};
use crate::sweep::{Decision, Members};
use crate::verbs::sweep::plan::{Outcome, with_options};
use crate::verbs::sweep::records::{Progress, Record};
use crate::verbs::sweep::submit;

/// How many characters of a list of tasks are shown.
const LONGEST_LIST: usize = 60;

/// What is shown of a plan.
#[derive(Debug, Clone, Copy)]
struct Detail {
    /// True if everything is: each task, each line.
    all: bool,
}

impl Detail {
    /// A list of tasks, cut between two of them unless everything is shown.
    fn list(self, tasks: &Members) -> String {
        let list = tasks.to_string();
        if self.all || list.len() <= LONGEST_LIST {
            return list;
        }
        let end = list[..LONGEST_LIST].rfind(',').unwrap_or(LONGEST_LIST);
        format!("{},…", &list[..end])
    }
}

/// The plan: the decision, a group per cause, what is left alone.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let plan = &outcome.plan;
    let detail = Detail { all: outcome.details };
    let mut out = String::new();
    for warning in &plan.warnings {
        // A comment, since it stands right above a line to paste.
        for line in super::lines::wrapped(&format!("warning: {}", escape(warning)), view.width - 2) {
            out.push_str(&format!("{}\n", paint(Style::Bad, &format!("# {}", line.trim_end()))));
        }
    }
    // To intervene begins with the line that stops it.
    let cancel = plan.steps.iter().find(|step| step.kind == Kind::Cancel);
    let stops = cancel.iter().flat_map(|step| &step.lines).map(|line| pasteable(line, false));
    out.extend(stops);
    if !out.is_empty() {
        out.push('\n');
    }
    head(view, outcome, cancel, &mut out);
    let is_to_do = |step: &&Step| !matches!(step.kind, Kind::Cancel | Kind::Leave);
    let to_do: Vec<&Step> = plan.steps.iter().filter(is_to_do).collect();
    let is_one = |a: &&Step, b: &&Step| a.cause.is_some() && a.cause == b.cause && a.class == b.class;
    for steps in to_do.chunk_by(is_one) {
        group::text(view, detail, (steps, &outcome.command), &mut out);
    }
    out.push('\n');
    rest::text(view, outcome, detail, &mut out);
    out
}

/// How it does, and what is to be decided.
fn head(view: &View, outcome: &Outcome, cancel: Option<&Step>, out: &mut String) {
    let plan = &outcome.plan;
    let style = match outcome.decision {
        Decision::NoIntervention => Style::Good,
        Decision::Watch => Style::Watch,
        Decision::Intervene => Style::Bad,
    };
    let verdict = paint(style, &format!("{}, {}", outcome.health, outcome.decision));
    let key = paint(Style::Strong, &one_line(&plan.sweep, 40));
    out.push_str(&format!("{key} {}  {verdict}\n", one_line(&plan.name, 60)));
    let mut lines = Lines { out, width: view.width };
    if let Some(said) = &outcome.settled {
        let words = said.in_words();
        let words = words.trim_start_matches("settled ");
        lines.add("settled", &format!("{words}; it asks for nothing until something new happens"));
    }
    match (&plan.recommendation, plan.no_decision_required) {
        (_, true) => lines.add("decide", "no decision required"),
        (Some(what), false) => lines.add_painted("decide", Style::Strong, &escape(what)),
        (None, false) => lines.add("decide", "nothing to decide now; what there is to do stands below"),
    }
    if let Some(step) = cancel {
        lines.add("why", &escape(&step.why));
        lines.add("lost", &escape(&step.action));
        for task in &step.per_task {
            lines.add("", &group::task(task));
        }
    }
    let starts = plan.steps.iter().flat_map(|step| &step.lines).any(|line| line.purpose != Purpose::Cancel);
    if starts {
        lines.add("run in", &escape_path(&outcome.directory));
    }
}

/// A line to paste; one that must wait for something is a comment. To zsh at a
/// prompt `#` begins none, and what stands behind an operator would run: then the
/// line is one quoted word, with which nothing is done.
fn pasteable(line: &Line, must_wait: bool) -> String {
    let text = escape(&line.text);
    match (must_wait, shell_word(&text)) {
        (false, _) => format!("{text}\n"),
        (true, Ok(word)) if text.contains([';', '&', '|', '`', '$']) => format!(": {word}\n"),
        (true, _) => format!("# {text}\n"),
    }
}

/// What was done, line by line.
pub fn submitted(_view: &View, outcome: &submit::Outcome) -> String {
    let record = &outcome.record;
    let mut out = String::new();
    for line in &record.lines {
        let (style, word) = match line.state {
            Progress::Done => (Style::Good, "done   "),
            Progress::Failed => (Style::Bad, "failed "),
            Progress::Began => (Style::Bad, "unknown"),
            Progress::Planned => (Style::Faint, "not run"),
        };
        out.push_str(&format!("{}  {}\n", paint(style, word), escape(&line.text)));
        if !line.ids.is_empty() {
            let ids: Vec<String> = line.ids.iter().map(u32::to_string).collect();
            let tasks = clip(&line.tasks.to_string(), 240);
            out.push_str(&format!(
                "         task {tasks} of {} -> job {}\n",
                escape(&record.sweep),
                ids.join(", ")
            ));
        }
        if !line.complaint.is_empty() && line.state != Progress::Done {
            out.push_str(&format!("         {}\n", escape(&line.complaint)));
        }
    }
    let command = escape(&outcome.command);
    if record.is_unclear() {
        out.push_str(&format!(
            "unknown whether that was submitted: the next plan finds its job in squeue or sacct. If there is none: \
             {}\n",
            with_options(&command, &format!("--not-submitted {}", escape(&record.hash)))
        ));
    }
    if outcome.whole {
        out.push_str(&format!("look again: {command}\n"));
    } else {
        out.push_str(&format!("stopped there; what was done is recorded. Plan anew: {command}\n"));
    }
    out
}

/// The lines of a plan of which it is unknown whether they submitted anything.
pub fn unclear(record: &Record) -> String {
    let lines = record.lines.iter().filter(|line| line.is_unclear());
    let lines: Vec<String> = lines.map(|line| format!("  {}", escape(&line.text))).collect();
    format!("plan {} of {}, by {}:\n{}", record.hash, record.at, one_line(&record.by, 80), lines.join("\n"))
}

fn ids(record: &Record) -> String {
    let ids: Vec<String> = record.ids().iter().map(u32::to_string).collect();
    if ids.is_empty() { "not known".to_owned() } else { ids.join(", ") }
}

/// The commands of a plan by which it is shown and run.
fn how_to_run(lines: &mut Lines, outcome: &Outcome, plan: &Plan, hash: &str) {
    let key = shell_last(&plan.sweep).unwrap_or_else(|_| "NAME".to_owned());
    let form = format!("handover paste resubmit {key}");
    if let Some(said) = for_phone(plan.runnable().map(|line| line.text.as_str()), &form) {
        lines.add("phone", &said);
    }
    let command = escape(&outcome.command);
    match &outcome.not_here {
        None => {
            let what = match plan.runnable().count() {
                1 => "the line above that waits for nothing".to_owned(),
                count => format!("the {count} lines above that wait for nothing"),
            };
            lines.add("plan", &paint(Style::Strong, hash));
            lines.add("", &format!("runs {what}: {}", with_options(&command, &format!("--submit {hash}"))));
        }
        Some(why) => lines.add(
            "to run it",
            &format!("paste the lines, or ask for the plan where Slurm can be asked ({})", escape(why)),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_must_wait_is_inert_in_every_shell() {
        let line =
            |text: &str| Line { text: text.to_owned(), tasks: Members::default(), purpose: Purpose::Resume };
        assert_eq!(pasteable(&line("sbatch 'a b'"), false), "sbatch 'a b'\n");
        assert_eq!(pasteable(&line("sbatch 'a b'"), true), "# sbatch 'a b'\n");
        assert_eq!(pasteable(&line("cd x && make"), true), ": 'cd x && make'\n");
    }
}
