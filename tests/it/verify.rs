//! `verify` and `show`: every verdict, every class of drift, every exit code.

use std::os::unix::fs::PermissionsExt;

use crate::support::Sandbox;

fn create(sandbox: &Sandbox) -> String {
    sandbox.handover(["create", "--focus", "warm-up", "--next", "run `x`"]).expect(0).last_line().to_owned()
}

#[test]
fn a_copy_that_could_not_be_sealed_is_the_newest_and_that_is_said() {
    let sandbox = Sandbox::new();
    let create = || sandbox.handover(["create", "--cluster", "none"]).expect(0).last_line().to_owned();
    let sealed = create();
    sandbox.advance("1h");
    let copy = create();
    // As in a sandbox that keeps the git directory from being written.
    for end in ["md", "sha256"] {
        std::fs::remove_file(sandbox.project().join(format!(".git/handover/docs/{copy}.{end}"))).unwrap();
    }
    let verified = sandbox.handover(["verify", "--cluster", "none"]);
    assert!(verified.stdout().starts_with(&copy), "{verified}");
    assert!(verified.stdout().contains("only the copy in this worktree is there"), "{verified}");
    let older = sandbox.handover(["verify", &sealed, "--cluster", "none"]);
    assert!(older.stdout().contains(&format!("{copy} follows this one")), "{older}");
    let resumed = sandbox.handover(["resume", "--json"]).expect(3).data();
    assert_eq!(resumed["verified"]["key"], copy.as_str());
    let listed = sandbox.handover(["list", "--json"]).expect(0).data();
    let state =
        |at: usize| (listed["handovers"][at]["key"].clone(), listed["handovers"][at]["state"].clone());
    assert_eq!(state(0), (sealed.clone().into(), "superseded".into()));
    assert_eq!(state(1), (copy.clone().into(), "current".into()));
    // What a branch brings with it, which git checks out to be written, is not the newest here.
    let path = sandbox.project().join(format!("CLAUDE/{copy}.md"));
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &text).unwrap();
    let verified = sandbox.handover(["verify", "--cluster", "none"]);
    assert!(verified.stdout().starts_with(&sealed), "{verified}");
    // Bytes that are not those of the key say nothing.
    std::fs::write(&path, text + "more\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    let verified = sandbox.handover(["verify", "--cluster", "none"]);
    assert!(verified.stdout().starts_with(&sealed), "{verified}");
}

#[test]
fn an_untouched_document_in_its_place_is_intact() {
    let sandbox = Sandbox::new();
    let key = create(&sandbox);
    sandbox.advance("3h");
    insta::assert_snapshot!(sandbox.handover(["verify", &key]));
    let _ = sandbox.handover(["verify"]).expect(0);
    let _ = sandbox.handover(["verify", &key[17..21]]).expect(0);
}

#[test]
fn commits_and_files_that_moved_are_told_by_class() {
    let sandbox = Sandbox::new();
    sandbox.write("keep.py", "1\n");
    sandbox.write("clean.py", "1\n");
    sandbox.write("again.py", "1\n");
    let key = create(&sandbox);
    sandbox.git(["add", "clean.py"]);
    sandbox.git(["commit", "--quiet", "--message", "Add `clean`\u{202e}"]);
    sandbox.write("again.py", "2\n");
    sandbox.write("fresh.py", "1\n");
    sandbox.write("logs/run.out", "epoch 1\n");
    sandbox.write("slurm-7.out", "epoch 1\n");
    insta::assert_snapshot!(sandbox.handover(["verify", &key]));
}

#[test]
fn rewritten_history_and_a_reset_are_told_apart() {
    let sandbox = Sandbox::new();
    sandbox.write("a.py", "1\n");
    sandbox.commit("Second");
    let key = create(&sandbox);
    sandbox.git(["commit", "--quiet", "--amend", "--message", "Other second"]);
    let answer = sandbox.handover(["verify", &key]).expect(3);
    assert!(answer.stdout().contains("history was rewritten: HEAD lacks 1 commit"), "{answer:?}");
    sandbox.git(["reset", "--quiet", "--hard", "HEAD~1"]);
    let answer = sandbox.handover(["verify", &key]).expect(3);
    assert!(answer.stdout().contains("HEAD moved back by 1 commit"), "{answer:?}");
}

