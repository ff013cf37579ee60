//! What is mounted where, as the kernel tells this process.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The mount points at `dir` or below it; `None` if this system has no
/// `/proc/self/mountinfo` (proc(5)).
///
/// A bind mount is among them, which no device number gives away.
pub fn mounts_below(dir: &Path) -> Option<Vec<PathBuf>> {
    let dir = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let text = std::fs::read("/proc/self/mountinfo").ok()?;
    let mut found: Vec<PathBuf> =
        text.split(|b| *b == b'\n').filter_map(mount_point).filter(|point| point.starts_with(&dir)).collect();
    found.sort();
    found.dedup();
    Some(found)
}

/// The fifth field of a line; blanks and the like stand there as `\040`.
fn mount_point(line: &[u8]) -> Option<PathBuf> {
    let field = line.split(|b| *b == b' ').nth(4)?;
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|digits| digits.iter().all(|b| (b'0'..=b'7').contains(b)));
        if let (b'\\', Some(digits)) = (*first, digits) {
            bytes.push(
                digits.iter().fold(0u8, |value, digit| value.wrapping_mul(8).wrapping_add(digit - b'0')),
            );
            rest = &after[3..];
        } else {
            bytes.push(*first);
            rest = after;
        }
    }
    Some(PathBuf::from(OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_point_is_read_with_its_blanks() {
        let line = b"36 35 98:0 /mnt1 /mnt/a\\040b\\134c rw,noatime master:1 - ext3 /dev/root rw";
        assert_eq!(mount_point(line), Some(PathBuf::from("/mnt/a b\\c")));
        assert_eq!(mount_point(b""), None);
    }

    #[test]
    fn the_root_is_mounted_and_a_new_directory_is_not() {
        assert!(mounts_below(Path::new("/")).unwrap().contains(&PathBuf::from("/")));
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(mounts_below(dir.path()), Some(Vec::new()));
    }
}
