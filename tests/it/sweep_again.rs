//! What `sweep plan --submit` submitted again is no sweep of its own: it is told
//! of the one that it continues, wherever sweeps are told.

use serde_json::{Value, json};

use crate::support::{Answer, Sandbox};
use crate::watch::{accounting, queue, slurm};

/// Notes that a plan of `sweep` submitted these tasks as `job`.
pub fn submitted(sandbox: &Sandbox, hash: &str, sweep: &str, tasks: &str, job: u32) {
    let text = format!("sbatch --array={tasks} sweep.sbatch");
    let line = json!({
        "text": text, "tasks": tasks, "purpose": "resume", "state": "done", "code": 0, "ids": [job],
    });
    note(sandbox, hash, sweep, &line);
}

/// Notes that a plan of `sweep` cancelled these tasks.
fn cancelled(sandbox: &Sandbox, hash: &str, sweep: &str, tasks: &str) {
    let text = format!("scancel {sweep}_[{tasks}]");
    let line = json!({ "text": text, "tasks": tasks, "purpose": "cancel", "state": "done", "code": 0 });
    note(sandbox, hash, sweep, &line);
}

fn note(sandbox: &Sandbox, hash: &str, sweep: &str, line: &Value) {
    let record = json!({
        "format": 1,
        "hash": hash,
        "sweep": sweep,
        "name": "lr",
        "kind": "array",
        "at": "2026-11-21T03:40:00Z",
        "by": "ann@login1",
        "lines": [line],
    });
    sandbox.write(format!(".git/handover/sweeps/plans/{hash}.json"), record.to_string());
}

/// Array 8, of which two failed; one of them failed again as 520 and goes on as 530.
fn twice_again() -> Sandbox {
    let rows = [
        ("8_0", 9, "COMPLETED", "0:0"),
        ("8_1", 10, "FAILED", "1:0"),
        ("8_2", 11, "COMPLETED", "0:0"),
        ("8_3", 8, "FAILED", "1:0"),
        ("520_1", 521, "COMPLETED", "0:0"),
        ("520_3", 520, "FAILED", "1:0"),
        ("530_3", 530, "RUNNING", "0:0"),
    ];
    let (sandbox, ..) = slurm(&[queue(&[("530_3", 530, "RUNNING", "None")])], &[accounting(&rows)]);
    submitted(&sandbox, "0123456789ab", "8", "1,3", 520);
    submitted(&sandbox, "0123456789ac", "520", "3", 530);
    sandbox
}

fn asked(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(words.iter().chain(&["--cluster", "local"]))
}

fn keys(data: &Value) -> Vec<(String, Value)> {
    let sweeps = data["sweeps"].as_array().unwrap().iter();
    sweeps.map(|sweep| (sweep["key"].as_str().unwrap().to_owned(), sweep["continued_by"].clone())).collect()
}

#[test]
fn what_continues_a_sweep_is_told_of_it_in_the_list_and_found_by_its_own_id() {
    let sandbox = twice_again();
    let list = asked(&sandbox, &["sweep", "--json"]).expect(0).data();
    assert_eq!(keys(&list), [("8".to_owned(), json!([520, 530]))]);
    assert_eq!(list["sweeps"][0]["states"], json!({"COMPLETED": 3, "RUNNING": 1}));
    let text = asked(&sandbox, &["sweep"]).expect(0);
    assert!(text.stdout().contains("8: continued by 520,530, counted here"), "{text}");
    for word in ["lr", "l", "8"] {
        let board = asked(&sandbox, &["sweep", word, "--json"]).expect(0).data();
        assert_eq!(keys(&board), [("8".to_owned(), json!([520, 530]))], "{word}");
        assert_eq!(board.get("others"), None, "{word}: {:#}", board["others"]);
        assert_eq!(board["sweeps"][0]["states"], json!({"COMPLETED": 3, "RUNNING": 1}), "{word}");
    }
    let quick = asked(&sandbox, &["sweep", "lr", "--quick"]).expect(0);
    assert!(quick.stdout().contains("array job 8"), "{quick}");
    let plan = asked(&sandbox, &["sweep", "plan", "lr", "--json"]);
    assert_eq!(plan.data()["sweep"], "8", "{plan}");
    let own = asked(&sandbox, &["sweep", "530"]).expect(0);
    assert!(own.stdout().contains("continues 8: a plan submitted tasks of that again"), "{own}");
}

