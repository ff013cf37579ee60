//! The table with which logs are read.

use serde::Serialize;

use crate::config::Logs;
use crate::joblog::{Retry, Role, Table};
use crate::verbs::Error;

/// The patterns, in the order in which they are tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Patterns {
    /// The first row that matches a line says what the line is.
    pub patterns: Vec<Row>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Row {
    /// Its name.
    pub id: String,
    /// Where it comes from.
    pub origin: Origin,
    /// The regular expression.
    pub pattern: String,
    /// The class of the cause.
    pub class: String,
    /// What part such a line plays.
    pub role: Role,
    /// True if it yields to any other line of the same role.
    pub weak: bool,
    /// What the judge goes by: `generic`, `survived`, ... of its class and its own.
    pub is: Vec<String>,
    /// Classes, and ids of rows, whose lines explain this one.
    pub yields_to: Vec<String>,
    /// Whether to try again.
    pub retry: Retry,
    /// What it means, in words.
    pub meaning: String,
    /// What to do, in words.
    pub action: String,
}

/// Where a row comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// It comes with the program.
    BuiltIn,
    /// The settings add it.
    Settings,
    /// The settings put it in the place of a built-in one.
    Replaced,
}

/// The built-in rows and those of the settings.
///
/// # Errors
/// A row of the settings cannot be used.
pub fn patterns(settings: &Logs) -> Result<Patterns, Error> {
    let table = Table::with(&settings.patterns)?;
    let origin = |id: &str| match settings.patterns.iter().any(|row| row.id == id) {
        false => Origin::BuiltIn,
        true if Table::builtin().pattern(id).is_some() => Origin::Replaced,
        true => Origin::Settings,
    };
    let rows = table.rows().iter().map(|row| Row {
        id: row.id.clone(),
        origin: origin(&row.id),
        pattern: row.regex.as_str().to_owned(),
        class: row.class.clone(),
        role: row.role,
        weak: row.weak,
        is: row.traits.words().map(str::to_owned).collect(),
        yields_to: row.traits.explained_by().to_vec(),
        retry: row.retry,
        meaning: row.meaning.clone(),
        action: row.action.clone(),
    });
    Ok(Patterns { patterns: rows.collect() })
}
