//! The state file that the cluster side commits: a machine part that the
//! program's own script writes, or the plain form that projects write today.

mod machine;
mod node_table;
mod queue_table;
mod sections;
mod written;

use std::borrow::Cow;

use self::machine::Machine;
use self::sections::{Section, Sections};
use super::problems::Problems;
use super::squeue::Queue;
use super::{Accounting, Job, Load, Node, Origin, Scope, Snapshot, Whose, sacct};
use crate::safety;
use crate::terms::{Known, Time};

/// A state file with what is known about it besides its bytes.
#[derive(Debug, Clone)]
pub struct StateFile {
    /// Its path, or `branch:path` for one that was read from git.
    pub name: String,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// When these very bytes were committed; `None` if they are in no commit.
    pub committed_at: Option<Time>,
}

impl StateFile {
    /// When its content was taken and whose clock said so: the time written in
    /// it, else that of its commit; never the file's own times.
    pub fn taken_at(&self) -> Option<(Time, Whose)> {
        let text = text(&self.bytes);
        let sections = Sections::split(&text);
        let machine = sections.machine().and_then(|part| Machine::of(part, &mut Problems::default()));
        let written = machine.and_then(|part| part.time("taken_at"));
        when(self, written.or_else(|| written::find(sections.preamble).0))
    }

    /// Why this is no state file at all, in words; `None` for one that has at least one
    /// section that is known, whatever is in it.
    pub fn defect(&self) -> Option<String> {
        let text = text(&self.bytes);
        if Sections::split(&text).has_known() {
            return None;
        }
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        Some(match lines.next() {
            None => "it is empty".to_owned(),
            Some((index, line)) => {
                let shown = safety::one_line(line, 60);
                format!(
                    "no line is a heading such as === MY JOBS ===, line {} is \u{201c}{shown}\u{201d}",
                    index + 1
                )
            }
        })
    }

    /// Reads the file; what is missing, cut or not understood is said in the
    /// snapshot.
    ///
    /// Each answer comes from the part for programs if the file has one, else
    /// from the section for people.
    pub fn read(&self, scope: &Scope) -> Snapshot {
        let mut problems = Problems::default();
        let text = text(&self.bytes);
        if matches!(text, Cow::Owned(_)) {
            problems.say("state file", "it holds bytes that are not UTF-8; they are replaced");
        }
        let sections = Sections::split(&text);
        sections.complain(&mut problems);
        let machine = sections.machine().and_then(|part| Machine::of(part, &mut problems));
        match &machine {
            Some(machine) => of_machine(self, scope, machine, &sections, problems),
            None => of_sections(self, scope, &sections, problems),
        }
    }
}

fn of_machine(
    file: &StateFile,
    scope: &Scope,
    machine: &Machine,
    sections: &Sections,
    mut problems: Problems,
) -> Snapshot {
    let when = when(file, machine.time("taken_at"));
    let (jobs, jobs_partial) = parted(machine.jobs(scope, &mut problems));
    // The file is about this user, whoever else is asked for.
    let user = scope.user.clone().or_else(|| machine.value("user").map(str::to_owned));
    Snapshot {
        origin: Origin::File { name: file.name.clone() },
        taken_at: when.map(|(time, _)| time),
        clock: when.map(|(_, whose)| whose),
        cluster: machine.value("cluster").map(str::to_owned),
        slurm: machine.value("slurm").map(str::to_owned),
        scope: Scope { user, ..scope.clone() },
        jobs,
        jobs_partial,
        nodes: machine.nodes(&mut problems),
        accounting: machine.accounting(scope, &mut problems),
        // People's tables are no source for anything else, so what is wrong with them is not said.
        load: load(sections, &mut Problems::default()),
        problems: problems.into_vec(),
    }
}

fn of_sections(file: &StateFile, scope: &Scope, sections: &Sections, mut problems: Problems) -> Snapshot {
    let (written, unread) = written::find(sections.preamble);
    if let Some(problem) = unread {
        problems.say("date", problem);
    }
    let when = when(file, written);
    if when.is_none() {
        problems.say("date", "nothing says when the state was taken: its age is unknown");
    }
    let (jobs, jobs_partial) = jobs(sections.named("MY JOBS"), scope, &mut problems);
    Snapshot {
        origin: Origin::File { name: file.name.clone() },
        taken_at: when.map(|(time, _)| time),
        clock: when.map(|(_, whose)| whose),
        cluster: None,
        slurm: None,
        scope: scope.clone(),
        jobs,
        jobs_partial,
        nodes: nodes(sections.starting("GPU AVAILABILITY"), &mut problems),
        accounting: accounting(sections.starting("RECENT JOB HISTORY"), scope, &mut problems),
        load: load(sections, &mut problems),
        problems: problems.into_vec(),
    }
}

fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes))
}

fn when(file: &StateFile, written: Option<Time>) -> Option<(Time, Whose)> {
    written.map(|time| (time, Whose::Writer)).or_else(|| Some((file.committed_at?, Whose::Committer)))
}

fn jobs(section: Option<&Section>, scope: &Scope, problems: &mut Problems) -> (Known<Vec<Job>>, bool) {
    let Some(section) = section else {
        return (Known::Unknown("the state file has no section MY JOBS".to_owned()), false);
    };
    let queue = queue_table::read(section, problems).map(|mut queue| {
        queue.jobs.retain(|job| scope.takes(job));
        queue
    });
    parted(queue)
}

fn parted(queue: Known<Queue>) -> (Known<Vec<Job>>, bool) {
    let partial = queue.known().is_some_and(|queue| queue.partial);
    (queue.map(|queue| queue.jobs), partial)
}

fn nodes(section: Option<&Section>, problems: &mut Problems) -> Known<Vec<Node>> {
    match section {
        Some(section) => node_table::read(section, problems),
        None => Known::Unknown("the state file has no section GPU AVAILABILITY".to_owned()),
    }
}

/// The section of `sacct`, whose own header says which columns there are.
fn accounting(section: Option<&Section>, scope: &Scope, problems: &mut Problems) -> Known<Accounting> {
    let Some(section) = section else {
        return Known::Unknown("the state file has no section RECENT JOB HISTORY".to_owned());
    };
    let about = section.title;
    if !section.lines.iter().any(|line| line.contains("JobID") && line.contains("State")) {
        return Known::Unknown(match section.lines.first() {
            None => format!("the section {about} is empty: not even sacct's headings are there"),
            Some(line) => format!("sacct said: {}", safety::one_line(line, 160)),
        });
    }
    let mut accounting = sacct::read_bytes(section.lines.join("\n").as_bytes());
    scope.keep(&mut accounting);
    for problem in std::mem::take(&mut accounting.problems) {
        problems.say(about, problem.what);
    }
    Known::Known(accounting)
}

