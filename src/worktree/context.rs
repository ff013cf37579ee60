//! The file in which an agent finds our block as soon as it starts.
//!
//! `CLAUDE.md` only if it is nobody else's: not tracked by HEAD, the base or
//! the upstream, and no file of the user's, here or in another worktree, since
//! the exclude entry holds for all of them. Else `CLAUDE.local.md`. Where the
//! project's own rules would let even that be committed, `CLAUDE/CONTEXT.md`.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Block, Error, exclude, markers, registry};
use crate::git::{GitError, Listed, Repository, list};
use crate::safety::escape_path;
use crate::sys::{TEMPORARY_PREFIX, World};
use crate::terms::{CommitId, Digest};

/// How often a file that keeps changing is tried again.
pub(super) const TRIES: usize = 8;
/// The file in a worktree's private git directory that names the place of the block.
const PLACE_FILE: &str = "handover-context";
/// The largest context file that is touched; agents skip larger ones anyway.
const MOST: u64 = 4 << 20;

/// Which file holds our block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Place {
    /// `CLAUDE.md`, ours alone.
    #[serde(rename = "CLAUDE.md")]
    Shared,
    /// `CLAUDE.local.md`, above the user's own text.
    #[serde(rename = "CLAUDE.local.md")]
    Local,
    /// `CLAUDE/CONTEXT.md`, which no agent reads by itself.
    #[serde(rename = "CLAUDE/CONTEXT.md")]
    Folder,
}

impl Place {
    const ALL: [Place; 3] = [Place::Shared, Place::Local, Place::Folder];

    /// The file, relative to the top of the worktree.
    pub fn file(self) -> &'static str {
        match self {
            Place::Shared => "CLAUDE.md",
            Place::Local => "CLAUDE.local.md",
            Place::Folder => "CLAUDE/CONTEXT.md",
        }
    }
}

/// What became of the block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Written {
    /// Where it stands now.
    pub place: Place,
    /// False if it stood there already, to the byte.
    pub changed: bool,
    /// What was found on the way and should be said, in words.
    pub noticed: Vec<String>,
}

/// Where the block belongs, and why not where one would expect it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The file.
    pub place: Place,
    /// What stood in the way of a better one, in words.
    pub noticed: Vec<String>,
}

/// The bytes of a file, empty if it is not there.
pub(super) struct Bytes {
    pub text: Vec<u8>,
    pub digest: Option<Digest>,
    pub mode: u32,
}

/// Which file the block belongs in; changes nothing.
///
/// `base` is the revision that the branch started from; without it, the one
/// that we wrote down when the worktree was made.
pub fn place(repository: &Repository, base: Option<&str>) -> Result<Placed, Error> {
    best_place(repository, &tracked(repository, base)?, None)
}

/// Writes the block where it belongs, takes it away where it no longer does,
/// and sees to it that it cannot be committed by accident.
///
/// # Errors
/// Markers that are not one pair, a context file that is no regular file of
/// this repository, or one that somebody else keeps changing.
pub fn update(
    world: &World,
    repository: &Repository,
    base: Option<&str>,
    block: &Block,
) -> Result<Written, Error> {
    update_among(world, repository, base, block, None)
}

/// The same for a caller who has just listed the worktrees.
pub fn update_among(
    world: &World,
    repository: &Repository,
    base: Option<&str>,
    block: &Block,
    others: Option<&[Listed]>,
) -> Result<Written, Error> {
    let tracked = tracked(repository, base)?;
    let Placed { mut place, mut noticed } = best_place(repository, &tracked, others)?;
    // A rule of the project that takes a file back in is stronger than ours.
    while place != Place::Folder && !hide(world, repository, place, &mut noticed)? {
        noticed
            .push(format!("{} could be committed by accident, so the block does not go there", place.file()));
        place = if place == Place::Shared && !tracked.local { Place::Local } else { Place::Folder };
    }
    if place == Place::Folder {
        ensure_folder(world, repository)?;
        if !hide(world, repository, place, &mut noticed)? {
            return Err(Error::Exposed { path: place.file().into() });
        }
    }
    let changed = write(world, repository, place, block)?;
    for other in Place::ALL.into_iter().filter(|other| *other != place && !tracked.has(*other)) {
        if take_from(world, repository, other)? {
            noticed.push(format!("an older block was taken out of {}", other.file()));
        }
    }
    if place != Place::Shared {
        show_again(world, repository)?;
    }
    remember(world, repository, place)?;
    Ok(Written { place, changed, noticed })
}

