//! Folders that somebody else made: run folders of trackers, folders of logs.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use handover::joblog::{self, Identity};
use handover::tracker;

/// One file of a run's folder: each in turn, the others sound enough that the
/// reader comes to it.
pub fn run_folder(data: &[u8]) {
    const RUN: &str = "wandb/run-20261121_120134-k3v9q1ab";
    const FILES: [&str; 14] = [
        "wandb/run-20261121_120134-k3v9q1ab/files/wandb-metadata.json",
        "wandb/run-20261121_120134-k3v9q1ab/files/wandb-summary.json",
        "wandb/run-20261121_120134-k3v9q1ab/files/config.yaml",
        "wandb/run-20261121_120134-k3v9q1ab/files/requirements.txt",
        "wandb/run-20261121_120134-k3v9q1ab/logs/debug-internal.log",
        "wandb/run-20261121_120134-k3v9q1ab/run-k3v9q1ab.wandb",
        "wandb/sweep-x1y2z3/config-k3v9q1ab.yaml",
        "wandb/settings",
        "config.yaml",
        ".hydra/config.yaml",
        ".hydra/overrides.yaml",
        "lightning_logs/version_0/hparams.yaml",
        "mlruns/1/0123456789abcdef0123456789abcdef/meta.yaml",
        "events.out.tfevents.1795232460.gpu01.7.0",
    ];
    thread_local! {
        static DIR: tempfile::TempDir = {
            let dir = tempfile::tempdir().expect("a folder");
            for name in FILES {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            }
            fs::write(dir.path().join(RUN).join("files/wandb-metadata.json"), "{}").expect("a file");
            dir
        };
    }
    DIR.with(|dir| {
        let path = dir.path().join(FILES[number(data) % FILES.len()]);
        let before = fs::read(&path).ok();
        fs::write(&path, data).expect("a file");
        let limits = tracker::Limits { whole: 4096, edge: 1024, ..tracker::Limits::default() };
        let found = tracker::runs(dir.path(), &limits);
        assert!(found.runs.len() <= 3, "{:?}", found.runs);
        let saved = tracker::configurations(dir.path());
        let _ = tracker::reproducibility(dir.path(), &found.runs, &saved);
        let _ = (tracker::events(dir.path(), &limits), tracker::others(dir.path(), &limits));
        match before {
            Some(bytes) => fs::write(&path, bytes).expect("a file"),
            None => fs::remove_file(&path).expect("it goes"),
        }
    });
}

/// Names of logs: which of them may be a job's.
pub fn log_names(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let files: Vec<PathBuf> = data
        .split(|byte| *byte == b'\n')
        .take(8)
        .map(|line| PathBuf::from(OsStr::from_bytes(line)))
        .collect();
    let name: String = text.chars().take(20).collect();
    let task = |task| Identity { base: 482, task, name: name.clone(), ..Identity::default() };
    let stdout = Some(PathBuf::from(text.as_ref()));
    let all = [task(Some(7)), task(None), Identity { stdout, raw: Some(489), ..task(Some(u32::MAX)) }];
    let found = joblog::among(&all, &files);
    assert_eq!(found.len(), all.len());
    assert!(found.iter().flatten().all(|path| files.contains(path)));
    let _ = (joblog::of_job(482, &files), joblog::arrays_with(7, &files));
}

fn number(data: &[u8]) -> usize {
    data.iter().fold(data.len(), |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)))
}
