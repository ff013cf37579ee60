//! A block as it is looked at: its bytes without escapes, their places in the
//! file, and the number of its lines.

use memchr::{memchr_iter, memchr2, memrchr2};

use crate::joblog::lines::Stripped;

/// A block; asked for line numbers in rising order.
pub(super) struct Block<'b> {
    pub bytes: &'b [u8],
    /// The offset of its first byte in the file.
    pub base: u64,
    /// What was taken out of it, if anything was.
    stripped: Option<&'b Stripped>,
    /// Up to here the newlines are counted.
    counted: usize,
    newlines: Option<u64>,
}

impl<'b> Block<'b> {
    /// Of these bytes; `newlines` is how many stand before it, where that is known.
    pub fn of(raw: &'b [u8], base: u64, stripped: Option<&'b Stripped>, newlines: Option<u64>) -> Block<'b> {
        let bytes = stripped.map_or(raw, Stripped::bytes);
        Block { bytes, base, stripped, counted: 0, newlines }
    }

    /// Where a byte of the block stood in the file.
    pub fn origin(&self, at: usize) -> u64 {
        self.base + self.stripped.map_or(at, |stripped| stripped.origin(at)) as u64
    }

    /// The newlines before a byte.
    pub fn number(&mut self, at: usize) -> Option<u64> {
        if let Some(newlines) = &mut self.newlines
            && at > self.counted
        {
            *newlines += memchr_iter(b'\n', &self.bytes[self.counted..at]).count() as u64;
            self.counted = at;
        }
        self.newlines
    }

    /// Where the line of a byte begins, looked for no further back than `from`.
    pub fn line_start(&self, from: usize, at: usize) -> usize {
        memrchr2(b'\n', b'\r', &self.bytes[from..at]).map_or(from, |found| from + found + 1)
    }

    /// Where the line of a byte ends.
    pub fn line_end(&self, at: usize) -> usize {
        memchr2(b'\n', b'\r', &self.bytes[at..]).map_or(self.bytes.len(), |found| at + found)
    }
}
