//! Whether another machine is there, and has what the work needs.

use serde::Serialize;

use super::{LONGEST, Machine, login, side_by_side, targets, words};
use crate::remote::{Answers, Disk, Kind, Question, Quota, Section, Target, disk, quotas};
use crate::safety::clip;
use crate::terms::{Known, Time};
use crate::verbs::{Context, Error};

/// What the machines said.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outcome {
    /// Each machine that was asked.
    pub machines: Vec<Machine<Report>>,
}

/// What one machine said of itself.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Report {
    /// Its system and name, by `uname -sn`.
    pub system: Known<String>,
    /// How many seconds its clock is ahead of ours; less than 0 if it is behind.
    pub clock_ahead: Known<i64>,
    /// Its git.
    pub git: Known<String>,
    /// The project there.
    pub project: Known<Project>,
    /// Slurm's controller, as the machine reaches it.
    pub slurm: Known<String>,
    /// Its GPUs.
    pub gpus: Known<Vec<String>>,
    /// Its rsync, without which nothing is pushed or pulled.
    pub rsync: Known<String>,
    /// Its tmux, without which no shell persists.
    pub tmux: Known<String>,
    /// The file system of the project, or of the home directory where that is not there.
    pub disk: Known<Disk>,
    /// What the user may use.
    pub quotas: Known<Vec<Quota>>,
    /// The commands that the settings name.
    pub probes: Vec<Probe>,
}

/// The project on another machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Project {
    /// Its branch; `HEAD` if it is on none.
    pub branch: String,
    /// The commit that is checked out.
    pub head: String,
    /// True if that is the commit of this worktree.
    pub is_ours: bool,
}

/// A command of the settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Probe {
    /// Its name.
    pub name: String,
    /// How it ended; 124 if it took too long.
    pub code: i32,
    /// The last line that it printed, or complained with.
    pub said: String,
}

impl Report {
    /// What the work needs and the machine has not, in words.
    pub fn missing(&self, kind: Option<Kind>) -> Vec<String> {
        fn lacks<T>(what: &str, value: &Known<T>) -> Option<String> {
            match value {
                Known::Unknown(why) => Some(format!("{what}: {why}")),
                Known::Known(_) | Known::NotApplicable(_) => None,
            }
        }
        let mut missing: Vec<String> = [
            lacks("git", &self.git),
            lacks("project", &self.project),
            lacks("Slurm", &self.slurm).filter(|_| kind == Some(Kind::Slurm)),
            lacks("GPUs", &self.gpus).filter(|_| kind == Some(Kind::Workstation)),
            lacks("rsync", &self.rsync),
        ]
        .into_iter()
        .flatten()
        .collect();
        let failed = self.probes.iter().filter(|probe| probe.code != 0);
        missing.extend(failed.map(|probe| format!("probe {}: it ended with {}", probe.name, probe.code)));
        missing
    }
}

/// How long a probe may take, in seconds: to import torch takes its time.
const PROBE: u64 = 60;

/// Asks the machine of this name, or all that the settings name, side by side.
///
/// # Errors
/// There is no such machine in the settings. One that does not answer is no error.
pub fn run(context: &Context, name: Option<&str>) -> Result<Outcome, Error> {
    let targets = targets(context, name)?;
    let head = context.repository.history().resolve("HEAD").ok().flatten().map(|id| id.to_string());
    let answers = side_by_side(
        context,
        &targets,
        |target| (login(target), questions(target)),
        |target, answers, moments| report(target, &answers, moments, head.as_deref()),
    );
    let machines = targets.iter().zip(answers);
    Ok(Outcome { machines: machines.map(|(target, answer)| Machine::of(context, target, answer)).collect() })
}

