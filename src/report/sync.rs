//! What travelled, what came, and what stayed.

use super::View;
use crate::safety::{clip, escape, escape_path, one_line};
use crate::sync::choose::{Kind, Left, Why};
use crate::sync::guard::Refused;
use crate::sync::notes::Note;
use crate::sync::record::Entry;
use crate::terms::counted;
use crate::verbs::carried::AtRemote;
use crate::verbs::note::Outcome as Written;
use crate::verbs::sync::{Fit, Outcome, Plan, Second, Sent, Settled};

/// So many files are named in a list.
const NAMED: usize = 10;

/// What would be committed.
pub fn plan(view: &View, plan: &Plan) -> String {
    let mut out = format!(
        "{} goes to {} (profile {})\n",
        escape(&plan.branch),
        escape(&plan.counterpart),
        escape(&plan.profile)
    );
    if !plan.session_logs.is_empty() {
        out.push_str("nothing would be committed while these are not:\n");
        for path in plan.session_logs.iter().take(NAMED) {
            out.push_str(&format!("  {}\n", escape_path(path)));
        }
    }
    if plan.take.is_empty() {
        out.push_str("nothing to commit\n");
    } else {
        out.push_str(&format!("would commit {}\n", changes(&plan.take)));
        out.push_str(&entries(&plan.take));
    }
    out.push_str(&kept_back(&plan.refused));
    out.push_str(&left(&plan.left));
    if let Some(lint) = &plan.handover {
        let gaps =
            if lint.gaps.is_empty() { "nothing".to_owned() } else { counted(lint.gaps.len(), "section") };
        out.push_str(&format!("would first seal a handover, which lacks {gaps}\n"));
    }
    out.push_str(&plan.second.as_ref().map_or_else(String::new, |second| self::second(view, second)));
    out
}

/// What was done.
pub fn text(view: &View, outcome: &Outcome) -> String {
    let mut out = notes(view, &outcome.pulled.notes);
    if outcome.ended_earlier {
        out.push_str("an earlier sync was cut short; it was ended first\n");
    }
    for path in &outcome.locks_put_aside {
        out.push_str(&format!("put aside, left by a git that was killed: {}\n", escape_path(path)));
    }
    if let Some(handover) = &outcome.handover {
        out.push_str(&format!("sealed {}: {}\n", handover.key, escape(&handover.path)));
        for why in &handover.not_written {
            out.push_str(&format!("  not written: {}\n", one_line(why, 200)));
        }
    }
    if let Some(commit) = &outcome.committed {
        out.push_str(&format!("committed {}: {}\n", changes(&commit.files), one_line(&commit.subject, 100)));
        out.push_str(&entries(&commit.files));
        if commit.unsigned {
            out.push_str(
                "  not signed, although commit.gpgSign is set: nobody may be there to type a passphrase\n",
            );
        }
        if !commit.hooks_not_run.is_empty() {
            out.push_str(&format!("  hooks that did not run: {}\n", commit.hooks_not_run.join(", ")));
        }
    }
    out.push_str(&pulled(outcome));
    out.push_str(&fit(&outcome.fit));
    out.push_str(&sent(outcome));
    out.push_str(&carried(outcome));
    out.push_str(&kept_back(&outcome.refused));
    out.push_str(&left(&outcome.left));
    if let Some(other) = &outcome.other_upstream {
        out.push_str(&format!(
            "its upstream is {}, which has another name and was left alone\n",
            escape(other)
        ));
    }
    out.push_str(&format!(
        "{} is at {} (profile {})\n",
        escape(&outcome.branch),
        outcome.head.short(),
        escape(&outcome.profile)
    ));
    out.push_str(&outcome.second.as_ref().map_or_else(String::new, |second| self::second(view, second)));
    out
}

/// What became of the second repository, indented below its path.
pub fn second(view: &View, second: &Second) -> String {
    let mut text = String::new();
    if let Some(plan) = &second.plan {
        text.push_str(&self::plan(view, plan));
    }
    if let Some(outcome) = &second.outcome {
        text.push_str(&self::text(view, outcome));
        for hint in hints(outcome) {
            text.push_str(&format!("hint: {hint}\n"));
        }
    }
    if let Some(problem) = &second.problem {
        text.push_str(&format!("error: {}\n", one_line(&problem.messages.join(": "), 300)));
        for hint in &problem.hints {
            text.push_str(&format!("hint: {}\n", one_line(hint, 300)));
        }
    }
    let mut out = format!("second repository, {}\n", escape_path(&second.path));
    for line in text.lines() {
        out.push_str(&format!("  {line}\n"));
    }
    out
}

