//! `handover watch` and what it reads beside queue and accounting: logs of
//! tasks that end, the ends of logs of tasks that run, expected files.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use handover::terms::Time;
use serde_json::{Value, json};

use crate::support::planted::Recorded;
use crate::support::{Answer, NOW, Sandbox};
use crate::watch::{accounting, events, queue, slurm};

const ONCE: [&str; 6] = ["watch", "8", "--once", "--json", "--cluster", "local"];

const OOM: &str = "epoch=0, step=120, loss=1.20\nTraceback (most recent call last):\n  File \"train.py\", line 9, in main\n\
    torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB\n";
const MODULE: &str = "Traceback (most recent call last):\n  File \"train.py\", line 3, in <module>\n    import einops\n\
    ModuleNotFoundError: No module named 'einops'\n";

/// Writes a file as if that was some seconds before or after the first moment.
fn write_at(sandbox: &Sandbox, path: &str, text: &str, seconds: i64) {
    let path = sandbox.write(path, text);
    let at = NOW.parse::<Time>().unwrap().unix() + seconds;
    let at = UNIX_EPOCH + Duration::from_secs(u64::try_from(at).unwrap());
    std::fs::File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
}

/// What changed, as `what` and the rest that matters here.
fn told(answer: &Answer) -> Vec<(String, Value)> {
    let events = events(answer).into_iter().filter(|event| event["event"] == "change");
    events
        .map(|event| (event["change"]["what"].as_str().unwrap().to_owned(), event["change"].clone()))
        .collect()
}

fn of<'t>(told: &'t [(String, Value)], what: &str) -> Vec<&'t Value> {
    told.iter().filter(|(kind, _)| kind == what).map(|(_, change)| change).collect()
}

#[test]
fn a_cause_is_named_with_its_place_and_no_log_is_read_twice() {
    let live = |tasks: &[u32]| {
        let ids: Vec<String> = tasks.iter().map(|task| format!("8_{task}")).collect();
        let jobs: Vec<(&str, u32, &str, &str)> =
            ids.iter().zip(tasks).map(|(id, task)| (id.as_str(), 9 + task, "RUNNING", "None")).collect();
        queue(&jobs)
    };
    let rows = |failed: &[u32]| {
        let ids: Vec<String> = (0..4).map(|task| format!("8_{task}")).collect();
        let row = |task: u32| match failed.contains(&task) {
            true => (ids[task as usize].as_str(), 9 + task, "FAILED", "1:0"),
            false => (ids[task as usize].as_str(), 9 + task, "RUNNING", "0:0"),
        };
        accounting(&(0..4).map(row).collect::<Vec<_>>())
    };
    let (sandbox, squeue, sacct) = slurm(
        &[live(&[0, 1, 2, 3]), live(&[1, 2, 3]), live(&[2, 3])],
        &[rows(&[]), rows(&[0]), rows(&[0, 1])],
    );
    for task in 0..4 {
        write_at(&sandbox, &format!("logs/lr_8_{task}.out"), OOM, 30);
    }
    let first = told(&sandbox.handover(ONCE).expect(0));
    assert!(of(&first, "cause").is_empty(), "nothing failed yet: {first:#?}");
    sandbox.advance("10min");
    let answer = sandbox.handover(ONCE).expect(0);
    let second = told(&answer);
    let [cause] = of(&second, "cause")[..] else { panic!("{second:#?}") };
    assert_eq!((cause["cause"]["class"].as_str(), cause["new"].as_str()), (Some("cuda-oom"), Some("0")));
    let place = &cause["cause"]["place"];
    assert!(place["file"].as_str().unwrap().ends_with("logs/lr_8_0.out"), "{place}");
    assert_eq!(place["line"], 4);
    assert!(place["text"].as_str().unwrap().contains("CUDA out of memory"), "{place}");
    // Of what was read the log says something else now, and another task fails.
    write_at(&sandbox, "logs/lr_8_0.out", MODULE, 600);
    sandbox.advance("10min");
    let third = told(&sandbox.handover(ONCE).expect(0));
    let [cause] = of(&third, "cause")[..] else { panic!("{third:#?}") };
    assert_eq!((cause["cause"]["class"].as_str(), cause["new"].as_str()), (Some("cuda-oom"), Some("1")));
    assert_eq!((cause["first"].as_bool(), cause["cause"]["tasks"].as_str()), (Some(false), Some("0,1")));
    assert_eq!((squeue.calls().len(), sacct.calls().len()), (3, 3));
}

