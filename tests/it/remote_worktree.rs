//! `remote worktree` and `remote reconcile` over a real ssh, `sync --pair` over a real remote.

use crate::remote::{clone_there, is_as_its_schema_says, settings};
use crate::support::Sandbox;
use crate::support::sshd::Sshd;

const BOX: &str = "    box: {kind: workstation, host: box, path: ~/project}\n";

#[test]
fn a_feature_has_its_worktree_on_the_machine_from_the_same_commit() {
    let sandbox = Sandbox::new();
    let name = "a_feature_has_its_worktree_on_the_machine_from_the_same_commit";
    let Some(sshd) = Sshd::or_skip(&sandbox, name) else { return };
    clone_there(&sandbox);
    settings(&sandbox, BOX);
    let here = sandbox.worktree("feat/it's");
    std::fs::write(here.join("new.txt"), "new\n").unwrap();
    let tip = sandbox.commit_in(&here, "Only here");
    let made = sandbox.handover(["remote", "worktree", "box", "feat/it's", "--json"]).expect(0).data();
    is_as_its_schema_says("remote-worktree", &made);
    assert_eq!((&made["standing"]["is"], made["here"].as_str()), (&"made".into(), Some(tip.as_str())));
    let there = sshd.home().join("project.feat-it's");
    assert_eq!(sandbox.git_in(&there, ["rev-parse", "HEAD"]), tip);
    assert_eq!(sandbox.git_in(&there, ["branch", "--show-current"]), "feat/it's");
    let listed = sandbox.git_in("far/project", ["worktree", "list", "--porcelain"]);
    assert!(listed.contains("locked made by handover remote worktree from host1"), "{listed}");
    assert_eq!(sandbox.git_in("far/project", ["for-each-ref", "refs/handover"]), "");
    let again = sandbox.handover(["remote", "worktree", "box", "feat/it's"]).expect(0);
    assert!(again.stdout().contains("already, as here"), "{again}");
    // Both sides go on.
    sandbox.commit_in("far/project.feat-it's", "Only there");
    sandbox.commit_in(&here, "More here");
    let drift = sandbox.handover(["remote", "worktree", "box", "feat/it's", "--json"]).expect(3).data();
    assert_eq!(drift["standing"]["is"], "drifted");
    assert_eq!(sandbox.git_in(&there, ["log", "-1", "--format=%s"]), "Only there");
    let board = sandbox.handover(["status"]).expect(0);
    assert!(board.stdout().contains("on box:"), "{board}");
    for wrong in ["-x", "a b", "none"] {
        assert_ne!(sandbox.handover(["remote", "worktree", "box", "--", wrong]).code, 0);
    }
}

#[test]
fn what_was_cleaned_here_and_is_still_there_is_listed() {
    let sandbox = Sandbox::new();
    let name = "what_was_cleaned_here_and_is_still_there_is_listed";
    let Some(sshd) = Sshd::or_skip(&sandbox, name) else { return };
    clone_there(&sandbox);
    settings(&sandbox, BOX);
    let world = handover::sys::World::real();
    let common = sandbox.project().join(".git");
    let paths: Vec<_> = ["runs/it's/a b.tmp", "runs/gone.tmp"]
        .into_iter()
        .map(|path| (sandbox.write(path, "partial\n"), handover::terms::Bytes(8)))
        .collect();
    let near = |_: &std::path::Path| sandbox.root().to_owned();
    handover::worktree::put_aside::put(&world, &common, "lr_sweep", &paths, &near, world.clock.now())
        .unwrap();
    let there = sshd.home().join("project/runs/it's");
    std::fs::create_dir_all(&there).unwrap();
    std::fs::write(there.join("a b.tmp"), "partial\n").unwrap();
    let listed = sandbox.handover(["remote", "reconcile", "box", "--json"]).expect(3).data();
    is_as_its_schema_says("remote-reconcile", &listed);
    let said = listed["machine"]["answer"]["said"].as_array().unwrap();
    assert_eq!((said.len(), said[0]["path"].as_str()), (1, Some("runs/it's/a b.tmp")), "{listed}");
    assert_eq!((listed["asked"].as_u64(), said[0]["sweep"].as_str()), (Some(2), Some("lr_sweep")));
    drop(sshd);
    let gone = sandbox.handover(["remote", "reconcile", "box"]).expect(75);
    assert!(gone.stdout().contains("offline"), "{gone}");
}

