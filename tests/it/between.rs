//! The baton and the documents between machines: clones of one remote.

use std::path::{Path, PathBuf};

use crate::support::{Answer, Call, Sandbox};

/// A project with a bare remote `origin`, and a second clone of it on another host.
pub struct Machines {
    pub sandbox: Sandbox,
    pub other: PathBuf,
}

impl Machines {
    pub fn new() -> Machines {
        let sandbox = Sandbox::new();
        let root = sandbox.root().to_owned();
        sandbox.git_in(&root, ["init", "--quiet", "--bare", "origin.git"]);
        sandbox.git(["remote", "add", "origin", "../origin.git"]);
        sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
        sandbox.git_in(&root, ["clone", "--quiet", "origin.git", "other"]);
        let other = root.join("other");
        Machines { sandbox, other }
    }

    /// A session on the first machine.
    pub fn here<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Call {
        self.sandbox.call(words).env("HANDOVER_AGENT", "claude-code").env("HANDOVER_SESSION", "here")
    }

    /// A session on the second one.
    pub fn there<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Call {
        self.sandbox
            .call(words)
            .dir(&self.other)
            .env("HANDOVER_HOST", "host2")
            .env("HANDOVER_AGENT", "codex")
            .env("HANDOVER_SESSION", "there")
    }

    /// A sealed and published handover of the first machine; its key.
    pub fn published(&self) -> String {
        let words =
            ["create", "--cluster", "none", "--focus", "warm-up", "--next", "Run `make`; 1 passes", "--push"];
        self.here(words).run().expect(0).last_line().to_owned()
    }

    /// What the remote has below a pattern: ids and names.
    pub fn refs(&self, pattern: &str) -> Vec<String> {
        let text = self
            .sandbox
            .git_in("origin.git", ["for-each-ref", "--format=%(refname)", &format!("refs/{pattern}")]);
        text.lines().map(str::to_owned).collect()
    }
}

#[track_caller]
pub fn ends(call: Call, code: i32) -> Answer {
    call.run().expect(code)
}

fn is_below(path: &str, dir: &Path) -> bool {
    Path::new(path).starts_with(dir)
}

#[test]
fn a_handover_is_published_fetched_and_its_baton_taken_by_one_machine_alone() {
    let machines = Machines::new();
    let key = machines.published();
    assert_eq!(machines.refs("handover"), [format!("refs/handover/docs/{key}")]);

    // Unknown there until it is fetched; asking for it goes to no network.
    let _ = ends(machines.there(["verify", &key]), 4);
    let fetched = ends(machines.there(["fetch", &key[17..], "--json"]), 0).data();
    assert_eq!(fetched["key"], key.as_str());
    assert_eq!(fetched["new"], true);
    assert!(is_below(fetched["path"].as_str().unwrap(), &machines.other.join(".git/handover/docs")));
    let _ = ends(machines.there(["verify", &key, "--cluster", "none"]), 3);

    let taken = ends(machines.there(["resume", &key, "--cluster", "none", "--json"]), 0).data();
    assert_eq!(taken["baton"]["word"], "taken");
    assert_eq!(taken["remote"]["word"], "confirmed");
    assert_eq!(machines.refs("handover/batons"), [format!("refs/handover/batons/{key}")]);

    let refused = ends(machines.here(["resume", &key, "--cluster", "none"]), 5);
    for words in ["at origin", "codex", "host2", "since 2026-11-21T03:41:00Z", "--take-over"] {
        assert!(refused.stderr().contains(words), "{words}: {refused}");
    }
    // What was taken here for a moment is free again.
    let status = ends(machines.here(["status", "--json", "--cluster", "none"]), 0).data();
    assert_eq!(status["worktrees"][0]["batons"].as_array().unwrap().len(), 0);
}

