//! The notes of what was put away: a folder for each, with a `note.json` in it.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use serde::de::DeserializeOwned;

use super::Error;
use crate::sys::read_regular;

/// The name of a note.
pub const NAME: &str = "note.json";

/// Every note below a folder, in no order; a damaged one is an error.
///
/// `most` is the largest that is read, in bytes; `is_ours` says whether a note
/// has a form that this program writes into a folder of that name.
pub fn list<N: DeserializeOwned>(
    folder: &Path,
    most: usize,
    is_ours: impl Fn(&N, &OsStr) -> bool,
) -> Result<Vec<N>, Error> {
    let names = match std::fs::read_dir(folder) {
        Ok(names) => names,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(Error::read(folder, e)),
    };
    let mut all = Vec::new();
    for name in names {
        let name = name.map_err(|e| Error::read(folder, e))?.file_name();
        let path = folder.join(&name).join(NAME);
        let damaged = |why: String| Error::Damaged { path: path.clone(), why };
        let bytes = match read_regular(&path, most) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(damaged(format!("it is no regular file of at most {most} bytes"))),
            // Cut short before the note was written: nothing was moved yet.
            Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Error::read(&path, e)),
        };
        all.push(read(&bytes, |note| is_ours(note, &name)).map_err(damaged)?);
    }
    Ok(all)
}

/// Reads one note.
///
/// # Errors
/// In words: it is damaged, or of a form that this program does not know.
pub fn read<N: DeserializeOwned>(bytes: &[u8], is_ours: impl Fn(&N) -> bool) -> Result<N, String> {
    let note: N = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    match is_ours(&note) {
        true => Ok(note),
        false => Err("it has a form that this program does not know".to_owned()),
    }
}
