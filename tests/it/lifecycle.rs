//! One feature from its start to its end, on real git and a real Slurm, as a
//! user would live it.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::cluster::Cluster;
use crate::support::{Answer, Sandbox};

/// How long Slurm may take for one step; far more than it needs.
const PATIENCE: Duration = Duration::from_secs(120);

/// Tasks 0 and 1 end at once. The others wait for a file: 2 and 3 then fail,
/// 4 then ends well. 5 is requeued meanwhile, 6 runs on, 7 waits behind the throttle.
const JOB: &str = r#"#!/bin/bash
echo "task $SLURM_ARRAY_TASK_ID of $SLURM_ARRAY_JOB_ID"
case $SLURM_ARRAY_TASK_ID in
    0 | 1) exit 0 ;;
    2 | 3) until [ -e go ]; do sleep 0.2; done; exit 3 ;;
    4) until [ -e go ]; do sleep 0.2; done; exit 0 ;;
    *) sleep 600 ;;
esac
"#;

struct Life<'c> {
    sandbox: Sandbox,
    worktree: std::path::PathBuf,
    job: String,
    _cluster: &'c Cluster,
}

impl Life<'_> {
    fn run(&self, program: &str, args: &[&str]) -> Answer {
        self.sandbox.program(program, args).dir(&self.worktree).run().expect(0)
    }

    /// `handover` as one of several agents.
    fn agent(&self, session: &str, args: &[&str]) -> Answer {
        self.sandbox
            .call(args)
            .dir(&self.worktree)
            .env("HANDOVER_AGENT", "codex")
            .env("HANDOVER_SESSION", session)
            .run()
    }

    /// The state of each task that Slurm knows, newest attempt: `5 RUNNING`.
    fn states(&self) -> Vec<String> {
        let queue = self.run("squeue", &["--noheader", "--array", "--format=%K %T", "--jobs", &self.job]);
        let mut states: Vec<String> = queue.stdout().lines().map(|line| line.trim().to_owned()).collect();
        let done = self.run("sacct", &["-nPX", "-j", &self.job, "-o", "jobid,state"]);
        for line in done.stdout().lines() {
            let Some((id, state)) = line.split_once('|') else { continue };
            let Some((_, index)) = id.split_once('_') else { continue };
            if !states.iter().any(|known| known.starts_with(&format!("{index} "))) {
                states.push(format!("{index} {}", state.split(' ').next().unwrap()));
            }
        }
        states.sort();
        states
    }

    fn wait_for(&self, wanted: &[&str]) {
        let began = Instant::now();
        loop {
            let states = self.states();
            if wanted.iter().all(|one| states.iter().any(|state| state == one)) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "wanted {wanted:?}, Slurm says {states:?}");
            std::thread::sleep(Duration::from_millis(300));
        }
    }
}

fn contains_all(answer: &Answer, parts: &[&str]) {
    for part in parts {
        assert!(answer.stdout().contains(part), "{part:?} is missing in\n{answer:?}");
    }
}

