//! `handover start`: worktrees for features, on every layout that git has.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::support::{Answer, Sandbox};

/// Starts a feature from the project and returns its worktree.
#[track_caller]
fn start(sandbox: &Sandbox, args: &[&str]) -> (Answer, PathBuf) {
    let answer = sandbox.handover([&["start"], args].concat()).expect(0);
    let path = PathBuf::from(answer.last_line());
    assert!(path.is_dir(), "{answer}");
    (answer, path)
}

fn is_clean(sandbox: &Sandbox, dir: &Path) -> bool {
    sandbox.git_in(dir, ["status", "--porcelain", "--untracked-files=all"]).is_empty()
}

#[test]
fn start_makes_branch_worktree_links_and_context() {
    let sandbox = Sandbox::new();
    sandbox.write(".gitignore", ".env\ndata/\n__pycache__/\n");
    sandbox.commit("ignore");
    sandbox.write(".env", "SECRET=1");
    sandbox.write("data/x", "x");
    sandbox.write("checkpoints/y", "y");
    sandbox.write("README.md", "changed");
    let (answer, path) = start(&sandbox, &["lr-schedule", "--focus", "halve the rate"]);
    insta::assert_snapshot!(answer.to_string());
    assert_eq!(path, sandbox.root().join("project.lr-schedule"));
    assert_eq!(fs::read_link(path.join(".env")).unwrap(), Path::new("../project/.env"));
    assert_eq!(fs::read_link(path.join("data")).unwrap(), Path::new("../project/data"));
    assert!(!path.join("checkpoints").exists());
    assert!(is_clean(&sandbox, &path));
    assert!(fs::read_to_string(path.join("CLAUDE.md")).unwrap().contains("`halve the rate`"));
    assert_eq!(sandbox.read("README.md"), "changed");
    let listed = sandbox.git(["worktree", "list", "--porcelain"]);
    assert!(
        listed.contains("locked managed by handover; instead run: handover remove lr-schedule"),
        "{listed}"
    );
    let refused = sandbox.program("git", ["worktree", "remove", path.to_str().unwrap()]).run().expect(128);
    assert!(refused.stderr().contains("handover remove lr-schedule"), "{refused}");
    assert!(!sandbox.git(["config", "--list", "--local"]).contains("branch."), "no tracking is set up");
}

#[test]
fn starting_twice_takes_what_is_there() {
    let sandbox = Sandbox::new();
    let (_, first) = start(&sandbox, &["a"]);
    fs::write(first.join("new"), "mine").unwrap();
    let (answer, second) = start(&sandbox, &["a", "--base", "main"]);
    assert_eq!(first, second);
    assert!(answer.stdout().contains("worktree there already"), "{answer}");
    assert!(answer.stdout().contains("--base and --path have no effect"), "{answer}");
    assert_eq!(fs::read_to_string(first.join("new")).unwrap(), "mine");
}

#[test]
fn a_branch_and_a_worktree_made_by_git_are_taken_as_they_are() {
    let sandbox = Sandbox::new();
    sandbox.git(["branch", "old"]);
    let (answer, path) = start(&sandbox, &["old"]);
    assert!(answer.stdout().contains("the branch is there already"), "{answer}");
    assert_eq!(sandbox.git_in(&path, ["branch", "--show-current"]), "old");

    let theirs = sandbox.worktree("theirs");
    let (answer, path) = start(&sandbox, &["theirs"]);
    assert_eq!(path, theirs);
    assert!(answer.stdout().contains("worktree there already"), "{answer}");
    assert!(path.join("CLAUDE.md").exists());
}

#[test]
fn the_upstream_is_the_base_where_it_is_strictly_ahead_and_nothing_is_fetched() {
    let sandbox = Sandbox::new();
    let remote = sandbox.root().join("remote.git");
    sandbox.git(["clone", "-q", "--bare", ".", remote.to_str().unwrap()]);
    sandbox.git(["remote", "add", "origin", remote.to_str().unwrap()]);
    sandbox.git(["fetch", "-q"]);
    sandbox.git(["branch", "-q", "--set-upstream-to=origin/main"]);
    assert!(start(&sandbox, &["same"]).0.stdout().contains("from main,"));

    sandbox.write("b", "b");
    let ahead = sandbox.commit("second");
    sandbox.git(["push", "-q", "origin", "main"]);
    sandbox.git(["reset", "-q", "--hard", "HEAD^"]);
    let (answer, path) = start(&sandbox, &["ahead"]);
    assert!(answer.stdout().contains("origin/main is ahead of main, so it starts from there"), "{answer}");
    assert_eq!(sandbox.git_in(&path, ["rev-parse", "HEAD"]), ahead);
    // No upstream of its own: a push would go to the wrong branch.
    assert!(sandbox.git_in(&path, ["for-each-ref", "--format=%(upstream)", "refs/heads/ahead"]).is_empty());

    sandbox.write("c", "c");
    let mine = sandbox.commit("third");
    let (answer, path) = start(&sandbox, &["apart"]);
    assert!(answer.stdout().contains("main and origin/main have diverged; it starts from main"), "{answer}");
    assert_eq!(sandbox.git_in(&path, ["rev-parse", "HEAD"]), mine);
}

