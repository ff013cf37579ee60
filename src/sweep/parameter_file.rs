//! The file that the project keeps of its tasks' parameters.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Parameters;
use crate::terms::TaskIds;

/// What was read of a file of parameters.
#[derive(Debug, Clone, Default)]
pub struct ParameterFile {
    /// The parameters: text from outside.
    pub parameters: Parameters,
    /// Lines that were not understood, and what else is odd, in words.
    pub problems: Vec<String>,
    /// How many rows it has, where no column says which task a row is about.
    pub rows: Option<u32>,
}

/// The column that says which task a row is about.
const TASK: [&str; 4] = ["task", "task_id", "index", "array_task_id"];
/// At most this many columns are read.
const MOST_COLUMNS: usize = 200;

impl ParameterFile {
    /// Reads CSV with a header, or JSON lines.
    ///
    /// A column `task` (`task_id`, `index`, `array_task_id`) names the task;
    /// without one the first row is task 0. `columns` chooses what counts; if
    /// it is empty, everything does. Of two rows of one task the last counts.
    pub fn read(text: &str, columns: &[String]) -> ParameterFile {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let mut reading = Reading {
            columns,
            names: BTreeSet::new(),
            seen: BTreeSet::new(),
            read: ParameterFile::default(),
        };
        match text.trim_start().starts_with('{') {
            true => reading.json_lines(text),
            false => reading.csv(text),
        }
        for column in columns.iter().filter(|column| !reading.names.contains(*column)) {
            reading.read.problems.push(format!("there is no column {column}"));
        }
        reading.read
    }

    /// It for an array of these tasks. Where no column names the task, the first
    /// row is task 0, or task 1 where that alone fits: as many rows as the
    /// highest index of an array that does not begin at 0.
    pub fn fitted(mut self, tasks: &TaskIds) -> ParameterFile {
        let (Some(rows), Some((first, _)), Some((_, last))) =
            (self.rows, tasks.ranges().first().copied(), tasks.ranges().last().copied())
        else {
            return self;
        };
        let name_it = "a column `task` would say which row is whose";
        if last == rows && first > 0 {
            self.parameters = self.parameters.shifted();
        } else if last > rows && first > 0 {
            self.parameters = Parameters::default();
            self.problems.push(format!(
                "parameters: {rows} rows, and tasks up to {last}, so which row is whose is not known: {name_it}"
            ));
        } else if last >= rows {
            self.problems.push(format!("parameters: {rows} rows, and tasks up to {last}: {name_it}"));
        } else if first == 1 {
            self.problems.push(format!(
                "parameters: the array begins at 1 and has fewer tasks than there are rows, and the first row was \
                 taken for task 0: {name_it}"
            ));
        }
        self
    }
}

struct Reading<'c> {
    columns: &'c [String],
    names: BTreeSet<String>,
    seen: BTreeSet<u32>,
    read: ParameterFile,
}

impl Reading<'_> {
    fn csv(&mut self, text: &str) {
        let first = text.lines().next().unwrap_or_default();
        let delimiter = if first.contains('\t') && !first.contains(',') { b'\t' } else { b',' };
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter).trim(csv::Trim::All).from_reader(text.as_bytes());
        let header = match reader.headers() {
            Ok(header) => header.clone(),
            Err(error) => return self.read.problems.push(format!("no header: {error}")),
        };
        let task = header.iter().position(is_task);
        let wanted: Vec<(usize, &str)> =
            header.iter().enumerate().filter(|(at, name)| Some(*at) != task && self.wants(name)).collect();
        for (number, record) in reader.records().enumerate() {
            self.read.rows = task.is_none().then(|| u32::try_from(number + 1).unwrap_or(u32::MAX));
            let record = match record {
                Ok(record) => record,
                Err(error) => {
                    self.read.problems.push(error.to_string());
                    continue;
                }
            };
            let index = match task {
                Some(at) => record.get(at).and_then(|text| text.parse().ok()),
                None => u32::try_from(number).ok(),
            };
            let Some(index) = self.row(index, number + 2) else { continue };
            for (at, name) in &wanted {
                self.set(index, name, record.get(*at).unwrap_or_default());
            }
        }
    }

    fn json_lines(&mut self, text: &str) {
        let (mut rows, mut all_named) = (0, true);
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let Ok(Value::Object(row)) = serde_json::from_str::<Value>(line) else {
                self.read.problems.push(format!("line {} is no JSON object", number + 1));
                continue;
            };
            let named = row.iter().find(|(name, _)| is_task(name));
            all_named &= named.is_some();
            let index = match named {
                Some((_, value)) => value.as_u64().and_then(|index| u32::try_from(index).ok()),
                None => Some(rows),
            };
            rows += 1;
            let Some(index) = self.row(index, number + 1) else { continue };
            for (name, value) in
                row.iter().filter(|(name, _)| !is_task(name) && self.wants(name)).collect::<Vec<_>>()
            {
                self.set(index, name, &plain(value));
            }
        }
        self.read.rows = (!all_named).then_some(rows);
    }

    fn row(&mut self, index: Option<u32>, line: usize) -> Option<u32> {
        let Some(index) = index else {
            self.read.problems.push(format!("line {line} names no task"));
            return None;
        };
        if !self.seen.insert(index) {
            self.read.problems.push(format!("task {index} stands there twice; the last one counts"));
        }
        Some(index)
    }

    fn set(&mut self, index: u32, name: &str, value: &str) {
        if self.names.len() < MOST_COLUMNS || self.names.contains(name) {
            self.names.insert(name.to_owned());
            if !value.is_empty() {
                self.read.parameters.set(index, name, value);
            }
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.columns.is_empty() || self.columns.iter().any(|column| column == name)
    }
}

