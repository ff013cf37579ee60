//! What `handover sync` says, to whom, and what it makes besides: a handover, nothing for a timer.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::support::Sandbox;

fn two_clones() -> (Sandbox, PathBuf) {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    sandbox.git_in(&root, ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    sandbox.git_in(&root, ["clone", "--quiet", "origin.git", "other"]);
    (sandbox, root.join("other"))
}

fn others_push(sandbox: &Sandbox, other: &Path, name: &str, text: &str) {
    fs::write(other.join(name), text).unwrap();
    sandbox.commit_in(other, &format!("other: {name}"));
    sandbox.git_in(other, ["pull", "--quiet", "--rebase"]);
    sandbox.git_in(other, ["push", "--quiet"]);
}

fn script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, format!("#!/bin/bash\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_handover_is_made_first_and_is_in_the_answer() {
    let (sandbox, _) = two_clones();
    sandbox.write("a.py", "a\n");
    let answer = sandbox.handover(["sync", "--save", "--cluster", "none", "--dry-run"]).expect(0);
    assert!(answer.stdout().contains("would first seal a handover, which lacks"), "{answer}");
    assert!(!sandbox.exists(".git/handover/docs"));
    let _ = sandbox.handover(["draft", "--focus", "the loader", "--cluster", "none"]).expect(0);
    let answer = sandbox.handover(["sync", "--save", "--cluster", "none", "--json"]).expect(0);
    let data = answer.data();
    let key = data["handover"]["key"].as_str().unwrap().to_owned();
    let document = sandbox.handover(["show", &key]).expect(0);
    assert!(document.stdout().contains("the loader"), "{document}");
    // It speaks of the work as it was before the commit, and the commit holds nothing of it.
    assert_eq!(sandbox.git(["ls-tree", "-r", "--name-only", "HEAD"]), "README.md\na.py");
    assert_eq!(sandbox.git_in("origin.git", ["rev-parse", "main"]), sandbox.git(["rev-parse", "HEAD"]));
    sandbox.write("b.py", "b\n");
    let answer = sandbox.handover(["sync", "--save", "--cluster", "none"]).expect(0);
    assert!(answer.stdout().starts_with("sealed HO-"), "{answer}");
    assert!(!answer.stdout().contains(&key), "a new one each time: {answer}");
}

#[test]
fn where_another_holds_the_baton_no_handover_is_made_and_nothing_is_synced() {
    let (sandbox, _) = two_clones();
    let as_session = |session: &str, words: &[&str]| {
        sandbox.call(words).env("HANDOVER_AGENT", "claude-code").env("HANDOVER_SESSION", session).run()
    };
    let _ = as_session("one", &["create", "--cluster", "none"]).expect(0);
    let _ = as_session("one", &["resume"]).expect(0);
    sandbox.write("a.py", "a\n");
    let before = sandbox.git(["rev-parse", "HEAD"]);
    let answer = as_session("two", &["sync", "--save", "--cluster", "none"]).expect(5);
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), before, "{answer}");
    let _ = as_session("one", &["sync", "--save", "--cluster", "none"]).expect(0);
    assert_ne!(sandbox.git(["rev-parse", "HEAD"]), before);
}

