//! What `squeue` says, read from records and fields with separators of our own.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::problems::Problems;
use super::{Job, State, gres};
use crate::terms::{Bytes, JobId, Part, Seconds, TaskIds, Time, counted};

/// Between records: no name that a person gives holds it.
pub(super) const RECORD: u8 = 0x1e;
/// Between the fields of a record.
pub(super) const FIELD: u8 = 0x1f;

/// One field of a job as `squeue` prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    Id,
    RawId,
    User,
    Partition,
    State,
    Elapsed,
    Limit,
    Nodes,
    Submitted,
    Started,
    GresPerNode,
    Tres,
    Restarts,
    Reason,
    NodeList,
    Dependency,
    WorkDir,
    Stdout,
    Stderr,
    Stdin,
    Name,
    /// Asked for, and not needed here.
    Other,
}

/// What is asked with `-O`: everything in one question, no field cut (the colon
/// with no width after it). The name comes last, since it may hold anything.
pub(super) const LONG: [(Field, &str); 21] = [
    (Field::Id, "JobArrayID"),
    (Field::RawId, "JobID"),
    (Field::User, "UserName"),
    (Field::Partition, "Partition"),
    (Field::State, "State"),
    (Field::Elapsed, "TimeUsed"),
    (Field::Limit, "TimeLimit"),
    (Field::Nodes, "NumNodes"),
    (Field::Submitted, "SubmitTime"),
    (Field::Started, "StartTime"),
    (Field::GresPerNode, "tres-per-node"),
    (Field::Tres, "tres-alloc"),
    (Field::Restarts, "RestartCnt"),
    (Field::Reason, "Reason"),
    (Field::NodeList, "NodeList"),
    (Field::Dependency, "Dependency"),
    (Field::WorkDir, "WorkDir"),
    (Field::Stdout, "STDOUT"),
    (Field::Stderr, "STDERR"),
    (Field::Stdin, "STDIN"),
    (Field::Name, "Name"),
];

/// What `templates/cluster_snapshot.sh` asks with `-O`.
pub(super) const FILE: [(Field, &str); 19] = [
    (Field::Id, "JobArrayID"),
    (Field::RawId, "JobID"),
    (Field::User, "UserName"),
    (Field::Partition, "Partition"),
    (Field::State, "State"),
    (Field::Elapsed, "TimeUsed"),
    (Field::Limit, "TimeLimit"),
    (Field::Nodes, "NumNodes"),
    (Field::Submitted, "SubmitTime"),
    (Field::Started, "StartTime"),
    (Field::GresPerNode, "tres-per-node"),
    (Field::Tres, "tres-alloc"),
    (Field::Restarts, "RestartCnt"),
    (Field::Reason, "Reason"),
    (Field::NodeList, "NodeList"),
    (Field::Dependency, "Dependency"),
    (Field::WorkDir, "WorkDir"),
    (Field::Stdout, "STDOUT"),
    (Field::Name, "Name"),
];

/// What is asked with `-o` where `-O` is refused: letters that every release knows.
pub(super) const SHORT: [(Field, &str); 13] = [
    (Field::Id, "%i"),
    (Field::RawId, "%A"),
    (Field::Other, "%F"),
    (Field::Other, "%K"),
    (Field::Partition, "%P"),
    (Field::State, "%T"),
    (Field::Elapsed, "%M"),
    (Field::Limit, "%l"),
    (Field::Nodes, "%D"),
    (Field::Reason, "%r"),
    (Field::NodeList, "%N"),
    (Field::WorkDir, "%Z"),
    (Field::Name, "%j"),
];

/// The jobs of an answer, and whether any may be missing.
#[derive(Debug, Default)]
pub(super) struct Queue {
    pub jobs: Vec<Job>,
    pub partial: bool,
}

