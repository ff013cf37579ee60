//! Files that were put aside instead of deleted, until somebody wants them back
//! or they are old: the trash for what is no worktree.

mod place;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::place::{Base, Ground, Repository};
use self::place::{Spot, of_hex, to_hex};
use super::{Error, notes};
use crate::safety::{escape_path, one_line};
use crate::sys::{TEMPORARY_PREFIX, World, nonce};
use crate::terms::{Bytes, Seconds, Time};

/// The form of the notes.
const FORMAT: u32 = 2;
/// The form in which every path was a whole one.
const WHOLE_PATHS: u32 = 1;
/// The largest note, in bytes.
const LARGEST: usize = 64 << 20;
/// The folder beside runs of another file system.
const HIDDEN: &str = ".handover-put-aside";

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
    /// The repository that did it, to which alone whole paths belong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<Repository>,
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
    /// From where the next is counted.
    #[serde(default)]
    from_base: Base,
    /// Where it was, byte for byte as hex digits, since paths are bytes.
    from_hex: String,
    /// From where the next is counted.
    #[serde(default)]
    to_base: Base,
    /// Where it is, in the same form.
    to_hex: String,
}

/// How it stands with one item now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It is aside, there.
    Aside(PathBuf),
    /// It is not aside, and something is where it was: it never went, or is back.
    Back,
    /// It is neither aside nor where it was: somebody else took it.
    Gone,
    /// Its place cannot be seen, or is not this repository's; why, in words.
    Unseen(String),
}

impl Item {
    fn from(&self) -> Spot {
        Spot { base: self.from_base.clone(), path: of_hex(&self.from_hex) }
    }

    fn to(&self) -> Spot {
        Spot { base: self.to_base.clone(), path: of_hex(&self.to_hex) }
    }
}

impl PutAside {
    /// How it stands with each item; nothing is changed.
    pub fn standings(&self, ground: &Ground) -> Vec<Standing> {
        self.items.iter().map(|item| self.standing(ground, item)).collect()
    }

    /// The sum of what is aside and can be seen.
    pub fn bytes(&self, ground: &Ground) -> Bytes {
        let all = self.items.iter().zip(self.standings(ground));
        let aside = all.filter(|(_, standing)| matches!(standing, Standing::Aside(_)));
        Bytes(aside.map(|(item, _)| item.bytes.0).fold(0, u64::saturating_add))
    }

    fn standing(&self, ground: &Ground, item: &Item) -> Standing {
        let to = match self.place(ground, item) {
            Ok(to) => to,
            Err(why) => return Standing::Unseen(why),
        };
        match to.symlink_metadata() {
            Ok(_) => Standing::Aside(to),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let from = ground.path(&item.from(), &self.id, self.repository.as_ref());
                match from.is_ok_and(|from| from.symlink_metadata().is_ok()) {
                    true => Standing::Back,
                    false => Standing::Gone,
                }
            }
            Err(e) => Standing::Unseen(format!("{}: {e}", escape_path(&to))),
        }
    }

    /// Where an item is if it is aside. The folder that was made for it must be
    /// there: else its file system is not, and nothing is known.
    fn place(&self, ground: &Ground, item: &Item) -> Result<PathBuf, String> {
        let to = ground.path(&item.to(), &self.id, self.repository.as_ref())?;
        let folder = to.parent().filter(|dir| dir.file_name().is_some_and(|name| name == self.id.as_str()));
        let folder = folder.ok_or_else(|| format!("{} is in no folder of ours", escape_path(&to)))?;
        match std::fs::canonicalize(folder) {
            Ok(real) if real == folder => Ok(to),
            Ok(_) => Err(format!("a link leads elsewhere on the way to {}", escape_path(folder))),
            Err(e) => Err(format!("{}: {e}", escape_path(folder))),
        }
    }
}

/// Puts files and folders aside, each by one rename; the note is written first.
/// The paths have no links in them.
///
/// They go below the common directory, or, where that is another file system,
/// into a hidden folder beside the folder that they are in (`near`). If nothing
/// could be moved, no note stays.
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
    let ground = Ground::of(common_dir);
    let own = ground.entry(&id);
    world.files.ensure_dir(&own)?;
    let device = |path: &Path| std::fs::symlink_metadata(path).map(|meta| meta.dev()).ok();
    let here = device(&own);
    let mut items = Vec::new();
    let mut ways = Vec::new();
    for (number, (path, bytes)) in paths.iter().enumerate() {
        let place = match device(path) {
            Some(device) if Some(device) == here => own.clone(),
            _ => near(path).join(HIDDEN).join(&id),
        };
        // Made before the note: a folder that is missing then is one that cannot be seen.
        world.files.ensure_dir(&place)?;
        let to = place.join(number.to_string());
        let (from_spot, to_spot) = (ground.spot(path, &id), ground.spot(&to, &id));
        items.push(Item {
            path: escape_path(path),
            bytes: *bytes,
            from_base: from_spot.base,
            from_hex: to_hex(&from_spot.path),
            to_base: to_spot.base,
            to_hex: to_hex(&to_spot.path),
        });
        ways.push((path, to));
    }
    let repository = ground.repository();
    let note = PutAside { format: FORMAT, id, what: what.to_owned(), at: now, repository, items };
    let path = own.join(notes::NAME);
    let text = serde_json::to_vec_pretty(&note)
        .map_err(|e| Error::Damaged { path: path.clone(), why: e.to_string() })?;
    world.files.replace(&path, &text, 0o644, None)?;
    for (number, (from, to)) in ways.iter().enumerate() {
        if let Err(error) = world.files.rename_new(from, to) {
            if number == 0 {
                forget(world, &ground, &note)?;
            }
            return Err(error.into());
        }
    }
    Ok(note)
}