#[test]
fn resume_fetches_a_handover_that_is_unknown_here() {
    let machines = Machines::new();
    let key = machines.published();
    let taken = ends(machines.there(["resume", &key, "--cluster", "none"]), 0);
    assert!(taken.stderr().contains("was brought from origin"), "{taken}");
    assert!(taken.stdout().contains("confirmed at origin"), "{taken}");
    // A key that nobody has.
    let none = ends(machines.there(["resume", "HO-20261121-0341-00000000"]), 4);
    assert!(none.stderr().contains("no handover HO-20261121-0341-00000000 is known at origin"), "{none}");
}

/// Work of a machine, to be pushed.
pub fn work(machines: &Machines, dir: &Path, name: &str) {
    std::fs::write(dir.join(name), format!("{name}\n")).unwrap();
    machines.sandbox.git_in(dir, ["add", name]);
    machines.sandbox.commit_in(dir, name);
}

pub fn tip(machines: &Machines) -> String {
    machines.sandbox.git_in("origin.git", ["rev-parse", "main"])
}

pub fn baton(machines: &Machines, key: &str) -> serde_json::Value {
    let text = machines
        .sandbox
        .git_in("origin.git", ["cat-file", "blob", &format!("refs/handover/batons/{key}:baton.json")]);
    serde_json::from_str(&text).unwrap()
}

#[test]
fn sync_publishes_the_handovers_of_the_worktree_and_renews_the_baton_with_the_work() {
    let machines = Machines::new();
    let project = machines.sandbox.project();
    let key = ends(machines.here(["create", "--cluster", "none"]), 0).last_line().to_owned();
    assert!(machines.refs("handover").is_empty());
    let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    work(&machines, &project, "one");
    let synced = ends(machines.here(["sync"]), 0);
    assert!(synced.stdout().contains(&format!("published at origin: {key}")), "{synced}");
    let value = baton(&machines, &key);
    assert_eq!((value["renewed"].as_u64(), value["turn"].as_u64()), (Some(1), Some(2)));
    assert_eq!(machines.refs("handover/docs"), [format!("refs/handover/docs/{key}")]);
    // Published once, and nothing to do is nothing done.
    let again = ends(machines.here(["sync"]), 0);
    assert!(!again.stdout().contains("published"), "{again}");
    assert_eq!(baton(&machines, &key)["renewed"], 1);
}

#[test]
fn a_superseded_holder_pushes_nothing_and_its_work_is_parked() {
    let machines = Machines::new();
    let project = machines.sandbox.project();
    let key = machines.published();
    let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    let over = ends(machines.there(["resume", &key, "--cluster", "none", "--take-over"]), 0);
    assert!(over.stderr().contains("taken over at the remote from"), "{over}");
    let before = tip(&machines);
    work(&machines, &project, "mine");
    for _ in 0..2 {
        let refused = ends(machines.here(["sync"]), 6);
        for words in ["is with another by now", "codex", "host2", "parked at the remote as parked/host1/main"]
        {
            assert!(refused.stdout().contains(words), "{words}: {refused}");
        }
        assert!(refused.stderr().contains(&format!("handover release {key}")), "{refused}");
        assert_eq!(tip(&machines), before);
    }
    assert_eq!(machines.refs("heads/parked"), ["refs/heads/parked/host1/main"]);
    // Whoever has it pushes.
    work(&machines, &machines.other, "theirs");
    let _ = ends(machines.there(["sync"]), 0);
    assert_ne!(tip(&machines), before);
    // Without the baton the work goes on as anybody's.
    let _ = ends(machines.here(["release", &key]), 0);
    let synced = ends(machines.here(["sync"]), 0);
    assert!(synced.stdout().contains("pushed 2 commits"), "{synced}");
    assert_eq!(baton(&machines, &key)["claim"]["who"]["host"], "host2");
}

