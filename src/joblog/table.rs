//! The pattern table: what a line of a log means, as data.
//!
//! The built-in rows are in `patterns.yaml` beside this file; users add their
//! own in their configuration, or replace one by its id. Their order counts:
//! **the first row that matches a line says what the line is**. So noise comes
//! first, the particular before the general, and a project's own rows before
//! all of them.

mod search;
mod traits;

use std::collections::HashSet;
use std::sync::{Arc, LazyLock};

use serde::Serialize;

use self::search::Search;
pub(super) use self::traits::Trait;
pub use self::traits::Traits;
use super::{Retry, Role, label, literal};
use crate::config::PatternRow;

/// More rows than this are refused.
const MOST_ROWS: usize = 2000;
/// A longer pattern, in bytes, is refused.
const LONGEST_PATTERN: usize = 2000;

/// One row of the table, ready to be searched for.
#[derive(Debug, Clone, Serialize)]
pub struct Pattern {
    /// A short name, unique in the table.
    pub id: String,
    /// The class of the cause: `cuda-oom`.
    pub class: String,
    /// What part such a line plays.
    pub role: Role,
    /// True if it yields to any line of the same role that is not weak, and to
    /// signs that the run went on.
    pub weak: bool,
    /// Whether to try again.
    pub retry: Retry,
    /// What it means, in words.
    pub meaning: String,
    /// What to do, in words.
    pub action: String,
    /// What the judge goes by.
    #[serde(skip)]
    pub traits: Arc<Traits>,
    /// Searched anywhere in a line (without its line end, escapes and labels).
    #[serde(skip)]
    pub regex: Search,
    /// Every match of `regex` contains one of these; none if that cannot be
    /// said, and then each line must be tried.
    #[serde(skip)]
    pub literals: Vec<Vec<u8>>,
}

/// Why a table cannot be used. Each names the row.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// The pattern is not what the `regex` crate takes, or too large for it.
    #[error("read the pattern of {id:?}")]
    Pattern {
        /// The row.
        id: String,
        /// What is wrong with it.
        #[source]
        source: Box<regex::Error>,
    },
    /// A word that is none of those which the field may have.
    #[error("read the {field} {value:?} of pattern {id:?}: it is one of {known}")]
    Word {
        /// The row.
        id: String,
        /// The field.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        known: String,
    },
    /// Anything else that is wrong with a row.
    #[error("use pattern {id:?}: {why}")]
    Row {
        /// The row.
        id: String,
        /// What is wrong.
        why: String,
    },
    /// There are too many rows.
    #[error("use {rows} patterns: at most {MOST_ROWS} are taken")]
    TooMany {
        /// So many.
        rows: usize,
    },
}

/// The rows, in the order in which they are tried.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Vec<Pattern>,
}

/// A row of `patterns.yaml`, as `build.rs` writes it: checked by the tests, and
/// with the texts that its pattern must contain.
struct BuiltIn {
    id: &'static str,
    pattern: &'static str,
    class: &'static str,
    role: &'static str,
    weak: bool,
    retry: &'static str,
    meaning: &'static str,
    action: &'static str,
    is: &'static [&'static str],
    yields_to: Option<&'static [&'static str]>,
    confirms: Option<&'static str>,
    literals: &'static [&'static [u8]],
}

static ROWS: &[BuiltIn] = &include!(concat!(env!("OUT_DIR"), "/patterns.rs"));

impl BuiltIn {
    fn row(&self) -> PatternRow {
        let owned = |words: &[&str]| words.iter().copied().map(str::to_owned).collect();
        PatternRow {
            id: self.id.to_owned(),
            pattern: self.pattern.to_owned(),
            class: self.class.to_owned(),
            role: self.role.to_owned(),
            weak: self.weak,
            retry: self.retry.to_owned(),
            meaning: self.meaning.to_owned(),
            action: self.action.to_owned(),
            is: owned(self.is),
            yields_to: self.yields_to.map(owned),
            confirms: self.confirms.map(str::to_owned),
            example: None,
            near_miss: None,
        }
    }
}

static BUILTIN: LazyLock<Table> = LazyLock::new(|| {
    let rows = ROWS.iter().map(|row| {
        let literals = row.literals.iter().map(|literal| literal.to_vec()).collect();
        finished(row.row(), Search::trusted(row.pattern), literals)
    });
    Table { rows: rows.collect::<Result<_, _>>().expect("the built-in rows are compiled by the tests") }
});

