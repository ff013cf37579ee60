//! What the end of a line says of whether it did anything.

use super::records::Progress;
use crate::sweep::plan::Purpose;
use crate::sys::Finished;

/// Words of a complaint after which a request may have reached the controller
/// although no answer came back; in lower case. Slurm's own words for errors of
/// communication, and the system's.
const UNCLEAR: [&str; 26] = [
    "timed out",
    "timeout",
    "socket",
    "send/recv",
    "unable to contact",
    "connection",
    "connect failure",
    "communication",
    "transmitted",
    "receive",
    "transport endpoint",
    "unreachable",
    "no route",
    "broken pipe",
    "interrupted",
    "temporarily",
    "standby",
    "try again",
    "message",
    "protocol",
    "i/o",
    "input/output",
    "header",
    "insane",
    "munge",
    "authentication",
];

/// How far a line came, by how it ended. That it did nothing is said only where
/// Slurm's own command says why it refused; anything else that is no success may
/// have submitted a job.
pub(super) fn of(finished: &Finished, text: &str, purpose: Purpose) -> Progress {
    match (finished.success(), purpose) {
        (true, _) => Progress::Done,
        // To cancel again does no harm.
        (false, Purpose::Cancel) => Progress::Failed,
        (false, _) if is_slurms(text) && is_refusal(finished.code, &said(finished)) => Progress::Failed,
        (false, _) => Progress::Began,
    }
}

fn said(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.stderr).into_owned()
}

/// True for a call of Slurm's own command and nothing else.
pub(super) fn is_slurms(text: &str) -> bool {
    let is_assignment = |word: &&str| {
        word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric())
        })
    };
    // What is quoted is part of a word, whatever it holds.
    let plain: String = text.split('\'').step_by(2).collect::<Vec<_>>().join("q");
    let program = plain.split_ascii_whitespace().find(|word| !is_assignment(word));
    matches!(program, Some("sbatch" | "scancel")) && is_one_command(text)
}

/// True if nothing outside of single quotes makes another command of it.
fn is_one_command(text: &str) -> bool {
    let outside = text.split('\'').step_by(2);
    outside.flat_map(str::bytes).all(|b| !b";|&<>()$`\n\"\\".contains(&b))
}

/// True if a complaint says that the request was turned down, or never made.
fn is_refusal(code: i32, complaint: &str) -> bool {
    let lower = complaint.to_ascii_lowercase();
    let is_missing = code == 127 && lower.contains("not found");
    let said =
        ["error:", "fatal:", "unrecognized option", "invalid option", "ambiguous", "requires an argument"];
    let is_said = lower
        .lines()
        .any(|line| line.trim_start().starts_with("sbatch: ") && said.iter().any(|word| line.contains(word)));
    // A signal ended it from 128 on: in the middle of whatever it did.
    is_missing || code < 128 && is_said && !UNCLEAR.iter().any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_refusal_in_slurms_words_is_certain_to_have_submitted_nothing() {
        let refused = |complaint: &str| is_refusal(1, complaint);
        for certain in [
            "sbatch: error: Batch job submission failed: Invalid partition name specified",
            "sbatch: error: QOSMaxSubmitJobPerUserLimit\nsbatch: error: Batch job submission failed: Job violates \
             accounting/QOS policy (job submit limit, user's size and/or time limits)",
            "sbatch: error: Unable to open file train.sh",
            "sbatch: unrecognized option '--arr'\nTry \"sbatch --help\" for more information",
        ] {
            assert!(refused(certain), "{certain}");
        }
        for unclear in [
            "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
            "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
            "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
            "sbatch: error: Batch job submission failed: Unexpected message received",
            "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying.",
            "Terminated",
            "",
        ] {
            assert!(!refused(unclear), "{unclear}");
        }
        assert!(!is_refusal(137, "sbatch: error: x") && is_refusal(127, "/bin/sh: 1: sbatch: not found"));
    }

    #[test]
    fn a_line_with_more_than_slurms_command_may_have_done_anything() {
        for own in ["sbatch x", "A=1 B_2='x y' sbatch --array=3 'a;b'", "scancel '8_[1-2]'"] {
            assert!(is_slurms(own), "{own}");
        }
        for other in
            ["./sbatch x", "sbatch x | tee y", "echo sbatch", "sbatch x; y", "sbatch $(x)", "A=1", ""]
        {
            assert!(!is_slurms(other), "{other}");
        }
    }
}
