//! One worktree has one chain of handovers, and one baton at a time.

use std::sync::Barrier;

use handover::baton::{Baton, Claimant};
use handover::sys::World;
use handover::sys::lock;
use handover::terms::{AnyKey, Seconds};

use crate::support::{Answer, Sandbox};

fn agent(sandbox: &Sandbox, name: &str, words: &[&str]) -> Answer {
    sandbox.call(words).env("HANDOVER_AGENT", "codex").env("HANDOVER_SESSION", name).run()
}

fn create(sandbox: &Sandbox, name: &str, more: &[&str]) -> Answer {
    sandbox.advance("1h");
    agent(sandbox, name, &[&["create", "--cluster", "none"], more].concat())
}

fn made(sandbox: &Sandbox, name: &str, more: &[&str]) -> String {
    create(sandbox, name, more).expect(0).last_line().to_owned()
}

#[track_caller]
fn ends(answer: Answer, code: i32) {
    let _ = answer.expect(code);
}

/// The session that holds the baton of a handover.
fn holder(sandbox: &Sandbox, key: &str) -> Option<String> {
    let key: AnyKey = key.parse().unwrap();
    let held = Baton::of(&World::real(), &sandbox.project().join(".git/handover"), &key).holder().unwrap();
    held.and_then(|claim| claim.who.session)
}

/// Takes a baton as earlier versions did, without a look at the others of the worktree.
fn held_of_old(sandbox: &Sandbox, key: &str, session: &str) {
    let key: AnyKey = key.parse().unwrap();
    let who = Claimant {
        agent: Some("codex".into()),
        session: Some(session.into()),
        worktree: sandbox.project().display().to_string(),
        host: "host1".into(),
        user: "ann".into(),
        slurm_job: None,
    };
    Baton::of(&World::real(), &sandbox.project().join(".git/handover"), &key).take(&who).unwrap();
}

#[test]
fn who_does_not_hold_the_baton_seals_nothing_over_the_holder() {
    let sandbox = Sandbox::new();
    let key = made(&sandbox, "alice", &["--focus", "warm-up schedule"]);
    sandbox.advance("1h");
    ends(agent(&sandbox, "bob", &["resume"]), 0);
    let block = sandbox.read("CLAUDE.md");
    sandbox.write("CLAUDE/DRAFT.md", "## Next action\nRun `make`.\n");
    let refused = create(&sandbox, "carol", &["--focus", "something else"]).expect(5);
    insta::assert_snapshot!(refused);
    // Neither a look, nor questions that would be asked in vain, nor a correction.
    ends(create(&sandbox, "carol", &["--dry-run"]), 5);
    ends(create(&sandbox, "carol", &["-i"]), 5);
    ends(create(&sandbox, "alice", &["--amend", &key]), 5);
    assert_eq!(sandbox.read("CLAUDE.md"), block);
    assert!(sandbox.exists("CLAUDE/DRAFT.md"));
    assert_eq!(
        sandbox.handover(["list", "--json"]).expect(0).data()["handovers"].as_array().unwrap().len(),
        1
    );
    // The holder's own is the next one, and free to be resumed.
    let next = made(&sandbox, "bob", &[]);
    ends(agent(&sandbox, "dave", &["resume", &next]), 0);
    assert_eq!(holder(&sandbox, &key), None);
}

