#![expect(clippy::disallowed_methods, reason = "the one place that asks for the time")]

use std::time::{Duration, Instant};

use chrono::{FixedOffset, Local, Offset, TimeZone, Utc};

use super::Environment;
use crate::terms::Time;

/// Tells the time, or the one time it was given.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    stopped_at: Option<Time>,
}

impl Clock {
    /// The system's clock, unless `HANDOVER_NOW` holds an RFC 3339 time.
    pub fn from_environment(environment: &Environment) -> Clock {
        Clock { stopped_at: environment.text("HANDOVER_NOW").and_then(|text| text.parse().ok()) }
    }

    /// Now, in UTC and whole seconds.
    pub fn now(&self) -> Time {
        self.stopped_at.unwrap_or_else(|| Time::new(Utc::now()))
    }

    /// The local zone's offset from UTC at `time`.
    pub fn zone_at(&self, time: Time) -> FixedOffset {
        Local.offset_from_utc_datetime(&time.utc().naive_utc()).fix()
    }

    /// Starts to measure how long something takes.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch(Instant::now())
    }

    /// Waits; only for the pauses between tries of something that is busy.
    pub fn pause(&self, span: Duration) {
        std::thread::sleep(span);
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