#[test]
fn a_baton_that_was_taken_offline_is_confirmed_by_the_next_sync() {
    let machines = Machines::new();
    let project = machines.sandbox.project();
    let key = machines.published();
    let root = machines.sandbox.root().to_owned();
    std::fs::rename(root.join("origin.git"), root.join("away.git")).unwrap();
    machines.sandbox.git(["config", "remote.origin.url", "ssh://127.0.0.1:1/none.git"]);
    let taken = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    assert!(taken.stderr().contains("warning: the baton is held here alone, unconfirmed"), "{taken}");
    assert!(taken.stdout().contains("unconfirmed"), "{taken}");
    machines.sandbox.git(["config", "remote.origin.url", "../origin.git"]);
    std::fs::rename(root.join("away.git"), root.join("origin.git")).unwrap();
    work(&machines, &project, "mine");
    let synced = ends(machines.here(["sync"]), 0);
    assert!(synced.stdout().contains(&format!("the baton of {key} is confirmed at origin")), "{synced}");
    assert_eq!(baton(&machines, &key)["claim"]["who"]["host"], "host1");
}

#[test]
fn who_was_offline_and_lost_the_baton_has_the_work_parked() {
    let machines = Machines::new();
    let project = machines.sandbox.project();
    let key = machines.published();
    machines.sandbox.git(["config", "remote.origin.url", "ssh://127.0.0.1:1/none.git"]);
    let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    let _ = ends(machines.there(["resume", &key, "--cluster", "none"]), 0);
    machines.sandbox.git(["config", "remote.origin.url", "../origin.git"]);
    let before = tip(&machines);
    work(&machines, &project, "mine");
    let synced = ends(machines.here(["sync"]), 6);
    assert!(synced.stdout().contains("is with another by now"), "{synced}");
    assert_eq!(tip(&machines), before);
    assert_eq!(machines.refs("heads/parked"), ["refs/heads/parked/host1/main"]);
}

#[test]
fn what_ends_here_ends_at_the_remote_and_offline_it_is_told_later() {
    let machines = Machines::new();
    let key = machines.published();
    let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    let next = ends(machines.here(["create", "--cluster", "none"]), 0).last_line().to_owned();
    let value = baton(&machines, &key);
    assert_eq!(value["claim"]["kind"], "passed_on");
    assert_eq!(value["claim"]["successor"], next.as_str());
    // The old one can be had, and it is said that the work went on.
    let old = ends(machines.there(["resume", &key, "--cluster", "none"]), 0);
    assert!(old.stdout().contains(&format!("passed on to {next}")), "{old}");
    let _ = ends(machines.there(["release", &key]), 0);
    assert_eq!(baton(&machines, &key)["claim"]["kind"], "released");

    let _ = ends(machines.here(["resume", &next, "--cluster", "none"]), 0);
    machines.sandbox.git(["config", "remote.origin.url", "ssh://127.0.0.1:1/none.git"]);
    let released = ends(machines.here(["release", &next]), 0);
    assert!(released.stdout().contains("ended here, and origin has not heard of it"), "{released}");
    machines.sandbox.git(["config", "remote.origin.url", "../origin.git"]);
    assert_eq!(baton(&machines, &next)["claim"]["kind"], "taken");
    let synced = ends(machines.here(["sync"]), 0);
    assert!(
        synced.stdout().contains(&format!("the remote knows that the baton of {next} has ended")),
        "{synced}"
    );
    assert_eq!(baton(&machines, &next)["claim"]["kind"], "released");
}

#[test]
fn the_commits_of_a_handover_come_with_it() {
    let machines = Machines::new();
    let project = machines.sandbox.project();
    work(&machines, &project, "one");
    let key = ends(machines.here(["create", "--cluster", "none", "--push"]), 0).last_line().to_owned();
    // Not pushed yet: the handover is there, and its commits are not.
    let fetched = ends(machines.there(["fetch", &key]), 0);
    assert!(fetched.stdout().contains("main at origin does not have it yet"), "{fetched}");
    let _ = ends(machines.here(["sync"]), 0);
    let taken = ends(machines.there(["resume", &key, "--cluster", "none"]), 0);
    assert!(taken.stdout().contains("confirmed at origin"), "{taken}");
    assert_eq!(machines.sandbox.git_in(&machines.other, ["rev-parse", "origin/main"]), tip(&machines));
}

