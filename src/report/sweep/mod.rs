//! Sweeps as a table, and one sweep as a board.

mod curves;
mod heat;
mod judgement;

use std::collections::{BTreeMap, BTreeSet};

use super::lines::{Lines, wrapped};
use super::preflight::preflighted;
use super::style::width;
use super::{Align, Style, Table, View, paint};
use crate::cluster::{Origin, Outlook, Reason, State};
use crate::safety::{clip, escape, one_line};
use crate::sweep::{Elapsed, Kind, Members, SHARED_NAME_AT_LEAST, Sweep};
use crate::terms::{Seconds, by_number, counted};
use crate::verbs::sweep::examine::Findings;
use crate::verbs::sweep::which::Asked;
use crate::verbs::sweep::{Glance, Outcome};

/// How many sweeps the table shows; JSON has them all.
const MOST: usize = 40;
/// How many characters of a list of tasks are shown; JSON has them all.
const LONGEST_LIST: usize = 480;

/// All sweeps in a table, or the one that was asked for; `again` are the options that a
/// command must repeat that goes on from this one.
pub fn text(view: &View, outcome: &Outcome, again: &str) -> String {
    let mut out = match outcome.sweeps.as_slice() {
        [sweep] if sweep.per_task.is_some() => board(view, sweep, outcome),
        [] if outcome.blind => blind(view, outcome),
        sweeps => table(view, sweeps, &outcome.glances, again),
    };
    out.push_str(&foot(view, outcome));
    out
}

/// No list, since none was seen: that is not an empty one.
fn blind(view: &View, outcome: &Outcome) -> String {
    let what = match outcome.was_asked {
        true => "No answer: which sweeps there are is not known.",
        false => "Nothing was asked: which sweeps there are is not known.",
    };
    let mut out = format!("{}\n", paint(Style::Bad, what));
    let hint = "read a state file, handover sweep --cluster FILE, or what sacct printed, handover sweep --accounting FILE";
    Lines { out: &mut out, width: view.width }.add("hint", hint);
    out
}

fn table(view: &View, sweeps: &[Sweep], glances: &[Glance], again: &str) -> String {
    if sweeps.is_empty() {
        return "No sweep was seen.\n".to_owned();
    }
    let shown = &sweeps[..sweeps.len().min(MOST)];
    let mut table = Table::new([
        ("sweep", Align::Left),
        ("name", Align::Left),
        ("done", Align::Right),
        ("failed", Align::Right),
        ("run", Align::Right),
        ("wait", Align::Right),
        ("median", Align::Right),
        ("health", Align::Left),
    ]);
    let shown_health = !glances.is_empty();
    let settled: BTreeMap<&str, &String> =
        glances.iter().filter_map(|glance| Some((glance.key.as_str(), glance.settled.as_ref()?))).collect();
    let glances = glances.iter().map(Some).chain(std::iter::repeat(None));
    let cells: Vec<[String; 7]> = shown.iter().zip(glances).map(cells).collect();
    // What the other columns and the gaps leave.
    let headings = [5, 4, 6, 3, 4, 6, 6];
    let widest = |column: usize| {
        cells.iter().map(|row| width(&row[column])).chain([headings[column]]).max().unwrap_or(0)
    };
    let room = view.room_beside((0..7).map(widest).sum::<usize>() + 14, 8);
    for (sweep, [key, done, failed, run, wait, median, health]) in shown.iter().zip(cells) {
        table.row([key, name(sweep, room), done, failed, run, wait, median, health]);
    }
    let mut out = table.render();
    if sweeps.len() > MOST {
        out.push_str(&format!("and {}; --json has all\n", counted(sweeps.len() - MOST, "older sweep")));
    }
    if shown.iter().any(|sweep| sweep.kind == Kind::SharedName) {
        let note = format!("jobs: {SHARED_NAME_AT_LEAST} or more jobs that share this name");
        out.push_str(&format!("{}\n", paint(Style::Faint, &note)));
    }
    if shown_health {
        let note = format!(
            "health: by queue and accounting alone; `handover sweep NAME{again}` reads the logs, too"
        );
        for line in wrapped(&note, view.width) {
            out.push_str(&format!("{}\n", paint(Style::Faint, line.trim_end())));
        }
    }
    let mut lines = Lines { out: &mut out, width: view.width };
    for sweep in shown {
        let flags = flags(sweep);
        if !flags.is_empty() {
            lines.add("look at", &format!("{}: {flags}", one_line(&sweep.key, 40)));
        }
        if let Some(settled) = settled.get(sweep.key.as_str()) {
            let words = settled.trim_start_matches("settled ");
            lines.add("settled", &format!("{}: {words}", one_line(&sweep.key, 40)));
        }
        if let Some(family) = family(sweep) {
            lines.add("again", &format!("{}: {family}", one_line(&sweep.key, 40)));
        }
    }
    let reasons: BTreeSet<&String> = shown.iter().flat_map(|sweep| &sweep.unknown).collect();
    for why in reasons {
        lines.add("total ?", &escape(why));
    }
    out
}

