//! Builds the world, runs the command line, returns the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let world = handover::sys::World::real();
    handover::cli::run(&world, std::env::args_os())
}
