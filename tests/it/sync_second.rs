//! A second repository that each sync carries as well, such as a vault of notes.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

/// A project and a vault, each with a bare remote of its own; the settings name the vault at `place`,
/// which counts from the project.
fn with_vault(place: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    let vault = sandbox.project().join(place);
    fs::create_dir_all(&vault).unwrap();
    let vault = vault.canonicalize().unwrap();
    sandbox.git_in(&vault, ["init", "--quiet"]);
    fs::write(vault.join("index.md"), "# Vault\n").unwrap();
    sandbox.commit_in(&vault, "vault");
    for (dir, name) in [(sandbox.project(), "origin.git"), (vault.clone(), "vault.git")] {
        sandbox.git_in(&root, ["init", "--quiet", "--bare", name]);
        sandbox.git_in(&dir, [Path::new("remote"), "add".as_ref(), "origin".as_ref(), &root.join(name)]);
        sandbox.git_in(&dir, ["push", "--quiet", "--set-upstream", "origin", "main"]);
    }
    name_second(&sandbox, place);
    (sandbox, vault)
}

fn name_second(sandbox: &Sandbox, place: &str) {
    fs::create_dir_all(sandbox.project().join(".git/handover")).unwrap();
    sandbox.write(".git/handover/config.yaml", format!("sync: {{second: {{path: '{place}'}}}}\n"));
}

fn tips_agree(sandbox: &Sandbox, dir: &Path, bare: &str) -> bool {
    sandbox.git_in(dir, ["rev-parse", "main"]) == sandbox.git_in(bare, ["rev-parse", "main"])
}

#[test]
fn both_repositories_travel_and_each_has_its_own_outcome() {
    let (sandbox, vault) = with_vault("../vault");
    sandbox.write("a.py", "a\n");
    fs::write(vault.join("day.md"), "notes\n").unwrap();
    fs::write(vault.join("scan.dcm"), "x").unwrap();
    let answer = sandbox.handover(["sync", "--dry-run"]).expect(0);
    assert!(answer.stdout().contains("  would commit 1 new\n"), "{answer}");
    let answer = sandbox.handover(["sync"]).expect(3);
    let (first, second) = answer.stdout().split_once("second repository, ").unwrap();
    assert!(first.contains("+ a.py") && !first.contains("day.md"), "{answer}");
    assert!(second.contains("+ day.md") && second.contains("scan.dcm: a medical image"), "{answer}");
    assert!(tips_agree(&sandbox, &sandbox.project(), "origin.git"));
    assert!(tips_agree(&sandbox, &vault, "vault.git"));
    let data = sandbox.handover(["sync", "--json"]).expect(3).data();
    assert_eq!(data["second"]["outcome"]["branch"], "main", "{data}");
    assert_eq!(data["refused"].as_array().unwrap().len(), 0, "{data}");

    // What lets a file through is said for one repository alone.
    let _ = sandbox.handover(["sync", "--allow=scan.dcm"]).expect(3);
    let _ = sandbox.handover_in(&vault, ["sync", "--allow=scan.dcm"]).expect(0);
}

#[test]
fn one_that_lies_in_the_other_is_never_staged_there() {
    let (sandbox, vault) = with_vault("notes/vault");
    sandbox.write("notes/own.md", "o\n");
    fs::write(vault.join("day.md"), "notes\n").unwrap();
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(answer.stdout().contains("the second repository, which travels by itself"), "{answer}");
    assert_eq!(sandbox.git(["ls-tree", "-r", "--name-only", "HEAD"]), "README.md\nnotes/own.md");
    assert!(tips_agree(&sandbox, &vault, "vault.git"));
    // Without the setting it is kept back by the guard.
    fs::remove_file(sandbox.project().join(".git/handover/config.yaml")).unwrap();
    let answer = sandbox.handover(["sync"]).expect(3);
    assert!(answer.stdout().contains("notes/vault/: another repository\n"), "{answer}");
    assert!(!sandbox.git(["ls-files", "-s"]).contains("160000"));
}

