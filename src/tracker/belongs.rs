//! Which job a run is of: by the Slurm ids that the tracker recorded, else by
//! host and time.

use std::collections::{HashMap, HashSet};

use super::Run;
use crate::terms::{Seconds, Time};

/// What Slurm says of a job, or of one attempt of an array task, as far as a
/// run can be recognised by it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobSeen {
    /// Its raw id, which trackers record.
    pub raw_id: Option<u32>,
    /// The id of its array, and which task of it it is.
    pub task: Option<(u32, u32)>,
    /// The nodes that it has or had, one by one.
    pub hosts: Vec<String>,
    /// When it started, of this attempt.
    pub started: Option<Time>,
    /// When it ended, if it has.
    pub ended: Option<Time>,
}

/// How a run was found to be a job's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// The tracker recorded the job's id.
    Ids,
    /// It began on the job's host in the job's time, and no other job fits.
    HostAndTime,
}

/// How far the clocks of nodes and controller may be apart, and how long a start takes.
const APART: Seconds = Seconds(120);

/// Jobs, to be found by what runs record of them: ten thousand runs are held
/// against ten thousand jobs without trying each pair.
#[derive(Debug, Default)]
pub struct Jobs {
    raw: HashMap<u32, usize>,
    tasks: HashMap<(u32, u32), (usize, Option<u32>)>,
    hosts: HashMap<String, Vec<Span>>,
}

/// When a job was on a host, in seconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Span {
    from: i64,
    to: i64,
    owner: usize,
    /// The latest end of this one and all before it.
    reach: i64,
}

impl Jobs {
    /// Takes jobs with the number of their owner; attempts of one task have the
    /// same owner. A job without an end lasts until `now`.
    pub fn of(jobs: impl IntoIterator<Item = (usize, JobSeen)>, now: Time) -> Jobs {
        let mut all = Jobs::default();
        for (owner, job) in jobs {
            if let Some(raw) = job.raw_id {
                all.raw.entry(raw).or_insert(owner);
            }
            if let Some(task) = job.task {
                all.tasks.entry(task).or_insert((owner, job.raw_id));
            }
            let Some(started) = job.started else { continue };
            let (from, to) = (started.minus(APART).unix(), job.ended.unwrap_or(now).plus(APART).unix());
            for host in job.hosts.iter().map(|host| short(host)).collect::<HashSet<_>>() {
                all.hosts.entry(host).or_default().push(Span { from, to, owner, reach: to });
            }
        }
        for spans in all.hosts.values_mut() {
            spans.sort_by_key(|span| (span.from, span.to, span.owner));
            let mut reach = i64::MIN;
            for span in spans {
                reach = reach.max(span.to);
                span.reach = reach;
            }
        }
        all
    }

    /// The owner of a run: by the ids that the tracker recorded; else by host
    /// and time, if those of exactly one owner fit. A run whose recorded ids are
    /// another job's is of none.
    pub fn owner(&self, run: &Run) -> Option<(usize, Link)> {
        match recorded(run) {
            Some((job, task)) => self.by_ids(job, task).map(|owner| (owner, Link::Ids)),
            None => {
                let (host, started) = (run.host.as_deref()?, run.started?);
                self.at(host, started).map(|owner| (owner, Link::HostAndTime))
            }
        }
    }

    /// The one owner whose job was on this host at this time.
    pub fn at(&self, host: &str, time: Time) -> Option<usize> {
        let spans = self.hosts.get(&short(host))?;
        let time = time.unix();
        let begun = spans.partition_point(|span| span.from <= time);
        let mut fitting = None;
        for span in spans[..begun].iter().rev() {
            if span.reach < time {
                break;
            }
            match fitting {
                _ if span.to < time => {}
                Some(other) if other != span.owner => return None,
                _ => fitting = Some(span.owner),
            }
        }
        fitting
    }

    fn by_ids(&self, job: Option<u32>, task: Option<(u32, u32)>) -> Option<usize> {
        if let Some(owner) = job.and_then(|job| self.raw.get(&job)) {
            return Some(*owner);
        }
        let (owner, raw) = self.tasks.get(&task?)?;
        // The same task under another raw id is another array that got the same number.
        (job.is_none() || raw.is_none()).then_some(*owner)
    }
}

/// True if the tracker recorded whose job the run is.
pub fn has_ids(run: &Run) -> bool {
    recorded(run).is_some()
}

