mod space;

use proptest::prelude::*;

use super::*;
use crate::cluster::Job;
use crate::joblog::{Finding, Fingerprint, Reading, Role};
use crate::sweep::tests::{accounting, snapshot, waiting};
use crate::sweep::{ContradictionKind, LogSeen, sweeps, tasks};
use crate::terms::Known;

/// One task of a sweep to be judged.
#[derive(Debug, Clone)]
struct Made {
    member: u32,
    state: &'static str,
    exit: &'static str,
    node: String,
    elapsed: u32,
    /// Pattern, class and text of its log's root; no log was read without.
    root: Option<(&'static str, &'static str, String)>,
}

fn made(members: std::ops::Range<u32>, state: &'static str, exit: &'static str) -> Vec<Made> {
    let one = |member| Made {
        member,
        state,
        exit,
        node: format!("gpu{:02}", member % 10),
        elapsed: 4000,
        root: None,
    };
    members.map(one).collect()
}

fn failed(
    members: std::ops::Range<u32>,
    pattern: &'static str,
    class: &'static str,
    text: &str,
) -> Vec<Made> {
    let mut made = made(members, "FAILED", "1:0");
    made.iter_mut().for_each(|task| task.root = Some((pattern, class, text.to_owned())));
    made
}

fn finding(pattern: &str, class: &str, text: &str, attempt: u32) -> Finding {
    Finding {
        pattern: pattern.to_owned(),
        class: class.to_owned(),
        role: Role::Root,
        line: Some(40),
        offset: 1000,
        text: text.to_owned(),
        job: None,
        attempt,
        exception: None,
        frame: None,
        survived: false,
        set_aside: None,
        fingerprint: Fingerprint::of(class, None, text, None),
        normal: text.to_owned(),
        count: 1,
    }
}

fn reading(member: u32, root: Option<Finding>) -> LogSeen {
    let path = std::path::PathBuf::from(format!("logs/{member}.out"));
    LogSeen {
        files: vec![path.clone()],
        reading: Reading {
            path,
            size: 5000,
            modified: None,
            root,
            elsewhere: None,
            others: Vec::new(),
            left_out: 0,
            attempts: Vec::new(),
            unread: Vec::new(),
            progress: None,
            mentions: Vec::new(),
        },
    }
}

/// The sweep of these tasks, and their evidence.
fn sweep(made: &[Made], queue: Vec<Job>) -> (Sweep, Vec<Evidence>) {
    let row = |task: &Made| {
        let Made { member, state, exit, node, elapsed, .. } = task;
        format!(
            "8_{member}|{}|ann|ai|{state}|{exit}|0:0|{elapsed}|60000|1000000|1000010|1000020||{node}|lr",
            member + 100
        )
    };
    let rows: Vec<String> = made.iter().map(row).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let seen = snapshot(&accounting(&rows), queue);
    let sweep = sweeps(&seen).sweeps.into_iter().next().unwrap();
    let mut evidence = tasks(&seen, &sweep);
    for task in &mut evidence {
        task.steps.count = 2;
        let root = made.iter().find(|made| made.member == task.member).and_then(|made| made.root.as_ref());
        if let Some((pattern, class, text)) = root {
            task.looked_mut().log =
                Known::Known(reading(task.member, Some(finding(pattern, class, text, 0))));
        }
    }
    (sweep, evidence)
}

fn judged_with(made: &[Made], queue: Vec<Job>, parameters: &Parameters) -> Judgement {
    let (sweep, evidence) = sweep(made, queue);
    let settings = Sweeps::default();
    judge(&sweep, &evidence, &Rules { settings: &settings, table: Table::builtin(), parameters, now: None })
}

fn judged(made: &[Made]) -> Judgement {
    judged_with(made, Vec::new(), &Parameters::default())
}

fn verdict(judgement: &Judgement) -> (Health, Decision) {
    (judgement.health, judgement.decision)
}

