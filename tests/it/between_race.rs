//! Many processes race for one baton, and a holder who was superseded pushes again and again.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Barrier;

use crate::between::{Machines, baton, ends, tip, work};
use crate::support::Sandbox;
use crate::support::kill::{figure, proofs_are_full};

/// So many clones, and processes in each.
const CLONES: usize = 4;
const EACH: usize = 8;

/// Clones of one remote, and a handover that all can fetch.
fn clones(sandbox: &Sandbox) -> Vec<PathBuf> {
    let root = sandbox.root().to_owned();
    sandbox.git_in(&root, ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    (0..CLONES)
        .map(|n| {
            let name = format!("clone{n}");
            sandbox.git_in(&root, ["clone", "--quiet", "origin.git", &name]);
            root.join(name)
        })
        .collect()
}

/// The server ends itself after it has made a baton, before it says so.
fn cut_after_it_was_taken(origin: &Path) {
    let hook = origin.join("hooks/reference-transaction");
    let text = "#!/bin/sh\n[ \"$1\" = committed ] && grep -q refs/handover/batons && kill -9 $PPID\nexit 0\n";
    fs::write(&hook, text).unwrap();
    fs::set_permissions(hook, PermissionsExt::from_mode(0o755)).unwrap();
}

#[derive(Clone, Copy, PartialEq)]
enum Who {
    /// Each process says who it is.
    Sessions,
    /// All say the same: no session, one host, one user.
    Alike,
}

/// All race for the baton of `key`; how often somebody won, and what the others were told.
fn race(sandbox: &Sandbox, dirs: &[PathBuf], key: &str, who: Who) -> (usize, Vec<i32>) {
    let start = Barrier::new(CLONES * EACH);
    let codes: Vec<i32> = std::thread::scope(|threads| {
        let racers: Vec<_> = (0..CLONES * EACH)
            .map(|n| {
                let (start, dir) = (&start, &dirs[n % CLONES]);
                threads.spawn(move || {
                    let mut call = sandbox.call(["resume", key, "--cluster", "none", "--quiet"]).dir(dir);
                    if who == Who::Sessions {
                        let session = format!("s{n}");
                        call = call.env("HANDOVER_AGENT", "codex").env("HANDOVER_SESSION", session);
                        call = call.env("HANDOVER_HOST", format!("host{}", n % CLONES));
                    }
                    start.wait();
                    call.run().code
                })
            })
            .collect();
        racers.into_iter().map(|racer| racer.join().unwrap()).collect()
    });
    let won = codes.iter().filter(|code| **code == 0).count();
    let other = codes.into_iter().filter(|code| !matches!(code, 0 | 5)).collect();
    (won, other)
}

#[test]
fn of_many_processes_in_several_clones_exactly_one_takes_the_baton() {
    let rounds = if proofs_are_full() { 100 } else { 3 };
    let sandbox = Sandbox::new();
    let dirs = clones(&sandbox);
    let mut races = 0;
    for round in 0..rounds {
        // Sessions; all alike; and with the line cut after the remote took it.
        let who = if round % 3 == 1 { Who::Alike } else { Who::Sessions };
        let hook = sandbox.root().join("origin.git/hooks/reference-transaction");
        let _ = fs::remove_file(&hook);
        sandbox.advance("90s");
        let made = sandbox.handover(["create", "--side", "--cluster", "none", "--push", "--quiet"]);
        let made = if made.code == 0 {
            made
        } else {
            sandbox.handover(["create", "--cluster", "none", "--push", "--quiet"])
        };
        let key = made.expect(0).last_line().to_owned();
        if round % 3 == 2 {
            cut_after_it_was_taken(&sandbox.root().join("origin.git"));
        }
        let (won, other) = race(&sandbox, &dirs, &key, who);
        assert_eq!((won, other), (1, vec![]), "round {round}");
        let _ = fs::remove_file(hook);
        // Whoever holds it at the remote holds it in one clone, and nobody in another.
        let held: Vec<PathBuf> = dirs
            .iter()
            .filter(|dir| {
                let last = fs::read_dir(dir.join(format!(".git/handover/batons/{key}")));
                let mut names: Vec<PathBuf> =
                    last.into_iter().flatten().flatten().map(|e| e.path()).collect();
                names.retain(|path| path.file_name().is_some_and(|name| name != "remote.json"));
                names.sort();
                let text = names.last().map(|path| fs::read_to_string(path).unwrap()).unwrap_or_default();
                text.contains("\"kind\":\"taken\"") || text.contains("\"kind\": \"taken\"")
            })
            .cloned()
            .collect();
        assert_eq!(held.len(), 1, "round {round}: {held:?}");
        // The worktrees are free for the next round.
        for dir in &held {
            let nonce = sandbox.handover_in(dir, ["list", "--all", "--json"]).expect(0).data();
            let rows = nonce["handovers"].as_array().unwrap().clone();
            let row = rows.iter().find(|row| row["key"] == key.as_str()).unwrap();
            let nonce = row["baton"]["claim"]["nonce"].as_str().unwrap();
            let _ = sandbox.handover_in(dir, ["release", &key, "--nonce", nonce]).expect(0);
        }
        races += 1;
    }
    figure(&format!(
        "batons: {} processes in {CLONES} clones, {races} races, every one won by exactly one",
        CLONES * EACH
    ));
}

#[test]
fn a_superseded_holder_pushes_again_and_again_and_nothing_lands() {
    let pushes = if proofs_are_full() { 1000 } else { 8 };
    let machines = Machines::new();
    let project = machines.sandbox.project();
    let key = machines.published();
    let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    let _ = ends(machines.there(["resume", &key, "--cluster", "none", "--take-over"]), 0);
    let before = tip(&machines);
    for push in 0..pushes {
        if push % 4 == 0 {
            work(&machines, &project, &format!("work{push}"));
        }
        let refused = ends(machines.here(["sync"]), 6);
        assert!(refused.stdout().contains("is with another by now"), "{push}: {refused}");
        assert_eq!(tip(&machines), before, "{push}");
    }
    // What waits beside the branch is all of it.
    let parked = machines.sandbox.git_in("origin.git", ["rev-parse", "parked/host1/main"]);
    assert_eq!(parked, machines.sandbox.git(["rev-parse", "HEAD"]));
    figure(&format!("fence: {pushes} pushes of a superseded holder, none landed"));
}

#[test]
fn a_push_and_a_taking_over_at_once_come_one_after_the_other() {
    let rounds = if proofs_are_full() { 100 } else { 4 };
    let (mut first, mut second) = (0, 0);
    let machines = Machines::new();
    let project = machines.sandbox.project();
    for round in 0..rounds {
        machines.sandbox.advance("2min");
        let key = machines.published();
        let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
        let _ = ends(machines.there(["fetch", &key]), 0);
        work(&machines, &project, &format!("work{round}"));
        let ours = machines.sandbox.git(["rev-parse", "HEAD"]);
        let (sync, over) = std::thread::scope(|threads| {
            let sync = threads.spawn(|| machines.here(["sync"]).run());
            let over = machines.there(["resume", &key, "--cluster", "none", "--take-over"]).run();
            (sync.join().unwrap(), over)
        });
        assert!(matches!(over.code, 0 | 5), "{round}: {over}");
        let landed = tip(&machines) == ours;
        let turn = baton(&machines, &key)["turn"].as_u64().unwrap();
        let holder = baton(&machines, &key)["claim"]["who"]["host"].as_str().unwrap().to_owned();
        match (over.code, landed) {
            // Taken over after the push: its value follows the renewed one.
            (0, true) => assert_eq!((turn, sync.code), (3, 0), "{round}: {sync}"),
            // Before it: the push came to nothing.
            (0, false) => assert_eq!((turn, sync.code), (2, 6), "{round}: {sync}"),
            // Whoever saw another value than the one that is there takes nothing over.
            (_, landed) => assert_eq!((landed, sync.code, holder.as_str()), (true, 0, "host1"), "{round}"),
        }
        if landed {
            first += 1
        } else {
            second += 1
        }
        // Both are free again, and at the same commit.
        let _ = machines.there(["release", &key]).run();
        let _ = ends(machines.here(["release", &key]), 0);
        let _ = ends(machines.here(["sync"]), 0);
    }
    figure(&format!(
        "fence: {rounds} pushes raced with a taking over; {first} landed before it, {second} not at all"
    ));
}
