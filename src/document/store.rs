//! Where documents are kept: `docs/` in our folder of the shared git directory
//! is the truth, `CLAUDE/` in a worktree holds the copies that agents read.

use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::seal::{Proof, Sealed, prove};
use crate::git::{Git, GitError};
use crate::safety;
use crate::sys::{FileError, World};
use crate::terms::{AnyKey, Digest, Key, KeyPrefix};

/// The largest document that is read, in bytes.
const MOST: u64 = 4 << 20;

/// The documents of one repository.
#[derive(Debug, Clone)]
pub struct Store {
    home: PathBuf,
}

/// A document as it was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its key.
    pub key: AnyKey,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// The full digest that was kept beside it.
    pub digest: Option<Digest>,
    /// True if it was archived.
    pub is_archived: bool,
}

/// A document that could not be found, read or kept.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No document has such a key.
    #[error("no handover {0} is known here")]
    NotFound(String),
    /// The text fits several keys.
    #[error("{prefix} fits {} handovers: {}", keys.len(), list(keys))]
    Ambiguous {
        /// What was typed.
        prefix: String,
        /// What it fits, in the order of their keys.
        keys: Vec<AnyKey>,
    },
    /// There is no document for this worktree yet.
    #[error("there is no handover of this worktree yet")]
    None,
    /// Two documents both claim to be the newest.
    #[error("this worktree has several newest handovers: {}", list(keys))]
    SeveralLeaves {
        /// Their keys, oldest first.
        keys: Vec<AnyKey>,
    },
    /// A document has the key of another one.
    #[error("another document already has the key {0}")]
    Collision(Key),
    /// What is stored is not what was sealed.
    #[error("the stored document {key} is damaged: {} does not prove its key{}", safety::escape_path(path), intact(copy.as_deref()))]
    Damaged {
        /// Its key.
        key: AnyKey,
        /// The stored file.
        path: PathBuf,
        /// A copy here that proves the key, if there is one.
        copy: Option<PathBuf>,
    },
    /// It is there and cannot be read.
    #[error("cannot read {}", safety::escape_path(path))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It could not be written.
    #[error(transparent)]
    File(#[from] FileError),
}

fn intact(copy: Option<&Path>) -> String {
    copy.map(|copy| format!("; {} does", safety::escape_path(copy))).unwrap_or_default()
}

