use chrono::FixedOffset;

use crate::terms::Time;

/// How things are shown: the moment, the zone, the width.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Now; ages are counted from it.
    pub now: Time,
    /// The local zone's offset.
    pub zone: FixedOffset,
    /// Columns of the terminal, or 80.
    pub width: usize,
    /// True if block characters come through: a terminal with UTF-8.
    pub unicode: bool,
}

impl View {
    /// A time for people: local, with its age.
    pub fn time(&self, time: Time) -> String {
        if time > self.now {
            return format!("{} (in {})", time.local(self.zone), self.now.age(time));
        }
        format!("{} ({} ago)", time.local(self.zone), time.age(self.now))
    }
}
