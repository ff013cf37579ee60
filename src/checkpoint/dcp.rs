//! `torch.distributed.checkpoint`, which FSDP uses: `.metadata` and `__R_N.distcp`.
//!
//! Source: `torch/distributed/checkpoint/filesystem.py`: `.metadata` is a pickle
//! whose `storage_data` names for each piece its file, offset and length. It is
//! written last, under `.metadata.tmp`, and renamed.

use std::collections::BTreeMap;

use super::facts::Facts;
use super::look::{Entry, Folder, Look};
use super::pickle::{self, Value};
use super::source::{Fault, Source, is_all_nul};

const METADATA: &str = ".metadata";

/// True for such a folder.
pub(super) fn is(folder: &Folder) -> bool {
    folder.has(METADATA) || folder.files().any(|entry| entry.name.ends_with(".distcp"))
}

/// Checks that everything is there that the metadata name.
///
/// # Errors
/// Whatever is wrong or missing.
pub(super) fn read(look: &Look, folder: &Folder) -> Result<Facts, Fault> {
    if !folder.has(METADATA) {
        return Err(Fault::Unfinished(".metadata is missing: it is written last".to_owned()));
    }
    let opened = look.open(&folder.path.join(METADATA)).map_err(|fault| fault.of(METADATA))?;
    if opened.size == 0 {
        return Err(Fault::Damaged(".metadata: it is empty".to_owned()));
    }
    let walked = pickle::walk(&opened, 0).map_err(|fault| fault.of(METADATA))?;
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for dict in &walked.dicts {
        let Some(Value::Text(file)) = pickle::get(dict, "relative_path") else { continue };
        let span = (pickle::number(dict, "offset"), pickle::number(dict, "length"));
        let (Some(offset), Some(length)) = span else { continue };
        let end = ends.entry(file).or_default();
        *end = offset.saturating_add(length).max(*end);
    }
    if ends.is_empty() && folder.files().any(|entry| entry.name.ends_with(".distcp") && entry.size > 0) {
        return Err(Fault::Unreadable(".metadata: it names no file that is known here".to_owned()));
    }
    for (file, end) in ends {
        let shown = crate::safety::one_line(file, 120);
        let Some(entry) = folder.entries.get(file).filter(|_| !file.contains('/')) else {
            return Err(Fault::Damaged(format!("{shown} is missing, which .metadata names")));
        };
        check_file(look, entry, end).map_err(|fault| fault.of(file))?;
    }
    let optimizer = walked.dicts.iter().flatten().any(|(key, _)| key.starts_with("optim"))
        || walked.list.iter().any(|text| text.starts_with("optim"));
    Ok(Facts { optimizer: optimizer.then_some(true), ..Facts::default() })
}

/// A file of pieces must reach to the end of the last one, and hold something there.
fn check_file(look: &Look, entry: &Entry, end: u64) -> Result<(), Fault> {
    let opened = look.open(&entry.path)?;
    if opened.size < end {
        return Err(Fault::Damaged(format!("it is cut short: {} of {end} bytes are there", opened.size)));
    }
    let length = end.min(4096);
    if length > 0 && is_all_nul(&opened.bytes(end - length, length as usize)?) {
        return Err(Fault::Damaged("its end is all NUL".to_owned()));
    }
    Ok(())
}