fn in_words(judgement: &Judgement) -> Vec<String> {
    let words = |group: &CauseGroup| {
        let spread = match &group.spread {
            Spread::All => "all".to_owned(),
            Spread::Nodes { nodes } => {
                let nodes: Vec<String> = nodes
                    .iter()
                    .map(|node| format!("{} {}/{}", node.node, node.failed, node.finished))
                    .collect();
                format!("on {}", nodes.join(", "))
            }
            Spread::Corner { conditions, failed, finished } => {
                let conditions: Vec<String> =
                    conditions.iter().map(|c| format!("{}={}", c.parameter, c.values.join("|"))).collect();
                format!("where {} ({failed}/{finished})", conditions.join(" and "))
            }
            Spread::Scattered => "scattered".to_owned(),
            Spread::Single => "single".to_owned(),
        };
        format!("{} {} {} % [{}] {spread}", group.cause.class, group.count, group.percent, group.tasks)
    };
    judgement.groups.iter().map(words).collect()
}

const OOM: &str = "CUDA out of memory. Tried to allocate 2.00 GiB";

#[test]
fn the_bands_go_by_the_share_of_similar_failures() {
    for (alike, expected) in [
        (0, (Health::Healthy, Decision::NoIntervention)),
        (10, (Health::Healthy, Decision::NoIntervention)),
        (11, (Health::Degraded, Decision::Watch)),
        (14, (Health::Degraded, Decision::Watch)),
        (15, (Health::Systemic, Decision::Intervene)),
        (40, (Health::Systemic, Decision::Intervene)),
    ] {
        let tasks =
            [failed(0..alike, "gpu-oom", "cuda-oom", OOM), made(alike..100, "COMPLETED", "0:0")].concat();
        let judgement = judged(&tasks);
        assert_eq!(verdict(&judgement), expected, "{alike} of 100: {:#?}", judgement.reasons);
    }
}

#[test]
fn an_exit_code_whose_logs_nobody_read_asks_for_no_intervention() {
    let of = |unread: std::ops::Range<u32>, state, exit| {
        let end = unread.end;
        let tasks = [made(unread, state, exit), made(end..100, "COMPLETED", "0:0")].concat();
        judged(&tasks)
    };
    let judgement = of(0..30, "FAILED", "1:0");
    assert_eq!(verdict(&judgement), (Health::Degraded, Decision::Watch), "{:#?}", judgement.reasons);
    assert_eq!((judgement.groups[0].unread, judgement.groups[0].count), (30, 30));
    assert_eq!(
        judgement.reasons[0].text,
        "30 of 100 finished tasks (30 %) failed alike, unknown: 15 % or more, but by state and exit code alone: \
         the logs of 30 were not read"
    );
    assert_eq!(verdict(&of(0..9, "FAILED", "1:0")), (Health::Healthy, Decision::NoIntervention));
    // What Slurm itself says needs no log.
    for (state, exit) in [("OUT_OF_MEMORY", "0:125"), ("NODE_FAIL", "0:0"), ("TIMEOUT", "0:0")] {
        assert_eq!(of(0..30, state, exit).decision, Decision::Intervene, "{state}");
    }
    // That the sweep teaches nothing any more is so whatever the causes are.
    assert_eq!(of(0..60, "FAILED", "1:0").decision, Decision::Intervene);
}

#[test]
fn both_counts_are_in_the_sentence_with_the_lines_that_led_there() {
    let tasks = [
        failed(0..18, "gpu-oom", "cuda-oom", OOM),
        made(18..100, "COMPLETED", "0:0"),
        made(100..104, "CANCELLED by 1000", "0:0"),
    ]
    .concat();
    let judgement = judged(&tasks);
    let first = &judgement.reasons[0];
    assert_eq!(
        first.text,
        "18 of 100 finished tasks (18 %; 4 cancelled or preempted aside) failed alike, cuda-oom: 15 % or more"
    );
    assert_eq!(first.evidence[0].text, OOM);
    assert_eq!((first.evidence[0].line, first.evidence[0].offset), (Some(40), Some(1000)));
    assert_eq!((judgement.finished, judgement.counted, judgement.failed), (104, 100, 18));
    assert_eq!(judgement.aside[0].tasks.to_string(), "100-103");
}

