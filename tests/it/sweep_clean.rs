//! `handover sweep clean`: on the recorded sweep of 200 tasks.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use crate::support::Sandbox;
use crate::support::planted::Recorded;
use crate::support::slurm::{self, T0, Task};
use crate::sweep_plan::of_recording;

#[test]
fn what_ended_tasks_left_goes_into_a_trash_and_comes_back() {
    let recorded = Recorded::new();
    // What was written just now may still be written.
    let young = of_recording(&recorded, &["sweep", "clean", "2", "--json"]).expect(0).data();
    assert_eq!(young["items"].as_array().unwrap().len(), 0);
    assert_eq!(young["fresh"].as_array().unwrap().len(), 11);
    let young = of_recording(&recorded, &["sweep", "clean", "2"]).expect(0);
    insta::assert_snapshot!("young", recorded.sandbox.normalise(&young.stdout()));
    recorded.looked_at_hours_later(6);
    let shown = of_recording(&recorded, &["sweep", "clean", "2"]).expect(0);
    insta::assert_snapshot!("old", recorded.sandbox.normalise(&shown.stdout()));
    let plan = of_recording(&recorded, &["sweep", "clean", "2", "--dry-run", "--json"]).expect(0).data();
    let runs = recorded.project.join("runs");
    let files = recorded.sandbox.tree(&runs);
    let gone: Vec<String> = plan["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            let path = Path::new(item["path"].as_str().unwrap());
            path.strip_prefix(&recorded.project).unwrap().to_str().unwrap().to_owned()
        })
        .collect();
    // Nothing that a run resumes from.
    for task in recorded.truth.0.iter().filter(|task| task["best"] != "-") {
        let start = format!("runs/{}/", task["task"]);
        let best = [
            format!("step_{}.", task["best"]),
            format!("step={}.", task["best"]),
            format!("-{}", task["best"]),
        ];
        let of_it = gone.iter().filter(|path| path.starts_with(&start));
        for path in of_it {
            let name = path.rsplit('/').next().unwrap();
            assert!(!best.iter().any(|best| name.contains(best.as_str())), "{path}: {task:?}");
        }
    }
    assert!(gone.len() >= 8, "{gone:?}");
    let refused = of_recording(&recorded, &["sweep", "clean", "2", "--remove"]).expect(5);
    assert!(refused.stderr().contains("--yes"), "{refused:?}");
    assert!(recorded.sandbox.tree(&runs) == files, "not what it was");
    let receipt =
        of_recording(&recorded, &["sweep", "clean", "2", "--remove", "--yes", "--json"]).expect(0).data();
    for path in &gone {
        assert!(!recorded.project.join(path).exists(), "{path}");
    }
    let again = of_recording(&recorded, &["sweep", "clean", "2", "--json"]).expect(0).data();
    assert_eq!(again["items"].as_array().unwrap().len(), 0);
    let id = receipt["id"].as_str().unwrap();
    let undo = |words: &[&str]| recorded.sandbox.handover_in(&recorded.project, words.iter());
    // Where something is now, nothing is put.
    std::fs::write(recorded.project.join(&gone[0]), "new").unwrap();
    let before = recorded.sandbox.tree(&runs);
    let refused = undo(&["sweep", "clean", "--undo", id]).expect(5);
    assert!(
        refused.stderr().contains(&format!(
            "something is there now: {}/{}",
            recorded.project.display(),
            gone[0]
        )),
        "{refused}"
    );
    assert!(recorded.sandbox.tree(&runs) == before, "something was moved");
    std::fs::remove_file(recorded.project.join(&gone[0])).unwrap();
    let _ = undo(&["sweep", "clean", "--undo", id]).expect(0);
    assert!(recorded.sandbox.tree(&runs) == files, "not what it was");
    let _ = undo(&["sweep", "clean", "--undo", id]).expect(4);
}

