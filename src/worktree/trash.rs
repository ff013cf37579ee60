//! What was removed, whole, until it is old: the directory, its private git
//! directory, and a ref that keeps its commits.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::registry::{self, Entry};
use super::{Error, WorktreeId, keepers, notes, occupants, target};
use crate::git::Repository;
use crate::safety::{escape_path, one_line};
use crate::sys::{World, read_regular};
use crate::terms::{CommitId, Seconds, Time};

/// The largest note, in bytes.
const MOST: usize = 1 << 20;
/// The form of the notes.
const FORMAT: u32 = 1;

/// One removed worktree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Trashed {
    /// The form of this note.
    pub format: u32,
    /// Its id in the trash.
    pub id: WorktreeId,
    /// What it was called.
    pub name: String,
    /// Where it was, byte for byte as hex digits, since paths are bytes.
    path_hex: String,
    /// Where it was, for people.
    pub path: String,
    /// The name of its private git directory, in the same form.
    admin_hex: String,
    /// Its branch.
    pub branch: Option<String>,
    /// The commit that was checked out; a ref of ours keeps it.
    pub head: Option<CommitId>,
    /// True if the branch was to be deleted, because all of it has landed.
    pub deletes_branch: bool,
    /// What we knew about it.
    pub entry: Option<Entry>,
    /// When it was removed.
    pub removed: Time,
    /// What was waived, by name.
    pub waived: Vec<String>,
}

impl Trashed {
    /// A note about a worktree that is about to go.
    pub fn new(
        target: &target::Target,
        deletes_branch: bool,
        waived: Vec<String>,
        now: Time,
    ) -> Result<Trashed, Error> {
        Ok(Trashed {
            format: FORMAT,
            id: WorktreeId::random().map_err(|e| Error::read(Path::new("/dev/urandom"), e))?,
            name: target.name(),
            path_hex: to_hex(target.path.as_os_str()),
            path: escape_path(&target.path),
            admin_hex: to_hex(target.git_dir.file_name().unwrap_or_default()),
            branch: target.branch.clone(),
            head: target.head.clone(),
            deletes_branch,
            entry: target.entry.clone(),
            removed: now,
            waived,
        })
    }

    /// The ref that keeps its commits.
    pub fn keeper(&self) -> String {
        format!("refs/handover/trash/{}", self.id)
    }

    /// Its folder in the trash.
    pub fn folder(&self, common_dir: &Path) -> PathBuf {
        folder(common_dir).join(self.id.as_str())
    }

    /// Where its files are now.
    pub fn tree(&self, common_dir: &Path) -> PathBuf {
        self.folder(common_dir).join("tree")
    }

    /// Where its private git directory is now.
    pub fn admin(&self, common_dir: &Path) -> PathBuf {
        self.folder(common_dir).join("admin")
    }

    /// Where its private git directory was.
    pub fn admin_place(&self, common_dir: &Path) -> PathBuf {
        common_dir.join("worktrees").join(from_hex(&self.admin_hex))
    }

    /// Where its files were.
    pub fn place(&self) -> PathBuf {
        PathBuf::from(from_hex(&self.path_hex))
    }

    /// Writes the note, the first step of a removal.
    pub fn write(&self, world: &World, common_dir: &Path) -> Result<(), Error> {
        let folder = self.folder(common_dir);
        world.files.ensure_dir(&folder)?;
        let path = folder.join(notes::NAME);
        let text = serde_json::to_string_pretty(self)
            .map_err(|e| Error::Damaged { path: path.clone(), why: e.to_string() })?;
        world.files.replace(&path, format!("{text}\n").as_bytes(), 0o644, None)?;
        Ok(())
    }
}

/// Everything in the trash, newest first; a damaged note is an error.
pub fn list(common_dir: &Path) -> Result<Vec<Trashed>, Error> {
    let is_ours = |note: &Trashed, _: &OsStr| is_known(note);
    let mut all: Vec<Trashed> = notes::list(&folder(common_dir), MOST, is_ours)?;
    all.sort_by(|a, b| b.removed.cmp(&a.removed).then_with(|| a.id.cmp(&b.id)));
    Ok(all)
}

