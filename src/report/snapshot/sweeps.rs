//! Sweeps on the board of the cluster: one row for each cause.

use super::{rows_of, titled};
use crate::document::sweep_lines::short_list;
use crate::document::{RunningFact, StandingFact, SweepFact, SweepsFact};
use crate::report::lines::wrapped;
use crate::report::{Align, Style, View, paint};
use crate::safety::{one_line, shell_last};
use crate::terms::{by_number, counted};

/// So many sweeps are shown.
const MOST: usize = 8;
/// So many causes of each.
const CAUSES: usize = 6;
/// So much of what was not read, of each.
const NOT_READ: usize = 3;
/// So many characters of a list of tasks in a row.
const WHICH: usize = 26;
/// How far what is said of a sweep stands in.
const DEEP: &str = "    ";

pub(super) fn text(view: &View, sweeps: &SweepsFact) -> String {
    let mut out: String = sweeps.listed.iter().take(MOST).map(|sweep| of(view, sweep)).collect();
    let more = sweeps.listed.len().saturating_sub(MOST) + sweeps.omitted as usize;
    if more > 0 {
        out.push_str(&format!("  and {more} more: handover sweep\n"));
    }
    titled("Sweeps", out)
}

fn of(view: &View, sweep: &SweepFact) -> String {
    let name = one_line(&sweep.name, 40);
    let name = if sweep.key == sweep.name { name } else { format!("{name} {}", one_line(&sweep.key, 20)) };
    let total = sweep.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
    let over = format!("{} of {total} finished", sweep.finished);
    let Some(standing) = &sweep.standing else { return format!("  {name}  {over}\n") };
    let (jobs, first) = (one_line(&sweep.continued_by, 80), one_line(&sweep.continues, 20));
    let family = match (jobs.is_empty(), first.is_empty()) {
        (true, true) => String::new(),
        (true, false) => lines(view, &format!("continues {first}: a plan submitted tasks of that again")),
        (false, _) => lines(view, &format!("continued by {jobs}, counted here: submitted by a plan")),
    };
    let room = view.width.saturating_sub(2).max(20);
    let head = wrapped(&format!("{name}  {over}, {}", verdict(standing)), room);
    let head: Vec<&str> = head.iter().map(|line| line.trim_end()).collect();
    let mut out = format!("  {}\n{family}", head.join(&format!("\n{DEEP}")));
    if standing.asks() || standing.failed > 0 && standing.settled.is_empty() {
        out.push_str(&lines(view, &one_line(&standing.reason, 300)));
    }
    if !standing.settled.is_empty() {
        out.push_str(&lines(view, &one_line(&standing.settled, 300)));
    }
    out.push_str(&causes(view, standing));
    if !standing.learning.is_empty() {
        out.push_str(&lines(view, &format!("learning value: {}", one_line(&standing.learning, 300))));
    }
    for found in standing.contradictions.iter().take(CAUSES) {
        let tasks = one_line(&found.tasks, 60);
        out.push_str(&lines(view, &format!("look at {tasks}: {}", one_line(&found.what, 200))));
    }
    out.push_str(&standing.running.as_ref().map(|one| lines(view, &running(one))).unwrap_or_default());
    if let Some(resumable) = &standing.resumable {
        let (of, usable, unknown) = (resumable.of, resumable.usable, resumable.unknown);
        let rest = if unknown > 0 { format!("; of {unknown} it is not known") } else { String::new() };
        let tasks = match resumable.tasks.as_str() {
            "" => String::new(),
            tasks => format!(": {}", one_line(tasks, 100)),
        };
        let from = resumable.from();
        let what = if unknown >= of {
            format!("resumable: not known; nobody looked for checkpoints of the {of} that failed or stopped")
        } else {
            format!(
                "resumable: {usable} of {of} that failed or stopped have a usable checkpoint{tasks}{from}{rest}"
            )
        };
        out.push_str(&lines(view, &what));
    }
    for what in standing.not_read.iter().take(NOT_READ) {
        out.push_str(&lines(view, &format!("not read: {}", one_line(what, 200))));
    }
    let more = standing.not_read.len().saturating_sub(NOT_READ) as u64 + standing.not_read_omitted;
    if more > 0 {
        out.push_str(&lines(view, &format!("not read: {more} more")));
    }
    if let Some(word) = shell_last(&sweep.key).ok().filter(|_| standing.asks()) {
        out.push_str(&lines(view, &format!("what to do: handover sweep plan {word}")));
    }
    out
}