/// Which file holds our block now, if any does.
pub fn present(repository: &Repository) -> Result<Option<Place>, Error> {
    for place in Place::ALL {
        if holds_block(&repository.worktree().join(place.file()))? == Some(true) {
            return Ok(Some(place));
        }
    }
    Ok(None)
}

/// The context files of this worktree that hold more than our block and that
/// git would not miss: what a removal would lose.
pub fn has_user_text(repository: &Repository) -> Result<Vec<PathBuf>, Error> {
    let tracked = tracked(repository, None)?;
    let mut found = Vec::new();
    for place in [Place::Shared, Place::Local].into_iter().filter(|place| !tracked.has(*place)) {
        let path = repository.worktree().join(place.file());
        // What a link points to survives the worktree, or is found there itself.
        if !std::fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_file()) {
            continue;
        }
        let text = bytes_of(&path)?.text;
        let rest = match markers::take(&text) {
            Ok(Some(rest)) => rest,
            // Broken markers: nobody can tell what is ours.
            Ok(None) | Err(_) => text,
        };
        if !markers::is_blank(&rest) {
            found.push(PathBuf::from(place.file()));
        }
    }
    Ok(found)
}

/// Makes `CLAUDE/`, which hides itself from git.
fn ensure_folder(world: &World, repository: &Repository) -> Result<PathBuf, Error> {
    let folder = repository.worktree().join("CLAUDE");
    if folder.is_symlink() {
        return Err(Error::NotAFile { path: folder, why: "it is a link" });
    }
    world.files.ensure_dir(&folder)?;
    match world.files.create_new(&folder.join(".gitignore"), b"*\n", 0o644, false) {
        Err(e) if !e.already_exists() => Err(e.into()),
        _ => Ok(folder),
    }
}

fn best_place(
    repository: &Repository,
    tracked: &Tracked,
    others: Option<&[Listed]>,
) -> Result<Placed, Error> {
    let mut noticed = Vec::new();
    let here = repository.worktree().join(Place::Shared.file());
    if tracked.shared {
        if remembered(repository) == Some(Place::Shared) {
            noticed.push("a tracked CLAUDE.md has come over ours".to_owned());
        }
    } else if holds_block(&here)? == Some(false) {
        noticed.push("CLAUDE.md is the user's own file".to_owned());
    } else if let Some(other) = users_own_elsewhere(repository, others)? {
        noticed.push(format!(
            "{} is the user's own file, which an exclude entry for CLAUDE.md would hide",
            escape_path(other)
        ));
    } else {
        return Ok(Placed { place: Place::Shared, noticed });
    }
    if tracked.local {
        noticed.push("the project tracks CLAUDE.local.md".to_owned());
        return Ok(Placed { place: Place::Folder, noticed });
    }
    Ok(Placed { place: Place::Local, noticed })
}

/// Reads a file whole; one that is not there is empty, with a mode for a new one.
pub(super) fn bytes_of(path: &Path) -> Result<Bytes, Error> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            return Ok(Bytes { text: Vec::new(), digest: None, mode: 0o644 });
        }
        Err(e) => return Err(Error::read(path, e)),
    };
    let refused = |why| Error::NotAFile { path: path.to_owned(), why };
    if !metadata.is_file() {
        return Err(refused("it is no regular file"));
    }
    if metadata.len() > MOST {
        return Err(refused("it is larger than 4 MiB"));
    }
    let text = std::fs::read(path).map_err(|e| Error::read(path, e))?;
    Ok(Bytes { digest: Some(Digest::of(&text)), text, mode: metadata.permissions().mode() & 0o777 })
}

/// Which of the two files the project tracks, in HEAD, index, base or upstream.
struct Tracked {
    shared: bool,
    local: bool,
}

impl Tracked {
    fn has(&self, place: Place) -> bool {
        match place {
            Place::Shared => self.shared,
            Place::Local => self.local,
            Place::Folder => false,
        }
    }
}

