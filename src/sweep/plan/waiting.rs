//! What Slurm can still be told about tasks that wait.

use std::collections::BTreeSet;

use super::build::is_node_list;
use super::{Setup, Subject, Where};
use crate::sweep;
use crate::terms::TaskIds;

/// A remark on nodes where tasks failed and that those which wait may be given
/// next: they were submitted before anybody knew, so no line of the plan names
/// the nodes for them.
pub(super) fn keep_off(setup: &Setup, subjects: &[Subject]) -> Option<String> {
    let blamed = setup.causes.iter().filter(|cause| cause.spread == Where::OneNode);
    let nodes: BTreeSet<&str> =
        blamed.filter_map(|cause| cause.node.as_deref()).filter(|node| is_node_list(node)).collect();
    let waits = |one: &&Subject| one.state.is_waiting() && setup.to_cancel(one.member).is_none();
    let tasks: TaskIds = subjects.iter().filter(waits).map(|one| one.member).collect();
    let array = setup.key.parse::<u32>().ok().filter(|_| setup.kind == sweep::Kind::Array)?;
    if nodes.is_empty() || tasks.is_empty() {
        return None;
    }
    let nodes = nodes.into_iter().collect::<Vec<_>>().join(",");
    Some(format!(
        "tasks {tasks} wait, and Slurm may give them {nodes}, where others failed: \
         scontrol update JobId={array} ExcNodeList={nodes} keeps what waits off there, in place of any list that \
         it has; of tasks that run it complains, and leaves them alone"
    ))
}

#[cfg(test)]
mod tests {
    use super::super::Seen;
    use super::*;
    use crate::cluster::State;
    use crate::joblog::Retry;
    use crate::terms::JobId;

    #[test]
    fn what_waits_is_kept_off_a_node_that_is_to_blame_and_off_no_other() {
        let cause = |node: &str, spread| Seen {
            class: "hardware".to_owned(),
            retry: Retry::Resume,
            sentence: String::new(),
            action: String::new(),
            node: Some(node.to_owned()),
            spread,
            open: false,
        };
        let causes = vec![cause("gpu02", Where::OneNode), cause("gpu05", Where::Scattered)];
        let setup = Setup { causes, ..Setup::of("482", sweep::Kind::Array) };
        let of = |member, state| Subject { state, ..Subject::of(member, JobId::task(482, member)) };
        let subjects = [of(1, State::Running), of(3, State::Pending), of(4, State::Pending)];
        let told = keep_off(&setup, &subjects).unwrap();
        assert!(
            told.starts_with("tasks 3,4 wait") && told.contains("JobId=482 ExcNodeList=gpu02 keeps"),
            "{told}"
        );
        assert_eq!(keep_off(&setup, &subjects[..1]), None);
        let hostile = Setup { causes: vec![cause("gpu02;id", Where::OneNode)], ..setup.clone() };
        assert_eq!(keep_off(&hostile, &subjects), None);
        let unbound = Setup { causes: vec![cause("gpu05", Where::Scattered)], ..setup };
        assert_eq!(keep_off(&unbound, &subjects), None);
    }
}
