//! The cluster's state as a board.

mod sweeps;

use std::collections::{BTreeMap, BTreeSet};

use super::style::width;
use super::{Align, Style, Table, View, paint};
use crate::cluster::{Accounting, Attempt, Job, Origin, Outlook, Scope, Snapshot, State, Whose};
use crate::safety::{clip, escape, one_line};
use crate::terms::{JobId, Known, Part, TaskIds, counted};
use crate::verbs::snapshot::{Outcome, Waiting};

/// How many rows of a list are shown; JSON has them all.
const MOST: usize = 20;

/// How many failures are shown; `sweep` has them all.
const FAILED: usize = 8;

/// The board.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let snapshot = &outcome.snapshot;
    let mut out = head(view, snapshot);
    match &snapshot.jobs {
        Known::Known(jobs) => {
            out.push_str(&running(view, jobs));
            out.push_str(&waiting(view, jobs, &outcome.waiting));
            out.push_str(&arrays(view, jobs, snapshot.accounting.known()));
        }
        Known::Unknown(why) => {
            out.push_str(&format!("\n{}\n", paint(Style::Bad, &format!("Jobs unknown: {}", escape(why)))))
        }
        Known::NotApplicable(why) => out.push_str(&format!("\nNo cluster: {}\n", escape(why))),
    }
    out.push_str(&outcome.sweeps.as_ref().map(|sweeps| sweeps::text(view, sweeps)).unwrap_or_default());
    out.push_str(&gpus(outcome));
    out.push_str(&load(snapshot));
    out.push_str(&history(view, &snapshot.accounting));
    out.push_str(&problems(view, snapshot));
    out
}

fn head(view: &View, snapshot: &Snapshot) -> String {
    let name = snapshot.cluster.as_deref().map(|name| format!(" {}", one_line(name, 40))).unwrap_or_default();
    let slurm = snapshot
        .slurm
        .as_deref()
        .map(|version| format!(", Slurm {}", one_line(version, 20)))
        .unwrap_or_default();
    let mut out = format!("{}{slurm}\n", paint(Style::Strong, &format!("Cluster{name}")));
    let source = match &snapshot.origin {
        Origin::Nothing => "none".to_owned(),
        Origin::Local => "Slurm's commands on this machine".to_owned(),
        Origin::Ssh { machine, .. } => format!("Slurm's commands on {}, over ssh", escape(machine)),
        Origin::File { name } => format!("state file {}", escape(name)),
    };
    out.push_str(&format!("source   {source}\n"));
    let whose = match snapshot.clock {
        Some(Whose::Ours) | None => "",
        Some(Whose::Writer) => ", as written in it",
        Some(Whose::Committer) => ", the time of its commit",
    };
    match snapshot.taken_at {
        Some(time) => out.push_str(&format!("taken    {}{whose}\n", view.time(time))),
        None if snapshot.origin == Origin::Nothing => {}
        None => out.push_str(&format!("taken    {}\n", paint(Style::Watch, "unknown when"))),
    }
    if snapshot.origin != Origin::Nothing {
        out.push_str(&format!("scope    {}\n", scope(&snapshot.scope)));
    }
    if let Known::Known(jobs) = &snapshot.jobs {
        out.push_str(&format!("jobs     {}\n", by_state(jobs, snapshot.jobs_partial)));
    }
    out
}

fn scope(scope: &Scope) -> String {
    let mut parts = Vec::new();
    parts.extend(scope.user.as_deref().map(|user| format!("user {}", one_line(user, 40))));
    if !scope.names.is_empty() {
        parts.push(format!("names {}", one_line(&scope.names.join(", "), 80)));
    }
    if !scope.ids.is_empty() {
        let ids: Vec<String> = scope.ids.iter().map(u32::to_string).collect();
        parts.push(format!("ids {}", one_line(&ids.join(", "), 80)));
    }
    if parts.is_empty() { "every job in it".to_owned() } else { parts.join("; ") }
}

/// How many jobs and tasks are in which state.
fn by_state(jobs: &[Job], partial: bool) -> String {
    let mut counts: BTreeMap<State, (usize, bool)> = BTreeMap::new();
    for job in jobs {
        let (count, cut) = counts.entry(job.state).or_default();
        *count += job.count().unwrap_or(0);
        *cut |= job.count().is_none();
    }
    let mut parts: Vec<String> = counts
        .iter()
        .map(|(state, (count, cut))| {
            let more = if *cut { " and an unknown number" } else { "" };
            format!("{count}{more} {state}")
        })
        .collect();
    if parts.is_empty() {
        parts.push("none".to_owned());
    }
    if partial {
        parts.push(paint(Style::Watch, "some may be missing"));
    }
    parts.join(", ")
}

