//! A world of its own for one test.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use handover::terms::{Seconds, Time};
use tempfile::TempDir;

use super::names::Names;
use super::{Answer, Call, Fake};

/// What time it is in a sandbox, until a test says otherwise.
pub const NOW: &str = "2026-11-21T03:41:00Z";

/// What is on `PATH` in a sandbox: what git and shell scripts need, no Slurm.
const TOOLS: [&str; 57] = [
    "awk",
    "basename",
    "bash",
    "cat",
    "chmod",
    "cmp",
    "cp",
    "cut",
    "date",
    "dirname",
    "echo",
    "env",
    "expr",
    "false",
    "find",
    "git",
    "git-receive-pack",
    "git-upload-pack",
    "git-lfs",
    "grep",
    "gzip",
    "head",
    "hostname",
    "id",
    "kill",
    "ln",
    "ls",
    "mkdir",
    "mkfifo",
    "mktemp",
    "mv",
    "od",
    "printf",
    "ps",
    "readlink",
    "rm",
    "rmdir",
    "sed",
    "seq",
    "sh",
    "sha256sum",
    "sleep",
    "sort",
    "stat",
    "strace",
    "tail",
    "tar",
    "tee",
    "timeout",
    "touch",
    "tr",
    "true",
    "uname",
    "uniq",
    "wc",
    "which",
    "xargs",
];

/// A temporary directory with home, settings, `PATH`, a stopped clock and a
/// repository `project`. It is gone when the test ends, unless
/// `HANDOVER_TEST_KEEP` is set, which prints where it is.
pub struct Sandbox {
    _dir: Option<TempDir>,
    root: PathBuf,
    now: Mutex<Time>,
    path: Mutex<OsString>,
    set: Mutex<Vec<(OsString, OsString)>>,
    names: Arc<Mutex<Names>>,
}

impl Sandbox {
    /// A sandbox with a repository `project`: branch `main`, one commit.
    pub fn new() -> Sandbox {
        let sandbox = Sandbox::empty();
        sandbox.repository("project");
        sandbox
    }

    /// A sandbox without a repository.
    pub fn empty() -> Sandbox {
        // Always below /tmp, so that paths have one width on every machine.
        let dir = tempfile::Builder::new().prefix("handover.").rand_bytes(7).tempdir_in("/tmp").unwrap();
        let root = dir.path().to_owned();
        let dir = match std::env::var_os("HANDOVER_TEST_KEEP") {
            Some(_) => {
                println!("kept: {}", dir.keep().display());
                None
            }
            None => Some(dir),
        };
        for name in ["home/.config", "bin", "tools", "fakes"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        fs::write(
            root.join("gitconfig"),
            "[user]\n\tname = Ann Example\n\temail = ann@example.org\n\
             [init]\n\tdefaultBranch = main\n[commit]\n\tgpgSign = false\n[tag]\n\tgpgSign = false\n\
             [protocol \"file\"]\n\tallow = always\n[advice]\n\tdetachedHead = false\n",
        )
        .unwrap();
        let mut names = Names::default();
        names.path(root.to_str().unwrap(), "/tmp/handover.SANDBOX");
        let sandbox = Sandbox {
            _dir: dir,
            now: Mutex::new(NOW.parse().unwrap()),
            path: Mutex::new(OsString::new()),
            set: Mutex::default(),
            names: Arc::new(Mutex::new(names)),
            root,
        };
        sandbox.use_tools_alone();
        sandbox
    }

    /// The sandbox's own directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The repository's main worktree.
    pub fn project(&self) -> PathBuf {
        self.root.join("project")
    }

    /// The user's home.
    pub fn home(&self) -> PathBuf {
        self.root.join("home")
    }

    /// Makes a repository below the root, with one commit.
    pub fn repository(&self, name: impl AsRef<OsStr>) -> PathBuf {
        let dir = self.root.join(name.as_ref());
        self.git_in(&self.root, [OsStr::new("init"), "--quiet".as_ref(), "--".as_ref(), name.as_ref()]);
        fs::write(dir.join("README.md"), "# A project\n").unwrap();
        self.commit_in(&dir, "First commit");
        dir
    }

    /// Writes a file of the project (or anywhere, by an absolute path).
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.project().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Reads a file of the project (or anywhere, by an absolute path).
    #[track_caller]
    pub fn read(&self, path: impl AsRef<Path>) -> String {
        let path = self.project().join(path);
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    }

    /// True if something is there, be it a broken link.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        self.project().join(path).symlink_metadata().is_ok()
    }