#[test]
fn trash_goes_for_good_when_it_is_old_and_somebody_says_so() {
    let recorded = Recorded::new();
    recorded.looked_at_hours_later(6);
    let went = of_recording(&recorded, &["sweep", "clean", "2", "--remove", "--yes"]).expect(0);
    let all = format!("{}{}", went.stdout(), went.stderr());
    assert_eq!(all.matches("runs/8/checkpoints/step_600.pt").count(), 1, "listed twice: {all}");
    let call = |words: &[&str]| recorded.sandbox.handover_in(&recorded.project, words.iter());
    let _ = call(&["sweep", "clean", "--purge", "--yes"]).expect(0);
    let listed = call(&["sweep", "clean", "--list-trash", "--json"]).expect(0).data();
    assert_eq!(listed["entries"].as_array().unwrap().len(), 1, "it is too young");
    recorded.hours_later(61 * 24);
    let _ = call(&["sweep", "clean", "--purge"]).expect(5);
    let _ = call(&["sweep", "clean", "--purge", "--yes"]).expect(0);
    assert!(call(&["sweep", "clean", "--list-trash"]).expect(0).stdout().contains("empty"));
}

#[test]
fn whatever_the_patterns_name_no_resumable_checkpoint_and_nothing_outside_goes() {
    let recorded = Recorded::new();
    recorded.looked_at_hours_later(20);
    let settings = recorded.project.join(".handover.yaml");
    let text = std::fs::read_to_string(&settings).unwrap();
    std::fs::write(&settings, format!("{text}  partial: ['**', '*']\n")).unwrap();
    let failed = recorded.truth.0.iter().find(|task| task["fate"] == "time-limit").unwrap();
    let link = recorded.project.join(format!("runs/{}/out.tmp", failed["task"]));
    std::os::unix::fs::symlink(recorded.project.join("train.sh"), &link).unwrap();
    let survey = |words: &[&str]| {
        let words = [&["sweep", "checkpoints", "--json"], words].concat();
        let data = recorded.sandbox.handover_in(&recorded.project, words).data();
        let best = |run: &serde_json::Value| (run["dir"].to_string(), run["best"]["path"].to_string());
        data["runs"].as_array().unwrap().iter().map(best).collect::<Vec<_>>()
    };
    let before: Vec<_> = survey(&[]).into_iter().filter(|(_, best)| best != "null").collect();
    let receipt =
        of_recording(&recorded, &["sweep", "clean", "2", "--remove", "--yes", "--json"]).expect(0).data();
    assert!(receipt["items"].as_array().unwrap().len() > 11, "{receipt}");
    assert!(recorded.project.join("train.sh").exists() && link.is_symlink());
    let after: Vec<_> = survey(&[]).into_iter().filter(|(_, best)| best != "null").collect();
    assert_eq!(after, before);
    // Whoever runs has everything that it had.
    for task in recorded.truth.0.iter().filter(|task| task["state"] == "RUNNING") {
        let start = format!("/runs/{}/", task["task"]);
        let gone = receipt["items"].as_array().unwrap().iter();
        assert!(!gone.map(|item| item["path"].as_str().unwrap()).any(|path| path.contains(&start)));
    }
}