#[test]
fn a_feature_lives_from_start_to_archive() {
    let Some(cluster) = Cluster::or_skip("a_feature_lives_from_start_to_archive") else { return };
    let sandbox = Sandbox::new();
    cluster.open_to(&sandbox);
    let now = std::process::Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]).output().unwrap();
    sandbox.set_now(String::from_utf8(now.stdout).unwrap().trim());
    sandbox.write(".handover.yaml", "cluster:\n  source: local\n  user: root\n  names: [life_*]\n");
    sandbox.write(".gitignore", "go\n");
    sandbox.commit("Settings");

    // Journey one: a worktree, and an array submitted from it.
    let started = sandbox.handover(["start", "lr-schedule", "--focus", "cosine schedule"]).expect(0);
    let worktree = Path::new(started.last_line()).to_owned();
    let mut life = Life { sandbox, worktree, job: String::new(), _cluster: &cluster };
    std::fs::write(life.worktree.join("job.sh"), JOB).unwrap();
    life.sandbox.git_in(&life.worktree, ["add", "job.sh"]);
    life.sandbox.git_in(&life.worktree, ["commit", "--quiet", "--message", "The job"]);
    let submitted = life.run(
        "sbatch",
        &[
            "--parsable",
            "--job-name=life_sweep",
            "--partition=all",
            "--array=0-7%6",
            "--mem=50",
            "--requeue",
            "job.sh",
        ],
    );
    life.job = submitted.stdout().trim().to_owned();
    life.wait_for(&[
        "0 COMPLETED",
        "1 COMPLETED",
        "2 RUNNING",
        "3 RUNNING",
        "4 RUNNING",
        "5 RUNNING",
        "6 RUNNING",
    ]);

    // Journey two: the first agent hands over.
    let created = life
        .agent("a", &["create", "--status", "watch: running", "--next", "wait for `life_sweep`, then plot"])
        .expect(0);
    let first = created.last_line().to_owned();
    let text = std::fs::read_to_string(life.worktree.join(format!("CLAUDE/{first}.md"))).unwrap();
    assert!(text.contains("# Handover: cosine schedule"), "{text}");
    assert!(text.contains(&format!("`{}` `life_sweep`: 2 of 8 finished", life.job)), "{text}");

    // Meanwhile tasks fail, one is requeued, others finish, and commits land.
    std::fs::write(life.worktree.join("go"), "").unwrap();
    let _ = life.run("scontrol", &["requeue", &format!("{}_5", life.job)]);
    std::fs::write(life.worktree.join("plot.py"), "print()\n").unwrap();
    life.sandbox.git_in(&life.worktree, ["add", "plot.py"]);
    life.sandbox.git_in(&life.worktree, ["commit", "--quiet", "--message", "Plot the sweep"]);
    life.wait_for(&["2 FAILED", "3 FAILED", "4 COMPLETED", "6 RUNNING"]);

    // Journey three: a second agent verifies and resumes, a third is refused.
    let verified = life.agent("b", &["verify", &first]).expect(3);
    contains_all(
        &verified,
        &[
            "intact",
            "HEAD moved forward by 1 commit",
            "`Plot the sweep`",
            "failed, FAILED 3:0 (2,3)",
            "requeued (5)",
            "now 5 of 8 finished",
        ],
    );
    let resumed = life.agent("b", &["resume", &first]).expect(0);
    assert!(resumed.stdout().lines().count() <= 60, "{resumed:?}");
    contains_all(&resumed, &["lr-schedule", "wait for `life_sweep`, then plot", &life.job]);
    let refused = life.agent("c", &["resume", &first]).expect(5);
    assert!(refused.stderr().contains("codex"), "{refused:?}");

    // The second agent hands over in turn; its child takes the baton along.
    life.sandbox.advance("1m");
    let second =
        life.agent("b", &["create", "--next", "plot with `python plot.py`"]).expect(0).last_line().to_owned();
    life.sandbox.advance("1m");
    let third = life.agent("b", &["create"]).expect(0).last_line().to_owned();
    let child = std::fs::read_to_string(life.worktree.join(format!("CLAUDE/{second}.md"))).unwrap();
    assert!(child.contains(&format!("parent: {{\"key\":\"{first}\"")), "{child}");

    // While tasks run the worktree stays, whatever is waived.
    let kept = life
        .sandbox
        .handover(["remove", "lr-schedule", "--yes", "--waive", "dirty,ignored,unlanded,process,unknown"])
        .expect(5);
    assert!(kept.stderr().contains(&life.job), "{kept:?}");
    assert!(life.worktree.join("job.sh").exists());
    let _ = life.run("scancel", &[&life.job]);
    life.wait_for(&["5 CANCELLED", "6 CANCELLED", "7 CANCELLED"]);

    // Eight days on: what is old and over is archived, and still resolves.
    life.sandbox.advance("8d");
    let archived = life.agent("b", &["archive"]).expect(0);
    assert!(archived.stdout().contains(&first), "{archived:?}");
    for kept in [&second, &third] {
        assert!(life.worktree.join(format!("CLAUDE/{kept}.md")).exists(), "{archived:?}");
    }
    let _ = life.agent("b", &["verify", &first, "--cluster", "none"]).expect(3);

    // The work lands, the worktree goes, the documents stay. The logs of the jobs
    // are nowhere else, so they are in the way until somebody has dealt with them.
    let _ = life.agent("b", &["release"]);
    let refused = life.sandbox.handover(["finish", "lr-schedule", "--yes"]).expect(5);
    assert!(refused.stderr().contains(&format!("slurm-{}_", life.job)), "{refused:?}");
    // All names first: a directory that changes while it is read may leave some out.
    let names: Vec<_> =
        std::fs::read_dir(&life.worktree).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for name in names.iter().filter(|name| name.to_string_lossy().starts_with("slurm-")) {
        std::fs::rename(life.worktree.join(name), life.sandbox.root().join(name)).unwrap();
    }
    // The commits come home; one ignored file keeps the worktree until it is gone.
    let finished = life.sandbox.handover(["finish", "lr-schedule", "--yes"]).expect(6);
    assert!(finished.stdout().contains("ignored by git that is no cache (go 0 B)"), "{finished:?}");
    std::fs::remove_file(life.worktree.join("go")).unwrap();
    let _ = life.sandbox.handover(["remove", "lr-schedule"]).expect(0);
    assert!(!life.worktree.exists());
    assert!(life.sandbox.git(["log", "--format=%s"]).contains("Plot the sweep"));
    for key in [&first, &second, &third] {
        let shown = life.sandbox.handover(["show", key]).expect(0);
        assert!(shown.stdout().contains(key), "{shown:?}");
    }
    life.sandbox.git(["clean", "-fdxq"]);
    let _ = life.sandbox.handover(["show", &third]).expect(0);
}
