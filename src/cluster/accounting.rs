mod stored;

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};

use serde::{Deserialize, Serialize};

use super::{ExitCode, Problem, State};
use crate::terms::{Bytes, JobId, Part, TaskIds, Time};

/// What Slurm's accounting knows: every attempt of every job and array task,
/// with its steps summed up.
///
/// Built for a million rows: an attempt is a flat value of fixed size, and
/// texts that repeat (names, users, partitions, node lists) are kept once.
/// Texts are as Slurm printed them, bytes that are no UTF-8 replaced: data
/// from outside, to be escaped where shown.
#[derive(Debug, Clone, Default)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "stored::Stored<'_>"))]
pub struct Accounting {
    texts: Texts,
    attempts: Vec<Attempt>,
    /// The parts of arrays that wait together, as accounting shows them.
    pub waiting: Vec<WaitingTasks>,
    /// The start of the time window that was asked for; what ended before it is
    /// not here. `None` if the source does not say.
    pub since: Option<Time>,
    /// Jobs and arrays that were asked for by id: all that accounting has of
    /// them is here, whenever they ended.
    pub whole: BTreeSet<u32>,
    /// True if times came as wall-clock text without a zone: they order
    /// attempts, but tell no moment.
    pub zone_unknown: bool,
    /// What was cut, missing, or not understood, in words.
    pub problems: Vec<Problem>,
}

/// One attempt of a job, an array task, or a part of a heterogeneous job.
///
/// A requeued job has several, all with one id; which one is the newest,
/// [`Attempt::is_newer_than`] tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// The id that people use, with array index or component.
    pub id: JobId,
    /// The id that logs and trackers use; `None` if the source has no such column.
    pub raw_id: Option<u32>,
    /// The job's name.
    pub name: Text,
    /// The user that it belongs to; empty if the source has no such column.
    pub user: Text,
    /// The partition.
    pub partition: Text,
    /// The nodes, in Slurm's compressed form; empty if none were given.
    pub node_list: Text,
    /// True if the source cut the name.
    pub name_cut: bool,
    /// How this attempt ended, or what it does.
    pub state: State,
    /// Who cancelled it, as a uid on the cluster.
    pub cancelled_by: Option<u32>,
    /// The exit code of the batch script.
    pub exit: Option<ExitCode>,
    /// The highest exit code of its steps; `None` if the source has no such column.
    pub derived_exit: Option<ExitCode>,
    /// How long it ran, in seconds.
    pub elapsed: Option<u32>,
    /// Its time limit in seconds; `None` if unlimited or unknown.
    pub limit: Option<u32>,
    /// When it was submitted, or requeued.
    pub submitted: Stamp,
    /// When it started.
    pub started: Stamp,
    /// When it ended.
    pub ended: Stamp,
    /// Its steps.
    pub steps: Steps,
    /// Where its files are, as far as the source has it.
    pub places: Places,
}

/// Where the files of a job are, as a saved text may have it: what Slurm is
/// asked for has no such columns, as it is asked for files by itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Places {
    /// Its work directory.
    pub work_dir: Text,
    /// The call of `sbatch`, its words joined by blanks.
    pub submit_line: Text,
    /// Its output, with patterns.
    pub stdout: Text,
    /// Its errors, with patterns.
    pub stderr: Text,
}

impl Attempt {
    /// True if this attempt of a job came after `other`, as far as times tell;
    /// one that waits has no start and is newer than one that ran.
    pub fn is_newer_than(&self, other: &Attempt) -> bool {
        self.order() > other.order()
    }

    /// A key by which attempts of one job sort from oldest to newest.
    pub fn order(&self) -> (i64, i64) {
        (self.submitted.known().unwrap_or(i64::MIN), self.started.known().unwrap_or(i64::MAX))
    }

    /// True if it is COMPLETED although a step failed or was cancelled.
    pub fn completed_over_failed_steps(&self) -> bool {
        let derived = self.derived_exit.is_some_and(|exit| exit != ExitCode::default());
        self.state == State::Completed && (self.steps.failed > 0 || derived)
    }
}

