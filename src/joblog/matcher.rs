//! Finds the few lines of a log that are worth a look.
//!
//! One automaton looks for the literals of the patterns, and for a few of our
//! own, in large blocks; a line that holds one of them is then tried against
//! the patterns whose literals it holds, in the order of the table. What is
//! noise alone is worth no look: its literals count only beside others.

use std::collections::BTreeMap;

use aho_corasick::automaton::{Automaton, StateID};
use aho_corasick::dfa::DFA;
use aho_corasick::{AhoCorasick, AhoCorasickKind, Anchored, MatchKind, StartKind};

use super::finding::Role;
use super::table::Table;

/// Parts of a block that are searched in step. An automaton waits for memory at
/// each byte; several of them wait at the same time.
const LANES: usize = 4;
/// A shorter block is searched in one go.
const SHORT: usize = 512;

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

const MARKS: [(&str, Mark); 33] = [
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

/// The automaton over a table.
pub(super) struct Matcher {
    /// For blocks: over the literals of everything but noise.
    search: DFA,
    start: StateID,
    /// The longest literal, in bytes.
    longest: usize,
    /// For lines: over all literals.
    automaton: AhoCorasick,
    /// Per literal of `automaton`.
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
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(meanings.keys())
            .expect("at most some thousand short literals, which `Table` has limited");
        let is_noise = |row: &usize| table.rows()[*row].role == Role::Noise;
        let calls = |meaning: &Meaning| !meaning.marks.is_empty() || !meaning.rows.iter().all(is_noise);
        let literals: Vec<&Vec<u8>> =
            meanings.iter().filter(|(_, meaning)| calls(meaning)).map(|(literal, _)| literal).collect();
        let search = DFA::builder()
            .match_kind(MatchKind::Standard)
            .start_kind(StartKind::Unanchored)
            .prefilter(false)
            .build(&literals)
            .expect("fewer literals than in the other one");
        let start = search.start_state(Anchored::No).expect("it was built for unanchored searches");
        let longest = literals.iter().map(|literal| literal.len()).max().unwrap_or(0);
        Matcher { search, start, longest, automaton, meanings: meanings.into_values().collect(), always }
    }

    /// True if every line must be looked at, because a pattern has no literal.
    pub fn looks_at_every_line(&self) -> bool {
        !self.always.is_empty()
    }

    /// Where literals end in a block: the places of their last bytes, in rising order.
    #[expect(clippy::needless_range_loop, reason = "the lanes go in step, each through its own part")]
    pub fn places(&self, block: &[u8], places: &mut Vec<usize>) {
        places.clear();
        if block.len() < SHORT {
            self.go(self.start, block, 0, places);
            return;
        }
        // Each part begins early enough to see a literal that ends in it whole.
        let early = self.longest.saturating_sub(1).min(SHORT / 2);
        let step = (block.len() - early) / LANES;
        let parts: [&[u8]; LANES] = std::array::from_fn(|lane| &block[lane * step..][..step + early]);
        let mut found: [Vec<usize>; LANES] = Default::default();
        let mut states = [self.start; LANES];
        for at in 0..step + early {
            let mut is_match = false;
            for lane in 0..LANES {
                states[lane] = self.search.next_state(Anchored::No, states[lane], parts[lane][at]);
                is_match |= self.search.is_special(states[lane]);
            }
            if is_match {
                for lane in 0..LANES {
                    if self.search.is_match(states[lane]) {
                        found[lane].push(lane * step + at);
                    }
                }
            }
        }
        for found in found {
            // What ends in the common part was seen by the one before, too.
            let from = places.last().map_or(0, |last| found.partition_point(|place| place <= last));
            places.extend_from_slice(&found[from..]);
        }
        self.go(states[LANES - 1], block, LANES * step + early, places);
    }

    /// Goes on from a state, at `from`, to the end.
    fn go(&self, mut state: StateID, block: &[u8], from: usize, places: &mut Vec<usize>) {
        for (at, byte) in block.iter().enumerate().skip(from) {
            state = self.search.next_state(Anchored::No, state, *byte);
            if self.search.is_special(state) && self.search.is_match(state) {
                places.push(at);
            }
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_found_wherever_they_stand_in_a_block() {
        let matcher = Matcher::new(Table::builtin());
        let literal = b"CUDA out of memory";
        let mut places = Vec::new();
        for (length, stride) in [(SHORT - 1, 17), (SHORT, 17), (3 * SHORT + 1, 17), (50_000, 997)] {
            let plain = vec![b'.'; length];
            matcher.places(&plain, &mut places);
            assert!(places.is_empty());
            for at in (0..length - literal.len()).step_by(stride).chain([length - literal.len()]) {
                let mut block = plain.clone();
                block[at..at + literal.len()].copy_from_slice(literal);
                matcher.places(&block, &mut places);
                assert_eq!(places.last(), Some(&(at + literal.len() - 1)), "{length} {at}");
                assert!(places.is_sorted() && places[0] >= at);
            }
        }
    }

    #[test]
    fn noise_alone_is_not_looked_at() {
        let matcher = Matcher::new(Table::builtin());
        let mut places = Vec::new();
        matcher
            .places(b"gpu01:1:2 [0] NCCL INFO Channel 00/0 : 0[0] -> 1[1] via P2P/CUMEM/read\n", &mut places);
        assert!(places.is_empty());
        matcher.places(b"epoch 1 step 3 loss 0.25 lr 3e-4\n", &mut places);
        assert!(places.is_empty());
    }
}