#[test]
fn a_timer_hears_of_problems_alone() {
    let (sandbox, other) = two_clones();
    let said = |args: &[&str], code: i32| {
        let answer = sandbox.handover(args).expect(code);
        (answer.stdout().to_owned(), answer.stderr().to_owned())
    };
    sandbox.write("a.py", "a\n");
    assert_eq!(said(&["sync", "--quiet"], 0), (String::new(), String::new()));
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
    sandbox.write("model.pt", "p");
    let (out, err) = said(&["sync", "--quiet"], 3);
    assert!(out.is_empty() && err.contains("model.pt: weights"), "{out}{err}");
    let board = sandbox.handover(["status", "--cluster", "none"]).expect(0);
    assert!(board.stdout().contains("kept back 1 file: model.pt (weights"), "{board}");
    fs::remove_file(sandbox.project().join("model.pt")).unwrap();

    // Notes for people wait until somebody looks.
    others_push(&sandbox, &other, "log.md", "## Note for ann\n\nlook at task 3\n");
    assert_eq!(said(&["sync", "--quiet"], 0), (String::new(), String::new()));
    let board = sandbox.handover(["status", "--cluster", "none"]).expect(0);
    assert!(board.stdout().contains("1 note for people came in"), "{board}");
    assert!(!board.stdout().contains("kept back"), "{board}");
    let (out, _) = said(&["sync"], 0);
    assert!(out.starts_with("+-- note for ann in log.md"), "{out}");
    let (out, _) = said(&["sync"], 0);
    assert!(!out.contains("note for"), "{out}");

    sandbox.git(["remote", "set-url", "origin", "git://127.0.0.1:9/x.git"]);
    let (out, err) = said(&["sync", "--quiet"], 75);
    assert!(out.is_empty() && err.contains("not pushed"), "{out}{err}");
    sandbox.git(["switch", "--quiet", "--detach"]);
    let (out, err) = said(&["sync", "--quiet"], 5);
    assert!(out.is_empty() && err.contains("detached"), "{out}{err}");
}

#[test]
fn the_board_names_what_is_parked_until_it_has_joined() {
    let (sandbox, other) = two_clones();
    others_push(&sandbox, &other, "README.md", "# Theirs\n");
    sandbox.write("README.md", "# Ours\n");
    let _ = sandbox.handover(["sync"]).expect(6);
    let board = sandbox.handover(["status", "--cluster", "none"]).expect(0);
    assert!(board.stdout().contains("parked at the remote: origin/parked/host1/main at "), "{board}");
    assert!(board.stdout().contains("parked its commits as parked/host1/main"), "{board}");
    // Another clone sees it as soon as git has fetched it.
    sandbox.git_in(&other, ["fetch", "--quiet"]);
    let board = sandbox.handover_in(&other, ["status", "--cluster", "none", "--json"]).expect(0);
    assert_eq!(board.data()["parked"][0]["branch"], "origin/parked/host1/main", "{board}");

    sandbox.git(["merge", "--quiet", "--strategy=ours", "--no-edit", "origin/main"]);
    let _ = sandbox.handover(["sync"]).expect(0);
    let board = sandbox.handover(["status", "--cluster", "none"]).expect(0);
    assert!(!board.stdout().contains("parked"), "{board}");
}

#[test]
fn hooks_and_signatures_are_left_out_and_that_is_said() {
    let (sandbox, _) = two_clones();
    let hooks = sandbox.project().join(".git/hooks");
    script(&hooks.join("pre-commit"), "touch ran; exit 1");
    script(&hooks.join("commit-msg"), "exit 1");
    let asks = sandbox.root().join("gpg-that-waits");
    script(&asks, "sleep 600");
    sandbox.git(["config", "gpg.program", asks.to_str().unwrap()]);
    sandbox.git(["config", "commit.gpgSign", "true"]);
    sandbox.write("a.py", "a\n");
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(answer.stdout().contains("hooks that did not run: pre-commit, commit-msg"), "{answer}");
    assert!(answer.stdout().contains("not signed, although commit.gpgSign is set"), "{answer}");
    assert!(!sandbox.exists("ran"), "{answer}");
    assert!(!sandbox.git(["cat-file", "commit", "HEAD"]).contains("gpgsig"));
    // The hook of the push is the remote's guard, and runs.
    script(&hooks.join("pre-push"), "echo not today >&2; exit 1");
    sandbox.write("b.py", "b\n");
    let answer = sandbox.handover(["sync"]).expect(7);
    assert!(answer.stdout().contains("the remote refused"), "{answer}");
}
