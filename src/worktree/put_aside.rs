//! Files that were put aside instead of deleted, until somebody wants them back
//! or they are old: the trash for what is no worktree.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, notes};
use crate::safety::{escape_path, one_line};
use crate::sys::{World, nonce};
use crate::terms::{Bytes, Seconds, Time};

/// The form of the notes.
const FORMAT: u32 = 1;
/// The largest note, in bytes.
const LARGEST: usize = 64 << 20;

/// Files that were put aside together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PutAside {
    /// The form of this note.
    pub format: u32,
    /// By what it is called back.
    pub id: String,
    /// What they belonged to: text from outside.
    pub what: String,
    /// When.
    pub at: Time,
    /// The files and folders.
    pub items: Vec<Item>,
}

/// One file or folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Item {
    /// Where it was, for people.
    pub path: String,
    /// Its size.
    pub bytes: Bytes,
    /// Where it was, byte for byte as hex digits, since paths are bytes.
    from_hex: String,
    /// Where it is, in the same form.
    to_hex: String,
}

impl Item {
    /// Where it was.
    pub fn from(&self) -> PathBuf {
        of_hex(&self.from_hex)
    }

    /// Where it is.
    pub fn to(&self) -> PathBuf {
        of_hex(&self.to_hex)
    }

    /// True if it is there, and not where it was.
    pub fn is_aside(&self) -> bool {
        self.to().symlink_metadata().is_ok()
    }
}

impl PutAside {
    /// The sum of what is still aside.
    pub fn bytes(&self) -> Bytes {
        let aside = self.items.iter().filter(|item| item.is_aside());
        Bytes(aside.map(|item| item.bytes.0).fold(0, u64::saturating_add))
    }
}

/// Puts files and folders aside, each by one rename; the note is written first.
///
/// They go below the common directory, or, where that is another file system,
/// into a hidden folder beside the folder that they are in (`near`).
///
/// # Errors
/// A rename failed: what went before is in the note and can be called back.
pub fn put(
    world: &World,
    common_dir: &Path,
    what: &str,
    paths: &[(PathBuf, Bytes)],
    near: &dyn Fn(&Path) -> PathBuf,
    now: Time,
) -> Result<PutAside, Error> {
    let id = nonce::<4>().map_err(|e| Error::read(Path::new("/dev/urandom"), e))?;
    let own = folder(common_dir).join(&id);
    world.files.ensure_dir(&own)?;
    let device = |path: &Path| std::fs::symlink_metadata(path).map(|meta| meta.dev()).ok();
    let here = device(&own);
    let mut items = Vec::new();
    for (number, (path, bytes)) in paths.iter().enumerate() {
        let place = match device(path) {
            Some(device) if Some(device) == here => own.clone(),
            _ => near(path).join(".handover-put-aside").join(&id),
        };
        items.push(Item {
            path: escape_path(path),
            bytes: *bytes,
            from_hex: to_hex(path),
            to_hex: to_hex(&place.join(number.to_string())),
        });
    }
    let note = PutAside { format: FORMAT, id, what: what.to_owned(), at: now, items };
    let path = own.join(notes::NAME);
    let text = serde_json::to_vec_pretty(&note)
        .map_err(|e| Error::Damaged { path: path.clone(), why: e.to_string() })?;
    world.files.replace(&path, &text, 0o644, None)?;
    for item in &note.items {
        let to = item.to();
        if let Some(dir) = to.parent() {
            world.files.ensure_dir(dir)?;
        }
        world.files.rename_new(&item.from(), &to)?;
    }
    Ok(note)
}

/// Everything that is aside, newest first; a damaged note is an error.
///
/// # Errors
/// The folder or a note cannot be read.
pub fn list(common_dir: &Path) -> Result<Vec<PutAside>, Error> {
    let is_ours = |note: &PutAside, name: &OsStr| note.format == FORMAT && name == note.id.as_str();
    let mut all: Vec<PutAside> = notes::list(&folder(common_dir), LARGEST, is_ours)?;
    all.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.id.cmp(&other.id)));
    Ok(all)
}

