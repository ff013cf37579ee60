//! A Slurm that says of one array what a test wants it to say.

use super::{Answer, Sandbox};

/// Seconds since 1970 at a sandbox's first moment, 2026-11-21T03:41:00Z.
pub const T0: i64 = 1_795_232_460;

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
    let dir = sandbox.project();
    let dir = dir.to_str().unwrap();
    let queued = tasks.iter().filter(|task| task.ended.is_none()).map(|task| {
        let [raw, submitted, started] =
            [i64::from(task.raw), task.started - 60, task.started].map(|n| n.to_string());
        let (out, elapsed) = (format!("{dir}/logs/{}.out", task.id), "2:00:00".to_owned());
        let fields: [&str; 21] = [
            &task.id,
            &raw,
            "ann",
            "ai",
            task.state,
            &elapsed,
            "1-00:00:00",
            "1",
            &submitted,
            &started,
            "N/A",
            "cpu=1,gres/gpu=1",
            "0",
            "None",
            &task.node,
            "(null)",
            dir,
            &out,
            &out,
            "/dev/null",
            "seg_lr",
        ];
        format!("{}\u{1e}\n", fields.join("\u{1f}"))
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
    drop(sandbox.fake("sacct").answers(text.replace('|', handover::cluster::sacct::DELIMITER)));
    drop(sandbox.fake("scontrol").fails(1, "slurm_load_jobs error: Invalid job id specified\n"));
    drop(sandbox.fake("sinfo").fails(1, "slurm_load_partitions: Unable to contact slurm controller\n"));
}

/// `handover WORD...` about this Slurm.
pub fn ask(sandbox: &Sandbox, words: &[&str]) -> Answer {
    sandbox.handover(words.iter().chain(&["--cluster", "local"]))
}
