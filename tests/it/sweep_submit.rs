//! `handover sweep plan --submit`: nothing is submitted twice, whoever else submits,
//! and whatever becomes of a line.

use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::support::{Answer, Sandbox};
use crate::watch::{accounting, queue, slurm};

/// A sweep of four tasks, two of which can be resumed.
pub fn to_be_resumed() -> Sandbox {
    let (sandbox, ..) = slurm(&[queue(&[])], &[ended("COMPLETED", &[])]);
    let header = r#"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
    let bytes = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &[0; 16]].concat();
    for task in [1, 2] {
        sandbox.write(format!("runs/{task}/checkpoints/step_100.safetensors"), &bytes);
    }
    sandbox.write("train.sh", "#!/bin/bash\n");
    sandbox.write(
        ".handover.yaml",
        "sweeps:\n  runs: ['runs/{task}']\n  script: train.sh\n  resume: 'sbatch --array={tasks} {script} --resume {checkpoint}'\n",
    );
    sandbox.commit("The sweep");
    sandbox
}

fn ended(first: &'static str, more: &[(&'static str, u32, &'static str, &'static str)]) -> String {
    let own = [
        ("8_0", 9, first, "0:0"),
        ("8_1", 10, "NODE_FAIL", "0:0"),
        ("8_2", 11, "NODE_FAIL", "0:0"),
        ("8_3", 8, "COMPLETED", "0:0"),
    ];
    accounting(&[&own[..], more].concat())
}

fn plan(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(["sweep", "plan", "8", "--cluster", "local"].iter().chain(words))
}

fn hash(sandbox: &Sandbox) -> String {
    plan(sandbox, &["--json"]).data()["hash"].as_str().unwrap().to_owned()
}

fn runnable(sandbox: &Sandbox) -> usize {
    let plan = plan(sandbox, &["--json"]).data();
    let steps = plan["steps"].as_array().unwrap().iter();
    let run = steps.filter(|step| step["condition"].is_null() && step["blocked"].is_null());
    run.map(|step| step["lines"].as_array().map_or(0, Vec::len)).sum()
}

fn states(outcome: &Value) -> Vec<&str> {
    outcome["lines"].as_array().unwrap().iter().map(|line| line["state"].as_str().unwrap()).collect()
}

