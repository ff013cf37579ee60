//! Which worktrees are ours, and where each of them came from.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Error;
use crate::git::Repository;
use crate::sys::{World, nonce};
use crate::terms::{CommitId, NotA, Time};

/// The file in a worktree's private git directory that holds its id.
const ID_FILE: &str = "handover-id";
/// The form of the entries.
const FORMAT: u32 = 1;

/// The random id of a managed worktree: 16 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct WorktreeId(String);

impl WorktreeId {
    /// A new one.
    pub fn random() -> io::Result<WorktreeId> {
        nonce::<8>().map(WorktreeId)
    }

    /// Its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for WorktreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for WorktreeId {
    type Err = NotA;

    fn from_str(text: &str) -> Result<Self, NotA> {
        let fits = text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if fits { Ok(WorktreeId(text.to_owned())) } else { Err(NotA::new("worktree id", text)) }
    }
}

impl TryFrom<String> for WorktreeId {
    type Error = NotA;

    fn try_from(text: String) -> Result<Self, NotA> {
        text.parse()
    }
}

impl From<WorktreeId> for String {
    fn from(id: WorktreeId) -> String {
        id.0
    }
}

/// What we wrote down when a worktree was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Entry {
    /// The form of this entry.
    pub format: u32,
    /// The worktree's id.
    pub id: WorktreeId,
    /// The feature, as the user named it.
    pub feature: String,
    /// The branch that it was made for.
    pub branch: String,
    /// True if the branch was made with the worktree.
    pub made_branch: bool,
    /// The ref or revision that the branch started from, as it was named.
    pub base_ref: Option<String>,
    /// The commit that it started from.
    pub base: Option<CommitId>,
    /// When the worktree was made.
    pub created: Time,
    /// Where it was made; it may have been moved since. Bytes that are not
    /// UTF-8 are replaced: for people, never for access.
    pub path: String,
    /// What the user said it is for.
    pub focus: Option<String>,
    /// False while the worktree is being made, and for ever if that was cut
    /// short: the next `start` goes on from there.
    pub ready: bool,
    /// The links that we made, relative to the top of the worktree.
    #[serde(default)]
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub links: Vec<PathBuf>,
}

impl Entry {
    /// The number that goes into [`Entry::format`].
    pub const FORMAT: u32 = FORMAT;
}

/// The id of the worktree whose private git directory this is, if it has one.
pub fn id_of(git_dir: &Path) -> Result<Option<WorktreeId>, Error> {
    let path = git_dir.join(ID_FILE);
    let damaged = |why: String| Error::Damaged { path: path.clone(), why };
    match std::fs::read_to_string(&path) {
        Ok(text) => text.trim_end().parse().map(Some).map_err(|e: NotA| damaged(e.to_string())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Error::read(&path, e)),
    }
}

/// Gives a worktree its id, which must not have another one.
pub fn set_id(world: &World, repository: &Repository, id: &WorktreeId) -> Result<(), Error> {
    let path = repository.git_dir().join(ID_FILE);
    world.files.create_new(&path, format!("{id}\n").as_bytes(), 0o644, true)?;
    Ok(())
}

/// The entries of all worktrees that we made, by id. A damaged one is an error.
pub fn all(common_dir: &Path) -> Result<Vec<Entry>, Error> {
    let folder = common_dir.join("handover/worktrees");
    let names = match std::fs::read_dir(&folder) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::read(&folder, e)),
    };
    let mut ids = Vec::new();
    for name in names {
        let name = name.map_err(|e| Error::read(&folder, e))?.file_name();
        let id = name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<WorktreeId>().ok());
        ids.extend(id);
    }
    ids.sort();
    // One that went away while we looked is no error.
    Ok(ids
        .iter()
        .map(|id| entry(common_dir, id))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .flatten()
        .collect())
}

/// The entry of a worktree, if we made it.
pub fn entry(common_dir: &Path, id: &WorktreeId) -> Result<Option<Entry>, Error> {
    let path = entry_path(common_dir, id);
    let damaged = |why: String| Error::Damaged { path: path.clone(), why };
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::read(&path, e)),
    };
    let entry: Entry = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    if entry.format != FORMAT {
        return Err(damaged(format!("it has format {}, this program knows {FORMAT}", entry.format)));
    }
    if entry.id != *id {
        return Err(damaged("it belongs to another id".into()));
    }
    Ok(Some(entry))
}

/// The entry of the worktree in which we stand, if we made it.
pub fn entry_here(repository: &Repository) -> Result<Option<Entry>, Error> {
    match id_of(repository.git_dir())? {
        Some(id) => entry(repository.common_dir(), &id),
        None => Ok(None),
    }
}

/// Writes an entry, over the one that is there.
pub fn write(world: &World, common_dir: &Path, entry: &Entry) -> Result<(), Error> {
    let path = entry_path(common_dir, &entry.id);
    if let Some(dir) = path.parent() {
        world.files.ensure_dir(dir)?;
    }
    let mut text = serde_json::to_string_pretty(entry)
        .map_err(|e| Error::Damaged { path: path.clone(), why: e.to_string() })?;
    text.push('\n');
    world.files.replace(&path, text.as_bytes(), 0o644, None)?;
    Ok(())
}

/// Forgets an entry; true if it was there.
pub fn forget(world: &World, common_dir: &Path, id: &WorktreeId) -> Result<bool, Error> {
    Ok(world.files.remove_file(&entry_path(common_dir, id))?)
}

/// Where an entry is kept.
fn entry_path(common_dir: &Path, id: &WorktreeId) -> PathBuf {
    common_dir.join("handover/worktrees").join(format!("{id}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_sixteen_hex_digits_and_nothing_else() {
        assert!("0123456789abcdef".parse::<WorktreeId>().is_ok());
        for text in ["", "0123456789abcde", "0123456789ABCDEF", "../../../../etc/x"] {
            assert!(text.parse::<WorktreeId>().is_err(), "{text:?}");
        }
        assert_ne!(WorktreeId::random().unwrap(), WorktreeId::random().unwrap());
    }
}
