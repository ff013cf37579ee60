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
/// Readers that take milliseconds for an input get an eighth of that.
const SLOW: [&str; 5] = ["sacct", "checkpoint_folder", "run_folder", "attempts", "secrets"];
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

/// The recordings that a reader is for, by parts of their paths: most of its
/// inputs come from there. What is not listed here takes all alike.
const OWN: [(&str, &[&str]); 37] = [
    ("front_matter", &["documents/", "examples/"]),
    ("squeue", &["squeue-separators"]),
    ("sacct", &["sacct-", "sacct.psv"]),
    ("scontrol", &["scontrol-nodes"]),
    ("state_file", &["cluster_state", "fixed-width"]),
    ("config", &["handover.yaml"]),
    ("wandb", &[".wandb"]),
    ("wire", &[".wandb"]),
    ("tfevents", &["tfevents"]),
    ("saved", &["config.yaml", "overrides.yaml", "meta.yaml", "conf/"]),
    ("job_log", &["joblog/", "job-logs/", "project/logs/", ".out"]),
    ("progress", &["joblog/", "project/logs/"]),
    ("torch_zip", &["lightning-2.5", "torch-2", "transformers"]),
    ("torch_legacy", &["torch-2"]),
    ("torch_tar", &["torch-2"]),
    ("safetensors", &["safetensors"]),
    ("pickle", &[".metadata", "random_states", ".bin"]),
    ("checkpoint", &["checkpoints/"]),
    ("job_files", &["scontrol-jobs", "sacct-"]),
    ("submission", &["train.sh"]),
    ("patterns", &["handover.yaml"]),
    ("parameter_file", &["params.csv"]),
    ("tracker_text", &["wandb-metadata", "config.yaml", "settings", "requirements", "metrics/"]),
    ("checkpoint_folder", &["trainer_state", "index.json", ".metadata", "METADATA", "manifest.ocdbt"]),
    ("baton_value", &["kept/baton"]),
    ("remote_refs", &["kept/push"]),
    ("watch_state", &["kept/watch", "kept/readings", "kept/queue"]),
    ("plan_record", &["kept/plan"]),
    ("records", &["kept/preflight", "kept/reported", "safetensors"]),
    ("trash_notes", &["kept/trash", "kept/put_aside"]),
    ("owner", &["kept/trash"]),
    ("attempts", &["joblog/", "job-logs/", "project/logs/", ".out"]),
    ("batch_script", &["train.sh"]),
    ("request", &["squeue-separators"]),
    ("secrets", &["secrets/"]),
    ("run_folder", &["wandb/", "mlflow/", "tfevents", "config.yaml"]),
    ("git_status", &[]),
];

