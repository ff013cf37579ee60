//! `paste`: lines that a phone can carry, and what is refused.

use std::path::PathBuf;

use crate::support::planted::Recorded;
use crate::support::{Answer, Sandbox};

#[test]
fn pull_and_submit_are_one_line_that_no_phone_rewrites() {
    let sandbox = Sandbox::new();
    sandbox.write("train.sh", "#!/bin/bash\n");
    sandbox.commit("Train");
    let answer = sandbox.handover(["paste", "pull", "submit:train.sh"]).expect(0);
    assert_eq!(answer.stdout(), "cd ~/project && git -c pull.ff=only pull && sbatch train.sh\n");
    assert_eq!(answer.stderr(), "");
    sandbox.write("uv.lock", "");
    let answer = sandbox.handover(["paste", "pull", "submit:train.sh"]).expect(0);
    assert_eq!(answer.stdout(), "cd ~/project && git -c pull.ff=only pull && uv sync && sbatch train.sh\n");
    sandbox.write(".handover.yaml", "paste:\n  project: /scratch/ann/my project\n  environment: make env\n");
    let answer = sandbox.handover(["paste", "pull"]).expect(0);
    assert_eq!(answer.stdout(), "cd /scratch/ann/my\\ project && git -c pull.ff=only pull && make env\n");
}

#[test]
fn a_command_goes_as_its_words_or_as_a_line_of_shell() {
    let sandbox = Sandbox::new();
    let line = |words: &[&str]| {
        let answer = sandbox.handover([&["paste", "--"], words].concat()).expect(0);
        answer.stdout().trim_end_matches('\n').to_owned()
    };
    assert_eq!(
        line(&["sbatch", "--array=3,7", "it's.sh"]),
        r"cd ~/project && sbatch -\-array=3,7 it$(printf \\047)s.sh"
    );
    assert_eq!(line(&["tail -n 5 logs/*.out | head"]), "cd ~/project && tail -n 5 logs/*.out | head");
    assert_eq!(line(&["a; b || c"]), "cd ~/project && { a; b || c; }");
    assert_eq!(line(&["echo", "end."]), r"cd ~/project && echo end$(printf \\056)");
    let asked = sandbox.handover(["paste", "--", "conda", "install", "numpy"]).expect(0);
    assert_eq!(asked.stdout(), "cd ~/project && conda install -y numpy\n");
    assert!(asked.stderr().contains("-y is put in"), "{asked}");
}

#[test]
fn what_must_not_be_carried_is_refused_with_a_way_out() {
    let sandbox = Sandbox::new();
    for (words, reason) in [
        (&["rm", "-rf", "/data"][..], "outside of the project"),
        (&["scancel", "-u", "ann"], "by whose they are"),
        (&["vim", "train.py"], "waits for somebody"),
        (&["echo", "a\nb"], "U+000A"),
        (&["echo", "a\x1b[31m"], "U+001B"),
        (&["echo", "a\tb"], "a tab"),
        (&["export HF_TOKEN=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"], "a secret"),
        (&["echo 'a"], "has no end"),
        (&["cat <<X"], "more than this program can read"),
        (&[""], "nothing"),
    ] {
        let refused = sandbox.handover([&["paste", "--"], words].concat()).expect(5);
        assert_eq!(refused.stdout(), "", "{words:?}");
        assert!(
            refused.stderr().contains(reason) && refused.stderr().contains("hint: "),
            "{words:?}: {refused}"
        );
        assert!(!refused.stderr().contains("hf_Qm"), "{refused}");
    }
    let _ = sandbox.handover(["paste"]).expect(2);
    let _ = sandbox.handover(["paste", "fly"]).expect(2);
    let _ = sandbox.handover(["paste", "submit:absent.sh"]).expect(2);
    let _ = sandbox.handover(["paste", "submit:../x.sh"]).expect(2);
}

