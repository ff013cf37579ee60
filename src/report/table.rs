use super::style::{Style, paint, width};

/// Which side the cells of a column lean to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// For words.
    Left,
    /// For numbers.
    Right,
}

/// A table of escaped text: no lines, two blanks between columns.
#[derive(Debug, Clone)]
pub struct Table {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub fn new<const N: usize>(columns: [(&str, Align); N]) -> Table {
        Table { columns: columns.map(|(name, align)| (name.to_owned(), align)).into(), rows: Vec::new() }
    }

    /// Adds a row; missing cells are empty, and cells beyond the columns are dropped.
    pub fn row<I: IntoIterator<Item = S>, S: Into<String>>(&mut self, cells: I) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// True if there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines, each ended by a newline and none with blanks at its end.
    pub fn render(&self) -> String {
        let cell = |row: &Vec<String>, column: usize| row.get(column).cloned().unwrap_or_default();
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                self.rows
                    .iter()
                    .map(|row| width(&cell(row, column)))
                    .chain([width(&self.columns[column].0)])
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        let mut out = String::new();
        let heading: Vec<String> = self.columns.iter().map(|(name, _)| paint(Style::Faint, name)).collect();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            for (column, (_, align)) in self.columns.iter().enumerate() {
                let text = cell(row, column);
                let gap = " ".repeat(widths[column] - width(&text));
                if column > 0 {
                    line.push_str("  ");
                }
                match align {
                    Align::Left => line.extend([text, gap]),
                    Align::Right => line.extend([gap, text]),
                }
            }
            out.push_str(line.trim_end());
            out.push('\n');
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_what_is_seen() {
        let mut table = Table::new([("name", Align::Left), ("n", Align::Right)]);
        table.row(["訓練", "7"]);
        table.row([paint(Style::Bad, "x"), "12".to_owned()]);
        let plain = anstream::adapter::strip_str(&table.render()).to_string();
        assert_eq!(plain, "name   n\n訓練   7\nx     12\n");
    }
}
