#![expect(clippy::disallowed_methods, reason = "the one place that spawns a process")]

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// Runs other programs; nothing else in the program may.
#[derive(Debug, Clone, Default)]
pub struct Processes {
    calls: Arc<Mutex<Vec<Call>>>,
}

/// A program that was called, for those who want to see what was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The program and its arguments; bytes that are not UTF-8 are replaced.
    pub words: Vec<String>,
    /// How often it was called with these.
    pub times: u64,
}

/// So many different calls are remembered, which is more than one look makes.
const MOST_CALLS: usize = 256;
/// A call with more bytes of arguments is remembered by its first ones.
const LONGEST_CALL: usize = 4096;

/// A process to run, as data: it can be shown before it runs.
#[derive(Debug, Clone)]
pub struct Spawn {
    program: OsString,
    args: Vec<OsString>,
    dir: Option<PathBuf>,
    set: Vec<(OsString, OsString)>,
    unset: Vec<OsString>,
    input: Option<Vec<u8>>,
    limit: Duration,
    cap: usize,
    with_us: bool,
}

/// Which of its two outputs a process wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// What a process that ran to its end left behind.
#[derive(Debug, Clone, Default)]
pub struct Finished {
    /// Exit status, or 128 plus the signal that ended it.
    pub code: i32,
    /// Standard output, up to the cap.
    pub stdout: Vec<u8>,
    /// Standard error, up to the cap.
    pub stderr: Vec<u8>,
    /// True if either output was longer than the cap.
    pub cut: bool,
}

/// A process that did not run to its end.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// There is no such program on `PATH`.
    #[error("{program} is not installed, or not on PATH")]
    Missing {
        /// The program's name.
        program: String,
    },
    /// It was still running after its limit, and was killed with its children.
    #[error("{program} gave no answer within {} s", limit.as_secs_f32())]
    TimedOut {
        /// The program's name.
        program: String,
        /// The limit that it had.
        limit: Duration,
    },
    /// The system could not start it or read from it.
    #[error("cannot run {program}")]
    Io {
        /// The program's name.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Spawn {
    /// A process without arguments, with closed standard input, a limit of 60
    /// seconds, and at most 64 MiB of each output kept.
    pub fn new(program: impl Into<OsString>) -> Spawn {
        Spawn {
            program: program.into(),
            args: Vec::new(),
            dir: None,
            set: Vec::new(),
            unset: Vec::new(),
            input: None,
            limit: Duration::from_secs(60),
            cap: 64 << 20,
            with_us: false,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl Into<OsString>) -> Spawn {
        self.args.push(arg.into());
        self
    }

    /// Adds arguments.
    pub fn args<A: Into<OsString>>(mut self, args: impl IntoIterator<Item = A>) -> Spawn {
        self.args.extend(args.into_iter().map(Into::into));
        self
    }

    /// Runs it in a directory.
    pub fn dir(mut self, dir: impl Into<PathBuf>) -> Spawn {
        self.dir = Some(dir.into());
        self
    }

    /// Sets a variable.
    pub fn set(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Spawn {
        self.set.push((name.into(), value.into()));
        self
    }

    /// Takes a variable away.
    pub fn unset(mut self, name: impl Into<OsString>) -> Spawn {
        self.unset.push(name.into());
        self
    }

    /// Feeds bytes to its standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Spawn {
        self.input = Some(bytes.into());
        self
    }

    /// Kills it, and what it started, after this long.
    pub fn limit(mut self, limit: Duration) -> Spawn {
        self.limit = limit;
        self
    }

    /// Lets it, and what it starts, write no file larger than this: the system ends
    /// whoever tries.
    ///
    /// A shell sets the limit (`ulimit -f`, in blocks of 512 bytes), so that nothing unsafe
    /// runs between fork and exec.
    pub fn largest_file(mut self, bytes: u64) -> Spawn {
        let script = format!("ulimit -f {} && exec \"$@\"", bytes.div_ceil(512));
        let mut args: Vec<OsString> = vec!["-c".into(), script.into(), "sh".into(), self.program];
        args.append(&mut self.args);
        Spawn { program: "sh".into(), args, ..self }
    }

    /// Leaves it in our own process group: whoever interrupts this program at a terminal interrupts it,
    /// too. Its limit then ends it alone.
    pub fn with_us(mut self) -> Spawn {
        self.with_us = true;
        self
    }

    /// Keeps at most this many bytes of each output.
    pub fn cap(mut self, bytes: usize) -> Spawn {
        self.cap = bytes;
        self
    }

    /// The program and its arguments, for whoever runs it elsewhere.
    pub fn words_to_run(&self) -> impl Iterator<Item = &OsStr> {
        std::iter::once(self.program.as_os_str()).chain(self.args.iter().map(OsString::as_os_str))
    }

    /// The directory in which it is to run, if one was set.
    pub fn directory(&self) -> Option<&Path> {
        self.dir.as_deref()
    }

    fn words(&self) -> Vec<String> {
        let mut room = LONGEST_CALL;
        let mut words = vec![self.name()];
        for arg in &self.args {
            room = match room.checked_sub(arg.len()) {
                Some(room) => room,
                None => {
                    words.push("...".to_owned());
                    break;
                }
            };
            words.push(arg.to_string_lossy().into_owned());
        }
        words
    }

    /// The command with its environment and directory; its ends are not connected yet.
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.args);
        if !self.with_us {
            command.process_group(0);
        }
        for name in &self.unset {
            command.env_remove(name);
        }
        command.envs(self.set.iter().map(|(name, value)| (name, value)));
        if let Some(dir) = &self.dir {
            command.current_dir(dir);
        }
        command
    }

    pub(super) fn start(&self, command: &mut Command) -> Result<Child, SpawnError> {
        command.spawn().map_err(|source| match source.kind() {
            // A missing directory gives the same error as a missing program.
            io::ErrorKind::NotFound if self.dir.as_ref().is_none_or(|dir| dir.is_dir()) => {
                SpawnError::Missing { program: self.name() }
            }
            _ => SpawnError::Io { program: self.name(), source },
        })
    }

    pub(super) fn to_input(&self) -> Option<&Vec<u8>> {
        self.input.as_ref()
    }

    pub(super) fn to_limit(&self) -> Duration {
        self.limit
    }

    pub(super) fn name(&self) -> String {
        Path::new(&self.program).file_name().unwrap_or(OsStr::new("?")).to_string_lossy().into_owned()
    }
}

