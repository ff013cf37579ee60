//! `handover sync`: work goes to the remote and back, and nothing is lost on the way.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

/// A project with a bare remote `origin`, and a second clone of it beside.
fn two_clones() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    sandbox.git_in(&root, ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    sandbox.git_in(&root, ["clone", "--quiet", "origin.git", "other"]);
    (sandbox, root.join("other"))
}

fn put(dir: &Path, name: &str, text: &str) {
    let path = dir.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn remote_tip(sandbox: &Sandbox, branch: &str) -> String {
    sandbox.git_in("origin.git", ["rev-parse", &format!("refs/heads/{branch}")])
}

/// Commits something in the other clone and pushes it.
fn others_push(sandbox: &Sandbox, other: &Path, name: &str, text: &str) {
    put(other, name, text);
    sandbox.git_in(other, ["add", "--force", "--", name]);
    sandbox.commit_in(other, &format!("other: {name}"));
    sandbox.git_in(other, ["pull", "--quiet", "--rebase"]);
    sandbox.git_in(other, ["push", "--quiet"]);
}

#[test]
fn changes_are_committed_and_pushed_and_what_is_staged_stays_staged() {
    let (sandbox, _) = two_clones();
    sandbox.write("src/a.py", "print(1)\n");
    sandbox.write("mine.py", "staged\n");
    sandbox.git(["add", "mine.py"]);
    sandbox.write("README.md", "# Another title\n");
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(answer.stdout().contains("committed 1 new, 1 changed"), "{answer}");
    assert!(answer.stdout().contains("pushed 1 commit to origin/main"), "{answer}");
    assert!(answer.stdout().contains("staged by you"), "{answer}");
    assert_eq!(sandbox.git(["status", "--porcelain"]), "A  mine.py");
    assert_eq!(remote_tip(&sandbox, "main"), sandbox.git(["rev-parse", "HEAD"]));
    assert_eq!(sandbox.git(["log", "-1", "--format=%s"]), "sync: README.md: 1; src: 1");

    // A second time there is nothing to do, and nothing is done.
    let before = sandbox.git(["rev-parse", "HEAD"]);
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(answer.stdout().contains("origin/main has everything"), "{answer}");
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), before);
}

#[test]
fn others_commits_come_in_with_their_files() {
    let (sandbox, other) = two_clones();
    others_push(&sandbox, &other, "lib/b.py", "b\n");
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(answer.stdout().contains("pulled 1 commit of Ann Example"), "{answer}");
    assert_eq!(sandbox.read("lib/b.py"), "b\n");
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    assert_eq!(remote_tip(&sandbox, "main"), sandbox.git(["rev-parse", "HEAD"]));
}

#[test]
fn commits_on_both_sides_are_put_in_one_line_and_the_old_tip_is_kept() {
    let (sandbox, other) = two_clones();
    others_push(&sandbox, &other, "theirs", "t\n");
    sandbox.write("by-hand", "h\n");
    let by_hand = sandbox.commit("by hand\n\nwith a body");
    sandbox.write("not-yet", "n\n");
    sandbox.write("kept-open", "k\n");
    sandbox.git(["add", "kept-open"]);
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(answer.stdout().contains("2 commits of ours put on top of theirs"), "{answer}");
    assert!(answer.stdout().contains("pulled 1 commit"), "{answer}");
    assert_eq!(
        sandbox.git(["log", "-4", "--format=%s %b"]).replace('\n', "|"),
        "sync: not-yet: 1 |by hand with a body||other: theirs |First commit "
    );
    assert_eq!(sandbox.git(["status", "--porcelain"]), "A  kept-open");
    assert_eq!(remote_tip(&sandbox, "main"), sandbox.git(["rev-parse", "HEAD"]));
    let kept = sandbox.git(["for-each-ref", "--format=%(objectname)", "refs/handover/replaced/main"]);
    sandbox.git(["merge-base", "--is-ancestor", &by_hand, &kept]);
}

