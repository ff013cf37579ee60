//! `handover archive`: what goes, what stays, and that nothing is lost.

use std::fs;

use crate::support::{Answer, Call, Sandbox};

fn as_session<'a>(sandbox: &Sandbox, words: impl IntoIterator<Item = &'a str>) -> Call {
    sandbox.call(words).env("HANDOVER_AGENT", "codex").env("HANDOVER_SESSION", "s")
}

#[track_caller]
fn create(sandbox: &Sandbox, more: &[&str]) -> String {
    let words = ["create", "--cluster", "none"].into_iter().chain(more.iter().copied());
    as_session(sandbox, words).run().expect(0).last_line().to_owned()
}

#[track_caller]
fn archive(sandbox: &Sandbox, more: &[&str]) -> serde_json::Value {
    answer(sandbox, more).expect(0).data()
}

fn answer(sandbox: &Sandbox, more: &[&str]) -> Answer {
    sandbox.handover(["archive", "--json"].into_iter().chain(more.iter().copied()))
}

fn keys(value: &serde_json::Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect()
}

fn reasons(data: &serde_json::Value, key: &str) -> Vec<String> {
    let kept = data["kept"].as_array().unwrap().iter().find(|kept| kept["key"] == key);
    let reasons = kept.unwrap_or_else(|| panic!("{key} is not kept: {data}"))["reasons"].as_array().unwrap();
    reasons.iter().map(|reason| reason["reason"].as_str().unwrap().to_owned()).collect()
}

/// Four documents, one after the other, a day apart, the last of them eight days ago.
fn chain(sandbox: &Sandbox) -> Vec<String> {
    let mut keys = Vec::new();
    for _ in 0..4 {
        keys.push(create(sandbox, &[]));
        sandbox.advance("1d");
    }
    sandbox.advance("7d");
    keys
}

/// Everything below a directory, names and bytes.
fn all(sandbox: &Sandbox, dir: &str) -> Vec<(String, Vec<u8>)> {
    let top = sandbox.project().join(dir);
    sandbox
        .tree(dir)
        .into_iter()
        .map(|name| (name.clone(), fs::read(top.join(name)).unwrap_or_default()))
        .collect()
}

#[test]
fn old_handovers_are_put_away_and_still_answer_to_their_keys() {
    let sandbox = Sandbox::new();
    let chain = chain(&sandbox);
    let text = sandbox.read(format!("CLAUDE/{}.md", chain[0]));
    assert!(sandbox.read("CLAUDE.md").contains(&chain[0]));
    let before = all(&sandbox, "");
    let told = sandbox.handover(["archive", "--dry-run"]).expect(0);
    insta::assert_snapshot!("a_dry_run", told);
    assert_eq!(all(&sandbox, ""), before, "a dry run changes nothing");

    let done = archive(&sandbox, &[]);
    assert_eq!(keys(&done["archived"]), [&chain[0], &chain[1]]);
    assert_eq!(reasons(&done, &chain[2]), ["parent_of_current"]);
    assert_eq!(reasons(&done, &chain[3]), ["current"]);
    for key in &chain[..2] {
        assert!(!sandbox.exists(format!("CLAUDE/{key}.md")));
        assert!(sandbox.exists(format!("CLAUDE/archive/{key}.md")));
        assert!(sandbox.exists(format!(".git/handover/docs/{key}.md")));
        let _ = sandbox.handover(["verify", key, "--cluster", "none"]).expect(0);
    }
    assert_eq!(sandbox.handover(["show", &chain[0]]).expect(0).stdout(), text);
    assert_eq!(sandbox.handover(["show", &chain[0][17..]]).expect(0).stdout(), text);

    // The pointer stays right, and what it lists is what is not archived.
    let block = sandbox.read("CLAUDE.md");
    assert!(block.contains(&format!("- Key: {}", chain[3])), "{block}");
    assert!(block.contains(&format!("- Earlier: {}\n", chain[2])), "{block}");
    let listed = sandbox.handover(["list", "--json"]).expect(0).data();
    assert_eq!(listed["handovers"].as_array().unwrap().len(), 2);
    assert_eq!(listed["archived_left_out"], 2);

    let again = archive(&sandbox, &[]);
    assert_eq!(keys(&again["archived"]), [""; 0]);
    assert_eq!(again["archived_before"], 2);
    assert_eq!(sandbox.git(["status", "--porcelain"]), "");
}

