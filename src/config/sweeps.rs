//! Settings about sweeps, their logs, and what counts as trouble.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::Deserialize;

use crate::terms::{NotA, Seconds};

/// Where job logs are and what they may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logs {
    /// Where logs are, as globs relative to the worktree and to the jobs' work
    /// directories, for jobs of which Slurm does not say it.
    pub globs: Vec<String>,
    /// Patterns besides the built-in ones; one with the id of a built-in one
    /// takes its place.
    pub patterns: Vec<PatternRow>,
}

/// One row of the pattern table, as written: what a line of a log means.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternRow {
    /// A short name that is unique in the table.
    pub id: String,
    /// A regular expression in the syntax of the `regex` crate, searched
    /// anywhere in a line.
    pub pattern: String,
    /// The class of the cause: `cuda-oom`, `time-limit`.
    pub class: String,
    /// What part such a line plays: `root`, `cascade`, `teardown`, `evidence`,
    /// `warning`, `noise`, `info`.
    pub role: String,
    /// True if this yields to any other line of the same role that is not weak.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weak: bool,
    /// Whether to try again: `resume`, `once`, `after-change`, `fix-first`,
    /// `resubmit`, `by-cause`, `ask`, `nothing`.
    pub retry: String,
    /// Properties besides those of its class: `generic`, `survived`, ...
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub is: Vec<String>,
    /// Classes, and ids of rows, whose lines explain this one if they stand
    /// before it; in place of what its class yields to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub yields_to: Option<Vec<String>>,
    /// Errors whose text matches this ended a program only if a line of this row
    /// follows soon.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirms: Option<String>,
    /// What it means, in words.
    pub meaning: String,
    /// What to do about it, in words.
    pub action: String,
    /// A line that it matches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<String>,
    /// A line that looks alike and that it does not match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near_miss: Option<String>,
}

/// What all rows of a class are to others, as written.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatternClass {
    /// Properties of its lines.
    #[serde(default)]
    pub is: Vec<String>,
    /// Classes, and ids of rows, whose lines explain one of these.
    #[serde(default)]
    pub yields_to: Vec<String>,
}

/// How sweeps are judged, and how their tasks are resumed.
///
/// Templates may hold `{array}` (the array's id), `{task}` (the index), `{id}`
/// (`array_task`), `{job}` (the raw job id), `{name}` (the jobs' name).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweeps {
    /// Over so many percent of similar failures a sweep is to be watched.
    pub watch_percent: u8,
    /// From so many percent of similar failures on somebody must intervene.
    pub intervene_percent: u8,
    /// Before so many tasks are finished no share says anything.
    pub least_finished: usize,
    /// From so many percent of the parameter space without a usable result on
    /// the sweep teaches nothing more.
    pub collapse_percent: u8,
    /// Completing in less than this is suspicious until the log shows the steps.
    pub short: Seconds,
    /// The same in percent of the sweep's own median.
    pub short_percent: u8,
    /// Where a task's run keeps its files, as templates relative to its work
    /// directory or the worktree.
    pub runs: Vec<String>,
    /// The files that a task must leave behind, as templates.
    pub results: Vec<String>,
    /// How many results the whole sweep must leave behind: files that fit
    /// `results`, or what lies in the folder `results`.
    pub expected: Option<u64>,
    /// A file that lists the expected results, one path a line.
    pub manifest: Option<PathBuf>,
    /// How many optimiser steps a run makes.
    pub target_step: Option<u64>,
    /// How many epochs a run makes.
    pub target_epoch: Option<u64>,
    /// The parameters of each task: CSV with a header, or JSON lines; a column
    /// `task` names the task, else the row's number does, from 0.
    pub parameters: Option<PathBuf>,
    /// Which columns of it count; all if none is named.
    pub columns: Vec<String>,
    /// The command that resumes tasks, as a template with, besides the above,
    /// `{tasks}` (a compressed list), `{run}`, `{checkpoint}`, `{script}`,
    /// `{exclude}`, `{wandb}`. One command, placeholders outside of quotes; what reads a
    /// value a second time is refused: `handover sweep plan --help` has the rule.
    pub resume: Option<String>,
    /// The batch script.
    pub script: Option<PathBuf>,
    /// Files that decide what a sweep does, as globs: they are to be committed
    /// before it is submitted.
    pub relevant: Vec<String>,
    /// The intended configuration of a run, as the template of a path.
    pub intended: Option<String>,
    /// What a failed task may leave behind that is good for nothing, as globs
    /// below its run directory.
    pub partial: Vec<String>,
    /// The page about running sweeps that `sweep report --page` keeps.
    pub page: PathBuf,
    /// How long a handover may read logs and run folders; 0 leaves it at queue
    /// and accounting.
    pub budget: Seconds,
    /// What holds for some sweeps alone, the later before the earlier: see [`Sweeps::of`].
    pub own: Vec<Own>,
}

