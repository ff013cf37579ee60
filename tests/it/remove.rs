//! `handover remove`: nothing that somebody would miss goes, and what goes can
//! come back. The scenarios are those in which git and other tools lose work.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::support::{Answer, Sandbox};

pub fn started(feature: &str) -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "outputs/\n*.log\n__pycache__/\n.env\nvenv/\ntarget/\n");
    sandbox.commit("ignore");
    let path = start(&sandbox, feature);
    (sandbox, path)
}

pub fn start(sandbox: &Sandbox, feature: &str) -> PathBuf {
    PathBuf::from(sandbox.handover(["start", feature]).expect(0).last_line())
}

pub fn write(path: impl AsRef<Path>, text: &str) {
    fs::create_dir_all(path.as_ref().parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// Is refused without `waiver` (and nothing changes), and done with it.
#[track_caller]
pub fn refused_then_waived(sandbox: &Sandbox, path: &Path, waiver: &str, says: &str) -> Answer {
    let before = (sandbox.tree(path), sandbox.git(["for-each-ref"]));
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains(says), "{answer}");
    assert!(answer.stderr().contains(&format!("--waive {waiver}")), "{answer}");
    // Giving something up wants a yes.
    let unasked = sandbox.handover(["remove", "f", "--waive", waiver]).expect(5);
    assert!(unasked.stderr().contains("--yes"), "{unasked}");
    assert_eq!((sandbox.tree(path), sandbox.git(["for-each-ref"])), before);
    let answer = sandbox.handover(["remove", "f", "--waive", waiver, "--yes"]).expect(0);
    assert!(!path.exists());
    answer
}

pub fn undo(sandbox: &Sandbox, answer: &Answer) -> Answer {
    let line = answer.stdout().lines().find(|line| line.starts_with("to undo: ")).unwrap();
    let words: Vec<&str> = line.split(' ').skip(3).collect();
    sandbox.handover(words).expect(0)
}

/// A process that works in a directory until it is dropped.
pub struct Worker(Child);

impl Worker {
    pub fn run(dir: &Path, script: &str) -> Worker {
        let mut command = Command::new("sh");
        command.args(["-c", script]).current_dir(dir);
        Worker(command.stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_clean_worktree_goes_and_comes_back_whole() {
    let (sandbox, path) = started("f");
    write(path.join("src/__pycache__/a.pyc"), "x");
    write(path.join("target/CACHEDIR.TAG"), "x");
    let before = (sandbox.tree(&path), sandbox.git_in(&path, ["rev-parse", "HEAD"]));
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    insta::assert_snapshot!(answer.to_string());
    assert!(!path.exists());
    assert_eq!(sandbox.git(["worktree", "list"]).lines().count(), 1);
    assert_eq!(sandbox.git(["branch", "--list", "f"]), "");
    assert!(sandbox.tree(".git/handover/worktrees").is_empty());

    let listed = sandbox.handover(["remove", "--list-trash"]).expect(0);
    assert!(listed.stdout().contains("handover remove --undo"), "{listed}");
    let back = undo(&sandbox, &answer);
    assert_eq!(Path::new(back.last_line()), path);
    assert_eq!((sandbox.tree(&path), sandbox.git_in(&path, ["rev-parse", "HEAD"])), before);
    assert_eq!(sandbox.git_in(&path, ["status", "--porcelain"]), "");
    assert_eq!(sandbox.git_in(&path, ["branch", "--show-current"]), "f");
    assert!(sandbox.git(["worktree", "list", "--porcelain"]).contains("locked managed by handover"));
    assert_eq!(sandbox.handover(["remove", "--list-trash"]).expect(0).stdout(), "the trash is empty\n");
    assert_eq!(sandbox.git(["for-each-ref", "refs/handover"]), "");
}

#[test]
fn changes_and_new_files_are_not_lost() {
    let (sandbox, path) = started("f");
    fs::write(path.join("README.md"), "changed").unwrap();
    fs::write(path.join("new.py"), "x").unwrap();
    sandbox.git_in(&path, ["add", "README.md"]);
    let answer = refused_then_waived(&sandbox, &path, "dirty", "2 changes not committed (README.md, new.py)");
    let _ = undo(&sandbox, &answer);
    assert_eq!(sandbox.git_in(&path, ["status", "--porcelain"]), "M  README.md\n?? new.py");
    assert_eq!(fs::read_to_string(path.join("README.md")).unwrap(), "changed");
}

#[test]
fn no_setting_hides_new_files_from_the_check() {
    let (sandbox, path) = started("f");
    for (name, value) in [
        ("status.showUntrackedFiles", "no"),
        ("status.relativePaths", "true"),
        ("color.ui", "always"),
        ("diff.ignoreSubmodules", "all"),
    ] {
        sandbox.git(["config", name, value]);
    }
    fs::write(path.join("new.py"), "x").unwrap();
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        let answer =
            sandbox.call(["remove", "f"]).env(variable, sandbox.project().join(".git")).run().expect(5);
        assert!(answer.stderr().contains("new.py"), "{answer}");
    }
    let _ = refused_then_waived(&sandbox, &path, "dirty", "new.py");
}

#[test]
fn edits_that_git_was_told_not_to_see_are_seen() {
    for mark in ["--skip-worktree", "--assume-unchanged"] {
        let (sandbox, path) = started("f");
        sandbox.git_in(&path, ["update-index", mark, "README.md"]);
        assert!(sandbox.handover(["remove", "f", "--dry-run"]).code == 0);
        fs::write(path.join("README.md"), "edited").unwrap();
        assert_eq!(sandbox.git_in(&path, ["status", "--porcelain"]), "");
        let _ = refused_then_waived(&sandbox, &path, "dirty", "told not to see");
    }
}

#[test]
fn ignored_results_are_data_and_caches_are_not() {
    let (sandbox, path) = started("f");
    write(path.join("outputs/model.pt"), "12345");
    write(path.join("run.log"), "x");
    write(path.join(".env"), "SECRET=1");
    write(path.join("a/__pycache__/b.pyc"), "x");
    let says = "3 paths ignored by git that are no cache (.env 8 B, outputs/ 5 B, run.log 1 B)";
    let answer = refused_then_waived(&sandbox, &path, "ignored", says);
    let _ = undo(&sandbox, &answer);
    assert_eq!(fs::read_to_string(path.join("outputs/model.pt")).unwrap(), "12345");
}

#[test]
fn our_links_go_and_what_they_lead_to_stays() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "data/\nvenv/\n");
    sandbox.commit("ignore");
    sandbox.write("data/x", "x");
    sandbox.write("outside/y", "y");
    let path = start(&sandbox, "f");
    assert!(path.join("data").is_symlink());
    assert!(sandbox.handover(["remove", "f"]).code == 0);
    assert_eq!(sandbox.read("data/x"), "x");

    // A link that is not ours: `venv/` does not ignore it, so it is a new file.
    let path = start(&sandbox, "f");
    symlink(sandbox.project().join("outside"), path.join("venv")).unwrap();
    let _ = refused_then_waived(&sandbox, &path, "dirty", "venv");
    assert_eq!(sandbox.read("outside/y"), "y");
}

#[test]
fn a_real_directory_in_place_of_our_link_is_data() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", "data/\n");
    sandbox.commit("ignore");
    sandbox.write("data/x", "x");
    let path = start(&sandbox, "f");
    fs::remove_file(path.join("data")).unwrap();
    write(path.join("data/mine"), "x");
    let _ = refused_then_waived(&sandbox, &path, "ignored", "data/");
}

