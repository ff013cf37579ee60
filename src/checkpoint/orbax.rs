//! A step folder of Orbax.
//!
//! Source: `orbax/checkpoint/_src/path/atomicity.py` and `step.py`: written
//! under another name (`.orbax-checkpoint-tmp`) and renamed, or, on file systems
//! without that, committed by `commit_success.txt`. `_CHECKPOINT_METADATA` is
//! the step's, `_METADATA` and `manifest.ocdbt` are those of one item.

use super::facts::Facts;
use super::look::{Entry, Folder, Look};
use super::source::{Fault, Source};

/// Any of these makes a folder one of Orbax.
const MARKS: [&str; 5] =
    ["_CHECKPOINT_METADATA", "orbax.checkpoint", "commit_success.txt", "_METADATA", "manifest.ocdbt"];
const COMMIT: &str = "commit_success.txt";
/// The largest metadata that are read, in bytes.
const LARGEST: u64 = 256 << 20;

/// True for such a folder.
pub(super) fn is(folder: &Folder) -> bool {
    MARKS.iter().any(|mark| folder.has(mark))
}

/// Checks marks, metadata, and that the data of each item are there.
///
/// # Errors
/// Whatever is wrong or missing.
pub(super) fn read(look: &Look, folder: &Folder) -> Result<Facts, Fault> {
    let mut items = vec![folder.clone()];
    for entry in folder.folders() {
        if entry.name.contains("orbax-checkpoint-tmp") {
            let shown = crate::safety::one_line(&entry.name, 120);
            return Err(Fault::Unfinished(format!("the item {shown} has a temporary name")));
        }
        items.push(look.folder(&entry.path).map_err(|fault| fault.of(&entry.name))?);
    }
    let committed = items.iter().filter(|item| item.has(COMMIT)).count();
    if folder.has(COMMIT) || committed == 0 {
        // All at once by renaming, or the step itself is committed.
    } else if let Some(open) = items.iter().skip(1).find(|item| is(item) && !item.has(COMMIT)) {
        let shown = crate::safety::one_line(&open.name(), 120);
        return Err(Fault::Unfinished(format!("{shown}: {COMMIT} is missing")));
    }
    let mut data = 0;
    for item in &items {
        let part = if item.path == folder.path { String::new() } else { item.name() };
        let named = |fault: Fault| if part.is_empty() { fault } else { fault.of(&part) };
        data += check_item(look, item).map_err(named)?;
    }
    if data == 0 {
        return Err(Fault::Unfinished("there are no data in it".to_owned()));
    }
    let optimizer = items.iter().any(|item| item.name().starts_with("opt"));
    Ok(Facts { optimizer: optimizer.then_some(true), ..Facts::default() })
}

/// One item; how many files of data it has.
fn check_item(look: &Look, item: &Folder) -> Result<usize, Fault> {
    for name in ["_METADATA", "_CHECKPOINT_METADATA", "_sharding"] {
        if item.has(name) {
            let bytes = look.small(&item.path.join(name), LARGEST).map_err(|fault| fault.of(name))?;
            let parsed: Result<serde::de::IgnoredAny, _> = serde_json::from_slice(&bytes);
            parsed.map_err(|e| Fault::Damaged(format!("{name}: it cannot be read: {e}")))?;
        }
    }
    if let Some(manifest) = item.entries.get("manifest.ocdbt") {
        check_manifest(look, manifest).map_err(|fault| fault.of("manifest.ocdbt"))?;
    }
    let marks = |name: &str| MARKS.contains(&name) || name == "_sharding";
    let files = item.files().filter(|entry| !marks(&entry.name));
    let folders = item.folders().filter(|entry| !entry.name.starts_with('.'));
    Ok(files.count() + if is(item) { folders.count() } else { 0 })
}

/// A manifest says its own length: four bytes of magic, then eight of length.
fn check_manifest(look: &Look, entry: &Entry) -> Result<(), Fault> {
    let opened = look.open(&entry.path)?;
    if opened.size < 12 {
        return Err(Fault::Damaged(format!("it has {} bytes", opened.size)));
    }
    let head = opened.bytes(0, 12)?;
    if head[..4] != [0x0c, 0xdb, 0x3a, 0x2a] {
        return Err(Fault::Damaged("it does not begin as a manifest does".to_owned()));
    }
    if super::source::u64_at(&head, 4) != opened.size {
        return Err(Fault::Damaged("it is not as long as it says".to_owned()));
    }
    Ok(())
}
