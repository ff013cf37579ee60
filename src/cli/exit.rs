//! Exit codes: a contract with every script that calls this program.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Exit {
    /// Done; the answer is yes.
    Done = 0,
    /// The answer is no.
    No = 1,
    /// Wrong usage.
    Usage = 2,
    /// Yes, but look.
    Look = 3,
    /// Not found, or a prefix that fits several.
    NotFound = 4,
    /// Refused, to protect data or because another holds the baton.
    Refused = 5,
    /// A part of the work failed.
    Partial = 6,
    /// Another program failed or is missing.
    Outside = 7,
    /// Stored data is damaged or of a newer format.
    Damaged = 8,
    /// A bug in this program.
    Bug = 70,
    /// Busy or offline; trying again later makes sense.
    Deferred = 75,
    /// Somebody said stop at the terminal.
    Interrupted = 130,
    /// Whoever runs this program said stop.
    Terminated = 143,
}

impl Exit {
    /// Every code with its meaning, as `--help` prints them.
    pub const ALL: [(Exit, &str); 13] = [
        (Exit::Done, "done; yes"),
        (
            Exit::No,
            "the answer is no: key does not match, document edited, wrong place, a sweep needs somebody",
        ),
        (Exit::Usage, "wrong usage"),
        (Exit::Look, "yes, but look: drift, or nothing that could be proved"),
        (Exit::NotFound, "not found, or a prefix that fits several"),
        (Exit::Refused, "refused, to protect data or because another holds the baton"),
        (Exit::Partial, "part of the work failed; what was done is listed"),
        (Exit::Outside, "git, Slurm or another program failed or is missing"),
        (Exit::Damaged, "stored data is damaged or of a newer format"),
        (Exit::Bug, "a bug in this program"),
        (Exit::Deferred, "busy or offline; nothing is half done, try again later"),
        (Exit::Interrupted, "interrupted; what a watch knew is kept"),
        (Exit::Terminated, "terminated; what a watch knew is kept"),
    ];

    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}
