//! What an exit code of Slurm's text can mean.
//!
//! Up to 25.05 `sacct` takes 128 off every exit status from 128 on
//! (`src/sacct/print.c` of those releases): a script that ended with 137 is
//! printed as `9:0`, and one that ended with 128 as FAILED `0:0`. `scontrol`
//! prints the whole status in every release.

use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::ExitCode;

/// How the text that a code was read from writes a status of 128 and more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Printed {
    /// As it is: `sacct` from 25.11 on, `scontrol` in every release.
    Whole,
    /// With 128 taken off: `sacct` up to 25.05.
    Less128,
    /// Nobody knows which release wrote the text.
    Unknown,
}

/// The exit status that a process ended with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// This one.
    Exactly(u8),
    /// The one that was printed, or 128 more.
    Either {
        /// As it stands in the text.
        printed: u8,
        /// With the 128 that the release may have taken off.
        whole: u8,
    },
}

/// A signal that ended a process, or that a shell says ended one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signal {
    /// Its number.
    pub number: u8,
    /// True if the code says so by itself; false if the same text may as well
    /// be a plain exit status.
    pub is_sure: bool,
}

/// Slurm's own word for "a process was killed for want of memory": 253 with the top bit off.
const OUT_OF_MEMORY: u8 = 125;
/// Slurm's own word for "the output file could not be made", seen with 22.05 to 24.11.
const NO_OUTPUT_FILE: u8 = 53;

/// The signals that end jobs, with their names on Linux.
const SIGNALS: [(u8, &str); 14] = [
    (1, "SIGHUP"),
    (2, "SIGINT"),
    (3, "SIGQUIT"),
    (4, "SIGILL"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (10, "SIGUSR1"),
    (11, "SIGSEGV"),
    (12, "SIGUSR2"),
    (13, "SIGPIPE"),
    (15, "SIGTERM"),
    (24, "SIGXCPU"),
];

impl Printed {
    /// How `sacct` of a version prints, as `scontrol` names it (`22.05.8`) or
    /// the commands themselves do (`slurm 25.11.0`).
    pub fn by_sacct_of(version: Option<&str>) -> Printed {
        let numbers = |text: &str| {
            let mut parts = text.split('.');
            let number = |part: Option<&str>| part?.parse::<u32>().ok();
            Some((number(parts.next())?, number(parts.next())?))
        };
        match version.and_then(|text| text.split_whitespace().find_map(numbers)) {
            Some(release) if release < (25, 11) => Printed::Less128,
            Some(_) => Printed::Whole,
            None => Printed::Unknown,
        }
    }
}

impl ExitCode {
    /// The exit status behind the code; zero where a signal ended the process.
    pub fn status(self, printed: Printed) -> Status {
        match (printed, self.status.checked_add(128)) {
            (Printed::Less128 | Printed::Unknown, Some(whole)) if self.status > 0 && self.signal == 0 => {
                Status::Either { printed: self.status, whole }
            }
            _ => Status::Exactly(self.status),
        }
    }

    /// The signal that ended the process: Slurm's own word for it, or that of a
    /// shell, which adds 128. Slurm's private numbers are no signals.
    pub fn signal(self, printed: Printed) -> Option<Signal> {
        if self.signal > 0 {
            let is_private = matches!(self.signal, OUT_OF_MEMORY | NO_OUTPUT_FILE);
            return (!is_private).then_some(Signal { number: self.signal, is_sure: true });
        }
        match self.status(printed) {
            Status::Exactly(status) => {
                let number = status.checked_sub(128)?;
                name(number).map(|_| Signal { number, is_sure: true })
            }
            // Exit 1 and 2 are what nearly every error ends with.
            Status::Either { printed: 1..=3, .. } => None,
            Status::Either { printed, .. } => {
                name(printed).map(|_| Signal { number: printed, is_sure: false })
            }
        }
    }

    /// True if it is Slurm's private word for a memory kill, `0:125`.
    pub fn is_out_of_memory(self) -> bool {
        self.signal == OUT_OF_MEMORY
    }

    /// What the code says, for people: `exit 9, or 137 (SIGKILL) with 128 taken off`.
    pub fn in_words(self, printed: Printed) -> String {
        let mut words = match (self.signal, self.status(printed)) {
            (OUT_OF_MEMORY, _) => return "a process was killed for want of memory (0:125)".to_owned(),
            (NO_OUTPUT_FILE, _) => return "Slurm could not make its output file (0:53)".to_owned(),
            (0, Status::Exactly(status)) => format!("exit {status}"),
            (0, Status::Either { printed, whole }) => match self.signal(Printed::Less128) {
                Some(_) => format!("exit {printed}, or {whole} with 128 taken off by sacct"),
                None => format!("exit {printed}"),
            },
            (signal, _) => format!("signal {signal}"),
        };
        if let Some(name) = self.signal(printed).and_then(|signal| name(signal.number)) {
            // A String takes everything.
            let _ = write!(words, " ({name})");
        }
        words
    }
}

fn name(signal: u8) -> Option<&'static str> {
    SIGNALS.iter().find(|(number, _)| *number == signal).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> ExitCode {
        text.parse().unwrap()
    }

    #[test]
    fn a_code_is_read_by_the_release_that_printed_it() {
        use Printed::{Less128, Unknown, Whole};
        for (text, printed, words) in [
            ("9:0", Less128, "exit 9, or 137 with 128 taken off by sacct (SIGKILL)"),
            ("15:0", Unknown, "exit 15, or 143 with 128 taken off by sacct (SIGTERM)"),
            ("9:0", Whole, "exit 9"),
            ("137:0", Whole, "exit 137 (SIGKILL)"),
            ("143:0", Whole, "exit 143 (SIGTERM)"),
            ("1:0", Less128, "exit 1"),
            ("1:0", Whole, "exit 1"),
            ("2:0", Unknown, "exit 2"),
            ("0:9", Less128, "signal 9 (SIGKILL)"),
            ("0:125", Less128, "a process was killed for want of memory (0:125)"),
            ("0:53", Less128, "Slurm could not make its output file (0:53)"),
            ("255:0", Whole, "exit 255"),
            ("127:0", Less128, "exit 127"),
        ] {
            assert_eq!(code(text).in_words(printed), words, "{text} {printed:?}");
        }
        assert_eq!(code("9:0").status(Less128), Status::Either { printed: 9, whole: 137 });
        assert_eq!(code("1:0").status(Unknown), Status::Either { printed: 1, whole: 129 });
        assert_eq!(code("137:0").signal(Whole), Some(Signal { number: 9, is_sure: true }));
        assert_eq!(code("9:0").signal(Less128), Some(Signal { number: 9, is_sure: false }));
        assert_eq!(code("0:53").signal(Less128), None);
    }

    #[test]
    fn releases_are_told_from_what_slurm_says_of_itself() {
        for (version, printed) in [
            (Some("22.05.8"), Printed::Less128),
            (Some("slurm 25.05.3"), Printed::Less128),
            (Some("slurm 25.11.0-0rc1"), Printed::Whole),
            (Some("26.05.3"), Printed::Whole),
            (Some("slurm-wlm"), Printed::Unknown),
            (None, Printed::Unknown),
        ] {
            assert_eq!(Printed::by_sacct_of(version), printed, "{version:?}");
        }
    }
}
