use super::*;
use crate::cluster::{Job, Nothing, Origin, Outlook, Scope, Snapshot, State, sacct};
use crate::terms::{JobId, Known, TaskIds, Time};

const RELEASES: [&str; 3] = ["22.05", "23.02.8", "26.05.3"];

pub(super) fn snapshot(accounting: &[u8], jobs: Vec<Job>) -> Snapshot {
    let mut read = sacct::read_bytes(accounting);
    read.since = Time::from_unix(1_000_000);
    Snapshot {
        jobs: Known::Known(jobs),
        accounting: Known::Known(read),
        ..Snapshot::without(Origin::Local, Scope::default(), Nothing::Unknown("not asked".into()))
    }
}

fn fixture(release: &str, file: &str) -> Vec<u8> {
    let path = format!("{}/tests/fixtures/slurm/{release}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read(path).unwrap()
}

/// Accounting in our own form, one job a row; see `sacct::FIELDS`.
pub(super) fn accounting(rows: &[&str]) -> Vec<u8> {
    let header = sacct::FIELDS.replace(',', "|");
    format!("{header}\n{}\n", rows.join("\n")).replace('|', sacct::DELIMITER).into_bytes()
}

/// A finished task that ran for `elapsed` seconds.
fn row(id: &str, raw: u32, state: &str, exit: &str, elapsed: u32) -> String {
    format!("{id}|{raw}|ann|ai|{state}|{exit}|0:0|{elapsed}|600|1000000|1000010|1000020||gpu01|lr")
}

pub(super) fn waiting(base: u32, tasks: Option<&str>) -> Job {
    Job {
        pending_tasks: tasks.map(|tasks| tasks.parse().unwrap()),
        tasks_cut: tasks.is_none(),
        throttle: Some(3),
        reason: "JobArrayTaskLimit".into(),
        ..job(JobId::whole(base), State::Pending)
    }
}

pub(super) fn job(id: JobId, state: State) -> Job {
    Job {
        id,
        raw_id: None,
        pending_tasks: None,
        tasks_cut: false,
        throttle: None,
        name: "lr".into(),
        name_cut: false,
        user: "ann".into(),
        user_cut: false,
        partition: "ai".into(),
        state,
        reason: String::new(),
        submitted: Time::from_unix(1_000_000),
        started: None,
        elapsed: None,
        limit: None,
        nodes: None,
        node_list: String::new(),
        gpus: None,
        memory: None,
        work_dir: None,
        stdout: None,
        stderr: None,
        stdin: None,
        dependency: String::new(),
        restarts: None,
    }
}

fn only(found: Found) -> Sweep {
    assert_eq!(found.sweeps.len(), 1, "{found:#?}");
    found.sweeps.into_iter().next().unwrap()
}

#[test]
fn one_sweep_has_one_answer_in_every_release_and_every_form() {
    let mut answers = Vec::new();
    for release in RELEASES {
        for file in ["sacct-all.psv", "sacct-duplicates.psv", "sacct-fixed-width.txt"] {
            let found = sweeps(&snapshot(&fixture(release, file), Vec::new()));
            let sweep = found.sweeps.iter().find(|sweep| sweep.name == "sweep_lr").unwrap();
            assert_eq!((sweep.seen, sweep.finished), (40, 40), "{release} {file}");
            answers.push((sweep.look.tasks.clone(), sweep.failures.clone(), sweep.states.clone()));
        }
    }
    let (tasks, failures, _) = &answers[0];
    assert_eq!(
        serde_json::to_string(tasks).unwrap(),
        r#"{"COMPLETED 0:0":"0-2,4-6,8,10-12,14-16,18,20-22,24-26,28,30-32,34-36,38","FAILED 0:9":"9,19,29,39","FAILED 1:0":"3,7,13,17,23,27,33,37"}"#
    );
    assert_eq!(failures.iter().map(|f| f.count).collect::<Vec<_>>(), [8, 4]);
    assert!(answers.iter().all(|answer| *answer == answers[0]));
}

#[test]
fn a_sweep_does_not_shrink_while_its_tasks_pass_from_the_queue_into_accounting() {
    let rows = [row("8_0", 8, "COMPLETED", "0:0", 100), row("8_[1-5%3]", 9, "PENDING", "0:0", 0)];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let jobs = vec![job(JobId::task(8, 1), State::Running), waiting(8, Some("4-5"))];
    let sweep = only(sweeps(&snapshot(&accounting(&rows), jobs)));
    assert_eq!((sweep.total, sweep.seen, sweep.finished), (Some(6), 6, 1));
    assert_eq!(
        serde_json::to_string(&sweep.look.tasks).unwrap(),
        r#"{"COMPLETED 0:0":"0","PENDING":"4,5","RUNNING":"1","UNKNOWN":"2,3"}"#
    );
    let mut cancelled = sweep;
    assert_eq!(cancelled.count_cancelled(&"1,3".parse().unwrap()).to_string(), "3");
    assert_eq!((cancelled.total, cancelled.seen, cancelled.states[&State::Unknown]), (Some(6), 6, 1));
}

#[test]
fn an_array_that_waits_has_one_size_whichever_source_answers() {
    let rest = [row("8_[0-199%8]", 8, "PENDING", "0:0", 0)];
    let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
    let queued = || Job { submitted: Time::from_unix(1_000_000), ..waiting(8, Some("0-199")) };
    let both = snapshot(&accounting(&rest), vec![queued()]);
    let no_rows = snapshot(&accounting(&[]), vec![queued()]);
    let left_the_queue = snapshot(&accounting(&rest), Vec::new());
    let no_queue =
        Snapshot { jobs: Known::Unknown("no squeue".into()), ..snapshot(&accounting(&rest), Vec::new()) };
    for seen in [both, no_rows, left_the_queue, no_queue] {
        let sweep = only(sweeps(&seen));
        assert_eq!((sweep.total, sweep.seen, sweep.finished), (Some(200), 200, 0), "{:?}", sweep.unknown);
        assert_eq!(sweep.look.all().to_string(), "0-199");
    }
}

#[test]
fn the_queue_knows_what_runs_and_waits_and_accounting_what_ended() {
    let rows = [
        row("8_0", 8, "COMPLETED", "0:0", 100),
        row("8_1", 9, "RUNNING", "0:0", 50),
        row("8_2", 10, "RUNNING", "0:0", 50),
    ];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let jobs = vec![
        job(JobId::task(8, 1), State::Running),
        job(JobId::task(8, 3), State::Running),
        waiting(8, Some("4-9")),
    ];
    let sweep = only(sweeps(&snapshot(&accounting(&rows), jobs.clone())));
    assert_eq!((sweep.total, sweep.finished), (Some(10), 1));
    assert_eq!(
        serde_json::to_string(&sweep.look.tasks).unwrap(),
        r#"{"COMPLETED 0:0":"0","PENDING":"4-9","RUNNING":"1-3"}"#
    );
    assert_eq!(sweep.not_in_queue.to_string(), "2");
    assert_eq!(
        (sweep.waiting[0].reason.as_str(), sweep.waiting[0].outlook),
        ("JobArrayTaskLimit", Outlook::Waits)
    );
    assert_eq!(sweep.throttle, Some(3));

    let partial = Snapshot { jobs_partial: true, ..snapshot(&accounting(&rows), jobs) };
    let sweep = only(sweeps(&partial));
    assert_eq!((sweep.total, sweep.not_in_queue.len()), (None, 0), "absence from a part proves nothing");
}

#[test]
fn a_list_of_waiting_tasks_that_was_cut_leaves_the_total_unknown() {
    let rows = row("8_0", 8, "COMPLETED", "0:0", 100);
    let sweep = only(sweeps(&snapshot(&accounting(&[&rows]), vec![waiting(8, None)])));
    assert_eq!((sweep.total, sweep.seen), (None, 1), "{:?}", sweep.unknown);
    assert_eq!(sweep.unknown, ["Slurm cut the list of waiting tasks"]);
    assert_eq!(sweep.waiting[0].tasks, None);
}

#[test]
fn what_was_not_asked_leaves_the_total_unknown() {
    let rows = row("8_0", 8, "COMPLETED", "0:0", 100);
    let mut seen = snapshot(&accounting(&[&rows]), Vec::new());
    seen.jobs = Known::Unknown("no answer".into());
    assert_eq!(only(sweeps(&seen)).total, None);
    let mut seen = snapshot(&[], vec![waiting(8, Some("0-3"))]);
    seen.accounting = Known::Unknown("no accounting".into());
    let sweep = only(sweeps(&seen));
    assert_eq!((sweep.total, sweep.seen), (None, 4));
}

#[test]
fn the_newest_attempt_decides_and_earlier_ones_are_counted() {
    let rows = [
        "8_1|9|ann|ai|NODE_FAIL|0:0|0:0|70|600|1000000|1000010|1000080||gpu01|lr",
        "8_1|9|ann|ai|PREEMPTED|0:0|0:0|30|600|1000081|1000090|1000120||gpu02|lr",
        "8_1|9|ann|ai|COMPLETED|0:0|0:0|90|600|1000121|1000130|1000220||gpu02|lr",
        "8_2|10|ann|ai|FAILED|1:0|1:0|90|600|1000500|1000530|1000220||gpu02|lr",
        "8_2|10|ann|ai|COMPLETED|0:0|0:0|90|600|1000121|1000130|1000220||gpu02|lr",
    ];
    for rows in [rows.to_vec(), rows.iter().rev().copied().collect()] {
        let sweep = only(sweeps(&snapshot(&accounting(&rows), Vec::new())));
        assert_eq!(
            serde_json::to_string(&sweep.look).unwrap(),
            r#"{"key":"8","name":"lr","tasks":{"COMPLETED 0:0":"1","FAILED 1:0":"2"},"attempts":{"2":"2","3":"1"}}"#
        );
    }
}

#[test]
fn a_task_that_was_requeued_into_the_waiting_rest_waits() {
    let row = row("8_4", 8, "PREEMPTED", "0:0", 100);
    let sweep = only(sweeps(&snapshot(&accounting(&[&row]), vec![waiting(8, Some("3-5"))])));
    assert_eq!(serde_json::to_string(&sweep.look.tasks).unwrap(), r#"{"PENDING":"3-5"}"#);
    assert_eq!(sweep.total, Some(3));
}

#[test]
fn what_accounting_may_have_forgotten_leaves_the_total_unknown() {
    let rows = row("8_0", 8, "COMPLETED", "0:0", 100);
    let asked_from = |since: Option<i64>| {
        let mut seen = snapshot(&accounting(&[&rows]), Vec::new());
        if let Known::Known(accounting) = &mut seen.accounting {
            accounting.since = since.and_then(Time::from_unix);
        }
        only(sweeps(&seen)).total
    };
    assert_eq!(asked_from(Some(999_999)), Some(1));
    assert_eq!(asked_from(Some(1_000_001)), None, "submitted before the window");
    assert_eq!(asked_from(None), None, "a window that is not known");
}

#[test]
fn tasks_that_were_cancelled_together_before_they_started_are_cancelled_and_do_not_wait() {
    // As sacct 22.05 answers to `-j`: the list goes first stale, then right.
    let list = |state: &str, tasks: &str| {
        format!("8_[{tasks}%2]|8|ann|ai|{state}|0:0|0:0|0|600|1000000|None|1000090||None assigned|lr")
    };
    let ran = row("8_0", 9, "COMPLETED", "0:0", 100);
    let stale = row("8_2", 10, "CANCELLED by 7", "0:0", 20);
    for (state, waits, cancelled) in [("CANCELLED by 7", None, "2-4,8,9"), ("PENDING", Some("8,9"), "2")] {
        let rows = [ran.as_str(), &stale, &list(state, "2-4,8-9")];
        let jobs = waits.map(|tasks| vec![waiting(8, Some(tasks))]).unwrap_or_default();
        let sweep = only(sweeps(&snapshot(&accounting(&rows), jobs)));
        let stored = serde_json::to_value(&sweep.look.tasks).unwrap();
        assert_eq!(stored["CANCELLED 0:0"], cancelled, "{stored}");
        assert_eq!(stored["PENDING"].as_str(), waits, "{stored}");
        assert_eq!(sweep.failed_tasks.len(), 0);
    }
    let missed = list("DEADLINE", "2-4");
    let sweep = only(sweeps(&snapshot(&accounting(&[&missed]), Vec::new())));
    assert_eq!((sweep.failed_tasks.to_string(), sweep.finished, sweep.total), ("2-4".into(), 3, Some(3)));
}

#[test]
fn an_array_that_was_asked_for_by_id_is_whole_whatever_the_window_was() {
    let old = row("8_0", 8, "FAILED", "1:0", 100);
    let mut seen = snapshot(&accounting(&[&old]), Vec::new());
    let Known::Known(read) = &mut seen.accounting else { panic!("accounting was given") };
    read.since = Time::from_unix(1_000_050);
    let asked = [
        row("8_0", 8, "COMPLETED", "0:0", 100),
        row("8_1", 9, "COMPLETED", "0:0", 100),
        row("77", 77, "FAILED", "1:0", 9),
    ];
    let asked: Vec<&str> = asked.iter().map(String::as_str).collect();
    read.take_over(&[JobId::whole(8)], &sacct::read_bytes(&accounting(&asked)));
    let stored = serde_json::to_string(&*read).unwrap();
    assert_eq!(serde_json::from_str::<crate::cluster::Accounting>(&stored).unwrap(), *read);
    let sweep = only(sweeps(&seen));
    assert_eq!((sweep.total, sweep.failed_tasks.len(), sweep.unknown.len()), (Some(2), 0, 0));
    assert_eq!(sweep.name, "lr");
}

#[test]
fn jobs_that_share_a_name_are_a_sweep_from_three_on() {
    let named = |id: u32, state: &str, name: &str| {
        format!("{id}|{id}|ann|ai|{state}|0:0|0:0|9|600|1000000|1000010|1000020||gpu01|{name}")
    };
    let mut rows: Vec<String> = (1..=3).map(|id| named(id + 5_000_000, "COMPLETED", "seed`1`")).collect();
    rows.extend((1..=2).map(|id| named(id, "FAILED", "twice")));
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    // The queue has the name as it was given, accounting has backticks.
    let queued = Job { name: "seed\"1\"".into(), ..job(JobId::whole(5_000_004), State::Pending) };
    let found = sweeps(&snapshot(&accounting(&rows), vec![queued]));
    assert_eq!(found.single_jobs, 2);
    let sweep = only(found);
    assert_eq!((sweep.kind, sweep.key.as_str()), (Kind::SharedName, "seed\"1\""));
    let stored = serde_json::to_string(&sweep.look.tasks).unwrap();
    assert_eq!(stored, r#"{"COMPLETED 0:0":"5000001-5000003","PENDING":"5000004"}"#);
    assert_eq!(
        serde_json::from_str::<Look>(&serde_json::to_string(&sweep.look).unwrap()).unwrap(),
        sweep.look
    );
}

#[test]
fn a_source_without_users_joins_the_queue_that_has_them() {
    let text = b"JobID|State|ExitCode|Elapsed|JobName\n1|FAILED|1:0|00:00:09|lr\n2|FAILED|1:0|00:00:09|lr\n";
    let queued = job(JobId::whole(3), State::Pending);
    let sweep = only(sweeps(&snapshot(text, vec![queued.clone()])));
    assert_eq!(sweep.look.all().to_string(), "1-3");
    // Another user's jobs of that name are another sweep.
    let rows =
        [row("1", 1, "FAILED", "1:0", 9), row("2", 2, "FAILED", "1:0", 9), row("4", 4, "FAILED", "1:0", 9)];
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let queued = Job { user: "eve".into(), ..queued };
    let found = sweeps(&snapshot(&accounting(&rows), vec![queued]));
    assert_eq!(found.single_jobs, 1);
    assert_eq!(only(found).look.all().to_string(), "1,2,4");
}

#[test]
fn a_heterogeneous_job_is_one_job_and_fails_with_its_parts() {
    let rows: Vec<String> = (1..=3)
        .flat_map(|n| {
            let part = |offset: u32, state: &str, exit: &str| {
                format!(
                    "{n}+{offset}|{}|ann|ai|{state}|{exit}|0:0|9|600|1000000|1000010|1000020||gpu01|het",
                    n * 10 + offset
                )
            };
            [
                part(0, "COMPLETED", "0:0"),
                if n == 2 { part(1, "FAILED", "1:0") } else { part(1, "COMPLETED", "0:0") },
            ]
        })
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let sweep = only(sweeps(&snapshot(&accounting(&rows), Vec::new())));
    assert_eq!(
        serde_json::to_string(&sweep.look.tasks).unwrap(),
        r#"{"COMPLETED 0:0":"1,3","FAILED 1:0":"2"}"#
    );
    assert!(sweep.look.attempts.is_empty());
}

/// A sweep whose completed tasks ran for these many seconds.
fn sweep_of(elapsed: &[u32], running: &[u32]) -> Sweep {
    let done = elapsed.iter().map(|seconds| ("COMPLETED", *seconds));
    let tasks = done.chain(running.iter().map(|seconds| ("RUNNING", *seconds)));
    let rows: Vec<String> = tasks
        .enumerate()
        .map(|(index, (state, seconds))| {
            row(&format!("8_{index}"), 100 + index as u32, state, "0:0", seconds)
        })
        .collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    only(sweeps(&snapshot(&accounting(&rows), Vec::new())))
}

#[test]
fn run_times_are_those_of_completed_tasks_alone() {
    let elapsed = sweep_of(&[10, 20, 30, 40, 50, 60, 70, 80], &[5]).elapsed.unwrap();
    assert_eq!(
        (elapsed.count, elapsed.min, elapsed.q1, elapsed.median, elapsed.q3, elapsed.max),
        (8, 10, 20, 40, 60, 80)
    );
    assert_eq!(sweep_of(&[], &[5]).elapsed, None);
}

#[test]
fn a_task_is_suspiciously_fast_only_among_its_siblings() {
    const HOUR: u32 = 3600;
    let fast =
        |elapsed: &[u32], running: &[u32]| sweep_of(elapsed, running).fast.map(|fast| fast.tasks.to_string());
    let tens = [10 * HOUR, 11 * HOUR, 9 * HOUR, 10 * HOUR];
    assert_eq!(fast(&[&tens[..], &[2 * HOUR]].concat(), &[]), Some("4".into()), "a quarter of the median");
    assert_eq!(
        fast(&[5 * HOUR, 5 * HOUR, 5 * HOUR, 5 * HOUR, 7000], &[]),
        Some("4".into()),
        "under two hours"
    );
    assert_eq!(
        fast(&[3 * HOUR, 3 * HOUR, 3 * HOUR, 3 * HOUR, 7000], &[]),
        Some("".into()),
        "as its siblings"
    );
    assert_eq!(fast(&[40, 41, 42, 43, 1], &[]), None, "seconds say nothing");
    assert_eq!(fast(&[10 * HOUR, 10 * HOUR, 5], &[]), None, "too few to compare");
    // The first to complete are the ones that went wrong; the rest has run for a day.
    assert_eq!(fast(&[120, 130], &[20 * HOUR; 5]), Some("0,1".into()));
}

#[test]
fn completed_over_failed_steps_and_memory_kills_of_steps_are_named() {
    let rows = [
        "8_0|8|ann|ai|COMPLETED|0:0|1:0|9|600|1000000|1000010|1000020||gpu01|lr",
        "8_0.0|8.0|||FAILED|1:0||9||1000010|1000010|1000020||gpu01|false",
        "8_1|9|ann|ai|FAILED|1:0|0:125|9|600|1000000|1000010|1000020||gpu01|lr",
        "8_1.batch|9.batch|||FAILED|1:0||9||1000010|1000010|1000020||gpu01|batch",
        "8_1.0|9.0|||OUT_OF_ME+|0:125||9||1000010|1000010|1000020|9.5G|gpu01|python",
        "8_2|10|ann|ai|COMPLETED|0:0|0:0|9|600|1000000|1000010|1000020||gpu01|lr",
    ];
    let sweep = only(sweeps(&snapshot(&accounting(&rows), Vec::new())));
    assert_eq!(sweep.completed_over_failed_steps.to_string(), "0");
    assert_eq!(sweep.out_of_memory_steps.to_string(), "1");
}

#[test]
fn a_million_waiting_tasks_cost_no_more_than_their_list() {
    let jobs = vec![waiting(8, Some("0-1000000")), waiting(9, Some("0-4000000"))];
    let found = sweeps(&snapshot(&accounting(&[]), jobs));
    assert_eq!(
        found.sweeps.iter().map(|sweep| sweep.total).collect::<Vec<_>>(),
        [Some(4_000_001), Some(1_000_001)]
    );
    assert_eq!(found.sweeps[1].look.all(), "0-1000000".parse::<TaskIds>().unwrap());
}

#[test]
fn every_task_has_its_attempts_and_what_the_queue_says_of_it() {
    let rows = [
        "8_0|8|ann|ai|COMPLETED|0:0|0:0|70|600|1000000|1000010|1000080||gpu01|lr",
        "8_1|9|ann|ai|PREEMPTED|0:0|0:0|30|600|1000081|1000090|1000120||gpu02|lr",
        "8_1|9|ann|ai|FAILED|1:0|1:0|90|600|1000121|1000130|1000220||gpu03|lr",
        "8_4|8|ann|ai|NODE_FAIL|0:0|0:0|90|600|1000000|1000010|1000100||gpu02|lr",
        "8_5|11|ann|ai|RUNNING|0:0|0:0|90|600|1000000|1000010|Unknown||gpu02|lr",
        "9_0|20|ann|ai|FAILED|1:0|0:0|70|600|1000000|1000010|1000080||gpu01|other",
    ];
    let running = Job { node_list: "gpu02".into(), ..job(JobId::task(8, 5), State::Running) };
    let new = Job { raw_id: Some(12), ..job(JobId::task(8, 2), State::Running) };
    let seen = snapshot(&accounting(&rows), vec![running, new, waiting(8, Some("3,4"))]);
    let sweep = sweeps(&seen).sweeps.into_iter().find(|sweep| sweep.key == "8").unwrap();
    let tasks = tasks(&seen, &sweep);
    let line = |task: &Evidence| {
        let earlier: Vec<String> =
            task.earlier.iter().map(|old| format!("{} {}", old.state, old.node_list)).collect();
        format!("{} {:?} {} {} {:?}", task.member, task.raw_id, task.state, task.node_list, earlier)
    };
    assert_eq!(
        tasks.iter().map(line).collect::<Vec<_>>(),
        [
            r#"0 Some(8) COMPLETED gpu01 []"#,
            r#"1 Some(9) FAILED gpu03 ["PREEMPTED gpu02"]"#,
            r#"2 Some(12) RUNNING  []"#,
            r#"4 Some(8) PENDING  ["NODE_FAIL gpu02"]"#,
            r#"5 Some(11) RUNNING gpu02 []"#,
        ]
    );
    assert_eq!(&*tasks[3].reason, "JobArrayTaskLimit");
    // The states are those that the sweep counts, the untried rest aside.
    for task in &tasks {
        let outcome = sweep.look.tasks.iter().find(|(_, members)| members.0.contains(task.member)).unwrap().0;
        assert_eq!((outcome.state, outcome.exit), (task.state, task.exit), "{}", task.member);
    }
    let text = serde_json::to_string(&tasks).unwrap();
    assert_eq!(serde_json::from_str::<Vec<Evidence>>(&text).unwrap(), tasks);
}
