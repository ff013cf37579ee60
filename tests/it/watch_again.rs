//! `handover watch` of an array of which a plan has submitted tasks again.

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::watch::{accounting, events, queue, slurm};

const HASH: &str = "0123456789ab";

/// Writes that a plan submitted tasks 1 and 3 of array 8 again as 520.
fn submitted(sandbox: &Sandbox) {
    let line = json!({
        "text": "sbatch --array=1,3 train.sbatch",
        "tasks": "1,3",
        "purpose": "resume",
        "state": "done",
        "code": 0,
        "ids": [520],
    });
    let record = json!({
        "format": 1,
        "hash": HASH,
        "sweep": "8",
        "name": "lr",
        "kind": "array",
        "at": "2026-11-21T03:40:00Z",
        "by": "ann@login1",
        "lines": [line],
    });
    sandbox.write(format!(".git/handover/sweeps/plans/{HASH}.json"), record.to_string());
}

/// Accounting of the old array, and of these.
fn known(new: &[(&str, u32, &str, &str)]) -> String {
    let old = [
        ("8_0", 9, "COMPLETED", "0:0"),
        ("8_1", 10, "FAILED", "1:0"),
        ("8_2", 11, "COMPLETED", "0:0"),
        ("8_3", 8, "FAILED", "1:0"),
    ];
    accounting(&[&old[..], new].concat())
}

#[test]
fn tasks_that_a_plan_submitted_again_are_followed_under_their_new_ids_until_they_are_done() {
    let queues = [
        queue(&[("520_[1,3]", 520, "PENDING", "Priority")]),
        queue(&[("520_1", 521, "RUNNING", "None"), ("520_[3]", 520, "PENDING", "Priority")]),
        queue(&[("520_3", 520, "RUNNING", "None")]),
        queue(&[]),
    ];
    // The window of days that finds the name, then what is asked for by its ids.
    let answers = [
        known(&[]),
        known(&[]),
        known(&[("520_1", 521, "COMPLETED", "0:0")]),
        known(&[("520_1", 521, "COMPLETED", "0:0"), ("520_3", 520, "FAILED", "1:0")]),
    ];
    for wanted in ["8", "lr"] {
        let (sandbox, _, sacct) = slurm(&queues, &answers[usize::from(wanted == "lr")..]);
        submitted(&sandbox);
        let answer = sandbox.handover(["watch", wanted, "--until", "done", "--cluster", "local"]).expect(0);
        if wanted == "8" {
            insta::assert_snapshot!(answer);
        }
        let text = answer.stdout();
        assert!(
            text.contains("submitted again 2 tasks: 1,3 (8_1 as 520_1, 8_3 as 520_3)"),
            "{wanted} {answer}"
        );
        assert!(text.contains("completed 1 task: 1 (8_1 as 520_1)"), "{wanted} {answer}");
        assert!(text.contains("failed 1 task: 3 (8_3 as 520_3), FAILED 1:0"), "{wanted} {answer}");
        assert!(text.contains("ends: nothing runs or waits any more"), "{wanted} {answer}");
        let asked: Vec<String> =
            sacct.calls().iter().map(|call| call.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(asked.last().map(String::as_str), Some("-j 520"), "{asked:?}");
    }
}

#[test]
fn what_was_submitted_again_between_two_watches_is_told_and_counted_once() {
    let queues = [queue(&[]), queue(&[("520_1", 521, "RUNNING", "None"), ("520_3", 520, "RUNNING", "None")])];
    let running = [("520_1", 521, "RUNNING", "0:0"), ("520_3", 520, "RUNNING", "0:0")];
    let (sandbox, ..) = slurm(&queues, &[known(&[]), known(&running)]);
    let once = ["watch", "8", "--once", "--cluster", "local", "--json"];
    let first = events(&sandbox.handover(once).expect(0));
    assert_eq!(first.last().unwrap()["why"], "done");
    submitted(&sandbox);
    sandbox.advance("10min");
    let second = events(&sandbox.handover(once).expect(0));
    let told: Vec<&Value> = second.iter().filter(|event| event["event"] == "change").collect();
    assert_eq!(told[0]["change"]["what"], "resubmitted", "{second:#?}");
    assert_eq!(told[0]["change"]["ids"][1], json!({"task": 3, "first": "8_3", "now": "520_3"}));
    let requeued = told.iter().filter(|event| event["change"]["class"] == "requeued").count();
    assert_eq!(requeued, 0, "{second:#?}");
    let end = second.last().unwrap();
    assert_eq!((&end["why"], &end["sweeps"][0]["total"]), (&json!("once"), &json!(4)), "{end:#?}");
    assert_eq!(end["sweeps"][0]["states"], json!({"COMPLETED": 2, "RUNNING": 2}));
    sandbox.advance("10min");
    let third = events(&sandbox.handover(once).expect(0));
    assert!(third.iter().all(|event| event["event"] != "change"), "{third:#?}");
}

#[test]
fn a_new_job_that_nobody_knows_yet_is_waited_for_once_and_not_for_ever() {
    // The queue's answer is older than the submission, or the job is long forgotten.
    let appears = [queue(&[]), queue(&[("520_[1,3]", 520, "PENDING", "Priority")]), queue(&[])];
    let done = known(&[("520_1", 521, "COMPLETED", "0:0"), ("520_3", 520, "COMPLETED", "0:0")]);
    let (sandbox, ..) = slurm(&appears, &[known(&[]), known(&[]), done]);
    submitted(&sandbox);
    let answer = sandbox.handover(["watch", "8", "--cluster", "local"]).expect(0);
    assert!(answer.stdout().contains("completed 2 tasks: 1,3"), "{answer}");
    let (sandbox, squeue, _) = slurm(&[queue(&[])], &[known(&[])]);
    submitted(&sandbox);
    let answer = sandbox.handover(["watch", "8", "--cluster", "local"]).expect(0);
    assert_eq!(squeue.calls().len(), 2, "{answer}");
}
