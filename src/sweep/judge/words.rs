//! Places of failures in words; what comes from outside is escaped.

use super::{Condition, NodeCount, Spread};
use crate::safety::one_line;

/// So many nodes or values are named.
const MOST: usize = 8;

impl Spread {
    /// Where they are, in words.
    pub fn in_words(&self) -> String {
        match self {
            Spread::All => "every task".to_owned(),
            Spread::Nodes { nodes } => {
                let shown: Vec<String> = nodes.iter().take(MOST).map(node).collect();
                let more = nodes.len().saturating_sub(shown.len());
                let more = if more > 0 { format!(" and {more} more nodes") } else { String::new() };
                format!("on {}{more}", shown.join(", "))
            }
            Spread::Corner { conditions, failed, finished } => {
                format!("where {} ({failed} of {finished} there)", corner(conditions))
            }
            Spread::Scattered => "scattered".to_owned(),
            Spread::Single => "one task".to_owned(),
        }
    }
}

fn node(node: &NodeCount) -> String {
    format!("{} ({} of {})", one_line(&node.node, 40), node.failed, node.finished)
}

/// A part of the parameter space: `lr=0.1|0.3 and wd=0`.
pub fn corner(conditions: &[Condition]) -> String {
    let one = |condition: &Condition| {
        let values: Vec<String> =
            condition.values.iter().take(MOST).map(|value| one_line(value, 40)).collect();
        let more = if condition.values.len() > MOST { "|..." } else { "" };
        format!("{}={}{more}", one_line(&condition.parameter, 40), values.join("|"))
    };
    conditions.iter().map(one).collect::<Vec<_>>().join(" and ")
}
