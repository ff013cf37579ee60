//! The board as a table, and what does not fit into one below it.

use super::{Align, Style, Table, View, paint};
use crate::safety::{clip, escape, escape_path, one_line};
use crate::sweep::Health;
use crate::sync::last::{KeptBack, Last};
use crate::terms::{Known, by_number, counted};
use crate::verbs::carried::AtRemote;
use crate::verbs::status::{Board, Held, Jobs, Line, OnMachine, SweepWord};
use crate::worktree::board::{AheadBehind, Files, Row};
use crate::worktree::landing::Landing;

/// The longest name in the table, in characters.
const NAME: usize = 26;

/// The board.
pub fn text(view: &View, board: &Board) -> String {
    let mut table = Table::new([
        ("", Align::Left),
        ("worktree", Align::Left),
        ("commits", Align::Left),
        ("files", Align::Left),
        ("handover", Align::Left),
        ("jobs", Align::Left),
    ]);
    for line in &board.worktrees {
        table.row([
            if line.row.is_here { "*".to_owned() } else { String::new() },
            name(&line.row),
            commits(&line.row),
            files(&line.row),
            handovers(view, line),
            line.jobs.map(jobs_cell).unwrap_or_default(),
        ]);
    }
    let mut out = table.render();
    for line in &board.worktrees {
        for note in notes(view, line) {
            out.push_str(&format!("{}: {note}\n", clip(&escape(&line.row.name), NAME)));
        }
    }
    for parked in &board.parked {
        out.push_str(&format!(
            "{}: {} at {}, until somebody puts it together with the rest\n",
            paint(Style::Watch, "parked at the remote"),
            one_line(&parked.branch, 120),
            parked.commit.short()
        ));
    }
    for OnMachine { seen, here } in &board.on_machines {
        let drift = match here {
            None => ", the branch is gone here".to_owned(),
            Some(here) if *here == seen.head => ", as here".to_owned(),
            Some(here) => format!(", at {} here", here.short()),
        };
        out.push_str(&format!(
            "{} on {}: at {}{drift} (seen {})\n",
            clip(&escape(&seen.branch), NAME),
            one_line(&seen.machine, 60),
            seen.head.short(),
            view.time(seen.at)
        ));
    }
    if let Some(count) = board.jobs_elsewhere.filter(|count| *count > 0) {
        out.push_str(&format!("{} of ours in no worktree of this repository\n", counted(count, "live job")));
    }
    if let Some(why) = &board.jobs_unseen {
        out.push_str(&format!("{}: {}\n", paint(Style::Watch, "jobs unknown"), one_line(why, 200)));
    }
    for untold in &board.untold {
        let doubt = untold.remote.doubt().unwrap_or_default();
        out.push_str(&format!("the baton of {} is {doubt}\n", untold.key));
    }
    if let Some(why) = &board.handovers_unseen {
        out.push_str(&format!("{}: {}\n", paint(Style::Watch, "handovers unknown"), one_line(why, 200)));
    }
    out
}

fn name(row: &Row) -> String {
    let name = clip(&escape(&row.name), NAME);
    if row.is_here { paint(Style::Strong, &name) } else { name }
}

fn commits(row: &Row) -> String {
    let Some(base) = row.base.as_ref().or(row.upstream.as_ref()) else { return String::new() };
    let counts = counts(base);
    match &row.landing {
        Some(Landing::Merged { .. } | Landing::Picked { .. }) => {
            format!("{counts} {}", paint(Style::Good, "landed"))
        }
        Some(Landing::Fresh) => format!("{counts} {}", paint(Style::Faint, "none yet")),
        _ => counts,
    }
}

fn counts(counts: &AheadBehind) -> String {
    format!("+{} -{}", counts.ahead, counts.behind)
}

fn files(row: &Row) -> String {
    let operation = row.operation.map(|operation| paint(Style::Bad, &operation.to_string()));
    let state = match &row.files {
        Known::Known(Files { changed: 0, untracked: 0, conflicts: 0 }) => paint(Style::Faint, "clean"),
        Known::Known(files) => {
            let parts =
                [(files.conflicts, "in conflict"), (files.changed, "changed"), (files.untracked, "new")];
            let parts: Vec<String> =
                parts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
            paint(Style::Watch, &parts.join(", "))
        }
        Known::Unknown(_) | Known::NotApplicable(_) => paint(Style::Watch, "unknown"),
    };
    operation.into_iter().chain([state]).collect::<Vec<_>>().join(" ")
}

/// The newest handover; `held` if somebody holds the baton, whichever handover it was taken with.
fn handovers(view: &View, line: &Line) -> String {
    let [first, rest @ ..] = line.handovers.as_slice() else { return String::new() };
    let key = first.key.to_string();
    let hash = key.rsplit('-').next().unwrap_or_default().to_owned();
    let age = first.created.map(|created| format!(", {} ago", created.age(view.now))).unwrap_or_default();
    let held = if line.batons.is_empty() { "" } else { ", held" };
    let more = if rest.is_empty() { String::new() } else { format!(", {} more", rest.len()) };
    format!("{hash}{age}{held}{more}")
}

