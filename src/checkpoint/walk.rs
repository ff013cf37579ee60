use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use super::look::{Entry, Folder, Kind, modified};
use super::source::Fault;
use super::{Format, Limits, check, names, sharded};
use crate::terms::{Time, Unread};

/// Something that is one checkpoint, not looked into yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub path: PathBuf,
    pub what: What,
    pub bytes: u64,
    pub modified: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    File,
    Folder(Format),
    /// The index of a model in shards.
    Index,
    /// Shards without an index, by the first of them.
    Shards,
    Temporary,
    /// Nothing that could be looked into.
    Nothing(Fault),
}

/// What a walk found, and what it left out.
#[derive(Debug, Default)]
pub(super) struct Walked {
    pub units: Vec<Unit>,
    pub unread: Vec<Unread>,
}

/// Folders that hold no checkpoints and may be large.
const PASSED_BY: [&str; 8] =
    [".git", "node_modules", "__pycache__", ".venv", "venv", "wandb", ".cache", "site-packages"];

/// Finds every checkpoint below a folder, within the limits.
pub(super) fn walk(dir: &Path, limits: &Limits) -> Walked {
    let mut walker = Walker { limits, left: limits.entries, found: Walked::default(), root: None };
    match fs::canonicalize(dir) {
        Ok(root) => {
            walker.root = Some(root);
            walker.folder(dir, 0);
        }
        Err(e) => walker.unread(dir, format!("it cannot be read: {e}")),
    }
    walker.found.units.sort_by(|a, b| a.path.cmp(&b.path));
    walker.found
}

/// The unit that a path is, whatever surrounds it.
pub(super) fn unit_at(path: &Path, limits: &Limits) -> Unit {
    let mut unit = Unit { path: path.to_owned(), what: What::File, bytes: 0, modified: None };
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match fs::metadata(path) {
        Err(e) => unit.what = check::nothing(&e),
        Ok(metadata) if metadata.is_dir() => match Folder::read(path, limits.entries) {
            Err(e) => unit.what = check::nothing(&e),
            Ok(folder) => {
                (unit.bytes, unit.modified) = size(&folder, limits, &mut limits.entries.clone());
                unit.what = match check::folder_format(&folder) {
                    Some(format) => What::Folder(format),
                    None => What::Nothing(Fault::Unrecognised),
                };
            }
        },
        Ok(metadata) => {
            (unit.bytes, unit.modified) = (metadata.len(), modified(&metadata));
            if sharded::is_index(&name) {
                unit.what = What::Index;
            }
        }
    }
    if names::is_temporary(&name) && !matches!(unit.what, What::Nothing(_)) {
        unit.what = What::Temporary;
    }
    unit
}

struct Walker<'l> {
    limits: &'l Limits,
    left: usize,
    found: Walked,
    root: Option<PathBuf>,
}

