//! Lines of a label and a value.

use super::style::width;
use super::{Style, paint};

/// Where the values of a board begin.
pub const INDENT: usize = 11;

/// Lines of a label and a value, which goes on below itself.
pub struct Lines<'o> {
    pub out: &'o mut String,
    pub width: usize,
}

impl Lines<'_> {
    /// Adds a value, broken after blanks and commas.
    pub fn add(&mut self, label: &str, value: &str) {
        self.add_in(label, value, 0);
    }

    /// The same, with so many blanks before the value.
    pub fn add_in(&mut self, label: &str, value: &str, deeper: usize) {
        let room = self.room().saturating_sub(deeper).max(20);
        for (number, line) in wrapped(value, room).iter().enumerate() {
            let label = if number == 0 { label } else { "" };
            self.whole(label, &format!("{:deeper$}{line}", ""));
        }
    }

    /// Adds a value with a label of another colour.
    pub fn add_painted(&mut self, label: &str, style: Style, value: &str) {
        for (number, line) in wrapped(value, self.room()).iter().enumerate() {
            self.painted(if number == 0 { label } else { "" }, style, line);
        }
    }

    /// Adds a value with a mark before its first line.
    pub fn item(&mut self, mark: &str, value: &str) {
        let deeper = width(mark) + 1;
        let room = self.room().saturating_sub(deeper).max(20);
        for (number, line) in wrapped(value, room).iter().enumerate() {
            match number {
                0 => self.whole("", &format!("{mark} {line}")),
                _ => self.whole("", &format!("{:deeper$}{line}", "")),
            }
        }
    }

    /// Adds a line as it is.
    pub fn whole(&mut self, label: &str, line: &str) {
        self.painted(label, Style::Faint, line);
    }

    fn painted(&mut self, label: &str, style: Style, line: &str) {
        let label = format!("{label:<INDENT$}");
        let line = format!("{}{line}", paint(style, &label));
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    /// The columns that a value has.
    pub fn room(&self) -> usize {
        self.width.saturating_sub(INDENT).max(20)
    }
}

/// Breaks text after blanks and commas.
pub fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive([' ', ',']) {
        let line = lines.last().map_or(0, |line| width(line));
        if line > 0 && line + width(piece.trim_end()) > room {
            lines.push(String::new());
        }
        if let Some(last) = lines.last_mut() {
            last.push_str(piece);
        }
    }
    lines
}
