//! The part of a state file that `templates/cluster_snapshot.sh` writes for
//! programs: the same answers that the commands give here, as text that git
//! and people can read.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::super::problems::Problems;
use super::super::squeue::{self, FILE, Queue, SHORT};
use super::super::{Accounting, Node, Scope, nodes, sacct};
use super::Section;
use crate::safety;
use crate::terms::{Known, Time};

/// How the title of the part begins; its version follows.
const TITLE: &str = "FOR PROGRAMS (cluster state ";

/// The machine part, taken apart.
#[derive(Debug)]
pub(super) struct Machine<'t> {
    values: BTreeMap<&'t str, &'t str>,
    blocks: BTreeMap<&'t str, Block<'t>>,
    is_whole: bool,
}

/// The answer of one command.
#[derive(Debug, Default)]
struct Block<'t> {
    form: &'t str,
    lines: Vec<&'t str>,
    /// Its exit status; `None` if the block has no end.
    status: Option<i32>,
    /// How many lines it had when it was written.
    count: Option<usize>,
    complaint: &'t str,
}

impl Block<'_> {
    fn is_whole(&self) -> bool {
        self.status.is_some() && self.count == Some(self.lines.len())
    }
}

/// True if the section is a machine part of whatever version.
pub(super) fn is_machine(section: &Section) -> bool {
    section.title.starts_with(TITLE)
}

impl<'t> Machine<'t> {
    /// Takes the last section apart if it is a machine part of a version that
    /// is known.
    ///
    /// Nothing may follow it: a job's name in a table before it cannot pass for
    /// one then.
    pub fn of(section: &Section<'t>, problems: &mut Problems) -> Option<Machine<'t>> {
        let version = section.title.strip_prefix(TITLE)?.strip_suffix(')')?;
        if version != "1" {
            let version = safety::one_line(version, 20);
            problems.say(
                "state file",
                format!("its part for programs has version {version}, which is not known"),
            );
            return None;
        }
        let mut machine = Machine { values: BTreeMap::new(), blocks: BTreeMap::new(), is_whole: false };
        let mut open: Option<(&str, Block)> = None;
        for line in &section.lines {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (&mut open, word) {
                (Some((_, block)), _) if line.starts_with(':') => block.lines.push(&line[1..]),
                (Some((_, block)), "error") => block.complaint = rest,
                (Some(_), "end") => {
                    if let Some((name, mut block)) = open.take() {
                        let mut words = rest.split(' ').skip(1);
                        block.status = words.next().and_then(|status| status.parse().ok());
                        block.count = words.next().and_then(|count| count.parse().ok());
                        machine.blocks.insert(name, block);
                    }
                }
                (None, "begin") => {
                    let (name, form) = rest.split_once(' ').unwrap_or((rest, ""));
                    open = Some((name, Block { form, ..Block::default() }));
                }
                (None, "end") => machine.is_whole = *line == "end of cluster state",
                (None, "taken_at" | "cluster" | "slurm" | "user" | "since") => {
                    machine.values.insert(word, rest);
                }
                // Words for people, and what later versions add.
                _ => {}
            }
        }
        machine.blocks.extend(open);
        if !machine.is_whole {
            problems.say("state file", "its part for programs has no end: the file is cut");
        }
        Some(machine)
    }

    /// A value as it is written; `None` if it is not there.
    pub fn value(&self, name: &str) -> Option<&'t str> {
        self.values.get(name).copied().filter(|value| !value.is_empty())
    }

    /// A value that is a moment.
    pub fn time(&self, name: &str) -> Option<Time> {
        self.value(name)?.parse().ok().and_then(Time::from_unix)
    }

    /// The jobs within the scope.
    pub fn jobs(&self, scope: &Scope, problems: &mut Problems) -> Known<Queue> {
        let block = match self.block("squeue", problems) {
            Ok(block) => block,
            Err(why) => return Known::Unknown(why),
        };
        let layout = match block.form {
            "short" => &SHORT[..],
            "long" => &FILE[..],
            form => {
                return Known::Unknown(format!(
                    "the form {} of the jobs is not known",
                    safety::one_line(form, 20)
                ));
            }
        };
        let text: Vec<String> = block.lines.iter().map(|line| raw(line)).collect();
        let separator = char::from(squeue::RECORD).to_string();
        let mut queue = squeue::read(text.join(&separator).as_bytes(), layout, "squeue", problems);
        queue.partial |= !block.is_whole();
        queue.jobs.retain(|job| scope.takes(job));
        Known::Known(queue)
    }

    /// The nodes.
    pub fn nodes(&self, problems: &mut Problems) -> Known<Vec<Node>> {
        match self.block("nodes", problems) {
            Ok(block) => {
                let text: Vec<Cow<str>> = block.lines.iter().map(|line| unescaped(line)).collect();
                Known::Known(nodes::read(&text.join("\n"), "nodes", problems))
            }
            Err(why) => Known::Unknown(why),
        }
    }

