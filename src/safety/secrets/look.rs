//! How far the search may look ahead, so that text that is dense with beginnings is not read again for each of them.

/// So many bytes may be looked at for each byte of the text.
const PER_BYTE: usize = 8;
/// So many may be saved up: what stands alone is looked at in full.
const MOST_SAVED: usize = 64 * 1024;
/// So many bytes are looked at in any case.
pub(super) const SHORT: usize = 128;

/// Kinds of stretches whose end is remembered.
#[derive(Clone, Copy)]
pub(super) enum Stretch {
    /// A line.
    Line,
    /// A value without quotes.
    Bare,
    /// A value within `"`.
    Double,
    /// A value within `'`.
    Single,
    /// A value within a backtick.
    Backtick,
    /// Letters, digits, `_` and `-`.
    Part,
    /// What may stand in a token.
    Token,
    /// A line of a key, which a quote or a backslash may end.
    KeyLine,
}

impl Stretch {
    const ALL: usize = Stretch::KeyLine as usize + 1;

    fn ends(self, byte: u8) -> bool {
        match self {
            Stretch::Line => byte == b'\n',
            Stretch::Bare => byte.is_ascii_whitespace() || b"\"'`\\,;&<>|)]}".contains(&byte),
            Stretch::Double => b"\"\n\r\\".contains(&byte),
            Stretch::Single => b"'\n\r\\".contains(&byte),
            Stretch::Backtick => b"`\n\r\\".contains(&byte),
            Stretch::Part => !(byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')),
            Stretch::Token => !(byte.is_ascii_alphanumeric() || b"_-.~%+/=@,$:".contains(&byte)),
            Stretch::KeyLine => b"\n\\\"'".contains(&byte),
        }
    }
}

/// What the search remembers of what it has read.
#[derive(Default)]
pub(super) struct Look {
    /// The place up to which bytes were granted.
    reached: usize,
    /// So many are left.
    left: usize,
    /// Beginning and end of the last stretch of each kind.
    stretches: [(usize, usize); Stretch::ALL],
    /// The name that was judged last.
    name: (usize, usize),
    /// So many bytes were looked at in all.
    pub read: usize,
}

impl Look {
    /// The search has come to this place.
    pub fn come_to(&mut self, at: usize) {
        self.left = MOST_SAVED.min(self.left + at.saturating_sub(self.reached) * PER_BYTE);
        self.reached = self.reached.max(at);
    }

    /// At the beginning of a text as much may be looked at as behind a long quiet one.
    pub fn new() -> Look {
        Look { left: MOST_SAVED, ..Look::default() }
    }

    /// True if so many bytes may be looked at; then they count.
    pub fn affords(&mut self, bytes: usize) -> bool {
        if bytes > SHORT && bytes > self.left {
            return false;
        }
        self.spend(bytes);
        true
    }

    /// So many bytes were looked at.
    pub fn spend(&mut self, bytes: usize) {
        self.read += bytes;
        if bytes > SHORT {
            self.left = self.left.saturating_sub(bytes);
        }
    }

    /// How much of so many bytes may be looked at: what is left, and always a little.
    pub fn most(&self, wanted: usize) -> usize {
        wanted.min(self.left.max(SHORT))
    }

    /// Where the stretch ends that goes on at a place: each is read once, however many begin in it.
    pub fn end_of(&mut self, kind: Stretch, text: &[u8], from: usize) -> usize {
        let (start, end) = self.stretches[kind as usize];
        if (start..end).contains(&from) {
            return end;
        }
        let length = text[from..].iter().position(|byte| kind.ends(*byte)).unwrap_or(text.len() - from);
        self.read += length;
        self.stretches[kind as usize] = (from, from + length);
        from + length
    }

    /// True if the place stands in the name that was judged last.
    pub fn is_in_name(&self, at: usize) -> bool {
        (self.name.0..self.name.1).contains(&at)
    }

    /// This name is judged now.
    pub fn judges_name(&mut self, start: usize, end: usize) {
        self.name = (start, end);
    }
}
