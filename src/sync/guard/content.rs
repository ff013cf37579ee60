//! What stored bytes are, whatever the file is called.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};

use super::Refusal;
use crate::safety::secrets_in_file;

/// Formats of weights and arrays, by how they begin.
const WEIGHTS: [(&[u8], &str); 4] = [
    (b"\x89HDF\r\n\x1a\n", "HDF5"),
    (b"\x93NUMPY", "NumPy"),
    (b"GGUF", "GGUF"),
    // torch.save before 1.6 begins with this pickled number.
    (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "PyTorch"),
];
/// Archives, by how they begin.
const ARCHIVES: [(&[u8], &str); 7] = [
    (b"\x1f\x8b\x08", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
];
/// How the block in a context file begins.
const OWN_BLOCK: &[u8] = b"<!-- handover:begin";

/// So much of a large file says what it is, in bytes.
const HEAD: u64 = 64 * 1024;

/// One look at bytes.
type Check = fn(&[u8]) -> Option<Refusal>;

/// What speaks against stored bytes: the first that nobody has let through.
///
/// Bytes of secrets do not leave this function.
pub fn judge(bytes: &[u8], is_let_through: impl Fn(&Refusal) -> bool) -> Option<Refusal> {
    let checks: [Check; 4] = [binary, own_block, conflict, |bytes| secrets(bytes)];
    checks.iter().filter_map(|check| check(bytes)).find(|why| !is_let_through(why))
}

/// The same of a file that need not fit into memory: its beginning says what it is,
/// and all of it is searched for secrets.
pub fn judge_file(mut file: File, is_let_through: impl Fn(&Refusal) -> bool) -> Option<Refusal> {
    let mut head = Vec::new();
    let begun = file.by_ref().take(HEAD).read_to_end(&mut head).and_then(|_| file.seek(SeekFrom::Start(0)));
    if let Err(e) = begun {
        return Some(Refusal::Unreadable { why: e.to_string() });
    }
    let checks: [Check; 2] = [binary, own_block];
    let found = checks.iter().filter_map(|check| check(&head)).find(|why| !is_let_through(why));
    found.or_else(|| secrets(file).filter(|why| !is_let_through(why)))
}

fn binary(bytes: &[u8]) -> Option<Refusal> {
    let begins = |table: &[(&[u8], &'static str)]| {
        table.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, format)| *format)
    };
    let at = |offset: usize, magic: &[u8]| bytes.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    if let Some(format) = begins(&WEIGHTS) {
        return Some(Refusal::Weights { format });
    }
    if let Some(format) = zip(bytes) {
        return Some(format);
    }
    if at(128, b"DICM") || is_bare_dicom(bytes) {
        return Some(Refusal::Medical { format: "DICOM" });
    }
    if at(344, b"n+1\0") || at(344, b"ni1\0") {
        return Some(Refusal::Medical { format: "NIfTI" });
    }
    if at(0, b"NRRD000") {
        return Some(Refusal::Medical { format: "NRRD" });
    }
    if at(0, b"ObjectType = Image") {
        return Some(Refusal::Medical { format: "MetaImage" });
    }
    if let Some(format) = begins(&ARCHIVES) {
        return Some(Refusal::Archive { format });
    }
    if at(257, b"ustar") {
        return Some(Refusal::Archive { format: "tar" });
    }
    if is_safetensors(bytes) {
        return Some(Refusal::Weights { format: "safetensors" });
    }
    if at(4, b"TFL3") {
        return Some(Refusal::Weights { format: "TFLite" });
    }
    if is_pickle(bytes) {
        return Some(Refusal::Weights { format: "pickle" });
    }
    // e_type 4 in either byte order (elf(5)).
    let is_core = at(0, b"\x7fELF") && matches!(bytes.get(16..18), Some([4, 0] | [0, 4]));
    is_core.then_some(Refusal::CoreDump)
}

/// A zip by its first entry: PyTorch and NumPy write zips of their own.
fn zip(bytes: &[u8]) -> Option<Refusal> {
    if !bytes.starts_with(b"PK\x03\x04") && !bytes.starts_with(b"PK\x05\x06") {
        return None;
    }
    // APPNOTE.TXT 4.3.7: the length of the name is at 26, the name at 30.
    let length = bytes.get(26..28).map_or(0, |two| usize::from(u16::from_le_bytes([two[0], two[1]])));
    let name = bytes.get(30..30 + length).unwrap_or_default();
    Some(if name.ends_with(b"data.pkl") || name.ends_with(b"/.format_version") {
        Refusal::Weights { format: "PyTorch" }
    } else if name.ends_with(b".npy") {
        Refusal::Weights { format: "NumPy" }
    } else {
        Refusal::Archive { format: "zip" }
    })
}

/// A header's length in 8 bytes, then the header: JSON with an object at its top.
fn is_safetensors(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    let length = u64::from_le_bytes(*length);
    (2..=100_000_000).contains(&length) && rest.starts_with(b"{\"")
}

/// Protocol 2 to 5, a frame or an object after it, and the stop sign at the end.
fn is_pickle(bytes: &[u8]) -> bool {
    matches!(bytes, [0x80, 2..=5, rest @ ..] if rest.last() == Some(&b'.'))
}

/// DICOM without its preamble: the first element is of group 2 or 8, which
/// begins every data set, and its length makes sense (PS3.5, section 7.1).
fn is_bare_dicom(bytes: &[u8]) -> bool {
    let Some(head) = bytes.get(..8) else { return false };
    let is_first = matches!(head[..4], [2, 0, 0 | 1, 0] | [8, 0, 0 | 1 | 5 | 8, 0]);
    let has_vr = matches!(&head[4..6], b"UL" | b"OB" | b"CS" | b"UI");
    let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
    is_first && (has_vr || (2..=64).contains(&length))
}

fn own_block(bytes: &[u8]) -> Option<Refusal> {
    let begins = |line: &[u8]| line.starts_with(OWN_BLOCK);
    (contains(bytes, OWN_BLOCK) && bytes.split(|b| *b == b'\n').any(begins)).then_some(Refusal::OwnBlock)
}

fn secrets(reader: impl Read) -> Option<Refusal> {
    match secrets_in_file(reader) {
        Ok(found) => {
            let first = found.named.first()?;
            let more = found.count.saturating_sub(1);
            Some(Refusal::Secret { rule: first.rule.to_owned(), line: first.line, more })
        }
        Err(e) => Some(Refusal::Unreadable { why: e.to_string() }),
    }
}

fn contains(bytes: &[u8], needle: &[u8]) -> bool {
    bytes.windows(needle.len()).any(|window| window == needle)
}

fn conflict(bytes: &[u8]) -> Option<Refusal> {
    first_conflict(bytes).map(|line| Refusal::ConflictMarkers { line })
}

/// The line of the first mark of a conflict, if all three stand there in order.
fn first_conflict(bytes: &[u8]) -> Option<usize> {
    if !bytes.starts_with(b"<<<<<<< ") && !contains(bytes, b"\n<<<<<<< ") {
        return None;
    }
    let mut begun = None;
    let mut divided = false;
    for (number, line) in bytes.split(|b| *b == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.starts_with(b"<<<<<<< ") {
            (begun, divided) = (Some(number + 1), false);
        } else if line == b"=======" {
            divided = begun.is_some();
        } else if line.starts_with(b">>>>>>> ") && divided {
            return begun;
        }
    }
    None
}
