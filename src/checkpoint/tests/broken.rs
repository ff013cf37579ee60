//! One fault at a time, in every format: what the verdict is, and its words.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::make::{self, Made};
use super::{fixture, word};
use crate::checkpoint::{Checkpoint, Depth, Format, Limits, Verdict, check, check_bytes, survey};

fn why(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Damaged { why } | Verdict::Unfinished { why } | Verdict::Unreadable { why } => {
            format!("{}: {why}", word(verdict))
        }
        other => word(other).to_owned(),
    }
}

fn of(name: &str, bytes: &[u8], depth: Depth) -> String {
    why(&check_bytes(name, bytes, depth).1)
}

#[track_caller]
fn says(name: &str, bytes: &[u8], wanted: &str) {
    let said = of(name, bytes, Depth::Structure);
    assert!(said.contains(wanted), "{said:?} instead of {wanted:?}");
}

/// Overwrites a place that these bytes mark.
fn put(bytes: &mut [u8], mark: &[u8], after: usize, with: &[u8]) {
    let at = bytes.windows(mark.len()).rposition(|window| window == mark).unwrap() + after;
    bytes[at..at + with.len()].copy_from_slice(with);
}

#[test]
fn a_zip_archive_with_one_fault_is_refused_for_that_fault() {
    let whole = Made::at(100).zip();
    assert_eq!(of("a.pt", &whole, Depth::Full), "sound");
    says("a.pt", &[], "it is empty");
    says("a.pt", &vec![0; 70_000], "nothing but NUL");
    let mut tail = whole.clone();
    tail.extend(vec![0; 70_000]);
    says("a.pt", &tail, "its last 65557 bytes are all NUL");
    says("a.pt", &whole[..whole.len() - 22], "no central directory at its end");
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.clone();
        change(&mut bytes);
        bytes
    };
    let directory = b"PK\x01\x02";
    let end = b"PK\x05\x06";
    says("a.pt", &changed(&|b| put(b, end, 10, &[9, 0])), "its end record says 9");
    says("a.pt", &changed(&|b| put(b, end, 16, &[0, 0, 0, 9])), "outside of the file");
    says("a.pt", &changed(&|b| put(b, end, 16, &[0; 4])), "not where its end record says");
    says("a.pt", &changed(&|b| put(b, end, 16, &[255; 4])), "zip64 end record is missing");
    says("a.pt", &changed(&|b| put(b, directory, 42, &[0, 0, 0, 9])), "lies outside of the file");
    says("a.pt", &changed(&|b| put(b, directory, 42, &[1, 0, 0, 0])), "lies within another");
    says("a.pt", &changed(&|b| put(b, directory, 8, &[1, 0])), "is encrypted");
    says("a.pt", &changed(&|b| put(b, directory, 24, &[9, 0, 0, 0])), "has two sizes");
    says("a.pt", &changed(&|b| put(b, b"PK\x03\x04", 0, &[0; 30])), "its header is all NUL");
    says("a.pt", &changed(&|b| put(b, b"PK\x03\x04", 26, &[3, 0])), "its header has another name");
    // data.pkl is read anyway, so its checksum is compared anyway.
    says("a.pt", &changed(&|b| put(b, b"global_step", 0, b"X")), "the checksum of archive/data.pkl is wrong");
}

#[test]
fn members_with_odd_names_are_refused() {
    let member = |name: &str| (name.to_owned(), b"x".to_vec());
    let data = || ("archive/data.pkl".to_owned(), b"\x80\x02N.".to_vec());
    says("a.pt", &make::zip(&[data(), member("a"), member("a")]), "two members have the name a");
    for name in ["../../etc/passwd", "/etc/passwd", "a\\..\\b", "a\0b"] {
        says("a.pt", &make::zip(&[data(), member(name)]), "leads outside");
    }
    says("a.pt", &make::zip(&[member("x.npy")]), "unrecognised");
    says("a.pt", &make::zip(&[("archive/data.pkl".to_owned(), b"\x80\x02N.N".to_vec())]), "bytes follow");
    says(
        "a.pt",
        &make::zip(&[("archive/data.pkl".to_owned(), b"\x80\x02\xffN.".to_vec())]),
        "unknown opcode 0xff",
    );
}

