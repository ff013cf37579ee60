//! A sweep that is over, by what a state file alone knows of it.

use std::path::PathBuf;

use crate::support::planted::Recorded;
use crate::support::{Answer, Sandbox};

/// The state file of the recorded sweep after its last task was gone from the
/// queue; with the directory of its jobs, or without as older scripts wrote it.
fn over(recorded: &Recorded, with_work_dir: bool) -> PathBuf {
    let text = std::fs::read_to_string(recorded.sandbox.root().join("cluster_state.txt")).unwrap();
    let dir = recorded.sandbox.root().join("beside");
    let dir = dir.to_str().unwrap();
    let mut block = "";
    let mut out = String::new();
    for line in text.lines() {
        match line.split_once(' ') {
            Some(("begin", name)) => block = name,
            Some(("end", "squeue 0 5")) => {
                out.push_str("end squeue 0 0\n");
                continue;
            }
            _ => {}
        }
        let is_row = line.starts_with(':');
        if block == "squeue long" && is_row {
            continue;
        }
        let mut fields: Vec<&str> = line.split('\t').collect();
        if block == "sacct" && is_row && with_work_dir {
            let work_dir = match fields[0] {
                ":JobID" => "WorkDir",
                id if id.contains('.') => "",
                _ => dir,
            };
            fields.insert(fields.len() - 1, work_dir);
        }
        out.push_str(&fields.join("\t"));
        out.push('\n');
    }
    let path = recorded.sandbox.root().join("over.txt");
    std::fs::write(&path, out).unwrap();
    path
}

/// Moves the sweep to another worktree of the project.
fn beside(recorded: &Recorded) {
    for words in [
        &["add", ".handover.yaml", "params.csv"][..],
        &["commit", "-qm", "Settings"],
        &["worktree", "add", "-q", "../beside"],
    ] {
        let _ = recorded.sandbox.git_in(&recorded.project, words);
    }
    for dir in ["logs", "runs", "results", "conf"] {
        let there = recorded.sandbox.root().join("beside").join(dir);
        std::fs::rename(recorded.project.join(dir), there).unwrap();
    }
}

const OLDER: &str = "where it works is not known";

#[test]
fn the_logs_of_a_sweep_that_is_over_are_found_from_any_worktree_where_the_file_says_where_it_worked() {
    let recorded = Recorded::new();
    beside(&recorded);
    let board = |state: PathBuf| {
        let words = ["sweep", "2", "--cluster", state.to_str().unwrap()];
        let told = recorded.sandbox.handover_in(&recorded.project, words);
        told.stdout().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let told = board(over(&recorded, true));
    assert!(told.contains("cuda-oom") && !told.contains(OLDER), "{told}");
    let told = board(over(&recorded, false));
    assert!(!told.contains("cuda-oom") && told.contains(OLDER), "{told}");
}

fn logs(recorded: &Recorded, words: &[&str]) -> Answer {
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let words = [&["logs"], words, &["--cluster", state.to_str().unwrap()]].concat();
    recorded.sandbox.handover_in(&recorded.project, words)
}

#[test]
fn a_raw_id_is_the_task_that_the_state_file_says() {
    let recorded = Recorded::new();
    let of = |id: &str| {
        let data = logs(&recorded, &["--job", id, "--json"]).expect(0).data();
        let log = &data["logs"][0];
        assert!(log["file"].as_str().unwrap().ends_with("logs/lrgrid_2_8.out"), "{data:#}");
        log["job"].clone()
    };
    // Task 8 of array 2 was job 17; there is a task 17, too.
    assert_eq!(of("17"), "2_8");
    assert_eq!(of("2_8"), "2_8");
    let whole = logs(&recorded, &["--job", "2", "--json"]).data();
    let tasks = whole["logs"].as_array().unwrap().iter().filter(|log| log["job"].is_string()).count();
    assert!(tasks > 150, "{tasks} logs of the array are its tasks'");
    let waits = logs(&recorded, &["--job", "2_190"]);
    assert!(waits.stderr().contains("no log") || waits.stdout().contains("no log"), "{waits}");
}

/// What the script asks `sacct` for, and what becomes of it.
fn script(sandbox: &Sandbox) -> String {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/templates/cluster_snapshot.sh");
    let _ = sandbox.program("bash", [template, "state.txt"]).run().expect(0);
    sandbox.read("state.txt")
}

#[test]
fn the_script_asks_where_jobs_worked_and_does_without_where_a_release_does_not_know_it() {
    let sandbox = Sandbox::new();
    drop(sandbox.fake("squeue").answers(""));
    drop(sandbox.fake("sinfo").answers(""));
    drop(sandbox.fake("scontrol").answers(""));
    let row = |head: &str, dir: &str| {
        format!(
            "JobID|JobIDRaw|User|Partition|State|ExitCode|DerivedExitCode|ElapsedRaw|TimelimitRaw|Submit|Start|End|MaxRSS|NodeList|{head}JobName\n\
             8_1|9|ann|ai|FAILED|1:0|1:0|60|600|1000000|1000010|1000070||gpu01|{dir}lr\n"
        )
        .replace('|', "\u{1f}")
    };
    let sacct =
        sandbox.fake("sacct").answers_to("*,WorkDir,*", row("WorkDir|", "/scratch/ann/lr|")).answers("");
    let text = script(&sandbox);
    assert!(text.contains("gpu01\t/scratch/ann/lr\tlr\nend sacct 0 2\n"), "{text}");
    drop(sacct);
    let sacct = sandbox
        .fake("sacct")
        .answers_to("*,NodeList,JobName*", row("", ""))
        .answers_to("*%20*", "")
        .fails(1, "sacct: fatal: Invalid field requested: \"WorkDir\"\n");
    let text = script(&sandbox);
    assert!(text.contains("gpu01\tlr\nend sacct 0 2\n"), "{text}");
    assert_eq!(
        sacct.calls().iter().filter(|call| call.contains("WorkDir")).count(),
        2,
        "once of each release"
    );
}