/// Reads one note.
///
/// # Errors
/// In words: it is damaged, or of a form that this program does not know.
pub fn read_bytes(bytes: &[u8]) -> Result<Trashed, String> {
    notes::read(bytes, is_known)
}

fn is_known(note: &Trashed) -> bool {
    note.format == FORMAT && is_plain(&from_hex(&note.admin_hex))
}

/// The entry that an id, or the unique start of one, names.
pub fn find(common_dir: &Path, id: &str) -> Result<Trashed, Error> {
    let fit: Vec<Trashed> = list(common_dir)?
        .into_iter()
        .filter(|note| id.len() >= 4 && note.id.as_str().starts_with(id))
        .collect();
    let mut fit = fit.into_iter();
    match (fit.next(), fit.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Error::NotInTrash { id: one_line(id, 40) }),
    }
}

/// What is in the way of putting it back; `None` if nothing is.
pub fn obstacle(repository: &Repository, note: &Trashed) -> Result<Option<String>, Error> {
    let common = repository.common_dir();
    let is_back = is_back(common, note);
    if note.tree(common).symlink_metadata().is_err() && !is_back {
        return Ok(Some("its files are not in the trash".to_owned()));
    }
    if note.place().symlink_metadata().is_ok() && !is_back {
        return Ok(Some(format!("something is at {} now", note.path)));
    }
    if note.admin(common).exists() && note.admin_place(common).exists() {
        return Ok(Some("another worktree has its registration's name now".to_owned()));
    }
    let listed = crate::git::list(repository.git())?;
    let holder = listed
        .iter()
        .find(|entry| entry.branch.is_some() && entry.branch == note.branch && entry.path != note.place());
    Ok(holder.map(|entry| format!("its branch is checked out at {}", escape_path(&entry.path))))
}

/// Puts it back: branch, files, registration, entry; or goes on where an
/// earlier call was cut short. Says what stays behind, if anything does.
pub fn restore(world: &World, repository: &Repository, note: &Trashed) -> Result<Option<String>, Error> {
    let common = repository.common_dir();
    if let Some(why) = obstacle(repository, note)? {
        return Err(Error::NotRestored { name: note.name.clone(), why });
    }
    let git = repository.git().at(common);
    if let (Some(branch), Some(head)) = (&note.branch, &note.head) {
        let branch = format!("refs/heads/{branch}");
        // Only where it is gone; one that moved on stays as it is.
        if repository.history().resolve(&branch)?.is_none() {
            git.run(&["update-ref", "-m", "handover: worktree restored", &branch, head.as_str(), ""])?;
        }
    }
    let moves_tree = !is_back(common, note);
    if moves_tree {
        world.files.rename_new(&note.tree(common), &note.place())?;
    }
    if note.admin(common).exists() {
        let registered = world
            .files
            .ensure_dir(&common.join("worktrees"))
            .and_then(|()| world.files.rename_new(&note.admin(common), &note.admin_place(common)));
        if let Err(e) = registered {
            // Half of it back is none of it back.
            if moves_tree {
                world.files.rename_new(&note.place(), &note.tree(common))?;
            }
            return Err(e.into());
        }
    }
    if let Some(entry) = &note.entry
        && registry::entry(common, &entry.id)?.is_none()
    {
        registry::write(world, common, entry)?;
    }
    // Index and private refs are where git looks again.
    keepers::drop_others(&git, note)?;
    let keeps = needs_keeper(repository, note)?;
    world.files.remove_tree(&note.folder(common))?;
    if let Some(head) = &note.head
        && keeps
    {
        let branch = one_line(note.branch.as_deref().unwrap_or("HEAD"), 80);
        let (head, keeper) = (head.to_string(), note.keeper());
        return Ok(Some(format!("{branch} no longer contains {head}, which stays as {keeper}")));
    }
    discard(world, repository, note)?;
    Ok(None)
}