fn jobs_cell(jobs: Jobs) -> String {
    let pending =
        if jobs.more_pending { format!("over {} PD", jobs.pending) } else { format!("{} PD", jobs.pending) };
    match (jobs.running, jobs.pending) {
        (0, 0) => String::new(),
        (running, 0) => format!("{running} R"),
        (0, _) => pending,
        (running, _) => format!("{running} R, {pending}"),
    }
}

/// What a table has no room for.
fn notes(view: &View, line: &Line) -> Vec<String> {
    let row = &line.row;
    let mut notes = Vec::new();
    match (&row.branch, &row.head) {
        (None, Some(head)) => notes.push(format!("HEAD is detached at {}", head.short())),
        (Some(branch), _) if *branch != row.name => notes.push(format!("branch {}", one_line(branch, 60))),
        _ => {}
    }
    if let Some(upstream) =
        row.upstream.as_ref().filter(|upstream| row.base.is_some() && upstream.ahead + upstream.behind > 0)
    {
        notes.push(format!("{} against {}", counts(upstream), one_line(&upstream.of, 60)));
    }
    if let Some(reason) = &row.locked {
        notes.push(format!(
            "locked: {}",
            if reason.is_empty() { "no reason given".to_owned() } else { one_line(reason, 120) }
        ));
    }
    if let Known::Unknown(why) | Known::NotApplicable(why) = &row.files {
        notes.push(format!("{} ({})", one_line(why, 160), escape_path(&row.path)));
    }
    notes.extend(sweeps(&line.sweeps));
    notes.extend(line.last_sync.iter().flat_map(|last| left_by_sync(view, last)));
    for side in &line.sides {
        notes.push(format!("side handover {side}, for the next one to join"));
    }
    notes.extend(line.batons.iter().map(|held| baton(view, line, held)));
    if line.batons.len() > 1 {
        notes.push(format!(
            "a worktree has one baton, and {} are held: the holder's `handover release` frees all of his, `handover resume --take-over` settles the rest",
            line.batons.len()
        ));
    }
    notes
}

/// What the last sync left: files, commits, notes.
fn left_by_sync(view: &View, last: &Last) -> Vec<String> {
    const NAMED: usize = 3;
    let mut notes = Vec::new();
    let age = last.at.age(view.now);
    if last.kept_back > 0 {
        let word = |one: &KeptBack| format!("{} ({})", escape_path(&one.path), one_line(&one.why, 80));
        let named: Vec<String> = last.files.iter().take(NAMED).map(word).collect();
        let dots = if last.kept_back > NAMED { ", ..." } else { "" };
        let files = counted(last.kept_back, "file");
        notes.push(format!("the last sync, {age} ago, kept back {files}: {}{dots}", named.join(", ")));
    }
    if let Some(branch) = &last.parked {
        notes.push(format!("the last sync, {age} ago, parked its commits as {}", one_line(branch, 120)));
    }
    if !last.notes.is_empty() {
        let notes_for = counted(last.notes.len(), "note");
        notes.push(format!("{notes_for} for people came in while nobody looked; handover sync shows them"));
    }
    notes
}

/// Who holds a baton; its key is named unless it is that of the handover in the table.
fn baton(view: &View, line: &Line, held: &Held) -> String {
    let is_shown = line.batons.len() == 1 && line.handovers.first().is_some_and(|one| one.key == held.key);
    let of = if is_shown { String::new() } else { format!(" of {}", held.key) };
    match &held.claim {
        Known::Known(claim) => {
            let doubt = held.remote.as_ref().and_then(AtRemote::doubt);
            let doubt = doubt.map(|doubt| format!("; {doubt}")).unwrap_or_default();
            format!(
                "baton{of} held by {}, for {}{doubt}",
                escape(&claim.who.to_string()),
                claim.at.age(view.now)
            )
        }
        Known::Unknown(why) | Known::NotApplicable(why) => {
            format!("baton{of} held by nobody knows whom: {}", one_line(why, 200))
        }
    }
}

/// One word for each array: `sweeps 48120 lr healthy, 48131 wd systemic`.
fn sweeps(words: &[SweepWord]) -> Option<String> {
    const SHOWN: usize = 6;
    let told = words.iter().filter_map(|word| {
        let style = match word.health? {
            Health::Healthy => Style::Good,
            Health::Unjudged | Health::Degraded => Style::Watch,
            Health::Systemic => Style::Bad,
        };
        let health = paint(style, word.health?.name());
        Some(format!("{} {} {health}", one_line(&word.key, 20), one_line(&word.name, 30)))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() {
        return None;
    }
    let noun = by_number(told.len(), "sweep", "sweeps");
    let more = told.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    let shown = told.get(..SHOWN).unwrap_or(&told).join(", ");
    Some(format!("{noun} {shown}{more} (by accounting alone; `handover sweep ID` reads the logs)"))
}