impl Table {
    /// The table that comes with the program.
    pub fn builtin() -> &'static Table {
        &BUILTIN
    }

    /// The built-in table with more rows. One with the id of a built-in row
    /// takes its place; the others come first, in the order given.
    ///
    /// # Errors
    /// [`TableError`] naming the first row that cannot be used.
    pub fn with(rows: &[PatternRow]) -> Result<Table, TableError> {
        let mut table = Table::builtin().clone();
        let own = Table::from_rows(rows)?;
        let mut first = Vec::new();
        for row in own.rows {
            match table.rows.iter_mut().find(|old| old.id == row.id) {
                Some(old) => *old = row,
                None => first.push(row),
            }
        }
        first.append(&mut table.rows);
        table.rows = first;
        if table.rows.len() > MOST_ROWS {
            return Err(TableError::TooMany { rows: table.rows.len() });
        }
        for row in rows {
            let unknown = row.yields_to.iter().flatten().find(|name| !table.has(name));
            if let Some(name) = unknown {
                return Err(wrong(
                    row,
                    &format!("it yields to {name:?}, which is neither a class nor a row"),
                ));
            }
        }
        Ok(table)
    }

    /// These rows and no others.
    ///
    /// # Errors
    /// [`TableError`] naming the first row that cannot be used.
    pub fn from_rows(rows: &[PatternRow]) -> Result<Table, TableError> {
        if rows.len() > MOST_ROWS {
            return Err(TableError::TooMany { rows: rows.len() });
        }
        let mut ids = HashSet::new();
        for row in rows {
            if !ids.insert(row.id.as_str()) {
                return Err(wrong(row, "its id is taken by another row"));
            }
        }
        let rows = rows.iter().map(compile).collect::<Result<_, _>>()?;
        Ok(Table { rows })
    }

    /// All rows, in the order in which they are tried.
    pub fn rows(&self) -> &[Pattern] {
        &self.rows
    }

    /// The row of that id.
    pub fn pattern(&self, id: &str) -> Option<&Pattern> {
        self.rows.iter().find(|row| row.id == id)
    }

    /// True for the name of a class or a row.
    fn has(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.id == name || row.class == name)
    }

    /// The row whose lines must follow on an error of that text, if there is one.
    pub(super) fn confirmed_by(&self, text: &str) -> Option<usize> {
        let is_match =
            |row: &Pattern| row.traits.confirms.as_ref().is_some_and(|it| it.is_match(text.as_bytes()));
        self.rows.iter().position(is_match)
    }

    /// What a line is: the first row that matches it. `line` is one physical
    /// line, or a part of it between carriage returns, without escapes. Tries
    /// every row, so it is for single lines; a scan looks for the rows'
    /// literals first and asks [`Table::first_of`] about the rows found so.
    pub fn classify(&self, line: &[u8]) -> Option<&Pattern> {
        self.first_of(0..self.rows.len(), line).map(|at| &self.rows[at])
    }

    /// The same for some of the rows, given by their places in [`Table::rows`]
    /// in rising order.
    pub fn first_of(&self, mut places: impl Iterator<Item = usize>, line: &[u8]) -> Option<usize> {
        let message = label::message(line);
        places.find(|at| self.rows.get(*at).is_some_and(|row| row.regex.is_match(message)))
    }
}

fn compile(row: &PatternRow) -> Result<Pattern, TableError> {
    for (field, word) in [("id", &row.id), ("class", &row.class)] {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if word.is_empty() || word.len() > 60 || !word.bytes().all(is_plain) {
            return Err(wrong(row, &format!("its {field} is not 1 to 60 of a-z, 0-9 and -")));
        }
    }
    if row.pattern.len() > LONGEST_PATTERN {
        return Err(wrong(row, &format!("it is longer than {LONGEST_PATTERN} bytes")));
    }
    let unreadable = |source| TableError::Pattern { id: row.id.clone(), source: Box::new(source) };
    let regex = Search::compiled(&row.pattern).map_err(unreadable)?;
    if regex.is_match(b"") {
        return Err(wrong(row, "it matches every line"));
    }
    if row.example.as_ref().is_some_and(|line| !regex.is_match(line.as_bytes())) {
        return Err(wrong(row, "it does not match its own example"));
    }
    if row.near_miss.as_ref().is_some_and(|line| regex.is_match(line.as_bytes())) {
        return Err(wrong(row, "it matches its near miss"));
    }
    finished(row.clone(), regex, literal::required(&row.pattern))
}

/// A row with its pattern.
fn finished(row: PatternRow, regex: Search, literals: Vec<Vec<u8>>) -> Result<Pattern, TableError> {
    let (role, weak) = role(&row)?;
    let (retry, traits) = (retry(&row)?, traits::traits(&row)?);
    let PatternRow { id, class, meaning, action, .. } = row;
    Ok(Pattern { id, class, role, weak, retry, meaning, action, traits, literals, regex })
}

const RETRIES: [(&str, Retry); 8] = [
    ("resume", Retry::Resume),
    ("once", Retry::Once),
    ("after-change", Retry::AfterChange),
    ("fix-first", Retry::FixFirst),
    ("resubmit", Retry::Resubmit),
    ("by-cause", Retry::ByCause),
    ("ask", Retry::Ask),
    ("nothing", Retry::Nothing),
];

fn role(row: &PatternRow) -> Result<(Role, bool), TableError> {
    let (role, is_weak) = Role::read(&row.role).ok_or_else(|| TableError::Word {
        id: row.id.clone(),
        field: "role",
        value: row.role.clone(),
        known: "root, cascade, teardown, evidence, warning, noise, info".to_owned(),
    })?;
    Ok((role, is_weak || row.weak))
}

fn retry(row: &PatternRow) -> Result<Retry, TableError> {
    let known = RETRIES.iter().find(|(word, _)| *word == row.retry).map(|(_, retry)| *retry);
    known.ok_or_else(|| TableError::Word {
        id: row.id.clone(),
        field: "retry",
        value: row.retry.clone(),
        known: RETRIES.map(|(word, _)| word).join(", "),
    })
}

fn wrong(row: &PatternRow, why: &str) -> TableError {
    TableError::Row { id: row.id.clone(), why: why.to_owned() }
}

#[cfg(test)]
mod tests;
