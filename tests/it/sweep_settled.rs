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
    let plan = || asked(&sandbox, &["sweep", "plan", "8", "--json"]).data()["settled"].to_string();
    assert!(plan().contains("the large rates are out"), "{}", plan());
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

/// Everything that says with its exit code whether somebody must act.
const ASKING: [&[&str]; 4] =
    [&["sweep", "8"], &["sweep", "plan", "8"], &["sweep", "report", "8"], &["watch", "--once", "8"]];

#[test]
fn whatever_is_asked_of_a_settled_sweep_ends_well_and_says_who_settled_it() {
    let ids: Vec<String> = (0..21).map(|task| format!("8_{task}")).collect();
    let row = |task: usize| match task {
        0..5 => (ids[task].as_str(), 10 + task as u32, "COMPLETED", "0:0"),
        _ => (ids[task].as_str(), 10 + task as u32, "FAILED", "1:0"),
    };
    let rows = |count: usize| accounting(&(0..count).map(row).collect::<Vec<_>>());
    for watched_before in [false, true] {
        let (sandbox, ..) = slurm(&[queue(&[])], &[rows(20)]);
        if watched_before {
            ASKING.iter().for_each(|words| drop(asked(&sandbox, words).expect(1)));
        }
        let _ = settle(&sandbox).expect(0);
        // A hook asks again and again.
        for words in ASKING.iter().chain(&ASKING) {
            let answer = asked(&sandbox, words).expect(0);
            let said = format!("{}{}", answer.stdout(), answer.stderr());
            let plain = said.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(plain.contains("the large rates are out") && plain.contains("ettled"), "{answer}");
        }
        // Who waits for a sweep that is systemic does not wait for a settled one.
        let _ = asked(&sandbox, &["watch", "--once", "--until", "systemic", "8"]).expect(3);
        // A further task that runs, and then fails, brings it back everywhere.
        drop(sandbox.fake("squeue").answers(queue(&[("8_20", 30, "RUNNING", "None")])));
        // The queue of a moment ago is taken as that of now.
        sandbox.advance("10min");
        let live = asked(&sandbox, &["watch", "--once", "8"]);
        assert!(live.stdout().contains("1 task: 20"), "{live}");
        assert!(!live.stdout().contains("the large rates are out"), "{live}");
        drop(sandbox.fake("squeue").answers(queue(&[])));
        drop(sandbox.fake("sacct").answers(rows(21)));
        sandbox.advance("10min");
        for words in ASKING {
            let answer = asked(&sandbox, words).expect(1);
            assert!(!answer.stdout().contains("the large rates are out"), "{answer}");
        }
        let _ = asked(&sandbox, &["sweep", "settle", "8", "--undo"]).expect(0);
        ASKING.iter().for_each(|words| drop(asked(&sandbox, words).expect(1)));
    }
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
