//! Files that travel between machines.

use super::super::View;
use crate::remote::rsync::{Change, Way};
use crate::safety::{escape, escape_path, one_line};
use crate::terms::{Bytes, by_number, counted};
use crate::verbs::remote::carry::{End, Entry, Held, Outcome, Plan, Refused, WhyHeld};

/// So many files are named in a list.
const NAMED: usize = 30;

/// What would travel.
pub fn plan(_view: &View, plan: &Plan) -> String {
    let mut out = format!("{}\n", about(plan));
    list(&mut out, &plan.files, entry);
    if !plan.deleted.is_empty() {
        let side = if plan.way == Way::Push { "there" } else { "here" };
        out.push_str(&format!("deleted {side}, and kept aside:\n"));
        list(&mut out, &plan.deleted, |path| format!("- {}", escape_path(path)));
    }
    out.push_str(&kept_back(plan));
    out
}

/// What would travel, in one line.
pub fn about(plan: &Plan) -> String {
    let files = plan.files.iter().filter(|entry| !entry.is_folder);
    let size = Bytes(files.clone().map(|entry| entry.size.0).fold(0, u64::saturating_add));
    let here = escape_path(&plan.here);
    let (from, to) = match plan.way {
        Way::Push => (here, escape(&plan.there)),
        Way::Pull => (escape(&plan.there), here),
    };
    let deleted = match plan.deleted.len() {
        0 => String::new(),
        count => format!(", {} deleted", counted(count, "file")),
    };
    format!("{} ({size}){deleted}: {from} -> {to}", counted(files.count(), "file"))
}

/// What travelled.
pub fn outcome(_view: &View, outcome: &Outcome) -> String {
    let plan = &outcome.plan;
    let arrived = counted(outcome.arrived, "file");
    let mut out = match outcome.end {
        End::Nothing => "nothing to do: both sides have the same\n".to_owned(),
        End::Done => format!("{arrived} arrived\n"),
        End::Partly => format!("{arrived} arrived, others did not\n"),
        End::NoRoom => format!("no room is left on the side that receives; {arrived} arrived\n"),
        End::Cut => {
            "the connection was lost; nothing that was there is lost, and the next run goes on\n".to_owned()
        }
        End::Killed => {
            "rsync was ended; nothing that was there is lost, and the next run goes on\n".to_owned()
        }
    };
    for line in outcome.complaints.iter().take(NAMED) {
        out.push_str(&format!("  {}\n", one_line(line, 200)));
    }
    let is_kept = plan.files.iter().any(|entry| entry.change == Change::Replaced && !entry.is_folder);
    if is_kept || !plan.deleted.is_empty() {
        out.push_str(&format!("what was overwritten or deleted is kept in {}\n", escape(&plan.kept_in)));
    }
    out.push_str(&kept_back(plan));
    out
}

fn kept_back(plan: &Plan) -> String {
    let mut out = String::new();
    if !plan.held.is_empty() {
        let (side, other) = if plan.way == Way::Push { ("there", "here") } else { ("here", "there") };
        out.push_str(&format!(
            "stays as it is {side} (--overwrite takes what is {other}, and keeps the other aside):\n"
        ));
        list(&mut out, &plan.held, |Held { path, why }| {
            let why = match why {
                WhyHeld::Newer => "newer",
                WhyHeld::NotCommitted => "changes in no commit",
            };
            format!("{}  {why}", escape_path(path))
        });
    }
    if !plan.refused.is_empty() {
        let what = by_number(plan.refused.len(), "does not travel", "do not travel");
        out.push_str(&format!("{} (--allow-secret=FILE lets one travel):\n", what));
        list(&mut out, &plan.refused, |Refused { path, rule, line, unread }| {
            let why = match (rule, line, unread) {
                (Some(rule), Some(line), _) => format!("{rule} in line {line}"),
                (_, _, Some(why)) => format!("cannot be looked into: {}", one_line(why, 80)),
                _ => "a file of secrets by its name".to_owned(),
            };
            format!("{}  {why}", escape_path(path))
        });
    }
    out
}

fn entry(entry: &Entry) -> String {
    let mark = match entry.change {
        Change::New => "+",
        Change::Replaced => "~",
        Change::Touched => ".",
        Change::Deleted => "-",
    };
    let size = if entry.is_folder { String::new() } else { format!("  {}", entry.size) };
    format!("{mark} {}{size}", escape_path(&entry.path))
}

fn list<T>(out: &mut String, all: &[T], line: impl Fn(&T) -> String) {
    for one in all.iter().take(NAMED) {
        out.push_str(&format!("  {}\n", line(one)));
    }
    if all.len() > NAMED {
        out.push_str(&format!("  and {} more\n", all.len() - NAMED));
    }
}
