//! How far the tasks have come that run.

use serde::{Deserialize, Serialize};

use super::Evidence;
use super::cause::readable;
use crate::config::Sweeps;
use crate::joblog::{self, Point, Trouble};
use crate::terms::Seconds;

/// So many tasks are told; the slowest of all are among them.
const MOST_TASKS: usize = 1000;
/// So many points are kept of a curve.
const MOST_POINTS: usize = 60;

/// How far one task has come, by its log.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct TaskProgress {
    /// The task.
    pub member: u32,
    /// The part that is done, 0 to 100; `None` if nothing says what the whole is.
    pub percent: Option<f64>,
    /// The last step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<u64>,
    /// The steps to be made, by settings or log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<u64>,
    /// The last epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<f64>,
    /// The epochs to be made, by settings or log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// The last finite loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<f64>,
    /// Steps per second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<f64>,
    /// The time to the end, if it goes on so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remaining: Option<Seconds>,
    /// True if the time limit comes before the end, if it goes on so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub beyond_limit: bool,
    /// The loss over the steps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub curve: Vec<Point>,
    /// What is wrong with the numbers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
}

/// How far the running tasks have come whose logs say so, those with least
/// done first.
pub fn progress(evidence: &[Evidence], settings: &Sweeps) -> Vec<TaskProgress> {
    let running = evidence.iter().filter(|task| task.state.is_running());
    let mut all: Vec<TaskProgress> =
        running.filter_map(|task| Some(of(task, readable(task)?.progress.as_ref()?, settings))).collect();
    let order = |task: &TaskProgress| task.percent.unwrap_or(-1.0);
    all.sort_by(|one, other| order(one).total_cmp(&order(other)).then(one.member.cmp(&other.member)));
    all.truncate(MOST_TASKS);
    all
}

fn of(task: &Evidence, told: &joblog::Progress, settings: &Sweeps) -> TaskProgress {
    let share = |part: Option<f64>, whole: Option<f64>| {
        let (part, whole) = (part?, whole.filter(|whole| *whole > 0.0)?);
        Some((part * 100.0 / whole).clamp(0.0, 100.0)).filter(|percent| percent.is_finite())
    };
    let epochs = settings.target_epoch.map(|epochs| epochs as f64).or(told.epochs);
    // The settings know the whole; a log may count the steps of one epoch.
    let by_target = share(told.step.map(|step| step as f64), settings.target_step.map(|steps| steps as f64))
        .or_else(|| share(told.epoch, settings.target_epoch.map(|epochs| epochs as f64)));
    let percent = by_target.or(told.percent);
    let left = settings.target_step.zip(told.step).map(|(target, step)| target.saturating_sub(step));
    let by_rate = left.zip(told.rate.filter(|rate| *rate > 0.0)).map(|(left, rate)| left as f64 / rate);
    let remaining = by_rate.filter(|span| *span < 1e12).map(|span| Seconds(span as u64)).or(told.remaining);
    let left_of_limit = task.limit.zip(task.elapsed).map(|(limit, elapsed)| limit.saturating_sub(elapsed));
    TaskProgress {
        member: task.member,
        percent,
        step: told.step,
        steps: settings.target_step.or(told.steps),
        epoch: told.epoch,
        epochs,
        loss: told.loss,
        rate: told.rate,
        remaining,
        beyond_limit: remaining.zip(left_of_limit).is_some_and(|(remaining, left)| remaining.0 > left.into()),
        curve: thinned(&told.series),
        troubles: told.findings.clone(),
    }
}

/// Some of the points, evenly chosen, the last always.
fn thinned(series: &[Point]) -> Vec<Point> {
    let Some(last) = series.len().checked_sub(1).filter(|last| *last >= MOST_POINTS) else {
        return series.to_vec();
    };
    (0..MOST_POINTS).filter_map(|at| series.get(at * last / (MOST_POINTS - 1))).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::State;
    use crate::joblog::{Progress, Reading};
    use crate::sweep::LogSeen;
    use crate::terms::{JobId, Known};

    fn running(member: u32, progress: Progress) -> Evidence {
        let mut task = Evidence::of(member, JobId::task(8, member));
        (task.state, task.elapsed, task.limit) = (State::Running, Some(3000), Some(3600));
        task.looked_mut().log = Known::Known(LogSeen {
            files: Vec::new(),
            reading: Reading {
                path: "a.out".into(),
                size: 9,
                modified: None,
                root: None,
                elsewhere: None,
                others: Vec::new(),
                left_out: 0,
                attempts: Vec::new(),
                unread: Vec::new(),
                progress: Some(progress),
                mentions: Vec::new(),
            },
        });
        task
    }

    #[test]
    fn the_target_of_the_settings_is_the_whole() {
        let settings = Sweeps { target_step: Some(1000), ..Sweeps::default() };
        let tasks = [
            running(
                1,
                Progress { step: Some(500), percent: Some(90.0), rate: Some(0.5), ..Progress::default() },
            ),
            running(2, Progress { step: Some(100), rate: Some(10.0), ..Progress::default() }),
            running(3, Progress::default()),
        ];
        let told: Vec<_> = progress(&tasks, &settings)
            .iter()
            .map(|task| (task.member, task.percent, task.remaining.map(|span| span.0), task.beyond_limit))
            .collect();
        assert_eq!(
            told,
            [(3, None, None, false), (2, Some(10.0), Some(90), false), (1, Some(50.0), Some(1000), true)]
        );
    }

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_ends() {
        let series: Vec<Point> = (0..200).map(|step| Point { step, loss: step as f64 }).collect();
        let curve = thinned(&series);
        assert_eq!((curve.len(), curve[0].step, curve[59].step), (60, 0, 199));
    }
}
