//! `snapshot`: what it says of sweeps, which is what a handover would say.

use serde_json::{Value, json};

use crate::support::Answer;
use crate::support::planted::Recorded;

/// `handover snapshot WORD...` of the recorded sweep of 200 tasks.
fn of_the_sweep(recorded: &Recorded, words: &[&str]) -> Answer {
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let words = [&["snapshot", "--cluster", state.to_str().unwrap()], words].concat();
    recorded.sandbox.handover_in(&recorded.project, words)
}

#[test]
fn a_snapshot_carries_sweeps_in_the_form_that_a_handover_has() {
    let recorded = Recorded::new();
    let data = of_the_sweep(&recorded, &["--json"]).expect(0).data();
    let listed = data["sweeps"]["listed"].as_array().unwrap();
    assert_eq!((listed.len(), &data["sweeps"]["omitted"]), (1, &json!(0)));
    let causes = listed[0]["standing"]["causes"].as_array().unwrap();
    let rows: Vec<Value> = causes.iter().map(|one| json!([one["class"], one["count"]])).collect();
    assert_eq!(
        rows,
        [
            json!(["cuda-oom", 38]),
            json!(["host-oom", 12]),
            json!(["missing-module", 10]),
            json!(["time-limit", 4]),
            json!(["node-fail", 3])
        ]
    );
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let create = ["create", "--cluster", state.to_str().unwrap()];
    let key = recorded.sandbox.handover_in(&recorded.project, create).expect(0).last_line().to_owned();
    let shown = recorded.sandbox.handover_in(&recorded.project, ["show", &key, "--json"]).expect(0).data();
    assert_eq!(data["sweeps"], shown["facts"]["sweeps"], "word for word");

    let text = of_the_sweep(&recorded, &[]).expect(0);
    let from = text.stdout().find("\nSweeps\n").unwrap();
    let part = &text.stdout()[from..text.stdout().find("\nGPUs").unwrap()];
    assert!(part.lines().all(|line| line.chars().count() <= 80), "{part}");
    insta::assert_snapshot!(part);
}

#[test]
fn a_quick_snapshot_reads_no_file_of_a_sweep_and_says_so() {
    let recorded = Recorded::new();
    let data = of_the_sweep(&recorded, &["--quick", "--json"]).expect(0).data();
    let standing = &data["sweeps"]["listed"][0]["standing"];
    assert_eq!(standing["looked_at"], 0);
    assert_eq!(standing["not_read"], json!(["logs and run folders: not asked for"]));
    let text = of_the_sweep(&recorded, &["--quick"]).expect(0);
    assert!(text.stdout().contains("not read: logs and run folders: not asked for"), "{text}");
    assert!(text.stdout().contains("(by queue and accounting alone)"), "{text}");
}

#[test]
fn what_was_submitted_again_is_told_as_what_it_is_now() {
    let recorded = Recorded::new();
    let standing = || {
        let data = of_the_sweep(&recorded, &["--json"]).expect(0).data();
        data["sweeps"]["listed"][0]["standing"].clone()
    };
    let lost = |standing: &Value| {
        let causes = standing["causes"].as_array().unwrap();
        causes.iter().find(|one| one["class"] == "time-limit").unwrap()["tasks"].clone()
    };
    let before = standing();
    assert_eq!(lost(&before), "3,8,43,106");
    // A plan was submitted: two of them go on under another id.
    let kept =
        std::fs::read_to_string(format!("{}/tests/fixtures/kept/plan.json", env!("CARGO_MANIFEST_DIR")))
            .unwrap();
    let mut record: Value = serde_json::from_str(&kept).unwrap();
    record["sweep"] = json!("2");
    let resumed =
        json!({ "text": "sbatch x", "tasks": "3,8", "purpose": "resume", "state": "done", "ids": [4711] });
    record["lines"] = json!([resumed]);
    let file = recorded.project.join(".git/handover/sweeps/plans/0123456789ab.json");
    recorded.sandbox.write(file, record.to_string());
    let after = standing();
    assert_eq!(lost(&after), "43,106", "{after:#}");
    let usable = |standing: &Value| standing["resumable"]["usable"].as_u64().unwrap();
    assert_eq!(usable(&after), usable(&before) - 2, "nobody is told to resume them again");
}