#[test]
fn nothing_is_removed_on_the_word_of_an_old_state_file() {
    let recorded = Recorded::new();
    recorded.hours_later(6);
    let files = recorded.sandbox.tree(&recorded.project);
    let plan = of_recording(&recorded, &["sweep", "clean", "2", "--json"]).expect(0).data();
    assert_eq!(
        (&plan["refused"]["age"], &plan["refused"]["most"]),
        (&21_600.into(), &900.into()),
        "{plan:#}"
    );
    let refused = of_recording(&recorded, &["sweep", "clean", "2", "--remove", "--yes"]).expect(5);
    let why = refused.stderr().to_owned();
    assert!(
        why.contains("cluster_state.txt, which is 6 h") && why.contains("--cluster local\n"),
        "{refused}"
    );
    assert!(recorded.sandbox.tree(&recorded.project) == files, "not what it was");
    // A command to run next asks one cluster, not two.
    let all = [&["sweep", "clean", "2"][..], &["sweep", "clean", "2", "--remove"], &["sweep", "plan", "2"]];
    for words in all {
        let told = of_recording(&recorded, words);
        let mut lines = told.stdout().lines().chain(told.stderr().lines());
        assert!(lines.all(|line| line.matches("--cluster").count() <= 1), "{told}");
    }
    // One that does not say when it was written is no better.
    let state = recorded.sandbox.root().join("cluster_state.txt");
    let text = std::fs::read_to_string(&state).unwrap();
    let is_time = |line: &&str| line.starts_with("Taken:") || line.starts_with("taken_at ");
    let timeless: Vec<&str> = text.lines().filter(|line| !is_time(line)).collect();
    std::fs::write(&state, timeless.join("\n") + "\n").unwrap();
    let refused = of_recording(&recorded, &["sweep", "clean", "2", "--remove", "--yes"]).expect(5);
    assert!(refused.stderr().contains("nobody knows how old"), "{refused}");
    assert!(recorded.sandbox.tree(&recorded.project) == files, "not what it was");
}

#[test]
fn a_run_folder_that_is_a_link_out_of_the_project_is_left_alone() {
    let recorded = Recorded::new();
    recorded.looked_at_hours_later(6);
    let (run, outside) = (recorded.project.join("runs/8"), recorded.sandbox.root().join("scratch"));
    std::fs::rename(&run, &outside).unwrap();
    std::os::unix::fs::symlink(&outside, &run).unwrap();
    let before = recorded.sandbox.tree(&outside);
    let plan = of_recording(&recorded, &["sweep", "clean", "2", "--json"]).expect(0).data();
    let kept = plan["kept"].as_array().unwrap().iter().find(|kept| kept["tasks"] == "8").unwrap();
    assert!(kept["why"].as_str().unwrap().contains("is a link that leads out of the project"), "{kept}");
    let _ = of_recording(&recorded, &["sweep", "clean", "2", "--remove", "--yes"]).expect(0);
    assert!(recorded.sandbox.tree(&outside) == before, "not what it was");
}

