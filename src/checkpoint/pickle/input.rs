use super::LONGEST;
use crate::checkpoint::source::{Fault, Source};

/// How much is read at once.
const WINDOW: usize = 64 * 1024;
/// The longest text that is kept.
const LONGEST_TEXT: u64 = 256;
/// The longest line of an old text opcode.
const LONGEST_LINE: usize = 4096;

/// Reads forward through a source, in windows.
pub(super) struct Input<'s> {
    source: &'s dyn Source,
    window: Vec<u8>,
    /// Where the window begins in the source.
    start: u64,
    /// Where the reader stands in the source.
    at: u64,
    /// Where the pickle began.
    began: u64,
}

impl<'s> Input<'s> {
    pub fn new(source: &'s dyn Source, offset: u64) -> Input<'s> {
        Input { source, window: Vec::new(), start: offset, at: offset, began: offset }
    }

    /// Where the reader stands.
    pub fn at(&self) -> u64 {
        self.at
    }

    pub fn byte(&mut self) -> Result<u8, Fault> {
        let within = self.at - self.start;
        if let Some(byte) = usize::try_from(within).ok().and_then(|within| self.window.get(within)) {
            self.at += 1;
            return Ok(*byte);
        }
        self.load()?;
        let byte = self.window.first().copied().ok_or_else(cut_short)?;
        self.at += 1;
        Ok(byte)
    }

    /// A number of up to eight bytes, the lowest first.
    pub fn number(&mut self, length: usize) -> Result<u64, Fault> {
        let mut number = 0;
        for place in 0..length.min(8) {
            number |= u64::from(self.byte()?) << (8 * place);
        }
        Ok(number)
    }

    /// The eight bytes of a number that has its highest first.
    pub fn float(&mut self) -> Result<f64, Fault> {
        Ok(f64::from_bits(self.number(8)?.swap_bytes()))
    }

    /// Passes over bytes.
    pub fn skip(&mut self, length: u64) -> Result<(), Fault> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.source.size());
        self.at = end.ok_or_else(cut_short)?;
        self.guard()
    }

    /// Text of a stated length; `None` if it is too long to be kept, or no UTF-8.
    pub fn text(&mut self, length: u64) -> Result<Option<String>, Fault> {
        if length > LONGEST_TEXT {
            self.skip(length)?;
            return Ok(None);
        }
        let bytes = (0..length).map(|_| self.byte()).collect::<Result<Vec<u8>, Fault>>()?;
        Ok(String::from_utf8(bytes).ok())
    }

    /// A line, without its end.
    pub fn line(&mut self) -> Result<String, Fault> {
        let mut line = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned()),
                // A long one is text of an old protocol, of which nothing is kept.
                byte if line.len() < LONGEST_LINE => line.push(byte),
                _ => {}
            }
        }
    }

    fn load(&mut self) -> Result<(), Fault> {
        self.guard()?;
        let rest = self.source.size().saturating_sub(self.at);
        if rest == 0 {
            return Err(cut_short());
        }
        let length = usize::try_from(rest).map_or(WINDOW, |rest| rest.min(WINDOW));
        self.window.resize(length, 0);
        self.source.fill(self.at, &mut self.window)?;
        self.start = self.at;
        Ok(())
    }

    fn guard(&self) -> Result<(), Fault> {
        if self.at - self.began > LONGEST {
            return Err(Fault::Unreadable(format!(
                "its pickle is longer than {} MiB, which is not walked",
                LONGEST >> 20
            )));
        }
        Ok(())
    }
}

fn cut_short() -> Fault {
    Fault::Damaged("its pickle ends before its STOP".to_owned())
}