/// What the table shows of a sweep, the name aside.
fn cells((sweep, glance): (&Sweep, Option<&Glance>)) -> [String; 7] {
    let total = sweep.total.map_or_else(|| "?".to_owned(), |total| total.to_string());
    let failed = match (sweep.failed_tasks.len(), percent(sweep.failed_tasks.len(), sweep.finished)) {
        (0, _) => "0".to_owned(),
        (failed, Some(share)) => paint(Style::Bad, &format!("{failed} ({share})")),
        (failed, None) => paint(Style::Bad, &failed.to_string()),
    };
    [
        match sweep.kind {
            Kind::Array => sweep.key.clone(),
            Kind::SharedName => "jobs".to_owned(),
        },
        format!("{}/{total}", sweep.finished),
        failed,
        count(sweep, State::is_running).to_string(),
        count(sweep, State::is_waiting).to_string(),
        sweep.elapsed.map(|elapsed| span(elapsed.median)).unwrap_or_default(),
        glance.map(|glance| paint(judgement::style(glance.health), glance.health.name())).unwrap_or_default(),
    ]
}

/// Which jobs are no sweeps of their own, since a plan submitted tasks again.
fn family(sweep: &Sweep) -> Option<String> {
    let jobs = Members(sweep.continued_by.iter().copied().collect());
    match &sweep.continues {
        _ if !jobs.is_empty() => Some(format!("continued by {}, counted here", list(&jobs))),
        Some(first) => {
            Some(format!("continues {}: a plan submitted tasks of that again", one_line(first, 20)))
        }
        None => None,
    }
}

