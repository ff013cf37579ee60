//! `start` killed and refused at each system call: the next `start` goes on.

use std::fs;
use std::path::{Path, PathBuf};

use crate::crash::git_sees_nothing_of_ours;
use crate::support::Sandbox;
use crate::support::kill::{State, Story};

/// Where `start one` makes its worktree.
fn started(sandbox: &Sandbox) -> PathBuf {
    sandbox.root().join("project.one")
}

/// True if the worktree is all that `start` promises.
fn is_started(sandbox: &Sandbox) -> bool {
    let here = started(sandbox);
    let listed = sandbox.git(["worktree", "list", "--porcelain"]);
    // Where the exclude file cannot be written, the block goes where it needs none.
    let files = ["CLAUDE.md", "CLAUDE.local.md", "CLAUDE/CONTEXT.md"];
    let has_block = files
        .iter()
        .any(|file| fs::read_to_string(here.join(file)).is_ok_and(|text| text.contains("handover:end")));
    let link = fs::read_link(here.join(".env")).is_ok_and(|target| target == Path::new("../project/.env"));
    link && has_block
        && listed.contains("branch refs/heads/one")
        && listed.contains("locked managed by handover")
        && fs::read_to_string(here.join("README.md")).is_ok_and(|text| text == "# A project\n")
}

fn start<'s>(name: &'s str) -> Story<'s> {
    Story {
        name,
        prepare: &|| {
            let sandbox = Sandbox::new();
            sandbox.write(".gitignore", ".env\n");
            sandbox.commit("ignore");
            sandbox.write(".env", "SECRET=1\n");
            sandbox.write("notes.txt", "the user's own\n");
            sandbox
        },
        act: &|sandbox| sandbox.call(["start", "one", "--focus", "warm-up"]),
        judge: &|sandbox| {
            assert_eq!(sandbox.git(["branch", "--show-current"]), "main");
            assert_eq!(sandbox.read("notes.txt") + &sandbox.read(".env"), "the user's own\nSECRET=1\n");
            let branch = sandbox.git(["for-each-ref", "--format=%(objectname)", "refs/heads/one"]);
            assert!(branch.is_empty() || branch == sandbox.git(["rev-parse", "main"]), "{branch}");
            // What is half made is not there yet: the next `start` goes on from it.
            if is_started(sandbox) { State::New } else { State::Old }
        },
        done: &|_| (),
        again: &|sandbox| {
            let answer = sandbox.handover(["start", "one"]).expect(0);
            assert_eq!(Path::new(answer.last_line()), started(sandbox));
            assert!(is_started(sandbox), "{answer}");
            assert_eq!(sandbox.git_in(started(sandbox), ["status", "--porcelain"]), "");
            git_sees_nothing_of_ours(sandbox);
        },
        // A power loss ends every lock anyway.
        expendable: &["handover-context", "/.git/info", "/handover/lock", "lock.tmp."],
    }
}

#[test]
fn start_is_killed_at_each_call_and_the_next_start_goes_on() {
    start("start_is_killed_at_each_call_and_the_next_start_goes_on").sweep_kills();
}

#[test]
fn start_is_refused_at_each_call_and_leaves_what_the_next_start_takes_up() {
    start("start_is_refused_at_each_call_and_leaves_what_the_next_start_takes_up").sweep_errors();
}

#[test]
fn start_syncs_what_it_publishes_in_order() {
    start("start_syncs_what_it_publishes_in_order").order_of_syncs();
}
