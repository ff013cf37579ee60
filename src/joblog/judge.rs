//! Which event of an attempt is the cause.
//!
//! The rules know no names of classes or rows: what lines are to each other is
//! said in the table (`classes.yaml`, `patterns.yaml`), so that a project's own rows take part.

use super::attempts::Event;
use super::finding::Role;
use super::names;
use super::progress::Sample;
use super::table::Trait;
use super::traceback::Link;

/// So many lines after an error the line stands that confirms it: calls and warnings are between.
const CONFIRMED_WITHIN: u64 = 12;

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

/// So many bytes after its error a server says that it ends.
const TO_THE_SERVERS_END: u64 = 8192;

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
    for at in 0..events.len() {
        let event = &events[at];
        let may_be = matches!(event.role, Role::Root | Role::Cascade | Role::Evidence) && !event.ends_job;
        events[at].hedged |= may_be && went_on(event, samples) && !is_missed(&events[at..]);
    }
    warned_of(events);
    links(events);
    threads(events);
    printed(events);
    steps(events);
    killed(events);
    unconfirmed(events);
    let found = lasting(events, lives_on).map(|found| explained(events, found));
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

/// What a line says of which the line before warns was dealt with.
fn warned_of(events: &mut [Event]) {
    for at in 1..events.len() {
        let (before, event) = (&events[at - 1], &events[at]);
        let is_next = matches!((before.line, event.line), (Some(before), Some(line)) if line == before + 1);
        events[at].hedged |= is_next && before.is(Trait::WarnsOfNext) && before.label == event.label;
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
        let takes_its_place = first.is(Trait::Import) && second.is(Trait::Import);
        let says_what = first.is(Trait::Generic) && !second.is(Trait::Generic);
        let tells_more = takes_its_place || says_what && second.role == Role::Root;
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
                && event.is(Trait::Generic)
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
    let is_task = |event: &Event| event.is(Trait::TaskEnd);
    let is_step = |event: &Event| event.is(Trait::StepEnd);
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
    let stands_alone = end.is(Trait::StandsAlone);
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
/// end and the script went on with the next, that one's failure may follow; so
/// does that of a client whose server has ended.
fn lasting(events: &mut [Event], lives_on: &dyn Fn(u64) -> bool) -> Option<usize> {
    for _ in 0..MOST_SURVIVED {
        let at = choose(events)?;
        let event = &events[at];
        let is_final = event.hedged || event.job.is_some() || event.is(Trait::Ending);
        if is_final || !lives_on(event.last) || is_missed(&events[at..]) || work_is_missed(&events[at..]) {
            return Some(at);
        }
        events[at].hedged = true;
    }
    choose(events)
}

/// True if the first of the events ended a program, and one that came after it
/// failed without its work.
fn work_is_missed(events: &[Event]) -> bool {
    let Some((event, later)) = events.split_first() else { return false };
    let misses_it = |later: &Event| {
        later.from_top && !later.hedged && later.role == Role::Root && later.is(Trait::Generic)
    };
    event.from_top && later.iter().any(misses_it)
}

/// True if the first of the events ended a server, as that says itself, and a
/// client failed over it later.
fn is_missed(events: &[Event]) -> bool {
    let Some((event, later)) = events.split_first() else { return false };
    let ends = |later: &Event| {
        later.is(Trait::ServerEnd) && later.offset.saturating_sub(event.last) < TO_THE_SERVERS_END
    };
    let misses_it = |later: &Event| later.raised && !later.hedged && later.is(Trait::Client);
    let server = later.iter().position(ends);
    server.is_some_and(|server| later[server..].iter().any(misses_it))
}

/// What explains the cause that was found stands before it, and was perhaps only
/// warned of: a module is missing because the environment was never activated, a
/// file is broken because the disk was full when it was written.
fn explained(events: &mut [Event], found: usize) -> usize {
    let explains = |event: &Event| {
        matches!(event.role, Role::Warning | Role::Root)
            && !event.is(Trait::Witness)
            && events[found].yields_to(event)
            && !of_another_name(event, &events[found])
    };
    match events[..found].iter().position(explains) {
        Some(earlier) => {
            events[earlier].role = Role::Root;
            events[found].role = Role::Cascade;
            earlier
        }
        None => found,
    }
}

/// True if both say what was missing, and it is not the same: a module that was not
/// there does not explain the library of another.
fn of_another_name(one: &Event, other: &Event) -> bool {
    let both = one.is(Trait::NamesIt) && other.is(Trait::NamesIt);
    both && names::are_unlike(&one.text, &other.text)
}

/// Some languages say that they end when nobody took an error; one after which
/// they did not was caught.
fn unconfirmed(events: &mut [Event]) {
    let lines: Vec<(Option<usize>, u64)> =
        events.iter().filter_map(|event| Some((event.row, event.line?))).collect();
    for event in events.iter_mut().filter(|event| event.role == Role::Root) {
        let (Some(row), Some(line)) = (event.confirmed_by, event.line) else { continue };
        let confirms = |(of, at): &(Option<usize>, u64)| {
            *of == Some(row) && (line..line + CONFIRMED_WITHIN).contains(at)
        };
        event.hedged |= !lines.iter().any(confirms);
    }
}

/// A shell says "Killed" when its program is over. What fails for want of
/// something after that belongs to the next one.
fn killed(events: &mut [Event]) {
    let is_kill = |event: &Event| event.is(Trait::Silent) && event.role == Role::Evidence;
    let Some(at) = events.iter().position(is_kill) else { return };
    let (before, rest) = events.split_at_mut(at);
    let Some((kill, later)) = rest.split_first_mut() else { return };
    let has_root = before.iter().any(|event| event.role == Role::Root && !event.hedged);
    for event in later.iter_mut().filter(|_| !has_root) {
        if event.role == Role::Root && event.yields_to(kill) {
            event.role = Role::Warning;
        }
    }
}

/// The earliest of the best there is.
fn choose(events: &[Event]) -> Option<usize> {
    let is_root = |event: &Event| event.role == Role::Root;
    let is_ending = |event: &Event| event.is(Trait::Ending);
    let is_uncaught = |event: &Event| event.raised && !event.is(Trait::Survived);
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
        &|event| event.ends_job && event.is(Trait::LivesOn),
    ];
    let found = tiers.iter().find_map(|fits| events.iter().position(fits))?;
    // A program that found no file ended before the next of the script failed without its work.
    let found_nothing =
        |event: &Event| event.from_top && is_root(event) && !event.hedged && event.is(Trait::NotThere);
    let is_next = events[found].from_top && events[found].is(Trait::Generic);
    let earlier = events[..found].iter().position(found_nothing).filter(|_| is_next);
    // What the kernel says of the card explains what CUDA could not.
    let sees_more = |event: &Event| {
        event.is(Trait::Witness) && is_root(event) && !event.hedged && events[found].yields_to(event)
    };
    Some(events.iter().position(sees_more).or(earlier).unwrap_or(found))
}
