use std::io::Cursor;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::json;

use super::super::writer::{self, Layout, Wandb, bytes_field, number_field, record_file};
use super::super::{RunExit, SlurmIds};
use super::framing::{BLOCK, HEADER, Walked, walk};
use super::*;
use crate::terms::Time;

/// 2026-11-21T03:41:00Z.
const STARTED: i64 = 1_795_232_460;

fn recorded(folder: &str) -> Run {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/wandb").join(folder);
    let read = runs(&dir, &Limits::default());
    assert_eq!(read.unread, [], "{folder}");
    let [run] = read.runs.try_into().unwrap();
    run
}

fn only(home: &Path) -> Run {
    let read = runs(home, &Limits::default());
    assert_eq!(read.unread, []);
    let [run] = read.runs.try_into().unwrap();
    run
}

#[test]
fn a_finished_run_of_the_current_client_is_read_whole() {
    let run = recorded("0.31.0-finished");
    assert_eq!((run.id.as_str(), run.offline, run.torn), ("k3v9q1ab", true, false));
    assert_eq!(run.exit, Some(RunExit { code: 0, runtime: None }));
    assert_eq!(
        run.slurm,
        Some(SlurmIds {
            job: Some(4321),
            array_job: Some(4314),
            array_task: Some(7),
            restarts: Some(0),
            nodes: Some("node7".to_owned())
        })
    );
    assert_eq!(run.url.as_deref(), Some("https://wandb.ai/lab/tiny/runs/k3v9q1ab"));
    assert_eq!((run.name.as_deref(), run.group.as_deref()), (Some("lr-1e-3"), Some("lr-sweep")));
    assert_eq!(run.host.as_deref(), Some("node7"));
    assert_eq!(run.started.unwrap().to_string(), "2026-11-21T12:12:26Z");
    assert_eq!(run.last_step, Some(2));
    let parameters = serde_json::to_value(&run.parameters).unwrap();
    let expected =
        json!({"lr": 0.001, "note": "a.b", "optim.betas": [0.9, 0.95], "optim.name": "adam", "seed": 17});
    assert_eq!(parameters, expected);
    assert_eq!(run.problems, [""; 0]);
}

#[test]
fn crashed_and_killed_runs_are_told_apart() {
    assert_eq!(recorded("0.31.0-crashed").exit.unwrap().code, 1);
    let killed = recorded("0.31.0-killed");
    assert_eq!((killed.exit, killed.last_step, killed.torn), (None, Some(2), false));
    assert_eq!(killed.slurm.unwrap().job, Some(4324));
    let at_once = recorded("0.31.0-killed-at-once");
    assert_eq!((at_once.exit, at_once.started, at_once.url), (None, None, None));
    assert!(at_once.problems[0].contains("killed in its first seconds"), "{:?}", at_once.problems);
    assert!(at_once.last_sign.is_some(), "its files have times all the same");
}

#[test]
fn runs_of_an_older_client_are_read_with_what_they_have() {
    let run = recorded("0.16.6-finished");
    assert_eq!((run.exit.unwrap().code, run.last_step, run.slurm), (0, Some(2), None));
    assert_eq!(run.parameters["optim.name"], "adam");
    assert_eq!(recorded("0.16.6-crashed").exit.unwrap().code, 1);
    // The file of records is empty; metadata says the rest.
    let killed = recorded("0.16.6-killed");
    assert_eq!((killed.exit, killed.torn), (None, true));
    assert_eq!(killed.host.as_deref(), Some("node7"));
    assert_eq!(killed.started.unwrap().to_string(), "2026-11-21T12:12:45Z");
}

#[test]
fn what_the_writers_of_the_tests_write_is_read() {
    let home = tempfile::tempdir().unwrap();
    for layout in [Layout::Current, Layout::Older] {
        let mut one = Wandb::new("one", STARTED).of_task(40, 2, 42);
        one.layout = layout;
        one.config = vec![("lr".to_owned(), "0.1".to_owned())];
        (one.exit, one.written) = (Some(-9), Some(STARTED + 600));
        let home = home.path().join(format!("{layout:?}"));
        one.write(&home);
        writer::sweep_config(&home, "s1", "one", &[("lr", "0.2"), ("depth", "3")]);
        let run = only(&home);
        assert_eq!(run.exit.unwrap().code, -9);
        assert_eq!(run.started, Time::from_unix(STARTED));
        let sign = run.last_sign.clone().unwrap();
        assert_eq!((sign.time.unix(), sign.of.as_str()), (STARTED + 600, "run-one.wandb"));
        assert_eq!(run.sweep.as_deref(), Some("s1"));
        assert_eq!(run.swept, ["depth", "lr"]);
        assert_eq!((&run.parameters["lr"], &run.parameters["depth"]), (&json!(0.1), &json!(3)));
        assert_eq!(run.slurm.is_some(), layout == Layout::Current);
    }
}

