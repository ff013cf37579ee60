use std::path::PathBuf;

use clap::Args;

use crate::cli::cluster_source::ClusterArgs;
use crate::cli::shards::ShardArgs;
use crate::cli::{Exit, Failure, Session};
use crate::config::Sweeps;
use crate::report;
use crate::verbs::Error;
use crate::verbs::sweep::checkpoints::{self, OfSweep, Options, Outcome};

/// Say from which checkpoint each run can be resumed
///
/// Looks at every checkpoint below the folders, or in the run folders of a sweep's tasks: torch
/// files of all ages, safetensors, shards with an index, HF Trainer and Accelerate, Lightning,
/// DeepSpeed, DCP (FSDP), Megatron, Orbax. For each run the highest step that is sound, and for
/// what is newer why it is not taken. Nothing is ever unpickled.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover sweep checkpoints\n  \
    handover sweep checkpoints 48251\n  \
    handover sweep checkpoints outputs/lr_sweep --full\n  \
    handover sweep checkpoints runs --json\n  \
    handover sweep checkpoints runs --full --sbatch 16 > check.sh\n  \
    handover sweep checkpoints --merge handover-shards/48251/shard-*.jsonl\n\n\
    Without a folder: those of sweeps.runs in the settings, else outputs, runs, checkpoints, \
    results, lightning_logs. A word that is no folder is the name or id of a sweep; a folder with \
    such a name is ./NAME. The exit code is 3 if something was refused or could not be read.")]
pub struct CheckpointsArgs {
    /// Folders of runs; or a sweep, by its id, that of a task or job, or its name
    #[arg(value_name = "DIR|NAME|JOBID")]
    places: Vec<PathBuf>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Read what is resumed from whole, and compare the checksums where there are some
    ///
    /// From the highest step down to the first that is sound. Without it headers, directories
    /// and tails are read, which takes milliseconds whatever the size. Every run is shown then,
    /// as with --each.
    #[arg(long)]
    full: bool,
    /// Show every run, not one line for all that are alike
    #[arg(long)]
    each: bool,
    #[command(flatten)]
    shards: ShardArgs,
}

pub fn run(session: &Session, args: &CheckpointsArgs) -> Result<Exit, Failure> {
    let each = args.each || args.full;
    if !args.shards.merge.is_empty() {
        let outcome = checkpoints::merge(&args.shards.merged(session))?;
        return answer(session, &outcome, each);
    }
    let again = args.cluster.again(session);
    let Chosen { dirs, sweeps: of_sweeps } =
        chosen(session, args).map_err(|failure| failure.keeping(&again))?;
    if args.shards.sbatch.is_some() && !of_sweeps.is_empty() {
        let what = "an array of parts wants folders, and a sweep was named".to_owned();
        return Err(Failure::new(Exit::Usage, what)
            .hint("name the folder that holds its runs: handover sweep checkpoints DIR --sbatch N"));
    }
    let (base, sweeps) = settings(session, args)?;
    let options = Options {
        dirs,
        sweeps: of_sweeps,
        base,
        full: args.full,
        threads: usize::from(args.shards.threads),
        shard: args.shards.shard,
    };
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
        None => answer(session, &outcome, each),
    }
}

/// What the words of the call stand for.
#[derive(Default)]
struct Chosen {
    dirs: Vec<PathBuf>,
    sweeps: Vec<OfSweep>,
}

/// A word is a folder if there is one, else a sweep.
fn chosen(session: &Session, args: &CheckpointsArgs) -> Result<Chosen, Failure> {
    let mut chosen = Chosen::default();
    for word in &args.places {
        let dir = session.dir().join(word);
        if dir.is_dir() {
            chosen.dirs.push(dir);
            continue;
        }
        let no_folder = || {
            let shown = crate::safety::escape_path(&dir);
            Failure::new(Exit::NotFound, format!("there is no folder {shown}"))
                .hint("name the folder that holds the runs, a sweep, or none: handover sweep checkpoints")
        };
        let name = word.to_str().filter(|name| !name.contains('/') && *name != "..");
        let name = name.ok_or_else(no_folder)?;
        let context = session.context().map_err(|_| no_folder())?;
        match checkpoints::of_sweep(&context, args.cluster.source(session).as_ref(), name) {
            Ok((sweep, dirs)) => {
                chosen.dirs.extend(dirs);
                chosen.sweeps.push(sweep);
            }
            Err(error @ (Error::NoSweep { .. } | Error::Unseen { .. })) => {
                let failure = Failure::from(error);
                let messages = failure.messages.join(": ");
                let all = no_folder();
                return Err(Failure {
                    messages: vec![format!("{}, and {messages}", all.messages.join(": "))],
                    hints: [all.hints, failure.hints].concat(),
                    ..all
                });
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(chosen)
}

fn answer(session: &Session, outcome: &Outcome, each: bool) -> Result<Exit, Failure> {
    session.output.answer("sweep-checkpoints", outcome, |view, outcome| {
        report::checkpoints::text(view, outcome, each)
    })?;
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
    if !args.places.is_empty() {
        return Ok((session.dir(), Sweeps::default()));
    }
    let context = session.context()?;
    Ok((context.repository.worktree().to_owned(), context.config.sweeps))
}