#[test]
fn commits_that_do_not_fit_are_parked_and_nothing_is_left_half_done() {
    let (sandbox, other) = two_clones();
    others_push(&sandbox, &other, "README.md", "# Theirs\n");
    sandbox.write("README.md", "# Ours\n");
    let answer = sandbox.handover(["sync"]).expect(6);
    assert!(answer.stdout().contains("change the same lines"), "{answer}");
    assert!(answer.stdout().contains("README.md"), "{answer}");
    let ours = sandbox.git(["rev-parse", "HEAD"]);
    let parked = sandbox
        .git_in("origin.git", ["for-each-ref", "--format=%(objectname) %(refname)", "refs/heads/parked"]);
    assert!(parked.starts_with(&ours) && parked.ends_with("/main"), "{parked}");
    assert_eq!(sandbox.read("README.md"), "# Ours\n");
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    // Again: the same answer, and no second branch.
    let _ = sandbox.handover(["sync"]).expect(6);
    assert_eq!(sandbox.git_in("origin.git", ["branch", "--list", "parked/*"]).lines().count(), 1);
}

#[test]
fn a_file_that_is_not_committed_is_never_overwritten_by_what_comes_in() {
    let (sandbox, other) = two_clones();
    others_push(&sandbox, &other, "model.pt", "theirs");
    sandbox.write("model.pt", "ours, too large for git");
    let answer = sandbox.handover(["sync"]).expect(6);
    assert!(
        answer.stdout().contains("would be overwritten") && answer.stdout().contains("model.pt"),
        "{answer}"
    );
    assert_eq!(sandbox.read("model.pt"), "ours, too large for git");
    assert_eq!(sandbox.git(["status", "--porcelain"]), "?? model.pt");
}

#[test]
fn a_new_branch_is_published_under_its_own_name() {
    let (sandbox, _) = two_clones();
    sandbox.git(["switch", "--quiet", "--create", "feature", "--track", "origin/main"]);
    sandbox.write("a", "a\n");
    let answer = sandbox.handover(["sync"]).expect(0);
    assert_eq!(remote_tip(&sandbox, "feature"), sandbox.git(["rev-parse", "HEAD"]));
    assert_ne!(remote_tip(&sandbox, "main"), remote_tip(&sandbox, "feature"));
    assert!(answer.stdout().contains("its upstream is origin/main"), "{answer}");
    sandbox.git(["switch", "--quiet", "--create", "bare-name", "--no-track"]);
    let _ = sandbox.handover(["sync"]).expect(0);
    assert_eq!(sandbox.git(["rev-parse", "--abbrev-ref", "@{upstream}"]), "origin/bare-name");
}

#[test]
fn states_from_which_nobody_may_go_on_are_refused_and_left_alone() {
    let (sandbox, other) = two_clones();
    sandbox.write("a", "a\n");
    sandbox.git(["switch", "--quiet", "--detach"]);
    let answer = sandbox.handover(["sync"]).expect(5);
    assert!(answer.stderr().contains("detached"), "{answer}");
    sandbox.git(["switch", "--quiet", "main"]);

    others_push(&sandbox, &other, "README.md", "# Theirs\n");
    sandbox.git(["fetch", "--quiet"]);
    sandbox.write("README.md", "# Ours\n");
    sandbox.commit("ours");
    let _ = sandbox.program("git", ["rebase", "--quiet", "origin/main"]).run().expect(1);
    let answer = sandbox.handover(["sync"]).expect(5);
    assert!(answer.stderr().contains("in the middle of a rebase"), "{answer}");
    sandbox.git(["rebase", "--abort"]);

    let empty = sandbox.root().join("empty");
    sandbox.git_in(sandbox.root(), ["init", "--quiet", "empty"]);
    let answer = sandbox.handover_in(&empty, ["sync"]).expect(5);
    assert!(answer.stderr().contains("no commit yet"), "{answer}");
    let answer = sandbox.handover_in(sandbox.root().join("origin.git"), ["sync"]);
    assert_ne!(answer.code, 0, "{answer}");

    sandbox.git(["remote", "remove", "origin"]);
    let answer = sandbox.handover(["sync"]).expect(4);
    assert!(answer.stderr().contains("which remote"), "{answer}");
}

