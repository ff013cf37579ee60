//! `handover finish`: commits come home as commits, and nothing is lost on the way.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;
use crate::support::slurm::Queued;

/// A feature with two commits, on a main branch that went on.
fn feature() -> (Sandbox, PathBuf, String) {
    let sandbox = Sandbox::new();
    let path = PathBuf::from(sandbox.handover(["start", "f"]).expect(0).last_line());
    commit(&sandbox, &path, "a", "a");
    let tip = commit(&sandbox, &path, "b", "b");
    sandbox.write("other", "x");
    sandbox.commit("main goes on");
    (sandbox, path, tip)
}

fn commit(sandbox: &Sandbox, dir: &Path, name: &str, text: &str) -> String {
    fs::create_dir_all(dir.join(name).parent().unwrap()).unwrap();
    fs::write(dir.join(name), text).unwrap();
    sandbox.commit_in(dir, name)
}

fn subjects(sandbox: &Sandbox) -> String {
    sandbox.git(["log", "--format=%s", "-3"])
}

#[test]
fn commits_come_home_one_by_one_and_the_worktree_goes() {
    let (sandbox, path, tip) = feature();
    let answer = sandbox.handover(["finish", "f"]).expect(0);
    assert!(
        answer.stdout().contains("2 new on main") && answer.stdout().contains("branch: deleted"),
        "{answer}"
    );
    assert_eq!(subjects(&sandbox), "b\na\nmain goes on");
    assert!(!path.exists());
    assert_eq!(sandbox.git(["rev-parse", "refs/handover/finished/f"]), tip);
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
}

#[test]
fn a_commit_that_was_empty_from_the_start_comes_along() {
    let (sandbox, path, _) = feature();
    sandbox.git_in(&path, ["commit", "--quiet", "--allow-empty", "--message", "sweep begins"]);
    commit(&sandbox, &path, "c", "c");
    let answer = sandbox.handover(["finish", "f"]).expect(0);
    assert!(answer.stdout().contains("4 new on main"), "{answer}");
    assert_eq!(subjects(&sandbox), "c\nsweep begins\nb");
    assert!(!path.exists());
}

#[test]
fn a_merge_commit_is_made_where_it_is_asked_for() {
    let (sandbox, path, tip) = feature();
    assert!(sandbox.handover(["finish", "f", "--merge"]).code == 0);
    assert_eq!(sandbox.git(["rev-parse", "HEAD^2"]), tip);
    assert!(!path.exists());
}

#[test]
fn some_commits_or_some_paths_alone_come_home_and_the_rest_stays_on_the_branch() {
    let (sandbox, path, tip) = feature();
    let first = sandbox.git(["rev-parse", "f^"]);
    let answer = sandbox.handover(["finish", "f", "--pick", &first]).expect(0);
    assert!(answer.stdout().contains("branch: kept"), "{answer}");
    assert!(sandbox.exists("a") && !sandbox.exists("b") && !path.exists());
    assert_eq!(sandbox.git(["rev-parse", "f"]), tip);

    let path = PathBuf::from(sandbox.handover(["start", "g"]).expect(0).last_line());
    fs::create_dir(path.join("lib")).unwrap();
    fs::write(path.join("lib/x"), "x").unwrap();
    fs::write(path.join("notes"), "n").unwrap();
    sandbox.commit_in(&path, "mixed");
    assert!(sandbox.handover(["finish", "g", "--paths", "lib"]).code == 0);
    assert!(sandbox.exists("lib/x") && !sandbox.exists("notes"));
    assert_eq!(sandbox.git(["log", "-1", "--format=%s %an"]), "mixed Ann Example");
    assert!(sandbox.tree(".git").iter().all(|name| !name.contains("handover-index")));
}

#[test]
fn a_conflict_leaves_gits_own_state_with_the_way_on_and_back() {
    let (sandbox, path, tip) = feature();
    sandbox.write("b", "another b");
    let before = sandbox.commit("conflict");
    let answer = sandbox.handover(["finish", "f"]).expect(6);
    assert!(
        answer.stderr().contains("cherry-pick --continue") && answer.stderr().contains("cherry-pick --abort"),
        "{answer}"
    );
    assert!(sandbox.git(["status"]).contains("You are currently cherry-picking"));
    assert!(path.exists());
    sandbox.git(["cherry-pick", "--abort"]);
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), before);
    assert_eq!(sandbox.git(["rev-parse", "f"]), tip);
}

#[test]
fn what_is_not_committed_or_live_is_a_refusal_before_anything_happens() {
    let (sandbox, path, _) = feature();
    let head = sandbox.git(["rev-parse", "HEAD"]);
    fs::write(path.join("new"), "x").unwrap();
    assert!(sandbox.handover(["finish", "f"]).expect(5).stderr().contains("not committed: new"));
    fs::remove_file(path.join("new")).unwrap();
    sandbox.write("README.md", "changed");
    assert!(sandbox.handover(["finish", "f"]).expect(5).stderr().contains("not committed: README.md"));
    sandbox.git(["checkout", "README.md"]);
    let job = Queued::new("7", "RUNNING", sandbox.project(), "/o");
    let _fake = sandbox.fake("squeue").answers(job.row());
    let refused = sandbox.handover(["finish", "f"]).expect(5);
    let why = "live jobs of ours work in the checkout of main, whose files would change under them: 7\n";
    assert!(refused.stderr().contains(why), "{refused}");
    assert!(refused.stderr().contains("hint: wait until they have ended: squeue --jobs=7\n"), "{refused}");
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), head);
}

#[test]
fn where_the_worktree_cannot_go_the_integration_stands() {
    let (sandbox, path, _) = feature();
    let script = format!("'{}' finish f; echo code $?", env!("CARGO_BIN_EXE_handover"));
    let answer = sandbox.program("sh", ["-c", &script]).dir(&path).run().expect(0);
    assert!(
        answer.stdout().contains("code 6") && answer.stdout().contains("later: handover remove f"),
        "{answer}"
    );
    assert!(path.exists() && sandbox.exists("b"));
    assert!(sandbox.handover(["remove", "f"]).code == 0);
}

#[test]
fn our_block_never_reaches_the_branch() {
    let (sandbox, path, _) = feature();
    sandbox.git_in(&path, ["add", "-f", "CLAUDE.md"]);
    sandbox.git_in(&path, ["commit", "-q", "-m", "oops"]);
    let answer = sandbox.handover(["finish", "f"]).expect(5);
    assert!(answer.stderr().contains("our block was committed"), "{answer}");
}