fn running(view: &View, jobs: &[Job]) -> String {
    let mut groups: BTreeMap<(u32, u8), Vec<&Job>> = BTreeMap::new();
    for job in jobs.iter().filter(|job| job.state.is_running()) {
        let kind = u8::from(matches!(job.id.part, Part::Task(_)));
        groups.entry((job.id.base, kind)).or_default().push(job);
    }
    let mut rows = Vec::new();
    for ((base, kind), group) in &groups {
        if *kind == 1 {
            rows.push(running_row(format!("{base}_[{}]", tasks(group)), group));
        } else {
            rows.extend(group.iter().map(|job| running_row(job.label(), &[job])));
        }
    }
    let columns = [
        ("job", Align::Left),
        ("name", Align::Left),
        ("partition", Align::Left),
        ("ran", Align::Left),
        ("limit", Align::Left),
        ("GPUs", Align::Right),
        ("nodes", Align::Left),
    ];
    titled("Running", rows_of(columns, rows, 1, MOST, view))
}

fn running_row(label: String, jobs: &[&Job]) -> [String; 7] {
    let first = jobs[0];
    let ran = jobs.iter().filter_map(|job| job.elapsed);
    let ran = match (ran.clone().min(), ran.max()) {
        (Some(least), Some(most)) if least.short() != most.short() => {
            format!("{} .. {}", least.short(), most.short())
        }
        (Some(only), _) => only.short(),
        _ => "?".to_owned(),
    };
    let mut nodes: Vec<&str> = jobs.iter().map(|job| job.node_list.as_str()).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let gpus: Option<u32> = jobs.iter().map(|job| job.gpus).sum();
    [
        one_line(&label, 22),
        one_line(&first.name, 40) + if first.name_cut { "…" } else { "" },
        one_line(&first.partition, 10),
        ran,
        first.limit.map_or_else(String::new, |limit| limit.short()),
        gpus.map_or_else(String::new, |count| count.to_string()),
        match nodes[..] {
            [only] => one_line(only, 12),
            _ => format!("{} nodes", nodes.len()),
        },
    ]
}

fn tasks(jobs: &[&Job]) -> TaskIds {
    jobs.iter()
        .filter_map(|job| match job.id.part {
            Part::Task(index) => Some(index),
            Part::Whole | Part::Component(_) => None,
        })
        .collect()
}

/// What waits, what needs somebody first.
fn waiting(view: &View, jobs: &[Job], reasons: &Known<Vec<Waiting>>) -> String {
    let Some(reasons) = reasons.known() else { return String::new() };
    let mut never = Vec::new();
    let mut held = Vec::new();
    let mut blocked = Vec::new();
    let mut waits = Vec::new();
    for (job, why) in jobs.iter().filter(|job| job.state.is_waiting()).zip(reasons) {
        let name = one_line(&job.name, 40) + if job.name_cut { "…" } else { "" };
        let count = job.count().map_or_else(|| "?".to_owned(), |count| count.to_string());
        let words = if why.words.is_empty() { one_line(&why.reason, 39) } else { why.words.to_owned() };
        let row = [one_line(&why.id, 22), name, count, words];
        match why.outlook {
            Outlook::Never => never.push(row),
            Outlook::Held => held.push(row),
            Outlook::Blocked => blocked.push(row),
            Outlook::Waits | Outlook::Unknown => waits.push(row),
        }
    }
    let columns =
        || [("job", Align::Left), ("name", Align::Left), ("tasks", Align::Right), ("why", Align::Left)];
    [
        (paint(Style::Bad, "Will never start"), never),
        ("Held".to_owned(), held),
        ("Waiting for what is not in service".to_owned(), blocked),
        ("Waiting".to_owned(), waits),
    ]
    .into_iter()
    .map(|(title, rows)| titled(&title, rows_of(columns(), rows, 1, MOST, view)))
    .collect()
}

