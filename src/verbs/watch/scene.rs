//! What a watch sees: the queue and, of the watched sweeps alone, accounting.

use std::collections::BTreeSet;

use super::event::Questions;
use super::follow::{self, Followed};
use super::kept::{self, Kept};
use super::shared;
use super::study::Study;
use crate::cluster::{self, Accounting, Job, MOST_IDS, Nothing, Origin, Problem, Snapshot, State};
use crate::config::Source;
use crate::sweep::cadence::FLOOR;
use crate::sweep::memory::Memory;
use crate::sweep::{self, Kind, SHARED_NAME_AT_LEAST, Sweep};
use crate::terms::{JobId, Known, Part, Seconds, TaskIds, Time};
use crate::verbs::sweep::again;
use crate::verbs::sweep::records::Record;
use crate::verbs::{Context, Error};

/// A sweep that is watched.
pub(super) struct Target {
    /// By what it is found again.
    pub key: String,
    /// What holds it together.
    pub kind: Kind,
    /// The jobs' name, if it is known from somewhere else than `kept`.
    pub name: Option<String>,
    /// What is known of it since the last look, or from an earlier watch.
    pub kept: Option<Kept>,
    /// When this watch judged it last.
    pub judged: Option<Time>,
    /// What was read of its tasks.
    pub study: Study,
    /// The tasks that go on under other ids.
    pub followed: Followed,
    /// Those that a plan has cancelled and that Slurm does not know any more.
    pub cancelled: TaskIds,
    /// Who said that it is dealt with, when and why, in words.
    pub settled: Option<String>,
    /// True once accounting was asked for all of it.
    accounted: bool,
    /// Tasks that left the queue and that accounting did not know yet.
    limbo: TaskIds,
}

/// What is watched, and the answers so far.
pub(super) struct Scene {
    source: Option<Source>,
    /// The queue, and accounting of what is watched.
    pub snapshot: Snapshot,
    /// What is watched.
    pub targets: Vec<Target>,
    /// True if Slurm's commands here are asked; a state file costs nobody anything.
    pub is_live: bool,
    /// What was asked so far.
    pub questions: Questions,
    /// What was found out of order at the beginning, in words.
    pub oddities: Vec<String>,
}

/// Why nothing was seen.
pub(super) enum Blind {
    /// The cluster did not answer.
    Silent(String),
    /// There is no cluster to ask.
    Nothing(String),
    /// What was asked for cannot be found.
    Failed(Error),
}

impl From<Error> for Blind {
    fn from(error: Error) -> Blind {
        Blind::Failed(error)
    }
}

impl Scene {
    /// The first look: finds what is meant by `wanted`, in the queue, in what
    /// earlier watches kept, or in accounting; without it, all that is live.
    pub fn open(context: &Context, source: Option<&Source>, wanted: &[String]) -> Result<Scene, Blind> {
        let origin = Snapshot::without(Origin::Nothing, Default::default(), Nothing::Unknown(String::new()));
        let mut scene = Scene {
            source: source.cloned(),
            snapshot: origin,
            targets: Vec::new(),
            is_live: false,
            questions: Questions::default(),
            oddities: Vec::new(),
        };
        scene.look(context, FLOOR)?;
        let least = if wanted.is_empty() { SHARED_NAME_AT_LEAST } else { 1 };
        let kept = kept::read_all(&context.home());
        let (records, unread) = follow::all_records(&context.home());
        scene.oddities.extend(unread);
        let mut found = sweep::sweeps_of(&scene.snapshot, least).sweeps;
        let mut chosen = chosen(&scene.snapshot, &found, &kept, &records, wanted);
        if chosen.is_err() && scene.questions.shared > 0 {
            // Submitted after another watch asked.
            scene.look(context, Seconds(0))?;
            found = sweep::sweeps_of(&scene.snapshot, least).sweeps;
            chosen = self::chosen(&scene.snapshot, &found, &kept, &records, wanted);
        }
        let needs_names = |(_, kind): &(String, Kind)| *kind == Kind::SharedName;
        if scene.is_live && (chosen.is_err() || chosen.iter().flatten().any(needs_names)) {
            scene.questions.sacct += 1;
            scene.snapshot.accounting = cluster::history(context.world, &look_of(context));
            found = sweep::sweeps_of(&scene.snapshot, least).sweeps;
            chosen = self::chosen(&scene.snapshot, &found, &kept, &records, wanted);
        }
        let window = scene.snapshot.accounting.known().is_some();
        let mut kept = kept;
        for (key, kind) in chosen? {
            let own = kept.iter().position(|kept| kept.memory.look.key == key && kept.memory.kind == kind);
            let kept = own.map(|at| kept.swap_remove(at));
            let home = context.home();
            if kept.is_none()
                && let Some(aside) = kept::put_aside(context.world, &home, &key)
            {
                let aside = crate::safety::escape_path(&aside);
                scene.oddities.push(format!(
                    "what an earlier watch kept of {} cannot be read; it is now {aside}",
                    crate::safety::one_line(&key, 60)
                ));
            }
            let study = match &kept {
                Some(_) => Study::read(&kept::readings(&home, &key), &key),
                None => Study::default(),
            };
            let accounted = !scene.is_live || (kind == Kind::SharedName && window);
            let name = found.iter().find(|sweep| sweep.key == key && sweep.kind == kind);
            let name = name.map(|sweep| sweep.name.clone());
            let by_plan = || records.iter().find(|record| record.sweep == key && record.kind == kind);
            let name = name.or_else(|| Some(by_plan()?.name.clone()));
            scene.targets.push(Target {
                key,
                kind,
                name,
                kept,
                judged: None,
                study,
                followed: Followed::default(),
                cancelled: TaskIds::default(),
                settled: None,
                accounted,
                limbo: TaskIds::default(),
            });
        }
        if scene.is_live {
            // Of other sweeps nothing is needed any more.
            let targets = &scene.targets;
            let of_plans: BTreeSet<u32> = records.iter().flat_map(Record::ids).collect();
            if let Known::Known(accounting) = &mut scene.snapshot.accounting {
                accounting.retain(|row, name, _| {
                    of_plans.contains(&row.id.base) || targets.iter().any(|target| target.has(row.id, name))
                });
            }
        }
        Ok(scene)
    }

