//! The recorded sweep of 200 tasks (`tests/fixtures/sweep200`): what the
//! program says of accounting, queue, logs and folders is compared whole with
//! what was planted. `sweep_cluster` does the same on a real Slurm.

use std::collections::BTreeMap;

use handover::tracker;
use serde_json::Value;

use crate::support::Answer;
use crate::support::planted::{Recorded, Truth};
use crate::sweep_plan::of_recording;
use crate::sweep_truth::Place;

/// An object of texts.
#[track_caller]
pub fn texts(object: &Value) -> BTreeMap<String, String> {
    let object = object.as_object().unwrap_or_else(|| panic!("no object: {object}"));
    object.iter().map(|(key, value)| (key.clone(), value.as_str().unwrap().to_owned())).collect()
}

#[test]
fn every_task_of_the_recorded_sweep_has_its_state_and_exit_code() {
    let recorded = Recorded::new();
    let look = |words: &[&str]| {
        let answer =
            recorded.sandbox.handover_in(&recorded.project, [&["sweep", "lrgrid", "--json"], words].concat());
        answer.data()["sweeps"][0].clone()
    };
    let sweep = look(&["--cluster", "../cluster_state.txt"]);
    assert_eq!(texts(&sweep["look"]["tasks"]), recorded.truth.outcomes());
    assert_eq!(sweep["total"], 200);
    let sweep = look(&["--accounting", "../sacct.psv"]);
    assert_eq!(texts(&sweep["look"]["tasks"]), recorded.truth.outcomes());
}

#[test]
fn causes_spread_decision_and_contradictions_of_the_recorded_sweep_are_those_that_were_planted() {
    let recorded = Recorded::new();
    let place = Place { truth: &recorded.truth, project: &recorded.project, array: "2", full: false };
    let data = of_recording(&recorded, &["sweep", "2", "--json"]).data();
    place.board_is_as_planted(&data);
}

#[test]
fn the_plan_of_the_recorded_sweep_has_every_task_and_every_line_that_was_planted() {
    let recorded = Recorded::new();
    for full in [false, true] {
        let place = Place { truth: &recorded.truth, project: &recorded.project, array: "2", full };
        let words = |more: &[&'static str]| {
            [&["sweep", "plan", "2"][..], more, if full { &["--full"][..] } else { &[] }].concat()
        };
        let plan = of_recording(&recorded, &words(&["--json"])).expect(1).data();
        // Half as much again as the 500 MB of those that run, in whole GiB.
        place.plan_is_as_planted(&plan, Some("--mem=1G"));
        let text = of_recording(&recorded, &words(&["--details"])).expect(1);
        place.text_has_the_lines(&plan, text.stdout());
    }
}

/// Compares what `handover WORD...` says of checkpoints with what was planted,
/// by structure and with checksums.
#[track_caller]
pub fn checkpoints_are_as_planted(truth: &Truth, handover: impl Fn(&[&str]) -> Answer) {
    for (full, words) in [
        (false, &["sweep", "checkpoints", "--json"][..]),
        (true, &["sweep", "checkpoints", "--json", "--full"]),
    ] {
        let data = handover(words).expect(3).data();
        assert_eq!(data["unread"], Value::Array(Vec::new()));
        let mut seen = BTreeMap::new();
        for run in data["runs"].as_array().unwrap() {
            let task = run["dir"].as_str().unwrap().rsplit('/').next().unwrap().parse::<u32>().unwrap();
            let refused = run["refused"].as_array().unwrap();
            let refused = refused.iter().map(|one| format!("{}:{}", one["step"], damage(&one["verdict"])));
            seen.insert(task, (run["best"]["step"].as_u64(), refused.collect::<Vec<_>>()));
        }
        assert_eq!(seen, truth.checkpoints(full));
    }
}

