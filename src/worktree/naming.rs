//! From the name of a feature to its branch and its directory.

use std::path::{Path, PathBuf};

use super::Error;
use crate::git;
use crate::terms::Digest;

/// The longest directory name that a feature gets, in characters.
const LONGEST: usize = 80;

/// The longest name of a feature, in bytes: it becomes part of a file name.
const LONGEST_FEATURE: usize = 240;

/// Makes sure that a feature's name can be that of a branch, and of nothing else.
pub fn check(feature: &str) -> Result<(), Error> {
    let refused = |why: &str| Err(Error::BadName { feature: feature.to_owned(), why: why.to_owned() });
    let is_id = matches!(feature.len(), 40 | 64) && feature.bytes().all(|b| b.is_ascii_hexdigit());
    if feature.starts_with('-') {
        return refused("it begins with a dash, as an option does");
    }
    if feature.starts_with("refs/") {
        return refused("it begins with refs/, as the full name of a ref does; leave that out");
    }
    if feature.len() > LONGEST_FEATURE {
        return refused("it is longer than a file name may be");
    }
    if matches!(feature, "HEAD" | "@") || is_id {
        return refused("git would take it for a commit");
    }
    if !git::is_branch_name(feature) {
        return refused("git does not allow it as the name of a branch (see git help check-ref-format)");
    }
    Ok(())
}

/// The directory of a feature by the configured template, relative to `anchor`.
///
/// Where another worktree has that directory already, as `a/b` and `a-b` would
/// share one, a short hash of the name is added.
pub fn directory(
    anchor: &Path,
    template: &str,
    repo: &str,
    feature: &str,
    is_taken: impl Fn(&Path) -> bool,
) -> PathBuf {
    let fill = |feature: &str| {
        let text = template.replace("{repo}", &plain(repo)).replace("{feature}", feature);
        tidy(&anchor.join(text))
    };
    let path = fill(&plain(feature));
    if !is_taken(&path) {
        return path;
    }
    let hash = Digest::of(feature.as_bytes()).to_string();
    fill(&format!("{}-{}", plain(feature), &hash[..6]))
}

/// A name of one path component that no shell and no tool minds.
fn plain(name: &str) -> String {
    let kept = |c: char| c.is_alphanumeric() || "._-+=,".contains(c);
    let text: String = name.chars().map(|c| if kept(c) { c } else { '-' }).take(LONGEST).collect();
    text.trim_start_matches(['.', '-']).to_owned()
}

/// The path without `.` and `..`, as far as that can be said without looking.
pub fn tidy(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

/// How to get from the directory `from` to `to`, both absolute and without `..`.
pub fn relative(from: &Path, to: &Path) -> PathBuf {
    let common = from.components().zip(to.components()).take_while(|(a, b)| a == b).count();
    let up = from.components().skip(common).map(|_| "..");
    up.map(PathBuf::from)
        .chain(to.components().skip(common).map(|part| PathBuf::from(part.as_os_str())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_gets_a_plain_directory_beside_the_repository() {
        let dir = |feature: &str| {
            directory(Path::new("/w/project"), "../{repo}.{feature}", "project", feature, |_| false)
        };
        assert_eq!(dir("lr-schedule"), Path::new("/w/project.lr-schedule"));
        assert_eq!(dir("fix/a b$(x)`'"), Path::new("/w/project.fix-a-b--x---"));
        assert_eq!(dir("訓練"), Path::new("/w/project.訓練"));
        assert!(dir(&"x".repeat(300)).as_os_str().len() < 120);
    }

    #[test]
    fn two_features_never_share_a_directory() {
        let taken = |path: &Path| path == Path::new("/w/p.a-b");
        let path = directory(Path::new("/w/p"), "../{repo}.{feature}", "p", "a/b", taken);
        assert!(path.to_str().unwrap().starts_with("/w/p.a-b-"), "{path:?}");
    }

    #[test]
    fn links_are_relative() {
        assert_eq!(relative(Path::new("/w/p.a"), Path::new("/w/p/.env")), Path::new("../p/.env"));
        assert_eq!(relative(Path::new("/w/p.a/x"), Path::new("/w/p/x/data")), Path::new("../../p/x/data"));
        assert_eq!(relative(Path::new("/w/p/.worktrees/a"), Path::new("/w/p/.env")), Path::new("../../.env"));
    }
}
