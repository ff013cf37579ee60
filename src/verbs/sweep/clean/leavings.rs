//! What one ended task left.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::whereabouts::{Homes, Writers};
use super::{FRESH, Fresh, Leaving, Stamp};
use crate::checkpoint::{self, Checkpoint, Limits, Survey, Verdict};
use crate::sweep::Evidence;
use crate::sys::Glob;
use crate::terms::{Bytes, Known, TaskIds, Time};

/// So many entries below one run folder are looked at.
const MOST_ENTRIES: usize = 100_000;

/// What decides about the files of a task.
pub struct Rules {
    /// The tasks that are alive under their old ids.
    pub alive: Known<TaskIds>,
    /// The folders of everything that may still write.
    pub live: Vec<PathBuf>,
    /// Whatever else is alive in the queue.
    pub writers: Writers,
    /// Where something may be removed at all.
    pub homes: Homes,
    /// Names of partial artefacts.
    pub globs: Vec<Glob>,
    /// The moment of the look.
    pub now: Time,
}

/// What one task left.
#[derive(Default)]
pub struct Leavings {
    /// What could go.
    pub items: Vec<Leaving>,
    /// What could, were it not so young.
    pub fresh: Vec<Fresh>,
    /// What is not whole and is still the last that can be used.
    pub usable: Vec<Leaving>,
}

impl Rules {
    /// What one task left that could go; or why everything of it stays.
    pub fn leavings(&self, one: &Evidence) -> Result<Leavings, String> {
        match &self.alive {
            Known::Known(alive) if alive.contains(one.member) => {
                return Err("alive under its old id".to_owned());
            }
            Known::Known(_) => {}
            Known::Unknown(why) | Known::NotApplicable(why) => {
                return Err(format!("the queue was not read: {why}"));
            }
        }
        let looked = one.looked.as_deref().ok_or("nothing but accounting was read of it")?;
        let dir = self.homes.real(looked.run_dir.known().ok_or("its run folder is not known")?)?;
        if self.live.iter().any(|live| live.starts_with(&dir) || dir.starts_with(live)) {
            return Err("a task that is alive shares its run folder".to_owned());
        }
        if let Some(why) = self.writers.hinder(&dir, one.member) {
            return Err(why);
        }
        let survey = match &looked.checkpoints {
            Known::Known(survey) => survey,
            Known::Unknown(why) | Known::NotApplicable(why) => {
                return Err(format!("its checkpoints were not read: {why}"));
            }
        };
        let mut found = damaged(survey);
        found.extend(self.partial(&dir));
        let sound = sound(survey);
        let mut left = Leavings::default();
        for (path, why) in found {
            let Ok(path) = std::fs::canonicalize(&path) else { continue };
            let is_within = path.starts_with(&dir) && path != dir;
            let holds_sound = sound.iter().any(|sound| sound.starts_with(&path) || path.starts_with(sound));
            let Some(Size { bytes, written, stamp }) = size(&path) else { continue };
            if !is_within || holds_sound {
                continue;
            }
            let task = one.member;
            // A time that lies ahead tells nothing of an end either.
            let young =
                written.filter(|written| self.now.unix().saturating_sub(written.unix()) < FRESH.0 as i64);
            match young {
                Some(written) => {
                    left.fresh.push(Fresh { task, path, bytes, written, could_go: written.plus(FRESH) });
                }
                None if is_newest(survey, &path, written)
                    && checkpoint::holds_weights(&path, &Limits::default()) =>
                {
                    left.usable.push(Leaving { task, path, bytes, why, run_dir: dir.clone(), stamp });
                }
                None => left.items.push(Leaving { task, path, bytes, why, run_dir: dir.clone(), stamp }),
            }
        }
        left.items.sort_by(|one, other| one.path.cmp(&other.path));
        left.fresh.sort_by(|one, other| one.path.cmp(&other.path));
        // What lies in a folder that goes, goes with it.
        left.items = outermost(left.items, |item| &item.path);
        left.fresh = outermost(left.fresh, |item| &item.path);
        left.usable.sort_by(|one, other| one.path.cmp(&other.path));
        left.usable = outermost(left.usable, |item| &item.path);
        // Nothing goes that lies in what stays, and nothing that holds it.
        let is_apart = |item: &Leaving| {
            !left
                .usable
                .iter()
                .any(|one| one.path.starts_with(&item.path) || item.path.starts_with(&one.path))
        };
        left.items.retain(is_apart);
        Ok(left)
    }

