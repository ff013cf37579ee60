//! `handover remove`: what was removed comes back, and what only the removed
//! worktree knew is kept as long as it may.

use std::fs;

use crate::remove::{Worker, refused_then_waived, start, started, undo, write};
use crate::support::Sandbox;

/// A commit of which only reflogs know; its id.
fn amended(sandbox: &Sandbox, path: &std::path::Path) -> String {
    write(path.join("a"), "hours of work");
    let lost = sandbox.commit_in(path, "Work that is amended away");
    write(path.join("a"), "something else");
    sandbox.git_in(path, ["commit", "-q", "--all", "--amend", "-m", "Amended"]);
    lost
}

#[test]
fn commits_that_only_a_reflog_knows_are_kept_as_long_as_the_trash() {
    for is_detached in [false, true] {
        let (sandbox, path) = started("f");
        if is_detached {
            sandbox.git_in(&path, ["checkout", "-q", "--detach"]);
        }
        let lost = amended(&sandbox, &path);
        let answer = refused_then_waived(&sandbox, &path, "unlanded", "Amended");
        sandbox.git(["reflog", "expire", "--expire=now", "--expire-unreachable=now", "--all"]);
        sandbox.git(["gc", "--quiet", "--prune=now"]);
        assert_eq!(sandbox.git(["cat-file", "-t", &lost]), "commit");
        // Back in its place the reflog keeps it again, and our refs are gone.
        let _ = undo(&sandbox, &answer);
        assert!(sandbox.git_in(&path, ["reflog", "--format=%H", "HEAD"]).contains(&lost));
        assert_eq!(sandbox.git(["for-each-ref", "refs/handover"]), "");
    }
}

#[test]
fn a_removal_that_was_cut_short_is_ended_by_the_next_one() {
    let (sandbox, path) = started("f");
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    // As it was after the files had moved, and before the registration had.
    let folder = sandbox.project().join(".git/handover/trash");
    let folder = folder.join(fs::read_dir(&folder).unwrap().next().unwrap().unwrap().file_name());
    let admin = sandbox.project().join(".git/worktrees/project.f");
    fs::create_dir_all(admin.parent().unwrap()).unwrap();
    fs::rename(folder.join("admin"), &admin).unwrap();
    sandbox.git(["branch", "f", "main"]);
    let again = sandbox.handover(["remove", "f"]).expect(0);
    assert!(!admin.exists() && !path.exists(), "{again}");
    assert_eq!(sandbox.git(["branch", "--list", "f"]), "");
    let _ = undo(&sandbox, &answer);
    assert_eq!(sandbox.git_in(&path, ["status", "--porcelain"]), "");
}

#[test]
fn undo_never_covers_what_is_there_now() {
    let (sandbox, path) = started("f");
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    write(path.join("x"), "x");
    let id = answer.stdout().trim_end().rsplit(' ').next().unwrap().to_owned();
    let refused = sandbox.handover(["remove", "--undo", &id]).expect(5);
    assert!(refused.stderr().contains("something is at"), "{refused}");
    fs::remove_dir_all(&path).unwrap();
    sandbox.git(["worktree", "add", "-q", "-b", "f", "../elsewhere"]);
    assert!(sandbox.handover(["remove", "--undo", &id]).expect(5).stderr().contains("checked out at"));
    sandbox.git(["worktree", "remove", "../elsewhere"]);
    assert!(sandbox.handover(["remove", "--undo", &id[..8]]).code == 0);
    assert!(sandbox.handover(["remove", "--undo", &id]).code == 4);
    assert!(sandbox.handover(["remove", "--undo", "../.."]).code == 4);
}

#[test]
fn the_trash_is_swept_by_age_and_not_while_a_process_works_in_it() {
    let (sandbox, _) = started("old");
    start(&sandbox, "busy");
    let _ = sandbox.handover(["remove", "old"]).expect(0);
    let busy = sandbox.handover(["remove", "busy", "--json"]).expect(0).data();
    let tree = sandbox.project().join(".git/handover/trash").join(busy["id"].as_str().unwrap()).join("tree");
    let worker = Worker::run(&tree, "exec sleep 100");
    sandbox.advance("29d");
    start(&sandbox, "a");
    assert!(!sandbox.handover(["remove", "a"]).expect(0).stdout().contains("for good"));
    sandbox.advance("2d");
    start(&sandbox, "b");
    let answer = sandbox.handover(["remove", "b"]).expect(0);
    assert!(answer.stdout().contains("out of the trash for good: old"), "{answer}");
    assert!(answer.stdout().contains("old, still in the trash: busy: a process works in it"), "{answer}");
    drop(worker);
    assert!(tree.exists());
    assert_eq!(sandbox.git(["for-each-ref", "refs/handover/trash"]).lines().count(), 3);
}