fn board(view: &View, sweep: &Sweep, outcome: &Outcome) -> String {
    let judged = outcome.examined.as_ref();
    let what = match sweep.kind {
        Kind::Array => format!("array job {}", sweep.key),
        Kind::SharedName => format!("{} of this name", counted(sweep.seen, "job")),
    };
    let user = sweep.user.as_deref().map(|user| format!(", user {}", one_line(user, 40))).unwrap_or_default();
    let mut out = format!("{}  {what}{user}\n", paint(Style::Strong, &name(sweep, view.width / 2)));
    let mut lines = Lines { out: &mut out, width: view.width };
    if let Some(asked) = &outcome.asked {
        lines.add("asked for", &asked_for(sweep, asked));
        task(&mut lines, view, judged, asked.member);
    }
    if let Some(family) = family(sweep).filter(|_| sweep.continues.is_some() || judged.is_none()) {
        lines.add("again", &family);
    }
    if let Some(settled) = judged.and_then(|judged| judged.settled.as_ref()) {
        lines.add("settled", settled.in_words().trim_start_matches("settled "));
    }
    if let Some(judged) = judged {
        judgement::health(&mut lines, view, &judged.judgement);
    }
    if let Some(time) = sweep.submitted {
        lines.add("submitted", &view.time(time));
    }
    if let Some(time) = sweep.ended {
        lines.add("last end", &view.time(time));
    }
    if let Some(preflight) = judged.and_then(|judged| judged.preflight.as_ref()) {
        preflighted(&mut lines, view, preflight);
    }
    tasks(&mut lines, sweep);
    heat::heat(&mut lines, sweep, judged.map(|judged| &judged.judgement));
    match judged {
        Some(judged) => judgement::causes(&mut lines, view, &judged.judgement),
        None => failures(&mut lines, sweep),
    }
    times(&mut lines, sweep, judged.is_some());
    if let Some(judged) = judged {
        curves::curves(&mut lines, view, &judged.progress);
        judgement::lost(&mut lines, judged.judgement.learning.as_ref());
    }
    for waiting in &sweep.waiting {
        let (count, list) = match &waiting.tasks {
            Some(tasks) => (tasks_of(sweep, tasks), format!(", {}", list(tasks))),
            None => ("an unknown number of tasks".to_owned(), String::new()),
        };
        let (reason, shown) = (Reason::of(&waiting.reason), one_line(&waiting.reason, 100));
        let words = match (shown.is_empty(), reason.words) {
            (true, words) => words.to_owned(),
            (_, "") => shown,
            (_, words) => format!("{shown}, {words}"),
        };
        lines.add("waiting", &format!("{count}{list}: {words}"));
        match waiting.outlook {
            Outlook::Never => lines.add("", &paint(Style::Bad, "will never start as it is")),
            Outlook::Held => lines.add("", &paint(Style::Watch, "starts only when it is released")),
            Outlook::Blocked => {
                for node in &waiting.nodes {
                    lines.add("", &paint(Style::Watch, &node.in_words()));
                }
                lines.add("", reason.advice);
            }
            Outlook::Waits | Outlook::Unknown => {}
        }
    }
    if let Some(throttle) = sweep.throttle {
        lines.add("limit", &format!("{} at once, by the array's own setting", counted(throttle, "task")));
    }
    for (attempts, tasks) in &sweep.look.attempts {
        let what = format!("{} in {attempts} attempts: {}", tasks_of(sweep, tasks), list(tasks));
        lines.add("requeued", &what);
    }
    for (label, what) in judged.map(again).unwrap_or_default() {
        lines.add(label, &what);
    }
    let unknown = crate::sweep::Outcome { state: State::Unknown, exit: None };
    if let Some(tasks) = sweep.look.tasks.get(&unknown) {
        let what = "neither queue nor accounting says how they are now; they count all the same";
        lines.add("not seen", &format!("{}: {what}", list(tasks)));
    }
    match judged {
        Some(judged) => {
            judgement::contradictions(&mut lines, view, &judged.judgement.contradictions);
            judgement::records(&mut lines, &judged.judgement.reproducibility);
            judgement::not_read(&mut lines, &judged.not_read);
        }
        None => look_at(&mut lines, sweep),
    }
    out
}

/// Which task it is that was asked for, and how it is.
fn asked_for(sweep: &Sweep, asked: &Asked) -> String {
    let member = asked.member;
    let what = match (sweep.kind, asked.is_raw) {
        (Kind::Array, true) => {
            format!("{} is the raw id of task {member} of array {}", one_line(&asked.id, 20), sweep.key)
        }
        (Kind::Array, false) => format!("task {member}"),
        (Kind::SharedName, _) => format!("job {member}"),
    };
    match asked.outcome {
        Some(outcome) => format!("{what}: {outcome}"),
        None => format!("{what}: not seen"),
    }
}

/// Why one task failed, as far as it was looked into.
fn task(lines: &mut Lines, view: &View, judged: Option<&Findings>, member: u32) {
    let Some(judged) = judged else { return };
    if let Some(cause) = judged.causes.iter().find(|cause| cause.task == member) {
        lines.add_in("", &format!("{}: {}", one_line(&cause.class, 40), cause.retry.words()), 2);
        cause.evidence.iter().for_each(|line| lines.add_in("", &judgement::evidence(view, line), 2));
    }
}

