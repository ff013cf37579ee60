use super::change::EACH;
use super::*;
use crate::sweep::Look;

fn memory(tasks: &[(&str, &str)], total: usize) -> Memory {
    let members = |list: &str| Members(list.parse().unwrap());
    let look = Look {
        key: "8".into(),
        name: "lr".into(),
        tasks: tasks.iter().map(|(outcome, list)| (outcome.parse().unwrap(), members(list))).collect(),
        ..Look::default()
    };
    let at = Time::from_unix(1_000_000).unwrap();
    let mut memory = Memory {
        at,
        kind: Kind::Array,
        look,
        total: Some(total),
        finished: 0,
        stuck: BTreeMap::new(),
        standing: None,
        findings: Vec::new(),
        marks: BTreeMap::new(),
        course: Vec::new(),
        results: None,
        again: BTreeMap::new(),
    };
    memory.finished = memory.tasks_in(State::is_finished).len();
    memory
}

fn standing(health: Health, decision: Decision, causes: &[(&str, &str)]) -> Standing {
    let known = |(class, tasks): &(&str, &str)| Known {
        class: (*class).to_owned(),
        fingerprint: String::new(),
        sentence: format!("it was {class}"),
        tasks: Members(tasks.parse().unwrap()),
        place: None,
    };
    Standing {
        health,
        decision,
        reason: Some("because".into()),
        causes: causes.iter().map(known).collect(),
        missing: BTreeSet::new(),
    }
}

fn told(before: Option<&Memory>, now: &Memory) -> Vec<String> {
    changes(before, now).iter().map(|change| serde_json::to_string(change).unwrap()).collect()
}

#[test]
fn two_equal_looks_have_nothing_to_tell() {
    let mut now = memory(&[("RUNNING", "0-3"), ("FAILED 1:0", "4"), ("PENDING", "5-9")], 10);
    now.standing = Some(standing(Health::Degraded, Decision::Watch, &[("cuda-oom", "4")]));
    now.stuck.insert("BadConstraints".into(), Outlook::Never);
    assert_eq!(told(Some(&now), &now), [""; 0]);
}

#[test]
fn each_thing_that_matters_is_told_once() {
    let before = memory(&[("RUNNING", "0-3"), ("PENDING", "4-7")], 8);
    let mut now = memory(&[("COMPLETED 0:0", "0,1"), ("FAILED 1:0", "2"), ("RUNNING", "3-7")], 8);
    now.standing = Some(standing(Health::Degraded, Decision::Watch, &[("cuda-oom", "2")]));
    now.stuck.insert("BadConstraints".into(), Outlook::Never);
    assert_eq!(
        told(Some(&before), &now),
        [
            r#"{"what":"tasks","class":"started","tasks":"4-7"}"#,
            r#"{"what":"tasks","class":"completed","tasks":"0,1"}"#,
            r#"{"what":"tasks","class":"failed","outcome":"FAILED 1:0","tasks":"2"}"#,
            r#"{"what":"stuck","reason":"BadConstraints","outlook":"never"}"#,
            r#"{"what":"cause","cause":{"class":"cuda-oom","sentence":"it was cuda-oom","tasks":"2"},"new":"2","first":true}"#,
            r#"{"what":"health","from":null,"to":"degraded","reason":"because"}"#,
            r#"{"what":"decision","from":null,"to":"watch"}"#,
            r#"{"what":"milestone","percent":25,"finished":3,"total":8}"#,
        ]
    );
    let mut later = now.clone();
    later.standing = Some(standing(Health::Systemic, Decision::Intervene, &[("cuda-oom", "2,3")]));
    if let Some(standing) = &mut later.standing {
        standing.missing.insert("results/1.json".into());
    }
    assert_eq!(
        told(Some(&now), &later),
        [
            r#"{"what":"cause","cause":{"class":"cuda-oom","sentence":"it was cuda-oom","tasks":"2,3"},"new":"3","first":false}"#,
            r#"{"what":"missing","files":["results/1.json"]}"#,
            r#"{"what":"health","from":"degraded","to":"systemic","reason":"because"}"#,
            r#"{"what":"decision","from":"watch","to":"intervene"}"#,
        ]
    );
}