#[test]
fn an_edited_copy_shows_its_difference() {
    let sandbox = Sandbox::new();
    let key = create(&sandbox);
    let path = format!("CLAUDE/{key}.md");
    let edited = sandbox.read(&path).replace("run `x`", "run `rm`\x1b[2J");
    std::fs::remove_file(sandbox.project().join(&path)).unwrap();
    sandbox.write(&path, edited);
    insta::assert_snapshot!(sandbox.handover(["verify", &key]));
}

#[test]
fn a_damaged_document_is_never_intact() {
    let sandbox = Sandbox::new();
    let key = create(&sandbox);
    let path = sandbox.project().join(format!(".git/handover/docs/{key}.md"));
    let text = std::fs::read_to_string(&path).unwrap();
    for at in [0, 5, 60, text.len() / 2, text.len() - 2] {
        let mut bytes = text.clone().into_bytes();
        bytes[at] ^= 1;
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, bytes).unwrap();
        let answer = sandbox.handover(["verify", &key]).expect(8);
        assert!(answer.stderr().contains(&format!("handover show {key} --restore")), "byte {at}: {answer}");
    }
    // Without a copy that proves the key it is one that somebody edited.
    std::fs::remove_file(sandbox.project().join(format!("CLAUDE/{key}.md"))).unwrap();
    let _ = sandbox.handover(["verify", &key]).expect(1);
}

#[test]
fn a_copy_that_proves_its_key_takes_the_place_of_a_damaged_document_and_never_the_reverse() {
    for garbage in ["", "garbage\n"] {
        let sandbox = Sandbox::new();
        let key = create(&sandbox);
        let copy = format!("CLAUDE/{key}.md");
        let (path, text) =
            (sandbox.project().join(format!(".git/handover/docs/{key}.md")), sandbox.read(&copy));
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, garbage).unwrap();
        for words in [vec!["resume"], vec!["verify"], vec!["verify", &key], vec!["resume", &key]] {
            let answer = sandbox.handover(&words).expect(8);
            assert!(answer.stderr().contains(&format!("handover show {key} --restore")), "{answer}");
        }
        let shown = sandbox.handover(["show", &key]).expect(8);
        assert_eq!(shown.stdout(), text, "the copy is shown");
        let shown = sandbox.handover(["show", "--restore"]).expect(0);
        assert!(shown.stderr().contains("the damaged document is kept"), "{shown}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        assert_eq!(sandbox.read(&copy), text);
        let _ = sandbox.handover(["verify", "--cluster", "none"]).expect(0);
        // Neither proves the key: nothing takes the place of anything.
        for file in [&path, &sandbox.project().join(&copy)] {
            std::fs::remove_file(file).unwrap();
            std::fs::write(file, garbage).unwrap();
        }
        let _ = sandbox.handover(["show", &key, "--restore"]).expect(8);
        assert_eq!(sandbox.read(&copy), garbage);
        let _ = sandbox.handover(["resume"]).expect(8);
    }
}

#[test]
fn the_sealed_document_survives_clean_and_show_puts_its_copy_back() {
    let sandbox = Sandbox::new();
    let key = create(&sandbox);
    sandbox.git(["clean", "-fdxq"]);
    assert!(!sandbox.exists(format!("CLAUDE/{key}.md")));
    let _ = sandbox.handover(["verify", &key]).expect(0);
    let shown = sandbox.handover(["show", &key]).expect(0);
    assert!(shown.stderr().contains("put back"), "{shown:?}");
    assert_eq!(shown.stdout(), sandbox.read(format!("CLAUDE/{key}.md")));
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
}

#[test]
fn a_document_of_another_worktree_says_where_to_go() {
    let sandbox = Sandbox::new();
    let key = create(&sandbox);
    let other = sandbox.worktree("other");
    insta::assert_snapshot!(sandbox.handover_in(&other, ["verify", &key]));
    let none = sandbox.handover_in(&other, ["verify"]).expect(4);
    assert!(none.stderr().contains("handover create"), "{none:?}");
}

