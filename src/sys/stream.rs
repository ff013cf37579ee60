//! Processes whose output is passed on as it comes, or that have our terminal for themselves.
#![expect(clippy::disallowed_methods, reason = "the one place that spawns a process")]

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{Processes, Side, Spawn, SpawnError};

/// After so long without a byte those who wait for the end of a line are told.
const IDLE: Duration = Duration::from_millis(200);

impl Processes {
    /// Runs a process and passes on what it prints. Where nothing comes for a while, `on` gets no bytes:
    /// whoever waits for the end of a line then shows what there is.
    ///
    /// # Errors
    /// [`SpawnError`]; an exit status other than 0 is no error here.
    pub fn stream(&self, spawn: &Spawn, on: &mut dyn FnMut(Side, &[u8])) -> Result<i32, SpawnError> {
        self.remember(spawn);
        let failed = |source| SpawnError::Io { program: spawn.name(), source };
        let mut command = spawn.command();
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if spawn.to_input().is_some() { Stdio::piped() } else { Stdio::null() });
        let mut child = spawn.start(&mut command)?;
        let stdin = child.stdin.take();
        let (mut out, mut err) = (child.stdout.take(), child.stderr.take());
        std::thread::scope(|threads| {
            if let (Some(mut stdin), Some(input)) = (stdin, spawn.to_input()) {
                // A child that does not read its input closes the pipe; that is its right.
                threads.spawn(move || stdin.write_all(input).ok());
            }
            let began = Instant::now();
            while out.is_some() || err.is_some() {
                if began.elapsed() >= spawn.to_limit() {
                    // It may have ended by itself in the meantime.
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(SpawnError::TimedOut { program: spawn.name(), limit: spawn.to_limit() });
                }
                let passed = wait(&out, &err).and_then(|ready| {
                    if ready == [false, false] {
                        on(Side::Out, &[]);
                        on(Side::Err, &[]);
                    }
                    if ready[0] {
                        pass(&mut out, &mut |bytes| on(Side::Out, bytes))?;
                    }
                    if ready[1] {
                        pass(&mut err, &mut |bytes| on(Side::Err, bytes))?;
                    }
                    Ok(())
                });
                passed.map_err(failed)?;
            }
            child.wait().map(code).map_err(failed)
        })
    }

    /// Runs a process that has our terminal for itself, until it ends.
    ///
    /// # Errors
    /// [`SpawnError`].
    pub fn attach(&self, spawn: &Spawn) -> Result<i32, SpawnError> {
        self.remember(spawn);
        let spawn = spawn.clone().with_us();
        let mut command = spawn.command();
        command.stdin(Stdio::inherit()).stdout(Stdio::inherit()).stderr(Stdio::inherit());
        let mut child = spawn.start(&mut command)?;
        child.wait().map(code).map_err(|source| SpawnError::Io { program: spawn.name(), source })
    }
}

fn code(status: ExitStatus) -> i32 {
    status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0))
}

/// Which of the two can be read; neither after a while without a byte.
fn wait(out: &Option<impl AsFd>, err: &Option<impl AsFd>) -> io::Result<[bool; 2]> {
    let mut fds = Vec::with_capacity(2);
    let mut which = Vec::with_capacity(2);
    if let Some(pipe) = out {
        fds.push(PollFd::new(pipe, PollFlags::IN));
        which.push(0);
    }
    if let Some(pipe) = err {
        fds.push(PollFd::new(pipe, PollFlags::IN));
        which.push(1);
    }
    let idle = Timespec { tv_sec: 0, tv_nsec: i64::from(IDLE.subsec_nanos()) };
    match poll(&mut fds, Some(&idle)) {
        Ok(_) | Err(rustix::io::Errno::INTR) => {}
        Err(e) => return Err(e.into()),
    }
    let mut ready = [false; 2];
    for (fd, index) in fds.iter().zip(which) {
        ready[index] = !fd.revents().is_empty();
    }
    Ok(ready)
}

fn pass<P: Read>(pipe: &mut Option<P>, on: &mut dyn FnMut(&[u8])) -> io::Result<()> {
    let mut block = [0; 16 * 1024];
    let Some(open) = pipe else { return Ok(()) };
    match open.read(&mut block) {
        Ok(0) => *pipe = None,
        Ok(n) => on(&block[..n]),
        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
        Err(e) => return Err(e),
    }
    Ok(())
}
