use super::*;
use crate::cluster::{Nothing, Origin, Scope, Snapshot};
use crate::config::Sweeps;
use crate::joblog::{Fingerprint, Progress, Table};
use crate::sweep::{LogSeen, Parameters, sweeps};
use crate::terms::{JobId, Known, Time};
use crate::tracker::{Events, Run, RunExit, Sign, SlurmIds, Tracker};

const NOW: i64 = 2_000_000;

fn task(member: u32, state: State) -> Evidence {
    let mut task = Evidence::of(member, JobId::task(8, member));
    (task.state, task.elapsed) = (state, Some(4000));
    task.exit = state.is_finished().then(ExitCode::default);
    task.started = Time::from_unix(NOW - 50_000);
    task.steps.count = 1;
    task
}

fn log(root: Option<&str>, percent: Option<f64>, modified: i64) -> LogSeen {
    let root = root.map(|class| Finding {
        pattern: class.to_owned(),
        class: class.to_owned(),
        role: Role::Root,
        line: Some(3),
        offset: 90,
        text: format!("a line about {class}"),
        job: None,
        attempt: 0,
        exception: None,
        frame: None,
        survived: false,
        set_aside: None,
        fingerprint: Fingerprint::of(class, None, "", None),
        normal: String::new(),
        count: 1,
    });
    LogSeen {
        files: Vec::new(),
        reading: Reading {
            path: "a.out".into(),
            size: 100,
            modified: Time::from_unix(modified),
            root,
            elsewhere: None,
            others: Vec::new(),
            left_out: 0,
            attempts: Vec::new(),
            unread: Vec::new(),
            progress: percent.map(|percent| Progress { percent: Some(percent), ..Progress::default() }),
            mentions: Vec::new(),
        },
    }
}

fn run(id: &str, code: Option<i32>, last_sign: i64) -> Run {
    Run {
        dir: format!("wandb/run-{id}").into(),
        id: id.to_owned(),
        started: Time::from_unix(NOW - 49_000),
        exit: code.map(|code| RunExit { code, runtime: None }),
        last_sign: Time::from_unix(last_sign).map(|time| Sign { time, of: "run.wandb".into() }),
        ..Run::default()
    }
}

/// The kinds that are found, each with its tasks.
fn kinds(tasks: &[Evidence]) -> Vec<String> {
    // Counted from a text that has no task of these: the contradictions come from the evidence.
    let text = b"JobID|State|ExitCode|JobName\n8_900|COMPLETED|0:0|lr\n";
    let snapshot = Snapshot {
        accounting: Known::Known(crate::cluster::sacct::read_bytes(text)),
        ..Snapshot::without(Origin::Local, Scope::default(), Nothing::Unknown("not asked".into()))
    };
    let sweep = sweeps(&snapshot).sweeps.remove(0);
    let (settings, parameters) = (Sweeps::default(), Parameters::default());
    let now = Time::from_unix(NOW);
    let rules = Rules { settings: &settings, table: Table::builtin(), parameters: &parameters, now };
    let order: Vec<&Evidence> = tasks.iter().collect();
    contradictions(&sweep, &order, &rules)
        .iter()
        .map(|found| {
            let kind = serde_json::to_value(found.kind).unwrap();
            format!("{} {} {}", kind.as_str().unwrap(), found.tasks, found.evidence[0].text)
        })
        .collect()
}

fn with(mut task: Evidence, change: impl FnOnce(&mut crate::sweep::Looked)) -> Evidence {
    change(task.looked_mut());
    task
}

#[test]
fn a_job_that_agrees_with_itself_has_no_contradiction() {
    let fine = with(task(0, State::Completed), |looked| {
        looked.log = Known::Known(log(None, Some(100.0), NOW));
        looked.runs = Known::Known(vec![run("a", Some(0), NOW - 60)]);
    });
    let busy = with(task(1, State::Running), |looked| {
        looked.runs = Known::Known(vec![run("b", None, NOW - 60)]);
    });
    assert_eq!(kinds(&[fine, busy, task(2, State::Completed)]), Vec::<String>::new());
}

#[test]
fn completed_is_not_success_where_the_log_or_the_tracker_say_otherwise() {
    let root = with(task(0, State::Completed), |looked| {
        looked.log = Known::Known(log(Some("cuda-oom"), None, NOW));
    });
    let crashed = with(task(1, State::Completed), |looked| {
        looked.runs = Known::Known(vec![run("a", Some(1), NOW - 60)])
    });
    let killed =
        with(task(2, State::Completed), |looked| looked.runs = Known::Known(vec![run("b", None, NOW - 60)]));
    assert_eq!(
        kinds(&[root, crashed, killed]),
        [
            "completed_with_failure_in_log 0 a line about cuda-oom",
            "completed_over_crashed_run 1 run a ended with code 1, last sign of life 1970-01-24T03:32:20Z",
            "completed_without_exit_record 2 run b has no exit record, last sign of life 1970-01-24T03:32:20Z",
        ]
    );
}