#[test]
fn storages_must_be_there_with_their_size() {
    let mut made = Made::at(100);
    let whole = made.zip();
    let without = {
        let name = b"archive/data/1";
        let mut bytes = whole.clone();
        // Under another name, in both places.
        for _ in 0..2 {
            let at = bytes.windows(name.len()).position(|window| window == name).unwrap();
            bytes[at + name.len() - 1] = b'7';
        }
        bytes
    };
    says("a.pt", &without, "the storage data/1 is missing");
    made.storages[1].truncate(396);
    let pickle_of_more = Made::at(100).members();
    let mut members = made.members();
    members[0] = pickle_of_more[0].clone();
    says("a.pt", &make::zip(&members), "has not the size that the pickle says");
}

#[test]
fn an_archive_without_checksums_is_read_and_not_compared() {
    let bytes = fs::read(fixture("torch-2.9/nocrc_1200.pt")).unwrap();
    let at =
        bytes.windows(10).rposition(|window| window == b"global_ste" || window == b"param_grou").unwrap();
    let mut flipped = bytes.clone();
    flipped[at] ^= 1;
    assert_eq!(of("a.pt", &flipped, Depth::Full), "sound", "nothing in it could tell");
    assert!(of("a.pt", &bytes[..bytes.len() - 1], Depth::Structure).starts_with("damaged"));
}

#[test]
fn sizes_follow_the_data_where_a_descriptor_says_so() {
    let mut bytes = Made::at(5).zip();
    // Bit 3 in header and directory, and zeros in the header.
    let mut at = 0;
    while let Some(found) = bytes[at..].windows(4).position(|window| window == b"PK\x03\x04") {
        at += found;
        bytes[at + 6] |= 8;
        bytes[at + 14..at + 26].fill(0);
        at += 4;
    }
    assert_eq!(of("a.pt", &bytes, Depth::Full), "sound");
}

#[test]
fn every_flipped_bit_of_the_data_is_found_by_reading_it_all() {
    let made = Made::at(100);
    let whole = made.zip();
    let data = whole.windows(8).position(|window| window == &made.storages[0][..8]).unwrap();
    for at in (0..made.storages[0].len()).step_by(61) {
        let mut flipped = whole.clone();
        flipped[data + at] ^= 1 << (at % 8);
        assert_eq!(of("a.pt", &flipped, Depth::Structure), "sound");
        assert_eq!(
            of("a.pt", &flipped, Depth::Full),
            "damaged: the checksum of archive/data/0 is wrong: bytes in it have changed"
        );
    }
}

#[test]
fn legacy_files_add_up_or_not() {
    let whole = Made::at(300).legacy();
    let (format, verdict) = check_bytes("a.pt", &whole, Depth::Structure);
    assert_eq!((format, word(&verdict)), (Format::TorchLegacy, "sound"));
    says("a.pt", &whole[..whole.len() - 1], "it is cut short in storage 2 of 2");
    says("a.pt", &whole[..whole.len() - 500], "it is cut short in storage 1 of 2");
    says("a.pt", &[whole.as_slice(), b"x"].concat(), "1 bytes follow its last storage");
    let mut count = whole.clone();
    put(&mut count, &100_u64.to_le_bytes(), 0, &[101]);
    says("a.pt", &count, "has another count than the object says");
}

#[test]
fn safetensors_with_one_fault_are_refused_for_that_fault() {
    let one = || ("a", vec![1_u8; 400]);
    let whole = make::safetensors(&[one(), ("b", vec![2; 80_000])]);
    assert_eq!(of("m.safetensors", &whole, Depth::Full), "sound");
    says("m.safetensors", &whole[..whole.len() - 1], "80399 of 80400 bytes of data are there");
    says("m.safetensors", &whole[..40], "within its header");
    says("m.safetensors", &whole[..7], "less than a header's length takes");
    says("m.safetensors", &[whole.as_slice(), b"x"].concat(), "1 bytes follow its last tensor");
    says("m.safetensors", &[&[255; 8], &whole[8..]].concat(), "it says that its header has");
    says("m.safetensors", &[&whole[..8], &[b'x'; 400]].concat(), "its header cannot be read");
    let mut gap = whole.clone();
    put(&mut gap, b"[400,", 0, b"[404,");
    says("m.safetensors", &gap, "does not begin where the one before ends");
    let mut shape = whole.clone();
    put(&mut shape, b"[100]", 0, b"[101]");
    says("m.safetensors", &shape, "not as long as its shape says");
    // The right size, and the data never arrived.
    let mut nul = whole.clone();
    let length = nul.len();
    nul[length - 80_000..].fill(0);
    says("m.safetensors", &nul, "its end is all NUL");
    // A tensor may end with zeros all the same.
    nul[length - 80_000] = 1;
    says("m.safetensors", &nul, "sound");
    says("m.safetensors", &make::safetensors(&[one(), ("b", vec![0; 40])]), "sound");
}

