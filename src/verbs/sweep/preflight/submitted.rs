//! The checks of the script itself: its shell, its `#SBATCH` lines, the files
//! that it names, and the memory that it asks for.

use std::path::Path;
use std::time::Duration;

use super::checks::check;
use super::named::{self, Named, What};
use super::script::{Script, megabytes};
use super::{Check, Verdict};
use crate::cluster::{Snapshot, State, Submission};
use crate::safety::{escape, escape_path, one_line, shell_path};
use crate::sys::{Spawn, SpawnError, World};
use crate::terms::{Bytes, Known, by_number, counted};

/// So long may a shell take to read a script.
const READING: Duration = Duration::from_secs(5);
/// So many lines are listed.
const MOST_LISTED: usize = 12;
/// What can change how a shell begins.
const BEFORE_START: [&str; 4] = ["BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS"];

/// Whether sbatch takes the text for a script, and its shell understands it. The
/// text is given to `bash -n` or `sh -n`, which read and run nothing.
pub(super) fn shell(world: &World, script: &Script, path: &Path, text: &str) -> Check {
    const ABOUT: &str = "shell";
    if text.contains("\r\n") {
        let command = shell_path(path).ok().map(|path| format!("sed -i 's/\\r$//' {path}"));
        let what = "its lines end with CR and LF, as on Windows: sbatch refuses such a script";
        return Check { command, ..check(ABOUT, Verdict::WouldFail, what) };
    }
    let program = match script.interpreter.as_deref() {
        None => {
            let hint = Some("write as its first line: #!/bin/bash".to_owned());
            let what = "its first line does not begin with #!: sbatch refuses such a script";
            return Check { hint, ..check(ABOUT, Verdict::WouldFail, what) };
        }
        Some(program) if script.is_shell() => program,
        Some(other) => {
            let what =
                format!("{} reads it: only scripts for bash and sh are looked at", one_line(other, 40));
            return check(ABOUT, Verdict::NotChecked, what);
        }
    };
    let mut spawn = Spawn::new(program).arg("-n").input(text.as_bytes()).limit(READING).cap(64 << 10);
    for name in BEFORE_START {
        spawn = spawn.unset(name);
    }
    let finished = match world.processes.run(&spawn.set("LC_ALL", "C")) {
        Ok(finished) => finished,
        Err(error @ (SpawnError::Missing { .. } | SpawnError::TimedOut { .. } | SpawnError::Io { .. })) => {
            return check(ABOUT, Verdict::NotChecked, format!("`{program} -n` did not answer: {error}"));
        }
    };
    let said = String::from_utf8_lossy(&finished.stderr).into_owned();
    let details: Vec<String> = said.lines().take(MOST_LISTED).map(|line| one_line(line, 200)).collect();
    match (finished.success(), details.is_empty()) {
        (true, true) => check(ABOUT, Verdict::Well, format!("`{program} -n` finds no mistake in its syntax")),
        (true, false) => Check { details, ..check(ABOUT, Verdict::Finding, format!("`{program} -n` warns")) },
        (false, _) => {
            Check { details, ..check(ABOUT, Verdict::WouldFail, format!("`{program} -n` cannot read it")) }
        }
    }
}

/// Whether sbatch reads each `#SBATCH` line, and the values in them.
pub(super) fn directives(script: &Script) -> Check {
    const ABOUT: &str = "#SBATCH lines";
    let bad = script.bad_values();
    let unread: Vec<usize> =
        script.directives.iter().filter(|one| one.options.is_none()).map(|one| one.line).collect();
    let mut details: Vec<String> =
        bad.iter().map(|(line, what)| format!("line {line}: {}", one_line(what, 200))).collect();
    let first = script.first_command.unwrap_or_default();
    details.extend(
        script.ignored.iter().map(|line| {
            format!("line {line}: ignored by sbatch, since the first command is in line {first}")
        }),
    );
    details.extend(unread.iter().map(|line| format!("line {line}: its words cannot be told apart here")));
    details.truncate(MOST_LISTED);
    let found = match (bad.len(), script.ignored.len()) {
        (0, 0) if unread.is_empty() => {
            let what =
                format!("{}, sizes and times in them can be read", counted(script.directives.len(), "line"));
            check(ABOUT, Verdict::Well, what)
        }
        (0, 0) => check(ABOUT, Verdict::NotChecked, "not all of them can be told apart"),
        (0, count) => {
            let hint = format!("move them above line {first}");
            let what = format!("{count} of them come after the first command and do nothing");
            Check { hint: Some(hint), ..check(ABOUT, Verdict::Finding, what) }
        }
        (count, _) => check(ABOUT, Verdict::WouldFail, format!("sbatch cannot read {count} of their values")),
    };
    Check { details, ..found }
}