#[test]
fn failures_that_are_not_alike_are_not_similar() {
    let mut tasks = made(20..100, "COMPLETED", "0:0");
    for member in 0..20 {
        let text = format!("RuntimeError: trouble of the kind {}", ["a", "b", "c", "d"][member as usize % 4]);
        tasks.extend(failed(member..member + 1, "exception", "exception", &text));
    }
    let judgement = judged(&tasks);
    assert_eq!(judgement.groups.len(), 4);
    assert_eq!(verdict(&judgement), (Health::Degraded, Decision::Watch), "20 % of one class in four ways");
}

#[test]
fn under_ten_finished_tasks_no_band_applies() {
    let tasks = [failed(0..3, "gpu-oom", "cuda-oom", OOM), made(3..9, "COMPLETED", "0:0")].concat();
    let judgement = judged(&tasks);
    assert_eq!(verdict(&judgement), (Health::Unjudged, Decision::NoIntervention));
    assert!(judgement.reasons[0].text.contains("from 10 finished tasks on"), "{:?}", judgement.reasons);
}

#[test]
fn few_tasks_of_which_most_failed_are_not_well() {
    let few = |failed: u32, queue: Vec<Job>| {
        verdict(&judged_with(&made(0..failed, "FAILED", "1:0"), queue, &Parameters::default()))
    };
    for failed in [1, 2] {
        let to_come = vec![waiting(8, Some("20-23"))];
        assert_eq!(few(failed, Vec::new()), (Health::Degraded, Decision::Watch), "{failed} of {failed}");
        assert_eq!(few(failed, to_come), (Health::Degraded, Decision::NoIntervention), "others wait");
    }
    let mut two = made(0..2, "COMPLETED", "0:0");
    two.extend(made(2..3, "FAILED", "1:0"));
    let judgement = judged(&two);
    assert_eq!(verdict(&judgement), (Health::Unjudged, Decision::NoIntervention), "1 of 3");
    assert_eq!(judgement.health.to_string(), "too few to judge");
    assert!(
        judgement.reasons[0].text.starts_with("1 of 3 finished tasks (33.3 %) failed, "),
        "{judgement:?}"
    );
    two.extend(made(3..9, "COMPLETED", "0:0"));
    assert_eq!(verdict(&judged(&two)).0, Health::Unjudged, "1 of 9 is over 10 %");
    two.extend(made(9..10, "COMPLETED", "0:0"));
    assert_eq!(verdict(&judged(&two)).0, Health::Healthy, "1 of 10");
}

#[test]
fn a_missing_module_in_most_stops_the_sweep_at_once() {
    let text = "ModuleNotFoundError: No module named 'einops'";
    let tasks = [failed(0..5, "py-module", "missing-module", text), made(5..6, "COMPLETED", "0:0")].concat();
    let judgement = judged(&tasks);
    assert_eq!(verdict(&judgement), (Health::Systemic, Decision::Intervene));
    assert_eq!(judgement.hard_stops[0].rule, StopRule::ConfigurationError);
    assert_eq!(judgement.reasons[0].evidence[0].text, text);
}

#[test]
fn the_same_crash_again_and_again_stops_the_sweep() {
    let tasks = [failed(0..4, "code", "code", "KeyError: 'lr'"), made(4..6, "COMPLETED", "0:0")].concat();
    let judgement = judged(&tasks);
    assert_eq!(judgement.hard_stops[0].rule, StopRule::DeterministicCrash);
    assert_eq!(judgement.decision, Decision::Intervene);
}

