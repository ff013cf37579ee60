//! `handover watch`: hours of watching in no time, since the clock is stopped
//! and moves on where the program would wait.

use serde_json::{Value, json};

use crate::support::{Answer, Fake, Sandbox};

/// Seconds since 1970 at the sandbox's first moment, 2026-11-21T03:41:00Z.
const T0: i64 = 1_795_232_460;

/// The queue as `squeue` prints it: id, raw id, state, reason.
pub fn queue(jobs: &[(&str, u32, &str, &str)]) -> String {
    let row = |(id, raw, state, reason): &(&str, u32, &str, &str)| {
        let (raw, submitted, started) = (raw.to_string(), (T0 - 100).to_string(), (T0 - 50).to_string());
        let fields = [
            *id,
            &raw,
            "ann",
            "ai",
            state,
            "1:00",
            "4:00:00",
            "1",
            &submitted,
            &started,
            "N/A",
            "cpu=1",
            "0",
            reason,
            "gpu01",
            "(null)",
            "/w",
            "/w/o",
            "/w/o",
            "/dev/null",
            "lr",
        ];
        format!("{}\u{1e}\n", fields.join("\u{1f}"))
    };
    jobs.iter().map(row).collect()
}

/// Accounting in our own form: id, raw id, state, exit code.
pub fn accounting(rows: &[(&str, u32, &str, &str)]) -> String {
    let header = handover::cluster::sacct::FIELDS.replace(',', "|");
    let rows: Vec<String> = rows
        .iter()
        .map(|(id, raw, state, exit)| {
            let (submitted, started, ended) = (T0 - 100, T0 - 50, T0 + 50);
            format!("{id}|{raw}|ann|ai|{state}|{exit}|{exit}|100|600|{submitted}|{started}|{ended}||gpu01|lr")
        })
        .collect();
    format!("{header}\n{}\n", rows.join("\n")).replace('|', handover::cluster::sacct::DELIMITER)
}

/// A sandbox with these answers of squeue and sacct, one after the other.
pub fn slurm(queues: &[String], accountings: &[String]) -> (Sandbox, Fake, Fake) {
    let sandbox = Sandbox::new();
    // Where the jobs work is on this machine.
    let here = format!("\u{1f}{}\u{1f}", sandbox.project().display());
    let queues: Vec<String> = queues.iter().map(|queue| queue.replace("\u{1f}/w\u{1f}", &here)).collect();
    let squeue = sandbox.fake("squeue").answers_in_turn(&queues);
    let sacct = sandbox.fake("sacct").answers_in_turn(accountings);
    drop(sandbox.fake("scontrol").fails(1, "slurm_load_jobs error: Invalid job id specified\n"));
    for task in 0..4 {
        sandbox.write(format!("logs/lr_8_{task}.out"), "started\n");
    }
    (sandbox, squeue, sacct)
}

/// The data of each line of a `--json` answer.
pub fn events(answer: &Answer) -> Vec<Value> {
    let lines = answer.stdout().lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines
        .map(|line| {
            assert_eq!(line["schema"], "handover/watch/1", "{line}");
            line["data"].clone()
        })
        .collect()
}

const WATCH: [&str; 3] = ["watch", "--cluster", "local"];