/// Everything that is aside, newest first; a damaged note is an error.
///
/// # Errors
/// The folder or a note cannot be read.
pub fn list(common_dir: &Path) -> Result<Vec<PutAside>, Error> {
    let is_ours = |note: &PutAside, name: &OsStr| is_known(note) && name == note.id.as_str();
    let mut all: Vec<PutAside> = notes::list(&folder(common_dir), LARGEST, is_ours)?;
    all.sort_by(|one, other| other.at.cmp(&one.at).then_with(|| one.id.cmp(&other.id)));
    Ok(all)
}

fn is_known(note: &PutAside) -> bool {
    matches!(note.format, FORMAT | WHOLE_PATHS)
}

/// Reads one note.
///
/// # Errors
/// In words: it is damaged, or of a form that this program does not know.
pub fn read_bytes(bytes: &[u8]) -> Result<PutAside, String> {
    notes::read(bytes, is_known)
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

/// Puts everything of an entry back; says what was neither aside nor in its place.
///
/// # Errors
/// [`Error::Occupied`] if something is in one of the old places, or a link now
/// leads elsewhere from there; [`Error::NotSeen`] if the place of one cannot be
/// seen, or is not this repository's: nothing is moved then. A rename failed:
/// what went before is back.
pub fn restore(world: &World, common_dir: &Path, note: &PutAside) -> Result<Vec<String>, Error> {
    let ground = Ground::of(common_dir);
    let (mut ways, mut gone, mut unseen) = (Vec::new(), Vec::new(), Vec::new());
    for (item, standing) in note.items.iter().zip(note.standings(&ground)) {
        match standing {
            Standing::Aside(to) => match ground.path(&item.from(), &note.id, note.repository.as_ref()) {
                Ok(from) => ways.push((to, from)),
                Err(why) => unseen.push(why),
            },
            Standing::Back => {}
            Standing::Gone => gone.push(item.path.clone()),
            Standing::Unseen(why) => unseen.push(why),
        }
    }
    if !unseen.is_empty() {
        return Err(Error::NotSeen { id: note.id.clone(), why: unseen });
    }
    let places: Vec<PathBuf> =
        ways.iter().map(|(_, from)| from.clone()).filter(|place| is_occupied(place)).collect();
    if !places.is_empty() {
        return Err(Error::Occupied { places });
    }
    for (to, from) in ways {
        if let Some(dir) = from.parent() {
            world.files.ensure_dir(dir)?;
        }
        world.files.rename_new(&to, &from)?;
    }
    forget(world, &ground, note)?;
    Ok(gone)
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
/// [`Error::NotSeen`] if the place of an item cannot be seen, or is not this
/// repository's: nothing is deleted then. A file cannot be deleted. In both
/// cases the note stays.
pub fn discard(world: &World, common_dir: &Path, note: &PutAside) -> Result<(), Error> {
    let ground = Ground::of(common_dir);
    let standings = note.standings(&ground);
    let unseen: Vec<String> = standings
        .iter()
        .filter_map(|one| match one {
            Standing::Unseen(why) => Some(why.clone()),
            _ => None,
        })
        .collect();
    if !unseen.is_empty() {
        return Err(Error::NotSeen { id: note.id.clone(), why: unseen });
    }
    for standing in standings {
        let Standing::Aside(to) = standing else { continue };
        if to.symlink_metadata().is_ok_and(|meta| meta.is_dir()) {
            world.files.remove_tree(&to)?;
        } else {
            world.files.remove_file(&to)?;
        }
    }
    forget(world, &ground, note)
}

/// Takes the note and the empty folders away; never anything that is in them.
fn forget(world: &World, ground: &Ground, note: &PutAside) -> Result<(), Error> {
    let own = ground.entry(&note.id);
    let places: BTreeSet<PathBuf> = note
        .items
        .iter()
        .filter_map(|item| note.place(ground, item).ok()?.parent().map(Path::to_owned))
        .filter(|place| *place != own)
        .collect();
    for place in places {
        let is_empty = world.files.remove_empty_dir(&place)?;
        if let Some(hidden) = place.parent().filter(|dir| is_empty && dir.ends_with(HIDDEN)) {
            world.files.remove_empty_dir(hidden)?;
        }
    }
    let names = std::fs::read_dir(&own).map_err(|e| Error::read(&own, e))?;
    for name in names {
        let name = name.map_err(|e| Error::read(&own, e))?.file_name();
        if name.to_str().is_some_and(|name| name.starts_with(TEMPORARY_PREFIX)) {
            world.files.remove_file(&own.join(&name))?;
        } else if name != notes::NAME {
            let why = "it is in no note, so the note beside it stays".to_owned();
            return Err(Error::Damaged { path: own.join(name), why });
        }
    }
    world.files.remove_file(&own.join(notes::NAME))?;
    world.files.remove_empty_dir(&own)?;
    Ok(())
}

fn folder(common_dir: &Path) -> PathBuf {
    common_dir.join("handover/put-aside")
}
