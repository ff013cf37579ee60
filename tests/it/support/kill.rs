//! Kill sweeps and error sweeps: a command is ended, or refused by the system,
//! at each of its system calls, and what is left is judged.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::cluster::skipped;
use super::trace::{self, Event};
use super::{Answer, Call, Sandbox};

/// A command, the world before it, and what may be left after it.
pub struct Story<'s> {
    /// The name of the test, for skips and figures.
    pub name: &'s str,
    /// Makes the world before: every time the same.
    pub prepare: &'s (dyn Fn() -> Sandbox + Sync),
    /// The command.
    pub act: &'s (dyn Fn(&Sandbox) -> Call + Sync),
    /// Says whether the world is as before or as after; panics if it is neither.
    pub judge: &'s (dyn Fn(&Sandbox) -> State + Sync),
    /// Panics unless all is there that an exit code of 0 promises.
    pub done: &'s (dyn Fn(&Sandbox) + Sync),
    /// Tries again, unaided, and panics unless that works.
    pub again: &'s (dyn Fn(&Sandbox) + Sync),
    /// Paths whose loss loses nothing: copies, caches. Parts of paths; `$` is the end of one.
    pub expendable: &'s [&'s str],
}

/// What a judge found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// As if the command had never run.
    Old,
    /// As if it had run to its end.
    New,
}

/// What one point has to fulfil, besides its state.
type Check<'c> = dyn Fn(&Sandbox, &Answer, &Event, State) + Sync + 'c;

/// What the system says when it refuses.
const ERRORS: [&str; 4] = ["ENOSPC", "EIO", "EROFS", "EDQUOT"];
/// How many points of one sweep are tried, unless the proofs are to run whole.
const SAMPLE: usize = 24;

impl Story<'_> {
    /// Ends the command with SIGKILL before each of its mutating calls.
    pub fn sweep_kills(&self) {
        let Some((_, events)) = self.trace() else { return };
        let points = points(&events, &["signal=KILL"], events_limit());
        self.sweep("kill", &points, &|_, answer, _, _| {
            // The command may have had one call less this time; then it ran to its end.
            assert!(answer.code == 137 || answer.code == 0, "killed or done, not {answer:?}");
        });
    }

    /// Lets each of its mutating calls fail.
    pub fn sweep_errors(&self) {
        let Some((_, all)) = self.trace() else { return };
        let fails =
            |event: &&Event| !["clone", "clone3", "vfork", "wait4", "waitid"].contains(&event.call.as_str());
        let events: Vec<Event> = all.iter().filter(fails).cloned().collect();
        let faults = ERRORS.map(|error| format!("error={error}"));
        let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
        let points = points(&events, &faults, events_limit());
        self.sweep("error", &points, &|sandbox, answer, event, state| {
            assert_ne!(answer.code, 70, "a bug, not a refusal: {answer:?}");
            assert!(answer.code < 128, "it crashed: {answer:?}");
            if answer.code == 0 {
                assert_eq!(state, State::New, "it said that it was done: {answer:?}");
                (self.done)(sandbox);
                let is_sync = event.call.ends_with("sync");
                let target = target(&all, event);
                let is_expendable = matches(self.expendable, &target);
                assert!(!is_sync || is_expendable, "exit 0, but the bytes may not be on disk: {answer:?}");
            }
        });
    }

    /// Holds the order: the bytes are synced before they get their name, and
    /// the directory after. Returns how many syncs there were.
    pub fn order_of_syncs(&self) -> Option<usize> {
        let (root, events) = self.trace_whole()?;
        let wrong = wrong_order(&events, &root, self.expendable);
        assert!(wrong.is_empty(), "{}\nin\n{}", wrong.join("\n"), shown(&events));
        Some(events.iter().filter(|event| event.call.ends_with("sync")).count())
    }

    fn trace(&self) -> Option<(String, Vec<Event>)> {
        let (root, events) = self.trace_whole()?;
        let events: Vec<Event> = events.into_iter().filter(|event| event.is_mutating(&root)).collect();
        assert!(!events.is_empty(), "nothing was traced, so nothing would be proved");
        Some((root, events))
    }

    fn trace_whole(&self) -> Option<(String, Vec<Event>)> {
        let sandbox = (self.prepare)();
        if !trace::is_possible(&sandbox) {
            skipped(self.name, "strace is missing, or tracing is forbidden here");
            return None;
        }
        assert_eq!((self.judge)(&sandbox), State::Old, "the world before");
        let (answer, events) = trace::record(&sandbox, (self.act)(&sandbox));
        assert!(answer.code < 4, "without a fault it works: {answer:?}");
        assert_eq!((self.judge)(&sandbox), State::New, "the world after");
        (self.done)(&sandbox);
        Some((sandbox.root().to_str().unwrap().to_owned(), events))
    }

    fn sweep(&self, kind: &str, points: &[(&Event, &str)], check: &Check<'_>) {
        let next = AtomicUsize::new(0);
        let found = Mutex::new((0, 0, Vec::new()));
        std::thread::scope(|threads| {
            for _ in 0..2 {
                threads.spawn(|| {
                    while let Some((event, fault)) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                        let outcome = catch_unwind(AssertUnwindSafe(|| self.one(event, fault, check)));
                        let mut found = found.lock().unwrap();
                        match outcome {
                            Ok(State::Old) => found.0 += 1,
                            Ok(State::New) => found.1 += 1,
                            Err(why) => {
                                let place =
                                    format!("{fault} at {} #{}: {}", event.call, event.nth, event.line);
                                found.2.push(format!("{place}\n    {}", words(why.as_ref())));
                            }
                        }
                    }
                });
            }
        });
        let (old, new, torn) = found.into_inner().unwrap();
        figure(&format!(
            "{}: {kind} at {} points: {old} old state, {new} new state, {} wrong",
            self.name,
            points.len(),
            torn.len()
        ));
        assert!(torn.is_empty(), "{} of {} points:\n{}", torn.len(), points.len(), torn.join("\n"));
    }

    fn one(&self, event: &Event, fault: &str, check: &Check<'_>) -> State {
        let sandbox = (self.prepare)();
        let answer = trace::with_fault((self.act)(&sandbox), event, fault);
        let state = (self.judge)(&sandbox);
        check(&sandbox, &answer, event, state);
        (self.again)(&sandbox);
        state
    }
}

