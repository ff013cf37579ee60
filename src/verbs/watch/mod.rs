//! Patient watching: looks again and again, tells what changed, and ends when
//! what was waited for has come.
//!
//! What it knows is written after each look, so that a watch that is ended in
//! between loses nothing: the next one starts from there.

mod event;
mod kept;
mod scene;
mod shared;
mod slim;
mod study;

use std::path::PathBuf;

pub use event::{
    Cadence, Contract, End, Event, Next, NextKind, Posture, Questions, Scope, State, Told, Until, Why, next,
};
pub use kept::{Kept, Period, Transition, read as kept};

/// The readers of what watches keep.
pub mod readers {
    pub use super::kept::read_bytes as kept;
    pub use super::shared::answer_in;
    pub use super::study::readings_in;
}

use self::scene::{Blind, Scene, Seen, Target};
use self::study::Studied;
use super::{Context, Error};
use crate::cluster::{self, Origin, Problem, Snapshot};
use crate::config::Source;
use crate::joblog::Table;
use crate::safety;
use crate::sweep::cadence::{Band, FLOOR, Pace};
use crate::sweep::memory::{self, Known, Memory, Standing};
use crate::sweep::vital::vital;
use crate::sweep::{self, Decision, Health, Kind, Rules, Sweep};
use crate::sys::{Interrupts, Stop};
use crate::terms::{Digest, Seconds, TaskIds, Time};
use crate::verbs::evidence::{self, Ground};

/// No watch goes on for longer.
pub const LONGEST: Seconds = Seconds(8 * 3600);
/// A sweep in which no task changed is judged again after this long: logs and
/// trackers go on.
const AGAIN: Seconds = Seconds(1800);
/// What problems with logs and folders are about.
const EVIDENCE: &str = "evidence";
/// After so many questions in a row without an answer a watch ends.
const MOST_UNANSWERED: u32 = 5;

/// What to watch, and for how long.
#[derive(Debug, Clone)]
pub struct Options {
    /// Names, and ids of arrays or jobs; with none all sweeps that are live.
    pub wanted: Vec<String>,
    /// Where the answers come from, for this call.
    pub source: Option<Source>,
    /// What is waited for.
    pub until: Until,
    /// For how long; at most [`LONGEST`].
    pub horizon: Seconds,
    /// How often to look, instead of the usual; the floor holds.
    pub every: Option<Seconds>,
    /// Look once and end.
    pub once: bool,
}

/// Who hears what happens; an error ends the watch.
pub type Tell<'t, E> = dyn FnMut(&Event) -> Result<(), E> + 't;

/// Watches, and tells `tell` what it sees; the last thing told is how it ended.
///
/// # Errors
/// Of `tell`; and [`Error::Usage`], [`Error::NoSweep`], [`Error::SeveralSweeps`],
/// [`Error::NoCluster`].
pub fn run<E: From<Error>>(context: Context, options: &Options, tell: &mut Tell<E>) -> Result<End, E> {
    if options.horizon > LONGEST {
        let what = format!("a watch goes on for at most {LONGEST}");
        let hint = "what is known is kept: run it again then, and it goes on from there".to_owned();
        return Err(Error::Usage { what, hint }.into());
    }
    let began = context.world.clock.now();
    let ends_at = began.plus(options.horizon);
    let table = Table::with(&context.config.logs.patterns).map_err(Error::from)?;
    let watch = Watch {
        table,
        home: context.home(),
        roots: context.roots(),
        context,
        options,
        began,
        ends_at,
        looks: 0,
        changes: 0,
        unanswered: 0,
        silent: None,
        unkept: false,
        lingered: false,
        problems: Vec::new(),
        interrupts: Interrupts::hear().ok(),
    };
    watch.run(tell)
}

