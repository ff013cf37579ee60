//! What every integration test stands on.
//!
//! A [`Sandbox`] is a world of its own: home, git configuration, clock, host,
//! user and `PATH`. The environment is handed over where a program is started;
//! no test changes that of the test process. By default there is no Slurm in
//! it, whatever this machine has: [`Sandbox::fake`] plays one back, and
//! [`cluster`] borrows the real one that `./test` started.

mod call;
pub mod checkpoints;
pub mod chromium;
pub mod cluster;
mod fakes;
pub mod kill;
mod names;
pub mod paths;
pub mod planted;
mod sandbox;
pub mod schema;
pub mod serialised;
pub mod slurm;
pub mod sshd;
pub mod trace;
pub mod wandb;

pub use call::{Answer, Call};
pub use fakes::Fake;
pub use sandbox::{NOW, Sandbox};
