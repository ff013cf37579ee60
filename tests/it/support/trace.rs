//! The system calls of one run, as strace tells them.

use std::fs;

use super::{Answer, Call, Sandbox};

/// What is traced: all that changes files, and where other processes start and end.
pub const CALLS: &str = "open,openat,creat,write,writev,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,\
    renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,symlink,symlinkat,truncate,ftruncate,fallocate,\
    chmod,fchmod,fchmodat,utimensat,clone,clone3,vfork,wait4,waitid";

/// One system call of the program's main thread.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its name.
    pub call: String,
    /// From 1, among the calls of this name: what strace's `when=` counts.
    pub nth: usize,
    /// The whole line.
    pub line: String,
}

impl Event {
    /// True if it may change something in the sandbox at `root`, or is a
    /// moment at which another process starts or has ended.
    pub fn is_mutating(&self, root: &str) -> bool {
        match self.call.as_str() {
            "open" | "openat" => {
                self.line.contains(root)
                    && ["O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC"]
                        .iter()
                        .any(|flag| self.line.contains(flag))
            }
            // Standard output is not in the sandbox; a pipe is no file.
            "write" | "writev" | "pwrite64" => self.descriptor().is_some_and(|path| path.starts_with(root)),
            _ => true,
        }
    }

    /// The file behind the first descriptor: `fsync(3</tmp/x>)`.
    pub fn descriptor(&self) -> Option<&str> {
        let (_, rest) = self.line.split_once('(')?;
        let (number, rest) = rest.split_once('<')?;
        number.bytes().all(|b| b.is_ascii_digit()).then(|| rest.split_once('>').map(|(path, _)| path))?
    }

    /// The quoted paths, in their order: `rename("a", "b")`.
    pub fn paths(&self) -> Vec<&str> {
        self.line.split('"').skip(1).step_by(2).collect()
    }

    /// True if the system said that it worked.
    pub fn succeeded(&self) -> bool {
        self.line.rsplit_once(" = ").is_some_and(|(_, result)| !result.starts_with('-'))
    }
}

/// True if strace can trace here; some containers forbid it.
pub fn is_possible(sandbox: &Sandbox) -> bool {
    let has_strace = sandbox.root().join("tools/strace").exists();
    has_strace && sandbox.program("strace", ["-qq", "-o", "/dev/null", "true"]).run().code == 0
}

/// Runs a call under strace; every traced call of its main thread, in order.
pub fn record(sandbox: &Sandbox, call: Call) -> (Answer, Vec<Event>) {
    let file = sandbox.root().join("trace");
    let trace = format!("trace={CALLS}");
    // Descriptors with their paths, and paths whole.
    let strace = ["strace", "-qq", "-y", "-s", "4096", "-e", "signal=none", "-e", &trace, "-o"];
    let strace = strace.into_iter().map(str::to_owned).chain([file.to_str().unwrap().to_owned()]);
    let answer = call.under(strace).run();
    (answer, read(&fs::read_to_string(file).unwrap()))
}

/// Runs a call with one fault: `signal=KILL` or `error=ENOSPC`.
///
/// Only the main thread is traced: changes are made there, and the counts of
/// other threads and processes would get in between.
pub fn with_fault(call: Call, event: &Event, fault: &str) -> Answer {
    let trace = format!("trace={}", event.call);
    let inject = format!("inject={}:{fault}:when={}", event.call, event.nth);
    call.under(["strace", "-qq", "-e", "signal=none", "-o", "/dev/null", "-e", &trace, "-e", &inject]).run()
}

fn read(text: &str) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for line in text.lines() {
        let Some((call, _)) = line.split_once('(') else { continue };
        if !call.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            continue;
        }
        let nth = events.iter().filter(|event| event.call == call).count() + 1;
        events.push(Event { call: call.to_owned(), nth, line: line.to_owned() });
    }
    events
}

#[test]
fn lines_of_strace_are_read() {
    let text = "openat(AT_FDCWD</tmp/r/p>, \"/tmp/r/p/a\", O_WRONLY|O_CREAT, 0600) = 3</tmp/r/p/a>\n\
        write(3</tmp/r/p/a>, \"x\", 1) = 1\nwrite(1<pipe:[7]>, \"y\", 1) = 1\n\
        fsync(3</tmp/r/p/a>) = -1 EIO (Input/output error)\n+++ exited with 0 +++\n\
        rename(\"/tmp/r/p/a\", \"/tmp/r/p/b\") = 0\n";
    let events = read(text);
    let counts: Vec<(&str, usize)> = events.iter().map(|event| (event.call.as_str(), event.nth)).collect();
    assert_eq!(counts, [("openat", 1), ("write", 1), ("write", 2), ("fsync", 1), ("rename", 1)]);
    let mutating: Vec<bool> = events.iter().map(|event| event.is_mutating("/tmp/r")).collect();
    assert_eq!(mutating, [true, true, false, true, true]);
    assert_eq!(events[3].descriptor(), Some("/tmp/r/p/a"));
    assert!(!events[3].succeeded() && events[4].succeeded());
    assert_eq!(events[4].paths(), ["/tmp/r/p/a", "/tmp/r/p/b"]);
    assert_eq!(events[0].descriptor(), None);
}