/// The steps of one attempt, `.batch` and `.extern` among them, summed up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Steps {
    /// How many the source lists.
    pub count: u32,
    /// How many of them failed, or were cancelled with an exit code.
    pub failed: u32,
    /// The worst of the failed ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub worst: Option<FailedStep>,
    /// True if Slurm saw one run out of memory: `OUT_OF_MEMORY`, or its private
    /// signal 125. The job itself may only say FAILED 1:0.
    pub out_of_memory: bool,
    /// The most memory that any step was seen to use. A sample: the spike that
    /// kills a job may not show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_rss: Option<Bytes>,
}

/// How a step failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FailedStep {
    /// Its state.
    pub state: State,
    /// Its exit code.
    pub exit: ExitCode,
}

impl Steps {
    /// Adds one step.
    pub(super) fn add(&mut self, state: State, exit: Option<ExitCode>, max_rss: Option<Bytes>) {
        self.count = self.count.saturating_add(1);
        self.max_rss = self.max_rss.max(max_rss);
        let exit = exit.unwrap_or_default();
        self.out_of_memory |= state == State::OutOfMemory || exit.signal == 125;
        if state.is_failure() || (state == State::Cancelled && exit != ExitCode::default()) {
            self.failed = self.failed.saturating_add(1);
            if self.worst.is_none_or(|worst| gravity(state) > gravity(worst.state)) {
                self.worst = Some(FailedStep { state, exit });
            }
        }
    }
}

/// How much a state of a failed step tells; the highest is kept.
fn gravity(state: State) -> u8 {
    match state {
        State::OutOfMemory => 6,
        State::NodeFail | State::BootFail => 5,
        State::Timeout | State::Deadline => 4,
        State::Failed => 3,
        State::Cancelled => 1,
        _ => 2,
    }
}

/// The tasks of an array that have one row together, such as `123_[4-10%2]`:
/// they wait, or were cancelled before any of them started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WaitingTasks {
    /// The array's id.
    pub base: u32,
    /// Which tasks; `None` if Slurm cut the list, so that their count is unknown.
    pub tasks: Option<TaskIds>,
    /// How many may run at once.
    pub throttle: Option<u32>,
    /// The row itself; its id is the whole array's.
    pub row: Attempt,
}

/// A text of an [`Accounting`], by number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Text(u32);

/// A moment in seconds since 1970, or unknown. Where the zone is unknown it is
/// the wall clock read as UTC, and good for ordering alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(i64);

impl Stamp {
    /// Not known, or not yet.
    pub const UNKNOWN: Stamp = Stamp(i64::MIN);

    /// A moment in seconds since 1970.
    pub fn from_unix(seconds: i64) -> Stamp {
        Stamp(seconds)
    }

    /// The seconds, if they are known.
    pub fn known(self) -> Option<i64> {
        (self != Stamp::UNKNOWN).then_some(self.0)
    }
}

impl Accounting {
    /// Every attempt, in the order of the source.
    pub fn attempts(&self) -> &[Attempt] {
        &self.attempts
    }

    /// A text by its number.
    pub fn text(&self, text: Text) -> &str {
        self.texts.get(text)
    }

    /// A moment of an attempt; `None` if it is unknown or its zone is.
    pub fn moment(&self, stamp: Stamp) -> Option<Time> {
        stamp.known().filter(|_| !self.zone_unknown).and_then(Time::from_unix)
    }

    /// Keeps the rows for which `keep` says yes, given the row, its job's name
    /// and its user: what belongs to a scope.
    pub fn retain(&mut self, mut keep: impl FnMut(&Attempt, &str, &str) -> bool) {
        let texts = &self.texts;
        let mut wanted = |row: &Attempt| keep(row, texts.get(row.name), texts.get(row.user));
        self.attempts.retain(&mut wanted);
        self.waiting.retain(|waiting| wanted(&waiting.row));
    }