/// What became of the tasks that plans submitted again, by state.
fn again(judged: &Findings) -> Vec<(&'static str, String)> {
    let mut groups: BTreeMap<String, Members> = BTreeMap::new();
    for one in &judged.submitted_again {
        let state = match (one.id, one.state) {
            (None, _) => "under an id that is not known".to_owned(),
            (_, None) => "not seen yet".to_owned(),
            (_, Some(state)) => state.to_string(),
        };
        groups.entry(state).or_default().0.push(one.task);
    }
    let total = judged.submitted_again.len();
    let words = |(state, tasks): (String, Members)| format!("{} {state}: {}", tasks.len(), list(&tasks));
    let mut lines: Vec<(&str, String)> = groups.into_iter().map(|group| ("", words(group))).collect();
    if let Some(first) = lines.first_mut() {
        *first = ("again", format!("{total} submitted again, counted as the new jobs: {}", first.1));
    }
    lines
}

fn tasks(lines: &mut Lines, sweep: &Sweep) {
    let total = match sweep.total {
        Some(total) => format!("{} of {total} finished", sweep.finished),
        None => format!("{} finished of at least {}", sweep.finished, sweep.seen),
    };
    let states: Vec<String> = sweep.states.iter().map(|(state, count)| format!("{count} {state}")).collect();
    lines.add("states", &format!("{total}: {}", states.join(", ")));
    for why in &sweep.unknown {
        lines.add("", &format!("total unknown: {}", escape(why)));
    }
}

fn failures(lines: &mut Lines, sweep: &Sweep) {
    let failed = sweep.failed_tasks.len();
    if failed == 0 {
        return lines.add("failed", "none");
    }
    let share = percent(failed, sweep.finished).map(|share| format!(" ({share})")).unwrap_or_default();
    lines.add(
        "failed",
        &format!("{failed} of {} finished{share}: {}", sweep.finished, list(&sweep.failed_tasks)),
    );
    lines.add("", "by state and exit code, which is not the cause:");
    let outcomes: Vec<String> = sweep.failures.iter().map(|group| group.outcome.to_string()).collect();
    let width = outcomes.iter().map(String::len).max().unwrap_or(0);
    for (group, outcome) in sweep.failures.iter().zip(outcomes) {
        lines.add("", &format!("{:>6}  {outcome:<width$}  {}", group.count, list(&group.tasks)));
    }
    let wrapped = |status| matches!(status, 6 | 9 | 11 | 15);
    if sweep
        .failures
        .iter()
        .any(|group| group.outcome.exit.is_some_and(|e| e.signal == 0 && wrapped(e.status)))
    {
        lines.add("", "exit codes of 128 and more lose 128 in Slurm up to 25.05: 9:0 may be 137, signal 9");
    }
}

fn times(lines: &mut Lines, sweep: &Sweep, is_judged: bool) {
    let Some(Elapsed { count, min, q1, median, q3, max }) = sweep.elapsed else { return };
    lines.add(
        "run time",
        &format!(
            "{count} completed: min {}, quartiles {} / {} / {}, max {}",
            span(min),
            span(q1),
            span(median),
            span(q3),
            span(max)
        ),
    );
    match &sweep.fast {
        // What of it is suspicious stands among the contradictions.
        _ if is_judged => {}
        Some(fast) if !fast.tasks.is_empty() => {
            lines.add("fast", &format!("{}: {}", tasks_of(sweep, &fast.tasks), list(&fast.tasks)));
            lines.add("", &format!("suspicious is {}", fast.rule));
        }
        Some(fast) => lines.add("fast", &format!("none was {}", fast.rule)),
        None => lines.add("fast", "too few or too short tasks to say what is suspiciously fast"),
    }
}