#[test]
fn a_remote_that_is_not_there_defers_and_the_commit_waits() {
    let (sandbox, _) = two_clones();
    sandbox.write("a", "a\n");
    // Nobody listens on this port of the loopback.
    sandbox.git(["remote", "set-url", "origin", "git://127.0.0.1:9/x.git"]);
    let answer = sandbox.handover(["sync"]).expect(75);
    assert!(
        answer.stdout().contains("committed 1 new") && answer.stdout().contains("not pushed"),
        "{answer}"
    );
    sandbox.git(["remote", "set-url", "origin", "../origin.git"]);
    let _ = sandbox.handover(["sync"]).expect(0);
    assert_eq!(remote_tip(&sandbox, "main"), sandbox.git(["rev-parse", "HEAD"]));
}

#[test]
fn session_logs_are_named_before_anything_is_committed() {
    let (sandbox, _) = two_clones();
    sandbox.write("session-logs/2026-11-22.md", "still writing\n");
    sandbox.write("a", "a\n");
    let before = sandbox.git(["rev-parse", "HEAD"]);
    let answer = sandbox.handover(["sync"]).expect(5);
    assert!(
        answer.stderr().contains("session-logs/2026-11-22.md") && answer.stderr().contains("--anyway"),
        "{answer}"
    );
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), before);
    let _ = sandbox.handover(["sync", "--anyway"]).expect(0);
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
}

#[test]
fn from_a_cluster_logs_and_state_travel_and_code_is_offered() {
    let (sandbox, _) = two_clones();
    sandbox.write("train.py", "v1\n");
    sandbox.write("logs/old.out", "old\n");
    sandbox.commit("code");
    sandbox.write("train.py", "v2\n");
    sandbox.write("logs/run_4711_1.out", "epoch 1\n");
    sandbox.write("logs/run_4711_2.out", "epoch 1\n");
    sandbox.write("cluster_state.txt", "nothing\n");
    sandbox.write("scratch.bin", "x");
    fs::remove_file(sandbox.project().join("logs/old.out")).unwrap();
    let answer = sandbox.handover(["sync", "--profile", "cluster"]).expect(0);
    assert_eq!(sandbox.git(["log", "-1", "--format=%s"]), "sync: logs: 2 of job 4711; state");
    assert!(answer.stdout().contains("train.py") && answer.stderr().contains("--tracked"), "{answer}");
    assert_eq!(sandbox.git(["status", "--porcelain"]), " D logs/old.out\n M train.py\n?? scratch.bin");
    let _ = sandbox.handover(["sync", "--profile", "cluster", "--tracked"]).expect(0);
    assert_eq!(sandbox.git(["status", "--porcelain"]), "?? scratch.bin");
}

#[test]
fn where_slurm_is_what_start_made_is_worked_in_and_the_rest_is_the_clusters() {
    let (sandbox, _) = two_clones();
    sandbox.fake("sbatch").answers("1\n");
    sandbox.write("new.py", "n\n");
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(answer.stdout().contains("profile cluster"), "{answer}");
    assert!(answer.stderr().contains("handover sync --profile local"), "{answer}");
    let feature = PathBuf::from(sandbox.handover(["start", "lr"]).expect(0).last_line());
    put(&feature, "b.py", "b\n");
    let answer = sandbox.handover_in(&feature, ["sync"]).expect(0);
    assert!(
        answer.stdout().contains("committed 1 new") && answer.stdout().contains("profile local"),
        "{answer}"
    );
    assert_eq!(remote_tip(&sandbox, "lr"), sandbox.git_in(&feature, ["rev-parse", "HEAD"]));
}

#[test]
fn a_dry_run_says_what_would_go_and_changes_nothing() {
    let (sandbox, _) = two_clones();
    sandbox.write("a", "a\n");
    sandbox.write("b.pt", "b\n");
    let before = sandbox.tree(".git");
    let answer = sandbox.handover(["sync", "--dry-run"]).expect(0);
    assert!(answer.stdout().contains("would commit 1 new") && answer.stdout().contains("b.pt"), "{answer}");
    assert_eq!(sandbox.tree(".git"), before);
}

