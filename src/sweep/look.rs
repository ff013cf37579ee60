use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::cluster::{Attempt, ExitCode, State};
use crate::terms::{NotA, TaskIds};

/// Members of a sweep, in Slurm's compressed form: array indices, or job ids
/// where the sweep is jobs that share a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Members(pub TaskIds);

impl Members {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Members, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        if text.is_empty() {
            return Ok(Members::default());
        }
        TaskIds::of_jobs(&text).map(Members).map_err(serde::de::Error::custom)
    }
}

/// How a task ended, or what it does: `COMPLETED 0:0`, `RUNNING`.
///
/// A task that is not finished has no exit code; a finished one has none where
/// the source has no such column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct Outcome {
    /// Its state.
    pub state: State,
    /// Its exit code.
    pub exit: Option<ExitCode>,
}

impl Outcome {
    /// That of one row of accounting.
    pub(super) fn of(attempt: &Attempt) -> Outcome {
        Outcome { state: attempt.state, exit: attempt.exit.filter(|_| attempt.state.is_finished()) }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.exit {
            Some(exit) => write!(f, "{} {exit}", self.state),
            None => write!(f, "{}", self.state),
        }
    }
}

impl FromStr for Outcome {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Outcome, NotA> {
        let (state, exit) = match text.split_once(' ') {
            Some((state, exit)) => (state, Some(exit.parse()?)),
            None => (text, None),
        };
        Ok(Outcome { state: State::read(state), exit })
    }
}

impl Serialize for Outcome {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Outcome {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Outcome, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Every task of a sweep at one moment, compact enough to be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Look {
    /// Which sweep: the array's id, or the name that its jobs share.
    pub key: String,
    /// The jobs' name.
    pub name: String,
    /// The tasks by outcome; each is in exactly one list.
    pub tasks: BTreeMap<Outcome, Members>,
    /// The tasks that were started more than once, by number of attempts seen.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attempts: BTreeMap<u32, Members>,
}

impl Look {
    /// Adds tasks that are in no list yet.
    pub(super) fn add(&mut self, outcome: Outcome, tasks: &TaskIds) {
        if !tasks.is_empty() {
            let members = self.tasks.entry(outcome).or_default();
            members.0 = members.0.union(tasks);
        }
    }

    /// Takes tasks out of every list.
    pub(super) fn leave_out(&mut self, tasks: &TaskIds) {
        self.tasks
            .values_mut()
            .chain(self.attempts.values_mut())
            .for_each(|own| own.0 = own.0.difference(tasks));
        self.tasks.retain(|_, own| !own.is_empty());
        self.attempts.retain(|_, own| !own.is_empty());
    }

    /// Every task.
    pub fn all(&self) -> TaskIds {
        self.tasks.values().fold(TaskIds::default(), |all, members| all.union(&members.0))
    }
}