    /// Runs git in the project; its output without the last newline.
    #[track_caller]
    pub fn git<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> String {
        self.git_in(self.project(), args)
    }

    /// Runs git in a directory (a relative one is below the root).
    #[track_caller]
    pub fn git_in<A: AsRef<OsStr>>(
        &self,
        dir: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
    ) -> String {
        let answer = self.program("git", args).dir(self.root.join(dir)).run().expect(0);
        answer.stdout().trim_end_matches('\n').to_owned()
    }

    /// Commits everything in the project; the commit's id.
    #[track_caller]
    pub fn commit(&self, message: &str) -> String {
        self.commit_in(self.project(), message)
    }

    /// Commits everything in a directory, even nothing; the commit's id.
    #[track_caller]
    pub fn commit_in(&self, dir: impl AsRef<Path>, message: &str) -> String {
        let dir = self.root.join(dir);
        self.git_in(&dir, ["add", "--all"]);
        self.git_in(&dir, ["commit", "--quiet", "--allow-empty", "--message", message]);
        let id = self.git_in(&dir, ["rev-parse", "HEAD"]);
        self.names.lock().unwrap().commit(&id);
        id
    }

    /// Adds a worktree beside the project with git alone, on a new branch.
    #[track_caller]
    pub fn worktree(&self, branch: &str) -> PathBuf {
        let dir = self.root.join(format!("project.{}", branch.replace('/', "-")));
        self.git([
            OsStr::new("worktree"),
            "add".as_ref(),
            "-q".as_ref(),
            "-b".as_ref(),
            branch.as_ref(),
            dir.as_ref(),
        ]);
        dir
    }

    /// Runs our program in the project.
    pub fn handover<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Answer {
        self.call(args).run()
    }

    /// Runs our program in a directory (a relative one is below the root).
    pub fn handover_in<A: AsRef<OsStr>>(
        &self,
        dir: impl AsRef<Path>,
        args: impl IntoIterator<Item = A>,
    ) -> Answer {
        self.call(args).dir(self.root.join(dir)).run()
    }

    /// Our program, to be given a directory, variables or input before it runs.
    pub fn call<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Call {
        self.program(env!("CARGO_BIN_EXE_handover"), args)
    }

