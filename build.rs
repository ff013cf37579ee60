//! Writes the built-in table of patterns as Rust: reading its YAML and working
//! out which texts each pattern must contain took longer at each start than
//! reading a thousand logs. `src/joblog/patterns.yaml` stays what people edit;
//! a test compares both.

use std::fmt::Write as _;
use std::path::Path;

use serde_yaml::{Mapping, Value};

// The same code works out the texts of the patterns that users add.
#[path = "src/joblog/literal.rs"]
mod literal;

const TABLE: &str = "src/joblog/patterns.yaml";

#[expect(
    clippy::disallowed_methods,
    reason = "this runs before there is a program; cargo says where to write"
)]
fn main() {
    println!("cargo::rerun-if-changed={TABLE}");
    println!("cargo::rerun-if-changed=src/joblog/literal.rs");
    println!("cargo::rerun-if-changed=build.rs");
    let text = std::fs::read_to_string(TABLE).expect("the table is part of the source");
    let rows: Vec<Mapping> = serde_yaml::from_str(&text).unwrap_or_else(|e| panic!("{TABLE}: {e}"));
    let mut out = String::from("[\n");
    for row in &rows {
        write_row(&mut out, row);
    }
    out.push_str("]\n");
    let dir = std::env::var_os("OUT_DIR").expect("cargo sets it");
    std::fs::write(Path::new(&dir).join("patterns.rs"), out).expect("cargo's own folder can be written");
}

fn write_row(out: &mut String, row: &Mapping) {
    let text = |field: &str| row.get(field).and_then(Value::as_str);
    // What is missing or of another kind is refused by the tests, which read the YAML as the program reads a user's.
    let texts = |field: &str| {
        let values = row.get(field)?.as_sequence()?;
        Some(values.iter().filter_map(Value::as_str).collect::<Vec<_>>())
    };
    out.push_str("    BuiltIn {\n");
    for field in ["id", "pattern", "class", "role", "retry", "meaning", "action"] {
        writeln!(out, "        {field}: {:?},", text(field).unwrap_or_default()).expect("memory");
    }
    let is_weak = row.get("weak").and_then(Value::as_bool).unwrap_or(false);
    let yields_to = texts("yields_to").map_or_else(|| "None".to_owned(), |names| format!("Some(&{names:?})"));
    let is = texts("is").unwrap_or_default();
    writeln!(out, "        weak: {is_weak},\n        is: &{is:?},").expect("memory");
    writeln!(out, "        yields_to: {yields_to},\n        confirms: {:?},", text("confirms"))
        .expect("memory");
    out.push_str("        literals: &[\n");
    for literal in literal::required(text("pattern").unwrap_or_default()) {
        writeln!(out, "            b\"{}\",", literal.escape_ascii()).expect("memory");
    }
    out.push_str("        ],\n    },\n");
}
