//! A Slurm that says of its queue, or of one array, what a test wants it to say.

use std::path::{Path, PathBuf};

use super::{Answer, Sandbox};

/// Seconds since 1970 at a sandbox's first moment, 2026-11-21T03:41:00Z.
pub const T0: i64 = 1_795_232_460;

/// A job in the queue.
#[derive(Debug, Clone)]
pub struct Queued {
    /// The id that people use: `7`, `482_7`, `482_[8-9]`.
    pub id: String,
    pub raw: u32,
    pub state: String,
    pub elapsed: &'static str,
    pub limit: &'static str,
    pub submitted: i64,
    pub started: Option<i64>,
    pub tres: &'static str,
    pub node: String,
    pub work_dir: PathBuf,
    pub stdout: PathBuf,
    pub stderr: PathBuf,
    pub stdin: PathBuf,
    pub name: &'static str,
}

impl Queued {
    /// A job of our own that works in `work_dir`, and writes all to `stdout`.
    pub fn new(id: &str, state: &str, work_dir: impl AsRef<Path>, stdout: impl AsRef<Path>) -> Queued {
        let digits = id.find(|c: char| !c.is_ascii_digit()).unwrap_or(id.len());
        Queued {
            id: id.to_owned(),
            raw: id[..digits].parse().unwrap(),
            state: state.to_owned(),
            elapsed: "0:00",
            limit: "4:00:00",
            submitted: T0 - 72,
            started: None,
            tres: "",
            node: String::new(),
            work_dir: work_dir.as_ref().to_owned(),
            stdout: stdout.as_ref().to_owned(),
            stderr: stdout.as_ref().to_owned(),
            stdin: "/dev/null".into(),
            name: "train",
        }
    }

    /// It as `squeue -O` prints it, in the order in which its fields are asked.
    pub fn row(&self) -> String {
        let [dir, out, err, input] =
            [&self.work_dir, &self.stdout, &self.stderr, &self.stdin].map(|path| path.to_str().unwrap());
        let (raw, submitted) = (self.raw.to_string(), self.submitted.to_string());
        let started = self.started.map_or("N/A".to_owned(), |time| time.to_string());
        let times = [self.elapsed, self.limit, "1", &submitted, &started, "N/A", self.tres];
        let rest = ["0", "None", &self.node, "(null)", dir, out, err, input, self.name];
        let fields: Vec<&str> =
            [&self.id, &raw, "ann", "ai", &self.state].into_iter().chain(times).chain(rest).collect();
        format!("{}\u{1e}\n", fields.join("\u{1f}"))
    }
}

/// A task of the array, or a job of its own.
#[derive(Debug, Clone)]
pub struct Task {
    /// The id that people use: `482_7`.
    pub id: String,
    pub raw: u32,
    pub state: &'static str,
    pub exit: &'static str,
    pub node: String,
    pub started: i64,
    /// `None` while it runs: then it is in the queue too.
    pub ended: Option<i64>,
}

impl Task {
    /// Task `index` of array 482, which has run on node 7 for two hours.
    pub fn running(index: u32) -> Task {
        Task {
            id: format!("482_{index}"),
            raw: 5000 + index,
            state: "RUNNING",
            exit: "0:0",
            node: "node7".to_owned(),
            started: T0 - 7200,
            ended: None,
        }
    }

    /// The same, over since an hour.
    pub fn ended(index: u32, state: &'static str, exit: &'static str) -> Task {
        Task { state, exit, ended: Some(T0 - 3600), ..Task::running(index) }
    }

    pub fn on(self, node: &str) -> Task {
        Task { node: node.to_owned(), ..self }
    }
}

/// Lets squeue and sacct say so; `scontrol` knows nothing. The jobs work in the
/// sandbox's project.
pub fn says(sandbox: &Sandbox, tasks: &[Task]) {
    says_with(sandbox, tasks, "");
}

/// The same, with what sacct answers when it is asked how they were submitted:
/// fields with `|` between them.
pub fn says_with(sandbox: &Sandbox, tasks: &[Task], request: &str) {
    let dir = sandbox.project();
    let queued = tasks.iter().filter(|task| task.ended.is_none()).map(|task| {
        let job = Queued {
            raw: task.raw,
            elapsed: "2:00:00",
            limit: "1-00:00:00",
            submitted: task.started - 60,
            started: Some(task.started),
            tres: "cpu=1,gres/gpu=1",
            node: task.node.clone(),
            name: "seg_lr",
            ..Queued::new(&task.id, task.state, &dir, dir.join(format!("logs/{}.out", task.id)))
        };
        job.row()
    });
    drop(sandbox.fake("squeue").answers(queued.collect::<String>()));
    let header = handover::cluster::sacct::FIELDS.replace(',', "|");
    let rows = tasks.iter().map(|task| {
        let Task { id, raw, state, exit, node, started, ended } = task;
        let elapsed = ended.unwrap_or(T0) - started;
        let (submitted, ended) = (started - 60, ended.map_or("Unknown".to_owned(), |end| end.to_string()));
        let times = format!("{elapsed}|1440|{submitted}|{started}|{ended}");
        format!(
            "{id}|{raw}|ann|ai|{state}|{exit}|0:0|{times}||{node}|seg_lr\n\
             {id}.batch|{raw}.batch|||{state}|{exit}||{times}|2G|{node}|batch\n"
        )
    });
    let text = format!("{header}\n{}", rows.collect::<String>());
    let delimited = |text: &str| text.replace('|', handover::cluster::sacct::DELIMITER);
    let sacct = sandbox.fake("sacct").answers(delimited(&text));
    if !request.is_empty() {
        drop(sacct.answers_to("*SubmitLine*", delimited(&format!("{request}\n"))));
    }
    drop(sandbox.fake("scontrol").fails(1, "slurm_load_jobs error: Invalid job id specified\n"));
    drop(sandbox.fake("sinfo").fails(1, "slurm_load_partitions: Unable to contact slurm controller\n"));
}

/// `handover WORD...` about this Slurm.
pub fn ask(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(words.iter().chain(&["--cluster", "local"]))
}
