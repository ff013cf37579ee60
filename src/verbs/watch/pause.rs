//! Between two looks: how long to wait, and what if nobody answers.

use super::scene::{Blind, Scene};
use super::{End, Event, Tell, Watch, Why};
use crate::cluster;
use crate::safety;
use crate::sweep::Health;
use crate::sweep::cadence::{Band, FLOOR, Pace};
use crate::sys::Stop;
use crate::terms::{Digest, Seconds};
use crate::verbs::Error;

/// After so many questions in a row without an answer a watch ends.
const MOST_UNANSWERED: u32 = 5;

impl Watch<'_> {
    /// Keeps that a look had no answer; what cannot be kept was said before.
    pub(super) fn note_silence(&self, scene: &mut Scene) {
        for kept in scene.targets.iter_mut().filter_map(|target| target.kept.as_mut()) {
            kept.add_silence(self.context.now);
            let _ = kept.write(self.context.world, &self.home);
        }
    }

    /// The band of the next pause.
    pub(super) fn band(&self, scene: &Scene) -> Band {
        let memories =
            || scene.targets.iter().filter_map(|target| target.kept.as_ref()).map(|kept| &kept.memory);
        let open = || memories().filter(|memory| !memory.is_over());
        let runs = open().any(|memory| !memory.tasks_in(cluster::State::is_running).is_empty());
        let degraded = open().any(|memory| memory.health() >= Some(Health::Degraded));
        Pace::of(runs, degraded).band(self.options.every)
    }

    /// Waits for the next look; how the watch ends if the time is up before. If
    /// the floor allows a look then, it ends with that one.
    pub(super) fn wait<E: From<Error>>(
        &mut self,
        scene: Option<&Scene>,
        band: Band,
        tell: &mut Tell<E>,
    ) -> Result<Option<End>, E> {
        let clock = &self.context.world.clock;
        let pause = band.pause(self.unanswered, self.chance());
        // What another watch asked for counts from then.
        let live = scene.filter(|scene| scene.is_live && self.unanswered == 0);
        let since = live.and_then(|scene| scene.snapshot.taken_at);
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
            None if is_end => {
                let asked = since.unwrap_or(self.asked_at);
                if !self.at_horizon && asked.age(self.context.now) >= FLOOR {
                    self.at_horizon = true;
                    return Ok(None);
                }
                Why::TimeUp
            }
            None => return Ok(None),
        };
        self.end(scene, why, tell).map(Some)
    }

    /// How old an answer of another watch may be; the last look wants it as new
    /// as the floor allows.
    pub(super) fn fresh_enough(&self, band: Band) -> Seconds {
        if self.at_horizon { FLOOR } else { band.fresh_enough() }
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
    pub(super) fn blind<E: From<Error>>(
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
    pub(super) fn told_blind<E: From<Error>>(
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
}