#[test]
fn failed_is_no_failure_where_log_or_tracker_show_the_end() {
    let done = with(task(0, State::Failed), |looked| looked.log = Known::Known(log(None, Some(100.0), NOW)));
    let ended =
        with(task(1, State::Failed), |looked| looked.runs = Known::Known(vec![run("a", Some(0), NOW)]));
    let half = with(task(2, State::Failed), |looked| looked.log = Known::Known(log(None, Some(50.0), NOW)));
    assert_eq!(kinds(&[done, ended, half]), ["failed_though_done 0,1 8_0 FAILED 0:0, ran 01:06:40"]);
}

#[test]
fn a_log_that_tells_another_end_than_accounting_is_told() {
    let limit =
        |state| with(task(0, state), |looked| looked.log = Known::Known(log(Some("time-limit"), None, NOW)));
    assert_eq!(kinds(&[limit(State::Failed)]), ["log_disagrees 0 a line about time-limit"]);
    assert_eq!(kinds(&[limit(State::Timeout)]), Vec::<String>::new());
    let code =
        with(task(0, State::Timeout), |looked| looked.log = Known::Known(log(Some("code"), None, NOW)));
    assert_eq!(kinds(&[code]), ["log_disagrees 0 a line about code"]);
}

#[test]
fn a_line_that_accounting_denies_spoils_no_result_and_that_of_an_earlier_attempt_is_in_order() {
    let forged = |state, text: &str, class| {
        let mut found = log(Some(class), None, NOW);
        found.reading.root.iter_mut().for_each(|root| root.text = text.to_owned());
        with(task(0, state), |looked| looked.log = Known::Known(found))
    };
    let taken = "slurmstepd: error: *** JOB 8 ON n1 CANCELLED AT 2026-11-20T04:00:00 DUE TO PREEMPTION ***";
    let line = format!("log_disagrees 0 {taken}");
    assert_eq!(kinds(&[forged(State::Completed, taken, "preempted")]), [line.clone()]);
    assert_eq!(kinds(&[forged(State::Failed, taken, "preempted")]), [line]);
    let memory = "slurmstepd: error: Detected 1 oom_kill event in StepId=8.batch.";
    let mut failed = forged(State::Failed, memory, "host-oom");
    failed.steps.count = 1;
    assert_eq!(kinds(&[failed]), [format!("log_disagrees 0 {memory}")]);
    let mut requeued = forged(State::Failed, taken, "preempted");
    requeued.earlier = task(0, State::Preempted).into_earlier();
    assert_eq!(kinds(&[requeued]), Vec::<String>::new());
}

#[test]
fn gpus_that_are_held_for_nothing_are_told_from_a_job_that_ends() {
    let held = |age| {
        with(task(0, State::Running), |looked| looked.runs = Known::Known(vec![run("a", Some(0), NOW - age)]))
    };
    assert_eq!(
        kinds(&[held(3600)]),
        ["held_gpu 0 run a ended with code 0, last sign of life 1970-01-24T02:33:20Z"]
    );
    assert_eq!(kinds(&[held(60)]), Vec::<String>::new(), "it is about to end");
    let earlier = with(task(0, State::Running), |looked| {
        let old = Run { started: Time::from_unix(NOW - 90_000), ..run("a", Some(1), NOW - 60_000) };
        looked.runs = Known::Known(vec![old]);
    });
    assert_eq!(kinds(&[earlier]), Vec::<String>::new(), "that was the attempt before");
}

#[test]
fn silence_of_the_tracker_alone_is_no_hang() {
    let silent = |written: i64| {
        with(task(0, State::Running), |looked| {
            looked.runs = Known::Known(vec![run("a", None, NOW - 7200)]);
            looked.log = Known::Known(log(None, None, written));
        })
    };
    assert_eq!(
        kinds(&[silent(NOW - 7200)]),
        ["silent 0 run a has no exit record, last sign of life 1970-01-24T01:33:20Z"]
    );
    assert_eq!(
        kinds(&[silent(NOW - 60)]),
        ["tracker_silent 0 run a has no exit record, last sign of life 1970-01-24T01:33:20Z"]
    );
}

#[test]
fn a_job_that_writes_after_its_run_has_more_to_do() {
    let held = |written: i64| {
        with(task(0, State::Running), |looked| {
            looked.runs = Known::Known(vec![run("a", Some(0), NOW - 3600)]);
            looked.log = Known::Known(log(None, None, written));
        })
    };
    assert_eq!(kinds(&[held(NOW - 3000)]).len(), 1);
    assert_eq!(kinds(&[held(NOW - 60)]), Vec::<String>::new());
    // One of its runs goes on.
    let goes_on = with(task(0, State::Running), |looked| {
        let older = Run { tracker: Tracker::Mlflow, ..run("m", Some(0), NOW - 3600) };
        looked.runs = Known::Known(vec![older, run("a", None, NOW - 60)]);
    });
    assert_eq!(kinds(&[goes_on]), Vec::<String>::new(), "two trackers are no two runs either");
}