fn tracked(repository: &Repository, base: Option<&str>) -> Result<Tracked, Error> {
    let known = match base {
        Some(base) => Some(base.to_owned()),
        None => registry::entry_here(repository)?.and_then(|entry| entry.base.map(|base| base.to_string())),
    };
    let git = repository.git();
    let mut trees = vec!["HEAD".to_owned(), String::new()];
    // Asked by itself, because a branch without one ends the batch below.
    trees.extend(upstream(repository)?.map(|commit| commit.to_string()));
    // A newline would be a second question.
    trees.extend(known.filter(|base| !base.contains('\n')));
    let mut questions = String::new();
    for place in [Place::Shared, Place::Local] {
        for tree in &trees {
            questions.push_str(&format!("{tree}:{}\n", place.file()));
        }
    }
    let answers = git.run_with_input(&["cat-file", "--batch-check=%(objectname)"], questions.into_bytes())?;
    let answers = String::from_utf8_lossy(&answers);
    let found: Vec<bool> =
        answers.lines().map(|line| !line.ends_with(" missing") && !line.ends_with(" ambiguous")).collect();
    if found.len() != 2 * trees.len() {
        let text = answers.into_owned();
        return Err(GitError::Unreadable { command: "cat-file", text }.into());
    }
    let (shared, local) = found.split_at(trees.len());
    Ok(Tracked { shared: shared.contains(&true), local: local.contains(&true) })
}

/// The commit that the branch checked out here follows, as far as it is known here.
fn upstream(repository: &Repository) -> Result<Option<CommitId>, Error> {
    let history = repository.history();
    if !history.has_library() {
        let found = repository.git().try_run(&["rev-parse", "--verify", "--quiet", "@{upstream}"])?;
        return Ok(found.success().then(|| found.text().trim().parse().ok()).flatten());
    }
    let head = repository.git_dir().join("HEAD");
    let head = std::fs::read_to_string(&head).map_err(|e| Error::read(&head, e))?;
    let Some(branch) = head.trim_end().strip_prefix("ref: refs/heads/") else { return Ok(None) };
    match history.upstream(branch)? {
        Some(name) => Ok(history.resolve(&name)?),
        None => Ok(None),
    }
}

/// Whether a file holds our block; `None` if there is no such file.
fn holds_block(path: &Path) -> Result<Option<bool>, Error> {
    match std::fs::symlink_metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Ok(Some(false)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            return Ok(None);
        }
        Err(e) => return Err(Error::read(path, e)),
    }
    // Broken markers are refused later, where the file is named; here they
    // mean that the file is, or was, ours.
    Ok(Some(!matches!(markers::find(&bytes_of(path)?.text), Ok(None))))
}

/// Where the block of this worktree stood last.
fn remembered(repository: &Repository) -> Option<Place> {
    let text = std::fs::read_to_string(repository.git_dir().join(PLACE_FILE)).ok()?;
    Place::ALL.into_iter().find(|place| place.file() == text.trim_end())
}

/// Writes down where the block stands, so that its loss is noticed.
fn remember(world: &World, repository: &Repository, place: Place) -> Result<(), Error> {
    if remembered(repository) == Some(place) {
        return Ok(());
    }
    let path = repository.git_dir().join(PLACE_FILE);
    match world.files.write_cache(&path, format!("{}\n", place.file()).as_bytes()) {
        // A sandbox; then only the remark is missing one day.
        Err(e) if !e.is_forbidden() => Err(e.into()),
        _ => Ok(()),
    }
}

/// Drops the entry that hides `CLAUDE.md` once no worktree has a block there.
fn show_again(world: &World, repository: &Repository) -> Result<(), Error> {
    let entry = entry_of(Place::Shared);
    if !exclude::has(repository, &entry)? {
        return Ok(());
    }
    for worktree in list(repository.git())? {
        if !worktree.is_bare && holds_block(&worktree.path.join(Place::Shared.file()))? == Some(true) {
            return Ok(());
        }
    }
    match exclude::drop(world, repository, &entry) {
        Err(Error::File(e)) if e.is_forbidden() => Ok(()),
        done => done.map(|_| ()),
    }
}

fn entry_of(place: Place) -> Vec<u8> {
    exclude::entry_for(Path::new(place.file())).unwrap_or_default()
}

