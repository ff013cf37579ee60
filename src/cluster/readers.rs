//! The readers of Slurm's text as plain functions, for whoever holds a
//! recording: nothing is asked, nothing is written.

use super::problems::Problems;
use super::{
    Files, Job, Node, Problem, Request, Scope, Snapshot, StateFile, nodes, remembered, request, squeue,
};

/// Reads the jobs of `squeue`, printed with our own fields and separators.
pub fn queue(bytes: &[u8]) -> (Vec<Job>, Vec<Problem>) {
    let mut problems = Problems::default();
    let read = squeue::read(bytes, &squeue::FILE, "squeue", &mut problems);
    (read.jobs, problems.into_vec())
}

/// Reads the nodes of `scontrol show node`.
pub fn nodes_of(text: &str) -> (Vec<Node>, Vec<Problem>) {
    let mut problems = Problems::default();
    (nodes::read(text, "scontrol", &mut problems), problems.into_vec())
}

/// Reads where the files of jobs lie, from `scontrol show job -o`.
pub fn files_of_jobs(bytes: &[u8]) -> Vec<Files> {
    remembered::records(bytes)
}

/// Reads the same from accounting's rows, printed with our own fields.
pub fn files_of_rows(bytes: &[u8]) -> Vec<Files> {
    remembered::rows(bytes, remembered::FIELDS)
}

/// Reads how a job was submitted, from accounting's row of our own fields.
pub fn request(text: &str) -> Request {
    request::read_text(text)
}

/// Reads a state file, whichever form it has.
pub fn state(file: &StateFile, scope: &Scope) -> Snapshot {
    file.read(scope)
}
