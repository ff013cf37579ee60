//! `handover sweep preflight`: what is looked at before a sweep is submitted.

use std::os::unix::fs::PermissionsExt;

use crate::support::{Sandbox, cluster};

const SCRIPT: &str =
    "#!/bin/bash\n#SBATCH --array=0-3\n#SBATCH -o logs/%A_%a.out\n#SBATCH --mem 4G\npython train.py\n";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("train.sh", SCRIPT);
    sandbox.write("train.py", "print('hm')\n");
    sandbox.commit("The sweep");
    sandbox
}

fn verdict(data: &serde_json::Value, about: &str) -> (String, String) {
    let checks = data["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["about"] == about).unwrap();
    (check["verdict"].as_str().unwrap().to_owned(), check["text"].as_str().unwrap().to_owned())
}

#[test]
fn a_sweep_that_would_die_at_once_is_told_so() {
    let sandbox = sandbox();
    let _sbatch =
        sandbox.fake("sbatch").answers("").fails(1, "allocation failure: Invalid account or \u{1b}[31m");
    sandbox.write("train.py", "print('changed')\n");
    sandbox.write("notes.txt", "nobody's business\n");
    let answer = sandbox.handover(["sweep", "preflight", "train.sh", "--parameters", "1B"]).expect(1);
    insta::assert_snapshot!(sandbox.normalise(&answer.stdout()));
    let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).expect(1).data();
    assert_eq!(data["commit"].as_str().unwrap(), sandbox.git(["rev-parse", "HEAD"]).trim());
    let recorded = sandbox.read(data["recorded"].as_str().unwrap());
    assert!(recorded.contains(sandbox.git(["rev-parse", "HEAD"]).trim()), "{recorded}");
}

#[test]
fn code_that_git_does_not_know_is_shown_with_and_without_settings() {
    let sandbox = sandbox();
    sandbox.write("src/helper.py", "pass\n");
    sandbox.write("notes.txt", "nobody's business\n");
    sandbox.write("logs/x", "");
    let details = || {
        let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).expect(3).data();
        assert_eq!(verdict(&data, "committed").0, "finding");
        data["checks"][0]["details"].clone()
    };
    assert_eq!(details(), serde_json::json!(["src/helper.py (untracked)"]));
    sandbox.write(".handover.yaml", "sweeps:\n  relevant: ['src/**']\n");
    assert_eq!(details(), serde_json::json!(["src/helper.py (untracked)"]));
    let text = sandbox.handover(["sweep", "preflight", "train.sh"]).expect(3);
    assert!(text.stdout().contains("which does not hold all of it; recorded"), "{}", text.stdout());
    let _ = sandbox.git(["add", "src/helper.py"]);
    let _ = sandbox.git(["commit", "-qm", "Helper"]);
    let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).data();
    assert_eq!(verdict(&data, "committed").0, "well");
}

#[test]
fn a_sweep_that_is_ready_is_let_go() {
    let sandbox = sandbox();
    let sbatch =
        sandbox.fake("sbatch").fails(0, "sbatch: Job 17 to start at 2026-11-21T12:00:00 using 4 processors");
    sandbox.write(".gitignore", "logs/\nmodel.safetensors\n");
    sandbox.commit("Ignore logs");
    sandbox.write("logs/slurm-1.out", "Running in `fast_dev_run` mode: will run the requested loop\n");
    let header =
        r#"{"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[1000,1000],"data_offsets":[0,1]}}"#;
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.as_bytes());
    sandbox.write("model.safetensors", bytes);
    let words = [
        "sweep",
        "preflight",
        "train.sh",
        "--checkpoint",
        "model.safetensors",
        "--gpu-memory",
        "16M",
        "--json",
    ];
    let data = sandbox.handover(words.iter().chain(&["--", "--lr", "0.1"])).expect(0).data();
    assert_eq!(verdict(&data, "committed").0, "well");
    assert_eq!(verdict(&data, "log folder").0, "well");
    assert!(verdict(&data, "GPU memory").1.starts_with("about 13.7 MiB for 1000000 parameters"));
    assert_eq!(verdict(&data, "one batch").0, "well");
    assert_eq!(verdict(&data, "sbatch --test-only").0, "well");
    assert_eq!(sbatch.calls(), ["--test-only -- train.sh --lr 0.1"]);
    let data = sandbox
        .handover(words[..5].iter().chain(&["--gpu-memory", "8M", "--json", "--dry-run"]))
        .expect(3)
        .data();
    assert_eq!(
        (verdict(&data, "GPU memory").0.as_str(), &data["recorded"]),
        ("finding", &serde_json::Value::Null)
    );
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let sandbox = sandbox();
    sandbox.write("logs/x", "");
    let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).expect(3).data();
    assert_eq!(verdict(&data, "sbatch --test-only").0, "not_checked");
    assert_eq!(verdict(&data, "one batch").0, "finding");
    let nothing = sandbox.handover(["sweep", "preflight", "nothing.sh"]).expect(2);
    assert!(nothing.stderr().contains("there is no batch script"), "{nothing:?}");
    sandbox.write("train.sh", SCRIPT.replace("logs/%A_%a.out", "logs/%A/%a.out"));
    let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).expect(1).data();
    assert_eq!(verdict(&data, "log folder").0, "would_fail");
}