#[test]
fn what_is_too_long_becomes_steps_and_what_needs_quotes_a_script() {
    let sandbox = Sandbox::new();
    sandbox.write(".handover.yaml", "paste: {longest: 110}\n");
    sandbox.write("a-script-with-a-name-of-some-length.sh", "");
    sandbox.commit("Script");
    let steps = "submit:a-script-with-a-name-of-some-length.sh";
    let answer = sandbox.handover(["paste", "pull", steps, steps, "--json"]).expect(0).data();
    let lines: Vec<&str> =
        answer["lines"].as_array().unwrap().iter().map(|line| line["text"].as_str().unwrap()).collect();
    let submit = "sbatch a-script-with-a-name-of-some-length.sh";
    assert_eq!(
        lines,
        [
            format!("cd ~/project && git -c pull.ff=only pull && {submit}"),
            format!("cd ~/project && {submit}")
        ]
    );
    let script = sandbox.handover(["paste", "--json", "--", "echo \"$HOME\" ''"]).expect(3).data();
    let path = script["script"]["path"].as_str().unwrap();
    assert_eq!(script["lines"][0]["text"], format!("cd ~/project && git -c pull.ff=only pull && sh {path}"));
    assert_eq!(script["script"]["is_committed"], false);
}

#[test]
fn a_line_that_somebody_wrote_is_looked_at() {
    let sandbox = Sandbox::new();
    let fine = sandbox.handover(["paste", "check", "cd ~/project && sbatch train.sh"]).expect(0);
    assert_eq!(fine.stdout(), "it can be pasted as it is\n");
    for (line, fault) in [
        ("cd ~/project && sbatch –array=3 train.sh", "an en dash (U+2013)"),
        ("cd ~/project && echo “a b”", "a curly double quote (U+201C)"),
        ("cd ~/project && sbatch\u{a0}train.sh", "does not break (U+00A0)"),
        ("cd ~/project && sbatch train\u{200b}.sh", "without width (U+200B)"),
        ("cd ~/project && ls a…", "an ellipsis (U+2026)"),
        ("cd ~/project && sbatch --array=3 x.sh", "two dashes"),
        ("sbatch train.sh", "does not begin with `cd`"),
        ("cd ~/project &&\nls", "it is 2 lines"),
        ("cd ~/project && sbatch –array=3 x.sh", "put right (dashes as they were typed"),
        ("cd ~/project && rm -rf /", "is refused"),
        ("cd ~/project && less x", "waits for somebody"),
        ("cd ~/project && echo 'a", "has no end"),
        ("cd ~/project && ls .", "a dot at the end"),
    ] {
        let answer = sandbox.handover(["paste", "check", line]);
        assert_ne!(answer.code, 0, "{line}");
        assert!(answer.stdout().contains(fault), "{line}: {answer}");
    }
    let long = format!("cd ~/project && echo {}", "x".repeat(500));
    assert!(
        sandbox.handover(["paste", "check", &long]).expect(1).stdout().contains("521 bytes long, and 500")
    );
    let piped = sandbox.call(["paste", "check", "-"]).stdin("cd ~/project && ls\n").run();
    assert_eq!(piped.expect(0).stdout(), "it can be pasted as it is\n");
}

#[test]
fn a_line_is_put_right_where_it_can_have_meant_one_thing_alone() {
    let sandbox = Sandbox::new();
    let answer = sandbox.handover(["paste", "check", "cd ~/project && sbatch –array=3 “a b.sh”"]).expect(3);
    assert_eq!(answer.last_line(), r"cd ~/project && sbatch -\-array=3 a\ b.sh");
    let answer = sandbox.handover(["paste", "check", "--json", "cd ~/project && rm –rf logs"]).expect(1);
    assert!(answer.data()["repaired"].is_null(), "{answer}");
}

/// A project with a remote, and its clone as it would be on a cluster, at `~/project`.
fn with_cluster(sandbox: &Sandbox) -> PathBuf {
    sandbox.use_path_of_this_machine();
    sandbox.git_in(sandbox.root(), ["clone", "--quiet", "--bare", "project", "origin.git"]);
    sandbox.git(["remote", "add", "origin", "../origin.git"]);
    sandbox.git(["fetch", "--quiet", "origin"]);
    sandbox.git(["branch", "--set-upstream-to", "origin/main"]);
    let there = sandbox.home().join("project");
    sandbox.git_in(sandbox.root(), ["clone", "--quiet", "origin.git", there.to_str().unwrap()]);
    there
}