    /// Looks at the queue again; an answer that another watch had may be as old
    /// as `fresh`.
    pub fn look(&mut self, context: &Context, fresh: Seconds) -> Result<(), Blind> {
        let source = self.source.as_ref().unwrap_or(&context.config.cluster.source).clone();
        if matches!(source, Source::Auto | Source::Local) {
            let look = look_of(context);
            let known = self.snapshot.taken_at.filter(|_| self.is_live);
            let answer = shared::ask(context.world, &look, fresh, known);
            if answer.shared {
                self.questions.shared += 1;
            } else if !matches!(answer.queue.jobs, Known::NotApplicable(_)) {
                self.questions.squeue += 1;
            }
            match answer.queue.jobs {
                Known::Known(mut jobs) => {
                    jobs.retain(|job| look.scope.takes(job));
                    if !self.is_live {
                        // The first answer from here.
                        self.snapshot = Snapshot::without(
                            Origin::Local,
                            look.scope.clone(),
                            Nothing::Unknown("not asked yet".to_owned()),
                        );
                        self.is_live = true;
                    }
                    self.snapshot.taken_at = answer.queue.taken_at;
                    self.snapshot.jobs = Known::Known(jobs);
                    self.snapshot.jobs_partial = answer.queue.partial;
                    self.snapshot.problems = answer.queue.problems;
                    return Ok(());
                }
                Known::Unknown(why) => return Err(Blind::Silent(why)),
                Known::NotApplicable(why) if source == Source::Local || self.is_live => {
                    return Err(Blind::Nothing(why));
                }
                // Perhaps a state file knows.
                Known::NotApplicable(_) => {}
            }
        }
        let snapshot = crate::verbs::snapshot::take(context, self.source.as_ref())?;
        match (&snapshot.jobs, &snapshot.accounting) {
            (Known::Known(_), _) | (_, Known::Known(_)) => {
                self.snapshot = snapshot;
                Ok(())
            }
            (Known::NotApplicable(why), _) => Err(Blind::Nothing(why.clone())),
            (Known::Unknown(why), _) => Err(Blind::Silent(why.clone())),
        }
    }

    /// What each target is now, in their order; accounting is asked for what
    /// left the queue, with one question for all of them.
    pub fn see(&mut self, context: &Context) -> Vec<Seen> {
        let home = context.home();
        for target in &mut self.targets {
            if let Err(what) = target.followed.read(&home, &target.key) {
                self.snapshot.problems.push(Problem { about: "plans".to_owned(), what });
            }
            target.followed.settle(&self.snapshot);
        }
        if self.is_live {
            self.ask_for_the_ended(context);
            self.targets.iter_mut().for_each(|target| target.followed.settle(&self.snapshot));
        }
        let found = sweep::sweeps_of(&self.snapshot, 1).sweeps;
        let snapshot = &self.snapshot;
        self.targets.iter_mut().map(|target| target.seen(&found, snapshot, context.now)).collect()
    }

