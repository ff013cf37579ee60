//! How much more time tasks need that ended at their time limit.

use super::{Remedy, Setting, Setup, Subject, TimeLeft};
use crate::cluster::State;
use crate::safety::one_line;
use crate::terms::{Known, Seconds, TaskIds};

/// What is added to the time that the steps take: a start is slow, and nodes differ.
const MARGIN: f64 = 1.2;
/// Times are asked for in whole parts of an hour.
const ROUND: u64 = 600;

impl TimeLeft {
    /// The time with its margin, in whole parts of an hour; `None` if it is
    /// beyond all measure.
    fn asked(self) -> Option<Seconds> {
        let span = self.steps as f64 / self.rate * MARGIN;
        let parts = (span / ROUND as f64).ceil().max(1.0);
        (parts.is_finite() && parts < 1e9).then(|| Seconds(parts as u64 * ROUND))
    }
}

/// The time that the slowest of these needs, and whether Slurm gives so much;
/// nothing where none of them ended at its limit.
pub(super) fn more_time(setup: &Setup, tasks: &[&Subject]) -> Option<Remedy> {
    let over: Vec<&Subject> = tasks.iter().copied().filter(|one| one.state == State::Timeout).collect();
    let told = |one: &&Subject| {
        let left = *one.left.known()?;
        Some((left.asked()?, left, one.member))
    };
    let most = over.iter().filter_map(told).max_by_key(|(span, ..)| *span);
    let untold: TaskIds = over.iter().filter(|one| told(one).is_none()).map(|one| one.member).collect();
    let why = over.iter().find_map(|one| match &one.left {
        Known::Unknown(why) | Known::NotApplicable(why) => Some(why.as_str()),
        Known::Known(_) => None,
    });
    let why = why.unwrap_or("its rate is next to nothing");
    let Some((need, left, member)) = most else {
        let first = over.first()?;
        let limit = first.limit.map(|limit| format!("more than {limit}, ")).unwrap_or_default();
        let what = format!("--time: {limit}and how much is not known: {why}");
        return Some(Remedy { what, changes: Vec::new(), cost: String::new() });
    };
    let rest = match untold.len() {
        0 => String::new(),
        _ => format!("; of {untold} it is not known: {why}"),
    };
    let how = format!(
        "task {member} has {} steps left, at {} steps per second {}; a fifth is added",
        left.steps,
        rate(left.rate),
        Seconds((left.steps as f64 / left.rate) as u64)
    );
    let limit = over.iter().filter_map(|one| one.limit).min();
    if let Some(limit) = limit.filter(|limit| need <= *limit) {
        let what = format!("no more time than {} is needed to finish: {how}{rest}", limit.to_slurm());
        return Some(Remedy { what, changes: Vec::new(), cost: String::new() });
    }
    let (wanted, had) = (need.to_slurm(), limit.map_or_else(|| "not known".to_owned(), Seconds::to_slurm));
    Some(Remedy {
        what: format!(
            "--time={wanted} to finish in one go, it had {had}: {how}; {}{rest}",
            fits(setup, need)
        ),
        changes: vec![Setting { name: "--time".to_owned(), from: had, to: wanted, place: None }],
        cost: "may wait longer".to_owned(),
    })
}

/// Whether the partitions give so much.
fn fits(setup: &Setup, need: Seconds) -> String {
    let limits = match &setup.time_limits {
        Known::Known(limits) => limits,
        Known::Unknown(why) | Known::NotApplicable(why) => {
            return format!("whether its partition gives so much is not known: {}", one_line(why, 120));
        }
    };
    let own: Vec<(&str, Option<Seconds>)> = setup
        .partitions
        .iter()
        .filter_map(|name| limits.get(name).map(|most| (name.as_str(), *most)))
        .collect();
    let best = own.iter().max_by_key(|(_, most)| most.map_or(u64::MAX, |most| most.0));
    match best {
        None => "whether its partition gives so much is not known: in which it runs is not said".to_owned(),
        Some((name, None)) => format!("partition {} sets no limit", one_line(name, 40)),
        Some((name, Some(most))) if need <= *most => {
            format!("partition {} gives up to {}", one_line(name, 40), most.to_slurm())
        }
        Some((name, Some(most))) => format!(
            "partition {} gives no more than {}, so it takes several rounds, each from the newest checkpoint",
            one_line(name, 40),
            most.to_slurm()
        ),
    }
}

/// Two or three digits are all that is known of it.
fn rate(rate: f64) -> String {
    if rate >= 10.0 {
        format!("{rate:.0}")
    } else if rate >= 0.1 {
        format!("{rate:.2}")
    } else {
        format!("{rate:.2e}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sweep::Kind;
    use crate::terms::JobId;

    fn timeout(member: u32, left: Known<TimeLeft>) -> Subject {
        let limit = Some(Seconds(4 * 3600));
        Subject { state: State::Timeout, left, limit, ..Subject::of(member, JobId::task(8, member)) }
    }

    fn left(steps: u64, rate: f64) -> Known<TimeLeft> {
        Known::Known(TimeLeft { steps, rate })
    }

    fn told(partitions: &[&str], tasks: &[Subject]) -> Option<String> {
        let limits = [("ai".to_owned(), Some(Seconds(24 * 3600))), ("long".to_owned(), None)];
        let setup = Setup {
            time_limits: Known::Known(limits.into()),
            partitions: partitions.iter().map(|name| (*name).to_owned()).collect(),
            ..Setup::of("8", Kind::Array)
        };
        more_time(&setup, &tasks.iter().collect::<Vec<_>>()).map(|remedy| remedy.what)
    }

    #[test]
    fn the_time_follows_from_the_steps_left_and_the_rate() {
        let tasks = [timeout(3, left(9_000, 0.5)), timeout(4, left(100, 0.5))];
        assert_eq!(
            told(&["ai"], &tasks).unwrap(),
            "--time=06:00:00 to finish in one go, it had 04:00:00: task 3 has 9000 steps left, at 0.50 steps per \
             second 5 h; a fifth is added; partition ai gives up to 1-00:00:00"
        );
        let enough = told(&["ai"], &tasks[1..]).unwrap();
        assert!(enough.starts_with("no more time than 04:00:00 is needed to finish: task 4"), "{enough}");
    }

    #[test]
    fn what_the_partition_does_not_give_or_nobody_knows_is_said() {
        let long = [timeout(3, left(90_000, 0.5)), timeout(4, Known::Unknown("no steps".to_owned()))];
        let what = told(&["ai"], &long).unwrap();
        assert!(what.contains("gives no more than 1-00:00:00, so it takes several rounds"), "{what}");
        assert!(what.ends_with("; of 4 it is not known: no steps"), "{what}");
        assert!(told(&["ai", "long"], &long).unwrap().contains("partition long sets no limit"));
        assert!(told(&[], &long).unwrap().contains("in which it runs is not said"));
        let unknown = told(&["ai"], &long[1..]).unwrap();
        assert_eq!(unknown, "--time: more than 4 h, and how much is not known: no steps");
        assert_eq!(told(&["ai"], &[Subject { state: State::Failed, ..long[0].clone() }]), None);
        let never = told(&["ai"], &[timeout(3, left(u64::MAX, 1e-300))]).unwrap();
        assert!(never.contains("how much is not known"), "{never}");
    }
}