#[test]
fn commits_on_no_other_branch_stay_reachable() {
    let (sandbox, path) = started("f");
    write(path.join("a"), "a");
    let tip = sandbox.commit_in(&path, "work of days");
    let answer = refused_then_waived(&sandbox, &path, "unlanded", "work of days");
    assert!(answer.stdout().contains("branch: kept"), "{answer}");
    assert_eq!(sandbox.git(["rev-parse", "f"]), tip);

    // A detached HEAD has no branch to keep them.
    let path = start(&sandbox, "f");
    sandbox.git_in(&path, ["checkout", "-q", "--detach"]);
    write(path.join("b"), "b");
    let tip = sandbox.commit_in(&path, "detached work");
    let answer = refused_then_waived(&sandbox, &path, "unlanded", "detached work");
    sandbox.git(["reflog", "expire", "--expire=now", "--all"]);
    sandbox.git(["gc", "--quiet", "--prune=now"]);
    assert_eq!(sandbox.git(["cat-file", "-t", &tip]), "commit");
    let _ = undo(&sandbox, &answer);
    assert_eq!(sandbox.git_in(&path, ["rev-parse", "HEAD"]), tip);
}

#[test]
fn work_that_has_landed_goes_with_its_branch_however_it_landed() {
    for how in ["merge", "cherry-pick", "squash"] {
        let (sandbox, path) = started("f");
        for name in ["a", "b"] {
            write(path.join(name), name);
            sandbox.commit_in(&path, name);
        }
        sandbox.write("other", "x");
        sandbox.commit("main goes on");
        match how {
            "merge" => sandbox.git(["merge", "-q", "--no-edit", "f"]),
            "cherry-pick" => sandbox.git(["cherry-pick", "main..f"]),
            _ => sandbox.git(["merge", "-q", "--squash", "f"]),
        };
        sandbox.commit("after");
        let answer = sandbox.handover(["remove", "f"]).expect(0);
        assert!(answer.stdout().contains("branch: deleted"), "{how}: {answer}");
        let _ = undo(&sandbox, &answer);
        assert!(path.join("b").exists(), "{how}");
        assert_eq!(sandbox.git_in(&path, ["log", "--format=%s", "-1"]), "b");
    }
}

