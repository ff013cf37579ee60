//! The options of verbs whose work can be shared out over an array job.

use std::path::PathBuf;

use clap::Args;

use super::{Exit, Failure, Session};
use crate::report::{self, Text};
use crate::verbs::shards::{self, Script, Shard};

/// How the work is shared out, if it is.
#[derive(Debug, Args)]
#[group(id = "sharing", multiple = true)]
pub struct ShardArgs {
    /// Do only part I of N, and answer in JSON lines that --merge takes
    ///
    /// What belongs to a part follows from a hash of its path, so that the tasks of an array
    /// need not talk to each other.
    #[arg(long, value_name = "I/N", conflicts_with_all = ["merge", "sbatch"], help_heading = "On the cluster")]
    pub shard: Option<Shard>,
    /// Put the answers of parts together
    #[arg(long, value_name = "FILE", num_args = 1.., conflicts_with = "sbatch", help_heading = "On the cluster")]
    pub merge: Vec<PathBuf>,
    /// Print a script that does the work in N parts as an array job
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), help_heading = "On the cluster")]
    pub sbatch: Option<u32>,
    /// Submit that script now
    #[arg(long, requires = "sbatch", help_heading = "On the cluster")]
    pub submit: bool,
    /// Where the array writes its answers; must be there on the compute nodes too
    #[arg(
        long,
        value_name = "DIR",
        requires = "sbatch",
        default_value = "handover-shards",
        help_heading = "On the cluster"
    )]
    pub out: PathBuf,
    /// How many threads may read; login nodes are shared
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub threads: u16,
}

impl ShardArgs {
    /// The files to merge, as paths that count from where the program was called.
    pub fn merged(&self, session: &Session) -> Vec<PathBuf> {
        self.merge.iter().map(|file| session.dir().join(file)).collect()
    }

    /// Prints the script, or submits it.
    ///
    /// `verb` are the words of the verb, `options` what each part needs besides
    /// `--shard` and `--threads`; paths in it are absolute.
    pub fn script(&self, session: &Session, verb: &[&str], options: Vec<String>) -> Result<Exit, Failure> {
        let program = std::env::current_exe().ok().and_then(|path| path.into_os_string().into_string().ok());
        let mut words = vec![program.unwrap_or_else(|| "handover".to_owned())];
        words.extend(verb.iter().map(|word| (*word).to_owned()));
        let count = self.sbatch.unwrap_or(1);
        let script = Script {
            name: format!("handover-{}", verb.last().copied().unwrap_or("shards")),
            verb: words,
            options,
            dir: session.dir(),
            out: session.dir().join(&self.out),
            count,
            at_once: 16,
            threads: self.threads,
        };
        if self.submit {
            let submitted = shards::submit(session.world, &script)?;
            session.output.answer("shards-submitted", &submitted, report::shards::text)?;
        } else {
            let text = script.text().map_err(crate::verbs::Error::from)?;
            session.output.answer("shards-script", &Text { text }, Text::plain)?;
        }
        Ok(Exit::Done)
    }
}