impl Walker<'_> {
    fn folder(&mut self, path: &Path, depth: usize) {
        if depth > self.limits.depth {
            return self.unread(path, format!("it is more than {} folders deep", self.limits.depth));
        }
        if self.left == 0 {
            return self.unread(path, "there are too many files before it".to_owned());
        }
        let folder = match Folder::read(path, self.left) {
            Ok(folder) => folder,
            Err(e) => return self.unread(path, format!("it cannot be read: {e}")),
        };
        self.left -= folder.entries.len().min(self.left);
        if let Some(format) = check::folder_format(&folder) {
            let (bytes, modified) = size(&folder, self.limits, &mut self.left);
            let what =
                if names::is_temporary(&folder.name()) { What::Temporary } else { What::Folder(format) };
            self.found.units.push(Unit { path: path.to_owned(), what, bytes, modified });
            return;
        }
        if folder.cut {
            self.unread(
                path,
                format!("it has more than {} files, and the rest was left out", folder.entries.len()),
            );
        }
        self.files(&folder);
        for entry in folder.folders() {
            if PASSED_BY.contains(&entry.name.as_str()) {
                continue;
            }
            if names::is_temporary_checkpoint(&entry.name) {
                let (bytes, newest) = match Folder::read(&entry.path, self.left) {
                    Ok(inner) => size(&inner, self.limits, &mut self.left),
                    Err(_) => (0, entry.modified),
                };
                self.push(entry, What::Temporary, bytes, newest);
            } else {
                self.folder(&entry.path, depth + 1);
            }
        }
    }

    fn files(&mut self, folder: &Folder) {
        let indexes: HashSet<&str> = folder
            .files()
            .filter_map(|entry| entry.name.strip_suffix(".index.json"))
            .filter_map(|name| name.strip_suffix(".safetensors").or_else(|| name.strip_suffix(".bin")))
            .collect();
        let mut without_index: HashSet<String> = HashSet::new();
        for entry in folder.entries.values() {
            match entry.kind {
                Kind::Folder => {}
                Kind::Link => self.link(entry),
                Kind::Other if names::is_checkpoint_file(&entry.name) => {
                    self.unread(&entry.path, "it is no regular file".to_owned());
                }
                Kind::Other => {}
                Kind::File if names::is_temporary_checkpoint(&entry.name) => {
                    self.push(entry, What::Temporary, entry.size, entry.modified);
                }
                Kind::File if sharded::is_index(&entry.name) => {
                    let (bytes, newest) = shards(folder, entry);
                    self.push(entry, What::Index, bytes, newest);
                }
                Kind::File if names::shard(&entry.name).is_some() => {
                    let stem = stem(&entry.name);
                    if !indexes.contains(stem) && without_index.insert(stem.to_owned()) {
                        self.push(entry, What::Shards, entry.size, entry.modified);
                    }
                }
                Kind::File if names::is_checkpoint_file(&entry.name) => {
                    self.push(entry, What::File, entry.size, entry.modified);
                }
                Kind::File => {}
            }
        }
    }

    /// A link within the root stands for something that is found by itself;
    /// what lies outside is not followed, and said.
    fn link(&mut self, entry: &Entry) {
        let target = match fs::canonicalize(&entry.path) {
            Ok(target) => target,
            Err(e) if names::is_checkpoint_file(&entry.name) => {
                return self.unread(&entry.path, format!("its link cannot be followed: {e}"));
            }
            Err(_) => return,
        };
        let is_inside = self.root.as_ref().is_some_and(|root| target.starts_with(root));
        let matters = target.is_dir() || names::is_checkpoint_file(&entry.name);
        if !is_inside && matters {
            self.unread(
                &entry.path,
                "it is a link that leads outside: name its target to have it read".to_owned(),
            );
        }
    }

    fn push(&mut self, entry: &Entry, what: What, bytes: u64, modified: Option<Time>) {
        self.found.units.push(Unit { path: entry.path.clone(), what, bytes, modified });
    }

    fn unread(&mut self, path: &Path, why: String) {
        self.found.unread.push(Unread { path: path.to_owned(), why });
    }
}

/// `model` of `model-00001-of-00003.safetensors`.
fn stem(name: &str) -> &str {
    let mut parts = name.rsplitn(4, '-');
    let _ = (parts.next(), parts.next(), parts.next());
    parts.next().unwrap_or_default()
}

/// Size and newest time of the shards that go with an index.
fn shards(folder: &Folder, index: &Entry) -> (u64, Option<Time>) {
    let of_it =
        |entry: &&Entry| names::shard(&entry.name).is_some() && index.name.starts_with(stem(&entry.name));
    folder.files().filter(of_it).fold((index.size, index.modified), |(bytes, newest), entry| {
        (bytes.saturating_add(entry.size), newest.max(entry.modified))
    })
}

/// Size and newest time of everything in a folder.
fn size(folder: &Folder, limits: &Limits, left: &mut usize) -> (u64, Option<Time>) {
    fn add(folder: &Folder, depth: usize, left: &mut usize, sum: &mut (u64, Option<Time>)) {
        for entry in folder.entries.values() {
            sum.0 = sum.0.saturating_add(entry.size);
            // A folder is also touched by who takes something out of it.
            if entry.kind != Kind::Folder {
                sum.1 = sum.1.max(entry.modified);
            }
            if entry.kind == Kind::Folder
                && depth > 0
                && *left > 0
                && let Ok(below) = Folder::read(&entry.path, *left)
            {
                *left -= below.entries.len().min(*left);
                add(&below, depth - 1, left, sum);
            }
        }
    }
    let mut sum = (0, None);
    add(folder, limits.depth, left, &mut sum);
    sum
}