#[test]
fn the_newest_file_is_the_sign_of_life_and_a_stored_heartbeat_is_not() {
    let home = tempfile::tempdir().unwrap();
    let mut run = Wandb::new("one", STARTED);
    (run.layout, run.written) = (Layout::Older, Some(STARTED + 10));
    let dir = run.write(home.path());
    writer::set_modified(&dir.join("files/output.log"), STARTED + 20);
    // Not a file that a living run writes to.
    writer::set_modified(&dir.join("files/wandb-metadata.json"), STARTED + 99);
    let sign = only(home.path()).last_sign.unwrap();
    assert_eq!((sign.time.unix(), sign.of.as_str()), (STARTED + 20, "files/output.log"));
}

#[test]
fn a_torn_tail_is_torn_and_what_was_whole_is_kept() {
    let home = tempfile::tempdir().unwrap();
    let mut run = Wandb::new("one", STARTED);
    (run.exit, run.cut) = (Some(0), 1);
    run.write(home.path());
    let read = only(home.path());
    assert_eq!((read.torn, read.exit, read.last_step), (true, None, Some(2)));
    assert_eq!(read.problems, [""; 0]);
}

#[test]
fn a_folder_without_records_and_one_with_another_run_s_are_said_to_be_so() {
    let home = tempfile::tempdir().unwrap();
    let dir = Wandb::new("one", STARTED).write(home.path());
    fs::rename(dir.join("run-one.wandb"), dir.join("away")).unwrap();
    assert_eq!(only(home.path()).problems, ["it has no file of records"]);
    fs::write(dir.join("run-one.wandb"), Wandb::new("two", STARTED).bytes()).unwrap();
    assert!(only(home.path()).problems[0].contains("another run than its file (two)"));
    fs::write(dir.join("run-one.wandb"), b"not at all").unwrap();
    assert!(only(home.path()).problems[0].contains("does not begin"));
}

#[test]
fn a_url_is_told_only_where_it_can_be_known() {
    let home = tempfile::tempdir().unwrap();
    let mut run = Wandb::new("one", STARTED);
    run.entity = String::new();
    run.write(home.path());
    assert_eq!(only(home.path()).url, None);
    let settings = "[default]\napi_key = 0123\nbase_url = https://ann:pw@tracker.example/\nentity = my lab\n";
    fs::write(home.path().join("wandb/settings"), settings).unwrap();
    let url = only(home.path()).url.unwrap();
    assert_eq!(url, "https://tracker.example/my%20lab/tiny/runs/one");
    run.project = "a/../b?x".to_owned();
    run.write(home.path());
    assert_eq!(only(home.path()).url, None, "no link out of that");
}

#[test]
fn records_are_cut_at_the_ends_of_blocks_and_put_together_again() {
    // Lengths around the ends of blocks: heads that just fit, just do not, and padding.
    for length in (BLOCK - 40..BLOCK + 10).chain([1, 3 * BLOCK, 7 * BLOCK + 11]) {
        let records: Vec<Vec<u8>> = vec![vec![b'a'; length], vec![b'b'; 5], Vec::new(), vec![b'c'; length]];
        let file = record_file(&records);
        let mut read = Vec::new();
        let walked = walk(&file[7..], 7, 1 << 20, |record| read.push(record.to_vec())).unwrap();
        assert_eq!(walked, Walked { records: 4, ..Walked::default() }, "{length}");
        assert!(read == records, "{length}");
    }
}

#[test]
fn a_damaged_block_costs_no_other_block() {
    let records: Vec<Vec<u8>> = (0..2000u32).map(|n| n.to_le_bytes().repeat(20)).collect();
    let mut file = record_file(&records);
    file[BLOCK + 500] ^= 1;
    let mut read = Vec::new();
    let walked = walk(&file[7..], 7, 1 << 20, |record| read.push(record.to_vec())).unwrap();
    assert_eq!((walked.damaged, walked.torn), (1, false));
    assert!((1500..2000).contains(&read.len()), "{}", read.len());
    assert!(read.iter().all(|record| records.contains(record)), "nothing is made up");
    assert_eq!(read.last(), records.last());
}

#[test]
fn of_a_large_file_both_ends_are_read_and_the_rest_is_named() {
    let home = tempfile::tempdir().unwrap();
    let mut run = Wandb::new("one", STARTED).of_task(40, 2, 42);
    (run.steps, run.exit) = (8_000, Some(0));
    run.write(home.path());
    let limits = Limits { whole: 100_000, edge: 40_000, ..Limits::default() };
    let read = runs(home.path(), &limits);
    let [run] = read.runs.try_into().unwrap();
    assert_eq!((run.exit.map(|exit| exit.code), run.last_step), (Some(0), Some(7_999)));
    assert_eq!((run.slurm.as_ref().unwrap().job, run.torn), (Some(42), false));
    assert_eq!(run.problems, [""; 0]);
    let [unread] = read.unread.try_into().unwrap();
    assert_eq!(unread.path, home.path());
    assert!(unread.why.starts_with("of 1 large W&B files only both ends were read, "), "{}", unread.why);
    assert!(run.unread.0 > 100_000);
}

