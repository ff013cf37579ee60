//! What the program says of the planted sweep of 200 tasks, compared whole with
//! what was planted: for the recording and for a real Slurm alike.

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

/// What must be true before work that is lost is done again.
const FROM_ZERO: &str = "all of its work may be done a second time";

/// The plan: what is to be done with each task, and the lines.
impl Place<'_> {
    /// `memory` is what Slurm was asked for and says, with the option that follows; none if it cannot be asked.
    #[track_caller]
    pub fn plan_is_as_planted(&self, plan: &Value, memory: Option<&str>) {
        let told = plan["steps"].as_array().unwrap().iter().map(|step| {
            let text = |name: &str| step[name].as_str().unwrap_or("-").to_owned();
            [text("kind"), text("class"), text("tasks"), text("blocked"), text("condition")].join(" | ")
        });
        let changed = "the change is made";
        let may = if memory.is_some() { "-" } else { changed };
        let unless = |fates: &[&str], without: &str| {
            let all = self.truth.lists(|task| {
                (fates.contains(&task["fate"].as_str()) && (self.best(task) == "-") == (without == "-"))
                    .then(String::new)
            });
            all[""].clone()
        };
        let killed = ["host-kill", "host-kill-bare"];
        let planted = [
            format!("cancel | - | {} | - | -", self.doomed()),
            format!("resume | time-limit | {} | - | -", self.of(&["time-limit"])),
            format!("resume | time-limit | {} | its run is not what is intended | -", self.of(&["drifted"])),
            format!("resume | node-fail | {} | - | -", unless(&["node-fail"], "")),
            format!("lost | node-fail | {} | - | {FROM_ZERO}", unless(&["node-fail"], "-")),
            format!("fix_first | cuda-oom | {} | - | {changed}", unless(&["cuda-oom"], "-")),
            format!("fix_first | cuda-oom | {} | - | {changed}", unless(&["cuda-oom"], "")),
            format!("fix_first | cuda-oom | {} | - | {changed} and they are cancelled", self.doomed()),
            format!("fix_first | host-oom | {} | - | {may}", unless(&killed, "")),
            format!("fix_first | host-oom | {} | - | {FROM_ZERO}", unless(&killed, "-")),
            format!("fix_first | missing-module | {} | - | -", self.of(&["missing-module"])),
            format!("leave | - | {} | - | -", self.fine()),
            format!("leave | - | {} | - | -", self.waits_on()),
            format!("leave | - | {} | - | -", self.of(&["running", "preempted-running"])),
            format!("leave | - | {} | - | -", self.of(&["fast"])),
            format!("leave | - | {} | - | -", self.of(&["failed-step"])),
        ];
        assert_eq!(told.collect::<Vec<_>>(), planted);
        let told: Vec<String> = lines(plan).into_iter().map(|(_, line)| line).collect();
        assert_eq!(told, self.lines(memory));
        self.details(plan);
    }

    /// Those that wait and have the batch that never fits.
    pub fn doomed(&self) -> String {
        self.waiting(true)
    }

    /// Those that wait and may do well.
    pub fn waits_on(&self) -> String {
        self.waiting(false)
    }

    /// The tasks that wait, by whether they have the largest batch.
    fn waiting(&self, largest: bool) -> String {
        let table = std::fs::read_to_string(self.project.join("params.csv")).unwrap();
        let is_largest = |task: &Task| {
            let row = table.lines().find(|row| row.starts_with(&format!("{},", task["task"])));
            row.is_some_and(|row| row.split(',').any(|value| value == "512"))
        };
        let wanted = |task: &Task| task["state"] == "PENDING" && is_largest(task) == largest;
        self.truth.lists(|task| wanted(task).then(String::new))[""].clone()
    }

    fn fine(&self) -> String {
        let fine = self.truth.lists(|task| {
            let odd = ["fast", "failed-step"].contains(&task["fate"].as_str());
            (task["state"] == "COMPLETED" && !odd).then(String::new)
        });
        fine[""].clone()
    }

    /// All lines, in order; those that must wait for a change too.
    fn lines(&self, memory: Option<&str>) -> Vec<String> {
        let memory = memory.map(|option| format!(" {option}")).unwrap_or_default();
        let oom = |task: &Task| task["fate"] == "cuda-oom" && self.best(task) == "-";
        let oom = self.truth.lists(|task| oom(task).then(String::new));
        let killed = ["host-kill", "host-kill-bare"];
        [
            vec![format!("scancel '{}_[{}]'", self.array, self.doomed())],
            self.resumed(&["time-limit"], "", ""),
            self.resumed(&["node-fail"], "", " --exclude=gpu02"),
            self.started(&["node-fail"], " --exclude=gpu02"),
            vec![format!("sbatch --array={}%4 train.sh", oom[""])],
            self.resumed(&["cuda-oom"], "", ""),
            vec![format!("sbatch --array={}%4 train.sh", self.doomed())],
            self.resumed(&killed, &memory, ""),
            self.started(&killed, &memory),
        ]
        .concat()
    }

    /// Lines for the tasks that go on from a checkpoint, with options before and behind the list.
    fn resumed(&self, fates: &[&str], before: &str, behind: &str) -> Vec<String> {
        let tasks = self.truth.0.iter().filter(|task| fates.contains(&task["fate"].as_str()));
        let line = |task: &Task| {
            let (index, best) = (&task["task"], self.best(task));
            let tracker = format!("WANDB_RUN_ID=lr{index:0>4}a0 WANDB_RESUME=must");
            let checkpoint = self.checkpoint(index, best);
            format!("{tracker} sbatch{before} --array={index}{behind} train.sh --resume {checkpoint}")
        };
        tasks.filter(|task| self.best(task) != "-").map(line).collect()
    }

    /// Lines for the tasks that have nothing to go on from.
    fn started(&self, fates: &[&str], options: &str) -> Vec<String> {
        let tasks = self.truth.0.iter().filter(|task| fates.contains(&task["fate"].as_str()));
        let line = |task: &Task| format!("sbatch --array={}{options} train.sh", task["task"]);
        tasks.filter(|task| self.best(task) == "-").map(line).collect()
    }

    /// The step to go on from.
    pub fn best<'t>(&self, task: &'t Task) -> &'t str {
        &task[if self.full { "best-full" } else { "best" }]
    }

    /// The checkpoint of a step, by the numbers at the end of the names.
    pub fn checkpoint(&self, task: &str, step: &str) -> String {
        let dir = format!("runs/{task}/checkpoints");
        let names = std::fs::read_dir(self.project.join(&dir)).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let is_it = |name: &String| {
            let stem = name.split('.').next().unwrap();
            stem.rsplit(|c: char| !c.is_ascii_digit()).next() == Some(step) && !name.ends_with(".tmp")
        };
        let [name] = names.filter(is_it).collect::<Vec<_>>().try_into().expect("one checkpoint of that step");
        format!("{dir}/{name}")
    }

    /// Of each task that can go on, or that loses work: the step, and what is
    /// said against newer checkpoints.
    #[track_caller]
    fn details(&self, plan: &Value) {
        let mut told = BTreeMap::new();
        for step in plan["steps"].as_array().unwrap() {
            for task in step["per_task"].as_array().into_iter().flatten() {
                let refused = task["refused"].as_array().map_or(0, Vec::len);
                let (at, differs) = (task["step"].as_u64(), task["differences"].clone());
                told.insert(task["task"].as_u64().unwrap() as u32, (at, refused, differs));
            }
        }
        let planted = self.truth.checkpoints(self.full).into_iter().filter_map(|(task, (best, refused))| {
            let row = &self.truth.0[task as usize];
            // What goes on is left alone.
            if ["COMPLETED", "RUNNING"].contains(&row["state"].as_str()) {
                return None;
            }
            let differs = match row["fate"].as_str() {
                "drifted" => {
                    let text =
                        std::fs::read_to_string(self.project.join(format!("conf/{task}.yaml"))).unwrap();
                    let rate = text.lines().find_map(|line| line.strip_prefix("lr: ")).unwrap().to_owned();
                    let saved = format!("{:.6}", rate.parse::<f64>().unwrap() * 3.0);
                    json!([format!("lr: {}, intended {rate}", saved.trim_end_matches('0'))])
                }
                _ => Value::Null,
            };
            Some((task, (best, refused.len(), differs)))
        });
        assert_eq!(told, planted.collect());
    }

    /// The text with every detail shows the very lines of the JSON, in the same
    /// order, and those that must wait as comments.
    #[track_caller]
    pub fn text_has_the_lines(&self, plan: &Value, text: &str) {
        let starts = ["scancel ", "sbatch ", "WANDB_", "# "];
        let shown: Vec<&str> =
            text.lines().filter(|line| starts.iter().any(|start| line.starts_with(start))).collect();
        let told: Vec<String> = lines(plan)
            .into_iter()
            .map(|(waits, line)| if waits { format!("# {line}") } else { line })
            .collect();
        assert_eq!(shown, told);
    }
}

