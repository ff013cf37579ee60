//! What lies where a move will write, and is not in git.
//!
//! Git guards files that it tracks, and files that it merely does not know. What is ignored it
//! overwrites without a word, and that is where results, links to scratch and local settings are.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use walkdir::WalkDir;

use super::Error;
use super::objects::{Blob, Difference};
use crate::git::Repository;

/// So many files of one folder are looked at.
const MOST: usize = 1000;

/// What lies in the places of new files.
pub(super) struct Standing<'d> {
    /// Files that hold the very same bytes.
    pub same: Vec<&'d Difference>,
    /// Files, links and folders that are somebody's.
    pub others: Vec<PathBuf>,
}

/// Looks at each place where the move makes a file that was not there.
pub(super) fn look<'d>(
    repository: &Repository,
    differences: &'d [Difference],
) -> Result<Standing<'d>, Error> {
    let worktree = repository.worktree();
    let goes: BTreeSet<&Path> =
        differences.iter().filter(|entry| !entry.old.is_absent()).map(|entry| entry.path.as_path()).collect();
    let mut others = BTreeSet::new();
    let mut same = Vec::new();
    for entry in differences.iter().filter(|entry| entry.old.is_absent()) {
        if let Some(above) = file_above(worktree, &entry.path, &goes) {
            others.insert(above);
            continue;
        }
        let full = worktree.join(&entry.path);
        let Ok(metadata) = full.symlink_metadata() else { continue };
        if metadata.is_dir() {
            others.extend(strangers_in(worktree, &full, &goes));
        } else if is_same(&blob_of(repository, &entry.path, &metadata)?, &entry.new) {
            same.push(entry);
        } else {
            others.insert(entry.path.clone());
        }
    }
    Ok(Standing { same, others: others.into_iter().collect() })
}

/// True for the same kind and the same bytes; a bit of the mode that differs stays a change of the user's.
fn is_same(here: &Blob, there: &Blob) -> bool {
    here.id == there.id && (here.mode == there.mode || (here.is_file() && there.is_file()))
}

/// What lies at a path, as git would store it, filters and all; of what git
/// stores in no way both mode and id are empty.
pub(super) fn blob_of(repository: &Repository, path: &Path, metadata: &Metadata) -> Result<Blob, Error> {
    if metadata.is_symlink() {
        let Ok(target) = repository.worktree().join(path).read_link() else { return Ok(Blob::strange()) };
        let bytes = target.into_os_string().into_encoded_bytes();
        let id = repository.git().run_with_input(&["hash-object", "--stdin"], bytes)?;
        let id = String::from_utf8_lossy(&id).trim().to_owned();
        return Ok(Blob { mode: "120000".to_owned(), id });
    }
    if !metadata.is_file() {
        return Ok(Blob::strange());
    }
    let mode = if metadata.permissions().mode() & 0o100 == 0 { "100644" } else { "100755" };
    Ok(Blob { mode: mode.to_owned(), id: id_of(repository, path)? })
}

/// The id that git gives to a file as it lies there, filters and all; empty if it cannot.
pub(super) fn id_of(repository: &Repository, path: &Path) -> Result<String, Error> {
    let args = ["hash-object", "--"].map(OsStr::new);
    let hashed = repository.git().try_run(&[&args[..], &[path.as_os_str()]].concat())?;
    Ok(hashed.text().trim().to_owned())
}

/// A file or link where the new path needs a folder, unless the move takes it away.
fn file_above(worktree: &Path, path: &Path, goes: &BTreeSet<&Path>) -> Option<PathBuf> {
    let above = path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty());
    above
        .filter(|above| !goes.contains(above))
        .find(|above| worktree.join(above).symlink_metadata().is_ok_and(|metadata| !metadata.is_dir()))
        .map(Path::to_owned)
}

/// What is in a folder that the move will put a file in the place of, and that it does not take away.
fn strangers_in(worktree: &Path, folder: &Path, goes: &BTreeSet<&Path>) -> Vec<PathBuf> {
    WalkDir::new(folder)
        .into_iter()
        .filter_map(Result::ok)
        .filter(|entry| !entry.file_type().is_dir())
        .filter_map(|entry| entry.path().strip_prefix(worktree).map(Path::to_owned).ok())
        .filter(|path| !goes.contains(path.as_path()))
        .take(MOST)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_a_link_above_is_in_the_way_unless_it_goes() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a"), "x").unwrap();
        std::os::unix::fs::symlink("/nowhere", dir.path().join("l")).unwrap();
        let above = |path: &str, goes: &[&str]| {
            let goes = goes.iter().map(Path::new).collect();
            file_above(dir.path(), Path::new(path), &goes)
        };
        assert_eq!(above("a/b/c", &[]), Some(PathBuf::from("a")));
        assert_eq!(above("l/b", &[]), Some(PathBuf::from("l")));
        assert_eq!(above("a/b", &["a"]), None);
        assert_eq!(above("b/c", &[]), None);
    }
}
