//! The sweep of 200 tasks that `tests/cluster/sweep` plants on a real Slurm:
//! what the program says of it is compared whole with what was planted.
//! `sweep_recorded` does the same without Slurm.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::planted::Truth;
use crate::support::{Answer, Sandbox, cluster::Cluster};
use crate::sweep_recorded::{checkpoints_are_as_planted, texts};
use crate::sweep_truth::Place;
use crate::watch::events;

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
    what_could_go(&planted, |task| task["class"] != "-");
    let key = planted.handover(&["create"]).expect(0).last_line().to_owned();
    let ids = the_plan_resumes_once(&planted, &place, &plan);
    // What those left behind that have completed since is not looked at any more.
    what_could_go(&planted, |task| task["class"] != "-" && !is_submitted(task));
    the_report_tells_the_new_ids(&planted, &ids);
    the_resumed_are_watched_to_their_end(&planted, &ids);
    the_next_agent_is_told(&planted, &ids, &key);
}

/// Their newest checkpoint was refused, and holds whole weights of a higher step
/// all the same: one lies under a temporary name, the other lacks the Trainer's
/// state alone. A person may still want them.
const WHOLE_WEIGHTS: [u32; 2] = [30, 155];

/// An hour later, when nobody writes any more: the broken checkpoints that were
/// planted in the runs of these tasks, and nothing else.
fn what_could_go(planted: &Planted, which: impl Fn(&BTreeMap<String, String>) -> bool) {
    let set_now = |words: &[&str]| {
        let words = [words, &["+%Y-%m-%dT%H:%M:%SZ"]].concat();
        planted.sandbox.set_now(planted.sandbox.program("date", words).run().expect(0).last_line());
    };
    set_now(&["-u", "-d", "1 hour"]);
    let plan = planted.handover(&["sweep", "clean", &planted.array, "--dry-run", "--json"]).expect(0).data();
    set_now(&["-u"]);
    let task_of = |item: &Value| item["task"].as_u64().unwrap() as u32;
    let (items, usable) = (plan["items"].as_array().unwrap(), plan["usable"].as_array());
    let usable: Vec<u32> = usable.into_iter().flatten().map(task_of).collect();
    let mut told: BTreeMap<u32, usize> = BTreeMap::new();
    for task in items.iter().map(task_of).chain(usable.iter().copied()) {
        *told.entry(task).or_default() += 1;
    }
    let broken =
        planted.truth.checkpoints(false).into_iter().map(|(task, (_, refused))| (task, refused.len()));
    let wanted = broken.filter(|(task, count)| *count > 0 && which(&planted.truth.0[*task as usize]));
    assert_eq!((told, &plan["refused"]), (wanted.collect(), &Value::Null), "{plan:#}");
    let whole = WHOLE_WEIGHTS.into_iter().filter(|task| which(&planted.truth.0[*task as usize]));
    assert_eq!(usable, whole.collect::<Vec<u32>>(), "{plan:#}");
}

/// Part 5 has each new id, and a second report has nothing to add.
fn the_report_tells_the_new_ids(planted: &Planted, ids: &BTreeMap<String, u64>) {
    let report = || planted.handover(&["sweep", "report", &planted.array]).expect(1);
    let data = planted.handover(&["sweep", "report", &planted.array, "--whole", "--json"]).expect(1).data();
    let successors = data["intervention"]["successors"].as_array().unwrap().iter();
    let told: BTreeMap<String, (u64, Value)> = successors
        .map(|one| {
            (one["tasks"].as_str().unwrap().to_owned(), (one["job"].as_u64().unwrap(), one["states"].clone()))
        })
        .collect();
    let completed = json!({ "COMPLETED": 1 });
    let wanted = ids.iter().map(|(task, id)| (task.clone(), (*id, completed.clone())));
    assert_eq!(told, wanted.collect());
    let whole = planted.handover(&["sweep", "report", &planted.array, "--whole"]).expect(1);
    for (task, id) in ids {
        let moved = format!("(tasks `{task}` → job {id})");
        assert!(whole.stdout().contains(&moved), "{moved} in {whole}");
    }
    assert!(report().stdout().contains("*no material change since "), "{}", report());
}

/// A watch of all the new jobs ends at once, as all of them are over and well.
fn the_resumed_are_watched_to_their_end(planted: &Planted, ids: &BTreeMap<String, u64>) {
    let ids: Vec<String> = ids.values().map(u64::to_string).collect();
    let mut words = vec!["watch", "--until", "done", "--json"];
    words.extend(ids.iter().map(String::as_str));
    let answer = planted.handover(&words).expect(0);
    let end = events(&answer).pop().unwrap();
    assert_eq!(end["why"], "done", "{end:#}");
    let states = end["sweeps"].as_array().unwrap().iter().map(|sweep| sweep["states"].clone());
    assert_eq!(states.collect::<Vec<_>>(), vec![json!({ "COMPLETED": 1 }); ids.len()]);
}

/// Whoever takes over is told where each task went, and to resume none again.
fn the_next_agent_is_told(planted: &Planted, ids: &BTreeMap<String, u64>, key: &str) {
    let briefing = planted.handover(&["resume", key]).expect(0);
    for (task, id) in ids {
        let went = [
            format!("task {task} was resumed as job {id}"),
            format!("task {task} was started anew as job {id}"),
        ];
        assert!(went.iter().any(|went| briefing.stdout().contains(went)), "{task} -> {id} in {briefing}");
    }
    let now = briefing.stdout().lines().skip_while(|line| !line.contains("` now: "));
    let now: Vec<&str> = now.take_while(|line| !line.starts_with("- moved")).collect();
    let has = |class: &str| now.iter().any(|line| line.contains(class));
    assert!(has("cuda-oom: 38 ") && has("missing-module: 10 ") && has("node-fail: 1 "), "{briefing}");
    // Of these all were resumed but the one that left no checkpoint.
    assert!(has("host-oom: 1 ") && has("`70`"), "{briefing}");
}

/// Tasks that a line of the plan submits again: those that failed, but for
/// those that need a change first, the one that is not what is intended, and
/// those whose work is lost.
fn is_submitted(task: &BTreeMap<String, String>) -> bool {
    let is_lost = task["best"] == "-";
    let waits = ["cuda-oom", "missing-module", "drifted"].contains(&task["fate"].as_str());
    task["class"] != "-" && !waits && !is_lost
}

fn the_plan_resumes_once(planted: &Planted, place: &Place, plan: &Value) -> BTreeMap<String, u64> {
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
    ids
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
