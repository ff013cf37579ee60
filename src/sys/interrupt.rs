//! Waiting that ends well when somebody says stop, or stops reading.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::{flag, low_level};

use super::Clock;
use crate::terms::Seconds;

/// Why a wait ended before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT: somebody at the terminal.
    Interrupted,
    /// SIGTERM, or SIGHUP: whoever runs this program, or its terminal is gone.
    Terminated,
    /// Nobody reads standard output any more.
    Unread,
}

/// Hears signals that would end the program, so that it can end by itself.
#[derive(Debug)]
pub struct Interrupts {
    pipes: Vec<(Stop, UnixStream)>,
}

impl Interrupts {
    /// Begins to hear them, for the rest of this run. A second signal of a kind
    /// ends the program at once: it may hang in a question.
    ///
    /// # Errors
    /// The system gives no pipe, or takes no handler.
    pub fn hear() -> io::Result<Interrupts> {
        let mut pipes = Vec::new();
        let ignored = ignored();
        let signals = [(SIGINT, Stop::Interrupted), (SIGTERM, Stop::Terminated), (SIGHUP, Stop::Terminated)];
        // Under nohup a hang-up stays without effect.
        let heard = signals.into_iter().filter(|(signal, _)| ignored >> (signal - 1) & 1 == 0);
        for (signal, stop) in heard {
            let came = Arc::new(AtomicBool::new(false));
            // In this order: the first signal sets what the second one finds set.
            flag::register_conditional_default(signal, came.clone())?;
            flag::register(signal, came)?;
            let (ours, theirs) = UnixStream::pair()?;
            low_level::pipe::register(signal, theirs)?;
            pipes.push((stop, ours));
        }
        Ok(Interrupts { pipes })
    }

    /// Waits as [`Clock::wait`] does, or until something says stop.
    pub fn wait(&self, clock: &Clock, span: Seconds) -> Option<Stop> {
        if clock.is_stopped() {
            clock.wait(span);
            return self.poll(Duration::ZERO);
        }
        let watch = clock.stopwatch();
        loop {
            let left = Duration::from_secs(span.0).saturating_sub(watch.elapsed());
            match self.poll(left) {
                None if left > Duration::ZERO => {}
                stop => return stop,
            }
        }
    }

    /// What says stop within this time; may be back early with nothing.
    fn poll(&self, left: Duration) -> Option<Stop> {
        let stdout = io::stdout();
        // No event is asked for: that nobody reads is told anyway.
        let mut fds = vec![PollFd::from_borrowed_fd(stdout.as_fd(), PollFlags::empty())];
        fds.extend(self.pipes.iter().map(|(_, pipe)| PollFd::new(pipe, PollFlags::IN)));
        let left = Timespec::try_from(left).ok()?;
        // A signal ends the call with an error; its pipe tells at the next one.
        poll(&mut fds, Some(&left)).ok()?;
        let (stdout, pipes) = fds.split_first()?;
        let came = pipes.iter().zip(&self.pipes).find(|(fd, _)| !fd.revents().is_empty());
        if let Some((_, (stop, _))) = came {
            return Some(*stop);
        }
        stdout.revents().intersects(PollFlags::ERR | PollFlags::HUP).then_some(Stop::Unread)
    }
}

/// The signals that this process was told to ignore, as a mask; none where the
/// system does not say it.
fn ignored() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default()
}
