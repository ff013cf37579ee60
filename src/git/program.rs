use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::safety;
use crate::sys::{Finished, Spawn, SpawnError, World};

/// The git program, asked in one directory.
///
/// Every call has the same guard: no optional locks, no pager, no prompt, no
/// file system monitor, no quoting of paths, and none of the `GIT_*` variables
/// that a hook or an alias would pass on.
#[derive(Clone)]
pub struct Git<'w> {
    world: &'w World,
    dir: PathBuf,
    /// The settings as they were when the first of them was asked for.
    settings: Arc<Mutex<Option<Settings>>>,
}

/// All settings by name, the last value of each.
type Settings = BTreeMap<String, String>;

/// A question to git that got no answer.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// Git could not be run, or did not end in time.
    #[error("cannot ask git")]
    Spawn(#[from] SpawnError),
    /// Git said no.
    #[error("git {command} failed: {}", safety::one_line(complaint, 300))]
    Failed {
        /// The subcommand with its first arguments.
        command: String,
        /// Its exit status.
        code: i32,
        /// The last line of its standard error.
        complaint: String,
    },
    /// Git answered in a form that we do not know.
    #[error("git {command} answered in an unknown form: {}", safety::one_line(text, 120))]
    Unreadable {
        /// The subcommand.
        command: &'static str,
        /// The part that was not understood.
        text: String,
    },
    /// The directory belongs to no repository.
    #[error("{} is in no git repository", safety::escape_path(dir))]
    NotARepository {
        /// The directory.
        dir: PathBuf,
    },
    /// The repository has no files checked out here.
    #[error("{} has no worktree (a bare repository)", safety::escape_path(dir))]
    Bare {
        /// The directory.
        dir: PathBuf,
    },
}

/// Variables that would make git look elsewhere than where it was told to.
const FOREIGN: [&str; 14] = [
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_PREFIX",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_CEILING_DIRECTORIES",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
];

const GUARD: [&str; 12] = [
    "--no-optional-locks",
    "--literal-pathspecs",
    "--no-pager",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.quotePath=false",
    "-c",
    "color.ui=false",
    "-c",
    "gc.auto=0",
    "-c",
];

impl<'w> Git<'w> {
    /// Git in `dir`.
    pub fn new(world: &'w World, dir: impl Into<PathBuf>) -> Git<'w> {
        Git { world, dir: dir.into(), settings: Arc::default() }
    }

    /// The directory it is asked in.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The same git in another directory.
    pub fn at(&self, dir: impl Into<PathBuf>) -> Git<'w> {
        Git { world: self.world, dir: dir.into(), settings: Arc::default() }
    }

    /// The call as data, guard included.
    pub fn spawn<A: AsRef<OsStr>>(&self, args: &[A]) -> Spawn {
        let mut spawn = Spawn::new("git")
            .args(GUARD)
            .arg("maintenance.auto=false")
            .args(args.iter().map(|arg| arg.as_ref().to_owned()))
            .dir(&self.dir)
            .set("LC_ALL", "C")
            .set("GIT_TERMINAL_PROMPT", "0")
            .set("GIT_OPTIONAL_LOCKS", "0")
            .limit(Duration::from_secs(120));
        for name in FOREIGN {
            spawn = spawn.unset(name);
        }
        spawn
    }

    /// Runs git and returns whatever came of it.
    pub fn try_run<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Finished, GitError> {
        Ok(self.world.processes.run(&self.spawn(args))?)
    }

    /// Runs git and expects success; the answer is its standard output.
    pub fn run<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<Vec<u8>, GitError> {
        let finished = self.try_run(args)?;
        expect_success(args, finished)
    }

    /// Runs git with bytes on its standard input and expects success.
    pub fn run_with_input<A: AsRef<OsStr>>(&self, args: &[A], input: Vec<u8>) -> Result<Vec<u8>, GitError> {
        let finished = self.world.processes.run(&self.spawn(args).input(input))?;
        expect_success(args, finished)
    }

