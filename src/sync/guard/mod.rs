//! What no repository should hold, file by file: each refusal with the line that lets that one file through.
//!
//! First comes what name, kind and size say, before git stores anything; then what the stored
//! content says, so that what was looked at is what is committed, whoever writes to the file
//! meanwhile.

mod content;
mod pointer;

use std::collections::BTreeMap;
use std::fmt;
use std::fs::Metadata;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::choose::{Candidate, Kind};
use crate::git::{GitError, Repository};
use crate::safety::{is_file_of_secrets, shell_path};
use crate::sys::{Glob, open_regular};
use crate::terms::Bytes;

pub(super) use content::{judge as judge_content, judge_file};
pub(super) use pointer::{behind, is_pointer};

/// How much is let through.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest file.
    pub largest: Bytes,
    /// More new files than this below one folder are refused together.
    pub most_new: usize,
    /// More deletions than this are refused together.
    pub most_gone: usize,
    /// Folders that may have any number of new files; `.` is the top alone.
    pub many: Vec<PathBuf>,
    /// True if any number of deletions is meant.
    pub deletions: bool,
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

    /// True if it does not matter for a file of which git holds a pointer alone.
    pub(super) fn is_spared_by_pointer(&self) -> bool {
        matches!(self, Refusal::Large { .. } | Refusal::Weights { .. } | Refusal::Archive { .. })
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

/// What name, kind and size say: what goes on to be stored, and what does not.
///
/// Files that an attribute gives to Git LFS may be large, weights or archives: what
/// the repository holds of them is a pointer.
///
/// # Errors
/// Git cannot say which files those are.
pub fn judge(
    repository: &Repository,
    candidates: Vec<Candidate>,
    limits: &Limits,
) -> Result<(Vec<Candidate>, Vec<Refused>), GitError> {
    let (candidates, mut refused) = groups(candidates, limits);
    let (mut kept, mut in_doubt) = (Vec::new(), Vec::new());
    for candidate in candidates {
        let reasons = match candidate.kind {
            Kind::Deleted => Vec::new(),
            Kind::New | Kind::Changed => look(repository.worktree(), &candidate.path, limits),
        };
        let hard = reasons.iter().find(|why| !why.is_spared_by_pointer());
        match hard.or(reasons.first()) {
            None => kept.push(candidate),
            Some(why) if hard.is_none() => in_doubt.push((candidate, why.clone())),
            Some(why) => refused.push(refused_as(&candidate.path, why.clone())),
        }
    }
    let paths: Vec<&Path> = in_doubt.iter().map(|(candidate, _)| candidate.path.as_path()).collect();
    let by_pointer = pointer::taken(repository.git(), &paths)?;
    for (candidate, why) in in_doubt {
        if by_pointer.contains(&candidate.path) {
            kept.push(candidate);
        } else {
            refused.push(refused_as(&candidate.path, why));
        }
    }
    kept.sort_by(|one, other| one.path.cmp(&other.path));
    Ok((kept, refused))
}

/// The refusal, unless the file was let through by name.
pub(super) fn refusal(path: &Path, why: Refusal, limits: &Limits) -> Option<Refused> {
    if is_let_through(path, &why, limits) { None } else { Some(refused_as(path, why)) }
}

/// True if settings or options let a file through that this speaks against.
pub(super) fn is_let_through(path: &Path, why: &Refusal, limits: &Limits) -> bool {
    let list = if why.is_about_secrets() { &limits.allow_secrets } else { &limits.allow };
    why.can_be_allowed() && list.iter().any(|glob| glob.fits(path))
}

fn refused_as(path: &Path, why: Refusal) -> Refused {
    let option = if why.is_about_secrets() { "--allow-secret" } else { "--allow" };
    let word = shell_path(path).ok().filter(|_| why.can_be_allowed());
    Refused { path: path.to_owned(), allow: word.map(|word| format!("{option}={word}")), why }
}

/// What is refused together: too many new files below one folder, too many deletions.
///
/// What opens a file of any kind does not open this: an accident is told by the count.
fn groups(candidates: Vec<Candidate>, limits: &Limits) -> (Vec<Candidate>, Vec<Refused>) {
    let is_meant = |path: &Path| {
        let top = path.parent() == Some(Path::new(""));
        limits.many.iter().any(|folder| if folder == Path::new(".") { top } else { path.starts_with(folder) })
    };
    let mut new: BTreeMap<PathBuf, usize> = BTreeMap::new();
    let mut gone = 0;
    for candidate in &candidates {
        match candidate.kind {
            Kind::New if !is_meant(&candidate.path) => *new.entry(top(&candidate.path)).or_default() += 1,
            Kind::Deleted => gone += 1,
            Kind::New | Kind::Changed => {}
        }
    }
    new.retain(|_, count| *count > limits.most_new);
    let too_many_gone = gone > limits.most_gone && !limits.deletions;
    let mut refused: Vec<Refused> = new
        .iter()
        .map(|(folder, count)| Refused {
            path: folder.clone(),
            why: Refusal::TooManyNew { count: *count, most: limits.most_new },
            allow: shell_path(folder).ok().map(|word| format!("--many={word}")),
        })
        .collect();
    if too_many_gone {
        let why = Refusal::TooManyGone { count: gone, most: limits.most_gone };
        refused.push(Refused { path: PathBuf::from("."), why, allow: Some("--deletions".to_owned()) });
    }
    let stays = |candidate: &Candidate| match candidate.kind {
        Kind::New => is_meant(&candidate.path) || !new.contains_key(&top(&candidate.path)),
        Kind::Deleted => !too_many_gone,
        Kind::Changed => true,
    };
    (candidates.into_iter().filter(stays).collect(), refused)
}

/// The topmost folder of a path; `.` for a file at the top.
fn top(path: &Path) -> PathBuf {
    let mut parts = path.components();
    match (parts.next(), parts.next()) {
        (Some(first), Some(_)) => PathBuf::from(first.as_os_str()),
        _ => PathBuf::from("."),
    }
}

/// What speaks against one file from outside, and nobody has let through.
fn look(worktree: &Path, path: &Path, limits: &Limits) -> Vec<Refusal> {
    let full = worktree.join(path);
    // Git tells another repository by the slash at its end.
    if path.as_os_str().as_encoded_bytes().ends_with(b"/") {
        return vec![Refusal::EmbeddedRepository];
    }
    let mut reasons = match full.symlink_metadata() {
        Err(e) => vec![Refusal::Unreadable { why: e.to_string() }],
        Ok(metadata) if metadata.is_symlink() => match std::fs::read_link(&full) {
            Ok(target) if leads_out(path, &target) => vec![Refusal::LinkLeadsOut],
            Ok(_) => Vec::new(),
            Err(e) => vec![Refusal::Unreadable { why: e.to_string() }],
        },
        Ok(metadata) if metadata.is_dir() => vec![Refusal::EmbeddedRepository],
        Ok(metadata) if !metadata.is_file() => vec![Refusal::NotRegular],
        Ok(metadata) => {
            let mut reasons = by_name(path);
            reasons.extend(by_size(&metadata, limits));
            // One that may not be opened would stop git with all the others.
            reasons.extend(closed(&full));
            reasons
        }
    };
    reasons.retain(|why| !is_let_through(path, why, limits));
    reasons
}

fn closed(full: &Path) -> Option<Refusal> {
    open_regular(full).err().map(|e| Refusal::Unreadable { why: e.to_string() })
}

fn by_size(metadata: &Metadata, limits: &Limits) -> Option<Refusal> {
    let size = Bytes(metadata.len());
    (size > limits.largest).then_some(Refusal::Large { size, most: limits.largest })
}

/// What the name alone says.
fn by_name(path: &Path) -> Vec<Refusal> {
    let mut reasons = Vec::new();
    if is_file_of_secrets(path) {
        reasons.push(Refusal::SecretFile);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let ends = |list: &[&'static str]| {
        list.iter().copied().find(|end| name.strip_suffix(end).is_some_and(|rest| rest.ends_with('.')))
    };
    let kind = ends(&WEIGHTS).map(|format| Refusal::Weights { format });
    let kind = kind.or_else(|| ends(&MEDICAL).map(|format| Refusal::Medical { format }));
    reasons.extend(kind.or_else(|| ends(&ARCHIVES).map(|format| Refusal::Archive { format })));
    reasons
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
