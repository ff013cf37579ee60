//! Which event of an attempt is the cause.

use super::attempts::Event;
use super::finding::Role;
use super::progress::Sample;
use super::traceback::Link;

/// What Slurm does when time or right are used up: it ends what has gone wrong
/// before, too, so an exception before it is the better cause.
const ENDINGS: [&str; 3] = ["time-limit", "preempted", "cancelled"];
/// Exceptions that programs survive more often than not.
const SURVIVED: [&str; 3] = ["tracker", "network-egress", "rate-limit"];
/// Classes that say no more than that code raised something.
const GENERIC: [&str; 4] = ["code", "exception", "missing-path", "permission"];

/// Of those the ones that are weak: many programs say them and go on.
const NOT_FOUND: [&str; 2] = ["missing-path", "permission"];

/// So many lines after an error R says that it halts: the calls and warnings stand between.
const HALTS_WITHIN: u64 = 12;

/// Classes of exceptions that follow from no trouble of memory, disks or other ranks.
const STANDS_ALONE: [&str; 4] = ["missing-module", "missing-lib", "config-error", "ckpt-mismatch"];
/// So many lines between an error and the traceback that ends the program say
/// that it lived on; more of them where the error may be another program's.
const LIVED_ON: u64 = 3;
const LIVED_LONG: u64 = 10;

/// Steps that were made after an event, which the job must then have survived.
const STEPS_AFTER: usize = 3;
/// So many bytes of log must lie between, unless there were many steps: other
/// ranks go on for a moment.
const BYTES_AFTER: u64 = 4096;
const MANY_STEPS: usize = 8;

/// So many causes that were survived are looked behind.
const MOST_SURVIVED: usize = 12;

/// Settles the roles of an attempt's events, and names the cause. `lives_on`
/// says whether what stands behind a place shows the program at work; it costs
/// more than all the rest and is asked last.
pub(super) fn root(
    events: &mut [Event],
    ended: Option<u64>,
    samples: &[Sample],
    lives_on: &dyn Fn(u64) -> bool,
) -> Option<usize> {
    events.sort_by_key(|event| event.offset);
    after_the_end(events, ended);
    for event in events.iter_mut() {
        event.hedged |= matches!(event.role, Role::Root | Role::Cascade | Role::Evidence)
            && !event.ends_job
            && went_on(event, samples);
    }
    links(events);
    threads(events);
    printed(events);
    steps(events);
    killed(events);
    r_errors(events);
    let found = lasting(events, lives_on).map(|found| environment(events, found));
    let found = found.map(|found| broken(events, found));
    for (at, event) in events.iter_mut().enumerate() {
        if event.hedged && event.role == Role::Root && Some(at) != found {
            event.role = Role::Warning;
        }
    }
    found
}

/// What Python says after the job was told to end is how it ended.
fn after_the_end(events: &mut [Event], ended: Option<u64>) {
    let Some(ended) = ended else { return };
    for event in events.iter_mut().filter(|event| event.offset >= ended) {
        let is_consequence = event.exception.is_some() || event.role == Role::Cascade;
        if is_consequence && !event.ends_job {
            event.role = Role::Teardown;
        }
    }
}

/// Of exceptions that follow from each other the first is the cause, unless it
/// was dealt with and something more telling happened meanwhile.
fn links(events: &mut [Event]) {
    for at in 1..events.len() {
        let Some(link) = events[at].link else { continue };
        let Some(before) = (0..at).rev().find(|before| events[*before].raised) else { continue };
        let (first, second) = (&events[before], &events[at]);
        // An import that was to take the place of one that failed is what is missing in the end.
        let takes_its_place =
            |event: &Event| matches!(event.class.as_str(), "missing-module" | "missing-lib");
        let tells_more = takes_its_place(first) && takes_its_place(second)
            || !GENERIC.contains(&second.class.as_str())
                && GENERIC.contains(&first.class.as_str())
                && second.role == Role::Root;
        if link == Link::Handling && tells_more {
            events[before].role = Role::Evidence;
        } else if second.role == Role::Root
            && (first.role == Role::Root || first.role == Role::Cascade && first.link.is_some())
        {
            events[at].role = Role::Cascade;
        }
    }
}

/// A thread of the project's own code that died took the process with it if
/// that then ended over something that says no more: it noticed the death. The
/// threads of libraries die without anybody noticing.
fn threads(events: &mut [Event]) {
    let is_thread = |event: &Event| event.in_thread && event.role == Role::Root && event.frame.is_some();
    for at in (0..events.len()).filter(|at| is_thread(&events[*at])).collect::<Vec<_>>() {
        let noticed = |event: &Event| {
            event.raised
                && !event.in_thread
                && !event.hedged
                && event.role == Role::Root
                && GENERIC.contains(&event.class.as_str())
        };
        if let Some(then) = (at + 1..events.len()).find(|then| noticed(&events[*then])) {
            events[at].hedged = false;
            events[then].role = Role::Cascade;
        }
    }
}