#[test]
fn no_reader_of_outside_text_panics() {
    let seeds = seeds();
    for (name, parts) in OWN {
        assert!(parts.is_empty() || seeds.iter().any(|seed| seed.is_of(parts)), "{name}: {parts:?}");
    }
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

#[test]
fn every_sample_of_what_is_kept_is_read_by_its_reader() {
    use handover::verbs::readers;
    use handover::worktree::{put_aside, trash};
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/kept");
    let bytes = |name: &str| fs::read(folder.join(name)).unwrap();
    assert!(readers::kept(&bytes("watch.json")).is_some_and(|kept| kept.transitions.len() == 3));
    assert_eq!(readers::readings(&bytes("readings.json")), Some(2));
    assert_eq!(readers::queue_answer(&bytes("queue.json")).0, Some(1));
    assert_eq!(readers::plan_record(&bytes("plan.json")).unwrap().ids(), [17]);
    assert!(readers::reported(&bytes("reported.json")).is_some());
    assert_eq!(readers::preflights(&bytes("preflight.json")).unwrap().len(), 1);
    assert_eq!(trash::read_bytes(&bytes("trash.json")).unwrap().place(), Path::new("/home/ann/lr"));
    assert_eq!(put_aside::read_bytes(&bytes("put_aside.json")).unwrap().items.len(), 1);
}

/// Gives a target its inputs; the first that it cannot stand, in words.
fn drive((name, target): targets::Target, seeds: &[Seed], seed: u64, inputs: usize) -> Option<String> {
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let parts = OWN.iter().find(|(of, _)| *of == name).map_or(&[][..], |(_, parts)| parts);
    let (own, all): (Vec<&[u8]>, Vec<&[u8]>) = (
        seeds.iter().filter(|seed| seed.is_of(parts)).map(|seed| seed.text.as_slice()).collect(),
        seeds.iter().map(|seed| seed.text.as_slice()).collect(),
    );
    let inputs = if SLOW.contains(&name) { inputs / 8 } else { inputs };
    // Every seed as it is, then changed ones.
    let changed = (0..inputs).map(|_| {
        let from = if own.is_empty() || random.below(4) == 0 { &all } else { &own };
        mutated(&mut random, from, &all)
    });
    for input in all.iter().map(|seed| seed.to_vec()).chain(changed) {
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

/// Text to start from.
struct Seed {
    /// Where it was recorded; empty if it is written here.
    path: String,
    text: Vec<u8>,
}

impl Seed {
    fn is_of(&self, parts: &[&str]) -> bool {
        parts.iter().any(|part| self.path.contains(part))
    }
}

/// Recorded text and the small forms that are in no recording.
fn seeds() -> Vec<Seed> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR"));
    let written = |text: &str| Seed { path: String::new(), text: text.as_bytes().to_vec() };
    let mut seeds: Vec<Seed> = PIECES.iter().map(|piece| written(piece)).collect();
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
                let path = entry.path().strip_prefix(top).unwrap().to_string_lossy().into_owned();
                seeds.push(Seed { path, text });
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
        "logs:\n  patterns:\n    - id: quota\n      pattern: 'Disk quota (exceeded|full) on [^ ]{1,40}'\n      class: quota\n      role: root\n      \
         retry: after-change\n      meaning: m\n      action: a\n# Disk quota exceeded on /s\n",
        "- id: quota\n  pattern: '(?i)\\bquota\\b.*x'\n  class: quota\n  role: root?\n  retry: once\n  meaning: m\n  action: a\n",
        "task,lr,batch\n0,0.1,8\n1,\"0,2\",16\n",
        "{\"task\": 3, \"lr\": 0.1, \"model\": {\"depth\": 2}}\n{\"lr\": null}\n",
        "task\tlr\n0\t0.1\n",
        "sbatch --array=0-199%8 --mem 4G -pai --parsable -o logs/%A_%a.out -- train.sh --lr 0.1",
        "MaxArraySize            = 4001\nSchedulerParameters     = bf_interval=2,max_array_tasks=500\n",
        "Submitted batch job 17\n18;gpu\n",
        "7\u{1f}gpu,cpu\u{1f}1\u{1f}billing=8,gres/gpu:a100=2\u{1f}cpu=8,mem=32G,node=1\u{1f}4Gc\u{1f}sbatch --array=0-9%2 --mem 4G train.sh --msg 'a b'\n",
        "#!/bin/bash -l\n#SBATCH -J lr -n 1\n#SBATCH --mem=4G --time=1-00:00:00 --array=0-9%2\n#SBATCH -o 'logs/%A_%a.out'\nset -e\n\
         cd runs \\\n && source env/bin/activate\ncat <<'END' > x\n./y\nEND\nif [ -f z ]; then ./z; fi\npython train.py --config=conf/a.yaml \"$X\"\n\
         #SBATCH --mem=8G\n",
        "logs/lr_482_7.out\nlogs/482/7.err\nslurm-489.out\nlr-482_7-489.log\n482_4294967296.out\n00482_007\n",
        "/s/%4a/%A_%a/%x.%u.%%.%N\\%j",
        "{wandb} sbatch --array={tasks} {exclude} {script} --resume {checkpoint} \"${HOME}\" 'x'",
        "cd runs/{array}_{task}/{name} && make run RUN={run} ID={id} JOB={job}",
        "logs/**/a?b*.out",
        "# all\nresults/3.json\n\n../../etc/passwd\n",
        "# Sweeps\n\n<!-- handover:sweeps:begin facts=0123456789abcdef at=2026-11-21T03:41:00Z digest=0123456789abcdef \
         -->\nbody\n<!-- handover:sweeps:end -->\nrest\n",
        "torch==2.4.0+cu121\n- numpy=1.26.4=py311_0\n[default]\nbase_url = https://u:p@wandb.example\nentity = lab\n",
    ];
    seeds.extend(by_hand.iter().map(|text| written(text)));
    seeds
}

/// A seed with one to eight changes.
fn mutated(random: &mut Random, seeds: &[&[u8]], all: &[&[u8]]) -> Vec<u8> {
    let mut text = random.pick(seeds).to_vec();
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
                let other = if random.below(2) == 0 { random.pick(seeds) } else { random.pick(all) };
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
