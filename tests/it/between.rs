//! The baton and the documents between machines: clones of one remote.

use std::path::{Path, PathBuf};

use crate::support::{Answer, Call, Sandbox};

/// A project with a bare remote `origin`, and a second clone of it on another host.
struct Machines {
    sandbox: Sandbox,
    other: PathBuf,
}

impl Machines {
    fn new() -> Machines {
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
    fn here<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Call {
        self.sandbox.call(words).env("HANDOVER_AGENT", "claude-code").env("HANDOVER_SESSION", "here")
    }

    /// A session on the second one.
    fn there<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Call {
        self.sandbox
            .call(words)
            .dir(&self.other)
            .env("HANDOVER_HOST", "host2")
            .env("HANDOVER_AGENT", "codex")
            .env("HANDOVER_SESSION", "there")
    }

    /// A sealed and published handover of the first machine; its key.
    fn published(&self) -> String {
        let words =
            ["create", "--cluster", "none", "--focus", "warm-up", "--next", "Run `make`; 1 passes", "--push"];
        self.here(words).run().expect(0).last_line().to_owned()
    }

    /// What the remote has below a pattern: ids and names.
    fn refs(&self, pattern: &str) -> Vec<String> {
        let text = self
            .sandbox
            .git_in("origin.git", ["for-each-ref", "--format=%(refname)", &format!("refs/{pattern}")]);
        text.lines().map(str::to_owned).collect()
    }
}

#[track_caller]
fn ends(call: Call, code: i32) -> Answer {
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