#[test]
fn event_files_are_a_second_sign_of_life() {
    let with_events = |runs: Vec<Run>, written: i64| {
        with(task(0, State::Running), |looked| {
            looked.runs = Known::Known(runs);
            let modified = Time::from_unix(written);
            looked.events = vec![Events { path: "runs/0/events.1".into(), modified, ..Events::default() }];
        })
    };
    let silent = || vec![run("a", None, NOW - 7200)];
    let told = "0 run a has no exit record, last sign of life 1970-01-24T01:33:20Z";
    assert_eq!(kinds(&[with_events(silent(), NOW - 60)]), [format!("tracker_silent {told}")]);
    assert_eq!(kinds(&[with_events(silent(), NOW - 3600)]), [format!("silent {told}")]);
    assert_eq!(kinds(&[with_events(Vec::new(), NOW - 60)]), Vec::<String>::new());
    assert_eq!(
        kinds(&[with_events(Vec::new(), NOW - 3600)]),
        ["silent 0 event file, last sign of life 1970-01-24T02:33:20Z"]
    );
}

#[test]
fn two_runs_and_zombies_are_named() {
    let two = with(task(0, State::Running), |looked| {
        looked.runs = Known::Known(vec![run("a", None, NOW), run("b", None, NOW)]);
    });
    let zombie =
        with(task(1, State::Failed), |looked| looked.runs = Known::Known(vec![run("c", None, NOW - 7200)]));
    let mut late = with(task(2, State::Failed), |looked| {
        looked.runs = Known::Known(vec![run("d", None, NOW - 3600)]);
    });
    late.ended = Time::from_unix(NOW - 7200);
    let held = with(task(3, State::Timeout), |looked| {
        looked.runs = Known::Known(vec![run("e", Some(0), NOW - 7200)]);
    });
    assert_eq!(
        kinds(&[two, zombie, late, held]),
        [
            "failed_though_done 3 run e ended with code 0, last sign of life 1970-01-24T01:33:20Z",
            "two_runs 0 runs a, b, at the same time",
            "zombie_run 1 run c has no exit record, last sign of life 1970-01-24T01:33:20Z",
            "run_after_end 2 run d has no exit record, last sign of life 1970-01-24T02:33:20Z",
        ]
    );
}

#[test]
fn the_runs_of_two_attempts_and_the_folders_of_one_run_are_no_two_runs() {
    let of_attempts = |runs: Vec<Run>| {
        let mut task = task(0, State::Running);
        task.started = Time::from_unix(NOW - 10_000);
        task.earlier.push(crate::sweep::AttemptSeen {
            state: State::Preempted,
            exit: None,
            elapsed: None,
            started: Time::from_unix(NOW - 50_000),
            ended: Time::from_unix(NOW - 20_000),
            node_list: "n1".into(),
        });
        kinds(&[with(task, |looked| looked.runs = Known::Known(runs))])
    };
    let old = run("a", None, NOW - 21_000);
    let new = |id: &str| Run { started: Time::from_unix(NOW - 9_000), ..run(id, None, NOW) };
    assert_eq!(of_attempts(vec![old.clone(), new("b")]), Vec::<String>::new(), "by time");
    let counted = |run: Run, restarts| {
        let slurm = SlurmIds { restarts: Some(restarts), ..SlurmIds::default() };
        Run { slurm: Some(slurm), ..run }
    };
    let both = vec![counted(new("a"), 0), counted(new("b"), 1)];
    assert_eq!(of_attempts(both), Vec::<String>::new(), "by the count of restarts");
    assert_eq!(of_attempts(vec![old, new("a")]), Vec::<String>::new(), "resumed under its id");
    let first = Run { started: Time::from_unix(NOW - 9_500), ..run("b", Some(0), NOW - 9_200) };
    assert_eq!(of_attempts(vec![first, new("c")]), ["two_runs 0 runs b, c, one after the other"]);
}

#[test]
fn memory_that_ran_out_on_a_step_is_hidden_unless_the_job_says_so() {
    let mut hidden = task(0, State::Failed);
    (hidden.exit, hidden.steps.out_of_memory) = ("1:0".parse().ok(), true);
    let mut open = hidden.clone();
    (open.member, open.exit) = (1, "0:125".parse().ok());
    assert_eq!(kinds(&[hidden, open]), ["hidden_out_of_memory 0 8_0 FAILED 1:0, ran 01:06:40"]);
}
