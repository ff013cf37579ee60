//! Lines for a phone: what somebody can paste where only a prompt is, and what must not be in it.
//!
//! A line is one line, begins with `cd` into the project, is no longer than the settings say, and has no
//! character that a phone rewrites. What does not fit becomes numbered steps, or a script that is committed
//! under a name with its own hash and checks itself. Nothing in it waits for somebody. Pure: no effects.

mod carry;
mod command;
mod danger;
mod fault;
mod place;
mod qr;
mod quote;
mod repair;
mod script;
mod shell;
mod waits;

pub use carry::{Carried, Carrier, Part, carry, run_there, words};
pub use fault::{Fault, Refusal, faults};
pub use place::{NoPlace, Place};
pub use qr::{Drawn, qr};
pub use repair::{Repaired, repair};
pub use script::{FOLDER, Script, Snapshot};

/// How long a line may be, in bytes, where the settings do not say.
pub const LONGEST: usize = 500;
