//! What Slurm and the tracker say of one job, held against each other. Pure: what is
//! found depends on what is given and on nothing else.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{Run, Tracker};
use crate::terms::{Seconds, Time};

/// What Slurm says of a job, or of one task of an array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct JobSeen {
    /// Its raw id, which trackers record.
    pub raw_id: Option<u32>,
    /// The id of its array, and which task of it it is.
    pub task: Option<(u32, u32)>,
    /// Where it stands.
    pub standing: Standing,
    /// Its state, in Slurm's own word.
    pub state: String,
    /// The nodes that it has or had, one by one.
    pub hosts: Vec<String>,
    /// When it started, of this attempt.
    pub started: Option<Time>,
    /// When it ended, if it has.
    pub ended: Option<Time>,
}

/// Where a job stands, as far as a tracker can contradict it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It waits: for the first time, or requeued.
    Waiting,
    /// It runs.
    Running,
    /// It ended with COMPLETED.
    Completed,
    /// It ended in another way.
    Ended,
    /// Slurm was asked and did not say.
    Unknown,
}

/// How a run was found to be a job's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Link {
    /// The tracker recorded the job's id.
    Ids,
    /// It began on the job's host in the job's time, and no other job fits.
    HostAndTime,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The tracker's run is open, and the job is gone.
    Zombie,
    /// The job runs, and the run's files have not changed for over 30 minutes.
    Stale,
    /// The job runs, and all of its runs have ended: it holds its GPUs for nothing.
    HeldAfterExit,
    /// Two runs of one attempt of one task.
    TwoRuns,
    /// COMPLETED, and no exit record.
    CompletedWithoutExit,
    /// The exit record and the job's state contradict each other.
    ExitDisagrees,
    /// The run's files were written after the job ended.
    WrittenAfterEnd,
}

/// A finding, with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TrackerFinding {
    /// What it is.
    pub kind: FindingKind,
    /// The runs that it is about, by id: data from outside.
    pub runs: Vec<String>,
    /// One sentence, of our own words and Slurm's alone: it can be shown as it is.
    pub sentence: String,
    /// The files that say so.
    pub evidence: Vec<Sighting>,
}

/// A file that says something, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Sighting {
    /// The file, or a run's folder.
    pub file: PathBuf,
    /// When it was last written, or the run began.
    pub time: Option<Time>,
    /// What is seen there, in words.
    pub text: String,
}

/// A running job whose run is silent for longer is suspect.
const SILENT: Seconds = Seconds(30 * 60);
/// What a job may take after its run has ended: last checkpoints, copies.
const AFTERWARDS: Seconds = Seconds(5 * 60);
/// How far the clocks of nodes and controller may be apart, and how long a start takes.
const APART: Seconds = Seconds(120);

/// Which of the jobs a run is of: by the ids that the tracker recorded; else by host and time,
/// if exactly one job fits. A run whose recorded ids are another job's is of none.
pub fn belongs(run: &Run, jobs: &[JobSeen], now: Time) -> Option<(usize, Link)> {
    if let Some(ids) = &run.slurm
        && (ids.job.is_some() || ids.array_job.is_some())
    {
        let of_ids = |job: &JobSeen| match (ids.job, job.raw_id) {
            (Some(recorded), Some(raw)) => recorded == raw,
            _ => job.task.is_some() && job.task == ids.array_job.zip(ids.array_task),
        };
        return jobs.iter().position(of_ids).map(|at| (at, Link::Ids));
    }
    let (host, started) = (short(run.host.as_deref()?), run.started?);
    let fits = |job: &&JobSeen| {
        let is_there = job.hosts.iter().any(|other| short(other) == host);
        let until = job.ended.unwrap_or(now);
        let is_then = |from: Time| from.minus(APART) <= started && started <= until.plus(APART);
        is_there && job.started.is_some_and(is_then)
    };
    let mut fitting = jobs.iter().enumerate().filter(|(_, job)| fits(job));
    let (at, _) = fitting.next()?;
    fitting.next().is_none().then_some((at, Link::HostAndTime))
}

/// What a job and its runs say together at `now`, in a fixed order. `life` is the newest other sign
/// of life: an event file of TensorBoard, the job's log.
pub fn signs(job: &JobSeen, runs: &[&Run], life: Option<&Sighting>, now: Time) -> Vec<TrackerFinding> {
    let mut findings = Vec::new();
    for run in runs {
        findings.extend(of_one(job, run, life, now));
    }
    if let Some(life) = life.filter(|_| runs.is_empty() && job.standing == Standing::Running) {
        let silent = life.time.map_or(Seconds(0), |time| time.age(now));
        findings.extend((silent > SILENT).then(|| TrackerFinding {
            kind: FindingKind::Stale,
            runs: Vec::new(),
            sentence: format!(
                "the job runs, and has written nothing for {silent}: it hangs, or lost its disk"
            ),
            evidence: vec![life.clone()],
        }));
    }
    findings.extend(held(job, runs, now));
    findings.extend(two_runs(runs));
    findings
}

