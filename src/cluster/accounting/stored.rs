//! Accounting as JSON has it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Accounting, Attempt, ExitCode, Places, Problem, Stamp, State, Steps, WaitingTasks};
use crate::terms::{JobId, TaskIds, Time};

/// An accounting as JSON has it: texts in place, times as text.
#[derive(PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct Stored<'a> {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    whole: BTreeSet<u32>,
    zone_unknown: bool,
    #[serde(borrow)]
    attempts: Vec<StoredAttempt<'a>>,
    #[serde(borrow)]
    waiting: Vec<StoredWaiting<'a>>,
    problems: Vec<Problem>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct StoredAttempt<'a> {
    id: JobId,
    raw_id: Option<u32>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    name_cut: bool,
    #[serde(borrow)]
    user: Cow<'a, str>,
    #[serde(borrow)]
    partition: Cow<'a, str>,
    #[serde(borrow)]
    node_list: Cow<'a, str>,
    state: State,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cancelled_by: Option<u32>,
    exit: Option<Cow<'a, str>>,
    derived_exit: Option<Cow<'a, str>>,
    elapsed: Option<u32>,
    limit: Option<u32>,
    submitted: Option<String>,
    started: Option<String>,
    ended: Option<String>,
    steps: Steps,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    work_dir: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    submit_line: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    stdout: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    stderr: Cow<'a, str>,
}

#[derive(PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub(super) struct StoredWaiting<'a> {
    tasks: Option<TaskIds>,
    throttle: Option<u32>,
    #[serde(borrow)]
    row: StoredAttempt<'a>,
}

impl Accounting {
    fn store(&self, attempt: &Attempt) -> StoredAttempt<'_> {
        let code = |exit: Option<ExitCode>| exit.map(|exit| Cow::Owned(exit.to_string()));
        let moment = |stamp: Stamp| {
            let text = Time::from_unix(stamp.known()?)?.to_string();
            Some(if self.zone_unknown { text.trim_end_matches('Z').to_owned() } else { text })
        };
        StoredAttempt {
            id: attempt.id,
            raw_id: attempt.raw_id,
            name: self.text(attempt.name).into(),
            name_cut: attempt.name_cut,
            user: self.text(attempt.user).into(),
            partition: self.text(attempt.partition).into(),
            node_list: self.text(attempt.node_list).into(),
            state: attempt.state,
            cancelled_by: attempt.cancelled_by,
            exit: code(attempt.exit),
            derived_exit: code(attempt.derived_exit),
            elapsed: attempt.elapsed,
            limit: attempt.limit,
            submitted: moment(attempt.submitted),
            started: moment(attempt.started),
            ended: moment(attempt.ended),
            steps: attempt.steps,
            work_dir: self.text(attempt.places.work_dir).into(),
            submit_line: self.text(attempt.places.submit_line).into(),
            stdout: self.text(attempt.places.stdout).into(),
            stderr: self.text(attempt.places.stderr).into(),
        }
    }

    fn restore(&mut self, stored: StoredAttempt<'_>) -> Attempt {
        let moment = |text: Option<String>| {
            text.and_then(|text| Time::from_wall_clock(text.trim_end_matches('Z').as_bytes()))
                .map_or(Stamp::UNKNOWN, |moment| Stamp(moment.unix()))
        };
        Attempt {
            id: stored.id,
            raw_id: stored.raw_id,
            name: self.intern(stored.name.as_bytes()),
            user: self.intern(stored.user.as_bytes()),
            partition: self.intern(stored.partition.as_bytes()),
            node_list: self.intern(stored.node_list.as_bytes()),
            name_cut: stored.name_cut,
            state: stored.state,
            cancelled_by: stored.cancelled_by,
            exit: stored.exit.and_then(|text| text.parse().ok()),
            derived_exit: stored.derived_exit.and_then(|text| text.parse().ok()),
            elapsed: stored.elapsed,
            limit: stored.limit,
            submitted: moment(stored.submitted),
            started: moment(stored.started),
            ended: moment(stored.ended),
            steps: stored.steps,
            places: Places {
                work_dir: self.intern(stored.work_dir.as_bytes()),
                submit_line: self.intern(stored.submit_line.as_bytes()),
                stdout: self.intern(stored.stdout.as_bytes()),
                stderr: self.intern(stored.stderr.as_bytes()),
            },
        }
    }
}

impl Accounting {
    fn stored(&self) -> Stored<'_> {
        Stored {
            since: self.since,
            whole: self.whole.clone(),
            zone_unknown: self.zone_unknown,
            attempts: self.attempts.iter().map(|attempt| self.store(attempt)).collect(),
            waiting: self
                .waiting
                .iter()
                .map(|waiting| StoredWaiting {
                    tasks: waiting.tasks.clone(),
                    throttle: waiting.throttle,
                    row: self.store(&waiting.row),
                })
                .collect(),
            problems: self.problems.clone(),
        }
    }
}

/// Two are the same if they say the same, however their texts are numbered.
impl PartialEq for Accounting {
    fn eq(&self, other: &Accounting) -> bool {
        self.stored() == other.stored()
    }
}

impl Eq for Accounting {}

impl Serialize for Accounting {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.stored().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Accounting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Accounting, D::Error> {
        let stored = Stored::deserialize(from)?;
        let mut accounting = Accounting {
            since: stored.since,
            whole: stored.whole,
            zone_unknown: stored.zone_unknown,
            problems: stored.problems,
            ..Accounting::default()
        };
        for attempt in stored.attempts {
            let attempt = accounting.restore(attempt);
            accounting.attempts.push(attempt);
        }
        for waiting in stored.waiting {
            let row = accounting.restore(waiting.row);
            accounting.waiting.push(WaitingTasks {
                base: row.id.base,
                tasks: waiting.tasks,
                throttle: waiting.throttle,
                row,
            });
        }
        Ok(accounting)
    }
}