/// The note that was written, or would be.
pub fn note(_view: &View, note: &Written) -> String {
    format!("for {}, with the next sync\n{}\n", one_line(&note.to, 60), escape_path(&note.path))
}

/// Notes for people, each in a box, so that nobody takes one for the program's own words.
fn notes(view: &View, notes: &[Note]) -> String {
    let mut out = String::new();
    for note in notes {
        let when = note.at.map_or_else(String::new, |at| format!(", {}", view.time(at)));
        out.push_str(&format!(
            "+-- note for {} in {}, by {}{when}\n",
            one_line(&note.to, 60),
            escape_path(&note.path),
            one_line(&note.author, 60)
        ));
        for line in &note.lines {
            out.push_str(&format!("| {}\n", clip(&escape(line), 200)));
        }
        if note.more > 0 {
            out.push_str(&format!("| ({} more)\n", counted(note.more, "line")));
        }
        out.push_str("+--\n");
    }
    out
}

/// What to do next.
pub fn hints(outcome: &Outcome) -> Vec<String> {
    let mut hints = Vec::new();
    match (&outcome.fit, &outcome.sent) {
        (Fit::Conflict { .. } | Fit::Impossible { .. }, _) => {
            hints.push(format!("put them together by hand: git rebase {}", word(&outcome.counterpart)));
        }
        (Fit::InTheWay { .. }, _) => {
            hints.push("commit those files or move them away, then: handover sync".to_owned());
        }
        (_, Sent::Superseded { key, .. }) => {
            hints.push(format!(
                "if they have ended, a person may take it back: handover resume {key} --take-over"
            ));
            hints.push(format!(
                "to go on without it, as anybody's work: handover release {key} && handover sync"
            ));
        }
        (_, Sent::Offline { .. }) => hints.push("when the remote is there again: handover sync".to_owned()),
        _ => {}
    }
    if outcome.left.iter().any(|left| left.why == Why::TrackedOutside) {
        hints.push("to take changes of tracked files along: handover sync --tracked".to_owned());
    }
    if outcome.left.iter().any(|left| left.why == Why::NewOutside) {
        hints.push("to take new files along, wherever they are: handover sync --profile local".to_owned());
    }
    hints
}

fn word(text: &str) -> String {
    crate::safety::shell_word(text).unwrap_or_else(|_| "UPSTREAM".to_owned())
}

/// `3 new, 1 changed`.
fn changes(entries: &[Entry]) -> String {
    let of = |kind: Kind| entries.iter().filter(|entry| entry.kind == kind).count();
    let parts = [(Kind::New, "new"), (Kind::Changed, "changed"), (Kind::Deleted, "deleted")];
    let parts = parts.iter().filter(|(kind, _)| of(*kind) > 0);
    parts.map(|(kind, word)| format!("{} {word}", of(*kind))).collect::<Vec<_>>().join(", ")
}

fn entries(entries: &[Entry]) -> String {
    let sign = |kind: Kind| match kind {
        Kind::New => '+',
        Kind::Changed => '~',
        Kind::Deleted => '-',
    };
    let mut out: String = entries
        .iter()
        .take(NAMED)
        .map(|entry| format!("  {} {}\n", sign(entry.kind), escape_path(&entry.path)))
        .collect();
    out.push_str(&more(entries.len()));
    out
}

fn more(all: usize) -> String {
    if all > NAMED { format!("    and {} more\n", all - NAMED) } else { String::new() }
}

fn pulled(outcome: &Outcome) -> String {
    let pulled = &outcome.pulled;
    if pulled.count == 0 {
        return String::new();
    }
    let authors: Vec<String> = pulled.authors.iter().map(|author| one_line(author, 40)).collect();
    let mut out =
        format!("pulled {} of {}\n", counted(pulled.count, "commit"), one_line(&authors.join(", "), 120));
    for commit in pulled.commits.iter().take(NAMED) {
        out.push_str(&format!("  {} {}\n", commit.id.short(), one_line(&commit.subject, 80)));
    }
    out.push_str(&more(pulled.count));
    out
}

fn fit(fit: &Fit) -> String {
    match fit {
        Fit::NotSeen | Fit::Nothing | Fit::FastForward => String::new(),
        Fit::Replayed { rewritten, dropped, before } => {
            let dropped = match dropped {
                0 => String::new(),
                some => format!("; {} were there already", some),
            };
            format!(
                "{} of ours put on top of theirs{dropped} (before: {}, which is kept)\n",
                counted(*rewritten, "commit"),
                before.short()
            )
        }
        Fit::Merged => {
            "both sides joined by a merge commit: ours holds merges or published commits\n".to_owned()
        }
        Fit::Conflict { commit, files } => {
            format!("does not fit: {} and theirs change the same lines\n{}", commit.short(), list(files))
        }
        Fit::InTheWay { files } => {
            format!(
                "it fits, but these files here are not committed and would be overwritten\n{}",
                list(files)
            )
        }
        Fit::Impossible { why } => format!("not fitted together: {}\n", one_line(why, 200)),
    }
}

