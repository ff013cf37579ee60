use std::fmt;
use std::str::FromStr;

use super::{NotA, serde_as_text};

/// A Slurm job id as people and logs write it: `123`, `123_4`, `123+1`.
///
/// For an array task the base is the array's id, not the raw id of the task;
/// for a part of a heterogeneous job it is the leader's id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(with = "String"))]
pub struct JobId {
    /// The number before any `_` or `+`.
    pub base: u32,
    /// Which part of the job.
    pub part: Part,
}

/// The part of a job that an id names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// All of it.
    Whole,
    /// An array task, by its index.
    Task(u32),
    /// A component of a heterogeneous job, by its offset.
    Component(u32),
}

impl JobId {
    /// The id of a whole job.
    pub fn whole(base: u32) -> JobId {
        JobId { base, part: Part::Whole }
    }

    /// The id of an array task.
    pub fn task(base: u32, index: u32) -> JobId {
        JobId { base, part: Part::Task(index) }
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Part::Whole => write!(f, "{}", self.base),
            Part::Task(index) => write!(f, "{}_{index}", self.base),
            Part::Component(offset) => write!(f, "{}+{offset}", self.base),
        }
    }
}

impl FromStr for JobId {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let number = |digits: &str| {
            // `parse` alone would take a leading plus.
            (!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
                .then(|| digits.parse::<u32>().ok())
                .flatten()
        };
        let id = if let Some((base, index)) = text.split_once('_') {
            number(base).zip(number(index)).map(|(base, index)| JobId::task(base, index))
        } else if let Some((base, offset)) = text.split_once('+') {
            number(base)
                .zip(number(offset))
                .map(|(base, offset)| JobId { base, part: Part::Component(offset) })
        } else {
            number(text).map(JobId::whole)
        };
        id.ok_or_else(|| NotA::new("Slurm job id", text))
    }
}

serde_as_text!(JobId);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_print_as_they_were_read() {
        for text in ["1", "123_4", "123+0", "4294967295_2147483647"] {
            assert_eq!(text.parse::<JobId>().unwrap().to_string(), text);
        }
        for text in ["", "_4", "1_", "1_[2-3]", "+1", "1_+2", "-1", "1.batch", "4294967296"] {
            assert!(text.parse::<JobId>().is_err(), "{text:?}");
        }
    }
}
