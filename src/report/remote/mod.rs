//! Other machines: what they said, or why they said nothing.

pub mod carry;

use super::lines::Lines;
use super::{Style, View, paint};
use crate::remote::readers::{Gpu, Process};
use crate::remote::{Disk, Kind, Quota, Trouble};
use crate::safety::{escape, one_line};
use crate::terms::{Known, Seconds, Time, counted};
use crate::verbs::remote::check::{Outcome, Probe, Report};
use crate::verbs::remote::reconcile::Outcome as Reconciled;
use crate::verbs::remote::run::Outcome as Ran;
use crate::verbs::remote::status::{Board, Outcome as Doing};
use crate::verbs::remote::worktree::{Outcome as Worktree, Standing};
use crate::verbs::remote::{Answer, Machine};

/// From so many percent on a quota is worth a colour.
const NEARLY: u64 = 90;

/// What each machine has.
pub fn check(view: &View, outcome: &Outcome) -> String {
    let one = |machine: &Machine<Report>| {
        let mut out = head(machine);
        match &machine.answer {
            Answer::Reachable { said } => report(view, machine, said, &mut out),
            Answer::Offline { trouble, last_seen } => absent(view, "offline", trouble, *last_seen, &mut out),
            Answer::Barred { trouble, last_seen } => absent(view, "no way in", trouble, *last_seen, &mut out),
        }
        out
    };
    outcome.machines.iter().map(one).collect::<Vec<_>>().join("\n")
}

/// What each machine is doing.
pub fn status(view: &View, outcome: &Doing) -> String {
    let one = |machine: &Machine<Board>| {
        let mut out = head(machine);
        match &machine.answer {
            Answer::Reachable { said } => board(view, said, &mut out),
            Answer::Offline { trouble, last_seen } => absent(view, "offline", trouble, *last_seen, &mut out),
            Answer::Barred { trouble, last_seen } => absent(view, "no way in", trouble, *last_seen, &mut out),
        }
        out
    };
    outcome.machines.iter().map(one).collect::<Vec<_>>().join("\n")
}

fn board(view: &View, said: &Board, out: &mut String) {
    let mut lines = Lines { out, width: view.width };
    match &said.gpus {
        Known::Known(gpus) if gpus.is_empty() => lines.add("GPUs", "none"),
        Known::Known(gpus) => gpus.iter().enumerate().for_each(|(at, one)| {
            lines.add(if at == 0 { "GPUs" } else { "" }, &gpu(one));
        }),
        Known::Unknown(why) | Known::NotApplicable(why) => lines.add("GPUs", &escape(why)),
    }
    match &said.memory {
        Known::Known(memory) => lines.add("memory", &format!("{} free of {}", memory.free, memory.total)),
        Known::Unknown(why) | Known::NotApplicable(why) => lines.add("memory", &escape(why)),
    }
    lines.add("load", &text(&said.load));
    match &said.jobs {
        Known::Known(states) if states.is_empty() => lines.add("jobs", "none"),
        Known::Known(states) => {
            let list: Vec<String> =
                states.iter().map(|(state, count)| format!("{count} {}", one_line(state, 40))).collect();
            lines.add("jobs", &list.join(", "));
        }
        Known::Unknown(why) | Known::NotApplicable(why) => lines.add("jobs", &escape(why)),
    }
    match &said.shells {
        Known::Known(shells) if !shells.is_empty() => lines.add("shells", &escape(&shells.join(", "))),
        _ => {}
    }
    match &said.processes {
        Known::Known(processes) => processes.iter().enumerate().for_each(|(at, one)| {
            lines.add(if at == 0 { "processes" } else { "" }, &process(view, one));
        }),
        Known::Unknown(why) | Known::NotApplicable(why) => lines.add("processes", &escape(why)),
    }
}

fn gpu(gpu: &Gpu) -> String {
    let busy = gpu.busy.map_or_else(|| "not known how busy".to_owned(), |busy| format!("{busy} % busy"));
    let memory = match (gpu.used, gpu.total) {
        (Some(used), Some(total)) => format!("{used} of {total}"),
        _ => "memory unknown".to_owned(),
    };
    let degrees = gpu.degrees.map(|degrees| format!(", {degrees} C")).unwrap_or_default();
    format!("{} {}: {busy}, {memory}{degrees}", gpu.index, one_line(&gpu.name, 60))
}

