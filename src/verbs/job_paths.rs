//! Where the files of a job lie, links and patterns of names resolved.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use crate::cluster::{Job, filled};

/// How many links are followed for one path, as many as Linux does.
const MOST_LINKS: usize = 40;

/// The job with its paths as they are without links and patterns, and whether
/// that could be said of all of them: a pattern that only the running job can
/// fill may stand for any directory.
pub(super) fn resolved(mut job: Job) -> (Job, bool) {
    let mut all_known = true;
    let files = [job.stdout.clone(), job.stderr.clone(), job.stdin.clone()].map(|path| {
        let path = path?;
        let full = filled(&job, &path);
        all_known &= full.is_some();
        Some(without_links(&full.unwrap_or(path)))
    });
    job.work_dir = job.work_dir.as_deref().map(without_links);
    [job.stdout, job.stderr, job.stdin] = files;
    (job, all_known)
}

/// The path as it is without links, whether or not anything is there: what a
/// dangling link names is made by the first one who writes through it.
pub(super) fn without_links(path: &Path) -> PathBuf {
    if !path.is_absolute() {
        return path.to_owned();
    }
    let mut out = PathBuf::from("/");
    let mut ahead: VecDeque<OsString> = parts(path).collect();
    let mut links = 0;
    while let Some(part) = ahead.pop_front() {
        if part == ".." {
            out.pop();
            continue;
        }
        let next = out.join(&part);
        match std::fs::read_link(&next) {
            Ok(target) if links < MOST_LINKS => {
                links += 1;
                if target.is_absolute() {
                    out = PathBuf::from("/");
                }
                for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
                    ahead.push_front(part);
                }
            }
            _ => out = next,
        }
    }
    out
}

fn parts(path: &Path) -> impl Iterator<Item = OsString> {
    path.components().filter_map(|part| match part {
        Component::Normal(_) | Component::ParentDir => Some(part.as_os_str().to_owned()),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_are_followed_whether_or_not_they_lead_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let top = dir.path().canonicalize().unwrap();
        std::fs::create_dir_all(top.join("w/deep")).unwrap();
        symlink(top.join("w/not/yet.out"), top.join("dangling")).unwrap();
        symlink("w/deep/..", top.join("up")).unwrap();
        symlink("loop", top.join("loop")).unwrap();
        assert_eq!(without_links(&top.join("dangling")), top.join("w/not/yet.out"));
        assert_eq!(without_links(&top.join("up/new/o")), top.join("w/new/o"));
        assert_eq!(without_links(&top.join("loop/x")), top.join("loop/x"));
    }
}
