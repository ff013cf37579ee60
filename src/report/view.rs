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
    /// True if table cells are cut to that width: on a terminal, or where `COLUMNS`
    /// asks for it. What goes into a pipe or a file is whole.
    pub cuts: bool,
    /// True if block characters come through: a terminal with UTF-8.
    pub unicode: bool,
}

/// So long a cell may be where nothing is cut to the width.
const LONGEST_CELL: usize = 1000;

impl View {
    /// Columns that are left for the one cell of a table that gives way, where the
    /// others take `taken`; at least `least`.
    pub fn room_beside(&self, taken: usize, least: usize) -> usize {
        if self.cuts { self.width.saturating_sub(taken).max(least) } else { LONGEST_CELL }
    }

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