#[test]
fn age_is_the_keys_and_not_the_files() {
    let sandbox = Sandbox::new();
    let first = create(&sandbox, &[]);
    sandbox.advance("1h");
    create(&sandbox, &[]);
    sandbox.advance("1h");
    create(&sandbox, &[]);
    // The files are old; the keys are not.
    for file in [format!(".git/handover/docs/{first}.md"), format!("CLAUDE/{first}.md")] {
        let _ = sandbox.program("touch", ["-d", "2020-01-01", &file]).run().expect(0);
    }
    assert_eq!(archive(&sandbox, &[])["young"], 3);
    assert_eq!(keys(&archive(&sandbox, &["--older-than", "2h"])["archived"]), [&first]);
}

#[test]
fn a_handover_whose_baton_is_held_stays() {
    let sandbox = Sandbox::new();
    let chain = chain(&sandbox);
    let _ = as_session(&sandbox, ["resume", &chain[0]]).run().expect(0);
    let done = archive(&sandbox, &[]);
    assert_eq!(keys(&done["archived"]), [&chain[1]]);
    assert_eq!(reasons(&done, &chain[0]), ["held"]);
    let _ = as_session(&sandbox, ["release", &chain[0]]).run().expect(0);
    assert_eq!(keys(&archive(&sandbox, &[])["archived"]), [&chain[0]]);
}

#[test]
fn a_damaged_claim_or_document_protects() {
    let sandbox = Sandbox::new();
    let chain = chain(&sandbox);
    sandbox.write(format!(".git/handover/batons/{}/000001.json", chain[1]), "{");
    let doc = sandbox.project().join(format!(".git/handover/docs/{}.md", chain[0]));
    fs::remove_file(&doc).unwrap();
    fs::write(&doc, "---\nschema: \"handover/9\"\n---\n").unwrap();
    let done = archive(&sandbox, &[]);
    assert_eq!(keys(&done["archived"]), [""; 0]);
    assert_eq!(reasons(&done, &chain[1]), ["baton_unknown"]);
    assert_eq!(reasons(&done, &chain[0]), ["unreadable"]);
}

#[test]
fn the_newest_of_every_worktree_stays_and_that_of_a_removed_one_goes() {
    let sandbox = Sandbox::new();
    let there = sandbox.worktree("other");
    let words = ["create", "--cluster", "none"];
    let other = as_session(&sandbox, words).dir(&there).run().expect(0).last_line().to_owned();
    sandbox.advance("8d");
    create(&sandbox, &[]);
    assert_eq!(reasons(&archive(&sandbox, &[]), &other), ["current"]);
    sandbox.git(["worktree", "remove", "--force", there.to_str().unwrap()]);
    assert_eq!(keys(&archive(&sandbox, &[])["archived"]), [&other]);
    let _ = sandbox.handover(["show", &other]).expect(0);
}

#[test]
fn a_handover_made_on_another_host_stays_while_nothing_follows_it() {
    let sandbox = Sandbox::new();
    sandbox.set("HANDOVER_HOST", "host2");
    let other = create(&sandbox, &[]);
    sandbox.set("HANDOVER_HOST", "host1");
    sandbox.advance("8d");
    create(&sandbox, &[]);
    assert_eq!(reasons(&archive(&sandbox, &[]), &other), ["current"]);
}

/// A state file with one running job, taken at a time.
fn state(sandbox: &Sandbox, taken: &str, jobs: &str) -> String {
    let head = "             JOBID PARTITION                           NAME     USER    STATE       TIME TIME_LIMI  NODES NODELIST(REASON)\n";
    let text = format!("Last updated: {taken}\n\n=== MY JOBS ===\n{head}{jobs}\n");
    sandbox.write(sandbox.root().join("state.txt"), text).to_str().unwrap().to_owned()
}

const JOB: &str = "             48120        ai                          train      ann  RUNNING    1:00:00  12:00:00      1 gpu01\n";