#[test]
fn tar_archives_of_old_torch_are_walked_to_their_end() {
    let whole = make::tar(&[("sys_info", 10), ("pickle", 700), ("storages", 512), ("tensors", 0)]);
    let (format, verdict) = check_bytes("a.tar", &whole, Depth::Structure);
    assert_eq!((format, word(&verdict)), (Format::TorchTar, "sound"));
    says("a.tar", &whole[..whole.len() - 512], "one empty block");
    says("a.tar", &whole[..2000], "cut short");
    says("a.tar", &make::tar(&[("sys_info", 10), ("pickle", 700)]), "the member storages is missing");
    says("a.tar", &make::tar(&[("README", 10)]), "unrecognised");
    let mut garbled = whole;
    garbled[600] ^= 1;
    garbled[1025] ^= 1;
    says("a.tar", &garbled, "the header of member 2 is garbled");
}

/// A folder of one kind, and a way to check it anew after a change.
struct Ground {
    dir: tempfile::TempDir,
    unit: PathBuf,
}

impl Ground {
    fn new(make: impl Fn(&Path) -> PathBuf) -> Ground {
        let dir = tempfile::tempdir().unwrap();
        let unit = make(dir.path());
        Ground { dir, unit }
    }

    /// The fixture's copy under its own name.
    fn copy(name: &str) -> Ground {
        Ground::new(|dir| {
            let from = fixture(name);
            for entry in walkdir::WalkDir::new(&from).into_iter().flatten() {
                let to = dir.join(from.file_name().unwrap()).join(entry.path().strip_prefix(&from).unwrap());
                if entry.file_type().is_dir() {
                    fs::create_dir_all(to).unwrap();
                } else {
                    fs::copy(entry.path(), to).unwrap();
                }
            }
            dir.join(from.file_name().unwrap())
        })
    }

    fn checked(&self) -> Checkpoint {
        check(&self.unit, Depth::Structure, &Limits::default())
    }

    fn says(&self, wanted: &str) {
        let said = why(&self.checked().verdict);
        assert!(said.contains(wanted), "{said:?} instead of {wanted:?}");
    }

    /// Breaks something, looks, and mends it.
    fn without(&self, name: &str, wanted: &str) {
        let (path, aside) = (self.unit.join(name), self.dir.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        self.says(wanted);
        fs::rename(aside, path).unwrap();
        self.says("sound");
    }

    fn cut(&self, name: &str, wanted: &str) {
        let path = self.unit.join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() * 2 / 3]).unwrap();
        self.says(wanted);
        fs::write(&path, whole).unwrap();
        self.says("sound");
    }
}

#[test]
fn a_folder_of_the_trainer_misses_nothing() {
    for ground in
        [Ground::copy("transformers-4.48/checkpoint-4"), Ground::new(|run| make::hf_trainer(run, 500))]
    {
        assert_eq!(ground.checked().format, Format::HfTrainer);
        ground.says("sound");
        ground.without("trainer_state.json", "unfinished: trainer_state.json is missing");
        ground.without("model.safetensors", "unfinished: there are no weights");
        ground.without("optimizer.pt", "unfinished: there is no optimizer state");
        ground.without("scheduler.pt", "unfinished: scheduler.pt is missing");
        for name in ["model.safetensors", "optimizer.pt", "scheduler.pt"] {
            ground.cut(name, &format!("damaged: {name}: it is cut short"));
        }
        ground.cut("trainer_state.json", "damaged: trainer_state.json: it cannot be read");
        let state = ground.unit.join("trainer_state.json");
        let whole = fs::read_to_string(&state).unwrap();
        fs::write(&state, whole.replace("\"global_step\"", "\"x\"")).unwrap();
        ground.says("damaged: trainer_state.json says no step");
    }
    let ground = Ground::new(|run| make::hf_trainer(run, 500));
    assert_eq!((ground.checked().step, ground.checked().epoch), (Some(500), Some(5.5)));
    ground.without("rng_state_0.pth", "unfinished: rng_state: rank 0 is missing");
    fs::write(ground.unit.join("trainer_state.json"), "{\"global_step\":499}").unwrap();
    ground.says("damaged: trainer_state.json says step 499");
}

