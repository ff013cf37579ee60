//! What no repository should hold, file by file: each refusal with the line that lets that one file through.
//!
//! First comes what name, kind and size say, before git stores anything; then what the stored
//! content says, so that what was looked at is what is committed, whoever writes to the file
//! meanwhile.

mod content;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::choose::{Candidate, Kind};
use crate::safety::{is_file_of_secrets, shell_path};
use crate::sys::{Glob, open_regular};
use crate::terms::Bytes;

pub use content::judge as judge_content;

/// How much is let through.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest file.
    pub largest: Bytes,
    /// More new files than this below one folder are refused together.
    pub most_new: usize,
    /// More deletions than this are refused together.
    pub most_gone: usize,
    /// Files that may be of any kind and size.
    pub allow: Vec<Glob>,
    /// Files that may hold what looks like a secret.
    pub allow_secrets: Vec<Glob>,
}

/// A file that was kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Refused {
    /// Relative to the top of the worktree; for a group of files their folder.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "PathBuf"))]
    pub path: PathBuf,
    /// Why.
    #[serde(flatten)]
    pub why: Refusal,
    /// The option that lets this one through, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow: Option<String>,
}

/// Why a file was kept back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(tag = "refusal", rename_all = "kebab-case")]
pub enum Refusal {
    /// It is larger than the limit.
    Large {
        /// Its size.
        size: Bytes,
        /// The limit.
        most: Bytes,
    },
    /// Weights, arrays or pickled objects.
    Weights {
        /// The format.
        format: &'static str,
    },
    /// An image of a patient, or of the kind that such images have.
    Medical {
        /// The format.
        format: &'static str,
    },
    /// An archive.
    Archive {
        /// The format.
        format: &'static str,
    },
    /// The memory of a program that crashed.
    CoreDump,
    /// By its name a file of passwords or keys.
    SecretFile,
    /// It holds what looks like a secret.
    Secret {
        /// The rule that found it.
        rule: String,
        /// The line, counted from 1.
        line: usize,
        /// How many more there are.
        more: usize,
    },
    /// Another repository.
    EmbeddedRepository,
    /// No regular file and no link.
    NotRegular,
    /// A link that leads out of the worktree.
    LinkLeadsOut,
    /// Signs of a conflict that was not resolved.
    ConflictMarkers {
        /// The line of the first, counted from 1.
        line: usize,
    },
    /// Our own block, which is for this worktree alone.
    OwnBlock,
    /// More new files below one folder than a person makes.
    TooManyNew {
        /// How many.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// More deletions than a person makes.
    TooManyGone {
        /// How many.
        count: usize,
        /// The limit.
        most: usize,
    },
    /// It was gone, or could not be read, when it was to be stored.
    Unreadable {
        /// What the system said.
        why: String,
    },
}

impl Refusal {
    /// True if only settings outside of the tree may let it through.
    fn is_about_secrets(&self) -> bool {
        matches!(self, Refusal::SecretFile | Refusal::Secret { .. })
    }

    /// True if an option can let it through.
    fn can_be_allowed(&self) -> bool {
        !matches!(
            self,
            Refusal::EmbeddedRepository
                | Refusal::NotRegular
                | Refusal::OwnBlock
                | Refusal::Unreadable { .. }
        )
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Large { size, most } => write!(f, "{size}, more than {most}"),
            Refusal::Weights { format } => write!(f, "weights or arrays ({format})"),
            Refusal::Medical { format } => write!(f, "a medical image ({format})"),
            Refusal::Archive { format } => write!(f, "an archive ({format})"),
            Refusal::CoreDump => f.write_str("the memory of a program that crashed"),
            Refusal::SecretFile => f.write_str("by its name a file of secrets"),
            Refusal::Secret { rule, line, more: 0 } => {
                write!(f, "what looks like a secret ({rule}) in line {line}")
            }
            Refusal::Secret { rule, line, more } => {
                write!(f, "what looks like secrets ({rule} in line {line}, and {more} more)")
            }
            Refusal::EmbeddedRepository => f.write_str("another repository"),
            Refusal::NotRegular => f.write_str("no regular file"),
            Refusal::LinkLeadsOut => f.write_str("a link that leads out of the worktree"),
            Refusal::ConflictMarkers { line } => write!(f, "marks of a conflict from line {line} on"),
            Refusal::OwnBlock => f.write_str("the block that handover keeps for this worktree alone"),
            Refusal::TooManyNew { count, most } => {
                write!(f, "{count} new files below it, more than {most}: that looks like output")
            }
            Refusal::TooManyGone { count, most } => {
                write!(f, "{count} files are gone, more than {most}: is the disk there?")
            }
            Refusal::Unreadable { why } => write!(f, "not read: {why}"),
        }
    }
}

/// What name, kind and size say; `Ok` holds what goes on to be stored.
pub fn judge(worktree: &Path, candidates: Vec<Candidate>, limits: &Limits) -> (Vec<Candidate>, Vec<Refused>) {
    let (candidates, mut refused) = groups(candidates, limits);
    let mut kept = Vec::new();
    for candidate in candidates {
        let why = match candidate.kind {
            Kind::Deleted => None,
            Kind::New | Kind::Changed => look(worktree, &candidate.path, limits),
        };
        match why.and_then(|why| refusal(&candidate.path, why, limits)) {
            Some(refusal) => refused.push(refusal),
            None => kept.push(candidate),
        }
    }
    (kept, refused)
}