/// Reads an answer whose fields are those of `layout`.
pub(super) fn read(bytes: &[u8], layout: &[(Field, &str)], about: &str, problems: &mut Problems) -> Queue {
    let mut queue = Queue::default();
    let mut unread = 0;
    for record in bytes.split(|byte| *byte == RECORD) {
        // `-O` ends a line after the record mark, `-o` before it.
        let record = record.strip_prefix(b"\n").unwrap_or(record);
        let record = record.strip_suffix(b"\n").unwrap_or(record);
        if record.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        match job(record, layout) {
            Some(job) => queue.jobs.push(job),
            None => unread += 1,
        }
    }
    if unread > 0 {
        queue.partial = true;
        problems.say(about, format!("{} not understood and left out", counted(unread, "record")));
    }
    if queue.jobs.iter().any(|job| job.tasks_cut) {
        problems.say(about, "Slurm cut a list of pending tasks: their count is unknown");
    }
    queue
}

fn job(record: &[u8], layout: &[(Field, &str)]) -> Option<Job> {
    let mut fields = record.splitn(layout.len(), |byte| *byte == FIELD);
    let mut job = None;
    let (mut per_node, mut tres, mut memory) = (None, None, None);
    for (field, _) in layout {
        let bytes = fields.next()?;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end_matches('\n');
        if *field == Field::Id {
            job = Some(id(text)?);
            continue;
        }
        let job = job.as_mut()?;
        match field {
            Field::Id | Field::Other => {}
            Field::RawId => job.raw_id = text.parse().ok(),
            Field::User => job.user = text.to_owned(),
            Field::Partition => job.partition = text.to_owned(),
            Field::State => job.state = State::read(text),
            Field::Elapsed => job.elapsed = Seconds::from_slurm(text).ok(),
            Field::Limit => job.limit = Seconds::from_slurm(text).ok(),
            Field::Nodes => job.nodes = text.parse().ok(),
            Field::Submitted => job.submitted = time(text),
            Field::Started => job.started = time(text),
            Field::GresPerNode => per_node = gres::gpus_in(text),
            Field::Tres => {
                tres = gres::gpus_in(text);
                memory = gres::memory_in(text);
            }
            Field::Restarts => job.restarts = text.parse().ok(),
            Field::Reason => job.reason = reason(text),
            Field::NodeList => job.node_list = nothing_is_empty(text),
            Field::Dependency => job.dependency = nothing_is_empty(text),
            Field::WorkDir => job.work_dir = path(bytes),
            Field::Stdout => job.stdout = path(bytes),
            Field::Stderr => job.stderr = path(bytes),
            Field::Stdin => job.stdin = path(bytes).filter(|path| path != Path::new("/dev/null")),
            Field::Name => job.name = text.to_owned(),
        }
    }
    let mut job = job?;
    job.gpus = tres.or_else(|| per_node?.checked_mul(job.nodes.unwrap_or(1)));
    let nodes = u64::from(job.nodes.unwrap_or(1).max(1));
    job.memory = memory.map(|all| Bytes(all.0 / nodes));
    job.stdout = job.stdout.take().map(|path| true_log(&job, path));
    job.stderr = job.stderr.take().map(|path| true_log(&job, path));
    Some(job)
}

/// The id of the queue: `7`, `7_4`, `7+1`, or the rest of an array, `7_[4-9%2]`.
pub(super) fn id(text: &str) -> Option<Job> {
    let Some((base, list)) = text.split_once("_[") else {
        return text.parse().ok().map(Job::new);
    };
    let base = JobId::whole(base.parse::<JobId>().ok().filter(|id| id.part == Part::Whole)?.base);
    let mut job = Job::new(base);
    let whole = list.strip_suffix(']');
    let (tasks, throttle) = match whole.unwrap_or(list).split_once('%') {
        Some((tasks, most)) => (tasks, most.parse().ok()),
        None => (whole.unwrap_or(list), None),
    };
    job.pending_tasks = whole.and(tasks.parse::<TaskIds>().ok());
    job.tasks_cut = job.pending_tasks.is_none();
    job.throttle = whole.and(throttle);
    Some(job)
}

/// Seconds since 1970, which is what `SLURM_TIME_FORMAT=%s` makes of times.
fn time(text: &str) -> Option<Time> {
    text.parse().ok().and_then(Time::from_unix)
}

/// Slurm's reason as squeue writes it; `None` says nothing.
pub(super) fn reason(text: &str) -> String {
    if text == "None" { String::new() } else { nothing_is_empty(text) }
}

fn nothing_is_empty(text: &str) -> String {
    if matches!(text, "(null)" | "N/A" | "n/a") { String::new() } else { text.to_owned() }
}

