//! What a sweep still teaches: which parts of its parameter space will have a
//! result, if the rest goes as the finished tasks went.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::judge::{Condition, Judgement, Rules, natural};
use super::{Evidence, Parameters, Sweep};
use crate::cluster::State;
use crate::joblog::Retry;
use crate::safety::one_line;
use crate::terms::TaskIds;

/// So many values that fail are told.
const MOST_LOST: usize = 24;
/// So many tasks must have ended at a value before it says anything.
const ENOUGH: usize = 2;
/// With more parameters than this, or more pairs of values, pairs are not tried.
const PAIRS: (usize, usize) = (12, 20_000);
/// Parameters that only repeat a part of the space.
const REPEATS: [&str; 6] = ["seed", "repeat", "repetition", "replica", "replicate", "trial"];

/// What a sweep still teaches.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Learning {
    /// The parameters that make the space; none if they are not known, and then
    /// each task is a part of its own.
    pub parameters: Vec<String>,
    /// How many parts the space has: combinations of values, seeds aside.
    pub total: usize,
    /// How many of them have a usable result now.
    pub usable_now: usize,
    /// How many will have one if the rest goes as the finished tasks went.
    pub usable: usize,
    /// The share that will have none, in percent.
    pub lost_percent: u8,
    /// True if that is the share from which on the sweep teaches too little.
    pub collapsed: bool,
    /// The values, and pairs of values, at which nothing came of any task.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lost: Vec<Lost>,
    /// How many more of those there are.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub lost_left_out: usize,
}

/// A part of the space of which nothing came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Lost {
    /// The values; with two parameters, both hold.
    pub conditions: Vec<Condition>,
    /// So many tasks ended there, none with a result.
    pub ended: usize,
    /// So many more are still to come there.
    pub to_come: usize,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// Usable, lost and open tasks at one place.
#[derive(Debug, Clone, Copy, Default)]
struct Tally {
    usable: usize,
    lost: usize,
    open: usize,
}

impl Tally {
    fn add(&mut self, end: End) {
        match end {
            End::Usable => self.usable += 1,
            End::Lost => self.lost += 1,
            End::Open => self.open += 1,
        }
    }

    fn ended(self) -> usize {
        self.usable + self.lost
    }

    fn is_lost(self) -> bool {
        self.usable == 0 && self.lost >= ENOUGH
    }

    fn rate(self) -> f64 {
        if self.ended() == 0 { 1.0 } else { self.usable as f64 / self.ended() as f64 }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Usable,
    Lost,
    Open,
}

/// What the sweep still teaches; `None` if nothing of it is over.
///
/// A failure that a plain resume mends counts as still to come, and what
/// somebody cancelled belongs to no part.
pub(super) fn learning(
    sweep: &Sweep,
    order: &[&Evidence],
    judgement: &Judgement,
    rules: &Rules<'_>,
) -> Option<Learning> {
    let ends = ends(sweep, order, judgement);
    let mut all = Tally::default();
    ends.iter().for_each(|(_, end)| all.add(*end));
    if all.ended() == 0 {
        return None;
    }
    let space = Space::of(rules.parameters, &ends);
    let (total, usable_now, expected, lost) = match &space {
        Some(space) => space.measure(&ends, all),
        None => (ends.len(), all.usable, all.usable as f64 + all.open as f64 * all.rate(), Vec::new()),
    };
    let usable = (expected.round() as usize).clamp(usable_now, total);
    let lost_percent = u8::try_from((total - usable) * 100 / total.max(1)).unwrap_or(100);
    let is_enough = judgement.counted >= rules.settings.least_finished;
    let collapsed =
        is_enough && (total - usable) * 100 >= usize::from(rules.settings.collapse_percent) * total;
    let lost_left_out = lost.len().saturating_sub(MOST_LOST);
    Some(Learning {
        parameters: space.map(|space| space.names()).unwrap_or_default(),
        total,
        usable_now,
        usable,
        lost_percent,
        collapsed: collapsed && usable < total,
        lost: lost.into_iter().take(MOST_LOST).collect(),
        lost_left_out,
    })
}

/// How each task ended, as far as its result goes.
fn ends(sweep: &Sweep, order: &[&Evidence], judgement: &Judgement) -> Vec<(u32, End)> {
    let mendable = |retry| matches!(retry, Retry::Resume | Retry::Resubmit | Retry::Nothing);
    let mut lost = judgement.suspects().0;
    for group in judgement.groups.iter().filter(|group| !mendable(group.cause.retry)) {
        lost = lost.union(&group.tasks.0);
    }
    let mut aside = TaskIds::default();
    for group in judgement.aside.iter().filter(|group| !mendable(group.cause.retry)) {
        aside = aside.union(&group.tasks.0);
    }
    let mut completed = TaskIds::default();
    order.iter().filter(|task| task.state == State::Completed).for_each(|task| completed.push(task.member));
    let tasks = sweep.look.all().difference(&aside);
    let usable = completed.difference(&lost);
    let (mut usable, mut lost) = (usable.iter().peekable(), lost.iter().peekable());
    tasks
        .iter()
        .map(|member| {
            while usable.next_if(|next| *next < member).is_some() {}
            while lost.next_if(|next| *next < member).is_some() {}
            let end = match (usable.peek() == Some(&member), lost.peek() == Some(&member)) {
                (_, true) => End::Lost,
                (true, false) => End::Usable,
                (false, false) => End::Open,
            };
            (member, end)
        })
        .collect()
}

/// The columns that make the space.
struct Space<'a> {
    parameters: &'a Parameters,
    columns: Vec<usize>,
}

