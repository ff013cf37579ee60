//! `handover remove` where something lies in wait: what is mounted in a
//! worktree, what is a repository of its own, what only looks like a cache.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::cluster::skipped;
use crate::support::{Answer, Sandbox, trace};

const EVERYTHING: [&str; 4] =
    ["--waive", "dirty,ignored,unlanded,process,unknown", "--yes", "--cluster=none"];

fn started(feature: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", ".cache/\n.*.swp\noutputs/\n*.log\n");
    sandbox.commit("ignore");
    let path = start(&sandbox, feature);
    (sandbox, path)
}

fn start(sandbox: &Sandbox, feature: &str) -> PathBuf {
    PathBuf::from(sandbox.handover(["start", feature]).expect(0).last_line())
}

fn write(path: impl AsRef<Path>, text: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// The id in the trash that a removal's answer names.
fn id(answer: &Answer) -> String {
    answer.stdout().trim_end().rsplit(' ').next().unwrap().to_owned()
}

fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// The words before a program that runs with `what` mounted at `place`, in a
/// name space of its own.
fn with_mount(what: &Path, place: &Path) -> Option<Vec<String>> {
    let (unshare, mount) = (program("unshare")?, program("mount")?);
    let script =
        format!("'{}' --bind '{}' '{}' && exec \"$@\"", mount.display(), what.display(), place.display());
    let words = [unshare.to_str()?, "-rm", "/bin/sh", "-c", &script, "sh"].map(str::to_owned).to_vec();
    let possible = std::process::Command::new(&words[0]).args(&words[1..]).arg("/bin/true").status();
    possible.is_ok_and(|status| status.success()).then_some(words)
}

#[test]
fn nothing_is_removed_with_something_mounted_in_it() {
    let (sandbox, path) = started("f");
    write(sandbox.root().join("precious/data"), "x");
    let place = path.join(".cache/pip/a b");
    fs::create_dir_all(&place).unwrap();
    let Some(mounted) = with_mount(&sandbox.root().join("precious"), &place) else {
        return skipped("nothing_is_removed_with_something_mounted_in_it", "nothing can be mounted here");
    };
    let call = sandbox.call(["remove", "f"].into_iter().chain(EVERYTHING));
    let answer = call.under(mounted).run().expect(5);
    assert!(answer.stderr().contains("mounted in it") && answer.stderr().contains("/a b"), "{answer}");
    assert!(answer.stderr().contains("umount "), "{answer}");
    assert!(path.exists());
    assert!(sandbox.handover(["remove", "f"]).code == 0);
}

#[test]
fn the_trash_is_not_emptied_through_a_mount_point() {
    let (sandbox, _) = started("old");
    let answer = sandbox.handover(["remove", "old"]).expect(0);
    let tree = sandbox.project().join(".git/handover/trash").join(id(&answer)).join("tree");
    write(sandbox.root().join("precious/data"), "x");
    fs::create_dir_all(tree.join(".cache")).unwrap();
    let Some(mounted) = with_mount(&sandbox.root().join("precious"), &tree.join(".cache")) else {
        return skipped("the_trash_is_not_emptied_through_a_mount_point", "nothing can be mounted here");
    };
    sandbox.advance("31d");
    start(&sandbox, "a");
    let answer = sandbox.call(["remove", "a"]).under(mounted).run().expect(0);
    assert!(answer.stdout().contains("old, still in the trash: old:"), "{answer}");
    assert!(answer.stdout().contains("something is mounted there"), "{answer}");
    assert_eq!(fs::read_to_string(sandbox.root().join("precious/data")).unwrap(), "x");
    assert!(tree.join("README.md").exists());
    // Without it, it goes as any other.
    start(&sandbox, "b");
    let answer = sandbox.handover(["remove", "b"]).expect(0);
    assert!(answer.stdout().contains("for good: old"), "{answer}");
    assert!(!tree.exists());
}

#[test]
fn a_repository_in_the_worktree_is_not_taken_along_unsaid() {
    let (sandbox, path) = started("f");
    // In a cache, bare, and with its own git directory under a gitlink.
    sandbox.git(["clone", "-q", ".", path.join(".cache/pip/clone").to_str().unwrap()]);
    sandbox.git(["clone", "-q", "--bare", ".", path.join(".cache/pip/bare").to_str().unwrap()]);
    sandbox.git(["clone", "-q", ".", path.join("lib").to_str().unwrap()]);
    sandbox.git_in(&path, ["add", "lib"]);
    let tip = sandbox.commit_in(&path, "gitlink");
    sandbox.git(["merge", "-q", "--ff-only", &tip]);
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("repositories of their own"), "{answer}");
    for name in [".cache/pip/clone", ".cache/pip/bare", "lib"] {
        assert!(answer.stderr().contains(name), "{name}: {answer}");
    }
    assert!(answer.stderr().contains("--waive ignored"), "{answer}");
    let _ = sandbox.handover(["remove", "f", "--waive", "ignored", "--yes"]).expect(0);
}

