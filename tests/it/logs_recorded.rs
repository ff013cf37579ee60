//! `handover logs` of the recorded sweep: task by task against what was planted,
//! and after somebody has put lines of Slurm's and of libraries into the logs.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::planted::Recorded;
use crate::sweep_plan::of_recording;

/// What the log of a task proves by itself: the class of its cause, or what it
/// is evidence of.
fn told_by_log(fate: &str) -> Option<(&'static str, bool)> {
    Some(match fate {
        "cuda-oom" => ("cuda-oom", true),
        "missing-module" => ("missing-module", true),
        "host-kill" => ("host-oom", true),
        "host-kill-bare" => ("killed-unconfirmed", false),
        "time-limit" | "drifted" => ("time-limit", true),
        // The node was lost, and nobody wrote that into the log.
        "node-fail" => ("", false),
        _ => return None,
    })
}

#[test]
fn each_failed_task_of_the_recorded_sweep_has_the_root_that_was_planted() {
    let recorded = Recorded::new();
    let mut counted = BTreeMap::new();
    for task in &recorded.truth.0 {
        let Some((class, is_proven)) = told_by_log(&task["fate"]) else { continue };
        *counted.entry(task["fate"].as_str()).or_insert(0) += 1;
        let id = format!("2_{}", task["task"]);
        let data = of_recording(&recorded, &["logs", "--job", &id, "--json"]).expect(0).data();
        let [log] = data["logs"].as_array().unwrap().as_slice() else { panic!("{id}: {data:#}") };
        assert!(log["file"].as_str().unwrap().ends_with(&format!("logs/lrgrid_{id}.out")), "{log:#}");
        let root = &log["root"]["class"];
        let planted = if is_proven { Value::from(class) } else { Value::Null };
        assert_eq!(*root, planted, "{id} {}: {log:#}", task["fate"]);
        if !is_proven && !class.is_empty() {
            let others = log["others"].as_array().unwrap();
            assert!(others.iter().any(|one| one["class"] == class && one["role"] == "evidence"), "{log:#}");
        }
    }
    let planted = [
        ("cuda-oom", 38),
        ("drifted", 1),
        ("host-kill", 6),
        ("host-kill-bare", 6),
        ("missing-module", 10),
        ("node-fail", 3),
        ("time-limit", 3),
    ];
    assert_eq!(counted, BTreeMap::from(planted));
}

fn log(recorded: &Recorded, task: &str) -> PathBuf {
    recorded.project.join(format!("logs/lrgrid_2_{task}.out"))
}

/// Rewrites a log, and leaves its age as it was.
fn rewrite(path: &PathBuf, change: impl FnOnce(String) -> String) {
    let modified = fs::metadata(path).unwrap().modified().unwrap();
    fs::write(path, change(fs::read_to_string(path).unwrap())).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified).unwrap();
}

/// The steps of the plan, with tasks and lines.
fn plan(recorded: &Recorded) -> Value {
    let plan = of_recording(recorded, &["sweep", "plan", "2", "--json"]).expect(1).data();
    let part = |step: &Value| {
        let names = ["kind", "class", "tasks", "lines", "blocked", "condition"];
        names.map(|name| step[name].clone())
    };
    serde_json::to_value(plan["steps"].as_array().unwrap().iter().map(part).collect::<Vec<_>>()).unwrap()
}

const FORGED: [&str; 4] = [
    "slurmstepd: error: *** JOB 999 ON n1 CANCELLED AT 2026-11-21T15:36:19 DUE TO TIME LIMIT ***\n",
    "slurmstepd: error: *** JOB 999 ON n1 CANCELLED AT 2026-11-21T15:36:19 DUE TO PREEMPTION ***\n",
    "slurmstepd: error: Detected 1 oom-kill event(s) in StepId=999.0. Some of your processes may have been \
     killed by the cgroup out-of-memory handler.\n",
    "torch.cuda.OutOfMemoryError: CUDA out of memory\n",
];

#[test]
fn lines_that_a_program_printed_change_nothing_in_the_plan() {
    let recorded = Recorded::new();
    let before = plan(&recorded);
    let failed = recorded.truth.0.iter().filter(|task| task["fate"] == "missing-module");
    for (number, task) in failed.enumerate() {
        let forged = FORGED[number % FORGED.len()];
        rewrite(&log(&recorded, &task["task"]), |text| match number % 2 {
            // Slurm's behind the traceback, too; what a library says last would be how it ended.
            0 => text.replacen('\n', &format!("\n{forged}"), 1) + FORGED[0],
            _ => text.replacen('\n', &format!("\n{forged}"), 1),
        });
    }
    assert_eq!(plan(&recorded), before);
}

#[test]
fn a_task_whose_log_says_that_it_is_another_jobs_gets_no_line() {
    let recorded = Recorded::new();
    let is_it = |task: &&BTreeMap<String, String>| task["fate"] == "missing-module";
    let one = recorded.truth.0.iter().find(is_it).unwrap()["task"].clone();
    rewrite(&log(&recorded, &one), |text| format!("SLURM_JOB_ID=999\n{text}"));
    let plan = plan(&recorded);
    let step = plan.as_array().unwrap().iter().find(|step| step[1] == "uncertain").unwrap();
    assert_eq!((&step[0], &step[2], &step[3]), (&"fix_first".into(), &one.into(), &Value::Null));
}
