//! Nodes that are out of service, and for which tasks wait.

use serde::{Deserialize, Serialize};

use super::expand_nodes;
use crate::cluster::Node;
use crate::safety::one_line;
use crate::terms::{Known, Time};

/// So many nodes are named.
const MOST: usize = 8;

/// A node that is out of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Outage {
    /// The node, or several in Slurm's form.
    pub node: String,
    /// Its state in Slurm's words, joined by `+`; empty if it was not read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub state: String,
    /// Why, as whoever took it out said it; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// Since when; `None` if that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// The nodes that Slurm's reason for waiting names, without those that are back
/// by now; where it only says that a node is down, those of the job's partitions.
pub fn outages(reason: &str, partitions: &[&str], nodes: &Known<Vec<Node>>) -> Vec<Outage> {
    let nodes = nodes.known().map_or(&[][..], Vec::as_slice);
    let mut found: Vec<Outage> = if let Some(list) = named(reason) {
        let names = match expand_nodes(list) {
            names if names.is_empty() => vec![list.to_owned()],
            names => names,
        };
        let is_out = |name: String| match nodes.iter().find(|node| node.name == name) {
            Some(node) => node.is_out_of_service().then(|| Outage::of(node)),
            None => Some(Outage { node: name, state: String::new(), reason: String::new(), since: None }),
        };
        names.into_iter().filter_map(is_out).collect()
    } else if reason.eq_ignore_ascii_case("NodeDown") {
        let is_own = |node: &&Node| node.partitions.iter().any(|own| partitions.contains(&own.as_str()));
        nodes.iter().filter(is_own).filter(|node| node.is_out_of_service()).map(Outage::of).collect()
    } else {
        Vec::new()
    };
    found.truncate(MOST);
    found
}

/// The nodes in `ReqNodeNotAvail, UnavailableNodes:gpu[01-03]`, in whatever form
/// a release writes that.
fn named(reason: &str) -> Option<&str> {
    let (_, rest) = reason.split_once("Unavailable")?;
    let (_, list) = rest.split_once(':')?;
    let list = list.split([')', ' ', '_']).next().unwrap_or_default();
    Some(list).filter(|list| !list.is_empty())
}

impl Outage {
    fn of(node: &Node) -> Outage {
        Outage {
            node: node.name.clone(),
            state: node.state.join("+"),
            reason: node.reason.clone(),
            since: node.since,
        }
    }

    /// It in words; what comes from outside is escaped.
    pub fn in_words(&self) -> String {
        let state = match self.state.as_str() {
            "" => "its state was not read".to_owned(),
            state => one_line(state, 60),
        };
        let since = self.since.map(|since| format!(" since {since}")).unwrap_or_default();
        let why = match self.reason.as_str() {
            "" => String::new(),
            why => format!(", {}", one_line(why, 80)),
        };
        format!("{} ({state}{since}{why})", one_line(&self.node, 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(name: &str, state: &[&str]) -> Node {
        Node {
            name: name.to_owned(),
            partitions: vec!["ai".to_owned()],
            state: state.iter().map(|flag| (*flag).to_owned()).collect(),
            reason: "bad fan".to_owned(),
            since: Time::from_unix(1_795_252_525),
            gpus: Vec::new(),
            memory: None,
        }
    }

    #[test]
    fn the_nodes_that_a_reason_names_are_told_with_their_states() {
        let nodes = Known::Known(vec![node("gpu01", &["DOWN", "NOT_RESPONDING"]), node("gpu02", &["IDLE"])]);
        let words = |reason: &str, nodes: &Known<Vec<Node>>| -> Vec<String> {
            outages(reason, &["ai"], nodes).iter().map(Outage::in_words).collect()
        };
        let first = "gpu01 (DOWN+NOT_RESPONDING since 2026-11-21T09:15:25Z, bad fan)";
        let third = "gpu03 (its state was not read)";
        for reason in [
            "ReqNodeNotAvail, UnavailableNodes:gpu[01-03]",
            "ReqNodeNotAvail,_UnavailableNodes:gpu[01-03]",
            "ReqNodeNotAvail(Unavailable:gpu[01-03])",
        ] {
            assert_eq!(words(reason, &nodes), [first, third], "{reason}: gpu02 is back");
        }
        assert_eq!(words("NodeDown", &nodes), [first]);
        let unread = Known::Unknown("not asked".to_owned());
        assert_eq!(words("ReqNodeNotAvail, UnavailableNodes:gpu01", &unread).len(), 1);
        for none in ["ReqNodeNotAvail, UnavailableNodes:", "ReqNodeNotAvail", "Priority", ""] {
            assert_eq!(words(none, &nodes), [""; 0], "{none}");
        }
        assert_eq!(words("ReqNodeNotAvail, UnavailableNodes:gpu[1-", &unread).len(), 1);
    }
}
