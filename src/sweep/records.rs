//! What is recorded of a sweep's runs that somebody needs who wants to make them
//! again, compressed: two hundred runs without a commit are one finding.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Evidence, Members};
use crate::safety::clip;
use crate::terms::counted;
use crate::tracker::{Recorded, Reproducibility};

/// Runs that could not be made again as they were, or not for sure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RecordGap {
    /// What it is about.
    pub what: Record,
    /// What is the matter with it.
    pub gap: Gap,
    /// The same in one sentence; it may hold text from outside.
    pub sentence: String,
    /// The tasks of these runs; where runs differ, those that have not what most have.
    pub tasks: Members,
    /// How many tasks were looked at.
    pub of: usize,
}

/// What has to be recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// The seed of the random numbers.
    Seed,
    /// Versions of the packages.
    Packages,
    /// The whole configuration.
    Configuration,
    /// The commit of the code.
    Commit,
}

/// What is the matter with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Gap {
    /// It is nowhere.
    Missing,
    /// A place where it could stand was not read.
    Unread,
    /// The runs of this one sweep do not have the same.
    Differs,
}

/// So many different values are named.
const NAMED: usize = 4;

/// The gaps of the tasks that were looked at, which come in rising order.
pub(super) fn gaps(order: &[&Evidence]) -> Vec<RecordGap> {
    let looked: Vec<(u32, &Reproducibility)> = order
        .iter()
        .filter_map(|task| Some((task.member, task.looked.as_deref()?.recorded.as_deref()?)))
        .collect();
    let of = [
        (Record::Seed, (|read| &read.seed) as fn(&Reproducibility) -> &Recorded),
        (Record::Packages, |read| &read.packages),
        (Record::Configuration, |read| &read.configuration),
        (Record::Commit, |read| &read.commit),
    ];
    of.into_iter().flat_map(|(what, part)| Tally::of(&looked, part).gaps(what, looked.len())).collect()
}

#[derive(Default)]
struct Tally<'r> {
    missing: Members,
    unread: Members,
    why: &'r str,
    values: BTreeMap<&'r str, Members>,
}

impl<'r> Tally<'r> {
    fn of(looked: &[(u32, &'r Reproducibility)], part: fn(&Reproducibility) -> &Recorded) -> Tally<'r> {
        let mut tally = Tally::default();
        for (member, read) in looked {
            match part(read) {
                Recorded::Yes { value, .. } => tally.values.entry(value).or_default().0.push(*member),
                Recorded::No => tally.missing.0.push(*member),
                Recorded::Unknown { why } => {
                    tally.unread.0.push(*member);
                    tally.why = why;
                }
            }
        }
        tally
    }

    fn gaps(self, what: Record, of: usize) -> Vec<RecordGap> {
        let name = what.words();
        let mut gaps = Vec::new();
        let gap = |gap, tasks, sentence| RecordGap { what, gap, sentence, tasks, of };
        if !self.missing.is_empty() {
            let sentence =
                format!("no {name} is recorded of {} of {}", self.missing.len(), counted(of, "run"));
            gaps.push(gap(Gap::Missing, self.missing, sentence));
        }
        if !self.unread.is_empty() {
            let count = self.unread.len();
            let why = clip(self.why, 200);
            let sentence = format!(
                "whether the {name} of {count} of {} is recorded is not known: {why}",
                counted(of, "run")
            );
            gaps.push(gap(Gap::Unread, self.unread, sentence));
        }
        // Seeds and configurations are what a sweep varies.
        if self.values.len() > 1 && matches!(what, Record::Packages | Record::Commit) {
            let mut values: Vec<(&str, Members)> = self.values.into_iter().collect();
            values.sort_by_key(|(value, tasks)| (std::cmp::Reverse(tasks.len()), *value));
            let named: Vec<String> = values
                .iter()
                .take(NAMED)
                .map(|(value, tasks)| format!("{} ({})", clip(value, 40), counted(tasks.len(), "run")))
                .collect();
            let more = if values.len() > NAMED { ", ..." } else { "" };
            let sentence = format!("the {name} is not the same in all: {}{more}", named.join(", "));
            let others = values.into_iter().skip(1);
            let tasks = others.fold(Members::default(), |all, (_, tasks)| Members(all.0.union(&tasks.0)));
            gaps.push(gap(Gap::Differs, tasks, sentence));
        }
        gaps
    }
}

impl Record {
    fn words(self) -> &'static str {
        match self {
            Record::Seed => "seed",
            Record::Packages => "list of package versions",
            Record::Configuration => "configuration",
            Record::Commit => "commit",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terms::JobId;

    fn yes(value: &str) -> Recorded {
        Recorded::Yes { at: "runs/1/config.yaml".into(), value: value.to_owned() }
    }

    fn task(member: u32, seed: Recorded, commit: Recorded) -> Evidence {
        let mut task = Evidence::of(member, JobId::task(8, member));
        let recorded =
            Reproducibility { seed, commit, packages: yes("3 packages"), configuration: yes("9 values") };
        task.looked_mut().recorded = Some(Box::new(recorded));
        task
    }

    fn told(tasks: &[Evidence]) -> Vec<String> {
        let order: Vec<&Evidence> = tasks.iter().collect();
        gaps(&order).iter().map(|gap| format!("{}: {}", gap.tasks, gap.sentence)).collect()
    }

    #[test]
    fn two_hundred_runs_with_the_same_gap_are_one_finding() {
        let mut tasks: Vec<Evidence> =
            (0..200).map(|member| task(member, yes(&member.to_string()), Recorded::No)).collect();
        tasks.push(Evidence::of(200, JobId::task(8, 200)));
        assert_eq!(told(&tasks), ["0-199: no commit is recorded of 200 of 200 runs"]);
        assert_eq!(told(&[]), Vec::<String>::new());
    }

    #[test]
    fn unread_is_not_missing_and_two_commits_in_one_sweep_are_named() {
        let unread = || Recorded::Unknown { why: "config.yaml was not read: it may not be read".to_owned() };
        let tasks = [
            task(1, unread(), yes("41bafeb")),
            task(2, yes("17"), yes("41bafeb")),
            task(3, yes("17"), yes("9c1d2e3")),
        ];
        assert_eq!(
            told(&tasks),
            [
                "1: whether the seed of 1 of 3 runs is recorded is not known: config.yaml was not read: it may \
                 not be read",
                "3: the commit is not the same in all: 41bafeb (2 runs), 9c1d2e3 (1 run)",
            ]
        );
    }
}