#[test]
fn a_side_handover_is_listed_and_never_current_and_the_next_one_joins_it() {
    let sandbox = Sandbox::new();
    ends(create(&sandbox, "carol", &["--side"]), 2);
    let key = made(&sandbox, "alice", &["--focus", "warm-up schedule"]);
    ends(agent(&sandbox, "bob", &["resume"]), 0);
    let block = sandbox.read("CLAUDE.md");
    sandbox.write("CLAUDE/DRAFT.md", "## Next action\nRun `make`.\n");
    let side = create(&sandbox, "carol", &["--side", "--focus", "a leak in the loader"]).expect(0);
    assert!(sandbox.exists("CLAUDE/DRAFT.md") && side.stderr().contains("--body CLAUDE/DRAFT.md"), "{side}");
    assert!(side.stdout().contains(&format!("handover show {}", side.last_line())), "{side}");
    let side = side.last_line();
    assert_eq!(sandbox.read("CLAUDE.md"), block);
    assert_eq!(holder(&sandbox, &key).as_deref(), Some("bob"));
    let data = sandbox.handover(["list", "--json"]).expect(0).data();
    assert_eq!(data["handovers"][0]["state"], "current");
    assert_eq!(data["handovers"][1]["state"], "side");
    assert!(sandbox.handover(["list"]).expect(0).stdout().contains("side"));
    let board = sandbox.handover(["status"]).expect(0);
    assert!(board.stdout().contains(&format!("side handover {side}")), "{board}");
    // Its own author corrects it, and it stays what it is.
    let amended = made(&sandbox, "carol", &["--amend", side, "--hazard", "x"]);
    let again = agent(&sandbox, "bob", &["resume", "--json"]).expect(0).data();
    assert_eq!(again["verified"]["key"], key.as_str());
    assert_eq!(again["verified"]["superseded_by"], serde_json::json!([]));
    assert!(
        again["briefing"]["text"].as_str().unwrap().contains(&format!("handover show {amended}")),
        "{again}"
    );

    let next = create(&sandbox, "bob", &[]).expect(0);
    assert!(next.stderr().contains(&format!("handover show {amended}")), "{next}");
    let resumed = agent(&sandbox, "dave", &["resume", "--json"]).expect(0).data();
    assert_eq!(resumed["facts"]["parent"]["key"], key.as_str());
    assert_eq!(resumed["facts"]["joins"], serde_json::json!([amended]));
    assert!(resumed["briefing"]["text"].as_str().unwrap().contains(&amended), "{resumed}");
    ends(create(&sandbox, "dave", &["--side", "--take-over"]), 2);
}

#[test]
fn a_person_says_that_the_next_handover_is_anothers() {
    let sandbox = Sandbox::new();
    let key = made(&sandbox, "alice", &[]);
    ends(agent(&sandbox, "bob", &["resume"]), 0);
    let next = create(&sandbox, "carol", &["--take-over"]).expect(0);
    assert!(next.stderr().contains("session `bob`"), "{next}");
    assert_eq!(holder(&sandbox, &key), None);
    assert_eq!(
        sandbox.tree(format!(".git/handover/batons/{key}")),
        ["000001.json", "000002.json", "000003.json"],
        "the history says from whom it was taken"
    );
    ends(create(&sandbox, "bob", &[]), 0);
    ends(agent(&sandbox, "dave", &["resume"]), 0);
    ends(create(&sandbox, "bob", &[]), 5);
}

#[test]
fn the_holder_who_resumes_another_handover_of_the_worktree_lets_the_first_go() {
    let sandbox = Sandbox::new();
    let old = made(&sandbox, "alice", &[]);
    let new = made(&sandbox, "alice", &[]);
    ends(agent(&sandbox, "bob", &["resume", &old]), 0);
    ends(agent(&sandbox, "bob", &["resume", &new]), 0);
    assert_eq!((holder(&sandbox, &old), holder(&sandbox, &new).as_deref()), (None, Some("bob")));
    let refused = agent(&sandbox, "dave", &["resume", &old]).expect(5);
    assert!(refused.stderr().contains(&format!("handover resume {old} --take-over")), "{refused}");
    ends(agent(&sandbox, "bob", &["release"]), 0);
    ends(agent(&sandbox, "dave", &["resume"]), 0);
}

#[test]
fn two_batons_that_an_earlier_version_left_are_shown_and_let_go_together() {
    let sandbox = Sandbox::new();
    let old = made(&sandbox, "alice", &[]);
    let new = made(&sandbox, "alice", &[]);
    held_of_old(&sandbox, &old, "bob");
    held_of_old(&sandbox, &new, "bob");
    let board = sandbox.handover(["status"]).expect(0);
    let data = sandbox.handover(["status", "--json"]).expect(0).data();
    let list = sandbox.handover(["list"]).expect(0);
    for key in [&old, &new] {
        assert!(board.stdout().contains(&format!("baton of {key} held by")), "{board}");
        assert!(data["worktrees"][0]["batons"].as_array().unwrap().iter().any(|one| one["key"] == **key));
        assert!(
            list.stdout().lines().any(|line| line.contains(key.as_str()) && line.contains("held")),
            "{list}"
        );
    }
    let released = agent(&sandbox, "bob", &["release"]).expect(0);
    assert!(released.stdout().contains(&old) && released.stdout().contains(&new), "{released}");
    ends(agent(&sandbox, "dave", &["resume"]), 0);
}