/// What everybody runs, from the sections that are there.
fn load(sections: &Sections, problems: &mut Problems) -> Vec<Load> {
    let mut all = Vec::new();
    for (partition, section) in sections.of_partitions() {
        if let Known::Known(queue) = queue_table::read(section, problems) {
            let mut users: Vec<&str> = queue.jobs.iter().map(|job| job.user.as_str()).collect();
            users.sort_unstable();
            users.dedup();
            all.push(Load { partition: partition.to_owned(), running: queue.jobs.len(), users: users.len() });
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::{State, gpus_by_type};
    use proptest::prelude::*;

    const EXAMPLE: &str = include_str!("../../../examples/cluster_state.txt");

    fn snapshot(text: &str, scope: &Scope) -> Snapshot {
        StateFile { name: "cluster_state.txt".into(), bytes: text.into(), committed_at: None }.read(scope)
    }

    #[test]
    fn the_example_is_read_whole() {
        let snapshot = snapshot(EXAMPLE, &Scope::default());
        assert_eq!(snapshot.taken_at.map(|t| t.to_string()).as_deref(), Some("2026-11-21T03:15:00Z"));
        assert_eq!(snapshot.clock, Some(Whose::Writer));
        let jobs = snapshot.jobs.known().unwrap();
        assert_eq!(jobs.len(), 13);
        assert!(!snapshot.jobs_partial);
        assert_eq!(jobs.iter().filter(|job| job.state == State::Running).count(), 9);
        let rest = jobs.iter().find(|job| job.pending_tasks.is_some()).unwrap();
        assert_eq!((rest.count(), rest.throttle), (Some(8), Some(8)));
        let gpus = gpus_by_type(snapshot.nodes.known().unwrap());
        assert_eq!(
            gpus.iter().map(|g| (g.kind.as_str(), g.total)).collect::<Vec<_>>(),
            [("a100", 16), ("h100", 16)]
        );
        assert!(snapshot.accounting.known().is_some_and(|accounting| accounting.attempts().len() > 20));
        let ai = &snapshot.load[0];
        assert_eq!((ai.partition.as_str(), ai.running, ai.users), ("ai", 11, 2));
    }

    #[test]
    fn people_and_programs_are_told_the_same() {
        let (people, _) = EXAMPLE.split_once("\n=== FOR PROGRAMS").unwrap();
        let (people, programs) = (snapshot(people, &Scope::default()), snapshot(EXAMPLE, &Scope::default()));
        assert_eq!(people.taken_at, programs.taken_at);
        let jobs = |snapshot: &Snapshot| -> Vec<_> {
            let jobs = snapshot.jobs.known().unwrap().iter();
            jobs.map(|job| (job.label(), job.name.clone(), job.state, job.reason.clone(), job.elapsed))
                .collect()
        };
        assert_eq!(jobs(&people), jobs(&programs));
        assert_eq!((&people.load, programs.problems.len()), (&programs.load, 0));
        let supply = |snapshot: &Snapshot| gpus_by_type(snapshot.nodes.known().unwrap());
        assert_eq!(supply(&programs).iter().map(|g| g.free).collect::<Vec<_>>(), [Some(1), Some(2)]);
        assert_eq!(supply(&people).iter().map(|g| g.free).collect::<Vec<_>>(), [None, None]);
    }

    #[test]
    fn jobs_outside_the_scope_are_left_out() {
        let scope = Scope { names: vec!["sweep_*".into()], ids: vec![48251], ..Scope::default() };
        let snapshot = snapshot(EXAMPLE, &scope);
        assert_eq!(snapshot.jobs.known().unwrap().len(), 10);
        assert_eq!((&snapshot.scope.names, snapshot.scope.user.as_deref()), (&scope.names, Some("mara")));
        let accounting = snapshot.accounting.known().unwrap();
        assert!(accounting.attempts().iter().all(|row| row.id.base == 48120));
    }

    #[test]
    fn missing_and_failed_parts_are_unknown() {
        let empty = snapshot("", &Scope::default());
        assert!(empty.jobs.is_unknown() && empty.nodes.is_unknown() && empty.accounting.is_unknown());
        assert_eq!(empty.problems.len(), 2, "{:?}", empty.problems);
        let text = "=== MY JOBS ===\nslurm_load_jobs error: Socket timed out on send/recv operation\n\
                    === RECENT JOB HISTORY (24h) ===\nSlurm accounting storage is disabled\n=== QUOTA ===\n";
        let failed = snapshot(text, &Scope::default());
        assert!(matches!(&failed.jobs, Known::Unknown(why) if why.contains("Socket timed out")));
        assert!(matches!(&failed.accounting, Known::Unknown(why) if why.contains("storage is disabled")));
        assert!(failed.problems.iter().any(|problem| problem.about == "QUOTA"));
    }

    proptest! {
        #[test]
        fn a_damaged_file_never_makes_the_reader_panic(
            from in 0usize..20_000,
            length in 0usize..4_000,
            put in "[\\x00-\\xff=:_\\[%\\]\\\\\t\n ]{0,40}",
        ) {
            let mut bytes = EXAMPLE.as_bytes().to_vec();
            let from = from.min(bytes.len());
            bytes.splice(from..(from + length).min(EXAMPLE.len()), put.into_bytes());
            let file = StateFile { name: "x".into(), bytes, committed_at: None };
            let snapshot = file.read(&Scope::default());
            // Whatever is lost on the way is said.
            let whole = snapshot.jobs.known().is_some_and(|jobs| jobs.len() == 13);
            prop_assert!(whole || snapshot.jobs.is_unknown() || snapshot.jobs_partial || !snapshot.problems.is_empty());
        }
    }

    #[test]
    fn the_commit_tells_the_time_only_where_the_file_does_not() {
        let committed_at = Time::from_unix(1_795_000_000);
        let mut file = StateFile { name: "x".into(), bytes: b"=== MY JOBS ===\n".into(), committed_at };
        assert_eq!(file.taken_at(), committed_at.map(|time| (time, Whose::Committer)));
        file.bytes = b"Sa 21. Nov 04:15:00 CET 2026\n=== MY JOBS ===\n".into();
        assert_eq!(file.taken_at(), committed_at.map(|time| (time, Whose::Committer)));
        file.bytes = EXAMPLE.into();
        assert_eq!(file.taken_at().map(|(_, whose)| whose), Some(Whose::Writer));
    }
}
