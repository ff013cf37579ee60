//! `handover sweep settle`: a sweep that is over asks for nothing any more, until
//! something new happens to it.

use crate::support::{Answer, Sandbox, schema};
use crate::sweep_again::submitted;
use crate::watch::{accounting, queue, slurm};

const ROWS: [(&str, u32, &str, &str); 3] =
    [("8_0", 9, "COMPLETED", "0:0"), ("8_1", 10, "FAILED", "1:0"), ("8_2", 11, "FAILED", "1:0")];

fn asked(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(words.iter().chain(&["--cluster", "local"]))
}

fn settle(sandbox: &Sandbox) -> Answer {
    sandbox.advance("1h");
    asked(sandbox, &["sweep", "settle", "lr", "--because", "the large rates are out"])
}

fn briefing(sandbox: &Sandbox) -> String {
    sandbox.advance("1h");
    let key = asked(sandbox, &["create", "--next", "go on"]).expect(0).last_line().to_owned();
    asked(sandbox, &["resume", &key]).expect(0).stdout().to_owned()
}

#[test]
fn a_sweep_that_somebody_settled_heads_no_briefing_and_the_board_says_who_did() {
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&ROWS)]);
    assert!(briefing(&sandbox).contains("decide first"));
    let said = settle(&sandbox).expect(0);
    assert!(said.stdout().starts_with("sweep 8 lr is settled 2026-11-21T"), "{said}");
    let text = briefing(&sandbox);
    assert!(!text.contains("decide first"), "{text}");
    for words in [&["sweep", "8"][..], &["sweep"], &["snapshot"]] {
        let answer = asked(&sandbox, words).expect(0);
        assert!(answer.stdout().contains("the large rates are out"), "{answer}");
    }
    // Whoever asks for the plan all the same is told.
    let plan = || asked(&sandbox, &["sweep", "plan", "8", "--json"]).data()["notes"].to_string();
    assert!(plan().contains("the large rates are out; it asks for nothing"), "{}", plan());
    let undo = asked(&sandbox, &["sweep", "settle", "8", "--undo", "--json"]).expect(0);
    let wrong = schema::check(&schema::load("sweep-settle"), &undo.data());
    assert!(wrong.is_empty(), "{wrong:?}");
    assert!(!plan().contains("the large rates are out"), "{}", plan());
    assert!(briefing(&sandbox).contains("decide first"));
    let twice = asked(&sandbox, &["sweep", "settle", "8", "--undo"]).expect(2);
    assert!(twice.stderr().contains("nobody said of sweep 8 that it is settled"), "{twice}");
}

#[test]
fn what_was_settled_after_a_document_heads_its_briefing_no_more() {
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&ROWS)]);
    let key = asked(&sandbox, &["create", "--next", "go on"]).expect(0).last_line().to_owned();
    let _ = settle(&sandbox).expect(0);
    let text = asked(&sandbox, &["resume", &key]).expect(0);
    assert!(!text.stdout().contains("decide first"), "{text}");
}

#[test]
fn a_new_failure_or_a_new_job_brings_it_back() {
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&ROWS)]);
    let _ = settle(&sandbox).expect(0);
    submitted(&sandbox, "0123456789ab", "8", "1-2", 520);
    drop(
        sandbox
            .fake("squeue")
            .answers(queue(&[("520_1", 521, "RUNNING", "None"), ("520_2", 522, "RUNNING", "None")])),
    );
    let live = asked(&sandbox, &["sweep", "8"]);
    assert!(!live.stdout().contains("the large rates are out"), "{live}");
    drop(sandbox.fake("squeue").answers(queue(&[])));
    let again = [("520_1", 521, "FAILED", "1:0"), ("520_2", 522, "FAILED", "1:0")];
    let later =
        accounting(&[&ROWS[..], &again].concat()).replace(&(T0 + 50).to_string(), &(T0 + 90_000).to_string());
    drop(sandbox.fake("sacct").answers(later));
    sandbox.advance("2d");
    let failed = asked(&sandbox, &["sweep", "8"]);
    assert!(!failed.stdout().contains("the large rates are out"), "{failed}");
}

/// Seconds since 1970 at the sandbox's first moment, 2026-11-21T03:41:00Z.
const T0: i64 = 1_795_232_460;

#[test]
fn what_is_not_over_is_not_settled() {
    let (sandbox, ..) = slurm(&[queue(&[("8_2", 11, "RUNNING", "None")])], &[accounting(&ROWS[..2])]);
    let refused = settle(&sandbox).expect(2);
    assert!(refused.stderr().contains("sweep 8 is not over: 1 of its tasks"), "{refused}");
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&ROWS)]);
    let empty = asked(&sandbox, &["sweep", "settle", "8", "--because", " "]).expect(2);
    assert!(empty.stderr().contains("no reason was given"), "{empty}");
}
