#![expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use chrono::{FixedOffset, Local, Offset, TimeZone, Utc};

use super::Environment;
use crate::terms::{Seconds, Time};

/// Tells the time, or the one time it was given.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    stopped: Option<Stopped>,
}

/// A clock that stands still, but for what [`Clock::wait`] adds.
#[derive(Debug, Clone, Copy)]
struct Stopped {
    at: Time,
    /// Seconds that were waited since; one per clock, for as long as the program runs.
    waited: &'static AtomicU64,
}

impl Clock {
    /// The system's clock, unless `HANDOVER_NOW` holds an RFC 3339 time.
    pub fn from_environment(environment: &Environment) -> Clock {
        let at = environment.text("HANDOVER_NOW").and_then(|text| text.parse().ok());
        let stopped = |at| Stopped { at, waited: Box::leak(Box::new(AtomicU64::new(0))) };
        Clock { stopped: at.map(stopped) }
    }

    /// Now, in UTC and whole seconds.
    pub fn now(&self) -> Time {
        match self.stopped {
            Some(stopped) => stopped.at.plus(Seconds(stopped.waited.load(Ordering::Relaxed))),
            None => Time::new(Utc::now()),
        }
    }

    /// The local zone's offset from UTC at `time`.
    pub fn zone_at(&self, time: Time) -> FixedOffset {
        Local.offset_from_utc_datetime(&time.utc().naive_utc()).fix()
    }

    /// Starts to measure how long something takes.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// A span that begins now.
    pub fn deadline(&self, span: Duration) -> Deadline {
        Deadline { begun: Instant::now(), span }
    }

    /// Waits until something may have changed outside. A clock that was stopped
    /// moves on by that much instead: a watch of hours is then over at once.
    pub fn wait(&self, span: Seconds) {
        match self.stopped {
            Some(stopped) => {
                stopped.waited.fetch_add(span.0, Ordering::Relaxed);
            }
            None => self.pause(Duration::from_secs(span.0)),
        }
    }

    /// True if it was given the time.
    pub(super) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    /// Waits; only for the pauses between tries of something that is busy.
    pub fn pause(&self, span: Duration) {
        std::thread::sleep(span);
    }
}

/// The moment until which something may go on, whatever the wall clock does.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    begun: Instant,
    span: Duration,
}

impl Deadline {
    /// The time that is left; none if it is over.
    pub fn left(self) -> Duration {
        self.span.saturating_sub(self.begun.elapsed())
    }

    /// True if nothing new is to be begun.
    pub fn is_over(self) -> bool {
        self.left().is_zero()
    }
}

/// Measures how long something takes, whatever the wall clock does.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// The time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}