#[test]
fn a_first_look_tells_what_is_there_and_a_new_job_of_the_old_number_starts_anew() {
    let now = memory(&[("RUNNING", "0-3"), ("COMPLETED 0:0", "4")], 5);
    assert_eq!(told(None, &now), [r#"{"what":"seen","tasks":5,"states":{"COMPLETED":1,"RUNNING":4}}"#]);
    let mut other = memory(&[("RUNNING", "0-3")], 4);
    other.look.name = "another".into();
    assert_eq!(told(Some(&now), &other), [r#"{"what":"id_reused"}"#]);
}

#[test]
fn what_a_look_at_the_queue_alone_cannot_know_is_taken_over() {
    let mut before = memory(&[("COMPLETED 0:0", "0-2"), ("FAILED 1:0", "3"), ("RUNNING", "4")], 5);
    before.look.attempts.insert(2, Members("3".parse().unwrap()));
    let mut queue = memory(&[("RUNNING", "4")], 0);
    queue.total = None;
    let now = queue.carried(&before);
    assert_eq!((&now.look, now.finished, now.total), (&before.look, 4, Some(5)));
    assert_eq!(told(Some(&before), &now), [""; 0]);
    // A task that left the queue and that accounting does not know yet.
    let mut empty = Memory { total: None, ..memory(&[], 0) }.carried(&before);
    assert_eq!(told(Some(&before), &empty).len(), 1, "it is gone");
    empty.hold(&"4".parse().unwrap(), &before);
    assert_eq!(told(Some(&before), &empty), [""; 0]);
}

#[test]
fn progress_and_findings_are_told_once_and_of_a_large_sweep_the_first_alone() {
    let course = |members: &[(u32, f64)]| {
        let told = |(member, percent): &(u32, f64)| TaskProgress {
            member: *member,
            percent: Some(*percent),
            ..Default::default()
        };
        members.iter().map(told).collect::<Vec<_>>()
    };
    let finding = |class: &str, tasks: &str| Known {
        class: class.to_owned(),
        fingerprint: String::new(),
        sentence: "so".into(),
        tasks: Members(tasks.parse().unwrap()),
        place: None,
    };
    let look = |total, before: Option<&Memory>, members: &[(u32, f64)], findings: Vec<Known>| {
        let mut now = memory(&[("RUNNING", "0-3")], total);
        now.with_course(course(members), findings);
        match before {
            Some(before) => now.carried(before),
            None => now,
        }
    };
    let marks = |told: &[Change]| -> Vec<String> {
        told.iter()
            .filter_map(|change| match change {
                Change::Progress { mark, tasks, .. } => Some(format!("{} {tasks}", mark.words())),
                Change::Finding { finding, new } => Some(format!("{} {new}", finding.class)),
                _ => None,
            })
            .collect()
    };
    for total in [4, 40] {
        let first = look(total, None, &[(0, 60.0), (1, 30.0)], Vec::new());
        assert_eq!(marks(&changes(None, &first)), ["25 % 1", "50 % 0"]);
        let same = look(total, Some(&first), &[(0, 10.0), (1, 30.0)], Vec::new());
        assert_eq!(marks(&changes(Some(&first), &same)), [""; 0], "started again, or stands still");
        let next = look(total, Some(&same), &[(0, 60.0), (1, 80.0)], Vec::new());
        assert_eq!(marks(&changes(Some(&same), &next)), ["75 % 1"]);
        let last = look(total, Some(&next), &[(0, 80.0), (1, 80.0), (2, 30.0)], Vec::new());
        let all: &[&str] = if total > EACH { &[] } else { &["25 % 2", "75 % 0"] };
        assert_eq!(marks(&changes(Some(&next), &last)), all);
    }
    let first = look(4, None, &[(0, 1.0), (1, 1.0)], vec![finding("nan", "0"), finding("silent", "1")]);
    assert_eq!(marks(&changes(None, &first)), ["nan 0", "silent 1"]);
    let over = look(4, Some(&first), &[(0, 1.0), (1, 1.0)], Vec::new());
    assert_eq!(marks(&changes(Some(&first), &over)), [""; 0]);
    let again = look(4, Some(&over), &[], vec![finding("nan", "0,2"), finding("silent", "1")]);
    assert_eq!(marks(&changes(Some(&over), &again)), ["nan 2", "silent 1"], "what passed may come again");
}

#[test]
fn results_that_lack_are_told_once_for_as_long_as_the_same_lack() {
    let over = |present| Memory {
        results: Some(Expected { expected: 5, present, missing: vec!["results/1".to_owned()] }),
        ..memory(&[("COMPLETED 0:0", "0-4")], 5)
    };
    let told = |before: Option<&Memory>, now: &Memory| {
        let changes = changes(before, now);
        changes.iter().filter(|change| matches!(change, Change::Results { .. })).count()
    };
    assert_eq!(told(None, &over(3)), 1);
    assert_eq!(told(Some(&over(3)), &over(3)), 0);
    assert_eq!(told(Some(&over(3)), &over(4)), 1);
    assert_eq!(told(Some(&over(4)), &over(5)), 0, "all are there");
    assert_eq!(told(None, &over(6)), 0, "or more");
}

#[test]
fn a_memory_that_was_tampered_with_counts_on() {
    let huge = Memory { total: Some(usize::MAX), finished: usize::MAX, ..memory(&[("RUNNING", "0")], 1) };
    assert!(changes(None, &huge).iter().any(|change| matches!(change, Change::Milestone { .. })));
}

#[test]
fn a_memory_survives_being_stored() {
    let mut now = memory(&[("RUNNING", "0-3"), ("COMPLETED 0:0", "4")], 5);
    now.standing = Some(standing(Health::Systemic, Decision::Intervene, &[("time-limit", "1")]));
    let text = serde_json::to_string(&now).unwrap();
    assert_eq!(serde_json::from_str::<Memory>(&text).unwrap(), now);
}