impl<'a> Space<'a> {
    /// `None` if of fewer than half of the tasks any parameter is known, or
    /// none of them differs.
    fn of(parameters: &'a Parameters, ends: &[(u32, End)]) -> Option<Space<'a>> {
        let known = ends.iter().filter(|(member, _)| parameters.row(*member).is_some()).count();
        let differs = |at: &usize| {
            let (name, values) = parameters.column(*at);
            let name = name.rsplit(['.', '/']).next().unwrap_or_default().to_ascii_lowercase();
            let repeats = REPEATS.iter().any(|word| name == *word || name.ends_with(&format!("_{word}")));
            values.len() > 1 && !repeats
        };
        let columns: Vec<usize> = (0..parameters.width()).filter(differs).collect();
        (known * 2 >= ends.len() && !columns.is_empty()).then_some(Space { parameters, columns })
    }

    fn names(&self) -> Vec<String> {
        self.columns.iter().map(|at| self.parameters.column(*at).0.to_owned()).collect()
    }

    /// Parts in all, parts with a result, parts to be expected to have one, and
    /// what is lost.
    fn measure(&self, ends: &[(u32, End)], all: Tally) -> (usize, usize, f64, Vec<Lost>) {
        let rows: Vec<(usize, End)> =
            ends.iter().filter_map(|(member, end)| Some((self.parameters.row(*member)?, *end))).collect();
        let mut values: Vec<Vec<Tally>> = self
            .columns
            .iter()
            .map(|at| vec![Tally::default(); self.parameters.column(*at).1.len()])
            .collect();
        for (row, end) in &rows {
            for (tallies, at) in values.iter_mut().zip(&self.columns) {
                let tally = self.parameters.cell(*at, *row).and_then(|value| tallies.get_mut(value));
                tally.into_iter().for_each(|tally| tally.add(*end));
            }
        }
        let pairs = self.pairs(&rows, &values);
        let mut parts: HashMap<Vec<Option<usize>>, Tally> = HashMap::new();
        for (row, end) in &rows {
            let cells = self.columns.iter().map(|at| self.parameters.cell(*at, *row)).collect();
            parts.entry(cells).or_default().add(*end);
        }
        let chance = |cells: &[Option<usize>]| {
            let mut best = None::<f64>;
            for (at, value) in cells.iter().enumerate().filter_map(|(at, value)| Some((at, (*value)?))) {
                let tally = values[at][value];
                if tally.ended() >= ENOUGH {
                    best = Some(best.map_or(tally.rate(), |rate| rate.min(tally.rate())));
                }
            }
            let is_lost = |pair: &(usize, usize, usize, usize)| {
                cells[pair.0] == Some(pair.2) && cells[pair.1] == Some(pair.3)
            };
            if pairs.iter().any(|(pair, _)| is_lost(pair)) { 0.0 } else { best.unwrap_or(all.rate()) }
        };
        let mut expected = 0.0;
        let mut usable_now = 0;
        // Sums of fractions depend on their order, and a map has none.
        let mut chances: Vec<f64> = Vec::new();
        for (cells, tally) in &parts {
            if tally.usable > 0 {
                usable_now += 1;
            } else if tally.open > 0 {
                chances.push(chance(cells));
            }
        }
        chances.sort_by(f64::total_cmp);
        expected += usable_now as f64 + chances.iter().sum::<f64>();
        let mut lost: Vec<Lost> = Vec::new();
        for (tallies, at) in values.iter().zip(&self.columns) {
            for (value, tally) in tallies.iter().enumerate().filter(|(_, tally)| tally.is_lost()) {
                let conditions = vec![self.condition(*at, value)];
                lost.push(Lost { conditions, ended: tally.lost, to_come: tally.open });
            }
        }
        for ((one, other, a, b), tally) in &pairs {
            let conditions =
                vec![self.condition(self.columns[*one], *a), self.condition(self.columns[*other], *b)];
            lost.push(Lost { conditions, ended: tally.lost, to_come: tally.open });
        }
        let order = |one: &Lost, other: &Lost| {
            let text = |lost: &Lost| lost.conditions.iter().map(|c| c.parameter.clone()).collect::<Vec<_>>();
            let value = |lost: &Lost| {
                lost.conditions.first().and_then(|c| c.values.first().cloned()).unwrap_or_default()
            };
            (one.conditions.len(), text(one))
                .cmp(&(other.conditions.len(), text(other)))
                .then_with(|| natural(&value(one), &value(other)))
        };
        lost.sort_by(order);
        (parts.len(), usable_now, expected, lost)
    }

    fn condition(&self, column: usize, value: usize) -> Condition {
        let (name, values) = self.parameters.column(column);
        Condition { parameter: name.to_owned(), values: values.get(value).cloned().into_iter().collect() }
    }

    /// Pairs of values that are lost although each of the two is not.
    fn pairs(
        &self,
        rows: &[(usize, End)],
        values: &[Vec<Tally>],
    ) -> Vec<((usize, usize, usize, usize), Tally)> {
        let mut lost = Vec::new();
        if self.columns.len() > PAIRS.0 {
            return lost;
        }
        for one in 0..self.columns.len() {
            for other in one + 1..self.columns.len() {
                if values[one].len().saturating_mul(values[other].len()) > PAIRS.1 {
                    continue;
                }
                let mut cells: HashMap<(usize, usize), Tally> = HashMap::new();
                for (row, end) in rows {
                    let a = self.parameters.cell(self.columns[one], *row);
                    let cell = a.zip(self.parameters.cell(self.columns[other], *row));
                    cell.into_iter().for_each(|cell| cells.entry(cell).or_default().add(*end));
                }
                let is_new = |(cell, tally): &(&(usize, usize), &Tally)| {
                    tally.is_lost() && !values[one][cell.0].is_lost() && !values[other][cell.1].is_lost()
                };
                lost.extend(
                    cells.iter().filter(is_new).map(|((a, b), tally)| ((one, other, *a, *b), *tally)),
                );
            }
        }
        lost.sort_by_key(|(pair, _)| *pair);
        lost
    }
}

impl Learning {
    /// The number, in one sentence.
    pub fn sentence(&self) -> String {
        let (of, now) = if self.parameters.is_empty() {
            ("tasks".to_owned(), "have a usable result")
        } else {
            let names: Vec<String> = self.parameters.iter().take(6).map(|name| one_line(name, 30)).collect();
            (format!("parts of the space ({})", names.join(" x ")), "have a usable result")
        };
        format!(
            "{} of {} {of} {now}, {} will have one if the rest goes as the finished tasks went: {} % lost",
            self.usable_now, self.total, self.usable, self.lost_percent
        )
    }
}

#[cfg(test)]
impl Learning {
    /// What is lost, for tests.
    pub(super) fn lost_in_words(&self) -> Vec<String> {
        let words = |lost: &Lost| {
            let parts: Vec<String> =
                lost.conditions.iter().map(|c| format!("{}={}", c.parameter, c.values.join("|"))).collect();
            format!("{} {}+{}", parts.join(","), lost.ended, lost.to_come)
        };
        self.lost.iter().map(words).collect()
    }
}