/// A program of the sandbox that does what a shell is told.
fn does(sandbox: &Sandbox, name: &str, script: &str) {
    let bin = sandbox.root().join("doing");
    let path = sandbox.write(bin.join(name), format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    sandbox.prefix_path(&bin);
}

#[test]
fn after_an_unclear_end_nothing_is_offered_again_until_accounting_or_a_person_says_so() {
    let sandbox = to_be_resumed();
    // Somebody else's damaged record is in nobody's way, and is said.
    sandbox.write(".git/handover/sweeps/plans/aaaaaaaaaaaa-bbbbbbbbbbbb.json", "{");
    assert!(plan(&sandbox, &["--json"]).data()["not_read"].to_string().contains("aaaaaaaaaaaa-bbbbbbbbbbbb"));
    let hash = hash(&sandbox);
    let refusal = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation\n";
    let sbatch = sandbox.fake("sbatch").fails(1, refusal);
    let outcome = plan(&sandbox, &["--submit", &hash, "--json"]).expect(6).data();
    assert_eq!(states(&outcome), ["began", "planned"]);
    assert_eq!(runnable(&sandbox), 1);
    let text = plan(&sandbox, &[]);
    assert!(text.stdout().contains("unknown whether plan"), "{text}");
    let twice = plan(&sandbox, &["--submit", &hash]).expect(5);
    assert!(twice.stderr().contains(&format!("--not-submitted {hash}")), "{twice}");
    // Accounting knows it now.
    let sacct = sandbox.fake("sacct").answers(ended("COMPLETED", &[("91_1", 20, "COMPLETED", "0:0")]));
    let found = plan(&sandbox, &["--json"]).data();
    assert!(found["steps"].to_string().contains("submitted again as 91_1"), "{found:#}");
    drop(sacct.answers(ended("COMPLETED", &[])));
    // A person says that it did not happen.
    let _ = plan(&sandbox, &["--not-submitted", &hash]).expect(5);
    assert_eq!(runnable(&sandbox), 1);
    let _ = plan(&sandbox, &["--not-submitted", "0123456789ab", "--yes"]).expect(2);
    let anew = plan(&sandbox, &["--not-submitted", &hash, "--yes", "--json"]).expect(3).data();
    assert_eq!(anew["hash"], hash.as_str());
    let _ = plan(&sandbox, &["--not-submitted", &hash, "--yes"]).expect(2);
    assert_eq!(sbatch.calls().len(), 1);
    drop(sandbox.fake("sbatch").answers("Submitted batch job 92\n"));
    let _ = plan(&sandbox, &["--submit", &hash]).expect(0);
    assert_eq!(runnable(&sandbox), 0);
}

#[test]
fn a_record_that_nobody_can_read_names_the_way_out() {
    let sandbox = to_be_resumed();
    // An old name, which does not tell of which sweep it is; and one of this sweep.
    let flat = sandbox.write(".git/handover/sweeps/plans/aaaaaaaaaaaa.json", "{");
    let answer = plan(&sandbox, &[]).expect(8);
    let said = answer.stderr();
    assert!(said.contains("does not tell of which sweep it is"), "{answer}");
    let aside = said.lines().find_map(|line| line.strip_prefix("hint: then move it aside: ")).unwrap();
    assert_eq!(aside, format!("mv {0} {0}.damaged", flat.display()));
    // It stops no look.
    let look = sandbox.handover(["sweep", "8", "--cluster", "local", "--json"]).expect(0).data();
    assert!(look.to_string().contains("aaaaaaaaaaaa.json"), "{look:#}");
    std::fs::rename(&flat, flat.with_extension("json.damaged")).unwrap();
    assert_eq!(runnable(&sandbox), 2);
    sandbox.write(".git/handover/sweeps/plans/aaaaaaaaaaaa.json", "{\"sweep\": \"8\", ");
    assert!(plan(&sandbox, &[]).expect(8).stderr().contains("it is of this sweep"));
    sandbox.write(".git/handover/sweeps/plans/aaaaaaaaaaaa.json", "{\"sweep\": \"9\", ");
    assert_eq!(runnable(&sandbox), 2);
}

#[test]
fn what_was_refused_may_be_tried_again_and_what_a_signal_ended_may_not() {
    let sandbox = to_be_resumed();
    let hash = hash(&sandbox);
    let sbatch = sandbox.fake("sbatch").fails(1, "sbatch: error: Batch job submission failed: Invalid qos\n");
    for _ in 0..2 {
        let outcome = plan(&sandbox, &["--submit", &hash, "--json"]).expect(6).data();
        assert_eq!(states(&outcome), ["failed", "planned"]);
        assert_eq!(runnable(&sandbox), 2);
    }
    drop(sbatch);
    does(&sandbox, "sbatch", "kill -9 $$");
    let outcome = plan(&sandbox, &["--submit", &hash, "--json"]).expect(6).data();
    assert_eq!(states(&outcome), ["began", "planned"]);
    assert_eq!(runnable(&sandbox), 1);
}

#[test]
fn two_that_submit_at_once_submit_each_task_once() {
    let sandbox = to_be_resumed();
    let first = hash(&sandbox);
    let log = sandbox.root().join("submitted");
    does(
        &sandbox,
        "sbatch",
        &format!("echo \"$2\" >>'{}'\nsleep 3\necho Submitted batch job 9$$", log.display()),
    );
    std::thread::scope(|threads| {
        let one = threads.spawn(|| plan(&sandbox, &["--submit", &first]));
        while !log.exists() {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        let other = plan(&sandbox, &["--json"]).data();
        if let Some(second) = other["hash"].as_str() {
            let answer = plan(&sandbox, &["--submit", second]);
            assert!([5, 75].contains(&answer.code), "{answer}");
        }
        let _ = one.join().unwrap().expect(0);
    });
    let mut tasks: Vec<String> = sandbox.read(&log).lines().map(str::to_owned).collect();
    tasks.sort();
    assert_eq!(tasks, ["--array=1", "--array=2"]);
}

#[test]
fn before_each_line_the_queue_is_asked_whether_its_tasks_are_alive() {
    let sandbox = to_be_resumed();
    let hash = hash(&sandbox);
    // From another clone of the project, say.
    let dir = sandbox.root().join("doing");
    let theirs = queue(&[("77_2", 77, "RUNNING", "None")])
        .replace("\u{1f}/w\u{1f}", &format!("\u{1f}{}\u{1f}", sandbox.project().display()));
    sandbox.write(dir.join("theirs"), theirs);
    let shown = dir.display();
    does(&sandbox, "squeue", &format!("[ -e '{shown}/done' ] && cat '{shown}/theirs'\nexit 0"));
    does(&sandbox, "sbatch", &format!("touch '{shown}/done'\necho Submitted batch job 91"));
    let outcome = plan(&sandbox, &["--submit", &hash, "--json"]).expect(6).data();
    assert_eq!(states(&outcome), ["done", "planned"]);
    let why = outcome["lines"][1]["complaint"].as_str().unwrap();
    assert!(why.contains("task 2 is alive in the queue as 77_2"), "{why}");
}

#[test]
fn a_plan_is_for_the_directory_that_a_link_led_to_when_it_was_made() {
    let sandbox = to_be_resumed();
    let link = sandbox.root().join("work");
    let running = queue(&[("8_0", 9, "RUNNING", "None")])
        .replace("\u{1f}/w\u{1f}", &format!("\u{1f}{}\u{1f}", link.display()));
    drop(sandbox.fake("squeue").answers(running));
    drop(sandbox.fake("sacct").answers(ended("RUNNING", &[])));
    std::os::unix::fs::symlink(sandbox.project(), &link).unwrap();
    let hash = hash(&sandbox);
    let other = sandbox.root().join("other");
    let _ = sandbox
        .program("cp", ["-a".as_ref(), sandbox.project().as_os_str(), other.as_os_str()])
        .run()
        .expect(0);
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink(&other, &link).unwrap();
    let sbatch = sandbox.fake("sbatch").answers("Submitted batch job 9001\n");
    let _ = plan(&sandbox, &["--submit", &hash]).expect(5);
    assert_eq!(sbatch.calls(), [""; 0]);
}