/// What a login shell there makes of the only line of an answer.
fn paste(sandbox: &Sandbox, answer: &Answer) -> Answer {
    let line = answer.stdout().trim_end_matches('\n').to_owned();
    assert!(!line.contains('\n'), "{line}");
    let call = sandbox.program("bash", ["-c", &line]).dir("/");
    call.env("CLUSTER_SECONDS", "5").env("HOSTNAME", "login1").run()
}

#[test]
fn a_committed_script_runs_there_once_and_only_as_it_was_made() {
    let sandbox = Sandbox::new();
    let there = with_cluster(&sandbox);
    let words = ["paste", "--", "printf '%s\\n' \"$HOME\" '' 'it'\\''s' >>out"];
    let before = sandbox.handover(words).expect(3);
    assert!(before.stderr().contains("--commit"), "{before}");
    sandbox.write("staged.txt", "");
    sandbox.git(["add", "staged.txt"]);
    let made = sandbox.handover([&["paste", "--commit"], &words[1..]].concat()).expect(0);
    assert_eq!(made.stdout(), before.stdout());
    assert_eq!(sandbox.git(["status", "--porcelain"]), "A  staged.txt");
    sandbox.git(["push", "--quiet", "origin", "HEAD:main"]);
    let done = paste(&sandbox, &made).expect(0);
    assert!(done.stdout().lines().last().unwrap().ends_with(" ok"), "{done}");
    let out = || std::fs::read_to_string(there.join("out")).unwrap();
    let once = format!("{}\n\nit's\n", sandbox.home().display());
    assert_eq!(out(), once);
    assert!(paste(&sandbox, &made).expect(0).stdout().contains("was run before, status 0"));
    assert_eq!(out(), once);

    // What was changed, and what is of another repository, does nothing.
    let script = made.stdout().split_whitespace().last().unwrap().to_owned();
    let text = std::fs::read_to_string(there.join(&script)).unwrap();
    std::fs::write(there.join(&script), text.replace("it'", "at'")).unwrap();
    let changed = sandbox.program("sh", [script.as_str()]).dir(&there).run().expect(5);
    assert!(changed.stderr().contains("this file was changed"), "{changed}");
    let other = sandbox.repository("other");
    std::fs::create_dir_all(other.join(".handover/run")).unwrap();
    std::fs::write(other.join(&script), text).unwrap();
    let strange = sandbox.program("sh", [script.as_str()]).dir(&other).run().expect(5);
    assert!(strange.stderr().contains("not committed here"), "{strange}");
    assert_eq!(out(), once);
}

