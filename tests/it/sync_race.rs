//! Many clones sync at once: every commit arrives, and nothing that a user staged changes.

use std::fs;
use std::path::PathBuf;

use crate::support::Sandbox;
use crate::support::kill::{figure, proofs_are_full};

#[test]
fn many_clones_sync_at_once_and_every_commit_arrives() {
    let (clones, syncs) = if proofs_are_full() { (12, 8) } else { (6, 4) };
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    sandbox.git_in(&root, ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    let dirs: Vec<PathBuf> = (0..clones)
        .map(|n| {
            let name = format!("clone{n}");
            sandbox.git_in(&root, ["clone", "--quiet", "origin.git", &name]);
            let dir = root.join(name);
            fs::write(dir.join("staged.txt"), format!("staged in {n}\n")).unwrap();
            sandbox.git_in(&dir, ["add", "staged.txt"]);
            dir
        })
        .collect();
    let deferred = std::sync::atomic::AtomicUsize::new(0);
    std::thread::scope(|threads| {
        for (n, dir) in dirs.iter().enumerate() {
            let (sandbox, deferred) = (&sandbox, &deferred);
            threads.spawn(move || {
                for round in 0..syncs {
                    fs::create_dir_all(dir.join("work")).unwrap();
                    fs::write(dir.join(format!("work/{n}-{round}.txt")), "x\n").unwrap();
                    // Whoever is always slower than the others is told to come again.
                    loop {
                        let answer = sandbox.handover_in(dir, ["sync"]);
                        match answer.code {
                            0 => break,
                            75 => deferred.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
                            _ => panic!("clone {n}, round {round}: {answer}"),
                        };
                    }
                }
            });
        }
    });
    let listed = sandbox.git_in(root.join("origin.git"), ["ls-tree", "-r", "--name-only", "main"]);
    let arrived = listed.lines().filter(|name| name.starts_with("work/")).count();
    assert_eq!(arrived, clones * syncs, "{listed}");
    let subjects = sandbox.git_in(root.join("origin.git"), ["log", "--format=%s", "main"]);
    let commits = subjects.lines().filter(|subject| subject.starts_with("sync: ")).count();
    assert_eq!(commits, clones * syncs, "each once: {subjects}");
    for (n, dir) in dirs.iter().enumerate() {
        assert_eq!(sandbox.git_in(dir, ["status", "--porcelain"]), "A  staged.txt");
        assert_eq!(sandbox.git_in(dir, ["cat-file", "blob", ":staged.txt"]), format!("staged in {n}"));
        assert!(!dir.join(".git/rebase-merge").exists() && !dir.join(".git/index.lock").exists());
        let check = sandbox.program("git", ["fsck", "--no-dangling"]).dir(dir).run();
        assert_eq!(check.code, 0, "{check:?}");
    }
    let parked = sandbox.git_in(root.join("origin.git"), ["for-each-ref", "refs/heads/parked"]);
    assert_eq!(parked, "", "nothing was in conflict");
    figure(&format!(
        "many_clones_sync_at_once: {clones} clones x {syncs} syncs, {arrived} commits arrived, {} times told to come again",
        deferred.into_inner()
    ));
}

#[test]
fn two_syncs_of_one_worktree_at_once_make_one_commit_and_the_other_waits() {
    let sandbox = Sandbox::new();
    sandbox.git_in(sandbox.root(), ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    for n in 0..20 {
        sandbox.write(format!("a/{n}"), "x\n");
    }
    std::thread::scope(|threads| {
        let runs: Vec<_> = (0..6).map(|_| threads.spawn(|| sandbox.handover(["sync"]))).collect();
        for run in runs {
            let answer = run.join().unwrap();
            assert_eq!(answer.code, 0, "{answer}");
        }
    });
    assert_eq!(sandbox.git(["log", "--format=%s", "origin/main"]), "sync: a: 20\nFirst commit");
}