/// A figure that a person may want to read: where `./test` collects them.
pub fn figure(line: &str) {
    println!("{line}");
    if let Some(file) = std::env::var_os("HANDOVER_TEST_FIGURES") {
        use std::io::Write;
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(file).unwrap();
        file.write_all(format!("{line}\n").as_bytes()).unwrap();
    }
}

/// True if the long proofs are to run whole.
pub fn proofs_are_full() -> bool {
    std::env::var_os("HANDOVER_PROOFS").is_some_and(|value| value == "full")
}

fn events_limit() -> usize {
    if proofs_are_full() { usize::MAX } else { SAMPLE }
}

/// Every fault at every event, or a sample of `most`, spread evenly over
/// events and faults alike, the same in every run.
fn points<'e>(events: &'e [Event], faults: &[&'e str], most: usize) -> Vec<(&'e Event, &'e str)> {
    let all = events.len() * faults.len();
    let taken = all.min(most);
    (0..taken)
        .map(|n| {
            let at = n * all / taken;
            // Whole: every pair. A sample: the next event, and the next fault with it.
            let (event, fault) = (at / faults.len(), if taken == all { at } else { n });
            (&events[event], faults[fault % faults.len()])
        })
        .collect()
}

/// What was published without a sync before it, or without one of its
/// directory after it.
fn wrong_order(events: &[Event], root: &str, expendable: &[&str]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (at, event) in events.iter().enumerate() {
        let publishes = ["rename", "link", "mkdir"].iter().any(|call| event.call.starts_with(call));
        let (Some(from), Some(to)) = (event.paths().first().copied(), event.paths().last().copied()) else {
            continue;
        };
        if !publishes || !event.succeeded() || !to.starts_with(root) {
            continue;
        }
        if matches(expendable, to) {
            continue;
        }
        let is_sync_of =
            |event: &Event, path: &str| event.call.ends_with("sync") && event.descriptor() == Some(path);
        let last_write = events[..at]
            .iter()
            .rposition(|event| event.call.contains("write") && event.descriptor() == Some(from));
        // A directory, or a file that was there before, has no write of ours to be synced.
        if let Some(last_write) = last_write
            && !events[last_write..at].iter().any(|event| is_sync_of(event, from))
        {
            wrong.push(format!("not synced before it got its name: {}", event.line));
        }
        let directory = Path::new(to).parent().unwrap().to_str().unwrap();
        if !events[at..].iter().any(|event| is_sync_of(event, directory)) {
            wrong.push(format!("its directory is not synced after it: {}", event.line));
        }
    }
    wrong
}

