//! `handover sweep plan`: what an earlier array left in the folders of a sweep
//! is not gone on from in silence, and settings of another sweep judge none.

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::slurm::{T0, Task, ask, says, says_with};
use crate::support::wandb::set_modified;

/// Four tasks that ran out of time at step 500, two hours after they had begun.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let tasks: Vec<Task> = [9, 14, 15, 16].map(|index| Task::ended(index, "TIMEOUT", "0:0")).into();
    says(&sandbox, &tasks);
    sandbox.write(
        ".handover.yaml",
        "sweeps:\n  runs: ['runs/{task}']\n  target_step: 1000\n  \
         resume: 'sbatch --array={tasks} train.sh --resume {checkpoint}'\n",
    );
    sandbox.write("train.sh", "#!/bin/sh\n");
    for index in [9, 14, 15, 16] {
        sandbox.write(format!("logs/482_{index}.out"), "step=400 loss=0.4\nstep=500 loss=0.3\n");
    }
    sandbox
}

fn checkpoint(sandbox: &Sandbox, task: u32, step: u32, written: i64) {
    let header = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
    let path = format!("runs/{task}/step_{step}.safetensors");
    sandbox.write(&path, bytes);
    set_modified(&sandbox.project().join(path), written);
}

fn steps(plan: &Value) -> Vec<&Value> {
    plan["steps"].as_array().unwrap().iter().collect()
}

#[test]
fn a_checkpoint_of_an_earlier_array_is_not_resumed_from() {
    let sandbox = sandbox();
    let began = T0 - 7200;
    // Task 9 has its own, below the step of what was there before.
    checkpoint(&sandbox, 9, 1000, began - 480);
    checkpoint(&sandbox, 9, 400, began + 3000);
    // Task 14 has none of its own.
    checkpoint(&sandbox, 14, 900, began - 480);
    // Task 15 came to the end, and task 16 is in order.
    checkpoint(&sandbox, 15, 1000, began + 3000);
    checkpoint(&sandbox, 16, 500, began + 3000);
    let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
    let runnable = |step: &&&Value| step["condition"].is_null() && step["blocked"].is_null();
    let lines: Vec<&str> = steps(&plan)
        .iter()
        .filter(runnable)
        .flat_map(|step| step["lines"].as_array().into_iter().flatten())
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        lines,
        [
            "sbatch --array=9 train.sh --resume runs/9/step_400.safetensors",
            "sbatch --array=16 train.sh --resume runs/16/step_500.safetensors"
        ],
        "{plan:#}"
    );
    let of_task = |task: u64| {
        let all = steps(&plan);
        let tasks = all.iter().flat_map(|step| step["per_task"].as_array().into_iter().flatten());
        tasks.filter(|one| one["task"] == task).next_back().unwrap().clone()
    };
    assert_eq!(
        of_task(9)["refused"][0],
        "runs/9/step_1000.safetensors: whole, and written 8 min before this task first started: of an earlier run"
    );
    assert_eq!(
        of_task(14)["doubts"][0],
        "runs/14/step_900.safetensors: whole, and written 8 min before this task first started: of an earlier run"
    );
    assert_eq!(
        of_task(15)["doubts"][0],
        "its checkpoint is at step 1000 of 1000 already: nothing would be trained"
    );
    let answer = ask(&sandbox, &["sweep", "plan", "482"]);
    let text = answer.stdout();
    assert!(text.contains("\n# sbatch --array=14 train.sh --resume"), "{text}");
    assert!(text.contains("doubt"), "{text}");
}

#[test]
fn a_checkpoint_beyond_the_last_step_of_its_log_is_doubted_unless_its_time_is_that_of_the_run() {
    let sandbox = sandbox();
    // Written after the task had ended: copied, or by somebody else.
    checkpoint(&sandbox, 9, 600, T0 - 60);
    // Logs are behind: this one was written while the task ran.
    checkpoint(&sandbox, 16, 520, T0 - 3650);
    checkpoint(&sandbox, 16, 300, T0 - 3500);
    let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
    let all = steps(&plan);
    let of = |task: &str| all.iter().find(|step| step["tasks"] == task).unwrap();
    assert_eq!(
        of("9")["per_task"][0]["doubts"][0],
        "runs/9/step_600.safetensors: whole, and beyond step 500, the last of its log: it may be of another run"
    );
    assert!(of("9")["condition"].is_string(), "{plan:#}");
    assert!(of("16")["condition"].is_null(), "{plan:#}");
    let notes = plan["notes"].to_string();
    assert!(notes.contains("task 16: runs/16/step_300.safetensors is newer and of a lower step"), "{notes}");
}

