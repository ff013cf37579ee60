//! Globs over paths: `*` and `?` within a name, `**` over folders.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use walkdir::WalkDir;

/// A glob, split into its names. Other signs of shells (`[`, `{`) mean themselves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob {
    is_absolute: bool,
    parts: Vec<Vec<u8>>,
}

impl Glob {
    /// Reads a glob of paths below some folder; `None` if it is empty or leads
    /// out of that folder.
    pub fn read(text: &str) -> Option<Glob> {
        let glob = Glob::anywhere(Path::new(text.trim()));
        let leads_out = glob.parts.iter().any(|part| part.as_slice() == b"..");
        (!glob.parts.is_empty() && !leads_out).then_some(glob)
    }

    /// Takes any path for a glob.
    pub fn anywhere(path: &Path) -> Glob {
        let bytes = path.as_os_str().as_bytes();
        let parts = bytes.split(|byte| *byte == b'/').filter(|part| !part.is_empty() && *part != b".");
        Glob { is_absolute: bytes.starts_with(b"/"), parts: parts.map(<[u8]>::to_vec).collect() }
    }

    /// True if it names more than one path may have.
    pub fn is_open(&self) -> bool {
        self.parts.iter().any(|part| is_open(part))
    }

    /// True if a path below `base` fits; a relative glob counts from there.
    pub fn fits_below(&self, base: &Path, path: &Path) -> bool {
        // Of thousands of files none is taken apart for that.
        if !self.parts.is_empty() && self.parts.iter().all(|part| part.as_slice() == b"**") {
            return true;
        }
        if self.is_absolute { self.fits(path) } else { self.fits(path.strip_prefix(base).unwrap_or(path)) }
    }

    /// The files that fit below `base`, sorted, at most `most` entries looked
    /// at, no link followed; and whether that was all.
    pub fn files(&self, base: &Path, most: usize) -> (Vec<PathBuf>, bool) {
        let mut found = Vec::new();
        let walk = WalkDir::new(base.join(self.folder()))
            .max_depth(self.depth().unwrap_or(usize::MAX))
            .sort_by_file_name()
            .into_iter()
            .filter_entry(|entry| entry.depth() == 0 || entry.file_name() != ".git");
        for (number, entry) in walk.filter_map(Result::ok).enumerate() {
            if number >= most {
                return (found, false);
            }
            if entry.file_type().is_file() && self.fits_below(base, entry.path()) {
                found.push(entry.into_path());
            }
        }
        (found, true)
    }

    /// The folder above everything that can match.
    pub fn folder(&self) -> PathBuf {
        let literal =
            self.parts.iter().take(self.parts.len().saturating_sub(1)).take_while(|part| !is_open(part));
        let start = PathBuf::from(if self.is_absolute { "/" } else { "" });
        literal.fold(start, |path, part| path.join(std::ffi::OsStr::from_bytes(part)))
    }

    /// How deep below that folder a match can be; `None` for any depth.
    pub fn depth(&self) -> Option<usize> {
        let literal = self
            .parts
            .iter()
            .take(self.parts.len().saturating_sub(1))
            .take_while(|part| !is_open(part))
            .count();
        let has_stars = self.parts.iter().any(|part| part.as_slice() == b"**");
        (!has_stars).then(|| self.parts.len() - literal)
    }

    /// True if a path, relative or absolute as the glob is, fits.
    pub fn fits(&self, path: &Path) -> bool {
        let names: Vec<&[u8]> = path
            .components()
            .filter_map(|part| match part {
                Component::Normal(name) => Some(name.as_bytes()),
                Component::ParentDir => Some(b"..".as_slice()),
                _ => None,
            })
            .collect();
        matches_from(&self.parts, &names)
    }
}

/// True if the text can be a glob rather than a name.
fn is_open(part: &[u8]) -> bool {
    part.iter().any(|byte| matches!(byte, b'*' | b'?'))
}

fn matches_from(parts: &[Vec<u8>], names: &[&[u8]]) -> bool {
    // One row per part: which number of names it and those before it can take.
    let mut reached = vec![false; names.len() + 1];
    reached[0] = true;
    for part in parts {
        let mut next = vec![false; names.len() + 1];
        if part.as_slice() == b"**" {
            let first = reached.iter().position(|is| *is).unwrap_or(names.len() + 1);
            (first..=names.len()).for_each(|at| next[at] = true);
        } else {
            for (at, name) in names.iter().enumerate() {
                next[at + 1] = reached[at] && name_matches(part, name);
            }
        }
        reached = next;
    }
    reached[names.len()]
}

/// `*` is any text, `?` any byte; backtracks to the last star alone, so the
/// time is that of the two lengths multiplied.
fn name_matches(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(byte) if *byte == b'?' || *byte == name[n] => {
                p += 1;
                n += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    n = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_within_a_name_and_two_go_through_folders() {
        for (glob, yes, no) in [
            ("logs/**", vec!["logs/a", "logs/a/b.out"], vec!["log/a", "x/logs/a"]),
            ("slurm-*.out", vec!["slurm-1.out", "slurm-.out"], vec!["a/slurm-1.out", "slurm-1.out2"]),
            ("**/*.log", vec!["a.log", "a/b/c.log"], vec!["a.log/b"]),
            ("runs/*/log.?", vec!["runs/7/log.1"], vec!["runs/log.1", "runs/7/8/log.1", "runs/7/log."]),
            ("./a//b", vec!["a/b"], vec!["a"]),
            ("a*b*c", vec!["abc", "aXbYbc"], vec!["abcd"]),
            ("a?c[1].x", vec!["abc[1].x"], vec!["abc1.x"]),
            ("*.tmp", vec!["a.tmp"], vec!["a/c.tmp"]),
        ] {
            let glob = Glob::read(glob).unwrap();
            yes.iter().for_each(|path| assert!(glob.fits(Path::new(path)), "{glob:?} {path}"));
            no.iter().for_each(|path| assert!(!glob.fits(Path::new(path)), "{glob:?} {path}"));
        }
        assert!(Glob::read("../x").is_none() && Glob::read(" ").is_none());
        for (glob, folder, depth) in
            [("/x/y/*.out", "/x/y", Some(1)), ("logs/**", "logs", None), ("a.out", "", Some(1))]
        {
            let glob = Glob::read(glob).unwrap();
            assert_eq!((glob.folder(), glob.depth()), (PathBuf::from(folder), depth));
        }
    }

    #[test]
    fn an_absolute_glob_finds_what_lies_below_the_base_too() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("logs/.git")).unwrap();
        for file in ["logs/b.out", "logs/a.out", "logs/.git/c.out", "logs/a.err"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let (a, b) = (dir.path().join("logs/a.out"), dir.path().join("logs/b.out"));
        for glob in [dir.path().join("logs/**/*.out"), "logs/*.out".into()] {
            let found = Glob::anywhere(&glob).files(dir.path(), 100);
            assert_eq!(found, (vec![a.clone(), b.clone()], true), "{glob:?}");
        }
        assert!(!Glob::read("**").unwrap().files(dir.path(), 2).1);
    }
}