/// Which came first: that a task of the step ended, upon which srun ended the
/// others; or that Slurm ended the step, and the tasks with it.
fn steps(events: &mut [Event]) {
    let is_task = |event: &Event| event.text.starts_with("srun: error: ") && event.text.contains(": task");
    let is_step = |event: &Event| event.text.contains("*** STEP ") || event.text.contains("*** JOB ");
    let by_srun = events.iter().position(is_task);
    let by_slurm = events.iter().position(is_step);
    for (at, event) in events.iter_mut().enumerate() {
        if by_slurm.is_some_and(|end| end < at) && is_task(event) && event.role == Role::Evidence {
            event.role = Role::Teardown;
        }
        if by_srun.is_some_and(|end| end < at) && is_step(event) && event.role == Role::Teardown {
            event.weak = false;
        }
    }
}

/// A line that looks like an error, and to which no traceback belongs, was only
/// printed if the program then lived on until it ended with a traceback of its
/// own. The last lines of tracebacks that others wrote, and those that Slurm or
/// the kernel may have written, are spared if what came then may follow from them.
fn printed(events: &mut [Event]) {
    let ends = |event: &Event| event.raised && event.role == Role::Root && !event.hedged && !event.in_thread;
    let Some(end) = events.iter().rposition(ends) else { return };
    let (before, end) = events.split_at_mut(end);
    let end = &end[0];
    let stands_alone = STANDS_ALONE.contains(&end.class.as_str());
    for event in before {
        let may_be = event.role == Role::Root && !event.raised && event.job.is_none();
        if !may_be || event.label != end.label || event.class == end.class {
            continue;
        }
        // Behind a gap its traceback may have begun before.
        let Some(line) = event.line else { continue };
        let between = end
            .line
            .map_or(u64::MAX, |end_line| end_line.saturating_sub(line).saturating_sub(end.lines_before + 2));
        event.hedged |= match event.exception.is_some() {
            true => stands_alone || between >= LIVED_ON,
            false => stands_alone && between >= LIVED_LONG,
        };
    }
}

/// True if the steps of the training go on after the event.
fn went_on(event: &Event, samples: &[Sample]) -> bool {
    let before = samples.iter().filter(|sample| sample.offset < event.last);
    let reached = before.filter_map(|sample| sample.place()).fold(f64::NEG_INFINITY, f64::max);
    let mut highest = reached;
    let (mut steps, mut last) = (0, event.last);
    for sample in samples.iter().filter(|sample| sample.offset > event.last) {
        if let Some(place) = sample.place().filter(|place| *place > highest) {
            highest = place;
            steps += 1;
            last = sample.offset;
        }
    }
    steps >= MANY_STEPS || steps >= STEPS_AFTER && last - event.last >= BYTES_AFTER
}

/// The best that the program did not live through. Where a program came to its
/// end and the script went on with the next, that one's failure may follow.
fn lasting(events: &mut [Event], lives_on: &dyn Fn(u64) -> bool) -> Option<usize> {
    for _ in 0..MOST_SURVIVED {
        let at = choose(events)?;
        let event = &events[at];
        let is_final = event.hedged || event.job.is_some() || ENDINGS.contains(&event.class.as_str());
        if is_final || !lives_on(event.last) {
            return Some(at);
        }
        let follows = |later: &Event| {
            later.from_top
                && !later.hedged
                && later.role == Role::Root
                && GENERIC.contains(&later.class.as_str())
        };
        if event.from_top && events[at + 1..].iter().any(follows) {
            return Some(at);
        }
        events[at].hedged = true;
    }
    choose(events)
}

/// What is missing from an environment that was never activated, or from a
/// folder in which the job never was, is not missing: the cause is the line that says so.
fn environment(events: &mut [Event], found: usize) -> usize {
    // The system's Python may be too old for the code, too.
    let is_missing =
        matches!(events[found].class.as_str(), "missing-module" | "missing-lib" | "env-mismatch")
            || events[found].exception.as_deref() == Some("SyntaxError");
    let is_path = events[found].class == "missing-path";
    let is_why = |event: &Event| {
        let not_activated =
            event.class == "env-activation" && matches!(event.role, Role::Warning | Role::Root);
        let not_there = event.role == Role::Warning && event.text.contains("couldn't chdir to");
        is_missing && not_activated || is_path && not_there
    };
    match events[..found].iter().position(is_why) {
        Some(earlier) => {
            events[earlier].role = Role::Root;
            events[found].role = Role::Cascade;
            earlier
        }
        None => found,
    }
}

