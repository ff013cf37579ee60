//! Paths that fit a pattern: `*` and `?` stay within one name, `**` goes
//! through folders.

use std::path::{Path, PathBuf};

use regex::Regex;
use walkdir::WalkDir;

/// A pattern of paths below one folder.
pub struct Glob {
    /// The folders before the first wildcard.
    root: PathBuf,
    pattern: Regex,
}

impl Glob {
    /// Reads a pattern; `None` if it makes no sense.
    pub fn read(text: &str) -> Option<Glob> {
        let text = text.trim().trim_start_matches("./");
        let mut parts: Vec<&str> = text.split('/').collect();
        let last = parts.pop()?;
        let plain = parts.iter().take_while(|part| !part.contains(['*', '?', '['])).count();
        if text.is_empty() || parts.iter().chain([&last]).any(|part| *part == "..") {
            return None;
        }
        let root = parts[..plain].join("/");
        let root = if text.starts_with('/') && root.is_empty() { "/".to_owned() } else { root };
        Some(Glob { root: PathBuf::from(root), pattern: Regex::new(&expression(text)).ok()? })
    }

    /// True if a path, relative as the pattern is, fits.
    pub fn fits(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|path| self.pattern.is_match(path))
    }

    /// The files that fit below `base`, at most `most` entries looked at, no
    /// link followed; and whether that was all.
    pub fn files(&self, base: &Path, most: usize) -> (Vec<PathBuf>, bool) {
        let mut found = Vec::new();
        let mut seen = 0;
        let walk = WalkDir::new(base.join(&self.root)).sort_by_file_name().into_iter();
        let walk = walk.filter_entry(|entry| entry.file_name() != ".git");
        for entry in walk.filter_map(Result::ok) {
            seen += 1;
            if seen > most {
                return (found, false);
            }
            let path = entry.path();
            let near = path.strip_prefix(base).unwrap_or(path);
            if entry.file_type().is_file() && self.fits(near) {
                found.push(path.to_owned());
            }
        }
        (found, true)
    }
}

fn expression(glob: &str) -> String {
    let mut out = String::from("^");
    let mut rest = glob;
    while let Some(c) = rest.chars().next() {
        let taken = match c {
            '*' if rest.starts_with("**/") => {
                out.push_str("(?:.*/)?");
                3
            }
            '*' if rest.starts_with("**") => {
                out.push_str(".*");
                2
            }
            '*' => {
                out.push_str("[^/]*");
                1
            }
            '?' => {
                out.push_str("[^/]");
                1
            }
            c => {
                out.push_str(&regex::escape(c.encode_utf8(&mut [0; 4])));
                c.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    out.push('$');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_name_and_two_go_through_folders() {
        for (glob, path, fits) in [
            ("logs/**", "logs/a/b.out", true),
            ("logs/**", "log/a", false),
            ("slurm-*.out", "slurm-1.out", true),
            ("slurm-*.out", "x/slurm-1.out", false),
            ("**/*.tmp", "a.tmp", true),
            ("**/*.tmp", "a/b/c.tmp", true),
            ("*.tmp", "a/c.tmp", false),
            ("a?c[1].x", "abc[1].x", true),
            ("./src/*.py", "src/a.py", true),
        ] {
            assert_eq!(Glob::read(glob).unwrap().fits(Path::new(path)), fits, "{glob} {path}");
        }
        assert!(Glob::read("../x").is_none() && Glob::read("").is_none());
        assert_eq!(Glob::read("logs/a/*.out").unwrap().root, Path::new("logs/a"));
    }
}
