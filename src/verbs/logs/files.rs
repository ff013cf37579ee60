//! Which files are to be read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::{NotRead, Options, Place};
use crate::cluster::{self, Job};
use crate::joblog::{self, Identity, Listed};
use crate::sys::Glob;
use crate::terms::{JobId, Known, Part, TaskIds};

/// So many tasks with a certain index are named.
const MOST_TASKS: usize = 3;

/// What is to be read.
#[derive(Debug, Default)]
pub struct Found {
    /// The files, by path.
    pub wanted: BTreeMap<PathBuf, Wanted>,
    /// What is not to be read, and why.
    pub unread: Vec<NotRead>,
    /// Remarks in words.
    pub notes: Vec<String>,
    /// Where one task was asked for, all that Slurm knows of its array.
    tasks: Option<TaskIds>,
    /// True if there may be more of them.
    cut: bool,
}

/// One file.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Whose log it should be.
    pub who: Option<Identity>,
    /// The job's id.
    pub job: Option<JobId>,
    /// True if it was named, so that it is read even if it looks like no text.
    pub is_named: bool,
}

/// Finds the files that the options ask for.
pub fn find(place: &Place, options: &Options) -> Found {
    let mut found = Found::default();
    match options.job {
        None if options.paths.is_empty() => found.take(configured(place)),
        None => found.named(&options.paths),
        Some(job) => found.of_job(place, options, job),
    }
    if let Some(shard) = options.shard {
        found.wanted.retain(|path, _| shard.takes(path));
    }
    found
}

fn configured(place: &Place) -> Listed {
    joblog::list(&globs(place), &place.roots)
}

fn globs(place: &Place) -> Vec<Glob> {
    place.settings.globs.iter().map(|glob| Glob::anywhere(Path::new(glob))).collect()
}

impl Found {
    fn take(&mut self, listed: Listed) {
        let mut files: BTreeMap<PathBuf, Wanted> =
            listed.files.into_iter().map(|path| (path, Wanted::default())).collect();
        // Sorted as they are: one by one they would be compared with each other again.
        if self.wanted.is_empty() {
            self.wanted = files;
        } else {
            self.wanted.append(&mut files);
        }
        self.unread.extend(listed.problems.into_iter().map(|(path, why)| NotRead { path, why }));
    }

    fn not_read(&mut self, path: &Path, why: &str) {
        self.unread.push(NotRead { path: path.to_owned(), why: why.to_owned() });
    }

    fn named(&mut self, paths: &[PathBuf]) {
        for path in paths {
            match std::fs::metadata(path) {
                Ok(metadata) if metadata.is_dir() => {
                    self.take(joblog::list(&[Glob::anywhere(Path::new("**"))], std::slice::from_ref(path)));
                }
                // Whether it can be read is seen when it is.
                Ok(_) => {
                    self.wanted.insert(path.clone(), Wanted { is_named: true, ..Wanted::default() });
                }
                Err(error) => {
                    let glob = Glob::anywhere(path);
                    if !glob.is_open() {
                        self.not_read(path, &error.to_string());
                        continue;
                    }
                    let listed = joblog::list(&[glob], &[PathBuf::from("/")]);
                    if listed.files.is_empty() && listed.problems.is_empty() {
                        self.not_read(path, "no file fits it");
                    }
                    self.take(listed);
                }
            }
        }
    }

