//! One cause from accounting and log together.

use std::sync::LazyLock;

use super::*;
use crate::cluster::{ExitCode, FailedStep, Printed, State};
use crate::config::PatternRow;
use crate::joblog::{Finding, Reading, Role};
use crate::sweep::{self, ByPlan, LogSeen, Shared};
use crate::terms::{Bytes, JobId, Known, Time};

/// A task that ended so: `FAILED 1:0`, with its steps `OUT_OF_MEMORY 0:125`.
fn task(outcome: &str, step: &str) -> Evidence {
    let read = |text: &str| -> (State, ExitCode) {
        let (state, exit) = text.split_once(' ').unwrap();
        (State::read(state), exit.parse().unwrap())
    };
    let (state, exit) = read(outcome);
    let mut task = Evidence::of(7, JobId::task(100, 7));
    (task.state, task.exit, task.elapsed) = (state, Some(exit), Some(60));
    (task.limit, task.node_list) = (Some(3600), Shared::from("gpu01"));
    task.steps.count = 1;
    if !step.is_empty() {
        let (state, exit) = read(step);
        task.steps.failed = 1;
        task.steps.worst = Some(FailedStep { state, exit });
        task.steps.out_of_memory = state == State::OutOfMemory;
    }
    task
}

/// A table of the rows that these tests need: what the built-in rows match is
/// tested with them.
fn table() -> &'static Table {
    static TABLE: LazyLock<Table> = LazyLock::new(|| {
        let row = |(class, role, retry, pattern): &(&str, &str, &str, &str)| PatternRow {
            id: (*class).to_owned(),
            pattern: (*pattern).to_owned(),
            class: (*class).to_owned(),
            role: (*role).to_owned(),
            weak: false,
            retry: (*retry).to_owned(),
            is: Vec::new(),
            yields_to: None,
            confirms: None,
            meaning: format!("{class} it was"),
            action: "do it".to_owned(),
            example: None,
            near_miss: None,
        };
        Table::from_rows(&ROWS.iter().map(row).collect::<Vec<_>>()).unwrap()
    });
    &TABLE
}

const ROWS: [(&str, &str, &str, &str); 10] = [
    ("time-limit", "root", "resume", "DUE TO TIME LIMIT"),
    ("preempted", "root", "resume", "DUE TO PREEMPTION"),
    ("cancelled", "root", "ask", r"CANCELLED AT [\d:T-]+ \*\*\*"),
    ("host-oom", "root", "after-change", "oom_kill event|Exceeded step memory limit"),
    ("killed-unconfirmed", "evidence", "ask", r"line \d+: +\d+ Killed"),
    ("cuda-oom", "root", "after-change", "CUDA out of memory"),
    ("hardware", "root", "resume", "NVRM: Xid"),
    ("nccl-timeout", "cascade", "resume", "Watchdog caught collective operation timeout"),
    ("missing-module", "root", "fix-first", "ModuleNotFoundError"),
    ("missing-path", "root", "by-cause", "FileNotFoundError"),
];

/// The task with a log that has these lines.
fn with_log(mut task: Evidence, lines: &[&str]) -> Evidence {
    let mut findings: Vec<Finding> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let Some(row) = table().classify(line.as_bytes()) else { continue };
        findings.push(Finding {
            pattern: row.id.clone(),
            class: row.class.clone(),
            role: row.role,
            line: Some(number as u64 + 1),
            offset: number as u64 * 100,
            text: (*line).to_owned(),
            job: None,
            attempt: 0,
            exception: None,
            frame: None,
            survived: false,
            set_aside: None,
            fingerprint: Fingerprint::of(&row.class, None, line, None),
            normal: (*line).to_owned(),
            count: 1,
        });
    }
    let root = findings.iter().position(|finding| finding.role == Role::Root);
    let root = root.map(|at| findings.remove(at));
    task.looked_mut().log = Known::Known(LogSeen {
        files: vec!["logs/7.out".into()],
        reading: Reading {
            path: "logs/7.out".into(),
            size: 1000,
            modified: None,
            root,
            elsewhere: None,
            others: findings,
            left_out: 0,
            attempts: Vec::new(),
            unread: Vec::new(),
            progress: None,
            mentions: Vec::new(),
        },
    });
    task
}

fn found(task: &Evidence) -> (String, Confidence, Retry) {
    let cause = cause(task, table()).unwrap();
    (cause.class, cause.confidence, cause.retry)
}

fn is(class: &str, confidence: Confidence, retry: Retry) -> (String, Confidence, Retry) {
    (class.to_owned(), confidence, retry)
}

