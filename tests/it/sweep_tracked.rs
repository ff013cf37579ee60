//! What experiment trackers say of a sweep's tasks, through the program: run
//! folders that lie in one common folder, as the clients write them.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::slurm::{T0, Task, ask, says};
use crate::support::wandb::{Layout, Wandb, events, set_modified};
use crate::support::{Sandbox, trace};

/// A run that began with its task and was written to so many seconds ago.
fn run(id: &str, ago: i64) -> Wandb {
    Wandb { written: Some(T0 - ago), ..Wandb::new(id, T0 - 7100) }
}

/// The same, with its exit record.
fn ended(id: &str, ago: i64, code: i32) -> Wandb {
    Wandb { exit: Some(code), ..run(id, ago) }
}

/// The tasks by what contradicts itself about them.
fn contradictions(examined: &Value) -> BTreeMap<String, String> {
    let found = examined["judgement"]["contradictions"].as_array().unwrap().iter();
    found
        .map(|one| (one["kind"].as_str().unwrap().to_owned(), one["tasks"].as_str().unwrap().to_owned()))
        .collect()
}

/// The ids of the runs of each task that has any.
fn linked(examined: &Value) -> BTreeMap<u64, Vec<String>> {
    let tasks = examined["tasks"].as_array().unwrap().iter();
    let runs = tasks.map(|task| {
        let runs = task["looked"]["runs"]["known"].as_array().into_iter().flatten();
        let ids = runs.map(|run| run["id"].as_str().unwrap().to_owned());
        (task["member"].as_u64().unwrap(), ids.collect::<Vec<_>>())
    });
    runs.filter(|(_, runs)| !runs.is_empty()).collect()
}

fn examined(sandbox: &Sandbox) -> Value {
    let mut data = ask(sandbox, &["sweep", "482", "--json"]).data();
    data["examined"].take()
}

fn map<K: Ord + Clone, const N: usize>(rows: [(K, &str); N]) -> BTreeMap<K, String> {
    rows.into_iter().map(|(key, value)| (key, value.to_owned())).collect()
}

#[test]
fn zombies_silence_held_gpus_and_two_runs_are_found_among_runs_in_one_folder() {
    let sandbox = Sandbox::new();
    let over = |index| Task::ended(index, "COMPLETED", "0:0");
    let mut tasks: Vec<Task> = (1..=7).map(Task::running).collect();
    tasks.insert(0, Task::ended(0, "FAILED", "1:0"));
    tasks.extend([over(8), over(9), over(10)]);
    says(&sandbox, &tasks);
    let home = sandbox.project();
    let of = |run: Wandb, index: u32| run.of_task(482, index, 5000 + index).write(&home);
    of(run("zombie", 3700), 0);
    // Its folder says that the heart beat just now; its files were not written for 31 minutes.
    let silent = of(Wandb { layout: Layout::Older, ..run("silent", 1860) }, 1);
    let fresh = r#"{"heartbeatAt": "2026-11-21T03:40:59.000000", "state": "running", "host": "node7",
        "slurm": {"job_id": 5001, "array_job_id": 482, "array_task_id": 1}}"#;
    fs::write(silent.join("files/wandb-metadata.json"), fresh).unwrap();
    // Its folder says that it beat two hours ago; its files were written a minute ago.
    let lives = of(Wandb { layout: Layout::Older, ..run("lives", 60) }, 2);
    let old = fresh.replace("03:40:59", "01:42:40").replace("5001", "5002").replace(": 1}", ": 2}");
    fs::write(lives.join("files/wandb-metadata.json"), old).unwrap();
    of(ended("held", 1800, 0), 3);
    of(ended("ends", 100, 0), 4);
    of(run("one", 30), 5);
    of(run("two", 40), 5);
    let again = |restarts: &str| ("restart_count".to_owned(), restarts.to_owned());
    let first = Wandb { started: T0 - 90_000, ..run("first", 80_000) };
    of(Wandb { slurm: vec![again("0")], ..first }, 6);
    of(Wandb { slurm: vec![again("1")], ..run("second", 50) }, 6);
    of(ended("well", 3700, 0), 8);
    of(ended("crashed", 3700, 1), 9);
    of(run("killed", 3700), 10);
    let examined = examined(&sandbox);
    assert_eq!(
        contradictions(&examined),
        map([
            ("zombie_run".to_owned(), "0"),
            ("silent".to_owned(), "1"),
            ("held_gpu".to_owned(), "3"),
            ("two_runs".to_owned(), "5"),
            ("completed_over_crashed_run".to_owned(), "9"),
            ("completed_without_exit_record".to_owned(), "10"),
        ]),
        "{examined:#}"
    );
    let text = ask(&sandbox, &["sweep", "482"]);
    // As it is wrapped at 80 columns.
    let text = text.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in
        ["still holds its GPUs", "several runs of the tracker", "it may hang", "counts it as running"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
}

