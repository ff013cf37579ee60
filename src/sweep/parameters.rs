//! Which parameters each task of a sweep has.

use std::collections::HashMap;

/// The parameters of every task, by column: names and values are kept once,
/// so that a hundred thousand tasks cost four bytes a cell.
#[derive(Debug, Clone, Default)]
pub struct Parameters {
    columns: Vec<Column>,
    rows: HashMap<u32, u32>,
    members: Vec<u32>,
}

#[derive(Debug, Clone, Default)]
struct Column {
    name: String,
    values: Vec<String>,
    numbers: HashMap<String, u32>,
    /// The number of the value by row; `NONE`, or beyond the end, for none.
    cells: Vec<u32>,
}

const NONE: u32 = u32::MAX;

impl Parameters {
    /// Notes that a task has this value; a later one replaces it.
    pub fn set(&mut self, member: u32, name: &str, value: &str) {
        let next = self.members.len() as u32;
        let row = *self.rows.entry(member).or_insert(next);
        if row == next {
            self.members.push(member);
        }
        let column = match self.columns.iter().position(|column| column.name == name) {
            Some(at) => &mut self.columns[at],
            None => {
                self.columns.push(Column { name: name.to_owned(), ..Column::default() });
                let last = self.columns.len() - 1;
                &mut self.columns[last]
            }
        };
        column.set(row as usize, value);
    }

    /// The same of the tasks with the next numbers.
    pub(super) fn shifted(self) -> Parameters {
        let next = |member: u32| member.saturating_add(1);
        Parameters {
            columns: self.columns,
            rows: self.rows.into_iter().map(|(member, row)| (next(member), row)).collect(),
            members: self.members.into_iter().map(next).collect(),
        }
    }

    /// True if no parameter of any task is known.
    pub fn is_empty(&self) -> bool {
        self.columns.is_empty()
    }

    /// The tasks of which any is known, in the order in which they came.
    pub fn members(&self) -> &[u32] {
        &self.members
    }

    /// The names, in the order in which they came.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.columns.iter().map(|column| column.name.as_str())
    }

    /// One parameter of a task.
    pub fn value(&self, member: u32, name: &str) -> Option<&str> {
        let column = self.columns.iter().find(|column| column.name == name)?;
        column.value(*self.rows.get(&member)? as usize)
    }

    /// How many names there are.
    pub(super) fn width(&self) -> usize {
        self.columns.len()
    }

    /// The name of a column and its distinct values.
    pub(super) fn column(&self, at: usize) -> (&str, &[String]) {
        self.columns.get(at).map_or(("", &[]), |column| (column.name.as_str(), column.values.as_slice()))
    }

    /// Where a task's cells are.
    pub(super) fn row(&self, member: u32) -> Option<usize> {
        self.rows.get(&member).map(|row| *row as usize)
    }

    /// The number of a value among those of its column.
    pub(super) fn cell(&self, column: usize, row: usize) -> Option<usize> {
        let number = *self.columns.get(column)?.cells.get(row)?;
        (number != NONE).then_some(number as usize)
    }

    /// The parameters of a task, as name and value.
    pub fn of(&self, member: u32) -> impl Iterator<Item = (&str, &str)> {
        let row = self.rows.get(&member).map(|row| *row as usize);
        self.columns.iter().filter_map(move |column| Some((column.name.as_str(), column.value(row?)?)))
    }
}

impl Column {
    fn set(&mut self, row: usize, value: &str) {
        let number = match self.numbers.get(value) {
            Some(number) => *number,
            None => {
                let number = self.values.len() as u32;
                self.values.push(value.to_owned());
                self.numbers.insert(value.to_owned(), number);
                number
            }
        };
        if self.cells.len() <= row {
            self.cells.resize(row + 1, NONE);
        }
        self.cells[row] = number;
    }

    fn value(&self, row: usize) -> Option<&str> {
        self.values.get(*self.cells.get(row)? as usize).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_what_was_set_last() {
        let mut parameters = Parameters::default();
        parameters.set(7, "lr", "0.1");
        parameters.set(3, "seed", "1");
        parameters.set(7, "lr", "0.3");
        parameters.set(7, "seed", "2");
        assert_eq!(parameters.of(7).collect::<Vec<_>>(), [("lr", "0.3"), ("seed", "2")]);
        assert_eq!(parameters.of(3).collect::<Vec<_>>(), [("seed", "1")]);
        assert_eq!(parameters.value(3, "lr"), None);
        assert_eq!(parameters.of(9).count(), 0);
        assert_eq!((parameters.members(), parameters.names().count()), (&[7, 3][..], 2));
    }
}