#[test]
fn the_report_counts_the_run_times_of_the_new_jobs_and_says_which_results_are_expected() {
    let sandbox = twice_again();
    let report = asked(&sandbox, &["sweep", "report", "8"]).expect(0);
    assert!(report.stdout().contains("of 3 that completed"), "{report}");
    assert!(report.stdout().contains("the settings name none that a task must leave"), "{report}");
    sandbox.write(".handover.yaml", "sweeps:\n  results: [\"results/{task}.json\"]\n");
    let _ = ["0", "1", "2"].map(|task| sandbox.write(format!("results/{task}.json"), "{}"));
    let report = asked(&sandbox, &["sweep", "report", "8", "--whole"]).expect(0);
    assert!(report.stdout().contains("none is missing of those completed tasks"), "{report}");
}

#[test]
fn snapshot_document_and_status_tell_it_of_the_sweep_that_it_continues() {
    let sandbox = twice_again();
    let snapshot = asked(&sandbox, &["snapshot"]).expect(0);
    assert!(snapshot.stdout().contains("continued by 520,530, counted here"), "{snapshot}");
    assert!(!snapshot.stdout().contains("lr 5"), "{snapshot}");
    let status = asked(&sandbox, &["status", "--json"]).expect(0).data();
    let words = &status["worktrees"][0]["sweeps"];
    assert_eq!(words.as_array().map(Vec::len), Some(1), "{status:#}");
    assert_eq!((&words[0]["key"], &words[0]["continued_by"]), (&json!("8"), &json!([520, 530])));
    let key = asked(&sandbox, &["create"]).expect(0).last_line().to_owned();
    let text = sandbox.handover(["show", &key]).expect(0);
    assert!(text.stdout().contains("continued by `520,530`, counted here"), "{text}");
    assert!(!text.stdout().contains("`520` `lr`"), "{text}");
}

#[test]
fn what_was_submitted_again_since_a_document_is_looked_at_again() {
    let rows = [("8_0", 9, "COMPLETED", "0:0"), ("8_1", 10, "FAILED", "1:0"), ("8_2", 11, "FAILED", "1:0")];
    let later =
        [&rows[..], &[("520_1", 521, "COMPLETED", "0:0"), ("520_2", 520, "COMPLETED", "0:0")]].concat();
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&rows)]);
    let made = asked(&sandbox, &["create", "--next", "go on"]).expect(0);
    let key = made.last_line().to_owned();
    drop(sandbox.fake("sacct").answers(accounting(&later)));
    sandbox.advance("1h");
    submitted(&sandbox, "0123456789ab", "8", "1,2", 520);
    let briefing = asked(&sandbox, &["resume", &key]).expect(0);
    assert!(!briefing.stdout().contains("decide first"), "{briefing}");
    assert!(briefing.stdout().contains("2 finished well (1,2)"), "{briefing}");
}

#[test]
fn what_a_plan_cancelled_is_told_as_its_doing_wherever_causes_are_told() {
    // Of a waiting task that was cancelled Slurm keeps no row, such as of 4.
    let rows = [
        ("8_0", 9, "COMPLETED", "0:0"),
        ("8_1", 10, "COMPLETED", "0:0"),
        ("8_2", 11, "CANCELLED", "0:0"),
        ("8_3", 8, "CANCELLED by 1000", "0:0"),
    ];
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&rows)]);
    cancelled(&sandbox, "0123456789ab", "8", "2-4");
    let told = |text: &str| {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ").replace('`', "");
        assert!(text.contains("cancelled by plan 0123456789ab"), "{text}");
        assert!(!text.contains("does not say by whom") && !text.contains("ask whoever"), "{text}");
    };
    for words in [&["sweep", "8"][..], &["sweep", "plan", "8"]] {
        told(asked(&sandbox, words).stdout());
    }
    let key = asked(&sandbox, &["create", "--next", "go on"]).expect(0).last_line().to_owned();
    told(sandbox.handover(["show", &key]).expect(0).stdout());
    // What somebody cancels after it was submitted again is not the plan's doing.
    submitted(&sandbox, "0123456789ac", "8", "2-4", 520);
    let later = [("520_2", 521, "CANCELLED", "0:0"), ("520_3", 522, "COMPLETED", "0:0")];
    let later = [&rows[..], &later, &[("520_4", 520, "COMPLETED", "0:0")]].concat();
    drop(sandbox.fake("sacct").answers(accounting(&later)));
    let board = asked(&sandbox, &["sweep", "8"]);
    assert!(board.stdout().contains("does not say by whom"), "{board}");
}
