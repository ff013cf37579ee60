//! What a remote holds under our names is data of others: refused with a reason, and nothing of it kept.

use std::fs;
use std::path::Path;

use crate::between::{Machines, ends};

/// Makes an object at the remote; its id.
fn object(machines: &Machines, kind: &str, bytes: impl AsRef<[u8]>) -> String {
    let file = machines.sandbox.root().join("object");
    fs::write(&file, bytes).unwrap();
    let file = file.to_str().unwrap();
    machines.sandbox.git_in("origin.git", ["hash-object", "-t", kind, "-w", "--literally", file])
}

/// A commit with one entry in its tree.
fn parcel(machines: &Machines, mode: &str, name: &str, kind: &str, id: &str) -> String {
    let file = machines.sandbox.root().join("tree");
    fs::write(&file, format!("{mode} {kind} {id}\t{name}\n")).unwrap();
    let script = format!("git mktree --missing < '{}'", file.display());
    let tree =
        machines.sandbox.program("sh", ["-c", &script]).dir(machines.sandbox.root().join("origin.git"));
    let tree = tree.run().expect(0).stdout().trim().to_owned();
    commit(machines, &tree)
}

fn commit(machines: &Machines, tree: &str) -> String {
    let person = "x <x@x> 0 +0000";
    object(machines, "commit", format!("tree {tree}\nauthor {person}\ncommitter {person}\n\nx\n"))
}

fn docs(dir: &Path) -> usize {
    fs::read_dir(dir.join(".git/handover/docs")).map_or(0, |entries| entries.flatten().count())
}

#[test]
fn a_ref_that_holds_no_such_document_is_refused_and_nothing_is_kept() {
    let machines = Machines::new();
    let key = machines.published();
    let reference = format!("refs/handover/docs/{key}");
    let name = format!("{key}.md");
    let sealed = machines.sandbox.read(format!(".git/handover/docs/{key}.md"));
    let good = object(&machines, "blob", &sealed);
    let edited = object(&machines, "blob", sealed.replace("warm-up", "cool-down"));
    let huge = object(&machines, "blob", vec![b'x'; 5 << 20]);
    let link = object(&machines, "blob", "/etc/passwd");
    // Of no use to a compressor.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let noise: Vec<u8> = (0..12 << 17).flat_map(|_| next()).collect();
    let noise = object(&machines, "blob", noise);
    let main = machines.sandbox.git_in("origin.git", ["rev-parse", "main"]);
    let tag = machines.sandbox.git_in("origin.git", ["rev-parse", "main^{tree}"]);
    let bad = [
        ("a blob", good.clone(), "a commit belongs"),
        ("a tree", tag, "a commit belongs"),
        ("the project itself", main, "does not hold the one plain file"),
        ("a link", parcel(&machines, "120000", &name, "blob", &link), "does not hold the one plain file"),
        ("a program", parcel(&machines, "100755", &name, "blob", &good), "does not hold the one plain file"),
        (
            "another name",
            parcel(&machines, "100644", "x.md", "blob", &good),
            "does not hold the one plain file",
        ),
        ("a path", parcel(&machines, "100644", "..", "blob", &good), "does not hold the one plain file"),
        ("edited", parcel(&machines, "100644", &name, "blob", &edited), "do not prove the key"),
        ("huge", parcel(&machines, "100644", &name, "blob", &huge), "bytes"),
        ("too large for the disk", parcel(&machines, "100644", &name, "blob", &noise), "larger than"),
    ];
    for (what, id, why) in bad {
        machines.sandbox.git_in("origin.git", ["update-ref", &reference, &id]);
        for words in [["fetch", &key], ["resume", &key]] {
            let refused = machines.there(words).run();
            assert_eq!(refused.code, 8, "{what}: {refused}");
            assert!(refused.stderr().contains(why), "{what}: {refused}");
        }
        assert_eq!(docs(&machines.other), 0, "{what}");
        let incoming = machines.other.join(".git/handover/incoming");
        assert_eq!(fs::read_dir(incoming).map_or(0, |entries| entries.flatten().count()), 0, "{what}");
    }
    // And the good one once more.
    let id = parcel(&machines, "100644", &name, "blob", &good);
    machines.sandbox.git_in("origin.git", ["update-ref", &reference, &id]);
    let _ = ends(machines.there(["fetch", &key]), 0);
    assert_eq!(docs(&machines.other), 2);
    let wrong = "0".repeat(64);
    let _ = ends(machines.there(["fetch", &key, "--digest", &wrong]), 1);
}

