//! The sweep of 200 tasks that `tests/cluster/sweep` plants on a real Slurm:
//! what the program says of it is compared whole with what was planted.
//! `sweep_recorded` does the same without Slurm.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;

use crate::support::planted::Truth;
use crate::support::{Answer, Sandbox, cluster::Cluster};
use crate::sweep_recorded::{checkpoints_are_as_planted, texts};
use crate::sweep_truth::Place;

/// A person in front of the planted sweep.
struct Planted {
    sandbox: Sandbox,
    project: PathBuf,
    array: String,
    truth: Truth,
}

impl Planted {
    fn or_skip(test: &str) -> Option<Planted> {
        let cluster = Cluster::with_sweep_or_skip(test)?;
        let sandbox = Sandbox::empty();
        cluster.open_to(&sandbox);
        // Real files and a real queue have real times.
        let now = sandbox.program("date", ["-u", "+%Y-%m-%dT%H:%M:%SZ"]).run().expect(0);
        sandbox.set_now(now.last_line());
        let project = PathBuf::from(&cluster.scenario["SWEEP_PROJECT"]);
        let array = cluster.scenario["SWEEP_ARRAY"].clone();
        let truth = Truth::read(&cluster.dir.join("sweep.truth"));
        Some(Planted { sandbox, project, array, truth })
    }

    /// `handover WORD...` in the sweep's project, about the real cluster.
    fn handover(&self, words: &[&str]) -> Answer {
        self.sandbox.handover_in(&self.project, words.iter().chain(&["--cluster", "local"]))
    }
}

/// One test, as the last of its looks changes what the others see.
#[test]
fn the_sweep_on_a_real_slurm_is_what_was_planted() {
    let name = "the_sweep_on_a_real_slurm_is_what_was_planted";
    let Some(planted) = Planted::or_skip(name) else { return };
    states_are_as_planted(&planted);
    checkpoints_are_as_planted(&planted.truth, |words| planted.sandbox.handover_in(&planted.project, words));
    let place =
        Place { truth: &planted.truth, project: &planted.project, array: &planted.array, full: false };
    place.board_is_as_planted(&planted.handover(&["sweep", &planted.array, "--json"]).data());
    let plan = planted.handover(&["sweep", "plan", &planted.array, "--json"]).expect(1).data();
    // Half as much again as the 500 MB that it asked for, in whole GiB.
    place.plan_is_as_planted(&plan, Some("--mem=1G"));
    let text = planted.handover(&["sweep", "plan", &planted.array, "--details"]).expect(1);
    place.text_has_the_lines(&plan, text.stdout());
    // Two of the checkpoints have a flipped bit, on which the resumed program would fail.
    let place = Place { full: true, ..place };
    let plan = planted.handover(&["sweep", "plan", &planted.array, "--full", "--json"]).expect(1).data();
    place.plan_is_as_planted(&plan, Some("--mem=1G"));
    the_plan_resumes_once(&planted, &place, &plan);
}

/// Tasks that a line of the plan submits again: those that failed, but for
/// those that need a change first, the one that is not what is intended, and
/// those whose work is lost.
fn is_submitted(task: &BTreeMap<String, String>) -> bool {
    let is_lost = task["best"] == "-";
    let waits = ["cuda-oom", "missing-module", "drifted"].contains(&task["fate"].as_str());
    task["class"] != "-" && !waits && !is_lost
}

fn the_plan_resumes_once(planted: &Planted, place: &Place, plan: &Value) {
    let hash = plan["hash"].as_str().unwrap();
    let submit =
        || planted.handover(&["sweep", "plan", &planted.array, "--full", "--submit", hash, "--json"]);
    let done = submit().expect(0).data();
    assert_eq!(done["whole"], true, "{done:#}");
    let ids: BTreeMap<String, u64> = done["lines"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|line| line["purpose"] != "cancel")
        .map(|line| (line["tasks"].as_str().unwrap().to_owned(), line["ids"][0].as_u64().unwrap()))
        .collect();
    let again: Vec<&BTreeMap<String, String>> =
        planted.truth.0.iter().filter(|task| is_submitted(task)).collect();
    assert_eq!(ids.keys().collect::<Vec<_>>(), {
        let mut tasks: Vec<&String> = again.iter().map(|task| &task["task"]).collect();
        tasks.sort();
        tasks
    });
    // All of them run to their end, which accounting tells a little later.
    let told = |data: &Value| -> BTreeMap<String, String> {
        let rows = data["sweeps"][0]["examined"]["submitted_again"].as_array();
        let rows = rows.or(data["examined"]["submitted_again"].as_array()).unwrap().iter();
        rows.map(|row| {
            let text = |name: &str| row[name].as_str().unwrap_or("?").to_owned();
            (row["task"].to_string(), [text("plan"), text("id"), text("state")].join(" "))
        })
        .collect()
    };
    let wanted: BTreeMap<String, String> = again
        .iter()
        .map(|task| &task["task"])
        .map(|task| (task.clone(), format!("{hash} {}_{task} COMPLETED", ids[task])))
        .collect();
    let board = || planted.handover(&["sweep", &planted.array, "--json"]).data();
    let mut second = board();
    for _ in 0..60 {
        if told(&second)
            .values()
            .all(|one| !["?", "PENDING", "RUNNING"].iter().any(|live| one.ends_with(live)))
        {
            break;
        }
        std::thread::sleep(Duration::from_secs(1));
        second = board();
    }
    assert_eq!(told(&second), wanted);
    the_project_went_on(planted, place, &again);
    place.second_board_says_so(&second, is_submitted);
    let twice = planted.handover(&["sweep", "plan", &planted.array, "--submit", hash]).expect(5);
    assert!(twice.stderr().contains("was submitted"), "{twice:?}");
    let next = planted.handover(&["sweep", "plan", &planted.array, "--json"]).expect(1).data();
    place.second_plan_leaves_them(&next, &ids);
}

/// The planted program itself checked each checkpoint that it was given.
fn the_project_went_on(planted: &Planted, place: &Place, again: &[&BTreeMap<String, String>]) {
    let resumed = std::fs::read_to_string(planted.project.join("resumed.tsv")).unwrap();
    let mut resumed: Vec<&str> = resumed.lines().collect();
    resumed.sort_unstable();
    let line = |task: &&&BTreeMap<String, String>| {
        let (index, best) = (&task["task"], place.best(task));
        format!("{index}\t{best}\t{}\tlr{index:0>4}a0", place.checkpoint(index, best))
    };
    let mut wanted: Vec<String> =
        again.iter().filter(|task| place.best(task) != "-").map(|t| line(&t)).collect();
    wanted.sort();
    assert_eq!(resumed, wanted);
    for task in again {
        let result = planted.project.join(format!("results/{}.json", task["task"]));
        assert!(result.is_file(), "{result:?}");
    }
}

fn states_are_as_planted(planted: &Planted) {
    let data = planted.handover(&["sweep", &planted.array, "--json"]).data();
    let sweep = &data["sweeps"][0];
    assert_eq!(texts(&sweep["look"]["tasks"]), planted.truth.outcomes());
    assert_eq!(sweep["total"], 200);
}
