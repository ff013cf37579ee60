//! Patient watching: looks again and again, tells what changed, and ends when
//! what was waited for has come.
//!
//! What it knows is written after each look, so that a watch that is ended in
//! between loses nothing: the next one starts from there.

mod event;
mod follow;
mod kept;
mod pause;
mod round;
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

use self::scene::Scene;
use super::{Context, Error};
use crate::config::Source;
use crate::joblog::Table;
use crate::sweep::Health;
use crate::sweep::cadence::{FLOOR, Pace};
use crate::sweep::memory::Memory;
use crate::sys::Interrupts;
use crate::terms::{Seconds, Time};

/// No watch goes on for longer.
pub const LONGEST: Seconds = Seconds(8 * 3600);

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
    /// The options of this call that a command must repeat that goes on from it, with a
    /// blank before each.
    pub words: String,
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
        worktrees: context.worktrees(),
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
        at_horizon: false,
        asked_at: began,
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
    /// Below which what works is ours.
    worktrees: Vec<PathBuf>,
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
    /// True once the time is up, and what is then is looked at.
    at_horizon: bool,
    /// When the last look began, whoever answered it.
    asked_at: Time,
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
            self.asked_at = self.context.now;
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
                self.asked_at = self.context.now;
                match scene.look(&self.context, self.fresh_enough(band)) {
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

    fn reason_to_end(&self, scene: &Scene, round: &Round) -> Option<Why> {
        let memories =
            || scene.targets.iter().filter_map(|target| target.kept.as_ref()).map(|kept| &kept.memory);
        // What somebody settled is not waited for.
        let open = || scene.targets.iter().filter(|target| target.settled.is_none());
        let open = || open().filter_map(|target| target.kept.as_ref());
        let is_at_least = |health: Health| open().any(|kept| kept.memory.health() >= Some(health));
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
        if self.options.once {
            return Some(Why::Once);
        }
        self.at_horizon.then_some(Why::TimeUp)
    }

    fn end<E: From<Error>>(&self, scene: Option<&Scene>, why: Why, tell: &mut Tell<E>) -> Result<End, E> {
        let targets = scene.map_or(&[][..], |scene| &scene.targets);
        let states: Vec<State> = targets.iter().filter_map(State::of).collect();
        let settings = |state: &State| self.context.config.sweeps.of(&state.key, &state.name);
        let next =
            states.iter().flat_map(|state| next(state, &settings(state), &self.options.words)).collect();
        let end = End {
            at: self.context.now,
            as_of: scene.and_then(|scene| scene.snapshot.taken_at),
            why,
            intervene: states.iter().any(State::says_intervene),
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