    fn ask_for_the_ended(&mut self, context: &Context) {
        let jobs = self.snapshot.jobs.known().map_or(&[][..], Vec::as_slice);
        let mut ids: Vec<JobId> = Vec::new();
        let mut asked = Vec::new();
        for (number, target) in self.targets.iter().enumerate() {
            let own = target.left(jobs, self.snapshot.jobs_partial);
            if ids.len() + own.len() <= MOST_IDS && !own.is_empty() {
                ids.extend(own);
                asked.push(number);
            }
        }
        if ids.is_empty() {
            return;
        }
        self.questions.sacct += 1;
        match cluster::accounting_of(context.world, &look_of(context), &ids) {
            Known::Known(mut answer) => {
                self.snapshot.problems.append(&mut answer.problems);
                let nothing = Accounting::default();
                let known = std::mem::replace(&mut self.snapshot.accounting, Known::Known(nothing));
                let mut accounting = known.into_known().unwrap_or_default();
                accounting.take_over(&ids, &answer);
                self.snapshot.accounting = Known::Known(accounting);
                for number in asked {
                    let Some(target) = self.targets.get_mut(number) else { continue };
                    target.followed.answered(&ids);
                    target.accounted |= target.base().is_some_and(|base| ids.contains(&JobId::whole(base)));
                }
            }
            Known::Unknown(why) | Known::NotApplicable(why) => {
                let what = format!("what left the queue is not known: {why}");
                self.snapshot.problems.push(Problem { about: "sacct".to_owned(), what });
            }
        }
    }
}

/// One target at one look.
pub(super) struct Seen {
    /// The sweep as it was counted; `None` if neither queue nor accounting know it now.
    pub sweep: Option<Sweep>,
    /// What is to be remembered; `None` if it was never seen.
    pub memory: Option<Memory>,
    /// True if all that accounting has of it was asked for: then it can be judged.
    pub is_whole: bool,
}

impl Target {
    /// The array's id.
    fn base(&self) -> Option<u32> {
        (self.kind == Kind::Array).then(|| self.key.parse().ok()).flatten()
    }

    /// True if a row of accounting is of this sweep.
    fn has(&self, id: JobId, name: &str) -> bool {
        match self.base() {
            Some(base) => id.base == base,
            None => !matches!(id.part, Part::Task(_)) && name.replace('"', "`") == self.key.replace('"', "`"),
        }
    }

    fn before(&self) -> Option<&Memory> {
        self.kept.as_ref().map(|kept| &kept.memory)
    }

    /// What accounting is to be asked for: the tasks that are not in the queue
    /// any more, or all of it where that is not known yet and something changed.
    fn left(&self, jobs: &[Job], partial: bool) -> Vec<JobId> {
        let own = self.own_left(jobs, partial);
        if partial || self.followed.again().is_empty() {
            return own;
        }
        let mut ids: BTreeSet<JobId> = own.into_iter().collect();
        ids.extend(self.base().filter(|_| !self.accounted).map(JobId::whole));
        ids.extend(self.followed.left(jobs, self.before()));
        ids.into_iter().collect()
    }

    /// The same of what has its old ids.
    fn own_left(&self, jobs: &[Job], partial: bool) -> Vec<JobId> {
        let base = self.base();
        let whole: Vec<JobId> = base.map(JobId::whole).into_iter().collect();
        let Some(before) = self.before() else {
            return if self.accounted { Vec::new() } else { whole };
        };
        let own = Own::of(self, jobs);
        if partial || own.cut {
            return Vec::new();
        }
        let elsewhere: TaskIds = self.followed.ids().map(|(member, _)| member).collect();
        let live = before.tasks_in(State::is_live).difference(&elsewhere);
        let left = live.difference(&own.all());
        let ran = before.tasks_in(State::is_running).intersection(&left);
        match base {
            // A task that never started has no row of its own.
            Some(_) if !left.is_empty() && (!self.accounted || ran != left || left.len() > MOST_IDS) => whole,
            Some(base) => left.iter().map(|task| JobId::task(base, task)).collect(),
            None => left.iter().take(MOST_IDS).map(JobId::whole).collect(),
        }
    }