/// Settings of some sweeps, which go before those of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    /// Names of their jobs; `*` at the end takes every ending.
    names: Vec<String>,
    /// The ids of their arrays.
    ids: Vec<u32>,
    /// The settings.
    file: SweepsFile,
}

impl Own {
    fn is_of(&self, key: &str, name: &str) -> bool {
        let fits = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == pattern,
        };
        self.names.iter().any(fits) || self.ids.iter().any(|id| id.to_string() == key)
    }
}

impl Sweeps {
    /// The settings of one sweep, by its key and the name of its jobs.
    pub fn of(&self, key: &str, name: &str) -> Cow<'_, Sweeps> {
        let mut all = Cow::Borrowed(self);
        for own in self.own.iter().filter(|own| own.is_of(key, name)) {
            let mut with = all.clone().into_owned();
            // What cannot be used was refused when it was read.
            if own.file.clone().merge(&mut with).is_ok() {
                all = Cow::Owned(with);
            }
        }
        all
    }

    /// True if settings of its own say something of this sweep.
    pub fn has_own(&self, key: &str, name: &str) -> bool {
        self.own.iter().any(|own| own.is_of(key, name))
    }

    /// The templates of all run folders, those of some sweeps alone among them.
    pub fn all_runs(&self) -> impl Iterator<Item = &String> {
        self.runs.iter().chain(self.own.iter().flat_map(|own| own.file.runs.iter().flatten()))
    }
}

impl Default for Logs {
    fn default() -> Logs {
        Logs { globs: vec!["logs/**".to_owned(), "slurm-*.out".to_owned()], patterns: Vec::new() }
    }
}

