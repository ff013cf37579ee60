//! Whose run is it?

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;

use super::super::gather::Gathered;
use crate::cluster::Snapshot;
use crate::joblog::{Identity, Mention};
use crate::sweep::{AttemptSeen, Evidence, expand_nodes};
use crate::terms::{JobId, Part, Time};
use crate::tracker::{Events, JobSeen, Jobs, Run, has_ids};

/// The tasks of runs and event files, as places among the evidence.
pub(super) struct Owners {
    /// For each run its tasks; several where their logs name it.
    pub runs: Vec<Vec<usize>>,
    /// For each run the one task in whose folder it lies.
    pub places: Vec<Option<usize>>,
    /// For each event file its task.
    pub events: Vec<Option<usize>>,
}

impl Owners {
    /// Finds them: by the Slurm ids that a run recorded, which nothing else
    /// overrules; else by the log that names it, the task's folder that it lies
    /// in, or host and time where no other job fits, of whatever sweep.
    pub fn of(
        snapshot: &Snapshot,
        gathered: &Gathered,
        tasks: &BTreeMap<usize, &Identity>,
        runs: &[Run],
        events: &[Events],
        now: Time,
    ) -> Owners {
        let named = Named::of(&gathered.evidence, tasks);
        let seen: Vec<Vec<usize>> =
            runs.iter().map(|run| if has_ids(run) { Vec::new() } else { named.of_run(run) }).collect();
        let places = runs.iter().map(|run| named.folder(&run.dir)).collect();
        let in_folder: Vec<Option<usize>> = events.iter().map(|file| named.folder(&file.path)).collect();
        let open = runs.iter().zip(&seen).filter(|(run, own)| own.is_empty() && !has_ids(run));
        let hosts = open.filter_map(|(run, _)| run.host.as_deref());
        let open = events.iter().zip(&in_folder).filter(|(_, own)| own.is_none());
        let hosts: HashSet<String> =
            hosts.chain(open.filter_map(|(file, _)| file.host.as_deref())).map(plain).collect();
        let jobs = Jobs::of(jobs(snapshot, &gathered.evidence, tasks, &hosts), now);
        let is_ours = |owner: &usize| *owner < gathered.evidence.len();
        let runs = runs.iter().zip(seen).map(|(run, own)| match own.is_empty() {
            true => jobs.owner(run).map(|(owner, _)| owner).filter(is_ours).into_iter().collect(),
            false => own,
        });
        let events = events.iter().zip(in_folder).map(|(file, own)| {
            let by_time = || jobs.at(file.host.as_deref()?, file.started?).filter(is_ours);
            own.or_else(by_time)
        });
        Owners { runs: runs.collect(), places, events: events.collect() }
    }
}

/// What names a run beside its own records.
#[derive(Default)]
struct Named<'e> {
    ids: HashMap<&'e str, BTreeSet<usize>>,
    dirs: HashMap<&'e Path, Vec<usize>>,
}

impl<'e> Named<'e> {
    fn of(evidence: &'e [Evidence], tasks: &BTreeMap<usize, &Identity>) -> Named<'e> {
        let mut named = Named::default();
        for at in tasks.keys() {
            let Some(task) = evidence.get(*at) else { continue };
            for mention in task.log().iter().flat_map(|log| &log.reading.mentions) {
                if let Mention::WandbRun { id } = mention {
                    named.ids.entry(id).or_default().insert(*at);
                }
            }
            if let Some(dir) = task.run_dir() {
                named.dirs.entry(dir).or_default().push(*at);
            }
        }
        named
    }

    fn of_run(&self, run: &Run) -> Vec<usize> {
        match self.ids.get(run.id.as_str()) {
            Some(own) => own.iter().copied().collect(),
            None => self.folder(&run.dir).into_iter().collect(),
        }
    }

    /// The one task in whose folder a file lies.
    fn folder(&self, path: &Path) -> Option<usize> {
        match path.ancestors().find_map(|above| self.dirs.get(above))?.as_slice() {
            [one] => Some(*one),
            _ => None,
        }
    }
}

/// The jobs that runs may be of: the sweep's tasks with all their attempts, and
/// for these hosts every other job that is known, under numbers behind them.
fn jobs(
    snapshot: &Snapshot,
    evidence: &[Evidence],
    tasks: &BTreeMap<usize, &Identity>,
    hosts: &HashSet<String>,
) -> Vec<(usize, JobSeen)> {
    let mut nodes = Nodes { hosts, known: HashMap::new() };
    let mut jobs = Vec::with_capacity(evidence.len());
    for (at, task) in evidence.iter().enumerate() {
        let (index, whole) = match task.id.part {
            Part::Task(index) => (Some((task.id.base, index)), None),
            Part::Whole => (None, Some(task.id.base)),
            Part::Component(_) => (None, None),
        };
        let told = tasks.get(&at).and_then(|who| who.raw);
        jobs.push((
            at,
            JobSeen {
                raw_id: task.raw_id.or(told).or(whole),
                task: index,
                hosts: nodes.of(&task.node_list),
                started: task.started,
                ended: task.ended,
            },
        ));
        let earlier = |attempt: &AttemptSeen| {
            let hosts = nodes.of(&attempt.node_list);
            (at, JobSeen { hosts, started: attempt.started, ended: attempt.ended, ..JobSeen::default() })
        };
        jobs.extend(task.earlier.iter().map(earlier));
    }
    if hosts.is_empty() {
        return jobs;
    }
    let ours: HashSet<JobId> = evidence.iter().map(|task| task.id).collect();
    let mut others: HashMap<JobId, usize> = HashMap::new();
    let mut number = |id: JobId| {
        let next = evidence.len() + others.len();
        *others.entry(id).or_insert(next)
    };
    if let Some(accounting) = snapshot.accounting.known() {
        for attempt in accounting.attempts().iter().filter(|attempt| !ours.contains(&attempt.id)) {
            let hosts = nodes.of(accounting.text(attempt.node_list));
            let (started, ended) = (accounting.moment(attempt.started), accounting.moment(attempt.ended));
            jobs.push((number(attempt.id), JobSeen { hosts, started, ended, ..JobSeen::default() }));
        }
    }
    let queue = snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
    for job in queue.iter().filter(|job| job.state.is_running() && !ours.contains(&job.id)) {
        let hosts = nodes.of(&job.node_list);
        jobs.push((number(job.id), JobSeen { hosts, started: job.started, ..JobSeen::default() }));
    }
    jobs
}

/// Node lists taken apart, each once, down to the hosts that are asked for.
struct Nodes<'h> {
    hosts: &'h HashSet<String>,
    known: HashMap<String, Vec<String>>,
}

impl Nodes<'_> {
    fn of(&mut self, list: &str) -> Vec<String> {
        if self.hosts.is_empty() || list.is_empty() {
            return Vec::new();
        }
        if let Some(known) = self.known.get(list) {
            return known.clone();
        }
        let mut nodes = expand_nodes(list);
        nodes.retain(|node| self.hosts.contains(&plain(node)));
        self.known.insert(list.to_owned(), nodes.clone());
        nodes
    }
}

/// A host's name as names are compared.
fn plain(host: &str) -> String {
    crate::tracker::short(host)
}