/// The plan's word for what is wrong with a checkpoint.
#[track_caller]
fn damage(verdict: &Value) -> &'static str {
    let why = verdict["why"].as_str().unwrap_or_default();
    let has = |words: &str| why.contains(words);
    match verdict["is"].as_str().unwrap() {
        "temporary" => "tmp",
        "unfinished" if has("trainer_state.json") => "stateless",
        "damaged" if has("cut short") => "truncated",
        "damaged" if has("empty") => "empty",
        "damaged" if has("NUL bytes") => "nul-tail",
        "damaged" if has("checksum") => "flipped",
        "damaged" if has("garbled") || has("does not begin") => "flipped-head",
        _ => panic!("not one of the planted: {verdict}"),
    }
}

#[test]
fn the_best_checkpoint_of_each_recorded_run_is_found_and_each_broken_one_refused() {
    let recorded = Recorded::new();
    checkpoints_are_as_planted(&recorded.truth, |words| {
        recorded.sandbox.handover_in(&recorded.project, words)
    });
}

#[test]
fn the_trackers_runs_of_the_recorded_sweep_are_what_the_tasks_did() {
    let recorded = Recorded::new();
    let with_tracker = ["host-kill", "host-kill-bare", "time-limit", "drifted", "node-fail", "running"];
    for task in recorded.truth.0.iter().filter(|task| with_tracker.contains(&task["fate"].as_str())) {
        let index = &task["task"];
        let found = tracker::runs(&recorded.project.join("runs").join(index), &tracker::Limits::default());
        assert_eq!(found.unread, [], "{index}");
        let [run] = found.runs.as_slice() else { panic!("{index}: not one run: {found:#?}") };
        assert_eq!(run.id, format!("lr{:0>4}a0", index));
        assert!(run.offline && run.exit.is_none() && run.problems.is_empty(), "{index}: {run:#?}");
        assert_eq!(run.sweep.as_deref(), Some("q1w2e3r4"));
        assert_eq!(run.host.as_deref(), Some(task["node"].as_str()));
        let last = match task["fate"].as_str() {
            "time-limit" | "drifted" => 700,
            "running" => 500,
            _ => 400,
        };
        assert_eq!(run.last_step, Some(last), "{index}");
        // The older layout has no ids of Slurm.
        let ids = run.slurm.clone().unwrap_or_default();
        let known = index.parse::<u32>().unwrap() % 3 > 0;
        assert_eq!(ids.array_task.map(|task| task.to_string()), known.then(|| index.clone()), "{run:#?}");
    }
    // Those that were preempted began a second run, and some have finished it.
    for task in recorded.truth.0.iter().filter(|task| task["fate"].starts_with("preempted")) {
        let found =
            tracker::runs(&recorded.project.join("runs").join(&task["task"]), &tracker::Limits::default());
        let exits: Vec<_> = found.runs.iter().map(|run| run.exit.map(|exit| exit.code)).collect();
        let over = (task["state"] == "COMPLETED").then_some(0);
        assert_eq!(exits, [None, over], "{task:?}");
    }
}

#[test]
fn a_saved_accounting_text_leads_to_the_logs_of_jobs_that_no_queue_knows() {
    let recorded = Recorded::new();
    let saved = recorded.sandbox.root().join("sacct.psv");
    let look = |folder: &std::path::Path| {
        let words = ["sweep", "2", "--accounting", saved.to_str().unwrap(), "--json"];
        recorded.sandbox.handover_in(folder, words).data()["examined"].clone()
    };
    // From a repository that has none of the logs: by the work directory in the text.
    let elsewhere = recorded.sandbox.repository("elsewhere");
    let causes = |examined: &Value| -> BTreeMap<String, String> {
        let rows = examined["causes"].as_array().unwrap().iter();
        rows.map(|row| (row["task"].to_string(), format!("{} {}", row["class"], row["evidence"]["file"])))
            .collect()
    };
    let (here, there) = (look(&recorded.project), look(&elsewhere));
    assert_eq!(causes(&there), causes(&here));
    assert!(
        causes(&there).values().any(|one| one.contains("cuda-oom") && one.contains("/logs/")),
        "{there:#}"
    );
}
