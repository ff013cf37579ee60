//! The heat line: one cell per task, by state and cause, in letters that mean
//! the same without colour.

use crate::cluster::State;
use crate::report::lines::Lines;
use crate::report::{Style, paint};
use crate::safety::one_line;
use crate::sweep::{Judgement, Members, Sweep};
use crate::terms::TaskIds;

/// More rows than this are not shown: then a cell stands for several tasks.
const MOST_ROWS: usize = 24;
/// Causes beyond these letters share one sign.
const LETTERS: [char; 26] = [
    'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H', 'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U',
    'V', 'W', 'X', 'Y', 'Z',
];
/// The kind of a cell without a task.
const GAP: usize = usize::MAX;
/// The sign of causes that have no letter left.
const OTHER: char = '#';

/// A kind of cell.
struct Kind {
    sign: char,
    style: Option<Style>,
    words: String,
    tasks: TaskIds,
}

/// The letter of a cause, by its place in the list of causes.
pub fn letter(place: usize) -> char {
    LETTERS.get(place).copied().unwrap_or(OTHER)
}

/// The heat line with its legend.
pub fn heat(lines: &mut Lines<'_>, sweep: &Sweep, judgement: Option<&Judgement>) {
    let kinds = kinds(sweep, judgement);
    let mut runs: Vec<(u32, u32, usize)> = kinds
        .iter()
        .enumerate()
        .flat_map(|(kind, of)| of.tasks.ranges().iter().map(move |(from, to)| (*from, *to, kind)))
        .collect();
    runs.sort_unstable();
    let total: u64 = runs.iter().map(|(from, to, _)| u64::from(to - from) + 1).sum();
    let Some(last) = runs.last().map(|run| run.1.to_string().len()).filter(|_| total > 1) else { return };
    // Rows of a round number of cells can be counted.
    let room = lines.room().saturating_sub(last + 2);
    let per_row = (room / 10 * 10).max(10);
    let each = total.div_ceil((per_row * MOST_ROWS) as u64).max(1);
    let mut cells = cells(&runs, each);
    if each == 1 && sweep.kind == crate::sweep::Kind::Array {
        cells = with_gaps(cells);
    }
    for (number, row) in cells.chunks(per_row).enumerate() {
        let label = if number == 0 { "tasks" } else { "" };
        let first = row.first().map_or(0, |cell| cell.0);
        lines.whole(label, &format!("{first:>last$}  {}", painted(row, &kinds)));
    }
    let mut legend: Vec<String> = kinds
        .iter()
        .filter(|kind| !kind.tasks.is_empty())
        .map(|kind| format!("{} {} {}", sign(kind), kind.tasks.len(), kind.words).replace(' ', "\u{a0}"))
        .collect();
    if each > 1 {
        legend.push(format!("each cell is {each} tasks, by the worst of them"));
    }
    // What belongs together is not broken apart.
    let mut text = String::new();
    lines_of(&legend, lines.room()).iter().for_each(|line| {
        text.clear();
        text.push_str(&line.replace('\u{a0}', " "));
        lines.whole("", &text);
    });
}

fn lines_of(items: &[String], room: usize) -> Vec<String> {
    crate::report::lines::wrapped(&items.join("   "), room)
}

/// Cells as the first task and the kind, the worst kind of each.
fn cells(runs: &[(u32, u32, usize)], each: u64) -> Vec<(u32, usize)> {
    let mut cells: Vec<(u32, usize)> = Vec::new();
    let mut at = 0u64;
    for (from, to, kind) in runs {
        let mut next = *from;
        loop {
            let room = each - at % each;
            let here = (u64::from(to - next) + 1).min(room);
            match cells.last_mut().filter(|_| !at.is_multiple_of(each)) {
                Some(cell) => cell.1 = cell.1.min(*kind),
                None => cells.push((next, *kind)),
            }
            at += here;
            match next.checked_add(here as u32).filter(|after| after <= to) {
                Some(after) => next = after,
                None => break,
            }
        }
    }
    cells
}

/// The same with empty cells for what is missing between, so that a task that is not seen
/// for a moment moves no other; not for arrays that are gaps for a good part.
fn with_gaps(cells: Vec<(u32, usize)>) -> Vec<(u32, usize)> {
    let (Some(first), Some(last)) = (cells.first(), cells.last()) else { return cells };
    let missing = (u64::from(last.0 - first.0) + 1).saturating_sub(cells.len() as u64);
    if missing * 2 > cells.len() as u64 {
        return cells;
    }
    let mut all = Vec::with_capacity(cells.len() + missing as usize);
    let mut next = first.0;
    for (task, kind) in cells {
        all.extend((next..task).map(|gap| (gap, GAP)));
        all.push((task, kind));
        next = task.saturating_add(1);
    }
    all
}