/// Twelve completed tasks and one that runs, submitted with `wd.sbatch`, under
/// settings of another sweep.
fn of_another() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut tasks: Vec<Task> = (0..12).map(|index| Task::ended(index, "COMPLETED", "0:0")).collect();
    tasks.push(Task::ended(12, "TIMEOUT", "0:0"));
    tasks.push(Task::running(13));
    says_with(&sandbox, &tasks, "482_0|ai|1|cpu=1||1000M|sbatch --array=0-13 wd.sbatch");
    sandbox.write("lr.sbatch", "#!/bin/sh\n");
    sandbox.write("wd.sbatch", "#!/bin/sh\n");
    for index in 0..14 {
        sandbox.write(format!("logs/482_{index}.out"), "step=1000 loss=0.4\n");
    }
    checkpoint(&sandbox, 12, 400, T0 - 3700);
    sandbox
}

const FLAT: &str = "sweeps:\n  short: 1s\n  runs: ['runs/{task}']\n  results: ['results/{task}.json']\n  \
                    script: lr.sbatch\n  resume: 'sbatch --array={tasks} {script} --resume {checkpoint}'\n";

#[test]
fn what_contradicts_every_completed_task_alike_cancels_nothing_and_the_recorded_script_counts() {
    let sandbox = of_another();
    sandbox.write(".handover.yaml", FLAT);
    let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
    let text = plan["steps"].to_string();
    assert!(!text.contains("scancel"), "{plan:#}");
    assert!(text.contains("sbatch --array=12 wd.sbatch --resume runs/12/step_400.safetensors"), "{plan:#}");
    let warning = plan["warnings"][0].as_str().unwrap();
    assert!(warning.contains("the settings name lr.sbatch as its script"), "{warning}");
    let notes = plan["notes"].to_string();
    assert!(notes.contains("contradicted alike (COMPLETED, and expected results are not there)"), "{notes}");
}

#[test]
fn settings_of_its_own_keep_those_of_others_from_a_sweep() {
    let sandbox = of_another();
    sandbox.write(
        ".handover.yaml",
        format!("{FLAT}  for:\n  - {{names: [seg_*], results: [], script: wd.sbatch}}\n"),
    );
    let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
    assert!(plan["warnings"].is_null() && plan["decision"] != "intervene", "{plan:#}");
    let board = ask(&sandbox, &["sweep", "482", "--json"]).data();
    assert_eq!(board["examined"]["judgement"]["contradictions"], serde_json::json!([]), "{board:#}");
    // Of another name they are not.
    sandbox.write(".handover.yaml", format!("{FLAT}  for:\n  - {{names: [seg_wd*], results: []}}\n"));
    let board = ask(&sandbox, &["sweep", "482", "--json"]).data();
    assert_eq!(board["examined"]["judgement"]["contradictions"][0]["tasks"], "0-11");
}

#[test]
fn a_kill_far_below_the_memory_that_was_asked_for_starts_nothing() {
    let killed = |asked: &str| {
        let sandbox = Sandbox::new();
        let tasks: Vec<Task> = [3, 4].map(|index| Task::ended(index, "FAILED", "137:0")).into();
        says_with(
            &sandbox,
            &tasks,
            &format!("482_3|ai|1|cpu=1||{asked}|sbatch --mem={asked} --array=0-9 x.sbatch"),
        );
        sandbox.write("x.sbatch", "#!/bin/sh\n");
        let resume = "resume: 'sbatch --array={tasks} {script} --resume {checkpoint}'";
        sandbox.write(".handover.yaml", format!("sweeps:\n  runs: ['runs/{{task}}']\n  {resume}\n"));
        for index in [3, 4] {
            let script = format!("/var/spool/slurmd/job{}/slurm_script", 5000 + index);
            let line = format!("{script}: line 9:  4711 Killed   python train.py\n");
            sandbox.write(format!("logs/482_{index}.out"), line);
            checkpoint(&sandbox, index, 400, T0 - 3700);
        }
        ask(&sandbox, &["sweep", "plan", "482", "--json"]).data()
    };
    // Two GiB were seen.
    let plan = killed("8G");
    assert_eq!(
        (plan["steps"][0]["class"].as_str(), plan["hash"].is_null()),
        (Some("killed-unconfirmed"), true),
        "{plan:#}"
    );
    assert_eq!(plan["steps"][0]["condition"], "somebody knows who or what killed it");
    assert_eq!(killed("3G")["steps"][0]["class"], "host-oom");
}