/// What accounting shows of a kill is a sample, as little as it is: what the job had
/// asked for tells whether it can have been for memory. `sweep` says the same.
#[test]
fn a_kill_far_below_the_memory_that_was_asked_for_is_not_told_as_one_for_memory() {
    let rows = accounting(&[("8_0", 9, "FAILED", "9:0"), ("8_1", 10, "COMPLETED", "0:0")]);
    let batch = "8_0.batch|9.batch|||FAILED|9:0||100||||||gpu01|batch\n".replace("||gpu01", "|17408K|gpu01");
    let rows = rows + &batch.replace('|', handover::cluster::sacct::DELIMITER);
    let (sandbox, _, sacct) = slurm(&[queue(&[])], &[rows]);
    let fields = ["8_0", "ai", "1", "mem=600M", "mem=600M", "600M", "sbatch train.sh"];
    let sacct = sacct.answers_to("*ReqMem*", fields.join(handover::cluster::sacct::DELIMITER) + "\n");
    let line = "/var/spool/slurm/job9/slurm_script: line 4: 4711 Killed    python3 train.py\n";
    write_at(&sandbox, "logs/lr_8_0.out", line, 30);
    let first = told(&sandbox.handover(ONCE).expect(0));
    let [cause] = of(&first, "cause")[..] else { panic!("{first:#?}") };
    assert_eq!(cause["cause"]["class"], "killed-unconfirmed", "{cause:#}");
    assert!(cause["cause"]["sentence"].as_str().unwrap().ends_with("hardly for memory"), "{cause:#}");
    let sweep = sandbox.handover(["sweep", "8", "--json", "--cluster", "local"]).data();
    assert_eq!(sweep["examined"]["causes"][0]["class"], "killed-unconfirmed", "{sweep:#}");
    let asked = || sacct.calls().iter().filter(|call| call.contains("ReqMem")).count();
    let before = asked();
    sandbox.advance("1h");
    assert_eq!(told(&sandbox.handover(ONCE).expect(0)), [], "nothing changed");
    assert_eq!(asked(), before, "what a job asked for does not change");
}

#[test]
fn running_tasks_tell_how_far_they_are_and_what_is_the_matter_once() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let (sandbox, ..) = slurm(&[running], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    sandbox.write(".handover.yaml", "sweeps:\n  target_step: 1000\n");
    std::fs::remove_file(sandbox.project().join("logs/lr_8_1.out")).unwrap();
    let log = |task: u32, steps: &[(u64, &str)], at: i64| {
        let lines: String = steps.iter().map(|(step, loss)| format!("step={step}, loss={loss}\n")).collect();
        write_at(&sandbox, &format!("logs/lr_8_{task}.out"), &lines, at);
    };
    log(0, &[(100, "1.5"), (300, "1.2")], 0);
    let first = told(&sandbox.handover(ONCE).expect(0));
    let [progress] = of(&first, "progress")[..] else { panic!("{first:#?}") };
    assert_eq!((progress["mark"].as_str(), progress["tasks"].as_str()), (Some("quarter"), Some("0")));
    assert_eq!(progress["example"]["step"], 300);
    sandbox.advance("5min");
    assert_eq!(told(&sandbox.handover(ONCE).expect(0)), [], "no line without a change");
    // One goes on, of the other there is no log after all that time.
    log(0, &[(100, "1.5"), (300, "1.2"), (800, "nan"), (810, "nan")], 700);
    sandbox.advance("10min");
    let second = told(&sandbox.handover(ONCE).expect(0));
    let [progress] = of(&second, "progress")[..] else { panic!("{second:#?}") };
    assert_eq!((progress["mark"].as_str(), progress["tasks"].as_str()), (Some("three_quarters"), Some("0")));
    let found: Vec<(&str, &str)> = of(&second, "finding")
        .iter()
        .map(|change| (change["finding"]["class"].as_str().unwrap(), change["new"].as_str().unwrap()))
        .collect();
    assert_eq!(found, [("nan", "0"), ("no-log", "1")]);
    log(1, &[(400, "1.5")], 1200);
    sandbox.advance("10min");
    let third = told(&sandbox.handover(ONCE).expect(0));
    let [progress] = of(&third, "progress")[..] else { panic!("{third:#?}") };
    assert_eq!((progress["mark"].as_str(), progress["tasks"].as_str()), (Some("quarter"), Some("1")));
    // Both stand still for over half an hour.
    sandbox.advance("40min");
    let last = told(&sandbox.handover(ONCE).expect(0));
    let [silent] = of(&last, "finding")[..] else { panic!("{last:#?}") };
    assert_eq!((silent["finding"]["class"].as_str(), silent["new"].as_str()), (Some("silent"), Some("0,1")));
    sandbox.advance("5min");
    assert_eq!(told(&sandbox.handover(ONCE).expect(0)), []);
}