struct Watch<'w> {
    /// The patterns of causes.
    table: Table,
    context: Context<'w>,
    options: &'w Options,
    home: PathBuf,
    /// Where relative paths begin.
    roots: Vec<PathBuf>,
    began: Time,
    ends_at: Time,
    looks: u64,
    /// Changes that were told.
    changes: u64,
    /// Questions in a row that were not answered.
    unanswered: u32,
    /// Why, if somebody was told.
    silent: Option<String>,
    /// True once it was said that nothing can be kept.
    unkept: bool,
    /// True once it looked again although all was over.
    lingered: bool,
    /// What was said to be the matter at the last look.
    problems: Vec<String>,
    /// Who says stop; without it a signal ends the program as it ends any.
    interrupts: Option<Interrupts>,
}

/// What one look led to.
#[derive(Default)]
struct Round {
    changed: bool,
    /// True if somebody has to act who had not to before.
    intervene: bool,
}

impl Watch<'_> {
    fn run<E: From<Error>>(mut self, tell: &mut Tell<E>) -> Result<End, E> {
        let mut scene = loop {
            match Scene::open(&self.context, self.options.source.as_ref(), &self.options.wanted) {
                Ok(scene) => break scene,
                Err(blind) => {
                    if let Some(end) = self.blind(blind, None, tell)? {
                        return Ok(end);
                    }
                }
            }
        };
        tell(&Event::Contract(self.contract(&scene)))?;
        for what in std::mem::take(&mut scene.oddities) {
            tell(&Event::Trouble { at: self.context.now, what, is_over: false })?;
        }
        loop {
            let round = self.round(&mut scene, tell)?;
            let band = match self.reason_to_end(&scene, &round) {
                Some(Why::Done) if self.lingers(&scene) => Pace::Degraded.band(self.options.every),
                Some(why) => return self.end(Some(&scene), why, tell),
                None => self.band(&scene),
            };
            loop {
                if let Some(end) = self.wait(Some(&scene), band, tell)? {
                    return Ok(end);
                }
                match scene.look(&self.context, band.fresh_enough()) {
                    Ok(()) => break,
                    Err(blind) => {
                        self.note_silence(&mut scene);
                        if let Some(end) = self.told_blind(blind, Some(&scene), tell)? {
                            return Ok(end);
                        }
                    }
                }
            }
            self.unanswered = 0;
            if self.silent.take().is_some() {
                let what = "the cluster answers again".to_owned();
                tell(&Event::Trouble { at: self.context.now, what, is_over: true })?;
            }
        }
    }

    /// Looks at everything once: tells, remembers, stores.
    fn round<E: From<Error>>(&mut self, scene: &mut Scene, tell: &mut Tell<E>) -> Result<Round, E> {
        let at = self.context.now;
        self.looks += 1;
        let mut round = Round::default();
        let seen = scene.see(&self.context);
        for (number, seen) in seen.into_iter().enumerate() {
            let seen = self.study(scene, number, seen);
            let Some(now) = seen.memory else { continue };
            let Some(target) = scene.targets.get_mut(number) else { continue };
            let before = target.kept.as_ref().map(|kept| &kept.memory);
            let changes = memory::changes(before, &now);
            let was = before.and_then(Memory::decision);
            round.intervene |= now.decision() == Some(Decision::Intervene) && was != now.decision();
            round.changed |= before.is_some() && !changes.is_empty();
            self.changes += changes.len() as u64;
            for change in &changes {
                tell(&Event::Change(Told {
                    at,
                    key: target.key.clone(),
                    name: now.look.name.clone(),
                    kind: target.kind,
                    change: change.clone(),
                }))?;
            }
            let kept = target.kept.get_or_insert_with(|| Kept::new(now.clone()));
            kept.add(now, &changes);
            self.keep(target, tell)?;
        }
        self.say_problems(scene, tell)?;
        Ok(round)
    }

    /// Reads what is new of a target and judges it, if enough of it is known
    /// here and something changed, or nobody judged for a while.
    fn study(&self, scene: &mut Scene, number: usize, mut seen: Seen) -> Seen {
        let Scene { targets, snapshot, questions, .. } = scene;
        let (Some(target), Some(now)) = (targets.get_mut(number), seen.memory.take()) else { return seen };
        let mut now = now;
        let before = target.kept.as_ref().map(|kept| &kept.memory);
        now.standing = before.and_then(|before| before.standing.clone());
        if let Some(sweep) = &seen.sweep {
            let ground = self.ground(snapshot);
            let studied = target.study.look(&ground, snapshot, sweep, self.is_last());
            questions.files += u64::from(studied.calls);
            let problem = |what: &String| Problem { about: EVIDENCE.to_owned(), what: what.clone() };
            snapshot.problems.extend(studied.problems.iter().map(problem));
            let progress = sweep::progress(&studied.evidence, ground.sweeps);
            let vital = vital(&studied.evidence, &progress, self.context.now);
            now.with_course(progress, vital);
            let same = before.is_some_and(|before| before.look == now.look) && !studied.is_new;
            let is_recent = target.judged.is_some_and(|at| at.age(self.context.now) < AGAIN);
            if seen.is_whole && !(same && is_recent) {
                target.judged = Some(self.context.now);
                self.judge(&ground, sweep, &studied, target.study.open(), &mut now);
            }
        }
        if let Some(before) = before {
            now = now.carried(before);
        }
        seen.memory = Some(now);
        seen
    }

    fn ground(&self, snapshot: &Snapshot) -> Ground<'_> {
        let look = crate::verbs::snapshot::here(&self.context);
        Ground {
            depth: crate::checkpoint::Depth::Structure,
            world: self.context.world,
            sweeps: &self.context.config.sweeps,
            logs: &self.context.config.logs,
            table: &self.table,
            roots: self.roots.clone(),
            look: (snapshot.origin == Origin::Local).then_some(look),
            now: self.context.now,
            until: None,
            within: Vec::new(),
        }
    }

    fn judge(&self, ground: &Ground, sweep: &Sweep, studied: &Studied, open: &TaskIds, now: &mut Memory) {
        let rules = Rules {
            settings: ground.sweeps,
            table: &self.table,
            parameters: &studied.parameters,
            now: Some(self.context.now),
        };
        let judgement = sweep::judge(sweep, &studied.evidence, &rules);
        let looked = studied.evidence.iter().filter_map(|task| task.looked.as_deref());
        let missing =
            looked.flat_map(|looked| &looked.missing).map(|path| path.to_string_lossy().into_owned());
        now.standing = Some(Standing::of(&judgement, missing, open));
        Known::contradictions(&judgement).into_iter().for_each(|finding| now.add_finding(finding));
    }

    /// True if what is not there now will not be looked for again.
    fn is_last(&self) -> bool {
        self.options.once || self.lingered
    }

    fn keep<E: From<Error>>(&mut self, target: &mut Target, tell: &mut Tell<E>) -> Result<(), E> {
        let Some(kept) = &target.kept else { return Ok(()) };
        let look = &kept.memory.look;
        let readings = kept::readings(&self.home, &look.key);
        let world = self.context.world;
        let wrote =
            kept.write(world, &self.home).and_then(|()| target.study.write(world, &readings, &look.key));
        match wrote {
            Err(error) if !self.unkept => {
                self.unkept = true;
                let what = format!("the next watch will start from nothing: {error}");
                tell(&Event::Trouble { at: self.context.now, what, is_over: false })
            }
            _ => Ok(()),
        }
    }

    /// Tells what is the matter with the answers, once for as long as it is.
    fn say_problems<E: From<Error>>(&mut self, scene: &Scene, tell: &mut Tell<E>) -> Result<(), E> {
        let now: Vec<String> = scene
            .snapshot
            .problems
            .iter()
            .map(|problem| format!("{}: {}", problem.about, problem.what))
            .collect();
        for what in now.iter().filter(|what| !self.problems.contains(what)) {
            let what = safety::one_line(what, 300);
            tell(&Event::Trouble { at: self.context.now, what, is_over: false })?;
        }
        // Not everything is read at each look: what could not be is said once.
        let before = std::mem::replace(&mut self.problems, now);
        self.problems.extend(before.into_iter().filter(|what| what.starts_with(EVIDENCE)));
        self.problems.sort_unstable();
        self.problems.dedup();
        Ok(())
    }

    /// True once, if all is over and a log or a result may still be on its way.
    fn lingers(&mut self, scene: &Scene) -> bool {
        let lingers = !self.is_last() && scene.targets.iter().any(|target| target.study.is_open());
        self.lingered |= lingers;
        lingers
    }

    /// Keeps that a look had no answer; what cannot be kept was said before.
    fn note_silence(&self, scene: &mut Scene) {
        for kept in scene.targets.iter_mut().filter_map(|target| target.kept.as_mut()) {
            kept.add_silence(self.context.now);
            let _ = kept.write(self.context.world, &self.home);
        }
    }

    fn reason_to_end(&self, scene: &Scene, round: &Round) -> Option<Why> {
        let memories =
            || scene.targets.iter().filter_map(|target| target.kept.as_ref()).map(|kept| &kept.memory);
        let is_at_least = |health: Health| memories().any(|memory| memory.health() >= Some(health));
        match self.options.until {
            Until::Change if round.changed => return Some(Why::Changed),
            Until::Degraded if is_at_least(Health::Degraded) => return Some(Why::Degraded),
            Until::Systemic if is_at_least(Health::Systemic) => return Some(Why::Systemic),
            _ => {}
        }
        if memories().all(Memory::is_over) {
            return Some(Why::Done);
        }
        if round.intervene {
            return Some(Why::Intervene);
        }
        self.options.once.then_some(Why::Once)
    }

    /// The band of the next pause.
    fn band(&self, scene: &Scene) -> Band {
        let memories =
            || scene.targets.iter().filter_map(|target| target.kept.as_ref()).map(|kept| &kept.memory);
        let open = || memories().filter(|memory| !memory.is_over());
        let runs = open().any(|memory| !memory.tasks_in(cluster::State::is_running).is_empty());
        let degraded = open().any(|memory| memory.health() > Some(Health::Healthy));
        Pace::of(runs, degraded).band(self.options.every)
    }

    /// Waits for the next look; how the watch ends if the time is up before.
    fn wait<E: From<Error>>(
        &mut self,
        scene: Option<&Scene>,
        band: Band,
        tell: &mut Tell<E>,
    ) -> Result<Option<End>, E> {
        let clock = &self.context.world.clock;
        let pause = band.pause(self.unanswered, self.chance());
        // What another watch asked for counts from then.
        let since = scene.and_then(|scene| scene.snapshot.taken_at).filter(|_| self.unanswered == 0);
        let due = since.unwrap_or(clock.now()).plus(pause);
        let least = clock.now().plus(Seconds(1));
        let wake = due.max(least);
        let is_end = wake >= self.ends_at;
        let span = clock.now().age(if is_end { self.ends_at } else { wake });
        let stop = match &self.interrupts {
            Some(interrupts) => interrupts.wait(clock, span),
            None => {
                clock.wait(span);
                None
            }
        };
        self.context.now = clock.now();
        let why = match stop {
            Some(Stop::Interrupted) => Why::Interrupted,
            Some(Stop::Terminated) => Why::Terminated,
            Some(Stop::Unread) => Why::Unread,
            None if is_end => Why::TimeUp,
            None => return Ok(None),
        };
        self.end(scene, why, tell).map(Some)
    }

    /// A number by which two watches differ, and a stopped clock does not.
    fn chance(&self) -> u64 {
        let environment = &self.context.world.environment;
        let parts = [
            environment.host(),
            environment.user(),
            self.options.wanted.join(" "),
            self.began.to_string(),
            self.looks.to_string(),
            self.unanswered.to_string(),
        ];
        u64::from(u32::from_be_bytes(Digest::of(parts.join("\0").as_bytes()).head()))
    }

    /// Nothing was seen at the first look: how it ends, or a pause.
    fn blind<E: From<Error>>(
        &mut self,
        blind: Blind,
        scene: Option<&Scene>,
        tell: &mut Tell<E>,
    ) -> Result<Option<End>, E> {
        if let Some(end) = self.told_blind(blind, scene, tell)? {
            return Ok(Some(end));
        }
        self.wait(scene, Pace::Running.band(self.options.every), tell)
    }

    /// Nothing was seen: tells why, once; how the watch ends if it does.
    fn told_blind<E: From<Error>>(
        &mut self,
        blind: Blind,
        scene: Option<&Scene>,
        tell: &mut Tell<E>,
    ) -> Result<Option<End>, E> {
        let why = match blind {
            Blind::Failed(error) => return Err(error.into()),
            Blind::Nothing(why) => return Err(Error::NoCluster { why }.into()),
            Blind::Silent(why) => safety::one_line(&why, 300),
        };
        self.unanswered += 1;
        if self.silent.as_ref() != Some(&why) {
            let what = format!("no answer, which is no empty queue: {why}");
            tell(&Event::Trouble { at: self.context.now, what, is_over: false })?;
            self.silent = Some(why);
        }
        if self.options.once || self.unanswered >= MOST_UNANSWERED {
            return self.end(scene, Why::Unreachable, tell).map(Some);
        }
        Ok(None)
    }

    fn end<E: From<Error>>(&self, scene: Option<&Scene>, why: Why, tell: &mut Tell<E>) -> Result<End, E> {
        let targets = scene.map_or(&[][..], |scene| &scene.targets);
        let mut states: Vec<State> = targets.iter().filter_map(State::of).collect();
        let settings = &self.context.config.sweeps;
        for state in states.iter_mut().filter(|state| state.is_over()) {
            state.results = evidence::of_manifest(settings, &self.roots).and_then(Result::ok);
        }
        let next = states.iter().flat_map(|state| next(state, settings)).collect();
        let end = End {
            at: self.context.now,
            why,
            intervene: states.iter().any(|state| state.decision == Some(Decision::Intervene)),
            looks: self.looks,
            changes: self.changes,
            questions: scene.map(|scene| scene.questions).unwrap_or_default(),
            sweeps: states,
            next,
        };
        tell(&Event::End(end.clone()))?;
        Ok(end)
    }

    fn contract(&self, scene: &Scene) -> Contract {
        let settings = &self.context.config.sweeps;
        let cadence: Vec<Cadence> = [Pace::Waiting, Pace::Running, Pace::Degraded]
            .into_iter()
            .map(|pace| {
                let band = pace.band(self.options.every);
                Cadence { pace, least: band.least, most: band.most, calls_per_hour: band.calls_per_hour() }
            })
            .collect();
        Contract {
            at: self.context.now,
            scope: scene.targets.iter().map(Scope::of).collect(),
            posture: Posture {
                watch_percent: settings.watch_percent,
                intervene_percent: settings.intervene_percent,
                least_finished: settings.least_finished,
            },
            until: self.options.until,
            once: self.options.once,
            horizon: self.options.horizon,
            ends_at: self.ends_at,
            calls_per_hour: cadence.iter().map(|cadence| cadence.calls_per_hour).max().unwrap_or_default(),
            cadence,
            raised: self.options.every.is_some_and(|every| every < FLOOR),
            asks_slurm: scene.is_live,
        }
    }
}

/// The words for what a sweep is.
pub fn kind_in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Array => "array",
        Kind::SharedName => "jobs of one name",
    }
}
