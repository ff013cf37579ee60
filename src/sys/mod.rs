//! The world outside: processes, files, clock, environment, locks.
//!
//! Whatever has effects takes a [`World`]; only `main` builds one. This is the
//! only room that spawns a process and the only one that writes or deletes a
//! file; `clippy.toml` keeps it so.

mod clock;
mod environment;
mod files;
mod glob;
mod interrupt;
pub mod lock;
mod mounts;
mod process;
mod stream;
mod tree;

pub use clock::{Clock, Deadline, Stopwatch};
pub use environment::Environment;
pub use files::{
    FileError, Files, TEMPORARY_PREFIX, Target, open_regular, open_regular_or_target, read_regular,
};
pub use glob::Glob;
pub use interrupt::{Interrupts, Stop};
pub use mounts::mounts_below;
pub use process::{Call, Finished, Processes, Side, Spawn, SpawnError};

use std::io::Read;
use std::time::Duration;

/// Everything with effects, in one place.
#[derive(Debug, Clone)]
pub struct World {
    /// What time it is, and where.
    pub clock: Clock,
    /// Variables, user and host, as they were when the program started.
    pub environment: Environment,
    /// Runs other programs.
    pub processes: Processes,
    /// Writes and deletes files.
    pub files: Files,
}

impl World {
    /// The real world, read once at the start of the program.
    ///
    /// `HANDOVER_NOW` (RFC 3339) stops the clock, `HANDOVER_HOST` and
    /// `HANDOVER_USER` replace the names that go into documents: tests and
    /// reproducible examples need that.
    pub fn real() -> World {
        let environment = Environment::of_this_process();
        World {
            clock: Clock::from_environment(&environment),
            processes: Processes::new(),
            files: Files::new(),
            environment,
        }
    }
}

/// Random bytes as hex digits, for names that must not collide.
///
/// # Errors
/// The kernel's random device cannot be read.
pub fn nonce<const BYTES: usize>() -> std::io::Result<String> {
    let mut bytes = [0; BYTES];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A span within so many percent of this one, so that many who wait for the
/// same do not march in step.
pub fn jittered(span: Duration, percent: u32) -> Duration {
    let random = nonce::<1>().ok().and_then(|hex| u8::from_str_radix(&hex, 16).ok()).unwrap_or(128);
    let spread = f64::from(percent.min(100)) / 100.0;
    span.mul_f64(1.0 - spread + 2.0 * spread * f64::from(random) / 255.0)
}

/// The columns of the terminal on standard output, if there is one.
pub fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    Some(usize::from(size.ws_col)).filter(|width| *width > 0)
}