/// The refusal, unless the file was let through by name.
pub fn refusal(path: &Path, why: Refusal, limits: &Limits) -> Option<Refused> {
    let list = if why.is_about_secrets() { &limits.allow_secrets } else { &limits.allow };
    let option = if why.is_about_secrets() { "--allow-secret" } else { "--allow" };
    if why.can_be_allowed() && list.iter().any(|glob| glob.fits(path)) {
        return None;
    }
    let word = shell_path(path).ok().filter(|_| why.can_be_allowed());
    Some(Refused { path: path.to_owned(), why, allow: word.map(|word| format!("{option}={word}")) })
}

/// What is refused together: too many new files below one folder, too many deletions.
fn groups(candidates: Vec<Candidate>, limits: &Limits) -> (Vec<Candidate>, Vec<Refused>) {
    let mut new: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut gone = 0;
    let is_allowed = |path: &Path| limits.allow.iter().any(|glob| glob.fits(path));
    for candidate in &candidates {
        match candidate.kind {
            Kind::New if !is_allowed(&candidate.path) => *new.entry(top(&candidate.path)).or_default() += 1,
            Kind::Deleted if !is_allowed(&candidate.path) => gone += 1,
            _ => {}
        }
    }
    new.retain(|_, count| *count > limits.most_new);
    let too_many_gone = gone > limits.most_gone;
    let mut refused: Vec<Refused> = new
        .iter()
        .map(|(folder, count)| Refused {
            path: folder.clone(),
            why: Refusal::TooManyNew { count: *count, most: limits.most_new },
            allow: shell_path(&below(folder)).ok().map(|word| format!("--allow={word}")),
        })
        .collect();
    if too_many_gone {
        let why = Refusal::TooManyGone { count: gone, most: limits.most_gone };
        // No option: one that let all paths through would open the guard for everything.
        refused.push(Refused { path: PathBuf::from("."), why, allow: None });
    }
    let stays = |candidate: &Candidate| match candidate.kind {
        _ if is_allowed(&candidate.path) => true,
        Kind::New => !new.contains_key(&top(&candidate.path)),
        Kind::Deleted => !too_many_gone,
        Kind::Changed => true,
    };
    (candidates.into_iter().filter(stays).collect(), refused)
}

/// What fits the files of a group and no others: at the top only those that lie there.
fn below(folder: &Path) -> PathBuf {
    if folder == Path::new(".") { PathBuf::from("*") } else { folder.join("**") }
}

/// The topmost folder of a path; `.` for a file at the top.
fn top(path: &Path) -> PathBuf {
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(first), Some(_)) => PathBuf::from(first.as_os_str()),
        _ => PathBuf::from("."),
    }
}

/// What one file is, from outside.
fn look(worktree: &Path, path: &Path, limits: &Limits) -> Option<Refusal> {
    let full = worktree.join(path);
    // Git tells another repository by the slash at its end.
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return Some(Refusal::EmbeddedRepository);
    }
    match full.symlink_metadata() {
        Err(e) => Some(Refusal::Unreadable { why: e.to_string() }),
        Ok(metadata) if metadata.is_symlink() => {
            leads_out(path, &std::fs::read_link(&full).ok()?).then_some(Refusal::LinkLeadsOut)
        }
        Ok(metadata) if metadata.is_dir() => Some(Refusal::EmbeddedRepository),
        Ok(metadata) if !metadata.is_file() => Some(Refusal::NotRegular),
        // One that may not be opened would stop git with all the others.
        Ok(metadata) => by_name(path).or_else(|| by_size(&metadata, limits)).or_else(|| closed(&full)),
    }
}

fn closed(full: &Path) -> Option<Refusal> {
    open_regular(full).err().map(|e| Refusal::Unreadable { why: e.to_string() })
}

fn by_size(metadata: &Metadata, limits: &Limits) -> Option<Refusal> {
    let size = Bytes(metadata.len());
    (size > limits.largest).then_some(Refusal::Large { size, most: limits.largest })
}

/// What the name alone says.
fn by_name(path: &Path) -> Option<Refusal> {
    if is_file_of_secrets(path) {
        return Some(Refusal::SecretFile);
    }
    let name = path.file_name()?.to_str()?.to_ascii_lowercase();
    let ends = |list: &[&'static str]| {
        list.iter().copied().find(|end| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')))
    };
    if let Some(format) = ends(&WEIGHTS) {
        return Some(Refusal::Weights { format });
    }
    if let Some(format) = ends(&MEDICAL) {
        return Some(Refusal::Medical { format });
    }
    ends(&ARCHIVES).map(|format| Refusal::Archive { format })
}

/// True if a link at `path` with this target leaves the worktree.
fn leads_out(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::CurDir => {}
            Component::Normal(_) => depth += 1,
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
        }
    }
    false
}

/// How the names of weights, arrays and pickled objects end.
const WEIGHTS: [&str; 18] = [
    "pt",
    "pth",
    "ckpt",
    "safetensors",
    "bin",
    "h5",
    "hdf5",
    "onnx",
    "gguf",
    "ggml",
    "npz",
    "npy",
    "pkl",
    "pickle",
    "joblib",
    "keras",
    "tflite",
    "msgpack",
];
/// How the names of medical images end.
const MEDICAL: [&str; 9] = ["dcm", "dicom", "ima", "nii", "nii.gz", "mha", "mhd", "nrrd", "mnc"];
/// How the names of archives end.
const ARCHIVES: [&str; 14] = [
    "zip", "tar", "tar.gz", "tgz", "tar.bz2", "tar.xz", "tar.zst", "7z", "rar", "gz", "bz2", "xz", "zst",
    "whl",
];

#[cfg(test)]
mod tests;
