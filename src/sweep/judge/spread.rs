//! Where the failures of one cause are: on which nodes, in which corner of the
//! parameter space.

use std::collections::HashMap;

use super::nodes::expand;
use super::odds::Odds;
use super::{CauseGroup, Condition, NodeCount, Spread};
use crate::sweep::{Evidence, Parameters};

/// Of so many groups, the largest, the spread is looked for.
const GROUPS: usize = 100;
/// A place is to blame if so much of what ended there failed in this way ...
const PLACE_FAILS: (usize, usize) = (4, 5);
/// ... and so much of what failed in this way did so there.
const PLACE_COVERS: (usize, usize) = (4, 5);
/// Half of a node's tasks must have failed for the node to be to blame.
const NODE_FAILS: (usize, usize) = (1, 2);
/// Chance explains what is likelier than this.
const CHANCE: f64 = 0.01;
/// With more parameters than this, pairs of them are not tried.
const PAIRS: usize = 16;
/// And with more pairs of values than this neither.
const CELLS: usize = 20_000;
/// So many nodes of a group are told.
const MOST_NODES: usize = 8;
/// Classes that are the node's own doing, once or often.
const OF_THE_NODE: [&str; 3] = ["hardware", "node-fail", "node-unkillable"];

/// The tasks that count, by node and by parameter.
pub struct Grid<'a> {
    parameters: &'a Parameters,
    names: Vec<String>,
    /// The nodes of each node list.
    lists: HashMap<&'a str, Vec<usize>>,
    /// How many tasks ended on each node.
    on_node: Vec<usize>,
    /// How many tasks have each value of each parameter.
    with_value: Vec<Vec<usize>>,
    /// The rows of all tasks that count.
    rows: Vec<usize>,
}

fn at_least(part: usize, of: usize, (numerator, denominator): (usize, usize)) -> bool {
    part * denominator >= of * numerator
}