fn of_one(job: &JobSeen, run: &Run, life: Option<&Sighting>, now: Time) -> Option<TrackerFinding> {
    let ended = job.ended.map(|time| format!(" at {time}")).unwrap_or_default();
    let state = crate::safety::one_line(&job.state, 40);
    let name = of_tracker(run);
    let finding = |kind, sentence: String| {
        Some(TrackerFinding { kind, runs: vec![run.id.clone()], sentence, evidence: evidence(run) })
    };
    let is_over = matches!(job.standing, Standing::Completed | Standing::Ended);
    let sign = run.last_sign.as_ref().map(|sign| sign.time);
    if is_over
        && let (Some(sign), Some(end)) = (sign, job.ended)
        && sign > end.plus(AFTERWARDS)
        && run.exit.is_none()
    {
        let late = end.age(sign);
        return finding(
            FindingKind::WrittenAfterEnd,
            format!(
                "the job ended ({state}){ended}, and its {name} run was last written {late} after that: something of it still runs, or it was copied"
            ),
        );
    }
    match (job.standing, run.exit) {
        (Standing::Ended, None) => finding(
            FindingKind::Zombie,
            format!(
                "the job ended ({state}){ended}, and its {name} run has no exit record: it was killed, and the tracker may show it as running"
            ),
        ),
        (Standing::Completed, None) => finding(
            FindingKind::CompletedWithoutExit,
            format!(
                "the job is COMPLETED{ended}, and its {name} run has no exit record: its process was killed, or never ended the run"
            ),
        ),
        (Standing::Completed, Some(exit)) if exit.code != 0 => finding(
            FindingKind::ExitDisagrees,
            format!(
                "the job is COMPLETED{ended}, and its {name} run ended with exit code {}: the script hid the failure",
                exit.code
            ),
        ),
        (Standing::Ended, Some(exit)) if exit.code == 0 => finding(
            FindingKind::ExitDisagrees,
            format!(
                "the job ended ({state}){ended}, and its {name} run had finished in order: what failed came after the training"
            ),
        ),
        (Standing::Running, None) => {
            let newest = sign.max(life.and_then(|life| life.time))?;
            let silent = newest.age(now);
            if silent <= SILENT {
                return None;
            }
            finding(
                FindingKind::Stale,
                format!(
                    "the job runs, and its {name} run has written nothing for {silent}: it hangs, or lost its disk"
                ),
            )
        }
        _ => None,
    }
}

fn held(job: &JobSeen, runs: &[&Run], now: Time) -> Option<TrackerFinding> {
    let is_running = job.standing == Standing::Running;
    if !is_running || runs.is_empty() || runs.iter().any(|run| run.exit.is_none()) {
        return None;
    }
    // Runs of an earlier attempt ended with it.
    let of_now = |run: &&&Run| job.started.zip(run.started).is_none_or(|(job, run)| run >= job.minus(APART));
    let last = runs.iter().filter(of_now).max_by_key(|run| run.last_sign.as_ref().map(|sign| sign.time))?;
    let since = last.last_sign.as_ref()?.time.age(now);
    (since > AFTERWARDS).then(|| TrackerFinding {
        kind: FindingKind::HeldAfterExit,
        runs: vec![last.id.clone()],
        sentence: format!(
            "the job still runs {since} after its {} run ended: it holds its GPUs for nothing, unless it has more to do",
            of_tracker(last)
        ),
        evidence: evidence(last),
    })
}