#[test]
fn a_sweep_is_watched_to_its_end_and_only_changes_are_told() {
    let running = queue(&[
        ("8_0", 9, "RUNNING", "None"),
        ("8_1", 10, "RUNNING", "None"),
        ("8_[2-3]", 8, "PENDING", "Resources"),
    ]);
    let later = queue(&[
        ("8_1", 10, "RUNNING", "None"),
        ("8_2", 11, "RUNNING", "None"),
        ("8_3", 8, "RUNNING", "None"),
    ]);
    let (sandbox, squeue, sacct) = slurm(
        &[running.clone(), running, later, queue(&[])],
        &[
            accounting(&[("8_0", 9, "RUNNING", "0:0"), ("8_1", 10, "RUNNING", "0:0")]),
            accounting(&[("8_0", 9, "COMPLETED", "0:0")]),
            accounting(&[
                ("8_1", 10, "COMPLETED", "0:0"),
                ("8_2", 11, "COMPLETED", "0:0"),
                ("8_3", 8, "FAILED", "1:0"),
            ]),
        ],
    );
    let answer = sandbox.handover(WATCH).expect(0);
    insta::assert_snapshot!(answer);
    assert_eq!(squeue.calls().len(), 4, "one question a look");
    let asked: Vec<String> =
        sacct.calls().iter().map(|call| call.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(asked, ["-j 8", "-j 8_0", "-j 8_1,8_2,8_3"], "accounting is asked for what left alone");
}

#[test]
fn the_floor_and_the_eight_hours_hold_whatever_is_asked_for() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let (sandbox, squeue, sacct) = slurm(&[running], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    let answer =
        sandbox.handover(WATCH.iter().chain(&["8", "--every", "1s", "--for", "1h", "--json"])).expect(75);
    let events = events(&answer);
    assert_eq!((&events[0]["event"], &events[0]["raised"]), (&json!("contract"), &json!(true)));
    let end = events.last().unwrap();
    assert_eq!((&end["why"], &end["at"]), (&json!("time_up"), &json!("2026-11-21T04:41:00Z")));
    let looks = squeue.calls().len();
    assert!((50..=61).contains(&looks), "{looks} looks in an hour at 60 to 72 s");
    assert_eq!(sacct.calls().len(), 1);
    // Contract, what was seen first, the end.
    assert_eq!(events.len(), 3, "{events:#?}");

    let refused = sandbox.handover(WATCH.iter().chain(&["8", "--for", "9h"])).expect(2);
    assert!(refused.stderr().contains("at most 8 h"), "{refused}");
}

#[test]
fn a_watch_whose_time_is_up_looks_once_more_if_the_floor_allows_it() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let first = accounting(&[("8_0", 9, "RUNNING", "0:0"), ("8_1", 10, "RUNNING", "0:0")]);
    let ended = accounting(&[("8_0", 9, "COMPLETED", "0:0"), ("8_1", 10, "COMPLETED", "0:0")]);
    let (sandbox, squeue, _sacct) = slurm(&[running.clone(), queue(&[])], &[first.clone(), ended]);
    let over = sandbox.handover(WATCH.iter().chain(&["8", "--for", "90s"])).expect(0);
    assert_eq!(squeue.calls().len(), 2, "{over}");
    assert!(over.stdout().contains("1 min 30 s at most"), "{over}");
    assert!(over.stdout().contains("2 of 2 over"), "{over}");

    let (sandbox, squeue, _sacct) = slurm(&[running], &[first]);
    let early = sandbox.handover(WATCH.iter().chain(&["8", "--for", "40s"])).expect(75);
    assert_eq!(squeue.calls().len(), 1, "{early}");
    assert!(early.stdout().contains("as of      03:41, 40 s before"), "{early}");
}

#[test]
fn one_look_that_sees_nothing_new_says_from_when_the_queue_is() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let first = accounting(&[("8_0", 9, "RUNNING", "0:0"), ("8_1", 10, "RUNNING", "0:0")]);
    let (sandbox, squeue, _sacct) = slurm(&[running], &[first]);
    let _ = sandbox.handover(WATCH.iter().chain(&["--once"])).expect(0);
    sandbox.advance("48s");
    let again = sandbox.handover(WATCH.iter().chain(&["--once"])).expect(0);
    assert_eq!((squeue.calls().len(), again.stdout()), (1, ""), "{again}");
    assert_eq!(again.stderr(), "nothing new of 1 sweep; queue as of 03:41, 48 s old\n");
    let quiet = sandbox.handover(WATCH.iter().chain(&["--once", "-q"])).expect(0);
    assert_eq!(quiet.stderr(), "", "{quiet}");
}

