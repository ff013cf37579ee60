//! `handover watch` on the real Slurm: an array that does one thing after the
//! other, looked at in between.

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::cluster::Cluster;
use crate::watch::events;

/// Each task waits until it may go on; then they differ.
const SCRIPT: &str = r#"#!/bin/sh
echo "step=300, loss=1.25"
until [ -e "go.$SLURM_ARRAY_TASK_ID" ]; do sleep 0.2; done
case $SLURM_ARRAY_TASK_ID in
1)
    echo 'Traceback (most recent call last):'
    echo '  File "train.py", line 3, in <module>'
    echo '    import einops'
    echo "ModuleNotFoundError: No module named 'einops'"
    exit 1 ;;
*) mkdir -p results && echo done >"results/$SLURM_ARRAY_TASK_ID" ;;
esac
"#;

struct Array {
    sandbox: Sandbox,
    id: String,
}

impl Array {
    fn submitted(cluster: &Cluster) -> Array {
        let sandbox = Sandbox::new();
        cluster.open_to(&sandbox);
        sandbox.write("job.sh", SCRIPT);
        sandbox.write(".handover.yaml", "sweeps:\n  target_step: 1000\n  results: ['results/{task}']\n");
        sandbox.write("logs/.keep", "");
        let words = [
            "--parsable",
            "--array=0-3",
            "--job-name=watched",
            "--requeue",
            "--output=logs/w_%A_%a.out",
            "job.sh",
        ];
        let id = sandbox.program("sbatch", words).run().expect(0).last_line().to_owned();
        Array { sandbox, id }
    }

    /// Waits until accounting or queue say this of a task.
    fn wait_for(&self, task: u32, state: &str) {
        let id = format!("{}_{task}", self.id);
        let said =
            |program: &str, words: &[&str]| self.sandbox.program(program, words).run().stdout().to_owned();
        for _ in 0..600 {
            let queue = said("squeue", &["-h", "-r", "-j", &id, "-o", "%T"]);
            let over = queue.trim().is_empty();
            let now = if over { said("sacct", &["-nPX", "-j", &id, "-o", "state"]) } else { queue };
            if now.trim().starts_with(state) {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        panic!("{id} is not {state}");
    }

    fn go(&self, task: u32) {
        self.sandbox.write(format!("go.{task}"), "");
    }

    /// What a look tells: changes as `what class-or-mark tasks`, and the end.
    fn look(&self, code: i32) -> (Vec<String>, Value) {
        // Time goes on for the files and for Slurm; what was asked a second ago is not asked again.
        let now = self.sandbox.program("date", ["-u", "+%Y-%m-%dT%H:%M:%SZ"]).run().expect(0);
        self.sandbox.set_now(now.last_line());
        let _ = std::fs::remove_dir_all(self.sandbox.home().join(".cache"));
        let answer =
            self.sandbox.handover(["watch", &self.id, "--once", "--json", "--cluster", "local"]).expect(code);
        let mut told = events(&answer);
        let end = told.pop().unwrap();
        let changes =
            told.iter().filter(|event| event["event"] == "change").map(|event| in_short(&event["change"]));
        (changes.collect(), end)
    }
}

fn in_short(change: &Value) -> String {
    let word = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let what = word(&change["what"]);
    match what.as_str() {
        "tasks" => format!("{} {}", word(&change["class"]), word(&change["tasks"])),
        "cause" => {
            let cause = &change["cause"];
            let file = word(&cause["place"]["file"]);
            let file = file.rsplit('/').next().unwrap_or_default().to_owned();
            format!(
                "cause {} {} {file}:{}",
                word(&cause["class"]),
                word(&change["new"]),
                cause["place"]["line"]
            )
        }
        "progress" => format!("{} {}", word(&change["mark"]), word(&change["tasks"])),
        "milestone" => format!("{} %", change["percent"]),
        _ => what,
    }
}

#[test]
fn an_array_on_the_real_slurm_is_watched_from_look_to_look() {
    let name = "an_array_on_the_real_slurm_is_watched_from_look_to_look";
    let Some(cluster) = Cluster::or_skip(name) else { return };
    let array = Array::submitted(&cluster);
    for task in 0..4 {
        array.wait_for(task, "RUNNING");
    }
    let (changes, end) = array.look(0);
    assert_eq!(changes, ["seen", "quarter 0-3"]);
    assert_eq!(end["questions"]["squeue"], 1);
    assert_eq!(array.look(0).0, [""; 0], "nothing changed");

    array.go(0);
    array.go(1);
    array.wait_for(0, "COMPLETED");
    array.wait_for(1, "FAILED");
    let (changes, end) = array.look(0);
    let place = format!("w_{}_1.out:5", array.id);
    assert_eq!(
        changes,
        // One of two finished tasks failed: too few to judge by, and not healthy.
        ["completed 0", "failed 1", &format!("cause missing-module 1 {place}"), "health", "50 %"],
        "{end}"
    );
    let questions = &end["questions"];
    assert_eq!((&questions["sacct"], &questions["files"]), (&1.into(), &0.into()), "{questions}");

    let _ = array.sandbox.program("scontrol", ["requeue", &format!("{}_2", array.id)]).run().expect(0);
    array.wait_for(2, "PENDING");
    assert_eq!(array.look(0).0, ["requeued 2"]);

    let _ = array.sandbox.program("scancel", [format!("{}_3", array.id)]).run().expect(0);
    array.wait_for(3, "CANCELLED");
    array.go(2);
    array.wait_for(2, "COMPLETED");
    let (changes, end) = array.look(0);
    assert_eq!(changes, ["completed 2", "stopped 3", "100 %"]);
    assert_eq!(end["why"], "done");
    let kinds: Vec<&str> =
        end["next"].as_array().unwrap().iter().map(|next| next["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["sync", "analyse", "analyse", "analyse"]);
}