fn verdict(standing: &StandingFact) -> String {
    let style = match standing.health.as_str() {
        "healthy" => Style::Good,
        "degraded" | "too few to judge" => Style::Watch,
        _ => Style::Bad,
    };
    let alone = match (standing.looked_at, standing.cut_short) {
        (0, _) => " (by queue and accounting alone)".to_owned(),
        (_, 0) => String::new(),
        (_, left) => {
            format!(" (time was up before {} {} read)", counted(left, "task"), by_number(left, "was", "were"))
        }
    };
    let decision = one_line(&standing.decision, 30);
    format!("{}, {decision}{alone}", paint(style, &one_line(&standing.health, 20)))
}

fn causes(view: &View, standing: &StandingFact) -> String {
    let row = |cause: &crate::document::CauseFact, share: String| {
        [
            one_line(&cause.class, 24),
            cause.count.to_string(),
            share,
            one_line(cause.spread.strip_prefix("where ").unwrap_or(&cause.spread), 60),
            short_list(&one_line(&cause.tasks, 400), WHICH),
        ]
    };
    let mut rows: Vec<[String; 5]> =
        standing.causes.iter().take(CAUSES).map(|cause| row(cause, format!("{} %", cause.percent))).collect();
    // In no share.
    rows.extend(standing.aside.iter().take(CAUSES).map(|cause| row(cause, "aside".to_owned())));
    let columns = [
        ("cause", Align::Left),
        ("tasks", Align::Right),
        ("share", Align::Right),
        ("where", Align::Left),
        ("which", Align::Left),
    ];
    let narrow = View { width: view.width.saturating_sub(2), ..view.clone() };
    let table = rows_of(columns, rows, 3, usize::MAX, &narrow);
    let mut out: String = table.lines().map(|line| format!("  {line}\n")).collect();
    let hidden = standing.causes.get(CAUSES..).unwrap_or_default();
    let further = hidden.len() as u64 + standing.causes_omitted;
    if further > 0 {
        let tasks = hidden.iter().map(|cause| cause.count).sum::<u64>() + standing.tasks_omitted;
        let causes = counted(further, "further cause");
        out.push_str(&format!("{DEEP}and {causes} of {}\n", counted(tasks, "task")));
    }
    out
}

fn running(running: &RunningFact) -> String {
    let mut text = format!("running: {}", running.running);
    if let (Some(median), Some(least)) = (running.median, running.least) {
        text.push_str(&format!(", median {median} % done, least {least} %"));
        text.extend(running.slowest.map(|task| format!(" (task {task})")));
    } else {
        text.push_str(", how far they are is not known");
    }
    if !running.beyond_limit.is_empty() {
        let tasks = one_line(&running.beyond_limit, 60);
        text.push_str(&format!("; will not be done before their time limit: {tasks}"));
    }
    if !running.troubled.is_empty() {
        text.push_str(&format!("; look at their loss: {}", one_line(&running.troubled, 60)));
    }
    text
}

/// A sentence on as many lines as it needs.
fn lines(view: &View, text: &str) -> String {
    let room = view.width.saturating_sub(DEEP.len() + 2).max(20);
    let mut out = String::new();
    for (number, line) in wrapped(text, room).iter().enumerate() {
        let deeper = if number == 0 { "" } else { "  " };
        out.push_str(&format!("{DEEP}{deeper}{}\n", line.trim_end()));
    }
    out
}
