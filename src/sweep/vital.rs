//! What is the matter with tasks that run, and how far they have come: by
//! their logs, before anything has failed.

use serde::{Deserialize, Serialize};

use super::cause::readable;
use super::memory::{Known, Place};
use super::{Evidence, Members, TaskProgress};
use crate::joblog::Trouble;
use crate::terms::{Known as Answer, Seconds, Time};

/// A log that has not been written to for so long is silent.
const SILENT: Seconds = Seconds(30 * 60);
/// A task that has run for so long should have a log.
const GRACE: Seconds = Seconds(10 * 60);

/// How far a task has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// Its first epoch is over.
    FirstEpoch,
    /// A quarter is done.
    Quarter,
    /// Half.
    Half,
    /// Three quarters.
    ThreeQuarters,
}

impl Mark {
    /// What it is called.
    pub fn words(self) -> &'static str {
        match self {
            Mark::FirstEpoch => "first epoch",
            Mark::Quarter => "25 %",
            Mark::Half => "50 %",
            Mark::ThreeQuarters => "75 %",
        }
    }

    /// Those that a task with this progress has reached.
    pub fn reached(told: &TaskProgress) -> impl Iterator<Item = Mark> + '_ {
        let epoch = told.epoch.is_some_and(|epoch| epoch >= 1.0) && told.epochs.is_none_or(|all| all > 1.0);
        let percent = told.percent.unwrap_or_default();
        [
            (Mark::FirstEpoch, epoch),
            (Mark::Quarter, percent >= 25.0),
            (Mark::Half, percent >= 50.0),
            (Mark::ThreeQuarters, percent >= 75.0),
        ]
        .into_iter()
        .filter_map(|(mark, is_reached)| is_reached.then_some(mark))
    }
}

/// Findings that are over once they are not seen any more; a loss that was no
/// number once is worth no second word.
pub const PASSING: [&str; 2] = ["silent", "no-log"];

/// What is the matter with tasks that run, each kind once.
pub fn vital(evidence: &[Evidence], progress: &[TaskProgress], now: Time) -> Vec<Known> {
    let mut found = Found::default();
    for task in evidence.iter().filter(|task| task.state.is_running()) {
        let Some(looked) = task.looked.as_deref() else { continue };
        let ran = task.started.map(|start| start.age(now)).or(task.elapsed.map(|span| Seconds(span.into())));
        match &looked.log {
            Answer::Unknown(why) if ran > Some(GRACE) => {
                found.add(
                    "no-log",
                    task.member,
                    || format!("it has run for over {GRACE}, and has no log: {why}"),
                    None,
                );
            }
            Answer::Known(log) if is_silent(log.reading.modified, ran, now) => {
                let path = log.reading.path.clone();
                found.add(
                    "silent",
                    task.member,
                    || format!("it runs, and its log has not moved for over {SILENT}: it may hang"),
                    Some(Place { file: path, line: None, offset: None, text: String::new() }),
                );
            }
            _ => {}
        }
        let Some(log) = readable(task) else { continue };
        for trouble in log.progress.iter().flat_map(|progress| &progress.findings) {
            let place = |text: &str, line, offset| {
                Some(Place { file: log.path.clone(), line, offset, text: text.to_owned() })
            };
            match trouble {
                Trouble::Nan { since_step, text, line, offset } => {
                    let since = since_step.map(|step| format!(" since step {step}")).unwrap_or_default();
                    let sentence = || format!("the loss is no number{since}");
                    found.add("nan", task.member, sentence, place(text, *line, Some(*offset)));
                }
                Trouble::Diverged { text, .. } => {
                    let sentence = || "the loss has grown far over its best".to_owned();
                    found.add("diverging", task.member, sentence, place(text, None, None));
                }
                Trouble::Plateau { text, .. } => {
                    let sentence = || "the loss has not become better for long".to_owned();
                    found.add("plateau", task.member, sentence, place(text, None, None));
                }
            }
        }
    }
    for told in progress.iter().filter(|told| told.beyond_limit) {
        let left = told.remaining.map(|span| format!(" ({span} to go)")).unwrap_or_default();
        let sentence = || format!("at this rate the time limit comes before the end{left}");
        found.add("beyond-limit", told.member, sentence, None);
    }
    found.0
}

