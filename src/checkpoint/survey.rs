use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use super::look::Look;
use super::walk::{self, Unit, Walked};
use super::{Checkpoint, Depth, Limits, Survey, Verdict, check, layout, names};
use crate::safety::shell_path;

/// Looks at all checkpoints below the folder of one run.
///
/// [`Depth::Full`] reads only what could be resumed from: from the highest step
/// down to the first one that is sound. The others have been looked at by their
/// structure.
pub fn survey(dir: &Path, depth: Depth, limits: &Limits) -> Survey {
    let Walked { units, unread } = walk::walk(dir, limits);
    Survey { unread, ..of_units(dir, &root(dir), &units, depth, limits) }
}

/// Looks at every run below a folder: one survey for each folder that holds
/// checkpoints, by path. A folder without any gives one empty survey.
///
/// `takes` says whether a run is to be looked at; the others are left out
/// before anything of theirs is opened.
pub fn runs(dir: &Path, depth: Depth, limits: &Limits, takes: &dyn Fn(&Path) -> bool) -> Vec<Survey> {
    let Walked { units, unread } = walk::walk(dir, limits);
    let root = root(dir);
    let mut by_run: BTreeMap<PathBuf, Vec<Unit>> = BTreeMap::new();
    for unit in units {
        by_run.entry(run_of(&unit.path, dir)).or_default().push(unit);
    }
    let mut surveys: Vec<Survey> = by_run
        .iter()
        .filter(|(run, _)| takes(run))
        .map(|(run, units)| of_units(run, &root, units, depth, limits))
        .collect();
    for unread in unread {
        let holds = |survey: &&mut Survey| unread.path.starts_with(&survey.dir);
        match surveys.iter_mut().rfind(holds) {
            Some(survey) => survey.unread.push(unread),
            None if takes(dir) => surveys.push(Survey { unread: vec![unread], ..empty(dir) }),
            None => {}
        }
    }
    if surveys.is_empty() && by_run.is_empty() && takes(dir) {
        surveys.push(empty(dir));
    }
    surveys
}

fn root(dir: &Path) -> PathBuf {
    fs::canonicalize(dir).unwrap_or_else(|_| dir.to_owned())
}

fn empty(dir: &Path) -> Survey {
    Survey {
        dir: dir.to_owned(),
        best: None,
        refused: Vec::new(),
        all: Vec::new(),
        newer_but_lower: None,
        unread: Vec::new(),
    }
}

/// The run that a checkpoint belongs to: the folder that holds it, or the one
/// above if that is just named `checkpoints` or so.
fn run_of(unit: &Path, top: &Path) -> PathBuf {
    let mut run = unit.parent().unwrap_or(top);
    while run != top && run.starts_with(top) {
        let name = run.file_name().unwrap_or_default().to_string_lossy();
        match run.parent() {
            Some(parent) if names::is_holder(&name) => run = parent,
            _ => break,
        }
    }
    run.to_owned()
}

fn of_units(dir: &Path, root: &Path, units: &[Unit], depth: Depth, limits: &Limits) -> Survey {
    let look = Look { root: root.to_owned(), depth: Depth::Structure, limits };
    let mut all = side_by_side(units, limits.threads, |unit| check::unit(&look, unit));
    let full = Look { root: root.to_owned(), depth, limits };
    let passed_over = pass_over(&mut all);
    let choose = |all: &mut [Checkpoint]| {
        if depth == Depth::Full {
            read_whole(&full, units, all);
        }
        layout::choose(all, depth)
    };
    let mut chosen = choose(&mut all);
    if chosen.best.is_none() && !passed_over.is_empty() {
        // Better one that has to be renamed first than none.
        for at in passed_over {
            all[at].verdict = Verdict::Sound { depth: Depth::Structure };
        }
        chosen = choose(&mut all);
    }
    Survey {
        dir: dir.to_owned(),
        best: chosen.best.and_then(|at| all.get(at)).cloned(),
        refused: chosen.refused.iter().filter_map(|at| all.get(*at)).cloned().collect(),
        newer_but_lower: chosen.newer_but_lower.and_then(|at| all.get(at)).map(|lower| lower.path.clone()),
        all,
        unread: Vec::new(),
    }
}

/// Marks what is sound and has a name that no command can hold, if anything else is
/// sound; says which those are.
fn pass_over(all: &mut [Checkpoint]) -> Vec<usize> {
    let is_nameable = |one: &Checkpoint| shell_path(&one.path).is_ok();
    let sound: Vec<usize> = (0..all.len()).filter(|at| all[*at].verdict.is_sound()).collect();
    let (nameable, others): (Vec<usize>, Vec<usize>) =
        sound.into_iter().partition(|at| is_nameable(&all[*at]));
    if nameable.is_empty() {
        return Vec::new();
    }
    for at in &others {
        all[*at].verdict = Verdict::Unnameable;
    }
    others
}

/// Reads candidates whole, the best first, until one is sound.
fn read_whole(look: &Look, units: &[Unit], all: &mut [Checkpoint]) {
    while let Some(at) = layout::choose(all, Depth::Structure).best {
        let (Some(seen), Some(unit)) = (all.get_mut(at), units.get(at)) else { return };
        if seen.verdict.depth() == Some(Depth::Full) {
            return;
        }
        let whole = check::unit(look, unit);
        // A step that was known stays known though the file turns out damaged.
        *seen = Checkpoint {
            step: whole.step.or(seen.step),
            epoch: whole.epoch.or(seen.epoch),
            optimizer: whole.optimizer.or(seen.optimizer),
            ..whole
        };
    }
}

/// Does the same to each of many, on a few threads, and keeps their order.
fn side_by_side<T: Sync, R: Send>(items: &[T], threads: usize, work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let run = || {
        while let Some((at, item)) = take(items, &next) {
            let result = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(items.len()) {
            scope.spawn(run);
        }
        run();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, result)| result).collect()
}

fn take<'i, T>(items: &'i [T], next: &AtomicUsize) -> Option<(usize, &'i T)> {
    let at = next.fetch_add(1, Ordering::Relaxed);
    items.get(at).map(|item| (at, item))
}