#[test]
fn a_handover_that_names_live_jobs_stays_and_one_of_whose_jobs_nobody_knows_too() {
    let sandbox = Sandbox::new();
    let path = state(&sandbox, "2026-11-21T03:40:00Z", JOB);
    let words = ["create", "--cluster", &path];
    let key = as_session(&sandbox, words).run().expect(0).last_line().to_owned();
    let named =
        sandbox.handover(["show", &key, "--json"]).expect(0).data()["facts"]["jobs"]["listed"].clone();
    assert_eq!(named.as_array().map(Vec::len), Some(1), "{named}");
    sandbox.advance("1h");
    create(&sandbox, &[]);
    sandbox.advance("1h");
    create(&sandbox, &[]);
    sandbox.advance("8d");

    let why = |cluster: &str| reasons(&archive(&sandbox, &["--cluster", cluster]), &key);
    assert_eq!(why("none"), ["jobs_unknown"]);
    assert_eq!(why(&path), ["jobs_unknown"], "a state file that is older than the document");
    assert_eq!(why(&state(&sandbox, "2026-11-29T04:00:00Z", JOB)), ["live_jobs"]);
    let ended = state(&sandbox, "2026-11-29T04:00:00Z", "");
    let done = archive(&sandbox, &["--cluster", &ended]);
    assert_eq!(keys(&done["archived"]), [&key], "{done}");
}

#[test]
fn edited_copies_are_moved_as_they_are_and_nothing_is_overwritten() {
    let sandbox = Sandbox::new();
    let chain = chain(&sandbox);
    let (one, two) = (format!("CLAUDE/{}.md", chain[0]), format!("CLAUDE/{}.md", chain[1]));
    fs::remove_file(sandbox.project().join(&one)).unwrap();
    sandbox.write(&one, "my own words");
    sandbox.write(format!("CLAUDE/archive/{}.md", chain[1]), "other words");
    let partial = answer(&sandbox, &[]).expect(6).data();
    assert_eq!(keys(&partial["archived"]), [&chain[0], &chain[1]]);
    assert_eq!(sandbox.read(format!("CLAUDE/archive/{}.md", chain[0])), "my own words");
    assert_eq!(sandbox.read(format!("CLAUDE/archive/{}.md", chain[1])), "other words");
    assert!(sandbox.exists(&two), "it stays where it is");
    fs::remove_file(sandbox.project().join(format!("CLAUDE/archive/{}.md", chain[1]))).unwrap();
    assert_eq!(keys(&archive(&sandbox, &[])["finished"]), [&chain[1]]);
    assert!(!sandbox.exists(&two));
}

#[test]
fn a_link_in_the_place_of_the_archive_is_not_followed() {
    let sandbox = Sandbox::new();
    let chain = chain(&sandbox);
    let outside = sandbox.root().join("outside");
    fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, sandbox.project().join("CLAUDE/archive")).unwrap();
    let partial = answer(&sandbox, &[]).expect(6);
    assert!(partial.data()["not_done"][0].as_str().unwrap().contains("is a link"), "{partial}");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    assert!(sandbox.exists(format!("CLAUDE/{}.md", chain[0])));
}

#[test]
fn while_somebody_else_holds_the_lock_nothing_is_archived() {
    use handover::sys::{World, lock};
    let sandbox = Sandbox::new();
    let chain = chain(&sandbox);
    let home = sandbox.project().join(".git/handover");
    let patience = handover::terms::Seconds(0);
    let held = lock::acquire(&World::real(), &home, "remove a worktree", patience, &mut |_| {}).unwrap();
    // A dry run needs no lock.
    let _ = answer(&sandbox, &["--dry-run"]).expect(0);
    std::thread::scope(|threads| {
        let waiting = threads.spawn(|| answer(&sandbox, &[]));
        // It is at the door once it has prepared a lock of its own.
        while !sandbox.tree(".git/handover").iter().any(|name| name.starts_with("lock.tmp.")) {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        assert!(!sandbox.exists(".git/handover/archived"));
        drop(held);
        let done = waiting.join().unwrap().expect(0);
        assert_eq!(keys(&done.data()["archived"]), [&chain[0], &chain[1]]);
    });
}
