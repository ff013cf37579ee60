//! What `sweep`, `sweep plan` and `sweep report` know of the preflight of a sweep.

use crate::support::{Answer, Sandbox, schema};
use crate::watch::{accounting, queue, slurm};

/// Seconds since 1970 at the sandbox's first moment, 2026-11-21T03:41:00Z.
const T0: i64 = 1_795_232_460;
/// When the sweep was submitted: two hours later.
const SUBMITTED: &str = "2026-11-21T05:41:00Z";
const ROWS: [(&str, u32, &str, &str); 2] = [("8_0", 9, "COMPLETED", "0:0"), ("8_1", 10, "FAILED", "1:0")];

/// What Slurm says, as of two hours after the sandbox's first moment.
fn later(text: &str) -> String {
    [-100, -50, 50].into_iter().fold(text.to_owned(), |text, at| {
        text.replace(&(T0 + at).to_string(), &(T0 + 7_200 + (at + 100)).to_string())
    })
}

/// A project whose sweep `lr` was submitted when it was [`SUBMITTED`].
fn sandbox() -> Sandbox {
    let running = later(&queue(&[("8_2", 11, "RUNNING", "None")]));
    let (sandbox, ..) = slurm(&[running], &[later(&accounting(&ROWS))]);
    sandbox.write(".gitignore", "logs/\n");
    sandbox.write("train.sh", "#!/bin/bash\n#SBATCH -J lr\n#SBATCH --array=0-2\npython train.py\n");
    sandbox.write("train.py", "lr = 0.1\n");
    sandbox.write("notes.md", "to be done\n");
    sandbox.commit("The sweep");
    sandbox.advance("1h");
    sandbox
}

fn preflight(sandbox: &Sandbox) {
    drop(sandbox.handover(["sweep", "preflight", "train.sh", "--cluster", "none"]).expect(3));
}

fn asked(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(words.iter().chain(&["--cluster", "local"]))
}

/// What is said of the preflight, each thing in one line.
fn told(sandbox: &Sandbox, words: &[&str]) -> String {
    let answer = asked(sandbox, words);
    let whole = answer.stdout().replace("\n           ", " ");
    let own = |line: &&str| line.contains("preflight");
    sandbox.normalise(&whole.split_inclusive('\n').filter(own).collect::<String>())
}

#[test]
fn nothing_is_said_of_a_preflight_where_none_was_made() {
    let sandbox = sandbox();
    sandbox.set_now("2026-11-21T06:41:00Z");
    assert_eq!(told(&sandbox, &["sweep", "8"]), "");
    assert_eq!(told(&sandbox, &["sweep", "plan", "8"]), "");
}

#[test]
fn the_board_the_plan_and_the_report_tell_what_the_preflight_saw_and_from_what_else_it_was_submitted() {
    let sandbox = sandbox();
    preflight(&sandbox);
    sandbox.advance("30m");
    sandbox.write("train.py", "lr = 0.2\n");
    sandbox.commit("Another rate");
    sandbox.set_now("2026-11-21T06:41:00Z");
    sandbox.write("train.sh", "#!/bin/bash\n#SBATCH -J lr\n#SBATCH --array=0-2\npython train.py --new\n");
    insta::assert_snapshot!(
        [&["sweep", "8"][..], &["sweep", "plan", "8"], &["sweep", "report", "8"]]
            .map(|words| format!("$ handover {}\n{}", words.join(" "), told(&sandbox, words)))
            .concat()
    );
    for (words, name) in [
        (&["sweep", "8"][..], "sweep"),
        (&["sweep", "plan", "8"], "sweep-plan"),
        (&["sweep", "report", "8"], "sweep-report"),
    ] {
        let data = asked(&sandbox, &[words, &["--json"]].concat()).data();
        let wrong = schema::check(&schema::load(name), &data);
        assert!(wrong.is_empty(), "{words:?}: {wrong:?}");
        let seen = if name == "sweep" { &data["examined"]["preflight"] } else { &data["preflight"] };
        assert_eq!(seen["commits_since"], 1, "{seen}");
        assert_eq!(seen["script_changed"], true, "{seen}");
        assert_eq!(seen["departures"][0]["by"], "worktree", "{seen}");
        assert_eq!(seen["departures"][0]["files"], serde_json::json!(["train.py"]), "{seen}");
    }
}