/// The ids that the tracker recorded: the raw one, and array and task.
#[expect(clippy::type_complexity, reason = "two ids, each of which may be missing")]
fn recorded(run: &Run) -> Option<(Option<u32>, Option<(u32, u32)>)> {
    let ids = run.slurm.as_ref()?;
    let found = (ids.job, ids.array_job.zip(ids.array_task));
    (found != (None, None)).then_some(found)
}

/// A host's name without its domain.
pub fn short(host: &str) -> String {
    host.split('.').next().unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::super::SlurmIds;
    use super::*;

    const NOW: i64 = 1_795_232_460;

    fn at(minutes_ago: i64) -> Time {
        Time::from_unix(NOW - 60 * minutes_ago).unwrap()
    }

    fn run(started: i64) -> Run {
        Run { host: Some("node7.cluster.example".to_owned()), started: Some(at(started)), ..Run::default() }
    }

    fn job(raw: u32, task: u32, host: &str, started: i64, ended: Option<i64>) -> JobSeen {
        JobSeen {
            raw_id: Some(raw),
            task: Some((4314, task)),
            hosts: vec![host.to_owned()],
            started: Some(at(started)),
            ended: ended.map(at),
        }
    }

    #[test]
    fn a_run_is_of_the_job_whose_ids_it_recorded_whatever_its_host() {
        let jobs = [job(4322, 8, "node8", 121, None), job(4321, 7, "node7", 121, None)];
        let jobs = Jobs::of(jobs.into_iter().enumerate(), at(0));
        let with = |slurm: SlurmIds| Run { slurm: Some(slurm), ..run(120) };
        let raw = with(SlurmIds { job: Some(4321), ..SlurmIds::default() });
        assert_eq!(jobs.owner(&raw), Some((1, Link::Ids)));
        let task = with(SlurmIds { array_job: Some(4314), array_task: Some(8), ..SlurmIds::default() });
        assert_eq!(jobs.owner(&task), Some((0, Link::Ids)));
        let foreign = with(SlurmIds { job: Some(99), ..SlurmIds::default() });
        assert_eq!(jobs.owner(&foreign), None, "host and time would fit");
        let again = with(SlurmIds {
            job: Some(99),
            array_job: Some(4314),
            array_task: Some(8),
            ..SlurmIds::default()
        });
        assert_eq!(jobs.owner(&again), None, "another array of the same number");
    }

    #[test]
    fn without_ids_host_and_time_tell_if_one_owner_fits() {
        let mine = || job(4321, 7, "node7", 121, None);
        let of = |jobs: Vec<JobSeen>| Jobs::of(jobs.into_iter().enumerate(), at(0)).owner(&run(120));
        assert_eq!(of(vec![mine()]), Some((0, Link::HostAndTime)));
        assert_eq!(of(vec![job(1, 1, "NODE7", 300, None), mine()]), None, "two fit");
        assert_eq!(
            of(vec![job(1, 1, "node7", 300, Some(130)), mine()]),
            Some((1, Link::HostAndTime)),
            "one had ended"
        );
        assert_eq!(of(vec![job(1, 1, "node7", 60, None)]), None, "it began later");
        // A long job in front of a short one is not overlooked.
        let long = job(1, 1, "node7", 500, None);
        let short = job(2, 2, "node7", 400, Some(390));
        assert_eq!(of(vec![long, short]), Some((0, Link::HostAndTime)));
        // Attempts of one task are one owner.
        let attempts = [(5, job(9, 9, "node7", 300, Some(120))), (5, job(9, 9, "node7", 121, None))];
        assert_eq!(Jobs::of(attempts, at(0)).owner(&run(120)), Some((5, Link::HostAndTime)));
    }

    #[test]
    fn ten_thousand_runs_find_their_jobs_without_trying_each_pair() {
        // Hosts of eight jobs each, one after the other.
        let job = |number: u32| JobSeen {
            raw_id: None,
            task: Some((1, number)),
            hosts: vec![format!("node{}", number / 8)],
            started: Some(at(20_000 - i64::from(number % 8) * 60)),
            ended: Some(at(20_000 - i64::from(number % 8) * 60 - 50)),
        };
        let jobs = Jobs::of((0..10_000).map(|number| (number as usize, job(number))), at(0));
        for number in 0..10_000u32 {
            let host = format!("node{}.local", number / 8);
            let time = at(20_000 - i64::from(number % 8) * 60 - 10);
            assert_eq!(jobs.at(&host, time), Some(number as usize));
        }
        assert_eq!(jobs.hosts["node3"].len(), 8);
    }
}