fn two_runs(runs: &[&Run]) -> Option<TrackerFinding> {
    // A requeued job makes a run for each attempt, and a resumed run has several folders.
    let attempt = |run: &Run| run.slurm.as_ref().and_then(|ids| ids.restarts).unwrap_or(0);
    let pair = runs.iter().enumerate().find_map(|(at, one)| {
        let other = runs[at + 1..].iter().find(|other| {
            other.tracker == one.tracker && other.id != one.id && attempt(other) == attempt(one)
        })?;
        Some((*one, *other))
    });
    let (one, other) = pair?;
    let end = |run: &Run| run.last_sign.as_ref().map(|sign| sign.time);
    let overlap = match (one.started, end(one), other.started, end(other)) {
        (Some(from), Some(to), Some(other_from), Some(other_to)) => from <= other_to && other_from <= to,
        _ => false,
    };
    let how =
        if overlap { "at the same time: each rank may have begun its own" } else { "one after the other" };
    let several: Vec<&&Run> = runs.iter().filter(|run| attempt(run) == attempt(one)).collect();
    Some(TrackerFinding {
        kind: FindingKind::TwoRuns,
        runs: several.iter().map(|run| run.id.clone()).collect(),
        sentence: format!("the task has {} {} runs, {how}", several.len(), of_tracker(one)),
        evidence: several.iter().flat_map(|run| evidence(run)).take(10).collect(),
    })
}

fn evidence(run: &Run) -> Vec<Sighting> {
    let began = Sighting { file: run.dir.clone(), time: run.started, text: "began".to_owned() };
    let mut evidence = vec![began];
    let exit = match run.exit {
        Some(exit) => format!("last written; exit record with code {}", exit.code),
        None => "last written; no exit record".to_owned(),
    };
    evidence.extend(run.last_sign.as_ref().map(|sign| Sighting {
        file: run.dir.join(&sign.of),
        time: Some(sign.time),
        text: exit,
    }));
    evidence
}

fn of_tracker(run: &Run) -> &'static str {
    match run.tracker {
        Tracker::Wandb => "W&B",
        Tracker::Mlflow => "MLflow",
    }
}

