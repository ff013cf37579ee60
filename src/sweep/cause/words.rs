//! What the classes mean that accounting can tell without a log.

use crate::joblog::Retry;

/// Meaning, action and retry of a class; those of `unknown` for one that
/// accounting cannot tell.
pub fn of_class(class: &str) -> (&'static str, &'static str, Retry) {
    let row = ROWS.iter().find(|(name, ..)| *name == class).unwrap_or(&ROWS[ROWS.len() - 1]);
    (row.1, row.2, row.3)
}

const ROWS: [(&str, &str, &str, Retry); 16] = [
    (
        "host-oom",
        "main memory ran out, and the kernel killed a process",
        "raise --mem or use fewer workers, then resume",
        Retry::AfterChange,
    ),
    (
        "time-limit",
        "Slurm ended the job at its wall time",
        "resume from the newest checkpoint; ask for more time if progress per hour says that it cannot finish",
        Retry::Resume,
    ),
    ("node-fail", "the controller lost a node", "resume, excluding the node", Retry::Resume),
    (
        "preempted",
        "a job of higher priority took the nodes",
        "resume: it did not come back by itself",
        Retry::Resume,
    ),
    ("cancelled", "somebody cancelled it", "ask whoever did before it is started again", Retry::Ask),
    ("requeued", "it goes on elsewhere under the same id", "nothing", Retry::Nothing),
    (
        "launch-fail",
        "the node could not start it",
        "submit it again, excluding the node if others failed there too",
        Retry::Resubmit,
    ),
    (
        "log-path",
        "the output file could not be made, so that nothing ran",
        "make the directory of the log or free the quota, then submit again",
        Retry::AfterChange,
    ),
    (
        "killed-unconfirmed",
        "SIGKILL ended it; memory is the usual reason, and nothing confirms it",
        "look at the node's kernel log or at seff; with memory at its limit treat it as host-oom",
        Retry::Ask,
    ),
    (
        "terminated",
        "SIGTERM ended it: scancel, a time limit, preemption, or a launcher that closed down",
        "find out who sent it; resume if it was Slurm",
        Retry::Ask,
    ),
    ("crash", "native code crashed", "once more; if task or node repeat it, stop and debug", Retry::Once),
    (
        "env-mismatch",
        "the program was built for another processor",
        "another node type or another build",
        Retry::FixFirst,
    ),
    (
        "shm",
        "bus error: shared memory is full, or a file was cut short under a memory map",
        "more /dev/shm, fewer workers",
        Retry::AfterChange,
    ),
    (
        "env-activation",
        "a command of the script was not found",
        "mend the script's environment",
        Retry::FixFirst,
    ),
    (
        "uncertain",
        "its log names a cause in a part that may be another job's, and none in its own",
        "read that part of the log, and find out whose it is, before anything runs again",
        Retry::Ask,
    ),
    (
        "unknown",
        "nothing that was read says why",
        "read the log; then try one task before the others",
        Retry::Once,
    ),
];