/// After the plan was submitted, and what it cancelled is gone.
impl Place<'_> {
    /// Those that were submitted again and completed count as completed.
    #[track_caller]
    pub fn second_board_says_so(&self, data: &Value, is_submitted: impl Fn(&Task) -> bool) {
        let examined = &data["sweeps"][0]["examined"];
        let judgement =
            if examined.is_null() { &data["examined"]["judgement"] } else { &examined["judgement"] };
        let told = |name: &str| -> Vec<Value> {
            let groups = judgement[name].as_array().unwrap().iter();
            groups.map(|group| json!([group["cause"]["class"], group["tasks"]])).collect()
        };
        let failed = |class: &str| {
            let those = |task: &Task| task["class"] == class && !is_submitted(task);
            json!([class, self.truth.lists(|task| those(task).then(String::new))[""]])
        };
        let is_it = |task: &Task| task["fate"] == "host-kill-bare" && self.best(task) == "-";
        let killed = self.truth.lists(|task| is_it(task).then(String::new))[""].clone();
        let killed = json!(["host-oom", killed]);
        let [oom, module, node, limit] =
            ["cuda-oom", "missing-module", "node-fail", "time-limit"].map(failed);
        assert_eq!(told("groups"), [oom, module, node, killed, limit]);
        // Of single tasks that waited when they were cancelled Slurm keeps no record; the plan does.
        assert_eq!(told("aside"), [json!(["cancelled", "194,199"])]);
        assert_eq!([&judgement["finished"], &judgement["counted"], &judgement["failed"]], [188, 186, 51]);
        let again = self.truth.0.iter().filter(|task| is_submitted(task)).count();
        assert_eq!(again, 67 - 51);
        let states = &data["sweeps"][0]["states"];
        // What the plan left alone goes on: four run, since no more may.
        let told = json!({
            "CANCELLED": 2, "COMPLETED": 119 + again, "FAILED": 49, "NODE_FAIL": 1, "PENDING": 8, "RUNNING": 4,
            "TIMEOUT": 1
        });
        assert_eq!(*states, told);
    }

    /// The next plan has nothing to run, and says of each task where it went.
    #[track_caller]
    pub fn second_plan_leaves_them(&self, plan: &Value, ids: &BTreeMap<String, u64>) {
        let ready: Vec<String> =
            lines(plan).into_iter().filter(|(waits, _)| !waits).map(|(_, line)| line).collect();
        assert_eq!(ready, [""; 0]);
        assert_eq!(plan["hash"], Value::Null);
        let mut told = BTreeMap::new();
        for step in plan["steps"].as_array().unwrap().iter().filter(|step| step["kind"] == "leave") {
            let why = step["why"].as_str().unwrap();
            if why.starts_with("submitted again as") {
                told.insert(step["tasks"].as_str().unwrap().to_owned(), why.to_owned());
            }
        }
        let wanted = ids
            .iter()
            .map(|(task, id)| (task.clone(), format!("submitted again as {id}_{task}, which is COMPLETED")));
        assert_eq!(told, wanted.collect());
        // What the plan has cancelled comes back after the change, and nobody else is asked for it.
        let mut steps = plan["steps"].as_array().unwrap().iter();
        let back = steps.find(|step| step["tasks"].as_str() == Some(&self.doomed())).unwrap();
        assert!(back["why"].as_str().unwrap().starts_with("cancelled by plan "), "{back:#}");
        assert_eq!(
            (&back["kind"], &back["class"], &back["condition"]),
            (&json!("fix_first"), &json!("cuda-oom"), &json!("the change is made"))
        );
    }
}

/// The lines of a plan, and whether each must wait for something.
pub fn lines(plan: &Value) -> Vec<(bool, String)> {
    let of_step = |step: &Value| {
        let waits = step["condition"].is_string();
        let lines = step["lines"].as_array().cloned().unwrap_or_default();
        lines
            .into_iter()
            .map(move |line| (waits, line["text"].as_str().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    plan["steps"].as_array().unwrap().iter().flat_map(of_step).collect()
}