fn questions(target: &Target) -> Vec<Question> {
    let mut questions = vec![
        Question::words("clock", ["date", "+%s"]),
        Question::words("system", ["uname", "-sn"]),
        Question::words("git", ["git", "--version"]),
        Question::words("slurm", ["scontrol", "ping"]),
        Question::words("gpus", ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]),
        Question::shell("rsync", "rsync --version | head -n 1"),
        Question::words("tmux", ["tmux", "-V"]),
        Question::shell(
            "quota",
            "if type -P quota >/dev/null; then quota -w 2>/dev/null; true; else exit 127; fi",
        ),
    ];
    if let Some(path) = &target.path {
        questions.push(
            Question::shell("project", "git rev-parse --abbrev-ref HEAD && git rev-parse --verify HEAD")
                .at(path),
        );
        questions.push(Question::words("disk", ["df", "-Pk", "."]).at(path));
        questions.push(
            Question::shell(
                "lustre",
                "type -P lfs >/dev/null && lfs quota -q -u \"$(id -un)\" . 2>/dev/null",
            )
            .at(path),
        );
    }
    questions.push(Question::shell("home", "cd && df -Pk ."));
    for (at, (_, command)) in target.probes.iter().enumerate() {
        let question = Question::shell(&format!("probe{at}"), command.as_bytes()).within(PROBE);
        questions.push(match &target.path {
            Some(path) => question.at(path),
            None => question,
        });
    }
    questions
}

fn report(target: &Target, answers: &Answers, [before, after]: [Time; 2], head: Option<&str>) -> Report {
    let line = |name: &str| words(answers.of(name)).map(first_line);
    let disk_of = |name: &str| words(answers.of(name)).map(|text| disk(&text)).into_known().flatten();
    let disk = match disk_of("disk").or_else(|| disk_of("home")) {
        Some(disk) => Known::Known(disk),
        None => Known::Unknown("df gave no answer that can be read".to_owned()),
    };
    let mut limits = words(answers.of("quota")).map(|text| quotas(&text));
    if let Some(more) = answers.of("lustre").and_then(Section::text).map(|text| quotas(&text)) {
        match &mut limits {
            Known::Known(limits) => limits.extend(more),
            limits => *limits = Known::Known(more),
        }
    }
    let probes = target.probes.iter().enumerate().map(|(at, (name, _))| {
        let section = answers.of(&format!("probe{at}"));
        let said = section.map(|section| {
            let text = String::from_utf8_lossy(&section.stdout).into_owned();
            let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
            if last.is_empty() { section.complaint() } else { last.to_owned() }
        });
        Probe {
            name: name.clone(),
            code: section.map_or(-1, |section| section.code),
            said: clip(&said.unwrap_or_default(), LONGEST),
        }
    });
    Report {
        system: line("system"),
        clock_ahead: match line("clock").into_known().and_then(|text| text.trim().parse::<i64>().ok()) {
            Some(there) => Known::Known(ahead(there, before.unix(), after.unix())),
            None => Known::Unknown("it did not say what time it is".to_owned()),
        },
        git: line("git"),
        project: match &target.path {
            Some(_) => project(answers.of("project"), head),
            None => Known::NotApplicable("no path is set".to_owned()),
        },
        slurm: line("slurm"),
        gpus: words(answers.of("gpus")).map(|text| {
            text.lines().map(|line| clip(line.trim(), LONGEST)).filter(|line| !line.is_empty()).collect()
        }),
        rsync: line("rsync"),
        tmux: line("tmux"),
        disk,
        quotas: limits,
        probes: probes.collect(),
    }
}

/// How far ahead a clock is that was read at some moment between two of ours.
fn ahead(there: i64, before: i64, after: i64) -> i64 {
    // Whole seconds: what lies between says nothing.
    if there < before { there.saturating_sub(before) } else { there.saturating_sub(after).max(0) }
}

fn project(section: Option<&Section>, ours: Option<&str>) -> Known<Project> {
    words(section).map(|text| {
        let mut lines = text.lines().map(|line| clip(line.trim(), LONGEST));
        let (branch, head) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
        Project { is_ours: ours == Some(head.as_str()), branch, head }
    })
}

fn first_line(text: String) -> String {
    clip(text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default(), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_differ_only_by_what_the_call_did_not_take() {
        assert_eq!(ahead(100, 100, 103), 0);
        assert_eq!(ahead(102, 100, 103), 0);
        assert_eq!(ahead(110, 100, 103), 7);
        assert_eq!(ahead(40, 100, 103), -60);
    }
}
