//! `handover sync` keeps back what no repository should hold, and takes everything else.

use std::fs;
use std::os::unix::fs::symlink;

use crate::support::Sandbox;
use crate::support::cluster::skipped;
use crate::support::kill::{figure, proofs_are_full};

fn with_remote() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.git_in(sandbox.root(), ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    sandbox
}

fn committed(sandbox: &Sandbox) -> String {
    sandbox.git(["ls-tree", "-r", "--name-only", "HEAD"]).replace('\n', " ")
}

#[test]
fn everything_unwanted_is_kept_back_and_everything_wanted_is_committed() {
    let sandbox = with_remote();
    sandbox.write("src/a.py", "print(1)\n");
    sandbox.write("data/table.csv", "a,b\n1,2\n");
    sandbox.write("weights.dat", [&b"\x89HDF\r\n\x1a\n"[..], &[0; 100]].concat());
    sandbox.write("scan", [&[0; 128][..], b"DICM", &[0; 10]].concat());
    sandbox.write(".env", "A=1\n");
    let token = ["ghp", "_", "0123456789abcdefABCDEF0123456789abcd"].concat();
    sandbox.write("conf.yaml", format!("ok: 1\ntoken: {token}\n"));
    sandbox.write("big.txt", "x\n".repeat(4 << 20));
    sandbox.write("model.pt", "p");
    symlink("/etc/passwd", sandbox.project().join("leads-out")).unwrap();
    symlink("src/a.py", sandbox.project().join("stays-in")).unwrap();
    sandbox.git(["init", "--quiet", "vault"]);
    sandbox.write("vault/n.md", "n\n");
    sandbox.git_in("project/vault", ["add", "."]);
    sandbox.git_in("project/vault", ["commit", "--quiet", "-m", "v"]);
    for n in 0..250 {
        sandbox.write(format!("out/{n}.txt"), "o\n");
    }
    pipe(&sandbox);
    let answer = sandbox.handover(["sync"]).expect(3);
    assert_eq!(committed(&sandbox), "README.md data/table.csv src/a.py stays-in", "{answer}");
    for (name, why) in [
        ("weights.dat", "HDF5"),
        ("scan", "DICOM"),
        (".env", "secrets"),
        ("conf.yaml", "line 2"),
        ("big.txt", "more than"),
        ("model.pt", "weights"),
        ("leads-out", "leads out"),
        ("vault", "another repository"),
        ("out", "250 new files"),
    ] {
        let line = answer.stdout().lines().find(|line| line.trim_start().starts_with(name));
        assert!(line.is_some_and(|line| line.contains(why)), "{name}: {why}\n{answer}");
    }
    assert!(!answer.stdout().contains(&token) && !answer.stderr().contains(&token));

    // Each refusal comes with the option that lets that one through.
    let _ = sandbox.handover(["sync", "--allow=model.pt", "--allow-secret=.env"]).expect(3);
    assert!(committed(&sandbox).contains(".env") && committed(&sandbox).contains("model.pt"));

    // Any number of files is not any kind of file.
    sandbox.write("out/late.pt", "p");
    let line = answer.stdout().lines().find(|line| line.trim_start().starts_with("out:")).unwrap();
    assert!(line.ends_with("to let it through: --many=out"), "{line}");
    let answer = sandbox.handover(["sync", "--many=out"]).expect(3);
    assert!(answer.stdout().contains("out/late.pt: weights"), "{answer}");
    assert!(committed(&sandbox).contains("out/249.txt") && !committed(&sandbox).contains("late.pt"));
}

#[test]
fn what_git_lfs_takes_may_be_large_and_weights_and_nothing_else() {
    let name = "what_git_lfs_takes_may_be_large_and_weights_and_nothing_else";
    let sandbox = with_remote();
    if sandbox.program("git", ["lfs", "version"]).run().code != 0 {
        skipped(name, "git-lfs is missing");
        return;
    }
    sandbox.git(["lfs", "install", "--local", "--force"]);
    sandbox.write(".gitattributes", "data/* filter=lfs diff=lfs merge=lfs -text\n");
    sandbox.commit("lfs");
    let token = ["ghp", "_", "0123456789abcdefABCDEF0123456789abcd"].concat();
    sandbox.write("data/big.pt", [b"\x89HDF\r\n\x1a\n".to_vec(), vec![7; 6 << 20]].concat());
    sandbox.write("data/notes.zip", [&b"PK\x03\x04 "[..], &[0; 40], token.as_bytes()].concat());
    sandbox.write("data/scan", [&[0; 128][..], b"DICM", &[0; 10]].concat());
    sandbox.write("data/scan.dcm", "x");
    sandbox.write("data/.env", "A=1\n");
    symlink("/etc/passwd", sandbox.project().join("data/out")).unwrap();
    let answer = sandbox.handover(["sync", "--dry-run"]).expect(0);
    assert!(
        answer.stdout().contains("+ data/big.pt") && answer.stdout().contains("data/scan.dcm:"),
        "{answer}"
    );
    assert!(!answer.stdout().contains("+ data/.env"), "{answer}");
    let answer = sandbox.handover(["sync"]).expect(3);
    assert_eq!(committed(&sandbox), ".gitattributes README.md data/big.pt", "{answer}");
    assert!(sandbox.git(["cat-file", "blob", "HEAD:data/big.pt"]).starts_with("version https://git-lfs"));
    for (file, why) in [
        ("notes.zip", "github"),
        ("scan", "DICOM"),
        ("scan.dcm", "medical"),
        (".env", "secrets"),
        ("out", "leads out"),
    ] {
        let line =
            answer.stdout().lines().find(|line| line.trim_start().starts_with(&format!("data/{file}:")));
        assert!(line.is_some_and(|line| line.contains(why)), "{file}: {why}\n{answer}");
    }
    // An attribute alone makes no pointer: where no filter stands behind it, git would store all of it.
    sandbox.git(["config", "--remove-section", "filter.lfs"]);
    sandbox.write("data/second.pt", vec![7; 6 << 20]);
    let answer = sandbox.handover(["sync"]).expect(3);
    assert!(!committed(&sandbox).contains("second.pt"), "{answer}");
}