#[test]
fn what_is_open_about_a_baton_is_shown_everywhere() {
    let machines = Machines::new();
    let key = machines.published();
    machines.sandbox.git(["config", "remote.origin.url", "ssh://127.0.0.1:1/none.git"]);
    let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    let open = "held here alone, unconfirmed";
    for words in [&["status", "--cluster", "none"][..], &["list"]] {
        let shown = ends(machines.here(words.iter().copied()), 0);
        assert!(shown.stdout().contains(open), "{words:?}: {shown}");
    }
    for words in [&["show", "--json"][..], &["verify", "--cluster", "none", "--json"]] {
        let shown = ends(machines.here(words.iter().copied()), 0).data();
        assert!(shown["notes"].to_string().contains(open), "{words:?}: {shown}");
    }
    let status = ends(machines.here(["status", "--cluster", "none", "--json"]), 0).data();
    assert_eq!(status["worktrees"][0]["batons"][0]["remote"]["word"], "unconfirmed");
    let list = ends(machines.here(["list", "--json"]), 0).data();
    assert_eq!(list["handovers"][0]["baton"]["remote"]["word"], "unconfirmed");
    assert!(machines.sandbox.read("CLAUDE.md").contains("- Baton: held here alone"));

    machines.sandbox.git(["config", "remote.origin.url", "../origin.git"]);
    let _ = ends(machines.here(["sync"]), 0);
    let status = ends(machines.here(["status", "--cluster", "none"]), 0);
    assert!(!status.stdout().contains(open), "{status}");
    assert!(!machines.sandbox.read("CLAUDE.md").contains("- Baton:"));
}

#[test]
fn a_remote_that_hides_our_refs_gets_branches_and_the_baton_is_taken_there_once() {
    let machines = Machines::new();
    machines.sandbox.git_in("origin.git", ["config", "transfer.hideRefs", "refs/handover"]);
    let key = machines.published();
    assert_eq!(machines.refs("heads/handover"), [format!("refs/heads/handover/docs/{key}")]);
    let taken = ends(machines.there(["resume", &key, "--cluster", "none", "--json"]), 0).data();
    assert_eq!(taken["remote"]["word"], "confirmed");
    assert!(machines.refs("handover").is_empty());
    let refused = ends(machines.here(["resume", &key, "--cluster", "none"]), 5);
    assert!(refused.stderr().contains("host2"), "{refused}");
    work(&machines, &machines.other, "theirs");
    let _ = ends(machines.there(["sync"]), 0);
}

