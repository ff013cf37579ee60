use std::path::{Component, Path};

use super::quote;

/// Where the project is on the other machine, for a shell there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    path: String,
    word: String,
}

/// A path that no line can go to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no line can go to the project at {}: {why}", crate::safety::one_line(path, 120))]
pub struct NoPlace {
    /// The path.
    pub path: String,
    /// Why not.
    pub why: &'static str,
}

impl Place {
    /// A path that begins with `/` or `~/`.
    ///
    /// # Errors
    /// [`NoPlace`] for another beginning, for `..`, and for what cannot be in a line.
    pub fn new(path: &str) -> Result<Place, NoPlace> {
        let path = if path == "/" { path } else { path.trim_end_matches('/') };
        let refused = |why| Err(NoPlace { path: path.to_owned(), why });
        let (head, rest) = match path.strip_prefix("~/") {
            Some(rest) => ("~/", rest),
            None if path.starts_with('/') => ("", path),
            None => return refused("it begins neither with / nor with ~/"),
        };
        let parts = Path::new(rest).components();
        if parts.clone().any(|part| part == Component::ParentDir)
            || !parts.clone().any(|part| matches!(part, Component::Normal(_)))
        {
            return refused("it names no folder of its own");
        }
        match quote::argument(rest) {
            Ok(word) => Ok(Place { path: path.to_owned(), word: format!("{head}{word}") }),
            Err(_) => refused("it has a character that no prompt takes"),
        }
    }

    /// The path as it was given, without a slash at its end.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The path as a word of a line.
    pub fn word(&self) -> &str {
        &self.word
    }

    /// A folder below it.
    ///
    /// # Errors
    /// [`NoPlace`] as for [`Place::new`].
    pub fn below(&self, folder: &str) -> Result<Place, NoPlace> {
        if folder.is_empty() { Ok(self.clone()) } else { Place::new(&format!("{}/{folder}", self.path)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_word_of_a_line_or_is_refused() {
        assert_eq!(Place::new("~/my project/").unwrap().word(), r"~/my\ project");
        assert_eq!(Place::new("/scratch/ann/it's").unwrap().word(), r"/scratch/ann/it$(printf \\047)s");
        for wrong in ["project", "~", "/", "~/../x", "/a/../b", "~root/x", "~/a\nb", "", "~/.", "-x"] {
            assert!(Place::new(wrong).is_err(), "{wrong}");
        }
    }
}