    /// The accounting within the scope.
    pub fn accounting(&self, scope: &Scope, problems: &mut Problems) -> Known<Accounting> {
        let block = match self.block("sacct", problems) {
            Ok(block) => block,
            Err(why) => return Known::Unknown(why),
        };
        let text: Vec<String> = block.lines.iter().map(|line| raw(line)).collect();
        let mut accounting = sacct::read_bytes(text.join("\n").as_bytes());
        accounting.since = self.time("since");
        scope.keep(&mut accounting);
        problems.extend(std::mem::take(&mut accounting.problems));
        Known::Known(accounting)
    }

    /// The answer of a command that answered.
    fn block(&self, name: &str, problems: &mut Problems) -> Result<&Block<'t>, String> {
        let Some(block) = self.blocks.get(name) else {
            problems.say(name, "the state file has no answer of it");
            return Err(format!("the state file has no answer of {name}"));
        };
        match block.status {
            Some(0) => {
                if !block.is_whole() {
                    problems.say(name, "lines of its answer are missing, or there are too many");
                }
                Ok(block)
            }
            Some(status) => {
                let complaint = safety::one_line(block.complaint, 160);
                let why = format!("{name} failed on the cluster with exit status {status}: {complaint}");
                problems.say(name, format!("failed on the cluster with exit status {status}: {complaint}"));
                Err(why)
            }
            None => {
                problems.say(name, "its answer is cut");
                Ok(block)
            }
        }
    }
}

/// A line as the command printed it: tabs are the separators of fields.
fn raw(line: &str) -> String {
    let field = char::from(squeue::FIELD).to_string();
    let fields: Vec<Cow<str>> = line.split('\t').map(unescaped).collect();
    fields.join(&field)
}

fn unescaped(text: &str) -> Cow<'_, str> {
    if !text.contains('\\') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some(other) => out.push(other),
                None => out.push('\\'),
            },
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn machine(lines: &[&'static str]) -> (Option<Machine<'static>>, Problems) {
        let mut problems = Problems::default();
        let section = Section { title: "FOR PROGRAMS (cluster state 1)", lines: lines.to_vec() };
        (Machine::of(&section, &mut problems), problems)
    }

    #[test]
    fn names_of_every_kind_come_through() {
        let (machine, mut problems) = machine(&[
            "taken_at 1795230900",
            "begin squeue short",
            r":7_[1-3]	7	7	1-3	ai	PENDING	0:00	1:00	1	Priority		/p\\q	a|b\nend squeue 0\t\\n",
            "end squeue 0 1",
            "end of cluster state",
        ]);
        let machine = machine.unwrap();
        assert_eq!(machine.time("taken_at"), Time::from_unix(1_795_230_900));
        let queue = machine.jobs(&Scope::default(), &mut problems).into_known().unwrap();
        assert_eq!(queue.jobs[0].name, "a|b\nend squeue 0\t\\n");
        assert_eq!(queue.jobs[0].work_dir.as_deref(), Some(std::path::Path::new("/p\\q")));
        assert!(problems.into_vec().is_empty());
    }

    #[test]
    fn failed_missing_and_cut_answers_are_told_apart() {
        let (cut, mut problems) = machine(&[
            "begin squeue long",
            "error squeue: error: Unable to contact slurm controller",
            "end squeue 1 0",
            "begin nodes",
            ":NodeName=g1",
            ":State=IDLE",
        ]);
        let cut = cut.unwrap();
        let jobs = cut.jobs(&Scope::default(), &mut problems).map(|_| ());
        assert!(matches!(jobs, Known::Unknown(why) if why.contains("Unable to contact")));
        assert!(cut.accounting(&Scope::default(), &mut problems).is_unknown());
        assert_eq!(cut.nodes(&mut problems).into_known().unwrap().len(), 1);
        let said: Vec<String> = problems.into_vec().into_iter().map(|problem| problem.what).collect();
        assert_eq!(said.len(), 4, "{said:?}");
        assert!(said[0].contains("the file is cut") && said[3].contains("its answer is cut"));
    }

    #[test]
    fn lines_that_a_merge_dropped_are_missed() {
        let (machine, mut problems) =
            machine(&["begin squeue short", "end squeue 0 1", "end of cluster state"]);
        let queue = machine.unwrap().jobs(&Scope::default(), &mut problems).into_known().unwrap();
        assert!(queue.partial && problems.into_vec()[0].what.contains("missing"));
    }

    #[test]
    fn a_later_version_is_not_guessed_at() {
        let mut problems = Problems::default();
        let section = Section { title: "FOR PROGRAMS (cluster state 2)", lines: vec!["taken_at 1"] };
        assert!(is_machine(&section) && Machine::of(&section, &mut problems).is_none());
        assert_eq!(problems.into_vec().len(), 1);
    }
}
