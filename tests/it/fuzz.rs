//! The fuzz targets, driven by a mutation of real text from a fixed seed: the
//! same inputs in every run, and no compiler but the usual one.

use std::fs;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};

use crate::support::kill::{figure, proofs_are_full};

#[path = "../../fuzz/src/lib.rs"]
mod targets;
use targets::TARGETS;

/// Inputs for each target: with every test, and when the proofs run whole.
const SAMPLE: usize = 1_500;
const WHOLE: usize = 150_000;
/// The longest input, in bytes.
const MOST: usize = 8 * 1024;

/// Pieces that mean something to one reader or another.
const PIECES: [&str; 44] = [
    "\n",
    "\r\n",
    "\0",
    "\u{1e}",
    "\u{1f}",
    "\t",
    "|",
    "  ",
    "---\n",
    "===",
    "...",
    ": ",
    "{",
    "}",
    "[",
    "]",
    "\"",
    "\\",
    "'",
    "`",
    "```",
    "$(x)",
    "\u{1b}[31m",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "é",
    "名",
    "<!-- handover:begin -->",
    "<!-- handover:end -->",
    "HO-20261121-0341-7f3a9c2e",
    "HO-20260106-1423-a1b2",
    "4294967295",
    "18446744073709551616",
    "-1",
    "0",
    "1-3,7,9-12%4",
    "0-4294967295:1",
    "365-00:00:00",
    "UNLIMITED",
    "Unknown",
    "CANCELLED by 0",
    "gpu:a100:4(S:0-1)",
    "NodeName=",
];

#[test]
fn no_reader_of_outside_text_panics() {
    let seeds = seeds();
    let inputs = if proofs_are_full() { WHOLE } else { SAMPLE };
    let failures: Vec<String> = std::thread::scope(|threads| {
        let run = |half: usize| {
            let seeds = &seeds;
            threads.spawn(move || {
                let mine = TARGETS.iter().enumerate().filter(move |(at, _)| at % 2 == half);
                mine.filter_map(|(at, target)| drive(*target, seeds, at as u64 + 1, inputs))
                    .collect::<Vec<_>>()
            })
        };
        [run(0), run(1)].into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    figure(&format!("fuzzing: {} readers, {inputs} inputs each, {} panics", TARGETS.len(), failures.len()));
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_target_has_a_program_for_cargo_fuzz() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(fuzz.join(format!("fuzz_targets/{name}.rs")).is_file(), "{name}");
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
    }
}

/// Gives a target its inputs; the first that it cannot stand, in words.
fn drive((name, target): targets::Target, seeds: &[Vec<u8>], seed: u64, inputs: usize) -> Option<String> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    // Every seed as it is, then changed ones.
    let changed = (0..inputs).map(|_| mutated(&mut random, seeds));
    for input in seeds.iter().cloned().chain(changed) {
        if catch_unwind(|| target(&input)).is_err() {
            let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{name}"));
            fs::write(&file, &input).unwrap();
            return Some(format!(
                "{name} panics; the input is in {}: {:?}",
                file.display(),
                String::from_utf8_lossy(&input[..input.len().min(300)])
            ));
        }
    }
    None
}

/// Recorded text and the small forms that are in no recording.
fn seeds() -> Vec<Vec<u8>> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seeds: Vec<Vec<u8>> = PIECES.iter().map(|piece| piece.as_bytes().to_vec()).collect();
    for folder in ["tests/fixtures", "examples", "tests/it/snapshots"] {
        for entry in walkdir::WalkDir::new(top.join(folder)).sort_by_file_name().into_iter().flatten() {
            if entry.file_type().is_file() {
                let mut text = fs::read(entry.path()).unwrap();
                // A snapshot is a document after its own head.
                if entry.path().extension().is_some_and(|ext| ext == "snap") {
                    let head = text.windows(5).position(|window| window == b"\n---\n").map_or(0, |at| at + 5);
                    text.drain(..head);
                }
                text.truncate(MOST);
                seeds.push(text);
            }
        }
    }
    let by_hand = [
        "[rank0]: Traceback (most recent call last):\n[rank0]:   File \"/h/train.py\", line 3, in main\n[rank0]: \
         KeyError: 'x'\nDuring handling of the above exception, another exception occurred:\n\r 45%|##  | 45/100 \
         [00:10<00:12, 4.2it/s, loss=nan]slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO \
         PREEMPTION ***\nSLURM_JOB_ID=12\nResuming from checkpoint /s/last.ckpt\nslurmstepd: error: Detected 1 oom_kill \
         event in StepId=12.batch.\n",
        "{'loss': 2.3, 'epoch': 0.1}\n{\"step\": 3, \"loss\": \"NaN\", \"max_steps\": 9}\nEpoch 3/10\n 45/100 [====>...] - \
         ETA: 12s - loss: 0.3\nEpoch [1][50/7330] eta: 1 day, 4:12:10, loss: 1.1e+400\niter 18446744073709551616: loss -inf\n",
        "# branch.oid 41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e\0# branch.head main\01 .M N... 100644 100644 100644 \
         41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e 41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e a b\0\
         2 R. N... 100644 100644 100644 41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e \
         41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e R100 new\0old\0? c\0u UU N... 1 2 3 4 5 6 7 d\0",
        "worktree /a\0HEAD 41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e\0branch refs/heads/main\0\0\
         worktree /b\0HEAD 41bafeb5c7e8d1f2a3b4c5d6e7f8091a2b3c4d5e\0detached\0locked why\0prunable gone\0\0",
        "cluster:\n  source: auto\n  user: ann\n  names: [sweep_*]\n  limit: 10s\nretention:\n  archive_after: 7d\n",
        "## Status\n\nstable: all well\n\n## Next action\n\nrun `x`\n\n## Decisions\n\n- a\n- b\n",
        "{\"status\":\"stable\",\"next\":\"x\",\"decisions\":[\"a\"]}",
        "<!-- handover:begin (x) -->\nbody\n<!-- handover:end -->\nrest\n",
    ];
    seeds.extend(by_hand.iter().map(|text| text.as_bytes().to_vec()));
    seeds
}

/// A seed with one to eight changes.
fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut text = random.pick(seeds).clone();
    // Readers of one word never come far in a whole file.
    if random.below(3) == 0 && text.len() > 64 {
        let start = random.below(text.len() - 32);
        text = text[start..text.len().min(start + 8 + random.below(200))].to_vec();
    }
    for _ in 0..=random.below(8) {
        let at = random.below(text.len() + 1);
        let end = (at + random.below(40)).min(text.len());
        match random.below(9) {
            0 if at < text.len() => text[at] ^= 1 << random.below(8),
            1 if at < text.len() => text[at] = random.below(256) as u8,
            2 => drop(text.drain(at..end)),
            3 => text.truncate(at),
            4 => {
                let again = text[at..end].repeat(1 + random.below(20));
                text.splice(at..at, again);
            }
            5 => {
                let other = random.pick(seeds);
                let from = random.below(other.len() + 1);
                let to = (from + random.below(120)).min(other.len());
                text.splice(at..end, other[from..to].iter().copied());
            }
            6 => {
                let digits = text.iter().map(|b| if b.is_ascii_digit() { b'9' } else { *b });
                text = digits.collect();
            }
            _ => {
                text.splice(at..at, random.pick(&PIECES).bytes());
            }
        }
    }
    text.truncate(MOST);
    text
}

/// A small generator of its own, so that inputs do not change with a library.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn pick<'t, T>(&mut self, from: &'t [T]) -> &'t T {
        &from[self.below(from.len())]
    }
}