#[test]
fn a_watch_slows_down_while_everything_waits() {
    let waits = queue(&[("8_[0-9]", 8, "PENDING", "Priority")]);
    let (sandbox, squeue, sacct) = slurm(&[waits], &[accounting(&[])]);
    let _ = sandbox.handover(WATCH.iter().chain(&["lr"])).expect(75);
    let looks = squeue.calls().len();
    assert!((32..=49).contains(&looks), "{looks} looks in eight hours at 600 to 900 s");
    assert_eq!(sacct.calls().len(), 1);
}

#[test]
fn the_next_watch_starts_from_what_this_one_knew() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let one = queue(&[("8_1", 10, "RUNNING", "None")]);
    let (sandbox, squeue, sacct) = slurm(
        &[running.clone(), running, one.clone(), one],
        &[
            accounting(&[("8_0", 9, "RUNNING", "0:0"), ("8_1", 10, "RUNNING", "0:0")]),
            accounting(&[("8_0", 9, "FAILED", "1:0"), ("8_1", 10, "RUNNING", "0:0")]),
        ],
    );
    let once: Vec<&str> = WATCH.iter().chain(&["8", "--once"]).copied().collect();
    let first = sandbox.handover(&once).expect(0);
    assert!(first.stdout().contains("2 tasks: 2 RUNNING"), "{first}");
    sandbox.advance("10min");
    let silent = sandbox.handover(&once).expect(0);
    assert_eq!(silent.stdout(), "", "nothing changed, nothing is said");
    assert_eq!((squeue.calls().len(), sacct.calls().len()), (2, 1));
    sandbox.advance("10min");
    let second = sandbox.handover(&once).expect(0);
    assert!(second.stdout().contains("failed 1 task: 0, FAILED 1:0"), "{second}");
    assert_eq!((squeue.calls().len(), sacct.calls().len()), (3, 2));
    sandbox.advance("10min");
    assert_eq!(sandbox.handover(&once).expect(0).stdout(), "");
    assert_eq!(sacct.calls().len(), 2);
}

#[test]
fn several_watches_of_one_host_share_one_answer_and_a_dead_asker_holds_up_nobody() {
    let running = queue(&[("8_0", 9, "RUNNING", "None")]);
    let (sandbox, squeue, _sacct) = slurm(&[running], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    let once: Vec<&str> = WATCH.iter().chain(&["8", "--once", "--json"]).copied().collect();
    for look in 0..3 {
        let answer = sandbox.handover(&once).expect(0);
        let end = events(&answer).pop().unwrap();
        assert_eq!(end["questions"]["shared"], json!(i32::from(look > 0)), "{end}");
        sandbox.advance("20s");
    }
    assert_eq!(squeue.calls().len(), 1);
    sandbox.advance("1h");
    let cache = sandbox.home().join(".cache/handover");
    let answer = std::fs::read_dir(&cache)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|end| end == "json"))
        .unwrap();
    // Somebody said that it asks, and died.
    let claim = answer.with_extension("asking");
    for text in [
        "",
        "{\"since\":\"2026-11-21T03:41:00Z\",\"nonce\":\"00\"}",
        "{\"since\":\"2036-11-21T03:41:00Z\",\"nonce\":\"00\"}",
    ] {
        std::fs::write(&claim, text).unwrap();
        let _ = sandbox.handover(&once).expect(0);
        assert!(!claim.exists(), "{text}");
        sandbox.advance("1h");
    }
    assert_eq!(squeue.calls().len(), 4);
    // An answer that is none is asked for anew.
    std::fs::write(&answer, "{").unwrap();
    let _ = sandbox.handover(&once).expect(0);
    assert_eq!(squeue.calls().len(), 5);
}

