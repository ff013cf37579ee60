//! `handover sweep preflight`: what is looked at before a sweep is submitted.

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