    /// Runs git and expects one line, returned without its end.
    pub fn line<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<String, GitError> {
        let bytes = self.run(args)?;
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned())
    }

    /// Asks a question that git answers with exit status 0 or 1.
    pub fn yes<A: AsRef<OsStr>>(&self, args: &[A]) -> Result<bool, GitError> {
        let finished = self.try_run(args)?;
        match finished.code {
            0 => Ok(true),
            1 => Ok(false),
            _ => expect_success(args, finished).map(|_| true),
        }
    }

    /// A configuration value, or `None` where it is not set.
    ///
    /// All are read at the first question: a child for each costs more than all of them at once.
    /// Whoever changes one says so with [`Git::forget_settings`].
    pub fn config(&self, name: &str) -> Result<Option<String>, GitError> {
        let name = canonical(name);
        self.with_settings(|settings| settings.get(&name).cloned())
    }

    /// The names of the remotes, sorted.
    pub fn remotes(&self) -> Result<Vec<String>, GitError> {
        self.with_settings(|settings| {
            let names = settings.keys().filter_map(|name| name.strip_prefix("remote.")?.rsplit_once('.'));
            let mut names: Vec<String> = names.map(|(remote, _)| remote.to_owned()).collect();
            names.sort_unstable();
            names.dedup();
            names
        })
    }

    /// Settings are read again at the next question.
    pub fn forget_settings(&self) {
        *self.settings.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn with_settings<T>(&self, answer: impl FnOnce(&Settings) -> T) -> Result<T, GitError> {
        let mut settings = self.settings.lock().unwrap_or_else(PoisonError::into_inner);
        if settings.is_none() {
            let finished = self.try_run(&["config", "--null", "--list"])?;
            // What cannot be read is not set, as git itself has it for a single question.
            *settings =
                Some(if finished.success() { read_settings(&finished.stdout) } else { Settings::new() });
        }
        Ok(answer(settings.get_or_insert_default()))
    }

    /// True if git would pass over this path, relative to the directory, were
    /// it not tracked; a tracked path is never ignored.
    pub fn ignores(&self, path: &Path) -> Result<bool, GitError> {
        // The command knows no literal paths; the dot keeps a leading `:` or
        // `-` from meaning anything.
        let path = Path::new(".").join(path);
        let args = ["--no-literal-pathspecs", "check-ignore", "--quiet", "--"].map(OsStr::new);
        self.yes(&[&args[..], &[path.as_os_str()]].concat())
    }

    /// The version of the program.
    pub fn version(&self) -> Result<GitVersion, GitError> {
        let text = self.line(&["--version"])?;
        GitVersion::parse(&text).ok_or(GitError::Unreadable { command: "--version", text })
    }
}

fn expect_success<A: AsRef<OsStr>>(args: &[A], finished: Finished) -> Result<Vec<u8>, GitError> {
    if finished.success() {
        return Ok(finished.stdout);
    }
    let words: Vec<OsString> = args.iter().take(2).map(|arg| arg.as_ref().to_owned()).collect();
    let command = words.iter().map(safety::escape_path).collect::<Vec<_>>().join(" ");
    Err(GitError::Failed { command, code: finished.code, complaint: finished.complaint() })
}

/// Reads `git config --null --list`: `<name>\n<value>\0`, a name alone where there is no value.
fn read_settings(bytes: &[u8]) -> Settings {
    let text = String::from_utf8_lossy(bytes);
    let entries = text.split('\0').filter(|entry| !entry.is_empty());
    entries
        .map(|entry| {
            let (name, value) = entry.split_once('\n').unwrap_or((entry, ""));
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

/// A name as git writes it: section and key in lower case, what stands between them as it is.
fn canonical(name: &str) -> String {
    let (Some(first), Some(last)) = (name.find('.'), name.rfind('.')) else { return name.to_lowercase() };
    format!("{}{}{}", name[..first].to_lowercase(), &name[first..last], name[last..].to_lowercase())
}

/// A version of git, as far as features hang on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct GitVersion {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
}

impl GitVersion {
    /// The oldest release that this program works with.
    pub const OLDEST: GitVersion = GitVersion { major: 2, minor: 31 };

    /// Reads `git version 2.39.5 (Apple Git-154)`.
    pub fn parse(text: &str) -> Option<GitVersion> {
        let mut numbers = text.split_whitespace().nth(2)?.split('.');
        Some(GitVersion { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

impl fmt::Display for GitVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}
