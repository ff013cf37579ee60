//! `handover status`: the board says what is so, and changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::slurm::Queued;

fn start(sandbox: &Sandbox, feature: &str) -> PathBuf {
    PathBuf::from(sandbox.handover(["start", feature]).expect(0).last_line())
}

/// Every file of a directory with its bytes and time of change.
fn photograph(dir: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    walkdir::WalkDir::new(dir)
        .into_iter()
        .flatten()
        .filter(|entry| entry.file_type().is_file())
        .map(|entry| {
            (
                entry.path().to_owned(),
                (fs::read(entry.path()).unwrap(), entry.metadata().unwrap().modified().unwrap()),
            )
        })
        .collect()
}

fn line<'v>(data: &'v Value, name: &str) -> &'v Value {
    data["worktrees"].as_array().unwrap().iter().find(|line| line["name"] == name).unwrap()
}

#[test]
fn the_board_shows_every_worktree_and_writes_nothing() {
    let sandbox = Sandbox::new();
    let ahead = start(&sandbox, "ahead");
    fs::write(ahead.join("a"), "a").unwrap();
    sandbox.commit_in(&ahead, "a");
    let dirty = start(&sandbox, "dirty");
    fs::write(dirty.join("README.md"), "changed").unwrap();
    fs::write(dirty.join("new"), "x").unwrap();
    let squashed = start(&sandbox, "squashed");
    for name in ["s", "t"] {
        fs::write(squashed.join(name), name).unwrap();
        sandbox.commit_in(&squashed, name);
    }
    sandbox.git(["merge", "-q", "--squash", "squashed"]);
    sandbox.commit("both at once");
    sandbox.git(["worktree", "add", "-q", "--detach", "../detached"]);
    sandbox.git(["worktree", "lock", "--reason", "on a stick\u{1b}[31m", "../detached"]);
    let gone = start(&sandbox, "gone");
    fs::rename(&gone, sandbox.root().join("unmounted")).unwrap();
    let _ = sandbox.handover_in(&dirty, ["create", "--cluster", "none"]).expect(0);
    sandbox.advance("2h");
    let _ = sandbox
        .call(["resume", "--cluster", "none"])
        .dir(&dirty)
        .env("HANDOVER_AGENT", "codex")
        .env("HANDOVER_SESSION", "s-1")
        .run();
    // Times in the index are newer than the files': git would like to refresh it.
    let before = (photograph(&sandbox.project()), photograph(&dirty));
    let answer = sandbox.handover_in(&ahead, ["status"]).expect(0);
    // The hash part of a key differs with the directory; it stands alone here.
    insta::with_settings!({ filters => [("[0-9a-f]{8}, ", "keyhash_, ")] }, {
        insta::assert_snapshot!(answer.to_string());
    });
    assert_eq!((photograph(&sandbox.project()), photograph(&dirty)), before);

    let data = sandbox.handover(["status", "--json"]).expect(0).data();
    assert_eq!(line(&data, "ahead")["base"], serde_json::json!({"of": "main", "ahead": 1, "behind": 1}));
    assert_eq!(line(&data, "squashed")["landing"]["kind"], "picked");
    assert_eq!(
        line(&data, "dirty")["files"]["known"],
        serde_json::json!({"changed": 1, "untracked": 1, "conflicts": 0})
    );
    assert!(line(&data, "gone")["files"]["unknown"].is_string());
    assert!(data["worktrees"].as_array().unwrap().iter().all(|line| line["jobs"].is_null()));
}

#[test]
fn jobs_belong_to_the_worktree_in_which_they_work_or_write() {
    let sandbox = Sandbox::new();
    let a = start(&sandbox, "a");
    let b = start(&sandbox, "b");
    let home = sandbox.home();
    let text = [
        Queued::new("7_[1-9%2]", "PENDING", &a, &home).row(),
        Queued::new("8", "RUNNING", &home, b.join("x.out")).row(),
        Queued::new("9", "RUNNING", &home, home.join("x.out")).row(),
    ];
    let _fake = sandbox.fake("squeue").answers(text.concat());
    let data = sandbox.handover(["status", "--json"]).expect(0).data();
    assert_eq!(
        line(&data, "a")["jobs"],
        serde_json::json!({"running": 0, "pending": 9, "more_pending": false}),
        "{data:#}"
    );
    assert_eq!(line(&data, "b")["jobs"]["running"], 1);
    assert_eq!(data["jobs_elsewhere"], 1);
    let text = sandbox.handover(["status"]).expect(0);
    assert!(text.stdout().contains("9 PD") && text.stdout().contains("1 R"), "{text}");
}

#[test]
fn a_cluster_that_hangs_costs_the_jobs_and_nothing_else() {
    let sandbox = Sandbox::new();
    start(&sandbox, "a");
    let _fake = sandbox.fake("squeue").waits(60.0);
    let answer = sandbox.handover(["status"]).expect(0);
    assert!(answer.stdout().contains("jobs unknown") && answer.stdout().contains("+0 -0"), "{answer}");
    let data = sandbox.handover(["status", "--json"]).expect(0).data();
    assert!(data["jobs_unseen"].is_string() && line(&data, "a")["jobs"].is_null());
}

#[test]
fn the_board_stands_before_the_first_commit_and_on_a_bare_layout() {
    let sandbox = Sandbox::empty();
    sandbox.git_in(sandbox.root(), ["init", "-q", "unborn"]);
    let answer = sandbox.handover_in("unborn", ["status"]).expect(0);
    assert!(answer.stdout().contains("main"), "{answer}");

    let seed = sandbox.repository("seed");
    let top = sandbox.root().join("bare");
    fs::create_dir(&top).unwrap();
    sandbox.git_in(&seed, ["clone", "-q", "--bare", ".", top.join(".bare").to_str().unwrap()]);
    fs::write(top.join(".git"), "gitdir: ./.bare\n").unwrap();
    sandbox.git_in(&top, ["worktree", "add", "-q", "main", "main"]);
    let data = sandbox.handover_in(top.join("main"), ["status", "--json"]).expect(0).data();
    assert_eq!(data["worktrees"].as_array().unwrap().len(), 1);
    assert_eq!(data["worktrees"][0]["is_main"], false);
}
