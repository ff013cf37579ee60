//! What `handover watch` keeps between its runs: written by several at once,
//! damaged, of another release, refused by the disk, asked for from elsewhere.

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::support::cluster::skipped;
use crate::support::kill::{figure, proofs_are_full};
use crate::support::{Answer, Sandbox, trace};
use crate::watch::{accounting, events, queue, slurm};

const ONCE: [&str; 5] = ["watch", "8", "--once", "--cluster", "local"];

/// Two arrays, of which one task each runs.
fn two_arrays() -> Sandbox {
    let live = queue(&[("8_0", 9, "RUNNING", "None"), ("20_0", 21, "RUNNING", "None")]);
    let rows = accounting(&[("8_0", 9, "RUNNING", "0:0"), ("20_0", 21, "RUNNING", "0:0")]);
    let (sandbox, ..) = slurm(&[live], &[rows]);
    sandbox.write("logs/lr_20_0.out", "started\n");
    sandbox
}

fn folder(sandbox: &Sandbox) -> PathBuf {
    sandbox.project().join(".git/handover/watch")
}

fn kept(sandbox: &Sandbox, key: &str) -> Value {
    let text = std::fs::read(folder(sandbox).join(format!("{key}.json"))).unwrap();
    serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&text)))
}

fn seen(kept: &Value) -> usize {
    let all = kept["transitions"].as_array().unwrap();
    all.iter().filter(|one| one["change"]["what"] == "seen").count()
}

/// What could not be kept, as a watch told it.
fn troubles(answer: &Answer) -> Vec<String> {
    let told = events(answer).into_iter().filter(|event| event["event"] == "trouble");
    told.map(|event| event["what"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn watches_of_one_sweep_and_of_two_at_once_leave_whole_files() {
    let sandbox = two_arrays();
    std::thread::scope(|threads| {
        for number in 0..8 {
            let sandbox = &sandbox;
            // Half of them look at one of the sweeps, half at the other.
            let key = ["8", "20"][number % 2];
            threads.spawn(move || sandbox.handover(["watch", key, "--once", "--cluster", "local"]).expect(0));
        }
    });
    for key in ["8", "20"] {
        let kept = kept(&sandbox, key);
        assert_eq!((seen(&kept), kept["memory"]["look"]["tasks"].clone()), (1, json!({ "RUNNING": "0" })));
    }
    let left = sandbox.tree(sandbox.home().join(".cache/handover"));
    assert!(left.iter().all(|name| name.ends_with(".json")), "a claim or half a file is left: {left:?}");
    sandbox.advance("10min");
    for key in ["8", "20"] {
        let again = sandbox.handover(["watch", key, "--once", "--cluster", "local"]).expect(0);
        assert_eq!(again.stdout(), "", "nothing changed since");
    }
}

#[test]
fn where_nothing_can_be_kept_it_watches_all_the_same_and_says_so_once() {
    let sandbox = two_arrays();
    // Permissions mean nothing to root, a file in the place of the folder does.
    sandbox.write(".git/handover/watch", "");
    let answer =
        sandbox.handover(["watch", "8", "--for", "10min", "--json", "--cluster", "local"]).expect(75);
    let [told] = &troubles(&answer)[..] else { panic!("{answer}") };
    assert!(told.starts_with("the next watch will start from nothing: "), "{told}");
    let end = events(&answer).pop().unwrap();
    assert_eq!((&end["why"], &end["sweeps"][0]["states"]), (&json!("time_up"), &json!({ "RUNNING": 1 })));
}

#[test]
fn a_full_disk_tears_no_memory_and_the_look_is_told() {
    let name = "a_full_disk_tears_no_memory_and_the_look_is_told";
    let again = |sandbox: &Sandbox| {
        sandbox.advance("10min");
        sandbox.call(ONCE.iter().chain(&["--json"]))
    };
    let looked_at = || {
        let sandbox = two_arrays();
        let _ = sandbox.handover(ONCE).expect(0);
        sandbox
    };
    let sandbox = looked_at();
    if !trace::is_possible(&sandbox) {
        return skipped(name, "strace is missing, or tracing is forbidden here");
    }
    let (_, all) = trace::record(&sandbox, again(&sandbox));
    let root = sandbox.root().to_str().unwrap().to_owned();
    let starts = ["clone", "clone3", "vfork", "wait4", "waitid"];
    let writes: Vec<_> = all
        .iter()
        .filter(|event| event.is_mutating(&root) && !starts.contains(&event.call.as_str()))
        .collect();
    assert!(!writes.is_empty(), "nothing was traced, so nothing would be proved");
    let step = if proofs_are_full() { 1 } else { writes.len().div_ceil(12) };
    let mut said = 0;
    let points: Vec<_> =
        writes.iter().step_by(step).flat_map(|event| [(event, "ENOSPC"), (event, "EROFS")]).collect();
    for (event, error) in &points {
        let sandbox = looked_at();
        let answer = trace::with_fault(again(&sandbox), event, &format!("error={error}"));
        assert!(answer.code == 0, "{error} at {}: {answer}", event.line);
        assert_eq!(seen(&kept(&sandbox, "8")), 1, "{error} at {}", event.line);
        let end = events(&answer).pop().unwrap();
        assert_eq!(end["event"], "end", "{answer}");
        said += usize::from(!troubles(&answer).is_empty());
        sandbox.advance("10min");
        assert_eq!(sandbox.handover(ONCE).expect(0).stdout(), "", "the next one goes on");
    }
    figure(&format!("watch: refused at {} points: 0 torn, {said} said", points.len()));
    assert!(said > 0, "what could not be kept was said at some of them");
}

#[test]
fn a_watch_from_another_worktree_goes_on_from_the_same_memory() {
    let sandbox = two_arrays();
    let other = sandbox.worktree("other");
    let _ = sandbox.handover(ONCE).expect(0);
    sandbox.advance("10min");
    assert_eq!(sandbox.handover_in(&other, ONCE).expect(0).stdout(), "", "it knew what the first one saw");
    let kept = kept(&sandbox, "8");
    assert_eq!((seen(&kept), &kept["looks"]), (1, &json!(2)));
}
