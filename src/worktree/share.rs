//! What a new worktree shares with the main one, by relative links.
//!
//! Never over a tracked path, never in place of anything that is not our own
//! link, and never a virtual environment unless the configuration insists: its
//! scripts hold absolute paths, and an editable install in it points to one
//! checkout, so that tests here would import the code from there.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use serde::Serialize;

use super::naming::relative;
use super::{Error, exclude};
use crate::config::Worktrees;
use crate::git::Repository;
use crate::safety::escape_path;
use crate::sys::World;

/// What became of the configured links.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Shared {
    /// The links that stand now, relative to the top of the worktree.
    #[serde(serialize_with = "crate::terms::path_text")]
    #[cfg_attr(feature = "schema", schemars(with = "Vec<PathBuf>"))]
    pub links: Vec<PathBuf>,
    /// What is configured and there, and was not linked.
    pub skipped: Vec<Skipped>,
    /// How to make a fast virtual environment of one's own, if the project has one.
    pub environment: Option<String>,
}

/// A path that was not linked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Skipped {
    /// The configured path.
    pub path: String,
    /// Why not, in words.
    pub why: String,
}

/// Links what the configuration names and `source`, the main worktree, has.
pub fn link(
    world: &World,
    repository: &Repository,
    source: &Path,
    config: &Worktrees,
) -> Result<Shared, Error> {
    let mut shared = Shared { environment: environment_line(source), ..Shared::default() };
    let mut wanted = Vec::new();
    for text in &config.share {
        let path = PathBuf::from(text);
        match why_not(source, &path, config) {
            Verdict::Absent => {}
            Verdict::No(why) => shared.skipped.push(Skipped { path: escape_path(text), why }),
            Verdict::Yes => wanted.push(path),
        }
    }
    if wanted.is_empty() {
        return Ok(shared);
    }
    let tracked = tracked(repository, &wanted)?;
    for path in wanted {
        let is_tracked = tracked.iter().any(|file| file.starts_with(&path));
        let outcome = if is_tracked {
            Some("the project tracks it".to_owned())
        } else {
            link_one(world, repository, source, &path)?
        };
        match outcome {
            None => shared.links.push(path),
            Some(why) => shared.skipped.push(Skipped { path: escape_path(&path), why }),
        }
    }
    Ok(shared)
}

/// True if `path` is a link that leads into the main worktree, to the same place.
pub fn is_our_link(worktree: &Path, source: &Path, path: &Path) -> bool {
    std::fs::read_link(worktree.join(path)).is_ok_and(|target| target == target_of(worktree, source, path))
}

enum Verdict {
    Absent,
    No(String),
    Yes,
}

fn why_not(source: &Path, path: &Path, config: &Worktrees) -> Verdict {
    let no = |why: &str| Verdict::No(why.to_owned());
    let is_plain = |part: Component| matches!(part, Component::Normal(name) if name != ".git");
    if path.as_os_str().is_empty() || !path.components().all(is_plain) {
        return no("only paths inside the worktree can be shared");
    }
    let there = source.join(path);
    if there.symlink_metadata().is_err() {
        return Verdict::Absent;
    }
    if is_environment(&there) {
        return if config.link_environments {
            Verdict::Yes
        } else {
            no("it is a virtual environment: its absolute paths belong to one checkout")
        };
    }
    if config.private.iter().any(|private| path.starts_with(private)) {
        let is_named_environment =
            path.file_name().is_some_and(|name| ["venv", ".venv", "env"].iter().any(|env| name == *env));
        return if is_named_environment && config.link_environments {
            Verdict::Yes
        } else {
            no("it is private to each worktree")
        };
    }
    Verdict::Yes
}

/// Makes one link; the reason, if that was not right to do.
fn link_one(
    world: &World,
    repository: &Repository,
    source: &Path,
    path: &Path,
) -> Result<Option<String>, Error> {
    let link = repository.worktree().join(path);
    let target = target_of(repository.worktree(), source, path);
    match std::fs::symlink_metadata(&link) {
        Ok(_) if is_our_link(repository.worktree(), source, path) => return Ok(None),
        Ok(_) => return Ok(Some("something else is there already".to_owned())),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
        Err(e) => return Err(Error::read(&link, e)),
    }
    if let Some(why) = parents_in_the_way(repository.worktree(), path) {
        return Ok(Some(why));
    }
    // Hidden first: a link that `git add --all` would take must never exist.
    if !repository.git().ignores(path)? {
        let Some(entry) = exclude::entry_for(path) else {
            return Ok(Some("no exclude entry can name it".to_owned()));
        };
        exclude::ensure(world, repository, &[entry])?;
        if !repository.git().ignores(path)? {
            return Ok(Some("the project's ignore rules would let the link be committed".to_owned()));
        }
    }
    if let Some(dir) = link.parent() {
        world.files.ensure_dir(dir)?;
    }
    match world.files.symlink(&target, &link) {
        Err(e) if e.already_exists() => Ok(Some("something else is there already".to_owned())),
        done => done.map(|()| None).map_err(Error::from),
    }
}

fn target_of(worktree: &Path, source: &Path, path: &Path) -> PathBuf {
    let link = worktree.join(path);
    relative(link.parent().unwrap_or(worktree), &source.join(path))
}

/// A link or file on the way would take our link somewhere else.
fn parents_in_the_way(worktree: &Path, path: &Path) -> Option<String> {
    let parents = path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty());
    for parent in parents {
        if let Ok(metadata) = worktree.join(parent).symlink_metadata()
            && !metadata.is_dir()
        {
            return Some(format!("{} is no directory here", escape_path(parent)));
        }
    }
    None
}

/// The files that the index knows at these paths and below them.
fn tracked(repository: &Repository, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let args = ["ls-files", "-z", "--"].map(OsStr::new);
    let args: Vec<&OsStr> = args.into_iter().chain(paths.iter().map(|path| path.as_os_str())).collect();
    let bytes = repository.git().run(&args)?;
    let files = bytes.split(|b| *b == 0).filter(|file| !file.is_empty());
    Ok(files.map(|file| PathBuf::from(OsStr::from_bytes(file))).collect())
}

fn is_environment(path: &Path) -> bool {
    path.join("pyvenv.cfg").exists() || path.join("conda-meta").exists()
}

/// The line that makes an environment of the worktree's own, fast.
fn environment_line(source: &Path) -> Option<String> {
    let has = |name: &str| source.join(name).exists();
    let line = if has("uv.lock") {
        "uv venv && uv sync"
    } else if has("requirements.txt") {
        "python -m venv .venv && .venv/bin/pip install -r requirements.txt"
    } else if has("pyproject.toml") || has("setup.py") {
        "python -m venv .venv && .venv/bin/pip install -e ."
    } else if ["venv", ".venv", "env"].iter().any(|name| is_environment(&source.join(name))) {
        "python -m venv .venv"
    } else {
        return None;
    };
    Some(line.to_owned())
}