/// Whether the files are there that the script names by a relative path.
pub(super) fn files(script: &Script, text: &str, here: &Path, submission: Option<&Submission>) -> Check {
    const ABOUT: &str = "files";
    let chdir = submission.and_then(|submission| submission.option(Some('D'), "--chdir"));
    let dir = chdir.map_or_else(|| here.to_owned(), |dir| here.join(dir));
    if chdir.is_some() && !dir.is_dir() {
        let what = format!("--chdir: {} is not there: the jobs would run in /tmp", escape_path(&dir));
        return check(ABOUT, Verdict::WouldFail, what);
    }
    let named = if script.is_shell() { named::named(text) } else { Vec::new() };
    let missing: Vec<&Named> = named.iter().filter(|one| is_missing(&dir, one)).collect();
    if missing.is_empty() {
        return check(
            ABOUT,
            Verdict::Well,
            match named.len() {
                0 => "no file is named by a relative path without variables".to_owned(),
                count => format!(
                    "{} that it names by a relative path {} there",
                    counted(count, "file"),
                    by_number(count, "is", "are")
                ),
            },
        );
    }
    let is_sure = |one: &&Named| !one.may_be_made && one.what != What::Settings;
    let verdict = match missing.iter().any(is_sure) {
        true => Verdict::WouldFail,
        false => Verdict::Finding,
    };
    let tell = |one: &&Named| {
        let to = match one.what {
            What::Folder => "to change into",
            What::Program => "to run",
            What::Settings => "with settings",
        };
        let made = if one.may_be_made { ", unless an earlier command makes it" } else { "" };
        format!("line {}: {} {to} is not there{made}", one.line, one_line(&one.path, 120))
    };
    let details = missing.iter().take(MOST_LISTED).map(tell).collect();
    let what = format!(
        "{} that it names {} not in {}",
        counted(missing.len(), "file"),
        by_number(missing.len(), "is", "are"),
        escape_path(&dir)
    );
    Check { details, ..check(ABOUT, verdict, what) }
}

/// True if it is not there, but the folder in which it should be is.
fn is_missing(dir: &Path, named: &Named) -> bool {
    let within = named.within.iter().fold(dir.to_owned(), |dir, next| dir.join(next));
    let path = within.join(&named.path);
    within.is_dir() && if named.what == What::Folder { !path.is_dir() } else { !path.exists() }
}

/// Whether the memory that is asked for fits what tasks of this name used, and what nodes have.
pub(super) fn host_memory(snapshot: &Snapshot, submission: Option<&Submission>) -> Check {
    const ABOUT: &str = "host memory";
    let Some(submission) = submission else {
        return check(ABOUT, Verdict::NotChecked, "the #SBATCH lines cannot be told apart");
    };
    let asked = asked(submission);
    let past = past(snapshot, name(submission));
    let largest = largest_node(snapshot, submission);
    let mut details = Vec::new();
    details.extend(past.as_ref().ok().map(Past::in_words));
    details.extend(
        largest.map(|(node, memory)| format!("the largest node that it may get, {node}, has {memory}")),
    );
    let found = match (asked, past.as_ref().ok().and_then(|past| past.peak), largest) {
        (Some(asked), _, Some((_, most))) if asked > most => {
            check(ABOUT, Verdict::WouldFail, format!("{asked} is asked for, and no node has so much"))
        }
        (Some(asked), Some(peak), _) if peak.0 > asked.0 / 10 * 9 => Check {
            hint: Some(format!("ask for more: --mem={}M", enough(peak))),
            ..check(
                ABOUT,
                Verdict::Finding,
                format!("{asked} is asked for; tasks of this name used up to {peak}"),
            )
        },
        (None, Some(peak), _) => Check {
            hint: Some(format!("ask for it: --mem={}M", enough(peak))),
            ..check(
                ABOUT,
                Verdict::Finding,
                format!(
                    "nothing is asked for, so the site's default counts; tasks of this name used up to {peak}"
                ),
            )
        },
        (Some(asked), Some(peak), _) => {
            check(ABOUT, Verdict::Well, format!("{asked} is asked for; tasks of this name used up to {peak}"))
        }
        (asked, None, _) => {
            let asked =
                asked.map_or("nothing is asked for".to_owned(), |asked| format!("{asked} is asked for"));
            let why = match &past {
                Ok(_) => "of no past task of this name it is known what it used".to_owned(),
                Err(why) => why.clone(),
            };
            check(ABOUT, Verdict::NotChecked, format!("{asked}; {why}"))
        }
    };
    // A sample misses the spike that killed.
    let was_killed = past.as_ref().is_ok_and(|past| past.out_of_memory > 0);
    let found = match found.verdict {
        Verdict::Well | Verdict::NotChecked if was_killed => Check { verdict: Verdict::Finding, ..found },
        _ => found,
    };
    Check { details, ..found }
}

