use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// Why a reader stops; the words are those of the verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// It cannot be loaded as it was meant.
    Damaged(String),
    /// Something that is written last is not there.
    Unfinished(String),
    /// It could not be read, or holds what is not known here.
    Unreadable(String),
    /// It is not of the format that was looked for, or of any.
    Unrecognised,
}

/// Bytes that are read where they are needed: a file, or a slice in a test.
pub(super) trait Source: Sync {
    /// The size in bytes.
    fn size(&self) -> u64;

    /// Reads what is there at an offset, possibly less than asked for.
    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Exactly `length` bytes; the caller has bounded it.
    fn bytes(&self, offset: u64, length: usize) -> Result<Vec<u8>, Fault> {
        let mut bytes = vec![0; length];
        self.fill(offset, &mut bytes)?;
        Ok(bytes)
    }

    /// Fills a slice.
    fn fill(&self, mut offset: u64, mut into: &mut [u8]) -> Result<(), Fault> {
        while !into.is_empty() {
            match self.read_at(offset, into) {
                Ok(0) => return Err(Fault::Damaged("it ends before its data does".to_owned())),
                Ok(n) => {
                    offset += n as u64;
                    into = &mut into[n..];
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&e)),
            }
        }
        Ok(())
    }
}

/// A regular file with the size that it had when it was opened.
pub(super) struct Opened {
    pub file: File,
    pub size: u64,
}

impl Source for Opened {
    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        self.file.read_at(into, offset)
    }
}

impl Source for &[u8] {
    fn size(&self) -> u64 {
        self.len() as u64
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let length = rest.len().min(into.len());
        into[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }
}

/// What the system says about a file, as a reason.
pub(super) fn unreadable(error: &io::Error) -> Fault {
    Fault::Unreadable(format!("it cannot be read: {error}"))
}

/// True if there is nothing but NUL in it.
pub(super) fn is_all_nul(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// A little-endian number at a place in a record; the caller knows the record's length.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    bytes.get(at..at + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]))
}

/// As [`u16_at`], of four bytes.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

/// As [`u16_at`], of eight bytes.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}
