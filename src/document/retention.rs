//! Which documents may be archived: facts and the moment in, a plan out. Pure.

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;

use crate::terms::{AnyKey, Known, Seconds, Time};

/// What the policy has to know of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its key.
    pub key: AnyKey,
    /// The document before it.
    pub parent: Option<AnyKey>,
    /// True if it is the newest of a worktree that is there, or may be.
    pub is_current: bool,
    /// True if somebody holds its baton.
    pub is_held: Known<bool>,
    /// True if a job that it names is still live; not applicable if it names none.
    pub has_live_jobs: Known<bool>,
    /// True if it can be read.
    pub is_readable: bool,
}

/// What to archive, and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Plan {
    /// To be archived, oldest first.
    pub archive: Vec<AnyKey>,
    /// Old enough, and kept for a reason.
    pub kept: Vec<Kept>,
    /// How many are too young to ask.
    pub young: usize,
}

/// A document that is old enough and stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Kept {
    /// Its key.
    pub key: AnyKey,
    /// Why it stays.
    pub reasons: Vec<Reason>,
}

/// Why a document that is old enough is not archived.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case", tag = "reason")]
pub enum Reason {
    /// It is the newest of its worktree.
    Current,
    /// The newest of a worktree continues it.
    ParentOfCurrent,
    /// Somebody holds its baton.
    Held,
    /// Whether somebody holds its baton cannot be told.
    BatonUnknown {
        /// Why not.
        why: String,
    },
    /// It names jobs that are live.
    LiveJobs,
    /// Whether its jobs are live cannot be told.
    JobsUnknown {
        /// Why not.
        why: String,
    },
    /// It cannot be read, so nobody knows what it protects.
    Unreadable,
    /// Its key is of an older custom, and its only text lies in the worktree.
    Legacy,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Current => f.write_str("the newest of its worktree"),
            Reason::ParentOfCurrent => f.write_str("the newest of a worktree continues it"),
            Reason::Held => f.write_str("its baton is held"),
            Reason::BatonUnknown { why } => write!(f, "whether its baton is held is unknown ({why})"),
            Reason::LiveJobs => f.write_str("it names live jobs"),
            Reason::JobsUnknown { why } => write!(f, "whether its jobs are live is unknown ({why})"),
            Reason::Unreadable => f.write_str("it cannot be read"),
            Reason::Legacy => f.write_str("its key is of an older custom"),
        }
    }
}

/// True if the date in the key says that the document is old enough. The times
/// of files say nothing: a copy or a checkout changes them.
pub fn is_old(key: &AnyKey, older_than: Seconds, now: Time) -> bool {
    match key.proving() {
        Some(key) => key.minute().age(now) >= older_than,
        // Such a key has a date in an unknown zone: a day is added.
        None => {
            legacy_day(key).is_some_and(|day| day.age(now) >= Seconds(older_than.0.saturating_add(86_400)))
        }
    }
}

fn legacy_day(key: &AnyKey) -> Option<Time> {
    let text = key.to_string();
    let day = text.get(3..11)?;
    format!("{}-{}-{}T00:00:00Z", &day[..4], &day[4..6], &day[6..]).parse().ok()
}

/// Judges every candidate.
pub fn plan(candidates: &[Candidate], older_than: Seconds, now: Time) -> Plan {
    let parents: BTreeSet<&AnyKey> =
        candidates.iter().filter(|one| one.is_current).filter_map(|one| one.parent.as_ref()).collect();
    let mut plan = Plan::default();
    for candidate in candidates {
        if !is_old(&candidate.key, older_than, now) {
            plan.young += 1;
            continue;
        }
        let reasons = reasons(candidate, parents.contains(&candidate.key));
        if reasons.is_empty() {
            plan.archive.push(candidate.key.clone());
        } else {
            plan.kept.push(Kept { key: candidate.key.clone(), reasons });
        }
    }
    plan.archive.sort();
    plan.kept.sort_by(|a, b| a.key.cmp(&b.key));
    plan
}