fn list(files: &[std::path::PathBuf]) -> String {
    let mut out: String = files.iter().take(NAMED).map(|file| format!("  {}\n", escape_path(file))).collect();
    out.push_str(&more(files.len()));
    out
}

fn sent(outcome: &Outcome) -> String {
    let to = escape(&outcome.counterpart);
    match &outcome.sent {
        Sent::Nothing => format!("{to} has everything\n"),
        Sent::Pushed { commits: 0 } => format!("pushed; {to} is new\n"),
        Sent::Pushed { commits } => format!("pushed {} to {to}\n", counted(*commits, "commit")),
        Sent::Parked { branch } => format!("parked at the remote as {}\n", escape(branch)),
        Sent::Kept { why } => format!("not pushed, and not parked either: {}\n", one_line(why, 200)),
        Sent::Offline { why } => format!("not pushed: {}\n", one_line(why, 200)),
        Sent::Refused { why } => format!("the remote refused: {}\n", one_line(why, 300)),
        Sent::Superseded { key, by, branch, kept } => {
            let rest = match (branch, kept) {
                (Some(branch), _) => format!("yours are parked at the remote as {}\n", escape(branch)),
                (None, Some(why)) => {
                    format!("yours are here, and could not be parked: {}\n", one_line(why, 200))
                }
                (None, None) => String::new(),
            };
            format!("not pushed to {to}: the baton of {key} is with another by now, {by}\n{rest}")
        }
    }
}

/// Batons and handovers at the remote.
fn carried(outcome: &Outcome) -> String {
    let mut out = String::new();
    for Settled { key, at } in &outcome.batons {
        out.push_str(&match at {
            None => format!("the remote knows that the baton of {key} has ended\n"),
            Some(AtRemote::Confirmed { remote }) => format!("the baton of {key} is confirmed at {remote}\n"),
            Some(other) => format!("the baton of {key} is {}\n", other.doubt().unwrap_or_default()),
        });
    }
    if let Some(documents) = &outcome.documents {
        let remote = one_line(&documents.remote, 60);
        let new: Vec<String> = documents.new.iter().take(NAMED).map(ToString::to_string).collect();
        if !new.is_empty() {
            let more = documents.new.len().saturating_sub(NAMED);
            let more = if more > 0 { format!(", and {more} more") } else { String::new() };
            out.push_str(&format!("published at {remote}: {}{more}\n", new.join(", ")));
        }
        out.extend(documents.in_words().iter().map(|line| format!("{}\n", one_line(line, 300))));
    }
    out.extend(outcome.notes.iter().map(|note| format!("{}\n", one_line(note, 300))));
    out
}

fn kept_back(refused: &[Refused]) -> String {
    if refused.is_empty() {
        return String::new();
    }
    let mut out = format!("kept back {}\n", counted(refused.len(), "file"));
    for one in refused.iter().take(NAMED) {
        let allow =
            one.allow.as_ref().map_or(String::new(), |option| format!("; to let it through: {option}"));
        out.push_str(&format!("  {}: {}{allow}\n", escape_path(&one.path), escape(&one.why.to_string())));
    }
    out.push_str(&more(refused.len()));
    out
}

/// One line for each reason, with the first names.
fn left(left: &[Left]) -> String {
    let words = [
        (Why::Staged, "staged by you, and left so"),
        (Why::TrackedOutside, "tracked and changed, but outside of what travels from here"),
        (Why::NewOutside, "new, but outside of what travels from here"),
        (Why::Deletion, "gone here; that does not travel from here"),
        (Why::Submodule, "at another commit of a submodule"),
        (Why::SecondRepository, "the second repository, which travels by itself"),
        (Why::Never, "agents' scratch"),
    ];
    let mut out = String::new();
    for (why, words) in words {
        let files: Vec<&Left> = left.iter().filter(|left| left.why == why).collect();
        if files.is_empty() {
            continue;
        }
        let names: Vec<String> = files.iter().take(3).map(|left| escape_path(&left.path)).collect();
        let dots = if files.len() > 3 { ", ..." } else { "" };
        out.push_str(&format!("{}: {words} ({}{dots})\n", counted(files.len(), "file"), names.join(", ")));
    }
    out
}