impl Finished {
    /// True for exit status 0.
    pub fn success(&self) -> bool {
        self.code == 0
    }

    /// Standard output as text; bytes that are not UTF-8 are replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The last line of standard error that says something, for error messages.
    pub fn complaint(&self) -> String {
        let text = String::from_utf8_lossy(&self.stderr);
        text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned()
    }
}

impl Processes {
    pub(super) fn new() -> Processes {
        Processes::default()
    }

    /// What was called so far, in the order of the first calls; of a long run
    /// only the beginning.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn remember(&self, spawn: &Spawn) {
        let words = spawn.words();
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(call) = calls.iter_mut().find(|call| call.words == words) {
            call.times += 1;
        } else if calls.len() < MOST_CALLS {
            calls.push(Call { words, times: 1 });
        }
    }

    /// Gives way to everybody else on this machine, for the rest of this run and
    /// for what it starts: for long reading on a login node.
    pub fn give_way(&self) {
        // Where it is forbidden nothing is lost but the courtesy.
        let _ = rustix::process::nice(10);
    }

    /// Runs a process to its end.
    ///
    /// It gets its own process group, so that the limit ends its children too.
    ///
    /// # Errors
    /// [`SpawnError`]; an exit status other than 0 is no error here.
    pub fn run(&self, spawn: &Spawn) -> Result<Finished, SpawnError> {
        self.remember(spawn);
        let failed = |source| SpawnError::Io { program: spawn.name(), source };
        let mut command = spawn.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if spawn.input.is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = spawn.start(&mut command)?;
        let stdin = child.stdin.take();
        std::thread::scope(|threads| {
            if let (Some(mut stdin), Some(input)) = (stdin, &spawn.input) {
                // A child that does not read its input closes the pipe; that is its right.
                threads.spawn(move || stdin.write_all(input).ok());
            }
            let deadline = Instant::now() + spawn.limit;
            let collected = match collect(&mut child, spawn, deadline) {
                // Closed outputs are no end: a process may close them and hang.
                Ok(Some(_)) if !ends_before(&child, deadline) => Ok(None),
                collected => collected,
            };
            if !matches!(collected, Ok(Some(_))) {
                end(&mut child, spawn);
            }
            let status = child.wait().map_err(failed)?;
            let (stdout, stderr, cut) = collected
                .map_err(failed)?
                .ok_or_else(|| SpawnError::TimedOut { program: spawn.name(), limit: spawn.limit })?;
            let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
            Ok(Finished { code, stdout, stderr, cut })
        })
    }
}