#[test]
fn sixteen_starts_at_once_all_succeed() {
    let sandbox = Sandbox::new();
    let answers: Vec<Answer> = std::thread::scope(|threads| {
        let runs: Vec<_> = (0..16)
            // Every other one wants the same feature.
            .map(|at| if at % 2 == 0 { "same".to_owned() } else { format!("own/{at}") })
            .map(|feature| {
                threads.spawn({
                    let sandbox = &sandbox;
                    move || sandbox.handover(["start", &feature])
                })
            })
            .collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    for answer in &answers {
        assert_eq!(answer.code, 0, "{answer}");
        let path = Path::new(answer.last_line());
        assert!(path.join("README.md").exists(), "{answer}");
        assert!(path.join("CLAUDE.md").exists(), "{answer}");
        let differs = sandbox.git_in(path, ["status", "--porcelain", "--untracked-files=all"]);
        assert_eq!(differs, "", "{answer}");
    }
    assert_eq!(answers.iter().filter(|answer| answer.stdout().contains("worktree made")).count(), 9);
    assert_eq!(sandbox.git(["worktree", "list"]).lines().count(), 10);
    assert_eq!(sandbox.tree(".git/handover/worktrees").len(), 9);
    assert!(!sandbox.exists(".git/handover/lock"));
}

#[test]
fn hostile_names_are_names_or_are_refused() {
    let sandbox = Sandbox::new();
    for name in [
        "a b",
        "x..y",
        "HEAD",
        "@",
        "a~1",
        "",
        "a\nb",
        "a\u{1b}[31mb",
        "refs/heads/x.lock",
        "0123456789012345678901234567890123456789",
        "@{-1}",
    ] {
        let answer = sandbox.handover(["start", name]).expect(2);
        assert!(!answer.bytes().contains(&0x1b), "{answer}");
    }
    let _ = sandbox.call(["start", "--", "-D"]).run().expect(2);
    for name in [
        "$(touch pwned)",
        "a;b",
        "`id`",
        "'\"",
        "<!--x-->",
        "träining/訓練",
        "a/b",
        "a-b",
        "evil\u{202e}gnp",
        "(HEAD)",
    ] {
        let name = name.replace(' ', "_");
        let (answer, path) = start(&sandbox, &[&name]);
        assert_eq!(sandbox.git_in(&path, ["branch", "--show-current"]), name);
        assert!(!answer.stdout().contains('\u{202e}'));
        assert!(is_clean(&sandbox, &path));
        assert!(sandbox.handover(["start", &name]).expect(0).stdout().contains("there already"));
    }
    let long = "x".repeat(240);
    assert!(start(&sandbox, &[&long]).1.ends_with(format!("project.{}", "x".repeat(80))));
    assert!(!sandbox.root().join("pwned").exists() && !sandbox.exists("pwned"));
}

#[test]
fn directories_with_odd_names_are_fine() {
    let sandbox = Sandbox::empty();
    for name in [&b"with space"[..], b"-dash", b"qu'ote\"", b"non\xffutf8", b"star*[x]"] {
        let name = std::ffi::OsStr::from_bytes(name);
        let dir = sandbox.root().join(name);
        let _ = sandbox
            .program("git", ["init".as_ref(), "-q".as_ref(), "--".as_ref(), dir.as_os_str()])
            .run()
            .expect(0);
        sandbox.commit_in(&dir, "first");
        let _ = sandbox.handover_in(&dir, ["start", "f"]).expect(0);
        let listed = sandbox.program("git", ["worktree", "list", "--porcelain"]).dir(&dir).run().bytes();
        assert!(String::from_utf8_lossy(&listed).contains("branch refs/heads/f"));
        let _ = sandbox.handover_in(&dir, ["start", "f"]).expect(0);
    }
    let dir = sandbox.repository("plain");
    let _ = sandbox.handover_in(&dir, ["start", "f", "--path", "../new\nline"]).expect(5);
    let _ = sandbox.handover_in(&dir, ["start", "f", "--path", "../-x y"]).expect(0);
    assert!(sandbox.root().join("-x y/README.md").exists());
}

#[test]
fn what_is_in_the_way_is_left_alone() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.root().join("there")).unwrap();
    fs::write(sandbox.root().join("there/file"), "x").unwrap();
    let _ = sandbox.handover(["start", "f", "--path", "../there"]).expect(5);
    assert_eq!(sandbox.git(["branch", "--list", "f"]), "");
    // The template's place is taken: another one is found.
    fs::create_dir(sandbox.root().join("project.f")).unwrap();
    fs::write(sandbox.root().join("project.f/file"), "x").unwrap();
    let (_, path) = start(&sandbox, &["f"]);
    assert!(path.to_str().unwrap().contains("project.f-"), "{}", path.display());

    let _ = sandbox.handover(["start", "g", "--base", "nonsense"]).expect(4);
    let _ = sandbox.handover(["start", "main"]).expect(5);
    // A branch `f` leaves no room for `f/x`; nothing stays behind.
    let before = (sandbox.git(["for-each-ref"]), sandbox.tree(".git/handover/worktrees"));
    let _ = sandbox.handover(["start", "f/x"]).expect(7);
    assert_eq!((sandbox.git(["for-each-ref"]), sandbox.tree(".git/handover/worktrees")), before);
    assert_eq!(sandbox.git(["worktree", "list"]).lines().count(), 2);
}