fn matches(parts: &[&str], path: &str) -> bool {
    let path = format!("{path}$");
    parts.iter().any(|part| path.contains(part))
}

/// The name that the synced file gets later, or its own.
fn target(events: &[Event], sync: &Event) -> String {
    let own = sync.descriptor().unwrap_or_default();
    let named =
        events.iter().filter(|event| event.call.starts_with("rename") || event.call.starts_with("link"));
    let later = named
        .filter(|event| event.paths().first() == Some(&own))
        .find_map(|event| event.paths().last().copied());
    later.unwrap_or(own).to_owned()
}

fn shown(events: &[Event]) -> String {
    events.iter().map(|event| event.line.as_str()).collect::<Vec<_>>().join("\n")
}

fn words(why: &(dyn std::any::Any + Send)) -> String {
    let text = why.downcast_ref::<String>().cloned();
    text.or_else(|| why.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn story<'s>(act: &'s (dyn Fn(&Sandbox) -> Call + Sync), name: &'s str) -> Story<'s> {
        Story {
            name,
            prepare: &|| {
                let sandbox = Sandbox::empty();
                std::fs::write(sandbox.root().join("state"), "old\n").unwrap();
                sandbox
            },
            act,
            judge: &|sandbox| match std::fs::read_to_string(sandbox.root().join("state")).unwrap().as_str() {
                "old\n" => State::Old,
                "new\nnew\n" => State::New,
                torn => panic!("torn: {torn:?}"),
            },
            done: &|_| (),
            again: &|_| (),
            expendable: &[],
        }
    }

    #[test]
    fn a_writer_that_tears_its_file_is_caught() {
        let act =
            |sandbox: &Sandbox| sandbox.program("sh", ["-c", "echo new >state; echo new >>state; true"]);
        let story = story(&act, "a_writer_that_tears_its_file_is_caught");
        if story.trace().is_none() {
            return;
        }
        let caught = catch_unwind(AssertUnwindSafe(|| story.sweep_kills())).unwrap_err();
        assert!(words(caught.as_ref()).contains("torn: \"new\\n\""), "{}", words(caught.as_ref()));
        let caught = catch_unwind(AssertUnwindSafe(|| story.sweep_errors())).unwrap_err();
        let caught = words(caught.as_ref());
        assert!(caught.contains("error=ENOSPC") && caught.contains("torn"), "{caught}");
    }

    #[test]
    fn a_writer_that_renames_passes_but_for_its_missing_syncs() {
        let script = "open my $f, '>', \"$ARGV[0].tmp\" or exit 7; syswrite $f, \"new\\nnew\\n\" or exit 7; \
             close $f or exit 7; rename \"$ARGV[0].tmp\", $ARGV[0] or exit 7";
        let act = |sandbox: &Sandbox| {
            let file = sandbox.root().join("state");
            sandbox.program("/usr/bin/perl", ["-e", script]).arg(file)
        };
        let story = story(&act, "a_writer_that_renames_passes_but_for_its_missing_syncs");
        if !Path::new("/usr/bin/perl").exists() {
            return skipped(story.name, "perl is missing");
        }
        story.sweep_kills();
        story.sweep_errors();
        let Some((root, events)) = story.trace() else { return };
        let wrong = wrong_order(&events, &root, &[]).join("\n");
        assert!(
            wrong.contains("not synced before") && wrong.contains("directory is not synced after"),
            "{wrong}"
        );
        assert!(wrong_order(&events, &root, &["/state"]).is_empty());
    }

    #[test]
    fn a_sample_is_spread_over_events_and_faults() {
        let event = |nth| Event { call: "write".to_owned(), nth, line: String::new() };
        let events: Vec<Event> = (1..=10).map(event).collect();
        let whole = points(&events, &["a", "b"], usize::MAX);
        assert_eq!(whole.len(), 20);
        assert_eq!((whole[3].0.nth, whole[3].1), (2, "b"));
        let sample: Vec<(usize, &str)> =
            points(&events, &["a", "b"], 5).iter().map(|(event, fault)| (event.nth, *fault)).collect();
        assert_eq!(sample, [(1, "a"), (3, "b"), (5, "a"), (7, "b"), (9, "a")]);
    }
}