/// Neighbours of one kind are painted together.
fn painted(row: &[(u32, usize)], kinds: &[Kind]) -> String {
    let mut out = String::new();
    for run in row.chunk_by(|one, other| one.1 == other.1) {
        let Some(kind) = run.first().and_then(|cell| kinds.get(cell.1)) else {
            out.extend(std::iter::repeat_n(' ', run.len()));
            continue;
        };
        let text: String = std::iter::repeat_n(kind.sign, run.len()).collect();
        out.push_str(&kind.style.map_or_else(|| text.clone(), |style| paint(style, &text)));
    }
    out
}

fn sign(kind: &Kind) -> String {
    let sign = kind.sign.to_string();
    kind.style.map_or_else(|| sign.clone(), |style| paint(style, &sign))
}

/// The kinds of cells, the worst first; each task is in one.
fn kinds(sweep: &Sweep, judgement: Option<&Judgement>) -> Vec<Kind> {
    let mut kinds = Vec::new();
    let mut taken = TaskIds::default();
    let mut add = |sign: char, style: Option<Style>, words: &str, tasks: &TaskIds| {
        let tasks = tasks.difference(&taken);
        taken = taken.union(&tasks);
        kinds.push(Kind { sign, style, words: words.to_owned(), tasks });
    };
    if let Some(judgement) = judgement {
        let named = judgement.groups.len().min(LETTERS.len());
        for (place, group) in judgement.groups[..named].iter().enumerate() {
            add(letter(place), Some(Style::Bad), &one_line(&group.cause.class, 30), &group.tasks.0);
        }
        let rest =
            judgement.groups[named..].iter().fold(TaskIds::default(), |all, group| all.union(&group.tasks.0));
        add(OTHER, Some(Style::Bad), "other causes", &rest);
        add('!', Some(Style::Watch), "completed, contradicted", &judgement.suspects().0);
    }
    let of = |wanted: &dyn Fn(State) -> bool| {
        let mut all = Members::default();
        for (_, tasks) in sweep.look.tasks.iter().filter(|(outcome, _)| wanted(outcome.state)) {
            all.0 = all.0.union(&tasks.0);
        }
        all.0
    };
    add('x', Some(Style::Bad), "failed", &of(&State::is_failure));
    add('c', Some(Style::Watch), "cancelled", &of(&|state| state == State::Cancelled));
    add('p', Some(Style::Watch), "preempted", &of(&|state| state == State::Preempted));
    add('r', Some(Style::Strong), "running", &of(&State::is_running));
    add('w', Some(Style::Faint), "waiting", &of(&State::is_waiting));
    add('.', Some(Style::Good), "completed", &of(&|state| state == State::Completed));
    add('?', None, "unknown", &sweep.look.all());
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_of_several_tasks_shows_the_worst() {
        let runs = [(0, 9, 5), (10, 10, 0), (11, 24, 5)];
        assert_eq!(cells(&runs, 1).len(), 25);
        assert_eq!(cells(&runs, 10), [(0, 5), (10, 0), (20, 5)]);
        assert_eq!(cells(&[(u32::MAX, u32::MAX, 1)], 1), [(u32::MAX, 1)]);
        assert_eq!(cells(&[(3, 4, 2), (9, 9, 1)], 2), [(3, 2), (9, 1)]);
    }

    #[test]
    fn a_task_that_is_missing_leaves_the_others_in_their_places() {
        let of = |runs: &[(u32, u32, usize)]| {
            with_gaps(cells(runs, 1)).iter().map(|cell| cell.0).collect::<Vec<_>>()
        };
        assert_eq!(of(&[(0, 3, 1), (6, 7, 1)]), (0..8).collect::<Vec<_>>());
        assert_eq!(with_gaps(vec![(1, 0), (2, 0), (4, 0)]), [(1, 0), (2, 0), (3, GAP), (4, 0)]);
        assert_eq!(of(&[(0, 0, 1), (100, 100, 1)]), [0, 100]);
        assert_eq!(of(&[(0, 0, 1), (2, 2, 1), (4, 4, 1)]), [0, 2, 4]);
        assert_eq!(of(&[]), [0; 0]);
    }
}
