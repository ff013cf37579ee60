use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::facts::Facts;
use super::source::{Fault, Opened, Source, is_all_nul, unreadable};
use super::{Depth, Format, Limits, legacy, pickle, safetensors, tar, torch_zip, zip};
use crate::sys;
use crate::terms::Time;

/// How a look at one run goes: where it may not leave, and how much it reads.
pub(super) struct Look<'l> {
    /// The folder, without links, that no link may lead out of.
    pub root: PathBuf,
    pub depth: Depth,
    pub limits: &'l Limits,
}

/// A file, or a folder that is loaded as one, as a reader saw it.
pub(super) struct Seen {
    pub format: Format,
    pub found: Result<Facts, Fault>,
}

/// One name in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// As text, for reading numbers and words out of it.
    pub name: String,
    pub path: PathBuf,
    pub kind: Kind,
    /// Bytes; of a file.
    pub size: u64,
    pub modified: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    Folder,
    Link,
    Other,
}

/// What a folder holds, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folder {
    pub path: PathBuf,
    pub entries: BTreeMap<String, Entry>,
    /// True if there was more than may be looked at.
    pub cut: bool,
}

impl Folder {
    /// Lists a folder, up to so many names.
    pub fn read(path: &Path, most: usize) -> std::io::Result<Folder> {
        let mut entries = BTreeMap::new();
        let mut cut = false;
        for entry in fs::read_dir(path)? {
            if entries.len() >= most {
                cut = true;
                break;
            }
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            // One that went in the meantime is no longer there to be read.
            let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
            let kind = match metadata.file_type() {
                t if t.is_file() => Kind::File,
                t if t.is_dir() => Kind::Folder,
                t if t.is_symlink() => Kind::Link,
                _ => Kind::Other,
            };
            let modified = modified(&metadata);
            let size = if kind == Kind::File { metadata.len() } else { 0 };
            entries.insert(name.clone(), Entry { name, path, kind, size, modified });
        }
        Ok(Folder { path: path.to_owned(), entries, cut })
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// True if there is something of that name.
    pub fn has(&self, name: &str) -> bool {
        self.entries.contains_key(name)
    }

    /// Everything that is not a folder: a link may stand for a file.
    pub fn files(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| matches!(entry.kind, Kind::File | Kind::Link))
    }

    pub fn folders(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values().filter(|entry| entry.kind == Kind::Folder)
    }
}

/// When a file was last written.
pub(super) fn modified(metadata: &fs::Metadata) -> Option<Time> {
    let since = metadata.modified().ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Time::from_unix(i64::try_from(since.as_secs()).ok()?)
}

impl Look<'_> {
    /// Lists a folder of a checkpoint.
    pub fn folder(&self, path: &Path) -> Result<Folder, Fault> {
        let folder = Folder::read(path, self.limits.entries).map_err(|e| unreadable(&e))?;
        if folder.cut {
            return Err(Fault::Unreadable(format!("it has more than {} files", self.limits.entries)));
        }
        Ok(folder)
    }

    /// Opens a regular file that lies below the root, links resolved.
    pub fn open(&self, path: &Path) -> Result<Opened, Fault> {
        let real = fs::canonicalize(path).map_err(|e| unreadable(&e))?;
        if !real.starts_with(&self.root) {
            return Err(Fault::Unreadable("it is a link that leads outside".to_owned()));
        }
        let file = sys::open_regular(&real).map_err(|e| unreadable(&e))?;
        let file = file.ok_or_else(|| Fault::Unreadable("it is no regular file".to_owned()))?;
        let size = file.metadata().map_err(|e| unreadable(&e))?.len();
        Ok(Opened { file, size })
    }

    /// A small text or JSON file.
    pub fn small(&self, path: &Path, most: u64) -> Result<Vec<u8>, Fault> {
        let opened = self.open(path)?;
        if opened.size > most {
            return Err(Fault::Unreadable(format!("it has {} bytes", opened.size)));
        }
        opened.bytes(0, opened.size as usize)
    }

    /// Recognises a file and checks it.
    pub fn file(&self, path: &Path) -> Seen {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        match self.open(path) {
            Ok(opened) => read(&name, &opened, self.depth, self.limits.threads),
            Err(fault) => Seen { format: by_ending(&name), found: Err(fault) },
        }
    }

    /// Checks a file that belongs to a checkpoint; a fault begins with its name.
    pub fn member(&self, entry: &Entry) -> Result<Facts, Fault> {
        self.file(&entry.path).found.map_err(|fault| fault.of(&entry.name))
    }
}