/// True if the commit that was checked out is not on its branch any more; a
/// detached HEAD, which came back, keeps it.
fn needs_keeper(repository: &Repository, note: &Trashed) -> Result<bool, Error> {
    let (Some(branch), Some(head)) = (&note.branch, &note.head) else { return Ok(false) };
    let history = repository.history();
    let tip = history.resolve(&format!("refs/heads/{branch}"))?;
    Ok(match tip {
        Some(tip) => !history.is_ancestor(head, &tip)?,
        None => true,
    })
}

/// True if its files are where they were: an undo was cut short after it had
/// moved them, or a removal before.
fn is_back(common_dir: &Path, note: &Trashed) -> bool {
    let place = note.place();
    if note.tree(common_dir).symlink_metadata().is_ok() {
        return false;
    }
    let named = match read_regular(&place.join(".git"), MOST) {
        Ok(Some(bytes)) => bytes,
        _ => return false,
    };
    let Some(named) = named.strip_prefix(b"gitdir: ") else { return false };
    let named = place.join(OsStr::from_bytes(named.strip_suffix(b"\n").unwrap_or(named)));
    // The directory that is named is not there, so links on the way to it are
    // not resolved; git writes it without any.
    without_dots(&named) == without_dots(&note.admin_place(common_dir))
}

fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

/// A removal of this worktree that was cut short after its files had moved.
pub fn half_done(common_dir: &Path, path: &Path) -> Result<Option<Trashed>, Error> {
    let is_half = |note: &Trashed| {
        note.place() == path
            && note.tree(common_dir).exists()
            && !note.admin(common_dir).exists()
            && note.admin_place(common_dir).exists()
    };
    Ok(list(common_dir)?.into_iter().find(is_half))
}

/// What is older than `age`, and so goes for good at the next removal.
pub fn due(common_dir: &Path, age: Seconds, now: Time) -> Result<Vec<Trashed>, Error> {
    Ok(list(common_dir)?.into_iter().filter(|note| note.removed.age(now) > age).collect())
}

/// Deletes for good what is older than `age` and has no process inside;
/// returns what went, and what stayed and why.
pub fn sweep(
    world: &World,
    repository: &Repository,
    age: Seconds,
    now: Time,
) -> Result<(Vec<Trashed>, Vec<String>), Error> {
    let common = repository.common_dir();
    let (mut gone, mut kept) = (Vec::new(), Vec::new());
    for note in due(common, age, now)? {
        // An undo was cut short: the registration here is the only one.
        if is_back(common, &note) && note.admin(common).exists() {
            let undo = format!("handover remove --undo {}", note.id);
            kept.push(format!("{}: putting it back was cut short; to go on: {undo}", note.name));
            continue;
        }
        match occupants::inside(&note.folder(common)) {
            Some((inside, _)) if inside.is_empty() => match discard(world, repository, &note) {
                Ok(()) => gone.push(note),
                Err(e) => kept.push(format!("{}: {}", note.name, in_words(&e))),
            },
            Some(_) => kept.push(format!("{}: a process works in it", note.name)),
            None => kept.push(format!("{}: processes cannot be seen here", note.name)),
        }
    }
    Ok((gone, kept))
}

/// An error with what the system said.
fn in_words(error: &Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

/// Deletes an entry of the trash, its ref last.
fn discard(world: &World, repository: &Repository, note: &Trashed) -> Result<(), Error> {
    let common = repository.common_dir();
    world.files.remove_tree(&note.folder(common))?;
    let git = repository.git().at(common);
    keepers::drop_others(&git, note)?;
    if let Some(head) = &note.head {
        // Gone already is fine.
        git.try_run(&["update-ref", "-d", &note.keeper(), head.as_str()])?;
    }
    Ok(())
}

fn folder(common_dir: &Path) -> PathBuf {
    common_dir.join("handover/trash")
}

/// True for the name of one directory: a note must not lead out of the trash.
fn is_plain(name: &OsStr) -> bool {
    let mut parts = Path::new(name).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(_)), None))
}

fn to_hex(text: &OsStr) -> String {
    text.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> OsString {
    let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
    OsString::from_vec(
        text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect(),
    )
}
