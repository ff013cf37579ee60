use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::terms::{Digest, Hasher, NotA, Seconds, Time};

/// What part an event plays in the end of a job.
///
/// Source: `reference/slurm.md` 6.2; the words are those of NVRx's taxonomy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May be the cause.
    Root,
    /// Follows from a cause elsewhere: another rank, a worker.
    Cascade,
    /// Somebody clears up after the end.
    Teardown,
    /// Says something about the cause, and proves nothing alone.
    Evidence,
    /// Trouble that by itself ends no job.
    Warning,
    /// Harmless, although it looks otherwise.
    Noise,
    /// No trouble: a fact about the job.
    Info,
}

impl Role {
    /// Reads a role of the table: a word, with `?` behind it where the role is
    /// given up as soon as something better is known. The second value is true
    /// for those.
    pub fn read(text: &str) -> Option<(Role, bool)> {
        let word = text.trim_end_matches('?');
        let role = match word {
            "root" => Role::Root,
            "cascade" => Role::Cascade,
            "teardown" => Role::Teardown,
            "evidence" => Role::Evidence,
            "warning" => Role::Warning,
            "noise" => Role::Noise,
            "info" => Role::Info,
            _ => return None,
        };
        (text.len() - word.len() <= 1).then_some((role, text.len() > word.len()))
    }
}

/// What a class of causes allows for the job itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Resume from the newest whole checkpoint.
    Resume,
    /// Once, on other nodes; a repetition means something else.
    Once,
    /// Resume after a change of the request or the settings.
    AfterChange,
    /// Not before code, data or environment are mended.
    FixFirst,
    /// Submit the same again.
    Resubmit,
    /// It follows from a cause elsewhere: do what that one asks for.
    ByCause,
    /// Ask whoever did it.
    Ask,
    /// Nothing: it is no failure, or it comes back by itself.
    Nothing,
}

impl Retry {
    /// What it allows, in a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Retry::Resume => "resume",
            Retry::Once => "once more",
            Retry::AfterChange => "after a change",
            Retry::FixFirst => "fix first",
            Retry::Resubmit => "submit again",
            Retry::ByCause => "by its cause",
            Retry::Ask => "ask",
            Retry::Nothing => "nothing to do",
        }
    }
}

/// What makes two failures similar: a digest over class, exception type,
/// normalised text and deepest own frame, as 16 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of these four; a part that is not known is empty.
    pub fn of(class: &str, exception: Option<&str>, normal: &str, frame: Option<&str>) -> Fingerprint {
        let mut hasher = Hasher::default();
        for part in [class, exception.unwrap_or_default(), normal, frame.unwrap_or_default()] {
            hasher.field(part.as_bytes());
        }
        let digest: Digest = hasher.finish();
        Fingerprint(digest.to_string()[..16].to_owned())
    }

    /// The hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let is_one = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_one { Ok(Fingerprint(text.to_owned())) } else { Err(NotA::new("fingerprint", text)) }
    }
}

/// Something that a log says about the end of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Finding {
    /// The id of the pattern that found it.
    pub pattern: String,
    /// The class of the cause: `cuda-oom`, `time-limit`, ...
    pub class: String,
    /// The part that it plays, after everything around it was looked at.
    pub role: Role,
    /// The line, counted from 1 by newlines alone; `None` if the part of the
    /// file before it was not read.
    pub line: Option<u64>,
    /// Where `text` begins in the file, in bytes.
    pub offset: u64,
    /// The line's text around the event, without what a launcher puts before
    /// it, at most 400 characters, raw.
    pub text: String,
    /// The raw job id that stands in its own text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<u32>,
    /// The attempt to which it belongs; 0 is the oldest in the file.
    pub attempt: u32,
    /// The type of a Python exception, without its module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exception: Option<String>,
    /// The deepest frame of the project's own code, as `file:function`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<String>,
    /// True if the job went on after it, or its line says that it was dealt with.
    #[serde(default, skip_serializing_if = "is_false")]
    pub survived: bool,
    /// Why it does not count, if it does not: a line of Slurm's that names
    /// another job may have been printed by the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_aside: Option<String>,
    /// What makes similar failures similar.
    pub fingerprint: Fingerprint,
    /// The text without numbers, paths, ids and hosts.
    pub normal: String,
    /// How often it stands in this attempt.
    pub count: u64,
}

/// Part of a file that belongs to one attempt of one job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AttemptSpan {
    /// 0 is the oldest in the file.
    pub number: u32,
    /// The raw job id that the attempt's own text names.
    pub job: Option<u32>,
    /// The offset of its first byte.
    pub from: u64,
    /// The offset after its last byte.
    pub to: u64,
}

/// A part of a file that was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Unread {
    /// The offset of its first byte.
    pub from: u64,
    /// The offset after its last byte.
    pub to: u64,
}