#[test]
fn work_that_landed_in_part_has_not_landed() {
    let (sandbox, path) = started("f");
    for name in ["a", "b"] {
        write(path.join(name), name);
        sandbox.commit_in(&path, name);
    }
    sandbox.git(["cherry-pick", "f^"]);
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("only on its branch"), "{answer}");
    // What was pushed is not lost, but has not landed either: the branch stays.
    sandbox.git(["update-ref", "refs/remotes/origin/f", "f"]);
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    assert!(answer.stdout().contains("branch: kept"), "{answer}");
}

#[test]
fn a_live_process_inside_is_not_pulled_from_under() {
    let (sandbox, path) = started("f");
    let worker = Worker::run(&path, "exec sleep 100");
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(
        answer.stderr().contains("1 live process inside") && answer.stderr().contains("sleep"),
        "{answer}"
    );
    drop(worker);
    assert!(sandbox.handover(["remove", "f"]).code == 0);
}

#[test]
fn a_job_that_writes_by_relative_path_goes_on_writing() {
    let (sandbox, path) = started("f");
    fs::create_dir(path.join("outputs")).unwrap();
    let worker = Worker::run(&path, "while :; do date >outputs/$$; sleep 0.01; done");
    for waive in [None, Some("--waive=ignored"), Some("--waive=dirty,ignored,unlanded,unknown")] {
        let answer = sandbox.handover(["remove", "f", "--yes"].into_iter().chain(waive)).expect(5);
        assert!(answer.stderr().contains("live process"), "{answer}");
    }
    drop(worker);
    assert_eq!(fs::read_dir(path.join("outputs")).unwrap().count(), 1);
}

#[test]
fn the_callers_own_shell_is_asked_to_leave() {
    let (sandbox, path) = started("f");
    let script = format!("'{}' remove f; echo code $?", env!("CARGO_BIN_EXE_handover"));
    let answer = sandbox.program("sh", ["-c", &script]).dir(&path).run().expect(0);
    assert!(answer.stdout().contains("code 5"), "{answer}");
    assert!(
        answer.stderr().contains("from which this command runs")
            && answer.stderr().contains("leave it first"),
        "{answer}"
    );
    // Its own working directory alone is no reason.
    assert!(sandbox.handover_in(&path, ["remove", "f"]).code == 0);
}

#[test]
fn somebody_elses_lock_is_honoured_and_cannot_be_waived() {
    let (sandbox, path) = started("f");
    sandbox.git(["worktree", "unlock", path.to_str().unwrap()]);
    assert!(sandbox.handover(["remove", "f", "--dry-run"]).code == 0);
    sandbox.git(["worktree", "lock", "--reason", "on a USB stick", path.to_str().unwrap()]);
    let answer = sandbox
        .handover(["remove", "f", "--waive", "dirty,ignored,unlanded,process,unknown", "--yes"])
        .expect(5);
    assert!(answer.stderr().contains("locked by somebody else: on a USB stick"), "{answer}");
    assert!(!answer.stderr().contains("--waive"), "{answer}");
    assert!(path.exists());
}

#[test]
fn the_main_worktree_and_strangers_are_never_removed() {
    let (sandbox, path) = started("f");
    for name in ["main", ".", sandbox.project().to_str().unwrap()] {
        let answer = sandbox.handover(["remove", name]).expect(5);
        assert!(answer.stderr().contains("the main worktree"), "{answer}");
    }
    assert!(sandbox.handover(["remove", "nothing"]).code == 4);
    // A substring is no name.
    assert!(sandbox.handover(["remove", "project"]).code == 4);

    // Another repository lies there now.
    let aside = sandbox.root().join("aside");
    fs::rename(&path, &aside).unwrap();
    sandbox.git(["clone", "-q", ".", path.to_str().unwrap()]);
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("is not the worktree"));
    fs::remove_dir_all(&path).unwrap();
    // A link to it, or another worktree of ours moved there.
    symlink(&aside, &path).unwrap();
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("is not the worktree"));
    fs::remove_file(&path).unwrap();
    let other = start(&sandbox, "g");
    fs::rename(&other, &path).unwrap();
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("is not the worktree"));
    assert!(path.join("README.md").exists() && aside.join("README.md").exists());
    // One that cannot be seen is neither pruned nor forgotten.
    fs::rename(&path, sandbox.root().join("away")).unwrap();
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("cannot be seen from here"));
    assert!(sandbox.exists(".git/worktrees/project.f") && sandbox.exists(".git/worktrees/project.g"));
}