use Confidence::{Likely, Open, Sure};

// The eight rows of the playbook.

#[test]
fn cuda_out_of_memory_is_gpu_memory_and_needs_a_change() {
    let line = "torch.cuda.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB.";
    let task = with_log(task("FAILED 1:0", "FAILED 1:0"), &[line]);
    assert_eq!(found(&task), is("cuda-oom", Sure, Retry::AfterChange));
    let cause = cause(&task, table()).unwrap();
    let (first, second) = (&cause.evidence[0], &cause.evidence[1]);
    assert_eq!(
        (first.source, first.text.as_str(), first.line, first.offset),
        (Source::Log, line, Some(1), Some(0))
    );
    assert_eq!(second.source, Source::Sacct);
    assert_eq!(second.text, "100_7 FAILED 1:0, step FAILED 1:0, ran 00:01:00 of 01:00:00, on gpu01");
}

#[test]
fn a_bare_killed_is_memory_only_with_a_second_witness() {
    let line = "/var/spool/slurmd/job100/slurm_script: line 9: 4711 Killed   python train.py";
    let oom = "slurmstepd: error: Detected 1 oom_kill event in StepId=100.batch. Some of the step tasks have been OOM Killed.";
    assert_eq!(found(&with_log(task("FAILED 1:0", ""), &[line])), is("killed-unconfirmed", Open, Retry::Ask));
    assert_eq!(
        found(&with_log(task("FAILED 137:0", ""), &[line])),
        is("host-oom", Likely, Retry::AfterChange)
    );
    assert_eq!(found(&with_log(task("FAILED 9:0", ""), &[line])), is("host-oom", Likely, Retry::AfterChange));
    let mut no_steps = task("FAILED 1:0", "");
    no_steps.steps.count = 0;
    let (class, confidence, _) = found(&with_log(no_steps, &[line, oom]));
    assert_eq!((class.as_str(), confidence), ("host-oom", Sure), "no step is known that could deny it");
    let (class, confidence, _) = found(&with_log(task("FAILED 1:0", "OUT_OF_MEMORY 0:125"), &[line]));
    assert_eq!((class.as_str(), confidence), ("host-oom", Sure));
}

#[test]
fn a_kill_far_below_the_memory_that_was_asked_for_is_none_for_memory() {
    let line = "/var/spool/slurmd/job100/slurm_script: line 9: 4711 Killed   python train.py";
    let mut task = with_log(task("FAILED 137:0", ""), &[line]);
    assert!(!may_be_memory(&task), "nothing to compare");
    task.steps.max_rss = Some(Bytes(17 << 20));
    assert!(may_be_memory(&task));
    assert_eq!(found(&task), is("host-oom", Likely, Retry::AfterChange));
    task.asked_memory = Some(Bytes(1000 << 20));
    assert!(!may_be_memory(&task));
    assert_eq!(found(&task), is("killed-unconfirmed", Open, Retry::Ask));
    let sentence = cause(&task, table()).unwrap().sentence;
    assert!(
        sentence.ends_with("seen using 17.0 MiB of the 1000.0 MiB asked for: hardly for memory"),
        "{sentence}"
    );
    task.steps.max_rss = Some(Bytes(900 << 20));
    assert_eq!(found(&task), is("host-oom", Likely, Retry::AfterChange));
}

#[test]
fn the_time_limit_needs_no_log() {
    assert_eq!(found(&task("TIMEOUT 0:0", "CANCELLED 0:15")), is("time-limit", Sure, Retry::Resume));
    let line =
        "slurmstepd: error: *** JOB 107 ON gpu01 CANCELLED AT 2026-11-20T04:00:00 DUE TO TIME LIMIT ***";
    let task = with_log(task("TIMEOUT 0:0", ""), &[line]);
    assert_eq!(found(&task), is("time-limit", Sure, Retry::Resume));
    let cause = cause(&task, table()).unwrap();
    assert_eq!(cause.sentence, "Slurm ended it at its time limit of 1 h");
    assert_eq!(
        cause.evidence.iter().map(|line| line.source).collect::<Vec<_>>(),
        [Source::Sacct, Source::Log]
    );
}

#[test]
fn a_module_that_is_missing_is_to_be_mended_first() {
    let task = with_log(task("FAILED 1:0", ""), &["ModuleNotFoundError: No module named 'einops'"]);
    assert_eq!(found(&task), is("missing-module", Sure, Retry::FixFirst));
}

