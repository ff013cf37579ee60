use std::sync::LazyLock;

use regex::Regex;

use super::super::problems::Problems;
use super::super::squeue::{self, Queue};
use super::super::{Job, State};
use super::Section;
use crate::safety;
use crate::terms::{Known, Seconds, counted};

/// Where `%.18i %.9P %.30j %.8u %.8T %.10M %.9l %.6D %R` cuts.
const WIDTHS: Widths = Widths { partition: 9, name: 30, user: 8, state: 8 };

struct Widths {
    partition: usize,
    name: usize,
    user: usize,
    state: usize,
}

/// A row by its shape: columns shift, because squeue cuts names but lets times
/// and node counts run over their width. The name takes all it can, so that a
/// name that looks like columns stays a name.
static ROW: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)^\s*
        (?P<id>[0-9]+(?:_[0-9]+|_\[[^\s]*|\+[0-9]+)?)\s+
        (?P<partition>\S+)\s
        (?P<name>.*)\s
        (?P<user>\S+)\s+
        (?P<state>[A-Z_]+)\s+
        (?P<elapsed>[0-9:-]+|INVALID)\s+
        (?P<limit>[0-9:-]+|[A-Za-z_]+)\s+
        (?P<nodes>[0-9]+)\s
        (?P<where>.*)$",
    )
    .expect("a constant")
});

/// Reads a section of fixed-width `squeue` output.
///
/// A section without squeue's headings is unknown, because nobody can tell an
/// empty queue from a question that failed.
pub(super) fn read(section: &Section, problems: &mut Problems) -> Known<Queue> {
    let about = section.title;
    let Some(at) = section.lines.iter().position(|line| is_heading(line)) else {
        return Known::Unknown(match section.lines.first() {
            None => format!("the section {about} is empty: not even squeue's headings are there"),
            Some(line) if is_other_heading(line) => {
                problems.say(about, "the columns are not those that are known");
                format!("the section {about} has other columns than those that are known")
            }
            Some(line) => format!("squeue said: {}", safety::one_line(line, 160)),
        });
    };
    let widths = widths(section.lines[at]);
    let mut queue = Queue::default();
    let mut unread = Vec::new();
    for line in section.lines[at + 1..].iter().filter(|line| !is_heading(line)) {
        match row(line, &widths) {
            Some(job) => queue.jobs.push(job),
            None => unread.push(*line),
        }
    }
    if let Some(first) = unread.first() {
        queue.partial = true;
        let first = safety::one_line(first, 80);
        problems.say(about, format!("{} not understood; the first: {first}", counted(unread.len(), "row")));
    }
    say_what_was_cut(about, &queue, &widths, problems);
    Known::Known(queue)
}

fn is_heading(line: &str) -> bool {
    is_other_heading(line) && line.contains(" STATE ") && line.contains(" TIME_LIMI")
}

fn is_other_heading(line: &str) -> bool {
    line.trim_start().starts_with("JOBID ") && line.contains("NODELIST(REASON)")
}

/// The widths of the columns that are cut, from the ends of their headings.
fn widths(heading: &str) -> Widths {
    let end = |name: &str| heading.find(name).map(|at| at + name.len());
    let between = |before: &str, name: &str, usual: usize| match (end(before), end(name)) {
        (Some(from), Some(to)) if to > from + 1 => to - from - 1,
        _ => usual,
    };
    Widths {
        partition: between("JOBID", "PARTITION", WIDTHS.partition),
        name: between("PARTITION", "NAME", WIDTHS.name),
        user: between(" NAME", " USER", WIDTHS.user),
        state: between(" USER", " STATE", WIDTHS.state),
    }
}

fn row(line: &str, widths: &Widths) -> Option<Job> {
    let cells = ROW.captures(line)?;
    let cell = |name: &str| cells.name(name).map_or("", |found| found.as_str());
    let mut job = squeue::id(cell("id"))?;
    job.partition = cell("partition").to_owned();
    let name = cell("name").trim();
    job.name_cut = name.len() >= widths.name;
    // The cut may go through the middle of a character.
    job.name = name.trim_end_matches('\u{fffd}').to_owned();
    job.user = cell("user").to_owned();
    job.user_cut = job.user.len() >= widths.user;
    job.state = state(cell("state"), widths.state)?;
    job.elapsed = Seconds::from_slurm(cell("elapsed")).ok();
    job.limit = Seconds::from_slurm(cell("limit")).ok();
    job.nodes = cell("nodes").parse().ok();
    let place = cell("where").trim();
    match place.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(reason) => job.reason = squeue::reason(reason),
        None => job.node_list = place.to_owned(),
    }
    Some(job)
}

/// Slurm cuts states without a mark: `COMPLETI`, `OUT_OF_M`.
fn state(text: &str, width: usize) -> Option<State> {
    let whole = State::read(text);
    let state = match whole {
        State::Unknown if text.len() >= width => State::read(&format!("{text}+")),
        state => state,
    };
    // `REQUEUE_` may be two states, both of which wait.
    (state != State::Unknown).then_some(state).or_else(|| (text == "REQUEUE_").then_some(State::RequeueHold))
}

