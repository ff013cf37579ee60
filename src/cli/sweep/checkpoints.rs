use std::path::PathBuf;

use clap::Args;

use crate::cli::shards::ShardArgs;
use crate::cli::{Exit, Failure, Session};
use crate::config::Sweeps;
use crate::report;
use crate::verbs::sweep::checkpoints::{self, Options, Outcome};

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
    handover sweep checkpoints runs --json\n  \
    handover sweep checkpoints runs --full --sbatch 16 > check.sh\n  \
    handover sweep checkpoints --merge handover-shards/48251/shard-*.jsonl\n\n\
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
    #[command(flatten)]
    shards: ShardArgs,
}

pub fn run(session: &Session, args: &CheckpointsArgs) -> Result<Exit, Failure> {
    if !args.shards.merge.is_empty() {
        let outcome = checkpoints::merge(&args.shards.merged(session))?;
        return answer(session, &outcome);
    }
    let (base, sweeps) = settings(session, args)?;
    let options = Options {
        dirs: args.dirs.iter().map(|dir| session.dir().join(dir)).collect(),
        base,
        full: args.full,
        threads: usize::from(args.shards.threads),
        shard: args.shards.shard,
    };
    if let Some(dir) = options.dirs.iter().find(|dir| !dir.is_dir()) {
        let dir = crate::safety::escape_path(dir);
        return Err(Failure::new(Exit::NotFound, format!("there is no folder {dir}"))
            .hint("name the folder that holds the runs, or none: handover sweep checkpoints"));
    }
    if args.shards.sbatch.is_some() {
        return args.shards.script(session, &["sweep", "checkpoints"], words(args.full, &options)?);
    }
    let outcome = {
        let _working = session.working("reading checkpoints");
        checkpoints::run(session.world, &sweeps, &options)
    };
    match args.shards.shard {
        Some(shard) => {
            let lines = checkpoints::lines(shard, outcome)
                .map_err(|e| Failure::new(Exit::Bug, format!("cannot write JSON: {e}")))?;
            session.output.print(&lines).map(|()| Exit::Done)
        }
        None => answer(session, &outcome),
    }
}

fn answer(session: &Session, outcome: &Outcome) -> Result<Exit, Failure> {
    session.output.answer("sweep-checkpoints", outcome, report::checkpoints::text)?;
    Ok(if outcome.is_plain() { Exit::Done } else { Exit::Look })
}

/// What each part of an array needs to be told: the folders by their whole path.
fn words(full: bool, options: &Options) -> Result<Vec<String>, Failure> {
    let mut words: Vec<String> = full.then(|| "--full".to_owned()).into_iter().collect();
    if !options.dirs.is_empty() {
        words.push("--".to_owned());
    }
    for dir in &options.dirs {
        // A shell that reads a script takes every byte, but quoting needs text.
        let text = dir.to_str().ok_or_else(|| {
            let shown = crate::safety::escape_path(dir);
            Failure::new(Exit::Usage, format!("cannot write {shown} into a script"))
                .hint("name a folder above it")
        })?;
        words.push(text.to_owned());
    }
    Ok(words)
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