#[test]
fn another_worktree_inside_is_never_taken_along() {
    let (sandbox, path) = started("f");
    let inner = path.join(".cache/inner");
    sandbox.git(["worktree", "add", "-q", "-b", "inner", inner.to_str().unwrap()]);
    write(inner.join("new"), "x");
    let answer = sandbox.handover(["remove", "f"].into_iter().chain(EVERYTHING)).expect(5);
    assert!(answer.stderr().contains("another worktree of this repository lies in it"), "{answer}");
    assert!(answer.stderr().contains("handover remove "), "{answer}");
    assert!(inner.join("new").exists());
    fs::remove_file(inner.join("new")).unwrap();
    sandbox.git(["worktree", "remove", inner.to_str().unwrap()]);
    assert!(sandbox.handover(["remove", "f"]).code == 0);
}

#[test]
fn what_a_submodule_ignores_is_data_too() {
    let sandbox = Sandbox::new();
    let lib = sandbox.repository("lib");
    fs::write(lib.join(".gitignore"), "weights/\n__pycache__/\n").unwrap();
    sandbox.commit_in(&lib, "ignore");
    sandbox.git(["submodule", "--quiet", "add", "../lib", "lib"]);
    sandbox.commit("submodule");
    let path = start(&sandbox, "f");
    sandbox.git_in(&path, ["submodule", "--quiet", "update", "--init"]);
    write(path.join("lib/__pycache__/a.pyc"), "x");
    assert!(sandbox.handover(["remove", "f", "--dry-run"]).code == 0);
    write(path.join("lib/weights/best.pt"), "12345");
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("ignored files of submodules"), "{answer}");
    assert!(answer.stderr().contains("lib/weights/ 5 B"), "{answer}");
}

#[test]
fn a_fifo_in_place_of_a_note_holds_nobody_up() {
    let (sandbox, _) = started("f");
    let folder = sandbox.project().join(".git/handover/trash/0123456789abcdef0123456789abcdef");
    fs::create_dir_all(&folder).unwrap();
    let fifo = folder.join("note.json");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let answer = sandbox.handover(["remove", "--list-trash"]);
    assert!(answer.stderr().contains("no regular file"), "{answer}");
    // The removal itself has been done, and says so.
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    assert!(answer.stdout().contains("to undo: "), "{answer}");
}

#[test]
fn what_only_looks_like_a_cache_is_data() {
    let (sandbox, path) = started("f");
    write(path.join(".cache/pip/x"), "x");
    assert!(sandbox.handover(["remove", "f", "--dry-run"]).code == 0);
    write(path.join(".cache/results/best.pt"), "12345");
    write(path.join(".train.py.swp"), "x");
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("(.cache/results/ 5 B, .train.py.swp 1 B)"), "{answer}");
}

#[test]
fn another_indentation_is_another_change() {
    for how in ["one by one", "as one"] {
        let (sandbox, path) = started("f");
        sandbox.write("a.py", "def f():\n    if a:\n        b()\n    return 1\n");
        sandbox.commit("base");
        sandbox.git_in(&path, ["merge", "-q", "--ff-only", "main"]);
        write(path.join("a.py"), "def f():\n    if a:\n        b()\n        c()\n    return 1\n");
        sandbox.commit_in(&path, "inside the condition");
        if how == "as one" {
            sandbox.git_in(&path, ["commit", "-q", "--allow-empty", "-m", "more"]);
        }
        sandbox.write("a.py", "def f():\n    if a:\n        b()\n    c()\n    return 1\n");
        sandbox.commit("outside of it");
        if how == "one by one" {
            assert!(sandbox.git(["cherry", "main", "f"]).starts_with('-'));
        }
        let answer = sandbox.handover(["remove", "f"]).expect(5);
        assert!(answer.stderr().contains("inside the condition"), "{how}: {answer}");
    }
}

#[test]
fn undo_keeps_the_commit_that_its_branch_has_lost() {
    let (sandbox, path) = started("f");
    write(path.join("a"), "a");
    let tip = sandbox.commit_in(&path, "work");
    let answer = sandbox.handover(["remove", "f", "--waive", "unlanded", "--yes"]).expect(0);
    sandbox.git(["branch", "-f", "f", "main"]);
    let answer = sandbox.handover(["remove", "--undo", &id(&answer)]).expect(0);
    assert!(answer.stderr().contains("no longer contains"), "{answer}");
    sandbox.git(["reflog", "expire", "--expire=now", "--all"]);
    sandbox.git(["gc", "--quiet", "--prune=now"]);
    assert_eq!(sandbox.git(["cat-file", "-t", &tip]), "commit");
    assert_eq!(sandbox.git(["for-each-ref", "--format=%(objectname)", "refs/handover/trash"]), tip);
}