    /// Takes over what was asked for by id: everything that `answer` has of
    /// these jobs, whole arrays or single tasks, in place of what is here of them.
    pub fn take_over(&mut self, ids: &[JobId], answer: &Accounting) {
        let ids: BTreeSet<JobId> = ids.iter().copied().collect();
        let wanted = |id: JobId| ids.contains(&id) || ids.contains(&JobId::whole(id.base));
        self.attempts.retain(|row| !wanted(row.id));
        self.waiting.retain(|rest| !wanted(rest.row.id));
        for row in answer.attempts.iter().filter(|row| wanted(row.id)) {
            let row = self.adopt(row, answer);
            self.attempts.push(row);
        }
        for rest in answer.waiting.iter().filter(|rest| wanted(rest.row.id)) {
            let row = self.adopt(&rest.row, answer);
            self.waiting.push(WaitingTasks { row, ..rest.clone() });
        }
        self.zone_unknown |= answer.zone_unknown;
        self.whole.extend(ids.iter().filter(|id| id.part == Part::Whole).map(|id| id.base));
    }

    /// A row of another accounting, its texts numbered as they are here.
    fn adopt(&mut self, row: &Attempt, from: &Accounting) -> Attempt {
        let mut text = |text: Text| self.intern(from.text(text).as_bytes());
        Attempt {
            name: text(row.name),
            user: text(row.user),
            partition: text(row.partition),
            node_list: text(row.node_list),
            places: Places {
                work_dir: text(row.places.work_dir),
                submit_line: text(row.places.submit_line),
                stdout: text(row.places.stdout),
                stderr: text(row.places.stderr),
            },
            ..*row
        }
    }

    /// Notes that something is the matter.
    pub(super) fn problem(&mut self, what: String) {
        self.problems.push(Problem { about: "sacct".into(), what });
    }

    pub(super) fn intern(&mut self, bytes: &[u8]) -> Text {
        self.texts.intern(bytes)
    }

    pub(super) fn push(&mut self, attempt: Attempt) -> usize {
        self.attempts.push(attempt);
        self.attempts.len() - 1
    }

    pub(super) fn attempt_mut(&mut self, index: usize) -> Option<&mut Attempt> {
        self.attempts.get_mut(index)
    }
}

/// Texts, each kept once; number zero is the empty one.
#[derive(Debug, Clone)]
struct Texts {
    /// All of them one after the other: a million names are one allocation.
    all: String,
    /// Where each ends.
    ends: Vec<usize>,
    /// The number of the text with this hash. Two texts of one hash, which
    /// nobody can plan, cost a second number for one of them.
    numbers: HashMap<u64, Text>,
    hashes: RandomState,
    /// The numbers handed out last: in accounting the next row mostly repeats them.
    recent: [Text; 4],
}

impl Default for Texts {
    fn default() -> Texts {
        Texts {
            all: String::new(),
            ends: vec![0],
            numbers: HashMap::new(),
            hashes: RandomState::new(),
            recent: [Text(0); 4],
        }
    }
}

impl Texts {
    fn get(&self, text: Text) -> &str {
        let at = text.0 as usize;
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.ends.get(at).and_then(|end| self.all.get(start..*end)).unwrap_or("")
    }

    fn intern(&mut self, bytes: &[u8]) -> Text {
        if bytes.is_empty() {
            return Text(0);
        }
        for text in self.recent {
            if self.get(text).as_bytes() == bytes {
                return text;
            }
        }
        // Bytes that are no UTF-8 are looked up as what they become.
        let new = String::from_utf8_lossy(bytes);
        let hash = self.hashes.hash_one(new.as_bytes());
        let number = match self.numbers.get(&hash) {
            Some(number) if self.get(*number) == new => *number,
            _ => {
                let number = Text(self.ends.len() as u32);
                self.all.push_str(&new);
                self.ends.push(self.all.len());
                self.numbers.insert(hash, number);
                number
            }
        };
        self.recent.rotate_right(1);
        self.recent[0] = number;
        number
    }
}