/// Files that were cut short when the disk was full are broken when they are read.
fn broken(events: &mut [Event], found: usize) -> usize {
    let is_broken = matches!(events[found].class.as_str(), "exception" | "code-or-data" | "ckpt-corrupt");
    let is_full = |event: &Event| {
        matches!(event.class.as_str(), "disk-full" | "quota")
            && matches!(event.role, Role::Warning | Role::Root)
    };
    match events[..found].iter().position(is_full).filter(|_| is_broken) {
        Some(earlier) => {
            events[earlier].role = Role::Root;
            events[found].role = Role::Cascade;
            earlier
        }
        None => found,
    }
}

/// R says that it halts when nobody took an error; one after which it did not was caught.
fn r_errors(events: &mut [Event]) {
    let halts = |event: &Event| {
        let says = |what| event.text.starts_with(what);
        event.role == Role::Teardown
            && (says("Execution halted") || says("Exécution arr") || says("Ausführung ang"))
    };
    let halts: Vec<u64> = events.iter().filter(|event| halts(event)).filter_map(|event| event.line).collect();
    let is_r = |event: &Event| {
        let begins = |with| event.text.starts_with(with);
        (begins("Error in ") || begins("Erreur dans ") || begins("Fehler in ")) && event.text.contains(" :")
    };
    for event in events.iter_mut().filter(|event| event.role == Role::Root && is_r(event)) {
        let Some(line) = event.line else { continue };
        event.hedged |= !halts.iter().any(|halt| (line..line + HALTS_WITHIN).contains(halt));
    }
}

/// A shell says "Killed" when its program is over. What fails for want of
/// something after that belongs to the next one.
fn killed(events: &mut [Event]) {
    let is_kill = |event: &Event| event.class == "killed-unconfirmed" && event.role == Role::Evidence;
    let Some(at) = events.iter().position(is_kill) else { return };
    let has_root = events[..at].iter().any(|event| event.role == Role::Root && !event.hedged);
    for event in events[at + 1..].iter_mut().filter(|_| !has_root) {
        if event.role == Role::Root && event.class == "missing-path" {
            event.role = Role::Warning;
        }
    }
}

/// The earliest of the best there is.
fn choose(events: &[Event]) -> Option<usize> {
    let is_root = |event: &Event| event.role == Role::Root;
    let is_ending = |event: &Event| ENDINGS.contains(&event.class.as_str());
    let is_uncaught = |event: &Event| event.raised && !SURVIVED.contains(&event.class.as_str());
    let has_failed = events
        .iter()
        .any(|event| !event.hedged && matches!(event.role, Role::Teardown | Role::Cascade | Role::Root));
    let tiers: [&dyn Fn(&Event) -> bool; 10] = [
        &|event| is_root(event) && !event.weak && !event.hedged && !is_ending(event),
        &|event| is_root(event) && event.weak && !event.hedged && is_uncaught(event) && !is_ending(event),
        &|event| is_root(event) && !event.weak && !event.hedged,
        &|event| is_root(event) && event.weak && !event.hedged,
        // It was survived, or so it says; but the job did end badly.
        &|event| is_root(event) && !event.weak && has_failed,
        &|event| is_root(event) && event.raised && has_failed,
        &|event| event.role == Role::Cascade && event.weak && !event.hedged,
        &|event| event.role == Role::Cascade && !event.hedged,
        &|event| event.role == Role::Teardown && event.weak && !event.hedged,
        // Nothing failed: the job was put back into the queue, and has not begun again.
        &|event| event.ends_job && event.class == "requeued",
    ];
    let found = tiers.iter().find_map(|fits| events.iter().position(fits))?;
    // A program that found no file ended before the next of the script failed without its work.
    let found_nothing = |event: &Event| {
        event.from_top && is_root(event) && !event.hedged && NOT_FOUND.contains(&event.class.as_str())
    };
    let is_next = events[found].from_top && GENERIC.contains(&events[found].class.as_str());
    let earlier = events[..found].iter().position(found_nothing).filter(|_| is_next);
    // What the kernel says of the card explains what CUDA could not.
    let is_card = |event: &Event| event.class == "hardware" && is_root(event) && !event.hedged;
    let later = events.iter().position(is_card).filter(|_| events[found].class == "code-or-hw");
    Some(later.or(earlier).unwrap_or(found))
}