#[test]
fn an_undo_that_was_cut_short_is_ended_by_the_next_one() {
    let (sandbox, path) = started("f");
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    let folder = sandbox.project().join(".git/handover/trash").join(id(&answer));
    // As it is after the files have moved, and before the registration has.
    fs::rename(folder.join("tree"), &path).unwrap();
    sandbox.advance("31d");
    start(&sandbox, "g");
    let other = sandbox.handover(["remove", "g"]).expect(0);
    assert!(other.stdout().contains("putting it back was cut short"), "{other}");
    assert!(folder.join("admin/HEAD").exists());
    let _ = sandbox.handover(["remove", "--undo", &id(&answer)]).expect(0);
    assert_eq!(sandbox.git_in(&path, ["status", "--porcelain"]), "");
    assert_eq!(sandbox.git_in(&path, ["branch", "--show-current"]), "f");
    assert!(!folder.exists());
}

#[test]
fn an_undo_that_fails_half_way_is_none() {
    let (sandbox, path) = started("f");
    if !trace::is_possible(&sandbox) {
        return skipped("an_undo_that_fails_half_way_is_none", "strace cannot trace here");
    }
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    let undo = ["remove".to_owned(), "--undo".to_owned(), id(&answer)];
    let second = trace::Event { call: "renameat2".into(), nth: 2, line: String::new() };
    let failed = trace::with_fault(sandbox.call(&undo), &second, "error=EIO");
    assert_ne!(failed.code, 0, "{failed}");
    assert!(!path.exists());
    let _ = sandbox.handover(&undo).expect(0);
    assert_eq!(sandbox.git_in(&path, ["status", "--porcelain"]), "");
}

#[test]
fn a_dry_run_names_what_would_go_for_good() {
    let (sandbox, _) = started("old");
    let gone = id(&sandbox.handover(["remove", "old"]).expect(0));
    sandbox.write(".handover.yaml", "retention:\n  trash_after: 0s\n");
    sandbox.commit("no trash");
    start(&sandbox, "f");
    sandbox.advance("1h");
    assert!(!sandbox.handover(["remove", "f", "--dry-run"]).expect(0).stderr().contains(&gone));
    assert!(!sandbox.handover(["remove", "f"]).expect(0).stdout().contains("for good"));
    start(&sandbox, "f");
    sandbox.advance("24h");
    let answer = sandbox.handover(["remove", "f", "--dry-run"]).expect(0);
    assert!(answer.stderr().contains(&format!("for good, as it is old: old ({gone})")), "{answer}");
    assert!(sandbox.handover(["remove", "f"]).expect(0).stdout().contains("for good: old"));
}

#[test]
fn staged_versions_and_private_refs_outlive_a_collection_of_garbage() {
    let (sandbox, path) = started("f");
    write(path.join("new"), "staged");
    sandbox.git_in(&path, ["add", "new"]);
    write(path.join("new"), "later");
    write(path.join("announced"), "x");
    sandbox.git_in(&path, ["add", "-N", "announced"]);
    let words = ["commit-tree", "-m", "private", "HEAD^{tree}"];
    let private = sandbox.git_in(&path, words);
    sandbox.git_in(&path, ["update-ref", "refs/worktree/mine", &private]);
    let answer = sandbox.handover(["remove", "f", "--waive", "dirty", "--yes"]).expect(0);
    sandbox.git(["reflog", "expire", "--expire=now", "--all"]);
    sandbox.git(["gc", "--quiet", "--prune=now"]);
    let _ = sandbox.handover(["remove", "--undo", &id(&answer)]).expect(0);
    assert_eq!(sandbox.git_in(&path, ["show", ":new"]), "staged");
    assert_eq!(sandbox.git_in(&path, ["cat-file", "-t", "refs/worktree/mine"]), "commit");
    assert_eq!(sandbox.git(["for-each-ref", "refs/handover"]), "");
    sandbox.git_in(&path, ["commit", "-q", "-m", "after"]);
}

#[test]
fn both_sides_of_a_conflict_outlive_a_collection_of_garbage() {
    let (sandbox, path) = started("f");
    write(path.join("README.md"), "ours");
    sandbox.commit_in(&path, "ours");
    let blob = sandbox.root().join("blob");
    write(&blob, "theirs");
    let theirs = sandbox.git(["hash-object", "-w", blob.to_str().unwrap()]);
    let entry = format!("100644 {theirs} 3\tREADME.md\n100644 {theirs} 2\tREADME.md\n");
    let file = sandbox.root().join("entries");
    write(&file, &format!("0 {} 0\tREADME.md\n{entry}", "0".repeat(40)));
    let script = format!("git update-index --index-info <'{}'", file.display());
    let _ = sandbox.program("sh", ["-c", &script]).dir(&path).run().expect(0);
    let answer = sandbox.handover(["remove", "f", "--waive", "dirty,unlanded", "--yes"]).expect(0);
    sandbox.git(["gc", "--quiet", "--prune=now"]);
    let _ = sandbox.handover(["remove", "--undo", &id(&answer)]).expect(0);
    assert_eq!(sandbox.git_in(&path, ["show", ":3:README.md"]), "theirs");
}