    /// The logs of a job: where Slurm says, else among the files that were
    /// named or that the settings name.
    fn of_job(&mut self, place: &Place, options: &Options, wanted: JobId) {
        let jobs = self.asked(place, wanted);
        let mut open: Vec<(JobId, Identity)> = Vec::new();
        for job in jobs {
            let who = identity(&job);
            let told: Vec<PathBuf> = [&job.stdout, &job.stderr].into_iter().flatten().cloned().collect();
            let there: Vec<PathBuf> = told.into_iter().filter(|path| path.is_file()).collect();
            if there.is_empty() {
                open.push((job.id, who));
                continue;
            }
            there.into_iter().for_each(|path| self.add(path, job.id, Some(who.clone())));
        }
        let is_known = !self.wanted.is_empty() || !open.is_empty();
        if is_known && open.is_empty() {
            return;
        }
        let listed = if options.paths.is_empty() {
            configured(place)
        } else {
            let mut named = Found::default();
            named.named(&options.paths);
            Listed {
                files: named.wanted.into_keys().collect(),
                problems: named.unread.into_iter().map(|unread| (unread.path, unread.why)).collect(),
            }
        };
        let Listed { files, problems } = listed;
        self.take(Listed { files: Vec::new(), problems });
        if !is_known {
            let part = match wanted.part {
                Part::Task(index) => Some(index),
                Part::Whole | Part::Component(_) => None,
            };
            if part.is_none() {
                return self.by_name(wanted, &files);
            }
            open.push((wanted, Identity { base: wanted.base, task: part, ..Identity::default() }));
        }
        let who: Vec<Identity> = open.iter().map(|(_, who)| who.clone()).collect();
        for ((id, who), paths) in open.into_iter().zip(joblog::among(&who, &files)) {
            if paths.is_empty() {
                let told = who.stdout.clone().unwrap_or_else(|| PathBuf::from(id.to_string()));
                let why = match who.stdout {
                    Some(_) => "Slurm names it as the log of this job, and it is not there",
                    None => "no log of this job was found",
                };
                self.not_read(&told, why);
            }
            paths.into_iter().for_each(|path| self.add(path, id, Some(who.clone())));
        }
    }

    /// The logs that are named after a job of which Slurm says nothing: of a whole
    /// array it would have told the tasks.
    fn by_name(&mut self, wanted: JobId, files: &[PathBuf]) {
        let named = joblog::of_job(wanted.base, files);
        if !named.is_empty() {
            self.notes.push(format!(
                "Slurm says nothing of job {wanted}: these logs have its number in their names"
            ));
        }
        named.into_iter().for_each(|path| self.add(path, wanted, None));
        let arrays = joblog::arrays_with(wanted.base, files);
        let tasks: Vec<JobId> =
            arrays.iter().rev().take(MOST_TASKS).map(|array| JobId::task(*array, wanted.base)).collect();
        if let [first, ..] = tasks.as_slice() {
            let all = tasks.iter().map(JobId::to_string).collect::<Vec<_>>().join(", ");
            let more = if arrays.len() > tasks.len() { ", and more" } else { "" };
            self.notes.push(format!(
                "{} is the index of a task in the names of other logs, of {all}{more}: --job {first} reads that one",
                wanted.base
            ));
        }
    }

    fn add(&mut self, path: PathBuf, job: JobId, who: Option<Identity>) {
        let wanted = Wanted { who, job: Some(job), is_named: true };
        // A file of several tasks is nobody's alone.
        self.wanted
            .entry(path)
            .and_modify(|known| {
                if known.job != Some(job) {
                    (known.job, known.who) = (None, None);
                }
            })
            .or_insert(wanted);
    }

    /// The jobs that Slurm knows under that id.
    fn asked(&mut self, place: &Place, wanted: JobId) -> Vec<Job> {
        let Some(look) = &place.look else { return self.asked_of_file(place, wanted) };
        match cluster::files_of(place.world, look, &[wanted.base]) {
            Known::Known(remembered) => {
                let words = |problem: cluster::Problem| format!("{}: {}", problem.about, problem.what);
                self.notes.extend(remembered.problems.into_iter().map(words));
                let jobs: Vec<Job> = remembered.jobs.into_iter().map(|files| files.job).collect();
                self.know(wanted, &jobs);
                let jobs = jobs.into_iter();
                self.started(jobs.filter(|job| is_it(wanted, job.id, job.raw_id)).collect())
            }
            Known::Unknown(why) => {
                self.notes.push(format!("where Slurm keeps the job's log: {why}"));
                Vec::new()
            }
            Known::NotApplicable(_) => self.asked_of_file(place, wanted),
        }
    }