#[test]
fn a_file_that_is_missing_goes_by_its_spread() {
    let line = "FileNotFoundError: [Errno 2] No such file or directory: '/data/shard_3.tar'";
    let (class, _, retry) = found(&with_log(task("FAILED 1:0", ""), &[line]));
    assert_eq!((class.as_str(), retry), ("missing-path", Retry::ByCause));
}

#[test]
fn an_nccl_timeout_is_the_cause_until_there_is_another_root() {
    let nccl = "[rank3]:[E1120 04:00:00 ProcessGroupNCCL.cpp:607] [Rank 3] Watchdog caught collective operation timeout: WorkNCCL(SeqNum=81, OpType=ALLREDUCE, NumelIn=1, NumelOut=1, Timeout(ms)=600000) ran for 600031 milliseconds before timing out.";
    let (class, confidence, _) = found(&with_log(task("FAILED 1:0", ""), &[nccl]));
    assert_eq!((class.as_str(), confidence), ("nccl-timeout", Likely));
    let xid = "NVRM: Xid (PCI:0000:1a:00): 79, pid=1234, GPU has fallen off the bus.";
    let (class, _, retry) = found(&with_log(task("FAILED 1:0", ""), &[nccl, xid]));
    assert_eq!((class.as_str(), retry), ("hardware", Retry::Resume));
}

#[test]
fn exit_137_is_a_kill_and_memory_only_with_evidence() {
    for exit in ["FAILED 137:0", "FAILED 9:0", "FAILED 0:9"] {
        assert_eq!(found(&task(exit, "")), is("killed-unconfirmed", Open, Retry::Ask), "{exit}");
        let (class, confidence, _) = found(&task(exit, "OUT_OF_MEMORY 0:125"));
        assert_eq!((class.as_str(), confidence), ("host-oom", Sure), "{exit}");
    }
}

#[test]
fn exit_143_was_terminated_by_somebody() {
    for exit in ["FAILED 143:0", "FAILED 15:0", "FAILED 0:15"] {
        assert_eq!(found(&task(exit, "")), is("terminated", Open, Retry::Ask), "{exit}");
    }
    let line =
        "slurmstepd: error: *** JOB 107 ON gpu01 CANCELLED AT 2026-11-20T04:00:00 DUE TO PREEMPTION ***";
    let (class, ..) = found(&with_log(task("FAILED 15:0", ""), &[line]));
    assert_eq!(class, "preempted", "the log says who");
}

// What else accounting hides.

#[test]
fn failed_with_exit_1_was_memory_if_a_step_says_so() {
    let task = task("FAILED 1:0", "OUT_OF_MEMORY 0:125");
    assert_eq!(found(&task), is("host-oom", Sure, Retry::AfterChange));
    let cause = cause(&task, table()).unwrap();
    assert_eq!(cause.sentence, "a step ran out of memory, although the job itself only says FAILED 1:0");
}

#[test]
fn what_never_ran_is_no_failure_of_the_code() {
    let mut never = task("FAILED 0:53", "");
    (never.steps.count, never.elapsed) = (0, Some(0));
    assert_eq!(found(&never), is("log-path", Sure, Retry::AfterChange));
    let mut never = task("FAILED 1:0", "");
    (never.steps.count, never.elapsed) = (0, Some(0));
    assert_eq!(found(&never), is("launch-fail", Likely, Retry::Resubmit));
}

#[test]
fn the_step_names_the_signal_that_the_script_swallowed() {
    let (class, confidence, retry) = found(&task("FAILED 1:0", "FAILED 0:11"));
    assert_eq!((class.as_str(), confidence, retry), ("crash", Likely, Retry::Once));
    for exit in ["FAILED 139:0", "FAILED 0:11", "FAILED 11:0"] {
        assert_eq!(found(&task(exit, "")).0, "crash", "{exit}");
    }
}

#[test]
fn an_unknown_cause_says_what_was_not_read() {
    let sentence = |task: &Evidence| cause(task, table()).unwrap().sentence;
    let mut failed = task("FAILED 1:0", "");
    assert_eq!(found(&failed), is("unknown", Open, Retry::Once));
    assert_eq!(sentence(&failed), "it ended with exit 1; its log was not read");
    failed.looked_mut().log = Known::Unknown("no file under logs/**".into());
    assert_eq!(sentence(&failed), "it ended with exit 1; its log was not read (no file under logs/**)");
    let failed = with_log(failed, &["epoch 3 loss 0.1"]);
    assert_eq!(sentence(&failed), "it ended with exit 1; its log has no line that says why");
}

