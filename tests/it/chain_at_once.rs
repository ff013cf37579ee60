//! Everything that sessions do to one chain of handovers, done at once by processes
//! of their own: nothing is lost, and one of them holds the baton.

use std::collections::BTreeMap;
use std::sync::Barrier;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Sandbox};

/// What one session does.
type Move<'m> = (&'m str, &'m [&'m str]);

/// Starts all of them at once, each after so many milliseconds.
fn at_once(sandbox: &Sandbox, moves: &[(Move, u64)]) -> Vec<Answer> {
    let barrier = Barrier::new(moves.len());
    std::thread::scope(|threads| {
        let racers: Vec<_> = moves
            .iter()
            .map(|((session, words), late)| {
                let barrier = &barrier;
                threads.spawn(move || {
                    let call = sandbox.call(*words).env("HANDOVER_AGENT", "codex");
                    barrier.wait();
                    std::thread::sleep(Duration::from_millis(*late));
                    call.env("HANDOVER_SESSION", session).run()
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    })
}

/// The rows of `list` in a state, by their keys.
fn rows(sandbox: &Sandbox, of: impl Fn(&Value) -> bool) -> BTreeMap<String, Value> {
    let data = sandbox.handover(["list", "--all", "--json"]).expect(0).data();
    let rows = data["handovers"].as_array().unwrap().iter().filter(|row| of(row));
    rows.map(|row| (row["key"].as_str().unwrap().to_owned(), row.clone())).collect()
}

fn is_held(row: &Value) -> bool {
    row["baton"]["word"] == "held"
}

/// Entries of our folder in the git directory that are a lock, or half written.
fn left_behind(sandbox: &Sandbox) -> Vec<String> {
    let mut all = sandbox.tree(sandbox.project().join(".git/handover"));
    all.retain(|path| path.contains("lock") || path.contains("tmp"));
    all
}

#[test]
fn sessions_that_create_release_and_take_over_at_once_lose_nothing_and_leave_one_chain() {
    let whole = std::env::var("HANDOVER_PROOFS").is_ok_and(|text| text == "full");
    let sandbox = Sandbox::new();
    let first = sandbox.handover(["create", "--cluster", "none", "--focus", "first"]).expect(0);
    let mut made = vec![first.last_line().to_owned()];
    let mut holder = "s0".to_owned();
    let taken = sandbox.call(["resume", "--cluster", "none"]).env("HANDOVER_AGENT", "codex");
    drop(taken.env("HANDOVER_SESSION", &holder).run().expect(0));
    let none = ["--cluster", "none"];
    let words = |words: &[&'static str]| [words, &none].concat();
    let (own, side) = (words(&["create", "--focus", "own"]), words(&["create", "--side", "--focus", "side"]));
    let over = words(&["create", "--take-over", "--focus", "over"]);
    let (plain, take) = (words(&["create", "--focus", "plain"]), words(&["resume", "--take-over"]));
    let resume = words(&["resume"]);
    for round in 0..if whole { 60 } else { 8u64 } {
        sandbox.advance("1h");
        let late = |number: u64| (round * 7 + number * 13) % 37;
        let session = holder.clone();
        let moves: Vec<(Move, u64)> = [
            (session.as_str(), &own[..]),
            ("side", &side[..]),
            ("over", &over[..]),
            (session.as_str(), &["release"][..]),
            ("plain", &plain[..]),
            ("take", &take[..]),
        ]
        .into_iter()
        .enumerate()
        .map(|(number, one)| (one, late(number as u64)))
        .collect();
        for (((_, words), _), answer) in moves.iter().zip(at_once(&sandbox, &moves)) {
            assert!(matches!(answer.code, 0 | 4 | 5 | 75), "round {round}: {words:?}: {answer}");
            if words[0] == "create" && answer.code == 0 {
                made.push(answer.last_line().to_owned());
            }
        }
        let all = rows(&sandbox, |_| true);
        let mut listed: Vec<&String> = all.keys().collect();
        listed.sort();
        let mut expected: Vec<&String> = made.iter().collect();
        expected.sort();
        assert_eq!(listed, expected, "round {round}: what was said to be made is there, and nothing else");
        for (key, row) in &all {
            assert!(
                row.get("problem").is_none() && row["state"] != "unproved",
                "round {round}: {key}: {row}"
            );
        }
        let current: Vec<&String> =
            all.iter().filter(|(_, row)| row["state"] == "current").map(|(key, _)| key).collect();
        assert_eq!(current.len(), 1, "round {round}: {all:#?}");
        assert!(sandbox.read("CLAUDE.md").contains(current[0].as_str()), "round {round}: the pointer");
        let held: Vec<&Value> = all.values().filter(|row| is_held(row)).collect();
        assert!(held.len() <= 1 && held.iter().all(|row| row["state"] == "current"), "{round}: {all:#?}");
        assert_eq!(left_behind(&sandbox), [""; 0], "round {round}");
        // Whoever has it lets it go; then one of many gets it.
        if let Some(row) = all.values().find(|row| is_held(row)) {
            let session = row["baton"]["claim"]["who"]["session"].as_str().unwrap();
            let call = sandbox.call(["release"]).env("HANDOVER_AGENT", "codex");
            drop(call.env("HANDOVER_SESSION", session).run().expect(0));
        }
        let names: Vec<String> = (0..4).map(|number| format!("r{round}-{number}")).collect();
        let racers: Vec<(Move, u64)> = names.iter().map(|name| ((name.as_str(), &resume[..]), 0)).collect();
        let codes: Vec<i32> = at_once(&sandbox, &racers).iter().map(|answer| answer.code).collect();
        assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "round {round}: {codes:?}");
        holder = names[codes.iter().position(|code| *code == 0).unwrap()].clone();
        let held = rows(&sandbox, is_held);
        assert_eq!(held.len(), 1, "round {round}: {held:#?}");
        let session = &held.values().next().unwrap()["baton"]["claim"]["who"]["session"];
        assert_eq!(session, holder.as_str(), "round {round}");
    }
    // Each can still be read whole and proves its key.
    for key in &made {
        let answer = sandbox.handover(["show", key]).expect(0);
        assert!(answer.stdout().contains(key.as_str()), "{answer}");
        let verified = sandbox.handover(["verify", key, "--json", "--cluster", "none"]);
        assert!(verified.stdout().contains("\"intact\""), "{verified}");
    }
}