#[test]
fn notes_that_exist_nowhere_else_are_data() {
    let (sandbox, path) = started("f");
    let context = path.join("CLAUDE.md");
    let block = fs::read_to_string(&context).unwrap();
    fs::write(&context, format!("{block}\n- the loader leaks\n")).unwrap();
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(answer.stderr().contains("text of yours in CLAUDE.md"), "{answer}");
    fs::write(&context, block).unwrap();

    let key = sandbox.handover_in(&path, ["create", "--cluster", "none"]).expect(0).last_line().to_owned();
    assert!(sandbox.handover(["remove", "f", "--dry-run"]).code == 0, "a sealed copy is in the store");
    write(path.join("CLAUDE/DRAFT.md"), "draft");
    write(path.join("CLAUDE/idea.md"), "x");
    let answer = sandbox.handover(["remove", "f"]).expect(5);
    assert!(
        answer.stderr().contains("a draft, CLAUDE/DRAFT.md") && answer.stderr().contains("CLAUDE/idea.md"),
        "{answer}"
    );
    fs::remove_file(path.join("CLAUDE/DRAFT.md")).unwrap();
    fs::remove_file(path.join("CLAUDE/idea.md")).unwrap();
    let copy = path.join("CLAUDE").join(format!("{key}.md"));
    let text = fs::read_to_string(&copy).unwrap();
    fs::remove_file(&copy).unwrap();
    fs::write(&copy, text + "edited\n").unwrap();
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("is not the sealed one"));
    assert!(sandbox.handover(["remove", "f", "--waive", "ignored", "--yes"]).code == 0);
    assert!(sandbox.handover(["show", &key]).code == 0, "the document outlives its worktree");
}

#[test]
fn submodules_do_not_stand_in_the_way_unless_they_hold_work() {
    let sandbox = Sandbox::new();
    sandbox.repository("lib");
    sandbox.git(["submodule", "--quiet", "add", "../lib", "lib"]);
    sandbox.commit("submodule");
    let path = start(&sandbox, "f");
    sandbox.git_in(&path, ["submodule", "--quiet", "update", "--init"]);
    assert!(sandbox.handover(["remove", "f", "--dry-run"]).code == 0);
    sandbox.git(["config", "submodule.lib.ignore", "all"]);
    fs::write(path.join("lib/new"), "x").unwrap();
    assert!(sandbox.handover(["remove", "f"]).expect(5).stderr().contains("1 change not committed (lib)"));
    // Committed inside, and the outer branch brought back: only the submodule knows.
    sandbox.commit_in(path.join("lib"), "inner work");
    sandbox.git_in(path.join("lib"), ["branch", "keep"]);
    sandbox.git_in(&path, ["submodule", "--quiet", "update", "--force"]);
    let answer = refused_then_waived(&sandbox, &path, "unlanded", "submodules with commits");
    let _ = undo(&sandbox, &answer);
    assert_eq!(sandbox.git_in(path.join("lib"), ["log", "-1", "--format=%s", "keep"]), "inner work");
}

#[test]
fn the_stash_of_all_worktrees_survives() {
    let (sandbox, path) = started("f");
    fs::write(path.join("README.md"), "stashed").unwrap();
    sandbox.git_in(&path, ["stash", "--quiet"]);
    assert!(sandbox.handover(["remove", "f"]).code == 0);
    assert_eq!(sandbox.git(["stash", "list"]).lines().count(), 1);
}

#[test]
fn sparse_filtered_and_odd_worktrees_are_clean_when_git_says_so() {
    let sandbox = Sandbox::new();
    sandbox.git(["config", "filter.up.smudge", "tr a-z A-Z"]);
    sandbox.git(["config", "filter.up.clean", "tr A-Z a-z"]);
    sandbox.write(".gitattributes", "*.big filter=up\n");
    sandbox.write("in/x.big", "pointer");
    sandbox.write("out/b", "b");
    sandbox.commit("filtered");
    sandbox.git(["sparse-checkout", "set", "--cone", "in"]);
    start(&sandbox, "f");
    let answer = sandbox.handover(["remove", "f"]).expect(0);
    let _ = undo(&sandbox, &answer);
    let odd = sandbox.handover(["start", "g", "--path", "../-x *y"]).expect(0).last_line().to_owned();
    assert!(sandbox.handover(["remove", "g"]).code == 0);
    assert!(!Path::new(&odd).exists());
}