#[test]
fn a_log_from_before_the_attempt_says_nothing_of_it() {
    let mut failed = with_log(task("FAILED 1:0", ""), &["ModuleNotFoundError: No module named 'einops'"]);
    failed.started = Time::from_unix(2_000_000);
    if let Known::Known(log) = &mut failed.looked_mut().log {
        log.reading.modified = Time::from_unix(1_999_000);
    }
    let cause = cause(&failed, table()).unwrap();
    assert_eq!(cause.class, "unknown");
    assert_eq!(cause.sentence, "it ended with exit 1; its log was last written before this attempt began");
}

#[test]
fn what_lives_or_completed_has_no_cause() {
    let mut live = task("FAILED 1:0", "");
    (live.state, live.in_queue) = (State::Pending, true);
    assert_eq!(cause(&live, table()), None, "requeued: alive under the same id");
    assert_eq!(cause(&task("COMPLETED 0:0", ""), table()), None);
}

#[test]
fn a_run_that_failed_and_hung_until_its_limit_failed_by_what_its_log_says() {
    let line = "ModuleNotFoundError: No module named 'einops'";
    let (class, confidence, _) = found(&with_log(task("TIMEOUT 0:0", ""), &[line]));
    assert_eq!((class.as_str(), confidence), ("missing-module", Likely));
    let (class, ..) = found(&with_log(task("NODE_FAIL 0:0", ""), &[line]));
    assert_eq!(class, "node-fail");
}

#[test]
fn who_cancelled_is_said() {
    let mut cancelled = task("CANCELLED 0:0", "");
    cancelled.cancelled_by = Some(1000);
    let cause = cause(&cancelled, table()).unwrap();
    assert_eq!(
        (cause.class.as_str(), cause.sentence.as_str()),
        ("cancelled", "it was cancelled by uid 1000")
    );
}

#[test]
fn a_plan_that_cancelled_is_named_and_nobody_is_to_be_asked() {
    let mut cancelled = task("CANCELLED 0:0", "");
    let at = Time::from_unix(1_795_232_460).unwrap();
    let plan = ByPlan { hash: "0123456789ab".to_owned(), at, by: "ann@login1".to_owned() };
    let plans = [(cancelled.member, plan)].into();
    sweep::name_who_cancelled(std::slice::from_mut(&mut cancelled), &plans);
    let cause = cause(&cancelled, table()).unwrap();
    let start = "it was cancelled by plan 0123456789ab, which ann@login1 submitted ";
    assert!(cause.class == "cancelled" && cause.sentence.starts_with(start), "{cause:?}");
    assert!(!cause.action.contains("ask whoever"), "{cause:?}");
}

#[test]
fn a_cause_that_may_be_another_jobs_is_uncertain_and_its_line_is_shown_first() {
    let mut task = with_log(task("FAILED 1:0", "FAILED 1:0"), &["ModuleNotFoundError: No module named 'a'"]);
    if let Known::Known(log) = &mut task.looked_mut().log {
        log.reading.elsewhere = log.reading.root.take().map(Box::new);
    }
    let cause = cause(&task, table()).unwrap();
    assert_eq!((cause.class.as_str(), cause.confidence, cause.retry), ("uncertain", Open, Retry::Ask));
    let sources: Vec<Source> = cause.evidence.iter().map(|line| line.source).collect();
    assert_eq!(sources, [Source::Log, Source::Sacct]);
    // A task that Slurm ended is not in doubt.
    (task.state, task.exit) = (State::Timeout, None);
    assert_eq!(super::cause(&task, table()).unwrap().class, "time-limit");
}

// What a program may print itself.

const LIMIT: &str =
    "slurmstepd: error: *** JOB 107 ON gpu01 CANCELLED AT 2026-11-20T04:00:00 DUE TO TIME LIMIT ***";
const STEP_LIMIT: &str =
    "slurmstepd: error: *** STEP 107.0 ON gpu01 CANCELLED AT 2026-11-20T04:00:00 DUE TO TIME LIMIT ***";
const TAKEN: &str =
    "slurmstepd: error: *** JOB 107 ON gpu01 CANCELLED AT 2026-11-20T04:00:00 DUE TO PREEMPTION ***";
const MEMORY: &str = "slurmstepd: error: Detected 1 oom_kill event in StepId=107.batch. Some of the step tasks have been OOM Killed.";
const MODULE: &str = "ModuleNotFoundError: No module named 'einops'";

