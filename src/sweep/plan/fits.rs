//! What fits on the cluster now.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Setup;
use crate::cluster::Node;
use crate::terms::Known;

/// Room for tasks in one partition on one type of GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Fit {
    /// The partition.
    pub partition: String,
    /// Slurm's name of the GPU type; empty where the site names none.
    #[serde(rename = "type")]
    pub kind: String,
    /// GPUs that a job could have now; `None` where the source does not say.
    pub free: Option<u32>,
    /// Tasks of this sweep that would find room on single nodes; `None` if that
    /// is unknown.
    pub tasks: Option<u32>,
}

/// Room by partition and type, in the partitions that the sweep asks for.
///
/// A node counts in each of its partitions, so the rows must not be added up.
pub(super) fn fits(setup: &Setup) -> Known<Vec<Fit>> {
    if setup.gpus == Some(0) {
        return Known::NotApplicable("its tasks ask for no GPU".to_owned());
    }
    setup.nodes.as_ref().map(|nodes| rows(setup, nodes))
}

/// Free GPUs, and tasks that they take.
type Room = (Option<u32>, Option<u32>);

fn rows(setup: &Setup, nodes: &[Node]) -> Vec<Fit> {
    let mut rows: BTreeMap<(&str, &str), Room> = BTreeMap::new();
    for node in nodes {
        let wanted = |name: &&String| setup.partitions.is_empty() || setup.partitions.contains(name);
        for partition in node.partitions.iter().filter(wanted) {
            for gpus in &node.gpus {
                let (free, tasks) = rows.entry((partition, &gpus.kind)).or_insert((Some(0), Some(0)));
                if !node.is_available() {
                    continue;
                }
                let here = gpus.used.map(|used| gpus.total.saturating_sub(used));
                let room = here.zip(setup.gpus).map(|(here, each)| here / each.max(1));
                *free = free.zip(here).map(|(sum, here)| sum.saturating_add(here));
                *tasks = tasks.zip(room).map(|(sum, room)| sum.saturating_add(room));
            }
        }
    }
    let row = |((partition, kind), (free, tasks)): ((&str, &str), _)| Fit {
        partition: partition.to_owned(),
        kind: kind.to_owned(),
        free,
        tasks,
    };
    rows.into_iter().map(row).collect()
}
