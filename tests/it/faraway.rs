//! Sweeps of which the cluster's state came here, and their files did not: what
//! is not on this machine is not looked at, and never missing.

use std::fmt::Write;

use serde_json::Value;

use crate::support::{Answer, Sandbox};

const SETTINGS: &str = "sweeps:\n  results: [\"results/{task}.json\"]\n  expected: 24\n";

/// A state file as people's scripts write it: of array 480 eighteen tasks completed
/// and six failed, and two tasks of array 6 run for hours.
fn state() -> String {
    let mut text = "Taken: 2026-11-21 03:40:00 UTC\n\n=== MY JOBS ===\n             JOBID PARTITION                           NAME     USER    STATE       TIME TIME_LIMI  NODES NODELIST(REASON)\n".to_owned();
    for task in 0..2 {
        let id = format!("6_{task}");
        writeln!(
            text,
            "{id:>18}        ai                         seg_wd      ann  RUNNING    7:20:10  12:00:00      1 gpu01"
        )
        .unwrap();
    }
    text += "\n=== RECENT JOB HISTORY (24h) ===\n               JobID                        JobName  Partition      State ExitCode    Elapsed     MaxRSS        NodeList \n-------------------- ------------------------------ ---------- ---------- -------- ---------- ---------- --------------- \n";
    for task in 0..24 {
        let (id, state, exit) = match task {
            0..18 => (format!("480_{task}"), "COMPLETED", "0:0"),
            _ => (format!("480_{task}"), "FAILED", "1:0"),
        };
        writeln!(
            text,
            "{id:>20}                         seg_lr         ai {state:>10} {exit:>8}   09:22:02                      gpu01 "
        )
        .unwrap();
    }
    text
}

fn clone_without_files() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write(".handover.yaml", SETTINGS);
    sandbox.write("../state.txt", state());
    sandbox
}

fn asked(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(words.iter().chain(&["--cluster", "../state.txt"]))
}

fn says_nothing_is_missing(answer: &Answer) {
    let text = format!("{}{}", answer.stdout(), answer.stderr());
    for word in ["invalid", "collapse", "are not there", "no-log", "has no log", "no log was found"] {
        assert!(!text.contains(word), "{word}: {answer}");
    }
}

#[test]
fn what_is_not_on_this_machine_is_not_looked_at_and_never_missing() {
    let sandbox = clone_without_files();
    let board = asked(&sandbox, &["sweep", "480"]).expect(0);
    says_nothing_is_missing(&board);
    assert!(board.stdout().contains("not looked at, "), "{board}");
    assert!(board.stdout().contains("on this machine"), "{board}");
    let data = asked(&sandbox, &["sweep", "480", "--json"]).expect(0).data();
    assert_ne!(data["examined"]["judgement"]["health"], "systemic", "{data:#}");
    assert_eq!(data["examined"].get("results"), None, "nobody counted: {data:#}");
    for (words, code) in
        [(&["snapshot"][..], 0), (&["sweep", "report", "480"], 0), (&["sweep", "plan", "480"], 3)]
    {
        let answer = asked(&sandbox, words).expect(code);
        says_nothing_is_missing(&answer);
    }
    let key = asked(&sandbox, &["create"]).expect(0).last_line().to_owned();
    says_nothing_is_missing(&sandbox.handover(["show", &key]).expect(0));
    for sweep in ["480", "6"] {
        let _ = asked(&sandbox, &["watch", sweep, "--once"]);
        sandbox.advance("1h");
        says_nothing_is_missing(&asked(&sandbox, &["watch", sweep, "--once"]));
    }
}

#[test]
fn a_task_whose_log_came_along_is_judged_by_it_and_the_others_are_not() {
    let sandbox = clone_without_files();
    sandbox.write("logs/seg_lr_480_3.out", "epoch=0, step=120, loss=1.20\ndone\n");
    sandbox.write("logs/seg_lr_480_20.out", "ModuleNotFoundError: No module named 'einops'\n");
    let data = asked(&sandbox, &["sweep", "480", "--json"]).data();
    let found: Vec<&Value> = data["examined"]["judgement"]["contradictions"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|found| found["kind"] == "completed_without_results")
        .map(|found| &found["tasks"])
        .collect();
    assert_eq!(found, ["3"], "{data:#}");
    let causes = data["examined"]["causes"].as_array().unwrap();
    let classes: Vec<&Value> =
        causes.iter().filter(|cause| cause["task"] == 20).map(|cause| &cause["class"]).collect();
    assert_eq!(classes, ["missing-module"], "{data:#}");
}

#[test]
fn a_folder_that_slurm_names_and_that_is_elsewhere_is_named() {
    let sandbox = clone_without_files();
    let rows: String = (0..8)
        .map(|task| format!("480_{task}|{}|ann|COMPLETED|0:0|600|/nowhere/segm|seg_lr\n", 50 + task))
        .collect();
    let text = format!("JobID|JobIDRaw|User|State|ExitCode|ElapsedRaw|WorkDir|JobName\n{rows}");
    let answer = sandbox.call(["sweep", "480", "--accounting", "-"]).stdin(text).run().expect(0);
    says_nothing_is_missing(&answer);
    let line = "logs, run folders and results of 8 tasks: not looked at, /nowhere/segm is not on this";
    let words: Vec<&str> = answer.stdout().split_whitespace().collect();
    assert!(words.join(" ").contains(line), "{answer}");
}