/// What one log says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Reading {
    /// The file.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Its size when it was read, in bytes.
    pub size: u64,
    /// When it was last written to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Time>,
    /// The earliest cause of the newest attempt; `None` if there is none.
    pub root: Option<Finding>,
    /// A cause in another part of the file, if the newest attempt of the job that
    /// was asked for has none, and nothing says that the part is an earlier
    /// attempt of that job: then the cause is not certain. It is among `others`, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Box<Finding>>,
    /// Everything else that was found, noise aside, in the order of the file.
    pub others: Vec<Finding>,
    /// How many more kinds of events there were than `others` holds.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
    /// The attempts in the file, oldest first.
    pub attempts: Vec<AttemptSpan>,
    /// What was not read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<Unread>,
    /// How far the newest attempt came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Runs and checkpoints that the log names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<Mention>,
}

impl Reading {
    /// The root and everything else, in the order of the file.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        let at = self.root.as_ref().map_or(0, |root| root.offset);
        let (before, after) = self.others.split_at(self.others.partition_point(|other| other.offset < at));
        before.iter().chain(&self.root).chain(after)
    }
}

/// How far a training came, by the newest of what its log says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Progress {
    /// The epoch, counted as the log counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<f64>,
    /// The epochs that were asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// The step, counted as the log counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// The steps that were asked for: in all, or of this epoch where the log
    /// counts within epochs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The last finite training loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Steps per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The time to the end, as the log says or as rate and target give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Seconds>,
    /// The part that is done, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// The format that was recognised: `hf-trainer`, `lightning`, `tqdm`,
    /// `plain`, `json`, `keras`.
    pub format: String,
    /// Where in the file the newest of it stands, in bytes.
    pub offset: u64,
    /// Step and loss over the attempt, at most 200 points.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub series: Vec<Point>,
    /// What is wrong with the numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Trouble>,
}

/// One point of a curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Point {
    /// The step, or the number of the point where the log counts no steps.
    pub step: u64,
    /// The loss; finite.
    pub loss: f64,
}

/// What is wrong with the numbers of a training; none of it is a failure.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "trouble", rename_all = "snake_case")]
pub enum Trouble {
    /// A loss or a gradient is no number any more.
    Nan {
        /// The first step of which that is known.
        since_step: Option<u64>,
        /// The line.
        text: String,
        /// Its number, if it is known.
        line: Option<u64>,
        /// Its offset in bytes.
        offset: u64,
    },
    /// The loss grew far over its best and stays there.
    Diverged {
        /// The step of the best loss.
        since_step: Option<u64>,
        /// The numbers, in words.
        text: String,
    },
    /// The loss has not become better for a long part of the run.
    Plateau {
        /// The step of the last gain.
        since_step: Option<u64>,
        /// The numbers, in words.
        text: String,
    },
}

/// A run or a file that a log names. Raw text: nothing says that it is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "mention", rename_all = "snake_case")]
pub enum Mention {
    /// The id of a W&B run.
    WandbRun {
        /// The id.
        id: String,
    },
    /// The page of a W&B run.
    WandbUrl {
        /// The URL.
        url: String,
    },
    /// The folder of a W&B run.
    WandbDir {
        /// The path, as the log gives it.
        path: String,
    },
    /// A checkpoint was written.
    CheckpointSaved {
        /// The path, as the log gives it.
        path: String,
        /// Where the log says so, in bytes.
        offset: u64,
    },
    /// The run went on from a checkpoint.
    ResumedFrom {
        /// The path, as the log gives it.
        path: String,
        /// Where the log says so, in bytes.
        offset: u64,
    },
}

/// Which job's log is wanted, as far as that is known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The job's id, or that of its array.
    pub base: u32,
    /// The index in the array.
    pub task: Option<u32>,
    /// The raw id, which the job's own messages carry.
    pub raw: Option<u32>,
    /// The job's name.
    pub name: String,
    /// Whose job it is.
    pub user: Option<String>,
    /// Where it was submitted.
    pub work_dir: Option<PathBuf>,
    /// Standard output as Slurm tells it; may hold `%A`, `%a`, `%j`, `%x`, `%u`, `%N`.
    pub stdout: Option<PathBuf>,
    /// The first node.
    pub node: Option<String>,
    /// True for a heterogeneous job, whose components have ids of their own and
    /// may write to one log.
    pub is_heterogeneous: bool,
}

impl Identity {
    /// The id that the job's own messages carry, if it is known and the only one.
    pub fn raw_id(&self) -> Option<u32> {
        if self.is_heterogeneous {
            return None;
        }
        self.raw.or_else(|| self.task.is_none().then_some(self.base))
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(value: &u64) -> bool {
    *value == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_mark_makes_a_role_give_way() {
        assert_eq!(Role::read("root"), Some((Role::Root, false)));
        assert_eq!(Role::read("cascade?"), Some((Role::Cascade, true)));
        for text in ["", "?", "root??", "Root", "cause"] {
            assert_eq!(Role::read(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_fingerprint_depends_on_each_of_its_parts() {
        let of = |exception, frame| Fingerprint::of("code", exception, "KeyError: _", frame);
        let one = of(Some("KeyError"), Some("train.py:main"));
        assert_ne!(one, of(None, Some("train.py:main")));
        assert_ne!(one, of(Some("KeyError"), None));
        assert_ne!(Fingerprint::of("ab", None, "c", None), Fingerprint::of("a", None, "bc", None));
        assert_eq!(one.to_string().parse(), Ok(one));
        assert!("xyz".parse::<Fingerprint>().is_err());
    }
}