    /// The same by what a state file knows.
    fn asked_of_file(&mut self, place: &Place, wanted: JobId) -> Vec<Job> {
        let Some(snapshot) = place.saved.and_then(|read| read()) else { return Vec::new() };
        let mut jobs: BTreeMap<JobId, Job> = BTreeMap::new();
        if let Some(accounting) = snapshot.accounting.known() {
            let tasks = accounting.attempts().iter().map(|one| Job::new(one.id));
            let rests = accounting.waiting.iter().map(|rest| Job {
                pending_tasks: rest.tasks.clone(),
                tasks_cut: rest.tasks.is_none(),
                ..Job::new(JobId::whole(rest.base))
            });
            self.know(wanted, &tasks.chain(rests).collect::<Vec<_>>());
            let own = accounting.attempts().iter().filter(|one| is_it(wanted, one.id, one.raw_id));
            for attempt in own {
                let job = Job {
                    raw_id: attempt.raw_id,
                    name: accounting.text(attempt.name).to_owned(),
                    user: accounting.text(attempt.user).to_owned(),
                    state: attempt.state,
                    node_list: accounting.text(attempt.node_list).to_owned(),
                    ..Job::new(attempt.id)
                };
                // Of one id the newest comes last.
                jobs.insert(attempt.id, job);
            }
            let ids = jobs.keys().copied().collect();
            jobs.extend(cluster::files_in(accounting, &ids).into_iter().map(|job| (job.id, job)));
        }
        let queued = || snapshot.jobs.known().into_iter().flatten();
        self.know(wanted, &queued().cloned().collect::<Vec<_>>());
        let queued = queued().filter(|job| is_it(wanted, job.id, job.raw_id));
        jobs.extend(queued.map(|job| (job.id, job.clone())));
        self.started(jobs.into_values().collect())
    }

    /// Notes which tasks the array has of which one is wanted.
    fn know(&mut self, wanted: JobId, jobs: &[Job]) {
        let Part::Task(index) = wanted.part else { return };
        for job in jobs.iter().filter(|job| job.id.base == wanted.base) {
            let own: TaskIds = match job.id.part {
                Part::Task(task) => [task].into_iter().collect(),
                Part::Whole | Part::Component(_) => job.pending_tasks.clone().unwrap_or_default(),
            };
            if job.pending_tasks.as_ref().is_some_and(|waiting| waiting.contains(index)) {
                let note = format!("{wanted} waits, and has no log");
                self.notes.retain(|known| *known != note);
                self.notes.push(note);
            }
            let known = self.tasks.take().unwrap_or_default();
            self.tasks = Some(known.union(&own));
            self.cut |= job.tasks_cut;
        }
    }

    /// The tasks of the array, if it has none of this index by all that Slurm knows of it, and
    /// no log has its name.
    pub fn lacks(&self, index: u32) -> Option<&TaskIds> {
        let is_none = |tasks: &&TaskIds| !tasks.is_empty() && !tasks.contains(index);
        self.tasks.as_ref().filter(|_| !self.cut && self.wanted.is_empty()).filter(is_none)
    }

    /// Those that do not wait; of the others it is said.
    fn started(&mut self, jobs: Vec<Job>) -> Vec<Job> {
        let (waiting, jobs): (Vec<Job>, Vec<Job>) =
            jobs.into_iter().partition(|job| job.pending_tasks.is_some() || job.state.is_waiting());
        self.notes.extend(waiting.iter().map(|job| format!("{} waits, and has no log", job.label())));
        jobs
    }
}

/// True if it is the job that is wanted, or a task of it; a number alone may be
/// the raw id of a task.
fn is_it(wanted: JobId, id: JobId, raw: Option<u32>) -> bool {
    match wanted.part {
        Part::Whole => id.base == wanted.base || raw == Some(wanted.base),
        _ => id == wanted,
    }
}

fn identity(job: &Job) -> Identity {
    Identity {
        base: job.id.base,
        task: match job.id.part {
            Part::Task(index) => Some(index),
            Part::Whole | Part::Component(_) => None,
        },
        raw: job.raw_id,
        name: job.name.clone(),
        user: Some(job.user.clone()).filter(|user| !user.is_empty()),
        work_dir: job.work_dir.clone(),
        stdout: job.stdout.clone(),
        node: Some(job.node_list.clone()).filter(|nodes| !nodes.is_empty()),
        is_heterogeneous: matches!(job.id.part, Part::Component(_)),
    }
}
