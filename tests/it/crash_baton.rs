//! `resume`, `release` and `archive`, killed and refused at each system call.

use handover::baton::{Baton, Claim, Kind};
use handover::sys::World;

use crate::crash::{EXPENDABLE, documents, git_sees_nothing_of_ours, nothing_is_torn, pointer, project};
use crate::support::kill::{State, Story};
use crate::support::{Call, Sandbox};

fn session<'a>(sandbox: &Sandbox, name: &str, words: impl IntoIterator<Item = &'a str>) -> Call {
    sandbox.call(words).env("HANDOVER_AGENT", "codex").env("HANDOVER_SESSION", name)
}

/// All that happened to the baton of the only document. Panics if a claim is torn.
fn history(sandbox: &Sandbox) -> Vec<Claim> {
    let key = documents(sandbox).remove(0).parse().unwrap();
    Baton::of(&World::real(), &sandbox.project().join(".git/handover"), &key).history().unwrap()
}

fn holder(sandbox: &Sandbox) -> Option<String> {
    history(sandbox).pop().filter(Claim::holds).and_then(|claim| claim.who.session)
}

/// One document, whose copy and context block were cleaned away.
fn cleaned() -> Sandbox {
    let sandbox = project();
    let _ = session(&sandbox, "giver", ["create", "--cluster", "none", "--next", "go on"]).run().expect(0);
    sandbox.git(["clean", "-fdxq", "--exclude", "notes.txt"]);
    sandbox.advance("1h");
    sandbox
}

/// One document, whose baton another session holds.
fn held() -> Sandbox {
    let sandbox = cleaned();
    let _ = session(&sandbox, "first", ["resume"]).run().expect(0);
    sandbox
}

fn judge_holder(sandbox: &Sandbox, before: Option<&str>, after: Option<&str>) -> State {
    nothing_is_torn(sandbox);
    let holder = holder(sandbox);
    match holder.as_deref() {
        holder if holder == before => State::Old,
        holder if holder == after => State::New,
        other => panic!("held by {other:?}"),
    }
}

fn resume_again(sandbox: &Sandbox) {
    // A person settles it where another's claim is in the way.
    let _ = session(sandbox, "s", ["resume", "--take-over"]).run().expect(0);
    is_resumed(sandbox);
    let _ = session(sandbox, "other", ["resume"]).run().expect(5);
    nothing_is_torn(sandbox);
    git_sees_nothing_of_ours(sandbox);
}

fn is_resumed(sandbox: &Sandbox) {
    assert_eq!(holder(sandbox).as_deref(), Some("s"));
    let key = documents(sandbox).remove(0);
    assert_eq!(
        sandbox.read(format!("CLAUDE/{key}.md")),
        sandbox.read(format!(".git/handover/docs/{key}.md"))
    );
    assert_eq!(pointer(sandbox), Some(key));
}

fn resume(name: &str) -> Story<'_> {
    Story {
        name,
        prepare: &cleaned,
        act: &|sandbox| session(sandbox, "s", ["resume"]),
        judge: &|sandbox| judge_holder(sandbox, None, Some("s")),
        done: &is_resumed,
        again: &resume_again,
        expendable: &EXPENDABLE,
    }
}

fn take_over(name: &str) -> Story<'_> {
    Story {
        prepare: &held,
        act: &|sandbox| session(sandbox, "s", ["resume", "--take-over"]),
        judge: &|sandbox| judge_holder(sandbox, Some("first"), Some("s")),
        ..resume(name)
    }
}

fn release(name: &str) -> Story<'_> {
    Story {
        prepare: &held,
        act: &|sandbox| session(sandbox, "first", ["release"]),
        judge: &|sandbox| judge_holder(sandbox, Some("first"), None),
        done: &|sandbox| assert_eq!(history(sandbox).pop().unwrap().kind, Kind::Released),
        ..resume(name)
    }
}