/// A fifth more than was used, in MiB.
fn enough(peak: Bytes) -> u64 {
    (peak.0 / 5).saturating_add(peak.0).div_ceil(1 << 20)
}

/// The name that the jobs will have.
fn name(submission: &Submission) -> &str {
    let of_file = submission.script.rsplit('/').next().unwrap_or_default();
    submission.option(Some('J'), "--job-name").unwrap_or(of_file)
}

/// The memory that is asked for on each node, if that can be said.
fn asked(submission: &Submission) -> Option<Bytes> {
    let size = |long: &str| {
        let megabytes = megabytes(submission.option(None, long)?)?;
        Some(Bytes(megabytes.checked_mul(1 << 20)?)).filter(|bytes| bytes.0 > 0)
    };
    let count = |short, long: &str| match submission.option(Some(short), long) {
        Some(count) => count.parse::<u64>().ok(),
        None => Some(1),
    };
    size("--mem").or_else(|| {
        let tasks = count('n', "--ntasks").filter(|tasks| *tasks == 1)?;
        let cpus = count('c', "--cpus-per-task")?.checked_mul(tasks)?;
        Some(Bytes(size("--mem-per-cpu")?.0.checked_mul(cpus)?))
    })
}

/// What accounting has of earlier tasks of a name.
struct Past {
    tasks: usize,
    peak: Option<Bytes>,
    out_of_memory: usize,
}

impl Past {
    fn in_words(&self) -> String {
        let killed = match self.out_of_memory {
            0 => String::new(),
            count => format!("; {count} of them ran out of memory"),
        };
        format!(
            "MaxRSS of {} past tasks of this name by accounting, a sample of one process each{killed}",
            self.tasks
        )
    }
}

fn past(snapshot: &Snapshot, name: &str) -> Result<Past, String> {
    let accounting = match &snapshot.accounting {
        Known::Known(accounting) => accounting,
        Known::Unknown(why) | Known::NotApplicable(why) => {
            return Err(format!("past tasks are not known: {why}"));
        }
    };
    let mut past = Past { tasks: 0, peak: None, out_of_memory: 0 };
    for attempt in accounting.attempts().iter().filter(|one| accounting.text(one.name) == name) {
        past.tasks += 1;
        past.peak = past.peak.max(attempt.steps.max_rss);
        let is_killed = attempt.state == State::OutOfMemory || attempt.steps.out_of_memory;
        past.out_of_memory += usize::from(is_killed);
    }
    match past.tasks {
        0 => Err(format!("accounting knows no past task named {}", escape(name))),
        _ => Ok(past),
    }
}

/// The node with the most memory in the partitions that are asked for; in all,
/// if none is.
fn largest_node<'s>(snapshot: &'s Snapshot, submission: &Submission) -> Option<(&'s str, Bytes)> {
    let wanted: Option<Vec<&str>> =
        submission.option(Some('p'), "--partition").map(|list| list.split(',').collect());
    let nodes = snapshot.nodes.known()?.iter();
    let fitting = nodes.filter(|node| {
        wanted.as_ref().is_none_or(|wanted| node.partitions.iter().any(|own| wanted.contains(&own.as_str())))
    });
    // One of which it is not known may have more.
    let known: Option<Vec<_>> = fitting.map(|node| Some((node.name.as_str(), node.memory?))).collect();
    known?.into_iter().max_by_key(|(_, memory)| *memory)
}