#[test]
fn shards_go_with_their_index() {
    let ground = Ground::new(|run| {
        let dir = make::hf_trainer(run, 500);
        fs::remove_file(dir.join("model.safetensors")).unwrap();
        make::shards(&dir, 3);
        dir
    });
    ground.says("sound");
    ground.without(
        "model-00002-of-00003.safetensors",
        "unfinished: the shard model-00002-of-00003.safetensors is missing",
    );
    ground.without("model.safetensors.index.json", "no index that names them");
    ground.cut(
        "model-00003-of-00003.safetensors",
        "damaged: model-00003-of-00003.safetensors: it is cut short",
    );
    let index = ground.unit.join("model.safetensors.index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("\"total_size\":1200", "\"total_size\":999999")).unwrap();
    ground.says("its index says 999999");
    fs::write(&index, text.replace("model-00002-of", "../x/model-00002-of")).unwrap();
    ground.says("is missing");
}

#[test]
fn accelerate_misses_nothing_either() {
    let ground = Ground::copy("accelerate-1.3/checkpoint_0");
    assert_eq!((ground.checked().format, ground.checked().step), (Format::Accelerate, Some(0)));
    ground.says("sound");
    ground.without("optimizer.bin", "unfinished: there is no optimizer state");
    ground.cut("optimizer.bin", "damaged: optimizer.bin: it is cut short");
    fs::rename(ground.unit.join("random_states_0.pkl"), ground.unit.join("random_states_1.pkl")).unwrap();
    ground.says("unfinished: random_states: rank 0 is missing");
}

#[test]
fn deepspeed_has_every_rank_and_latest_says_so() {
    let ground = Ground::new(|run| make::deepspeed(run, 400, 3));
    assert_eq!((ground.checked().format, ground.checked().step), (Format::DeepSpeed, Some(400)));
    assert_eq!(ground.checked().optimizer, Some(true));
    ground.says("sound");
    ground.without("mp_rank_00_model_states.pt", "unfinished: the model states are missing");
    ground.without("bf16_zero_pp_rank_1_mp_rank_00_optim_states.pt", "(model rank 0): rank 1 is missing");
    ground.cut("bf16_zero_pp_rank_2_mp_rank_00_optim_states.pt", "damaged: bf16_zero_pp_rank_2");
    fs::write(ground.dir.path().join("latest"), "global_step300\n").unwrap();
    ground.says("unfinished: the file latest still names global_step300");
    fs::write(ground.dir.path().join("latest"), "global_step500\n").unwrap();
    ground.says("sound");
}

#[test]
fn dcp_is_finished_when_its_metadata_are_there() {
    let ground = Ground::copy("torch-2.5/dcp");
    ground.without(".metadata", "unfinished: .metadata is missing");
    ground.without("__0_0.distcp", "damaged: __0_0.distcp is missing, which .metadata names");
    ground.cut("__0_0.distcp", "damaged: __0_0.distcp: it is cut short");
    ground.cut(".metadata", "damaged: .metadata: its pickle ends before its STOP");
    let data = ground.unit.join("__0_0.distcp");
    let whole = fs::read(&data).unwrap();
    fs::write(&data, vec![0; whole.len()]).unwrap();
    ground.says("damaged: __0_0.distcp: its end is all NUL");
}

#[test]
fn megatron_has_every_rank_and_the_tracker_says_so() {
    let ground = Ground::new(|run| make::megatron(run, 1000));
    assert_eq!((ground.checked().format, ground.checked().step), (Format::Megatron, Some(1000)));
    ground.without("mp_rank_00", "unfinished: the model (stage 0): rank 0 is missing");
    ground.without("mp_rank_01/model_optim_rng.pt", "unfinished: mp_rank_01: there is no model_optim_rng.pt");
    ground.cut("mp_rank_01/model_optim_rng.pt", "damaged: mp_rank_01: model_optim_rng.pt: it is cut short");
    let tracker = ground.dir.path().join("latest_checkpointed_iteration.txt");
    fs::write(&tracker, "500\n").unwrap();
    ground.says("unfinished: latest_checkpointed_iteration.txt still names 500");
    fs::write(&tracker, "").unwrap();
    ground.says("names no iteration");
    fs::remove_file(&tracker).unwrap();
    ground.says("latest_checkpointed_iteration.txt is missing");
}