#[test]
fn waiting_counts_for_nothing_unless_it_can_never_end() {
    let tasks = made(0..20, "COMPLETED", "0:0");
    let judgement = judged_with(&tasks, vec![waiting(8, Some("20-99"))], &Parameters::default());
    assert_eq!(verdict(&judgement), (Health::Healthy, Decision::NoIntervention));
    let never = Job { reason: "PartitionTimeLimit".into(), ..waiting(8, Some("20-99")) };
    let judgement = judged_with(&tasks, vec![never], &Parameters::default());
    assert_eq!(verdict(&judgement), (Health::Systemic, Decision::Intervene));
    assert_eq!(in_words(&judgement), ["never-starts 80 80 % [20-99] scattered"]);
}

#[test]
fn a_task_that_was_preempted_and_requeued_is_nobodys_failure() {
    let mut tasks = made(0..20, "COMPLETED", "0:0");
    tasks.extend(made(20..25, "PREEMPTED", "0:0"));
    let judgement = judged_with(&tasks, vec![waiting(8, Some("20-24"))], &Parameters::default());
    assert_eq!((judgement.counted, judgement.failed, judgement.aside.len()), (20, 0, 0));
}

#[test]
fn how_slurm_ended_them_is_one_cause_whatever_their_logs_look_like() {
    let mut tasks = made(0..4, "TIMEOUT", "0:0");
    tasks.extend(made(10..30, "COMPLETED", "0:0"));
    tasks[0].root = Some(("slurm-time-limit", "time-limit", "*** DUE TO TIME LIMIT ***".to_owned()));
    assert_eq!(in_words(&judged(&tasks)), ["time-limit 4 16.7 % [0-3] scattered"]);
    let tasks = [made(0..2, "FAILED", "1:0"), made(2..4, "FAILED", "2:0"), made(4..30, "COMPLETED", "0:0")];
    assert_eq!(
        in_words(&judged(&tasks.concat())),
        ["unknown 2 6.7 % [0,1] scattered", "unknown 2 6.7 % [2,3] scattered"],
        "without a log state and code must do"
    );
}

#[test]
fn one_node_is_told_from_chance() {
    let mut tasks = failed(0..6, "hw", "code-or-hw", "CUDA error: unspecified launch failure");
    tasks.iter_mut().for_each(|task| task.node = "gpu77".into());
    let more = failed(6..8, "nccl", "nccl-error", "ncclInternalError");
    tasks.extend(more.into_iter().map(|task| Made { node: "gpu77".into(), ..task }));
    tasks.extend(made(8..100, "COMPLETED", "0:0"));
    let judgement = judged(&tasks);
    assert_eq!(
        in_words(&judgement),
        ["code-or-hw 6 6 % [0-5] on gpu77 6/8", "nccl-error 2 2 % [6,7] scattered"]
    );
    let nodes: Vec<String> = judgement
        .nodes
        .iter()
        .map(|node| format!("{} {}/{}", node.node, node.failed, node.finished))
        .collect();
    assert_eq!(nodes, ["gpu77 8/8"], "over all causes");
    assert!(judgement.reasons.iter().any(|reason| reason.text.contains("gpu77 (8 of 8)")));
}

#[test]
fn a_success_in_no_time_is_suspicious_until_the_steps_are_seen() {
    let mut tasks = made(0..30, "COMPLETED", "0:0");
    tasks.iter_mut().for_each(|task| task.elapsed = 20 * 3600);
    (tasks[3].elapsed, tasks[4].elapsed) = (120, 130);
    let (sweep, mut evidence) = sweep(&tasks, Vec::new());
    let with_step = |member: u32, step| {
        let mut log = reading(member, None);
        log.reading.progress = Some(crate::joblog::Progress { step: Some(step), ..Default::default() });
        Known::Known(log)
    };
    for member in [4, 10, 11] {
        evidence[member].looked_mut().log = with_step(member as u32, 50_000);
    }
    evidence[3].looked_mut().log = with_step(3, 40);
    let (settings, parameters) = (Sweeps::default(), Parameters::default());
    let rules = Rules { settings: &settings, table: Table::builtin(), parameters: &parameters, now: None };
    let judgement = judge(&sweep, &evidence, &rules);
    let found = &judgement.contradictions[0];
    assert_eq!((found.kind, found.tasks.to_string()), (ContradictionKind::FastWithoutSteps, "3".into()));
    assert_eq!(
        found.sentence,
        "COMPLETED in less than 5 h, where the median is 20 h, and nothing that was read shows the steps"
    );
    assert_eq!(judgement.suspects().to_string(), "3");
}