fn say_what_was_cut(about: &str, queue: &Queue, widths: &Widths, problems: &mut Problems) {
    let count = |what: fn(&Job) -> bool| queue.jobs.iter().filter(|job| what(job)).count();
    let names = count(|job| job.name_cut);
    if names > 0 {
        problems
            .say(about, format!("names are cut at {} characters ({})", widths.name, counted(names, "job")));
    }
    let partitions = queue.jobs.iter().filter(|job| job.partition.len() >= widths.partition).count();
    if partitions > 0 {
        let width = widths.partition;
        problems.say(
            about,
            format!("partitions may be cut at {width} characters ({})", counted(partitions, "job")),
        );
    }
    let users = count(|job| job.user_cut);
    if users > 0 {
        problems.say(
            about,
            format!("users may be cut at {} characters ({})", widths.user, counted(users, "job")),
        );
    }
    let lists = count(|job| job.tasks_cut);
    if lists > 0 {
        problems.say(
            about,
            format!("lists of pending tasks are cut ({}): their count is unknown", counted(lists, "array")),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "             JOBID PARTITION                           NAME     USER    STATE       TIME TIME_LIMI  NODES NODELIST(REASON)";

    fn table(rows: &[&str]) -> (Known<Queue>, Vec<String>) {
        let lines = std::iter::once(HEADING).chain(rows.iter().copied()).collect();
        let mut problems = Problems::default();
        let queue = read(&Section { title: "MY JOBS", lines }, &mut problems);
        (queue, problems.into_vec().into_iter().map(|problem| problem.what).collect())
    }

    #[test]
    fn rows_are_read_although_columns_shift() {
        let (queue, problems) = table(&[
            "   2_[106-198:2%3]        ai                       slow_arr     root  PENDING       0:00   4:00:00      1 (JobArrayTaskLimit)",
            "                17       all   we|ird \"name\" $(touch pwned)     root  RUNNING       1:57 365-00:00:00      1 cpu01",
            "                18       all x root RUNNING 0:01 1:00 1 no     root COMPLETI       1:57 UNLIMITED      1 cpu01",
            "                 7  scavenge                      preemptme     root  PENDING       0:00 1-00:00:00      1 (Nodes required for job are DOWN, DRAINED or reserved for jobs in higher priority partitions)",
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        let queue = queue.into_known().unwrap();
        assert!(!queue.partial);
        let [rest, odd, sly, waits] = &queue.jobs[..] else { panic!("{queue:?}") };
        assert_eq!((rest.count(), rest.throttle), (Some(47), Some(3)));
        assert_eq!(
            (odd.name.as_str(), odd.limit),
            ("we|ird \"name\" $(touch pwned)", Some(Seconds(365 * 86_400)))
        );
        assert_eq!((sly.name.as_str(), sly.state), ("x root RUNNING 0:01 1:00 1 no", State::Completing));
        assert!(waits.reason.starts_with("Nodes required for job are DOWN, DRAINED"));
        assert_eq!((waits.node_list.as_str(), odd.node_list.as_str()), ("", "cpu01"));
    }

    #[test]
    fn what_was_cut_and_what_was_not_understood_is_said() {
        let (queue, problems) = table(&[
            "65_[1,3,5,8,11,14,       all averyveryverylongjobname_that_     root  PENDING       0:00 UNLIMITED      1 (JobHeldUser)",
            "                66       all                            new",
            "line     root  PENDING       0:00 UNLIMITED      1 (JobHeldUser)",
        ]);
        let queue = queue.into_known().unwrap();
        assert!(queue.partial && queue.jobs[0].tasks_cut && queue.jobs[0].name_cut);
        assert_eq!(queue.jobs[0].count(), None);
        assert_eq!(
            problems,
            [
                "2 rows not understood; the first: 66       all                            new",
                "names are cut at 30 characters (1 job)",
                "lists of pending tasks are cut (1 array): their count is unknown",
            ]
        );
    }

    #[test]
    fn a_failed_question_is_not_an_empty_queue() {
        let (queue, problems) = table(&[]);
        assert!(queue.into_known().unwrap().jobs.is_empty() && problems.is_empty());
        let mut problems = Problems::default();
        for (lines, why) in [
            (vec![], "the section MY JOBS is empty: not even squeue's headings are there"),
            (
                vec!["slurm_load_jobs error: Unable to contact slurm controller (connect failure)"],
                "squeue said: slurm_load_jobs error: Unable to contact slurm controller (connect failure)",
            ),
            (
                vec!["             JOBID PARTITION     NAME     USER ST       TIME  NODES NODELIST(REASON)"],
                "the section MY JOBS has other columns than those that are known",
            ),
        ] {
            let section = Section { title: "MY JOBS", lines };
            assert_eq!(read(&section, &mut problems).map(|_| ()), Known::Unknown(why.into()));
        }
    }
}