#[test]
fn the_real_slurm_says_whether_it_would_take_the_script() {
    let Some(cluster) = cluster::Cluster::or_skip("the_real_slurm_says_whether_it_would_take_the_script")
    else {
        return;
    };
    let sandbox = sandbox();
    cluster.open_to(&sandbox);
    sandbox.write("logs/x", "");
    let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).expect(3).data();
    let (verdict_now, text) = verdict(&data, "sbatch --test-only");
    assert_eq!(verdict_now, "well", "{text}");
    sandbox.write("train.sh", SCRIPT.replace("--mem 4G", "--partition=nowhere"));
    let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).expect(1).data();
    let (verdict_now, text) = verdict(&data, "sbatch --test-only");
    assert_eq!((verdict_now.as_str(), text.contains("Invalid partition")), ("would_fail", true), "{text}");
}

#[test]
fn the_script_is_read_as_its_shell_and_sbatch_would_read_it() {
    let sandbox = sandbox();
    sandbox.write("logs/x", "");
    let trap = sandbox.root().join("ran");
    sandbox.write(
        "train.sh",
        format!(
            "#!/bin/bash\n#SBATCH --mem=lots\n#SBATCH -t abc\n#SBATCH -o logs/%j.out\n: $(touch {0}) `touch {0}`\n\
             #SBATCH --array=0-9\ntouch {0}\npython train.py --config=conf/a.yaml\nif [ -f x ]; then\n",
            trap.display()
        ),
    );
    sandbox.commit("A bad script");
    let answer = sandbox.handover(["sweep", "preflight", "train.sh"]).expect(1);
    insta::assert_snapshot!(sandbox.normalise(&answer.stdout()));
    assert!(!trap.exists(), "the script was run");
    // What begins a shell begins none here.
    sandbox.write("begin", format!("touch {}\n", trap.display()));
    let begin = sandbox.project().join("begin");
    let _ = sandbox
        .call(["sweep", "preflight", "train.sh"])
        .env("BASH_ENV", begin.to_str().unwrap())
        .env("ENV", begin.to_str().unwrap())
        .run()
        .expect(1);
    assert!(!trap.exists(), "the script was run");
    for (text, about, verdict_now, words) in [
        ("python train.py\n", "shell", "would_fail", "does not begin with #!"),
        ("#!/bin/bash\r\npython train.py\r\n", "shell", "would_fail", "CR and LF"),
        ("#!/usr/bin/env python3\nprint('hm')\n", "shell", "not_checked", "python3 reads it"),
        ("#!/bin/sh\npython train.py\n", "shell", "well", "`sh -n`"),
        (
            "#!/bin/bash\n#SBATCH --chdir=nowhere\npython train.py\n",
            "files",
            "would_fail",
            "nowhere is not there",
        ),
        ("#!/bin/bash\ncd src && python train.py\n", "files", "would_fail", "1 file that it names"),
        ("#!/bin/bash\ngit clone x src\ncd src\n", "files", "finding", "1 file that it names"),
        ("#!/bin/bash\ncd $HOME\npython nowhere.py\n", "files", "well", "no file is named"),
    ] {
        sandbox.write("train.sh", text);
        let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json", "--dry-run"]).data();
        let (now, said) = verdict(&data, about);
        assert!(now == verdict_now && said.contains(words), "{text:?}: {now}: {said}");
    }
}

#[test]
fn what_is_no_script_is_said_for_what_it_is() {
    let sandbox = sandbox();
    sandbox.write("dir/x", "");
    sandbox.write("binary", b"#!/bin/bash\n\x00\x01".to_vec());
    let large = std::fs::File::create(sandbox.project().join("large")).unwrap();
    large.set_len(1 << 30).unwrap();
    let _ = sandbox.program("mkfifo", [sandbox.project().join("fifo").to_str().unwrap()]).run().expect(0);
    for (name, words) in [
        ("nothing.sh", "there is no batch script"),
        ("train.sh/x", "there is no batch script"),
        ("dir", "is a folder"),
        ("binary", "byte 12 of it is NUL"),
        ("large", "has 1.0 GiB"),
        ("fifo", "is a pipe or a device"),
    ] {
        let answer = sandbox.handover(["sweep", "preflight", name]).expect(2);
        assert!(answer.stderr().contains(words) && answer.stderr().contains("hint:"), "{answer}");
    }
}