#[test]
fn a_snapshot_sends_logs_and_state_and_nothing_else() {
    let sandbox = Sandbox::new();
    sandbox.write("train.py", "");
    sandbox.commit("Train");
    let there = with_cluster(&sandbox);
    let line = sandbox.handover(["paste", "snapshot", "--commit"]).expect(0);
    assert!(
        line.stdout().starts_with("cd ~/project && git -c pull.ff=only pull && bash .handover/run/"),
        "{line}"
    );
    sandbox.git(["push", "--quiet", "origin", "main"]);

    let write = |path: &str, bytes: &[u8]| {
        let path = there.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    write("train.py", b"staged");
    sandbox.git_in(&there, ["add", "train.py"]);
    write("notes.txt", b"not a log");
    write("logs/a.out", b"loss 0.1\n");
    write("logs/we ird'$(touch pwned).out", b"loss 0.2\n");
    write("logs/new\nline.out", b"x");
    write("slurm-7.out", b"done\n");
    let token = concat!("hf_", "QmRzTbVxKpLdWsYgNcJhFaEuMiOtPqXvBw");
    let kept: [(&str, &[u8]); 12] = [
        ("logs/secret.out", token.as_bytes()),
        ("logs/url.out", b"git clone https://ann:s3cr3tpass@host/x"),
        ("logs/key.out", concat!("-----BEGIN OPENSSH PRIVATE", " KEY-----").as_bytes()),
        ("logs/assigned.out", b"WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567"),
        ("logs/model.pt", b"weights"),
        ("logs/innocent.out", b"PK\x03\x04\0\0\0\0"),
        ("logs/gz.out", b"\x1f\x8babc"),
        ("logs/image.dcm", b"DICM"),
        ("logs/.env", b"A=1"),
        ("logs/all.tar", b"x"),
        ("logs/big.out", &[b'x'; (2 << 20) + 1]),
        ("logs/inner/x", b"x"),
    ];
    for (path, bytes) in kept {
        write(path, bytes);
    }
    sandbox.git_in(&there, ["init", "--quiet", "logs/inner"]);
    sandbox.commit_in(there.join("logs/inner"), "Inner");
    std::os::unix::fs::symlink("/etc/passwd", there.join("logs/link.out")).unwrap();
    let _ = sandbox.program("mkfifo", ["logs/fifo"]).dir(&there).run().expect(0);

    let sent = paste(&sandbox, &line).expect(3);
    for (path, _) in kept.iter().take(11) {
        assert!(sent.stdout().contains(&format!("kept back: {path}: ")), "{path}: {sent}");
    }
    assert!(sent.stdout().contains("kept back: logs/link.out: a link"), "{sent}");
    assert!(sent.stdout().contains("kept back: logs/inner/: another repository"), "{sent}");
    let inside = ["-c", "core.quotePath=false", "ls-tree", "-r", "--name-only", "-z", "main"];
    let mut tree: Vec<String> =
        sandbox.git_in("origin.git", inside).split_terminator('\0').map(str::to_owned).collect();
    tree.retain(|path| !path.starts_with(".handover/") && path != "cluster_state.txt");
    assert_eq!(
        tree,
        [
            "README.md",
            "logs/a.out",
            "logs/new\nline.out",
            "logs/we ird'$(touch pwned).out",
            "slurm-7.out",
            "train.py"
        ]
    );
    assert_eq!(sandbox.git_in("origin.git", ["show", "main:train.py"]), "", "what is staged was sent");
    let status = sandbox.git_in(&there, ["status", "--porcelain", "--untracked-files=no"]);
    assert_eq!(status, "M  train.py");
    assert!(!there.join("pwned").exists() && sent.stdout().contains("handover snapshot ok "), "{sent}");
    let _ = sandbox.git_in("origin.git", ["fsck", "--strict"]);

    // Somebody else pushed meanwhile: fast-forward, then ours on top.
    sandbox.git(["pull", "--quiet"]);
    sandbox.write("theirs.txt", "");
    sandbox.commit("Theirs");
    sandbox.git(["push", "--quiet", "origin", "main"]);
    write("logs/b.out", b"more\n");
    let again = paste(&sandbox, &line).expect(3);
    assert!(again.stdout().contains("sent "), "{again}");
    let files = sandbox.git_in("origin.git", ["ls-tree", "-r", "--name-only", "main"]);
    assert!(files.contains("theirs.txt") && files.contains("logs/b.out"), "{files}");

    // Apart: to a branch of its own, and nothing is forced.
    let script = line.stdout().split_whitespace().last().unwrap().to_owned();
    sandbox.git(["pull", "--quiet"]);
    sandbox.commit("Theirs again");
    sandbox.git(["push", "--quiet", "origin", "main"]);
    let tip = sandbox.git_in("origin.git", ["rev-parse", "main"]);
    sandbox.git_in(&there, ["commit", "--quiet", "--message", "Local", "--", "train.py"]);
    write("logs/c.out", b"apart\n");
    let call = || {
        sandbox
            .program("bash", [script.as_str()])
            .dir(&there)
            .env("HOSTNAME", "login1")
            .env("CLUSTER_SECONDS", "5")
    };
    let apart = call().run().expect(6);
    assert!(apart.stdout().contains("parked/login1/main-"), "{apart}");
    assert_eq!(sandbox.git_in("origin.git", ["rev-parse", "main"]), tip);
    let parked = sandbox.git_in("origin.git", ["for-each-ref", "--format=%(refname)", "refs/heads/parked"]);
    assert!(sandbox.git_in("origin.git", ["ls-tree", "-r", "--name-only", &parked]).contains("logs/c.out"));

    // Nobody there: it is committed here.
    std::fs::rename(sandbox.root().join("origin.git"), sandbox.root().join("gone.git")).unwrap();
    let offline = call().run().expect(75);
    assert!(offline.stdout().contains("committed here as "), "{offline}");
    assert!(sandbox.git_in(&there, ["show", "--stat", "--format=", "HEAD"]).contains("logs/c.out"));
    sandbox.git_in(&there, ["merge-base", "--is-ancestor", "HEAD~1", "HEAD"]);
    std::fs::write(there.join(".git/MERGE_HEAD"), &tip).unwrap();
    assert!(call().run().expect(5).stderr().contains("MERGE_HEAD is there"));
}

#[test]
fn the_plan_of_a_sweep_becomes_lines() {
    let recorded = Recorded::new();
    let answer = |words: &[&str]| {
        let state = ["--cluster", "../cluster_state.txt"];
        recorded.sandbox.handover_in(&recorded.project, [&["paste", "resubmit"], words, &state].concat())
    };
    let named = answer(&["lrgrid"]);
    insta::assert_snapshot!("resubmit", named);
    // Nobody had to name it: no other sweep has failed tasks.
    assert_eq!(answer(&[]).stdout(), named.stdout());
    let _ = answer(&["absent"]).expect(4);
}

#[test]
fn a_line_is_drawn_for_the_camera_or_it_is_said_that_it_is_too_wide() {
    let sandbox = Sandbox::new();
    let drawn = sandbox.handover(["paste", "--qr", "--", "squeue"]).expect(0);
    let rows: Vec<&str> = drawn.stdout().lines().collect();
    assert_eq!(rows.last(), Some(&"cd ~/project && squeue"));
    let wide = rows[0].chars().count();
    assert!(
        rows.len() == wide.div_ceil(2) + 1
            && rows[..rows.len() - 1].iter().all(|row| row.chars().count() == wide)
    );
    // Four modules of quiet all around.
    assert!(rows[..2].iter().all(|row| row.chars().all(|c| c == '█')), "{drawn}");
    let coloured = sandbox.handover(["paste", "--qr", "--color", "always", "--", "squeue"]).expect(0);
    assert!(coloured.stdout().starts_with("\x1b[97;40m█"), "{coloured}");
    let dark = sandbox.handover(["paste", "--qr", "--inverted", "--", "squeue"]).expect(0);
    assert!(dark.stdout().starts_with("    "), "{dark}");
    let narrow = sandbox.call(["paste", "--qr", "--", "squeue", &"x".repeat(440)]).run().expect(0);
    assert!(narrow.stdout().contains("columns wide, and the terminal 80"), "{narrow}");
}

#[test]
fn the_only_cluster_of_the_settings_says_where_the_project_is() {
    let sandbox = Sandbox::new();
    let settings = |text: &str| {
        sandbox.write(".git/handover/config.yaml", text);
        sandbox.handover(["paste", "--", "ls"]).expect(0).stdout().to_owned()
    };
    let one = "remote:\n  profiles:\n    hpc: {kind: slurm, host: login, path: src/project}\n";
    assert_eq!(settings(one), "cd ~/src/project && ls\n");
    let two = format!("{one}    other: {{kind: slurm, host: login2, path: /work/project}}\n");
    assert_eq!(settings(&two), "cd ~/project && ls\n");
    assert_eq!(settings(&format!("{one}paste: {{project: /scratch/p}}\n")), "cd /scratch/p && ls\n");
}