fn is_silent(modified: Option<Time>, ran: Option<Seconds>, now: Time) -> bool {
    ran > Some(SILENT) && modified.is_some_and(|at| at.age(now) > SILENT)
}

#[derive(Default)]
struct Found(Vec<Known>);

impl Found {
    fn add(&mut self, class: &str, member: u32, sentence: impl FnOnce() -> String, place: Option<Place>) {
        match self.0.iter_mut().find(|known| known.class == class) {
            Some(known) => {
                let mut one = Members::default();
                one.0.push(member);
                known.tasks.0 = known.tasks.0.union(&one.0);
            }
            None => {
                let mut tasks = Members::default();
                tasks.0.push(member);
                self.0.push(Known {
                    class: class.to_owned(),
                    fingerprint: String::new(),
                    sentence: sentence(),
                    tasks,
                    place,
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::State;
    use crate::joblog::{Progress, Reading};
    use crate::sweep::LogSeen;
    use crate::terms::JobId;

    const NOW: i64 = 1_000_000;

    fn at(seconds: i64) -> Option<Time> {
        Time::from_unix(NOW + seconds)
    }

    fn running(member: u32, started: i64, written: Option<i64>, findings: Vec<Trouble>) -> Evidence {
        let mut task = Evidence::of(member, JobId::task(8, member));
        (task.state, task.started) = (State::Running, at(started));
        task.looked_mut().log = match written {
            None => Answer::Unknown("no log was found".into()),
            Some(written) => Answer::Known(LogSeen {
                files: Vec::new(),
                reading: Reading {
                    path: format!("logs/8_{member}.out").into(),
                    size: 9,
                    modified: at(written),
                    root: None,
                    elsewhere: None,
                    others: Vec::new(),
                    left_out: 0,
                    attempts: Vec::new(),
                    unread: Vec::new(),
                    progress: Some(Progress { findings, ..Progress::default() }),
                    mentions: Vec::new(),
                },
            }),
        };
        task
    }

    #[test]
    fn what_is_the_matter_with_running_tasks_is_told_by_kind() {
        let nan =
            || vec![Trouble::Nan { since_step: Some(7), text: "loss=nan".into(), line: Some(9), offset: 90 }];
        let tasks = [
            running(0, -3600, Some(-60), Vec::new()),
            running(1, -3600, Some(-60), nan()),
            running(2, -60, None, Vec::new()),
            running(3, -3600, None, Vec::new()),
            running(4, -3600, Some(-2000), Vec::new()),
            running(5, -3600, Some(-60), nan()),
        ];
        let late = TaskProgress { member: 5, beyond_limit: true, ..TaskProgress::default() };
        let found = vital(&tasks, &[late], at(0).unwrap());
        let told: Vec<(&str, String)> =
            found.iter().map(|known| (known.class.as_str(), known.tasks.to_string())).collect();
        let expected = [("nan", "1,5"), ("no-log", "3"), ("silent", "4"), ("beyond-limit", "5")];
        assert_eq!(told, expected.map(|(class, tasks)| (class, tasks.to_owned())));
        let place = found[0].place.as_ref().unwrap();
        assert_eq!((place.file.to_str(), place.line), (Some("logs/8_1.out"), Some(9)));
    }

    #[test]
    fn marks_are_reached_by_percent_and_by_the_first_of_several_epochs() {
        let reached = |percent, epoch, epochs| {
            let told = TaskProgress { percent, epoch, epochs, ..TaskProgress::default() };
            Mark::reached(&told).map(Mark::words).collect::<Vec<_>>()
        };
        assert_eq!(reached(Some(24.9), None, None), [""; 0]);
        assert_eq!(reached(Some(50.0), Some(1.2), Some(10.0)), ["first epoch", "25 %", "50 %"]);
        assert_eq!(reached(Some(80.0), Some(1.0), Some(1.0)), ["25 %", "50 %", "75 %"]);
        assert_eq!(reached(None, Some(1.0), None), ["first epoch"]);
    }
}
