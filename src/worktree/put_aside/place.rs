//! Where a note says that something is or was: in terms that hold when the
//! project is moved, and that mean another thing in a copy of it.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::safety::escape_path;
use crate::sys::read_regular;

/// The largest file that names a directory of git, in bytes.
const MOST: usize = 64 << 10;

/// From where a path of a note is counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Base {
    /// It is a whole path: of this repository if that is still the one that wrote it.
    #[default]
    Whole,
    /// The folder of the note.
    Entry,
    /// The main worktree, which holds the git directory.
    Main,
    /// The linked worktree with this name in the git directory.
    Worktree(String),
}

/// A path, and from where it is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spot {
    pub base: Base,
    /// Without its base.
    pub path: PathBuf,
}

/// By what a repository is told from its copies: a directory that is moved stays
/// the same one, and a copy is another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Repository {
    /// Where its git directory was, for people.
    pub path: String,
    /// The same, byte for byte as hex digits.
    path_hex: String,
    /// The file system of the git directory. A number that a restart may change.
    device: u64,
    /// The git directory's number there.
    inode: u64,
}

impl Repository {
    fn of(common: &Path) -> Option<Repository> {
        let meta = fs::metadata(common).ok()?;
        Some(Repository {
            path: escape_path(common),
            path_hex: to_hex(common),
            device: meta.dev(),
            inode: meta.ino(),
        })
    }

    fn is(&self, other: &Repository) -> bool {
        self.inode == other.inode && (self.device == other.device || self.path_hex == other.path_hex)
    }
}

/// What there is to count paths from.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The git directory that all worktrees share, without links.
    common: PathBuf,
    main: Option<PathBuf>,
    /// The linked worktrees that name this git directory as theirs.
    linked: Vec<(String, PathBuf)>,
    own: Option<Repository>,
}

impl Ground {
    /// That of a repository, by its common git directory.
    pub fn of(common_dir: &Path) -> Ground {
        let common = fs::canonicalize(common_dir).unwrap_or_else(|_| common_dir.to_owned());
        let main = common.parent().filter(|_| common.file_name().is_some_and(|name| name == ".git"));
        Ground {
            main: main.map(Path::to_owned),
            linked: linked(&common),
            own: Repository::of(&common),
            common,
        }
    }

    pub(super) fn repository(&self) -> Option<Repository> {
        self.own.clone()
    }

    /// The folder of a note.
    pub(super) fn entry(&self, id: &str) -> PathBuf {
        super::folder(&self.common).join(id)
    }

    /// A path without links, as a note names it.
    pub(super) fn spot(&self, path: &Path, id: &str) -> Spot {
        let entry = (Base::Entry, self.entry(id));
        let main = self.main.iter().map(|main| (Base::Main, main.clone()));
        let linked = self.linked.iter().map(|(name, root)| (Base::Worktree(name.clone()), root.clone()));
        let bases = main.chain(linked).chain([entry]).filter(|(_, root)| path.starts_with(root));
        // Worktrees may lie in each other.
        match bases.max_by_key(|(_, root)| root.components().count()) {
            Some((base, root)) => Spot { base, path: path.strip_prefix(&root).unwrap_or(path).to_owned() },
            None => Spot { base: Base::Whole, path: path.to_owned() },
        }
    }

    /// The whole path of what a note names.
    ///
    /// # Errors
    /// In words, why that cannot be told, or is not this repository's.
    pub(super) fn path(&self, spot: &Spot, id: &str, wrote: Option<&Repository>) -> Result<PathBuf, String> {
        let shown = escape_path(&spot.path);
        let root = match &spot.base {
            Base::Whole if !spot.path.is_absolute() => return Err(format!("{shown} is no whole path")),
            Base::Whole => return self.own(&spot.path, wrote),
            Base::Entry => self.entry(id),
            Base::Main => self.main.clone().ok_or_else(|| format!("{shown}: there is no main worktree"))?,
            Base::Worktree(name) => {
                let (_, root) = self.linked.iter().find(|(own, _)| own == name).ok_or_else(|| {
                    let name = crate::safety::one_line(name, 80);
                    format!("{shown}: its worktree {name} is not where git has registered it")
                })?;
                root.clone()
            }
        };
        let is_plain = |part: Component| matches!(part, Component::Normal(_));
        match spot.path.as_os_str().is_empty() || !spot.path.components().all(is_plain) {
            true => Err(format!("{shown} leads out of its folder")),
            false => Ok(root.join(&spot.path)),
        }
    }

    fn own(&self, path: &Path, wrote: Option<&Repository>) -> Result<PathBuf, String> {
        let is_below = |root: &PathBuf| path.starts_with(root);
        let is_within = is_below(&self.common)
            || self.main.iter().chain(self.linked.iter().map(|(_, at)| at)).any(is_below);
        let is_ours = wrote.zip(self.own.as_ref()).is_some_and(|(wrote, own)| wrote.is(own));
        if is_within || is_ours {
            return Ok(path.to_owned());
        }
        let whose = match wrote {
            Some(wrote) => format!("of which this is a copy or another: {}", wrote.path),
            None => "that the note does not name".to_owned(),
        };
        Err(format!("{} belongs to a repository {whose}", escape_path(path)))
    }
}

/// The linked worktrees, each proved by its own word on where its git directory is.
fn linked(common: &Path) -> Vec<(String, PathBuf)> {
    let names = fs::read_dir(common.join("worktrees")).into_iter().flatten().filter_map(Result::ok);
    let one = |entry: fs::DirEntry| {
        let admin = fs::canonicalize(entry.path()).ok()?;
        let there = line(&admin.join("gitdir"))?;
        let root = fs::canonicalize(admin.join(there).parent()?).ok()?;
        let back = line(&root.join(".git"))?;
        let back = back.as_os_str().as_bytes().strip_prefix(b"gitdir: ")?.to_owned();
        let back = root.join(OsString::from_vec(back));
        let name = entry.file_name().into_string().ok()?;
        (fs::canonicalize(back).ok()? == admin).then_some((name, root))
    };
    names.filter_map(one).collect()
}

/// The one line of a file of git.
fn line(path: &Path) -> Option<PathBuf> {
    let mut bytes = read_regular(path, MOST).ok()??;
    while bytes.last().is_some_and(|byte| matches!(byte, b'\n' | b'\r')) {
        bytes.pop();
    }
    (!bytes.is_empty()).then(|| PathBuf::from(OsString::from_vec(bytes)))
}

pub(super) fn to_hex(path: &Path) -> String {
    path.as_os_str().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) fn of_hex(text: &str) -> PathBuf {
    let digit = |b: u8| (b as char).to_digit(16).unwrap_or(0) as u8;
    let bytes = text.as_bytes().chunks_exact(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1]));
    PathBuf::from(OsString::from_vec(bytes.collect()))
}
