//! What the jobs of a sweep asked for, and what the cluster lets one ask for.

use std::path::Path;

use super::local::Asker;
use super::problems::Problems;
use super::{ArrayLimits, Nothing, Problem, Submission, gres, sacct, value_of_option};
use crate::safety;
use crate::terms::{Bytes, Known};

/// What a job asked for when it was submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The call of `sbatch`; unknown before Slurm 21.08, and for a call whose
    /// words cannot be told apart.
    pub submission: Known<Submission>,
    /// True if its call wrapped a command, so that there is no script.
    pub is_wrapped: bool,
    /// The partitions that it may run in; empty if that is not said.
    pub partitions: Vec<String>,
    /// GPUs of one task; `None` if that is not said.
    pub gpus: Option<u32>,
    /// The memory that it asked for, as accounting writes it: a size, with
    /// [`RequestedMemory::per_cpu`] if that is of one CPU; `None` if it is not said.
    pub memory: Option<RequestedMemory>,
    /// What bounds an array.
    pub limits: Known<ArrayLimits>,
    /// What was odd about the answers.
    pub problems: Vec<Problem>,
}

/// The memory that a job asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedMemory {
    /// How much: on each node, or for each CPU. None of a node means all of it.
    pub bytes: Bytes,
    /// True if it is of one CPU.
    pub per_cpu: bool,
}

impl Request {
    /// Nothing is known, and why.
    pub fn unknown(why: &Nothing) -> Request {
        Request {
            submission: why.clone().known(),
            is_wrapped: false,
            partitions: Vec::new(),
            gpus: None,
            memory: None,
            limits: why.clone().known(),
            problems: Vec::new(),
        }
    }
}

/// The fields that are asked of accounting, free text last.
const FIELDS: &str = "JobID,Partition,NNodes,ReqTRES,AllocTRES,ReqMem,SubmitLine";
/// Why a call of `sbatch` that accounting has is not known all the same.
pub const WORDS_UNTOLD: &str = "the words of its call of sbatch cannot be told apart";
/// So many fields a release may lack.
const TRIES: usize = 3;

pub(super) fn ask(asker: &Asker, id: u32) -> Request {
    let mut problems = Problems::default();
    let mut request = match row(asker, id, &mut problems) {
        Ok(row) => read(&row),
        Err(nothing) => Request::unknown(&nothing),
    };
    let spawn = asker.spawn("scontrol").args(["show", "config"]);
    request.limits = match asker.ask("scontrol show config", spawn, &mut problems) {
        Ok(finished) => match ArrayLimits::read(&finished.text()) {
            Some(limits) => Known::Known(limits),
            None => Known::Unknown("the cluster's settings do not say it".to_owned()),
        },
        Err(nothing) => nothing.known(),
    };
    request.problems = problems.into_vec();
    request
}

/// The first row of accounting about a job, as field and value.
type Row = Vec<(String, String)>;

fn row(asker: &Asker, id: u32, problems: &mut Problems) -> Result<Row, Nothing> {
    let mut fields = FIELDS.to_owned();
    for _ in 0..TRIES {
        let spawn = asker.spawn("sacct").args(["-X", "-n", "-j", &id.to_string()]);
        let mut said = Problems::default();
        match asker.ask("sacct", spawn.args(sacct::arguments_for(&fields)), &mut said) {
            Ok(finished) => {
                problems.extend(said.into_vec());
                let text = finished.text();
                return Ok(split(&text, &fields));
            }
            Err(Nothing::Unknown(why)) => match sacct::without_unknown(&fields, &why) {
                Some(fewer) => fields = fewer,
                None => {
                    problems.extend(said.into_vec());
                    return Err(Nothing::Unknown(why));
                }
            },
            Err(nothing) => return Err(nothing),
        }
    }
    Err(Nothing::Unknown("sacct knows too few of the fields".to_owned()))
}

/// The first row of such an answer.
fn split(text: &str, fields: &str) -> Row {
    let mut lines = text.lines().skip_while(|line| !line.contains(sacct::DELIMITER));
    let mut line = lines.next().unwrap_or_default().to_owned();
    // A newline in a script's arguments goes on in the next line.
    for more in lines.take_while(|line| !line.contains(sacct::DELIMITER)) {
        line.push('\n');
        line.push_str(more);
    }
    let values = line.split(sacct::DELIMITER);
    fields.split(',').zip(values).map(|(field, value)| (field.to_owned(), value.to_owned())).collect()
}

/// Reads an answer to which all fields are known.
pub(super) fn read_text(text: &str) -> Request {
    read(&split(text, FIELDS))
}

fn read(row: &Row) -> Request {
    let value = |name: &str| {
        row.iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
            .filter(|text| !text.is_empty())
    };
    let submission = match value("SubmitLine") {
        None => Known::Unknown("accounting does not say how it was submitted".to_owned()),
        Some(line) => match Submission::read(line) {
            Some(submission) => Known::Known(submission),
            None => Known::Unknown(WORDS_UNTOLD.to_owned()),
        },
    };
    // Its words need not be told apart for that: what stands before it are options.
    let wraps = |line: &str| value_of_option(line, None, "--wrap").is_some();
    Request {
        is_wrapped: submission.is_unknown() && value("SubmitLine").is_some_and(wraps),
        submission,
        partitions: value("Partition")
            .map(|list| list.split(',').map(str::to_owned).collect())
            .unwrap_or_default(),
        // A job that asked for GPUs says so, where the site counts them.
        gpus: value("ReqTRES").and_then(gres::gpus_in),
        memory: memory(value("ReqMem"), value("AllocTRES"), value("NNodes")),
        limits: Known::Unknown("not asked".to_owned()),
        problems: Vec::new(),
    }
}

