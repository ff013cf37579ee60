//! The records of a `.wandb` file: seven bytes of header, then the log format of
//! LevelDB with a plain CRC-32 over type and data.
//!
//! Blocks of 32 KiB, counted from the start of the file, so the first has seven bytes
//! less for records. A chunk is CRC (4 bytes, little-endian), length (2), type (1), data.
//! A record is one full chunk, or a first, any number of middle ones, and a last.
//! Fewer than seven bytes at the end of a block are padding.

use std::io::{self, Read};

/// The size of a block, in bytes.
pub(super) const BLOCK: usize = 32 * 1024;
/// `:W&B`, 0xBEE1 little-endian, version 0.
pub(super) const HEADER: [u8; 7] = *b":W&B\xe1\xbe\x00";
/// The bytes of a chunk before its data.
const HEAD: usize = 7;

const FULL: u8 = 1;
const FIRST: u8 = 2;
/// Between them, 3 is a middle one.
const LAST: u8 = 4;

/// What a walk over records came by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Walked {
    /// Records that were whole.
    pub records: u64,
    /// Records that were whole and larger than what is kept; they were not visited.
    pub large: u64,
    /// Chunks or parts of records that make no sense, before the end of the file.
    pub damaged: u64,
    /// True if the end of the last record is missing.
    pub torn: bool,
}

/// Where in a record the walk is.
enum Part {
    /// Between records.
    Between,
    /// In a record whose beginning was seen.
    Inside,
    /// In a record that is too large to keep.
    Large,
    /// In a record whose beginning was not seen, because the walk began here.
    Unseen,
}

/// Visits each record from `from`, which stands at `offset` of its file: just behind the
/// header, or at the beginning of a block, where the walk first looks for the
/// beginning of a record. Records over `most` bytes are counted and passed by.
///
/// # Errors
/// `from` cannot be read.
pub(super) fn walk(
    mut from: impl Read,
    offset: u64,
    most: usize,
    mut visit: impl FnMut(&[u8]),
) -> io::Result<Walked> {
    let mut walked = Walked::default();
    let mut part = if offset > HEADER.len() as u64 { Part::Unseen } else { Part::Between };
    let mut record = Vec::new();
    let mut block = Vec::with_capacity(BLOCK);
    let mut room = BLOCK - (offset % BLOCK as u64) as usize;
    loop {
        block.clear();
        from.by_ref().take(room as u64).read_to_end(&mut block)?;
        let is_last = block.len() < room;
        let mut rest = block.as_slice();
        let mut bad = false;
        while let Some((kind, data, after)) = chunk(rest) {
            rest = after;
            part = match (kind, part) {
                (FULL | FIRST, Part::Inside | Part::Large) => {
                    walked.damaged += 1;
                    begin(kind, data, most, &mut record)
                }
                (FULL | FIRST, _) => begin(kind, data, most, &mut record),
                (_, Part::Unseen) if kind == LAST => Part::Between,
                (_, Part::Unseen) => Part::Unseen,
                // The end of a record whose beginning was damaged.
                (_, Part::Between) => Part::Between,
                (_, Part::Inside) if record.len() + data.len() > most => Part::Large,
                (_, Part::Inside) => {
                    record.extend_from_slice(data);
                    Part::Inside
                }
                (_, Part::Large) => Part::Large,
            };
            if kind == FULL || kind == LAST {
                match part {
                    Part::Inside => {
                        walked.records += 1;
                        visit(&record);
                    }
                    Part::Large => {
                        walked.records += 1;
                        walked.large += 1;
                    }
                    Part::Between | Part::Unseen => {}
                }
                part = Part::Between;
            }
        }
        // Less than a chunk's head is padding, in a block that goes to its end.
        if rest.len() >= HEAD || (is_last && !rest.is_empty()) {
            bad = true;
        }
        if is_last {
            walked.torn = bad || matches!(part, Part::Inside | Part::Large);
            return Ok(walked);
        }
        if bad {
            // Its length cannot be trusted: go on with the next block, as LevelDB does.
            walked.damaged += 1;
            part = Part::Unseen;
        }
        room = BLOCK;
    }
}

fn begin(kind: u8, data: &[u8], most: usize, record: &mut Vec<u8>) -> Part {
    debug_assert!(kind == FULL || kind == FIRST);
    record.clear();
    if data.len() > most {
        return Part::Large;
    }
    record.extend_from_slice(data);
    Part::Inside
}

/// The chunk at the beginning of what is left of a block: type, data, and what follows.
fn chunk(rest: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let ([c0, c1, c2, c3, l0, l1, kind], after) = rest.split_first_chunk::<HEAD>()?;
    let length = usize::from(u16::from_le_bytes([*l0, *l1]));
    let (data, after) = after.split_at_checked(length)?;
    let is_sound =
        (FULL..=LAST).contains(kind) && crc32(*kind, data) == u32::from_le_bytes([*c0, *c1, *c2, *c3]);
    is_sound.then_some((*kind, data, after))
}

/// The CRC-32 of a chunk: over its type, then its data.
fn crc32(kind: u8, data: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(data);
    hasher.finalize()
}