#[test]
fn a_commit_that_changes_nothing_that_matters_is_no_finding() {
    let sandbox = sandbox();
    sandbox.write(".handover.yaml", "sweeps:\n  relevant: ['*.py']\n");
    preflight(&sandbox);
    sandbox.advance("30m");
    sandbox.write("notes.md", "done\n");
    sandbox.commit("Notes");
    sandbox.set_now("2026-11-21T06:41:00Z");
    let line = told(&sandbox, &["sweep", "8"]);
    assert!(line.contains("1 commit since") && !line.contains("look at"), "{line}");
}

#[test]
fn a_preflight_after_the_submission_is_said_to_be_one_and_an_earlier_one_comes_first() {
    let sandbox = sandbox();
    sandbox.set_now(SUBMITTED);
    sandbox.advance("30m");
    preflight(&sandbox);
    let line = told(&sandbox, &["sweep", "8"]);
    assert!(line.contains("after it was submitted"), "{line}");
    let sandbox = self::sandbox();
    preflight(&sandbox);
    sandbox.set_now("2026-11-21T06:11:00Z");
    sandbox.write("train.py", "lr = 0.3\n");
    sandbox.commit("For the next one");
    preflight(&sandbox);
    let line = told(&sandbox, &["sweep", "8"]);
    assert!(line.contains("1 commit since") && !line.contains("after it was"), "{line}");
}

#[test]
fn runs_that_recorded_another_commit_than_the_preflight_saw_are_a_finding() {
    let sandbox = sandbox();
    sandbox.write(".handover.yaml", "sweeps:\n  runs: ['runs/{task}']\n");
    preflight(&sandbox);
    let foreign = "00112233445566778899aabbccddeeff00112233";
    sandbox.write(
        "runs/1/wandb/run-20261121_054200-k3v9q1ab/files/wandb-metadata.json",
        format!("{{\"git\": {{\"commit\": \"{foreign}\"}}}}"),
    );
    sandbox.set_now("2026-11-21T06:41:00Z");
    let data = asked(&sandbox, &["sweep", "8", "--json"]).data();
    let found = &data["examined"]["preflight"]["departures"][0];
    assert_eq!((&found["by"], &found["commit"]), (&"tracker".into(), &foreign.into()), "{found}");
    let line = told(&sandbox, &["sweep", "8"]);
    assert!(line.contains("1 run recorded commit 0011223344"), "{line}");
}

#[test]
fn records_that_are_damaged_are_kept_and_said_and_preflights_at_once_are_all_recorded() {
    let sandbox = sandbox();
    let file = ".git/handover/sweeps/preflight.json";
    sandbox.write(file, "[{\"at\": ");
    sandbox.set_now("2026-11-21T06:41:00Z");
    let answer = asked(&sandbox, &["sweep", "8"]);
    assert!(answer.stdout().contains("what its preflight saw"), "{answer}");
    std::thread::scope(|threads| {
        (0..6).for_each(|_| drop(threads.spawn(|| preflight(&sandbox))));
    });
    let recorded: serde_json::Value = serde_json::from_str(&sandbox.read(file)).unwrap();
    assert_eq!(recorded.as_array().unwrap().len(), 6);
    let kept = sandbox.tree(sandbox.project().join(".git/handover/sweeps"));
    let kept: Vec<&String> = kept.iter().filter(|path| path.contains("damaged")).collect();
    assert_eq!(kept.len(), 1, "{kept:?}");
}
