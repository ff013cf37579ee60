//! Files of which git holds a pointer, and Git LFS the content.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::super::objects::names;
use crate::git::{Git, GitError};

/// How a pointer begins (git-lfs, docs/spec.md).
const BEGINS: &[u8] = b"version https://git-lfs.github.com/spec/v1\n";
/// A pointer is shorter than this, in bytes.
const LONGEST: usize = 1024;

/// Which of these paths an attribute gives to Git LFS.
pub fn taken(git: &Git, paths: &[&Path]) -> Result<BTreeSet<PathBuf>, GitError> {
    if paths.is_empty() {
        return Ok(BTreeSet::new());
    }
    // Answers in threes: path, attribute, value.
    let input = names(paths.iter().copied());
    let answer = git.run_with_input(&["check-attr", "-z", "--stdin", "filter"], input)?;
    let fields: Vec<&[u8]> = answer.split(|b| *b == 0).collect();
    Ok(fields
        .chunks_exact(3)
        .filter(|triple| triple[2] == b"lfs")
        .map(|triple| PathBuf::from(OsStr::from_bytes(triple[0])))
        .collect())
}

/// True if what git has stored is a pointer, whatever an attribute says.
pub fn is_pointer(bytes: &[u8]) -> bool {
    bytes.len() < LONGEST && bytes.starts_with(BEGINS)
}

/// Where Git LFS keeps the content of a pointer by default, if it is a sound one.
pub fn behind(bytes: &[u8], common_dir: &Path) -> Option<PathBuf> {
    if !is_pointer(bytes) {
        return None;
    }
    let text = std::str::from_utf8(bytes).ok()?;
    let id = text.lines().find_map(|line| line.strip_prefix("oid sha256:"))?;
    let is_id = id.len() == 64 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_id.then(|| common_dir.join("lfs/objects").join(&id[..2]).join(&id[2..4]).join(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pointer_names_its_content_and_nothing_else() {
        let id = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393";
        let pointer =
            |id: &str| format!("version https://git-lfs.github.com/spec/v1\noid sha256:{id}\nsize 12345\n");
        let path = behind(pointer(id).as_bytes(), Path::new("/g"));
        assert_eq!(path, Some(PathBuf::from(format!("/g/lfs/objects/4d/7a/{id}"))));
        assert_eq!(behind(pointer("../../x").as_bytes(), Path::new("/g")), None);
        assert!(
            !is_pointer(b"weights") && !is_pointer(format!("{}{}", pointer(id), "x".repeat(2000)).as_bytes())
        );
    }
}
