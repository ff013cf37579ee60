//! `remote push` and `remote pull` with the real rsync over a real ssh.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use crate::remote::{clone_there, is_as_its_schema_says, settings};
use crate::support::Sandbox;
use crate::support::sshd::{Sshd, which};

const BOX: &str = "    box: {kind: workstation, host: box, path: ~/project, excludes: ['*.tmp']}\n";

/// A project on both machines.
fn both(sandbox: &Sandbox, test: &str) -> Option<Sshd> {
    let sshd = Sshd::or_skip(sandbox, test)?;
    std::os::unix::fs::symlink(which("rsync"), sandbox.root().join("bin/rsync")).unwrap();
    clone_there(sandbox);
    settings(sandbox, BOX);
    Some(sshd)
}

fn old(path: &Path, hours: u64) {
    let time = SystemTime::now() - Duration::from_secs(hours * 3600);
    fs::File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
}

#[test]
fn files_of_any_name_arrive_byte_for_byte_and_nothing_is_run() {
    let sandbox = Sandbox::new();
    let name = "files_of_any_name_arrive_byte_for_byte_and_nothing_is_run";
    let Some(sshd) = both(&sandbox, name) else { return };
    let names: [&[u8]; 16] = [
        b"a b.txt",
        b"it's",
        b"$(touch pwned)",
        b"`touch pwned`",
        b"; touch pwned",
        b"-rf",
        b"--delete",
        b"#x",
        b";x",
        b"a\nb",
        b"\xff\xfe",
        b"\\#012",
        b"*",
        b"[a-z]?",
        "\u{202e}x \u{1f600}".as_bytes(),
        b"~x",
    ];
    for (at, name) in names.iter().enumerate() {
        let folder = sandbox.project().join("odd");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(OsStr::from_bytes(name)), format!("{at}\n")).unwrap();
    }
    let _ = sandbox.handover(["remote", "push", "box"]).expect(5);
    let there = sshd.home().join("project/odd");
    assert!(!there.exists(), "nothing goes without a yes");
    let pushed = sandbox.handover(["remote", "push", "box", "--yes"]).expect(0);
    assert!(pushed.stdout().contains("16 files arrived"), "{pushed}");
    for (at, name) in names.iter().enumerate() {
        assert_eq!(fs::read_to_string(there.join(OsStr::from_bytes(name))).unwrap(), format!("{at}\n"));
    }
    // And back, below a folder.
    fs::remove_dir_all(sandbox.project().join("odd")).unwrap();
    fs::create_dir(sandbox.project().join("odd")).unwrap();
    let pulled = sandbox.handover(["remote", "pull", "box", "odd", "--yes"]).expect(0);
    assert!(pulled.stdout().contains("16 files arrived"), "{pulled}");
    for (at, name) in names.iter().enumerate() {
        let path = sandbox.project().join("odd").join(OsStr::from_bytes(name));
        assert_eq!(fs::read_to_string(path).unwrap(), format!("{at}\n"));
    }
    assert_eq!(
        sandbox.handover(["remote", "pull", "box", "--yes"]).expect(0).stdout(),
        "nothing to do: both sides have the same\n"
    );
    for dir in [sandbox.project(), sshd.home(), sshd.home().join("project")] {
        assert!(!dir.join("pwned").exists());
    }
    for call in sshd.calls() {
        let host = call.iter().position(|word| word == "box").unwrap();
        assert!(call[..host].iter().all(|word| word != "-oProxyCommand"), "{call:?}");
    }
}