/// A sweep of four tasks of which the third failed, with what that left, and a moment
/// before which all of it was written.
fn with_leavings() -> Sandbox {
    let sandbox = Sandbox::new();
    let settings = "sweeps:\n  runs: ['runs/{task}']\n";
    sandbox.write(sandbox.project().join(".handover.yaml"), settings);
    slurm::says(
        &sandbox,
        &[0, 1, 2, 3].map(|task| match task {
            2 => Task::ended(task, "FAILED", "1:0"),
            _ => Task::ended(task, "COMPLETED", "0:0"),
        }),
    );
    let run = sandbox.project().join("runs/2");
    let tensors = {
        let header = br#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#;
        [&(header.len() as u64).to_le_bytes()[..], header, &[1; 16]].concat()
    };
    sandbox.write(run.join("results.partial/a.json"), "half");
    sandbox.write(run.join("checkpoint-700/model.safetensors"), &tensors);
    sandbox.write(run.join("checkpoint-700/optimizer.pt"), "");
    sandbox.write(run.join("checkpoint-700/trainer_state.json"), r#"{"global_step":700}"#);
    sandbox.write(run.join("checkpoint-800/model.safetensors"), &tensors[..40]);
    sandbox.write(run.join("checkpoint-800/trainer_state.json"), r#"{"global_step":800}"#);
    written(&run, T0 - 7200);
    sandbox
}

/// Lets everything below a folder have been written then, in seconds since 1970.
fn written(path: &Path, then: i64) {
    if path.is_dir() {
        std::fs::read_dir(path).unwrap().for_each(|entry| written(&entry.unwrap().path(), then));
    }
    let then = UNIX_EPOCH + Duration::from_secs(then as u64);
    std::fs::File::open(path).unwrap().set_modified(then).unwrap();
}

fn names(list: &serde_json::Value) -> Vec<&str> {
    list.as_array().unwrap().iter().filter_map(|item| item["path"].as_str()?.rsplit('/').next()).collect()
}

#[test]
fn the_last_weights_of_a_run_stay_and_a_folders_own_time_counts() {
    let sandbox = with_leavings();
    let plan = slurm::ask(&sandbox, &["sweep", "clean", "482", "--json"]).expect(0).data();
    assert_eq!(names(&plan["items"]), ["checkpoint-800", "results.partial"], "{plan:#}");
    assert_eq!(names(&plan["usable"]), ["checkpoint-700"], "{plan:#}");
    let young = sandbox.project().join("runs/2/checkpoint-900.tmp");
    std::fs::create_dir(&young).unwrap();
    written(&young, T0 - 60);
    let plan = slurm::ask(&sandbox, &["sweep", "clean", "482", "--json"]).expect(0).data();
    assert_eq!(names(&plan["items"]), ["checkpoint-800", "results.partial"], "{plan:#}");
    assert_eq!(names(&plan["fresh"]), ["checkpoint-900.tmp"], "{plan:#}");
    let text = slurm::ask(&sandbox, &["sweep", "clean", "482"]).expect(0);
    assert!(text.stdout().contains("whole weights"), "{text}");
}

#[test]
fn what_changed_since_it_was_shown_does_not_go() {
    let sandbox = with_leavings();
    let (bin, run) = (sandbox.root().join("changing"), sandbox.project().join("runs/2"));
    // At the second look something else has the name of what was shown.
    let squeue = bin.join("squeue");
    sandbox.write(
        &squeue,
        format!(
            "#!/bin/sh\ncd '{}' || exit 1\nif [ -e looked ] && [ ! -e changed ]; then\n touch changed\n \
             cp -a results.partial new && rm -r results.partial && mv new results.partial\nfi\ntouch looked\n",
            run.display()
        ),
    );
    std::fs::set_permissions(&squeue, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    sandbox.prefix_path(&bin);
    let refused = slurm::ask(&sandbox, &["sweep", "clean", "482", "--remove", "--yes"]).expect(5);
    assert!(refused.stderr().contains("runs/2/results.partial"), "{refused}");
    assert!(run.join("changed").exists() && run.join("checkpoint-800").exists(), "{refused}");
    let listed = sandbox.handover(["sweep", "clean", "--list-trash", "--json"]).expect(0).data();
    assert_eq!(listed["entries"].as_array().unwrap().len(), 0);
    let _ = slurm::ask(&sandbox, &["sweep", "clean", "482", "--remove", "--yes"]).expect(0);
    assert!(!run.join("results.partial").exists() && !run.join("checkpoint-800").exists());
    assert!(run.join("checkpoint-700").exists());
}

#[test]
fn two_that_clean_up_at_once_leave_one_entry_with_everything_in_it() {
    let sandbox = with_leavings();
    std::thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| slurm::ask(&sandbox, &["sweep", "clean", "482", "--remove", "--yes"]));
        }
    });
    let listed = sandbox.handover(["sweep", "clean", "--list-trash", "--json"]).expect(0).data();
    let entries = listed["entries"].as_array().unwrap();
    assert_eq!((entries.len(), entries[0]["items"].as_array().unwrap().len()), (1, 2), "{listed:#}");
    // A project that was moved has it back where it is now.
    let (id, moved) = (entries[0]["id"].as_str().unwrap(), sandbox.root().join("moved"));
    std::fs::rename(sandbox.project(), &moved).unwrap();
    let _ = sandbox.handover_in(&moved, ["sweep", "clean", "--undo", id]).expect(0);
    assert_eq!(sandbox.read(moved.join("runs/2/results.partial/a.json")), "half");
}