#[test]
fn large_records_are_passed_by_and_counted() {
    let file = record_file(&[bytes_field(2, &vec![0; 2 << 20]), bytes_field(18, &[])]);
    let limits = Limits { whole: 4 << 20, ..Limits::default() };
    let contents = records::read(Cursor::new(&file), file.len() as u64, &limits).unwrap();
    assert!(contents.exit.is_some());
    assert!(contents.problems[0].contains("1 records over 1.0 MiB"), "{:?}", contents.problems);
}

#[test]
fn a_step_is_read_in_each_form_that_clients_write() {
    let step = |item: Vec<u8>, own: Vec<u8>| {
        let item = bytes_field(1, &[bytes_field(2, b"_step"), item].concat());
        let file = record_file(&[bytes_field(2, &[item, bytes_field(2, &own)].concat())]);
        read_bytes("x", &file, &Limits::default()).last_step
    };
    assert_eq!(step(bytes_field(16, b"7"), Vec::new()), Some(7));
    assert_eq!(step(bytes_field(16, b"7.0"), Vec::new()), Some(7));
    assert_eq!(step(number_field(5, 14), Vec::new()), Some(7));
    assert_eq!(step(number_field(5, 13), Vec::new()), None, "minus seven");
    assert_eq!(step(Vec::new(), number_field(1, 7)), Some(7));
}

#[test]
fn a_configuration_that_changes_is_the_changed_one() {
    let item =
        |name: &str, json: &str| [bytes_field(1, name.as_bytes()), bytes_field(16, json.as_bytes())].concat();
    let file = record_file(&[
        bytes_field(5, &bytes_field(1, &item("model", "{\"depth\": 3, \"width\": 8}"))),
        bytes_field(
            5,
            &[bytes_field(1, &item("model", "{\"depth\": 4}")), bytes_field(1, &item("x", "1"))].concat(),
        ),
        bytes_field(5, &bytes_field(2, &item("x", ""))),
        bytes_field(5, &bytes_field(1, &item("_wandb", "{\"m\": []}"))),
    ]);
    let contents = records::read(Cursor::new(&file), file.len() as u64, &Limits::default()).unwrap();
    assert_eq!(serde_json::to_value(contents.config).unwrap(), json!({"model.depth": 4}));
}

#[test]
fn more_runs_than_the_limit_are_counted_as_unread() {
    let home = tempfile::tempdir().unwrap();
    for id in ["one", "two", "three"] {
        Wandb::new(id, STARTED).write(home.path());
    }
    let latest = home.path().join("wandb/latest-run");
    std::os::unix::fs::symlink("offline-run-20261121_034100-one", &latest).unwrap();
    assert_eq!(runs(home.path(), &Limits::default()).runs.len(), 3, "a symlink is no second run");
    let few = runs(home.path(), &Limits { results: 2, ..Limits::default() });
    assert_eq!((few.runs.len(), few.unread.len()), (2, 1));
    let shallow = runs(home.path(), &Limits { depth: 1, ..Limits::default() });
    assert_eq!((shallow.runs.len(), shallow.unread[0].path.clone()), (0, home.path().join("wandb")));
    let entries = runs(home.path(), &Limits { entries: 1, ..Limits::default() });
    assert!(entries.unread[0].why.contains("first 1 entries"), "{:?}", entries.unread);
    let nowhere: PathBuf = home.path().join("nowhere");
    assert_eq!(runs(&nowhere, &Limits::default()).unread, [Unread::new(&nowhere, "it is not there")]);
}

#[test]
fn names_of_folders_are_taken_apart() {
    assert_eq!(of_folder("offline-run-20261121_120134-k3v9q1ab"), Some(("k3v9q1ab", true)));
    assert_eq!(of_folder("run-20261121_120134-my-own-id"), Some(("my-own-id", false)));
    for name in
        ["run-20261121_120134-", "run-20261121-120134-x", "run-1", "run-é20261121_120134-x", "latest-run"]
    {
        assert_eq!(of_folder(name), None, "{name}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..300),
        has_header in any::<bool>(),
        is_framed in any::<bool>(),
    ) {
        let mut file = if has_header { HEADER.to_vec() } else { Vec::new() };
        file.extend(&bytes);
        if is_framed {
            file = record_file(&[bytes_field(17, &bytes), bytes_field(26, &bytes), bytes]);
        }
        let limits = Limits { whole: 50, edge: 1, ..Limits::default() };
        prop_assert!(records::read(Cursor::new(&file), file.len() as u64, &limits).is_ok());
    }

    #[test]
    fn a_file_that_is_cut_anywhere_gives_the_records_before_the_cut(cut in 0usize..80_000) {
        let records: Vec<Vec<u8>> = (0..700u32).map(|n| n.to_le_bytes().repeat(25)).collect();
        let mut file = record_file(&records);
        file.truncate((7 + cut).min(file.len()));
        let mut read = Vec::new();
        let walked = walk(&file[7..], 7, 1 << 20, |record| read.push(record.to_vec())).unwrap();
        prop_assert_eq!(&read[..], &records[..read.len()]);
        prop_assert_eq!(walked.damaged, 0);
        prop_assert!(walked.torn || record_file(&records[..read.len()]).len() == file.len()
            || file.len() % BLOCK == 0);
    }
}