#[test]
fn an_expected_file_that_did_not_appear_is_told() {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    let done = accounting(&[("8_0", 9, "COMPLETED", "0:0"), ("8_1", 10, "COMPLETED", "0:0")]);
    let (sandbox, ..) = slurm(&[running, queue(&[])], &[accounting(&[("8_0", 9, "RUNNING", "0:0")]), done]);
    sandbox
        .write(".handover.yaml", "sweeps:\n  results: ['results/{task}.json']\n  manifest: expected.txt\n");
    sandbox.write("expected.txt", "results/0.json\nresults/1.json\nresults/all.csv\n");
    sandbox.write("results/0.json", "{}");
    let answer = sandbox.handover(["watch", "8", "--json", "--cluster", "local"]).expect(0);
    let told = told(&answer);
    let [missing] = of(&told, "missing")[..] else { panic!("{told:#?}") };
    assert_eq!(missing["files"], serde_json::json!(["results/1.json"]));
    // What no task of its own is to leave behind is told when the whole is over.
    let [lacking] = of(&told, "results")[..] else { panic!("{told:#?}") };
    let missing = ["results/1.json", "results/all.csv"];
    assert_eq!(lacking["results"], json!({ "expected": 3, "present": 1, "missing": missing }));
    let end = events(&answer).pop().unwrap();
    assert_eq!(end["sweeps"][0]["results"], lacking["results"]);
}

/// The queue while two tasks run in this directory.
fn running(work_dir: &str) -> String {
    let running = queue(&[("8_0", 9, "RUNNING", "None"), ("8_1", 10, "RUNNING", "None")]);
    running.replace("\u{1f}/w\u{1f}", &format!("\u{1f}{work_dir}\u{1f}"))
}

/// The sandbox after two tasks ran to their end, with what is expected of them.
fn two_tasks(settings: &str, work_dir: &str) -> Sandbox {
    let done = accounting(&[("8_0", 9, "COMPLETED", "0:0"), ("8_1", 10, "COMPLETED", "0:0")]);
    let (sandbox, ..) =
        slurm(&[running(work_dir), queue(&[])], &[accounting(&[("8_0", 9, "RUNNING", "0:0")]), done]);
    sandbox.write(".handover.yaml", settings);
    sandbox
}

