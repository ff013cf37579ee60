//! `handover sweep plan` and `--submit`: on the recorded sweep of 200 tasks, and on
//! a real Slurm.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::planted::Recorded;
use crate::support::{Sandbox, cluster, schema};
use crate::sweep_submit::to_be_resumed;

pub fn of_recording(recorded: &Recorded, words: &[&str]) -> crate::support::Answer {
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let words = words.iter().map(|word| (*word).to_owned());
    let words = words.chain(["--cluster".to_owned(), state.to_str().unwrap().to_owned()]);
    recorded.sandbox.handover_in(&recorded.project, words)
}

/// The tasks by what is to be done with them and why.
fn steps(plan: &Value) -> BTreeMap<String, String> {
    let step = |step: &Value| {
        let class = step["class"].as_str().unwrap_or("-");
        let blocked = if step["blocked"].is_string() { " blocked" } else { "" };
        let why = step["why"].as_str().unwrap().split(';').next().unwrap().to_owned();
        let what = if class == "-" { why } else { class.to_owned() };
        (
            format!("{} {what}{blocked}", step["kind"].as_str().unwrap()),
            step["tasks"].as_str().unwrap().to_owned(),
        )
    };
    plan["steps"].as_array().unwrap().iter().map(step).collect()
}

fn runnable(plan: &Value) -> Vec<String> {
    let steps = plan["steps"].as_array().unwrap().iter();
    let run = steps.filter(|step| step["condition"].is_null() && step["blocked"].is_null());
    let lines = run.flat_map(|step| step["lines"].as_array().cloned().unwrap_or_default());
    lines.map(|line| line["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_plan_of_the_recorded_sweep_is_what_was_planted() {
    let recorded = Recorded::new();
    let plan = of_recording(&recorded, &["sweep", "plan", "2", "--json"]).expect(1).data();
    let fates = |fate: &str| recorded.truth.lists(|task| (task["fate"] == fate).then(|| fate.to_owned()));
    let told = steps(&plan);
    // Code and environment: not one line.
    let modules = &fates("missing-module")["missing-module"];
    assert_eq!(told.get("fix_first missing-module"), Some(modules), "{told:#?}");
    let missing =
        plan["steps"].as_array().unwrap().iter().find(|step| step["class"] == "missing-module").unwrap();
    assert!(missing["lines"].is_null() && missing["first"].is_number());
    // Of what is alive that is cancelled which has the batch that never fits, and nothing else.
    let lines = runnable(&plan);
    assert_eq!(lines[0], "scancel '2_[194,199]'");
    let back = plan["steps"].as_array().unwrap().iter().find(|step| step["tasks"] == "194,199").unwrap();
    assert_eq!(back["kind"], "cancel");
    assert_eq!(told["leave waits"], "190-193,195-198");
    // What is lost starts over only where somebody wants that.
    assert!(!lines.iter().any(|line| line.contains("--array=17 ")), "{lines:#?}");
    // Where each task goes on: the highest whole step.
    let mut best = BTreeMap::new();
    for step in plan["steps"].as_array().unwrap() {
        for task in step["per_task"].as_array().into_iter().flatten().filter(|_| step["kind"] != "cancel") {
            if let Some(at) = task["step"].as_u64() {
                best.insert(task["task"].to_string(), at.to_string());
            }
        }
    }
    let over = ["COMPLETED", "RUNNING", "PENDING"];
    let planted: BTreeMap<String, String> = recorded
        .truth
        .0
        .iter()
        .filter(|task| !over.contains(&task["state"].as_str()) && task["best"] != "-")
        .map(|task| (task["task"].clone(), task["best"].clone()))
        .collect();
    assert_eq!(best, planted);
    // A run that is not what was intended is not resumed.
    assert_eq!(told["resume time-limit blocked"], fates("drifted")["drifted"]);
    assert_eq!(told["resume time-limit"], fates("time-limit")["time-limit"]);
    for task in fates("time-limit")["time-limit"].split(',') {
        let start = format!(
            "WANDB_RUN_ID=lr{task:0>4}a0 WANDB_RESUME=must sbatch --array={task} train.sh --resume runs/{task}/checkpoints/"
        );
        assert_eq!(lines.iter().filter(|line| line.starts_with(&start)).count(), 1, "{lines:#?}");
    }
    let elsewhere: Vec<&String> = lines.iter().filter(|line| line.contains("--exclude=gpu02")).collect();
    assert_eq!(elsewhere.len(), 2, "{lines:#?}");
    // One batch that never fits: the numbers are those of the runs.
    let oom = plan["steps"].as_array().unwrap().iter().find(|step| step["class"] == "cuda-oom").unwrap();
    assert_eq!(oom["remedies"][0]["what"], "batch 256 instead of 512, accumulated over 2 steps instead of 1");
    let text = of_recording(&recorded, &["sweep", "plan", "2"]).expect(1);
    assert!(text.stdout().starts_with("scancel '2_[194,199]'\n"), "{}", text.stdout());
    let kept = of_recording(&recorded, &["sweep", "plan", "2", "--keep-running", "--json"]).expect(1).data();
    assert_eq!(runnable(&kept), lines[1..]);
    assert_ne!(kept["hash"], plan["hash"]);
    let said = [&kept["options"], &kept["recommendation"], &kept["notes"]];
    assert!(!said.iter().any(|what| what.to_string().contains("cancel")), "{said:#?}");
}

#[test]
fn without_a_table_of_parameters_the_numbers_are_those_that_the_runs_saved() {
    let recorded = Recorded::new();
    let remedy = || {
        let plan = of_recording(&recorded, &["sweep", "plan", "2", "--json"]).expect(1).data();
        let steps = plan["steps"].as_array().unwrap().clone();
        let steps = steps.into_iter().filter(|step| step["class"] == "cuda-oom");
        steps.map(|step| step["remedies"][0]["what"].to_string()).collect::<Vec<_>>().join(" ")
    };
    let by_table = remedy();
    assert!(by_table.contains(" instead of ") && !by_table.contains("as in"), "{by_table}");
    let settings = recorded.project.join(".handover.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, text.replace("  parameters: params.csv\n", "")).unwrap();
    let by_runs = remedy();
    assert!(by_runs.contains(" instead of ") && by_runs.contains("as in the run's "), "{by_runs}");
}

#[test]
fn a_plan_that_was_made_from_a_file_is_not_submitted() {
    let recorded = Recorded::new();
    let plan = of_recording(&recorded, &["sweep", "plan", "2", "--json"]).expect(1).data();
    let sbatch = recorded.sandbox.fake("sbatch").answers("Submitted batch job 9\n");
    let scancel = recorded.sandbox.fake("scancel").answers("");
    let hash = plan["hash"].as_str().unwrap();
    let refused = of_recording(&recorded, &["sweep", "plan", "2", "--submit", hash]).expect(5);
    assert!(refused.stderr().contains("not made by asking Slurm"), "{refused:?}");
    // Nor is it offered, and what is suggested looks at the same cluster.
    let text = of_recording(&recorded, &["sweep", "plan", "2"]).expect(1);
    assert!(!text.stdout().contains("--submit "), "{}", text.stdout());
    let state = recorded.sandbox.root().join("cluster_state.txt");
    assert_eq!(plan["command"], format!("handover sweep plan 2 --cluster {}", state.display()));
    assert!(plan["not_here"].is_string());
    let wrong = of_recording(&recorded, &["sweep", "plan", "2", "--submit", "0123456789ab"]).expect(5);
    assert!(!wrong.stderr().contains(" --submit "), "{wrong:?}");
    assert_eq!((sbatch.calls(), scancel.calls()), (vec![], vec![]));
}

#[test]
fn a_plan_is_for_the_directory_in_which_the_sweep_works_wherever_it_is_asked_for() {
    let recorded = Recorded::new();
    let (sandbox, project) = (&recorded.sandbox, &recorded.project);
    let plan = of_recording(&recorded, &["sweep", "plan", "2", "--json"]).expect(1).data();
    assert_eq!(plan["directory"], project.to_str().unwrap());
    assert!(plan["warnings"].is_null(), "{:#}", plan["warnings"]);
    let other = sandbox.root().join("other");
    let _ = sandbox.git_in(project, ["worktree", "add", "-q", other.to_str().unwrap()]);
    std::fs::copy(project.join(".handover.yaml"), other.join(".handover.yaml")).unwrap();
    let state = sandbox.root().join("cluster_state.txt");
    let words = ["sweep", "plan", "2", "--cluster", state.to_str().unwrap(), "--json"];
    let from = sandbox.handover_in(&other, words).expect(1).data();
    // The same plan with the same paths, and the other code is warned of.
    assert_eq!((&from["directory"], &from["hash"]), (&plan["directory"], &plan["hash"]));
    assert_eq!(runnable(&from), runnable(&plan));
    let warning = from["warnings"][0].as_str().unwrap();
    assert!(warning.contains("another worktree than the one asked from"), "{warning}");
    let text = sandbox.handover_in(&other, &words[..5]).expect(1);
    let (warned, first) = (text.stdout().find("another worktree"), text.stdout().find("scancel"));
    assert!(warned.is_some() && warned < first, "{}", text.stdout());

    // Where nobody says in which directory, and its files are not here, nothing is started.
    let known = std::fs::read_to_string(&state).unwrap();
    let elsewhere = known.replace(project.to_str().unwrap(), "N/A");
    std::fs::write(&state, elsewhere).unwrap();
    let _ = sandbox.git_in(project, ["worktree", "add", "-q", "../third"]);
    let third = sandbox.root().join("third");
    let lost = sandbox.handover_in(&third, words).data();
    let held = lost["steps"].as_array().unwrap().iter().filter_map(|step| step["blocked"].as_str());
    assert!(
        held.clone().count() > 0 && held.clone().all(|why| why.contains("in which directory")),
        "{lost:#}"
    );
    assert!(runnable(&lost).iter().all(|line| line.starts_with("scancel")), "{:#?}", runnable(&lost));
    assert!(lost["warnings"][0].as_str().unwrap().contains("is not known"));

    // Where it is a directory of another machine, that is said, and the files are those that are here.
    std::fs::write(&state, known.replace(project.to_str().unwrap(), "/far/lrgrid")).unwrap();
    let far = of_recording(&recorded, &["sweep", "plan", "2", "--json"]).data();
    assert_eq!(far["directory"], "/far/lrgrid");
    assert!(far["warnings"][0].as_str().unwrap().contains("is not on this machine"));
    assert_eq!(runnable(&far), runnable(&plan));
}

#[test]
fn a_template_that_cannot_be_used_is_refused_with_the_names_it_may_hold() {
    let recorded = Recorded::new();
    let settings = recorded.project.join(".handover.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    for (from, word) in [("{checkpoint}", "{chekpoint}"), ("{checkpoint}", "'{checkpoint}'")] {
        std::fs::write(&settings, text.replace(from, word)).unwrap();
        let refused = of_recording(&recorded, &["sweep", "plan", "2"]).expect(2);
        assert!(refused.stderr().contains("{checkpoint}"), "{refused:?}");
    }
}

/// A sweep of twelve tasks on the real cluster: two are killed and leave a
/// checkpoint, one lacks a module, the others are well.
const SCRIPT: &str = r#"#!/bin/bash
#SBATCH --job-name=mini
#SBATCH --output=logs/%A_%a.out
t=$SLURM_ARRAY_TASK_ID
if [ "$1" = --resume ]; then echo "$t $2 ${WANDB_RUN_ID:-none}" >>resumed.tsv; exit 0; fi
mkdir -p runs/$t/checkpoints
case $t in
1|3) cp made.safetensors runs/$t/checkpoints/step_100.safetensors
   mkdir -p runs/$t/wandb/offline-run-20261121_120000-abcd000$t
   echo "Detected 1 oom_kill event in StepId=$SLURM_JOB_ID.batch. Some of the step tasks have been OOM Killed."
   exit 137 ;;
5) echo "Traceback (most recent call last):"
   echo '  File "train.py", line 1, in <module>'
   echo "ModuleNotFoundError: No module named 'flash_attn'"; exit 1 ;;
esac
"#;

#[test]
fn submit_resumes_on_the_real_cluster_once_and_the_second_look_says_so() {
    let name = "submit_resumes_on_the_real_cluster_once_and_the_second_look_says_so";
    let Some(cluster) = cluster::Cluster::or_skip(name) else { return };
    let sandbox = Sandbox::new();
    cluster.open_to(&sandbox);
    let now = sandbox.program("date", ["-u", "+%Y-%m-%dT%H:%M:%SZ"]).run().expect(0);
    sandbox.set_now(now.last_line());
    sandbox.write("train.sh", SCRIPT);
    let header = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
    sandbox.write("made.safetensors", bytes);
    sandbox.write("logs/.keep", "");
    sandbox.write(
        ".handover.yaml",
        "sweeps:\n  runs: ['runs/{task}']\n  resume: '{wandb} sbatch --array={tasks} {script} --resume {checkpoint}'\n",
    );
    sandbox.commit("The sweep");
    let said =
        sandbox.program("sbatch", ["--wait", "--parsable", "--array=0-11", "--mem=100", "train.sh"]).run();
    let array = said.stdout().trim().to_owned();
    let words = ["sweep", "plan", &array, "--cluster", "local", "--json"];
    // Accounting lags behind the end of the jobs.
    let mut plan = Value::Null;
    for _ in 0..60 {
        let answer = sandbox.handover(words);
        if answer.code != 4 {
            plan = answer.data();
            if runnable(&plan).len() == 2 {
                break;
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let line = |task: u32| {
        let path = format!("runs/{task}/checkpoints/step_100.safetensors");
        format!(
            "WANDB_RUN_ID=abcd000{task} WANDB_RESUME=must sbatch --mem=1G --array={task} train.sh --resume {path}"
        )
    };
    assert_eq!(runnable(&plan), [line(1), line(3)], "{plan:#}");
    let hash = plan["hash"].as_str().unwrap().to_owned();
    let submit =
        |hash: &str| sandbox.handover(["sweep", "plan", &array, "--cluster", "local", "--submit", hash]);
    let _ = submit("0123456789ab").expect(5);
    let done = submit(&hash).expect(0);
    assert_eq!(done.stdout().matches("-> job ").count(), 2, "{done:?}");
    let twice = submit(&hash).expect(5);
    assert!(twice.stderr().contains("was submitted"), "{twice:?}");
    let resumed = sandbox.project().join("resumed.tsv");
    for _ in 0..60 {
        if std::fs::read_to_string(&resumed).is_ok_and(|text| text.lines().count() == 2) {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let mut text: Vec<String> = sandbox.read("resumed.tsv").lines().map(str::to_owned).collect();
    text.sort();
    let path = |task: u32| format!("{task} runs/{task}/checkpoints/step_100.safetensors abcd000{task}");
    assert_eq!(text, [path(1), path(3)]);
    let second = sandbox.handover(words).data();
    let told = steps(&second);
    let again: Vec<&String> = told.keys().filter(|what| what.contains("submitted again as")).collect();
    assert_eq!(again.len(), 2, "{told:#?}");
    assert_eq!(runnable(&second), [""; 0]);
    assert_eq!(second["submitted"][0]["hash"].as_str(), Some(hash.as_str()));
    let report = sandbox.handover(["sweep", "report", &array, "--cluster", "local"]);
    assert!(report.stdout().contains(&format!("Plan `{hash}` was submitted")), "{report:?}");
    assert_eq!(report.stdout().matches(" go on as job ").count(), 2, "{report:?}");
    assert!(report.stdout().contains("\n- `sacct "), "{report:?}");
}

/// The folder of the runs, with what each shell would make something of.
const FOLDER: &str = "it's $(touch pwned) `touch pwned` !x;&|<>*?[a] \"q\" ~ é \\n #1";

#[test]
fn a_printed_line_means_the_same_to_every_shell_whatever_the_folder_is_called() {
    let recorded = Recorded::new();
    let project = &recorded.project;
    let settings = project.join(".handover.yaml");
    let quoted = FOLDER.replace('\'', "''");
    let text = std::fs::read_to_string(&settings)
        .unwrap()
        .replace("\"runs/{task}\"", &format!("'{quoted}/{{task}}'"));
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("resume:"));
    let text = lines.collect::<Vec<_>>().join("\n") + "\n  resume: './resume.sh {task} {run} {checkpoint}'\n";
    std::fs::write(&settings, text).unwrap();
    std::fs::rename(project.join("runs"), project.join(FOLDER)).unwrap();
    let script =
        recorded.sandbox.write(project.join("resume.sh"), "#!/bin/sh\nprintf '%s\\0' \"$@\" >args\n");
    let _ = recorded.sandbox.program("chmod", ["+x", script.to_str().unwrap()]).run().expect(0);
    let plan = of_recording(&recorded, &["sweep", "plan", "2", "--keep-running", "--json"]).expect(1).data();
    let printed = of_recording(&recorded, &["sweep", "plan", "2", "--keep-running"]).expect(1);
    let lines = runnable(&plan);
    let resuming: Vec<&String> = lines.iter().filter(|line| line.contains("./resume.sh ")).collect();
    assert!(resuming.len() >= 5, "{lines:#?}");
    recorded.sandbox.use_path_of_this_machine();
    let path = std::env::var_os("PATH").unwrap();
    for line in resuming {
        // What is printed is what runs.
        assert!(printed.stdout().contains(line.as_str()), "{line}: {printed:?}");
        for shell in ["sh", "bash", "zsh"] {
            let mut dirs = std::env::split_paths(&path);
            if !dirs.any(|dir| dir.join(shell).is_file()) {
                eprintln!("SKIPPED: {shell} is not installed, so lines were not given to it");
                continue;
            }
            let _ = recorded.sandbox.program(shell, ["-c", line]).dir(project).run().expect(0);
            let args = std::fs::read_to_string(project.join("args")).unwrap();
            let args: Vec<&str> = args.trim_end_matches('\0').split('\0').collect();
            let [task, run, checkpoint] = args.as_slice() else { panic!("{shell}: {line}: {args:?}") };
            assert_eq!(*run, format!("{FOLDER}/{task}"), "{shell}: {line}");
            assert!(checkpoint.starts_with(&format!("{run}/")), "{shell}: {line}");
            assert!(project.join(checkpoint).exists(), "{shell}: {line}");
        }
    }
    assert!(!project.join("pwned").exists());
}

#[test]
fn submit_stops_at_the_line_that_fails_and_what_was_done_is_never_done_again() {
    let sandbox = to_be_resumed();
    let sbatch =
        sandbox.fake("sbatch").answers_in_turn(&["Submitted batch job 91\n", "!sbatch: error: limit\n"]);
    let words = ["sweep", "plan", "8", "--cluster", "local", "--json"];
    let plan = sandbox.handover(words).data();
    let lines = runnable(&plan);
    assert_eq!(lines.len(), 2, "{plan:#}");
    let hash = plan["hash"].as_str().unwrap();
    let submit = [&words[..5], &["--submit", hash]].concat();
    // The same lines over another script are another plan.
    sandbox.write("train.sh", "#!/bin/bash\nrm -rf runs\n");
    let _refused = sandbox.handover(&submit).expect(5);
    assert!(sbatch.calls().is_empty());
    sandbox.write("train.sh", "#!/bin/bash\n");
    let partial = sandbox.handover([&submit[..], &["--json"]].concat()).expect(6).data();
    let wrong = schema::check(&schema::load("sweep-submit"), &partial);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(
        (&partial["lines"][0]["state"], &partial["lines"][1]["state"]),
        (&"done".into(), &"failed".into())
    );
    assert_eq!(partial["lines"][0]["ids"], serde_json::json!([91]));
    let called: Vec<String> = sbatch.calls().iter().map(|call| format!("sbatch {call}")).collect();
    assert_eq!(called, lines, "exactly the lines that were shown");
    let twice = sandbox.handover(&submit).expect(5);
    assert!(twice.stderr().contains("was submitted") && twice.stderr().contains("91"), "{twice:?}");
    assert_eq!(sbatch.calls().len(), 2);
    // Its new job may write into its folder: nothing of it is cleaned away.
    for task in [1, 2] {
        let left = sandbox.project().join(format!("runs/{task}/checkpoints/step_200.safetensors.tmp"));
        std::fs::write(&left, b"cut").unwrap();
        let long_ago = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
        std::fs::File::options().write(true).open(&left).unwrap().set_modified(long_ago).unwrap();
    }
    let clean = sandbox.handover(["sweep", "clean", "8", "--cluster", "local", "--dry-run", "--json"]).data();
    assert_eq!(clean["items"].as_array().unwrap().len(), 1, "{clean:#}");
    assert!(clean.to_string().contains("runs/2/checkpoints/step_200"), "{clean:#}");
    // The one that failed is planned anew, the other one is not.
    let anew = sandbox.handover(words).data();
    assert_eq!(runnable(&anew), lines[1..], "{anew:#}");
    assert_ne!(anew["hash"], plan["hash"]);
    let report = sandbox.handover(["sweep", "report", "8", "--cluster", "local"]);
    let text = report.stdout();
    assert!(
        text.contains("- done: `sbatch ") && text.contains("→ job 91") && text.contains("- failed: `sbatch ")
    );
    assert!(text.contains("- tasks `1` go on as job 91: not seen yet"), "{text}");
    assert!(text.contains(&format!("plan `{hash}` was submitted: 1 of 2 lines ran, new jobs 91")), "{text}");
    assert!(text.contains("- `squeue ") && text.contains("- `sacct "), "{text}");
}
