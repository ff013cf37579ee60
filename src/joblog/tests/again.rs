//! What a worker keeps from file to file changes nothing in what it reads.

use super::super::*;
use super::reader;

fn traceback(file: &str, last: &str) -> String {
    format!("Traceback (most recent call last):\n  File \"{file}\", line 3, in step\n    f()\n{last}\n")
}

#[test]
fn a_worker_reads_a_log_as_one_that_has_read_no_other() {
    let error = "ValueError: bad shape (3, 4)";
    let logs = [
        traceback("a.py", error),
        traceback("b.py", error),
        traceback("b.py", "torch.cuda.OutOfMemoryError: CUDA out of memory."),
        format!("{error}\n"),
        format!("WARNING {error}, skipping\n"),
        format!("step 1 loss 2\n{}", traceback("a.py", error)),
        format!("\x1b[31m{}\x1b[0m", traceback("a.py", error)),
        format!("[rank1]: {error}\n[rank0]: {error}\n"),
        "slurmstepd: error: *** JOB 12 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\n".into(),
        "slurmstepd: error: *** JOB 13 ON n1 CANCELLED AT 2026-11-21T10:00:00 DUE TO TIME LIMIT ***\n".into(),
        format!("{}{}", "x".repeat(5000), traceback("a.py", &format!("ValueError: {}", "y".repeat(5000)))),
        "nothing at all\n".into(),
        String::new(),
    ];
    let reader = reader();
    let mut worker = reader.worker();
    for log in logs.iter().chain(logs.iter().rev()) {
        let fresh = reader.worker().read_bytes(log.as_bytes(), Extent::Full, None);
        assert_eq!(worker.read_bytes(log.as_bytes(), Extent::Full, None), fresh, "{log}");
    }
}

#[test]
fn more_messages_than_are_remembered_are_read_alike() {
    let logs: Vec<String> =
        (0..600).map(|number| traceback("a.py", &format!("KeyError: 'k{number}'"))).collect();
    let reader = reader();
    let mut worker = reader.worker();
    for log in logs.iter().chain(logs.iter().step_by(50)) {
        let fresh = reader.worker().read_bytes(log.as_bytes(), Extent::Full, None);
        assert_eq!(worker.read_bytes(log.as_bytes(), Extent::Full, None), fresh, "{log}");
    }
}
