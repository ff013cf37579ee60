use serde::{Deserialize, Serialize};

/// A node of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: String,
    /// The partitions that it belongs to.
    pub partitions: Vec<String>,
    /// Its base state and flags, such as `IDLE`, `MIXED`, `DRAIN`.
    pub state: Vec<String>,
    /// Why it is drained or down; empty if nothing is known.
    pub reason: String,
    /// Its GPUs by type.
    pub gpus: Vec<Gpus>,
}

/// The GPUs of one type on one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
        const USABLE: [&str; 5] = ["IDLE", "MIXED", "ALLOCATED", "CLOUD", "DYNAMIC_NORM"];
        !self.state.is_empty() && self.state.iter().all(|flag| USABLE.contains(&flag.as_str()))
    }
}
