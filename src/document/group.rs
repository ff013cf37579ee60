//! Jobs that differ in nothing but their tasks, told in one line.

use super::JobFact;
use crate::safety::{clip, code_span, one_line};
use crate::terms::{Part, Seconds, TaskIds, counted};

/// Jobs that differ in nothing but their tasks.
pub struct Group<'j> {
    first: &'j JobFact,
    tasks: TaskIds,
    nodes: Vec<&'j str>,
    elapsed: Option<(Seconds, Seconds)>,
    restarts: u32,
}

/// Whether run times are told; they are those of the moment that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    /// In the document, which is of that moment.
    Told,
    /// Later, when they are wrong.
    Left,
}

/// Groups jobs, in the order of their first ones.
pub fn groups(jobs: &[JobFact]) -> Vec<Group<'_>> {
    let mut groups: Vec<Group> = Vec::new();
    for job in jobs {
        let tasks = match (&job.tasks, job.id.part) {
            (Some(tasks), _) => tasks.clone(),
            (None, Part::Task(index)) => std::iter::once(index).collect(),
            (None, _) => TaskIds::default(),
        };
        let is_same = |group: &&mut Group| {
            let of = |job: &JobFact| {
                (job.id.base, job.state.clone(), job.name.clone(), job.work_dir.clone(), job.reason.clone())
            };
            of(group.first) == of(job) && !group.tasks.is_empty() && !job.tasks_cut
        };
        match groups.iter_mut().find(is_same).filter(|_| !tasks.is_empty()) {
            Some(group) => group.add(job, &tasks),
            None => groups.push(Group {
                first: job,
                tasks,
                nodes: if job.nodes.is_empty() { Vec::new() } else { vec![&job.nodes] },
                elapsed: job.elapsed.map(|elapsed| (elapsed, elapsed)),
                restarts: job.restarts.unwrap_or(0),
            }),
        }
    }
    groups
}

impl<'j> Group<'j> {
    fn add(&mut self, job: &'j JobFact, tasks: &TaskIds) {
        self.tasks = self.tasks.iter().chain(tasks.iter()).collect();
        if !job.nodes.is_empty() && !self.nodes.contains(&job.nodes.as_str()) {
            self.nodes.push(&job.nodes);
        }
        self.elapsed = match (self.elapsed, job.elapsed) {
            (Some((least, most)), Some(now)) => Some((least.min(now), most.max(now))),
            (known, now) => known.or(now.map(|now| (now, now))),
        };
        self.restarts += job.restarts.unwrap_or(0);
    }

    /// The ids, as Slurm writes them: `48120_[24-31]`.
    pub fn id(&self) -> String {
        match self.tasks.len() {
            0 if self.first.tasks_cut => format!("{}_[...]", self.first.id.base),
            0 => self.first.id.to_string(),
            1 => format!("{}_{}", self.first.id.base, self.tasks),
            _ => format!("{}_[{}]", self.first.id.base, clip(&self.tasks.to_string(), 120)),
        }
    }

    /// One line: ids, state, name, how many, how long, where, why it waits.
    pub fn line(&self, times: Times) -> String {
        let job = self.first;
        let mut text =
            format!("`{}` {} {}", self.id(), one_line(&job.state, 30), code_span(&clip(&job.name, 60)));
        let mut add = |part: String| text.push_str(&format!(", {part}"));
        if self.tasks.len() > 1 {
            add(counted(self.tasks.len(), "task"));
        }
        if let (Some((least, most)), Times::Told) = (self.elapsed, times) {
            let (least, most) = (least.to_string(), most.to_string());
            let span = if least == most { most } else { format!("{least} to {most}") };
            add(job.limit.map_or(span.clone(), |limit| format!("{span} of {limit}")));
        }
        if !self.nodes.is_empty() {
            add(format!("on {}", code_span(&clip(&self.nodes.join(","), 60))));
        }
        if !job.reason.is_empty() {
            let never = if job.never_starts { ", and will not start by itself" } else { "" };
            add(format!("waits: {}{never}", one_line(&job.reason, 100)));
        }
        if self.restarts > 0 {
            add(format!("requeued {}", counted(self.restarts, "time")));
        }
        if let Some(dir) = &job.work_dir {
            add(format!("works in {}", code_span(&clip(dir, 100))));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_that_reads_alike_at_both_ends_is_told_as_one_time() {
        let job = |task: u32, elapsed: u32| -> JobFact {
            let text = format!(
                r#"{{"id":"2_{task}","name":"lr","state":"RUNNING","partition":"ai","elapsed":{elapsed},
                    "limit":7200,"nodes":"gpu01","restarts":0}}"#
            );
            serde_json::from_str(&text).unwrap()
        };
        let line = |second: u32| groups(&[job(1, 226), job(2, second)])[0].line(Times::Told);
        assert_eq!(line(225), "`2_[1,2]` RUNNING `lr`, 2 tasks, 3 min of 2 h, on `gpu01`");
        assert_eq!(line(300), "`2_[1,2]` RUNNING `lr`, 2 tasks, 3 min to 5 min of 2 h, on `gpu01`");
    }
}