#[test]
fn results_of_which_only_the_number_is_expected_are_counted_when_the_sweep_is_over() {
    let sandbox = two_tasks("sweeps:\n  expected: 3\n", "/w");
    sandbox.write("results/a.json", "{}");
    sandbox.write("results/empty.json", "");
    let answer = sandbox.handover(["watch", "8", "--cluster", "local"]).expect(0);
    let lines: Vec<&str> = answer.stdout().lines().filter(|line| line.contains("expected results")).collect();
    assert!(lines.len() == 1 && lines[0].ends_with("missing 2 of 3 expected results"), "{answer}");
    assert!(answer.stdout().contains("results: 1 of 3 are there"), "{answer}");
    // One more look was taken for what a file server shows late, and what came is told by nobody.
    assert!(answer.stdout().contains("3 looks"), "{answer}");
    assert_eq!(sandbox.handover(["watch", "8", "--once", "--cluster", "local"]).expect(0).stdout(), "");
    sandbox.write("results/b.json", "{}");
    sandbox.write("results/c.json", "{}");
    let end = events(&sandbox.handover(ONCE).expect(0)).pop().unwrap();
    assert_eq!(end["sweeps"][0]["results"], json!({ "expected": 3, "present": 3 }));
    // A sweep of another project on this machine is not held against these settings.
    let elsewhere = two_tasks("sweeps:\n  expected: 3\n", "/usr");
    let answer = elsewhere.handover(["watch", "8", "--cluster", "local"]).expect(0);
    assert!(!answer.stdout().contains("expected results"), "{answer}");
    // Of another worktree of this one they lie there.
    let beside = two_tasks("sweeps:\n  expected: 3\n", "/w");
    let dir = beside.root().join("beside");
    let _ = beside.git(["worktree", "add", "-q", dir.to_str().unwrap()]);
    beside.write(dir.join("results/a.json"), "{}");
    drop(beside.fake("squeue").answers_in_turn(&[running(dir.to_str().unwrap()), queue(&[])]));
    let answer = beside.handover(["watch", "8", "--cluster", "local"]).expect(0);
    assert!(answer.stdout().contains("results: 1 of 3 are there"), "{answer}");
}

#[test]
fn a_whole_watch_of_the_recorded_sweep_reads_well() {
    let recorded = Recorded::new();
    let watch = ["watch", "lrgrid", "--once", "--cluster", "../cluster_state.txt"];
    let answer = recorded.sandbox.handover_in(&recorded.project, watch);
    insta::assert_snapshot!(answer);
    let silent = recorded.sandbox.handover_in(&recorded.project, watch).expect(1);
    let changes = events_of(&silent);
    assert!(changes.is_empty(), "nothing changed: {silent}");
}

/// Lines of a text answer that tell a change.
fn events_of(answer: &Answer) -> Vec<String> {
    let is_change = |line: &&str| line.get(2..3) == Some(":") && !line.contains("ends:");
    answer.stdout().lines().filter(is_change).map(str::to_owned).collect()
}

