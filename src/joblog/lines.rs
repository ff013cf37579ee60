//! Lines as they are: escapes dropped, split at `\n` and `\r`.

use memchr::{memchr, memchr2};

/// A block without terminal escapes, and where its bytes stood.
#[derive(Debug, Default)]
pub(super) struct Stripped {
    bytes: Vec<u8>,
    /// From this position of `bytes` on, so many bytes were taken out before.
    gaps: Vec<(usize, usize)>,
}

impl Stripped {
    /// Drops the escapes of a block; false if it has none: then use it as it is.
    pub fn strip(&mut self, block: &[u8]) -> bool {
        self.gaps.clear();
        let Some(mut at) = memchr(0x1b, block) else { return false };
        self.bytes.clear();
        let mut copied = 0;
        loop {
            self.bytes.extend_from_slice(&block[copied..at]);
            copied = at + escape_length(&block[at..]);
            self.gaps.push((self.bytes.len(), copied - self.bytes.len()));
            match memchr(0x1b, &block[copied..]) {
                Some(next) => at = copied + next,
                None => break,
            }
        }
        self.bytes.extend_from_slice(&block[copied..]);
        true
    }

    /// The block without its escapes.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where in the block a byte stood.
    pub fn origin(&self, at: usize) -> usize {
        let before = self.gaps.partition_point(|(from, _)| *from <= at);
        at + before.checked_sub(1).and_then(|last| self.gaps.get(last)).map_or(0, |(_, taken)| *taken)
    }
}

/// How many bytes the escape at the start of `text` takes (ECMA-48: control
/// sequences, operating system commands up to their end, two-byte escapes).
fn escape_length(text: &[u8]) -> usize {
    match text.get(1) {
        Some(b'[') => {
            let body = text[2..].iter().take(64).take_while(|byte| matches!(byte, 0x20..=0x3f)).count();
            let ends = text.get(2 + body).is_some_and(|byte| matches!(byte, 0x40..=0x7e));
            2 + body + usize::from(ends)
        }
        Some(b']') => {
            let body = &text[2..text.len().min(2 + 512)];
            match memchr2(0x07, 0x1b, body) {
                Some(end) if body[end] == 0x07 => 2 + end + 1,
                Some(end) => 2 + end + if body.get(end + 1) == Some(&b'\\') { 2 } else { 0 },
                // Not ended: text, more likely.
                None => 2,
            }
        }
        Some(0x20..=0x7e) => 2,
        _ => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_dropped_and_bytes_keep_their_place() {
        let block = b"a\x1b[1;31mRed\x1b[0m \x1b]0;title\x07b\x1b(c\x1b";
        let mut stripped = Stripped::default();
        assert!(stripped.strip(block));
        assert_eq!(stripped.bytes(), b"aRed bc");
        for (at, byte) in b"aRed bc".iter().enumerate() {
            assert_eq!(block[stripped.origin(at)], *byte, "{at}");
        }
        assert!(!stripped.strip(b"plain"));
        assert_eq!(stripped.origin(3), 3);
    }
}