/// A `CLAUDE.md` of the user's that is not tracked, in another worktree.
fn users_own_elsewhere(repository: &Repository, others: Option<&[Listed]>) -> Result<Option<PathBuf>, Error> {
    let listed = match others {
        Some(listed) => listed,
        None => &list(repository.git())?[..],
    };
    for other in listed {
        let path = other.path.join(Place::Shared.file());
        if other.is_bare || other.path == repository.worktree() || holds_block(&path)? != Some(false) {
            continue;
        }
        let is_tracked = repository.git().at(&other.path).try_run(&[
            "ls-files",
            "--error-unmatch",
            "--",
            Place::Shared.file(),
        ]);
        if !is_tracked.is_ok_and(|finished| finished.success()) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Makes git ignore the file; false if the project's own rules defeat that.
fn hide(
    world: &World,
    repository: &Repository,
    place: Place,
    noticed: &mut Vec<String>,
) -> Result<bool, Error> {
    let git = repository.git();
    let path = target(repository, place)?;
    let inside = path.strip_prefix(repository.worktree()).unwrap_or(&path);
    let file = Path::new(place.file());
    let is_hidden = || Ok::<bool, Error>(git.ignores(file)? && (inside == file || git.ignores(inside)?));
    // Whoever kills us while we write the block leaves a file that git must not see either.
    let temporary = format!("{TEMPORARY_PREFIX}*").into_bytes();
    let was_hidden = is_hidden()?;
    let entries = if was_hidden { vec![temporary] } else { vec![entry_of(place), temporary] };
    // Others add their entries at the same time, and may write over ours.
    for _ in 0..TRIES {
        match exclude::ensure(world, repository, &entries) {
            Ok(false) if was_hidden => return Ok(true),
            Ok(_) => {}
            // A sandbox that keeps the git directory from being written.
            Err(Error::File(e)) if e.is_forbidden() => {
                noticed.push(format!("cannot exclude {} in the git directory: {}", place.file(), e.source));
                break;
            }
            Err(e) => return Err(e),
        }
        // A link's target needs to be hidden too, or the block shows up there.
        if is_hidden()? {
            return Ok(true);
        }
        if exclude::has(repository, &entry_of(place))? {
            break;
        }
    }
    is_hidden()
}

/// The file to write: the one in the worktree, or what a link there leads to.
fn target(repository: &Repository, place: Place) -> Result<PathBuf, Error> {
    let path = repository.worktree().join(place.file());
    let refused = |why| Error::NotAFile { path: path.clone(), why };
    match std::fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_file() => Ok(path),
        Ok(metadata) if metadata.is_symlink() => {
            let real = path.canonicalize().map_err(|_| refused("it is a link that leads nowhere"))?;
            let top = repository.worktree();
            let top = top.canonicalize().map_err(|e| Error::read(top, e))?;
            let inside = real.strip_prefix(&top).ok().filter(|rest| !rest.starts_with(".git"));
            match inside {
                Some(rest) if real.is_file() => Ok(repository.worktree().join(rest)),
                Some(_) => Err(refused("it is a link to something that is no regular file")),
                None => Err(refused("it is a link that leads out of the worktree")),
            }
        }
        Ok(_) => Err(refused("it is no regular file")),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(path),
        Err(e) => Err(Error::read(&path, e)),
    }
}

/// Puts the block into its file by compare and swap; true if that changed it.
fn write(world: &World, repository: &Repository, place: Place, block: &Block) -> Result<bool, Error> {
    let path = target(repository, place)?;
    let body = block.render();
    for _ in 0..TRIES {
        let Bytes { text, digest, mode } = bytes_of(&path)?;
        let new =
            markers::put(&text, &body).map_err(|source| Error::Markers { path: path.clone(), source })?;
        if new == text {
            return Ok(false);
        }
        if world.files.replace(&path, &new, mode, Some(digest))? {
            return Ok(true);
        }
    }
    Err(Error::Contended { path })
}

/// Takes the block out of one file, and the file away if nothing else was in it.
fn take_from(world: &World, repository: &Repository, place: Place) -> Result<bool, Error> {
    let path = match target(repository, place) {
        Ok(path) => path,
        // What we would not write through holds no block of ours.
        Err(Error::NotAFile { .. }) => return Ok(false),
        Err(e) => return Err(e),
    };
    for _ in 0..TRIES {
        let Bytes { text, digest, mode } = bytes_of(&path)?;
        let rest = markers::take(&text).map_err(|source| Error::Markers { path: path.clone(), source })?;
        let Some(rest) = rest else { return Ok(false) };
        if rest.is_empty() && !repository.worktree().join(place.file()).is_symlink() {
            world.files.remove_file(&path)?;
            return Ok(true);
        }
        if world.files.replace(&path, &rest, mode, Some(digest))? {
            return Ok(true);
        }
    }
    Err(Error::Contended { path })
}