/// Up to 20.11 a size with `n` or `c` for each node or CPU; since then that of
/// all nodes together, as in what the job was given.
fn memory(asked: Option<&str>, given: Option<&str>, nodes: Option<&str>) -> Option<RequestedMemory> {
    if let Some(text) = asked {
        if let Some(size) = text.strip_suffix('c') {
            return Some(RequestedMemory { bytes: size.parse().ok()?, per_cpu: true });
        }
        if let Some(size) = text.strip_suffix('n') {
            return Some(RequestedMemory { bytes: size.parse().ok()?, per_cpu: false });
        }
    }
    let given = || gres::memory_in(given?);
    let all: Bytes = asked.and_then(|text| text.parse().ok()).or_else(given)?;
    let nodes = nodes.and_then(|nodes| nodes.parse::<u64>().ok()).unwrap_or(1).max(1);
    Some(RequestedMemory { bytes: Bytes(all.0 / nodes), per_cpu: false })
}

/// What `sbatch --test-only` says of a script: when it could start, or why not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    /// Slurm would take it.
    Taken(String),
    /// Slurm would refuse it.
    Refused(String),
}

/// Asks Slurm whether it would take a script, without submitting it.
pub(super) fn try_out(asker: &Asker, dir: &Path, words: &[String]) -> Known<Trial> {
    // What it says is for a person, times and all.
    let spawn = asker.spawn("sbatch").set("SLURM_TIME_FORMAT", "standard");
    let spawn = spawn.arg("--test-only").args(words).dir(dir);
    let finished = match asker.run(spawn) {
        Ok(finished) => finished,
        Err(nothing) => return nothing.known(),
    };
    let said = safety::one_line(&finished.complaint(), 400);
    let said = said.trim_start_matches("sbatch: ").trim_start_matches("error: ").to_owned();
    if finished.success() {
        return Known::Known(Trial::Taken(said));
    }
    let text = String::from_utf8_lossy(&finished.stderr).into_owned();
    if ["Unable to contact", "Socket timed out", "Connection refused"].iter().any(|one| text.contains(one)) {
        return Known::Unknown(said);
    }
    Known::Known(Trial::Refused(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_job_asked_for_is_read_from_its_row() {
        let row = |pairs: &[(&str, &str)]| -> Row {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let request = read(&row(&[
            ("Partition", "ai,scavenge"),
            ("ReqTRES", "billing=1,cpu=1,gres/gpu:a100=2,gres/gpu=2,mem=4G,node=1"),
            ("ReqMem", "4Gn"),
            ("SubmitLine", "sbatch --array=0-3 train.sh"),
        ]));
        assert_eq!(
            (request.gpus, request.memory),
            (Some(2), Some(RequestedMemory { bytes: Bytes(4 << 30), per_cpu: false }))
        );
        assert_eq!(request.partitions, ["ai", "scavenge"]);
        assert_eq!(request.submission.known().unwrap().script, "train.sh");
        for (line, is_wrapped) in [
            ("sbatch --array=0-3 --wrap python x.py", true),
            ("sbatch --array=0-3 --wrap=python x.py --lr 0.1", true),
            ("sbatch --wra python \"x y.py\"", true),
            ("sbatch -J lr --wr=echo 'a'", true),
            ("sbatch -QH --wrap=a\nb", true),
            ("/usr/bin/sbatch --mem 4G  --wrap  a", true),
            ("sbatch train.sh --wrap 80", false),
            ("sbatch train.sh 'a --wrap b'", false),
            ("sbatch -- train.sh --wrap=\"80\"", false),
            ("sbatch --comment=\"x\" train.sh", false),
            ("srun --wrap=\"x\"", false),
        ] {
            let request = read(&row(&[("SubmitLine", line)]));
            assert_eq!(request.is_wrapped, is_wrapped, "{line}");
            assert!(!is_wrapped || request.submission.is_unknown(), "{line}");
        }
        let memory = |asked: &str, given: &str, nodes: &str| {
            let request = read(&row(&[("NNodes", nodes), ("AllocTRES", given), ("ReqMem", asked)]));
            request.memory.map(|memory| (memory.bytes.0 >> 20, memory.per_cpu))
        };
        assert_eq!(memory("500M", "", "1"), Some((500, false)));
        assert_eq!(memory("500Mc", "", "2"), Some((500, true)));
        assert_eq!(memory("8G", "cpu=2,mem=8G,node=2", "2"), Some((4096, false)));
        assert_eq!(memory("", "cpu=2,mem=62.50G,node=1", "1"), Some((64_000, false)));
        assert_eq!(memory("0", "cpu=2,mem=64000M", "1"), Some((0, false)));
        assert_eq!(memory("?", "cpu=2", "1"), None);
        let nothing = read(&row(&[("Partition", ""), ("SubmitLine", "")]));
        assert!(nothing.submission.is_unknown() && nothing.partitions.is_empty() && nothing.gpus.is_none());
    }
}