#[test]
fn a_run_that_was_copied_into_another_tasks_folder_is_said_and_believed_of_nobody() {
    for names_its_job in [false, true] {
        let sandbox = Sandbox::new();
        sandbox.write(".handover.yaml", "sweeps:\n  runs: ['runs/{task}']\n");
        let over = |index| Task::ended(index, "COMPLETED", "0:0");
        says(&sandbox, &[Task::ended(2, "NODE_FAIL", "0:0"), over(3), over(4)]);
        for (index, id) in [(2, "lr3"), (3, "lr3"), (4, "lr4")] {
            let home = sandbox.project().join(format!("runs/{index}"));
            fs::create_dir_all(&home).unwrap();
            let run = ended(id, 3700, 0);
            let _ = match names_its_job {
                true => run
                    .of_task(482, if id == "lr3" { 3 } else { 4 }, if id == "lr3" { 5003 } else { 5004 })
                    .write(&home),
                false => run.write(&home),
            };
        }
        let examined = examined(&sandbox);
        assert_eq!(contradictions(&examined), map([("run_of_several".to_owned(), "2,3")]), "{examined:#}");
        let own = |id: &str| vec![id.to_owned()];
        let believed = match names_its_job {
            true => BTreeMap::from([(3, own("lr3")), (4, own("lr4"))]),
            false => BTreeMap::from([(4, own("lr4"))]),
        };
        assert_eq!(linked(&examined), believed);
        let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
        let step = plan["steps"].as_array().unwrap().iter().find(|step| step["tasks"] == "2").unwrap();
        assert!(step["per_task"][0]["differences"].to_string().contains("one of them is a copy"), "{plan:#}");
        assert!(step["lines"].is_null() && !step["blocked"].is_null(), "{plan:#}");
    }
}

#[test]
fn runs_without_ids_are_linked_by_host_and_time_if_no_other_job_fits() {
    let sandbox = Sandbox::new();
    let stranger = Task { id: "900".to_owned(), raw: 900, ..Task::running(0).on("node3") };
    let earlier = Task { started: T0 - 30_000, ..Task::ended(4, "FAILED", "1:0") };
    let before = Task { ended: Some(T0 - 20_000), ..earlier.on("node4") };
    says(
        &sandbox,
        &[
            Task::running(1).on("node1"),
            Task::running(2).on("node2"),
            Task::running(3).on("node3"),
            before,
            Task::running(5).on("node4"),
            stranger,
        ],
    );
    let older = |id: &str, host: &str| Wandb {
        layout: Layout::Older,
        host: format!("{host}.cluster.example"),
        ..run(id, 60)
    };
    let home = sandbox.project();
    older("a", "node1").write(&home);
    older("b", "node2").write(&home);
    older("c", "node3").write(&home);
    Wandb { started: T0 - 29_900, ..older("d", "node4") }.write(&home);
    older("e", "node4").write(&home);
    // Its ids say whose it is, whatever its host.
    Wandb { host: "node1".to_owned(), ..run("f", 60) }.of_task(482, 2, 5002).write(&home);
    Wandb { host: "node1".to_owned(), ..run("g", 60) }.of_task(77, 1, 7001).write(&home);
    let expected: BTreeMap<u64, Vec<String>> =
        [(1, vec!["a"]), (2, vec!["b", "f"]), (4, vec!["d"]), (5, vec!["e"])]
            .into_iter()
            .map(|(task, ids)| (task, ids.into_iter().map(str::to_owned).collect()))
            .collect();
    assert_eq!(linked(&examined(&sandbox)), expected);
}