#[test]
fn what_cannot_be_read_back_is_put_aside_and_not_overwritten() {
    let running = queue(&[("8_0", 9, "RUNNING", "None")]);
    let (sandbox, ..) = slurm(&[running], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    let folder = sandbox.project().join(".git/handover/watch");
    let newer = "{\"schema\":\"handover/watch-state/9\",\"all\":\"different\"}";
    sandbox.write(folder.join("8.json"), newer);
    let answer = sandbox.handover(["watch", "8", "--once", "--cluster", "local"]).expect(0);
    assert!(answer.stdout().contains("cannot be read"), "{answer}");
    assert_eq!(sandbox.read(folder.join("8.aside-1")), newer);
    // Readings that are none, or another sweep's, are made anew.
    for text in ["", "{", "{\"schema\":\"handover/watch-readings/1\",\"key\":\"9\",\"tasks\":{}}"] {
        sandbox.write(folder.join("readings/8.json"), text);
        sandbox.advance("1h");
        let _ = sandbox.handover(["watch", "8", "--once", "--cluster", "local"]).expect(0);
    }
    assert!(Path::new(&folder.join("8.json")).is_file());
}

#[test]
fn many_watches_at_one_moment_ask_once() {
    let running = queue(&[("8_0", 9, "RUNNING", "None")]);
    let sandbox = Sandbox::new();
    let squeue = sandbox.fake("squeue").answers(&running).waits(0.3);
    drop(sandbox.fake("sacct").answers(accounting(&[("8_0", 9, "RUNNING", "0:0")])));
    drop(sandbox.fake("scontrol").fails(1, "slurm_load_jobs error: Invalid job id specified\n"));
    for round in 1..=3 {
        let answers: Vec<Answer> = std::thread::scope(|threads| {
            let watches: Vec<_> = (0..8).map(|_| threads.spawn(|| sandbox.handover(ONCE))).collect();
            watches.into_iter().map(|watch| watch.join().unwrap()).collect()
        });
        for answer in &answers {
            let end = events(answer).pop().unwrap();
            assert_eq!(end["why"], "once", "{answer}");
        }
        assert_eq!(squeue.calls().len(), round, "eight watches, one question");
        sandbox.advance("10min");
    }
}

/// Runs a script; `$1` is our program, whose clock goes on.
fn shell(sandbox: &Sandbox, script: &str) -> Answer {
    sandbox.set("HANDOVER_NOW", "");
    sandbox.program("timeout", ["60", "bash", "-c", script, "bash", env!("CARGO_BIN_EXE_handover")]).run()
}

#[test]
fn a_signal_ends_a_watch_well_and_one_that_is_ignored_does_not() {
    let running = queue(&[("8_0", 9, "RUNNING", "None")]);
    let (sandbox, ..) = slurm(&[running], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    // A shell lets what it starts in the background ignore SIGINT.
    let script = |before: &str, signals: &str| {
        format!(
            "rm -f out\nenv {before} \"$1\" watch 8 --json --cluster local >out & pid=$!\n\
             for i in $(seq 400); do grep -q contract out && break; sleep 0.05; done\n\
             for signal in {signals}; do kill -$signal $pid; sleep 0.3; done\n\
             wait $pid; echo \"code $?\"; cat out"
        )
    };
    for (before, signals, code, why) in [
        ("--default-signal=INT", "INT", 130, "interrupted"),
        ("--default-signal=INT", "TERM", 143, "terminated"),
        ("--default-signal=INT", "HUP", 143, "terminated"),
        ("--ignore-signal=HUP", "HUP TERM", 143, "terminated"),
    ] {
        let answer = shell(&sandbox, &script(before, signals)).expect(0);
        let (first, rest) = answer.stdout().split_once('\n').unwrap();
        assert_eq!(first, format!("code {code}"), "{signals}: {answer}");
        let end: Value = serde_json::from_str(rest.lines().last().unwrap()).unwrap();
        assert_eq!((&end["data"]["event"], &end["data"]["why"]), (&"end".into(), &why.into()), "{answer}");
        assert!(!sandbox.exists(".git/handover/watch/8.aside-1"));
    }
}

#[test]
fn a_watch_that_nobody_reads_any_more_ends() {
    let running = queue(&[("8_0", 9, "RUNNING", "None")]);
    let (sandbox, ..) = slurm(&[running], &[accounting(&[("8_0", 9, "RUNNING", "0:0")])]);
    let script = "set -o pipefail; \"$1\" watch 8 --cluster local | head -n 1";
    let answer = shell(&sandbox, script).expect(0);
    assert!(answer.stdout().starts_with("watching"), "{answer}");
}

#[test]
fn exit_codes_say_whether_what_was_waited_for_came() {
    let running = queue(&[("8_0", 9, "RUNNING", "None")]);
    let done = accounting(&[("8_0", 9, "COMPLETED", "0:0")]);
    for (until, code, why) in [("done", 0, "done"), ("change", 0, "changed"), ("systemic", 3, "done")] {
        let (sandbox, ..) = slurm(
            &[running.clone(), queue(&[])],
            &[accounting(&[("8_0", 9, "RUNNING", "0:0")]), done.clone()],
        );
        let answer =
            sandbox.handover(["watch", "8", "--json", "--cluster", "local", "--until", until]).expect(code);
        assert_eq!(events(&answer).pop().unwrap()["why"], why, "{until}");
    }
}