#[test]
fn completed_tasks_that_all_left_nothing_are_invalid_outputs() {
    let tasks = made(0..20, "COMPLETED", "0:0");
    let (sweep, mut evidence) = sweep(&tasks, Vec::new());
    evidence[..6].iter_mut().for_each(|task| task.looked_mut().missing.push("results/a.json".into()));
    let (settings, parameters) = (Sweeps::default(), Parameters::default());
    let rules = Rules { settings: &settings, table: Table::builtin(), parameters: &parameters, now: None };
    let judgement = judge(&sweep, &evidence, &rules);
    assert_eq!(judgement.hard_stops[0].rule, StopRule::InvalidOutputs);
    assert_eq!(judgement.learning.unwrap().usable, 14);
}

fn any_task() -> impl Strategy<Value = (usize, usize, usize)> {
    (0usize..7, 0usize..4, 0usize..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_tasks_makes_no_difference_and_the_counts_add_up(
        fates in proptest::collection::vec(any_task(), 1..60),
        turn in 0usize..60,
    ) {
        let mut parameters = Parameters::default();
        let mut all = Vec::new();
        for (member, (fate, node, value)) in fates.iter().enumerate() {
            let member = member as u32;
            parameters.set(member, "lr", ["0.1", "0.2", "0.3", "1"][*value]);
            let range = member..member + 1;
            let mut one = match fate {
                0 | 1 => made(range, "COMPLETED", "0:0"),
                2 => failed(range, "gpu-oom", "cuda-oom", OOM),
                3 => failed(range, "code", "code", "KeyError: 'lr'"),
                4 => made(range, "TIMEOUT", "0:0"),
                5 => made(range, "CANCELLED", "0:0"),
                _ => made(range, "FAILED", "9:0"),
            };
            one[0].node = ["gpu01", "gpu[02-03]", "gpu04", ""][*node].to_owned();
            all.extend(one);
        }
        let (sweep, mut evidence) = sweep(&all, Vec::new());
        let settings = Sweeps::default();
        let rules = Rules { settings: &settings, table: Table::builtin(), parameters: &parameters, now: None };
        let straight = judge(&sweep, &evidence, &rules);
        let turn = turn % evidence.len();
        evidence.rotate_left(turn);
        evidence.reverse();
        prop_assert_eq!(&judge(&sweep, &evidence, &rules), &straight);
        let sum = |groups: &[CauseGroup]| groups.iter().map(|group| group.count).sum::<usize>();
        prop_assert_eq!(sum(&straight.groups), straight.failed);
        prop_assert_eq!(sum(&straight.aside) + straight.counted, straight.finished);
        let mut seen = crate::terms::TaskIds::default();
        for group in &straight.groups {
            prop_assert_eq!(group.tasks.len(), group.count);
            prop_assert!(seen.intersection(&group.tasks.0).is_empty(), "each task is in one group");
            prop_assert!(group.tasks.0.contains(group.example));
            seen = seen.union(&group.tasks.0);
        }
        if let Some(learning) = &straight.learning {
            prop_assert!(learning.usable_now <= learning.usable && learning.usable <= learning.total);
        }
        let text = serde_json::to_string(&straight).unwrap();
        prop_assert_eq!(serde_json::from_str::<Judgement>(&text).unwrap(), straight);
    }
}