impl Default for Sweeps {
    fn default() -> Sweeps {
        Sweeps {
            watch_percent: 10,
            intervene_percent: 15,
            least_finished: 10,
            collapse_percent: 50,
            short: Seconds(2 * 3600),
            short_percent: 25,
            runs: Vec::new(),
            results: Vec::new(),
            expected: None,
            manifest: None,
            target_step: None,
            target_epoch: None,
            parameters: None,
            columns: Vec::new(),
            resume: None,
            script: None,
            relevant: Vec::new(),
            intended: None,
            partial: Vec::new(),
            page: PathBuf::from("ACTIVE_SWEEPS.md"),
            budget: Seconds(5),
            own: Vec::new(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct LogsFile {
    globs: Option<Vec<String>>,
    patterns: Option<Vec<PatternRow>>,
}

impl LogsFile {
    /// Patterns add up from file to file, globs replace each other.
    pub(super) fn merge(self, logs: &mut Logs) {
        take(&mut logs.globs, self.globs);
        for row in self.patterns.into_iter().flatten() {
            match logs.patterns.iter_mut().find(|known| known.id == row.id) {
                Some(known) => *known = row,
                None => logs.patterns.push(row),
            }
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SweepsFile {
    /// Only below `for`: the sweeps that are meant.
    names: Option<Vec<String>>,
    ids: Option<Vec<u32>>,
    /// Settings of some sweeps.
    r#for: Option<Vec<SweepsFile>>,
    watch_percent: Option<u8>,
    intervene_percent: Option<u8>,
    least_finished: Option<usize>,
    collapse_percent: Option<u8>,
    short: Option<String>,
    short_percent: Option<u8>,
    runs: Option<Vec<String>>,
    results: Option<Vec<String>>,
    expected: Option<u64>,
    manifest: Option<PathBuf>,
    target_step: Option<u64>,
    target_epoch: Option<u64>,
    parameters: Option<PathBuf>,
    columns: Option<Vec<String>>,
    resume: Option<String>,
    script: Option<PathBuf>,
    relevant: Option<Vec<String>>,
    intended: Option<String>,
    partial: Option<Vec<String>>,
    page: Option<PathBuf>,
    budget: Option<String>,
}

impl SweepsFile {
    pub(super) fn merge(self, sweeps: &mut Sweeps) -> Result<(), NotA> {
        if let Some(name) = self.names.iter().flatten().next() {
            return Err(NotA::new("setting of all sweeps: `names` stands in an entry of `for`", name));
        }
        for file in self.r#for.into_iter().flatten() {
            sweeps.own.push(file.own()?);
        }
        take(&mut sweeps.watch_percent, percent(self.watch_percent)?);
        take(&mut sweeps.intervene_percent, percent(self.intervene_percent)?);
        take(&mut sweeps.least_finished, self.least_finished);
        take(&mut sweeps.collapse_percent, percent(self.collapse_percent)?);
        take(&mut sweeps.short, self.short.as_deref().map(Seconds::from_person).transpose()?);
        take(&mut sweeps.short_percent, percent(self.short_percent)?);
        take(&mut sweeps.runs, self.runs);
        take(&mut sweeps.results, self.results);
        take(&mut sweeps.expected, self.expected.map(Some));
        take(&mut sweeps.manifest, self.manifest.map(Some));
        take(&mut sweeps.target_step, self.target_step.map(Some));
        take(&mut sweeps.target_epoch, self.target_epoch.map(Some));
        take(&mut sweeps.parameters, self.parameters.map(Some));
        take(&mut sweeps.columns, self.columns);
        take(&mut sweeps.resume, self.resume.map(Some));
        take(&mut sweeps.script, self.script.map(Some));
        take(&mut sweeps.relevant, self.relevant);
        take(&mut sweeps.intended, self.intended.map(Some));
        take(&mut sweeps.partial, self.partial);
        take(&mut sweeps.page, self.page);
        take(&mut sweeps.budget, self.budget.as_deref().map(Seconds::from_person).transpose()?);
        Ok(())
    }

    /// An entry of `for`.
    fn own(mut self) -> Result<Own, NotA> {
        let (names, ids) = (self.names.take().unwrap_or_default(), self.ids.take().unwrap_or_default());
        let shown = names.first().cloned().or_else(|| ids.first().map(u32::to_string)).unwrap_or_default();
        if shown.is_empty() {
            return Err(NotA::new("entry of `for`: it needs `names` or `ids` of sweeps", &shown));
        }
        if self.r#for.is_some() || self.page.is_some() || self.budget.is_some() {
            return Err(NotA::new("entry of `for`: `for`, `page` and `budget` are of all sweeps", &shown));
        }
        self.clone().merge(&mut Sweeps::default())?;
        Ok(Own { names, ids, file: self })
    }
}

fn take<T>(slot: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *slot = value;
    }
}

fn percent(value: Option<u8>) -> Result<Option<u8>, NotA> {
    match value {
        Some(value @ 101..) => Err(NotA::new("percentage (0 to 100)", &value.to_string())),
        value => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_sweep_has_its_own_settings_before_those_of_all() {
        let text = "sweeps:\n  results: ['results/{task}.json']\n  target_step: 1000\n  for:\n  \
                    - {names: [seg_*], target_step: 500, runs: ['seg/{task}']}\n  \
                    - {names: [seg_wd], ids: [34], results: [], script: wd.sbatch}\n";
        let all = crate::config::parse(Path::new("x"), text).unwrap().sweeps;
        let lr = all.of("5", "seg_lr");
        assert_eq!((lr.target_step, lr.results.len(), &lr.script), (Some(500), 1, &None));
        let wd = all.of("40", "seg_wd");
        assert_eq!((wd.target_step, wd.results.len()), (Some(500), 0));
        assert_eq!(wd.script.as_deref(), Some(Path::new("wd.sbatch")));
        let by_id = all.of("34", "other");
        assert_eq!((by_id.target_step, by_id.results.len()), (Some(1000), 0));
        assert!(matches!(all.of("6", "other"), Cow::Borrowed(_)));
        assert!(all.has_own("40", "seg_wd") && !all.has_own("6", "other"));
        assert_eq!(all.all_runs().collect::<Vec<_>>(), ["seg/{task}"]);
    }

    #[test]
    fn an_entry_without_a_sweep_or_with_what_is_of_all_is_refused() {
        for entry in [
            "{target_step: 5}",
            "{names: [a], page: x.md}",
            "{names: [a], watch_percent: 101}",
            "{names: [a], for: []}",
            "{names: [a], targt_step: 5}",
        ] {
            let text = format!("sweeps:\n  for:\n  - {entry}\n");
            assert!(crate::config::parse(Path::new("x"), &text).is_err(), "{entry}");
        }
        assert!(crate::config::parse(Path::new("x"), "sweeps:\n  names: [a]\n").is_err());
    }
}