    fn seen(&mut self, found: &[Sweep], snapshot: &Snapshot, at: Time) -> Seen {
        let trusts_absence = snapshot.jobs.known().is_some() && !snapshot.jobs_partial;
        let mut sweep = found.iter().find(|sweep| sweep.kind == self.kind && sweep.key == self.key).cloned();
        self.cancelled = match &mut sweep {
            Some(sweep) => self.followed.count(sweep, snapshot),
            None => TaskIds::default(),
        };
        let memory = match (&sweep, self.before()) {
            (Some(sweep), Some(before)) => Some(Memory::of(at, sweep, None).carried(before)),
            (Some(sweep), None) => Some(Memory::of(at, sweep, None)),
            (None, Some(before)) => {
                let nothing = sweep::Look {
                    key: before.look.key.clone(),
                    name: before.look.name.clone(),
                    ..sweep::Look::default()
                };
                let mut empty = Memory { at, look: nothing, stuck: Default::default(), ..before.clone() };
                self.followed.remember(&mut empty);
                Some(empty.carried(before))
            }
            (None, None) => None,
        };
        let memory = memory.map(|mut memory| {
            memory.again.extend(self.followed.ids());
            let Some(before) = self.kept.as_ref().map(|kept| &kept.memory) else { return memory };
            if memory.look.name != before.look.name {
                return memory;
            }
            let lost = memory.tasks_in(|state| state == State::Unknown).difference(&self.limbo);
            memory.forget(&lost.intersection(&before.tasks_in(State::is_live)));
            let missing = before.tasks_in(State::is_live).difference(&memory.look.all());
            // Accounting lags behind: what it does not know yet gets one look more.
            let hold = if trusts_absence { missing.difference(&self.limbo) } else { missing.clone() };
            memory.hold(&hold, before);
            self.limbo = missing;
            memory
        });
        Seen { sweep, memory, is_whole: self.accounted }
    }
}

/// The tasks of a target that are in the queue.
#[derive(Default)]
struct Own {
    tasks: TaskIds,
    waiting: TaskIds,
    cut: bool,
}

impl Own {
    fn of(target: &Target, jobs: &[Job]) -> Own {
        let base = target.base();
        let mut own = Own::default();
        let mut single = Vec::new();
        for job in jobs {
            match (base, job.id.part) {
                (Some(base), _) if base != job.id.base => {}
                (Some(_), _) if job.tasks_cut => own.cut = true,
                (Some(_), Part::Task(index)) => single.push(index),
                (Some(_), _) => {
                    if let Some(tasks) = &job.pending_tasks {
                        own.waiting = own.waiting.union(tasks);
                    }
                }
                (None, _) => single.push(job.id.base),
            }
        }
        own.tasks = single.into_iter().collect();
        own
    }

    fn all(&self) -> TaskIds {
        self.tasks.union(&self.waiting)
    }
}

fn look_of(context: &Context) -> cluster::Look {
    crate::verbs::snapshot::here(context)
}

/// Which sweeps are meant: what was found, what is kept, or an error that
/// names what is neither.
fn chosen(
    snapshot: &Snapshot,
    found: &[Sweep],
    kept: &[Kept],
    records: &[Record],
    wanted: &[String],
) -> Result<Vec<(String, Kind)>, Error> {
    let mut chosen: Vec<(String, Kind)> = Vec::new();
    let mut add = |key: &str, kind: Kind| {
        if !chosen.iter().any(|(known, of)| known == key && *of == kind) {
            chosen.push((key.to_owned(), kind));
        }
    };
    if wanted.is_empty() {
        let live = |sweep: &&Sweep| sweep.states.keys().any(|state| state.is_live());
        found.iter().filter(live).for_each(|sweep| match again::origin(records, &sweep.key) {
            Some(origin) if sweep.kind == Kind::Array => add(&origin, Kind::Array),
            _ => add(&sweep.key, sweep.kind),
        });
        let open = kept.iter().filter(|kept| !kept.memory.is_over());
        open.for_each(|kept| add(&kept.memory.look.key, kept.memory.kind));
    }
    for wanted in wanted {
        match crate::verbs::sweep::which::meant(snapshot, found, wanted) {
            Ok(meant) => {
                let Some(sweep) = found.get(meant.newest) else { continue };
                // Of a name the newest array may be no more than what of another goes on.
                let is_name = wanted.parse::<JobId>().is_err() && sweep.kind == Kind::Array;
                let origin = again::origin(records, &sweep.key).filter(|_| is_name);
                add(origin.as_ref().unwrap_or(&sweep.key), sweep.kind);
            }
            Err(error) => match kept.iter().find(|kept| is_meant(&kept.memory, wanted)) {
                Some(kept) => add(&kept.memory.look.key, kept.memory.kind),
                None => return Err(error),
            },
        }
    }
    Ok(chosen)
}

fn is_meant(memory: &Memory, wanted: &str) -> bool {
    let look = &memory.look;
    let holds = |id: JobId| match memory.kind {
        Kind::Array => look.key == id.base.to_string(),
        Kind::SharedName => look.all().contains(id.base),
    };
    look.key == wanted || look.name == wanted || wanted.parse().is_ok_and(holds)
}
