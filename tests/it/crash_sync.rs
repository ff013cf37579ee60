//! `sync` killed at each system call, and each git that it starts as well: no commit is lost, nothing of
//! the user's changes, and the next sync goes on.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::support::Sandbox;
use crate::support::cluster::skipped;
use crate::support::kill::{State, Story, figure, proofs_are_full};
use crate::support::trace;

/// Both sides have commits of their own, files have changed, and the user has staged one.
fn both_sides() -> Sandbox {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    sandbox.write("kept.py", "1\n2\n3\n");
    sandbox.write("gone.py", "x\n");
    sandbox.commit("base");
    sandbox.git_in(&root, ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    sandbox.git_in(&root, ["clone", "--quiet", "origin.git", "other"]);
    let other = root.join("other");
    fs::write(other.join("kept.py"), "one\n2\n3\n").unwrap();
    fs::write(other.join("theirs.py"), "theirs\n".repeat(5000)).unwrap();
    fs::remove_file(other.join("gone.py")).unwrap();
    sandbox.commit_in(&other, "theirs");
    sandbox.git_in(&other, ["push", "--quiet"]);
    sandbox.write("by-hand.py", "h\n");
    sandbox.commit("by hand");
    sandbox.write("new.py", "n\n");
    sandbox.write("staged.py", "staged\n");
    sandbox.git(["add", "staged.py"]);
    sandbox.write("staged.py", "staged, and changed since\n");
    sandbox
}

fn remote_has(sandbox: &Sandbox, name: &str) -> bool {
    let listed = sandbox.git_in("origin.git", ["ls-tree", "--name-only", "main"]);
    listed.lines().any(|line| line == name)
}

/// True at the end; panics if something was lost on the way there.
fn has_arrived(sandbox: &Sandbox) -> bool {
    assert_eq!(sandbox.read("staged.py"), "staged, and changed since\n");
    assert_eq!(sandbox.git(["cat-file", "blob", ":staged.py"]), "staged");
    assert_eq!(sandbox.read("new.py") + &sandbox.read("by-hand.py"), "n\nh\n");
    assert!(!sandbox.exists(".git/rebase-merge") && !sandbox.exists(".git/MERGE_HEAD"));
    assert_eq!(sandbox.git(["symbolic-ref", "HEAD"]), "refs/heads/main");
    for dir in ["project", "origin.git"] {
        let check = sandbox.program("git", ["fsck", "--no-dangling"]).dir(sandbox.root().join(dir)).run();
        assert_eq!(check.code, 0, "{dir}: {check:?}");
    }
    // Each commit is reachable: from the branch, or from what is kept of it.
    let subjects = sandbox.git(["log", "--all", "--format=%s"]);
    assert!(subjects.contains("by hand"), "{subjects}");
    let theirs = sandbox.git_in("origin.git", ["log", "--format=%s", "main"]);
    assert!(theirs.contains("theirs"), "{theirs}");
    remote_has(sandbox, "new.py") && remote_has(sandbox, "by-hand.py")
}

/// The next sync, unaided, and all that it has to have done.
fn goes_on(sandbox: &Sandbox) {
    let answer = sandbox.handover(["sync"]).expect(0);
    assert!(has_arrived(sandbox), "{answer}");
    assert_eq!(sandbox.git(["status", "--porcelain"]), "AM staged.py", "{answer}");
    assert_eq!(sandbox.read("kept.py"), "one\n2\n3\n");
    assert_eq!(sandbox.read("theirs.py").lines().count(), 5000);
    assert!(!sandbox.exists("gone.py"));
    let tips = [sandbox.git(["rev-parse", "main"]), sandbox.git_in("origin.git", ["rev-parse", "main"])];
    assert_eq!(tips[0], tips[1]);
    let own: Vec<String> =
        sandbox.tree(".git").into_iter().filter(|name| name.contains("handover-sync")).collect();
    assert!(own.is_empty(), "{own:?}");
    // One of each, however often it was tried.
    let subjects = sandbox.git(["log", "--format=%s"]);
    assert_eq!(subjects, "sync: new.py: 1\nby hand\ntheirs\nbase\nFirst commit");
}

fn story<'s>(name: &'s str) -> Story<'s> {
    Story {
        name,
        prepare: &both_sides,
        act: &|sandbox| sandbox.call(["sync"]),
        judge: &|sandbox| if has_arrived(sandbox) { State::New } else { State::Old },
        done: &|_| (),
        again: &goes_on,
        // Indexes of our own, locks, and the journal's end mean nothing after a power loss.
        expendable: &["handover-sync-index", "/handover/sync"],
    }
}

