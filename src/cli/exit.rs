//! Exit codes: a contract with every script that calls this program.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// Done; the answer is yes.
    Done,
    /// The answer is no.
    No,
    /// Wrong usage.
    Usage,
    /// Yes, but look.
    Look,
    /// Not found, or a prefix that fits several.
    NotFound,
    /// Refused, to protect data or because another holds the baton.
    Refused,
    /// A part of the work failed.
    Partial,
    /// Another program failed or is missing.
    Outside,
    /// Stored data is damaged or of a newer format.
    Damaged,
    /// A bug in this program.
    Bug,
    /// Busy or offline; trying again later makes sense.
    Deferred,
    /// Somebody said stop at the terminal.
    Interrupted,
    /// Whoever runs this program said stop.
    Terminated,
    /// As a command on another machine ended; only `remote run` and `remote shell` do.
    Command(u8),
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
        match self {
            Exit::Done => 0,
            Exit::No => 1,
            Exit::Usage => 2,
            Exit::Look => 3,
            Exit::NotFound => 4,
            Exit::Refused => 5,
            Exit::Partial => 6,
            Exit::Outside => 7,
            Exit::Damaged => 8,
            Exit::Bug => 70,
            Exit::Deferred => 75,
            Exit::Interrupted => 130,
            Exit::Terminated => 143,
            Exit::Command(code) => code,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.number())
    }
}
