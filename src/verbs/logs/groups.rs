//! Logs that failed alike are one row.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{Log, Outcome, Root};
use crate::joblog::{self, Finding, Fingerprint, Role, Table};

/// So many groups have the line of their example looked up, if it is not known.
const MOST_LOOKED_UP: usize = 20;
/// So much of a file is read for that, in bytes.
const MOST_BYTES: u64 = 1 << 30;

/// Logs that show the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Group {
    /// How many logs show it.
    pub logs: u64,
    /// That in percent of the logs that were read.
    pub share: f64,
    /// True if it is the cause; false if it only points to one.
    pub is_cause: bool,
    /// The first log that shows it, with file, line and meaning.
    #[serde(flatten)]
    pub first: Root,
}

impl Outcome {
    /// Groups the logs that were read, the largest group first.
    pub(super) fn groups(&mut self, table: &Table) {
        let mut groups: Vec<Group> = Vec::new();
        let mut known: HashMap<(bool, Fingerprint), usize> = HashMap::new();
        self.without_cause = 0;
        for log in &self.logs {
            let Some(finding) = log.headline() else {
                self.without_cause += 1;
                continue;
            };
            let is_cause = log.root.is_some();
            let at = *known.entry((is_cause, finding.fingerprint.clone())).or_insert(groups.len());
            match groups.get_mut(at) {
                Some(group) => group.logs += 1,
                None => {
                    let first = Root::of(table, &log.file, finding.clone());
                    groups.push(Group { logs: 1, share: 0.0, is_cause, first });
                }
            }
        }
        let all = self.logs.len().max(1) as f64;
        groups.iter_mut().for_each(|group| group.share = 1000.0 * group.logs as f64 / all);
        groups.iter_mut().for_each(|group| group.share = group.share.round() / 10.0);
        // What is proven first, of equals in the order of the logs.
        groups.sort_by_key(|group| (!group.is_cause, std::cmp::Reverse(group.logs)));
        let firsts = groups.iter_mut().map(|group| &mut group.first);
        for Root { file, finding, .. } in
            firsts.filter(|first| first.finding.line.is_none()).take(MOST_LOOKED_UP)
        {
            finding.line = joblog::line_of(file, finding.offset, MOST_BYTES);
        }
        for log in &mut self.logs {
            let Some(root) = log.root.as_mut().filter(|root| root.finding.line.is_none()) else { continue };
            let offset = root.finding.offset;
            let same = |group: &&Group| group.first.file == root.file && group.first.finding.offset == offset;
            root.finding.line = groups.iter().find(same).and_then(|group| group.first.finding.line);
        }
        self.groups = groups;
    }
}

impl Log {
    /// The cause; else one that may be another job's; else the last that points to
    /// one, in the newest attempt.
    pub fn headline(&self) -> Option<&Finding> {
        let newest = self.attempts.last().map_or(0, |attempt| attempt.number);
        let points = |finding: &&Finding| {
            let role = finding.role;
            matches!(role, Role::Evidence | Role::Cascade | Role::Teardown)
                && !finding.survived
                && finding.attempt == newest
        };
        let found = self.others.iter().filter(points);
        let pointer = || found.max_by_key(|finding| (finding.role == Role::Evidence, finding.offset));
        let elsewhere = || self.elsewhere.as_ref().map(|root| &root.finding);
        self.root.as_ref().map(|root| &root.finding).or_else(elsewhere).or_else(pointer)
    }
}