#[test]
fn a_line_in_slurms_words_that_accounting_denies_is_no_cause() {
    for line in [LIMIT, STEP_LIMIT, TAKEN, MEMORY] {
        let forged = with_log(task("FAILED 1:0", "FAILED 1:0"), &[line]);
        assert_eq!(found(&forged), is("unknown", Open, Retry::Once), "{line}");
        let cause = cause(&forged, table()).unwrap();
        assert!(
            cause.sentence.ends_with("its log tells of another end, which accounting denies"),
            "{cause:?}"
        );
        let lines: Vec<&str> = cause.evidence.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(lines[1], line, "what was denied is shown");
        let forged = with_log(task("FAILED 1:0", "FAILED 1:0"), &[line, MODULE]);
        assert_eq!(found(&forged), is("missing-module", Likely, Retry::FixFirst), "{line}");
    }
}

#[test]
fn what_a_program_says_after_a_line_that_is_denied_is_how_it_ended() {
    let mut forged = with_log(task("FAILED 1:0", "FAILED 1:0"), &[LIMIT, MODULE]);
    if let Known::Known(log) = &mut forged.looked_mut().log {
        let after = &mut log.reading.others[0];
        (after.role, after.exception) = (Role::Teardown, Some("ModuleNotFoundError".to_owned()));
    }
    assert_eq!(found(&forged), is("missing-module", Likely, Retry::FixFirst));
}

#[test]
fn a_time_limit_is_denied_only_far_below_the_limit() {
    let ran = |elapsed, limit| {
        let mut task = task("FAILED 1:0", "FAILED 1:0");
        (task.elapsed, task.limit) = (elapsed, limit);
        found(&with_log(task, &[LIMIT])).0
    };
    assert_eq!(ran(Some(3239), Some(3600)), "unknown");
    assert_eq!(ran(Some(3241), Some(3600)), "time-limit", "it may have trapped the signal");
    assert_eq!(ran(None, Some(3600)), "time-limit", "not known");
    assert_eq!(ran(Some(60), None), "time-limit", "not known");
}

#[test]
fn a_limit_of_its_own_that_ended_a_step_is_the_cause() {
    for step in ["CANCELLED 0:15", "TIMEOUT 0:0", "FAILED 0:15", "FAILED 143:0"] {
        let (class, ..) = found(&with_log(task("FAILED 1:0", step), &[STEP_LIMIT]));
        assert_eq!(class, "time-limit", "{step}");
    }
    let mut unseen = task("FAILED 1:0", "");
    unseen.steps.count = 0;
    assert_eq!(
        found(&with_log(unseen, &[STEP_LIMIT])).0,
        "time-limit",
        "no step is known that could deny it"
    );
}

#[test]
fn a_signal_that_a_program_trapped_leaves_the_words_of_a_cancellation_and_a_plain_failure() {
    // As `scancel --signal=TERM --batch` left it with 22.05.
    let line = "slurmstepd-cpu02: error: *** JOB 107 ON cpu02 CANCELLED AT 2026-11-21T22:06:29 ***";
    let task = with_log(task("FAILED 1:0", "FAILED 1:0"), &[line]);
    let (class, _, retry) = found(&task);
    assert_eq!((class.as_str(), retry), ("cancelled", Retry::Ask));
}

#[test]
fn memory_is_denied_only_by_steps_that_were_seen_and_ended_by_no_signal() {
    let ended = |outcome, step| found(&with_log(task(outcome, step), &[MEMORY])).0;
    assert_eq!(ended("FAILED 1:0", "OUT_OF_MEMORY 0:125"), "host-oom");
    assert_eq!(ended("OUT_OF_MEMORY 0:125", ""), "host-oom");
    assert_eq!(ended("FAILED 9:0", ""), "host-oom", "137 with 128 taken off");
    assert_eq!(ended("FAILED 1:0", "FAILED 0:9"), "host-oom");
    assert_eq!(ended("FAILED 1:0", ""), "unknown");
    let mut old = task("FAILED 1:0", "FAILED 1:0");
    let line = ["slurmstepd: error: Exceeded step memory limit at some point."];
    old.printed = Printed::Unknown;
    assert_eq!(found(&with_log(old.clone(), &line)).0, "host-oom", "releases that had no word for it");
    old.printed = Printed::Whole;
    assert_eq!(found(&with_log(old, &line)).0, "unknown", "no such release says this");
}

#[test]
fn the_line_of_an_attempt_before_a_requeue_is_not_the_cause_of_this_one() {
    let mut again = with_log(task("FAILED 1:0", "FAILED 1:0"), &[TAKEN]);
    let mut before = task("PREEMPTED 0:15", "");
    before.node_list = Shared::from("gpu02");
    again.earlier = before.into_earlier();
    assert_eq!(found(&again).0, "unknown");
}
