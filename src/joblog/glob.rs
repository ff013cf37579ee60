//! Globs over paths: `*` and `?` within a name, `**` over folders.

use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

/// A glob, split into its names.
#[derive(Debug, Clone)]
pub(super) struct Glob {
    is_absolute: bool,
    parts: Vec<Vec<u8>>,
}

impl Glob {
    pub fn new(text: &str) -> Glob {
        let parts = text.split('/').filter(|part| !part.is_empty() && *part != ".");
        Glob {
            is_absolute: text.starts_with('/'),
            parts: parts.map(|part| part.as_bytes().to_vec()).collect(),
        }
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

    /// True if it names the path, which is absolute if the glob is.
    pub fn matches(&self, path: &Path) -> bool {
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
pub(super) fn is_open(part: &[u8]) -> bool {
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
    fn globs_match_as_people_expect() {
        for (glob, yes, no) in [
            ("logs/**", vec!["logs/a", "logs/a/b.out"], vec!["log/a", "x/logs/a"]),
            ("slurm-*.out", vec!["slurm-1.out", "slurm-.out"], vec!["a/slurm-1.out", "slurm-1.out2"]),
            ("**/*.log", vec!["a.log", "a/b/c.log"], vec!["a.log/b"]),
            ("runs/*/log.?", vec!["runs/7/log.1"], vec!["runs/log.1", "runs/7/8/log.1", "runs/7/log."]),
            ("./a//b", vec!["a/b"], vec!["a"]),
            ("a*b*c", vec!["abc", "aXbYbc"], vec!["abcd"]),
        ] {
            let glob = Glob::new(glob);
            yes.iter().for_each(|path| assert!(glob.matches(Path::new(path)), "{glob:?} {path}"));
            no.iter().for_each(|path| assert!(!glob.matches(Path::new(path)), "{glob:?} {path}"));
        }
        assert_eq!(
            (Glob::new("/x/y/*.out").folder(), Glob::new("/x/y/*.out").depth()),
            ("/x/y".into(), Some(1))
        );
        assert_eq!((Glob::new("logs/**").folder(), Glob::new("logs/**").depth()), ("logs".into(), None));
        assert_eq!((Glob::new("a.out").folder(), Glob::new("a.out").depth()), (PathBuf::new(), Some(1)));
    }
}