impl Fault {
    /// The fault of a part, as one of the whole.
    pub fn of(self, part: &str) -> Fault {
        let part = crate::safety::one_line(part, 120);
        match self {
            Fault::Damaged(why) => Fault::Damaged(format!("{part}: {why}")),
            Fault::Unfinished(why) => Fault::Unfinished(format!("{part}: {why}")),
            Fault::Unreadable(why) => Fault::Unreadable(format!("{part}: {why}")),
            Fault::Unrecognised => {
                Fault::Unreadable(format!("{part}: it is in no format that is known here"))
            }
        }
    }
}

/// Recognises bytes by how they begin, and checks them.
pub(super) fn read(name: &str, source: &dyn Source, depth: Depth, threads: usize) -> Seen {
    let seen = |format, found| Seen { format, found };
    if source.size() == 0 {
        return seen(by_ending(name), Err(Fault::Damaged("it is empty".to_owned())));
    }
    let head = match source.bytes(0, source.size().min(512) as usize) {
        Ok(head) => head,
        Err(fault) => return seen(by_ending(name), Err(fault)),
    };
    if head.starts_with(zip::MAGIC) {
        return match torch_zip::read(source, depth, threads) {
            Ok(facts) if facts.lightning => seen(Format::Lightning, Ok(facts)),
            Err(Fault::Unrecognised) => seen(Format::Unknown, Err(Fault::Unrecognised)),
            Err(fault) if by_ending(name) == Format::Lightning => seen(Format::Lightning, Err(fault)),
            found => seen(Format::TorchZip, found),
        };
    }
    if legacy::is(&head) {
        return seen(Format::TorchLegacy, legacy::read(source, depth));
    }
    if tar::is(&head) {
        return seen(Format::TorchTar, tar::read(source, depth));
    }
    if name.ends_with(".safetensors") || (head.get(8) == Some(&b'{') && head[4..8] == [0; 4]) {
        return seen(Format::Safetensors, safetensors::read(source, depth));
    }
    if matches!(head.as_slice(), [0x80, 2..=5, ..]) {
        return seen(Format::Pickle, plain_pickle(source));
    }
    if is_all_nul(&head) {
        let fault = Fault::Damaged("it begins with nothing but NUL".to_owned());
        return seen(by_ending(name), Err(fault));
    }
    if head.starts_with(b"version https://git-lfs") {
        let fault = Fault::Unreadable("it is a pointer of Git LFS; the data are not here".to_owned());
        return seen(by_ending(name), Err(fault));
    }
    seen(Format::Unknown, Err(Fault::Unrecognised))
}

/// One pickle, and the end of the file after it.
fn plain_pickle(source: &dyn Source) -> Result<Facts, Fault> {
    let walked = pickle::walk(source, 0)?;
    if walked.end != source.size() {
        return Err(Fault::Damaged("bytes follow its pickle".to_owned()));
    }
    Ok(Facts::of(&walked))
}

/// What a file should be by its name, where its bytes do not say.
fn by_ending(name: &str) -> Format {
    let name = name.to_ascii_lowercase();
    match name.rsplit('.').next() {
        Some("safetensors") => Format::Safetensors,
        Some("ckpt") => Format::Lightning,
        Some("pt" | "pth" | "bin") => Format::TorchZip,
        _ => Format::Unknown,
    }
}