fn reasons(candidate: &Candidate, is_parent: bool) -> Vec<Reason> {
    let mut reasons = Vec::new();
    let mut add = |applies: bool, reason: Reason| reasons.extend(applies.then_some(reason));
    add(candidate.is_current, Reason::Current);
    add(is_parent, Reason::ParentOfCurrent);
    match &candidate.is_held {
        Known::Known(held) => add(*held, Reason::Held),
        Known::Unknown(why) => add(true, Reason::BatonUnknown { why: why.clone() }),
        Known::NotApplicable(_) => {}
    }
    match &candidate.has_live_jobs {
        Known::Known(live) => add(*live, Reason::LiveJobs),
        Known::Unknown(why) => add(true, Reason::JobsUnknown { why: why.clone() }),
        Known::NotApplicable(_) => {}
    }
    add(!candidate.is_readable, Reason::Unreadable);
    add(candidate.key.proving().is_none(), Reason::Legacy);
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: &str = "2026-11-29T03:41:00Z";

    fn candidate(key: &str) -> Candidate {
        Candidate {
            key: key.parse().unwrap(),
            parent: None,
            is_current: false,
            is_held: Known::Known(false),
            has_live_jobs: Known::NotApplicable("it names none".into()),
            is_readable: true,
        }
    }

    fn old() -> Candidate {
        candidate("HO-20261121-0341-0000000a")
    }

    fn judge(candidates: &[Candidate]) -> (Vec<String>, Vec<Reason>) {
        let plan = plan(candidates, Seconds(7 * 86_400), NOW.parse().unwrap());
        (
            plan.archive.iter().map(AnyKey::to_string).collect(),
            plan.kept.into_iter().flat_map(|kept| kept.reasons).collect(),
        )
    }

    #[test]
    fn age_is_counted_from_the_key() {
        let (archived, kept) = judge(&[
            candidate("HO-20261122-0341-0000000a"),
            candidate("HO-20261122-0342-0000000b"),
            candidate("HO-20261201-0000-0000000c"),
        ]);
        assert_eq!(archived, ["HO-20261122-0341-0000000a"]);
        assert_eq!(kept, []);
    }

    #[test]
    fn each_protection_keeps_by_itself() {
        let unknown = |why: &str| Known::Unknown(why.to_owned());
        let protections: [(Candidate, Reason); 8] = [
            (Candidate { is_current: true, ..old() }, Reason::Current),
            (Candidate { is_held: Known::Known(true), ..old() }, Reason::Held),
            (Candidate { is_held: unknown("x"), ..old() }, Reason::BatonUnknown { why: "x".into() }),
            (Candidate { has_live_jobs: Known::Known(true), ..old() }, Reason::LiveJobs),
            (Candidate { has_live_jobs: unknown("x"), ..old() }, Reason::JobsUnknown { why: "x".into() }),
            (Candidate { is_readable: false, ..old() }, Reason::Unreadable),
            (candidate("HO-20261120-EOD-a1b2"), Reason::Legacy),
            (candidate("HO-20261120-1423-a1b2"), Reason::Legacy),
        ];
        for (candidate, reason) in protections {
            assert_eq!(judge(&[candidate]), (vec![], vec![reason]));
        }
        assert_eq!(judge(&[old()]).0.len(), 1);
    }

    #[test]
    fn the_parent_of_the_current_one_stays_and_its_grandparent_goes() {
        let link = |key: &str, parent: &str| Candidate { parent: parent.parse().ok(), ..candidate(key) };
        let (a, b, c) =
            ("HO-20261101-0000-0000000a", "HO-20261102-0000-0000000b", "HO-20261128-0000-0000000c");
        let current = Candidate { is_current: true, ..link(c, b) };
        assert_eq!(
            judge(&[candidate(a), link(b, a), current]),
            (vec![a.into()], vec![Reason::ParentOfCurrent])
        );
    }
}
