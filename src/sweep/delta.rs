use serde::{Deserialize, Serialize};

use super::{Look, Members, Outcome};
use crate::cluster::State;
use crate::safety::escape;
use crate::terms::TaskIds;

/// What changed in a sweep from one look to a later one.
///
/// A task is in one list, but for `requeued`: a task that was requeued and then
/// failed is in both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Delta {
    /// True if the id now belongs to a job of another name: nothing else is said then.
    pub id_reused: bool,
    /// Tasks that are new: submitted since, or not seen before.
    pub added: Members,
    /// Tasks that wait no more and run.
    pub started: Members,
    /// Tasks that ended well since.
    pub completed: Members,
    /// Tasks that failed since, by how.
    pub failed: Vec<Change>,
    /// Tasks that were cancelled or preempted since, by how.
    pub stopped: Vec<Change>,
    /// Tasks that were started again, or were finished or running and wait again.
    pub requeued: Members,
    /// Tasks that were live and that neither queue nor accounting know now.
    pub gone: Members,
    /// Tasks that had ended and are not seen any more: older than the window of
    /// accounting. No change.
    pub forgotten: Members,
}

/// Tasks that now have one outcome.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Change {
    /// What they are now.
    pub now: Outcome,
    /// Which tasks.
    pub tasks: Members,
}

impl Delta {
    /// What changed from `then` to `now`, two looks at the sweep of one key;
    /// `None` means that it is not seen at all any more.
    pub fn between(then: &Look, now: Option<&Look>) -> Delta {
        let nothing = Look::default();
        let mut delta = Delta::default();
        let now = now.unwrap_or(&nothing);
        if !now.name.is_empty() && !same_name(&then.name, &now.name) {
            delta.id_reused = true;
            return delta;
        }
        let (seen, known) = (now.all(), then.all());
        delta.added = Members(seen.difference(&known));
        let mut requeued = more_attempts(then, now, &known);
        for (outcome, members) in &then.tasks {
            let missing = members.0.difference(&seen);
            let side = if outcome.state.is_finished() { &mut delta.forgotten } else { &mut delta.gone };
            side.0 = side.0.union(&missing);
        }
        for (outcome, members) in &now.tasks {
            for (before, tasks) in then.tasks.iter().filter(|(before, _)| *before != outcome) {
                let tasks = tasks.0.intersection(&members.0);
                if !tasks.is_empty() {
                    delta.moved(before.state, *outcome, tasks, &mut requeued);
                }
            }
        }
        delta.requeued = Members(requeued);
        delta
    }

    /// True if nothing changed.
    pub fn is_empty(&self) -> bool {
        let Delta { id_reused, added, started, completed, failed, stopped, requeued, gone, forgotten: _ } =
            self;
        let lists = [added, started, completed, requeued, gone];
        !id_reused && failed.is_empty() && stopped.is_empty() && lists.iter().all(|list| list.is_empty())
    }

    fn moved(&mut self, before: State, now: Outcome, tasks: TaskIds, requeued: &mut TaskIds) {
        let state = now.state;
        if state.is_live() && (before.is_finished() || before.is_running() && state.is_waiting()) {
            *requeued = requeued.union(&tasks);
        } else if state == State::Completed {
            self.completed.0 = self.completed.0.union(&tasks);
        } else if state.is_failure() {
            change(&mut self.failed, now, &tasks);
        } else if state.is_finished() {
            change(&mut self.stopped, now, &tasks);
        } else if state.is_running() && before.is_waiting() {
            self.started.0 = self.started.0.union(&tasks);
        }
    }
}

fn change(list: &mut Vec<Change>, now: Outcome, tasks: &TaskIds) {
    match list.iter_mut().find(|change| change.now == now) {
        Some(change) => change.tasks.0 = change.tasks.0.union(tasks),
        None => list.push(Change { now, tasks: Members(tasks.clone()) }),
    }
}

/// The tasks of both looks that have more attempts now than then.
fn more_attempts(then: &Look, now: &Look, known: &TaskIds) -> TaskIds {
    let mut more = TaskIds::default();
    for (count, members) in &now.attempts {
        let as_many = then.attempts.range(count..).fold(TaskIds::default(), |all, (_, m)| all.union(&m.0));
        more = more.union(&members.0.intersection(known).difference(&as_many));
    }
    more
}