pub(super) fn path(bytes: &[u8]) -> Option<PathBuf> {
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
    (!matches!(bytes, b"" | b"(null)" | b"N/A")).then(|| PathBuf::from(OsStr::from_bytes(bytes)))
}

/// squeue fills the default name of an array's log, `slurm-%A_%a.out`, with the
/// raw id of the task, under which no file exists.
fn true_log(job: &Job, path: PathBuf) -> PathBuf {
    let raw = job.raw_id.map(|raw| format!("slurm-{raw}.out"));
    let shown = path.file_name().and_then(OsStr::to_str).map(str::to_owned);
    match (job.id.part, shown) {
        (Part::Task(index), shown) if shown.is_some() && shown == raw => {
            path.with_file_name(format!("slurm-{}_{index}.out", job.id.base))
        }
        (Part::Whole, shown) if job.is_of_array() && shown.is_some() && shown == raw => {
            path.with_file_name(format!("slurm-{}_%a.out", job.id.base))
        }
        _ => path,
    }
}

/// True if `job` works in `dir`, writes its output there, or reads its input from there. Both paths are
/// taken as they are: whoever asks resolves links first.
pub(super) fn is_under(job: &Job, dir: &Path) -> bool {
    [&job.work_dir, &job.stdout, &job.stderr, &job.stdin]
        .into_iter()
        .flatten()
        .any(|path| path.starts_with(dir))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(fields: &[&str]) -> Vec<u8> {
        let mut bytes = fields.join("\u{1f}").into_bytes();
        bytes.push(RECORD);
        bytes.push(b'\n');
        bytes
    }

    const ROW: [&str; 21] = [
        "9_[106-198:2%3]",
        "9",
        "ann",
        "ai",
        "PENDING",
        "0:00",
        "4:00:00",
        "2",
        "1795252388",
        "N/A",
        "gres:gpu:a100:1",
        "cpu=1,mem=500M",
        "1",
        "JobArrayTaskLimit",
        "",
        "(null)",
        "/home/ann/p",
        "/home/ann/p/slurm-9.out",
        "/home/ann/p/slurm-9.out",
        "/dev/null",
        "slow|arr\u{1f}\n\"$(x)\"",
    ];

    #[test]
    fn a_record_is_read_whatever_its_name_holds() {
        let mut bytes = record(&ROW);
        bytes.extend(record(&["9_102", "21"]));
        bytes.extend(record(&{
            let mut row = ROW;
            (row[0], row[1], row[17]) = ("9_104", "22", "/home/ann/p/slurm-22.out");
            row
        }));
        let mut problems = Problems::default();
        let queue = read(&bytes, &LONG, "squeue", &mut problems);
        assert!(queue.partial);
        assert_eq!(problems.into_vec()[0].what, "1 record not understood and left out");
        let [rest, task] = &queue.jobs[..] else { panic!("{queue:?}") };
        assert_eq!(rest.name, "slow|arr\u{1f}\n\"$(x)\"");
        assert_eq!((rest.count(), rest.throttle, rest.gpus), (Some(47), Some(3), Some(2)));
        assert_eq!(rest.label(), "9_[106-198:2%3]");
        assert_eq!(rest.submitted, Time::from_unix(1_795_252_388));
        assert_eq!((rest.started, rest.restarts), (None, Some(1)));
        assert_eq!(rest.stdout.as_deref(), Some(Path::new("/home/ann/p/slurm-9_%a.out")));
        assert_eq!(task.stdout.as_deref(), Some(Path::new("/home/ann/p/slurm-9_104.out")));
        assert!(is_under(task, Path::new("/home/ann/p")) && !is_under(task, Path::new("/home/ann/pp")));
    }

    #[test]
    fn a_cut_list_has_no_count() {
        for text in ["7_[1,3,5,...]", "7_[1,3,5,8,11,14,", "7_[1-3,...%4]"] {
            let job = id(text).unwrap();
            assert_eq!((job.id.base, job.count(), job.tasks_cut), (7, None, true), "{text}");
        }
        for text in ["", "x", "7_", "_[1]", "7_4_[1]", "[1]"] {
            assert!(id(text).is_none(), "{text}");
        }
    }
}