#[test]
fn another_document_under_the_same_key_is_refused_and_neither_is_changed() {
    let machines = Machines::new();
    let key = machines.published();
    let _ = ends(machines.there(["fetch", &key]), 0);
    // One that is damaged there is not overwritten by what comes.
    let path = machines.other.join(format!(".git/handover/docs/{key}.md"));
    let other = machines.sandbox.read(&path).replace("warm-up", "cool-down");
    fs::remove_file(&path).unwrap();
    fs::write(&path, &other).unwrap();
    let refused = ends(machines.there(["fetch", &key]), 5);
    assert!(refused.stderr().contains("neither was changed"), "{refused}");
    assert_eq!(machines.sandbox.read(&path), other);
    // One that is at the remote is not either.
    let _ = fs::remove_file(&path);
    let blob = object(&machines, "blob", other);
    let id = parcel(&machines, "100644", &format!("{key}.md"), "blob", &blob);
    let reference = format!("refs/handover/docs/{key}");
    machines.sandbox.git_in("origin.git", ["update-ref", &reference, &id]);
    machines.sandbox.write(".git/handover/config.yaml", "");
    let synced = ends(machines.here(["sync", "--ask-again"]), 3);
    assert!(synced.stdout().contains(&format!("{key} is not published at origin")), "{synced}");
    assert_eq!(machines.sandbox.git_in("origin.git", ["rev-parse", &reference]), id);
}

#[test]
fn what_is_no_baton_is_never_taken_for_a_free_one() {
    let machines = Machines::new();
    let key = machines.published();
    let reference = format!("refs/handover/batons/{key}");
    let main = machines.sandbox.git_in("origin.git", ["rev-parse", "main"]);
    let junk = object(&machines, "blob", "{\"schema\":\"handover-baton/1\",\"claim\":[[[[");
    let newer = object(&machines, "blob", "{\"schema\":\"handover-baton/9\"}\n");
    for id in [
        main,
        parcel(&machines, "100644", "baton.json", "blob", &junk),
        parcel(&machines, "100644", "baton.json", "blob", &newer),
    ] {
        machines.sandbox.git_in("origin.git", ["update-ref", &reference, &id]);
        for words in [vec!["resume", &key], vec!["resume", &key, "--take-over"]] {
            let refused = ends(machines.there(words), 8);
            assert!(refused.stderr().contains("for the baton of"), "{refused}");
        }
        assert_eq!(machines.sandbox.git_in("origin.git", ["rev-parse", &reference]), id);
    }
}

#[test]
fn a_remote_with_very_many_refs_is_asked_all_the_same() {
    let machines = Machines::new();
    let key = machines.published();
    let origin = machines.sandbox.root().join("origin.git");
    let id = machines.sandbox.git_in("origin.git", ["rev-parse", &format!("refs/handover/docs/{key}")]);
    let main = machines.sandbox.git_in("origin.git", ["rev-parse", "main"]);
    let mut refs: Vec<(String, &str)> = (0..200_000u32)
        .map(|n| (format!("refs/handover/docs/HO-20250101-0101-{:08x}", n << 8), id.as_str()))
        .collect();
    refs.push((format!("refs/handover/docs/{key}"), &id));
    refs.push(("refs/heads/main".to_owned(), &main));
    refs.sort();
    let lines: String = refs.iter().map(|(name, id)| format!("{id} {name}\n")).collect();
    fs::write(origin.join("packed-refs"), format!("# pack-refs with: peeled fully-peeled sorted \n{lines}"))
        .unwrap();
    let _ = fs::remove_dir_all(origin.join("refs/handover"));
    let several = ends(machines.there(["fetch", "HO-2025"]), 4);
    assert!(several.stderr().contains("fits 200000 handovers at origin"), "{several}");
    assert!(several.stderr().len() < 2000, "{several}");
    let _ = ends(machines.there(["fetch", &key[..13]]), 0);
    let _ = ends(machines.there(["resume", &key, "--cluster", "none"]), 0);
}