#[test]
fn a_failed_checkout_takes_away_what_it_made_and_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.git(["config", "filter.bad.smudge", "false"]);
    sandbox.git(["config", "filter.bad.required", "true"]);
    sandbox.git(["config", "filter.bad.clean", "cat"]);
    sandbox.write(".gitattributes", "*.bin filter=bad\n");
    sandbox.write("x.bin", "x");
    sandbox.commit("filtered");
    sandbox.git(["branch", "kept"]);
    let _ = sandbox.handover(["start", "kept"]).expect(7);
    let _ = sandbox.handover(["start", "new"]).expect(7);
    assert_eq!(sandbox.git(["for-each-ref", "--format=%(refname)"]), "refs/heads/kept\nrefs/heads/main");
    assert_eq!(sandbox.git(["worktree", "list"]).lines().count(), 1);
    assert!(!sandbox.root().join("project.new").exists());
    assert!(sandbox.tree(".git/handover/worktrees").is_empty());
}

#[test]
fn a_start_that_was_cut_short_is_gone_on_with() {
    let sandbox = Sandbox::new();
    let (_, path) = start(&sandbox, &["f"]);
    let own = sandbox.project().join(".git/worktrees/project.f");
    let entries = sandbox.tree(".git/handover/worktrees");
    let entry = format!(".git/handover/worktrees/{}", entries[0]);
    let unfinished = sandbox.read(&entry).replace("\"ready\": true", "\"ready\": false");

    // Killed while the files were checked out.
    sandbox.write(&entry, &unfinished);
    fs::rename(own.join("index"), own.join("index.lock")).unwrap();
    fs::remove_file(path.join("README.md")).unwrap();
    assert_eq!(start(&sandbox, &["f"]).1, path);
    assert!(path.join("README.md").exists() && is_clean(&sandbox, &path));

    // Killed before the worktree had its id and our lock.
    sandbox.write(&entry, &unfinished);
    for name in ["handover-id", "index"] {
        fs::remove_file(own.join(name)).unwrap();
    }
    fs::write(own.join("locked"), "initializing\n").unwrap();
    assert_eq!(start(&sandbox, &["f"]).1, path);
    assert!(is_clean(&sandbox, &path));
    assert!(fs::read_to_string(own.join("locked")).unwrap().contains("handover remove f"));

    // Killed before there was a worktree at all.
    sandbox.write(&entry, unfinished.replace("\"f\"", "\"g\""));
    fs::remove_file(own.join("handover-id")).unwrap();
    let _ = start(&sandbox, &["g"]);
    assert_eq!(sandbox.tree(".git/handover/worktrees"), entries);
}