impl<'a> Grid<'a> {
    /// Counts the tasks.
    pub fn of<I>(tasks: impl Fn() -> I, parameters: &'a Parameters) -> Grid<'a>
    where
        I: Iterator<Item = &'a Evidence>,
    {
        let mut grid = Grid {
            parameters,
            names: Vec::new(),
            lists: HashMap::new(),
            on_node: Vec::new(),
            with_value: (0..parameters.width()).map(|at| vec![0; parameters.column(at).1.len()]).collect(),
            rows: Vec::new(),
        };
        let mut numbers: HashMap<String, usize> = HashMap::new();
        for task in tasks() {
            let list: &'a str = &task.node_list;
            if !grid.lists.contains_key(list) {
                let mut own = Vec::new();
                for node in expand(list) {
                    let next = grid.names.len();
                    let number = *numbers.entry(node).or_insert_with_key(|node| {
                        grid.names.push(node.clone());
                        grid.on_node.push(0);
                        next
                    });
                    own.push(number);
                }
                grid.lists.insert(list, own);
            }
            for node in grid.lists.get(list).into_iter().flatten() {
                grid.on_node[*node] += 1;
            }
            let Some(row) = (!parameters.is_empty()).then(|| parameters.row(task.member)).flatten() else {
                continue;
            };
            grid.rows.push(row);
            for (at, counts) in grid.with_value.iter_mut().enumerate() {
                if let Some(count) = parameters.cell(at, row).and_then(|value| counts.get_mut(value)) {
                    *count += 1;
                }
            }
        }
        grid
    }

    fn nodes_of(&self, tasks: &[&Evidence]) -> HashMap<usize, usize> {
        let mut counts = HashMap::new();
        for task in tasks {
            for node in self.lists.get(&*task.node_list).into_iter().flatten() {
                *counts.entry(*node).or_default() += 1;
            }
        }
        counts
    }

    fn node_count(&self, node: usize, failed: usize) -> NodeCount {
        NodeCount {
            node: self.names.get(node).cloned().unwrap_or_default(),
            failed,
            finished: self.on_node.get(node).copied().unwrap_or(failed).max(failed),
        }
    }

    fn sorted(&self, counts: impl IntoIterator<Item = (usize, usize)>) -> Vec<NodeCount> {
        let mut nodes: Vec<NodeCount> =
            counts.into_iter().map(|(node, failed)| self.node_count(node, failed)).collect();
        nodes.sort_by(|one, other| other.failed.cmp(&one.failed).then_with(|| one.node.cmp(&other.node)));
        nodes
    }

    /// The nodes on which most of these tasks ran.
    pub fn most(&self, tasks: &[&Evidence]) -> Vec<NodeCount> {
        let mut nodes = self.sorted(self.nodes_of(tasks));
        nodes.truncate(MOST_NODES);
        nodes
    }

    /// Where these tasks, the group at this place in the order of size, are.
    pub fn spread(&self, class: &str, tasks: &[&Evidence], at: usize, counted: usize, odds: &Odds) -> Spread {
        match tasks.len() {
            1 => return Spread::Single,
            3.. if tasks.len() == counted => return Spread::All,
            _ if at >= GROUPS => return Spread::Scattered,
            _ => {}
        }
        let corner = self.corner(tasks, odds);
        let found = self
            .on_nodes(tasks, counted, odds)
            .filter(|(_, inside)| corner.as_ref().is_none_or(|(_, better)| inside > better))
            .or(corner)
            .or_else(|| self.lost_nodes(class, tasks).map(|spread| (spread, tasks.len())));
        found.map_or(Spread::Scattered, |(spread, _)| spread)
    }

    /// The nodes of a cause that is the node's own doing, however much went
    /// well there before and after; `None` if nearly each task was on another.
    fn lost_nodes(&self, class: &str, tasks: &[&Evidence]) -> Option<Spread> {
        let nodes = self.nodes_of(tasks);
        let few = nodes.len() <= MOST_NODES && nodes.len() * 2 <= tasks.len() && !nodes.is_empty();
        (few && OF_THE_NODE.contains(&class)).then(|| Spread::Nodes { nodes: self.sorted(nodes) })
    }

    /// The nodes that these tasks have for themselves, and how many of the
    /// tasks are there.
    fn on_nodes(&self, tasks: &[&Evidence], counted: usize, odds: &Odds) -> Option<(Spread, usize)> {
        let counts = self.nodes_of(tasks);
        let is_bad = |node: usize, failed: usize| {
            failed >= 2 && at_least(failed, self.on_node.get(node).copied().unwrap_or(0), NODE_FAILS)
        };
        let bad: Vec<(usize, usize)> =
            counts.into_iter().filter(|(node, failed)| is_bad(*node, *failed)).collect();
        let is_there = |task: &&&Evidence| {
            let nodes = self.lists.get(&*task.node_list).into_iter().flatten();
            nodes.into_iter().any(|node| bad.iter().any(|(other, _)| other == node))
        };
        let inside = tasks.iter().filter(is_there).count();
        let here: usize = bad.iter().filter_map(|(node, _)| self.on_node.get(*node)).sum();
        let fits = !bad.is_empty()
            && here < counted
            && at_least(inside, tasks.len(), PLACE_COVERS)
            && odds.at_least(counted, tasks.len(), here, inside.min(here)) < CHANCE;
        fits.then(|| (Spread::Nodes { nodes: self.sorted(bad) }, inside))
    }

    /// The corner of the parameter space that these tasks have for themselves.
    fn corner(&self, tasks: &[&Evidence], odds: &Odds) -> Option<(Spread, usize)> {
        if tasks.len() < 3 {
            return None;
        }
        let rows: Vec<usize> = tasks.iter().filter_map(|task| self.parameters.row(task.member)).collect();
        let width = self.parameters.width();
        let single = (0..width).filter_map(|at| self.values(at, &rows, tasks.len(), odds));
        // Of several the one with most of the tasks, then with least of the others.
        let best = |corners: &mut dyn Iterator<Item = Corner>| {
            corners.max_by_key(|corner| {
                (corner.failed, std::cmp::Reverse((corner.finished, corner.columns.clone())))
            })
        };
        let found = best(&mut single.into_iter()).or_else(|| {
            let columns: Vec<usize> =
                (0..width).filter(|at| self.parameters.column(*at).1.len() > 1).collect();
            let pairs = columns
                .iter()
                .enumerate()
                .flat_map(|(at, one)| columns[at + 1..].iter().map(move |other| (*one, *other)));
            let mut corners = pairs
                .filter(|_| columns.len() <= PAIRS)
                .filter_map(|(one, other)| self.pair(one, other, &rows, tasks.len(), odds));
            best(&mut corners)
        })?;
        let conditions = found.columns.iter().zip(&found.values).map(|(column, values)| {
            let (name, all) = self.parameters.column(*column);
            let mut values: Vec<String> =
                values.iter().filter_map(|value| all.get(*value).cloned()).collect();
            values.sort_by(|one, other| natural(one, other));
            Condition { parameter: name.to_owned(), values }
        });
        let (failed, finished) = (found.failed, found.finished);
        Some((Spread::Corner { conditions: conditions.collect(), failed, finished }, failed))
    }

    /// The values of one parameter at which nearly everything failed so.
    fn values(&self, column: usize, rows: &[usize], failed: usize, odds: &Odds) -> Option<Corner> {
        let all = self.with_value.get(column)?;
        let mut own: HashMap<usize, usize> = HashMap::new();
        for value in rows.iter().filter_map(|row| self.parameters.cell(column, *row)) {
            *own.entry(value).or_default() += 1;
        }
        let bad = |(value, count): &(usize, usize)| at_least(*count, all[*value], PLACE_FAILS);
        let bad: Vec<(usize, usize)> = own.into_iter().filter(bad).collect();
        let inside: usize = bad.iter().map(|(_, count)| count).sum();
        let here: usize = bad.iter().map(|(value, _)| all[*value]).sum();
        let values = vec![bad.into_iter().map(|(value, _)| value).collect()];
        Corner { columns: vec![column], values, failed: inside, finished: here }.if_real(
            self.rows.len(),
            failed,
            odds,
        )
    }

    /// The same for two parameters together.
    fn pair(&self, one: usize, other: usize, rows: &[usize], failed: usize, odds: &Odds) -> Option<Corner> {
        let cells = self.parameters.column(one).1.len().saturating_mul(self.parameters.column(other).1.len());
        if cells > CELLS {
            return None;
        }
        let count = |rows: &[usize]| {
            let mut counts: HashMap<(usize, usize), usize> = HashMap::new();
            for row in rows {
                let cell = self.parameters.cell(one, *row).zip(self.parameters.cell(other, *row));
                cell.into_iter().for_each(|cell| *counts.entry(cell).or_default() += 1);
            }
            counts
        };
        let (own, all) = (count(rows), count(&self.rows));
        let of = |cell: &(usize, usize)| all.get(cell).copied().unwrap_or(0);
        let bad: Vec<(usize, usize)> = own
            .iter()
            .filter(|(cell, count)| at_least(**count, of(cell), PLACE_FAILS))
            .map(|(cell, _)| *cell)
            .collect();
        let mut values: [Vec<usize>; 2] =
            [bad.iter().map(|cell| cell.0).collect(), bad.iter().map(|cell| cell.1).collect()];
        values.iter_mut().for_each(|values| {
            values.sort_unstable();
            values.dedup();
        });
        // What is said is the rectangle, so the rectangle is what must hold.
        let inside = |(cell, count): (&(usize, usize), &usize)| {
            (values[0].contains(&cell.0) && values[1].contains(&cell.1)).then_some(*count)
        };
        let (here, own) = (all.iter().filter_map(inside).sum(), own.iter().filter_map(inside).sum());
        let corner =
            Corner { columns: vec![one, other], values: values.to_vec(), failed: own, finished: here };
        corner.if_real(self.rows.len(), failed, odds)
    }
}

/// A part of the parameter space.
struct Corner {
    columns: Vec<usize>,
    values: Vec<Vec<usize>>,
    failed: usize,
    finished: usize,
}

impl Corner {
    /// Itself, if it is more than chance: a parameter whose every task has a
    /// value of its own fits anything.
    fn if_real(self, counted: usize, failed: usize, odds: &Odds) -> Option<Corner> {
        let cells: usize = self.values.iter().map(Vec::len).product();
        let is_real = cells > 0
            && self.finished < counted
            && self.failed >= cells.saturating_mul(2).max(3)
            && at_least(self.failed, self.finished, PLACE_FAILS)
            && at_least(self.failed, failed, PLACE_COVERS)
            && odds.at_least(counted, failed.min(counted), self.finished, self.failed) < CHANCE;
        is_real.then_some(self)
    }
}

/// Numbers by size, before words.
pub(in crate::sweep) fn natural(one: &str, other: &str) -> std::cmp::Ordering {
    let number = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    match (number(one), number(other)) {
        (Some(a), Some(b)) => a.total_cmp(&b).then_with(|| one.cmp(other)),
        (Some(_), None) => std::cmp::Ordering::Less,
        (None, Some(_)) => std::cmp::Ordering::Greater,
        (None, None) => one.cmp(other),
    }
}

/// Nodes on which, over all causes, more failed than chance explains. Failures
/// that hit every task or a corner of the space are nobody's node.
pub fn blamed(
    grid: &Grid<'_>,
    groups: &[(CauseGroup, &[&Evidence])],
    counted: usize,
    odds: &Odds,
) -> Vec<NodeCount> {
    let mut failed: HashMap<usize, usize> = HashMap::new();
    let mut certain: Vec<usize> = Vec::new();
    let mut all = 0;
    for (group, tasks) in groups {
        if matches!(group.spread, Spread::All | Spread::Corner { .. }) {
            continue;
        }
        all += tasks.len();
        for (node, count) in grid.nodes_of(tasks) {
            *failed.entry(node).or_default() += count;
        }
        if OF_THE_NODE.contains(&group.cause.class.as_str()) {
            // Of several nodes nobody says which one it was.
            let alone =
                |task: &&&Evidence| grid.lists.get(&*task.node_list).is_some_and(|nodes| nodes.len() == 1);
            certain.extend(tasks.iter().filter(alone).flat_map(|task| &grid.lists[&*task.node_list]));
        }
    }
    // The more nodes are tried, the more of them chance makes look bad.
    let tried = failed.values().filter(|count| **count >= 2).count().max(1) as f64;
    let is_bad = |node: usize, count: usize| {
        let here = grid.on_node.get(node).copied().unwrap_or(0);
        let unlikely = || odds.at_least(counted, all, here, count.min(here)) * tried < 5.0 * CHANCE;
        count >= 2 && here < counted && at_least(count, here, NODE_FAILS) && unlikely()
    };
    let bad = failed.iter().filter(|(node, count)| certain.contains(node) || is_bad(**node, **count));
    grid.sorted(bad.map(|(node, count)| (*node, *count)))
}
