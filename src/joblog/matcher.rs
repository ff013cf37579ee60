//! Finds the few lines of a log that are worth a look.
//!
//! The literals of the patterns, and a few of our own, are looked for in large
//! blocks; a line that holds one of them is then tried against the patterns
//! whose literals it holds, in the order of the table. What is noise alone is
//! worth no look: its literals are looked for only in lines that hold others.

mod index;

use std::collections::BTreeMap;
use std::ops::Range;

pub(super) use self::index::Found;
use self::index::Index;
use super::finding::Role;
use super::table::Table;

/// What a literal of our own stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// A Python traceback begins.
    Traceback,
    /// The next traceback ends nothing: an exception in a destructor.
    Aside,
    /// The next traceback ends a thread.
    Thread,
    /// The next traceback happened while the one before was dealt with.
    Handling,
    /// The next traceback follows from the one before.
    Consequence,
    /// A job id may stand here.
    JobId,
    /// pytest begins, or ends.
    Tests,
    /// What stands before was the text of a Python warning.
    Warned,
    /// A script may say which attempt begins here.
    Attempt,
    /// A run or a checkpoint may be named here.
    Mention,
}

const MARKS: [(&str, Mark); 34] = [
    ("Traceback (most recent call last)", Mark::Traceback),
    ("Exception ignored in", Mark::Aside),
    ("Exception in thread ", Mark::Thread),
    ("During handling of the above exception", Mark::Handling),
    ("The above exception was the direct cause", Mark::Consequence),
    ("SLURM_JOB_ID", Mark::JobId),
    ("SLURM_JOBID", Mark::JobId),
    ("Job ID", Mark::JobId),
    ("Job id", Mark::JobId),
    ("JobID", Mark::JobId),
    ("JobId", Mark::JobId),
    ("job id", Mark::JobId),
    ("Job: ", Mark::JobId),
    ("*** JOB ", Mark::JobId),
    ("job ", Mark::JobId),
    ("RESTART_COUNT", Mark::Attempt),
    ("ttempt ", Mark::Attempt),
    ("ttempt=", Mark::Attempt),
    ("test session starts", Mark::Tests),
    ("warnings.warn(", Mark::Warned),
    (" passed", Mark::Tests),
    ("ATTEMPT ", Mark::Attempt),
    ("estart ", Mark::Attempt),
    ("RESTART ", Mark::Attempt),
    (" RUN ", Mark::Attempt),
    ("/runs/", Mark::Mention),
    ("saved locally in", Mark::Mention),
    ("wandb sync", Mark::Mention),
    ("setting up run", Mark::Mention),
    ("aving model", Mark::Mention),
    ("heckpoint", Mark::Mention),
    ("Resum", Mark::Mention),
    ("resum", Mark::Mention),
    ("estor", Mark::Mention),
];

/// The literals of a table, and what they mean.
pub(super) struct Matcher {
    index: Index,
    /// Per literal of the index.
    meanings: Vec<Meaning>,
    /// The literals of noise alone, and the rows of each.
    noise: Index,
    noise_rows: Vec<Vec<usize>>,
    /// Rows without literals: tried on every line.
    always: Vec<usize>,
}

#[derive(Default)]
struct Meaning {
    rows: Vec<usize>,
    marks: Vec<Mark>,
    /// True if its line is worth a look.
    calls: bool,
}

/// What a block holds.
#[derive(Default)]
pub(super) struct Held {
    /// The literals that make a line worth a look, by where they end.
    found: Vec<Found>,
}

/// What a line holds.
#[derive(Default)]
pub(super) struct Hits {
    /// The rows to be tried, in the order of the table.
    pub rows: Vec<usize>,
    /// Our own literals.
    pub marks: Vec<Mark>,
    /// What noise was found; kept for its memory.
    noise: Vec<Found>,
}

impl Held {
    /// The first place from a place on that is worth a look.
    pub fn next_place(&self, at: usize) -> Option<usize> {
        self.found.get(self.found.partition_point(|found| found.end <= at)).map(|found| found.end - 1)
    }
}

impl Hits {
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }
}

