//! Which job, and which attempt, a line names.

use std::sync::LazyLock;

use regex::bytes::{Captures, Regex};

/// The number of the attempt that a script announces: Slurm's restart count
/// anywhere, else a banner (`==== attempt 2`, `### RUN 2/3`, `>>> Mon 3 Mar attempt=2 node=n1`)
/// or a stamped line (`[2026-11-21 10:00:00] attempt 2 on n1`).
pub(super) fn own_number(line: &[u8]) -> Option<u32> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| {
        let banner = r"^[=#*~>+-]{2,} *(?:(?:attempt|restart)[ :#]+(\d{1,4})\b|run +(\d{1,4}) ?/ ?\d)";
        let told = r"^[=#*~>+-]{2,} (?:[^\n]{0,60}? )?(?:attempt|restart)[ :#=]+(\d{1,4})\b";
        let chain =
            r"^[=#*~>+-]{2,} *run (\d{1,4}) of \w|\bjob \d{1,10}\b[^\n]{0,40}\brestart count (\d{1,4})$";
        let stamped = r"^\[[\d :T.-]{10,30}\] (?:attempt|restart) (\d{1,4}) on \S";
        Regex::new(&format!(
            r"(?i-u)\bSLURM_RESTART_COUNT[=: ]+(\d{{1,4}})\b|{banner}|{told}|{chain}|{stamped}"
        ))
        .expect("a constant")
    });
    number_of(NUMBER.captures(line))
}

/// The id in the text of Slurm's own messages, and of its script's shell.
pub(super) fn job_in(message: &[u8]) -> Option<u32> {
    static OWN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(concat!(
            r"(?-u)(?:\*\*\* (?:JOB|STEP) |StepId=|JobId=)(\d{1,10})(?:\D|$)",
            r"|in step (\d{1,10})\.(?:\d|batch|extern|interactive)|/job0*(\d{1,10})/slurm_script: ",
        ))
        .expect("a constant")
    });
    number_of(OWN.captures(message))
}

/// The id that a job prints of itself: named as one, or as scripts head their
/// output (`job 4711 on n042`, `### Thu 16 Jan 18:02:11 ### job 4711 on n042 ###`).
pub(super) fn own_id(line: &[u8]) -> Option<u32> {
    static HEADED: LazyLock<Regex> = LazyLock::new(|| {
        let sign = r"[=#*~>+-]{2,}";
        Regex::new(&format!(
            r"(?-u)^(?:{sign} (?:[^\n]{{0,80}} )?|slurm: )?job (\d{{3,10}})(?: on [a-z][\w.-]*(?: {sign})?$|, node [a-z]| start, )"
        ))
        .expect("a constant")
    });
    if let Some(headed) = number_of(HEADED.captures(line)) {
        return Some(headed);
    }
    static SAID: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"(?-u)(?:^|[^A-Za-z_])(?:SLURM_JOB_?ID|(?i:slurm )?(?:J|j)ob ?I[Dd]|(?:J|j)ob id|Job)['"]?(?: is)?(?: ?[:=] ?| )['"]?(\d{2,10})(?:[^\d_.]|$)"#)
            .expect("a constant")
    });
    number_of(SAID.captures(line))
}

/// The number in the first group that matched.
fn number_of(found: Option<Captures>) -> Option<u32> {
    let found = found?;
    let number = found.iter().skip(1).flatten().next()?;
    std::str::from_utf8(number.as_bytes()).ok()?.parse().ok()
}