    /// Any program, in the project and with the sandbox's environment.
    pub fn program<A: AsRef<OsStr>>(
        &self,
        program: impl AsRef<OsStr>,
        args: impl IntoIterator<Item = A>,
    ) -> Call {
        let program = self.on_path(program.as_ref());
        let words = std::iter::once(program).chain(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        let dir = if self.project().is_dir() { self.project() } else { self.root.clone() };
        Call::new(words.collect(), dir, self.environment(), self.names.clone())
    }

    /// Sets a variable for every later call; the empty value takes effect too.
    pub fn set(&self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) {
        self.set.lock().unwrap().push((name.as_ref().into(), value.as_ref().into()));
    }

    /// Stops the clock at another time (RFC 3339).
    pub fn set_now(&self, time: &str) {
        *self.now.lock().unwrap() = time.parse().unwrap();
    }

    /// Moves the clock on by `90s`, `15min`, `12h` or `7d`.
    pub fn advance(&self, span: &str) {
        let mut now = self.now.lock().unwrap();
        *now = now.plus(Seconds::from_person(span).unwrap());
    }

    /// A program that plays back what it is told to, before all others on `PATH`.
    pub fn fake(&self, name: &str) -> Fake {
        Fake::new(self.root.join("bin").join(name), self.root.join("fakes").join(name))
    }

    /// Takes a program off the sandbox's `PATH`.
    pub fn without(&self, program: &str) {
        fs::remove_file(self.root.join("tools").join(program)).unwrap();
    }

    /// Puts a directory before everything on `PATH`.
    pub fn prefix_path(&self, dir: impl AsRef<Path>) {
        let mut path = self.path.lock().unwrap();
        let mut dirs = vec![dir.as_ref().to_owned()];
        dirs.extend(std::env::split_paths(&*path));
        *path = std::env::join_paths(dirs).unwrap();
    }

    /// The programs of this machine, Slurm's too, behind the fakes.
    pub fn use_path_of_this_machine(&self) {
        *self.path.lock().unwrap() = std::env::var_os("PATH").unwrap();
        self.prefix_path(self.root.join("bin"));
    }

    /// A text with the names that differ from run to run replaced.
    pub fn normalise(&self, text: &str) -> String {
        self.names.lock().unwrap().normalise(text)
    }

    /// Files below a directory of the sandbox, sorted, directories with a slash.
    pub fn tree(&self, dir: impl AsRef<Path>) -> Vec<String> {
        let top = self.project().join(dir);
        let walk = walkdir::WalkDir::new(&top).min_depth(1).sort_by_file_name().into_iter();
        walk.map(|entry| {
            let entry = entry.unwrap();
            let path = entry.path().strip_prefix(&top).unwrap().to_string_lossy().into_owned();
            if entry.file_type().is_dir() { format!("{path}/") } else { path }
        })
        .collect()
    }

    /// `tools` as it is, with links to what is there of [`TOOLS`].
    fn use_tools_alone(&self) {
        let tools = self.root.join("tools");
        let path = std::env::var_os("PATH").unwrap();
        for name in TOOLS {
            let found = std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
            if let Some(found) = found {
                symlink(found, tools.join(name)).unwrap();
            }
        }
        *self.path.lock().unwrap() = std::env::join_paths([self.root.join("bin"), tools]).unwrap();
    }

    /// A bare name is looked up on the sandbox's `PATH`, not the test's.
    fn on_path(&self, program: &OsStr) -> OsString {
        if Path::new(program).components().count() > 1 {
            return program.to_owned();
        }
        let path = self.path.lock().unwrap();
        std::env::split_paths(&*path)
            .map(|dir| dir.join(program))
            .find(|file| file.is_file())
            .unwrap_or_else(|| panic!("{program:?} is not on the sandbox's PATH"))
            .into_os_string()
    }

    fn environment(&self) -> Vec<(OsString, OsString)> {
        let now = self.now.lock().unwrap().to_string();
        let path = self.path.lock().unwrap().clone();
        let mut set: Vec<(OsString, OsString)> = vec![
            ("PATH".into(), path),
            ("HOME".into(), self.home().into()),
            ("XDG_CONFIG_HOME".into(), self.home().join(".config").into()),
            ("TMPDIR".into(), self.root.clone().into()),
            ("GIT_CONFIG_NOSYSTEM".into(), "1".into()),
            ("GIT_CONFIG_GLOBAL".into(), self.root.join("gitconfig").into()),
            // Nothing above the sandbox is a repository of ours.
            ("GIT_CEILING_DIRECTORIES".into(), "/tmp".into()),
            ("HANDOVER_NOW".into(), now.clone().into()),
            ("HANDOVER_HOST".into(), "host1".into()),
            ("HANDOVER_USER".into(), "ann".into()),
            // The same commits get the same ids in every run.
            ("GIT_AUTHOR_DATE".into(), now.clone().into()),
            ("GIT_COMMITTER_DATE".into(), now.into()),
        ];
        let fixed = [("TZ", "UTC"), ("LC_ALL", "C.UTF-8"), ("COLUMNS", "80"), ("USER", "ann")];
        set.extend(fixed.map(|(name, value)| (name.into(), value.into())));
        set.extend(self.set.lock().unwrap().iter().cloned());
        set
    }
}