#[test]
fn of_a_large_tree_exactly_what_is_wanted_is_committed() {
    let name = "of_a_large_tree_exactly_what_is_wanted_is_committed";
    let files = if proofs_are_full() { 10_000 } else { 1_000 };
    let sandbox = with_remote();
    let torch = [&b"PK\x03\x04"[..], &[0; 22], &[16, 0, 0, 0], b"archive/data.pkl", &[0; 40]].concat();
    let header = b"{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]}}";
    let safetensors = [&(header.len() as u64).to_le_bytes()[..], header].concat();
    let dicom = [&[0; 128][..], b"DICM", &[0; 10]].concat();
    let mut unwanted = Vec::new();
    for n in 0..files {
        let folder = format!("src/part{:02}", n / 100);
        sandbox.write(format!("{folder}/f{n}.py"), format!("value = {n}\n"));
        if n % 100 == 50 {
            let bad: [(&str, &[u8]); 5] = [
                ("notes.txt", &torch),
                ("table.csv", &safetensors),
                ("readme", &dicom),
                (".env", b"TOKEN=1\n"),
                ("values.txt", b"\x93NUMPY\x01\x00"),
            ];
            for (name, bytes) in bad {
                sandbox.write(format!("{folder}/{name}"), bytes);
                unwanted.push(format!("{folder}/{name}"));
            }
            let _ = sandbox.program("mkfifo", [format!("{folder}/pipe")]).run().expect(0);
        }
        if n % 500 == 0 {
            sandbox.git(["init", "--quiet", &format!("{folder}/vault")]);
            sandbox.write(format!("{folder}/vault/n.md"), "n\n");
            sandbox.commit_in(sandbox.project().join(format!("{folder}/vault")), "v");
            unwanted.push(format!("{folder}/vault/"));
        }
    }
    let answer = sandbox.handover(["sync", "--many=src", "--json"]).expect(3);
    let data = answer.data();
    let mut refused: Vec<&str> =
        data["refused"].as_array().unwrap().iter().map(|one| one["path"].as_str().unwrap()).collect();
    refused.sort_unstable();
    unwanted.sort_unstable();
    assert_eq!(refused, unwanted);
    let listed = sandbox.git(["ls-tree", "-r", "HEAD"]);
    assert_eq!(listed.lines().filter(|line| line.ends_with(".py")).count(), files);
    assert_eq!(listed.lines().count(), files + 1, "and README.md");
    assert!(!listed.contains("160000") && !sandbox.git(["ls-files", "-s"]).contains("160000"));
    figure(&format!("{name}: {files} files committed, {} of {} refused", refused.len(), unwanted.len()));
}

/// A pipe with a name: git does not list it, and nobody may wait for it.
fn pipe(sandbox: &Sandbox) {
    let _ = sandbox.program("mkfifo", ["pipe"]).run().expect(0);
}

#[test]
fn a_branch_cannot_bring_the_permission_for_its_own_secrets() {
    let sandbox = with_remote();
    sandbox.write(".handover.yaml", "sync:\n  allow: ['*.pt']\n  allow_secrets: ['**']\n");
    sandbox.write(".env", "A=1\n");
    sandbox.write("m.pt", "m");
    let _ = sandbox.handover(["sync"]).expect(3);
    assert_eq!(committed(&sandbox), ".handover.yaml README.md m.pt");
    fs::create_dir_all(sandbox.project().join(".git/handover")).unwrap();
    sandbox.write(".git/handover/config.yaml", "sync: {allow_secrets: ['.env']}\n");
    let _ = sandbox.handover(["sync"]).expect(0);
    assert_eq!(committed(&sandbox), ".env .handover.yaml README.md m.pt");
}

#[test]
fn many_deletions_at_once_are_taken_for_an_accident() {
    let sandbox = with_remote();
    for n in 0..150 {
        sandbox.write(format!("src/{n}.py"), "x\n");
    }
    sandbox.commit("many");
    fs::remove_dir_all(sandbox.project().join("src")).unwrap();
    let answer = sandbox.handover(["sync"]).expect(3);
    assert!(answer.stdout().contains("150 files are gone"), "{answer}");
    assert!(answer.stdout().contains("to let it through: --deletions"), "{answer}");
    assert!(committed(&sandbox).contains("src/149.py"));
    let answer = sandbox.handover(["sync", "--allow=**"]).expect(3);
    assert!(committed(&sandbox).contains("src/149.py"), "a kind of file is no deletion: {answer}");
    let _ = sandbox.handover(["sync", "--deletions"]).expect(0);
    assert_eq!(committed(&sandbox), "README.md");
}