/// A host's name without its domain.
fn short(host: &str) -> String {
    host.split('.').next().unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::{RunExit, Sign, SlurmIds};
    use super::*;

    /// 2026-11-21T03:41:00Z.
    const NOW: i64 = 1_795_232_460;

    fn at(minutes_ago: i64) -> Time {
        Time::from_unix(NOW - 60 * minutes_ago).unwrap()
    }

    /// An open run that began two hours ago and was written to.
    fn run(id: &str, written: i64) -> Run {
        Run {
            dir: PathBuf::from(format!("wandb/run-20261121_014100-{id}")),
            id: id.to_owned(),
            host: Some("node7.cluster.example".to_owned()),
            started: Some(at(120)),
            last_sign: Some(Sign { time: at(written), of: format!("run-{id}.wandb") }),
            ..Run::default()
        }
    }

    fn exited(id: &str, written: i64, code: i32) -> Run {
        Run { exit: Some(RunExit { code, runtime: None }), ..run(id, written) }
    }

    /// A job that began with the runs, and ended so many minutes ago if it is over.
    fn job(standing: Standing, state: &str, ended: Option<i64>) -> JobSeen {
        JobSeen {
            raw_id: Some(4321),
            task: Some((4314, 7)),
            standing,
            state: state.to_owned(),
            hosts: vec!["node7".to_owned()],
            started: Some(at(121)),
            ended: ended.map(at),
        }
    }

    fn found(job: &JobSeen, runs: &[&Run]) -> Vec<FindingKind> {
        signs(job, runs, None, at(0)).into_iter().map(|finding| finding.kind).collect()
    }

    #[test]
    fn each_row_of_the_cross_check_is_found_and_the_harmless_ones_are_not() {
        use FindingKind::{
            CompletedWithoutExit, ExitDisagrees, HeldAfterExit, Stale, WrittenAfterEnd, Zombie,
        };
        let running = job(Standing::Running, "RUNNING", None);
        let completed = job(Standing::Completed, "COMPLETED", Some(60));
        let failed = job(Standing::Ended, "FAILED", Some(60));
        let waiting = job(Standing::Waiting, "PENDING", None);
        let unknown = job(Standing::Unknown, "UNKNOWN", None);
        for (job, run, expected) in [
            (&running, run("a", 30), None),
            (&running, run("a", 31), Some(Stale)),
            (&running, exited("a", 4, 0), None),
            (&running, exited("a", 20, 0), Some(HeldAfterExit)),
            (&running, exited("a", 20, 1), Some(HeldAfterExit)),
            (&completed, run("a", 61), Some(CompletedWithoutExit)),
            (&completed, exited("a", 61, 0), None),
            (&completed, exited("a", 61, 1), Some(ExitDisagrees)),
            (&failed, run("a", 61), Some(Zombie)),
            (&failed, run("a", 57), Some(Zombie)),
            (&failed, run("a", 10), Some(WrittenAfterEnd)),
            (&failed, exited("a", 61, 1), None),
            (&failed, exited("a", 61, 0), Some(ExitDisagrees)),
            (&waiting, run("a", 300), None),
            (&unknown, run("a", 300), None),
        ] {
            assert_eq!(found(job, &[&run]), Vec::from_iter(expected), "{} {run:?}", job.state);
        }
    }

    #[test]
    fn a_finding_has_its_sentence_and_its_files() {
        let failed = job(Standing::Ended, "TIMEOUT", Some(60));
        let [finding] = signs(&failed, &[&run("a", 61)], None, at(0)).try_into().unwrap();
        assert_eq!(
            finding.sentence,
            "the job ended (TIMEOUT) at 2026-11-21T02:41:00Z, and its W&B run has no exit record: it was killed, and \
             the tracker may show it as running"
        );
        assert_eq!(finding.evidence[1].file, PathBuf::from("wandb/run-20261121_014100-a/run-a.wandb"));
        assert_eq!(finding.evidence[1].time, Some(at(61)));
    }

    #[test]
    fn another_sign_of_life_speaks_for_a_silent_run() {
        let running = job(Standing::Running, "RUNNING", None);
        let life = |minutes| Sighting {
            file: PathBuf::from("runs/events.out.tfevents.1"),
            time: Some(at(minutes)),
            text: "last event".to_owned(),
        };
        let silent = run("a", 90);
        assert_eq!(signs(&running, &[&silent], Some(&life(5)), at(0)), []);
        assert_eq!(signs(&running, &[&silent], Some(&life(80)), at(0)).len(), 1);
        // With no tracker at all, it is the only one.
        assert_eq!(signs(&running, &[], Some(&life(5)), at(0)), []);
        let [stale] = signs(&running, &[], Some(&life(80)), at(0)).try_into().unwrap();
        assert_eq!((stale.kind, stale.evidence), (FindingKind::Stale, vec![life(80)]));
    }

    #[test]
    fn two_runs_of_one_attempt_are_found_and_those_of_two_attempts_are_not() {
        let running = job(Standing::Running, "RUNNING", None);
        let (one, two) = (run("a", 1), run("b", 2));
        let [finding] = signs(&running, &[&one, &two], None, at(0)).try_into().unwrap();
        assert_eq!((finding.kind, finding.runs.len()), (FindingKind::TwoRuns, 2));
        assert!(finding.sentence.contains("at the same time"), "{}", finding.sentence);
        let mut again = run("b", 2);
        again.slurm = Some(SlurmIds { restarts: Some(1), ..SlurmIds::default() });
        assert_eq!(found(&running, &[&one, &again]), []);
        assert_eq!(found(&running, &[&one, &run("a", 2)]), [], "a run that was resumed has two folders");
        // One that ended, and one that goes on, hold nothing for nothing.
        let ended = exited("b", 60, 0);
        assert_eq!(found(&running, &[&one, &ended]), [FindingKind::TwoRuns]);
    }

    #[test]
    fn runs_of_an_earlier_attempt_hold_no_job() {
        let mut requeued = job(Standing::Running, "RUNNING", None);
        requeued.started = Some(at(10));
        assert_eq!(found(&requeued, &[&exited("a", 60, 1)]), []);
    }

    #[test]
    fn runs_belong_by_their_ids_and_else_by_host_and_time_if_one_job_fits() {
        let mine = job(Standing::Running, "RUNNING", None);
        let mut other = job(Standing::Running, "RUNNING", None);
        (other.raw_id, other.task, other.hosts) = (Some(4322), Some((4314, 8)), vec!["node8".to_owned()]);
        let jobs = [other.clone(), mine.clone()];
        let with = |slurm: SlurmIds| Run { slurm: Some(slurm), ..run("a", 1) };
        let raw = with(SlurmIds { job: Some(4321), ..SlurmIds::default() });
        assert_eq!(belongs(&raw, &jobs, at(0)), Some((1, Link::Ids)));
        let task = with(SlurmIds { array_job: Some(4314), array_task: Some(8), ..SlurmIds::default() });
        assert_eq!(belongs(&task, &jobs, at(0)), Some((0, Link::Ids)));
        let foreign = with(SlurmIds { job: Some(99), ..SlurmIds::default() });
        assert_eq!(belongs(&foreign, &jobs, at(0)), None, "host and time would fit");
        assert_eq!(belongs(&run("a", 1), &jobs, at(0)), Some((1, Link::HostAndTime)));
        other.hosts = vec!["NODE7".to_owned()];
        assert_eq!(belongs(&run("a", 1), &[other, mine.clone()], at(0)), None, "two jobs fit");
        let before = Run { started: Some(at(200)), ..run("a", 1) };
        assert_eq!(belongs(&before, &[mine], at(0)), None);
    }
}