#[test]
fn a_pull_keeps_what_is_newer_or_not_committed_and_puts_aside_what_it_overwrites() {
    let sandbox = Sandbox::new();
    let name = "a_pull_keeps_what_is_newer_or_not_committed_and_puts_aside_what_it_overwrites";
    let Some(sshd) = both(&sandbox, name) else { return };
    let there = sshd.home().join("project");
    for file in ["newer.txt", "older.txt"] {
        sandbox.write(file, "here\n");
        fs::write(there.join(file), "there\n").unwrap();
    }
    old(&there.join("newer.txt"), 2);
    old(&sandbox.project().join("older.txt"), 2);
    // Changed here long ago, in no commit; the other side has a later version.
    sandbox.write("README.md", "# Changed here\n");
    old(&sandbox.project().join("README.md"), 5);
    fs::write(there.join("README.md"), "# Changed there\n").unwrap();
    fs::write(there.join("x.tmp"), "left out\n").unwrap();
    let plan = sandbox.handover(["remote", "pull", "box", "--dry-run", "--json"]).expect(3).data();
    is_as_its_schema_says("remote-pull-plan", &plan);
    let held: Vec<(&str, &str)> = plan["held"]
        .as_array()
        .unwrap()
        .iter()
        .map(|held| (held["path"].as_str().unwrap(), held["why"].as_str().unwrap()))
        .collect();
    assert_eq!(held, [("newer.txt", "newer"), ("README.md", "not_committed")]);
    let pulled = sandbox.handover(["remote", "pull", "box", "--yes"]).expect(3);
    assert_eq!((sandbox.read("newer.txt"), sandbox.read("older.txt")), ("here\n".into(), "there\n".into()));
    assert_eq!(sandbox.read("README.md"), "# Changed here\n");
    assert!(!sandbox.exists("x.tmp"));
    assert!(pulled.stdout().contains("what was overwritten or deleted is kept in"), "{pulled}");
    let kept = sandbox.tree(".git/handover/kept");
    assert!(kept.iter().any(|path| path.ends_with("/older.txt")), "{kept:?}");
    // When it is asked for, the newer one goes too, and is kept.
    let pulled =
        sandbox.handover(["remote", "pull", "box", "--yes", "--overwrite", "--json"]).expect(0).data();
    is_as_its_schema_says("remote-pull", &pulled);
    assert_eq!(sandbox.read("newer.txt"), "there\n");
    let kept = sandbox.tree(".git/handover/kept");
    let newer = kept.iter().find(|path| path.ends_with("/newer.txt")).unwrap();
    assert_eq!(sandbox.read(format!(".git/handover/kept/{newer}")), "here\n");
}

#[test]
fn nothing_is_deleted_unasked_and_what_is_can_be_had_again() {
    let sandbox = Sandbox::new();
    let Some(sshd) = both(&sandbox, "nothing_is_deleted_unasked_and_what_is_can_be_had_again") else {
        return;
    };
    let there = sshd.home().join("project");
    fs::write(there.join("only there.txt"), "there\n").unwrap();
    sandbox.write("new.txt", "here\n");
    let _ = sandbox.handover(["remote", "push", "box", "--yes"]).expect(0);
    assert!(there.join("only there.txt").exists() && there.join("new.txt").exists());
    let plan = sandbox.handover(["remote", "push", "box", "--delete", "--dry-run"]).expect(0);
    assert!(plan.stdout().contains("deleted there, and kept aside:\n  - only there.txt"), "{plan}");
    let plan =
        sandbox.handover(["remote", "push", "box", "--delete", "--dry-run", "--json"]).expect(0).data();
    is_as_its_schema_says("remote-push-plan", &plan);
    let pushed = sandbox.handover(["remote", "push", "box", "--delete", "--yes", "--json"]).expect(0).data();
    is_as_its_schema_says("remote-push", &pushed);
    assert!(!there.join("only there.txt").exists() && there.join(".git").is_dir());
    let kept = sandbox.tree(there.join(".handover-kept"));
    assert!(kept.iter().any(|path| path.ends_with("/only there.txt")), "{kept:?}");
}

#[test]
fn a_file_with_a_secret_does_not_travel_until_it_is_named() {
    let sandbox = Sandbox::new();
    let Some(sshd) = both(&sandbox, "a_file_with_a_secret_does_not_travel_until_it_is_named") else { return };
    let token = concat!("hf_", "QmRzTbVxKpLdWsYgNcJhFaEuMiOtPqXvBw");
    sandbox.write("run.sh", format!("x\nexport HF_TOKEN={token}\n"));
    sandbox.write(".env", "A=1\n");
    sandbox.write("plan/scratch.md", "an agent's\n");
    sandbox.write("fine.txt", "fine\n");
    let pushed = sandbox.handover(["remote", "push", "box", "--yes"]).expect(3);
    assert!(pushed.stdout().contains("run.sh  huggingface-token in line 2"), "{pushed}");
    assert!(pushed.stdout().contains(".env  a file of secrets by its name"), "{pushed}");
    assert!(!String::from_utf8_lossy(&pushed.bytes()).contains(token));
    let there = sshd.home().join("project");
    let is_there = |file: &str| there.join(file).exists();
    assert!(is_there("fine.txt") && !is_there("run.sh") && !is_there(".env") && !is_there("plan"));
    let _ = sandbox.handover(["remote", "push", "box", "--yes", "--allow-secret", "run.sh"]).expect(3);
    assert!(is_there("run.sh") && !is_there(".env"));
}