/// True if two sources may mean one name: accounting stores a double quote as a
/// backtick, documents store names escaped, and both they and fixed columns cut.
fn same_name(one: &str, other: &str) -> bool {
    let plain = |name: &str| escape(name).trim_end_matches('…').replace('"', "`");
    let (one, other) = (plain(one), plain(other));
    const CUT_AT: usize = 29;
    one == other
        || (one.starts_with(&other) && other.len() >= CUT_AT)
        || (other.starts_with(&one) && one.len() >= CUT_AT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn look(tasks: &[(&str, &str)], attempts: &[(u32, &str)]) -> Look {
        let members = |list: &str| Members(list.parse().unwrap());
        Look {
            key: "7".into(),
            name: "lr".into(),
            tasks: tasks.iter().map(|(outcome, list)| (outcome.parse().unwrap(), members(list))).collect(),
            attempts: attempts.iter().map(|(count, list)| (*count, members(list))).collect(),
        }
    }

    #[test]
    fn each_change_is_named() {
        let then = look(
            &[("COMPLETED 0:0", "0-3"), ("FAILED 1:0", "4"), ("RUNNING", "5-9,20"), ("PENDING", "10-15")],
            &[(2, "5")],
        );
        let now = look(
            &[
                ("COMPLETED 0:0", "1-3,5"),
                ("FAILED 1:0", "6"),
                ("FAILED 0:9", "7"),
                ("CANCELLED 0:0", "8"),
                ("RUNNING", "4,10-12"),
                ("PENDING", "9,13-15,30"),
            ],
            &[(2, "4,6"), (3, "5")],
        );
        let delta = Delta::between(&then, Some(&now));
        let text = serde_json::to_string(&delta).unwrap();
        assert_eq!(
            text,
            r#"{"id_reused":false,"added":"30","started":"10-12","completed":"5","failed":[{"now":"FAILED 0:9","tasks":"7"},{"now":"FAILED 1:0","tasks":"6"}],"stopped":[{"now":"CANCELLED 0:0","tasks":"8"}],"requeued":"4-6,9","gone":"20","forgotten":"0"}"#
        );
        assert_eq!(serde_json::from_str::<Delta>(&text).unwrap(), delta);
        assert!(!delta.is_empty());
    }

    #[test]
    fn a_sweep_that_is_not_seen_any_more_has_gone_as_far_as_it_lived() {
        let then = look(&[("COMPLETED 0:0", "0-3"), ("RUNNING", "4")], &[]);
        let delta = Delta::between(&then, None);
        assert_eq!((delta.gone.to_string(), delta.forgotten.to_string()), ("4".into(), "0-3".into()));
        let done = look(&[("COMPLETED 0:0", "0-3")], &[]);
        assert!(Delta::between(&done, None).is_empty(), "what is older than the window did not change");
    }

    #[test]
    fn an_id_that_was_used_again_says_nothing_of_the_old_sweep() {
        let then = look(&[("RUNNING", "0-3")], &[]);
        let now = Look { name: "other".into(), ..look(&[("FAILED 1:0", "0-3")], &[]) };
        assert_eq!(Delta::between(&then, Some(&now)), Delta { id_reused: true, ..Delta::default() });
        assert!(same_name("we\"ird", "we`ird"));
        assert!(same_name("\\x1b[2J", "\u{1b}[2J"), "a document stores names escaped");
        assert!(same_name(&format!("{}…", "n".repeat(119)), &"n".repeat(200)), "and cut");
        assert!(!same_name("train", "train_2"));
    }

    const OUTCOMES: [&str; 5] = ["COMPLETED 0:0", "FAILED 1:0", "CANCELLED 0:0", "RUNNING", "PENDING"];

    fn some_look() -> impl Strategy<Value = Look> {
        proptest::collection::vec(0usize..6, 0..30).prop_map(|choices| {
            let mut look = Look { key: "7".into(), name: "lr".into(), ..Look::default() };
            for (task, choice) in choices.into_iter().enumerate() {
                // The sixth choice is a task that is not seen.
                if let Some(outcome) = OUTCOMES.get(choice) {
                    let members = look.tasks.entry(outcome.parse().unwrap()).or_default();
                    members.0.push(task as u32);
                }
            }
            look
        })
    }

    proptest! {
        #[test]
        fn a_look_against_itself_has_no_change(look in some_look()) {
            prop_assert_eq!(Delta::between(&look, Some(&look)), Delta::default());
            let stored = serde_json::to_string(&look).unwrap();
            prop_assert_eq!(serde_json::from_str::<Look>(&stored).unwrap(), look);
        }

        #[test]
        fn every_task_that_changed_is_in_exactly_one_list(then in some_look(), now in some_look()) {
            let delta = Delta::between(&then, Some(&now));
            let lists = [&delta.added, &delta.started, &delta.completed, &delta.requeued, &delta.gone,
                &delta.forgotten].into_iter().cloned()
                .chain(delta.failed.iter().chain(&delta.stopped).map(|change| change.tasks.clone()));
            let mut told: Vec<u32> = lists.flat_map(|list| list.0.iter().collect::<Vec<_>>()).collect();
            told.sort_unstable();
            let of = |look: &Look, task: u32| {
                look.tasks.iter().find(|(_, list)| list.0.contains(task)).map(|(outcome, _)| *outcome)
            };
            let changed: Vec<u32> = (0..30).filter(|task| of(&then, *task) != of(&now, *task)).collect();
            prop_assert_eq!(told, changed);
        }
    }
}
