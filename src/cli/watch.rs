use clap::{Args, ValueEnum};

use super::cluster_source::ClusterArgs;
use super::{Exit, Failure, Session};
use crate::report;
use crate::terms::Seconds;
use crate::verbs::watch::{self, Event, Options, Until, Why};

/// Watch sweeps patiently, and print only what changed
///
/// Opens with what it is going to do: what it watches, how often it looks, for how long. After
/// that a line appears only when something changed: a task changed class, a cause appeared (with
/// the line of the log that shows it), health or decision changed, running tasks have come a
/// quarter further, their loss is no number any more or their log stands still, an expected file
/// did not appear. A log is read once when its task ends, and of running tasks its end alone.
/// What it knows is kept: the next watch starts from there, so it may be ended at any time.
///
/// One question of squeue serves everything that is watched, and all watches of this user on
/// this host; accounting is asked only for what left the queue. No option makes it look more
/// often than every 60 s, or longer than 8 h.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    handover watch\n  \
    handover watch train_lr 48251 --until degraded\n  \
    handover watch 48251 --for 2h --json\n  \
    handover watch --once || handover sweep\n\n\
    It ends with one of these exit codes:\n  \
     0  what was waited for has come; with --once, it looked\n  \
     1  somebody has to intervene: handover sweep NAME says why\n  \
     3  nothing runs or waits any more, and what was waited for did not come\n  \
     4  no sweep has that name or id\n  \
     7  there is no cluster to ask\n  \
    75  the time is up, or the cluster gave no answer five times in a row (with --once: once)\n  \
   130  interrupted (SIGINT); 143 terminated (SIGTERM, SIGHUP): what is known is kept")]
pub struct WatchArgs {
    /// Ids of arrays or jobs, names, or starts of names; by default everything that runs or waits
    #[arg(value_name = "NAME|JOBID")]
    wanted: Vec<String>,
    #[command(flatten)]
    cluster: ClusterArgs,
    /// What to wait for; it also ends when all is over, or when somebody has to intervene
    #[arg(long, value_name = "WHAT", default_value = "done")]
    until: UntilArg,
    /// How long to watch: 90s, 15min, 2h; at most 8h
    #[arg(long = "for", value_name = "SPAN", default_value = "8h", value_parser = span)]
    horizon: Seconds,
    /// How often to look, instead of as often as the sweeps' state asks for; at least 60s
    #[arg(long, value_name = "SPAN", value_parser = span)]
    every: Option<Seconds>,
    /// Look once, print what changed since the last look, and end: for cron and hooks. If nothing
    /// did, one line on standard error says from when the queue is; -q leaves it out
    #[arg(long)]
    once: bool,
}

/// What to wait for.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum UntilArg {
    /// Nothing runs or waits any more
    Done,
    /// Anything changed
    Change,
    /// A sweep is degraded or worse
    Degraded,
    /// A sweep is systemic
    Systemic,
}

fn span(text: &str) -> Result<Seconds, String> {
    Seconds::from_person(text).map_err(|error| error.to_string())
}

pub fn run(session: &Session, args: WatchArgs) -> Result<Exit, Failure> {
    let options = Options {
        wanted: args.wanted,
        source: args.cluster.source(session),
        until: match args.until {
            UntilArg::Done => Until::Done,
            UntilArg::Change => Until::Change,
            UntilArg::Degraded => Until::Degraded,
            UntilArg::Systemic => Until::Systemic,
        },
        horizon: args.horizon,
        every: args.every,
        once: args.once,
        words: args.cluster.again(session),
    };
    let mut tell = |event: &Event| {
        // With --once nothing new is no answer; that it looked, and at what, is a remark.
        if session.output.is_json() || !options.once || !report::watch::is_routine(event) {
            return session.output.answer("watch", event, report::watch::text);
        }
        if let Event::End(end) = event {
            session.output.note(&report::watch::nothing_new(session.output.view(), end));
        }
        Ok(())
    };
    let end = watch::run(session.context()?, &options, &mut tell)?;
    Ok(match end.why {
        Why::Interrupted => Exit::Interrupted,
        Why::Terminated => Exit::Terminated,
        Why::Degraded | Why::Systemic => Exit::Done,
        _ if end.intervene => Exit::No,
        Why::Done if options.until != Until::Done => Exit::Look,
        Why::Done | Why::Changed | Why::Intervene | Why::Once | Why::Unread => Exit::Done,
        Why::TimeUp | Why::Unreachable => Exit::Deferred,
    })
}