#[test]
fn orbax_is_finished_when_it_is_committed() {
    let ground = Ground::copy("orbax-0.12/10");
    ground.cut("default/manifest.ocdbt", "damaged: default: manifest.ocdbt: it is not as long as it says");
    ground.cut("default/_METADATA", "damaged: default: _METADATA: it cannot be read");
    ground.cut("_CHECKPOINT_METADATA", "damaged: _CHECKPOINT_METADATA: it cannot be read");
    fs::create_dir(ground.unit.join("opt.orbax-checkpoint-tmp-7")).unwrap();
    ground.says("has a temporary name");
    let temporary = ground.dir.path().join("30.orbax-checkpoint-tmp-1700000000");
    fs::rename(&ground.unit, &temporary).unwrap();
    let found = survey(ground.dir.path(), Depth::Structure, &Limits::default());
    assert_eq!(found.best, None);
    assert_eq!(found.refused.iter().map(|c| word(&c.verdict)).collect::<Vec<_>>(), ["temporary"]);
}

#[test]
fn fifos_links_and_loops_hurt_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("step_9.pt"), Made::at(9).zip()).unwrap();
    fs::write(dir.path().join("step_1.pt"), Made::at(1).zip()).unwrap();
    let status = std::process::Command::new("mkfifo").arg(dir.path().join("step_5.pt")).status().unwrap();
    assert!(status.success());
    symlink("step_1.pt", dir.path().join("last.ckpt")).unwrap();
    symlink(outside.path().join("step_9.pt"), dir.path().join("step_9.pt")).unwrap();
    symlink(outside.path(), dir.path().join("more")).unwrap();
    symlink(".", dir.path().join("self")).unwrap();
    symlink("step_7.pt", dir.path().join("step_7.pt")).unwrap();
    let found = survey(dir.path(), Depth::Structure, &Limits::default());
    assert_eq!(found.best.unwrap().step, Some(1));
    assert_eq!(found.all.len(), 1);
    let mut unread: Vec<_> =
        found.unread.iter().map(|u| u.path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    unread.sort();
    assert_eq!(unread, ["more", "step_5.pt", "step_7.pt", "step_9.pt"]);
    // Named by itself it is not waited for either.
    let fifo = check(&dir.path().join("step_5.pt"), Depth::Full, &Limits::default());
    assert_eq!(why(&fifo.verdict), "unreadable: it is no regular file");
}

#[test]
fn walks_end_where_their_limits_are_and_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let mut deep = dir.path().to_owned();
    for _ in 0..6 {
        deep.push("d");
    }
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("step_1.pt"), Made::at(1).zip()).unwrap();
    for at in 0..50 {
        fs::write(dir.path().join(format!("note{at}.txt")), "").unwrap();
    }
    let shallow = survey(dir.path(), Depth::Structure, &Limits { depth: 3, ..Limits::default() });
    assert!(
        shallow.best.is_none() && shallow.unread[0].why.contains("3 folders deep"),
        "{:?}",
        shallow.unread
    );
    let few = survey(dir.path(), Depth::Structure, &Limits { entries: 10, ..Limits::default() });
    assert!(few.unread.iter().any(|unread| unread.why.contains("more than 10 files")), "{:?}", few.unread);
    assert!(survey(dir.path(), Depth::Structure, &Limits::default()).best.is_some());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_change_of_a_file_makes_a_reader_panic(
        which in 0..8_usize,
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let names = ["step_1200.pt", "dtypes.pt", "legacy_1200.pt", "proto4_legacy.pt", "dtypes_legacy.pt", "model.safetensors", "dcp/.metadata"];
        let (name, mut bytes) = match names.get(which) {
            Some(name) => (*name, fs::read(fixture(&format!("torch-2.5/{name}"))).unwrap()),
            None => ("a.tar", make::tar(&[("sys_info", 10), ("pickle", 700), ("storages", 512), ("tensors", 0)])),
        };
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        check_bytes(name, &bytes, Depth::Full);
    }
}