#[test]
fn an_error_is_no_empty_queue() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let down = "!slurm_load_jobs error: Unable to contact slurm controller (connect failure)\n".to_owned();
    let (sandbox, squeue, sacct) = slurm(
        &[running.clone(), down.clone(), down.clone(), running, down],
        &[accounting(&[("8_0", 9, "RUNNING", "0:0"), ("8_1", 10, "RUNNING", "0:0")])],
    );
    let answer = sandbox.handover(WATCH.iter().chain(&["8", "--json"])).expect(75);
    let told: Vec<Value> = events(&answer);
    let kinds: Vec<&str> = told.iter().map(|event| event["event"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["contract", "change", "trouble", "trouble", "trouble", "end"], "{told:#?}");
    assert_eq!((&told[3]["is_over"], &told[5]["why"]), (&json!(true), &json!("unreachable")));
    assert_eq!(squeue.calls().len(), 4 + 5);
    assert_eq!(sacct.calls().len(), 1, "nobody left the queue");
    let once = sandbox.handover(WATCH.iter().chain(&["8", "--once"])).expect(75);
    assert!(once.stdout().contains("no answer, which is no empty queue"), "{once}");
}

#[test]
fn a_task_that_left_the_queue_is_held_until_accounting_knows_it() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let one = queue(&[("8_0", 9, "RUNNING", "None")]);
    let rows =
        |second: &[(&str, u32, &str, &str)]| accounting(&[&[("8_0", 9, "RUNNING", "0:0")], second].concat());
    let (sandbox, _squeue, sacct) = slurm(
        &[running, one.clone(), one.clone(), one.clone(), one],
        &[
            rows(&[("8_1", 10, "RUNNING", "0:0")]),
            // slurmdbd lags behind, twice.
            accounting(&[("8_1", 10, "RUNNING", "0:0")]),
            accounting(&[]),
            accounting(&[("8_1", 10, "TIMEOUT", "0:0")]),
        ],
    );
    let answer = sandbox.handover(WATCH.iter().chain(&["8", "--until", "change", "--json"])).expect(0);
    let told = events(&answer);
    let change = &told[told.len() - 2];
    assert_eq!(change["what"], Value::Null);
    let changes: Vec<&Value> = told.iter().filter(|event| event["event"] == "change").collect();
    let failed = changes.iter().find(|event| event["change"]["class"] == "failed").unwrap();
    assert_eq!(failed["change"]["outcome"], "TIMEOUT 0:0");
    assert!(!changes.iter().any(|event| event["change"]["class"] == "gone"), "{told:#?}");
    assert_eq!(sacct.calls().len(), 4);
}

#[test]
fn what_is_not_there_is_said() {
    let (sandbox, ..) = slurm(&[queue(&[])], &[accounting(&[])]);
    let nobody = sandbox.handover(WATCH.iter().chain(&["nobody"])).expect(4);
    assert!(nobody.stderr().contains("nobody"), "{nobody}");
    sandbox.advance("1h");
    let idle = sandbox.handover(WATCH).expect(0);
    assert!(idle.stdout().contains("no sweep runs or waits"), "{idle}");
    let none = sandbox.handover(["watch", "--cluster", "none"]).expect(7);
    assert!(none.stderr().contains("cannot watch"), "{none}");
}

#[test]
fn a_damaged_memory_is_no_obstacle() {
    let running = queue(&[("8_0", 9, "RUNNING", "None")]);
    let (sandbox, ..) = slurm(&[running], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    let once: Vec<&str> = WATCH.iter().chain(&["8", "--once"]).copied().collect();
    let _ = sandbox.handover(&once).expect(0);
    let kept = sandbox.project().join(".git/handover/watch/8.json");
    for text in ["", "{}", "{\"schema\":\"handover/watch-state/9\"}", "\u{0}"] {
        std::fs::write(&kept, text).unwrap();
        sandbox.advance("1h");
        let answer = sandbox.handover(&once).expect(0);
        assert!(answer.stdout().contains("1 task: 1 RUNNING"), "{text:?}: {answer}");
    }
    // A pipe must not make it wait.
    std::fs::remove_file(&kept).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(&kept).status().unwrap().success());
    sandbox.advance("1h");
    let _ = sandbox.handover(&once).expect(0);
}