#[test]
fn event_files_and_mlflow_speak_for_tasks_too() {
    let sandbox = Sandbox::new();
    let nodes = ["node1", "node2", "node3"];
    let tasks: Vec<Task> = (1..=3).zip(nodes).map(|(index, node)| Task::running(index).on(node)).collect();
    says(&sandbox, &tasks);
    sandbox.write(".handover.yaml", "sweeps:\n  runs: ['out/{task}']\n");
    let home = sandbox.project();
    // The tracker is silent, the event file is not: in the common folder, by the host in its name.
    run("quiet", 4000).of_task(482, 1, 5001).write(&home);
    let write = |path: &str, ago: i64| {
        let path = home.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, events([((T0 - ago) as f64, 70)])).unwrap();
        set_modified(&path, T0 - ago);
    };
    let name = |host: &str| format!("events.out.tfevents.{}.{host}.4242.0", T0 - 7000);
    write(&format!("lightning_logs/version_0/{}", name("node1")), 60);
    // No other tracker, and in its own folder.
    write(&format!("out/2/{}", name("elsewhere")), 4000);
    // A run of MLflow in the task's folder, open.
    let meta = format!(
        "artifact_uri: x\nend_time: null\nexperiment_id: '1'\nrun_id: m3\nrun_name: m\nstart_time: {}\nstatus: 1\n",
        (T0 - 7000) * 1000
    );
    sandbox.write("out/3/mlruns/1/m3/meta.yaml", meta);
    set_modified(&home.join("out/3/mlruns/1/m3/meta.yaml"), T0 - 4000);
    let examined = examined(&sandbox);
    assert_eq!(
        contradictions(&examined),
        map([("silent".to_owned(), "2,3"), ("tracker_silent".to_owned(), "1")]),
        "{examined:#}"
    );
    assert_eq!(linked(&examined)[&3], ["m3"]);
    let first = &examined["tasks"][0]["looked"]["events"][0];
    assert_eq!((first["last_step"].as_u64(), first["host"].as_str()), (Some(70), Some("node1")));
}

#[test]
fn keys_are_never_opened() {
    let sandbox = Sandbox::new();
    says(&sandbox, &[Task::running(1), Task::ended(2, "FAILED", "1:0")]);
    let home = sandbox.project();
    let run = run("a", 60).of_task(482, 1, 5001).write(&home);
    let secrets = [
        sandbox.home().join(".netrc"),
        sandbox.home().join("_netrc"),
        sandbox.home().join(".config/wandb/settings"),
        home.join(".netrc"),
        home.join("wandb/.netrc"),
        run.join("files/.netrc"),
        home.join(".env"),
    ];
    // Whoever opened one of them would wait for ever.
    for secret in &secrets {
        fs::create_dir_all(secret.parent().unwrap()).unwrap();
        let made = sandbox.program("mkfifo", [secret.to_str().unwrap()]).run();
        assert_eq!(made.code, 0, "{made:?}");
    }
    let call = || {
        sandbox
            .call(["sweep", "482", "--json", "--cluster", "local"])
            .env("WANDB_API_KEY", "0123456789abcdef0123456789abcdef01234567")
            .env("NETRC", sandbox.home().join(".netrc"))
    };
    let answer = call().run();
    assert_eq!(linked(&answer.data()["examined"])[&1], ["a"]);
    assert!(!answer.stdout().contains("0123456789abcdef"), "{answer}");
    if !trace::is_possible(&sandbox) {
        println!("SKIPPED: strace cannot trace here, so only the fifos were tried");
        return;
    }
    // Every thread: run folders are read on several.
    let log = sandbox.root().join("opened");
    let log = log.to_str().unwrap();
    let strace = ["strace", "-f", "-qq", "-s", "4096", "-e", "trace=open,openat", "-o", log];
    let _ = call().under(strace).run();
    let opened = fs::read_to_string(Path::new(log)).unwrap();
    assert!(opened.contains("run-a.wandb"), "the trace saw the run's file");
    for line in opened.lines() {
        // The project's own `wandb/settings` names entity and project, and no key.
        let is_secret = ["netrc", ".config/wandb", "/.env"].iter().any(|part| line.contains(part));
        assert!(!is_secret, "{line}");
    }
}

#[test]
fn what_is_not_recorded_of_two_hundred_runs_is_one_line() {
    let sandbox = Sandbox::new();
    let tasks: Vec<Task> = (0..200).map(|index| Task::ended(index, "TIMEOUT", "0:0")).collect();
    says(&sandbox, &tasks);
    sandbox.write(".handover.yaml", "sweeps:\n  runs: ['runs/{task}']\n");
    for index in 0..200 {
        sandbox.write(format!("runs/{index}/config.yaml"), format!("seed: {index}\nlr: 0.1\n"));
        if index != 7 {
            sandbox.write(format!("runs/{index}/requirements.txt"), "torch==2.9.0\nnumpy==2.1.0\n");
        }
    }
    let examined = examined(&sandbox);
    let gaps = examined["judgement"]["reproducibility"].as_array().unwrap().iter();
    let told: Vec<String> =
        gaps.map(|gap| format!("{} {} {}", gap["what"], gap["gap"], gap["tasks"]).replace('"', "")).collect();
    assert_eq!(told, ["packages missing 7", "commit missing 0-199"]);
    let first = &examined["tasks"][0]["looked"]["recorded"];
    assert_eq!(first["seed"]["yes"]["value"], "0", "{first:#}");
    let text = ask(&sandbox, &["sweep", "482"]);
    let lines: Vec<&str> = text.stdout().lines().filter(|line| line.contains("is recorded of")).collect();
    assert_eq!(
        lines,
        [
            "recorded   no list of package versions is recorded of 1 of 200 runs: 7",
            "           no commit is recorded of 200 of 200 runs"
        ]
    );
}