#[test]
fn what_sbatch_says_of_the_start_has_a_time_that_people_read() {
    let sandbox = sandbox();
    let bin = sandbox.root().join("doing");
    let says = "#!/bin/sh\necho \"sbatch: Job 17 to start at time as $SLURM_TIME_FORMAT\" >&2\n";
    let path = sandbox.write(bin.join("sbatch"), says);
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.prefix_path(&bin);
    let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json"]).data();
    let (verdict, text) = verdict(&data, "sbatch --test-only");
    assert_eq!(
        (verdict.as_str(), text.as_str()),
        ("well", "it would be taken: Job 17 to start at time as standard")
    );
}

#[test]
fn arguments_reach_sbatch_as_they_are_and_no_shell() {
    let sandbox = sandbox();
    sandbox.write("logs/x", "");
    let sbatch = sandbox.fake("sbatch").fails(0, "sbatch: Job 17 to start at 2026-11-21T12:00:00");
    let words = ["--lr", "0.1; touch pwned", "$(touch pwned)", "`x`", "*", "a b"];
    let call = ["sweep", "preflight", "train.sh", "--json", "--"];
    let data = sandbox.handover(call.iter().chain(&words)).data();
    assert_eq!(verdict(&data, "sbatch --test-only").0, "well");
    assert_eq!(sbatch.calls(), [format!("--test-only -- train.sh {}", words.join(" "))]);
    assert!(!sandbox.exists("pwned"));
}

#[test]
fn the_memory_that_is_asked_for_is_held_against_what_was_used_and_what_nodes_have() {
    let sandbox = sandbox();
    sandbox.write("logs/x", "");
    let header = handover::cluster::sacct::FIELDS.replace(',', "|");
    let row = |task: u32, state: &str, rss: &str| {
        format!(
            "8_{task}|{0}|ann|ai|{state}|0:0|0:0|70|600|1795230000|1795230010|1795230080||gpu01|train.sh\n\
             8_{task}.batch|{0}.batch|||{state}|0:0||70||1795230000|1795230010|1795230080|{rss}|gpu01|batch\n",
            20 + task
        )
    };
    let accounting = |rows: &[String]| {
        format!("{header}\n{}", rows.concat()).replace('|', handover::cluster::sacct::DELIMITER)
    };
    drop(sandbox.fake("squeue").answers(""));
    let _nodes = sandbox
        .fake("scontrol")
        .answers_to("*show?node*", "NodeName=gpu01 Arch=x\n   RealMemory=8000 State=IDLE\n   Partitions=ai\n")
        .answers("");
    let told = |script: &str, rows: &[String]| {
        let _sacct = sandbox.fake("sacct").answers(accounting(rows));
        sandbox.write("train.sh", script);
        let data = sandbox.handover(["sweep", "preflight", "train.sh", "--json", "--dry-run"]).data();
        verdict(&data, "host memory")
    };
    let past = [row(1, "COMPLETED", "2G"), row(2, "COMPLETED", "3.9G")];
    let (now, said) = told(SCRIPT, &past);
    assert_eq!(
        (now.as_str(), said.as_str()),
        ("finding", "4.0 GiB is asked for; tasks of this name used up to 3.9 GiB")
    );
    assert_eq!(told(&SCRIPT.replace("4G", "6G"), &past).0, "well");
    assert_eq!(told(&SCRIPT.replace("--mem 4G", "--mem-per-cpu=1500 -c 4"), &past).0, "well");
    let (now, said) = told(&SCRIPT.replace("4G", "16G"), &past);
    assert_eq!(
        (now.as_str(), said.as_str()),
        ("would_fail", "16.0 GiB is asked for, and no node has so much")
    );
    assert_eq!(told(&SCRIPT.replace("#SBATCH --mem 4G\n", ""), &past).0, "finding");
    assert_eq!(told(&SCRIPT.replace("4G", "6G"), &[row(1, "OUT_OF_MEMORY", "2G")]).0, "finding");
    let (now, said) = told(&SCRIPT.replace("4G", "6G\n#SBATCH -J other"), &past);
    assert_eq!((now.as_str(), said.contains("no past task named other")), ("not_checked", true), "{said}");
}
