use std::borrow::Cow;
use std::path::{Path, PathBuf};

use serde::{Serialize, Serializer};

use super::Known;

/// Something that holds paths, and can tell them as text.
pub trait Paths {
    /// Writes them as text.
    ///
    /// # Errors
    /// The serializer's.
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>;
}

/// Writes paths as JSON, bytes that are no UTF-8 replaced: serde by itself gives
/// up the whole answer for one hostile name. To be used as `serialize_with`.
///
/// # Errors
/// The serializer's.
pub fn path_text<P: Paths, S: Serializer>(paths: &P, to: S) -> Result<S::Ok, S::Error> {
    paths.write(to)
}

fn text(path: &Path) -> Cow<'_, str> {
    path.to_string_lossy()
}

impl Paths for PathBuf {
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        text(self).serialize(to)
    }
}

impl Paths for Option<PathBuf> {
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(|path| text(path)).serialize(to)
    }
}

impl Paths for Known<PathBuf> {
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.as_ref().map(|path| text(path)).serialize(to)
    }
}

impl Paths for Vec<PathBuf> {
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter().map(|path| text(path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStringExt;

    #[test]
    fn a_path_of_other_bytes_is_no_error() {
        #[derive(Serialize)]
        struct Holds {
            #[serde(serialize_with = "path_text")]
            one: PathBuf,
            #[serde(serialize_with = "path_text")]
            maybe: Option<PathBuf>,
            #[serde(serialize_with = "path_text")]
            known: Known<PathBuf>,
            #[serde(serialize_with = "path_text")]
            all: Vec<PathBuf>,
        }
        let path = PathBuf::from(std::ffi::OsString::from_vec(b"a\xffb".to_vec()));
        let holds = Holds {
            one: path.clone(),
            maybe: Some(path.clone()),
            known: Known::Known(path.clone()),
            all: vec![path],
        };
        let text = "a\u{fffd}b";
        let expected =
            serde_json::json!({"one": text, "maybe": text, "known": {"known": text}, "all": [text]});
        assert_eq!(serde_json::to_value(&holds).unwrap(), expected);
    }
}