fn list(keys: &[AnyKey]) -> String {
    let shown: Vec<String> = keys.iter().take(8).map(AnyKey::to_string).collect();
    let more = if keys.len() > 8 { format!(", and {} more", keys.len() - 8) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

impl Store {
    /// The store below our folder of the shared git directory.
    pub fn new(home: impl Into<PathBuf>) -> Store {
        Store { home: home.into() }
    }

    /// The folder of the documents.
    pub fn folder(&self) -> PathBuf {
        self.home.join("docs")
    }

    /// Where the document of a key is.
    pub fn path(&self, key: &AnyKey) -> PathBuf {
        self.folder().join(format!("{key}.md"))
    }

    fn digest_path(&self, key: &AnyKey) -> PathBuf {
        self.folder().join(format!("{key}.sha256"))
    }

    /// The marker of an archived document.
    pub fn archive_marker(&self, key: &AnyKey) -> PathBuf {
        self.home.join("archived").join(key.to_string())
    }

    /// All keys, in rising order. The listing of the folder is the registry.
    pub fn keys(&self) -> Result<Vec<AnyKey>, StoreError> {
        // Something else of that name would hide every document.
        match self.folder().symlink_metadata() {
            Ok(metadata) if !metadata.is_dir() => Err(StoreError::Unreadable {
                path: self.folder(),
                source: io::ErrorKind::NotADirectory.into(),
            }),
            _ => keys_in(&self.folder()),
        }
    }

    /// The one key that `prefix` fits, in the store or among `others`.
    pub fn find(&self, prefix: &KeyPrefix, others: &[AnyKey]) -> Result<AnyKey, StoreError> {
        let mut keys = self.keys()?;
        keys.extend_from_slice(others);
        keys.sort();
        keys.dedup();
        if let Some(exact) = keys.iter().find(|key| key.to_string() == prefix.to_string()) {
            return Ok(exact.clone());
        }
        keys.retain(|key| prefix.fits(key));
        match keys.as_slice() {
            [] => Err(StoreError::NotFound(prefix.to_string())),
            [key] => Ok(key.clone()),
            _ => Err(StoreError::Ambiguous { prefix: prefix.to_string(), keys }),
        }
    }

    /// Reads a document; `None` if the store has none of that key.
    pub fn load(&self, key: &AnyKey) -> Result<Option<Stored>, StoreError> {
        let Some(bytes) = read_file(&self.path(key))? else { return Ok(None) };
        let digest = read_file(&self.digest_path(key))?;
        let digest =
            digest.and_then(|text| String::from_utf8_lossy(&text).split_whitespace().next()?.parse().ok());
        Ok(Some(Stored { key: key.clone(), bytes, digest, is_archived: self.archive_marker(key).exists() }))
    }

    /// Puts the bytes of a document back that what is stored does not hold any
    /// more; the damaged file is kept under another name. Where it is then.
    pub fn replace(&self, world: &World, key: &AnyKey, sound: &[u8]) -> Result<PathBuf, StoreError> {
        let path = self.path(key);
        let tag = crate::sys::nonce::<4>().map_err(|e| FileError::new("name", &path, e))?;
        let aside = self.folder().join(format!("{key}.md.damaged-{tag}"));
        world.files.rename_new(&path, &aside)?;
        world.files.create_new(&path, sound, 0o444, true)?;
        Ok(aside)
    }

    /// Keeps a sealed document, its digest beside it; true if it is new, false
    /// if the same bytes are there already.
    ///
    /// The digest is published first: a document without it could only be
    /// proved by the 32 bits of its key.
    pub fn put(&self, world: &World, sealed: &Sealed) -> Result<bool, StoreError> {
        let key = AnyKey::Proving(sealed.key);
        let files = &world.files;
        files.ensure_dir(&self.folder())?;
        match files.create_new(
            &self.digest_path(&key),
            format!("{}\n", sealed.digest).as_bytes(),
            0o444,
            false,
        ) {
            Err(e) if e.already_exists() => {
                let kept = read_file(&self.digest_path(&key))?.unwrap_or_default();
                if String::from_utf8_lossy(&kept).trim() != sealed.digest.to_string() {
                    return Err(StoreError::Collision(sealed.key));
                }
            }
            done => done?,
        }
        match files.create_new(&self.path(&key), sealed.text.as_bytes(), 0o444, true) {
            Err(e) if e.already_exists() => match read_file(&self.path(&key))? {
                Some(bytes) if bytes == sealed.text.as_bytes() => Ok(false),
                _ => Err(StoreError::Collision(sealed.key)),
            },
            done => Ok(done.map(|()| true)?),
        }
    }
}

impl Stored {
    /// What its bytes say about its key; `None` for a legacy key, which proves nothing.
    pub fn proof(&self) -> Option<Proof> {
        self.key.proving().map(|key| prove(key, &self.bytes, self.digest))
    }
}

/// The copies in one worktree, in its folder `CLAUDE/`.
#[derive(Debug, Clone)]
pub struct Copy {
    folder: PathBuf,
}

impl Copy {
    /// The copies of the worktree at `top`.
    pub fn of(top: &Path) -> Copy {
        Copy { folder: top.join("CLAUDE") }
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the copy of a key is.
    pub fn path(&self, key: &AnyKey) -> PathBuf {
        self.folder.join(format!("{key}.md"))
    }

    /// Where the copy of an archived key is.
    pub fn archived_path(&self, key: &AnyKey) -> PathBuf {
        self.folder.join("archive").join(format!("{key}.md"))
    }

    /// Where an edited copy goes that makes way for the sealed document.
    pub fn edited_path(&self, key: &AnyKey, digest: &str) -> PathBuf {
        self.folder.join("archive").join(format!("{key}.edited-{digest}.md"))
    }

    /// Where the draft is: the body before it is sealed.
    pub fn draft_path(&self) -> PathBuf {
        self.folder.join("DRAFT.md")
    }

    /// Where the draft of a sealed document is put away.
    pub fn archived_draft_path(&self, key: &AnyKey) -> PathBuf {
        self.folder.join("archive").join(format!("DRAFT-{key}.md"))
    }

    /// The keys of all copies, archived ones included.
    pub fn keys(&self) -> Result<Vec<AnyKey>, StoreError> {
        let mut keys = keys_in(&self.folder)?;
        keys.extend(keys_in(&self.folder.join("archive"))?);
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    /// Reads the copy of a key, archived or not.
    pub fn load(&self, key: &AnyKey) -> Result<Option<Vec<u8>>, StoreError> {
        match read_file(&self.path(key))? {
            Some(bytes) => Ok(Some(bytes)),
            None => read_file(&self.archived_path(key)),
        }
    }

    /// True if the copy of a key is a regular file that nobody may write, as we leave it.
    pub fn is_as_written(&self, key: &AnyKey) -> bool {
        let metadata = self.path(key).symlink_metadata();
        metadata.is_ok_and(|metadata| metadata.is_file() && metadata.permissions().readonly())
    }

    /// Writes the copy of a document, making the folder and its `.gitignore`.
    ///
    /// # Errors
    /// Also if `CLAUDE` is there and is no directory: we write through no link.
    pub fn write(&self, world: &World, key: &AnyKey, bytes: &[u8]) -> Result<(), FileError> {
        self.prepare(world)?;
        world.files.write_copy(&self.path(key), bytes, 0o444)
    }

    /// Makes the folder, and keeps git from seeing what is in it.
    pub fn prepare(&self, world: &World) -> Result<(), FileError> {
        if let Ok(metadata) = self.folder.symlink_metadata()
            && !metadata.is_dir()
        {
            return Err(FileError::new(
                "use as a directory",
                &self.folder,
                io::ErrorKind::NotADirectory.into(),
            ));
        }
        world.files.ensure_dir(&self.folder)?;
        // Looking first spares the writing and syncing of a file that is there.
        if self.folder.join(".gitignore").symlink_metadata().is_ok() {
            return Ok(());
        }
        match world.files.create_new(&self.folder.join(".gitignore"), b"*\n", 0o644, false) {
            Err(e) if e.already_exists() => Ok(()),
            done => done,
        }
    }

    /// Makes the folder of archived copies; never through a link.
    pub fn prepare_archive(&self, world: &World) -> Result<(), FileError> {
        self.prepare(world)?;
        let archive = self.folder.join("archive");
        match archive.symlink_metadata() {
            Ok(metadata) if !metadata.is_dir() => {
                Err(FileError::new("use as a directory", &archive, io::ErrorKind::NotADirectory.into()))
            }
            _ => world.files.ensure_dir(&archive),
        }
    }

    /// True if git ignores the copies, so that no `git add` takes them.
    pub fn is_ignored(&self, git: &Git, key: &AnyKey) -> Result<bool, GitError> {
        git.ignores(&self.path(key))
    }
}

/// The keys that name the documents in a folder; other names are passed over.
fn keys_in(folder: &Path) -> Result<Vec<AnyKey>, StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: folder.to_owned(), source };
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(Vec::new());
        }
        Err(e) => return Err(unreadable(e)),
    };
    let mut keys = Vec::new();
    for entry in entries {
        let name = entry.map_err(unreadable)?.file_name();
        keys.extend(name.to_str().and_then(|name| name.strip_suffix(".md")?.parse::<AnyKey>().ok()));
    }
    keys.sort();
    Ok(keys)
}

/// Reads a regular file of at most 4 MiB; `None` if it is not there.
pub fn read_file(path: &Path) -> Result<Option<Vec<u8>>, StoreError> {
    let unreadable = |source| StoreError::Unreadable { path: path.to_owned(), source };
    // A fifo or a device of that name must not make us wait.
    match path.symlink_metadata() {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(unreadable(io::Error::other("it is no regular file"))),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(unreadable(e)),
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MOST + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > MOST {
        return Err(unreadable(io::Error::other(format!("it is larger than {MOST} bytes"))));
    }
    Ok(Some(bytes))
}
