//! Where a block is looked at for progress: everywhere would cost more than all
//! the rest.

use memchr::{memchr2, memrchr2};

use super::block::Block;
use crate::joblog::label;
use crate::joblog::progress::{self, Sample, Samples};

/// How many places of a block are looked at for progress, and how much at each.
const PROBES: usize = 8;
const PROBE: usize = 512;
/// After so many blocks one place of each, and less of its end, is enough.
const MANY_BLOCKS: u32 = 16;
/// A glance reads backwards from the end until a line tells place and loss, or so many tell
/// progress, and so many in all.
const GLANCE: usize = 3;
const GLANCE_LINES: usize = 24;
/// Smaller blocks are looked at for progress as a whole.
const SMALL: usize = 12 * 1024;

/// What was seen of progress so far.
#[derive(Default)]
pub(super) struct Probe {
    pub samples: Samples,
    /// True if the last lines must do.
    pub is_glance: bool,
    /// How many blocks were looked at.
    blocks: u32,
}

impl Probe {
    /// Looks at the whole of a small block, a few places of a large one, and
    /// always its end.
    pub fn block(&mut self, block: &Block) {
        let bytes = block.bytes;
        if self.is_glance {
            if block.base > 0 {
                self.samples_from_end(block);
            }
            return;
        }
        if bytes.len() <= SMALL {
            return self.lines(block, 0, bytes.len());
        }
        self.blocks = self.blocks.saturating_add(1);
        let (probes, tail) = if self.blocks > MANY_BLOCKS { (1, SMALL / 12) } else { (PROBES, SMALL / 4) };
        let tail = bytes.len() - tail;
        for at in 0..probes {
            let from = at * tail / probes;
            let Some(start) = memchr2(b'\n', b'\r', &bytes[from..]).map(|found| from + found + 1) else {
                break;
            };
            self.lines(block, start, (start + PROBE).min(tail));
        }
        self.lines(block, tail, bytes.len());
    }

    fn samples_from_end(&mut self, block: &Block) {
        let is_enough =
            |found: &[Sample]| found.len() == GLANCE || found.iter().any(|sample| sample.loss.is_some());
        let found = last_samples(block, block.bytes.len(), GLANCE_LINES, is_enough);
        found.into_iter().for_each(|sample| self.samples.push(sample));
    }

    fn lines(&mut self, block: &Block, from: usize, to: usize) {
        let bytes = block.bytes;
        let to = to.min(bytes.len());
        if from >= to {
            return;
        }
        // What is being written may be cut anywhere; a bar that is closed is whole.
        let is_whole = matches!(bytes[from..to].trim_ascii_end().last(), Some(b']' | b'}'));
        let to = match memrchr2(b'\n', b'\r', &bytes[from..to]) {
            Some(found) if !is_whole => from + found,
            _ => to,
        };
        let mut at = from;
        while at < to {
            let end = memchr2(b'\n', b'\r', &bytes[at..to]).map_or(to, |found| at + found);
            let line = label::message(&bytes[at..end]);
            if let Some(sample) = progress::sample(line, block.origin(at)) {
                self.samples.push(sample);
            }
            at = end + 1;
        }
    }
}

/// The last samples before a byte of the block, newest first, until they are enough, from
/// at most `lines` lines.
pub(super) fn last_samples(
    block: &Block,
    before: usize,
    lines: usize,
    is_enough: impl Fn(&[Sample]) -> bool,
) -> Vec<Sample> {
    let (mut end, mut found) = (before, Vec::new());
    for _ in 0..lines {
        let start = block.line_start(0, end);
        let line = label::message(&block.bytes[start..end]);
        found.extend(progress::sample(line, block.origin(start)));
        if start == 0 || is_enough(&found) {
            break;
        }
        end = start - 1;
    }
    found
}
