//! Killed at each system call, refused at each system call: the old state or
//! the new one, nothing torn, and the next run works unaided.

use std::fs;

use crate::support::kill::{State, Story, figure};
use crate::support::{Answer, Sandbox};

/// What may be lost without a loss: the copies that agents read, made again
/// from the store; the remark which file holds the context block; the exclude
/// entry, without which the block goes where it needs none; the lock, which means
/// nothing after a power loss: the boot id in it proves its owner dead.
pub const EXPENDABLE: [&str; 5] =
    ["/project/CLAUDE", "handover-context", "/.git/info", "/handover/lock", "/handover/chain"];

/// Keys of the documents that are in the store whole: a digest alone is none.
pub fn documents(sandbox: &Sandbox) -> Vec<String> {
    let folder = sandbox.project().join(".git/handover/docs");
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut keys: Vec<String> =
        names.filter_map(|name| name.strip_suffix(".md").map(str::to_owned)).collect();
    keys.sort();
    keys
}

/// Everything that must hold at every moment, whatever was killed.
pub fn nothing_is_torn(sandbox: &Sandbox) {
    for key in documents(sandbox) {
        let verified = sandbox.handover(["verify", &key, "--cluster", "none"]);
        assert!(matches!(verified.code, 0 | 3), "{key} is not intact: {verified:?}");
        let digest = sandbox.project().join(format!(".git/handover/docs/{key}.sha256"));
        assert_eq!(fs::read_to_string(digest).unwrap().trim().len(), 64, "the digest of {key}");
    }
    for (file, context) in context_files(sandbox) {
        let marks = ["<!-- handover:begin", "<!-- handover:end"].map(|mark| context.matches(mark).count());
        assert_eq!(marks, [1, 1], "{file}: {context}");
    }
    if let Some(key) = pointer(sandbox) {
        // In a sandbox that forbids the git directory there is the copy alone.
        let is_known = documents(sandbox).contains(&key) || sandbox.exists(format!("CLAUDE/{key}.md"));
        assert!(is_known, "the pointer came before its document {key}");
    }
    assert_eq!(sandbox.read("notes.txt"), "the user's own\n");
}

/// The files that may hold our block, as far as they are there.
fn context_files(sandbox: &Sandbox) -> Vec<(&'static str, String)> {
    let files = ["CLAUDE.md", "CLAUDE.local.md", "CLAUDE/CONTEXT.md"];
    let read = |file| Some((file, fs::read_to_string(sandbox.project().join(file)).ok()?));
    files.into_iter().filter_map(read).collect()
}

/// The key that the context block names.
pub fn pointer(sandbox: &Sandbox) -> Option<String> {
    let files = context_files(sandbox);
    let named = files.iter().find_map(|(_, text)| text.lines().find_map(|line| line.strip_prefix("- Key: ")));
    named.map(str::to_owned)
}

/// What the user sees of our work with git, which is nothing; and git is well.
pub fn git_sees_nothing_of_ours(sandbox: &Sandbox) {
    assert_eq!(sandbox.git(["status", "--porcelain"]), "?? notes.txt", "left in the worktree");
    sandbox.git(["fsck", "--no-progress"]);
}

/// The next `create`, and what it must bring about.
fn create_again(sandbox: &Sandbox) {
    let key =
        last_key(&sandbox.handover(["create", "--cluster", "none", "--goal", "the next try"]).expect(0));
    assert_eq!(pointer(sandbox).as_ref(), Some(&key));
    assert_eq!(
        sandbox.read(format!("CLAUDE/{key}.md")),
        sandbox.read(format!(".git/handover/docs/{key}.md"))
    );
    nothing_is_torn(sandbox);
    git_sees_nothing_of_ours(sandbox);
}

fn last_key(answer: &Answer) -> String {
    answer.last_line().to_owned()
}

/// A project with something of the user's in it that git does not know.
pub fn project() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("notes.txt", "the user's own\n");
    sandbox
}

/// The first handover of a repository, which makes all folders.
fn first<'s>(name: &'s str) -> Story<'s> {
    Story {
        name,
        prepare: &project,
        act: &|sandbox| sandbox.call(["create", "--cluster", "none", "--goal", "the schedule warms up"]),
        judge: &|sandbox| judge_create(sandbox, 0),
        done: &|sandbox| assert_eq!(pointer(sandbox).as_ref(), documents(sandbox).first()),
        again: &create_again,
        expendable: &EXPENDABLE,
    }
}

/// A later one, which takes up a draft.
fn later<'s>(name: &'s str) -> Story<'s> {
    Story {
        prepare: &with_one_and_a_draft,
        judge: &|sandbox| judge_create(sandbox, 1),
        done: &|sandbox| {
            let second = documents(sandbox).into_iter().find(|key| key.contains("-0441-"));
            assert_eq!(pointer(sandbox), second);
            assert!(!sandbox.exists("CLAUDE/DRAFT.md"), "the draft is put away");
        },
        ..first(name)
    }
}

fn with_one_and_a_draft() -> Sandbox {
    let sandbox = project();
    let _ = sandbox.handover(["create", "--cluster", "none", "--goal", "the first"]).expect(0);
    sandbox.advance("1h");
    let _ = sandbox.handover(["draft", "--cluster", "none", "--focus", "warm-up"]).expect(0);
    sandbox
}

fn judge_create(sandbox: &Sandbox, before: usize) -> State {
    nothing_is_torn(sandbox);
    match documents(sandbox).len() {
        n if n == before => State::Old,
        n if n == before + 1 => State::New,
        n => panic!("{n} documents"),
    }
}

#[test]
fn create_is_killed_at_each_call_and_the_store_is_old_or_new() {
    first("create_is_killed_at_each_call_and_the_store_is_old_or_new").sweep_kills();
}

#[test]
fn create_with_a_draft_is_killed_at_each_call_and_the_store_is_old_or_new() {
    later("create_with_a_draft_is_killed_at_each_call_and_the_store_is_old_or_new").sweep_kills();
}

#[test]
fn create_is_refused_at_each_call_and_never_claims_what_it_did_not_do() {
    first("create_is_refused_at_each_call_and_never_claims_what_it_did_not_do").sweep_errors();
}

#[test]
fn create_with_a_draft_is_refused_at_each_call_and_never_claims_what_it_did_not_do() {
    later("create_with_a_draft_is_refused_at_each_call_and_never_claims_what_it_did_not_do").sweep_errors();
}

#[test]
fn create_syncs_what_it_publishes_in_order_and_at_most_eight_times() {
    let name = "create_syncs_what_it_publishes_in_order_and_at_most_eight_times";
    let (first, later) = (first(name).order_of_syncs(), later(name).order_of_syncs());
    let (Some(first), Some(later)) = (first, later) else { return };
    figure(&format!("create: {later} fsyncs, {first} for the first handover of a repository"));
    // The folders and the exclude entry are made once in the life of a repository.
    assert!(later <= 8 && first <= 12, "{later} fsyncs, {first} the first time");
}