#[test]
fn files_are_checked_out_by_git_itself_with_filters_and_hooks() {
    let sandbox = Sandbox::new();
    sandbox.git(["config", "filter.up.smudge", "tr a-z A-Z"]);
    sandbox.git(["config", "filter.up.clean", "tr A-Z a-z"]);
    sandbox.write(".gitattributes", "*.big filter=up\n");
    sandbox.write("x.big", "pointer");
    sandbox.commit("filtered");
    let hook = sandbox.write(".git/hooks/post-checkout", "#!/bin/sh\necho \"$1 $3\" >.hook; pwd >>.hook\n");
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let (_, path) = start(&sandbox, &["f"]);
    assert_eq!(fs::read_to_string(path.join("x.big")).unwrap(), "POINTER");
    let ran = fs::read_to_string(path.join(".hook")).unwrap();
    assert_eq!(ran, format!("{} 1\n{}\n", "0".repeat(40), path.display()));

    fs::write(&hook, "#!/bin/sh\necho no >&2; exit 3\n").unwrap();
    let (answer, path) = start(&sandbox, &["g"]);
    assert!(answer.stdout().contains("the post-checkout hook ended with 3: no"), "{answer}");
    assert!(path.join("README.md").exists());
}

#[test]
fn sparse_checkouts_and_worktree_settings_are_inherited() {
    let sandbox = Sandbox::new();
    sandbox.write("in/a", "a");
    sandbox.write("out/b", "b");
    sandbox.commit("two");
    sandbox.git(["sparse-checkout", "set", "--cone", "in"]);
    assert_eq!(sandbox.git(["config", "extensions.worktreeConfig"]), "true");
    let (_, path) = start(&sandbox, &["f"]);
    assert!(path.join("in/a").exists() && !path.join("out").exists());
    assert!(is_clean(&sandbox, &path));
}

#[test]
fn submodules_are_left_to_git_and_said() {
    let sandbox = Sandbox::new();
    sandbox.repository("lib");
    sandbox.git(["submodule", "--quiet", "add", "../lib", "lib"]);
    sandbox.commit("submodule");
    let (answer, path) = start(&sandbox, &["f"]);
    assert!(answer.stdout().contains("git submodule update --init"), "{answer}");
    assert!(path.join("lib").is_dir() && is_clean(&sandbox, &path));
    // From within the submodule, its own repository is the one.
    let answer = sandbox.handover_in("project/lib", ["start", "g"]).expect(0);
    assert_eq!(sandbox.git_in(answer.last_line(), ["branch", "--show-current"]), "g");
}

#[test]
fn a_bare_repository_with_worktrees_is_as_good_as_any() {
    let sandbox = Sandbox::new();
    let top = sandbox.root().join("bare");
    fs::create_dir(&top).unwrap();
    sandbox.git(["clone", "-q", "--bare", ".", top.join(".bare").to_str().unwrap()]);
    fs::write(top.join(".git"), "gitdir: ./.bare\n").unwrap();
    sandbox.git_in(&top, ["worktree", "add", "-q", "main", "main"]);
    fs::write(top.join("main/.env"), "x").unwrap();
    let answer = sandbox.handover_in(top.join("main"), ["start", "f"]).expect(0);
    assert_eq!(Path::new(answer.last_line()), top.join("bare.f"));
    assert_eq!(fs::read_link(top.join("bare.f/.env")).unwrap(), Path::new("../main/.env"));
    assert!(is_clean(&sandbox, &top.join("bare.f")));
}

#[test]
fn a_sha256_repository_and_one_of_a_format_of_its_own_work() {
    let sandbox = Sandbox::empty();
    let dir = sandbox.root().join("long");
    sandbox.git_in(sandbox.root(), ["init", "-q", "--object-format=sha256", "long"]);
    sandbox.commit_in(&dir, "first");
    let _ = sandbox.handover_in(&dir, ["start", "f"]).expect(0);
    assert_eq!(sandbox.git_in("long.f", ["rev-parse", "HEAD"]).len(), 64);
    assert!(is_clean(&sandbox, &sandbox.root().join("long.f")));
}

#[test]
fn before_the_first_commit_there_is_nothing_to_start_from() {
    let sandbox = Sandbox::empty();
    sandbox.git_in(sandbox.root(), ["init", "-q", "unborn"]);
    let answer = sandbox.handover_in("unborn", ["start", "f"]).expect(4);
    assert!(answer.stderr().contains("git commit --allow-empty"), "{answer}");
}