#[test]
fn two_batons_of_two_sessions_are_settled_by_a_person() {
    for settle in [&["resume", "--take-over"][..], &["create", "--cluster", "none", "--take-over"]] {
        let sandbox = Sandbox::new();
        let old = made(&sandbox, "alice", &[]);
        let new = made(&sandbox, "alice", &[]);
        held_of_old(&sandbox, &old, "bob");
        held_of_old(&sandbox, &new, "carol");
        sandbox.advance("1h");
        let refused = agent(&sandbox, "dave", &["resume"]).expect(5);
        for word in ["`bob`", "`carol`", &old, &format!("handover resume {new} --take-over")] {
            assert!(refused.stderr().contains(word), "{word}: {refused}");
        }
        ends(agent(&sandbox, "bob", &["resume", &old]), 5);
        ends(agent(&sandbox, "bob", &["create", "--cluster", "none"]), 5);
        ends(agent(&sandbox, "dave", settle), 0);
        assert_eq!(holder(&sandbox, &old), None);
        let next = settle[0] == "create";
        assert_eq!(holder(&sandbox, &new).as_deref(), (!next).then_some("dave"));
    }
}

#[test]
fn release_without_a_key_is_about_the_worktree_and_its_refusal_names_the_holder() {
    let sandbox = Sandbox::new();
    let none = agent(&sandbox, "bob", &["release"]).expect(4);
    assert!(none.stderr().contains("hint: "), "{none}");
    let old = made(&sandbox, "alice", &[]);
    let new = made(&sandbox, "alice", &[]);
    held_of_old(&sandbox, &old, "bob");
    held_of_old(&sandbox, &new, "carol");
    let refused = agent(&sandbox, "dave", &["release"]).expect(5);
    for word in ["`bob`", "`carol`", "hint: "] {
        assert!(refused.stderr().contains(word), "{word}: {refused}");
    }
    let data = agent(&sandbox, "bob", &["release", "--json"]).expect(0).data();
    assert_eq!(data["released"][0]["key"], old.as_str());
    assert_eq!(holder(&sandbox, &new).as_deref(), Some("carol"));
    // Whoever saw the claim names it, with or without the key.
    let board = sandbox.handover(["status", "--json"]).expect(0).data();
    let nonce = board["worktrees"][0]["batons"][0]["claim"]["known"]["nonce"].as_str().unwrap();
    ends(agent(&sandbox, "dave", &["release", "--nonce", nonce]), 0);
    assert_eq!(holder(&sandbox, &new), None);
}

#[test]
fn a_lock_of_the_batons_that_was_left_behind_is_named_and_taken_away() {
    let sandbox = Sandbox::new();
    made(&sandbox, "alice", &[]);
    let home = sandbox.project().join(".git/handover/chain");
    let held = lock::acquire(&World::real(), &home, "take a baton", Seconds(0), &mut |_| {}).unwrap();
    let id = lock::holders(&World::real(), &home).unwrap()[0].id.clone();
    ends(sandbox.handover(["unlock", &id, "--yes"]), 0);
    ends(agent(&sandbox, "bob", &["resume"]), 0);
    drop(held);
    // Whoever works long on what all worktrees share is in nobody's way.
    let home = sandbox.project().join(".git/handover");
    let _held = lock::acquire(&World::real(), &home, "remove a worktree", Seconds(0), &mut |_| {}).unwrap();
    ends(create(&sandbox, "bob", &[]), 0);
}

#[test]
fn of_sessions_that_resume_two_handovers_of_a_worktree_at_once_one_gets_the_baton() {
    for _ in 0..4 {
        let sandbox = Sandbox::new();
        let keys = [made(&sandbox, "alice", &[]), made(&sandbox, "alice", &[])];
        let barrier = Barrier::new(8);
        let codes: Vec<i32> = std::thread::scope(|threads| {
            let racers: Vec<_> = (0..8)
                .map(|number| {
                    let (sandbox, barrier, key) = (&sandbox, &barrier, &keys[number % 2]);
                    threads.spawn(move || {
                        barrier.wait();
                        agent(sandbox, &number.to_string(), &["resume", key]).code
                    })
                })
                .collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| **code == 5).count(), 7, "{codes:?}");
    }
}