type Collected = (Vec<u8>, Vec<u8>, bool);

/// Reads both outputs until they close; `None` if the limit comes first.
fn collect(child: &mut Child, spawn: &Spawn, deadline: Instant) -> io::Result<Option<Collected>> {
    let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut cut = false;
    let mut block = vec![0; 64 * 1024];
    while out.is_some() || err.is_some() {
        let Some(wait) = left_until(deadline) else { return Ok(None) };
        let mut ready = [false; 2];
        {
            let mut fds = Vec::with_capacity(2);
            let mut which = Vec::with_capacity(2);
            if let Some(pipe) = &out {
                fds.push(PollFd::new(pipe, PollFlags::IN));
                which.push(0);
            }
            if let Some(pipe) = &err {
                fds.push(PollFd::new(pipe, PollFlags::IN));
                which.push(1);
            }
            match poll(&mut fds, Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
            for (fd, index) in fds.iter().zip(which) {
                ready[index] = !fd.revents().is_empty();
            }
        }
        if ready[0] {
            cut |= drain(&mut out, &mut stdout, &mut block, spawn.cap)?;
        }
        if ready[1] {
            cut |= drain(&mut err, &mut stderr, &mut block, spawn.cap)?;
        }
    }
    Ok(Some((stdout, stderr, cut)))
}

/// Takes one block from a pipe, closing it at its end; true if bytes were dropped.
fn drain<P: Read + AsFd>(
    pipe: &mut Option<P>,
    kept: &mut Vec<u8>,
    block: &mut [u8],
    cap: usize,
) -> io::Result<bool> {
    let Some(open) = pipe else { return Ok(false) };
    match open.read(block) {
        Ok(0) => {
            *pipe = None;
            Ok(false)
        }
        Ok(n) => {
            let room = cap.saturating_sub(kept.len()).min(n);
            kept.extend_from_slice(&block[..room]);
            Ok(room < n)
        }
        Err(e) if e.kind() == io::ErrorKind::Interrupted => Ok(false),
        Err(e) => Err(e),
    }
}

/// The time left, if there is any.
fn left_until(deadline: Instant) -> Option<Timespec> {
    let left = deadline.saturating_duration_since(Instant::now());
    let span = Timespec { tv_sec: left.as_secs() as i64, tv_nsec: i64::from(left.subsec_nanos()) };
    (!left.is_zero()).then_some(span)
}

/// Waits for the end of a process without taking its status; true where the
/// kernel cannot tell (before Linux 5.3).
fn ends_before(child: &Child, deadline: Instant) -> bool {
    use rustix::process::{Pid, PidfdFlags, pidfd_open};
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    let Some(Ok(handle)) = pid.map(|pid| pidfd_open(pid, PidfdFlags::empty())) else { return true };
    while let Some(wait) = left_until(deadline) {
        match poll(&mut [PollFd::new(&handle, PollFlags::IN)], Some(&wait)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => {}
            Ok(_) | Err(_) => return true,
        }
    }
    false
}

/// Ends a process that is out of time, with its children where they are a group of their own.
fn end(child: &mut Child, spawn: &Spawn) {
    if spawn.with_us {
        // It may have ended by itself in the meantime.
        let _ = child.kill();
    } else {
        kill_group(child);
    }
}

fn kill_group(child: &Child) {
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw) {
        // The group may have ended by itself in the meantime.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_ends_whatever_hangs() {
        for script in
            ["sleep 60", "exec >&- 2>&-; sleep 60", "sleep 60 & exit 0", "sleep 60 >/dev/null & sleep 60"]
        {
            let spawn = Spawn::new("sh").args(["-c", script]).limit(Duration::from_millis(200));
            let ended = Processes::new().run(&spawn);
            assert!(matches!(ended, Err(SpawnError::TimedOut { .. })), "{script}: {ended:?}");
        }
        let spawn = Spawn::new("sh").args(["-c", "exec >&- 2>&-; exit 3"]);
        assert_eq!(Processes::new().run(&spawn).unwrap().code, 3);
    }
}