/// Arrays with their tasks by state, queue and accounting together.
fn arrays(view: &View, jobs: &[Job], accounting: Option<&Accounting>) -> String {
    let mut tasks: BTreeMap<u32, (String, BTreeMap<State, usize>)> = BTreeMap::new();
    let mut queued = BTreeSet::new();
    for job in jobs.iter().filter(|job| job.is_of_array()) {
        let (name, counts) = tasks.entry(job.id.base).or_insert_with(|| (job.name.clone(), BTreeMap::new()));
        name.clone_from(&job.name);
        *counts.entry(job.state).or_default() += job.count().unwrap_or(0);
        queued.insert(job.id);
    }
    for (id, (attempt, name)) in accounting.map(newest).unwrap_or_default() {
        // What the queue shows is newer than what accounting knows.
        if matches!(id.part, Part::Task(_)) && !attempt.state.is_live() && !queued.contains(&id) {
            let (_, counts) = tasks.entry(id.base).or_insert_with(|| (name.to_owned(), BTreeMap::new()));
            *counts.entry(attempt.state).or_default() += 1;
        }
    }
    let rows = tasks.iter().rev().map(|(base, (name, counts))| {
        let sum = |what: fn(State) -> bool| -> usize {
            counts.iter().filter(|(state, _)| what(**state)).map(|(_, count)| count).sum()
        };
        let completed = sum(|state| state == State::Completed);
        let (failed, running, waiting) =
            (sum(State::is_failure), sum(State::is_running), sum(State::is_waiting));
        let other = sum(|_| true) - completed - failed - running - waiting;
        let count = |style: Option<Style>, count: usize| match (style, count) {
            (_, 0) => "-".to_owned(),
            (Some(style), count) => paint(style, &count.to_string()),
            (None, count) => count.to_string(),
        };
        [
            base.to_string(),
            one_line(name, 40),
            count(Some(Style::Good), completed),
            count(Some(Style::Bad), failed),
            count(None, running),
            count(None, waiting),
            count(None, other),
        ]
    });
    let columns = [
        ("array", Align::Left),
        ("name", Align::Left),
        ("completed", Align::Right),
        ("failed", Align::Right),
        ("running", Align::Right),
        ("waiting", Align::Right),
        ("other", Align::Right),
    ];
    titled("Arrays, in tasks", rows_of(columns, rows.collect(), 1, MOST, view))
}

fn colored(state: State) -> String {
    let style = if state.is_failure() {
        Style::Bad
    } else if state == State::Completed {
        Style::Good
    } else {
        return state.to_string();
    };
    paint(style, state.name())
}

/// The newest attempt of each job or task, with its name.
fn newest(accounting: &Accounting) -> BTreeMap<JobId, (&Attempt, &str)> {
    let mut newest: BTreeMap<JobId, (&Attempt, &str)> = BTreeMap::new();
    for attempt in accounting.attempts() {
        let known = newest.entry(attempt.id).or_insert((attempt, accounting.text(attempt.name)));
        if attempt.is_newer_than(known.0) {
            *known = (attempt, accounting.text(attempt.name));
        }
    }
    newest
}

fn gpus(outcome: &Outcome) -> String {
    let gpus = match &outcome.gpus {
        Known::Known(gpus) if gpus.is_empty() => {
            return titled("GPUs", "  the cluster has none\n".to_owned());
        }
        Known::Known(gpus) => gpus,
        Known::Unknown(why) => return titled("GPUs", format!("  unknown: {}\n", escape(why))),
        Known::NotApplicable(_) => return String::new(),
    };
    let mut table = Table::new([
        ("partition", Align::Left),
        ("type", Align::Left),
        ("free", Align::Right),
        ("of", Align::Right),
        ("planned", Align::Right),
        ("out of service", Align::Right),
    ]);
    for supply in gpus {
        let free = supply.free.map_or_else(|| "?".to_owned(), |count| count.to_string());
        let kind = if supply.kind.is_empty() { "gpu" } else { &supply.kind };
        let unless_zero = |count: u32| if count == 0 { String::new() } else { count.to_string() };
        table.row([
            one_line(&supply.partition, 24),
            one_line(kind, 24),
            free,
            supply.total.to_string(),
            unless_zero(supply.planned),
            unless_zero(supply.unavailable),
        ]);
    }
    titled("GPUs (a node counts in each of its partitions)", indented(&table))
}

fn load(snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for load in snapshot.load.iter().filter(|load| load.running > 0).take(MOST) {
        let (jobs, users) = (counted(load.running, "job"), counted(load.users, "user"));
        out.push_str(&format!("  {}: {jobs} of {users}\n", one_line(&load.partition, 40)));
    }
    titled("Running for everybody", out)
}

