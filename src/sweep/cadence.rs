//! How long a watch waits before it looks again. Pure: no clock, no chance.

use serde::{Deserialize, Serialize};

use crate::terms::Seconds;

/// No watch looks more often than this, whatever it is told.
pub const FLOOR: Seconds = Seconds(60);
/// Where questions fail, the pause doubles up to this.
const LONGEST: u64 = 1800;

/// What a watch waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Pace {
    /// Nothing runs: what is to come is a matter of the queue.
    Waiting,
    /// Tasks run.
    Running,
    /// Tasks run or wait, and the sweep's health is not what it should be.
    Degraded,
}

/// Between how many seconds the next look lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Band {
    /// No sooner.
    pub least: Seconds,
    /// No later, while questions are answered.
    pub most: Seconds,
}

impl Pace {
    /// The pace for sweeps of which some tasks may run, and which may be degraded.
    pub fn of(runs: bool, degraded: bool) -> Pace {
        match (degraded, runs) {
            (true, _) => Pace::Degraded,
            (false, true) => Pace::Running,
            (false, false) => Pace::Waiting,
        }
    }

    /// Its band, or the one that was asked for instead, which the floor holds up.
    pub fn band(self, asked: Option<Seconds>) -> Band {
        let (least, most) = match (asked, self) {
            (Some(Seconds(asked)), _) => {
                let least = asked.max(FLOOR.0);
                (least, least.saturating_add(least / 5))
            }
            (None, Pace::Waiting) => (600, 900),
            (None, Pace::Running) => (180, 300),
            (None, Pace::Degraded) => (60, 120),
        };
        Band { least: Seconds(least), most: Seconds(most) }
    }

    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Pace::Waiting => "while all wait",
            Pace::Running => "while tasks run",
            Pace::Degraded => "once degraded",
        }
    }
}

impl Band {
    /// The pause before the next look: a place in the band, doubled for each
    /// question in a row that was not answered, and never below the floor.
    ///
    /// `chance` is any number; equal ones give equal pauses.
    pub fn pause(self, unanswered: u32, chance: u64) -> Seconds {
        let room = self.most.0.saturating_sub(self.least.0).saturating_add(1);
        let place = self.least.0.saturating_add(chance % room);
        let doubled = place.saturating_mul(1 << unanswered.min(16));
        let longest = LONGEST.max(self.most.0);
        Seconds(if unanswered == 0 { place } else { doubled.min(longest) }.max(FLOOR.0))
    }

    /// How many looks an hour there are at most.
    pub fn calls_per_hour(self) -> u64 {
        3600_u64.div_ceil(self.least.0.max(FLOOR.0))
    }

    /// How old an answer of another watch may be to be taken for one's own:
    /// as much as two watches of this band may lie apart.
    pub fn fresh_enough(self) -> Seconds {
        Seconds(self.most.0.saturating_sub(self.least.0).max(FLOOR.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn each_situation_has_the_pace_that_was_agreed() {
        let band = |runs, degraded| {
            let band = Pace::of(runs, degraded).band(None);
            (band.least.0, band.most.0, band.calls_per_hour())
        };
        assert_eq!(band(false, false), (600, 900, 6));
        assert_eq!(band(true, false), (180, 300, 20));
        assert_eq!(band(true, true), (60, 120, 60));
        assert_eq!(band(false, true), (60, 120, 60));
        assert_eq!(Pace::Running.band(Some(Seconds(1))), Band { least: Seconds(60), most: Seconds(72) });
    }

    #[test]
    fn what_is_not_answered_is_asked_less_and_less() {
        let band = Pace::Running.band(None);
        let pauses: Vec<u64> = (0..6).map(|errors| band.pause(errors, 20).0).collect();
        assert_eq!(pauses, [200, 400, 800, 1600, 1800, 1800]);
    }

    proptest! {
        #[test]
        fn no_setting_and_no_chance_passes_the_floor(
            asked in proptest::option::of(any::<u64>()),
            unanswered in any::<u32>(),
            chance in any::<u64>(),
            pace in prop::sample::select(vec![Pace::Waiting, Pace::Running, Pace::Degraded]),
        ) {
            let band = pace.band(asked.map(Seconds));
            let pause = band.pause(unanswered, chance);
            prop_assert!(pause >= FLOOR);
            prop_assert!(unanswered > 0 || (pause >= band.least && pause <= band.most));
            prop_assert!(band.calls_per_hour() <= 60);
            prop_assert!(unanswered == 0 || pause >= band.pause(unanswered - 1, chance));
        }
    }
}