/// A project with a bare remote, and a clone of a machine on its own branch.
fn pair(sandbox: &Sandbox) {
    sandbox.git_in(sandbox.root(), ["clone", "--quiet", "--bare", "project", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["fetch", "--quiet", "origin"]);
    sandbox.git(["branch", "--quiet", "--set-upstream-to=origin/main"]);
    sandbox.git_in(sandbox.root(), ["clone", "--quiet", "origin.git", "machine"]);
    sandbox.git_in("machine", ["switch", "--quiet", "-c", "gpu-validation"]);
    let text = "sync: {pairs: [[main, gpu-validation]]}\n";
    sandbox.write(sandbox.home().join(".config/handover/config.yaml"), text);
}

#[test]
fn a_pair_of_branches_carries_both_sides_by_one_merge_commit() {
    let sandbox = Sandbox::new();
    pair(&sandbox);
    sandbox.write("work.txt", "work\n");
    let work = sandbox.commit("Work");
    sandbox.write(sandbox.root().join("machine/gpu.txt"), "validated\n");
    let gpu = sandbox.commit_in("machine", "Validated");
    // What is staged and changed here stays as it is.
    sandbox.write("staged.txt", "staged\n");
    sandbox.git(["add", "staged.txt"]);
    let first = sandbox.handover_in("machine", ["sync", "--pair"]).expect(0);
    assert!(first.stdout().contains("pushed main and gpu-validation"), "{first}");
    let second = sandbox.handover(["sync", "--pair", "--json"]).expect(0).data();
    assert_eq!((&second["end"]["is"], &second["end"]["merged"]), (&"same".into(), &true.into()), "{second}");
    let tip = sandbox.git(["rev-parse", "HEAD"]);
    for branch in ["main", "gpu-validation"] {
        assert_eq!(sandbox.git_in("origin.git", ["rev-parse", branch]), tip);
    }
    assert_eq!(sandbox.git(["rev-parse", "HEAD^1", "HEAD^2"]), format!("{work}\n{gpu}"));
    assert_eq!((sandbox.read("gpu.txt"), sandbox.read("work.txt")), ("validated\n".into(), "work\n".into()));
    assert_eq!(sandbox.git(["status", "--porcelain"]), "A  staged.txt");
    assert_eq!(sandbox.git(["rev-parse", "refs/handover/backup/main"]), work);
    let follows = sandbox.handover_in("machine", ["sync", "--pair"]).expect(0);
    assert!(follows.stdout().contains("gpu-validation is there too"), "{follows}");
    assert_eq!(sandbox.git_in("machine", ["rev-parse", "HEAD"]), tip);
    let again = sandbox.handover(["sync", "--pair"]).expect(0);
    assert!(again.stdout().contains("nothing to push"), "{again}");
}

#[test]
fn a_conflict_of_a_pair_is_named_and_nothing_is_half_merged() {
    let sandbox = Sandbox::new();
    pair(&sandbox);
    sandbox.write("README.md", "# Here\n");
    let work = sandbox.commit("Work");
    sandbox.write(sandbox.root().join("machine/README.md"), "# There\n");
    let gpu = sandbox.commit_in("machine", "Validated");
    sandbox.git_in("machine", ["push", "--quiet", "origin", "gpu-validation"]);
    let refs = sandbox.git_in("origin.git", ["for-each-ref"]);
    let refused = sandbox.handover(["sync", "--pair"]).expect(6);
    assert!(refused.stdout().contains("nothing was merged\n  README.md\n"), "{refused}");
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), work);
    assert_eq!(sandbox.git_in("machine", ["rev-parse", "HEAD"]), gpu);
    assert_eq!(sandbox.git_in("origin.git", ["for-each-ref"]), refs);
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    assert!(!sandbox.exists(".git/MERGE_HEAD"));
    // No pair in the settings; a branch that nobody has.
    sandbox.write(sandbox.home().join(".config/handover/config.yaml"), "");
    let _ = sandbox.handover(["sync", "--pair"]).expect(2);
    sandbox.write(sandbox.home().join(".config/handover/config.yaml"), "sync: {pairs: [[main, '-x']]}\n");
    let _ = sandbox.handover(["sync", "--pair"]).expect(2);
    sandbox.write(sandbox.home().join(".config/handover/config.yaml"), "sync: {pairs: [[main, none]]}\n");
    let _ = sandbox.handover(["sync", "--pair"]).expect(6);
}