/// Reads one note.
///
/// # Errors
/// In words: it is damaged, or of a form that this program does not know.
pub fn read_bytes(bytes: &[u8]) -> Result<PutAside, String> {
    notes::read(bytes, |note: &PutAside| note.format == FORMAT)
}

/// The entry of an id, or of the unique start of one.
///
/// # Errors
/// There is none, or there are several.
pub fn find(common_dir: &Path, id: &str) -> Result<PutAside, Error> {
    let mut fit = list(common_dir)?.into_iter().filter(|note| id.len() >= 4 && note.id.starts_with(id));
    match (fit.next(), fit.next()) {
        (Some(one), None) => Ok(one),
        _ => Err(Error::NotInTrash { id: one_line(id, 40) }),
    }
}

/// Puts everything of an entry back.
///
/// # Errors
/// [`Error::Occupied`] if something is in one of the old places, or a link now
/// leads elsewhere from there: nothing is moved then. A rename failed: what went before is back.
pub fn restore(world: &World, common_dir: &Path, note: &PutAside) -> Result<(), Error> {
    let aside = || note.items.iter().filter(|item| item.is_aside());
    let places: Vec<PathBuf> = aside().map(Item::from).filter(|place| is_occupied(place)).collect();
    if !places.is_empty() {
        return Err(Error::Occupied { places });
    }
    for item in aside() {
        let from = item.from();
        if let Some(dir) = from.parent() {
            world.files.ensure_dir(dir)?;
        }
        world.files.rename_new(&item.to(), &from)?;
    }
    forget(world, common_dir, note)
}

/// True if something is there, or the nearest folder above it that is there is not where it was:
/// what was put aside had no link in its path.
fn is_occupied(place: &Path) -> bool {
    let above = place.ancestors().skip(1).find(|dir| dir.symlink_metadata().is_ok());
    let is_moved = |dir: &Path| std::fs::canonicalize(dir).map_or(true, |real| real != dir);
    place.symlink_metadata().is_ok() || above.is_some_and(is_moved)
}

/// What is older than `age`, and so may go for good.
///
/// # Errors
/// As [`list`].
pub fn due(common_dir: &Path, age: Seconds, now: Time) -> Result<Vec<PutAside>, Error> {
    Ok(list(common_dir)?.into_iter().filter(|note| note.at.age(now) > age).collect())
}

/// Deletes an entry for good.
///
/// # Errors
/// A file cannot be deleted: the note stays.
pub fn discard(world: &World, common_dir: &Path, note: &PutAside) -> Result<(), Error> {
    for item in note.items.iter().filter(|item| item.is_aside()) {
        let to = item.to();
        let is_ours = to.parent().and_then(Path::file_name).is_some_and(|name| name == note.id.as_str());
        if !is_ours {
            return Err(Error::Damaged { path: to, why: "it is in no folder of ours".to_owned() });
        }
        if to.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            world.files.remove_tree(&to)?;
        } else {
            world.files.remove_file(&to)?;
        }
    }
    forget(world, common_dir, note)
}

/// Takes the empty folders and the note away.
fn forget(world: &World, common_dir: &Path, note: &PutAside) -> Result<(), Error> {
    for item in &note.items {
        let to = item.to();
        let mut dirs = to.ancestors().skip(1);
        if let Some(own) =
            dirs.next().filter(|dir| dir.file_name().is_some_and(|name| name == note.id.as_str()))
            && !own.starts_with(common_dir)
        {
            world.files.remove_empty_dir(own)?;
            if let Some(hidden) = dirs.next() {
                world.files.remove_empty_dir(hidden)?;
            }
        }
    }
    world.files.remove_tree(&folder(common_dir).join(&note.id))?;
    Ok(())
}

fn folder(common_dir: &Path) -> PathBuf {
    common_dir.join("handover/put-aside")
}

fn to_hex(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of_hex(text: &str) -> PathBuf {
    let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
    let bytes = text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1]));
    PathBuf::from(OsString::from_vec(bytes.collect()))
}