fn process(view: &View, process: &Process) -> String {
    let room = view.room_beside(50, 30);
    let Process { pid, age, busy, memory, command } = process;
    format!("{pid}  {memory}, {busy:.0} % of a processor, {age}: {}", one_line(command, room))
}

/// The worktree of a branch on a machine.
pub fn worktree(_view: &View, outcome: &Worktree) -> String {
    let place = format!("{}:{}", one_line(&outcome.machine, 60), escape(&outcome.path));
    let branch = one_line(&outcome.branch, 80);
    match &outcome.standing {
        Standing::Made => {
            format!("{branch} is checked out at {} in {place}, and locked there\n", outcome.here.short())
        }
        Standing::Same => format!("{branch} is at {} in {place} already, as here\n", outcome.here.short()),
        Standing::Drifted { there, ahead, behind } => {
            let count = |count: &Option<u32>| {
                count.map_or_else(|| "an unknown number".to_owned(), |count| count.to_string())
            };
            format!(
                "{branch} is at {} in {place}, and at {} here: {} only here, {} only there; nothing was changed\n",
                there.short(),
                outcome.here.short(),
                count(ahead),
                count(behind)
            )
        }
    }
}

/// What is partial on a machine, and gone here.
pub fn reconcile(view: &View, outcome: &Reconciled) -> String {
    const NAMED: usize = 100;
    let mut out = head(&outcome.machine);
    match &outcome.machine.answer {
        Answer::Reachable { said } if said.is_empty() => {
            out.push_str(&format!(
                "nothing of what was put aside here is there ({} asked for)\n",
                outcome.asked
            ));
        }
        Answer::Reachable { said } => {
            out.push_str("put aside here, and still there:\n");
            for left in said.iter().take(NAMED) {
                let (path, sweep) = (crate::safety::escape_path(&left.path), one_line(&left.sweep, 60));
                out.push_str(&format!("  {path}  of {sweep}, {}\n", view.time(left.at)));
            }
            if said.len() > NAMED {
                out.push_str(&format!("  and {} more\n", said.len() - NAMED));
            }
        }
        Answer::Offline { trouble, last_seen } => absent(view, "offline", trouble, *last_seen, &mut out),
        Answer::Barred { trouble, last_seen } => absent(view, "no way in", trouble, *last_seen, &mut out),
    }
    if outcome.not_asked > 0 {
        out.push_str(&format!(
            "{} not asked for: outside of the project, or too many\n",
            counted(outcome.not_asked, "path")
        ));
    }
    out
}

/// A command's outputs, which were passed on already.
pub fn run(_view: &View, _outcome: &Ran) -> String {
    String::new()
}

/// The line that says which machine this is about.
pub(super) fn head<T>(machine: &Machine<T>) -> String {
    let kind = match machine.kind {
        Some(Kind::Slurm) => ", login node",
        Some(Kind::Workstation) => ", workstation",
        None => "",
    };
    let path = machine.path.as_ref().map(|path| format!(":{}", escape(path))).unwrap_or_default();
    format!(
        "{}  {}{path}{kind}\n",
        paint(Style::Strong, &one_line(&machine.name, 60)),
        escape(&machine.address)
    )
}

/// A machine that did not answer is said to be so, never shown as one that has nothing.
pub(super) fn absent(view: &View, word: &str, trouble: &Trouble, seen: Option<Time>, out: &mut String) {
    let mut lines = Lines { out, width: view.width };
    lines.add_painted(word, Style::Bad, &trouble.to_string());
    match seen {
        Some(at) => lines.add("last seen", &view.time(at)),
        None => lines.add("last seen", "never from this clone"),
    }
}

