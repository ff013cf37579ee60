//! The command line: options, questions, output, exit codes.
//!
//! The only room that knows clap and dialoguer. One file per verb holds its
//! options and its help; it calls the verb, hands the outcome to `report`, and
//! says with which code the program ends.

mod archive;
mod cluster_source;
mod confirm;
mod create;
mod exit;
mod failure;
mod fetch;
mod finish;
mod help;
mod logs;
mod note;
mod output;
mod paste;
mod progress;
mod questions;
mod remote;
mod remove;
mod resume;
mod shards;
mod snapshot;
mod start;
mod status;
mod sweep;
mod sync;
mod sync_pair;
mod unlock;
mod verify;
mod watch;

pub use exit::Exit;
pub use failure::{ErrorLine, Failure};
pub use output::Output;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use crate::report::Text;
use crate::sys::World;
use crate::verbs::Context;

/// Carries work from one coding agent to the next, on projects whose training
/// runs on Slurm.
#[derive(Debug, Parser)]
#[command(name = "handover", version, max_term_width = 100, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Verb,
}

/// Options of every verb.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Globals {
    /// Run as if started in this directory
    #[arg(short = 'C', value_name = "DIR", global = true)]
    dir: Option<PathBuf>,
    /// Answer as JSON, in the envelope {schema, tool_version, data}
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but the answer
    #[arg(long, short, global = true)]
    quiet: bool,
    /// Say which worktree, git directory and settings are used
    #[arg(long, short, global = true)]
    verbose: bool,
    /// When to use colours
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    color: Color,
    /// Answer yes to every question that would be asked
    #[arg(long, global = true)]
    yes: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    fn choice(self) -> anstream::ColorChoice {
        match self {
            Color::Auto => anstream::ColorChoice::Auto,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Verb {
    Create(create::CreateArgs),
    Draft(create::DraftArgs),
    Verify(verify::VerifyArgs),
    Show(verify::ShowArgs),
    Resume(resume::ResumeArgs),
    Release(resume::ReleaseArgs),
    Fetch(fetch::FetchArgs),
    List(verify::ListArgs),
    Archive(archive::ArchiveArgs),
    Start(start::StartArgs),
    Status(status::StatusArgs),
    Snapshot(snapshot::SnapshotArgs),
    Finish(finish::FinishArgs),
    Remove(remove::RemoveArgs),
    Sweep(sweep::SweepArgs),
    Logs(logs::LogsArgs),
    Watch(watch::WatchArgs),
    Sync(sync::SyncArgs),
    Note(note::NoteArgs),
    Remote(remote::RemoteArgs),
    Paste(paste::PasteArgs),
    Unlock(unlock::UnlockArgs),
    /// Print the completions of a shell
    #[command(after_help = "Examples:
  handover completions bash > ~/.local/share/bash-completion/completions/handover
  handover completions zsh > ~/.zfunc/_handover")]
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    #[command(after_help = "Example:
  handover man > handover.1 && man ./handover.1")]
    Man,
}

/// What a verb's front end works with.
pub struct Session<'w> {
    /// Everything with effects.
    pub world: &'w World,
    /// The way out.
    pub output: Output,
    /// The options of every verb.
    pub globals: Globals,
}

impl<'w> Session<'w> {
    /// The directory in which the verb works.
    pub fn dir(&self) -> PathBuf {
        let here = self.world.environment.current_dir();
        self.globals.dir.as_ref().map_or_else(|| here.clone(), |dir| here.join(dir))
    }

    /// An option of this call, for a command that goes on from it: with a blank before it,
    /// empty if it was not given or cannot stand in a shell's line.
    pub fn again(&self, option: &str, value: Option<&Path>) -> String {
        let word = value.and_then(|value| crate::safety::shell_path(value).ok());
        word.map(|word| format!(" {option} {word}")).unwrap_or_default()
    }

    /// A sign of life while something slow goes on; ends when it is dropped.
    pub fn working(&self, what: &'static str) -> progress::Working {
        progress::Working::on(what, self.globals.quiet || self.globals.json)
    }

    /// The repository there, with its settings.
    pub fn context(&self) -> Result<Context<'w>, Failure> {
        let dir = self.dir();
        if !dir.is_dir() {
            let dir = crate::safety::escape_path(&dir);
            return Err(Failure::new(Exit::NotFound, format!("there is no directory {dir}"))
                .hint("name another one with -C DIR"));
        }
        let context = Context::open(self.world, &dir)?;
        if self.globals.verbose {
            let shown = crate::safety::escape_path;
            self.output.note(&format!("worktree: {}", shown(context.repository.worktree())));
            self.output.note(&format!("git directory: {}", shown(context.repository.common_dir())));
            for file in &context.config.read_from {
                self.output.note(&format!("settings: {}", shown(file)));
            }
        }
        Ok(context)
    }
}

