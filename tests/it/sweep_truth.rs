//! What the program says of the planted sweep of 200 tasks, compared whole with
//! what was planted: for the recording and for a real Slurm alike.

mod plan;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::planted::Truth;

type Task = BTreeMap<String, String>;

/// A project with the planted sweep in it, and the id of its array.
pub struct Place<'p> {
    pub truth: &'p Truth,
    pub project: &'p Path,
    pub array: &'p str,
    /// True if every byte of the checkpoints is read.
    pub full: bool,
}

/// What ends a task from outside leaves its run of W&B open.
const KILLED: [&str; 5] = ["host-kill", "host-kill-bare", "time-limit", "drifted", "node-fail"];

impl Place<'_> {
    fn of(&self, fates: &[&str]) -> String {
        let all = self.truth.lists(|task| fates.contains(&task["fate"].as_str()).then(String::new));
        all.get("").cloned().unwrap_or_default()
    }

    fn log(&self, task: &str) -> std::path::PathBuf {
        self.project.join(format!("logs/lrgrid_{}_{task}.out", self.array))
    }

    /// Everything that `sweep NAME --json` says beside states and exit codes.
    #[track_caller]
    pub fn board_is_as_planted(&self, data: &Value) {
        let examined = &data["sweeps"][0]["examined"];
        let examined = if examined.is_null() { &data["examined"] } else { examined };
        self.causes(examined);
        self.groups(&examined["judgement"]);
        self.decision(&examined["judgement"]);
        self.contradictions(&examined["judgement"]);
        self.tracker(examined);
        self.progress(examined);
        assert_eq!(examined["not_read"], json!([]));
    }

    /// Task by task: the class, how sure, what to do, and where it stands.
    #[track_caller]
    fn causes(&self, examined: &Value) {
        let told = |cause: &Value| {
            let text = |name: &str| cause[name].as_str().unwrap().to_owned();
            let evidence = &cause["evidence"];
            let place = match evidence["file"].as_str() {
                None => evidence["source"].as_str().unwrap().to_owned(),
                Some(file) => {
                    let log = std::fs::read(file).unwrap();
                    let at = evidence["offset"].as_u64().unwrap() as usize;
                    let line = evidence["text"].as_str().unwrap();
                    // The offset is where the match begins, in the line whose text it is.
                    let there = String::from_utf8_lossy(&log[at..log.len().min(at + 12)]).into_owned();
                    assert!(line.contains(&there), "{cause:#}: {there:?} is there in {file}");
                    let number = 1 + log[..at].iter().filter(|byte| **byte == b'\n').count();
                    assert_eq!(evidence["line"], number, "{cause:#}");
                    format!("{file}:{}", evidence["line"])
                }
            };
            (cause["task"].to_string(), [text("class"), text("confidence"), text("retry"), place].join(" "))
        };
        let told: BTreeMap<String, String> =
            examined["causes"].as_array().unwrap().iter().map(told).collect();
        let planted = |task: &Task| {
            let fate = task["fate"].as_str();
            let (class, sure, retry) = match fate {
                "cuda-oom" => ("cuda-oom", "sure", "after_change"),
                "missing-module" => ("missing-module", "sure", "fix_first"),
                // A bare "Killed" with exit code 137 is most likely memory, and not certainly.
                "host-kill" => ("host-oom", "sure", "after_change"),
                "host-kill-bare" => ("host-oom", "likely", "after_change"),
                "time-limit" | "drifted" => ("time-limit", "sure", "resume"),
                "node-fail" => ("node-fail", "sure", "resume"),
                _ => return None,
            };
            // The very words that were planted, in the last line that has them.
            let words = match fate {
                "cuda-oom" => "torch.cuda.OutOfMemoryError: CUDA out of memory",
                "missing-module" => "No module named 'lion_pytorch'",
                "host-kill" => "oom-kill event(s) in StepId=",
                "host-kill-bare" => " Killed ",
                _ => "",
            };
            let log = self.log(&task["task"]);
            let place = match words {
                "" => "sacct".to_owned(),
                words => {
                    let text = String::from_utf8_lossy(&std::fs::read(&log).unwrap()).into_owned();
                    let line = text.split('\n').position(|line| line.contains(words)).expect(words);
                    format!("{}:{}", log.display(), line + 1)
                }
            };
            Some((task["task"].clone(), [class, sure, retry, &place].join(" ")))
        };
        let planted: BTreeMap<String, String> = self.truth.0.iter().filter_map(planted).collect();
        assert_eq!(told, planted);
    }

    /// The groups of similar failures, largest first, and where they are.
    #[track_caller]
    fn groups(&self, judgement: &Value) {
        let told = |group: &Value| {
            json!([group["cause"]["class"], group["tasks"], group["spread"], group["unconfirmed"]])
        };
        let told: Vec<Value> = judgement["groups"].as_array().unwrap().iter().map(told).collect();
        let scattered = json!({ "is": "scattered" });
        let lost = json!({ "is": "nodes", "nodes": [
            { "node": "gpu02", "failed": 3, "finished": self.ended_on("gpu02", |_| true) }
        ] });
        let corner = json!({
            "is": "corner", "conditions": [{ "parameter": "batch_size", "values": ["512"] }],
            "failed": 38, "finished": 38
        });
        let planted = vec![
            json!(["cuda-oom", self.of(&["cuda-oom"]), corner, null]),
            json!([
                "host-oom",
                self.of(&["host-kill", "host-kill-bare"]),
                scattered,
                self.of(&["host-kill-bare"])
            ]),
            json!(["missing-module", self.of(&["missing-module"]), scattered, null]),
            json!(["time-limit", self.of(&["time-limit", "drifted"]), scattered, null]),
            json!(["node-fail", self.of(&["node-fail"]), lost, null]),
        ];
        assert_eq!(told, planted);
        // All that were preempted came back.
        assert_eq!(judgement["aside"], json!([]));
        let blamed: Vec<&str> = judgement["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| node["node"].as_str().unwrap())
            .collect();
        assert_eq!(blamed, ["gpu02"]);
        let failed = |task: &Task| task["class"] != "-" && task["class"] != "cuda-oom";
        assert_eq!(judgement["nodes"][0]["failed"], self.ended_on("gpu02", failed));
    }

    fn ended_on(&self, node: &str, which: impl Fn(&Task) -> bool) -> usize {
        let ended = |task: &&Task| task["node"] == node && task["state"] != "RUNNING" && which(task);
        self.truth.0.iter().filter(ended).count()
    }

    #[track_caller]
    fn decision(&self, judgement: &Value) {
        let told = |name: &str| judgement[name].clone();
        assert_eq!([told("health"), told("decision")], [json!("systemic"), json!("intervene")]);
        assert_eq!([told("finished"), told("counted"), told("failed")], [186, 186, 67].map(Value::from));
        assert_eq!(told("hard_stops"), json!([]));
        let reasons: Vec<&str> = judgement["reasons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["text"].as_str().unwrap())
            .collect();
        let failed = |task: &Task| task["class"] != "-" && task["class"] != "cuda-oom";
        let node = format!(
            "nodes on which more failed than elsewhere: gpu02 ({} of {})",
            self.ended_on("gpu02", failed),
            self.ended_on("gpu02", |_| true)
        );
        assert_eq!(
            reasons,
            [
                "38 of 186 finished tasks (20.4 %) failed alike, cuda-oom: 15 % or more",
                "20 of 25 parts of the space (batch_size x lr) have a usable result, 20 will have one if the rest \
                 goes as the finished tasks went: 20 % lost",
                "3 completed tasks are contradicted by what was read beside their state (1.6 % of 186 finished \
                 tasks)",
                &node,
                "4 run, 10 wait",
            ]
        );
        let lost = json!([{
            "conditions": [{ "parameter": "batch_size", "values": ["512"] }], "ended": 38, "to_come": 2
        }]);
        assert_eq!(judgement["learning"]["lost"], lost);
        assert_eq!(judgement["learning"]["collapsed"], false);
    }

    /// What was planted to contradict itself, and nothing else: a run of W&B for
    /// each attempt of a requeued task is no contradiction.
    #[track_caller]
    fn contradictions(&self, judgement: &Value) {
        let told = judgement["contradictions"].as_array().unwrap().iter();
        let told: BTreeMap<&str, &str> =
            told.map(|one| (one["kind"].as_str().unwrap(), one["tasks"].as_str().unwrap())).collect();
        let (fast, steps, open) = (self.of(&["fast"]), self.of(&["failed-step"]), self.of(&KILLED));
        let planted = BTreeMap::from([
            ("completed_over_failed_steps", steps.as_str()),
            ("completed_without_results", &fast),
            ("fast_without_steps", &fast),
            ("zombie_run", &open),
        ]);
        assert_eq!(told, planted);
    }

    /// The runs of W&B of each task: ids, links, exit records.
    #[track_caller]
    fn tracker(&self, examined: &Value) {
        let mut seen = BTreeMap::new();
        for task in examined["tasks"].as_array().unwrap() {
            let runs = task["looked"]["runs"]["known"].as_array().or(task["looked"]["runs"].as_array());
            let told = runs
                .into_iter()
                .flatten()
                .map(|run| json!([run["id"], run["url"], run["sweep"], run["exit"]["code"]]));
            seen.insert(task["member"].as_u64().unwrap(), told.collect::<Vec<_>>());
        }
        for task in &self.truth.0 {
            let index: u64 = task["task"].parse().unwrap();
            let fate = task["fate"].as_str();
            // Of those that went well the recording has no tracker; those that wait have none.
            let has =
                KILLED.contains(&fate) || fate.starts_with("preempted") || fate.starts_with("node-fail");
            if !has && fate != "running" {
                continue;
            }
            let run = |attempt: u32, code: Value| {
                let id = format!("lr{index:04}a{attempt}");
                json!([id, format!("https://wandb.ai/lab/lrgrid/runs/{id}"), "q1w2e3r4", code])
            };
            let over = if task["state"] == "COMPLETED" { json!(0) } else { Value::Null };
            let planted = match task["attempts"].contains(',') {
                true => vec![run(0, Value::Null), run(1, over)],
                false => vec![run(0, over)],
            };
            assert_eq!(seen.get(&index), Some(&planted), "{task:?}");
        }
    }

    #[track_caller]
    fn progress(&self, examined: &Value) {
        let told: BTreeMap<String, Value> = examined["progress"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| (one["member"].to_string(), json!([one["step"], one["percent"]])))
            .collect();
        let running = self.truth.0.iter().filter(|task| task["state"] == "RUNNING");
        let planted = running.map(|task| (task["task"].clone(), json!([500, 50.0]))).collect();
        assert_eq!(told, planted);
    }
}
