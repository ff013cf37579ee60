//! How long a job may run in which partition.

use std::collections::BTreeMap;

use super::local::Asker;
use super::problems::Problems;
use crate::terms::{Known, Seconds};

/// The longest time of a job by partition; `None` is without end.
pub type TimeLimits = BTreeMap<String, Option<Seconds>>;

/// Asks for all partitions: one question.
pub(super) fn ask(asker: &Asker) -> Known<TimeLimits> {
    let spawn = asker.spawn("scontrol").args(["show", "partition", "-o"]);
    match asker.ask("scontrol show partition", spawn, &mut Problems::default()) {
        Ok(finished) => match read(&finished.text()) {
            limits if limits.is_empty() => Known::Unknown("scontrol shows no partition".to_owned()),
            limits => Known::Known(limits),
        },
        Err(nothing) => nothing.known(),
    }
}

/// Reads `scontrol show partition`, in one line each or in paragraphs.
fn read(text: &str) -> TimeLimits {
    let mut limits = TimeLimits::new();
    let mut name = None;
    for word in text.split_whitespace() {
        match word.split_once('=') {
            Some(("PartitionName", own)) => name = Some(own.to_owned()),
            Some(("MaxTime", "UNLIMITED" | "INFINITE")) => {
                limits.extend(name.take().map(|name| (name, None)));
            }
            Some(("MaxTime", time)) => {
                limits.extend(
                    name.take().zip(Seconds::from_slurm(time).ok()).map(|(name, most)| (name, Some(most))),
                );
            }
            _ => {}
        }
    }
    limits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_time_of_each_partition_is_read_in_both_forms() {
        let text = "PartitionName=ai AllowGroups=ALL DefaultTime=01:00:00 MaxNodes=1 MaxTime=1-00:00:00 MinNodes=0\n\
                    PartitionName=long\n   AllowGroups=ALL\n   MaxTime=UNLIMITED State=UP\n\
                    PartitionName=odd MaxTime=soon\n";
        let limits: Vec<(String, Option<u64>)> =
            read(text).into_iter().map(|(name, most)| (name, most.map(|most| most.0))).collect();
        assert_eq!(limits, [("ai".to_owned(), Some(86_400)), ("long".to_owned(), None)]);
        assert!(read("").is_empty() && read("No partitions in the system").is_empty());
    }
}
