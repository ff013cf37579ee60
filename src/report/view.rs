use std::path::{Path, PathBuf};

use chrono::FixedOffset;

use crate::safety::escape_path;
use crate::terms::Time;

/// How things are shown: the moment, the zone, the width.
#[derive(Debug, Clone)]
pub struct View {
    /// Now; ages are counted from it.
    pub now: Time,
    /// The local zone's offset.
    pub zone: FixedOffset,
    /// Columns of the terminal, or 80.
    pub width: usize,
    /// Where the user stands; paths below it are shown from there.
    pub dir: PathBuf,
    /// True if block characters come through: a terminal with UTF-8.
    pub unicode: bool,
}

impl View {
    /// A path for people: from where they stand, if it lies below.
    pub fn path(&self, path: &Path) -> String {
        match path.strip_prefix(&self.dir) {
            Ok(near) if !near.as_os_str().is_empty() => escape_path(near),
            _ => escape_path(path),
        }
    }

    /// A time for people: local, with its age.
    pub fn time(&self, time: Time) -> String {
        if time > self.now {
            return format!("{} (in {})", time.local(self.zone), self.now.age(time));
        }
        format!("{} ({} ago)", time.local(self.zone), time.age(self.now))
    }
}