impl Matcher {
    pub fn new(table: &Table) -> Matcher {
        let mut meanings: BTreeMap<&[u8], Meaning> = BTreeMap::new();
        let mut always = Vec::new();
        for (at, row) in table.rows().iter().enumerate() {
            if row.literals.is_empty() {
                always.push(at);
            }
            for literal in &row.literals {
                let meaning = meanings.entry(literal).or_default();
                meaning.rows.push(at);
                meaning.calls |= row.role != Role::Noise;
            }
        }
        for (literal, mark) in MARKS {
            let meaning = meanings.entry(literal.as_bytes()).or_default();
            meaning.marks.push(mark);
            meaning.calls = true;
        }
        let (calling, noise): (Vec<_>, Vec<_>) = meanings.into_iter().partition(|(_, meaning)| meaning.calls);
        let index = |of: &[(&[u8], Meaning)]| Index::new(of.iter().map(|(text, _)| text.to_vec()).collect());
        Matcher {
            index: index(&calling),
            noise: index(&noise),
            meanings: calling.into_iter().map(|(_, meaning)| meaning).collect(),
            noise_rows: noise.into_iter().map(|(_, meaning)| meaning.rows).collect(),
            always,
        }
    }

    /// True if every line must be looked at, because a pattern has no literal.
    pub fn looks_at_every_line(&self) -> bool {
        !self.always.is_empty()
    }

    /// What a block holds.
    pub fn hold(&self, block: &[u8], held: &mut Held) {
        self.index.find(block, &mut held.found);
    }

    /// What a line of that block holds, noise aside.
    pub fn hits(&self, held: &Held, line: Range<usize>, hits: &mut Hits) {
        hits.rows.clear();
        hits.marks.clear();
        hits.rows.extend(&self.always);
        let from = held.found.partition_point(|found| found.end <= line.start);
        for found in held.found[from..].iter().take_while(|found| found.end <= line.end) {
            if found.end - self.index.length(found.literal) < line.start {
                continue;
            }
            let meaning = &self.meanings[found.literal];
            hits.rows.extend(&meaning.rows);
            hits.marks.extend(&meaning.marks);
        }
        hits.rows.sort_unstable();
        hits.rows.dedup();
    }

    /// Adds the rows of the noise that a line holds.
    pub fn add_noise(&self, line: &[u8], hits: &mut Hits) {
        self.noise.find(line, &mut hits.noise);
        if hits.noise.is_empty() {
            return;
        }
        let rows = hits.noise.iter().map(|found| &self.noise_rows[found.literal]);
        hits.rows.extend(rows.flatten());
        hits.rows.sort_unstable();
        hits.rows.dedup();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(block: &[u8]) -> Vec<usize> {
        let mut held = Held::default();
        Matcher::new(Table::builtin()).hold(block, &mut held);
        held.found.iter().map(|found| found.end - 1).collect()
    }

    #[test]
    fn noise_alone_is_not_looked_at() {
        let nccl = b"gpu01:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read\n";
        assert!(places(nccl).is_empty());
        assert!(places(b"epoch 1 step 3 loss 0.25 lr 3e-4\n").is_empty());
        assert_eq!(places(b"\nCUDA out of memory\n").last(), Some(&18));
    }

    #[test]
    fn a_line_holds_what_stands_in_it_whole() {
        let matcher = Matcher::new(Table::builtin());
        let (mut held, mut hits) = (Held::default(), Hits::default());
        let block = b"x\nTraceback (most recent call last):\nJob ID 5\nx";
        matcher.hold(block, &mut held);
        for (line, marks) in [
            (0..2, vec![]),
            (2..36, vec![Mark::Traceback]),
            (3..36, vec![]),
            (2..30, vec![]),
            (37..45, vec![Mark::JobId]),
        ] {
            matcher.hits(&held, line.clone(), &mut hits);
            assert_eq!(hits.marks, marks, "{line:?}");
        }
        assert_eq!(held.next_place(0), Some(34));
        assert_eq!(held.next_place(35), Some(42));
        assert_eq!(held.next_place(43), None);
    }
}
