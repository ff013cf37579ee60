//! `paste`: lines that a phone can carry, and what is refused.

use crate::support::Sandbox;

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