/// Four documents in a row, eight days ago.
fn chain() -> Sandbox {
    let sandbox = project();
    for _ in 0..4 {
        let _ = sandbox.handover(["create", "--cluster", "none"]).expect(0);
        sandbox.advance("1h");
    }
    sandbox.advance("8d");
    sandbox
}

/// How many of the two that may be archived are.
fn archived(sandbox: &Sandbox) -> usize {
    let markers = if sandbox.exists(".git/handover/archived") {
        sandbox.tree(".git/handover/archived")
    } else {
        vec![]
    };
    let keys = documents(sandbox);
    let marked: Vec<&String> = markers.iter().filter(|name| keys.contains(name)).collect();
    assert!(marked.iter().all(|name| keys[..2].contains(name)), "{marked:?}");
    marked.len()
}

fn judge_archive(sandbox: &Sandbox) -> State {
    nothing_is_torn(sandbox);
    let keys = documents(sandbox);
    assert_eq!(keys.len(), 4);
    for key in &keys {
        // Where they are may be half old, half new; what they say is there.
        let places = [format!("CLAUDE/{key}.md"), format!("CLAUDE/archive/{key}.md")];
        assert_eq!(places.iter().filter(|place| sandbox.exists(place)).count(), 1, "{key}");
    }
    assert_eq!(pointer(sandbox).as_ref(), keys.last());
    if archived(sandbox) == 2 { State::New } else { State::Old }
}

fn is_archived(sandbox: &Sandbox) {
    assert_eq!(archived(sandbox), 2);
    let keys = documents(sandbox);
    for key in &keys[..2] {
        assert!(sandbox.exists(format!("CLAUDE/archive/{key}.md")));
        assert!(!sandbox.read("CLAUDE.md").contains(key), "the block still names {key}");
    }
}

fn archive(name: &str) -> Story<'_> {
    Story {
        name,
        prepare: &chain,
        act: &|sandbox| sandbox.call(["archive"]),
        judge: &judge_archive,
        done: &is_archived,
        again: &|sandbox| {
            let _ = sandbox.handover(["archive"]).expect(0);
            is_archived(sandbox);
            assert!(!sandbox.exists(".git/handover/lock"), "the lock of the dead is cleared away");
            git_sees_nothing_of_ours(sandbox);
        },
        expendable: &EXPENDABLE,
    }
}

#[test]
fn resume_is_killed_at_each_call_and_the_baton_is_free_or_taken() {
    resume("resume_is_killed_at_each_call_and_the_baton_is_free_or_taken").sweep_kills();
}

#[test]
fn resume_is_refused_at_each_call_and_never_claims_what_it_did_not_do() {
    resume("resume_is_refused_at_each_call_and_never_claims_what_it_did_not_do").sweep_errors();
}

#[test]
fn a_take_over_is_killed_at_each_call_and_one_of_the_two_holds_the_baton() {
    take_over("a_take_over_is_killed_at_each_call_and_one_of_the_two_holds_the_baton").sweep_kills();
}

#[test]
fn release_is_killed_and_refused_at_each_call_and_the_baton_is_held_or_free() {
    let name = "release_is_killed_and_refused_at_each_call_and_the_baton_is_held_or_free";
    release(name).sweep_kills();
    release(name).sweep_errors();
}

#[test]
fn archive_is_killed_at_each_call_and_every_document_still_answers() {
    archive("archive_is_killed_at_each_call_and_every_document_still_answers").sweep_kills();
}

#[test]
fn archive_is_refused_at_each_call_and_never_claims_what_it_did_not_do() {
    archive("archive_is_refused_at_each_call_and_never_claims_what_it_did_not_do").sweep_errors();
}

#[test]
fn resume_and_archive_sync_what_they_publish_in_order() {
    resume("resume_and_archive_sync_what_they_publish_in_order").order_of_syncs();
    archive("resume_and_archive_sync_what_they_publish_in_order").order_of_syncs();
}
