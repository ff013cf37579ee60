//! The plan of the planted sweep, and what is so after it was submitted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{Place, Task};

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
fn lines(plan: &Value) -> Vec<(bool, String)> {
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