fn report(view: &View, machine: &Machine<Report>, said: &Report, out: &mut String) {
    let mut lines = Lines { out, width: view.width };
    lines.add("system", &text(&said.system));
    let (style, clock) = clock(&said.clock_ahead);
    lines.add_painted("clock", style, &clock);
    lines.add("git", &text(&said.git));
    match &said.project {
        Known::Known(project) => {
            let head = project.head.get(..10).unwrap_or(&project.head);
            let ours =
                if project.is_ours { ", as here" } else { ", not the commit that is checked out here" };
            lines.add("project", &format!("{} at {}{ours}", one_line(&project.branch, 60), escape(head)));
        }
        Known::Unknown(why) | Known::NotApplicable(why) => lines.add("project", &escape(why)),
    }
    if machine.kind != Some(Kind::Workstation) || said.slurm.known().is_some() {
        lines.add("Slurm", &text(&said.slurm));
    }
    match &said.gpus {
        Known::Known(gpus) if gpus.is_empty() => lines.add("GPUs", "none"),
        Known::Known(gpus) => gpus.iter().enumerate().for_each(|(at, gpu)| {
            lines.add(if at == 0 { "GPUs" } else { "" }, &escape(gpu));
        }),
        Known::Unknown(why) | Known::NotApplicable(why) if machine.kind == Some(Kind::Workstation) => {
            lines.add("GPUs", &escape(why));
        }
        Known::Unknown(_) | Known::NotApplicable(_) => {}
    }
    lines.add("rsync", &text(&said.rsync));
    lines.add("tmux", &text(&said.tmux));
    match &said.disk {
        Known::Known(disk) => lines.add("disk", &free(disk)),
        Known::Unknown(why) | Known::NotApplicable(why) => lines.add("disk", &escape(why)),
    }
    match &said.quotas {
        Known::Known(quotas) if quotas.is_empty() => lines.add("quota", "none is set"),
        Known::Known(quotas) => quotas.iter().for_each(|quota| {
            let style = if quota.percent() >= NEARLY { Style::Bad } else { Style::Faint };
            lines.add_painted("quota", style, &used(quota));
        }),
        Known::Unknown(why) | Known::NotApplicable(why) => lines.add("quota", &escape(why)),
    }
    for probe in &said.probes {
        let style = if probe.code == 0 { Style::Good } else { Style::Bad };
        lines.add_painted("probe", style, &probed(probe));
    }
    let missing = said.missing(machine.kind);
    if !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(|text| one_line(text, 200)).collect();
        lines.add_painted("missing", Style::Watch, &list.join("; "));
    }
}

fn text(value: &Known<String>) -> String {
    match value {
        Known::Known(text) | Known::Unknown(text) | Known::NotApplicable(text) => one_line(text, 200),
    }
}

/// Git and job times are compared across machines: a minute is worth a word.
fn clock(ahead: &Known<i64>) -> (Style, String) {
    const MUCH: u64 = 60;
    match ahead {
        Known::Known(0) => (Style::Faint, "as here".to_owned()),
        Known::Known(ahead) => {
            let span = ahead.unsigned_abs();
            let side = if *ahead > 0 { "ahead" } else { "behind" };
            (if span >= MUCH { Style::Watch } else { Style::Faint }, format!("{} {side}", Seconds(span)))
        }
        Known::Unknown(why) | Known::NotApplicable(why) => (Style::Watch, escape(why)),
    }
}

fn free(disk: &Disk) -> String {
    format!("{} free of {} on {}", disk.free, disk.size, one_line(&disk.mounted_on, 80))
}

fn used(quota: &Quota) -> String {
    let space = match quota.limit.0 {
        0 => format!("{} used", quota.used),
        _ => format!("{} of {}", quota.used, quota.limit),
    };
    let files = quota
        .files
        .map(|(used, limit)| format!(", {used} of {}", counted(limit, "file")))
        .unwrap_or_default();
    format!("{space}{files} on {} ({} %)", one_line(&quota.of, 80), quota.percent())
}

fn probed(probe: &Probe) -> String {
    let end = if probe.code == 0 { String::new() } else { format!(" (ended with {})", probe.code) };
    format!("{}: {}{end}", one_line(&probe.name, 40), one_line(&probe.said, 160))
}
