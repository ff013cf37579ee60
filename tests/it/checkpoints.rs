//! `handover sweep checkpoints`: which step of each run can be resumed, and why
//! not a newer one.

use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use handover::terms::Time;

use crate::support::checkpoints::{Made, deepspeed, hf_trainer, megatron, shards, tar, zip};
use crate::support::planted::Recorded;
use crate::support::slurm::{self, Task};
use crate::support::{Answer, NOW, Sandbox, cluster::Cluster};
use crate::sweep_plan::of_recording;

/// Two hours before the sandbox's clock, so that nothing seems to be written now.
fn age(dir: &Path) {
    let now: Time = NOW.parse().unwrap();
    let then = SystemTime::UNIX_EPOCH + Duration::from_secs(now.unix() as u64 - 7200);
    for entry in walkdir::WalkDir::new(dir).into_iter().flatten().filter(|e| e.file_type().is_file()) {
        fs::File::options().write(true).open(entry.path()).unwrap().set_modified(then).unwrap();
    }
}

/// Runs of six kinds, whole and broken.
fn sweep_of_runs(sandbox: &Sandbox) {
    let runs = sandbox.project().join("outputs");
    let put = |path: &str, bytes: &[u8]| {
        let path = runs.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    let cut = |bytes: Vec<u8>| bytes[..bytes.len() / 2].to_vec();
    put("run_1/checkpoints/epoch=4-step=400.ckpt", &Made::lightning(400).zip());
    put("run_1/checkpoints/epoch=5-step=500.ckpt", &cut(Made::lightning(500).zip()));
    put("run_1/checkpoints/last.ckpt", &[]);
    put("run_2/step_100.pt", &Made::at(100).zip());
    put("run_2/step_200.pt.tmp", &cut(Made::at(200).zip()));
    hf_trainer(&runs.join("run_3"), 500);
    fs::remove_file(hf_trainer(&runs.join("run_3"), 1000).join("trainer_state.json")).unwrap();
    deepspeed(&runs.join("run_9"), 20, 2);
    fs::remove_file(
        deepspeed(&runs.join("run_9"), 40, 3).join("bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt"),
    )
    .unwrap();
    megatron(&runs.join("run_10"), 1000);
    put("run_11/\u{1b}[31mred\n/step_7.pt", &cut(Made::at(7).zip()));
    age(&runs);
}

fn checkpoints(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(["sweep", "checkpoints"].iter().chain(words))
}

#[test]
fn each_run_has_its_best_step_and_the_newer_ones_a_reason() {
    let sandbox = Sandbox::new();
    sweep_of_runs(&sandbox);
    let answer = checkpoints(&sandbox, &[]).expect(3);
    insta::assert_snapshot!(answer);
    let named = checkpoints(&sandbox, &["outputs"]).expect(3);
    assert_eq!(named.stdout(), answer.stdout());
    let plain = checkpoints(&sandbox, &["outputs/run_10", "--full"]).expect(0);
    assert!(plain.stdout().contains("step 1000"), "{}", plain.stdout());
}

#[test]
fn a_checkpoint_that_would_run_something_when_loaded_runs_nothing_here() {
    let sandbox = Sandbox::new();
    let runs = sandbox.project().join("runs/7");
    fs::create_dir_all(&runs).unwrap();
    let pwned = sandbox.root().join("pwned");
    // `{'evil': os.system('touch ..'), 'global_step': 5}`; with Python it would run before it fails.
    let pickle =
        format!("}}(S'evil'\ncposix\nsystem\n(S'touch {}'\ntRS'global_step'\nI5\nu.", pwned.display());
    let mut members = Made::at(5).members();
    members[0].1 = pickle.clone().into_bytes();
    fs::write(runs.join("step_5.pt"), zip(&members)).unwrap();
    fs::write(runs.join("step_4.pt"), &pickle).unwrap();
    age(&runs);
    for words in [&["--json"][..], &["--json", "--full"]] {
        let run = checkpoints(&sandbox, words).data()["runs"][0].clone();
        let steps: Vec<_> = run["all"].as_array().unwrap().iter().map(|c| c["step"].clone()).collect();
        assert_eq!(steps, [4, 5], "{run:#}");
        assert!(!pwned.exists());
    }
}

#[test]
fn a_flipped_bit_is_found_only_by_reading_everything() {
    let sandbox = Sandbox::new();
    let runs = sandbox.project().join("runs/7");
    fs::create_dir_all(&runs).unwrap();
    fs::write(runs.join("step_100.pt"), Made::at(100).zip()).unwrap();
    let mut flipped = Made::at(200).zip();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 4;
    fs::write(runs.join("step_200.pt"), flipped).unwrap();
    age(&runs);
    let best = |words: &[&str], code| {
        let data = checkpoints(&sandbox, words).expect(code).data();
        (data["runs"][0]["best"]["step"].clone(), data["runs"][0]["refused"].as_array().unwrap().len())
    };
    assert_eq!(best(&["--json"], 0), (200.into(), 0));
    assert_eq!(best(&["--json", "--full"], 3), (100.into(), 1));
}

#[test]
fn files_of_older_torch_and_a_model_in_shards_are_known_for_what_they_are() {
    let sandbox = Sandbox::new();
    let runs = sandbox.project().join("outputs");
    let put = |path: &str, bytes: &[u8]| {
        let path = runs.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    };
    put("a_legacy/step_100.pt", &Made::at(100).legacy());
    let legacy = Made::at(200).legacy();
    put("a_legacy/step_200.pt", &legacy[..legacy.len() - 4]);
    let members = [("sys_info", 10), ("pickle", 700), ("storages", 512), ("tensors", 0)];
    put("b_tar/epoch_3.pt", &tar(&members));
    put("b_tar/epoch_4.pt", &tar(&members[..2]));
    put("c_shards/config.json", b"{}");
    shards(&runs.join("c_shards"), 3);
    put("d_shards/config.json", b"{}");
    shards(&runs.join("d_shards"), 3);
    fs::remove_file(runs.join("d_shards/model-00002-of-00003.safetensors")).unwrap();
    age(&runs);
    let data = checkpoints(&sandbox, &["--json", "--full"]).expect(3).data();
    let seen: Vec<String> = data["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| {
            let refused = run["refused"].as_array().unwrap().iter();
            let why: Vec<String> =
                refused.map(|c| format!("{} {}", c["format"], c["verdict"]["why"])).collect();
            format!("{} {} | {}", run["best"]["format"], run["best"]["step"], why.join("; "))
        })
        .collect();
    insta::assert_snapshot!(seen.join("\n").replace('"', ""), @"
    torch-legacy 100 | torch-legacy it is cut short in storage 2 of 2
    torch-tar null | torch-tar the member storages is missing
    sharded-hf null | 
    null null | sharded-hf the shard model-00002-of-00003.safetensors is missing
    ");
}

#[test]
fn the_parts_of_an_array_say_together_what_one_look_says() {
    let sandbox = Sandbox::new();
    sweep_of_runs(&sandbox);
    let whole = checkpoints(&sandbox, &["outputs", "--json"]).expect(3).data();
    let mut files = Vec::new();
    for part in ["1/3", "2/3", "3/3"] {
        let answer = checkpoints(&sandbox, &["outputs", "--shard", part]).expect(0);
        let name = format!("part-{}.jsonl", &part[..1]);
        sandbox.write(&name, answer.bytes());
        files.push(name);
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let merged = checkpoints(&sandbox, &[&["--json", "--merge"], files.as_slice()].concat()).expect(3).data();
    assert_eq!(merged["runs"], whole["runs"]);
    let some = checkpoints(&sandbox, &["--merge", files[0], files[2]]).expect(3);
    assert!(some.stdout().contains("no answer of 1 shard: 2"), "{}", some.stdout());
    let twice = checkpoints(&sandbox, &["--merge", files[0], files[0]]).expect(2);
    assert!(twice.stderr().contains("it is part 1/3"), "{}", twice.stderr());
}

#[test]
fn the_script_for_the_cluster_runs_the_parts_and_is_submitted_only_when_told() {
    let sandbox = Sandbox::new();
    sweep_of_runs(&sandbox);
    let sbatch = sandbox.fake("sbatch").answers("4711;main\n");
    let odd = sandbox.project().join("it's $(touch x)");
    fs::create_dir_all(&odd).unwrap();
    fs::rename(sandbox.project().join("outputs"), odd.join("outputs")).unwrap();
    let answer = checkpoints(&sandbox, &["it's $(touch x)/outputs", "--full", "--sbatch", "2"]).expect(0);
    assert_eq!(sbatch.calls(), Vec::<String>::new(), "nothing is submitted unasked");
    sandbox.write("check.sh", answer.stdout());
    // What Slurm would do.
    for task in ["1", "2"] {
        let run = std::process::Command::new("bash")
            .arg("check.sh")
            .current_dir(sandbox.project())
            .env("SLURM_ARRAY_JOB_ID", "48")
            .env("SLURM_ARRAY_TASK_ID", task)
            .output()
            .unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    }
    assert!(!sandbox.exists("x"));
    let (one, two) = ("handover-shards/48/shard-1.jsonl", "handover-shards/48/shard-2.jsonl");
    let merged = checkpoints(&sandbox, &["--merge", one, two, "--json"]).expect(3).data();
    assert_eq!(merged["runs"].as_array().unwrap().len(), 6);
    assert_eq!(merged["depth"], "full");

    let submitted =
        checkpoints(&sandbox, &["it's $(touch x)/outputs", "--sbatch", "2", "--submit"]).expect(0);
    assert!(submitted.stdout().contains("submitted array 4711"), "{}", submitted.stdout());
    assert_eq!(sbatch.calls().len(), 1);
    assert!(sandbox.exists("handover-shards"), "without it every task would die at its start");
    sandbox.fake("sbatch").fails(1, "sbatch: error: Batch job submission failed: Invalid account");
    let refused = checkpoints(&sandbox, &["it's $(touch x)/outputs", "--sbatch", "2", "--submit"]).expect(7);
    assert!(refused.stderr().contains("Invalid account"), "{}", refused.stderr());
}

/// The script as Slurm runs it: its own reading of the `#SBATCH` lines, three
/// tasks, and the command that it names for the merge.
#[test]
fn the_parts_that_a_real_slurm_ran_say_together_what_one_process_says() {
    let name = "the_parts_that_a_real_slurm_ran_say_together_what_one_process_says";
    let Some(cluster) = Cluster::or_skip(name) else { return };
    let sandbox = Sandbox::new();
    cluster.open_to(&sandbox);
    sweep_of_runs(&sandbox);
    let odd = sandbox.project().join("it's $(touch x)");
    fs::create_dir_all(&odd).unwrap();
    fs::rename(sandbox.project().join("outputs"), odd.join("outputs")).unwrap();
    let look = |words: &[&str]| {
        let all = ["sweep", "checkpoints", "outputs", "--full", "--json"];
        sandbox.handover_in(&odd, all.iter().chain(words))
    };
    let alone = look(&[]).expect(3).data();
    let words = ["--sbatch", "3", "--submit", "--threads", "1", "--out", "its 50% answers"];
    let submitted = look(&words).expect(0).data();
    let job = submitted["job"].as_str().unwrap();
    let out = odd.join("its 50% answers");
    let parts: Vec<_> = (1..=3).map(|part| out.join(job).join(format!("shard-{part}.jsonl"))).collect();
    // An answer has its name only when it is whole.
    let is_done = || parts.iter().all(|part| part.is_file());
    for _ in 0..240 {
        if is_done() {
            break;
        }
        std::thread::sleep(Duration::from_millis(500));
    }
    let accounts = || sandbox.program("sacct", ["-nPX", "-j", job, "-o", "jobid,state,exitcode"]).run();
    assert!(is_done(), "{:?} {:?}", sandbox.tree(&odd), accounts());
    for task in 1..=3 {
        let log = out.join(format!("slurm-{job}_{task}.out"));
        assert_eq!(fs::read_to_string(&log).unwrap_or_else(|e| panic!("{log:?}: {e}")), "");
    }
    let merge = submitted["merge"].as_str().unwrap();
    let merged = sandbox.program("bash", ["-c", &format!("{merge} --json")]).run().expect(3).data();
    assert_eq!(merged["runs"], alone["runs"]);
    assert_eq!(merged["depth"], "full");
    assert_eq!(merged["missing_shards"].as_array().map_or(0, Vec::len), 0);
    assert!(!sandbox.exists("x") && !odd.join("x").exists());
}

#[test]
fn a_name_that_no_command_can_hold_blocks_itself_alone() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let sandbox = Sandbox::new();
    let run = sandbox.project().join("runs/7");
    fs::create_dir_all(&run).unwrap();
    let put =
        |name: &[u8], step: u64| fs::write(run.join(OsStr::from_bytes(name)), Made::at(step).zip()).unwrap();
    put(b"step_100.pt", 100);
    put(b"$(touch pwned); rm -rf x step_200.pt", 200);
    put(b"step_300\n.pt", 300);
    put(b"step_300.pt", 300);
    put(b"\x1b[31m step_400.pt", 400);
    put(b"step_500\xff.pt", 500);
    age(&run);
    for depth in [&["--json"][..], &["--json", "--full"]] {
        let data = checkpoints(&sandbox, depth).expect(3).data();
        let found = &data["runs"][0];
        assert!(found["best"]["path"].as_str().unwrap().ends_with("/step_300.pt"), "{found:#}");
        let refused: Vec<_> =
            found["refused"].as_array().unwrap().iter().map(|one| &one["verdict"]["is"]).collect();
        assert_eq!(refused, ["unnameable", "unnameable"], "{found:#}");
    }
    // Quoted, a name that only looks like a command is a name like any other.
    fs::remove_file(run.join("step_300.pt")).unwrap();
    let data = checkpoints(&sandbox, &["--json"]).expect(3).data();
    assert_eq!(data["runs"][0]["best"]["step"], 200);
    // Nothing else is there: better one that has to be renamed than none.
    fs::remove_file(run.join("step_100.pt")).unwrap();
    fs::remove_file(run.join("$(touch pwned); rm -rf x step_200.pt")).unwrap();
    for depth in [&["--json"][..], &["--json", "--full"]] {
        let data = checkpoints(&sandbox, depth).expect(0).data();
        assert_eq!(data["runs"][0]["best"]["step"], 500, "{data:#}");
    }
}

#[test]
fn the_runs_of_a_sweep_are_found_by_its_name_from_any_worktree_and_alike_ones_are_one_line() {
    let recorded = Recorded::new();
    recorded.sandbox.set_now("2026-11-21T20:00:00Z");
    let call = |dir: &Path, words: &[&str]| {
        let state = recorded.sandbox.root().join("cluster_state.txt");
        let words = [&["sweep", "checkpoints"], words, &["--cluster", state.to_str().unwrap()]].concat();
        recorded.sandbox.handover_in(dir, words)
    };
    let answer = call(&recorded.project, &["lrgrid"]).expect(3);
    insta::assert_snapshot!(recorded.sandbox.normalise(&answer.stdout()));
    let by_folder = call(&recorded.project, &["runs", "--json"]).expect(3).data();
    let by_id = call(&recorded.project, &["2", "--json"]).expect(3).data();
    assert_eq!(by_id["runs"], by_folder["runs"]);
    assert_eq!((&by_id["sweeps"][0]["key"], &by_id["sweeps"][0]["name"]), (&"2".into(), &"lrgrid".into()));
    // Another worktree of the same clone, in which no run lies.
    let git = |words: &[&str]| {
        let dir = recorded.project.to_str().unwrap().to_owned();
        let words = ["-C".to_owned(), dir].into_iter().chain(words.iter().map(|word| (*word).to_owned()));
        let _ = recorded.sandbox.program("git", words).run().expect(0);
    };
    git(&["add", ".handover.yaml"]);
    git(&["commit", "-qm", "Settings"]);
    git(&["worktree", "add", "-q", "../beside"]);
    let beside = recorded.sandbox.root().join("beside");
    assert_eq!(call(&beside, &["2", "--json"]).expect(3).data()["runs"], by_id["runs"]);
    let each = call(&recorded.project, &["2", "--each"]).expect(3);
    assert!(each.stdout().lines().count() > answer.stdout().lines().count() * 3, "{each}");
    let lost = call(&recorded.project, &["nowhere"]).expect(4);
    assert!(lost.stderr().contains("there is no folder") && lost.stderr().contains("no sweep has"), "{lost}");
}

#[test]
fn a_run_folder_that_only_the_tasks_log_names_is_found_as_a_plan_finds_it() {
    let sandbox = Sandbox::new();
    let failed = Task::ended(7, "FAILED", "1:0");
    slurm::says(&sandbox, &[failed, Task::ended(8, "FAILED", "1:0")]);
    let dir = sandbox.project().join("store/brave-fox");
    hf_trainer(&dir, 500);
    age(&dir);
    sandbox.write(
        "logs/482_7.out",
        "step 500\nSaving model checkpoint to store/brave-fox/checkpoint-500\nValueError: no\n",
    );
    sandbox.write("logs/482_8.out", "ValueError: no\n");
    let found = slurm::ask(&sandbox, &["sweep", "checkpoints", "482", "--json"]).data();
    let dirs: Vec<&str> =
        found["runs"].as_array().unwrap().iter().map(|run| run["dir"].as_str().unwrap()).collect();
    assert!(dirs.len() == 1 && dirs[0].ends_with("store/brave-fox"), "{found:#}");
    assert_eq!(found["sweeps"][0]["without"][0]["tasks"], "8", "{found:#}");
}

#[test]
fn no_name_of_a_file_costs_a_whole_answer() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let recorded = Recorded::new();
    let put = |from: &str, to: &[u8]| {
        let to = recorded.project.join(OsStr::from_bytes(to));
        fs::copy(recorded.project.join(from), to).unwrap();
    };
    put("logs/lrgrid_2_8.out", b"logs/\xff_2_8.out");
    put("runs/8/checkpoints/step_600.pt", b"runs/8/checkpoints/step_700\xff.pt");
    put("runs/8/checkpoints/step_600.pt", b"runs/8/\xff.tmp");
    for words in [
        &["sweep", "2"][..],
        &["sweep", "plan", "2"],
        &["sweep", "report", "2"],
        &["sweep", "clean", "2"],
        &["sweep", "checkpoints", "2"],
    ] {
        for form in [&[][..], &["--json"]] {
            let answer = of_recording(&recorded, &[words, form].concat());
            assert!(matches!(answer.code, 0 | 1 | 3), "{words:?} {form:?}: {answer}");
        }
    }
    let logs = recorded.sandbox.handover_in(&recorded.project, ["logs", "--json"]);
    assert!(matches!(logs.code, 0 | 1 | 3), "{logs}");
}