/// Runs the program with these arguments, the first being its own name.
pub fn run(world: &World, arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    // What a bug says may hold anything, too.
    std::panic::set_hook(Box::new(|bug| output::complain(&format!("handover stopped at a bug: {bug}\n"))));
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let typed = arguments.clone();
    let wants_json = arguments.iter().take_while(|word| *word != "--").any(|word| word == "--json");
    let parsed =
        command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        // Help and version go to standard output.
        Err(e) if !e.use_stderr() => {
            // Whoever closed the pipe has read enough.
            let _ = e.print();
            return Exit::Done.into();
        }
        // clap repeats what was typed, and that may hold anything.
        Err(mut e) => {
            help::suggest_inner(&mut e, &typed);
            let said = escape_lines(&e.render().to_string());
            output::complain(&if wants_json { output::error_line(&help::failure(&said)) } else { said });
            return Exit::Usage.into();
        }
    };
    let output = Output::new(world, &cli.globals);
    let session = Session { world, output, globals: cli.globals };
    match dispatch(&session, cli.verb) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            session.output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn escape_lines(text: &str) -> String {
    text.lines().map(|line| crate::safety::escape(line) + "\n").collect()
}

fn dispatch(session: &Session, verb: Verb) -> Result<Exit, Failure> {
    match verb {
        Verb::Create(args) => create::run(session, args),
        Verb::Draft(args) => create::run_draft(session, args),
        Verb::Verify(args) => verify::run(session, args),
        Verb::Show(args) => verify::run_show(session, args),
        Verb::Resume(args) => resume::run(session, args),
        Verb::Release(args) => resume::run_release(session, args),
        Verb::Fetch(args) => fetch::run(session, args),
        Verb::List(args) => verify::run_list(session, args),
        Verb::Archive(args) => archive::run(session, args),
        Verb::Start(args) => start::run(session, args),
        Verb::Status(args) => status::run(session, &args),
        Verb::Snapshot(args) => snapshot::run(session, &args),
        Verb::Finish(args) => finish::run(session, args),
        Verb::Remove(args) => remove::run(session, args),
        Verb::Sweep(args) => sweep::run(session, &args),
        Verb::Logs(args) => logs::run(session, &args),
        Verb::Watch(args) => watch::run(session, args),
        Verb::Sync(args) => sync::run(session, args),
        Verb::Note(args) => note::run(session, args),
        Verb::Remote(args) => remote::run(session, args),
        Verb::Paste(args) => paste::run(session, &args),
        Verb::Unlock(args) => unlock::run(session, &args),
        Verb::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command(), "handover", &mut script);
            let text = String::from_utf8_lossy(&script).into_owned();
            session.output.answer("completions", &Text { text }, Text::plain).map(|()| Exit::Done)
        }
        Verb::Man => {
            let mut page = Vec::new();
            let rendered = clap_mangen::Man::new(command()).render(&mut page);
            rendered.map_err(|e| Failure::new(Exit::Bug, format!("cannot make the manual page: {e}")))?;
            let text = String::from_utf8_lossy(&page).into_owned();
            session.output.answer("man", &Text { text }, Text::plain).map(|()| Exit::Done)
        }
    }
}

/// The whole command line, with the exit codes at the end of its help.
fn command() -> clap::Command {
    let codes: String =
        Exit::ALL.iter().map(|(exit, meaning)| format!("  {:>3}  {meaning}\n", exit.number())).collect();
    let command = Cli::command();
    let inner = help::inner_verbs(&command);
    command.after_help(format!("{inner}Exit codes:\n{codes}"))
}
