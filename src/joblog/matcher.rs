//! Finds the few lines of a log that are worth a look.
//!
//! One automaton looks for the literals of all patterns, and for a few of our
//! own, in large blocks; a line that holds one of them is then tried against
//! the patterns whose literals it holds, in the order of the table.

use std::collections::BTreeMap;

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};

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
    /// A script may say which attempt begins here.
    Attempt,
    /// A run or a checkpoint may be named here.
    Mention,
}

const MARKS: [(&str, Mark); 29] = [
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
    ("RESTART_COUNT", Mark::Attempt),
    ("ttempt ", Mark::Attempt),
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

/// The automaton over a table.
pub(super) struct Matcher {
    automaton: AhoCorasick,
    /// Per literal of the automaton.
    meanings: Vec<Meaning>,
    /// Rows without literals: tried on every line.
    always: Vec<usize>,
}

#[derive(Default)]
struct Meaning {
    rows: Vec<usize>,
    marks: Vec<Mark>,
}

/// What a line holds.
#[derive(Default)]
pub(super) struct Hits {
    /// The rows to be tried, in the order of the table.
    pub rows: Vec<usize>,
    /// Our own literals.
    pub marks: Vec<Mark>,
}

impl Hits {
    pub fn has(&self, mark: Mark) -> bool {
        self.marks.contains(&mark)
    }
}

impl Matcher {
    pub fn new(table: &Table) -> Matcher {
        let mut meanings: BTreeMap<Vec<u8>, Meaning> = BTreeMap::new();
        let mut always = Vec::new();
        for (at, row) in table.rows().iter().enumerate() {
            if row.literals.is_empty() {
                always.push(at);
            }
            for literal in &row.literals {
                meanings.entry(literal.clone()).or_default().rows.push(at);
            }
        }
        for (literal, mark) in MARKS {
            meanings.entry(literal.as_bytes().to_vec()).or_default().marks.push(mark);
        }
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::Standard)
            .kind(Some(AhoCorasickKind::DFA))
            .build(meanings.keys())
            .expect("at most some thousand short literals, which `Table` has limited");
        Matcher { automaton, meanings: meanings.into_values().collect(), always }
    }

    /// True if every line must be looked at, because a pattern has no literal.
    pub fn looks_at_every_line(&self) -> bool {
        !self.always.is_empty()
    }

    /// Where the next literal ends, at or after `from`.
    pub fn next(&self, block: &[u8], from: usize) -> Option<usize> {
        let rest = block.get(from..)?;
        self.automaton.find(rest).map(|found| from + found.end())
    }

    /// What a line holds.
    pub fn hits(&self, line: &[u8], hits: &mut Hits) {
        hits.rows.clear();
        hits.marks.clear();
        hits.rows.extend(&self.always);
        for found in self.automaton.find_overlapping_iter(line) {
            let meaning = &self.meanings[found.pattern().as_usize()];
            hits.rows.extend(&meaning.rows);
            hits.marks.extend(&meaning.marks);
        }
        hits.rows.sort_unstable();
        hits.rows.dedup();
    }
}
