//! Walking folders and opening files that others named, within limits.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::terms::{Time, Unread};

/// How much is read at most. What lies beyond is named as unread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Folder entries that are looked at below one folder.
    pub entries: usize,
    /// How many folders deep.
    pub depth: usize,
    /// Runs, event files, or other results.
    pub results: usize,
    /// A file of records up to this many bytes is read whole.
    pub whole: u64,
    /// Of a larger one this many bytes at each end.
    pub edge: u64,
    /// Where the tracker's pages are, for runs that do not say it.
    pub base_url: String,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            entries: 50_000,
            depth: 8,
            results: 10_000,
            whole: 1 << 20,
            edge: 256 << 10,
            base_url: "https://wandb.ai".to_owned(),
        }
    }
}

/// Folders that hold other people's code.
const PASSED_BY: [&str; 5] = [".git", "node_modules", "site-packages", "__pycache__", ".venv"];

/// An entry that a walk came by.
#[derive(Debug)]
pub(super) struct Found {
    pub path: PathBuf,
    pub is_dir: bool,
}

/// What a walk does with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Goes on, into it if it is a folder.
    Into,
    /// Goes past it.
    Past,
}

/// Visits what is below a folder, in no order (sorting would hold a folder of any size in memory),
/// without following symlinks; what it could not see is returned.
pub(super) fn walk(dir: &Path, limits: &Limits, mut visit: impl FnMut(Found) -> Step) -> Vec<Unread> {
    let mut unread = Vec::new();
    let mut seen = 0;
    let mut entries = walkdir::WalkDir::new(dir).max_depth(limits.depth).into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                let path = e.path().unwrap_or(dir).to_owned();
                let why = e.io_error().map_or_else(|| "it leads back to itself".to_owned(), plain);
                unread.push(Unread { path, why });
                continue;
            }
        };
        seen += 1;
        if seen > limits.entries {
            let why = format!("only the first {} entries below it were looked at", limits.entries);
            unread.push(Unread::new(dir, why));
            break;
        }
        let is_dir = entry.file_type().is_dir();
        let name = entry.file_name();
        if is_dir && entry.depth() > 0 && PASSED_BY.iter().any(|passed| name == *passed) {
            entries.skip_current_dir();
            continue;
        }
        let is_deepest = entry.depth() == limits.depth;
        let found = Found { path: entry.into_path(), is_dir };
        let path = (is_dir && is_deepest).then(|| found.path.clone());
        if visit(found) == Step::Past {
            if is_dir {
                entries.skip_current_dir();
            }
        } else if let Some(path) = path {
            unread.push(Unread { path, why: format!("it lies {} folders deep", limits.depth) });
        }
    }
    unread
}

/// The system's word for what went wrong.
pub(super) fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "it is not there".to_owned(),
        io::ErrorKind::PermissionDenied => "it may not be read".to_owned(),
        _ => error.to_string(),
    }
}

/// When a file was last written.
pub(super) fn modified(metadata: &Metadata) -> Option<Time> {
    Time::from_unix(metadata.mtime())
}

/// A small file as text; `None` if it is not there.
///
/// # Errors
/// Why it was not read, in words.
pub(super) fn small_text(path: &Path, most: usize) -> Result<Option<String>, String> {
    match crate::sys::read_regular(path, most) {
        Ok(Some(bytes)) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Ok(None) => Err(format!("it is no regular file of at most {} KiB", most / 1024)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(plain(&e)),
    }
}

/// Flattens nested values into dotted names; empty objects and lists stay values.
pub(super) fn flatten(name: &str, value: serde_json::Value, into: &mut BTreeMap<String, serde_json::Value>) {
    use serde_json::Value;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            for (field, value) in fields {
                let name = if name.is_empty() { field } else { format!("{name}.{field}") };
                flatten(&name, value, into);
            }
        }
        value => {
            if into.len() < MOST_NAMES || into.contains_key(name) {
                into.insert(name.to_owned(), value);
            }
        }
    }
}

/// Names that are kept of one configuration.
pub(super) const MOST_NAMES: usize = 4_000;