#[test]
fn sync_is_killed_at_each_call_and_the_next_sync_goes_on() {
    story("sync_is_killed_at_each_call_and_the_next_sync_goes_on").sweep_kills();
}

#[test]
fn sync_is_refused_at_each_call_and_the_next_sync_goes_on() {
    story("sync_is_refused_at_each_call_and_the_next_sync_goes_on").sweep_errors();
}

/// What of git is killed: calls that change files, of itself and of its children.
const CALLS: [&str; 8] = ["openat", "write", "rename", "unlink", "link", "mkdir", "close", "fsync"];

/// Puts a git before the real one that kills the `which`-th git of a run at its `nth` call of a name.
fn trap(sandbox: &Sandbox, which: usize, call: &str, nth: usize) -> PathBuf {
    let real = fs::canonicalize(sandbox.root().join("tools/git")).unwrap();
    let dir = sandbox.root().join("trap");
    fs::create_dir_all(&dir).unwrap();
    let script = format!(
        "#!/bin/bash\necho x >> {dir}/count\n\
         if [ \"$(wc -l < {dir}/count)\" = {which} ]; then\n\
         exec strace -f -qq -e signal=none -o /dev/null -e trace={call} -e inject={call}:signal=KILL:when={nth} {real} \"$@\"\n\
         fi\nexec {real} \"$@\"\n",
        dir = dir.display(),
        real = real.display()
    );
    fs::write(dir.join("git"), script).unwrap();
    fs::set_permissions(dir.join("git"), fs::Permissions::from_mode(0o755)).unwrap();
    dir
}

#[test]
fn each_git_of_a_sync_is_killed_somewhere_and_the_next_sync_goes_on() {
    let name = "each_git_of_a_sync_is_killed_somewhere_and_the_next_sync_goes_on";
    let sandbox = both_sides();
    if !trace::is_possible(&sandbox) {
        skipped(name, "strace is missing, or tracing is forbidden here");
        return;
    }
    let dir = trap(&sandbox, 0, "write", 1);
    let path = |sandbox: &Sandbox, dir: &PathBuf| {
        let tools = sandbox.root().join("tools");
        std::env::join_paths([dir.clone(), tools]).unwrap()
    };
    let _ = sandbox.call(["sync"]).env("PATH", path(&sandbox, &dir)).run().expect(0);
    let gits = fs::read_to_string(dir.join("count")).unwrap().lines().count();
    let rounds = if proofs_are_full() { 300 } else { 30 };
    let (mut killed, mut busy) = (0, 0);
    for round in 0..rounds {
        // Every git in turn; call and count from a small generator, the same in every run.
        let random =
            (round as u64).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
                >> 33;
        let which = 1 + round % gits;
        let call = CALLS[(random % 8) as usize];
        let nth = 1 + (random / 8 % 12) as usize;
        let sandbox = both_sides();
        let dir = trap(&sandbox, which, call, nth);
        let answer = sandbox.call(["sync"]).env("PATH", path(&sandbox, &dir)).run();
        if answer.code != 0 {
            killed += 1;
        }
        let place = format!("round {round}: git {which} killed at {call} #{nth}");
        let judged = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            assert_ne!(answer.code, 70, "{answer:?}");
            has_arrived(&sandbox);
            goes_on(&sandbox);
        }));
        if let Err(why) = judged {
            let text = why.downcast_ref::<String>().cloned().unwrap_or_default();
            panic!("{place}\n{answer}\n{text}");
        }
        busy += usize::from(answer.code == 75);
    }
    figure(&format!(
        "{name}: {rounds} rounds over {gits} gits, {killed} syncs failed ({busy} deferred), 0 lost"
    ));
    assert!(killed > 0, "nothing was killed, so nothing was proved");
}
