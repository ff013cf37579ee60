//! What was looked at, and what was not.

use std::fmt::Write;

use super::{counted, path, words};
use crate::safety::{clip, code_span};
use crate::verbs::sweep::report::Report;

/// So many commands are shown.
const MOST_COMMANDS: usize = 40;
/// So many files of one kind are shown.
const MOST_FILES: usize = 5;
/// So many lines of what was not read.
const MOST: usize = 20;

pub fn part(out: &mut String, report: &Report) {
    let book = &report.runbook;
    super::part(out, 8, "Evidence runbook");
    let calls: u64 = book.commands.iter().map(|command| command.times).sum();
    let _ = writeln!(out, "{} run:\n", counted(calls.try_into().unwrap_or(usize::MAX), "command"));
    for command in book.commands.iter().take(MOST_COMMANDS) {
        let times = if command.times > 1 { format!(", {} times", command.times) } else { String::new() };
        let _ = writeln!(out, "- {}{times}", code_span(&clip(&command.line, 300)));
    }
    if book.commands.len() > MOST_COMMANDS {
        let _ = writeln!(out, "- and {} more; --json has them", book.commands.len() - MOST_COMMANDS);
    }
    out.push_str("\nRead:\n\n");
    for files in &book.files {
        let shown: Vec<String> =
            files.shown.iter().take(MOST_FILES).map(|shown| path(&report.directory, shown)).collect();
        let more = if files.count > shown.len() { ", …" } else { "" };
        let _ =
            writeln!(out, "- {}: {}{more}", counted(files.count, &words(&files.what, 60)), shown.join(", "));
    }
    if book.files.is_empty() {
        out.push_str("- no file\n");
    }
    list(out, "Not read, or not understood", &not_read(report));
    if !book.again.is_empty() {
        let again: Vec<String> = book.again.iter().map(|line| code_span(line)).collect();
        let _ = writeln!(out, "\nTo look again: {}", again.join(", "));
    }
}

fn not_read(report: &Report) -> Vec<String> {
    let problems = report.problems.iter().map(|problem| format!("{}: {}", problem.about, problem.what));
    report.not_read.iter().cloned().chain(problems).collect()
}

fn list(out: &mut String, heading: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    let _ = write!(out, "\n{heading}:\n\n");
    for line in lines.iter().take(MOST) {
        let _ = writeln!(out, "- {}", words(line, 300));
    }
    if lines.len() > MOST {
        let _ = writeln!(out, "- and {} more; --json has all", lines.len() - MOST);
    }
}