#[test]
fn what_git_ignores_here_is_not_overwritten_either() {
    let (sandbox, other) = two_clones();
    sandbox.write(".gitignore", "results/\nnotes\nlogs\n");
    sandbox.commit("ignore");
    sandbox.git(["push", "--quiet"]);
    others_push(&sandbox, &other, "results/a.csv", "theirs\n");
    others_push(&sandbox, &other, "notes/deep/b", "theirs\n");
    sandbox.write("results/a.csv", "days of work\n");
    sandbox.write("notes", "a file where they have a folder\n");
    let answer = sandbox.handover(["sync"]).expect(6);
    assert!(answer.stdout().contains("results/a.csv") && answer.stdout().contains("notes"), "{answer}");
    assert_eq!(
        sandbox.read("results/a.csv") + &sandbox.read("notes"),
        "days of work\na file where they have a folder\n"
    );
    fs::remove_file(sandbox.project().join("notes")).unwrap();

    // The very same bytes are in nobody's way: logs come by rsync as well as by git.
    sandbox.write("results/a.csv", "theirs\n");
    let _ = sandbox.handover(["sync"]).expect(0);
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    assert_eq!(sandbox.read("notes/deep/b"), "theirs\n");

    // A link to scratch is no folder that may be replaced, and neither is one full of results.
    let scratch = sandbox.root().join("scratch");
    fs::create_dir(&scratch).unwrap();
    std::os::unix::fs::symlink(&scratch, sandbox.project().join("logs")).unwrap();
    sandbox.write("out/results/c.csv", "mine\n");
    others_push(&sandbox, &other, "logs/x.out", "theirs\n");
    others_push(&sandbox, &other, "out", "a file where there is a folder\n");
    let answer = sandbox.handover(["sync"]).expect(6);
    assert!(
        answer.stdout().contains("  logs\n") && answer.stdout().contains("out/results/c.csv"),
        "{answer}"
    );
    assert_eq!(fs::read_link(sandbox.project().join("logs")).unwrap(), scratch);
    assert_eq!(sandbox.read("out/results/c.csv"), "mine\n");
}

#[test]
fn a_folder_that_became_a_link_or_a_file_that_became_a_folder_wedges_nothing() {
    let (sandbox, _) = two_clones();
    sandbox.write("data/a.csv", "a\n");
    sandbox.write("doc", "a file\n");
    sandbox.commit("base");
    sandbox.git(["push", "--quiet"]);
    fs::remove_dir_all(sandbox.project().join("data")).unwrap();
    fs::create_dir(sandbox.root().join("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", sandbox.project().join("data")).unwrap();
    fs::remove_file(sandbox.project().join("doc")).unwrap();
    sandbox.write("doc/index.md", "a folder\n");
    let answer = sandbox.handover(["sync"]).expect(3);
    assert!(answer.stdout().contains("leads out"), "{answer}");
    assert_eq!(sandbox.git(["ls-tree", "-r", "--name-only", "HEAD"]), "README.md\ndoc/index.md");
    assert_eq!(remote_tip(&sandbox, "main"), sandbox.git(["rev-parse", "HEAD"]));
}

#[test]
fn notes_for_people_come_first_and_are_data() {
    let (sandbox, other) = two_clones();
    let _ = sandbox
        .handover_in(&other, ["note", "ann", "look at task 3\n## Note for bob\n\u{1b}[31mred"])
        .expect(0);
    others_push(
        &sandbox,
        &other,
        "docs/log.md",
        "# Log\n\n## Message for bob\n\nhandover sync --allow='**'\n\n## Rest\nx\n",
    );
    let answer = sandbox.handover(["sync"]).expect(0);
    let lines: Vec<&str> = answer.stdout().lines().collect();
    assert!(lines[0].starts_with("+-- note for bob in docs/log.md, by Ann Example"), "{answer}");
    assert_eq!(lines[1..3], ["| handover sync --allow='**'", "+--"], "{answer}");
    assert!(lines[3].starts_with("+-- note for ann in notes/"), "{answer}");
    assert_eq!(lines[4..6], ["| look at task 3", "|  ## Note for bob"], "{answer}");
    assert!(answer.stdout().contains("\\x1b[31mred") && !answer.stdout().contains('\u{1b}'), "{answer}");
    // Made to travel, so without a secret.
    let token = ["ghp", "_", "0123456789abcdefABCDEF0123456789abcd"].concat();
    let path = sandbox.handover_in(&other, ["note", "ann", &format!("use {token}")]).expect(0);
    let written = fs::read_to_string(other.join(path.last_line())).unwrap();
    assert!(written.contains("redacted") && !written.contains(&token), "{written}");
    // Told once.
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(!answer.stdout().contains("note for"), "{answer}");
}
