use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::terms::{Bytes, Time};

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The partitions that it belongs to.
    pub partitions: Vec<String>,
    /// Its base state and flags, such as `IDLE`, `MIXED`, `DRAIN`.
    pub state: Vec<String>,
    /// Why it is drained or down; empty if nothing is known.
    pub reason: String,
    /// Since when that is so; `None` if the source does not say, or not in which zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Its GPUs by type.
    pub gpus: Vec<Gpus>,
    /// The memory that jobs can have on it; `None` where the source does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Bytes>,
}

/// The GPUs of one type on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Gpus {
    /// Slurm's name of the type; empty where the site names none.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many there are.
    pub total: u32,
    /// How many are given to jobs; `None` where the source does not say.
    pub used: Option<u32>,
}

impl Node {
    /// True if new work can start here as far as the state says: it answers, is
    /// not drained, not reserved, not planned for somebody else.
    pub fn is_available(&self) -> bool {
        !self.state.is_empty() && self.state.iter().all(|flag| USABLE.contains(&flag.as_str()))
    }

    /// True if it takes no work at all until somebody sees to it: it is down,
    /// drained, failing, or does not answer.
    pub fn is_out_of_service(&self) -> bool {
        self.state.iter().any(|flag| OUT.iter().any(|out| flag.starts_with(out)))
    }

    /// True if it could take work, but the scheduler keeps what is free there
    /// for a job that waits. Releases before 23.11 say so of idle nodes alone.
    fn is_planned(&self) -> bool {
        let flags = || self.state.iter().map(String::as_str);
        flags().any(|flag| flag == "PLANNED")
            && flags().all(|flag| flag == "PLANNED" || USABLE.contains(&flag))
    }
}

/// How the states begin in which a node takes no work.
const OUT: [&str; 6] = ["DOWN", "DRAIN", "FAIL", "NOT_RESPONDING", "ERROR", "MAINT"];
/// States in which a node takes work.
const USABLE: [&str; 6] = ["IDLE", "MIXED", "ALLOCATED", "COMPLETING", "CLOUD", "DYNAMIC_NORM"];

/// The GPUs of one type in one partition.
///
/// A node stands in every partition that it belongs to, so that these counts
/// must not be added over partitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Supply {
    /// The partition.
    pub partition: String,
    /// Slurm's name of the type; empty where the site names none.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many there are.
    pub total: u32,
    /// How many a job could have now: not used, on nodes that take work;
    /// `None` where the source does not say it of every such node.
    pub free: Option<u32>,
    /// How many are not used and kept by the scheduler for a job that waits;
    /// another one gets them only if it ends before.
    pub planned: u32,
    /// How many are on nodes that take no work: drained, down, reserved.
    pub unavailable: u32,
}

/// GPUs by partition and type, in the order of the partitions' names.
pub fn gpus_by_partition(nodes: &[Node]) -> Vec<Supply> {
    supply(nodes.iter().flat_map(|node| node.partitions.iter().map(move |name| (name.as_str(), node))))
}

/// GPUs by type on the whole cluster, each node counted once; the partition is
/// left empty.
pub fn gpus_by_type(nodes: &[Node]) -> Vec<Supply> {
    supply(nodes.iter().map(|node| ("", node)))
}

fn supply<'n>(nodes: impl Iterator<Item = (&'n str, &'n Node)>) -> Vec<Supply> {
    let mut all: BTreeMap<(&str, &str), Supply> = BTreeMap::new();
    for (partition, node) in nodes {
        for gpus in &node.gpus {
            let supply = all.entry((partition, &gpus.kind)).or_insert_with(|| Supply {
                partition: partition.to_owned(),
                kind: gpus.kind.clone(),
                total: 0,
                free: Some(0),
                planned: 0,
                unavailable: 0,
            });
            supply.total = supply.total.saturating_add(gpus.total);
            if node.is_available() {
                let free = gpus.used.map(|used| gpus.total.saturating_sub(used));
                supply.free = supply.free.zip(free).map(|(all, more)| all.saturating_add(more));
            } else if node.is_planned() {
                let unused = gpus.used.map_or(0, |used| gpus.total.saturating_sub(used));
                supply.planned = supply.planned.saturating_add(unused);
            } else {
                supply.unavailable = supply.unavailable.saturating_add(gpus.total);
            }
        }
    }
    all.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_gpus_are_counted_on_nodes_that_take_work() {
        let node = |name: &str, state: &str, used| Node {
            name: name.into(),
            partitions: vec!["ai".into(), "scavenge".into()],
            state: state.split('+').map(str::to_owned).collect(),
            reason: String::new(),
            since: None,
            gpus: vec![Gpus { kind: "a100".into(), total: 4, used }],
            memory: None,
        };
        let mut nodes = vec![node("g1", "MIXED", Some(1)), node("g2", "IDLE+DRAIN", Some(0))];
        let supply = |partition: &str, free, unavailable| Supply {
            partition: partition.into(),
            kind: "a100".into(),
            total: 8,
            free,
            planned: 0,
            unavailable,
        };
        assert_eq!(gpus_by_partition(&nodes), [supply("ai", Some(3), 4), supply("scavenge", Some(3), 4)]);
        assert_eq!(gpus_by_type(&nodes), [supply("", Some(3), 4)]);
        nodes[0].gpus[0].used = None;
        assert_eq!(gpus_by_type(&nodes), [supply("", None, 4)]);
        nodes[0] = node("g1", "MIXED+PLANNED", Some(1));
        assert_eq!(gpus_by_type(&nodes), [Supply { planned: 3, ..supply("", Some(0), 4) }]);
    }
}