#[test]
fn a_connection_that_is_cut_loses_nothing_and_the_next_run_finishes() {
    let sandbox = Sandbox::new();
    let name = "a_connection_that_is_cut_loses_nothing_and_the_next_run_finishes";
    let Some(sshd) = both(&sandbox, name) else { return };
    let there = sshd.home().join("project");
    let bytes: Vec<u8> = (0..48_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(there.join("big.bin"), &bytes).unwrap();
    fs::write(there.join("small.txt"), "there\n").unwrap();
    sandbox.write("small.txt", "here\n");
    old(&sandbox.project().join("small.txt"), 3);
    // So slow that the cut falls into the middle; only the transfer itself is.
    let slow = format!(
        "#!/bin/sh\nfor word; do [ \"$word\" != --delay-updates ] || exec {0} --bwlimit=8m \"$@\"; done\nexec {0} \"$@\"\n",
        which("rsync").display()
    );
    let wrapper = sandbox.root().join("bin/rsync");
    fs::remove_file(&wrapper).unwrap();
    fs::write(&wrapper, slow).unwrap();
    fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let cut = std::thread::scope(|threads| {
        let pull = threads.spawn(|| sandbox.handover(["remote", "pull", "box", "--yes"]));
        let half = || {
            let tree = sandbox.tree(sandbox.project());
            tree.iter().any(|path| path.contains("big.bin"))
        };
        while !half() && !pull.is_finished() {
            std::thread::sleep(Duration::from_millis(20));
        }
        std::thread::sleep(Duration::from_millis(500));
        sshd.cut();
        pull.join().unwrap()
    });
    assert_eq!(cut.code, 75, "{cut}");
    assert!(cut.stdout().contains("the connection was lost"), "{cut}");
    assert_eq!(sandbox.read("small.txt"), "here\n", "nothing is replaced before all is there");
    assert!(!sandbox.exists("big.bin"));
    let _ = sandbox.handover(["remote", "pull", "box", "--yes"]).expect(0);
    assert_eq!(fs::read(sandbox.project().join("big.bin")).unwrap(), bytes);
    assert_eq!(sandbox.read("small.txt"), "there\n");
    assert_eq!(sandbox.git(["status", "--porcelain"]), "?? big.bin\n?? small.txt");
}

#[test]
fn a_machine_without_room_or_a_killed_rsync_is_told() {
    let sandbox = Sandbox::new();
    let Some(sshd) = both(&sandbox, "a_machine_without_room_or_a_killed_rsync_is_told") else { return };
    let real = which("rsync");
    let wrapper = sandbox.root().join("bin/rsync");
    let play = |script: &str| {
        let _ = fs::remove_file(&wrapper);
        let text = format!(
            "#!/bin/sh\nfor word; do [ \"$word\" != --delay-updates ] || {{ {script}; }}; done\nexec {} \"$@\"\n",
            real.display()
        );
        fs::write(&wrapper, text).unwrap();
        fs::set_permissions(&wrapper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    sandbox.write("new.txt", "here\n");
    play("echo 'rsync: [receiver] write failed on \"x\": No space left on device (28)' >&2; exit 11");
    let full = sandbox.handover(["remote", "push", "box", "--yes"]).expect(6);
    assert!(full.stdout().contains("no room is left on the side that receives"), "{full}");
    play("kill -KILL $$");
    let killed = sandbox.handover(["remote", "push", "box", "--yes"]).expect(75);
    assert!(killed.stdout().contains("rsync was ended"), "{killed}");
    play("echo 'file has vanished: \"new.txt\"' >&2; exit 24");
    let vanished = sandbox.handover(["remote", "push", "box", "--yes"]).expect(6);
    assert!(vanished.stdout().contains("file has vanished"), "{vanished}");
    assert!(!sshd.home().join("project/new.txt").exists());
}
