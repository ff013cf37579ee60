//! `handover sweep plan`: what it must not cancel, whatever others came to.

use serde_json::Value;

use crate::support::Sandbox;
use crate::support::slurm::{Queued, T0, Task, ask, says};

fn lines(plan: &Value) -> Vec<&str> {
    let steps = plan["steps"].as_array().unwrap().iter();
    steps
        .flat_map(|step| step["lines"].as_array().into_iter().flatten())
        .map(|line| line["text"].as_str().unwrap())
        .collect()
}

#[test]
fn what_runs_well_is_not_cancelled_because_others_met_a_cause_that_passes() {
    for (state, exit, log) in [
        ("NODE_FAIL", "0:0", "step 1 loss 1.0\n"),
        ("TIMEOUT", "0:0", "step 1 loss 1.0\n"),
        (
            "FAILED",
            "1:0",
            "Traceback (most recent call last):\n  File \"t.py\", line 3, in f\n\
             RuntimeError: The server socket has failed to listen on any local network address. EADDRINUSE\n",
        ),
    ] {
        let sandbox = Sandbox::new();
        let node = |index: u32| format!("node{index}");
        let ended = (0..12).map(|index| Task::ended(index, state, exit).on(&node(index)));
        let running = (12..16).map(|index| Task::running(index).on(&node(index)));
        says(&sandbox, &ended.chain(running).collect::<Vec<_>>());
        for index in 0..16 {
            let text = if index < 12 { log } else { "step 100 loss 0.5\nstep 200 loss 0.4\n" };
            sandbox.write(format!("logs/482_{index}.out"), text);
        }
        let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
        assert!(!lines(&plan).iter().any(|line| line.starts_with("scancel")), "{state}: {plan:#}");
        assert!(plan["steps"].to_string().contains("\"12-15\""), "{state}: {plan:#}");
    }
}

#[test]
fn what_comes_forward_is_spared_where_the_cause_lies_around_it_or_behind_it() {
    let error =
        |what: &str| format!("Traceback (most recent call last):\n  File \"t.py\", line 3, in f\n{what}\n");
    let egress = "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='huggingface.co', port=443): Max \
                  retries exceeded with url: /x (Caused by NewConnectionError: [Errno 101] Network is unreachable)";
    let quota = "OSError: [Errno 122] Disk quota exceeded: 'runs/x.pt'";
    let module = "ModuleNotFoundError: No module named 'foo'";
    let code = "KeyError: 'loss'";
    let steps = |last: u32| format!("step {} loss 0.5\nstep {last} loss 0.4\n", last / 2);
    // The log of those that failed, how far the others are, and which are cancelled.
    for (log, far, cancelled) in [
        // They were further than what runs, and need not have been: the way out may be there.
        (format!("{}{}", steps(500), error(egress)), 100, "16"),
        (format!("{}{}", steps(500), error(quota)), 100, "16"),
        // At the start, which the others have behind them.
        (error(module), 100, "16"),
        (format!("{}{}", steps(50), error(code)), 100, "16"),
        // What the code does at step 500 it will do to those that have not come there.
        (format!("{}{}", steps(500), error(code)), 100, "12-16"),
    ] {
        let sandbox = Sandbox::new();
        let node = |index: u32| format!("node{index}");
        let ended = (0..12).map(|index| Task::ended(index, "FAILED", "1:0").on(&node(index)));
        let running = (12..17).map(|index| Task::running(index).on(&node(index)));
        says(&sandbox, &ended.chain(running).collect::<Vec<_>>());
        (0..12).for_each(|index| drop(sandbox.write(format!("logs/482_{index}.out"), &log)));
        (12..16).for_each(|index| drop(sandbox.write(format!("logs/482_{index}.out"), steps(far))));
        sandbox.write("logs/482_16.out", "loading\n");
        let plan = ask(&sandbox, &["sweep", "plan", "482", "--json"]).data();
        let cancel: Vec<&str> = lines(&plan).into_iter().filter(|line| line.starts_with("scancel")).collect();
        assert_eq!(cancel, [format!("scancel '482_[{cancelled}]'")], "{log}: {plan:#}");
    }
}

#[test]
fn jobs_that_share_the_name_alone_and_work_elsewhere_are_none_of_the_sweep() {
    // Theirs are more than ours.
    for theirs in [950..952, 950..956] {
        let sandbox = Sandbox::new();
        let of_one_name = |id: u32| Task {
            id: id.to_string(),
            raw: id,
            ..Task::ended(0, "FAILED", "1:0").on(&format!("node{}", id % 12))
        };
        says(&sandbox, &(900..912).map(of_one_name).collect::<Vec<_>>());
        let (own, other) = (sandbox.project(), sandbox.root().join("other"));
        std::fs::create_dir_all(&other).unwrap();
        let job = |id: u32, dir: &std::path::Path| {
            let queued = Queued::new(&id.to_string(), "RUNNING", dir, dir.join(format!("logs/{id}.out")));
            Queued { name: "seg_lr", elapsed: "0:10", started: Some(T0 - 10), ..queued }.row()
        };
        let queued = (940..943).map(|id| job(id, &own)).chain(theirs.map(|id| job(id, &other)));
        drop(sandbox.fake("squeue").answers(queued.collect::<String>()));
        let error = "Traceback (most recent call last):\n  File \"t.py\", line 3, in f\n\
                     ModuleNotFoundError: No module named 'foo'\n";
        (900..912).for_each(|id| drop(sandbox.write(format!("logs/{id}.out"), error)));
        let plan = ask(&sandbox, &["sweep", "plan", "seg_lr", "--json"]).data();
        assert_eq!(plan["directory"], own.to_str().unwrap());
        let cancel: Vec<&str> = lines(&plan).into_iter().filter(|line| line.starts_with("scancel")).collect();
        assert_eq!(cancel, ["scancel 940 941 942"], "{plan:#}");
        let told = plan["steps"].to_string();
        assert!(!told.contains("950") && !told.contains("951"), "{told}");
        let notes = plan["notes"].to_string();
        assert!(notes.contains("950") && notes.contains("the same name"), "{notes}");
        // Nor does one of them count in what is judged; what works below the project does.
        let other = other.to_str().unwrap();
        let counted = ask(&sandbox, &["sweep", "seg_lr", "--json"]).data();
        let total = counted["sweeps"][0]["total"].as_u64().unwrap();
        assert_eq!(total, 15, "{counted:#}");
        assert!(counted["examined"]["not_read"].to_string().contains(other), "{counted:#}");
    }
}