#[test]
fn another_repository_and_another_clone_are_told_apart() {
    let sandbox = Sandbox::new();
    sandbox.write("left.py", "1\n");
    let key = create(&sandbox);
    let clone = sandbox.root().join("clone");
    sandbox.git(["clone", "--quiet", ".", clone.to_str().unwrap()]);
    let stranger = sandbox.repository("stranger");
    sandbox.write("../stranger/own.txt", "1\n");
    sandbox.advance("5m");
    sandbox.commit_in(&stranger, "Another history");
    for place in [&clone, &stranger] {
        std::fs::create_dir_all(place.join("CLAUDE")).unwrap();
        std::fs::copy(
            sandbox.project().join(format!("CLAUDE/{key}.md")),
            place.join(format!("CLAUDE/{key}.md")),
        )
        .unwrap();
    }
    let answer = sandbox.handover_in(&clone, ["verify", &key]).expect(3);
    for part in ["matches its key only", "this is another clone", "left behind there: `left.py`"] {
        assert!(answer.stdout().contains(part), "{part:?}: {answer:?}");
    }
    // Both begin with the same first commit, so the stranger must drop it to be one.
    sandbox.git_in(&stranger, ["checkout", "--quiet", "--orphan", "root"]);
    sandbox.git_in(&stranger, ["commit", "--quiet", "--message", "Own root"]);
    sandbox.git_in(&stranger, ["branch", "--quiet", "-D", "main"]);
    sandbox.git_in(&stranger, ["reflog", "expire", "--expire=now", "--all"]);
    sandbox.git_in(&stranger, ["gc", "--quiet", "--prune=now"]);
    let answer = sandbox.handover_in(&stranger, ["verify", &key]).expect(1);
    assert!(answer.stdout().contains("of another repository"), "{answer:?}");
}

#[test]
fn unknown_and_ambiguous_keys_are_not_found() {
    let sandbox = Sandbox::new();
    let first = create(&sandbox);
    sandbox.advance("1m");
    let second = create(&sandbox);
    insta::assert_snapshot!(sandbox.handover(["verify", "HO-20990101-0000-00000000"]));
    let answer = sandbox.handover(["verify", "HO-2026"]).expect(4);
    assert!(answer.stderr().contains(&first) && answer.stderr().contains(&second), "{answer:?}");
    let _ = sandbox.handover(["verify", "../../etc/passwd"]).expect(2);
}

#[test]
fn a_legacy_key_is_read_and_cannot_be_proved() {
    let sandbox = Sandbox::new();
    sandbox.write("CLAUDE/HO-20260106-1423-a1b2.md", "# Handover\n\x1b[31mred\n");
    let answer = sandbox.handover(["verify", "HO-20260106-1423-a1b2"]).expect(3);
    assert!(answer.stdout().contains("cannot be proved"), "{answer:?}");
    let shown = sandbox.handover(["show", "HO-20260106-1423-a1b2"]).expect(3);
    assert_eq!(shown.stdout(), "# Handover\n\\x1b[31mred\n");
}

#[test]
fn verify_writes_nothing() {
    let sandbox = Sandbox::new();
    let key = create(&sandbox);
    let before = sandbox.tree(".");
    let _ = sandbox.handover(["verify", &key]).expect(0);
    let _ = sandbox.handover(["verify", &key, "--json"]).expect(0);
    assert_eq!(sandbox.tree("."), before);
}

#[test]
fn what_could_not_be_checked_is_said_and_counts_when_asked() {
    let sandbox = Sandbox::new();
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/cluster_state.txt");
    std::fs::copy(example, sandbox.root().join("recorded.txt")).unwrap();
    let recorded = "../recorded.txt";
    let key = sandbox.handover(["create", "--cluster", recorded]).expect(0).last_line().to_owned();
    let answer = sandbox.handover(["verify", &key, "--cluster", recorded]).expect(0);
    assert!(answer.stdout().contains("not checked: jobs: the newest state file is the one"), "{answer:?}");
    let _ = sandbox.handover(["verify", &key, "--cluster", recorded, "--strict"]).expect(3);
    let data = sandbox.handover(["verify", &key, "--cluster", "none", "--json"]).expect(0).data();
    assert_eq!(data["verdict"]["word"], "intact");
    assert_eq!(data["unchecked"].as_array().unwrap().len(), 1, "{data}");
}