/// Where state and evidence do not agree.
fn look_at(lines: &mut Lines, sweep: &Sweep) {
    for (tasks, what) in [
        (&sweep.completed_over_failed_steps, "COMPLETED, although a step failed or was cancelled"),
        (&sweep.out_of_memory_steps, "a step ran out of memory"),
        (&sweep.not_in_queue, "live by accounting, but not in the queue"),
    ] {
        if !tasks.is_empty() {
            lines.add("look at", &format!("{what}: {}", list(tasks)));
        }
    }
}

fn foot(view: &View, outcome: &Outcome) -> String {
    let mut out = String::from("\n");
    let mut lines = Lines { out: &mut out, width: view.width };
    if !outcome.others.is_empty() {
        let others: Vec<String> = outcome.others.iter().map(|other| one_line(&other.key, 40)).collect();
        lines.add("same name", &format!("also in {}", others.join(", ")));
    }
    let source = match &outcome.origin {
        Origin::Local if outcome.blind && !outcome.was_asked => "none".to_owned(),
        Origin::Nothing => "none".to_owned(),
        Origin::Local => "Slurm's commands on this machine".to_owned(),
        Origin::Ssh { machine, .. } => format!("Slurm's commands on {}", escape(machine)),
        Origin::File { name } => escape(name),
    };
    let was_taken = outcome.taken_at.filter(|_| outcome.was_asked);
    let taken = was_taken.map(|time| format!(", taken {}", view.time(time))).unwrap_or_default();
    lines.add("source", &format!("{source}{taken}"));
    if outcome.single_jobs > 0 {
        let belong = by_number(outcome.single_jobs, "belongs", "belong");
        lines.add("others", &format!("{} {belong} to no sweep", counted(outcome.single_jobs, "job")));
    }
    for problem in &outcome.problems {
        lines.add("not seen", &format!("{}: {}", escape(&problem.about), escape(&problem.what)));
    }
    out
}

fn name(sweep: &Sweep, most: usize) -> String {
    let name = one_line(&sweep.name, most);
    match (name.is_empty(), sweep.name_cut) {
        (true, _) => "(no name)".to_owned(),
        (_, true) => format!("{}…", clip(&name, most.saturating_sub(1)).trim_end_matches('…')),
        _ => name,
    }
}

fn list(tasks: &Members) -> String {
    let list = tasks.to_string();
    if list.len() <= LONGEST_LIST {
        return list;
    }
    let end = list[..LONGEST_LIST].rfind(',').unwrap_or(LONGEST_LIST);
    format!("{}, … (--json has all {})", &list[..end], tasks.len())
}

fn tasks_of(sweep: &Sweep, tasks: &Members) -> String {
    let one = match sweep.kind {
        Kind::Array => "task",
        Kind::SharedName => "job",
    };
    counted(tasks.len(), one)
}

fn count(sweep: &Sweep, wanted: fn(State) -> bool) -> usize {
    sweep.states.iter().filter(|(state, _)| wanted(**state)).map(|(_, count)| count).sum()
}

/// What does not go together in a sweep, counted.
fn flags(sweep: &Sweep) -> String {
    let fast = sweep.fast.as_ref().map_or(0, |fast| fast.tasks.len());
    [
        (fast, "suspiciously fast"),
        (sweep.completed_over_failed_steps.len(), "completed over failed steps"),
        (sweep.out_of_memory_steps.len(), "with a step out of memory"),
        (sweep.not_in_queue.len(), "not in the queue"),
    ]
    .into_iter()
    .filter(|(count, _)| *count > 0)
    .map(|(count, what)| format!("{count} {what}"))
    .collect::<Vec<_>>()
    .join(", ")
}

fn percent(part: usize, of: usize) -> Option<String> {
    (of > 0).then(|| format!("{} %", (part * 100 + of / 2) / of))
}

fn span(seconds: u32) -> String {
    Seconds(seconds.into()).to_string()
}
