use std::path::PathBuf;

use clap::Args;

use crate::cli::cluster_source::ClusterArgs;
use crate::cli::{Exit, Failure, Session};
use crate::report;
use crate::terms::Bytes;
use crate::verbs::sweep::preflight::{self, Options, Verdict};

/// Look at what makes a sweep fail before it is submitted
///
/// Whether what decides the sweep is committed; whether the shell can read the script (`bash -n`,
/// which runs nothing), sbatch each of its lines, and whether the files are there that it names by
/// a relative path; whether the log folder is there; host memory against what past tasks of the
/// same name used and what nodes have; how much GPU memory training takes at least; whether one
/// batch was tried; and whether Slurm would take the script (`sbatch --test-only`). Nothing is
/// submitted. The commit is recorded: `sweep`, `sweep plan` and `sweep report` show it later, and
/// whether the jobs come from another one.
///
/// A test of one batch is seen in the script, its arguments, or the beginning of a log of this
/// project: fast_dev_run=true, limit_train_batches=1, overfit_batches=1, max_steps=1, or the words
/// that Lightning prints for the first of them.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover sweep preflight train.sh --parameters 350M --gpu-memory 40G\n  \
    handover sweep preflight train.sh --checkpoint outputs/run1/model.safetensors -- --lr 0.1\n\n\
    The exit code is 0 if all is well, 3 if something should be looked at, 1 if the jobs would fail.")]
pub struct PreflightArgs {
    /// The batch script
    #[arg(value_name = "SCRIPT")]
    script: PathBuf,
    /// How many parameters the model has: 125000000, 125M, 7B
    #[arg(long, value_name = "N", value_parser = count)]
    parameters: Option<u64>,
    /// A .safetensors file of the same model, whose header tells how many
    #[arg(long, value_name = "FILE", conflicts_with = "parameters")]
    checkpoint: Option<PathBuf>,
    /// The memory of one GPU, such as 40G
    #[arg(long, value_name = "SIZE")]
    gpu_memory: Option<Bytes>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// Record nothing
    #[arg(long)]
    dry_run: bool,
    /// What the script will be given
    #[arg(last = true, value_name = "ARGUMENT")]
    arguments: Vec<String>,
}

pub fn run(session: &Session, args: &PreflightArgs) -> Result<Exit, Failure> {
    let options = Options {
        script: args.script.clone(),
        arguments: args.arguments.clone(),
        parameters: args.parameters,
        checkpoint: args.checkpoint.clone(),
        gpu_memory: args.gpu_memory,
        cluster: args.cluster.source(session),
        dry_run: args.dry_run,
    };
    let outcome = preflight::run(&session.context()?, &session.dir(), &options)?;
    session.output.answer("sweep-preflight", &outcome, report::preflight::text)?;
    Ok(match outcome.worst() {
        Verdict::Well | Verdict::NotChecked => Exit::Done,
        Verdict::Finding => Exit::Look,
        Verdict::WouldFail => Exit::No,
    })
}

/// A count of parameters, maybe with K, M, B.
fn count(text: &str) -> Result<u64, String> {
    let wrong = || format!("not a number of parameters: {text:?}");
    let (digits, unit) = match text.char_indices().last().ok_or_else(wrong)? {
        (at, 'k' | 'K') => (&text[..at], 1e3),
        (at, 'm' | 'M') => (&text[..at], 1e6),
        (at, 'b' | 'B' | 'g' | 'G') => (&text[..at], 1e9),
        _ => (text, 1.0),
    };
    let value = digits.parse::<f64>().map_err(|_| wrong())? * unit;
    if (1.0..1e16).contains(&value) { Ok(value as u64) } else { Err(wrong()) }
}