fn history(view: &View, accounting: &Known<Accounting>) -> String {
    let accounting = match accounting {
        Known::Known(accounting) => accounting,
        Known::Unknown(why) => return titled("History", format!("  unknown: {}\n", escape(why))),
        Known::NotApplicable(_) => return String::new(),
    };
    let newest = newest(accounting);
    let mut counts: BTreeMap<State, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    for (id, (attempt, name)) in newest.iter().filter(|(_, (attempt, _))| attempt.state.is_finished()) {
        *counts.entry(attempt.state).or_default() += 1;
        if attempt.state.is_failure() {
            failed.push((*id, *attempt, *name));
        }
    }
    let last = counts.len().saturating_sub(1);
    let counts: Vec<String> = (counts.iter().enumerate())
        .map(|(at, (state, count))| {
            format!("{count} {}{}", colored(*state), if at < last { "," } else { "" })
        })
        .collect();
    let since =
        accounting.since.map(|since| format!(" since {}", since.local(view.zone))).unwrap_or_default();
    if counts.is_empty() {
        return titled("History", format!("  nothing finished{since}\n"));
    }
    let mut out = wrapped(&format!("  finished{since}:"), "    ", &counts, view);
    failed.sort_by_key(|(id, attempt, _)| (std::cmp::Reverse(attempt.ended), *id));
    let rows = failed.iter().map(|(id, attempt, name)| {
        let ended = accounting.moment(attempt.ended).map(|time| time.local(view.zone)).unwrap_or_default();
        [
            id.to_string(),
            one_line(name, 40),
            attempt.state.to_string(),
            attempt.exit.map(|exit| exit.to_string()).unwrap_or_default(),
            one_line(accounting.text(attempt.node_list), 14),
            ended,
        ]
    });
    let columns = [
        ("failed", Align::Left),
        ("name", Align::Left),
        ("state", Align::Left),
        ("exit", Align::Right),
        ("nodes", Align::Left),
        ("ended", Align::Left),
    ];
    out.push_str(&rows_of(columns, rows.collect(), 1, FAILED, view));
    titled("History", out)
}

fn problems(view: &View, snapshot: &Snapshot) -> String {
    let mut out = String::new();
    for problem in snapshot.problems.iter().take(MOST) {
        let line = one_line(&format!("{}: {}", problem.about, problem.what), 400);
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        out.push_str(&wrapped(" ", "    ", &words, view));
    }
    if snapshot.problems.len() > MOST {
        out.push_str(&format!("  and {} more\n", snapshot.problems.len() - MOST));
    }
    titled("Not seen, or not sure", out)
}

/// Parts one after the other, on as many lines as the terminal needs.
fn wrapped(first: &str, next: &str, parts: &[String], view: &View) -> String {
    let mut out = first.to_owned();
    let mut used = width(first);
    for part in parts {
        if used + 1 + width(part) > view.width && used > width(next) {
            out.push_str(&format!("\n{next}{part}"));
            used = width(next) + width(part);
        } else {
            out.push_str(&format!(" {part}"));
            used += 1 + width(part);
        }
    }
    out.push('\n');
    out
}

fn titled(title: &str, body: String) -> String {
    if body.is_empty() { body } else { format!("\n{}\n{body}", paint(Style::Strong, title)) }
}

/// Rows as a table that fits the terminal: the flexible column gives way.
fn rows_of<const N: usize>(
    columns: [(&str, Align); N],
    rows: Vec<[String; N]>,
    flexible: usize,
    most: usize,
    view: &View,
) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let count = rows.len();
    let shown = || rows.iter().take(most);
    let widest = |column: usize| {
        shown().map(|row| width(&row[column])).chain([columns[column].0.len()]).max().unwrap_or(0)
    };
    let others: usize = (0..N).filter(|column| *column != flexible).map(|column| widest(column) + 2).sum();
    let room = view.room_beside(others + 2, 8);
    let mut table = Table::new(columns);
    for row in shown() {
        let mut row = row.clone();
        row[flexible] = clip(&row[flexible], room);
        table.row(row);
    }
    let mut out = indented(&table);
    if count > most {
        out.push_str(&format!("  and {} more (--json has them all)\n", count - most));
    }
    out
}

fn indented(table: &Table) -> String {
    table.render().lines().map(|line| format!("  {line}\n")).collect()
}