#[test]
fn the_same_repository_twice_is_refused_and_the_first_is_carried_all_the_same() {
    let (sandbox, _) = with_vault("../vault");
    let worktree = sandbox.worktree("side");
    fs::create_dir(sandbox.project().join("sub")).unwrap();
    for place in [".", "sub", worktree.to_str().unwrap()] {
        name_second(&sandbox, place);
        sandbox.write(format!("of-{}.py", place.len()), "a\n");
        let answer = sandbox.handover(["sync"]).expect(2);
        assert!(answer.stdout().contains("is this very one"), "{answer}");
        assert!(tips_agree(&sandbox, &sandbox.project(), "origin.git"), "{answer}");
    }
}

#[test]
fn one_that_fails_does_not_hide_the_other() {
    let (sandbox, vault) = with_vault("../vault");
    // The first cannot even begin: the second is carried, and its outcome is the answer.
    sandbox.git(["switch", "--quiet", "--detach"]);
    fs::write(vault.join("day.md"), "notes\n").unwrap();
    let answer = sandbox.handover(["sync"]).expect(5);
    assert!(answer.stderr().contains("detached") && answer.stdout().contains("+ day.md"), "{answer}");
    assert!(tips_agree(&sandbox, &vault, "vault.git"));
    let answer = sandbox.handover(["sync", "--json"]).expect(5);
    assert_eq!(answer.data()["outcome"]["branch"], "main", "{answer}");

    // The second has no remote to be reached: the first arrives, and the code is the worse of both.
    sandbox.git(["switch", "--quiet", "main"]);
    sandbox.write("b.py", "b\n");
    fs::write(vault.join("late.md"), "notes\n").unwrap();
    sandbox.git_in(&vault, ["remote", "set-url", "origin", "git://127.0.0.1:9/x.git"]);
    let answer = sandbox.handover(["sync"]).expect(75);
    assert!(tips_agree(&sandbox, &sandbox.project(), "origin.git"), "{answer}");
    fs::remove_dir_all(&vault).unwrap();
    let answer = sandbox.handover(["sync", "--json"]);
    assert_ne!(answer.code, 0, "{answer}");
    assert!(answer.data()["second"]["problem"]["messages"][0].is_string(), "{answer}");
}

#[test]
fn a_branch_cannot_bring_another_repository_of_this_machine_with_it() {
    let (sandbox, vault) = with_vault("../vault");
    fs::remove_file(sandbox.project().join(".git/handover/config.yaml")).unwrap();
    sandbox.write(".handover.yaml", "sync: {second: {path: ../vault}}\n");
    fs::write(vault.join("day.md"), "notes\n").unwrap();
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(!answer.stdout().contains("second repository"), "{answer}");
    assert_eq!(sandbox.git_in(&vault, ["status", "--porcelain"]), "?? day.md");
}

#[test]
fn two_that_name_each_other_never_wait_in_a_circle() {
    let (sandbox, vault) = with_vault("../vault");
    fs::create_dir_all(vault.join(".git/handover")).unwrap();
    fs::write(vault.join(".git/handover/config.yaml"), "sync: {second: {path: ../project}}\n").unwrap();
    std::thread::scope(|threads| {
        for (n, dir) in [sandbox.project(), vault.clone()].into_iter().enumerate() {
            let sandbox = &sandbox;
            threads.spawn(move || {
                for round in 0..4 {
                    fs::write(dir.join(format!("{n}-{round}.md")), "x\n").unwrap();
                    let answer = sandbox.handover_in(&dir, ["sync"]);
                    assert_eq!(answer.code, 0, "{answer}");
                }
            });
        }
    });
    assert!(
        tips_agree(&sandbox, &sandbox.project(), "origin.git") && tips_agree(&sandbox, &vault, "vault.git")
    );
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
}
