use std::path::PathBuf;

use clap::Args;

use super::cluster_source::ClusterArgs;
use super::shards::ShardArgs;
use super::{Exit, Failure, Session};
use crate::config::{Config, Source};
use crate::report;
use crate::terms::JobId;
use crate::verbs::logs::{self, Options, Outcome, Place};
use crate::verbs::{Context, snapshot, sweep};

/// Say what job logs name as the cause
///
/// Of one log: the earliest cause of its newest attempt with file, line and byte offset, what it
/// means and what to do, how far the run came, and what else was found. Of many: one row for
/// each cause that they share. Progress bars, several attempts and jobs in one file, tracebacks
/// of many ranks, and Slurm's own last words are told apart.
///
/// Without --full large logs are read at their head, their end and some places between, and what
/// was not read is said; what is less than 64 MiB together is read whole. At most two threads
/// read, at low priority.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover logs slurm-48251_7.out\n  \
    handover logs\n  \
    handover logs logs/lr_sweep --full\n  \
    handover logs 'outputs/*/train.log' --json\n  \
    handover logs --job 48251_7\n  \
    handover logs --job 48251\n  \
    handover logs --patterns\n  \
    handover logs /scratch/logs --full --sbatch 16 > read.sh\n  \
    handover logs --merge handover-shards/48260/shard-*.jsonl\n\n\
    Without a path: the files of logs.globs in the settings, by default logs/** and slurm-*.out. \
    One file that is named is answered in JSON as {root: {class, file, line, offset, text, ..} or \
    null, others: [..], ..}; everything else as {groups: [..], logs: [..], unread: [..], ..}.\n\n\
    It ends with one of these exit codes:\n  \
     0  the logs were read, whatever they say\n  \
     2  a pattern of the settings cannot be used\n  \
     3  some could not be read, or have no answer; they are listed\n  \
     4  there is no log, or the one that was named cannot be read\n  \
     7  the name of a sweep was given, and neither queue nor accounting can be seen")]
pub struct LogsArgs {
    /// Logs, folders of logs, and globs (*, ?, ** for folders)
    #[arg(value_name = "PATH|DIR|GLOB", conflicts_with_all = ["merge", "patterns"])]
    paths: Vec<PathBuf>,
    /// The logs of this job, array task (123_4, or its raw id) or whole array, also by the name of a
    /// sweep: where Slurm says, else among the paths or the configured globs by the numbers in
    /// their names. An id in the place of a path that is not there means the same
    #[arg(long, value_name = "ID|NAME", conflicts_with_all = ["merge", "patterns"])]
    job: Option<String>,
    /// Read everything, not only the ends of large logs
    #[arg(long)]
    full: bool,
    /// Show the table of patterns, the project's own among them
    #[arg(long, conflicts_with_all = ["merge", "sbatch", "shard"])]
    patterns: bool,
    #[command(flatten)]
    cluster: ClusterArgs,
    #[command(flatten)]
    shards: ShardArgs,
}

pub fn run(session: &Session, args: &LogsArgs) -> Result<Exit, Failure> {
    let context = context(session, args)?;
    let none = Config::default();
    let config = context.as_ref().map_or(&none, |context| &context.config);
    if args.patterns {
        let patterns = logs::patterns(&config.logs)?;
        session.output.answer("logs-patterns", &patterns, report::logs::patterns)?;
        return Ok(Exit::Done);
    }
    if !args.shards.merge.is_empty() {
        return answer(session, args, None, &logs::merge(&config.logs, &args.shards.merged(session))?);
    }
    let (job, paths) = meant(session, args, context.as_ref())?;
    let options = Options {
        paths: paths.iter().map(|path| session.dir().join(path)).collect(),
        job,
        full: args.full,
        threads: usize::from(args.shards.threads),
        shard: args.shards.shard,
    };
    if args.shards.sbatch.is_some() {
        return args.shards.script(session, &["logs"], words(args, &options)?);
    }
    let source = args.cluster.source(session);
    let saved = || snapshot::take(context.as_ref()?, source.as_ref()).ok();
    let mut place = Place::of(session.world, &config.logs, context.as_ref(), session.dir());
    if let Some(Source::Off | Source::Ssh(_) | Source::File(_)) = source {
        place.look = None;
    }
    if source != Some(Source::Off) {
        place.saved = Some(&saved);
    }
    let outcome = {
        let _working = session.working("reading logs");
        logs::run(&place, &options)?
    };
    match args.shards.shard {
        Some(shard) => {
            let lines = logs::lines(shard, outcome)
                .map_err(|e| Failure::new(Exit::Bug, format!("cannot write JSON: {e}")))?;
            session.output.print(&lines).map(|()| Exit::Done)
        }
        None => {
            let exit = answer(session, args, options.job, &outcome);
            // The program ends here: ten thousand logs need not be freed one by one before.
            std::mem::forget(outcome);
            exit
        }
    }
}

/// The repository here, if there is one: settings and worktrees are looked for
/// in it, but a log that is named can be read anywhere.
fn context<'w>(session: &Session<'w>, args: &LogsArgs) -> Result<Option<Context<'w>>, Failure> {
    let needs_one =
        args.paths.is_empty() && args.shards.merge.is_empty() && !args.patterns && args.job.is_none();
    let dir = session.dir();
    if needs_one || !dir.is_dir() {
        return session.context().map(Some);
    }
    Ok(Context::open_if_any(session.world, &dir)?)
}

/// The job that is meant, and the paths: an id in the place of a path that is
/// not there is a job's; a name is that of a sweep.
fn meant(
    session: &Session,
    args: &LogsArgs,
    context: Option<&Context<'_>>,
) -> Result<(Option<JobId>, Vec<PathBuf>), Failure> {
    if let Some(text) = &args.job {
        if let Ok(id) = text.parse() {
            return Ok((Some(id), args.paths.clone()));
        }
        let Some(context) = context else {
            let what = format!("{} is no id of a job", crate::safety::one_line(text, 60));
            return Err(Failure::new(Exit::Usage, what).hint("names are found in a repository alone"));
        };
        let source = args.cluster.source(session);
        let array = sweep::array_of(context, source.as_ref(), text)?;
        return Ok((Some(array), args.paths.clone()));
    }
    let is_there = |path: &PathBuf| session.dir().join(path).symlink_metadata().is_ok();
    match args.paths.as_slice() {
        [path] if !is_there(path) => match path.to_str().and_then(|text| text.parse().ok()) {
            Some(id) => Ok((Some(id), Vec::new())),
            None => Ok((None, args.paths.clone())),
        },
        _ => Ok((None, args.paths.clone())),
    }
}

fn answer(
    session: &Session,
    args: &LogsArgs,
    job: Option<JobId>,
    outcome: &Outcome,
) -> Result<Exit, Failure> {
    let named = match args.paths.as_slice() {
        [path] if job.is_none() => Some(session.dir().join(path)),
        _ => None,
    };
    if outcome.is_empty() {
        return Err(nothing(args, job, outcome));
    }
    match (outcome.logs.as_slice(), named) {
        ([log], Some(named)) if log.file == named => {
            session.output.answer("log", log, report::logs::of_one)?;
        }
        _ => session.output.answer("logs", outcome, report::logs::text)?,
    }
    Ok(if outcome.is_whole() { Exit::Done } else { Exit::Look })
}

fn nothing(args: &LogsArgs, job: Option<JobId>, outcome: &Outcome) -> Failure {
    let why: Vec<String> = outcome
        .unread
        .iter()
        .take(3)
        .map(|unread| {
            let path = crate::safety::escape_path(&unread.path);
            format!("cannot read {path}: {}", crate::safety::one_line(&unread.why, 200))
        })
        .chain(outcome.notes.iter().take(3).map(|note| crate::safety::one_line(note, 200)))
        .collect();
    let why = if why.is_empty() { "no log was found".to_owned() } else { why.join("; ") };
    let failure = Failure::new(Exit::NotFound, why);
    if outcome.unread.iter().any(|unread| crate::safety::is_file_of_secrets(&unread.path)) {
        return failure.hint("if it is a log all the same, copy it to a name that ends in .out");
    }
    // One word that is no path may be the name of a sweep.
    let word = match args.paths.as_slice() {
        [path] => path.to_str().filter(|text| !text.contains(['/', '.', '*', '?'])),
        _ => None,
    };
    let name = word.and_then(|word| crate::safety::shell_word(word).ok());
    match (job, name) {
        (Some(job), _) => failure.hint(format!("name where its logs are: handover logs DIR --job {job}")),
        (None, Some(name)) => failure.hint(format!("of a sweep or a job: handover logs --job {name}")),
        (None, None) => failure.hint("name files, folders or globs, or set logs.globs in the settings"),
    }
}

/// What each part of an array needs to be told.
fn words(args: &LogsArgs, options: &Options) -> Result<Vec<String>, Failure> {
    let mut words: Vec<String> = args.full.then(|| "--full".to_owned()).into_iter().collect();
    words.extend(options.job.map(|job| format!("--job={job}")));
    if !options.paths.is_empty() {
        words.push("--".to_owned());
    }
    for path in &options.paths {
        let text = path.to_str().ok_or_else(|| {
            let shown = crate::safety::escape_path(path);
            Failure::new(Exit::Usage, format!("cannot write {shown} into a script"))
                .hint("name a folder above it")
        })?;
        words.push(text.to_owned());
    }
    Ok(words)
}