/// A sweep of which four tasks ran out of time, each with a checkpoint, a saved
/// configuration and the id of its W&B run.
fn to_be_resumed(tasks: &[u32]) -> Sandbox {
    let sandbox = Sandbox::new();
    let over: Vec<Task> = tasks.iter().map(|index| Task::ended(*index, "TIMEOUT", "0:0")).collect();
    says(&sandbox, &over);
    sandbox.write(
        ".handover.yaml",
        "sweeps:\n  runs: ['runs/{task}']\n  intended: conf.yaml\n  \
         resume: 'sbatch --array={task} train.sh --resume {checkpoint}'\n",
    );
    sandbox.write("train.sh", "#!/bin/sh\n");
    sandbox.write("conf.yaml", "optimizer: {lr: 0.1}\nepochs: 20\n");
    let header = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
    let home = sandbox.project();
    for index in tasks {
        let dir = format!("runs/{index}");
        sandbox.write(format!("{dir}/step_100.safetensors"), bytes.clone());
        let lr = if *index == 2 { "0.01" } else { "0.1" };
        sandbox.write(format!("{dir}/.hydra/config.yaml"), format!("optimizer: {{lr: {lr}}}\nepochs: 20\n"));
        let id = if *index == 3 { "another".to_owned() } else { format!("run{index}") };
        if *index != 4 {
            sandbox.write(format!("{dir}/wandb_id.txt"), format!("{id}\n"));
        }
        run(&format!("run{index}"), 3700).of_task(482, *index, 5000 + index).write(&home);
    }
    if tasks.contains(&4) {
        run("beside4", 3700).of_task(482, 4, 5004).write(&home);
    }
    sandbox
}

#[test]
fn a_resume_carries_its_wandb_run_and_one_that_differs_is_blocked() {
    let sandbox = to_be_resumed(&[1, 2, 3, 4]);
    let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
    let steps = plan["steps"].as_array().unwrap();
    let line =
        "WANDB_RUN_ID=run1 WANDB_RESUME=must sbatch --array=1 train.sh --resume runs/1/step_100.safetensors";
    let runnable: Vec<&Value> = steps.iter().filter(|step| step["blocked"].is_null()).collect();
    let lines: Vec<&str> = runnable
        .iter()
        .flat_map(|step| step["lines"].as_array().into_iter().flatten())
        .map(|line| line["text"].as_str().unwrap())
        .collect();
    assert_eq!(lines, [line], "{plan:#}");
    let blocked = steps.iter().find(|step| step["blocked"].is_string()).unwrap();
    assert_eq!((blocked["tasks"].as_str(), blocked["lines"].is_null()), (Some("2-4"), true), "{blocked:#}");
    let differences: Vec<&str> = blocked["per_task"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|task| task["differences"].as_array().unwrap())
        .map(|difference| difference.as_str().unwrap())
        .collect();
    assert_eq!(
        differences,
        [
            "optimizer.lr: 0.01, intended 0.1",
            "W&B run: wandb_id.txt says another, the tracker's folder run3",
            "W&B runs beside4 and run4 were open at the same time: which of them goes on is not known",
        ]
    );
    let text = ask(&sandbox, &["sweep", "plan", "482"]);
    let text = text.stdout().split_whitespace().collect::<Vec<_>>().join(" ");
    for words in
        ["differs optimizer.lr: 0.01, intended 0.1: 2", "run3: 3", "is not known: 4", "blocked its run"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    // What is submitted is the one line.
    let sbatch = sandbox.fake("sbatch").answers("Submitted batch job 9001\n");
    let hash = plan["hash"].as_str().unwrap();
    let _ = ask(&sandbox, &["sweep", "plan", "482", "--submit", hash]).expect(0);
    assert_eq!(sbatch.calls(), ["--array=1 train.sh --resume runs/1/step_100.safetensors"]);
}

#[test]
fn nothing_is_submitted_where_every_run_differs() {
    let sandbox = to_be_resumed(&[1]);
    let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
    let hash = plan["hash"].as_str().unwrap().to_owned();
    // Between the look and the yes somebody changed what is intended.
    sandbox.write("conf.yaml", "optimizer: {lr: 0.5}\nepochs: 20\n");
    let sbatch = sandbox.fake("sbatch").answers("Submitted batch job 9001\n");
    let refused = ask(&sandbox, &["sweep", "plan", "482", "--submit", &hash]).expect(5);
    assert!(!refused.stderr().is_empty(), "{refused}");
    assert_eq!(sbatch.calls(), [""; 0]);
    let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
    assert!(plan["hash"].is_null(), "{plan:#}");
}