fn is_task(name: &str) -> bool {
    TASK.contains(&name.to_ascii_lowercase().as_str())
}

/// A JSON value as a person would write it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(read: &ParameterFile, task: u32) -> Vec<(&str, &str)> {
        read.parameters.of(task).collect()
    }

    #[test]
    fn csv_without_a_task_column_counts_rows_from_zero() {
        let read = ParameterFile::read("lr, seed\n1e-3,1\n\"1e-4\",2\n", &[]);
        assert_eq!(of(&read, 0), [("lr", "1e-3"), ("seed", "1")]);
        assert_eq!(of(&read, 1), [("lr", "1e-4"), ("seed", "2")]);
        assert_eq!(of(&read, 2), []);
        assert!(read.problems.is_empty());
    }

    #[test]
    fn rows_of_an_array_that_begins_at_one_are_counted_from_one_where_that_alone_fits() {
        let of_rows = |rows: u32, tasks: &str| {
            let text = (0..rows).fold("lr\n".to_owned(), |text, row| text + &format!("0.{row}\n"));
            ParameterFile::read(&text, &[]).fitted(&tasks.parse().unwrap())
        };
        let read = of_rows(24, "1-24");
        assert_eq!(
            (of(&read, 0), of(&read, 1), of(&read, 24)),
            (vec![], vec![("lr", "0.0")], vec![("lr", "0.23")])
        );
        assert!(read.problems.is_empty());
        let read = of_rows(24, "0-23");
        assert_eq!((of(&read, 0), read.problems.len()), (vec![("lr", "0.0")], 0));
        let read = of_rows(24, "5-8");
        assert_eq!((of(&read, 5), read.problems.len()), (vec![("lr", "0.5")], 0));
        let read = of_rows(24, "1-20");
        assert_eq!((of(&read, 5), read.problems.len()), (vec![("lr", "0.5")], 1));
        let read = of_rows(24, "1-30");
        assert!(read.parameters.is_empty() && read.problems[0].contains("not known"));
        let named = ParameterFile::read("task,lr\n3,0.1\n", &[]).fitted(&"1-3".parse().unwrap());
        assert_eq!(of(&named, 3), [("lr", "0.1")]);
        let json = ParameterFile::read("{\"lr\": 1}\n{\"lr\": 2}\n", &[]).fitted(&"1-2".parse().unwrap());
        assert_eq!(of(&json, 2), [("lr", "2")]);
    }

    #[test]
    fn a_task_column_names_the_task_and_columns_choose() {
        let columns = ["lr".to_owned(), "depth".to_owned()];
        let read = ParameterFile::read("task\tlr\tseed\n7\t0.1\t3\nx\t0.2\t4\n7\t0.3\t5\n", &columns);
        assert_eq!(of(&read, 7), [("lr", "0.3")]);
        assert_eq!(
            read.problems,
            [
                "line 3 names no task",
                "task 7 stands there twice; the last one counts",
                "there is no column depth"
            ]
        );
    }

    #[test]
    fn json_lines_may_have_different_names() {
        let text =
            "{\"task\": 3, \"lr\": 0.001}\n\n{\"task\": 4, \"model\": \"big\", \"lr\": null}\nnothing\n";
        let read = ParameterFile::read(text, &[]);
        assert_eq!(of(&read, 3), [("lr", "0.001")]);
        assert_eq!(of(&read, 4), [("model", "big")]);
        assert_eq!(read.problems, ["line 4 is no JSON object"]);
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,200}") {
            let _ = ParameterFile::read(&text, &[]);
            let _ = ParameterFile::read(&format!("{{{text}"), &["a".to_owned()]);
        }
    }
}
