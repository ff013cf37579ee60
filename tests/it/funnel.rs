//! No secret leaves the process: not in text, not in JSON, not in an error, not in a document.

use std::path::Path;

use handover::safety::{Redactions, redact, secrets_in};

use crate::support::Sandbox;

/// Made up, in the form of a Hugging Face token; in two parts, so that no scanner of this repository takes it for one.
const TOKEN: &str = concat!("hf_", "QmRzTbVxKpLdWsYgNcJhFaEuMiOtPqXvBw");
/// Half of it is still half a secret.
const PART: &str = "QmRzTbVxKpLd";

/// A log whose cause holds the token, once in the middle and once where lines are cut.
fn log() -> String {
    let far = format!("{} {TOKEN} {} {TOKEN}", "x".repeat(49), "y".repeat(200));
    format!(
        "epoch 1 step 1 loss 0.5\nTraceback (most recent call last):\n  File \"/home/ann/train.py\", line 4, in step\n    \
         login(token=\"{TOKEN}\")\nValueError: 401 for https://ann:{TOKEN}@huggingface.co, header Bearer {TOKEN} {far}\n"
    )
}

#[test]
fn a_log_with_a_token_is_shown_without_it() {
    let sandbox = Sandbox::new();
    sandbox.write("slurm-7.out", log());
    for words in
        [["logs", "slurm-7.out"].as_slice(), &["logs", "slurm-7.out", "--json"], &["logs", "--verbose"]]
    {
        let answer = sandbox.handover(words).expect(0);
        let shown = format!("{}{}", answer.stdout(), answer.stderr());
        assert!(shown.contains("ValueError"), "{words:?}: {shown}");
        assert!(!shown.contains(PART), "{words:?}: {shown}");
    }
    let answer = sandbox.handover(["logs", "slurm-7.out", "--json"]).expect(0);
    let text = answer.data()["root"]["text"].as_str().unwrap().to_owned();
    assert!(text.contains("[redacted huggingface-token, 37 characters]"), "{text}");
}

#[test]
fn an_error_about_a_name_with_a_token_does_not_repeat_it() {
    let sandbox = Sandbox::new();
    let path = format!("logs/{TOKEN}.out");
    for words in [vec!["logs", &path], vec!["logs", &path, "--json"], vec!["verify", TOKEN], vec![TOKEN]] {
        let answer = sandbox.handover(&words);
        let shown = format!("{}{}", answer.stdout(), answer.stderr());
        assert!(!answer.stderr().is_empty() && !shown.contains(PART), "{words:?}: {shown}");
    }
}

#[test]
fn a_document_holds_no_secret_and_counts_what_was_taken_out() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let next = format!("run `sbatch --export=ALL,HF_TOKEN={TOKEN} train.sh`");
    let answer = sandbox
        .handover([
            "create",
            "--goal",
            "a goal",
            "--next",
            &next,
            "--hazard",
            "the password is: hunter2Hunter2",
        ])
        .expect(0);
    assert!(answer.stderr().contains("taken out (huggingface-token"), "{}", answer.stderr());
    for file in sandbox.tree(sandbox.root()).iter().filter(|line| line.contains("HO-")) {
        assert!(!file.contains(PART), "{file}");
    }
    let shown = sandbox.handover(["show"]).expect(0);
    assert!(
        !shown.stdout().contains(PART) && shown.stdout().contains("huggingface-token: 1")
            || shown.stdout().contains("\"huggingface-token\""),
        "{}",
        shown.stdout()
    );
    let _ = sandbox.handover(["verify"]).expect(0);
}

#[test]
fn the_front_matter_counts_each_rule_and_keeps_what_is_no_secret() {
    let sandbox = Sandbox::new();
    sandbox.commit("first");
    let kept = [
        "HO-20261121-0341-7f3a9c2e",
        "9c1185a5c5e9fc54612808977ee8f548b2258d31",
        "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "wandb.ai/lab/ablate/runs/k3v9q1ab",
        "job 48213377_7",
        "123e4567-e89b-42d3-a456-426614174000",
    ];
    let goal = format!("after {} with HF_TOKEN={TOKEN} and again {TOKEN}", kept.join(", "));
    let words =
        ["create", "--goal", &goal, "--next", "go on", "--hazard", "db: PGPASSWORD=hunter2Hunter2 psql"];
    let _ = sandbox.handover(words).expect(0);
    let shown = sandbox.handover(["show"]).expect(0);
    let text = shown.stdout();
    let head = text.split("\n---").next().unwrap();
    assert!(head.contains(r#"redactions: {"huggingface-token":2,"password":1}"#), "{head}");
    assert!(text.contains("[redacted huggingface-token, 37 characters]"), "{text}");
    assert!(text.contains("[redacted password, 14 characters]"), "{text}");
    for id in kept {
        assert!(text.contains(id), "{id}: {text}");
    }
}

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/secrets").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Shares in percent, out of each family.
#[test]
fn secrets_in_documented_formats_are_found() {
    let text = fixture("positives-reversed.tsv");
    let back = |text: &str| text.chars().rev().collect::<String>();
    let (mut found, mut all) = ([0; 2], [0; 2]);
    let mut missed = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        let [id, provider, family, context, secret] = fields[..] else { panic!("{line}") };
        let plain = |text: &str| {
            back(text).replace("\\\\", "\0").replace("\\n", "\n").replace("\\t", "\t").replace('\0', "\\")
        };
        let (context, secret) = (plain(context), plain(secret));
        assert!(context.contains(&secret), "{id} holds no secret");
        let family = usize::from(family != "ml");
        all[family] += 1;
        if redact(&context, &mut Redactions::new()).contains(&secret) {
            missed.push(format!("{id} {provider}"));
        } else {
            found[family] += 1;
        }
    }
    assert!(all[0] >= 700 && all[1] >= 150, "{all:?}");
    assert!(found[0] * 100 >= all[0] * 98, "{found:?} of {all:?}, missed: {missed:?}");
    assert!(found[1] * 100 >= all[1] * 90, "{found:?} of {all:?}, missed: {missed:?}");
}

#[test]
fn ordinary_lines_hold_no_secret() {
    for (name, least, most) in [("ordinary.txt", 10_000, 1), ("negatives.txt", 2_580, 2)] {
        let text = fixture(name);
        assert!(text.lines().count() >= least, "{name}");
        let taken: Vec<&str> = text.lines().filter(|line| !secrets_in(line.as_bytes()).is_empty()).collect();
        assert!(taken.len() <= most, "{name}: {taken:?}");
        // Lines in one text are no other than lines alone.
        assert!(secrets_in(text.as_bytes()).len() <= most, "{name}");
    }
}
