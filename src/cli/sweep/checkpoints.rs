use std::path::PathBuf;

use clap::Args;

use crate::cli::{Exit, Failure, Session};
use crate::config::Sweeps;
use crate::report;
use crate::verbs::sweep::checkpoints::{self, Options};

/// Say from which checkpoint each run can be resumed
///
/// Looks at every checkpoint below the folders: torch files of all ages, safetensors, shards
/// with an index, HF Trainer and Accelerate, Lightning, DeepSpeed, DCP (FSDP), Megatron, Orbax.
/// For each run the highest step that is sound, and for what is newer why it is not taken.
/// Nothing is ever unpickled.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover sweep checkpoints\n  \
    handover sweep checkpoints outputs/lr_sweep --full\n  \
    handover sweep checkpoints runs --json\n\n\
    Without a folder: those of sweeps.runs in the settings, else outputs, runs, checkpoints,\n\
    results, lightning_logs. The exit code is 3 if something was refused or could not be read.")]
pub struct CheckpointsArgs {
    /// Folders of runs
    #[arg(value_name = "DIR")]
    dirs: Vec<PathBuf>,
    /// Read what is resumed from whole, and compare the checksums where there are some
    ///
    /// From the highest step down to the first that is sound. Without it headers, directories
    /// and tails are read, which takes milliseconds whatever the size.
    #[arg(long)]
    full: bool,
    /// How many threads may read; login nodes are shared
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: u16,
}

pub fn run(session: &Session, args: &CheckpointsArgs) -> Result<Exit, Failure> {
    let (base, sweeps) = settings(session, args)?;
    let options = Options {
        dirs: args.dirs.iter().map(|dir| session.dir().join(dir)).collect(),
        base,
        full: args.full,
        threads: usize::from(args.threads),
    };
    if let Some(dir) = options.dirs.iter().find(|dir| !dir.is_dir()) {
        let dir = crate::safety::escape_path(dir);
        return Err(Failure::new(Exit::NotFound, format!("there is no folder {dir}"))
            .hint("name the folder that holds the runs, or none: handover sweep checkpoints"));
    }
    let outcome = {
        let _working = session.working("reading checkpoints");
        checkpoints::run(session.world, &sweeps, &options)
    };
    session.output.answer("sweep-checkpoints", &outcome, report::checkpoints::text)?;
    Ok(if outcome.is_plain() { Exit::Done } else { Exit::Look })
}

/// Where relative names count from, and the settings: of the repository, which
/// is not needed where folders are named.
fn settings(session: &Session, args: &CheckpointsArgs) -> Result<(PathBuf, Sweeps), Failure> {
    if !args.dirs.is_empty() {
        return Ok((session.dir(), Sweeps::default()));
    }
    let context = session.context()?;
    Ok((context.repository.worktree().to_owned(), context.config.sweeps))
}
