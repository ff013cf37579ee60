//! A sign of life for what takes longer than a second.

use std::io::IsTerminal;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long something takes before it is worth a line.
const PATIENCE: Duration = Duration::from_secs(1);

/// Shows what is going on until it is dropped; never when standard error is no
/// terminal.
pub struct Working {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Working {
    /// Starts to wait; nothing is shown for the first second.
    pub fn on(what: &'static str, quiet: bool) -> Working {
        if quiet || !std::io::stderr().is_terminal() {
            return Working { stop: None, thread: None };
        }
        let (stop, stopped) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            if stopped.recv_timeout(PATIENCE) != Err(RecvTimeoutError::Timeout) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} ({elapsed})") {
                bar.set_style(style);
            }
            bar.set_message(what);
            while stopped.recv_timeout(Duration::from_millis(120)) == Err(RecvTimeoutError::Timeout) {
                bar.tick();
            }
            bar.finish_and_clear();
        });
        Working { stop: Some(stop), thread: Some(thread) }
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // It only draws; a panic there must not hide the answer.
            let _ = thread.join();
        }
    }
}