#[test]
fn a_remote_that_takes_none_of_our_refs_is_noticed_once() {
    let machines = Machines::new();
    let hook = machines.sandbox.root().join("origin.git/hooks/update");
    let text = "#!/bin/sh\ncase $1 in *handover/*) echo 'no such refs here' >&2; exit 1;; esac\n";
    std::fs::write(&hook, text).unwrap();
    std::fs::set_permissions(&hook, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let key = ends(machines.here(["create", "--cluster", "none"]), 0).last_line().to_owned();
    let first = ends(machines.here(["sync"]), 3);
    assert!(first.stdout().contains("is not published at origin"), "{first}");
    let second = ends(machines.here(["sync"]), 0);
    assert!(!second.stdout().contains("published"), "{second}");
    let taken = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    assert!(taken.stderr().contains("takes no refs of handovers"), "{taken}");
    std::fs::remove_file(hook).unwrap();
    let third = ends(machines.here(["sync", "--ask-again"]), 0);
    assert!(third.stdout().contains("is confirmed at origin"), "{third}");
    assert!(third.stdout().contains(&format!("published at origin: {key}")), "{third}");
}

#[test]
fn without_a_remote_or_with_batons_off_nothing_is_asked() {
    let machines = Machines::new();
    let key = machines.published();
    machines.sandbox.write(".git/handover/config.yaml", "baton: {remote: off}\n");
    machines.sandbox.git(["config", "remote.origin.url", "ssh://127.0.0.1:1/none.git"]);
    let taken = ends(machines.here(["resume", &key, "--cluster", "none", "--json"]), 0).data();
    assert_eq!(taken.get("remote"), None);
    let sandbox = Sandbox::new();
    let key = sandbox.handover(["create", "--cluster", "none"]).expect(0).last_line().to_owned();
    let taken = sandbox.handover(["resume", &key, "--cluster", "none", "--json"]).expect(0).data();
    assert_eq!(taken.get("remote"), None);
    let _ = sandbox.handover(["fetch", "HO-20261121-0341-00000000"]).expect(4);
}

#[test]
fn a_remote_without_atomic_pushes_gets_the_baton_first() {
    let machines = Machines::new();
    machines.sandbox.git_in("origin.git", ["config", "receive.advertiseAtomic", "false"]);
    let project = machines.sandbox.project();
    let key = machines.published();
    let _ = ends(machines.here(["resume", &key, "--cluster", "none"]), 0);
    work(&machines, &project, "one");
    let synced = ends(machines.here(["sync"]), 0);
    assert!(synced.stdout().contains("cannot take several refs as one"), "{synced}");
    assert_eq!(baton(&machines, &key)["renewed"], 1);
    let _ = ends(machines.there(["resume", &key, "--cluster", "none", "--take-over"]), 0);
    let before = tip(&machines);
    work(&machines, &project, "two");
    let refused = ends(machines.here(["sync"]), 6);
    assert!(refused.stdout().contains("is with another by now"), "{refused}");
    assert_eq!(tip(&machines), before);
}

/// Lets every exchange with the remote be written down; what there was so far is forgotten.
fn count_exchanges(machines: &Machines) -> PathBuf {
    let log = machines.sandbox.root().join("exchanges");
    for (setting, program) in [("receivepack", "push"), ("uploadpack", "fetch")] {
        let path = machines.sandbox.root().join(program);
        let git = if program == "push" { "git-receive-pack" } else { "git-upload-pack" };
        let text = format!("#!/bin/sh\necho {program} >> '{}'\nexec {git} \"$@\"\n", log.display());
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        machines.sandbox.git(["config", &format!("remote.origin.{setting}"), path.to_str().unwrap()]);
    }
    log
}

#[test]
fn taking_a_baton_is_one_push_and_what_needs_no_remote_asks_none() {
    let machines = Machines::new();
    let key = machines.published();
    let log = count_exchanges(&machines);
    let exchanges = |call: Call| {
        let _ = std::fs::remove_file(&log);
        let answer = call.run();
        assert!(matches!(answer.code, 0 | 3), "{answer}");
        std::fs::read_to_string(&log).unwrap_or_default().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let none: [&str; 0] = [];
    for words in [
        &["verify", "--cluster", "none"][..],
        &["show"],
        &["list"],
        &["status", "--cluster", "none"],
        &["create", "--cluster", "none", "--side"],
        &["draft", "--cluster", "none"],
    ] {
        assert_eq!(exchanges(machines.here(words.iter().copied())), none, "{words:?}");
    }
    assert_eq!(exchanges(machines.here(["resume", &key, "--cluster", "none"])), ["push"]);
    // The same session again: its claim is pushed anew, and so confirmed.
    assert_eq!(exchanges(machines.here(["resume", &key, "--cluster", "none"])), ["push"]);
    // A branch that has moved goes with the baton: one fetch, one push, and one for the handovers.
    work(&machines, &machines.sandbox.project(), "one");
    assert_eq!(exchanges(machines.here(["sync"])), ["fetch", "push", "push"]);
    work(&machines, &machines.sandbox.project(), "two");
    assert_eq!(exchanges(machines.here(["sync"])), ["fetch", "push"]);
    // Its end is told by one push, and by none where the remote never had it.
    assert_eq!(exchanges(machines.here(["release", &key])), ["push"]);
    assert_eq!(exchanges(machines.here(["create", "--cluster", "none"])), none);
}