    fn partial(&self, dir: &Path) -> Vec<(PathBuf, String)> {
        let entries = WalkDir::new(dir).into_iter().filter_map(Result::ok).take(MOST_ENTRIES);
        let fits = |entry: &walkdir::DirEntry| {
            let near = entry.path().strip_prefix(dir).unwrap_or(entry.path());
            let is_kind = entry.file_type().is_file() || entry.file_type().is_dir();
            is_kind && entry.depth() > 0 && self.globs.iter().any(|glob| glob.fits(near))
        };
        let why = "a partial artefact by its name";
        entries.filter(fits).map(|entry| (entry.into_path(), why.to_owned())).collect()
    }
}

fn outermost<T>(sorted: Vec<T>, path: impl Fn(&T) -> &PathBuf) -> Vec<T> {
    let mut whole: Vec<T> = Vec::new();
    for item in sorted {
        if !whole.last().is_some_and(|last| path(&item).starts_with(path(last))) {
            whole.push(item);
        }
    }
    whole
}

/// Checkpoints that cannot be resumed from, of whatever age.
fn damaged(survey: &Survey) -> Vec<(PathBuf, String)> {
    let told = survey.all.iter().chain(&survey.refused).filter_map(|one| {
        let why = match &one.verdict {
            Verdict::Damaged { why } => format!("a damaged checkpoint: {why}"),
            Verdict::Unfinished { why } => format!("an unfinished checkpoint: {why}"),
            Verdict::Temporary => "a checkpoint under a temporary name".to_owned(),
            Verdict::Sound { .. } | Verdict::Unnameable => return None,
            Verdict::Unreadable { .. } | Verdict::Unrecognised => return None,
        };
        Some((one.path.clone(), why))
    });
    told.collect()
}

/// True if nothing that is sound is as far on as this.
fn is_newest(survey: &Survey, path: &Path, written: Option<Time>) -> bool {
    let Some(best) = &survey.best else { return true };
    let is_it = |one: &&Checkpoint| std::fs::canonicalize(&one.path).is_ok_and(|real| real == path);
    let step = survey.all.iter().find(is_it).and_then(|one| one.step);
    match (step, best.step) {
        (Some(step), Some(best)) => step > best,
        _ => written >= best.modified,
    }
}

/// Checkpoints that are sound, or may be.
fn sound(survey: &Survey) -> Vec<PathBuf> {
    let may_be = survey.all.iter().chain(&survey.best).filter(|one| {
        one.verdict.is_sound() || matches!(one.verdict, Verdict::Unreadable { .. } | Verdict::Unnameable)
    });
    may_be.map(|one| std::fs::canonicalize(&one.path).unwrap_or_else(|_| one.path.clone())).collect()
}

/// What was measured of a file, or of a folder with all that is in it.
struct Size {
    bytes: Bytes,
    /// When any of it was written last. A folder is written when something is made,
    /// renamed or deleted in it.
    written: Option<Time>,
    stamp: Stamp,
}

/// `None` if it cannot be said.
fn size(path: &Path) -> Option<Size> {
    let inode = std::fs::symlink_metadata(path).ok()?.ino();
    let mut size = Size { bytes: Bytes(0), written: None, stamp: Stamp { inode, ..Stamp::default() } };
    for entry in WalkDir::new(path) {
        let meta = entry.ok()?.metadata().ok()?;
        if size.stamp.entries > MOST_ENTRIES {
            return None;
        }
        size.stamp.entries += 1;
        let changed = i128::from(meta.ctime()) * 1_000_000_000 + i128::from(meta.ctime_nsec());
        size.stamp.changed = size.stamp.changed.max(changed);
        if meta.is_file() {
            size.bytes = Bytes(size.bytes.0.saturating_add(meta.len()));
        }
        if meta.is_file() || meta.is_dir() {
            size.written = size.written.max(Some(Time::from_unix(meta.mtime())?));
        }
    }
    Some(size)
}
