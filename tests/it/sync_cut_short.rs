//! A sync is killed while it moves files of every kind, and the next one ends the move.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use crate::support::Sandbox;

/// The other side has changed a link, a mode, a submodule's commit, and put a folder in place of a file.
fn behind() -> Sandbox {
    let sandbox = Sandbox::new();
    let root = sandbox.root().to_owned();
    sandbox.git_in(&root, ["init", "--quiet", "--bare", "origin.git"]);
    sandbox.write("kept.py", "1\n");
    sandbox.write("doc", "a file\n");
    sandbox.write("tool.sh", "true\n");
    sandbox.write("both.sh", "true\n");
    symlink("kept.py", sandbox.project().join("link")).unwrap();
    symlink("nowhere", sandbox.project().join("broken")).unwrap();
    fs::create_dir(sandbox.project().join("sub")).unwrap();
    submodule_at(&sandbox, &sandbox.project(), "1");
    sandbox.commit("base");
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["push", "--quiet", "--set-upstream", "origin", "main"]);
    sandbox.git_in(&root, ["clone", "--quiet", "origin.git", "other"]);
    let other = root.join("other");
    for name in ["link", "broken"] {
        fs::remove_file(other.join(name)).unwrap();
        symlink(format!("{name}-elsewhere"), other.join(name)).unwrap();
    }
    fs::set_permissions(other.join("tool.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(other.join("both.sh"), "false\n").unwrap();
    fs::set_permissions(other.join("both.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::remove_file(other.join("doc")).unwrap();
    fs::create_dir(other.join("doc")).unwrap();
    fs::write(other.join("doc/index.md"), "a folder\n").unwrap();
    submodule_at(&sandbox, &other, "2");
    sandbox.commit_in(&other, "theirs");
    sandbox.git_in(&other, ["push", "--quiet"]);
    sandbox
}

fn submodule_at(sandbox: &Sandbox, dir: &Path, digit: &str) {
    let entry = format!("160000,{},sub", digit.repeat(40));
    sandbox.git_in(dir, ["update-index", "--add", "--cacheinfo", &entry]);
}

/// Puts a git before the real one that moves the files, keeps the index as it was if told so, and
/// takes the program that called it with it.
fn killed_in_the_move(sandbox: &Sandbox, moves_the_index: bool) {
    let real = fs::canonicalize(sandbox.root().join("tools/git")).unwrap();
    let real = real.display();
    let index = sandbox.project().join(".git/index");
    let index = index.display();
    let keep = if moves_the_index { "" } else { "export GIT_INDEX_FILE=$copy;" };
    let script = format!(
        "#!/bin/bash\nfor word in \"$@\"; do if [ \"$word\" = -u ]; then\n\
         copy=$TMPDIR/index.copy; cp {index} $copy; {keep} {real} \"$@\"; rm -f $copy; kill -9 $PPID; exit 1\n\
         fi; done\nexec {real} \"$@\"\n"
    );
    let path = sandbox.root().join("bin/git");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = sandbox.handover(["sync"]).expect(137);
    fs::remove_file(path).unwrap();
}

#[test]
fn a_move_of_links_modes_and_submodules_that_was_cut_short_is_ended() {
    for moves_the_index in [false, true] {
        let sandbox = behind();
        killed_in_the_move(&sandbox, moves_the_index);
        let answer = sandbox.handover(["sync"]).expect(0);
        assert!(answer.stdout().contains("an earlier sync was cut short; it was ended first"), "{answer}");
        assert_eq!(sandbox.git(["status", "--porcelain"]), "", "{answer}");
        assert_eq!(sandbox.git(["rev-parse", "HEAD"]), sandbox.git(["rev-parse", "origin/main"]));
        let link = |name: &str| fs::read_link(sandbox.project().join(name)).unwrap();
        assert_eq!(link("link"), Path::new("link-elsewhere"));
        assert_eq!(link("broken"), Path::new("broken-elsewhere"));
        assert!(sandbox.git(["ls-files", "-s", "sub"]).contains(&"2".repeat(40)));
        assert_eq!(sandbox.read("doc/index.md"), "a folder\n");
    }
}

#[test]
fn a_link_or_a_mode_that_somebody_changed_since_stops_the_end_of_the_move() {
    let sandbox = behind();
    killed_in_the_move(&sandbox, false);
    let link = sandbox.project().join("link");
    fs::remove_file(&link).unwrap();
    symlink("mine", &link).unwrap();
    fs::set_permissions(sandbox.project().join("both.sh"), fs::Permissions::from_mode(0o644)).unwrap();
    let answer = sandbox.handover(["sync"]).expect(5);
    assert!(answer.stderr().contains("link") && answer.stderr().contains("both.sh"), "{answer}");
    assert!(!answer.stderr().contains("broken"), "{answer}");
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("mine"));
}

#[test]
fn a_git_that_dies_after_it_has_moved_the_branch_has_moved_it() {
    let sandbox = behind();
    sandbox.write("new.py", "n\n");
    sandbox.write("staged.py", "s\n");
    sandbox.git(["add", "staged.py"]);
    let real = fs::canonicalize(sandbox.root().join("tools/git")).unwrap();
    let script = format!(
        "#!/bin/bash\nfor word in \"$@\"; do if [ \"$word\" = update-ref ]; then {0} \"$@\"; kill -9 $$; fi; done\nexec {0} \"$@\"\n",
        real.display()
    );
    let path = sandbox.root().join("bin/git");
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = sandbox.handover(["sync"]).expect(0);
    fs::remove_file(path).unwrap();
    assert_eq!(sandbox.git(["status", "--porcelain"]), "A  staged.py");
    assert_eq!(sandbox.git(["rev-parse", "HEAD"]), sandbox.git(["rev-parse", "origin/main"]));
    assert_eq!(sandbox.git(["for-each-ref", "refs/handover/replaced/main"]).lines().count(), 1);
}