#[test]
fn links_never_cover_tracked_or_private_paths_or_what_is_there() {
    let sandbox = Sandbox::new();
    sandbox.write(".handover.yaml", "worktrees:\n  share: [tracked, taken, .venv, env3, ../x, /etc, .git/config, checkpoints, deep/a, '!odd', 'st*r']\n");
    sandbox.write("tracked/in", "x");
    sandbox.write("pyproject.toml", "");
    sandbox.commit("settings");
    for path in [
        "tracked/out",
        "taken/x",
        ".venv/pyvenv.cfg",
        "env3/pyvenv.cfg",
        "checkpoints/y",
        "deep/a",
        "!odd",
        "st*r",
    ] {
        sandbox.write(path, "x");
    }
    let answer = sandbox.handover(["start", "f", "--json"]).expect(0);
    let data = answer.data();
    let shared = &data["shared"];
    assert_eq!(shared["links"], serde_json::json!(["taken", "deep/a", "!odd", "st*r"]), "{shared:#}");
    assert_eq!(shared["skipped"].as_array().unwrap().len(), 7, "{shared:#}");
    assert!(shared["environment"].as_str().unwrap().contains("python -m venv"));
    let path = sandbox.root().join("project.f");
    assert!(is_clean(&sandbox, &path));
    assert_eq!(fs::read_link(path.join("deep/a")).unwrap(), Path::new("../../project/deep/a"));

    // Our link was replaced by real work: it stays.
    fs::remove_file(path.join("taken")).unwrap();
    fs::create_dir(path.join("taken")).unwrap();
    fs::write(path.join("taken/result"), "x").unwrap();
    let (answer, _) = start(&sandbox, &["f"]);
    assert!(answer.stdout().contains("not shared: taken (something else is there already)"), "{answer}");
    assert!(path.join("taken/result").exists());
    // A link to somewhere else is not ours either.
    fs::remove_file(path.join("deep/a")).unwrap();
    symlink("/etc/hosts", path.join("deep/a")).unwrap();
    let _ = start(&sandbox, &["f"]);
    assert_eq!(fs::read_link(path.join("deep/a")).unwrap(), Path::new("/etc/hosts"));
}

#[test]
fn a_worktree_inside_another_is_hidden_from_it() {
    let sandbox = Sandbox::new();
    let (answer, path) = start(&sandbox, &["f", "--path", ".worktrees/f"]);
    assert!(answer.stdout().contains("it lies inside another worktree"), "{answer}");
    assert!(is_clean(&sandbox, &sandbox.project()) && is_clean(&sandbox, &path));
}

#[test]
fn a_worktree_whose_directory_cannot_be_seen_is_not_made_anew() {
    let sandbox = Sandbox::new();
    let (_, path) = start(&sandbox, &["f"]);
    fs::rename(&path, sandbox.root().join("unmounted")).unwrap();
    let answer = sandbox.handover(["start", "f"]).expect(5);
    assert!(answer.stderr().contains("cannot be seen from here"), "{answer}");
    sandbox.git(["worktree", "list"]);
    assert!(sandbox.exists(".git/worktrees/project.f"));
}

#[test]
fn a_dry_run_makes_nothing() {
    let sandbox = Sandbox::new();
    let before = sandbox.tree(".git");
    let answer = sandbox.handover(["start", "f", "--dry-run"]).expect(0);
    assert!(answer.last_line().ends_with("/project.f"));
    assert_eq!(sandbox.tree(".git"), before);
    assert!(!Path::new(answer.last_line()).exists());
}

#[test]
fn settings_of_the_branch_lead_no_worktree_astray() {
    let sandbox = Sandbox::new();
    for (path, code) in
        [("../../../etc/x-{feature}", 2), ("/etc/x-{feature}", 2), (".git/{feature}", 5), ("{feature}", 5)]
    {
        sandbox.write(".handover.yaml", format!("worktrees:\n  path: \"{path}\"\n"));
        let answer = sandbox.handover(["start", "astray"]);
        assert_eq!(answer.code, code, "{path}: {answer:?}");
        assert_eq!(sandbox.git(["branch", "--list", "astray"]), "", "{path}");
    }
    for name in ["refs/heads/x".to_owned(), "x".repeat(300)] {
        let _ = sandbox.handover(["start", &name]).expect(2);
    }
}
