//! One run of a program, and all that came of it.

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use super::names::Names;

/// No program of a test runs longer; one that does hangs.
const LIMIT: Duration = Duration::from_secs(180);

/// A program to run in a sandbox. Nothing happens before [`Call::run`].
#[must_use = "nothing happens before run()"]
pub struct Call {
    words: Vec<OsString>,
    dir: PathBuf,
    env: Vec<(OsString, OsString)>,
    stdin: Option<Vec<u8>>,
    names: Arc<Mutex<Names>>,
}

impl Call {
    pub(super) fn new(
        words: Vec<OsString>,
        dir: PathBuf,
        env: Vec<(OsString, OsString)>,
        names: Arc<Mutex<Names>>,
    ) -> Call {
        Call { words, dir, env, stdin: None, names }
    }

    /// Runs it in another directory (a relative one is below the current one).
    pub fn dir(mut self, dir: impl AsRef<Path>) -> Call {
        self.dir = self.dir.join(dir);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Call {
        self.env.push((name.as_ref().into(), value.as_ref().into()));
        self
    }

    /// Adds an argument, of whatever bytes.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Call {
        self.words.push(arg.as_ref().into());
        self
    }

    /// Feeds text to its standard input, which is empty otherwise.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Call {
        self.stdin = Some(text.into());
        self
    }

    /// Runs it under another program: `strace -f -o FILE`, `nice -n 19`.
    pub fn under<A: AsRef<OsStr>>(mut self, wrapper: impl IntoIterator<Item = A>) -> Call {
        let inner = std::mem::take(&mut self.words);
        self.words = wrapper.into_iter().map(|word| word.as_ref().to_owned()).chain(inner).collect();
        self
    }

    /// Runs it to its end.
    pub fn run(self) -> Answer {
        let mut command = Command::new(&self.words[0]);
        command.args(&self.words[1..]).current_dir(&self.dir).env_clear();
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.stdin(if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("cannot start {:?}: {e}", self.words[0]));
        let pid = child.id();
        if let Some((mut pipe, bytes)) = child.stdin.take().zip(self.stdin) {
            // Whoever does not read its input closes the pipe; that is its right.
            std::thread::spawn(move || pipe.write_all(&bytes).ok());
        }
        let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
        let (ended, end) = mpsc::channel();
        std::thread::spawn(move || {
            let error = std::thread::spawn(move || read(&mut err));
            let output = read(&mut out);
            let error = error.join().unwrap();
            let _ = ended.send((child.wait(), output, error));
        });
        let Ok((status, stdout, stderr)) = end.recv_timeout(LIMIT) else {
            let _ = Command::new("kill").args(["-KILL", &pid.to_string()]).status();
            panic!("{:?} did not end within {LIMIT:?}", self.words);
        };
        use std::os::unix::process::ExitStatusExt;
        let status = status.unwrap();
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
        Answer { code, stdout, stderr, names: self.names }
    }
}

fn read(pipe: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    pipe.read_to_end(&mut bytes).unwrap();
    bytes
}

/// All that came of a run. Printed, it is the whole: exit code, standard
/// output, standard error, with names that differ from run to run replaced.
#[must_use = "look at what came of it"]
pub struct Answer {
    /// Exit status, or 128 plus the signal that ended it.
    pub code: i32,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    names: Arc<Mutex<Names>>,
}

impl Answer {
    /// Standard output as it came.
    pub fn stdout(&self) -> &str {
        std::str::from_utf8(&self.stdout).expect("standard output is UTF-8")
    }

    /// Standard error as it came.
    pub fn stderr(&self) -> &str {
        std::str::from_utf8(&self.stderr).expect("standard error is UTF-8")
    }

    /// Standard output as bytes, for what need not be text.
    pub fn output(&self) -> &[u8] {
        &self.stdout
    }

    /// Both outputs as bytes, for tests that look for what must not be there.
    pub fn bytes(&self) -> Vec<u8> {
        [self.stdout.as_slice(), b"\n", self.stderr.as_slice()].concat()
    }

    /// The same answer, after a look at its exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Answer {
        assert_eq!(self.code, code, "exit code; the whole answer:\n{}", self.raw());
        self
    }

    /// The last line of standard output: where `start` and `create` print what
    /// scripts take.
    #[track_caller]
    pub fn last_line(&self) -> &str {
        self.stdout().lines().last().unwrap_or_else(|| panic!("no line on standard output:\n{}", self.raw()))
    }

    /// `data` of the JSON envelope on standard output.
    #[track_caller]
    pub fn data(&self) -> serde_json::Value {
        let envelope: serde_json::Value = serde_json::from_slice(&self.stdout)
            .unwrap_or_else(|e| panic!("not one JSON value ({e}):\n{}", self.raw()));
        assert!(envelope["schema"].is_string() && envelope["tool_version"].is_string(), "{envelope}");
        envelope["data"].clone()
    }

    fn raw(&self) -> String {
        let (out, err) = (String::from_utf8_lossy(&self.stdout), String::from_utf8_lossy(&self.stderr));
        whole(self.code, &out, &err)
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.names.lock().unwrap();
        let out = names.normalise(&String::from_utf8_lossy(&self.stdout));
        let err = names.normalise(&String::from_utf8_lossy(&self.stderr));
        f.write_str(&whole(self.code, &out, &err))
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.raw())
    }
}

fn whole(code: i32, out: &str, err: &str) -> String {
    let mut text = format!("exit: {code}\n");
    for (name, part) in [("stdout", out), ("stderr", err)] {
        if part.is_empty() {
            continue;
        }
        text.push_str(&format!("--- {name} ---\n{part}"));
        if !part.ends_with('\n') {
            text.push_str("(no newline at the end)\n");
        }
    }
    text
}
